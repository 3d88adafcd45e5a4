//! The audit against a busy history: after every step the books rebuilt from events are the chain's, and a wallet whose
//! events were tampered with is not.

use std::collections::BTreeMap;

use alloy::providers::ext::AnvilApi as _;
use gio_evm::{
    Action, Audit, Chain, Difference, LeafFile, PayoutTree, SendError, SumStep, Support,
};
use gio_protocol::{
    Address, B256, Cu, DealTerms, Domain, Gio, SumNode, U256, cancellation_digest, keccak256,
};

use crate::market::{Actor, Market, gio, record};

const DAY: u64 = 24 * 3600;

/// Everything that happens, with what must be remembered for it.
struct History {
    market: Market,
    leaves: BTreeMap<B256, PayoutTree>,
    posted: Vec<(u32, PayoutTree)>,
    open: Vec<DealTerms>,
    nonce: u8,
    random: u64,
}

impl History {
    async fn start() -> Self {
        let market = Market::start().await;
        let voter = &market.treasury;
        voter.chain.delegate_votes(voter.address()).await.unwrap();
        for account in [market.buyer.address(), market.wallet] {
            voter.chain.send_gio(account, gio("1000")).await.unwrap();
        }
        Self {
            market,
            leaves: BTreeMap::new(),
            posted: Vec::new(),
            open: Vec::new(),
            nonce: 0,
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    fn hub(&self) -> &Chain {
        &self.market.hub.chain
    }

    /// A number below `limit`, the same in every run.
    fn dice(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }

    async fn audit(&self) -> Audit {
        let wallet = self.market.wallet;
        self.hub().audit(wallet, &self.leaves, None).await.unwrap()
    }

    /// One random step of everyday life; what the wallet refuses is a step as well.
    async fn step(&mut self) -> &'static str {
        match self.dice(10) {
            9 => self.refute().await,
            0 | 1 => self.open_deal().await,
            2 => self.end_deal().await,
            3 => self.pay().await,
            4 => self.pull().await,
            5 => self.payout().await,
            6 => self.claim().await,
            7 => self.give().await,
            _ => self.reconcile().await,
        }
    }

    async fn open_deal(&mut self) -> &'static str {
        self.nonce += 1;
        let posted = (self.dice(3) > 0).then_some(Cu(3_456_789_012));
        let terms = self.market.deal(self.nonce, posted).await;
        self.open.push(terms);
        "a deal opens"
    }

