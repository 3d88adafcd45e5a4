//! What works, and what is refused, before anybody else is asked.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{gio_buyer, stderr, stdout};

/// A home that `init` made, for an RPC that nobody serves.
pub(crate) fn home(dir: &Path) -> PathBuf {
    let contracts = dir.join("contracts.json");
    let address = |byte: &str| format!("0x{}", byte.repeat(20));
    let json = serde_json::json!({
        "chain_id": 31337,
        "token": address("11"),
        "factory": address("22"),
        "whitelist": address("33"),
    });
    fs::write(&contracts, json.to_string()).expect("the folder can be written");
    let home = dir.join("home");
    let contracts = contracts.to_str().expect("the path is text");
    // Port 9 is the discard port; nothing serves an RPC there.
    let rpc = "http://127.0.0.1:9";
    let output = gio_buyer(&home, &["init", "--rpc", rpc, "--contracts", contracts]);
    assert!(output.status.success(), "{}", stderr(&output));
    home
}

pub(crate) fn echo() -> String {
    format!("{}/../apps/echo/echo.wasm", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn init_makes_a_key_once_and_prints_the_address_to_fund() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    let address = stdout(&gio_buyer(&home, &["address"]));
    assert!(
        address.starts_with("0x") && address.trim().len() == 42,
        "{address}"
    );
    let contracts = dir.path().join("contracts.json");
    let contracts = contracts.to_str().unwrap();
    let again = gio_buyer(
        &home,
        &["init", "--rpc", "http://x", "--contracts", contracts],
    );
    assert_eq!(again.status.code(), Some(2));
    assert!(
        stderr(&again).contains("a key is never overwritten"),
        "{}",
        stderr(&again)
    );
    assert_eq!(stdout(&gio_buyer(&home, &["address"])), address);
}

#[test]
fn init_refuses_a_peer_it_could_not_tell_from_another() {
    let dir = tempfile::tempdir().unwrap();
    home(dir.path());
    let contracts = dir.path().join("contracts.json");
    let contracts = contracts.to_str().unwrap();
    for addr in ["/ip4/127.0.0.1/tcp/7701", "127.0.0.1:7701"] {
        let args = [
            "init",
            "--rpc",
            "http://x",
            "--contracts",
            contracts,
            "--bootstrap",
            addr,
        ];
        let output = gio_buyer(&dir.path().join("other"), &args);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            stderr(&output).contains("is not a multiaddr"),
            "{}",
            stderr(&output)
        );
    }
    assert!(!dir.path().join("other").exists(), "nothing was made");
}

#[test]
fn without_a_home_the_error_says_how_to_make_one() {
    let dir = tempfile::tempdir().unwrap();
    let output = gio_buyer(&dir.path().join("nowhere"), &["list"]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(text.contains("hint: gio-buyer init"), "{text}");
}

#[test]
fn a_wrong_job_is_refused_before_it_gets_an_id() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    let job = dir.path().join("job.toml");
    let wasm = echo();
    for (text, complaint) in [
        (
            format!("wasm = {wasm:?}\nagrs = []\n"),
            "did you mean `args`?",
        ),
        (
            format!("wasm = {wasm:?}\n[split]\nby = \"file\"\n"),
            "did you mean `files`?",
        ),
        (
            format!("wasm = {wasm:?}\nargs = [\"{{tile}}\"]\n"),
            "unknown placeholder",
        ),
        (format!("wasm = {wasm:?}\nstdin = \"x\"\n"), "no file `x`"),
        (
            format!("wasm = {wasm:?}\n[price]\ncap_gio = 1e-9\n"),
            "decimals",
        ),
        ("wasm = \"job.toml\"\n".to_owned(), "cannot be run"),
    ] {
        fs::write(&job, &text).unwrap();
        let output = gio_buyer(&home, &["submit", job.to_str().unwrap()]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}: {said}");
        assert!(said.contains(complaint), "{text}: {said}");
        assert_eq!(stdout(&output), "", "{text}");
    }
    let list: Value =
        serde_json::from_str(&stdout(&gio_buyer(&home, &["list", "--json"]))).unwrap();
    assert_eq!(list, serde_json::json!([]));
}

#[test]
fn a_right_job_has_its_id_first_and_stays_when_the_chain_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    let output = gio_buyer(&home, &["submit", "--wasm", &echo(), "--name", "first"]);
    assert_eq!(output.status.code(), Some(14), "{}", stderr(&output));
    let said = stdout(&output);
    let id = said.trim().strip_prefix("job ").unwrap();
    let complaint = stderr(&output);
    assert!(complaint.contains("retry:"), "{complaint}");
    assert!(complaint.contains("escrow: untouched"), "{complaint}");
    let list: Value =
        serde_json::from_str(&stdout(&gio_buyer(&home, &["list", "--json"]))).unwrap();
    assert_eq!(list[0]["job"], id);
    assert_eq!(list[0]["state"], "drafted");
    let get = gio_buyer(&home, &["get", id]);
    assert_eq!(get.status.code(), Some(1), "`get` opens nothing");
    assert!(stderr(&get).contains("not here yet"), "{}", stderr(&get));
    let status = gio_buyer(&home, &["status", id, "--offline", "--json"]);
    let status: Value = serde_json::from_str(&stdout(&status)).unwrap();
    assert_eq!(
        (&status["name"], &status["receipt"]),
        (&"first".into(), &Value::Null)
    );
}

#[test]
fn json_failures_are_one_object_with_the_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    let output = gio_buyer(&home, &["status", "j-ffffffff", "--json"]);
    let value: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(value["error"]["exit_code"], 2);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(value["error"]["hint"], "gio-buyer list");
    let unlisted = gio_buyer(&home, &["status", "--json"]);
    assert!(stderr(&unlisted).contains("no job here yet"));
}
