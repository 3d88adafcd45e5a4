//! The receipt: what a job cost, who was paid, and what was proven, without claiming more than is true.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use gio_protocol::{Address, B256, ClaimsFile, Cu, DealId, Gio, Status, bill};
use serde::Serialize;

use crate::decimal::{gio_text, pu_text, units_text as count_text};
use crate::domain::next::{End, Step};
use crate::job::{Dealt, Job, JobId, Moment, Payout, Settlement};

/// The receipt of a job that a hub signed. Amounts are decimal texts, so that no reader rounds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Receipt {
    pub job: JobId,
    pub name: String,
    pub state: &'static str,
    pub deal_id: DealId,
    pub chain_id: u64,
    pub hub: HubLine,
    pub units: UnitCounts,
    pub pu: String,
    pub price_per_pu_gio: String,
    pub cap_gio: String,
    /// What the deal cost, or will cost when it settles; absent if nothing is to be paid.
    pub cost_gio: Option<String>,
    pub royalty_gio: String,
    pub refund_gio: Option<String>,
    /// Whether cost and refund are what the chain paid out.
    pub is_settled: bool,
    pub miners: Vec<MinerLine>,
    pub miners_chosen_by: &'static str,
    pub verification: Verification,
    pub transactions: TransactionLines,
    pub out: PathBuf,
    pub timings_ms: BTreeMap<Moment, u64>,
    pub next: Vec<String>,
}

/// The hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct HubLine {
    pub name: String,
    pub owner: Address,
    pub wallet: Address,
}

/// How the units ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct UnitCounts {
    pub total: u32,
    pub delivered: u32,
    /// Delivered, and ended by a trap, out of CU, or with an exit code other than 0.
    pub failed: u32,
}

/// One miner's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MinerLine {
    /// Whose claims.
    pub address: Address,
    /// How many.
    pub units: u32,
    /// What they billed.
    pub pu: String,
    /// What the miner got of it; absent until the hub has paid.
    pub net_gio: Option<String>,
    /// The paying transaction.
    pub tx: Option<B256>,
    /// Whether the wallet's own event says so, not only the hub.
    pub on_chain: bool,
}

/// What was proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Verification {
    pub mode: &'static str,
    pub proven: &'static str,
    pub not_proven: &'static str,
}

/// Transactions of the deal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TransactionLines {
    pub opened: Option<B256>,
    pub posted: Option<B256>,
    pub ended: Option<B256>,
}

/// Columns of a receipt: what a terminal shows and a mail keeps.
const LINE_MAX: usize = 100;

/// Mode none, in plain words.
const MODE_NONE: Verification = Verification {
    mode: "none",
    proven: "every output byte and the bill are what the miners signed and the hub posted on chain, \
             for this program, these inputs and these limits",
    not_proven: "that the miners computed honestly: claims are metered and signed by the miners and cannot be \
                 disputed on chain in this mode; run units again yourself to compare",
};

/// Draws up the receipt of a deal; `claims` are the checked ones, if there are any.
#[must_use]
pub fn receipt(job: &Job, dealt: &Dealt, claims: Option<&ClaimsFile>) -> Receipt {
    let terms = &dealt.deal.terms;
    let cu = dealt.collected.as_ref().map_or(Cu(0), |c| c.cu_total);
    let settlement = dealt
        .settlement
        .or_else(|| settlement_by_rule(dealt, End::Settled));
    Receipt {
        job: job.id.clone(),
        name: job.order.spec.name.clone(),
        state: job.state_name(),
        deal_id: dealt.deal.id,
        chain_id: dealt.deal.chain_id,
        hub: HubLine {
            name: dealt.deal.hub.name.clone(),
            owner: dealt.deal.hub.owner,
            wallet: dealt.deal.hub.wallet,
        },
        units: counts(terms.unit_count, claims),
        pu: pu_text(cu),
        price_per_pu_gio: gio_text(terms.price_per_pu.0),
        cap_gio: gio_text(terms.cap),
        cost_gio: settlement.map(|s| gio_text(s.payment)),
        royalty_gio: gio_text(settlement.map_or(Gio::ZERO, |s| s.royalty)),
        refund_gio: settlement.map(|s| gio_text(s.refund)),
        is_settled: dealt.settlement.is_some(),
        miners: miners(dealt, claims),
        miners_chosen_by: "hub",
        verification: MODE_NONE,
        transactions: TransactionLines {
            opened: dealt.transactions.opened,
            posted: dealt.transactions.posted,
            ended: dealt.settlement.and_then(|s| s.tx),
        },
        out: job.out.clone(),
        timings_ms: job.timings_ms(),
        next: next_commands(job, dealt, counts(terms.unit_count, claims)),
    }
}

