//! `gio-buyer logs` of a job that runs: unit by unit as claims come in, for as many as look.

use std::fs;
use std::path::{Path, PathBuf};

use gio_e2e::paths;
use gio_e2e::process::{Process, wait_for};
use gio_failpoint::VISITS;

use crate::story::{Story, block_on, text};

const UNITS: usize = 3;
/// Programs that follow one job at the same time with one key.
const FOLLOWERS: usize = 8;

#[test]
fn logs_follow_a_job_to_its_last_unit_and_end() {
    block_on(async {
        let mut story = Story::with_hub(1).await;
        let out = story.net.folder.join("out");
        let job = opened(&story, &out).await;
        // Nobody works yet: who does not follow is told so, and who follows waits.
        let now = story.net.buyer(&["logs", &job]).output().await.unwrap();
        let said = String::from_utf8(now.stderr).unwrap();
        assert!(now.status.success(), "{said}");
        assert!(
            said.contains("no unit is done yet; --follow waits"),
            "{said}"
        );

        let mut followers: Vec<Process> = (0..FOLLOWERS)
            .map(|number| follow(&story, &job, &format!("follower-{number}"), &[]))
            .collect();
        followers.push(follow(&story, &job, "of-one", &["--unit", "1"]));
        let leaver = follow(&story, &job, "leaver", &[]);
        for follower in followers.iter().chain([&leaver]) {
            asks(&story, follower.name()).await;
        }
        let left = leaver.stop().await.unwrap();
        assert_eq!(left.code(), Some(20), "who leaves leaves the job alone");
        for follower in &mut followers {
            follower.check().unwrap();
        }
        story.net.start_miner(0).await.unwrap();
        let mut logs = Vec::new();
        for mut follower in followers {
            let ended = wait_for("the end of the logs", 60, || {
                let ended = follower.ended();
                async move { ended }
            });
            let status = ended.await.unwrap();
            let log = follower.log().unwrap();
            assert_eq!(status.code(), Some(0), "{}: {log}", follower.name());
            logs.push(log);
        }

        let done = story.buyer(&["attach", &job]).await.expect(0);
        let lines: Vec<String> = (0..UNITS)
            .map(|unit| fs::read_to_string(out.join(format!("units/{unit}/stdout"))).unwrap())
            .collect();
        assert_eq!(logs.pop().unwrap(), lines[1], "as it wrote it");
        for log in &mut logs {
            let mut found: Vec<&str> = log.lines().collect();
            found.sort_unstable();
            let told = (0..UNITS).map(|unit| format!("[{unit}] {}", lines[unit].trim_end()));
            assert_eq!(found, told.collect::<Vec<_>>());
        }

        // What is settled cannot be taken back, and the receipt is not what was asked for.
        let refund = story.buyer(&["refund", &job]).await.expect(2);
        assert!(
            refund.stderr.contains("error[nothing-to-do]")
                && refund.stderr.contains("the deal is settled"),
            "{refund:?}"
        );
        assert_eq!(done.json["state"], "settled");
        story.net.stop().await.unwrap();
    });
}

/// A job of a few units, its cap locked.
async fn opened(story: &Story, out: &Path) -> String {
    let wasm = paths::repository().join("apps/bench/sha256.wasm");
    let split = format!("range:0..{UNITS}:{UNITS}");
    let submit = [
        "submit",
        "--wasm",
        text(&wasm),
        "--split",
        &split,
        "--out",
        text(out),
        "--yes",
        "--detach",
    ];
    let opened = story.buyer_before_args(&submit, &["--", "1"]).await;
    opened.expect(0).job().to_owned()
}

fn visits(story: &Story, name: &str) -> PathBuf {
    story.net.folder.join(format!("{name}.visits"))
}

fn follow(story: &Story, job: &str, name: &str, more: &[&str]) -> Process {
    let mut command = story.net.buyer(&["logs", job, "--follow"]);
    command.args(more).env(VISITS, visits(story, name));
    Process::start(name, command, &story.net.folder.join("logs")).unwrap()
}

/// Waits until a follower has asked the hub for claims.
async fn asks(story: &Story, name: &str) {
    wait_for("a follower's question", 60, || async {
        let visits = fs::read_to_string(visits(story, name)).unwrap_or_default();
        Ok(visits.contains("buyer.asked.claims").then_some(()))
    })
    .await
    .unwrap();
}
