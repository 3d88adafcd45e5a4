//! Handing a signed transaction to the node, and what its answers say about whether it has it.
//!
//! # Correctness
//! A transaction whose publication had no answer may be mined, whatever a later attempt is told: by then the node may be
//! full, or another one of a load balancer's may answer. So only a transaction that was answered every time can be
//! refused; every other is taken, or nobody knows.

use gio_protocol::B256;
use tokio::time::{sleep, timeout};

use super::{Sender, Signed};
use crate::error::ChainError;
use crate::rpc::{ATTEMPTS_MAX, PAUSE_FIRST, Refusal};

/// What became of a publication.
pub(super) enum Published {
    /// The node has it.
    Taken,
    /// No answer: the node may have it.
    Unknown,
    /// The node does not want it, and said so every time.
    Refused { refusal: Refusal, message: String },
}

impl Sender {
    /// Hands a signed transaction to the node, again while there is no answer.
    pub(super) async fn publish(&self, signed: &Signed) -> Published {
        let deadline = self.rpc.timing().request;
        let offered = timeout(deadline, self.offer(signed)).await;
        offered.unwrap_or(Published::Unknown)
    }

    async fn offer(&self, signed: &Signed) -> Published {
        let mut pause = PAUSE_FIRST;
        for attempt in 1..=ATTEMPTS_MAX {
            if attempt > 1 {
                sleep(pause).await;
                pause *= 2;
            }
            match self.offer_once(signed).await {
                Published::Unknown => {}
                // The attempts before may have brought it all the same.
                Published::Refused { .. } if attempt > 1 => return Published::Unknown,
                answered => return answered,
            }
        }
        Published::Unknown
    }

    /// One attempt, and what it alone says.
    async fn offer_once(&self, signed: &Signed) -> Published {
        let params = (signed.raw.clone(),);
        let sent: Result<B256, ChainError> =
            self.rpc.ask_once("eth_sendRawTransaction", params).await;
        let message = match sent {
            Ok(_) => return Published::Taken,
            Err(ChainError::Refused { message, .. }) => message,
            // Some nodes run a transaction before they take it.
            Err(ChainError::Reverted(reason)) => reason.to_string(),
            Err(error) => {
                tracing::warn!(tx = %signed.hash, %error, "a transaction may or may not have arrived");
                return Published::Unknown;
            }
        };
        let refusal = Refusal::of(&message);
        // "Nonce too low" is also what a node says about a transaction that it took earlier and that is mined.
        let taken = refusal == Refusal::Known
            || refusal == Refusal::NonceUsed && self.rpc.receipt(signed.hash).await.is_some();
        if taken {
            return Published::Taken;
        }
        Published::Refused { refusal, message }
    }
}
