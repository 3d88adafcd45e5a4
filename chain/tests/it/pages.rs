//! Every page of help and every error that needs no other node, word for word.

use std::path::Path;

use super::golden::Golden;

fn golden(dir: &Path) -> Golden {
    let (program, package) = (env!("CARGO_BIN_EXE_gio-chain"), env!("CARGO_MANIFEST_DIR"));
    let mut golden = Golden::new(program, "gio-chain", package);
    golden.replace(dir.display().to_string(), "DIR");
    golden
}

#[test]
fn every_command_explains_itself() {
    let dir = tempfile::tempdir().unwrap();
    golden(dir.path()).check_help();
}

#[test]
fn every_command_says_what_is_wrong_as_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let golden = golden(dir.path());
    let home = dir.path().join("chain").display().to_string();
    let at_home: [&[&str]; 3] = [&["node"], &["rpc", "getblockcount"], &["doctor"]];
    let at_home = at_home.map(|line| [&["--home", home.as_str()], line].concat());
    let lines: Vec<&[&str]> = at_home.iter().map(Vec::as_slice).collect();
    golden.check_lines("errors-without-home", &lines);

    let none = dir.path().join("none.toml").display().to_string();
    // A port that is nobody's, so that a node that runs elsewhere does not change what is found.
    let init = ["--home", &home, "init", "--network", "regtest"];
    let with = |more: &[&'static str]| [&init[..], more].concat();
    let lines = [
        with(&["--rpc", "0.0.0.0:9"]),
        with(&["--mine-to", "nobody"]),
        with(&["--deployment", "31337"]),
        vec![
            "--home",
            &home,
            "init",
            "--deployment",
            "31337:0x5fbdb2315678afecb367f032d93f642f64180aa3",
        ],
        with(&["--listen", "127.0.0.1:0", "--rpc", "127.0.0.1:0"]),
        with(&[]),
        vec!["nod"],
        vec!["node", "--reidnex"],
        vec!["--home", &home, "--config", &none, "node"],
    ];
    let lines: Vec<&[&str]> = lines.iter().map(Vec::as_slice).collect();
    golden.check_lines("errors-init", &lines);

    let lines: Vec<&[&str]> = at_home[1..].iter().map(Vec::as_slice).collect();
    golden.check_lines("errors-without-node", &lines);

    let path = dir.path().join("chain/config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let broken = [
        ("errors-config", text.replace("discover", "dicsover")),
        (
            "errors-config-rpc",
            text.replace("rpc = \"127.0.0.1:0\"", "rpc = \"192.0.2.1:9\""),
        ),
        (
            "errors-config-metrics",
            text.replace("metrics_listen = \"auto\"", "metrics_listen = \"often\""),
        ),
    ];
    for (file, config) in broken {
        assert_ne!(config, text, "{file}");
        std::fs::write(&path, config).unwrap();
        golden.check_lines(file, &[&at_home[0], &at_home[2]]);
    }
}
