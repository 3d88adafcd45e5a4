//! The steps of a call: the engine's proof of a step takes the mirror from the engine's hash before to its hash after,
//! and the contract as well.

use gio_machine::{Machine, mirror};
use gio_protocol::B256;

use crate::evm::Court;
use crate::rng::Rng;

/// Which steps are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The first steps of every call that the mirror checks one and all.
    pub whole: u64,
    /// Behind those, one in so many.
    pub behind: u32,
    /// Of those that the mirror checks, the contract checks one in so many.
    pub contract: u32,
}

impl Plan {
    /// Every step, everywhere.
    pub const ALL: Self = Self {
        whole: u64::MAX,
        behind: 1,
        contract: 1,
    };

    /// The first so many steps of every call, and some of the others.
    pub const fn first(whole: u64) -> Self {
        Self {
            whole,
            behind: 100,
            contract: 1,
        }
    }

    /// What fits into a minute. All but about fifty calls are shorter than `whole`; the others are loops over memory
    /// and recursion until the stack overflows.
    pub const SAMPLE: Self = Self {
        whole: 4_000,
        behind: 1_000,
        contract: 10,
    };
}

/// Walks calls and counts.
pub struct Steps {
    court: Court,
    plan: Plan,
    rng: Rng,
    /// Steps of the calls.
    pub taken: u64,
    /// Steps whose proof the mirror checked.
    pub walked: u64,
    /// Steps whose proof the contract checked as well.
    pub replayed: u64,
}

impl Steps {
    pub fn new(plan: Plan, seed: u64) -> Self {
        Self {
            court: Court::new(),
            plan,
            rng: Rng::new(seed),
            taken: 0,
            walked: 0,
            replayed: 0,
        }
    }

    /// To the end of the call that the machine is at the beginning of.
    pub fn walk(&mut self, machine: &mut Machine) {
        let mut before = None;
        while machine.halted().is_none() && machine.pc() != Some(Machine::RETURNED) {
            let at = machine.steps();
            if at < self.plan.whole || self.rng.one_in(self.plan.behind) {
                before = Some(self.step(machine, before));
            } else {
                machine.run_to(at + 1);
                before = None;
            }
        }
        self.taken += machine.steps();
    }

    /// Checks one step; `before` is the state's hash where it is known. Answers the hash after it.
    fn step(&mut self, machine: &mut Machine, before: Option<B256>) -> B256 {
        let at = machine.steps();
        let before = before.unwrap_or_else(|| machine.state_hash());
        let op = machine
            .instruction()
            .and_then(|instruction| instruction.operation());
        let proof = machine.proof();
        machine.run_to(at + 1);
        let after = machine.state_hash();
        let checked =
            mirror::step(&proof).unwrap_or_else(|invalid| panic!("step {at}, {op:?}: {invalid}"));
        assert_eq!(
            (checked.before, checked.next),
            (before, after),
            "step {at}, {op:?}"
        );
        self.walked += 1;
        if self.rng.one_in(self.plan.contract) {
            assert_eq!(self.court.step(&proof).0, Ok(checked), "step {at}, {op:?}");
            self.replayed += 1;
        }
        after
    }
}
