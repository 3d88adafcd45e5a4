//! Transactions of one account: simulated first, in nonce order, followed until they are mined.
//!
//! The one owner of the account's nonce. Whoever sends waits for the receipt; several may send at once.
//!
//! # Cancel safety
//! Dropping a send before it returned does not take it back: it may be mined or not, and nobody raises its fee any more.
//! Later transactions are not held up by it.

mod fees;
mod flight;
mod publish;

use std::collections::BTreeSet;
use std::fmt;
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Encodable2718;
use alloy::primitives::{Bytes, TxKind, U64, hex};
use alloy::rpc::types::{BlockNumberOrTag, TransactionReceipt, TransactionRequest};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use gio_protocol::{Address, B256, U256};
use tokio::time::sleep;

use self::fees::Fees;
use self::flight::Flight;
use self::publish::Published;
use crate::error::{ChainError, ConnectError, SendError};
use crate::rpc::{Refusal, Rpc};

/// Gas beyond the estimate: the state a transaction meets may cost more to change than the state it was simulated on.
const GAS_MARGIN_PERCENT: u64 = 25;
/// And for words that were being changed and are new instead: simulated in the second of the one before, a transfer
/// between two delegates changes the counts of that second; mined later it writes one for each, at 22,100 gas a new
/// word and 5,000 for its number (EIP-2929). What is not used is not paid for.
const GAS_MARGIN: u64 = 2 * (22_100 + 5_000);
/// Attempts to find a nonce nobody else uses. More conflicts than this mean that somebody else sends with this key.
const NONCE_ATTEMPTS_MAX: u32 = 5;
/// Pause between them, for a node behind a load balancer to catch up.
const NONCE_PAUSE: Duration = Duration::from_millis(200);

/// What shall be done: a call or a creation.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) to: TxKind,
    pub(crate) input: Bytes,
}

/// A transaction ready to be published.
#[derive(Clone, Debug)]
struct Signed {
    hash: B256,
    raw: String,
}

/// The sender of one account.
pub(crate) struct Sender {
    rpc: Rpc,
    chain_id: u64,
    signer: PrivateKeySigner,
    /// The turnstile: a nonce is given out and its transaction published before the next one's turn, so that no
    /// transaction waits for a nonce that was never sent. `None`: ask the chain. Held for one request and one note.
    next: tokio::sync::Mutex<Option<u64>>,
    /// Nonces somebody is following.
    in_flight: Mutex<BTreeSet<u64>>,
}

impl Sender {
    pub(crate) fn new(rpc: Rpc, chain_id: u64, key: [u8; 32]) -> Result<Self, ConnectError> {
        let signer =
            PrivateKeySigner::from_bytes(&B256::from(key)).map_err(|_| ConnectError::KeyInvalid)?;
        Ok(Self {
            rpc,
            chain_id,
            signer,
            next: tokio::sync::Mutex::new(None),
            in_flight: Mutex::new(BTreeSet::new()),
        })
    }

    pub(crate) fn account(&self) -> Address {
        self.signer.address()
    }

    /// Simulates, sends and follows. Nothing is spent on what the contract would reject.
    pub(crate) async fn send(&self, order: Order) -> Result<TransactionReceipt, SendError> {
        self.send_noted(order, |_| ready(true)).await
    }

    /// [`Self::send`], with the nonce told to `note` before each publication under it. If `note` does not say yes,
    /// nothing is published under that nonce.
    pub(crate) async fn send_noted<N, F>(
        &self,
        order: Order,
        note: N,
    ) -> Result<TransactionReceipt, SendError>
    where
        N: Fn(u64) -> F,
        F: Future<Output = bool>,
    {
        let (gas, fees, available) = tokio::try_join!(
            self.simulate(&order),
            Fees::ask(&self.rpc),
            self.gas_money(),
        )?;
        let needed = U256::from(gas).saturating_mul(U256::from(fees.max));
        if available < needed {
            return Err(self.gas_missing(needed, available));
        }
        let flight = self.launch(order, gas, fees, note).await?;
        self.land(flight).await
    }

    /// The gas limit to send with, found by running the order on top of everything already pending.
    async fn simulate(&self, order: &Order) -> Result<u64, SendError> {
        let gas: U64 = self
            .rpc
            .ask(
                "eth_estimateGas",
                (self.request(order), BlockNumberOrTag::Pending),
            )
            .await?;
        let gas: u64 = gas.to();
        let margin = gas / 100 * GAS_MARGIN_PERCENT + GAS_MARGIN;
        Ok(gas.saturating_add(margin))
    }

