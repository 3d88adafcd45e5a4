//! What people do beside submitting: plan, why, cancel, logs, doctor, reduce as a second deal; and bad input that only
//! a market can refuse. `bad_input.rs` of gio-buyer has the rows that need none.

use std::fs;
use std::path::{Path, PathBuf};

use gio_e2e::devnet::Settings;
use gio_e2e::{paths, process};
use serde_json::Value;

use crate::story::{Story, block_on, text};

fn app(name: &str) -> PathBuf {
    paths::repository().join("apps").join(name)
}

/// Runs a buyer's command as a person does; exit code, standard output and standard error.
async fn person(story: &Story, args: &[&str]) -> (i32, String, String) {
    let output = story.net.buyer(args).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn without_a_miner_everybody_says_so_and_a_cancel_brings_the_whole_cap_back() {
    block_on(async {
        let mut story = Story::with_hub(1).await;
        let before = story.balance("buyer").await;
        let job = app("wordcount/job.toml");

        let plan = story.buyer(&["plan", text(&job)]).await;
        assert_eq!(plan.code, 0, "{plan:?}");
        assert_eq!(plan.json["units"], 4);
        assert_eq!(plan.json["cap_gio"], "1.0");
        assert_eq!(plan.json["hubs"][0]["machines"]["connected"], 0);
        let (_, plan, _) = person(&story, &["plan", text(&job)]).await;
        assert!(plan.contains("no miner is connected to this hub"), "{plan}");

        let submitted = story.buyer(&["submit", text(&job), "--detach"]).await;
        let id = submitted.job().to_owned();
        assert!(story.balance("buyer").await < before, "the cap is locked");
        // The job goes to the hub's board a moment after its opening.
        process::wait_for("the job on the board", 30, async || {
            let (_, status, _) = person(&story, &["status", &id]).await;
            Ok(status.contains("4 waiting").then_some(()))
        })
        .await
        .unwrap();
        let (_, why, _) = person(&story, &["why", &id]).await;
        assert!(
            why.contains("waits for miners: none is connected to the hub"),
            "{why}"
        );
        assert!(
            why.contains("the whole cap comes back if nothing is posted"),
            "{why}"
        );
        let (_, status, _) = person(&story, &["status", &id]).await;
        assert!(
            status.contains("0 of 4 done, 0 running, 4 waiting"),
            "{status}"
        );
        assert!(
            status.contains("no miner is connected to this hub"),
            "{status}"
        );
        let (code, out, err) = person(&story, &["logs", &id]).await;
        assert_eq!((code, out.as_str()), (0, ""), "{err}");
        assert!(err.contains("no unit is done yet"), "{err}");

        let cancelled = story.buyer(&["cancel", &id]).await;
        assert_eq!(cancelled.code, 0, "{cancelled:?}");
        assert_eq!(cancelled.json["state"], "cancelling");
        let ended = story.buyer(&["attach", &id]).await;
        assert_eq!(ended.code, 11, "nothing was delivered: {ended:?}");
        assert_eq!(ended.json["state"], "cancelled");
        assert_eq!(story.balance("buyer").await, before);
        let (code, _, err) = person(&story, &["cancel", &id]).await;
        assert_eq!(code, 2, "{err}");
        assert!(
            err.contains("error[nothing-to-do]: it is too late to cancel"),
            "{err}"
        );

        refused_by_the_market(&mut story).await;
        assert_eq!(story.balance("buyer").await, before, "no money moved");
        story.net.stop().await.unwrap();
    });
}

/// Rows of bad input that only a hub or the chain can tell: arguments, exit code, words.
async fn refused_by_the_market(story: &mut Story) {
    let echo = app("echo/echo.wasm");
    let echo = text(&echo).to_owned();
    let rows: [(&[&str], i32, &[&str]); 4] = [
        (
            &["--max-price", "0.000001"],
            12,
            &[
                "error[no-hub-fits]",
                "it asks",
                "the most is 0.000001",
                "hint: `gio-buyer plan`",
            ],
        ),
        (
            &["--cap", "0.00000001"],
            12,
            &[
                "error[no-hub-took]",
                "more than the cap of 0.00000001 GIO",
                "escrow: untouched",
            ],
        ),
        (
            &["--cap", "1000"],
            13,
            &[
                "error[funds-gio]",
                "GIO are missing",
                "hint: send it to 0x",
                "next: gio-buyer attach j-",
            ],
        ),
        (
            &["--deadline", "3s"],
            12,
            &[
                "error[no-hub-took]",
                "this hub needs at least 30 s",
                "escrow: untouched",
            ],
        ),
    ];
    for (flags, code, words) in rows {
        let args = [&["submit", "--wasm", &echo], flags].concat();
        let (found, _, err) = person(story, &args).await;
        assert_eq!(found, code, "{flags:?}: {err}");
        for word in words {
            assert!(err.contains(word), "{flags:?}: `{word}` is not in {err}");
        }
    }
    let (code, plan, _) =
        person(story, &["plan", "--wasm", &echo, "--max-price", "0.000001"]).await;
    assert_eq!(code, 12, "{plan}");
    assert!(plan.contains("to change: --max-price 0.0"), "{plan}");

    // An account of its own, with gas and no GIO.
    let poor = story.net.folder.join("poor");
    let home = story.net.folder.join("buyer");
    fs::create_dir_all(&poor).unwrap();
    fs::copy(home.join("config.toml"), poor.join("config.toml")).unwrap();
    let key = gio_agent::Home::new(Some(poor.clone()), gio_agent::Role::Buyer)
        .create_key()
        .unwrap();
    let (code, err) = at_home(story, "poor", &["submit", "--wasm", &echo]).await;
    assert_eq!(code, 13, "{err}");
    assert!(
        err.contains("the wallet holds 0.0 GIO") && err.contains("GIO are missing"),
        "{err}"
    );
    assert!(
        err.contains(&format!("send it to {}", key.address())),
        "{err}"
    );

    let config = fs::read_to_string(home.join("config.toml")).unwrap();
    let other = config.replace("chain_id = 31337", "chain_id = 1");
    assert_ne!(other, config);
    fs::write(poor.join("config.toml"), other).unwrap();
    let (code, err) = at_home(story, "poor", &["submit", "--wasm", &echo]).await;
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("error[wrong-chain]") && err.contains("31337"),
        "{err}"
    );
}

