//! Why a question to the chain, a transaction or a connection failed, and whether trying again may help.

use std::fmt;
use std::time::Duration;

use alloy::transports::TransportError;
use gio_protocol::{Address, B256, U256};
use thiserror::Error;

use crate::revert::RevertReason;

/// A question to the chain without an answer.
#[derive(Debug, Error)]
pub enum ChainError {
    /// No answer came back, after several attempts.
    #[error("the RPC does not answer `{method}`")]
    Unreachable {
        /// What was asked.
        method: &'static str,
        /// Why the last attempt failed.
        #[source]
        source: TransportError,
    },
    /// The answer took too long.
    #[error("the RPC did not answer `{method}` within {} s", after.as_secs_f32())]
    Timeout {
        /// What was asked.
        method: &'static str,
        /// How long we waited.
        after: Duration,
    },
    /// The node asks us to slow down, or lags behind what it told us before.
    #[error("the RPC is busy or behind: {message} (`{method}`)")]
    Busy {
        /// What was asked.
        method: &'static str,
        /// The node's words.
        message: String,
    },
    /// The node does not answer this question.
    #[error("the RPC refused `{method}`: {message} (code {code})")]
    Refused {
        /// What was asked.
        method: &'static str,
        /// The node's error code.
        code: i64,
        /// The node's words.
        message: String,
    },
    /// The contract rejected the question.
    #[error("the contract rejected the call: {0}")]
    Reverted(RevertReason),
    /// The market's addresses do not name the contract this needs.
    #[error("the deployment names no {contract}")]
    NotDeployed {
        /// Its name.
        contract: &'static str,
    },
    /// The answer cannot be read as what was asked for.
    #[error("the answer to `{question}` cannot be read: {problem}")]
    Unreadable {
        /// What was asked.
        question: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The answer contradicts itself or what was asked: a broken or a lying RPC.
    #[error("the answer to `{question}` contradicts itself: {problem}")]
    Contradiction {
        /// What was asked.
        question: &'static str,
        /// What does not fit.
        problem: String,
    },
}

impl ChainError {
    /// Whether asking again later may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Busy { .. } => true,
            Self::Refused { .. }
            | Self::Reverted(_)
            | Self::NotDeployed { .. }
            | Self::Unreadable { .. }
            | Self::Contradiction { .. } => false,
        }
    }

    pub(crate) fn unreadable(
        question: &'static str,
        problem: &(impl fmt::Display + ?Sized),
    ) -> Self {
        Self::Unreadable {
            question,
            problem: problem.to_string(),
        }
    }
}

/// A transaction that did not do what was asked.
#[derive(Debug, Error)]
pub enum SendError {
    /// The contract would reject it. Found by simulating: nothing was sent, nothing was spent.
    #[error("the contract rejects the transaction: {0}")]
    Reverted(RevertReason),
    /// The contract rejected it although the simulation passed: somebody else's transaction came first. Gas was spent.
    #[error("the contract rejected transaction {tx}: {reason}")]
    RevertedOnChain {
        /// Why.
        reason: RevertReason,
        /// The mined transaction.
        tx: B256,
    },
    /// The RPC failed before anything was sent.
    #[error(transparent)]
    Rpc(ChainError),
    /// This connection has no key.
    #[error("this connection has no key to sign transactions with")]
    KeyMissing,
    /// The account cannot pay the gas.
    #[error("{account} holds {available} wei and needs up to {needed} wei for gas")]
    InsufficientGas {
        /// The account.
        account: Address,
        /// What it would need at the fee asked for.
        needed: U256,
        /// What it holds.
        available: U256,
    },
    /// The RPC asks for a fee no transaction of ours is worth.
    #[error("the RPC asks for {asked} wei per gas, our limit is {limit}")]
    FeeTooHigh {
        /// What it asks for.
        asked: u128,
        /// Our limit.
        limit: u128,
    },
    /// Another transaction of this key took the nonce; ours will never be mined. Is the key used elsewhere?
    #[error(
        "nonce {nonce} of {account} was used by another transaction; is the key in use elsewhere?"
    )]
    NonceConflict {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: u64,
    },
    /// The caller did not note the nonce, and so nothing was sent under it.
    #[error("nothing was sent under nonce {nonce}, which could not be written down first")]
    Withheld {
        /// The nonce.
        nonce: u64,
    },
    /// Sent, and not mined by the deadline. It may still be mined: wait on with [`crate::Chain::await_tx`], or look at
    /// the chain before sending the same again.
    #[error("transaction {tx} was sent but not mined within {} s", waited.as_secs())]
    Unresolved {
        /// The last transaction sent for this nonce.
        tx: B256,
        /// How long we waited.
        waited: Duration,
    },
    /// The RPC serves another chain than the one everything is signed for.
    #[error("the RPC serves chain {found}, the deployment is on chain {expected}")]
    WrongChain {
        /// The deployment's.
        expected: u64,
        /// The RPC's.
        found: u64,
    },
    /// The node does not take the transaction, for a reason of its own.
    #[error("the RPC did not take the transaction: {message}")]
    Rejected {
        /// The node's words.
        message: String,
    },
}

impl SendError {
    /// Whether the same call may succeed later without anyone changing anything.
    ///
    /// For [`SendError::Unresolved`] the caller must first find out what became of it.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Rpc(error) => error.is_transient(),
            Self::NonceConflict { .. }
            | Self::Withheld { .. }
            | Self::Unresolved { .. }
            | Self::FeeTooHigh { .. } => true,
            Self::Reverted(_)
            | Self::RevertedOnChain { .. }
            | Self::KeyMissing
            | Self::InsufficientGas { .. }
            | Self::WrongChain { .. }
            | Self::Rejected { .. } => false,
        }
    }

    /// Why the contract said no, whether it was asked or told.
    #[must_use]
    pub fn revert(&self) -> Option<&RevertReason> {
        match self {
            Self::Reverted(reason) | Self::RevertedOnChain { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// A transaction that may still be mined although this error was returned.
    #[must_use]
    pub fn unresolved_tx(&self) -> Option<B256> {
        match self {
            Self::Unresolved { tx, .. } => Some(*tx),
            _ => None,
        }
    }
}

impl From<ChainError> for SendError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Reverted(reason) => Self::Reverted(reason),
            other => Self::Rpc(other),
        }
    }
}

/// A connection that must not be used.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Not an HTTP address.
    #[error("`{0}` is not the address of an RPC (http:// or https://)")]
    UrlInvalid(String),
    /// The 32 bytes are no key.
    #[error("the key is not a secp256k1 secret key")]
    KeyInvalid,
    /// The RPC fails.
    #[error(transparent)]
    Rpc(#[from] ChainError),
    /// The RPC serves another chain.
    #[error("the RPC serves chain {found}, the deployment is on chain {expected}")]
    WrongChain {
        /// The deployment's.
        expected: u64,
        /// The RPC's.
        found: u64,
    },
    /// There is no contract at this address.
    #[error("there is no contract at {address}, where the deployment says {contract} is")]
    CodeMissing {
        /// The contract's name.
        contract: &'static str,
        /// Where it should be.
        address: Address,
    },
    /// The contracts do not belong together.
    #[error("{contract} at {address} does not belong to this deployment: {problem}")]
    Mismatch {
        /// The contract's name.
        contract: &'static str,
        /// Where it is.
        address: Address,
        /// What does not fit.
        problem: String,
    },
}

impl ConnectError {
    /// Whether connecting again later may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Rpc(error) if error.is_transient())
    }
}
