//! What contracts said, page by page.

use std::ops::RangeInclusive;

use alloy::rpc::types::{Filter, Log, TransactionReceipt};
use gio_protocol::{Address, UnixSeconds};

use super::Chain;
use crate::convert::{place, wallet_log};
use crate::error::ChainError;
use crate::event::WalletLog;

/// Blocks per question: public RPCs answer 500 to 10,000; where even this is refused, half of it is asked.
const BLOCKS_MAX: u64 = 2_000;
const METHOD: &str = "eth_getLogs";

impl Chain {
    /// Everything a wallet said in these blocks, both ends included, in order.
    ///
    /// Callers that follow a wallet remember the last block they asked for and its hash: if [`Chain::block`] gives
    /// another hash for it later, they ask again from below.
    ///
    /// # Errors
    /// [`ChainError`]. An answer outside the question is a [`ChainError::Contradiction`].
    pub async fn wallet_events(
        &self,
        wallet: Address,
        from_block: u64,
        to_block: u64,
    ) -> Result<Vec<WalletLog>, ChainError> {
        let filter = Filter::new().address(wallet);
        let logs = self.logs(&filter, from_block..=to_block).await?;
        let read = |log| wallet_log(log, wallet, self.chain_id());
        logs.iter().map(read).collect()
    }

    /// The first block whose time is not before `time`: events since a wallet was listed are asked from here on, because
    /// a deployment's addresses do not say at which height it was made. The head if none is that young.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn first_block_since(&self, time: UnixSeconds) -> Result<u64, ChainError> {
        let (mut low, mut high) = (0, self.head().await?.number);
        // Block times never fall, so halving finds it in about log2(height) questions.
        while low < high {
            let middle = low + (high - low) / 2;
            if self.block(middle).await?.time < time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// All logs of a filter in these blocks, in order.
    pub(super) async fn logs(
        &self,
        filter: &Filter,
        blocks: RangeInclusive<u64>,
    ) -> Result<Vec<Log>, ChainError> {
        let mut found = Vec::new();
        let mut from = *blocks.start();
        let mut count = BLOCKS_MAX;
        while from <= *blocks.end() {
            let page = from..=(*blocks.end()).min(from.saturating_add(count - 1));
            match self.page(filter, page.clone()).await {
                Ok(logs) => {
                    found.extend(logs);
                    from = page.end().saturating_add(1);
                    if *page.end() == u64::MAX {
                        break;
                    }
                }
                // Nodes say in many ways that they would have to read or send too much; some as if they were busy.
                Err(ChainError::Refused { .. } | ChainError::Busy { .. })
                    if page.start() < page.end() =>
                {
                    count = (count / 2).max(1);
                    tracing::debug!(blocks = count, "asking for fewer blocks at once");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn page(
        &self,
        filter: &Filter,
        blocks: RangeInclusive<u64>,
    ) -> Result<Vec<Log>, ChainError> {
        let filter = filter
            .clone()
            .from_block(*blocks.start())
            .to_block(*blocks.end());
        let logs: Vec<Log> = self.inner.rpc.ask(METHOD, (filter,)).await?;
        check_order(&logs, &blocks)?;
        Ok(logs)
    }

    /// The called wallet's events in a receipt. One that cannot be read is left out: the transaction did its work, and
    /// [`Self::wallet_events`] reports the trouble.
    pub(super) fn events_of(&self, receipt: &TransactionReceipt) -> Vec<WalletLog> {
        let is_wallet = |to: &Address| !self.inner.deployment.contracts().any(|other| other == *to);
        let Some(wallet) = receipt.to.filter(is_wallet) else {
            return Vec::new();
        };
        let logs = receipt.logs().iter().filter(|log| log.address() == wallet);
        logs.filter_map(|log| {
            wallet_log(log, wallet, self.chain_id())
                .inspect_err(
                    |error| tracing::warn!(%wallet, %error, "unreadable event in a receipt"),
                )
                .ok()
        })
        .collect()
    }
}

/// Inside the blocks asked for, and strictly in order: nothing twice.
fn check_order(logs: &[Log], blocks: &RangeInclusive<u64>) -> Result<(), ChainError> {
    let mut last = None;
    for log in logs {
        let Some(place) = place(log) else {
            let problem = "a log without block, transaction or index";
            return Err(ChainError::unreadable(METHOD, problem));
        };
        let at = (place.block, place.index);
        let problem = if !blocks.contains(&place.block) {
            format!("a log of block {} for {blocks:?}", place.block)
        } else if last.is_some_and(|last| last >= at) {
            format!("log {last:?} before {at:?}")
        } else {
            last = Some(at);
            continue;
        };
        return Err(ChainError::Contradiction {
            question: METHOD,
            problem,
        });
    }
    Ok(())
}