/// What the rules make of a deal that ends so (R2): the wallet can pay nothing else.
#[must_use]
pub fn settlement_by_rule(dealt: &Dealt, end: End) -> Option<Settlement> {
    let terms = &dealt.deal.terms;
    let payment = match end {
        End::Settled => {
            let collected = dealt.collected.as_ref()?;
            bill(terms.cap, collected.cu_total, terms.price_per_pu)
        }
        End::Refunded => Gio::ZERO,
        // What both sides agreed on, and the guarantee, stand in the events alone.
        End::Cancelled | End::Refuted | End::Expired => return None,
    };
    Some(Settlement {
        payment,
        royalty: Gio::ZERO,
        refund: terms.cap.minus_or_zero(payment),
        tx: None,
    })
}

/// How the units ended.
#[must_use]
pub fn counts(total: u32, claims: Option<&ClaimsFile>) -> UnitCounts {
    let mut counts = UnitCounts {
        total,
        ..UnitCounts::default()
    };
    for signed in claims.iter().flat_map(|file| file.claims.iter().flatten()) {
        counts.delivered += 1;
        if signed.claim.status != Status::Exit || signed.claim.exit_code != 0 {
            counts.failed += 1;
        }
    }
    counts
}

/// Every owner of a claim with what it billed and got, the largest bill first.
fn miners(dealt: &Dealt, claims: Option<&ClaimsFile>) -> Vec<MinerLine> {
    let mut work: BTreeMap<Address, (u32, u64)> = BTreeMap::new();
    for signed in claims.iter().flat_map(|file| file.claims.iter().flatten()) {
        let (units, cu) = work.entry(signed.claim.owner).or_default();
        *units += 1;
        *cu = cu.saturating_add(signed.claim.cu.0);
    }
    let mut sorted: Vec<_> = work.into_iter().collect();
    sorted.sort_by_key(|(_, (_, cu))| std::cmp::Reverse(*cu));
    let line = |(address, (units, cu)): (Address, (u32, u64))| {
        // A hub may pay in several parts, to stay within what a miner trusts it with.
        let parts: Vec<_> = dealt
            .payouts
            .iter()
            .filter(|payout| payout.miner == address)
            .collect();
        let add = |sum: u64, payout: &&Payout| sum.saturating_add(payout.net.units());
        let net = Gio::from_units(parts.iter().fold(0, add));
        MinerLine {
            address,
            units,
            pu: pu_text(Cu(cu)),
            net_gio: (!parts.is_empty()).then(|| gio_text(net)),
            tx: parts.last().map(|payout| payout.tx),
            on_chain: !parts.is_empty() && parts.iter().all(|payout| payout.on_chain),
        }
    };
    sorted.into_iter().map(line).collect()
}

fn next_commands(job: &Job, dealt: &Dealt, units: UnitCounts) -> Vec<String> {
    let id = &job.id;
    if dealt.step != Step::Ended {
        return vec![format!("gio-buyer attach {id}")];
    }
    if dealt.collected.is_none() {
        return vec![format!("gio-buyer why {id}")];
    }
    let mut next = Vec::new();
    if units.failed > 0 || units.delivered < units.total {
        next.push(format!("gio-buyer why {id}"));
    }
    next.push(format!("gio-buyer check {id}"));
    next.push(format!("gio-buyer logs {id}"));
    next.push(format!("gio-buyer get {id} --out DIR"));
    next
}

/// The receipt as people read it; before the end it is a report of how far the job is.
#[must_use]
pub fn text(receipt: &Receipt, end: Option<End>) -> String {
    let title = if end.is_some() { "receipt" } else { "job" };
    let Receipt {
        job, name, state, ..
    } = receipt;
    let mut out = format!("{title} {job}  {name}  {state}\n");
    let mut line = |label: &str, value: &str| {
        let label = format!("  {label:<9}");
        let _ = writeln!(out, "{label}{}", wrapped(value, label.len()));
    };
    line("cost", &cost_text(receipt, end));
    line("deal", &receipt.deal_id.to_string());
    let ended = end.map_or("ended", End::name);
    for text in transaction_texts(&receipt.transactions, ended) {
        line("", &text);
    }
    line(
        "hub",
        &format!("{} {}", receipt.hub.name, receipt.hub.owner),
    );
    line(
        "units",
        &units_text(&receipt.units, receipt.miners.is_empty()),
    );
    if !receipt.miners.is_empty() {
        let count = receipt.miners.len();
        line(
            "miners",
            &format!("{count}, chosen by the {}", receipt.miners_chosen_by),
        );
        for miner in &receipt.miners {
            line("", &miner_text(miner));
        }
        line("proven", receipt.verification.proven);
        line("not", receipt.verification.not_proven);
        line("output", &receipt.out.display().to_string());
    }
    for (at, command) in receipt.next.iter().enumerate() {
        line(if at == 0 { "next" } else { "" }, command);
    }
    out
}

