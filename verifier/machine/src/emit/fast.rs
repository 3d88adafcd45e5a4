//! The fast build: the counter lives in a local and is only looked at in loops and functions that call.
//!
//! It is written to its global around calls and when the function returns, so it is exact whenever the host
//! runs or the program ends. Between two looks the program may go past its limit, by no more than it executes
//! without a loop or a call; whoever runs it compares the final count with the limit. After a trap the count
//! is unknown. In both cases the exact build decides.

use wasmparser::Operator;

use super::{Meter, Plan, Writer};
use crate::blocks::Charge;
use crate::limits::STACK_SLOTS_MAX;

/// A function that calls nothing and costs no more slots than this leaves the stack limit to its callers, who
/// therefore keep so much in reserve. They stop too early near the limit; the exact build then decides.
const LEAF_SLOTS: u32 = 256;

/// Blocks up to which a function without loops and calls counts directly in the global.
const GLOBAL_BLOCKS_MAX: usize = 2;

#[derive(Debug)]
pub(crate) struct Fast {
    slots: u32,
    calls: bool,
    in_local: bool,
    /// Whether the next charge has to be followed by a look at the counter.
    look: bool,
}

impl Fast {
    pub(crate) fn new(plan: &Plan<'_>) -> Self {
        let calls = plan.body.calls;
        let loops = plan.charges.iter().any(|charge| charge.loop_head);
        Self {
            slots: plan.body.slots,
            calls,
            in_local: calls || loops || plan.charges.len() > GLOBAL_BLOCKS_MAX,
            look: calls,
        }
    }

    fn check_stack(&self, out: &mut Writer) {
        let stack = out.scratch.stack;
        let max = (STACK_SLOTS_MAX - LEAF_SLOTS).cast_signed();
        let mut code = out.function.instructions();
        code.global_get(out.added.stack);
        code.i32_const(self.slots.min(STACK_SLOTS_MAX).cast_signed());
        code.i32_add().local_tee(stack).i32_const(max).i32_gt_u();
        out.cold_if();
        out.function.instructions().unreachable().end();
    }

    /// With the new count on the stack: keeps it, and asks for more if it is below zero.
    fn keep_and_look(out: &mut Writer) {
        let counter = out.scratch.counter;
        let mut code = out.function.instructions();
        code.local_tee(counter).i64_const(0).i64_lt_s();
        out.cold_if();
        let mut code = out.function.instructions();
        code.local_get(counter).i64_const(0);
        code.call(out.added.imports).local_set(counter).end();
    }
}

impl Meter for Fast {
    fn enter(&mut self, out: &mut Writer) {
        if self.calls || self.slots > LEAF_SLOTS {
            self.check_stack(out);
        }
        if self.in_local {
            let mut code = out.function.instructions();
            code.global_get(out.added.counter);
            code.local_set(out.scratch.counter);
        }
    }

    fn charge(&mut self, out: &mut Writer, charge: &Charge) {
        let cu = i64::from(charge.cu);
        let look = std::mem::take(&mut self.look) || charge.loop_head;
        let (local, global) = (out.scratch.counter, out.added.counter);
        let mut code = out.function.instructions();
        if self.in_local {
            code.local_get(local).i64_const(cu).i64_sub();
            match look {
                true => Self::keep_and_look(out),
                false => {
                    code.local_set(local);
                }
            }
        } else {
            code.global_get(global).i64_const(cu).i64_sub();
            code.global_set(global);
        }
    }

    fn charge_amount(&mut self, out: &mut Writer, amount: u32) {
        let (local, global) = (out.scratch.counter, out.added.counter);
        if !self.in_local {
            let mut code = out.function.instructions();
            code.global_get(global).local_set(local);
        }
        let mut code = out.function.instructions();
        code.local_get(local).local_get(amount).i64_sub();
        Self::keep_and_look(out);
        if !self.in_local {
            let mut code = out.function.instructions();
            code.local_get(local).global_set(global);
        }
    }

    fn before_call(&mut self, out: &mut Writer, operator: &Operator<'_>) {
        let (counter, stack) = (out.scratch.counter, out.scratch.stack);
        let imports = out.added.imports;
        let mut code = out.function.instructions();
        code.local_get(counter).global_set(out.added.counter);
        let to_host =
            matches!(operator, Operator::Call { function_index } if *function_index < imports);
        if !to_host {
            code.local_get(stack).global_set(out.added.stack);
        }
    }

    fn after_call(&mut self, out: &mut Writer) {
        let mut code = out.function.instructions();
        code.global_get(out.added.counter);
        code.local_set(out.scratch.counter);
    }

    fn wraps(&self) -> bool {
        self.in_local
    }

    fn leave(&mut self, out: &mut Writer) {
        let mut code = out.function.instructions();
        code.local_get(out.scratch.counter);
        code.global_set(out.added.counter);
    }
}
