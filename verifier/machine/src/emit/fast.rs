//! The fast build: the counter lives in a local and is only looked at in loops and functions that call.
//!
//! It is written to its global around calls and when the function returns, so it is exact whenever the host
//! runs or the program ends. Between two looks the program may go past its limit, by no more than
//! [`crate::OVERSHOOT_MAX`] (see `calls.rs`); whoever runs it compares the final count with the limit. After a trap the
//! count is unknown. In both cases the exact build decides.

use wasm_encoder::{BlockType, InstructionSink, ValType};
use wasmparser::Operator;

use super::writer::Scratch;
use super::{Extras, Meter, Plan, Writer};
use crate::blocks::Charge;
use crate::calls::{Calls, RESERVED_SLOTS};
use crate::counted::Counted;
use crate::fold::Correction;
use crate::limits::STACK_SLOTS_MAX;
use crate::loops::Tight;

/// Charges up to which a function without loops and calls counts directly in the global.
const GLOBAL_CHARGES_MAX: usize = 2;

/// What the rounds that a counted loop with arms begins at once cost at most, unless a single one costs more: few
/// enough that deadline and cancel are seen, many enough that beginning them costs nothing.
const STRETCH_CU_MAX: u32 = 1 << 20;

/// Locals of one type that a refill keeps: no processor has registers for more.
const SAVED_MAX: u32 = 16;

#[derive(Debug)]
pub(crate) struct Fast<'e> {
    slots: u32,
    counts_stack: bool,
    looks: bool,
    careful: bool,
    in_local: bool,
    plan: &'e Plan<'e>,
    calls: &'e Calls<'e>,
    extras: &'e mut Extras,
}

impl<'e> Fast<'e> {
    pub(crate) fn new(plan: &'e Plan<'e>, calls: &'e Calls<'e>, extras: &'e mut Extras) -> Self {
        let counted_call = |operator: &Operator<'_>| match operator {
            Operator::Call { .. } => calls.paid(operator).is_none(),
            other => matches!(other, Operator::CallIndirect { .. }),
        };
        let has_calls = plan.body.ops.iter().any(|op| counted_call(&op.operator));
        let looks = calls.looks(plan.body.index);
        let careful = calls.careful(plan.body.index);
        Self {
            slots: plan.body.slots,
            counts_stack: calls.counts_stack(plan.body.index),
            looks,
            careful,
            in_local: has_calls
                || looks
                || careful
                || plan.charges.iter().any(|charge| charge.loop_head)
                || plan.charges.len() > GLOBAL_CHARGES_MAX,
            plan,
            calls,
            extras,
        }
    }

    fn check_stack(&self, out: &mut Writer) {
        let (local, global) = (out.scratch.stack, out.added.stack);
        let slots = self.slots.min(STACK_SLOTS_MAX).cast_signed();
        let max = (STACK_SLOTS_MAX - RESERVED_SLOTS).cast_signed();
        let mut code = out.code();
        code.global_get(global).i32_const(slots).i32_add();
        code.local_tee(local).i32_const(max).i32_gt_u();
        out.cold_if();
        out.code().unreachable().end();
    }

    /// Asks for more if less than `needed` is left.
    fn look(out: &mut Writer, needed: Needed) {
        let counter = out.scratch.counter;
        let mut code = out.code();
        code.local_get(counter);
        needed.push(&mut code);
        code.i64_lt_s();
        out.cold_if();
        Self::ask(out, needed);
        out.end();
    }

    fn ask(out: &mut Writer, needed: Needed) {
        let (counter, refill) = (out.scratch.counter, out.added.imports);
        let mut code = out.code();
        code.local_get(counter);
        needed.push(&mut code);
        code.call(refill).local_set(counter);
    }

    /// The tight loop whose head is charged here. No two have one head: each has a branch back inside, and none is inside
    /// another.
    fn headed(&self, at: usize) -> Option<&Tight> {
        let tight = &self.plan.tight;
        let found = tight.binary_search_by_key(&at, |tight| tight.head);
        found.ok().map(|index| &tight[index])
    }

    /// What a round of the loop costs at its head.
    fn round(&self, tight: &Tight) -> u32 {
        let charges = &self.plan.charges;
        let head = charges.binary_search_by_key(&tight.head, |charge| charge.at);
        let head =
            head.expect("the head of a loop is folded into nothing, and costs its branch at least");
        charges[head].cu
    }

    /// What a round of the loop costs if it comes by everything in it.
    fn costliest_round(&self, tight: &Tight, counted: &Counted) -> u32 {
        let charges = &self.plan.charges;
        let begin = charges.partition_point(|charge| charge.at < tight.head);
        let inside = charges[begin..].iter();
        let inside = inside.take_while(|charge| charge.at <= counted.branch_at);
        inside.fold(0, |sum, charge| sum.saturating_add(charge.cu))
    }

    /// Asks for more inside a tight loop, or around its rounds. Keeps the locals in globals meanwhile: no
    /// value that the loop uses is then alive across the call, and none has to leave its register in the loop.
    fn ask_keeping(&mut self, out: &mut Writer, tight: &Tight, needed: u32) {
        let kept = self.kept(out, &tight.locals);
        for (local, global) in &kept {
            out.code().local_get(*local).global_set(*global);
        }
        Self::ask(out, Needed::Constant(needed));
        for (local, global) in &kept {
            out.code().global_get(*global).local_set(*local);
        }
    }

    /// Pairs of locals and globals that keep them.
    fn kept(&mut self, out: &Writer, locals: &[u32]) -> Vec<(u32, u32)> {
        let mut counts: [u32; 4] = [0; 4];
        let mut pairs = Vec::new();
        for &local in locals {
            let ty = out.local_type(local);
            let nth = match ty {
                ValType::I32 => &mut counts[0],
                ValType::I64 => &mut counts[1],
                ValType::F32 => &mut counts[2],
                _ => &mut counts[3],
            };
            if *nth < SAVED_MAX {
                pairs.push((local, self.extras.saved(&out.added, ty, *nth)));
                *nth += 1;
            }
        }
        pairs
    }
}

