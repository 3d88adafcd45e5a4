//! What wallets said, page by page.

use std::ops::RangeInclusive;

use alloy::rpc::types::{Filter, Log, TransactionReceipt};
use gio_protocol::Address;

use super::Chain;
use crate::convert::wallet_log;
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
        let mut events = Vec::new();
        let mut from = from_block;
        let mut blocks = BLOCKS_MAX;
        while from <= to_block {
            let page = from..=to_block.min(from.saturating_add(blocks - 1));
            match self.page(wallet, page.clone()).await {
                Ok(logs) => {
                    events.extend(logs);
                    from = page.end().saturating_add(1);
                    if *page.end() == u64::MAX {
                        break;
                    }
                }
                // Nodes say in many ways that they would have to read or send too much; some as if they were busy.
                Err(ChainError::Refused { .. } | ChainError::Busy { .. })
                    if page.start() < page.end() =>
                {
                    blocks = (blocks / 2).max(1);
                    tracing::debug!(blocks, "asking for fewer blocks at once");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(events)
    }

    async fn page(
        &self,
        wallet: Address,
        blocks: RangeInclusive<u64>,
    ) -> Result<Vec<WalletLog>, ChainError> {
        let filter = Filter::new()
            .address(wallet)
            .from_block(*blocks.start())
            .to_block(*blocks.end());
        let logs: Vec<Log> = self.inner.rpc.ask(METHOD, (filter,)).await?;
        let events = logs
            .iter()
            .map(|log| wallet_log(log, wallet, self.chain_id()))
            .collect::<Result<Vec<_>, _>>()?;
        check_order(&events, &blocks)?;
        Ok(events)
    }

    /// The called wallet's events in a receipt. One that cannot be read is left out: the transaction did its work, and
    /// [`Self::wallet_events`] reports the trouble.
    pub(super) fn events_of(&self, receipt: &TransactionReceipt) -> Vec<WalletLog> {
        let deployment = self.inner.deployment;
        let Some(wallet) = receipt.to.filter(|to| {
            ![deployment.token, deployment.factory, deployment.whitelist].contains(to)
        }) else {
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
fn check_order(events: &[WalletLog], blocks: &RangeInclusive<u64>) -> Result<(), ChainError> {
    let place = |log: &WalletLog| (log.place.block, log.place.index);
    let stray = events.iter().find(|log| !blocks.contains(&log.place.block));
    let unordered = events
        .windows(2)
        .find(|pair| place(&pair[0]) >= place(&pair[1]));
    let problem = match (stray, unordered) {
        (Some(log), _) => format!("a log of block {} for {blocks:?}", log.place.block),
        (None, Some(pair)) => format!("log {:?} before {:?}", place(&pair[0]), place(&pair[1])),
        (None, None) => return Ok(()),
    };
    Err(ChainError::Contradiction {
        question: METHOD,
        problem,
    })
}
