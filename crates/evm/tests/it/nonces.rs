//! One account, many transactions: none is lost, none is sent twice.

use std::time::Duration;

use alloy::consensus::Transaction;
use alloy::providers::Provider;
use alloy::providers::ext::AnvilApi;
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::SolCall;
use gio_evm::{RevertReason, SendError, Timing};
use gio_protocol::{Address, Gio, U256};
use tokio::task::JoinSet;

use crate::market::{Market, gio, wait_until};

alloy::sol! {
    function approve(address spender, uint256 value);
}

/// Short enough for a test to see every deadline pass.
const HASTY: Timing = Timing {
    request: Duration::from_secs(5),
    stuck_after: Duration::from_millis(300),
    receipt: Duration::from_secs(30),
};

#[tokio::test]
async fn concurrent_sends_all_arrive_once() {
    let market = Market::start_unregistered().await;
    let sends = (1..=20u64).map(|i| {
        let chain = market.treasury.chain.clone();
        let amount = Gio::from_units(i);
        async move {
            chain
                .send_gio(Address::repeat_byte(0x42), amount)
                .await
                .map(|tx| tx.hash)
        }
    });
    let mut tasks: JoinSet<_> = sends.collect();
    let mut hashes = std::collections::BTreeSet::new();
    while let Some(done) = tasks.join_next().await {
        hashes.insert(done.unwrap().unwrap());
    }
    assert_eq!(hashes.len(), 20);
    let received = market.balances(&[Address::repeat_byte(0x42)]).await;
    assert_eq!(received, [Gio::from_units(210)]);
}

#[tokio::test]
async fn a_second_process_with_the_same_key_is_noticed_and_survived() {
    let market = Market::start_unregistered().await;
    let other = market.reconnect(&market.treasury, Timing::default()).await;
    let to = Address::repeat_byte(0x42);
    for _ in 0..3 {
        market.treasury.chain.send_gio(to, gio("1")).await.unwrap();
        other.send_gio(to, gio("1")).await.unwrap();
    }
    assert_eq!(market.balances(&[to]).await, [gio("6")]);
}