    async fn end_deal(&mut self) -> &'static str {
        let Some(terms) = self.open.pop() else {
            return "no deal";
        };
        let id = terms.deal_id(crate::market::CHAIN_ID);
        let stored = self.hub().deal(self.market.wallet, id).await.unwrap();
        let dice = self.dice(3);
        let buyer = &self.market.buyer.chain;
        match (stored.result_root, dice) {
            (Some(root), 0) => {
                buyer.confirm(&terms, root, &[]).await.unwrap();
                "a deal is confirmed"
            }
            (Some(_), 1) => {
                let (ours, theirs) = self.cancellation(&terms, gio("1.5"));
                let hub = self.hub();
                hub.cancel(&terms, gio("1.5"), &ours, &theirs)
                    .await
                    .unwrap();
                "a deal is cancelled"
            }
            _ => {
                self.hub().give_back(&terms).await.unwrap();
                "a deal is given back"
            }
        }
    }

    fn cancellation(&self, terms: &DealTerms, payment: Gio) -> (Vec<u8>, Vec<u8>) {
        let chain_id = crate::market::CHAIN_ID;
        let id = terms.deal_id(chain_id);
        let domain = Domain::new(chain_id, terms.wallet);
        let digest = cancellation_digest(&domain, id.0, payment);
        self.market.sign_digest(digest)
    }

    /// A bill that does not add up: the tree's top says 30 CU, the total 31.
    async fn refute(&mut self) -> &'static str {
        self.nonce += 1;
        let terms = self.market.deal(self.nonce, None).await;
        let leaf = |byte, sum| SumNode {
            hash: B256::repeat_byte(byte),
            sum: Cu(sum),
        };
        let (left, right) = (leaf(1, 10), leaf(2, 20));
        let words = [
            &left.hash[..],
            &left.sum.0.to_be_bytes(),
            &right.hash[..],
            &right.sum.0.to_be_bytes(),
        ];
        let top = keccak256([&[1], &words.concat()[..]].concat());
        let hub = self.hub();
        hub.post_result(&terms, top, Cu(31), B256::ZERO)
            .await
            .unwrap();
        let step = SumStep {
            left,
            right,
            go_right: false,
        };
        self.market
            .miner
            .chain
            .refute_sum(&terms, &[step])
            .await
            .unwrap();
        "a bill is refuted"
    }

    /// What anybody may do once the deadlines are over, whatever the DAO does.
    async fn end_late(&mut self) {
        let Some(terms) = self.open.pop() else {
            return;
        };
        let id = terms.deal_id(crate::market::CHAIN_ID);
        let stored = self.hub().deal(self.market.wallet, id).await.unwrap();
        let anybody = &self.market.miner.chain;
        match stored.result_root {
            Some(_) => anybody.settle(&terms).await.unwrap(),
            None => anybody.refund(&terms).await.unwrap(),
        };
    }

    async fn pay(&mut self) -> &'static str {
        let amount = Gio::from_units(1 + self.dice(300_000_000));
        let miner = self.market.miner.address();
        let wallet = self.market.wallet;
        taken(self.hub().transfer(wallet, miner, amount).await);
        "a miner is paid"
    }

    async fn pull(&mut self) -> &'static str {
        let (wallet, miner) = (self.market.wallet, &self.market.miner);
        let all = miner
            .chain
            .allowance(wallet, miner.address())
            .await
            .unwrap();
        let amount = Gio::from_units(all.units() / 2);
        if amount != Gio::ZERO {
            miner.chain.pull(wallet, amount).await.unwrap();
        }
        "a miner pulls"
    }

    async fn payout(&mut self) -> &'static str {
        let count = 1 + self.dice(5);
        let mut nets = Vec::new();
        for _ in 0..count {
            let miner = Address::from_word(keccak256(self.dice(4).to_be_bytes()));
            nets.push((miner, Gio::from_units(1 + self.dice(50_000_000))));
        }
        let tree = PayoutTree::new(nets).unwrap();
        let wallet = self.market.wallet;
        let root = keccak256(
            LeafFile {
                wallet,
                tree: tree.clone(),
            }
            .encode(),
        );
        let epoch = u32::try_from(self.posted.len()).unwrap();
        let sent = self
            .hub()
            .post_payout(wallet, tree.top(), tree.count(), root);
        if taken(sent.await) {
            self.leaves.insert(root, tree.clone());
            self.posted.push((epoch, tree));
        }
        "a payout is posted"
    }

    async fn claim(&mut self) -> &'static str {
        if self.posted.is_empty() {
            return "no payout";
        }
        let at = usize::try_from(self.dice(self.posted.len() as u64)).unwrap();
        let (epoch, tree) = self.posted[at].clone();
        let index = u32::try_from(self.dice(tree.count().into())).unwrap();
        let claim = tree.claim(epoch, index).unwrap();
        let wallet = self.market.wallet;
        taken(self.market.miner.chain.claim_payout(wallet, &claim).await);
        "a payout is claimed"
    }

    async fn give(&mut self) -> &'static str {
        let amount = Gio::from_units(1 + self.dice(500_000_000));
        let wallet = self.market.wallet;
        self.market
            .treasury
            .chain
            .send_gio(wallet, amount)
            .await
            .unwrap();
        "somebody gives money"
    }

    async fn reconcile(&mut self) -> &'static str {
        let miner = self.market.miner.address();
        self.hub()
            .reconcile(self.market.wallet, &[miner])
            .await
            .unwrap();
        "the wallet looks at pulls"
    }

    async fn pass(&self, seconds: u64) {
        self.market.pass_time(seconds).await;
        self.market.node().evm_mine(None).await.unwrap();
    }

    /// A vote from proposal to execution.
    async fn decide(&self, proposal: U256) {
        let Actor { chain, .. } = &self.market.treasury;
        let rules = chain.voting_rules().await.unwrap();
        self.pass(rules.delay + 1).await;
        chain.vote(proposal, Support::For, "").await.unwrap();
        self.pass(rules.period + 1).await;
        chain.queue(proposal).await.unwrap();
        self.pass(rules.timelock + 1).await;
        chain.execute(proposal).await.unwrap();
    }

    async fn suspect(&self) {
        let Actor { chain, .. } = &self.market.treasury;
        let bond = chain.case_bond(self.market.wallet).await.unwrap();
        let evidence = keccak256("evidence");
        let opened = chain.accuse(self.market.wallet, evidence, "https://e.example/1", bond);
        let (case, _) = opened.await.unwrap();
        self.decide(chain.case(case).await.unwrap().proposal).await;
        chain.decide(case).await.unwrap();
    }

    async fn propose(&self, action: Action, text: &str) {
        let chain = &self.market.treasury.chain;
        let (proposal, _) = chain.propose(&[action], text).await.unwrap();
        self.decide(proposal).await;
    }

    async fn agrees(&self, step: &str) -> Audit {
        let audit = self.audit().await;
        assert_eq!(audit.differences, Vec::new(), "after: {step}");
        audit
    }
}

