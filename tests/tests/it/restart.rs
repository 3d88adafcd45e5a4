//! Restarts: everything is in folders.

use gio_e2e::devnet::{Devnet, Settings};
use gio_e2e::paths;

use crate::story::{block_on, text, turn};

#[test]
fn a_network_goes_on_where_it_was_stopped() {
    block_on(async {
        let _turn = turn().await;
        let folder = tempfile::tempdir().unwrap();
        let wasm = paths::repository().join("apps/bench/sha256.wasm");
        let submit = ["submit", "--json", "--wasm", text(&wasm), "--pu", "2"];
        let settings = Settings {
            miners: 1,
            ..Settings::default()
        };
        let mut jobs = Vec::new();
        let mut balances = Vec::new();
        for run in 0..2 {
            let net = Devnet::start(folder.path(), settings.clone())
                .await
                .unwrap();
            if run == 1 {
                assert_eq!(
                    net.balances().await.unwrap(),
                    balances,
                    "the chain's state survived"
                );
            }
            let out = net.folder.join(format!("out-{run}"));
            let args = [&submit[..], &["--out", text(&out), "--", "1"]].concat();
            let output = net.buyer(&args).output().await.unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            let list = net.buyer(&["list", "--json"]).output().await.unwrap();
            let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
            jobs.push(list.as_array().unwrap().len());
            balances = net.balances().await.unwrap();
            net.stop().await.unwrap();
        }
        assert_eq!(jobs, [1, 2], "the buyer remembers its first job");
    });
}
