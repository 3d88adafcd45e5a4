//! An application of the pool earns its author a share of every payment (GV-20, GV-21).

use std::fs;

use gio_e2e::devnet::Settings;
use gio_e2e::{paths, report};
use gio_protocol::Gio;

use crate::story::{Story, block_on, text};

#[test]
fn gv_21_a_job_on_a_published_application_pays_its_author() {
    block_on(async {
        let story = Story::start(Settings {
            miners: 1,
            ..Settings::default()
        })
        .await;
        // The author is somebody else, with a home of its own.
        let contracts = story.net.folder.join("contracts.json");
        let rpc = story.net.anvil.rpc_url.clone();
        let bootstrap = story.net.hub_addr().unwrap();
        let author = async |args: &[&str]| {
            gio_e2e::process::run(story.net.agent("gio-buyer", "author", args))
                .await
                .unwrap()
        };
        author(&[
            "init",
            "--rpc",
            &rpc,
            "--contracts",
            text(&contracts),
            "--bootstrap",
            &bootstrap,
        ])
        .await;
        let account: gio_protocol::Address = author(&["address"]).await.trim().parse().unwrap();
        story.net.anvil.fund_gas(account).await.unwrap();
        let wasm = paths::repository().join("apps/bench/sha256.wasm");
        let publish = [
            "app",
            "publish",
            "hash@1.0",
            "--wasm",
            text(&wasm),
            "--royalty",
            "200",
        ];
        author(&publish).await;
        author(&publish).await;

        let listed = story.buyer(&["app", "list"]).await.expect(0);
        assert_eq!(listed.json[0]["name"], "hash");
        let listed = story.buyer(&["app", "list", "hash"]).await.expect(0);
        assert_eq!(listed.json[0]["royalty_per_mille"], 200);

        let job = |app: &'static str| {
            vec![
                "submit",
                "--app",
                app,
                "--split",
                "range:0..2:2",
                "--pu",
                "2",
                "--yes",
            ]
        };
        let args = ["--", "1"];
        story
            .buyer_before_args(&job("hash@2.0"), &args)
            .await
            .expect(2);
        let unknown = story
            .buyer_before_args(&job("hash@1.0"), &args)
            .await
            .expect(2);
        assert!(unknown.stderr.contains("is not here"), "{unknown:?}");
        let other = story.net.folder.join("other.wasm");
        fs::write(&other, b"\0asm\x01\0\0\0").unwrap();
        let wrong = [&job("hash@1.0")[..], &["--wasm", text(&other)]].concat();
        let wrong = story.buyer_before_args(&wrong, &args).await.expect(2);
        assert!(wrong.stderr.contains("these bytes are"), "{wrong:?}");

        let before = story.net.balances().await.unwrap();
        let buyer = story.balance("buyer").await;
        let out = story.net.folder.join("out");
        let right = [
            &job("hash@1.0")[..],
            &["--wasm", text(&wasm), "--out", text(&out)],
        ]
        .concat();
        let done = story.buyer_before_args(&right, &args).await.expect(0);
        let paid = buyer.minus(story.balance("buyer").await).unwrap();
        let earned = story.net.chain.balance(account).await.unwrap();
        assert!(earned > Gio::ZERO);
        assert_eq!(earned.units(), paid.units() * 200 / 1000, "{done:?}");
        let after = story.net.balances().await.unwrap();
        let total = report::total(&after).plus(earned).unwrap();
        assert_eq!(
            report::total(&before),
            total,
            "debit = hub + miner + royalty"
        );
        story.hub(&["wallet", "audit"]).await.expect(0);
        story.net.stop().await.unwrap();
    });
}