async fn at_home(story: &Story, home: &str, args: &[&str]) -> (i32, String) {
    let output = story
        .net
        .agent("gio-buyer", home, args)
        .output()
        .await
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), err)
}

#[test]
fn apps_reduce_here_and_as_a_second_deal_to_the_same_bytes() {
    block_on(async {
        let story = Story::start(Settings {
            miners: 2,
            ..Settings::default()
        })
        .await;
        for (name, result, heading) in [
            ("wordcount", "totals.csv", "the,"),
            ("epidemic", "sweep.csv", "r0,infectious_days,"),
        ] {
            let job = app(name).join("job.toml");
            let here = story.net.folder.join(name);
            let first = story
                .buyer(&["submit", text(&job), "--out", text(&here)])
                .await;
            assert_eq!(first.code, 0, "{first:?}");
            let reduced_here = fs::read(here.join(result)).unwrap();
            assert!(reduced_here.starts_with(heading.as_bytes()), "{name}");

            let there = story.net.folder.join(format!("{name}-second"));
            let second = story
                .buyer(&["reduce", first.job(), "--out", text(&there)])
                .await;
            assert_eq!(second.code, 0, "{second:?}");
            assert_eq!(
                fs::read(there.join(result)).unwrap(),
                reduced_here,
                "{name}"
            );
            assert_eq!(
                fs::read(there.join("stdout")).unwrap(),
                fs::read(here.join("stdout")).unwrap()
            );
            assert_ne!(
                second.json["receipt"]["deal_id"],
                first.json["receipt"]["deal_id"]
            );

            let alone = story.net.folder.join(format!("{name}-alone"));
            let alone_args = ["run", text(&job), "--out", text(&alone)];
            process::run(story.net.buyer(&alone_args)).await.unwrap();
            assert_eq!(
                fs::read(alone.join(result)).unwrap(),
                reduced_here,
                "{name}"
            );
            reduce_deal_is_over_what_was_received(&story, first.job(), second.job());
        }
        logs_outlive_the_hub(story).await;
    });
}

