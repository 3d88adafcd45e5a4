//! Whole lives of deals, with every balance and every event.

use std::future::ready;
use std::slice;

use gio_evm::{RevertReason, TxInfo, WalletEvent, WalletState};
use gio_protocol::{
    Cu, DealStage, Domain, Gio, bill, cancellation_digest, confirmation_digest, gross_of_net,
    keccak256, lock_of_gross,
};

use crate::market::{CHAIN_ID, Market, gio, record, said};

#[tokio::test]
async fn a_hub_is_made_registered_and_found() {
    let market = Market::start_unregistered().await;
    let (chain, wallet, owner) = (&market.hub.chain, market.wallet, market.hub.address());
    assert_eq!(chain.wallets_of(owner).await.unwrap(), [wallet]);
    assert!(chain.is_wallet(wallet).await.unwrap());
    assert!(!chain.is_wallet(owner).await.unwrap());
    let unknown = chain.hub(owner).await.unwrap_err();
    assert!(
        matches!(unknown, gio_evm::ChainError::Reverted(RevertReason::WalletUnknown { wallet }) if wallet == owner)
    );

    let before = chain.hub(wallet).await.unwrap();
    assert_eq!(
        (before.state, before.registered_at),
        (WalletState::Created, None)
    );
    let tx = chain.register(wallet, record()).await.unwrap();
    let after = chain.hub(wallet).await.unwrap();
    let figures = chain.wallet(wallet).await.unwrap();
    let registered_at = after.registered_at.unwrap();
    assert_eq!(
        said(&tx),
        [WalletEvent::Registered {
            owner,
            stake: gio("1"),
            registered_at
        }]
    );
    assert_eq!(
        (after.wallet, after.owner, after.state),
        (wallet, owner, WalletState::Registered)
    );
    assert_eq!(
        (after.endpoint, after.name),
        (record().endpoint, record().name)
    );
    assert_eq!(chain.hubs(0, 10).await.unwrap().len(), 1);

    assert_eq!(
        (figures.owner, figures.state),
        (owner, WalletState::Registered)
    );
    assert_eq!(figures.factory, market.deployment.factory);
    assert_eq!(figures.registered_at, Some(registered_at));
    assert_eq!(
        (figures.balance, figures.stake, figures.free),
        (gio("101"), gio("1"), gio("100"))
    );
    assert_eq!(figures.parameters.lock_percent, 30);
    assert_eq!(figures.parameters.freeze_quota, gio("1"));

    let moved = gio_evm::HubRecord {
        endpoint: "/dns/hub.example/tcp/1".to_owned(),
        ..record()
    };
    chain.change_record(wallet, moved.clone()).await.unwrap();
    assert_eq!(chain.hub(wallet).await.unwrap().endpoint, moved.endpoint);
}

/// Permit and open in one transaction, post, confirm, pay, pull: the design's life of a deal.
#[tokio::test]
async fn r02_a_confirmed_deal_pays_hub_author_and_miner() {
    let market = Market::start().await;
    let (hub, wallet) = (&market.hub.chain, market.wallet);
    let terms = market.terms(1).await;
    let id = terms.deal_id(CHAIN_ID);
    let (buyer_signature, hub_signature) = market.sign(&terms);
    let permit = Some(market.permit(terms.cap).await);
    let opened = hub
        .open(&terms, &buyer_signature, &hub_signature, permit)
        .await
        .unwrap();
    let open_event = WalletEvent::DealOpened {
        deal: id,
        terms: Box::new(terms.clone()),
    };
    assert_eq!(said(&opened), slice::from_ref(&open_event));
    assert_eq!(hub.deal(wallet, id).await.unwrap().stage, DealStage::Open);
    let figures = hub.wallet(wallet).await.unwrap();
    assert_eq!(
        (figures.escrow, figures.guarantees, figures.free),
        (gio("10"), gio("2"), gio("98"))
    );
    assert_eq!(
        market.balances(&[market.buyer.address(), wallet]).await,
        [gio("90"), gio("111")]
    );

    let cu = Cu(3_456_789_012);
    let (tree, claims) = (keccak256("tree"), keccak256("claims file"));
    let posted = hub.post_result(&terms, tree, cu, claims).await.unwrap();
    let deal = hub.deal(wallet, id).await.unwrap();
    let (root, window_end) = (deal.result_root.unwrap(), deal.window_end.unwrap());
    assert_eq!((deal.stage, deal.cu_total), (DealStage::Posted, cu));
    let post_event = WalletEvent::ResultPosted {
        deal: id,
        result_root: root,
        tree_hash: tree,
        cu_total: cu,
        claims_root: claims,
        window_end,
    };
    assert_eq!(said(&posted), slice::from_ref(&post_event));

    let settled = market.buyer.chain.confirm(&terms, root, &[]).await.unwrap();
    let payment = bill(terms.cap, cu, terms.price_per_pu);
    let royalty = Gio::from_units(payment.units() / 10);
    let settle_event = WalletEvent::DealSettled {
        deal: id,
        buyer: terms.buyer,
        payment,
        royalty,
        refund: terms.cap.minus(payment).unwrap(),
        confirmed: true,
    };
    assert_eq!(said(&settled), slice::from_ref(&settle_event));
    let free = gio("100").plus(payment).unwrap().minus(royalty).unwrap();
    assert_eq!(hub.wallet(wallet).await.unwrap().free, free);

    let told = [open_event, post_event, settle_event];
    the_chain_remembers(&market, &told, &posted, &settled).await;
}

