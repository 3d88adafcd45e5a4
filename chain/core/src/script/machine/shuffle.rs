//! Operations that move items without looking at them.

use super::{Machine, take};
use crate::script::ScriptError;
use crate::script::number::is_true;
use crate::script::opcode::{
    OP_2DROP, OP_2DUP, OP_2OVER, OP_2ROT, OP_2SWAP, OP_3DUP, OP_DEPTH, OP_DROP, OP_DUP,
    OP_FROMALTSTACK, OP_IFDUP, OP_NIP, OP_OVER, OP_PICK, OP_ROLL, OP_ROT, OP_SIZE, OP_SWAP,
    OP_TOALTSTACK, OP_TUCK,
};

impl Machine<'_, '_> {
    /// Executes the operation if it is one of these.
    pub(super) fn shuffle(&mut self, opcode: u8) -> Result<bool, ScriptError> {
        match opcode {
            OP_TOALTSTACK => {
                let item = self.stack.pop()?;
                self.alternative.push(item);
            }
            OP_FROMALTSTACK => {
                let item = self.alternative.pop()?;
                self.stack.push(item);
            }
            OP_DEPTH => {
                let depth = i64::try_from(self.stack.len()).expect("at most 1000 items");
                self.stack.push_number(depth);
            }
            OP_SIZE => {
                let length = i64::try_from(self.stack.peek(0)?.len()).expect("at most 520 bytes");
                self.stack.push_number(length);
            }
            OP_IFDUP => {
                let top = self.stack.peek(0)?;
                if is_true(top) {
                    let top = top.clone();
                    self.stack.push(top);
                }
            }
            OP_DROP => drop(self.stack.pop()?),
            OP_2DROP => drop(take::<2>(self.stack)?),
            OP_NIP => {
                let [_, top] = take(self.stack)?;
                self.stack.push(top);
            }
            OP_DUP => self.copy(1, 0)?,
            OP_2DUP => self.copy(2, 0)?,
            OP_3DUP => self.copy(3, 0)?,
            OP_OVER => self.copy(1, 1)?,
            OP_2OVER => self.copy(2, 2)?,
            OP_TUCK => {
                let [below, top] = take(self.stack)?;
                self.stack.0.extend([top.clone(), below, top]);
            }
            OP_SWAP => self.turn(2, 1)?,
            OP_ROT => self.turn(3, 1)?,
            OP_2SWAP => self.turn(4, 2)?,
            OP_2ROT => self.turn(6, 2)?,
            OP_PICK | OP_ROLL => self.pick(opcode == OP_ROLL)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Copies `count` items, of which the last is `depth` below the top.
    fn copy(&mut self, count: usize, depth: usize) -> Result<(), ScriptError> {
        let from = self.stack.place(depth + count - 1)?;
        self.stack.0.extend_from_within(from..from + count);
        Ok(())
    }

    /// Lifts the lowest `by` of the top `count` items to the top.
    fn turn(&mut self, count: usize, by: usize) -> Result<(), ScriptError> {
        let from = self.stack.place(count - 1)?;
        self.stack.0[from..].rotate_left(by);
        Ok(())
    }

    fn pick(&mut self, remove: bool) -> Result<(), ScriptError> {
        self.stack.need(2)?;
        let depth = self.stack.pop_number(self.environment.strictness)?;
        let depth = usize::try_from(depth).map_err(|_| ScriptError::MissingItem)?;
        let place = self.stack.place(depth)?;
        let item = if remove {
            self.stack.0.remove(place)
        } else {
            self.stack.0[place].clone()
        };
        self.stack.push(item);
        Ok(())
    }
}
