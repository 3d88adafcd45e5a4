//! Bounded exposure (R25): how much unpaid work a miner does for one hub.
//!
//! # Correctness
//! `outstanding ≤ limit` after every accepted order. A running unit counts with its whole CU limit, a finished one
//! with what it used, a paid one not at all. The limit starts with one batch, grows with what has arrived, and never
//! exceeds the money behind the hub's promises.

use gio_protocol::{Gio, Work};
use thiserror::Error;

use super::trust::Backing;

/// An order that would leave the miner with more unpaid work than it risks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{outstanding} GIO would be unpaid, this miner risks {limit} with this hub")]
pub struct BeyondLimit {
    /// Unpaid work with the order.
    pub outstanding: Gio,
    /// The limit.
    pub limit: Gio,
}

/// Work and pay between this miner and one hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    initial: Gio,
    /// In this miner's account.
    pulled: Gio,
    /// Approved by the hub's wallet and not pulled yet: nobody but this miner can have it.
    approved: Gio,
    backing: Gio,
    /// Units with a claim: accepted, on the way, or rejected, because a hub that rejects a result has had it.
    done: Work,
    /// Units being worked on, at their CU limit.
    reserved: Work,
}

impl Exposure {
    /// With a hub for which `done` was worked and which paid `pulled` so far.
    #[must_use]
    pub fn new(initial: Gio, done: Work, pulled: Gio) -> Self {
        Self {
            initial,
            pulled,
            approved: Gio::ZERO,
            backing: Gio::ZERO,
            done,
            reserved: Work::NONE,
        }
    }

    /// Another trust in a hub that has never paid; what is reserved stays reserved.
    pub fn set_initial(&mut self, initial: Gio) {
        self.initial = initial;
    }

    /// Most unpaid work, in net pay.
    #[must_use]
    pub fn limit(&self) -> Gio {
        let trusted = self
            .initial
            .plus(self.pulled)
            .unwrap_or(Gio::from_units(u64::MAX));
        trusted.min(self.backing)
    }

    /// Unpaid work now.
    #[must_use]
    pub fn outstanding(&self) -> Gio {
        self.outstanding_with(Work::NONE)
    }

    /// Takes an order on.
    ///
    /// # Errors
    /// [`BeyondLimit`]; nothing has changed then.
    pub fn reserve(&mut self, order: Work) -> Result<(), BeyondLimit> {
        let (outstanding, limit) = (self.outstanding_with(order), self.limit());
        if outstanding > limit {
            return Err(BeyondLimit { outstanding, limit });
        }
        self.reserved = self.reserved.plus(order);
        Ok(())
    }

    /// An order ended without a claim.
    pub fn release(&mut self, order: Work) {
        self.reserved = self.reserved.minus(order);
    }

    /// An order ended with a claim of `actual`.
    pub fn finish(&mut self, order: Work, actual: Work) {
        self.release(order);
        self.done = self.done.plus(actual);
    }

    /// What the chain says now: the money behind the hub, and what its wallet has approved to this miner.
    pub fn set_chain(&mut self, backing: Backing, approved: Gio) {
        self.backing = backing.total();
        self.approved = approved;
    }

    /// An approval was pulled.
    pub fn pull(&mut self, amount: Gio) {
        self.pulled = self
            .pulled
            .plus(amount)
            .unwrap_or(Gio::from_units(u64::MAX));
        self.approved = self.approved.minus_or_zero(amount);
    }

    fn outstanding_with(&self, order: Work) -> Gio {
        let arrived = self.pulled.plus(self.approved);
        let arrived = arrived.unwrap_or(Gio::from_units(u64::MAX));
        let work = self.done.plus(self.reserved).plus(order);
        work.after_paying(arrived).net()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gio(units: u64) -> Gio {
        Gio::from_units(units)
    }

    fn worth(units: u64) -> Work {
        Work::worth(gio(units))
    }

    fn backed(units: u64) -> Backing {
        Backing {
            free: gio(units),
            escrow: Gio::ZERO,
        }
    }

    #[test]
    fn r25_one_batch_at_first_then_as_much_more_as_was_paid() {
        let mut exposure = Exposure::new(gio(100), Work::NONE, Gio::ZERO);
        assert!(
            exposure.reserve(worth(1)).is_err(),
            "nothing is known of the hub's money yet"
        );
        exposure.set_chain(backed(1_000), Gio::ZERO);
        exposure.reserve(worth(60)).unwrap();
        exposure.reserve(worth(40)).unwrap();
        let refused = BeyondLimit {
            outstanding: gio(101),
            limit: gio(100),
        };
        assert_eq!(exposure.reserve(worth(1)), Err(refused));
        exposure.finish(worth(60), worth(10));
        exposure.reserve(worth(50)).unwrap();
        exposure.release(worth(50));
        exposure.finish(worth(40), worth(40));
        assert_eq!(exposure.outstanding(), gio(50));
        exposure.set_chain(backed(1_000), gio(50));
        assert_eq!(exposure.outstanding(), Gio::ZERO);
        assert_eq!(
            exposure.limit(),
            gio(100),
            "an approval is no pay before it is pulled"
        );
        exposure.pull(gio(50));
        assert_eq!(
            (exposure.limit(), exposure.outstanding()),
            (gio(150), Gio::ZERO)
        );
    }

    #[test]
    fn r25_never_above_free_balance_plus_escrow() {
        let mut exposure = Exposure::new(gio(100), Work::NONE, gio(10_000));
        let backing = Backing {
            free: gio(30),
            escrow: gio(20),
        };
        exposure.set_chain(backing, Gio::ZERO);
        assert_eq!(exposure.limit(), gio(50));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Order(u64),
        Finish(u64),
        Fail,
        Paid(u64),
        Backed(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u64..200).prop_map(Step::Order),
            (0u64..200).prop_map(Step::Finish),
            Just(Step::Fail),
            (0u64..300).prop_map(Step::Paid),
            (0u64..900).prop_map(Step::Backed),
        ]
    }

    proptest! {
        /// Whatever happens, no order is taken on that leaves more unpaid than was put at risk.
        #[test]
        fn r25_no_order_passes_the_limit(steps in prop::collection::vec(step(), 1..80)) {
            let mut exposure = Exposure::new(gio(100), Work::NONE, Gio::ZERO);
            let (mut running, mut owed, mut paid) = (Vec::new(), 0u64, 0u64);
            for step in steps {
                match step {
                    Step::Order(units) => if exposure.reserve(worth(units)).is_ok() {
                        running.push(units);
                        let unpaid = (running.iter().sum::<u64>() + owed).saturating_sub(paid);
                        prop_assert!(unpaid <= 100 + paid);
                        prop_assert_eq!(exposure.outstanding(), gio(unpaid));
                        prop_assert!(exposure.outstanding() <= exposure.limit());
                    },
                    Step::Finish(used) => if let Some(limit) = running.pop() {
                        let used = used.min(limit);
                        exposure.finish(worth(limit), worth(used));
                        owed += used;
                    },
                    Step::Fail => if let Some(limit) = running.pop() {
                        exposure.release(worth(limit));
                    },
                    Step::Paid(units) => {
                        exposure.pull(gio(units));
                        paid += units;
                    },
                    Step::Backed(units) => exposure.set_chain(backed(units), Gio::ZERO),
                }
            }
        }
    }
}
