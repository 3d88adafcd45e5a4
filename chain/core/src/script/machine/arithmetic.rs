//! Operations on numbers.

use super::Machine;
use crate::script::ScriptError;
use crate::script::opcode::{
    OP_0NOTEQUAL, OP_1ADD, OP_1SUB, OP_ABS, OP_ADD, OP_BOOLAND, OP_BOOLOR, OP_GREATERTHAN,
    OP_GREATERTHANOREQUAL, OP_LESSTHAN, OP_LESSTHANOREQUAL, OP_MAX, OP_MIN, OP_NEGATE, OP_NOT,
    OP_NUMEQUAL, OP_NUMEQUALVERIFY, OP_NUMNOTEQUAL, OP_SUB, OP_WITHIN,
};

impl Machine<'_, '_> {
    /// Executes the operation if it is one of these.
    pub(super) fn calculate(&mut self, opcode: u8) -> Result<bool, ScriptError> {
        match opcode {
            OP_1ADD | OP_1SUB | OP_NEGATE | OP_ABS | OP_NOT | OP_0NOTEQUAL => {
                let value = self.stack.pop_number(self.environment.strictness)?;
                self.stack.push_number(of_one(opcode, value));
            }
            OP_ADD | OP_SUB | OP_BOOLAND..=OP_MAX => {
                self.stack.need(2)?;
                // Both are read before either is removed, the lower first.
                let strictness = self.environment.strictness;
                let max = crate::script::number::DEFAULT_BYTES;
                let lower = self.stack.peek_number(1, max, strictness)?;
                let upper = self.stack.peek_number(0, max, strictness)?;
                self.stack.0.truncate(self.stack.len() - 2);
                self.stack.push_number(of_two(opcode, lower, upper));
                if opcode == OP_NUMEQUALVERIFY {
                    self.verify()?;
                }
            }
            OP_WITHIN => {
                self.stack.need(3)?;
                let strictness = self.environment.strictness;
                let above = self.stack.pop_number(strictness)?;
                let least = self.stack.pop_number(strictness)?;
                let value = self.stack.pop_number(strictness)?;
                self.stack.push_bool(least <= value && value < above);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn of_one(opcode: u8, value: i64) -> i64 {
    match opcode {
        OP_1ADD => value + 1,
        OP_1SUB => value - 1,
        OP_NEGATE => -value,
        OP_ABS => value.abs(),
        OP_NOT => i64::from(value == 0),
        _ => i64::from(value != 0),
    }
}

fn of_two(opcode: u8, lower: i64, upper: i64) -> i64 {
    match opcode {
        OP_ADD => lower + upper,
        OP_SUB => lower - upper,
        OP_BOOLAND => i64::from(lower != 0 && upper != 0),
        OP_BOOLOR => i64::from(lower != 0 || upper != 0),
        OP_NUMEQUAL | OP_NUMEQUALVERIFY => i64::from(lower == upper),
        OP_NUMNOTEQUAL => i64::from(lower != upper),
        OP_LESSTHAN => i64::from(lower < upper),
        OP_GREATERTHAN => i64::from(lower > upper),
        OP_LESSTHANOREQUAL => i64::from(lower <= upper),
        OP_GREATERTHANOREQUAL => i64::from(lower >= upper),
        OP_MIN => lower.min(upper),
        _ => lower.max(upper),
    }
}
