//! One function body, validated and decoded into its live operators.

use wasmparser::{
    FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody, Operator, ValType,
    ValidatorResources, WasmFeatures, WasmModuleResources,
};

use crate::blocks::{Costs, is_instruction};
use crate::error::{Place, PrepareError, check_size};
use crate::features;
use crate::limits::{Counts, PrepareLimits, frame_slots};

/// An operator that some execution may reach, and how many operands it takes and leaves.
#[derive(Debug)]
pub(crate) struct Op<'a> {
    pub(crate) operator: Operator<'a>,
    pub(crate) pops: u32,
    pub(crate) pushes: u32,
}

/// A decoded function. Operators that validation knows to be unreachable are gone; the last operator
/// is the function's `end`.
#[derive(Debug)]
pub(crate) struct Body<'a> {
    /// Index of the function.
    pub(crate) index: u32,
    pub(crate) ops: Vec<Op<'a>>,
    /// Parameters, then declared locals.
    pub(crate) locals: Vec<ValType>,
    pub(crate) params: usize,
    pub(crate) results: Vec<ValType>,
    /// What a frame costs (see [`frame_slots`]).
    pub(crate) slots: u32,
    /// Whether it calls anything, imports included.
    pub(crate) calls: bool,
    /// What it counts for in [`PrepareLimits::complexity_max`].
    pub(crate) complexity: u64,
    /// What its operators cost; lowering replaces the costs of machine version 0.
    pub(crate) costs: Costs,
}

/// Validates and decodes one body.
pub(crate) fn decode<'a>(
    function: FuncToValidate<ValidatorResources>,
    body: &FunctionBody<'a>,
    limits: &PrepareLimits,
    allocations: &mut FuncValidatorAllocations,
) -> Result<Body<'a>, PrepareError> {
    let mut decoder = Decoder::new(function, limits, allocations);
    let decoded = decoder.run(body)?;
    *allocations = decoder.validator.into_allocations();
    Ok(decoded)
}

/// What a function adds to what is bounded over all functions together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    pub(crate) complexity: u64,
    pub(crate) instructions: usize,
}

/// Validates one body and keeps nothing of it. Of instructions it answers the least that it becomes.
pub(crate) fn weigh(
    function: FuncToValidate<ValidatorResources>,
    body: &FunctionBody<'_>,
    limits: &PrepareLimits,
    allocations: &mut FuncValidatorAllocations,
) -> Result<Weight, PrepareError> {
    let mut decoder = Decoder::new(function, limits, allocations);
    let mut instructions = 0;
    decoder.read(body, |operator, _| {
        instructions += usize::from(is_instruction(&operator));
    })?;
    let complexity = decoder.complexity();
    *allocations = decoder.validator.into_allocations();
    Ok(Weight {
        complexity,
        instructions,
    })
}

struct Decoder<'l> {
    validator: FuncValidator<ValidatorResources>,
    features: WasmFeatures,
    index: u32,
    limits: &'l PrepareLimits,
    operands_max: u32,
    branch_targets: u32,
    counts: Counts,
    /// How many blocks are open that began in dead code.
    dead_blocks: u32,
}

impl<'l> Decoder<'l> {
    fn new(
        function: FuncToValidate<ValidatorResources>,
        limits: &'l PrepareLimits,
        allocations: &mut FuncValidatorAllocations,
    ) -> Self {
        Self {
            index: function.index,
            features: function.features,
            validator: function.into_validator(std::mem::take(allocations)),
            limits,
            operands_max: 0,
            branch_targets: 0,
            counts: Counts::default(),
            dead_blocks: 0,
        }
    }

