//! A hub's period: a payout of an epoch, payday, withdrawal and the next registration.

use gio_evm::{PayoutTree, RevertReason, WalletEvent, WalletState};
use gio_protocol::{Address, B256, Gio};

use crate::market::{Market, gio, record, said};

const PERIOD: u64 = 30 * 24 * 3600;

#[tokio::test]
async fn r09_a_payout_is_posted_claimed_and_outlives_the_period() {
    let market = Market::start().await;
    let (hub, wallet) = (&market.hub.chain, market.wallet);
    let miner = market.miner.address();
    let other = Address::repeat_byte(9);
    let tree = PayoutTree::new(vec![
        (other, gio("3")),
        (miner, gio("4")),
        (other, gio("7")),
    ])
    .unwrap();
    let leaves_root = B256::repeat_byte(5);
    let tx = hub
        .post_payout(wallet, tree.top(), tree.count(), leaves_root)
        .await
        .unwrap();
    assert_eq!(
        said(&tx),
        [WalletEvent::PayoutPosted {
            epoch: 0,
            count: 3,
            gross: gio("20"),
            lock: gio("6"),
            net: gio("14"),
            top: tree.top(),
            leaves_root,
        }]
    );
    let figures = hub.wallet(wallet).await.unwrap();
    assert_eq!(
        (figures.unclaimed, figures.locked, figures.free),
        (gio("14"), gio("6"), gio("80"))
    );

    // Whoever has looked asks for what came since.
    let all = hub.payouts_since(wallet, None).await.unwrap();
    assert_eq!(all.payouts, hub.payouts(wallet).await.unwrap());
    assert_eq!((all.payouts[0].epoch, all.payouts[0].tx), (0, tx.hash));
    let again = hub.payouts_since(wallet, Some(all.until)).await.unwrap();
    assert_eq!(again.payouts, all.payouts, "the block itself is looked at");
    let after = Some(again.until + 1);
    let none = hub.payouts_since(wallet, after).await.unwrap();
    assert_eq!(none.payouts, []);

    // Anyone may send the claim; the money goes to the miner.
    let claim = tree.claim(0, 1).unwrap();
    let tx = market
        .buyer
        .chain
        .claim_payout(wallet, &claim)
        .await
        .unwrap();
    assert_eq!(
        said(&tx),
        [WalletEvent::PayoutClaimed {
            epoch: 0,
            miner,
            index: 1,
            net: gio("4"),
        }]
    );
    assert_eq!(market.balances(&[miner]).await, [gio("4")]);
    assert!(hub.is_claimed(wallet, 0, 1).await.unwrap());
    assert!(!hub.is_claimed(wallet, 0, 2).await.unwrap());
    let twice = hub.claim_payout(wallet, &claim).await.unwrap_err();
    assert_eq!(
        twice.revert(),
        Some(&RevertReason::PayoutClaimedAlready { epoch: 0, index: 1 })
    );
    let mut stolen = tree.claim(0, 2).unwrap();
    stolen.miner = miner;
    let error = hub.claim_payout(wallet, &stolen).await.unwrap_err();
    assert_eq!(
        error.revert(),
        Some(&RevertReason::PayoutProofInvalid { epoch: 0, index: 2 })
    );

    leave(&market).await;
    for index in [0, 2] {
        let claim = tree.claim(0, index).unwrap();
        market
            .miner
            .chain
            .claim_payout(wallet, &claim)
            .await
            .unwrap();
    }
    assert_eq!(
        market.balances(&[other, wallet]).await,
        [gio("10"), Gio::ZERO]
    );
}

/// Payday, withdrawal, and what both refuse.
async fn leave(market: &Market) {
    let (hub, wallet) = (&market.hub.chain, market.wallet);
    let early = hub.payday(wallet).await.unwrap_err();
    assert!(matches!(
        early.revert(),
        Some(RevertReason::PaydayTooEarly { .. })
    ));
    market.pass_time(PERIOD).await;
    let tx = hub.payday(wallet).await.unwrap();
    let fee = gio("0.03");
    assert_eq!(
        said(&tx),
        [WalletEvent::PaydayHeld {
            fee,
            locked: gio("6"),
            stake: gio("1"),
        }]
    );
    let tx = hub.withdraw(wallet).await.unwrap();
    let owner = market.hub.address();
    let amount = gio("86.97"); // 101 less 14 owed and the fee
    assert_eq!(said(&tx), [WalletEvent::Withdrawn { owner, amount }]);
    let again = hub.withdraw(wallet).await.unwrap_err();
    assert_eq!(again.revert(), Some(&RevertReason::NothingFree));
    let figures = hub.wallet(wallet).await.unwrap();
    assert_eq!(
        (figures.state, figures.unclaimed, figures.free),
        (WalletState::Idle, gio("10"), Gio::ZERO)
    );
}

#[tokio::test]
async fn r08_payday_waits_for_deals_the_hub_may_give_back() {
    let market = Market::start().await;
    let hub = &market.hub.chain;
    let terms = market.deal(1, None).await;
    market.pass_time(PERIOD).await;
    let waits = hub.payday(market.wallet).await.unwrap_err();
    assert_eq!(
        waits.revert(),
        Some(&RevertReason::DealsOpen {
            escrow: terms.cap,
            guarantees: terms.guarantee,
        })
    );
    let tx = hub.give_back(&terms).await.unwrap();
    assert!(matches!(
        said(&tx)[..],
        [WalletEvent::DealRefunded { refund, .. }] if refund == terms.cap
    ));
    hub.payday(market.wallet).await.unwrap();
    hub.register(market.wallet, record()).await.unwrap();
    let figures = hub.wallet(market.wallet).await.unwrap();
    assert_eq!(figures.state, WalletState::Registered);
    assert_eq!(figures.stake, gio("1"));
}