fn cost_text(receipt: &Receipt, end: Option<End>) -> String {
    let cap = &receipt.cap_gio;
    match (&receipt.cost_gio, &receipt.refund_gio, end) {
        (_, _, Some(End::Expired)) => "nothing: the deal was never opened".to_owned(),
        (_, _, Some(End::Refunded)) => {
            format!("nothing: the whole cap of {cap} GIO came back")
        }
        (Some(cost), Some(refund), _) => {
            let (pu, price) = (&receipt.pu, &receipt.price_per_pu_gio);
            let came = if receipt.is_settled {
                "came back"
            } else {
                "will come back"
            };
            format!(
                "{cost} GIO for {pu} PU at {price} GIO; {refund} GIO of the cap of {cap} GIO {came}"
            )
        }
        _ => format!("up to {cap} GIO, in escrow"),
    }
}

/// `opened 0x…`, `posted 0x…`, `settled 0x…` or however it ended, as far as it happened.
fn transaction_texts(
    transactions: &TransactionLines,
    ended: &'static str,
) -> impl Iterator<Item = String> {
    let named = [
        ("opened", transactions.opened),
        ("posted", transactions.posted),
        (ended, transactions.ended),
    ];
    named
        .into_iter()
        .filter_map(|(what, tx)| Some(format!("{what} {}", tx?)))
}

/// Breaks a sentence where it would leave the terminal; what cannot be broken, a path or a hash, stays whole.
fn wrapped(value: &str, indent: usize) -> String {
    let mut out = String::new();
    let mut column = indent;
    for (at, word) in value.split(' ').enumerate() {
        if at > 0 && column + 1 + word.len() > LINE_MAX {
            let _ = write!(out, "\n{:indent$}", "");
            column = indent;
        } else if at > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.len();
    }
    out
}

fn units_text(units: &UnitCounts, is_unknown: bool) -> String {
    let UnitCounts {
        total,
        delivered,
        failed,
    } = units;
    if is_unknown {
        return total.to_string();
    }
    let mut text = format!("{delivered} of {total} delivered");
    if *failed > 0 {
        let _ = write!(text, ", {failed} ended with an error (see units.json)");
    }
    if delivered < total {
        text.push_str("; what is missing is not billed");
    }
    text
}

