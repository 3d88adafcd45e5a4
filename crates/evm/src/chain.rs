//! One connection to one market on one chain.

mod apps;
mod audit;
mod deals;
mod events;
mod factory;
mod government;
mod miners;
mod payouts;
mod standing;
mod token;
mod wallet;

use std::sync::Arc;

use alloy::primitives::TxKind;
use alloy::rpc::types::{BlockId, BlockNumberOrTag, TransactionReceipt};
use alloy::sol_types::SolCall;
use gio_protocol::{Address, B256, Domain, U256, UnixSeconds};

use crate::bindings::{GioToken, HubFactory};
use crate::deployment::Deployment;
use crate::error::{ChainError, ConnectError, SendError};
use crate::info::{BlockHead, TxInfo};
use crate::rpc::{Poll, Rpc, Timing};
use crate::sender::{Order, Sender};

pub use payouts::{PostedPayout, PostedPayouts};

/// A connection: cheap to clone, shared by everything in a process that uses the same key.
///
/// The clones share one owner of the account's nonce; connect once per key.
#[derive(Clone, Debug)]
pub struct Chain {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    rpc: Rpc,
    deployment: Deployment,
    sender: Option<Sender>,
}

impl Chain {
    /// Connects and checks that this is the chain and these are the contracts of the deployment.
    /// Without a key, only questions can be asked.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(
        rpc_url: &str,
        deployment: Deployment,
        key: Option<[u8; 32]>,
    ) -> Result<Self, ConnectError> {
        Self::connect_with(rpc_url, deployment, key, Timing::default()).await
    }

    /// [`Self::connect`] with deadlines of the caller's.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect_with(
        rpc_url: &str,
        deployment: Deployment,
        key: Option<[u8; 32]>,
        timing: Timing,
    ) -> Result<Self, ConnectError> {
        let rpc = Rpc::new(rpc_url, timing)?;
        let found = rpc.chain_id().await?;
        if found != deployment.chain_id {
            return Err(ConnectError::WrongChain {
                expected: deployment.chain_id,
                found,
            });
        }
        check_code(&rpc, &deployment).await?;
        check_token(&rpc, &deployment).await?;
        check_factory(&rpc, &deployment).await?;
        let sender = key
            .map(|key| Sender::new(rpc.clone(), deployment.chain_id, key))
            .transpose()?;
        Ok(Self {
            inner: Arc::new(Inner {
                rpc,
                deployment,
                sender,
            }),
        })
    }

    /// The chain every signature and transaction is made for.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.inner.deployment.chain_id
    }

    /// Whose transactions this connection sends.
    #[must_use]
    pub fn account(&self) -> Option<Address> {
        self.inner.sender.as_ref().map(Sender::account)
    }

    /// Where the contracts are.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.inner.deployment
    }

    /// The newest block. On a chain without blocks, such as an idle development node, its time stands still.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn head(&self) -> Result<BlockHead, ChainError> {
        self.inner.rpc.block(BlockNumberOrTag::Latest).await
    }

    /// The time the next block would have, as far as the node says: that of its pending block, and the newest block's of a
    /// node without one. Deadlines are compared with it (F5).
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn next_time(&self) -> Result<UnixSeconds, ChainError> {
        let newest = self.head().await?.time;
        let pending = self.inner.rpc.pending_time().await?;
        Ok(pending.map_or(newest, |pending| pending.max(newest)))
    }

    /// The newest block with `confirmations` blocks after it; the first block while the chain is shorter.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn confirmed_head(&self, confirmations: u64) -> Result<BlockHead, ChainError> {
        let head = self.head().await?;
        if confirmations == 0 {
            return Ok(head);
        }
        self.block(head.number.saturating_sub(confirmations)).await
    }

    /// The block of a height as the chain has it now: whoever remembers another hash for it has seen a reorganisation.
    ///
    /// # Errors
    /// [`ChainError`]; transient while there is no such block.
    pub async fn block(&self, number: u64) -> Result<BlockHead, ChainError> {
        let block = self.inner.rpc.block(number.into()).await?;
        if block.number != number {
            return Err(ChainError::Contradiction {
                question: "eth_getBlockByNumber",
                problem: format!("block {} for block {number}", block.number),
            });
        }
        Ok(block)
    }

    /// What an account can pay for gas, in wei.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn gas_balance(&self, of: Address) -> Result<U256, ChainError> {
        self.inner.rpc.gas_balance(of).await
    }

    /// Waits for a transaction whose fate [`SendError::Unresolved`] left open, also one of an earlier process.
    ///
    /// # Errors
    /// [`SendError::Unresolved`] again, or [`SendError::RevertedOnChain`] without a reason, which nobody remembers.
    pub async fn await_tx(&self, tx: B256) -> Result<TxInfo, SendError> {
        let Some(receipt) = self.inner.rpc.await_receipt(tx).await else {
            return Err(SendError::Unresolved {
                tx,
                waited: self.inner.rpc.timing().receipt,
            });
        };
        if !receipt.status() {
            return Err(SendError::RevertedOnChain {
                reason: crate::RevertReason::Unexplained,
                tx,
            });
        }
        Ok(self.tx_info(&receipt))
    }

    /// A transaction that was mined and did what was asked, where the chain has it now; `None` if it is in no block of
    /// this chain, or reverted there. Unlike a receipt that was seen once, this notices a reorganisation.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn mined(&self, tx: B256) -> Result<Option<TxInfo>, ChainError> {
        let receipt = self.inner.rpc.receipt_or_error(tx).await?;
        let Some(receipt) = receipt.filter(TransactionReceipt::status) else {
            return Ok(None);
        };
        let info = self.tx_info(&receipt);
        // Nodes may keep receipts of blocks that they have replaced.
        let is_there = self.block(info.block).await?.hash == info.block_hash;
        Ok(is_there.then_some(info))
    }

    /// An address of the deployment that not every market has.
    fn deployed(
        &self,
        contract: &'static str,
        pick: impl Fn(&Deployment) -> Option<Address>,
    ) -> Result<Address, ChainError> {
        pick(&self.inner.deployment).ok_or(ChainError::NotDeployed { contract })
    }

    /// Asks a contract, at the newest block; the call is taken, so that several can be asked at once.
    async fn ask<C: SolCall>(&self, to: Address, call: C) -> Result<C::Return, ChainError> {
        self.inner.rpc.view(to, &call).await
    }

    /// Asks a contract as of a block, so that several answers fit together.
    async fn at<C: SolCall>(
        &self,
        at: BlockHead,
        to: Address,
        call: C,
    ) -> Result<C::Return, ChainError> {
        let block = BlockId::number(at.number);
        self.inner.rpc.view_at(block, to, &call).await
    }

    /// Waits until nothing this account sent before is under way, for commands that decide by a look at the chain what to
    /// send: one of before that is mined afterwards would do the same thing twice.
    ///
    /// # Errors
    /// [`SendError`]; transient while a transaction is still waiting.
    pub async fn await_own(&self) -> Result<(), SendError> {
        let sender = self.inner.sender.as_ref().ok_or(SendError::KeyMissing)?;
        let end = tokio::time::Instant::now() + self.inner.rpc.timing().receipt;
        let mut poll = Poll::default();
        loop {
            let mined = sender.count(BlockNumberOrTag::Latest).await?;
            if sender.count(BlockNumberOrTag::Pending).await? <= mined {
                return Ok(());
            }
            if tokio::time::Instant::now() >= end {
                let message = "earlier transactions of this account are not mined yet".to_owned();
                let method = "eth_getTransactionCount";
                return Err(ChainError::Busy { method, message }.into());
            }
            poll.pause().await;
        }
    }

    /// How many nonces of this account are used by mined transactions; the next transaction has this one or a higher one.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn nonces_used(&self) -> Result<u64, SendError> {
        let sender = self.inner.sender.as_ref().ok_or(SendError::KeyMissing)?;
        Ok(sender.count(BlockNumberOrTag::Latest).await?)
    }

    /// [`Self::nonces_used`] as of a block.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn nonces_used_at(&self, at: BlockHead) -> Result<u64, SendError> {
        let sender = self.inner.sender.as_ref().ok_or(SendError::KeyMissing)?;
        Ok(sender.count(at.number.into()).await?)
    }

    /// How many nonces of this account are used by transactions that are mined or that the node has waiting.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn nonces_taken(&self) -> Result<u64, SendError> {
        let sender = self.inner.sender.as_ref().ok_or(SendError::KeyMissing)?;
        Ok(sender.count(BlockNumberOrTag::Pending).await?)
    }

    /// The one way every call of ours that changes something goes.
    async fn send<C: SolCall>(&self, to: Address, call: &C) -> Result<TxInfo, SendError> {
        let receipt = self.send_raw(to, call).await?;
        Ok(self.tx_info(&receipt))
    }

    /// [`Self::send`] under a nonce that `note` hears of first, and that nothing is sent under unless it says yes.
    async fn send_noted<C, N, F>(&self, to: Address, call: &C, note: N) -> Result<TxInfo, SendError>
    where
        C: SolCall,
        N: Fn(u64) -> F,
        F: Future<Output = bool>,
    {
        let sender = self.inner.sender.as_ref().ok_or(SendError::KeyMissing)?;
        let order = Order {
            to: TxKind::Call(to),
            input: call.abi_encode().into(),
        };
        // Boxed: callers await this inside futures of their own.
        let receipt = Box::pin(sender.send_noted(order, note)).await?;
        Ok(self.tx_info(&receipt))
    }

    async fn send_raw<C: SolCall>(
        &self,
        to: Address,
        call: &C,
    ) -> Result<TransactionReceipt, SendError> {
        let sender = self.inner.sender.as_ref().ok_or(SendError::KeyMissing)?;
        let order = Order {
            to: TxKind::Call(to),
            input: call.abi_encode().into(),
        };
        // Boxed: callers await this inside futures of their own.
        Box::pin(sender.send(order)).await
    }

    fn tx_info(&self, receipt: &TransactionReceipt) -> TxInfo {
        TxInfo {
            hash: receipt.transaction_hash,
            block: receipt.block_number.unwrap_or_default(),
            block_hash: receipt.block_hash.unwrap_or_default(),
            gas_used: receipt.gas_used,
            events: self.events_of(receipt),
        }
    }
}

