//! Writes instructions, and knows the labels and locals that instrumentation needs.

use wasm_encoder::reencode::Reencode;
use wasm_encoder::{BlockType, BranchHint, Function, Ieee32, Ieee64, InstructionSink, ValType};

use super::Added;
use super::labels::{Around, Labels};
use crate::body::{Body, Op};
use crate::counted::{Bound, Counted};
use crate::nan::{CANONICAL_F32, CANONICAL_F64};
use crate::source::value_type;

/// A written function.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) function: Function,
    /// Which way the branches that instrumentation added almost always go.
    pub(crate) hints: Vec<BranchHint>,
}

#[derive(Debug)]
pub(crate) struct Writer {
    function: Function,
    hints: Vec<BranchHint>,
    /// Types of the source's locals.
    locals: Vec<ValType>,
    pub(super) labels: Labels,
    pub(super) added: Added,
    pub(super) scratch: Scratch,
}

/// Locals behind the source's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scratch {
    pub(super) counter: u32,
    pub(super) stack: u32,
    pub(super) operand: u32,
    pub(super) amount: u32,
    single: u32,
    double: u32,
}

/// Types of [`Scratch`] in order of its indices.
const SCRATCH: [ValType; 6] = [
    ValType::I64,
    ValType::I64,
    ValType::I32,
    ValType::I32,
    ValType::F32,
    ValType::F64,
];

impl Writer {
    pub(crate) fn new(body: &Body<'_>, added: Added) -> Self {
        let locals: Vec<ValType> = body.locals.iter().map(|ty| value_type(*ty)).collect();
        let own = u32::try_from(locals.len()).expect("locals are limited to far less");
        let declared = locals[body.params..].iter().copied().chain(SCRATCH);
        Self {
            function: Function::new_with_locals_types(declared),
            hints: Vec::new(),
            labels: Labels::new(false),
            added,
            scratch: Scratch {
                counter: own,
                amount: own + 1,
                stack: own + 2,
                operand: own + 3,
                single: own + 4,
                double: own + 5,
            },
            locals,
        }
    }

