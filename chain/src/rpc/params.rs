//! The parameters of a call, by position, with errors that name them.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::error::{CallError, INVALID, MISC, WRONG_TYPE};

/// The parameters of a call.
#[derive(Clone, Debug)]
pub(super) struct Params(pub(super) Vec<Value>);

impl Params {
    fn get(&self, at: usize) -> Option<&Value> {
        self.0.get(at).filter(|value| !value.is_null())
    }

    fn required(&self, at: usize, name: &str) -> Result<&Value, CallError> {
        let missing = || {
            CallError::new(
                MISC,
                format!("parameter {} ({name}) is missing; see `help`", at + 1),
            )
        };
        self.get(at).ok_or_else(missing)
    }

    /// A text.
    pub(super) fn text(&self, at: usize, name: &str) -> Result<&str, CallError> {
        let wrong = || CallError::new(WRONG_TYPE, format!("`{name}` must be a string"));
        self.required(at, name)?.as_str().ok_or_else(wrong)
    }

    /// A text that stands for something.
    pub(super) fn parsed<T: FromStr>(&self, at: usize, name: &str) -> Result<T, CallError>
    where
        T::Err: std::fmt::Display,
    {
        let wrong = |error: T::Err| CallError::new(INVALID, format!("`{name}`: {error}"));
        self.text(at, name)?.parse().map_err(wrong)
    }

    /// The one text in a list.
    pub(super) fn only<T: FromStr>(&self, at: usize, name: &str) -> Result<T, CallError>
    where
        T::Err: std::fmt::Display,
    {
        match self.required(at, name)?.as_array().map(Vec::as_slice) {
            Some([one]) => Self(vec![one.clone()]).parsed(0, name),
            _ => Err(CallError::new(
                INVALID,
                format!("`{name}` must be a list of one"),
            )),
        }
    }

    /// Hexadecimal digits.
    pub(super) fn hex(&self, at: usize, name: &str) -> Result<Vec<u8>, CallError> {
        let wrong = |error| CallError::new(super::error::DECODE, format!("`{name}`: {error}"));
        hex::decode(self.text(at, name)?).map_err(wrong)
    }

    /// A whole number.
    pub(super) fn number(&self, at: usize, name: &str) -> Result<u32, CallError> {
        let number = self.required(at, name)?.as_u64();
        let number = number.and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| CallError::new(WRONG_TYPE, format!("`{name}` must be a whole number")))
    }

    /// A level of detail: a number, or true and false for 1 and 0.
    pub(super) fn verbosity(&self, at: usize, default: u64) -> Result<u64, CallError> {
        match self.get(at) {
            None => Ok(default),
            Some(Value::Bool(yes)) => Ok(u64::from(*yes)),
            Some(Value::Number(number)) => Ok(number.as_u64().unwrap_or(default)),
            Some(_) => Err(CallError::new(
                WRONG_TYPE,
                "`verbosity` must be a number or a bool",
            )),
        }
    }

    /// An object; empty when it is left out.
    pub(super) fn object(&self, at: usize, name: &str) -> Result<Map<String, Value>, CallError> {
        match self.get(at) {
            None => Ok(Map::new()),
            Some(Value::Object(object)) => Ok(object.clone()),
            Some(_) => {
                let text = format!("`{name}` must be an object");
                Err(CallError::new(WRONG_TYPE, text))
            }
        }
    }

    /// Yes or no.
    pub(super) fn flag(&self, at: usize, name: &str) -> Result<bool, CallError> {
        let wrong = || CallError::new(WRONG_TYPE, format!("`{name}` must be true or false"));
        self.required(at, name)?.as_bool().ok_or_else(wrong)
    }

    /// Whether a parameter is given.
    pub(super) fn has(&self, at: usize) -> bool {
        self.get(at).is_some()
    }
}
