//! Writing an instrumented function: what the two builds share.

use wasm_encoder::reencode::Reencode;
use wasm_encoder::{BlockType, Function, Ieee32, Ieee64, ValType};
use wasmparser::Operator;

use crate::blocks::Charge;
use crate::body::{Body, Op};
use crate::nan::{CANONICAL_F32, CANONICAL_F64};
use crate::source::value_type;

pub(crate) mod exact;
pub(crate) mod fast;

/// Indices of what instrumentation adds to a module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Added {
    /// Imported functions of the source: the refill import comes right behind them, so that every
    /// function the module defines moves up by one.
    pub(crate) imports: u32,
    /// Global: CU left of the slice that the host handed out.
    pub(crate) counter: u32,
    /// Global: slots of all frames down to the caller's.
    pub(crate) stack: u32,
}

/// A function with all that analysis found out about it.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) body: Body<'a>,
    pub(crate) charges: Vec<Charge>,
    /// Operators behind which the top of the stack is made canonical, ascending.
    pub(crate) corrections: Vec<usize>,
}

/// A written function.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) function: Function,
    /// Offsets in the function of `if`s that are almost never taken.
    pub(crate) cold: Vec<u32>,
}

/// How a build counts. All methods leave the operand stack as they found it.
pub(crate) trait Meter {
    fn enter(&mut self, out: &mut Writer);
    fn charge(&mut self, out: &mut Writer, charge: &Charge);
    /// Charges what the `i64` local holds.
    fn charge_amount(&mut self, out: &mut Writer, amount: u32);
    fn before_call(&mut self, out: &mut Writer, operator: &Operator<'_>);
    fn after_call(&mut self, out: &mut Writer);
    /// Whether the function's results pass through a block, so that [`Meter::leave`] sees every way out.
    fn wraps(&self) -> bool;
    fn leave(&mut self, out: &mut Writer);
}

/// Writes the function: the source's operators with charges and corrections between them.
/// `results` is the block type of the function's results.
pub(crate) fn write(
    plan: &Plan<'_>,
    mut out: Writer,
    meter: &mut impl Meter,
    results: BlockType,
) -> Written {
    meter.enter(&mut out);
    if meter.wraps() {
        out.function.instructions().block(results);
    }
    let mut charges = plan.charges.iter().peekable();
    let mut corrections = plan.corrections.iter().peekable();
    let mut nesting: u32 = 0;
    let end = plan.body.ops.len() - 1;
    for (at, op) in plan.body.ops[..end].iter().enumerate() {
        if let Some(charge) = charges.next_if(|charge| charge.at == at) {
            meter.charge(&mut out, charge);
        }
        match &op.operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => nesting += 1,
            Operator::End => nesting -= 1,
            _ => {}
        }
        write_operator(op, nesting, &mut out, meter);
        if corrections.next_if(|place| **place == at).is_some() {
            out.correct(is_single(&op.operator, &plan.body));
        }
    }
    if meter.wraps() {
        out.function.instructions().end();
        meter.leave(&mut out);
    }
    out.function.instructions().end();
    Written {
        function: out.function,
        cold: out.cold,
    }
}

fn write_operator(op: &Op<'_>, nesting: u32, out: &mut Writer, meter: &mut impl Meter) {
    match &op.operator {
        Operator::Call { .. } | Operator::CallIndirect { .. } => {
            meter.before_call(out, &op.operator);
            out.copy(op);
            meter.after_call(out);
        }
        Operator::Return if meter.wraps() => {
            out.function.instructions().br(nesting);
        }
        Operator::MemoryCopy { .. } | Operator::MemoryFill { .. } | Operator::MemoryInit { .. } => {
            let amount = out.bulk_amount();
            meter.charge_amount(out, amount);
            out.restore_operand();
            out.copy(op);
        }
        Operator::MemoryGrow { .. } => {
            let amount = out.grow_amount();
            meter.charge_amount(out, amount);
            out.restore_operand();
            out.copy(op);
        }
        _ => out.copy(op),
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

/// Writes instructions, and keeps the locals that instrumentation needs.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) function: Function,
    pub(crate) added: Added,
    pub(crate) scratch: Scratch,
    cold: Vec<u32>,
}

/// Locals behind the source's own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scratch {
    pub(crate) counter: u32,
    pub(crate) stack: u32,
    operand: u32,
    amount: u32,
    single: u32,
    double: u32,
}

