//! What to do next with a deal, from what is on disk and what the chain says.
//!
//! The whole of resuming is here: a buyer that was killed anywhere asks again and gets the right answer, because
//! the chain decides what happened and the disk only says what was already done about it.
//!
//! # Correctness
//! [`Action::Open`] is given only while the chain does not know the deal. A digest opens once, ever (R1), so
//! even a transaction still on its way from before the kill cannot make it two.

use gio_protocol::{DealStage, DealTerms, UnixSeconds};
use serde::{Deserialize, Serialize};

/// How far the buyer itself is with a deal. Written to disk before the next thing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Both signatures are held; nothing was sent.
    Signed,
    /// The opening transaction may be on its way.
    Opening,
    /// The cap is in escrow.
    Open,
    /// The hub posted a result that is not fetched yet.
    Posted,
    /// The result is here, checked and written out.
    Fetched,
    /// The buyer has said that it may be settled.
    Confirmed,
    /// Nothing is left to do.
    Ended,
}

/// How a deal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Paid as R2 says.
    Settled,
    /// The whole cap came back.
    Refunded,
    /// Ended by both signatures.
    Cancelled,
    /// The posted bill was shown to be false: cap and guarantee came back.
    Refuted,
    /// Never opened; nothing was locked.
    Expired,
}

impl End {
    /// The word users read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Refunded => "refunded",
            Self::Cancelled => "cancelled",
            Self::Refuted => "refuted",
            Self::Expired => "expired",
        }
    }
}

/// What the chain says of a deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainView {
    /// The deal's state in the wallet.
    pub stage: DealStage,
    /// First second at which anyone may settle, once a result is posted.
    pub window_end: Option<UnixSeconds>,
    /// Time of the last block.
    pub block_time: UnixSeconds,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the opening transaction.
    Open,
    /// The deal is open: tell the hub and go on.
    NoteOpen,
    /// Wait for the hub's result.
    Follow,
    /// Nothing was delivered in time: take the cap back (F5).
    Refund,
    /// Fetch the result, check it, write it out.
    Collect,
    /// Say that it may be settled.
    Confirm,
    /// Wait until the confirmed deal is settled, or settle it.
    AwaitSettlement,
    /// The window is over: settle without the hub.
    Settle,
    /// It is over.
    End(End),
}

/// Decides. `local` is the local clock: an idle chain has no new blocks, so a deadline may have passed although no
/// block says so; the contract compares with the block of the transaction and refuses what is too early.
#[must_use]
pub fn next(step: Step, view: &ChainView, terms: &DealTerms, local: UnixSeconds) -> Action {
    let now = view.block_time.max(local);
    match view.stage {
        DealStage::None if view.block_time > terms.open_by => Action::End(End::Expired),
        DealStage::None => Action::Open,
        DealStage::Open if step < Step::Open => Action::NoteOpen,
        DealStage::Open if now > terms.deliver_by => Action::Refund,
        DealStage::Open => Action::Follow,
        DealStage::Posted | DealStage::Settled if step < Step::Fetched => Action::Collect,
        DealStage::Posted => posted(step, view, now),
        DealStage::Settled => Action::End(End::Settled),
        DealStage::Refunded => Action::End(End::Refunded),
        DealStage::Cancelled => Action::End(End::Cancelled),
        DealStage::Refuted => Action::End(End::Refuted),
    }
}

fn posted(step: Step, view: &ChainView, now: UnixSeconds) -> Action {
    let is_over = view.window_end.is_some_and(|end| now >= end);
    match step {
        _ if is_over => Action::Settle,
        Step::Fetched => Action::Confirm,
        _ => Action::AwaitSettlement,
    }
}

#[cfg(test)]
mod tests {
    use super::super::quote::tests::quote;
    use super::super::terms::tests::{SIGNING, limits};
    use super::super::work::tests::work;
    use super::*;

    const STEPS: [Step; 7] = [
        Step::Signed,
        Step::Opening,
        Step::Open,
        Step::Posted,
        Step::Fetched,
        Step::Confirmed,
        Step::Ended,
    ];

