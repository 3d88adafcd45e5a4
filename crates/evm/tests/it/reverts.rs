//! What the contracts refuse arrives as a typed reason, before anything is spent.

use gio_evm::{RevertReason, SendError, WalletState};
use gio_protocol::{Address, B256, Cu, DealStage, DealTerms, Gio, UnixSeconds, keccak256};

use crate::market::{CHAIN_ID, Market, gio, record};

/// The reason, and that it cost nothing.
async fn reason<T: std::fmt::Debug>(
    market: &Market,
    actor: Address,
    sent: impl Future<Output = Result<T, SendError>>,
) -> RevertReason {
    let chain = &market.treasury.chain;
    let before = chain.gas_balance(actor).await.unwrap();
    let error = sent.await.unwrap_err();
    assert!(!error.is_transient());
    assert_eq!(chain.gas_balance(actor).await.unwrap(), before, "{error}");
    match error {
        SendError::Reverted(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn callers_and_records() {
    let market = Market::start_unregistered().await;
    let (wallet, hub, miner) = (market.wallet, market.hub.address(), market.miner.address());
    let found = reason(
        &market,
        miner,
        market.miner.chain.register(wallet, record()),
    )
    .await;
    assert_eq!(
        found,
        RevertReason::NotOwner {
            caller: miner,
            owner: hub
        }
    );
    let found = reason(
        &market,
        hub,
        market.hub.chain.transfer(wallet, miner, gio("1")),
    )
    .await;
    assert_eq!(
        found,
        RevertReason::WalletStateMismatch {
            state: WalletState::Created,
            required: WalletState::Registered,
        }
    );
    let nameless = gio_evm::HubRecord {
        name: String::new(),
        ..record()
    };
    let found = reason(&market, hub, market.hub.chain.register(wallet, nameless)).await;
    assert!(
        matches!(found, RevertReason::RecordFieldLength { field: "name", .. }),
        "{found}"
    );
}

#[tokio::test]
async fn payouts() {
    let market = Market::start().await;
    let (wallet, hub, miner) = (market.wallet, market.hub.address(), market.miner.address());
    let found = reason(
        &market,
        hub,
        market.hub.chain.transfer(wallet, miner, Gio::ZERO),
    )
    .await;
    assert_eq!(found, RevertReason::AmountZero);
    let found = reason(
        &market,
        hub,
        market.hub.chain.transfer(wallet, Address::ZERO, gio("1")),
    )
    .await;
    assert_eq!(
        found,
        RevertReason::MinerInvalid {
            miner: Address::ZERO
        }
    );
    let found = reason(
        &market,
        hub,
        market.hub.chain.transfer(wallet, miner, gio("100.1")),
    )
    .await;
    assert_eq!(
        found,
        RevertReason::FreeBalanceTooLow {
            free: gio("100"),
            needed: gio("100.1")
        }
    );
    assert!(found.to_string().contains("100.1"), "{found}");
}

#[tokio::test]
async fn the_token() {
    let market = Market::start_unregistered().await;
    let (chain, miner) = (&market.miner.chain, market.miner.address());
    let found = reason(
        &market,
        miner,
        chain.send_gio(market.hub.address(), gio("1")),
    )
    .await;
    assert_eq!(
        found,
        RevertReason::BalanceTooLow {
            holder: miner,
            balance: Gio::ZERO,
            needed: gio("1")
        }
    );
    let found = reason(&market, miner, chain.pull(market.wallet, gio("1"))).await;
    assert_eq!(
        found,
        RevertReason::AllowanceTooLow {
            spender: miner,
            allowance: Gio::ZERO,
            needed: gio("1")
        }
    );
    market.buyer.chain.approve(miner, gio("3")).await.unwrap();
    assert_eq!(
        chain
            .allowance(market.buyer.address(), miner)
            .await
            .unwrap(),
        gio("3")
    );
    chain.pull(market.buyer.address(), gio("3")).await.unwrap();
    assert_eq!(market.balances(&[miner]).await, [gio("3")]);
    let salt = B256::repeat_byte(7);
    let found = reason(
        &market,
        market.hub.address(),
        market.hub.chain.create_hub(salt),
    )
    .await;
    assert_eq!(
        found,
        RevertReason::WalletExists {
            wallet: market.wallet
        }
    );
}

#[tokio::test]
async fn terms_nobody_would_open() {
    let market = Market::start().await;
    let good = market.terms(1).await;
    let change = |change: fn(&mut DealTerms)| {
        let mut terms = good.clone();
        change(&mut terms);
        terms
    };
    let far = UnixSeconds(u64::MAX);
    for (terms, expected) in [
        (
            change(|t| t.seed_commitment = B256::ZERO),
            RevertReason::SeedCommitmentMismatch {
                commitment: B256::ZERO,
            },
        ),
        (
            change(|t| t.unit_count = 0),
            RevertReason::UnitCountOutOfRange { unit_count: 0 },
        ),
        (
            change(|t| t.mode_params = B256::repeat_byte(1)),
            RevertReason::ModeParamsUnexpected {
                mode_params: B256::repeat_byte(1),
            },
        ),
        (
            change(|t| t.machine_version = 1),
            RevertReason::MachineVersionUnknown { machine_version: 1 },
        ),
        (
            change(|t| t.royalty_per_mille = 1001),
            RevertReason::RoyaltyTooHigh { per_mille: 1001 },
        ),
        (
            change(|t| t.royalty_to = Address::ZERO),
            RevertReason::RoyaltyRecipientInvalid {
                royalty_to: Address::ZERO,
            },
        ),
        (
            change(|t| t.court = Address::repeat_byte(1)),
            RevertReason::CourtUnexpected {
                court: Address::repeat_byte(1),
            },
        ),
        (
            change(|t| t.open_by = UnixSeconds(u64::MAX)),
            RevertReason::DeadlinesUnordered {
                open_by: far,
                deliver_by: good.deliver_by,
            },
        ),
        (
            change(|t| t.window = u64::MAX),
            RevertReason::WindowTooLong {
                window: u64::MAX,
                max: 30 * 24 * 3600,
            },
        ),
        (change(|t| t.cap = Gio::ZERO), RevertReason::CapZero),
        (
            change(|t| t.guarantee = Gio::from_units(1 << 40)),
            RevertReason::FreeBalanceTooLow {
                free: gio("100"),
                needed: Gio::from_units(1 << 40),
            },
        ),
    ] {
        let (buyer, hub) = market.sign(&terms);
        let sent = market.miner.chain.open(&terms, &buyer, &hub, None);
        assert_eq!(
            reason(&market, market.miner.address(), sent).await,
            expected
        );
    }
}

#[tokio::test]
async fn r11_signatures_hold_for_one_wallet_buyer_and_chain() {
    let market = Market::start().await;
    let terms = market.terms(1).await;
    let digest = terms.deal_id(CHAIN_ID).0;
    let (buyer, hub) = market.sign(&terms);
    let chain = &market.miner.chain;
    let me = market.miner.address();

    let found = reason(&market, me, chain.open(&terms, &hub, &hub, None)).await;
    assert_eq!(
        found,
        RevertReason::BuyerSignatureInvalid {
            buyer: terms.buyer,
            digest
        }
    );
    let found = reason(&market, me, chain.open(&terms, &buyer, &buyer, None)).await;
    assert_eq!(
        found,
        RevertReason::HubSignatureInvalid {
            owner: market.hub.address(),
            digest
        }
    );
    let (elsewhere, _) = market.sign_digest(terms.deal_id(1).0);
    let found = reason(&market, me, chain.open(&terms, &elsewhere, &hub, None)).await;
    assert_eq!(
        found,
        RevertReason::BuyerSignatureInvalid {
            buyer: terms.buyer,
            digest
        }
    );

    let (other, _) = market
        .hub
        .chain
        .create_hub(B256::repeat_byte(8))
        .await
        .unwrap();
    market
        .treasury
        .chain
        .send_gio(other, gio("1"))
        .await
        .unwrap();
    market.hub.chain.register(other, record()).await.unwrap();
    let moved = DealTerms {
        wallet: other,
        ..terms.clone()
    };
    let sent = chain.open(&moved, &buyer, &hub, None);
    let found = reason(&market, me, sent).await;
    assert!(
        matches!(found, RevertReason::BuyerSignatureInvalid { .. }),
        "{found}"
    );
}

#[tokio::test]
async fn the_life_of_a_deal() {
    let market = Market::start().await;
    let (hub, me) = (&market.hub.chain, market.hub.address());
    let unopened = market.terms(9).await;
    let root = keccak256("root");
    let found = reason(&market, me, hub.post_result(&unopened, root, Cu(1), root)).await;
    let deal = unopened.deal_id(CHAIN_ID);
    assert_eq!(
        found,
        RevertReason::DealStateMismatch {
            deal,
            stage: DealStage::None
        }
    );

    let terms = market.deal(1, None).await;
    let deal = terms.deal_id(CHAIN_ID);
    let (buyer, signature) = market.sign(&terms);
    let found = reason(&market, me, hub.open(&terms, &buyer, &signature, None)).await;
    assert_eq!(
        found,
        RevertReason::DealStateMismatch {
            deal,
            stage: DealStage::Open
        }
    );
    let found = reason(
        &market,
        me,
        hub.post_result(&terms, B256::ZERO, Cu(1), root),
    )
    .await;
    assert_eq!(found, RevertReason::SumWithoutTree { cu_total: Cu(1) });
    let found = reason(
        &market,
        me,
        hub.cancel(&terms, gio("11"), &buyer, &signature),
    )
    .await;
    assert_eq!(
        found,
        RevertReason::PaymentAboveCap {
            payment: gio("11"),
            cap: gio("10")
        }
    );

    hub.post_result(&terms, root, Cu(1), root).await.unwrap();
    let sent = market.buyer.chain.confirm(&terms, root, &[]);
    let found = reason(&market, market.buyer.address(), sent).await;
    assert!(matches!(found, RevertReason::ResultRootMismatch { given, .. } if given == root));

    let late = market.terms(2).await;
    let (buyer, signature) = market.sign(&late);
    market.pass_time(601).await;
    let found = reason(&market, me, hub.open(&late, &buyer, &signature, None)).await;
    assert!(
        matches!(found, RevertReason::OpenByPassed { open_by, time } if open_by == late.open_by && time > open_by)
    );
}