/// Votes are counted by the second: a transfer simulated in the second of the one before changes that second's count, and
/// writes a new one if it is mined in the next.
#[tokio::test]
async fn a_transaction_mined_in_a_later_second_than_simulated_has_gas_enough() {
    let market = Market::start_unregistered().await;
    let node = market.node();
    let (from, to) = (&market.treasury, &market.buyer);
    for actor in [from, to] {
        let own = actor.address();
        actor.chain.delegate_votes(own).await.unwrap();
    }
    from.chain.send_gio(to.address(), gio("1")).await.unwrap();
    node.anvil_set_block_timestamp_interval(0).await.unwrap();
    from.chain.send_gio(to.address(), gio("1")).await.unwrap();
    node.anvil_set_auto_mine(false).await.unwrap();
    let account = from.address();
    let nonce = node.get_transaction_count(account).await.unwrap();
    let (chain, receiver) = (from.chain.clone(), to.address());
    let mut sending = JoinSet::from_iter([async move { chain.send_gio(receiver, gio("1")).await }]);
    wait_until("the transaction", async || {
        node.get_transaction_count(account).pending().await.unwrap() > nonce
    })
    .await;
    node.anvil_set_block_timestamp_interval(10).await.unwrap();
    node.anvil_mine(Some(1), None).await.unwrap();
    sending.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_stuck_transaction_is_replaced_with_a_higher_fee() {
    let market = Market::start_unregistered().await;
    let node = market.node();
    let chain = market.reconnect(&market.treasury, HASTY).await;
    let to = Address::repeat_byte(0x42);
    /// Fifteen times what a fresh node asks for.
    const BASE_FEE: u128 = 30_000_000_000;
    node.anvil_set_auto_mine(false).await.unwrap();
    let mut sending = JoinSet::from_iter([{
        let chain = chain.clone();
        async move { chain.send_gio(to, gio("1")).await }
    }]);
    let account = market.treasury.address();
    let nonce = node.get_transaction_count(account).await.unwrap();
    // The block's price rises above what the first attempt offered.
    wait_until("the first attempt", async || {
        node.get_transaction_count(account).pending().await.unwrap() > nonce
    })
    .await;
    node.anvil_set_next_block_base_fee_per_gas(BASE_FEE)
        .await
        .unwrap();
    wait_until("the replacement", async || {
        // Empty blocks lower it again.
        node.anvil_set_next_block_base_fee_per_gas(BASE_FEE)
            .await
            .unwrap();
        node.anvil_mine(Some(1), None).await.unwrap();
        market.balances(&[to]).await == [gio("1")]
    })
    .await;
    let tx = sending.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(
        node.get_transaction_count(account).await.unwrap(),
        nonce + 1,
        "one of them was mined"
    );
    let mined = node
        .get_transaction_by_hash(tx.hash)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(mined.block_number, Some(tx.block));
    assert!(
        mined.max_fee_per_gas() >= BASE_FEE,
        "the first attempt offered less"
    );
}

#[tokio::test]
async fn a_lost_transaction_does_not_hold_up_the_next() {
    let market = Market::start_unregistered().await;
    let node = market.node();
    let chain = market.reconnect(&market.treasury, HASTY).await;
    let to = Address::repeat_byte(0x42);
    // One that its sender gives up on, and that the node then forgets.
    node.anvil_set_auto_mine(false).await.unwrap();
    let account = market.treasury.address();
    let nonce = node.get_transaction_count(account).await.unwrap();
    let mut given_up = JoinSet::from_iter([{
        let chain = chain.clone();
        async move { chain.send_gio(to, gio("1")).await }
    }]);
    wait_until("the first transaction", async || {
        node.get_transaction_count(account).pending().await.unwrap() > nonce
    })
    .await;
    given_up.shutdown().await;
    node.anvil_drop_all_transactions().await.unwrap();
    node.anvil_set_auto_mine(true).await.unwrap();
    let tx = chain.send_gio(to, gio("2")).await.unwrap();
    assert!(tx.block > 0);
    assert_eq!(market.balances(&[to]).await, [gio("2")]);
    chain.send_gio(to, gio("3")).await.unwrap();
    assert_eq!(market.balances(&[to]).await, [gio("5")]);
}

#[tokio::test]
async fn a_nonce_taken_by_somebody_else_is_a_conflict() {
    let market = Market::start_unregistered().await;
    let node = market.node();
    let chain = market.reconnect(&market.treasury, HASTY).await;
    let to = Address::repeat_byte(0x42);
    node.anvil_set_auto_mine(false).await.unwrap();
    let mut sending = JoinSet::from_iter([{
        let chain = chain.clone();
        async move { chain.send_gio(to, gio("1")).await }
    }]);
    let account = market.treasury.address();
    let nonce = node.get_transaction_count(account).await.unwrap();
    wait_until("our transaction", async || {
        node.get_transaction_count(account).pending().await.unwrap() > nonce
    })
    .await;
    node.anvil_drop_all_transactions().await.unwrap();
    node.anvil_set_nonce(account, nonce + 1).await.unwrap();
    let error = sending.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(
        matches!(error, SendError::NonceConflict { nonce: taken, .. } if taken == nonce),
        "{error:?}"
    );
    assert!(error.is_transient());
    node.anvil_set_auto_mine(true).await.unwrap();
    chain.send_gio(to, gio("1")).await.unwrap();
    assert_eq!(market.balances(&[to]).await, [gio("1")]);
}

#[tokio::test]
async fn what_is_not_mined_in_time_stays_known() {
    let market = Market::start_unregistered().await;
    let node = market.node();
    let impatient = Timing {
        receipt: Duration::from_millis(200),
        ..Timing::default()
    };
    let chain = market.reconnect(&market.treasury, impatient).await;
    node.anvil_set_auto_mine(false).await.unwrap();
    let error = chain
        .send_gio(Address::repeat_byte(0x42), gio("1"))
        .await
        .unwrap_err();
    let tx = error.unresolved_tx().unwrap();
    assert!(
        chain
            .await_tx(tx)
            .await
            .unwrap_err()
            .unresolved_tx()
            .is_some()
    );
    node.anvil_mine(Some(1), None).await.unwrap();
    assert_eq!(chain.await_tx(tx).await.unwrap().hash, tx);
}

#[tokio::test]
async fn an_account_without_gas_money_is_told_so() {
    let market = Market::start_unregistered().await;
    let node = market.node();
    node.anvil_set_balance(market.buyer.address(), U256::from(1_000))
        .await
        .unwrap();
    let error = market
        .buyer
        .chain
        .send_gio(market.hub.address(), gio("1"))
        .await
        .unwrap_err();
    match error {
        SendError::InsufficientGas {
            account,
            needed,
            available,
        } => {
            assert_eq!(
                (account, available),
                (market.buyer.address(), U256::from(1_000))
            );
            assert!(needed > available);
        }
        other => panic!("{other:?}"),
    }
}

/// A transaction that passes the simulation and then finds the allowance gone.
#[tokio::test]
async fn a_lost_race_is_reported_with_its_reason() {
    let market = Market::start_unregistered().await;
    let node = market.node();
    let (owner, spender) = (market.buyer.address(), market.miner.address());
    market.buyer.chain.approve(spender, gio("1")).await.unwrap();
    node.anvil_set_auto_mine(false).await.unwrap();
    let chain = market.miner.chain.clone();
    let mut pulling = JoinSet::from_iter([async move { chain.pull(owner, gio("1")).await }]);
    wait_until("the pull", async || {
        node.get_transaction_count(spender).pending().await.unwrap() > 0
    })
    .await;
    // The owner takes the allowance back and pays for being first.
    let revoke = TransactionRequest::default()
        .from(owner)
        .to(market.deployment.token)
        .input(
            approveCall {
                spender,
                value: U256::ZERO,
            }
            .abi_encode()
            .into(),
        )
        .max_fee_per_gas(100_000_000_000)
        .max_priority_fee_per_gas(100_000_000_000);
    let _sent = node.send_transaction(revoke).await.unwrap();
    node.anvil_mine(Some(1), None).await.unwrap();
    let error = pulling.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(
        matches!(error, SendError::RevertedOnChain { .. }),
        "{error:?}"
    );
    let expected = RevertReason::AllowanceTooLow {
        spender,
        allowance: Gio::ZERO,
        needed: gio("1"),
    };
    assert_eq!(error.revert(), Some(&expected));
}