/// R1: the second deal's inputs are, content by content, the files the first deal delivered to the buyer.
fn reduce_deal_is_over_what_was_received(story: &Story, first: &str, second: &str) {
    let record = |job: &str| -> Value {
        let path = story
            .net
            .folder
            .join("buyer/jobs")
            .join(job)
            .join("job.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let inputs = record(second)["order"]["spec"]["inputs"].clone();
    let inputs = inputs.as_object().unwrap();
    let outputs = record(first)["state"]["dealt"]["collected"]["outputs"].clone();
    let folder = story.net.folder.join("buyer/content");
    for (unit, content) in outputs.as_object().unwrap() {
        let image = fs::read(content_path(&folder, content["root"].as_str().unwrap())).unwrap();
        let image = gio_content::OutputImage::decode(&image).unwrap();
        for (name, bytes) in image.files {
            let expected = serde_json::to_value(gio_content::ContentRef::of(&bytes)).unwrap();
            assert_eq!(inputs[&format!("{unit}/{name}")], expected);
        }
    }
}

/// Where the buyer keeps a content.
fn content_path(folder: &Path, root: &str) -> PathBuf {
    let digits = root.trim_start_matches("0x");
    folder.join(&digits[..2]).join(&digits[2..])
}

async fn logs_outlive_the_hub(story: Story) {
    let echo = app("echo/echo.wasm");
    let out = story.net.folder.join("echo");
    let args = [
        "submit",
        "--json",
        "--wasm",
        text(&echo),
        "--split",
        "list:a,b",
        "--out",
        text(&out),
        "--",
        "none",
    ];
    let output = story.net.buyer(&args).output().await.unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let id = answer["job"].as_str().unwrap().to_owned();
    assert_eq!(
        output.status.code(),
        Some(10),
        "echo misses its file: {answer}"
    );
    let (code, found, err) = person(&story, &["doctor"]).await;
    assert_eq!(code, 0, "{found}{err}");
    assert!(
        found.contains("ok    peers") && found.contains("0 fail"),
        "{found}"
    );
    let (_, why, _) = person(&story, &["why", &id]).await;
    assert!(why.contains("unit 0: exit code 3, at miner 0x"), "{why}");

    // Neither hub nor miner nor chain is there any more.
    let folder = story.net.folder.join("buyer");
    let own = |unit: &str, stream: &str| {
        fs::read(out.join("units").join(unit).join(stream)).unwrap_or_default()
    };
    let (first, second) = (own("0", "stdout"), own("1", "stdout"));
    let program = story.net.agent("gio-buyer", "buyer", &[]);
    let program = PathBuf::from(program.as_std().get_program());
    story.net.stop().await.unwrap();
    let logs = |args: &[&str]| {
        let mut command = std::process::Command::new(&program);
        command
            .arg("--home")
            .arg(&folder)
            .arg("logs")
            .arg(&id)
            .args(args);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output
    };
    assert_eq!(logs(&["--unit", "1"]).stdout, second);
    let all = String::from_utf8(logs(&[]).stdout).unwrap();
    let prefixed = all.lines().filter(|line| line.starts_with("[0] ")).count();
    assert_eq!(
        prefixed,
        String::from_utf8(first).unwrap().lines().count(),
        "{all}"
    );
    assert!(
        !logs(&["--unit", "0"]).stderr.is_empty(),
        "what it complained about"
    );
}
