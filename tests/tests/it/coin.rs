//! The coin's node of the development network: it names the market's token, survives, and stops.

use gio_e2e::devnet::{Devnet, Settings};
use serde_json::json;

use crate::story::{block_on, turn};

#[test]
fn r29_the_networks_coin_names_its_token_and_goes_on_after_a_kill() {
    block_on(async {
        let _turn = turn().await;
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            miners: 1,
            ..Settings::default()
        };
        let mut net = Devnet::prepare(folder.path(), settings.clone())
            .await
            .unwrap();
        let coin = net.coin.take().unwrap();
        let first = coin.rpc(&["getblockhash", "0"]).await.unwrap();
        let block = coin
            .rpc(&["getblock", first.as_str().unwrap(), "2"])
            .await
            .unwrap();
        let script = &block["tx"][0]["vout"][2]["scriptPubKey"]["hex"];
        let token = net.chain.deployment().token;
        let named = format!(
            "{:016x}{}",
            net.chain.deployment().chain_id,
            &token.to_string().to_lowercase()[2..]
        );
        assert!(
            script.as_str().unwrap().ends_with(&named),
            "{script} {named}"
        );
        let mined = coin.rpc(&["generate", "3"]).await.unwrap();
        coin.kill().await.unwrap();
        net.stop().await.unwrap();

        let net = Devnet::prepare(folder.path(), settings).await.unwrap();
        let coin = net.coin.as_ref().unwrap();
        assert_eq!(coin.rpc(&["getbestblockhash"]).await.unwrap(), mined[2]);
        assert_eq!(coin.rpc(&["getblockcount"]).await.unwrap(), json!(3));
        net.stop().await.unwrap();
    });
}