    /// Open by 1,300, deliver by 1,600.
    fn terms() -> DealTerms {
        super::super::terms::draw_up(&work(1), &quote(), &limits(), &SIGNING).unwrap()
    }

    fn at(step: Step, stage: DealStage, block_time: u64) -> Action {
        let window_end = matches!(stage, DealStage::Posted).then_some(UnixSeconds(2_000));
        let view = ChainView {
            stage,
            window_end,
            block_time: UnixSeconds(block_time),
        };
        next(step, &view, &terms(), UnixSeconds(0))
    }

    #[test]
    fn a_killed_buyer_opens_only_what_the_chain_does_not_know() {
        for step in STEPS {
            for stage in [
                DealStage::Open,
                DealStage::Posted,
                DealStage::Settled,
                DealStage::Refunded,
                DealStage::Cancelled,
                DealStage::Refuted,
            ] {
                for time in [1_000, 1_601, 2_001] {
                    assert_ne!(
                        at(step, stage, time),
                        Action::Open,
                        "{step:?} {stage:?} {time}"
                    );
                }
            }
        }
        assert_eq!(at(Step::Signed, DealStage::None, 1_300), Action::Open);
        assert_eq!(at(Step::Opening, DealStage::None, 1_300), Action::Open);
        let expired = Action::End(End::Expired);
        assert_eq!(at(Step::Opening, DealStage::None, 1_301), expired);
    }

    #[test]
    fn a_local_clock_that_is_ahead_does_not_give_up_a_deal_that_may_still_open() {
        let view = ChainView {
            stage: DealStage::None,
            window_end: None,
            block_time: UnixSeconds(1_000),
        };
        let action = next(Step::Opening, &view, &terms(), UnixSeconds(9_999));
        assert_eq!(
            action,
            Action::Open,
            "the contract says whether it is too late"
        );
    }

    #[test]
    fn an_open_deal_is_noted_once_then_followed_until_it_is_due() {
        assert_eq!(at(Step::Signed, DealStage::Open, 1_000), Action::NoteOpen);
        assert_eq!(at(Step::Opening, DealStage::Open, 1_000), Action::NoteOpen);
        assert_eq!(at(Step::Open, DealStage::Open, 1_600), Action::Follow);
        assert_eq!(at(Step::Open, DealStage::Open, 1_601), Action::Refund);
    }

    #[test]
    fn f5_on_an_idle_chain_the_local_clock_makes_the_attempt() {
        let view = ChainView {
            stage: DealStage::Open,
            window_end: None,
            block_time: UnixSeconds(1_000),
        };
        let action = next(Step::Open, &view, &terms(), UnixSeconds(1_601));
        assert_eq!(action, Action::Refund);
    }

    #[test]
    fn a_posted_result_is_fetched_before_anything_is_confirmed() {
        for step in [Step::Signed, Step::Opening, Step::Open, Step::Posted] {
            for time in [1_000, 2_001] {
                assert_eq!(at(step, DealStage::Posted, time), Action::Collect);
            }
        }
        assert_eq!(at(Step::Fetched, DealStage::Posted, 1_999), Action::Confirm);
        assert_eq!(at(Step::Fetched, DealStage::Posted, 2_000), Action::Settle);
        let wait = at(Step::Confirmed, DealStage::Posted, 1_999);
        assert_eq!(wait, Action::AwaitSettlement);
        assert_eq!(
            at(Step::Confirmed, DealStage::Posted, 2_000),
            Action::Settle
        );
    }

    #[test]
    fn what_was_paid_for_is_fetched_even_after_the_settlement() {
        assert_eq!(at(Step::Open, DealStage::Settled, 2_001), Action::Collect);
        let settled = Action::End(End::Settled);
        assert_eq!(at(Step::Fetched, DealStage::Settled, 2_001), settled);
        for (stage, end) in [
            (DealStage::Refunded, End::Refunded),
            (DealStage::Cancelled, End::Cancelled),
            (DealStage::Refuted, End::Refuted),
        ] {
            for step in STEPS {
                assert_eq!(at(step, stage, 2_001), Action::End(end));
            }
        }
    }
}
