//! Cutting a script into operations.

use super::opcode::{OP_16, OP_PUSHDATA1, OP_PUSHDATA2, OP_PUSHDATA4};

/// A push reaches beyond the script's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TruncatedPush;

/// One operation, and the data if it is a push of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction<'a> {
    pub(crate) opcode: u8,
    pub(crate) data: &'a [u8],
}

impl Instruction<'_> {
    /// Whether it pushes data or a small number.
    pub(crate) const fn is_push(&self) -> bool {
        self.opcode <= OP_16
    }
}

/// Walks over a script's operations; ends after the first that is cut off.
#[derive(Clone, Debug)]
pub(crate) struct Instructions<'a> {
    rest: &'a [u8],
}

impl<'a> Instructions<'a> {
    pub(crate) const fn new(script: &'a [u8]) -> Self {
        Self { rest: script }
    }

    /// The bytes after the operations already seen.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn split(rest: &'a [u8]) -> Option<(Instruction<'a>, &'a [u8])> {
        let (opcode, rest) = rest.split_first()?;
        let (length, rest) = match *opcode {
            direct @ 1..OP_PUSHDATA1 => (usize::from(direct), rest),
            OP_PUSHDATA1 => {
                let (length, rest) = rest.split_first()?;
                (usize::from(*length), rest)
            }
            OP_PUSHDATA2 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_le_bytes(*length)), rest)
            }
            OP_PUSHDATA4 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::try_from(u32::from_le_bytes(*length)).ok()?, rest)
            }
            _ => (0, rest),
        };
        let (data, rest) = rest.split_at_checked(length)?;
        let opcode = *opcode;
        Some((Instruction { opcode, data }, rest))
    }
}

impl<'a> Iterator for Instructions<'a> {
    type Item = Result<Instruction<'a>, TruncatedPush>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((instruction, rest)) = Self::split(self.rest) else {
            self.rest = &[];
            return Some(Err(TruncatedPush));
        };
        self.rest = rest;
        Some(Ok(instruction))
    }
}
