//! Running a script: branches, pushes and limits. The operations are in the files below.

mod arithmetic;
mod checks;
mod shuffle;

pub(super) use checks::check_schnorr;

use super::opcode::{
    OP_0, OP_1, OP_1NEGATE, OP_16, OP_CHECKLOCKTIMEVERIFY, OP_CHECKSEQUENCEVERIFY,
    OP_CODESEPARATOR, OP_ELSE, OP_ENDIF, OP_IF, OP_NOP, OP_NOP1, OP_NOP4, OP_NOP10, OP_NOTIF,
    OP_PUSHDATA1, OP_PUSHDATA2, OP_RETURN, OP_VERIFY, is_disabled,
};
use super::parse::Instruction;
use super::sighash::SignatureHashes;
use super::stack::{Item, Stack};
use super::{Instructions, MAX_SCRIPT_BYTES, ScriptError, SigVersion, Strictness};

/// Longest item that a script may push or a witness may hold.
pub(super) const MAX_ITEM_BYTES: usize = 520;
/// Most items on both stacks.
pub(super) const MAX_STACK_ITEMS: usize = 1000;
/// Most operations other than pushes, outside tapscript.
const MAX_OPERATIONS: usize = 201;

/// What the operations of one input's scripts look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Environment<'a> {
    pub(super) hashes: &'a SignatureHashes<'a>,
    pub(super) input: usize,
    pub(super) strictness: Strictness,
}

/// What only tapscript keeps track of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf<'a> {
    pub(super) hash: [u8; 32],
    pub(super) annex: Option<&'a [u8]>,
    /// What is left of the signatures the witness pays for by its size.
    pub(super) budget: i64,
}

/// Open branches. Only their number and the lowest that is not taken matter, so that a
/// script of nested conditions costs no more than any other.
#[derive(Clone, Copy, Debug, Default)]
struct Branches {
    open: usize,
    first_skipped: Option<usize>,
}

impl Branches {
    const fn taken(self) -> bool {
        self.first_skipped.is_none()
    }

    const fn enter(&mut self, taken: bool) {
        if !taken && self.first_skipped.is_none() {
            self.first_skipped = Some(self.open);
        }
        self.open += 1;
    }

    fn turn(&mut self) -> Result<(), ScriptError> {
        let top = self.top()?;
        self.first_skipped = match self.first_skipped {
            None => Some(top),
            Some(first) if first == top => None,
            outer => outer,
        };
        Ok(())
    }

    fn leave(&mut self) -> Result<(), ScriptError> {
        let top = self.top()?;
        if self.first_skipped == Some(top) {
            self.first_skipped = None;
        }
        self.open = top;
        Ok(())
    }

    fn top(self) -> Result<usize, ScriptError> {
        self.open
            .checked_sub(1)
            .ok_or(ScriptError::UnbalancedBranches)
    }
}

struct Machine<'a, 's> {
    environment: Environment<'a>,
    version: SigVersion,
    script: &'a [u8],
    stack: &'s mut Stack,
    alternative: Stack,
    branches: Branches,
    operations: usize,
    /// Where the script that signatures sign begins: after the last separator.
    code_start: usize,
    /// The instruction number of the last separator, as tapscript signs it.
    separator: u32,
    leaf: Option<Leaf<'a>>,
}

/// Runs a script on a stack. `leaf` is there exactly for tapscript.
pub(super) fn run<'a>(
    script: &'a [u8],
    stack: &mut Stack,
    version: SigVersion,
    environment: Environment<'a>,
    leaf: Option<Leaf<'a>>,
) -> Result<(), ScriptError> {
    if version != SigVersion::Tapscript && script.len() > MAX_SCRIPT_BYTES {
        return Err(ScriptError::ScriptTooLong);
    }
    let machine = Machine {
        environment,
        version,
        script,
        stack,
        alternative: Stack::default(),
        branches: Branches::default(),
        operations: 0,
        code_start: 0,
        separator: u32::MAX,
        leaf,
    };
    machine.run()
}

impl Machine<'_, '_> {
    fn run(mut self) -> Result<(), ScriptError> {
        let mut instructions = Instructions::new(self.script);
        let mut number = 0;
        while let Some(instruction) = instructions.next() {
            let instruction = instruction.map_err(|_| ScriptError::BadOperation)?;
            let after = self.script.len() - instructions.rest().len();
            self.check_limits(instruction)?;
            if self.branches.taken() && instruction.opcode <= super::opcode::OP_PUSHDATA4 {
                self.push_data(instruction)?;
            } else if self.branches.taken() || (OP_IF..=OP_ENDIF).contains(&instruction.opcode) {
                if instruction.opcode == OP_CODESEPARATOR {
                    self.code_start = after;
                    self.separator = number;
                } else {
                    self.execute(instruction.opcode)?;
                }
            }
            if self.stack.len() + self.alternative.len() > MAX_STACK_ITEMS {
                return Err(ScriptError::StackTooDeep);
            }
            number += 1;
        }
        if self.branches.open > 0 {
            return Err(ScriptError::UnbalancedBranches);
        }
        Ok(())
    }

