//! The operator's doors: metrics and health, `drain`, `resume`, `reload`, `doctor`.

use std::process::{Command, Output};

use gio_protocol::B256;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use crate::support::{Buyer, Market, gio, job};

/// A command on the market's hub, away from the runtime that the hub runs on.
async fn gio_hub(market: &Market, args: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gio-hub"));
    command.env_clear().arg("--home").arg(market.home.path());
    command.args(args);
    let run = move || command.output().unwrap();
    let output: Output = tokio::task::spawn_blocking(run).await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

async fn get(market: &Market, path: &str) -> String {
    let addr = std::fs::read_to_string(market.home.path().join("metrics.addr")).unwrap();
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_draining_hub_takes_nothing_new_until_it_is_told_to() {
    let market = Market::start().await;
    let (done, text) = gio_hub(&market, &["drain"]).await;
    assert!(!done && text.contains("error[not-running]"), "{text}");
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    assert!(get(&market, "/health").await.starts_with("HTTP/1.1 200"));

    let (done, text) = gio_hub(&market, &["drain", "--wait"]).await;
    assert!(done && text.contains("no deal is under way"), "{text}");
    let refused = buyer
        .quote(&job(1), B256::repeat_byte(1))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("draining"), "{refused}");
    let health = get(&market, "/health").await;
    assert!(
        health.starts_with("HTTP/1.1 503") && health.contains("draining"),
        "{health}"
    );

    let (done, text) = gio_hub(&market, &["resume"]).await;
    assert!(done && text.contains("takes new deals"), "{text}");
    buyer.quote(&job(1), B256::repeat_byte(2)).await.unwrap();
    let metrics = get(&market, "/metrics").await;
    assert!(
        metrics.contains("\n# TYPE gio_hub_quotes_total counter\n"),
        "{metrics}"
    );
    hub.stop().await;
}

#[tokio::test]
async fn prices_are_read_again_as_a_whole_or_not_at_all() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let before = buyer.quote(&job(1), B256::repeat_byte(1)).await.unwrap();
    let path = market.home.path().join("config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let dearer = config.replace("net_price = \"1.00000000\"", "net_price = \"2.00000000\"");
    assert_ne!(dearer, config);

    let wrong = format!("{dearer}\nnot_a_key = 1\n");
    std::fs::write(&path, wrong).unwrap();
    let (done, text) = gio_hub(&market, &["reload"]).await;
    assert!(!done && text.contains("error[reload-refused]"), "{text}");
    assert!(
        text.contains("not_a_key") && text.contains("nothing was taken over"),
        "{text}"
    );
    let fixed = dearer.replace("unit_seconds = 300", "unit_seconds = 301");
    std::fs::write(&path, fixed).unwrap();
    let (done, text) = gio_hub(&market, &["reload"]).await;
    assert!(
        !done && text.contains("`hub.unit_seconds` changed"),
        "{text}"
    );
    let same = buyer.quote(&job(1), B256::repeat_byte(2)).await.unwrap();
    assert_eq!(same.price_per_pu, before.price_per_pu);

    std::fs::write(&path, &dearer).unwrap();
    let (done, text) = gio_hub(&market, &["reload"]).await;
    assert!(done, "{text}");
    let after = buyer.quote(&job(1), B256::repeat_byte(3)).await.unwrap();
    assert!(after.price_per_pu > before.price_per_pu + gio("1").units());
    hub.stop().await;
}

#[tokio::test]
async fn the_doctor_finds_a_sound_hub_sound_and_a_stopped_chain() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let (_, text) = gio_hub(&market, &["doctor", "--json"]).await;
    let found: Value = serde_json::from_str(&text).unwrap();
    let verdict = |check: &str| {
        let findings = found["findings"].as_array().unwrap();
        let of = findings.iter().filter(|finding| finding["check"] == check);
        of.map(|finding| finding["verdict"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for check in [
        "key", "config", "disk", "database", "process", "rpc", "gas", "wallet",
    ] {
        assert_eq!(verdict(check), ["ok"], "{check}: {text}");
    }
    hub.stop().await;

    let path = market.home.path().join("config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let rpc = market.anvil.endpoint();
    let rpc = rpc.trim_end_matches('/');
    // Nobody serves an RPC on the discard port.
    std::fs::write(&path, config.replace(rpc, "http://127.0.0.1:9")).unwrap();
    let (sound, text) = gio_hub(&market, &["doctor"]).await;
    assert!(!sound && text.contains("fail  rpc"), "{text}");
    assert!(text.contains("warn  process   not running"), "{text}");
}

#[tokio::test]
async fn the_doctor_finds_a_damaged_database() {
    let market = Market::start().await;
    market.launch().await.stop().await;
    let path = market.home.path().join("hub.db");
    let mut bytes = std::fs::read(&path).unwrap();
    for byte in bytes.iter_mut().skip(4096) {
        *byte = 0x5a;
    }
    std::fs::write(&path, bytes).unwrap();
    let (sound, text) = gio_hub(&market, &["doctor"]).await;
    assert!(!sound && text.contains("fail  database"), "{text}");
    assert!(
        text.contains("hint: stop the hub and bring hub.db back"),
        "{text}"
    );
    assert!(text.contains("error[unhealthy]"), "{text}");
}
