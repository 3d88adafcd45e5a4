//! The command line: every page of help and every error that needs no market, word for word.

use std::path::Path;

use crate::golden::Golden;

fn golden(dir: &Path) -> Golden {
    let (program, package) = (env!("CARGO_BIN_EXE_gio-miner"), env!("CARGO_MANIFEST_DIR"));
    let mut golden = Golden::new(program, "gio-miner", package);
    golden.replace(dir.display().to_string(), "DIR");
    golden
}

#[test]
fn every_command_explains_itself() {
    let dir = tempfile::tempdir().unwrap();
    golden(dir.path()).check_help();
}

fn check(golden: &Golden, file: &str, lines: &[Vec<&str>]) {
    let lines: Vec<&[&str]> = lines.iter().map(Vec::as_slice).collect();
    golden.check_lines(file, &lines);
}

#[test]
fn every_command_says_what_is_wrong_as_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let golden = golden(dir.path());
    let home = dir.path().join("miner").display().to_string();
    let contracts = dir.path().join("contracts.json").display().to_string();
    let address = format!("0x{}", "11".repeat(20));
    let json = serde_json::json!({
        "chain_id": 31337, "token": address, "factory": address, "whitelist": address,
    });
    std::fs::write(&contracts, json.to_string()).unwrap();
    let commands = ["address", "status", "start", "drain", "resume", "reload"];
    let at_home = |command: &'static str| vec![command, "--home", home.as_str()];
    let lines: Vec<Vec<&str>> = commands.map(at_home).into();
    check(&golden, "errors-without-home", &lines);
    // Port 9 is the discard port: nothing serves an RPC there.
    let init = [
        "init",
        "--home",
        &home,
        "--rpc",
        "http://127.0.0.1:9",
        "--cores",
        "1",
    ];
    let init = |contracts: &'static str| [&init[..], &["--contracts", contracts]].concat();
    let contracts: &'static str = contracts.leak();
    let none: &'static str = dir.path().join("none.json").display().to_string().leak();
    let other = vec![
        init(none),
        init(contracts),
        init(contracts),
        vec!["init"],
        vec!["strat"],
        vec!["start", "--hom"],
    ];
    check(&golden, "errors-init", &other);
    check(&golden, "errors-without-chain", &lines);
    check(
        &golden,
        "doctor-without-chain",
        &[vec!["doctor", "--home", &home]],
    );
    let path = dir.path().join("miner/config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("cores =", "croes =")).unwrap();
    check(&golden, "errors-config", &[at_home("start")]);
    std::fs::write(&path, text.replace("hubs_max = 8", "hubs_max = 0")).unwrap();
    check(&golden, "errors-config-range", &[at_home("start")]);
}