    /// What holds even where an operation is not executed.
    fn check_limits(&mut self, instruction: Instruction<'_>) -> Result<(), ScriptError> {
        if instruction.data.len() > MAX_ITEM_BYTES {
            return Err(ScriptError::ItemTooLong);
        }
        if self.version != SigVersion::Tapscript && instruction.opcode > OP_16 {
            self.count_operations(1)?;
        }
        if is_disabled(instruction.opcode) {
            return Err(ScriptError::DisabledOperation);
        }
        let separates = instruction.opcode == OP_CODESEPARATOR;
        if separates && self.version == SigVersion::Legacy && self.is_relay() {
            return Err(ScriptError::ScriptCodeNotConstant);
        }
        Ok(())
    }

    fn count_operations(&mut self, count: usize) -> Result<(), ScriptError> {
        self.operations += count;
        if self.operations > MAX_OPERATIONS {
            return Err(ScriptError::TooManyOperations);
        }
        Ok(())
    }

    fn is_relay(&self) -> bool {
        self.environment.strictness == Strictness::Relay
    }

    fn push_data(&mut self, instruction: Instruction<'_>) -> Result<(), ScriptError> {
        if self.is_relay() && !is_minimal_push(instruction) {
            return Err(ScriptError::NotMinimal);
        }
        self.stack.push(instruction.data);
        Ok(())
    }

    fn execute(&mut self, opcode: u8) -> Result<(), ScriptError> {
        match opcode {
            OP_1NEGATE => self.stack.push_number(-1),
            OP_1..=OP_16 => self.stack.push_number(i64::from(opcode - OP_1 + 1)),
            OP_NOP => {}
            OP_IF | OP_NOTIF => self.enter_branch(opcode == OP_IF)?,
            OP_ELSE => self.branches.turn()?,
            OP_ENDIF => self.branches.leave()?,
            OP_VERIFY => self.verify()?,
            OP_RETURN => return Err(ScriptError::EarlyReturn),
            OP_CHECKLOCKTIMEVERIFY => self.check_lock_time()?,
            OP_CHECKSEQUENCEVERIFY => self.check_sequence()?,
            OP_NOP1 | OP_NOP4..=OP_NOP10 if self.is_relay() => {
                return Err(ScriptError::Upgradable);
            }
            OP_NOP1 | OP_NOP4..=OP_NOP10 => {}
            _ => {
                let done =
                    self.shuffle(opcode)? || self.calculate(opcode)? || self.check(opcode)?;
                if !done {
                    return Err(ScriptError::BadOperation);
                }
            }
        }
        Ok(())
    }

    /// Takes a true item off the stack or fails.
    fn verify(&mut self) -> Result<(), ScriptError> {
        if !self.stack.top_is_true() {
            self.stack.need(1)?;
            return Err(ScriptError::VerifyFailed);
        }
        self.stack.pop().map(drop)
    }

    fn enter_branch(&mut self, wanted: bool) -> Result<(), ScriptError> {
        let mut taken = false;
        if self.branches.taken() {
            let condition = self.stack.pop();
            let condition = condition.map_err(|_| ScriptError::UnbalancedBranches)?;
            let must_be_minimal = match self.version {
                SigVersion::Legacy => false,
                SigVersion::WitnessV0 => self.is_relay(),
                SigVersion::Tapscript => true,
            };
            if must_be_minimal && !matches!(condition.as_slice(), [] | [1]) {
                return Err(ScriptError::ConditionNotMinimal);
            }
            taken = super::number::is_true(&condition) == wanted;
        }
        self.branches.enter(taken);
        Ok(())
    }
}

/// Whether a push uses the shortest operation for its data.
fn is_minimal_push(instruction: Instruction<'_>) -> bool {
    let opcode = instruction.opcode;
    match instruction.data {
        [] => opcode == OP_0,
        // These have operations of their own.
        [1..=16 | 0x81] => false,
        data => match data.len() {
            length @ 0..=75 => usize::from(opcode) == length,
            76..=255 => opcode == OP_PUSHDATA1,
            256..=65535 => opcode == OP_PUSHDATA2,
            _ => true,
        },
    }
}

/// The top `N` items, the top last.
fn take<const N: usize>(stack: &mut Stack) -> Result<[Item; N], ScriptError> {
    stack.need(N)?;
    let items = stack.0.split_off(stack.0.len() - N);
    Ok(items.try_into().expect("exactly N items were split off"))
}
