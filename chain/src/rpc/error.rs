//! Errors as Bitcoin's tools know them: a number and a sentence.

use serde_json::{Value, json};

use crate::ledger::{LedgerGone, causes};

/// Why a call fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CallError {
    pub(super) code: i32,
    pub(super) message: String,
}

/// The request is no JSON.
pub(super) const PARSE: i32 = -32700;
/// The JSON is no request.
pub(super) const INVALID_REQUEST: i32 = -32600;
/// There is no such method.
pub(super) const NO_METHOD: i32 = -32601;
/// Something here failed.
pub(super) const INTERNAL: i32 = -32603;
/// A parameter has the wrong type.
pub(super) const WRONG_TYPE: i32 = -3;
/// No such block or transaction, or no such address.
pub(super) const NOT_FOUND: i32 = -5;
/// A parameter is out of range or unknown.
pub(super) const INVALID: i32 = -8;
/// The bytes are no transaction.
pub(super) const DECODE: i32 = -22;
/// The inputs are not there.
pub(super) const MISSING_INPUTS: i32 = -25;
/// The transaction is refused.
pub(super) const REJECTED: i32 = -26;
/// No such peer.
pub(super) const NOT_CONNECTED: i32 = -29;
/// A parameter is missing, or this network does not do that.
pub(super) const MISC: i32 = -1;

impl CallError {
    pub(super) fn new(code: i32, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({"code": self.code, "message": self.message})
    }

    /// Something here failed; the whole chain of causes is told, for the caller owns this machine.
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        Self::new(INTERNAL, causes(error))
    }
}

impl From<LedgerGone> for CallError {
    fn from(gone: LedgerGone) -> Self {
        Self::new(INTERNAL, gone.to_string())
    }
}
