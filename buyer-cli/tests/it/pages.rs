//! Every page of help and every error that needs no hub and no chain, word for word.

use std::path::Path;

use crate::golden::Golden;
use crate::offline;

fn golden(dir: &Path) -> Golden {
    let (program, package) = (env!("CARGO_BIN_EXE_gio-buyer"), env!("CARGO_MANIFEST_DIR"));
    let mut golden = Golden::new(program, "gio-buyer", package);
    golden.replace(dir.display().to_string(), "DIR");
    golden
}

#[test]
fn every_command_explains_itself() {
    let dir = tempfile::tempdir().unwrap();
    golden(dir.path()).check_help();
}

/// The commands that name a job, and those that do not.
fn lines(home: &str) -> Vec<Vec<String>> {
    let of_a_job = [
        "status", "why", "logs", "attach", "cancel", "get", "check", "reduce", "refund",
    ];
    let others = ["list", "address", "balance", "status", "doctor"];
    let of_a_job = of_a_job.iter().map(|command| vec![*command, "j-00000000"]);
    let all = of_a_job.chain(others.iter().map(|command| vec![*command]));
    all.map(|line| {
        ["--home", home]
            .iter()
            .chain(&line)
            .map(|word| (*word).to_owned())
            .collect()
    })
    .collect()
}

fn check(golden: &Golden, file: &str, lines: &[Vec<String>]) {
    let lines: Vec<Vec<&str>> = lines
        .iter()
        .map(|line| line.iter().map(String::as_str).collect())
        .collect();
    let lines: Vec<&[&str]> = lines.iter().map(Vec::as_slice).collect();
    golden.check_lines(file, &lines);
}

#[test]
fn every_command_says_what_is_wrong_as_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let golden = golden(dir.path());
    let nowhere = dir.path().join("nowhere").display().to_string();
    check(&golden, "errors-without-home", &lines(&nowhere));
    let home = offline::home(dir.path()).display().to_string();
    check(&golden, "errors-without-chain", &lines(&home));
    let contracts = dir.path().join("contracts.json").display().to_string();
    let none = dir.path().join("none.json").display().to_string();
    let init = |contracts: &str, home: &str| {
        let line = [
            "--home",
            home,
            "init",
            "--rpc",
            "http://127.0.0.1:9",
            "--contracts",
            contracts,
        ];
        line.map(str::to_owned).to_vec()
    };
    let line = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let other = [
        init(&contracts, &home),
        init(&none, &nowhere),
        line(&["init"]),
        line(&["sumbit"]),
        line(&["submit"]),
        line(&["list", "--jsn"]),
        line(&["--config", &none, "--home", &home, "list"]),
    ];
    check(&golden, "errors-usage", &other);
    let path = Path::new(&home).join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("mdns", "mdsn")).unwrap();
    check(
        &golden,
        "errors-config",
        &[
            line(&["--home", &home, "list"]),
            line(&["--home", &home, "list", "--json"]),
        ],
    );
    std::fs::write(&path, text).unwrap();
    std::fs::write(Path::new(&home).join("key"), "no key").unwrap();
    check(&golden, "errors-key", &[line(&["--home", &home, "list"])]);
}
