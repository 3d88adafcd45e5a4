//! What the hub does next about a deal: a table from its stage and the time to one step.

use gio_protocol::{DealTerms, UnixSeconds};

use super::stage::Stage;

/// What is done by then is posted: a transaction may need this long to be mined.
pub const POST_SECONDS: u64 = 60;

/// A deal as far as the decision goes.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DealView<'a> {
    pub stage: Stage,
    pub terms: &'a DealTerms,
    /// The dispatcher has it.
    pub is_on_board: bool,
    pub is_confirmed: bool,
    /// The buyer cancelled; claims of units given out before are taken until then (R10).
    pub cancelled_until: Option<UnixSeconds>,
    /// Of a posted deal; `None` if a reorganisation took the posting back.
    pub window_end: Option<UnixSeconds>,
}

/// The next step of a deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Put it on the board.
    Begin,
    /// It is nearly due, or cancelled: post what is done, if anything is.
    PostWhatIsDone,
    /// Post its result.
    Post,
    /// Settle with the buyer's confirmation.
    Confirm,
    /// The window is over: settle without the buyer.
    Settle,
    /// It was not delivered: give the cap back.
    Refund,
    /// Nothing but waiting.
    Wait,
}

/// The step for a deal at `now`, as the contracts count time (F5): a clock that is wrong must not end a deal.
#[must_use]
pub fn next_step(deal: &DealView<'_>, now: UnixSeconds) -> Step {
    let due = deal.terms.deliver_by;
    match deal.stage {
        Stage::Open | Stage::Running | Stage::Assembling if now > due => Step::Refund,
        Stage::Open | Stage::Running if now.after(post_margin(deal.terms)) >= due => {
            Step::PostWhatIsDone
        }
        Stage::Open | Stage::Running if deal.cancelled_until.is_some_and(|until| now >= until) => {
            Step::PostWhatIsDone
        }
        Stage::Open | Stage::Running if !deal.is_on_board => Step::Begin,
        Stage::Assembling => Step::Post,
        Stage::Posted => match deal.window_end {
            None if now > due => Step::Refund,
            None => Step::Post,
            Some(end) if now >= end => Step::Settle,
            Some(_) if deal.is_confirmed => Step::Confirm,
            Some(_) => Step::Wait,
        },
        Stage::Signed
        | Stage::Open
        | Stage::Running
        | Stage::Settled
        | Stage::Refunded
        | Stage::Cancelled
        | Stage::Refuted
        | Stage::Expired => Step::Wait,
    }
}

/// From then on what is done is posted, and nothing more is worked on.
#[must_use]
pub fn post_at(terms: &DealTerms) -> UnixSeconds {
    UnixSeconds(terms.deliver_by.0.saturating_sub(post_margin(terms)))
}

/// A short deal keeps half its time for running.
fn post_margin(terms: &DealTerms) -> u64 {
    POST_SECONDS.min(terms.open_by.until(terms.deliver_by) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::agreement::tests::terms;

    /// Steps of a deal that opens until 1,000 and is due at 2,000, on the board and off it.
    fn steps(stage: Stage, now: u64) -> (Step, Step) {
        let mut terms = terms();
        terms.open_by = UnixSeconds(1_000);
        terms.deliver_by = UnixSeconds(2_000);
        let step = |is_on_board| {
            let view = DealView {
                stage,
                terms: &terms,
                is_on_board,
                is_confirmed: false,
                cancelled_until: None,
                window_end: None,
            };
            next_step(&view, UnixSeconds(now))
        };
        (step(true), step(false))
    }

    #[test]
    fn an_open_deal_is_worked_on_until_it_is_nearly_due_and_refunded_after() {
        for stage in [Stage::Open, Stage::Running] {
            assert_eq!(steps(stage, 1_939), (Step::Wait, Step::Begin));
            assert_eq!(
                steps(stage, 1_940),
                (Step::PostWhatIsDone, Step::PostWhatIsDone)
            );
            assert_eq!(
                steps(stage, 2_000),
                (Step::PostWhatIsDone, Step::PostWhatIsDone)
            );
            // Also when the hub was down meanwhile and nothing was done.
            assert_eq!(steps(stage, 2_001), (Step::Refund, Step::Refund));
        }
        assert_eq!(steps(Stage::Assembling, 1_500).0, Step::Post);
        assert_eq!(steps(Stage::Assembling, 2_001).0, Step::Refund);
    }

    #[test]
    fn r10_a_cancelled_deal_is_posted_when_its_grace_is_over() {
        let mut terms = terms();
        terms.open_by = UnixSeconds(1_000);
        terms.deliver_by = UnixSeconds(2_000);
        let step = |now| {
            let view = DealView {
                stage: Stage::Running,
                terms: &terms,
                is_on_board: true,
                is_confirmed: false,
                cancelled_until: Some(UnixSeconds(1_500)),
                window_end: None,
            };
            next_step(&view, UnixSeconds(now))
        };
        assert_eq!(step(1_499), Step::Wait);
        assert_eq!(step(1_500), Step::PostWhatIsDone);
        assert_eq!(step(2_001), Step::Refund);
    }

    #[test]
    fn a_posted_deal_is_settled_by_the_buyer_or_by_time() {
        let terms = terms();
        let step = |is_confirmed, window_end: Option<u64>| {
            let view = DealView {
                stage: Stage::Posted,
                terms: &terms,
                is_on_board: false,
                is_confirmed,
                cancelled_until: None,
                window_end: window_end.map(UnixSeconds),
            };
            next_step(&view, UnixSeconds(5_000))
        };
        assert_eq!(step(false, Some(5_001)), Step::Wait);
        assert_eq!(
            step(false, Some(5_000)),
            Step::Settle,
            "the first second of anyone's"
        );
        assert_eq!(step(true, Some(5_001)), Step::Confirm);
        assert_eq!(
            step(true, Some(4_000)),
            Step::Settle,
            "needs no signature any more"
        );
    }

    #[test]
    fn a_posting_that_was_taken_back_is_posted_again_while_there_is_time() {
        assert_eq!(steps(Stage::Posted, 1_500), (Step::Post, Step::Post));
        assert_eq!(steps(Stage::Posted, 2_000), (Step::Post, Step::Post));
        assert_eq!(steps(Stage::Posted, 2_001), (Step::Refund, Step::Refund));
    }

    #[test]
    fn nothing_is_done_about_deals_that_are_not_open_or_over() {
        for stage in Stage::ALL {
            if stage == Stage::Signed || stage.is_final() {
                assert_eq!(steps(stage, 9_000), (Step::Wait, Step::Wait));
            }
        }
    }
}