async fn check_code(rpc: &Rpc, deployment: &Deployment) -> Result<(), ConnectError> {
    for (contract, address) in [
        ("GioToken", deployment.token),
        ("HubFactory", deployment.factory),
        ("Whitelist", deployment.whitelist),
    ] {
        if rpc.code(address).await?.is_empty() {
            return Err(ConnectError::CodeMissing { contract, address });
        }
    }
    Ok(())
}

/// Permits are signed over a domain computed here; a token with another one is not ours.
async fn check_token(rpc: &Rpc, deployment: &Deployment) -> Result<(), ConnectError> {
    let found = rpc
        .view(deployment.token, &GioToken::DOMAIN_SEPARATORCall {})
        .await?;
    let expected = Domain::new(deployment.chain_id, deployment.token).separator();
    if found == expected {
        return Ok(());
    }
    Err(ConnectError::Mismatch {
        contract: "GioToken",
        address: deployment.token,
        problem: format!("its EIP-712 domain separator is {found}, not {expected}"),
    })
}

async fn check_factory(rpc: &Rpc, deployment: &Deployment) -> Result<(), ConnectError> {
    let found = rpc
        .view(deployment.factory, &HubFactory::parametersCall {})
        .await?;
    for (what, found, expected) in [
        ("token", found.token, deployment.token),
        ("whitelist", found.whitelist, deployment.whitelist),
    ] {
        if found != expected {
            return Err(ConnectError::Mismatch {
                contract: "HubFactory",
                address: deployment.factory,
                problem: format!("its {what} is {found}, not {expected}"),
            });
        }
    }
    Ok(())
}