    fn run<'a>(&mut self, body: &FunctionBody<'a>) -> Result<Body<'a>, PrepareError> {
        let mut ops: Vec<Op<'a>> = Vec::new();
        self.read(body, |operator, (pops, pushes)| {
            ops.push(Op {
                operator,
                pops,
                pushes,
            });
        })?;
        let is_call = |op: &Op<'_>| {
            matches!(
                op.operator,
                Operator::Call { .. } | Operator::CallIndirect { .. }
            )
        };
        let calls = ops.iter().any(is_call);
        Ok(self.body(ops, calls))
    }

    /// Validates a body and gives out its live operators one by one, with what they pop and push. An operator is moved
    /// about as little as can be: of hostile modules there are tens of millions.
    fn read<'a>(
        &mut self,
        body: &FunctionBody<'a>,
        mut take: impl FnMut(Operator<'a>, (u32, u32)),
    ) -> Result<(), PrepareError> {
        let bytes = body.range().len() as u64;
        check_size(
            "bytes of one function",
            bytes,
            self.limits.function_bytes_max,
        )?;
        let mut reader = body.get_binary_reader();
        reader.set_features(self.features);
        self.validator
            .read_locals(&mut reader)
            .map_err(|error| self.refusal(&error))?;
        check_size(
            "locals of one function",
            self.validator.len_locals(),
            self.limits.locals_max,
        )?;
        let mut operators = wasmparser::OperatorsReader::new(reader);
        while !operators.eof() {
            let offset = operators.original_position();
            let operator = match operators.read() {
                Ok(operator) => operator,
                Err(error) => return Err(self.refusal(&error)),
            };
            if let Some(arity) = self.step(&operator, offset)? {
                take(operator, arity);
            }
        }
        operators.finish().map_err(|error| self.refusal(&error))
    }

    fn complexity(&self) -> u64 {
        self.counts.complexity(self.validator.len_locals())
    }

    /// Validates one operator; answers what it pops and pushes if it is live.
    fn step(
        &mut self,
        operator: &Operator<'_>,
        offset: usize,
    ) -> Result<Option<(u32, u32)>, PrepareError> {
        let place = Place {
            function: Some(self.index),
            offset,
        };
        features::check_operator(operator, place)?;
        self.count(operator)?;
        let arity = operator.operator_arity(&self.validator);
        let live = self.is_live(operator);
        self.validator
            .op(offset, operator)
            .map_err(|error| self.refusal(&error))?;
        self.operands_max = self.operands_max.max(self.validator.operand_stack_height());
        check_size(
            "nested blocks of one function",
            self.validator.control_stack_height(),
            self.limits.nesting_max,
        )?;
        let arity = arity.ok_or_else(|| PrepareError::Invalid {
            message: "an operator names what does not exist".to_owned(),
            place,
        })?;
        Ok(live.then_some(arity))
    }

    /// Counts what makes a function hard to compile.
    fn count(&mut self, operator: &Operator<'_>) -> Result<(), PrepareError> {
        let limits = self.limits;
        match operator {
            Operator::LocalGet { .. } | Operator::LocalSet { .. } | Operator::LocalTee { .. } => {
                self.counts.mentions += 1;
                return Ok(());
            }
            Operator::Loop { .. } => self.counts.loops += 1,
            Operator::Block { .. }
            | Operator::If { .. }
            | Operator::Br { .. }
            | Operator::BrIf { .. } => {}
            // Their charge becomes a branch.
            Operator::MemoryGrow { .. }
            | Operator::MemoryCopy { .. }
            | Operator::MemoryFill { .. }
            | Operator::MemoryInit { .. } => {}
            Operator::BrTable { targets } => {
                self.branch_targets = self.branch_targets.saturating_add(targets.len());
                let max = limits.branch_targets_max;
                check_size("br_table targets of one function", self.branch_targets, max)?;
            }
            _ => return Ok(()),
        }
        self.counts.branches += 1;
        check_size("loops of one function", self.counts.loops, limits.loops_max)?;
        check_size(
            "branches of one function",
            self.counts.branches,
            limits.branches_max,
        )
    }

    /// Whether an execution may reach the operator. Blocks opened in dead code are dead with all they hold;
    /// the `else` and `end` of a block that was opened live stay.
    fn is_live(&mut self, operator: &Operator<'_>) -> bool {
        let opens = matches!(
            operator,
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. }
        );
        let closes = matches!(operator, Operator::End);
        if self.dead_blocks > 0 {
            self.dead_blocks += u32::from(opens);
            self.dead_blocks -= u32::from(closes);
            return false;
        }
        let reachable = self
            .validator
            .get_control_frame(0)
            .is_some_and(|frame| !frame.unreachable);
        if !reachable && opens {
            self.dead_blocks = 1;
        }
        reachable || closes || matches!(operator, Operator::Else)
    }

    fn body<'a>(&self, ops: Vec<Op<'a>>, calls: bool) -> Body<'a> {
        let locals: Vec<ValType> = (0..self.validator.len_locals())
            .filter_map(|index| self.validator.get_local_type(index))
            .collect();
        let resources = self.validator.resources();
        let ty = resources
            .type_index_of_function(self.index)
            .and_then(|index| resources.sub_type_at(index))
            .expect("the validator has accepted a body for this function")
            .unwrap_func();
        let operators = u32::try_from(ops.len()).unwrap_or(u32::MAX);
        Body {
            complexity: self.complexity(),
            index: self.index,
            slots: frame_slots(self.validator.len_locals(), self.operands_max, operators),
            params: ty.params().len(),
            results: ty.results().to_vec(),
            costs: Costs::counted(&ops),
            ops,
            locals,
            calls,
        }
    }

    fn refusal(&self, error: &wasmparser::Error) -> PrepareError {
        features::refusal(error, Some(self.index))
    }
}
