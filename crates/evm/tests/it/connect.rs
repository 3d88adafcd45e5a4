//! A connection is to the right chain and the right contracts, or it is none.

use gio_evm::{Chain, ConnectError, Deployment, SendError};
use gio_protocol::{Address, Gio};

use crate::market::{CHAIN_ID, Market, gio, start_anvil};

async fn refuse(url: &str, deployment: Deployment) -> ConnectError {
    Chain::connect(url, deployment, None).await.unwrap_err()
}

#[tokio::test]
async fn a_connection_knows_its_market() {
    let market = Market::start_unregistered().await;
    let chain = &market.treasury.chain;
    assert_eq!(chain.chain_id(), CHAIN_ID);
    assert_eq!(chain.account(), Some(market.treasury.address()));
    assert_eq!(chain.total_supply().await.unwrap(), gio("20000000"));
    assert!(
        !chain
            .gas_balance(market.hub.address())
            .await
            .unwrap()
            .is_zero()
    );
    let head = chain.head().await.unwrap();
    assert_eq!(chain.block(head.number).await.unwrap(), head);
    assert_eq!(chain.confirmed_head(0).await.unwrap(), head);
    let below = chain.confirmed_head(2).await.unwrap();
    assert_eq!(below.number, head.number - 2);
    assert_ne!(below.hash, head.hash);
    assert_eq!(chain.confirmed_head(u64::MAX).await.unwrap().number, 0);
    assert!(
        chain
            .block(head.number + 1)
            .await
            .unwrap_err()
            .is_transient()
    );
}

#[tokio::test]
async fn wrong_deployments_are_refused() {
    let market = Market::start_unregistered().await;
    let url = market.anvil.endpoint();
    let right = market.deployment;

    let error = refuse(
        &url,
        Deployment {
            chain_id: 1,
            ..right
        },
    )
    .await;
    assert!(matches!(
        error,
        ConnectError::WrongChain {
            expected: 1,
            found: CHAIN_ID
        }
    ));

    let nowhere = Address::repeat_byte(9);
    let error = refuse(
        &url,
        Deployment {
            token: nowhere,
            ..right
        },
    )
    .await;
    assert!(
        matches!(error, ConnectError::CodeMissing { contract: "GioToken", address } if address == nowhere)
    );

    let error = refuse(
        &url,
        Deployment {
            token: right.factory,
            ..right
        },
    )
    .await;
    assert!(!error.is_transient(), "{error}");

    let error = refuse(
        &url,
        Deployment {
            whitelist: right.token,
            ..right
        },
    )
    .await;
    assert!(matches!(
        error,
        ConnectError::Mismatch {
            contract: "HubFactory",
            ..
        }
    ));
}

#[tokio::test]
async fn a_silent_or_senseless_address_is_refused() {
    let anvil = start_anvil();
    let url = anvil.endpoint();
    drop(anvil);
    let deployment = Deployment::new(CHAIN_ID, Address::ZERO, Address::ZERO, Address::ZERO);
    assert!(refuse(&url, deployment).await.is_transient());
    for bad in ["", "127.0.0.1:8545", "ftp://127.0.0.1/"] {
        assert!(
            matches!(refuse(bad, deployment).await, ConnectError::UrlInvalid(url) if url == bad)
        );
    }
}

#[tokio::test]
async fn without_a_key_nothing_is_sent() {
    let market = Market::start_unregistered().await;
    let chain = Chain::connect(&market.anvil.endpoint(), market.deployment, None)
        .await
        .unwrap();
    assert_eq!(chain.account(), None);
    let error = chain
        .send_gio(market.buyer.address(), Gio::from_units(1))
        .await
        .unwrap_err();
    assert!(matches!(error, SendError::KeyMissing));
    let zero = Some([0; 32]);
    let error = Chain::connect(&market.anvil.endpoint(), market.deployment, zero)
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::KeyInvalid));
}

#[test]
fn a_deployment_file_has_no_unknown_keys() {
    let text = r#"{"chain_id":1,"token":"0x0000000000000000000000000000000000000001",
        "factory":"0x0000000000000000000000000000000000000002","whitelist":"0x0000000000000000000000000000000000000003"}"#;
    let deployment: Deployment = serde_json::from_str(text).unwrap();
    let again: Deployment =
        serde_json::from_str(&serde_json::to_string(&deployment).unwrap()).unwrap();
    assert_eq!(again, deployment);
    let surplus = text.replacen('{', r#"{"dao":1,"#, 1);
    assert!(serde_json::from_str::<Deployment>(&surplus).is_err());
}