impl Writer {
    pub(crate) fn new(body: &Body<'_>, added: Added) -> Self {
        let own = u32::try_from(body.locals.len()).expect("locals are limited to far less");
        let scratch = Scratch {
            counter: own,
            amount: own + 1,
            stack: own + 2,
            operand: own + 3,
            single: own + 4,
            double: own + 5,
        };
        let declared = body.locals[body.params..].iter().map(|ty| value_type(*ty));
        let more = [
            ValType::I64,
            ValType::I64,
            ValType::I32,
            ValType::I32,
            ValType::F32,
            ValType::F64,
        ];
        Self {
            function: Function::new_with_locals_types(declared.chain(more)),
            added,
            scratch,
            cold: Vec::new(),
        }
    }

    /// An `if` that is almost never taken.
    pub(crate) fn cold_if(&mut self) {
        let offset =
            u32::try_from(self.function.byte_len()).expect("functions are limited to far less");
        self.cold.push(offset);
        self.function.instructions().if_(BlockType::Empty);
    }

    fn copy(&mut self, op: &Op<'_>) {
        let mut shift = Shift(self.added.imports);
        let instruction = shift
            .instruction(op.operator.clone())
            .expect("every accepted operator has an encoding");
        self.function.instruction(&instruction);
    }

    /// Makes the NaN on top of the stack canonical.
    fn correct(&mut self, single: bool) {
        let Scratch {
            single: f32_temp,
            double: f64_temp,
            ..
        } = self.scratch;
        if single {
            let mut code = self.function.instructions();
            code.local_tee(f32_temp);
            code.local_get(f32_temp).f32_ne();
            self.cold_if();
            let mut code = self.function.instructions();
            code.f32_const(Ieee32::new(CANONICAL_F32));
            code.local_set(f32_temp).end().local_get(f32_temp);
        } else {
            let mut code = self.function.instructions();
            code.local_tee(f64_temp);
            code.local_get(f64_temp).f64_ne();
            self.cold_if();
            let mut code = self.function.instructions();
            code.f64_const(Ieee64::new(CANONICAL_F64));
            code.local_set(f64_temp).end().local_get(f64_temp);
        }
    }

    /// Takes the byte count off the stack, remembers it, and puts [`crate::bulk_cu`] of it into a local.
    fn bulk_amount(&mut self) -> u32 {
        let Scratch {
            operand, amount, ..
        } = self.scratch;
        let mut code = self.function.instructions();
        code.local_tee(operand).i64_extend_i32_u();
        code.i64_const(7).i64_add().i64_const(3).i64_shr_u();
        code.local_set(amount);
        amount
    }

    /// Takes the page count off the stack, remembers it, and puts [`crate::grow_cu`] of it into a local.
    fn grow_amount(&mut self) -> u32 {
        let Scratch {
            operand, amount, ..
        } = self.scratch;
        let mut code = self.function.instructions();
        code.local_tee(operand).i32_const(1 << 16);
        code.local_get(operand).i32_const(1 << 16).i32_lt_u();
        // select takes its first operand if the condition holds: the count if it is below the bound.
        code.select().i64_extend_i32_u().i64_const(10).i64_shl();
        code.local_set(amount);
        amount
    }

    fn restore_operand(&mut self) {
        let operand = self.scratch.operand;
        self.function.instructions().local_get(operand);
    }
}

/// Re-encodes with every function index behind the imports moved up by one.
#[derive(Debug)]
pub(crate) struct Shift(pub(crate) u32);

impl Reencode for Shift {
    type Error = std::convert::Infallible;

    fn function_index(
        &mut self,
        function: u32,
    ) -> Result<u32, wasm_encoder::reencode::Error<Self::Error>> {
        Ok(function + u32::from(function >= self.0))
    }
}