/// How much a look wants to find.
#[derive(Clone, Copy, Debug)]
enum Needed {
    Constant(u32),
    Local(u32),
}

impl Needed {
    fn push(self, code: &mut InstructionSink<'_>) {
        match self {
            Self::Constant(cu) => code.i64_const(i64::from(cu)),
            Self::Local(local) => code.local_get(local),
        };
    }
}

impl Meter for Fast<'_> {
    fn enter(&mut self, out: &mut Writer) {
        if self.counts_stack {
            self.check_stack(out);
        }
        if self.in_local {
            let (local, global) = (out.scratch.counter, out.added.counter);
            out.code().global_get(global).local_set(local);
        }
    }

    fn charge(&mut self, out: &mut Writer, charge: &Charge) {
        let (local, global) = (out.scratch.counter, out.added.counter);
        let cu = i64::from(charge.cu);
        let tight = self.headed(charge.at);
        if tight.is_some_and(|tight| tight.counted.is_some()) {
            return;
        }
        if charge.loop_head || self.careful {
            match tight {
                Some(_) => {
                    let place = out.labels.refill_place();
                    out.code().local_get(local).i64_const(cu).i64_lt_s();
                    out.cold_br_if(place);
                }
                None => Self::look(out, Needed::Constant(charge.cu)),
            }
        }
        let mut code = out.code();
        match self.in_local {
            true => code
                .local_get(local)
                .i64_const(cu)
                .i64_sub()
                .local_set(local),
            false => code
                .global_get(global)
                .i64_const(cu)
                .i64_sub()
                .global_set(global),
        };
    }

    fn charge_amount(&mut self, out: &mut Writer, amount: u32) {
        let (local, global) = (out.scratch.counter, out.added.counter);
        if !self.in_local {
            out.code().global_get(global).local_set(local);
        }
        Self::look(out, Needed::Local(amount));
        let mut code = out.code();
        code.local_get(local).local_get(amount).i64_sub();
        match self.in_local {
            true => code.local_set(local),
            false => code.global_set(global),
        };
    }

    fn refund(&mut self, out: &mut Writer, cu: i64) {
        if cu == 0 {
            return;
        }
        let (local, global) = (out.scratch.counter, out.added.counter);
        let mut code = out.code();
        match self.in_local {
            true => code
                .local_get(local)
                .i64_const(cu)
                .i64_add()
                .local_set(local),
            false => code
                .global_get(global)
                .i64_const(cu)
                .i64_add()
                .global_set(global),
        };
    }

    fn call(&mut self, out: &mut Writer, operator: &Operator<'_>, correction: Correction) {
        let added = out.added;
        let stack_matters = match operator {
            Operator::Call { function_index } => {
                if self.calls.paid(operator).is_some() {
                    let copy = self.extras.copy(&added, *function_index);
                    out.code().call(copy);
                    return;
                }
                self.calls.counts_stack(*function_index)
            }
            // If what it may reach counts, then so does this function.
            _ => self.counts_stack,
        };
        let (counter, stack) = (out.scratch.counter, out.scratch.stack);
        let mut code = out.code();
        code.local_get(counter);
        if correction.cu != 0 {
            code.i64_const(correction.cu).i64_add();
        }
        code.global_set(added.counter);
        if stack_matters {
            code.local_get(stack).global_set(added.stack);
        }
        out.copy_operator(operator);
        let mut code = out.code();
        code.global_get(added.counter);
        if correction.cu != 0 {
            code.i64_const(correction.cu).i64_sub();
        }
        code.local_set(counter);
        if correction.look || self.calls.looks_behind(self.plan.body.index, operator) {
            Self::look(out, Needed::Constant(0));
        }
    }

    fn wraps(&self) -> bool {
        self.in_local
    }

    /// A function that looks does so when it returns: then only its results are alive, so the call of the host
    /// costs the rest of the function nothing.
    fn leave(&mut self, out: &mut Writer) {
        if self.looks {
            Self::look(out, Needed::Constant(0));
        }
        let (local, global) = (out.scratch.counter, out.added.counter);
        out.code().local_get(local).global_set(global);
    }

    fn refill(&mut self, out: &mut Writer, tight: &Tight) {
        self.ask_keeping(out, tight, self.round(tight));
    }

    /// The rounds' heads are charged at once, their arms when a round comes by. So that nothing passes the limit, the
    /// counter has to afford rounds that come by everything.
    ///
    /// Rounds times their cost stays below 2^63: there are fewer than 2^32 rounds, and no function has operators or
    /// calls enough to cost 2^31.
    fn stretch(&mut self, out: &mut Writer, tight: &Tight, counted: &Counted) {
        let head = i64::from(self.round(tight));
        let costliest = self.costliest_round(tight, counted);
        let has_arms = i64::from(costliest) > head;
        let cu = i64::from(costliest);
        let Scratch {
            counter,
            amount,
            operand,
            ..
        } = out.scratch;
        let mut distance = |up: bool| match up == (counted.step > 0) {
            true => out.bound(counted.bound),
            false => {
                out.code().local_get(counted.local);
            }
        };
        distance(true);
        distance(false);
        let mut code = out.code();
        // The rounds until the bound, at least one: the first comes before the first question.
        code.i32_sub()
            .i32_const(counted.step.unsigned_abs().cast_signed())
            .i32_div_u();
        code.local_tee(operand)
            .i32_const(1)
            .local_get(operand)
            .select();
        if has_arms {
            let most = (STRETCH_CU_MAX / costliest).max(1).cast_signed();
            code.local_tee(operand).i32_const(most);
            code.local_get(operand).i32_const(most);
            code.i32_lt_u().select();
        }
        code.local_tee(operand)
            .i64_extend_i32_u()
            .i64_const(cu)
            .i64_mul()
            .local_set(amount);
        code.local_get(counter).local_get(amount).i64_lt_s();
        out.cold_if();
        self.ask_keeping(out, tight, costliest);
        let mut code = out.code();
        // What there is affords at least one.
        code.local_get(counter)
            .i64_const(cu)
            .i64_div_s()
            .local_tee(amount);
        code.local_get(operand)
            .i64_extend_i32_u()
            .i64_lt_s()
            .if_(BlockType::Empty);
        code.local_get(amount)
            .i32_wrap_i64()
            .local_set(operand)
            .end();
        code.local_get(operand)
            .i64_extend_i32_u()
            .i64_const(cu)
            .i64_mul()
            .local_set(amount);
        code.end();
        if has_arms {
            code.local_get(operand)
                .i64_extend_i32_u()
                .i64_const(head)
                .i64_mul()
                .local_set(amount);
        }
        code.local_get(counter)
            .local_get(amount)
            .i64_sub()
            .local_set(counter);
        code.local_get(counted.local)
            .local_get(operand)
            .i32_const(counted.step);
        code.i32_mul().i32_add().local_set(operand);
    }
}

/// The copy of a function whose callers have paid: it counts nothing, and is a leaf.
#[derive(Debug)]
pub(crate) struct Paid;

impl Meter for Paid {
    fn enter(&mut self, _: &mut Writer) {}

    fn charge(&mut self, _: &mut Writer, _: &Charge) {}

    fn charge_amount(&mut self, _: &mut Writer, _: u32) {}

    fn refund(&mut self, _: &mut Writer, _: i64) {}

    fn call(&mut self, out: &mut Writer, operator: &Operator<'_>, _: Correction) {
        out.copy_operator(operator);
    }

    fn wraps(&self) -> bool {
        false
    }

    fn leave(&mut self, _: &mut Writer) {}

    fn refill(&mut self, _: &mut Writer, _: &Tight) {}

    fn stretch(&mut self, _: &mut Writer, _: &Tight, _: &Counted) {}
}