/// Whether it was taken; a refusal by the wallet's rules is part of the history, anything else is not.
fn taken(result: Result<gio_evm::TxInfo, SendError>) -> bool {
    match result {
        Ok(_) => true,
        Err(error) => {
            assert!(error.revert().is_some(), "{error}");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hw_26_the_books_from_events_are_the_chains_after_every_step() {
    let mut history = History::start().await;
    let mut steps = BTreeMap::new();
    for _ in 0..60 {
        let step = history.step().await;
        *steps.entry(step).or_insert(0) += 1;
        history.agrees(step).await;
    }
    assert!(steps.len() >= 9, "{steps:?}");

    history.open_deal().await;
    history.suspect().await;
    history.agrees("suspicion").await;
    history.end_late().await;
    history.agrees("a deal ends while suspected").await;
    let wallet = history.market.wallet;
    history.propose(Action::rehab(wallet), "rehab").await;
    history.agrees("rehabilitation").await;
    history.claim().await;
    history.agrees("a claim while idle").await;
    history.hub().withdraw(wallet).await.unwrap();
    history.agrees("withdrawal").await;

    history.give().await;
    history.hub().register(wallet, record()).await.unwrap();
    while !history.open.is_empty() {
        history.end_late().await;
    }
    history.pay().await;
    history.pass(31 * DAY).await;
    history.hub().payday(wallet).await.unwrap();
    history.agrees("payday").await;

    history.hub().register(wallet, record()).await.unwrap();
    history.pay().await;
    history.payout().await;
    history.suspect().await;
    history.pass(121 * DAY).await;
    history.propose(Action::ban(wallet), "ban").await;
    let audit = history.agrees("ban").await;
    assert!(audit.books.expropriated > Gio::ZERO);
    history.give().await;
    history.claim().await;
    history.agrees("a claim after the ban").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r09_unclaimed_payouts_are_only_known_from_the_right_leaf_file() {
    let mut history = History::start().await;
    history.payout().await;
    history.agrees("a payout").await;
    let right = std::mem::take(&mut history.leaves);
    let [missing] = &history.audit().await.differences[..] else {
        panic!("one difference");
    };
    assert!(
        matches!(missing, Difference::LeavesMissing { epoch: 0, .. }),
        "{missing}"
    );
    let (root, tree) = right.into_iter().next().unwrap();
    let mut nets = tree.leaves().to_vec();
    nets[0].0 = Address::repeat_byte(9);
    history.leaves.insert(root, PayoutTree::new(nets).unwrap());
    let [wrong] = &history.audit().await.differences[..] else {
        panic!("one difference");
    };
    assert!(
        matches!(wrong, Difference::LeavesWrong { epoch: 0, .. }),
        "{wrong}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_that_begins_too_late_says_what_is_missing() {
    let mut history = History::start().await;
    history.pay().await;
    let head = history.hub().head().await.unwrap().number;
    let late = history
        .hub()
        .audit(history.market.wallet, &history.leaves, Some(head));
    let late = late.await.unwrap();
    let told: Vec<String> = late.differences.iter().map(ToString::to_string).collect();
    for what in ["state", "balance", "stake"] {
        assert!(
            told.iter().any(|line| line.starts_with(what)),
            "{what}: {told:?}"
        );
    }
}