    pub(super) fn code(&mut self) -> InstructionSink<'_> {
        self.function.instructions()
    }

    pub(super) fn local_type(&self, local: u32) -> ValType {
        self.locals[local as usize]
    }

    /// Begins the body, inside a block of the function's results if `wrapped`.
    pub(super) fn enter(&mut self, wrapped: bool, results: BlockType) {
        self.labels = Labels::new(wrapped);
        if wrapped {
            self.code().block(results);
        }
    }

    pub(super) fn end(&mut self) {
        self.code().end();
    }

    pub(super) fn finish(mut self) -> Written {
        self.end();
        Written {
            function: self.function,
            hints: self.hints,
        }
    }

    /// An `if` that is almost never taken.
    pub(super) fn cold_if(&mut self) {
        self.hint(false);
        self.code().if_(BlockType::Empty);
    }

    /// A `br_if` that is almost never taken.
    pub(super) fn cold_br_if(&mut self, depth: u32) {
        self.hint(false);
        self.code().br_if(depth);
    }

    fn hint(&mut self, taken: bool) {
        let offset = self.function.byte_len();
        self.hints.push(BranchHint {
            branch_func_offset: u32::try_from(offset).expect("functions are limited to far less"),
            branch_hint_value: u32::from(taken),
        });
    }

    pub(super) fn copy(&mut self, op: &Op<'_>) {
        self.copy_operator(&op.operator);
    }

    pub(super) fn copy_operator(&mut self, operator: &wasmparser::Operator<'_>) {
        let mut shift = Shift(self.added.imports);
        let instruction = shift
            .instruction(operator.clone())
            .expect("every accepted operator has an encoding");
        self.function.instruction(&instruction);
    }

    /// `block loop block loop`: from inside the inner loop, the end of the inner block is where its head is refilled.
    pub(super) fn open_refilled_loop(&mut self) {
        let empty = BlockType::Empty;
        let mut code = self.code();
        code.block(empty).loop_(empty).block(empty).loop_(empty);
        self.labels.open(Around::Refill);
    }

    /// The loop over the stretches of a loop that counts its rounds beforehand.
    pub(super) fn open_stretches(&mut self) {
        self.code().loop_(BlockType::Empty);
    }

    /// The loop itself.
    pub(super) fn open_stretch(&mut self) {
        self.code().loop_(BlockType::Empty);
        self.labels.open(Around::Stretches);
    }

    pub(super) fn bound(&mut self, bound: Bound) {
        match bound {
            Bound::Constant(value) => self.code().i32_const(value),
            Bound::Local(local) => self.code().local_get(local),
        };
    }

    /// Where the stretch ends.
    pub(super) fn stretch_end(&mut self) {
        let operand = self.scratch.operand;
        self.code().local_get(operand);
    }

    /// Behind a stretch: the next one, unless it was the last.
    pub(super) fn close_stretches(&mut self, counted: &Counted) {
        self.code().local_get(counted.local);
        self.bound(counted.bound);
        self.code().i32_ne().br_if(0).end();
    }

    /// Behind the inner loop: its exit leaves all around it, what follows is the refill.
    pub(super) fn begin_refill(&mut self) {
        self.code().br(2).end();
    }

    /// Enters the loop again. The branch before is never taken, because a refill never leaves less than nothing; it
    /// makes compilers put the refill before the loop's exit instead of into the loop, where the call's
    /// demands on registers would be felt in every round.
    pub(super) fn end_refill(&mut self) {
        let counter = self.scratch.counter;
        let mut code = self.code();
        code.local_get(counter).i64_const(0).i64_lt_s().br_if(1);
        code.br(0).end().end();
    }

    /// Makes the NaN on top of the stack canonical. Only a NaN is not at least itself, which takes one comparison,
    /// one branch and no constant to tell.
    pub(super) fn correct(&mut self, single: bool) {
        let local = match single {
            true => self.scratch.single,
            false => self.scratch.double,
        };
        let mut code = self.code();
        code.local_set(local).local_get(local).local_get(local);
        match single {
            true => code.f32_ge(),
            false => code.f64_ge(),
        };
        self.hint(true);
        let mut code = self.code();
        code.if_(BlockType::Empty).else_();
        match single {
            true => code.f32_const(Ieee32::new(CANONICAL_F32)),
            false => code.f64_const(Ieee64::new(CANONICAL_F64)),
        };
        code.local_set(local).end().local_get(local);
    }

    /// Takes the byte count off the stack, remembers it, and puts [`crate::bulk_cu`] of it into a local.
    pub(super) fn bulk_amount(&mut self) -> u32 {
        let Scratch {
            operand, amount, ..
        } = self.scratch;
        let mut code = self.code();
        code.local_tee(operand).i64_extend_i32_u();
        code.i64_const(7).i64_add().i64_const(3).i64_shr_u();
        code.local_set(amount);
        amount
    }

    /// Takes the page count off the stack, remembers it, and puts [`crate::grow_cu`] of it into a local.
    pub(super) fn grow_amount(&mut self) -> u32 {
        let Scratch {
            operand, amount, ..
        } = self.scratch;
        let mut code = self.code();
        // The lesser of the count and all pages there are.
        code.local_tee(operand).i32_const(1 << 16);
        code.local_get(operand).i32_const(1 << 16).i32_lt_u();
        code.select().i64_extend_i32_u().i64_const(10).i64_shl();
        code.local_set(amount);
        amount
    }

    /// Grows the guest's memory by the pages remembered, if it then has no more than the global says.
    pub(super) fn limited_grow(&mut self, pages: u32) {
        let operand = self.scratch.operand;
        let mut code = self.code();
        code.memory_size(0).i64_extend_i32_u();
        code.local_get(operand).i64_extend_i32_u().i64_add();
        code.global_get(pages).i64_extend_i32_u().i64_gt_u();
        code.if_(BlockType::Result(ValType::I32)).i32_const(-1);
        code.else_().local_get(operand).memory_grow(0).end();
    }

    pub(super) fn restore_operand(&mut self) {
        let operand = self.scratch.operand;
        self.code().local_get(operand);
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
