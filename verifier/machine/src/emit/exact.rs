//! The exact build: the canonical charge at every block head, the counter always in its global.
//!
//! Slower than the fast build, but at every moment, a trap in the middle of a function included, the
//! counter says what the unit owes.

use wasmparser::Operator;

use super::{Meter, Writer};
use crate::blocks::Charge;
use crate::limits::STACK_SLOTS_MAX;

#[derive(Debug)]
pub(crate) struct Exact {
    pub(crate) slots: u32,
}

impl Meter for Exact {
    /// Even a function that calls nothing is a frame: the limit is the same in every build.
    fn enter(&mut self, out: &mut Writer) {
        let stack = out.scratch.stack;
        let max = STACK_SLOTS_MAX.cast_signed();
        let mut code = out.function.instructions();
        code.global_get(out.added.stack);
        code.i32_const(self.slots.min(STACK_SLOTS_MAX + 1).cast_signed());
        code.i32_add().local_tee(stack).i32_const(max).i32_gt_u();
        out.cold_if();
        out.function.instructions().unreachable().end();
    }

    fn charge(&mut self, out: &mut Writer, charge: &Charge) {
        let amount = out.scratch.counter;
        let mut code = out.function.instructions();
        code.i64_const(i64::from(charge.cu)).local_set(amount);
        self.charge_amount(out, amount);
    }

    fn charge_amount(&mut self, out: &mut Writer, amount: u32) {
        let counter = out.added.counter;
        let mut code = out.function.instructions();
        code.global_get(counter).local_get(amount).i64_lt_s();
        out.cold_if();
        let mut code = out.function.instructions();
        code.global_get(counter).local_get(amount);
        code.call(out.added.imports).global_set(counter).end();
        code.global_get(counter).local_get(amount);
        code.i64_sub().global_set(counter);
    }

    fn before_call(&mut self, out: &mut Writer, _: &Operator<'_>) {
        let stack = out.scratch.stack;
        let mut code = out.function.instructions();
        code.local_get(stack).global_set(out.added.stack);
    }

    fn after_call(&mut self, _: &mut Writer) {}

    fn wraps(&self) -> bool {
        false
    }

    fn leave(&mut self, _: &mut Writer) {}
}