/// What the receipts said is what the chain says later, with the same places.
async fn the_chain_remembers(
    market: &Market,
    told: &[WalletEvent],
    posted: &TxInfo,
    settled: &TxInfo,
) {
    let (chain, wallet) = (&market.hub.chain, market.wallet);
    let all = chain.wallet_events(wallet, 0, settled.block).await.unwrap();
    let events: Vec<_> = all.iter().map(|log| log.event.clone()).collect();
    assert_eq!(&events[1..], told, "after the registration");
    let last = all[3].place;
    assert_eq!((last.tx, last.block), (settled.hash, settled.block));
    let block = chain.block(settled.block).await.unwrap();
    assert_eq!(last.block_hash, block.hash);
    let page = chain
        .wallet_events(wallet, posted.block, posted.block)
        .await;
    assert_eq!(page.unwrap(), posted.events);
}

#[tokio::test]
async fn x06_a_miner_pulls_at_least_its_net() {
    let market = Market::start().await;
    let (hub, wallet, miner) = (&market.hub.chain, market.wallet, market.miner.address());
    let net = Gio::from_units(123_456_789);
    let gross = gross_of_net(net).unwrap();
    let lock = lock_of_gross(gross);
    let approved = gross.minus(lock).unwrap();
    assert!(approved >= net);
    let paid = hub.transfer_net(wallet, miner, net, |_| ready(true));
    let tx = paid.await.unwrap();
    let paid = WalletEvent::PaymentApproved {
        miner,
        gross,
        lock,
        net: approved,
        allowance: approved,
    };
    assert_eq!(said(&tx), [paid]);
    assert_eq!(hub.allowance(wallet, miner).await.unwrap(), approved);
    assert_eq!(hub.approved_to(wallet, miner).await.unwrap(), approved);
    market.miner.chain.pull(wallet, approved).await.unwrap();
    assert_eq!(market.balances(&[miner]).await, [approved]);
    let unseen = hub.wallet(wallet).await.unwrap();
    let tx = market
        .buyer
        .chain
        .reconcile(wallet, &[miner])
        .await
        .unwrap();
    assert_eq!(
        said(&tx),
        [WalletEvent::PullSeen {
            miner,
            pulled: approved,
            allowance: Gio::ZERO
        }]
    );
    let seen = hub.wallet(wallet).await.unwrap();
    assert_eq!(seen.free, gio("100").minus(gross).unwrap());
    assert_eq!(
        unseen.free,
        seen.free.minus(approved).unwrap(),
        "too low before, never too high"
    );
    assert_eq!((seen.locked, seen.approvals), (lock, Gio::ZERO));
    let tx = hub.transfer(wallet, miner, gio("1")).await.unwrap();
    assert_eq!(
        tx.find(|event| match event {
            WalletEvent::PaymentApproved { lock, .. } => Some(*lock),
            _ => None,
        }),
        Some(gio("0.3"))
    );
}

#[tokio::test]
async fn a_silent_buyer_pays_after_the_window() {
    let market = Market::start().await;
    let terms = market.deal(1, Some(Cu(20_000_000_000))).await;
    let early = market.miner.chain.settle(&terms).await.unwrap_err();
    assert!(matches!(
        early.revert(),
        Some(RevertReason::WindowOpen { .. })
    ));
    market.pass_time(terms.window).await;
    let tx = market.miner.chain.settle(&terms).await.unwrap();
    let royalty = gio("1");
    assert_eq!(
        said(&tx),
        [WalletEvent::DealSettled {
            deal: terms.deal_id(CHAIN_ID),
            buyer: terms.buyer,
            payment: terms.cap,
            royalty,
            refund: Gio::ZERO,
            confirmed: false,
        }]
    );
    assert_eq!(market.balances(&[market.miner.address()]).await, [royalty]);
}

#[tokio::test]
async fn a_silent_hub_gives_everything_back() {
    let market = Market::start().await;
    let terms = market.deal(1, None).await;
    let early = market.buyer.chain.refund(&terms).await.unwrap_err();
    assert!(matches!(
        early.revert(),
        Some(RevertReason::DeliverByNotPassed { .. })
    ));
    market.pass_time(3601).await;
    let tx = market.miner.chain.refund(&terms).await.unwrap();
    let deal = terms.deal_id(CHAIN_ID);
    assert_eq!(
        said(&tx),
        [WalletEvent::DealRefunded {
            deal,
            buyer: terms.buyer,
            refund: terms.cap
        }]
    );
    assert_eq!(market.balances(&[terms.buyer]).await, [gio("100")]);
    assert_eq!(
        market
            .hub
            .chain
            .deal(market.wallet, deal)
            .await
            .unwrap()
            .stage,
        DealStage::Refunded
    );
}

#[tokio::test]
async fn anyone_may_bring_a_confirmation_or_a_cancellation() {
    let market = Market::start().await;
    let domain = Domain::new(CHAIN_ID, market.wallet);
    let terms = market.deal(1, Some(Cu(1_000_000_000))).await;
    let id = terms.deal_id(CHAIN_ID);
    let root = market
        .hub
        .chain
        .deal(market.wallet, id)
        .await
        .unwrap()
        .result_root
        .unwrap();
    let (signature, _) = market.sign_digest(confirmation_digest(&domain, id.0, root));
    market
        .miner
        .chain
        .confirm(&terms, root, &signature)
        .await
        .unwrap();

    let terms = market.deal(2, None).await;
    let (id, payment) = (terms.deal_id(CHAIN_ID), gio("4"));
    let (buyer, hub) = market.sign_digest(cancellation_digest(&domain, id.0, payment));
    let tx = market
        .miner
        .chain
        .cancel(&terms, payment, &buyer, &hub)
        .await
        .unwrap();
    assert_eq!(
        said(&tx),
        [WalletEvent::DealCancelled {
            deal: id,
            buyer: terms.buyer,
            payment,
            royalty: gio("0.4"),
            refund: gio("6"),
        }]
    );
}