    async fn gas_money(&self) -> Result<U256, SendError> {
        Ok(self.rpc.gas_balance(self.account()).await?)
    }

    fn gas_missing(&self, needed: U256, available: U256) -> SendError {
        SendError::InsufficientGas {
            account: self.account(),
            needed,
            available,
        }
    }

    /// Gives the order a nonce and publishes it.
    async fn launch<N, F>(
        &self,
        order: Order,
        gas: u64,
        fees: Fees,
        note: N,
    ) -> Result<Flight<'_>, SendError>
    where
        N: Fn(u64) -> F,
        F: Future<Output = bool>,
    {
        let mut nonce = 0;
        for _ in 0..NONCE_ATTEMPTS_MAX {
            let mut next = self.next.lock().await;
            // Taken out until its fate is known: whoever fails or is cancelled here leaves `None` behind.
            nonce = match next.take() {
                Some(nonce) => nonce,
                None => self.count(BlockNumberOrTag::Pending).await?,
            };
            if !note(nonce).await {
                return Err(SendError::Withheld { nonce });
            }
            let mut flight = Flight::new(self, order.clone(), nonce, gas, fees);
            gio_failpoint::fail_point!("evm.signed");
            let published = self.publish(flight.signed()).await;
            gio_failpoint::fail_point!("evm.published");
            match published {
                Published::Taken => {
                    *next = Some(nonce + 1);
                    tracing::debug!(tx = %flight.signed().hash, nonce, "transaction sent");
                    return Ok(flight);
                }
                // The nonce is spent: if nothing arrived, following the flight publishes it again.
                Published::Unknown => {
                    *next = Some(nonce + 1);
                    flight.is_doubtful = true;
                    return Ok(flight);
                }
                Published::Refused { refusal, message } => match refusal {
                    Refusal::NonceUsed | Refusal::NonceTaken => {
                        tracing::warn!(nonce, message, "nonce out of step with the chain");
                    }
                    _ => return Err(self.refused(refusal, message, gas, fees).await),
                },
            }
            drop(next);
            sleep(NONCE_PAUSE).await;
        }
        Err(SendError::NonceConflict {
            account: self.account(),
            nonce,
        })
    }

    /// Why a node does not want a transaction whose nonce is in order.
    async fn refused(&self, refusal: Refusal, message: String, gas: u64, fees: Fees) -> SendError {
        if refusal == Refusal::FundsMissing {
            let available = self.gas_money().await;
            let needed = U256::from(gas).saturating_mul(U256::from(fees.max));
            return self.gas_missing(needed, available.unwrap_or_default());
        }
        match self.rpc.chain_id().await {
            Ok(found) if found != self.chain_id => SendError::WrongChain {
                expected: self.chain_id,
                found,
            },
            _ => SendError::Rejected { message },
        }
    }

    pub(crate) async fn count(&self, at: BlockNumberOrTag) -> Result<u64, ChainError> {
        let count: U64 = self
            .rpc
            .ask("eth_getTransactionCount", (self.account(), at))
            .await?;
        Ok(count.to())
    }

    fn request(&self, order: &Order) -> TransactionRequest {
        TransactionRequest {
            from: Some(self.account()),
            to: Some(order.to),
            input: order.input.clone().into(),
            ..TransactionRequest::default()
        }
    }

    /// Signs for the deployment's chain, whatever the RPC says its chain is.
    fn sign(&self, order: &Order, nonce: u64, gas: u64, fees: Fees) -> Signed {
        let tx = TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit: gas,
            max_fee_per_gas: fees.max,
            max_priority_fee_per_gas: fees.tip,
            to: order.to,
            input: order.input.clone(),
            ..TxEip1559::default()
        };
        let signature = self
            .signer
            .sign_hash_sync(&tx.signature_hash())
            .expect("a valid key signs every hash");
        let envelope = TxEnvelope::from(tx.into_signed(signature));
        Signed {
            hash: *envelope.tx_hash(),
            raw: hex::encode_prefixed(envelope.encoded_2718()),
        }
    }

    fn followed(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        // A panic elsewhere leaves a set of numbers, which is never half-written.
        self.in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({}, [redacted])", self.account())
    }
}
