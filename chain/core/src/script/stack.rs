//! The items a script works on.

use super::number::{self, DEFAULT_BYTES, NumberError};
use super::{ScriptError, Strictness};

/// One item: bytes that operations read as they like.
pub(super) type Item = Vec<u8>;

/// Items, the top last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stack(pub(super) Vec<Item>);

impl Stack {
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, item: impl Into<Item>) {
        self.0.push(item.into());
    }

    pub(super) fn push_number(&mut self, value: i64) {
        self.0.push(number::encode(value));
    }

    pub(super) fn push_bool(&mut self, value: bool) {
        self.0.push(if value { vec![1] } else { Item::new() });
    }

    pub(super) fn pop(&mut self) -> Result<Item, ScriptError> {
        self.0.pop().ok_or(ScriptError::MissingItem)
    }

    /// Refuses unless there are `count` items.
    pub(super) fn need(&self, count: usize) -> Result<(), ScriptError> {
        if self.0.len() < count {
            return Err(ScriptError::MissingItem);
        }
        Ok(())
    }

    /// The item `depth` below the top.
    pub(super) fn peek(&self, depth: usize) -> Result<&Item, ScriptError> {
        let place = self.place(depth)?;
        Ok(&self.0[place])
    }

    /// Where the item `depth` below the top is.
    pub(super) fn place(&self, depth: usize) -> Result<usize, ScriptError> {
        let above = depth.checked_add(1).ok_or(ScriptError::MissingItem)?;
        self.0
            .len()
            .checked_sub(above)
            .ok_or(ScriptError::MissingItem)
    }

    pub(super) fn pop_number(&mut self, strictness: Strictness) -> Result<i64, ScriptError> {
        let value = self.peek_number(0, DEFAULT_BYTES, strictness)?;
        self.0.pop();
        Ok(value)
    }

    /// The number `depth` below the top, of at most `max` bytes.
    pub(super) fn peek_number(
        &self,
        depth: usize,
        max: usize,
        strictness: Strictness,
    ) -> Result<i64, ScriptError> {
        let minimal = strictness == Strictness::Relay;
        number::decode(self.peek(depth)?, max, minimal).map_err(|error| match error {
            NumberError::TooLong => ScriptError::NotANumber,
            NumberError::NotMinimal => ScriptError::NotMinimal,
        })
    }

    /// Whether the top item is true; an empty stack is not.
    pub(super) fn top_is_true(&self) -> bool {
        self.0.last().is_some_and(|item| number::is_true(item))
    }
}
