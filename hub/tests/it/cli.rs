//! The command line: pages people read, errors with hints, an `init` that can be repeated.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::golden::Golden;
use crate::support::{FakeMiner, Market, gio, soon};

fn hub(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gio-hub"));
    command.env_clear().env("COLUMNS", "100").args(args);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs a command that must succeed; what it printed.
fn ok(args: &[&str]) -> String {
    let output = hub(args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs a command that must fail; its exit code and what it said.
fn fails(args: &[&str]) -> (i32, String) {
    let output = hub(args);
    assert_eq!(
        text(&output.stdout),
        "",
        "nothing a script could take for an answer"
    );
    (output.status.code().unwrap(), text(&output.stderr))
}

#[test]
fn help_pages_are_as_written_down() {
    golden().check_help();
}

fn golden() -> Golden {
    let (program, package) = (env!("CARGO_BIN_EXE_gio-hub"), env!("CARGO_MANIFEST_DIR"));
    Golden::new(program, "gio-hub", package)
}

#[test]
fn every_command_says_what_is_wrong_as_written_down() {
    let (dir, home, contracts) = folder();
    let mut golden = golden();
    golden.replace(dir.path().display().to_string(), "DIR");
    let contract_commands: [&[&str]; 2] = [
        &[
            "register",
            "--deposit",
            "50",
            "--endpoint",
            "/ip4/127.0.0.1/tcp/7701",
        ],
        &["start"],
    ];
    let commands: [&[&str]; 6] = [
        &["address"],
        &["status"],
        &["drain"],
        &["resume"],
        &["reload"],
        &["doctor"],
    ];
    let at_home = |command: &[&str]| {
        let home = ["--home", &home];
        command
            .iter()
            .chain(&home)
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let check = |file: &str| {
        let lines: Vec<Vec<String>> = commands
            .iter()
            .chain(&contract_commands)
            .map(|command| at_home(command))
            .collect();
        let lines: Vec<Vec<&str>> = lines
            .iter()
            .map(|line| line.iter().map(String::as_str).collect())
            .collect();
        let lines: Vec<&[&str]> = lines.iter().map(Vec::as_slice).collect();
        golden.check_lines(file, &lines);
    };
    check("errors-without-home");
    // Port 9 is the discard port: nothing serves an RPC there.
    let rpc = "http://127.0.0.1:9";
    ok(&[
        "init",
        "--home",
        &home,
        "--rpc",
        rpc,
        "--contracts",
        &contracts,
        "--listen",
        "/ip4/127.0.0.1/tcp/0",
    ]);
    check("errors-without-chain");
    let init = [
        "init",
        "--home",
        &home,
        "--rpc",
        rpc,
        "--contracts",
        &contracts,
    ];
    golden.check_lines(
        "errors-init",
        &[&init, &["init"], &["strat"], &["start", "--hom"]],
    );
    let path = Path::new(&home).join("config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("net_price", "net_prize")).unwrap();
    golden.check_lines(
        "errors-config",
        &[
            &["start", "--home", &home],
            &["doctor", "--json", "--home", &home],
        ],
    );
    std::fs::write(&path, config).unwrap();
    std::fs::write(Path::new(&home).join("key"), "no key").unwrap();
    golden.check_lines("errors-key", &[&["start", "--home", &home]]);
}

/// A folder with a deployment's file and the path of a home that is not there yet.
fn folder() -> (TempDir, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let contracts = dir.path().join("contracts.json");
    let zero = "0x0000000000000000000000000000000000000001";
    let json =
        serde_json::json!({"chain_id": 1, "token": zero, "factory": zero, "whitelist": zero});
    std::fs::write(&contracts, json.to_string()).unwrap();
    let home = dir.path().join("hub").display().to_string();
    let contracts = contracts.display().to_string();
    (dir, home, contracts)
}

#[test]
fn init_makes_a_home_once_and_can_be_repeated_after_a_kill() {
    let (_dir, home, contracts) = folder();
    let args = |name: &'static str| {
        let args = [
            "init",
            "--rpc",
            "http://127.0.0.1:1",
            "--contracts",
            &contracts,
            "--home",
            &home,
        ];
        let args = args.into_iter().chain(["--name", name]);
        args.map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |name| {
        let args = args(name);
        hub(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let address = text(&run("first").stdout);
    assert!(
        address.starts_with("0x") && address.trim().len() == 42,
        "{address}"
    );
    assert_eq!(ok(&["address", "--home", &home]), address);
    assert_eq!(
        text(&run("first").stdout),
        address,
        "the same again changes nothing"
    );
    let other = run("second");
    assert_eq!(other.status.code(), Some(2));
    let said = text(&other.stderr);
    assert!(
        said.contains("is set up already") && said.contains("\nhint: change "),
        "{said}"
    );

    // Killed between the config and the key.
    std::fs::remove_file(Path::new(&home).join("key")).unwrap();
    let other = text(&run("second").stderr);
    assert!(
        other.contains("says something else") && other.contains("\nhint: remove it"),
        "{other}"
    );
    let again = text(&run("first").stdout);
    assert!(again.starts_with("0x") && again != address);
    // A key that came from elsewhere is taken as it is.
    std::fs::remove_file(Path::new(&home).join("config.toml")).unwrap();
    assert_eq!(text(&run("second").stdout), again);
}

#[test]
fn init_refuses_what_start_could_not_use_and_leaves_nothing() {
    let (dir, home, contracts) = folder();
    let missing = dir.path().join("none.json").display().to_string();
    let garbage = dir.path().join("garbage.json").display().to_string();
    std::fs::write(&garbage, "{}").unwrap();
    let rows: [(&[&str], &str); 6] = [
        (&["--contracts", &missing], "cannot read"),
        (&["--contracts", &garbage], "contracts.json"),
        (
            &["--contracts", &contracts, "--listen", "localhost:1"],
            "is no multiaddr",
        ),
        (&["--contracts", &contracts, "--name", ""], "hub.name"),
        (
            &["--contracts", &contracts, "--net-price", "0"],
            "net_price",
        ),
        (
            &["--contracts", &contracts, "--window", "99999999"],
            "window_seconds_max",
        ),
    ];
    for (args, words) in rows {
        let args = [
            &["init", "--home", &home, "--rpc", "http://127.0.0.1:1"],
            args,
        ]
        .concat();
        let (code, said) = fails(&args);
        assert_eq!(code, 2, "{said}");
        assert!(said.starts_with("error[") && said.contains(words), "{said}");
    }
    assert!(!Path::new(&home).exists());
}

#[test]
fn errors_say_what_to_do() {
    let (_dir, home, contracts) = folder();
    for command in ["address", "status", "start"] {
        let (code, said) = fails(&[command, "--home", &home]);
        assert_eq!(code, 2, "{said}");
        assert!(
            said.contains("\nhint: `gio-hub init` makes a home"),
            "{said}"
        );
    }
    ok(&[
        "init",
        "--home",
        &home,
        "--rpc",
        "http://127.0.0.1:1",
        "--contracts",
        &contracts,
    ]);
    let (code, said) = fails(&["status", "--home", &home]);
    assert_eq!(code, 14, "{said}");
    assert!(
        said.contains("\nhint: is the `rpc_url`") && said.contains("\nretry: "),
        "{said}"
    );
    let config = Path::new(&home).join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("poll_ms", "pol_ms")).unwrap();
    let (code, said) = fails(&["start", "--home", &home]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("did you mean `poll_ms`?"), "{said}");
    std::fs::write(&config, text.replace("poll_ms = 250", "poll_ms = 0")).unwrap();
    let (code, said) = fails(&["start", "--home", &home]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("`hub.poll_ms` is 0; allowed are 10 to 60000"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_registers_once_and_shows_its_wallet() {
    let market = Market::start().await;
    let (_dir, home, _) = folder();
    let contracts = Path::new(&home).with_extension("json");
    std::fs::write(
        &contracts,
        serde_json::to_string(&market.deployment).unwrap(),
    )
    .unwrap();
    let contracts = contracts.display().to_string();
    let rpc = market.anvil.endpoint();
    ok(&[
        "init",
        "--home",
        &home,
        "--rpc",
        &rpc,
        "--contracts",
        &contracts,
    ]);
    let (code, said) = fails(&["status", "--home", &home]);
    assert!(
        code == 2 && said.contains("\nnext: gio-hub register"),
        "{said}"
    );
    // The market's own hub has an account with gas.
    std::fs::copy(market.home.path().join("key"), Path::new(&home).join("key")).unwrap();
    let endpoint = "/ip4/127.0.0.1/tcp/7701";
    let register = [
        "register",
        "--home",
        &home,
        "--deposit",
        "50",
        "--endpoint",
        endpoint,
    ];
    assert_eq!(
        ok(&register),
        format!("{}\n", market.wallet),
        "registered before"
    );
    let status: Value = serde_json::from_str(&ok(&["status", "--json", "--home", &home])).unwrap();
    let expected = serde_json::json!({
        "owner": market.key.address(),
        "wallet": market.wallet,
        "state": "registered",
        "balance": gio("11"),
        "free": gio("10"),
        "stake": gio("1"),
        "locked": 0,
        "escrow": 0,
        "guarantees": 0,
        "approvals": 0,
        "deals": [],
    });
    assert_eq!(status, expected);
}

#[tokio::test]
async fn sigterm_ends_a_hub_with_miners_within_seconds() {
    let market = Market::start().await;
    let mut hub = tokio::process::Command::new(env!("CARGO_BIN_EXE_gio-hub"));
    let home = market.home.path().to_str().unwrap();
    hub.args(["start", "--home", home, "--log-format", "json"]);
    let mut hub = hub
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(hub.stderr.take().unwrap()).lines();
    let started = async {
        loop {
            let line = lines.next_line().await.unwrap().unwrap();
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["fields"]["message"] == "hub started" {
                let addrs = line["fields"]["addrs"].as_str().unwrap().to_owned();
                break serde_json::from_str::<Vec<String>>(&addrs).unwrap();
            }
        }
    };
    let addrs = soon("the start", started).await;
    let addrs: Vec<_> = addrs.iter().map(|addr| addr.parse().unwrap()).collect();
    let _miner = FakeMiner::at(&market, &addrs, 3).await;
    let begun = Instant::now();
    let pid = hub.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let status = soon("the end", hub.wait()).await.unwrap();
    assert!(status.success());
    assert!(begun.elapsed().as_secs() < 5);
}
