//! What we compute and what the contracts compute is the same.

use gio_evm::{FalseBill, RevertReason, SumStep, WalletEvent};
use gio_protocol::tree::result::leaf;
use gio_protocol::{
    Address, B256, Claim, Cu, DealTerms, Gio, JobTree, PricePerPu, ResultTree, Status, SumNode,
    UnitKind, UnitLeaf, UnixSeconds, VerificationMode, keccak256,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::market::{CHAIN_ID, Market, said};

fn any_terms(wallet: Address) -> impl Strategy<Value = DealTerms> {
    let words = any::<[[u8; 32]; 6]>();
    let accounts = any::<[[u8; 20]; 3]>();
    let amounts = any::<[u64; 3]>();
    let times = any::<[u64; 4]>();
    let small = (any::<u32>(), 0..4u8, any::<u32>(), any::<u16>());
    (words, accounts, amounts, times, small).prop_map(move |(w, a, m, t, s)| DealTerms {
        buyer: a[0].into(),
        wallet,
        buyer_nonce: w[0].into(),
        hub_nonce: w[1].into(),
        seed_commitment: w[2].into(),
        job_root: w[3].into(),
        unit_count: s.0,
        mode: VerificationMode::try_from(s.1).unwrap(),
        mode_params: w[4].into(),
        machine_version: s.2,
        machine_params: w[5].into(),
        price_per_pu: PricePerPu(Gio::from_units(m[0])),
        cap: Gio::from_units(m[1]),
        guarantee: Gio::from_units(m[2]),
        royalty_to: a[1].into(),
        royalty_per_mille: s.3,
        court: a[2].into(),
        clock_start: UnixSeconds(t[0]),
        open_by: UnixSeconds(t[1]),
        deliver_by: UnixSeconds(t[2]),
        window: t[3],
    })
}

#[tokio::test]
async fn r01_the_deal_id_is_the_contracts_own() {
    let market = Market::start_unregistered().await;
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[1; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), seed);
    let strategy = any_terms(market.wallet);
    for _ in 0..50 {
        let terms = strategy.new_tree(&mut runner).unwrap().current();
        let on_chain = market.hub.chain.deal_id_on_chain(&terms).await.unwrap();
        assert_eq!(on_chain, terms.deal_id(CHAIN_ID), "{terms:?}");
    }
}

fn unit(index: u32) -> UnitLeaf {
    UnitLeaf {
        index,
        kind: UnitKind::Wasm,
        program_root: keccak256("program"),
        input_root: keccak256("input"),
        input_length: 17,
        cu_limit: Cu(1_000),
        pages_max: 16,
        output_max: 4_096,
        unit_seed: B256::repeat_byte(3),
    }
}

fn claim(terms: &DealTerms, unit: u32, cu: u64) -> Claim {
    Claim {
        deal_id: terms.deal_id(CHAIN_ID),
        unit,
        owner: Address::repeat_byte(5),
        program_root: keccak256("program"),
        input_root: keccak256("input"),
        status: Status::Exit,
        exit_code: 3,
        cu: Cu(cu),
        output_root: keccak256("output"),
        output_length: 12,
        content_root: keccak256("content"),
    }
}

/// An open deal of the two units above, with its job tree.
async fn two_units(market: &Market, nonce: u8) -> (DealTerms, JobTree) {
    let tree = JobTree::new(&[unit(0).hash(), unit(1).hash()]);
    let terms = DealTerms {
        job_root: tree.root(),
        ..market.terms(nonce).await
    };
    let (buyer, hub) = market.sign(&terms);
    let permit = Some(market.permit(terms.cap).await);
    market
        .hub
        .chain
        .open(&terms, &buyer, &hub, permit)
        .await
        .unwrap();
    (terms, tree)
}

#[tokio::test]
async fn r02_a_bill_above_the_limit_is_refuted() {
    let market = Market::start().await;
    let (terms, job) = two_units(&market, 1).await;
    let claims = [claim(&terms, 0, 900), claim(&terms, 1, 1_001)];
    let leaves: Vec<_> = claims
        .iter()
        .map(|claim| Some((claim.struct_hash(), claim.cu)))
        .collect();
    let tree = ResultTree::new(&leaves).unwrap();
    let hub = &market.hub.chain;
    hub.post_result(&terms, tree.top().hash, tree.top().sum, B256::ZERO)
        .await
        .unwrap();
    assert_eq!(
        hub.deal(market.wallet, terms.deal_id(CHAIN_ID))
            .await
            .unwrap()
            .result_root,
        Some(tree.root())
    );

    let bill = |index: u32| FalseBill {
        unit: unit(index),
        job_proof: job.proof(index).unwrap(),
        claim: claims[index as usize].clone(),
        billed: claims[index as usize].cu,
        result_proof: tree.proof(index).unwrap(),
    };
    let chain = &market.miner.chain;
    let right = chain.refute_bill(&terms, &bill(0)).await.unwrap_err();
    assert_eq!(right.revert(), Some(&RevertReason::NothingRefuted));
    let wrong_unit = FalseBill {
        unit: unit(0),
        ..bill(1)
    };
    let error = chain.refute_bill(&terms, &wrong_unit).await.unwrap_err();
    assert_eq!(
        error.revert(),
        Some(&RevertReason::JobProofInvalid { unit: 0 })
    );
    let tx = chain.refute_bill(&terms, &bill(1)).await.unwrap();
    assert_eq!(
        said(&tx),
        [WalletEvent::DealRefuted {
            deal: terms.deal_id(CHAIN_ID),
            buyer: terms.buyer,
            by: market.miner.address(),
            refund: terms.cap,
            guarantee: terms.guarantee,
            compensation: Gio::from_units(terms.guarantee.units() * 70 / 100),
        }]
    );
}

#[tokio::test]
async fn r02_a_root_whose_sums_do_not_add_up_is_refuted() {
    let market = Market::start().await;
    let (terms, _) = two_units(&market, 1).await;
    let node = |index, cu| {
        leaf(
            index,
            Some((claim(&terms, index, cu).struct_hash(), Cu(cu))),
        )
    };
    let (left, right) = (node(0, 10), node(1, 20));
    // The hash is of 10 and 20, the total says 31.
    let honest = ResultTree::new(&[
        Some((claim(&terms, 0, 10).struct_hash(), Cu(10))),
        Some((claim(&terms, 1, 20).struct_hash(), Cu(20))),
    ])
    .unwrap();
    market
        .hub
        .chain
        .post_result(&terms, honest.top().hash, Cu(31), B256::ZERO)
        .await
        .unwrap();
    let chain = &market.miner.chain;
    let swapped = SumStep {
        left: right,
        right: left,
        go_right: false,
    };
    let error = chain.refute_sum(&terms, &[swapped]).await.unwrap_err();
    assert!(
        matches!(error.revert(), Some(RevertReason::PathBroken { .. })),
        "{error}"
    );
    let shown = SumStep {
        left,
        right,
        go_right: false,
    };
    let tx = chain.refute_sum(&terms, &[shown]).await.unwrap();
    assert!(matches!(said(&tx)[..], [WalletEvent::DealRefuted { .. }]));
    assert_eq!(SumNode::default().sum, Cu(0));
}