fn miner_text(miner: &MinerLine) -> String {
    let MinerLine {
        address, units, pu, ..
    } = miner;
    let paid = match (&miner.net_gio, miner.tx) {
        (Some(net), Some(tx)) => {
            let word = if miner.on_chain {
                "paid"
            } else {
                "paid, says the hub,"
            };
            format!("{word} {net} GIO in {tx}")
        }
        _ => "not paid yet, as far as the hub says".to_owned(),
    };
    format!("{address}  {}, {pu} PU, {paid}", count_text(*units))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verify::tests::{good_file, miner};
    use crate::job::{JobState, Payout};
    use crate::job_store::tests::fetched_job;

    fn receipt_of(job: &Job) -> Receipt {
        receipt(job, job.dealt().unwrap(), Some(&good_file()))
    }

    fn changed(change: impl Fn(&mut Dealt)) -> Job {
        let mut job = fetched_job();
        change(job.dealt_mut().unwrap());
        job
    }

    #[test]
    fn r02_cost_and_refund_add_up_to_the_cap_before_and_after_settlement() {
        let dear = |dealt: &mut Dealt| {
            dealt.deal.terms.price_per_pu.0 = Gio::from_units(1_000_000_000);
        };
        let before = receipt_of(&changed(dear));
        // 303 CU at 10 GIO per PU: 303 base units of a cap of 1,000.
        assert_eq!(before.cost_gio.as_deref(), Some("0.00000303"));
        assert_eq!(before.refund_gio.as_deref(), Some("0.00000697"));
        assert!(!before.is_settled);
        let after = receipt_of(&changed(|dealt| {
            dear(dealt);
            dealt.step = Step::Ended;
            dealt.end = Some(End::Settled);
            dealt.settlement = Some(Settlement {
                payment: Gio::from_units(303),
                royalty: Gio::ZERO,
                refund: Gio::from_units(697),
                tx: Some(B256::repeat_byte(1)),
            });
        }));
        assert!(after.is_settled);
        assert_eq!(after.cost_gio, before.cost_gio);
        assert_eq!(after.state, "settled");
    }

    #[test]
    fn r02_the_rule_gives_what_the_wallet_pays() {
        let job = fetched_job();
        let dealt = job.dealt().unwrap();
        let by_rule = |end| settlement_by_rule(dealt, end).map(|s| (s.payment.units(), s.refund));
        // 303 CU at 100 base units per PU: nothing, rounded down.
        assert_eq!(by_rule(End::Settled), Some((0, Gio::from_units(1_000))));
        assert_eq!(by_rule(End::Refunded), Some((0, Gio::from_units(1_000))));
        assert_eq!(by_rule(End::Refuted), None);
    }

    #[test]
    fn every_owner_of_a_claim_is_listed_with_its_own_work_and_pay() {
        let one = miner(1).address();
        let job = changed(|dealt| {
            // In two parts.
            dealt.payouts = [(3, 2), (4, 3)]
                .map(|(net, tx)| Payout {
                    miner: one,
                    net: Gio::from_units(net),
                    gross: Gio::from_units(net + 1),
                    tx: B256::repeat_byte(tx),
                    on_chain: true,
                })
                .to_vec();
        });
        let receipt = receipt_of(&job);
        let [first, second] = receipt.miners.as_slice() else {
            panic!("{:?}", receipt.miners);
        };
        assert_eq!((first.address, first.units), (one, 2));
        assert_eq!(first.pu, pu_text(Cu(202)));
        assert_eq!(first.net_gio.as_deref(), Some("0.00000007"));
        assert_eq!(first.tx, Some(B256::repeat_byte(3)), "the last part");
        assert!(first.on_chain);
        assert_eq!((second.units, second.tx), (1, None));
        let text = text(&receipt, None);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("not paid yet"), "{text}");
        assert!(words.contains("cannot be disputed on chain"), "{text}");
    }

    #[test]
    fn a_refund_and_an_expired_deal_cost_nothing_and_promise_nothing() {
        for (end, words) in [
            (End::Refunded, "the whole cap of 0.00001 GIO came back"),
            (End::Expired, "never opened"),
        ] {
            let job = changed(|dealt| {
                dealt.step = Step::Ended;
                dealt.end = Some(end);
                dealt.collected = None;
            });
            assert!(matches!(job.state, JobState::Dealt(_)));
            let receipt = receipt(&job, job.dealt().unwrap(), None);
            assert_eq!(receipt.units.delivered, 0);
            let text = text(&receipt, Some(end));
            let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(joined.contains(words), "{text}");
            assert!(!text.contains("proven"), "{text}");
        }
    }

    #[test]
    fn long_sentences_are_broken_and_nothing_is_lost() {
        let receipt = receipt_of(&fetched_job());
        let text = text(&receipt, Some(End::Settled));
        let broken: Vec<_> = text.split_whitespace().collect();
        assert!(broken.join(" ").contains(MODE_NONE.not_proven));
        let long = |line: &&str| line.len() > LINE_MAX && !line.contains("0x");
        assert_eq!(text.lines().find(long), None, "{text}");
        assert!(text.starts_with("receipt"), "{text}");
    }

    #[test]
    fn a_job_on_its_way_is_no_receipt() {
        let job = changed(|dealt| {
            dealt.step = Step::Open;
            dealt.collected = None;
        });
        let text = text(&receipt(&job, job.dealt().unwrap(), None), None);
        assert!(text.starts_with("job j-"), "{text}");
        assert!(!text.contains("not billed"), "{text}");
    }

    #[test]
    fn units_that_failed_or_are_missing_are_said() {
        let mut file = good_file();
        file.claims[0].as_mut().unwrap().claim.exit_code = 3;
        file.claims[1] = None;
        let counts = counts(3, Some(&file));
        let expected = UnitCounts {
            total: 3,
            delivered: 2,
            failed: 1,
        };
        assert_eq!(counts, expected);
        let text = units_text(&counts, false);
        assert!(text.contains("1 ended with an error"), "{text}");
        assert!(text.contains("not billed"), "{text}");
    }
}
