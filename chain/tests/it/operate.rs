//! The operator's doors of a node: metrics and health, logs as JSON, a config elsewhere, an orderly end.
#![expect(
    clippy::unwrap_used,
    reason = "a test may end at the first thing that is wrong"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::daemon::{Daemon, run, until};

fn get(node: &Daemon, path: &str) -> String {
    // Written after the node answers its first command.
    let file = node.home.join("metrics.addr");
    until("the address of the metrics", || {
        std::fs::read_to_string(&file).is_ok_and(|addr| !addr.is_empty())
    });
    let addr = std::fs::read_to_string(file).unwrap();
    let mut stream = TcpStream::connect(addr).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_node_tells_its_height_and_whether_it_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Daemon::init(folder.path().join("node"));
    node.start(&[]);
    let health = get(&node, "/health");
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    assert!(health.contains(r#""role":"chain""#), "{health}");
    node.generate(7);
    until("the metrics know the tip", || {
        get(&node, "/metrics").contains("\ngio_chain_blocks 7\n")
    });
    let metrics = get(&node, "/metrics");
    for line in [
        "# TYPE gio_chain_blocks gauge",
        "gio_chain_headers 7",
        "gio_chain_peers 0",
        "gio_chain_blocks_connected_total 7",
        "gio_chain_blocks_disconnected_total 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{metrics}");
    }
    let beside = run(&node.home, &["doctor"]);
    assert!(beside.status.success(), "{beside:?}");
    let found = String::from_utf8(beside.stdout).unwrap();
    assert!(found.contains("ok    process   running"), "{found}");
    node.stop();
    assert!(!node.home.join("metrics.addr").exists());
}

/// SIGTERM ends a node in order, and every line of its log is JSON if that is asked for.
#[test]
fn a_node_logs_json_reads_a_config_elsewhere_and_ends_at_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let node = Daemon::init(folder.path().join("node"));
    let config = folder.path().join("elsewhere.toml");
    std::fs::rename(node.home.join("config.toml"), &config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gio-chain"));
    command.arg("--home").arg(&node.home).arg("--config");
    command.arg(&config).args(["--log-format", "json", "node"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut messages = Vec::new();
    let mut next = || {
        let line = lines.next()?.unwrap();
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        let message = line["fields"]["message"].as_str().unwrap().to_owned();
        messages.push(message.clone());
        Some(message)
    };
    while next().unwrap() != "the node is ready" {}
    let ended = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(ended.unwrap().success());
    while next().is_some() {}
    assert!(child.wait().unwrap().success(), "{messages:?}");
    assert!(messages.contains(&"stopping".to_owned()), "{messages:?}");
    assert!(!node.home.join("endpoints.json").exists());
}
