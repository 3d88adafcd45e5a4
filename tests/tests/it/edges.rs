//! Which package may depend on which (design section 3): arrows point one way, agents never import each other, and
//! pure packages stay pure.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use gio_e2e::paths;
use serde_json::Value;

/// Every package of the workspace with the packages of the workspace it may use, tests aside.
const EDGES: [(&str, &[&str]); 16] = [
    ("gio-protocol", &[]),
    ("gio-keys", &["gio-protocol"]),
    ("gio-content", &["gio-protocol"]),
    ("gio-machine", &["gio-protocol"]),
    ("gio-coin", &["gio-protocol"]),
    ("gio-failpoint", &[]),
    ("gio-agent", &["gio-failpoint", "gio-keys"]),
    ("gio-net", &["gio-failpoint", "gio-protocol", "gio-keys"]),
    ("gio-evm", &["gio-failpoint", "gio-protocol"]),
    (
        "gio-runtime",
        &["gio-protocol", "gio-content", "gio-machine"],
    ),
    (
        "gio-chain",
        &[
            "gio-protocol",
            "gio-coin",
            "gio-keys",
            "gio-agent",
            "gio-net",
            "gio-evm",
        ],
    ),
    (
        "gio-hub",
        &[
            "gio-failpoint",
            "gio-protocol",
            "gio-keys",
            "gio-content",
            "gio-machine",
            "gio-agent",
            "gio-net",
            "gio-evm",
        ],
    ),
    (
        "gio-miner",
        &[
            "gio-failpoint",
            "gio-protocol",
            "gio-keys",
            "gio-content",
            "gio-agent",
            "gio-net",
            "gio-evm",
            "gio-runtime",
        ],
    ),
    (
        "gio-buyer",
        &[
            "gio-failpoint",
            "gio-protocol",
            "gio-keys",
            "gio-content",
            "gio-machine",
            "gio-agent",
            "gio-net",
            "gio-evm",
            "gio-runtime",
        ],
    ),
    (
        "gio-verifier",
        &[
            "gio-protocol",
            "gio-agent",
            "gio-content",
            "gio-machine",
            "gio-runtime",
        ],
    ),
    (
        "gio-e2e",
        &[
            "gio-failpoint",
            "gio-protocol",
            "gio-keys",
            "gio-content",
            "gio-agent",
            "gio-net",
            "gio-evm",
            "gio-runtime",
        ],
    ),
];

/// Given state and event they decide; they have no way to reach the world.
const PURE: [&str; 5] = [
    "gio-protocol",
    "gio-keys",
    "gio-content",
    "gio-machine",
    "gio-coin",
];
/// What a pure package may not even link: sockets, runtimes, clocks, databases, randomness.
const WORLDLY: [&str; 10] = [
    "tokio",
    "libp2p",
    "alloy",
    "sqlx",
    "reqwest",
    "hyper",
    "tonic",
    "wasmtime",
    "redb",
    "getrandom",
];

#[test]
fn packages_depend_only_downwards() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> = EDGES
        .iter()
        .map(|(package, uses)| (*package, uses.iter().copied().collect()))
        .collect();
    for (package, uses) in dependencies() {
        let allowed = allowed.get(package.as_str());
        let allowed =
            allowed.unwrap_or_else(|| panic!("{package} is not in the table of this test"));
        let ours = uses
            .iter()
            .map(String::as_str)
            .filter(|name| name.starts_with("gio-"));
        let forbidden: Vec<&str> = ours.filter(|name| !allowed.contains(name)).collect();
        assert!(forbidden.is_empty(), "{package} may not use {forbidden:?}");
        if PURE.contains(&package.as_str()) {
            let worldly: Vec<&str> = WORLDLY
                .into_iter()
                .filter(|name| uses.contains(*name))
                .collect();
            assert!(
                worldly.is_empty(),
                "{package} is pure and may not use {worldly:?}"
            );
        }
    }
}

/// Direct dependencies of every package of the workspace, without those of tests and build scripts.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(paths::repository());
    let output = cargo.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let uses = |package: &Value| {
        let direct = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|edge| edge["kind"].is_null());
        direct.map(|edge| text(&edge["name"])).collect()
    };
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| (text(&package["name"]), uses(package)))
        .collect()
}
