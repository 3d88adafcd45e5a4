//! Writing an instrumented function: what the builds share.

use std::collections::BTreeMap;

use wasm_encoder::{BlockType, ValType};
use wasmparser::Operator;

use crate::blocks::Charge;
use crate::body::{Body, Op};
use crate::counted::Counted;
use crate::fold::Correction;
use crate::loops::Tight;

pub(crate) mod exact;
pub(crate) mod fast;
mod labels;
mod writer;

use labels::Around;
pub(crate) use writer::{Shift, Writer, Written};

/// Where instrumentation puts what every build adds to a module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Added {
    /// Imported functions of the source: the refill import comes right behind them, so that every
    /// function the module defines moves up by one.
    pub(crate) imports: u32,
    /// Index of the first function behind all that the source defines, moved up.
    pub(crate) functions: u32,
    /// Global: CU left of the slice that the host handed out.
    pub(crate) counter: u32,
    /// Global: slots of all frames down to the caller's.
    pub(crate) stack: u32,
    /// Global: most pages the guest's memory may have, in a linked program. A sandbox cannot tell which memory
    /// grows, so the program looks itself.
    pub(crate) pages: Option<u32>,
}

impl Added {
    /// The first global behind those that every build has.
    fn globals(&self) -> u32 {
        self.pages.unwrap_or(self.stack) + 1
    }
}

/// What the fast build adds on demand.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    /// Types of the globals in which a refill keeps locals; they follow what every build has.
    pub(crate) saved: Vec<ValType>,
    by_use: BTreeMap<(ValType, u32), u32>,
    /// Functions of which there is a copy that does not count; the copies begin at [`Added::functions`].
    pub(crate) copies: Vec<u32>,
    by_function: BTreeMap<u32, u32>,
}

impl Extras {
    /// The global that keeps the `nth` local of a type.
    fn saved(&mut self, added: &Added, ty: ValType, nth: u32) -> u32 {
        let next = added.globals() + count(self.saved.len());
        *self.by_use.entry((ty, nth)).or_insert_with(|| {
            self.saved.push(ty);
            next
        })
    }

    /// The copy of a function.
    fn copy(&mut self, added: &Added, function: u32) -> u32 {
        let next = added.functions + count(self.copies.len());
        *self.by_function.entry(function).or_insert_with(|| {
            self.copies.push(function);
            next
        })
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).expect("there are at most as many as functions, or registers")
}

/// A function with all that analysis found out about it.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) body: Body<'a>,
    pub(crate) charges: Vec<Charge>,
    /// Where the counter is put right after charging early.
    pub(crate) corrections: Vec<Correction>,
    /// Loops that refill outside themselves, ascending.
    pub(crate) tight: Vec<Tight>,
    /// Operators behind which the NaN on top of the stack is made canonical, ascending.
    pub(crate) nans: Vec<usize>,
    /// Block type of the function's results.
    pub(crate) results: BlockType,
}

