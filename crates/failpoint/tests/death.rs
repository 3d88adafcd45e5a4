//! What a fail-point does to a process, and that a release build has none.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

/// Runs this test program's one ignored test, which passes a fail-point three times.
fn passer(plan: Option<&str>, visits: &Path) -> std::process::ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "passes_a_point_three_times"]);
    command.env("GIO_FAIL_POINT_VISITS", visits);
    if let Some(plan) = plan {
        command.env("GIO_KILL_AT", plan);
    }
    command.output().unwrap().status
}

#[test]
#[ignore = "the process the other test watches"]
fn passes_a_point_three_times() {
    for _ in 0..3 {
        gio_failpoint::fail_point!("test.point");
    }
}

#[test]
fn a_process_dies_by_sigkill_at_the_visit_named_and_at_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let visits = dir.path().join("visits");
    for (plan, died, passed) in [
        (None, false, 3),
        (Some("test.point@2"), true, 2),
        (Some("test.point@4,other@1"), false, 3),
    ] {
        let status = passer(plan, &visits);
        assert_eq!(status.signal(), died.then_some(9), "{plan:?}: {status}");
        let text = std::fs::read_to_string(&visits).unwrap();
        assert_eq!(text.lines().count(), passed, "{plan:?}");
        std::fs::remove_file(&visits).unwrap();
    }
}

#[test]
fn a_process_stands_still_at_the_visit_named_until_it_is_let_go_on() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "passes_a_point_three_times"]);
    command.stdout(std::process::Stdio::null());
    let mut child = command.env("GIO_STOP_AT", "test.point@2").spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let looked = rustix::process::WaitOptions::UNTRACED;
    let (_, status) = rustix::process::waitpid(Some(pid), looked)
        .unwrap()
        .unwrap();
    assert!(status.stopped(), "{status:?}");
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    assert!(child.wait().unwrap().success());
}

/// The macro's text is compiled twice, with and without `debug_assertions`, as the two profiles do.
#[test]
fn a_release_build_contains_nothing_of_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("program.rs");
    // The module of a test build needs its dependency; the empty one needs none.
    std::fs::write(
        &program,
        format!(
            "#[path = {source:?}] mod failpoint;\n\
             fn main() {{ fail_point!(\"test.point\"); println!(\"{{}} {{}}\", failpoint::clock_shift(), failpoint::hurry()); }}"
        ),
    )
    .unwrap();
    let binary = dir.path().join("program");
    let output = Command::new("rustc")
        .args([
            "--edition",
            "2024",
            "-O",
            "-C",
            "debug-assertions=off",
            "-o",
        ])
        .arg(&binary)
        .arg(&program)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let bytes = std::fs::read(&binary).unwrap();
    let words = [
        "test.point",
        "GIO_KILL_AT",
        "GIO_STOP_AT",
        "GIO_CLOCK_SHIFT",
        "GIO_HURRY",
    ];
    for word in words {
        let found = bytes
            .windows(word.len())
            .any(|window| window == word.as_bytes());
        assert!(!found, "{word} is in a release build");
    }
    let ours = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert!(
        ours.windows(11).any(|window| window == b"GIO_KILL_AT"),
        "the search finds what is there"
    );
}
