//! The exact build: the canonical charge at every block head, the counter always in its global.
//!
//! Slower than the fast build, but at every moment, a trap in the middle of a function included, the
//! counter says what the unit owes.

use wasmparser::Operator;

use super::{Meter, Writer};
use crate::blocks::Charge;
use crate::counted::Counted;
use crate::fold::Correction;
use crate::limits::STACK_SLOTS_MAX;
use crate::loops::Tight;

#[derive(Debug)]
pub(crate) struct Exact {
    pub(crate) slots: u32,
}

impl Meter for Exact {
    /// Even a function that calls nothing is a frame: the limit is the same in every build.
    fn enter(&mut self, out: &mut Writer) {
        let (local, global) = (out.scratch.stack, out.added.stack);
        let slots = self.slots.min(STACK_SLOTS_MAX + 1).cast_signed();
        let max = STACK_SLOTS_MAX.cast_signed();
        let mut code = out.code();
        code.global_get(global).i32_const(slots).i32_add();
        code.local_tee(local).i32_const(max).i32_gt_u();
        out.cold_if();
        out.code().unreachable().end();
    }

    fn charge(&mut self, out: &mut Writer, charge: &Charge) {
        let amount = out.scratch.counter;
        let mut code = out.code();
        code.i64_const(i64::from(charge.cu)).local_set(amount);
        self.charge_amount(out, amount);
    }

    fn charge_amount(&mut self, out: &mut Writer, amount: u32) {
        let (counter, refill) = (out.added.counter, out.added.imports);
        let mut code = out.code();
        code.global_get(counter).local_get(amount).i64_lt_s();
        out.cold_if();
        let mut code = out.code();
        code.global_get(counter).local_get(amount);
        code.call(refill).global_set(counter).end();
        code.global_get(counter).local_get(amount);
        code.i64_sub().global_set(counter);
    }

    fn refund(&mut self, _: &mut Writer, _: i64) {}

    fn call(&mut self, out: &mut Writer, operator: &Operator<'_>, _: Correction) {
        let (local, global) = (out.scratch.stack, out.added.stack);
        out.code().local_get(local).global_set(global);
        out.copy_operator(operator);
    }

    fn wraps(&self) -> bool {
        false
    }

    fn leave(&mut self, _: &mut Writer) {}

    fn refill(&mut self, _: &mut Writer, _: &Tight) {}

    fn stretch(&mut self, _: &mut Writer, _: &Tight, _: &Counted) {}
}