/// How a build counts. All methods leave the operand stack as they found it, except for the call itself.
pub(crate) trait Meter {
    fn enter(&mut self, out: &mut Writer);
    fn charge(&mut self, out: &mut Writer, charge: &Charge);
    /// Charges what the `i64` local holds.
    fn charge_amount(&mut self, out: &mut Writer, amount: u32);
    /// Gives back what was charged early.
    fn refund(&mut self, out: &mut Writer, cu: i64);
    /// The call itself, with everything around it.
    fn call(&mut self, out: &mut Writer, operator: &Operator<'_>, correction: Correction);
    /// Whether the function's results pass through a block, so that [`Meter::leave`] sees every way out.
    fn wraps(&self) -> bool;
    fn leave(&mut self, out: &mut Writer);
    /// Behind a tight loop: makes sure that its head can be charged.
    fn refill(&mut self, out: &mut Writer, tight: &Tight);
    /// Before a stretch of a loop that counts its rounds beforehand: charges it and decides where it ends.
    fn stretch(&mut self, out: &mut Writer, tight: &Tight, counted: &Counted);
}

/// Writes the function: the source's operators with charges and corrections between them.
pub(crate) fn write(plan: &Plan<'_>, mut out: Writer, meter: &mut impl Meter) -> Written {
    meter.enter(&mut out);
    out.enter(meter.wraps(), plan.results);
    let mut charges = plan.charges.iter().peekable();
    let mut corrections = plan.corrections.iter().peekable();
    let mut nans = plan.nans.iter().peekable();
    let mut tight = plan.tight.iter().peekable();
    let mut inside: Vec<&Tight> = Vec::new();
    let end = plan.body.ops.len() - 1;
    for (at, op) in plan.body.ops[..end].iter().enumerate() {
        if let Some(charge) = charges.next_if(|charge| charge.at == at) {
            meter.charge(&mut out, charge);
        }
        let correction = corrections.next_if(|correction| correction.at == at);
        let correction = correction.copied().unwrap_or_default();
        match (&op.operator, tight.next_if(|tight| tight.at == at)) {
            (_, Some(begun)) => {
                match &begun.counted {
                    Some(counted) => {
                        out.open_stretches();
                        meter.stretch(&mut out, begun, counted);
                        out.open_stretch();
                    }
                    None => out.open_refilled_loop(),
                }
                inside.push(begun);
            }
            (Operator::End, None) => {
                out.end();
                match out.labels.close() {
                    Around::Nothing => {}
                    around => close_tight(around, inside.pop(), &mut out, meter),
                }
            }
            (Operator::BrIf { .. }, None) if asks_zero(inside.last().copied(), at) => {
                out.stretch_end();
                out.code().i32_ne();
                out.copy(op);
            }
            _ if asks(inside.last().copied(), at) => out.stretch_end(),
            _ => write_operator(op, correction, &mut out, meter),
        }
        if nans.next_if_eq(&&at).is_some() {
            out.correct(is_single(&op.operator, &plan.body));
        }
    }
    // What the function's own end costs, on the way that reaches it.
    if let Some(charge) = charges.next() {
        meter.charge(&mut out, charge);
    }
    if meter.wraps() {
        out.end();
        meter.leave(&mut out);
    }
    out.finish()
}

/// Behind the `end` of a tight loop.
fn close_tight(around: Around, ended: Option<&Tight>, out: &mut Writer, meter: &mut impl Meter) {
    let ended = ended.expect("what is around a loop was put there where it began");
    match &ended.counted {
        Some(counted) if around == Around::Stretches => out.close_stretches(counted),
        _ => {
            out.begin_refill();
            meter.refill(out, ended);
            out.end_refill();
        }
    }
}

/// Whether a loop that counts its rounds beforehand pushes its bound here.
fn asks(inside: Option<&Tight>, at: usize) -> bool {
    let counted = inside.and_then(|tight| tight.counted);
    counted.is_some_and(|counted| counted.bound_at == Some(at))
}

/// Whether this is the branch of such a loop that compares with zero.
fn asks_zero(inside: Option<&Tight>, at: usize) -> bool {
    let counted = inside.and_then(|tight| tight.counted);
    counted.is_some_and(|counted| counted.bound_at.is_none() && counted.branch_at == at)
}

fn write_operator(op: &Op<'_>, correction: Correction, out: &mut Writer, meter: &mut impl Meter) {
    match &op.operator {
        Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
            out.copy(op);
            out.labels.open(Around::Nothing);
        }
        Operator::Call { .. } | Operator::CallIndirect { .. } => {
            meter.call(out, &op.operator, correction);
        }
        Operator::MemoryCopy { .. } | Operator::MemoryFill { .. } | Operator::MemoryInit { .. } => {
            let amount = out.bulk_amount();
            meter.charge_amount(out, amount);
            out.restore_operand();
            out.copy(op);
        }
        Operator::MemoryGrow { mem } => {
            let amount = out.grow_amount();
            meter.charge_amount(out, amount);
            match out.added.pages {
                Some(pages) if *mem == 0 => out.limited_grow(pages),
                _ => {
                    out.restore_operand();
                    out.copy(op);
                }
            }
        }
        other => write_branch(other, correction.cu, out, meter),
    }
}

/// Writes a branch, giving back `ahead` on the way it takes, or any other operator.
fn write_branch(operator: &Operator<'_>, ahead: i64, out: &mut Writer, meter: &mut impl Meter) {
    match operator {
        Operator::BrIf { relative_depth } => {
            let depth = out.labels.depth(*relative_depth);
            if ahead == 0 {
                out.code().br_if(depth);
                return;
            }
            out.cold_if();
            meter.refund(out, ahead);
            out.code().br(depth + 1).end();
        }
        Operator::Br { relative_depth } => {
            let depth = out.labels.depth(*relative_depth);
            meter.refund(out, ahead);
            out.code().br(depth);
        }
        Operator::Return => {
            let depth = out.labels.outermost();
            meter.refund(out, ahead);
            out.code().br(depth);
        }
        Operator::BrTable { targets } => {
            // Validation has read the targets, so every one of them decodes.
            let depths = targets.targets().flatten();
            let depths: Vec<u32> = depths.map(|depth| out.labels.depth(depth)).collect();
            let default = out.labels.depth(targets.default());
            out.code().br_table(depths, default);
        }
        other => out.copy_operator(other),
    }
}

/// Whether the operator's float result is an `f32`.
fn is_single(operator: &Operator<'_>, body: &Body<'_>) -> bool {
    use Operator as O;
    match operator {
        O::LocalGet { local_index } => {
            body.locals[*local_index as usize] == wasmparser::ValType::F32
        }
        O::F32Add | O::F32Sub | O::F32Mul | O::F32Div | O::F32Min | O::F32Max => true,
        O::F32Ceil | O::F32Floor | O::F32Trunc | O::F32Nearest | O::F32Sqrt => true,
        other => matches!(other, O::F32DemoteF64),
    }
}
