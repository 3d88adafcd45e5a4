//! Jobs of users' own.

use std::fs;

use gio_content::InputImage;
use gio_e2e::devnet::Settings;
use gio_e2e::paths;

use crate::peer;
use crate::story::{Story, block_on, text};

/// A program nobody prepared for this project reads stdin, arguments, environment and files, writes stdout, stderr
/// and a file, and exits 3.
#[test]
fn a_users_own_program_comes_back_as_wasmtime_alone_runs_it() {
    block_on(async {
        let story = Story::start(Settings {
            miners: 1,
            ..Settings::default()
        })
        .await;
        let folder = story.net.folder.join("job");
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(folder.join("notes.txt"), "one\ntwo words\n\nlast").unwrap();
        fs::write(folder.join("sub/raw.bin"), [0u8, 1, 2, 255]).unwrap();
        fs::write(folder.join("typed"), "typed in\n").unwrap();
        let wasm = paths::repository().join("apps/echo/echo.wasm");
        let out = story.net.folder.join("out");
        let args = [
            "submit",
            "--wasm",
            text(&wasm),
            "--input",
            text(&folder),
            "--split",
            "none",
            "--stdin",
            "typed",
            "--env",
            "GREETING=grüß dich",
            "--out",
            text(&out),
            "--",
            "notes.txt",
            "two words",
        ];
        // --json must come before the program's own arguments.
        let mut args = args.to_vec();
        args.insert(1, "--json");
        let output = story.net.buyer(&args).output().await.unwrap();
        assert_eq!(
            output.status.code(),
            Some(10),
            "a unit that exits 3: {}",
            String::from_utf8_lossy(&output.stderr)
        );

        let input = InputImage {
            args: ["echo.wasm", "notes.txt", "two words"]
                .map(|arg| arg.as_bytes().to_vec())
                .into(),
            env: [("GREETING".to_owned(), "grüß dich".as_bytes().to_vec())].into(),
            files: [
                ("notes.txt".to_owned(), b"one\ntwo words\n\nlast".to_vec()),
                ("sub/raw.bin".to_owned(), vec![0, 1, 2, 255]),
                ("typed".to_owned(), b"typed in\n".to_vec()),
            ]
            .into(),
            stdin: b"typed in\n".to_vec(),
        };
        let alone =
            tokio::task::spawn_blocking(move || peer::run(&fs::read(wasm).unwrap(), &input))
                .await
                .unwrap();
        assert_eq!(alone.exit_code, 3);
        assert_eq!(fs::read(out.join("stdout")).unwrap(), alone.stdout);
        assert_eq!(fs::read(out.join("stderr")).unwrap(), alone.stderr);
        assert_eq!(alone.files.keys().collect::<Vec<_>>(), ["out/report.txt"]);
        assert_eq!(
            fs::read(out.join("out/report.txt")).unwrap(),
            alone.files["out/report.txt"]
        );
        let units: serde_json::Value =
            serde_json::from_slice(&fs::read(out.join("units.json")).unwrap()).unwrap();
        assert_eq!(
            (&units[0]["status"], &units[0]["exit_code"]),
            (&"exit".into(), &3.into())
        );
        story.net.stop().await.unwrap();
    });
}

/// One unit per file; what comes back is what `run` leaves without any market.
#[test]
fn the_market_leaves_what_a_local_run_leaves() {
    block_on(async {
        let story = Story::start(Settings::default()).await;
        let folder = story.net.folder.join("texts");
        fs::create_dir_all(&folder).unwrap();
        for number in 0..9 {
            fs::write(
                folder.join(format!("{number}.txt")),
                "word ".repeat(number * 7 + 1),
            )
            .unwrap();
        }
        let wasm = paths::repository().join("apps/echo/echo.wasm");
        let (market, local) = (
            story.net.folder.join("market"),
            story.net.folder.join("local"),
        );
        let job = [
            "--wasm",
            text(&wasm),
            "--input",
            text(&folder),
            "--split",
            "files",
        ];
        for (command, out) in [("submit", &market), ("run", &local)] {
            let args = [
                &[command, "--json"][..],
                &job,
                &["--out", text(out), "--", "{file}", "{unit}/{units}"],
            ]
            .concat();
            let output = story.net.buyer(&args).output().await.unwrap();
            assert_eq!(
                output.status.code(),
                Some(10),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        for unit in 0..9 {
            for name in [
                format!("{unit}/out/report.txt"),
                format!("units/{unit}/stdout"),
                format!("units/{unit}/stderr"),
            ] {
                let (ours, theirs) = (
                    fs::read(market.join(&name)).unwrap(),
                    fs::read(local.join(&name)).unwrap(),
                );
                assert!(ours == theirs && !ours.is_empty(), "{name}");
            }
        }
        story.net.stop().await.unwrap();
    });
}
