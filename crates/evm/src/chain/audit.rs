//! Reading what an audit needs: the journal of a wallet, and the chain's own figures of the same block.

use std::collections::BTreeMap;

use alloy::rpc::types::{Filter, Log};
use alloy::sol_types::SolEvent;
use gio_protocol::{Address, B256, Gio, U256};

use super::Chain;
use crate::audit::{Audit, Books, Entry, Figures, Terms, Transfer, compare};
use crate::bindings::{GioToken, HubWallet};
use crate::convert::{OutOfRange, gio, place};
use crate::error::ChainError;
use crate::event::WalletEvent;
use crate::info::{BlockHead, DealInfo, WalletInfo};
use crate::payout::PayoutTree;

const QUESTION: &str = "the figures of an audit";

impl Chain {
    /// Rebuilds a wallet's books from events since `from_block`, or since the wallet was listed, and compares them with
    /// the chain at the newest block. `leaves` are leaf files by content root.
    ///
    /// # Errors
    /// [`ChainError`]; [`crate::RevertReason::WalletUnknown`] for anything no factory of this market made.
    pub async fn audit(
        &self,
        wallet: Address,
        leaves: &BTreeMap<B256, PayoutTree>,
        from_block: Option<u64>,
    ) -> Result<Audit, ChainError> {
        let from_block = match from_block {
            Some(block) => block,
            None => {
                self.first_block_since(self.hub(wallet).await?.listed_at)
                    .await?
            }
        };
        let at = self.head().await?;
        let info = self.wallet_at(wallet, at).await?;
        let terms = Terms {
            wallet,
            owner: info.owner,
            treasury: info.parameters.treasury,
            lock_percent: info.parameters.lock_percent,
            fee_per_mille: info.parameters.dao_fee_per_mille,
        };
        let journal = self.journal(wallet, from_block, at.number).await?;
        let books = Books::of(&terms, &journal);
        let figures = self.figures(wallet, info, &books).await?;
        let differences = compare(&books, &figures, leaves);
        Ok(Audit {
            at,
            from_block,
            terms,
            books,
            differences,
        })
    }

    /// What the wallet said and what the token moved of its money, in one order.
    async fn journal(&self, wallet: Address, from: u64, to: u64) -> Result<Vec<Entry>, ChainError> {
        let events = self.wallet_events(wallet, from, to).await?;
        let freezers = events.iter().filter_map(|log| match log.event {
            WalletEvent::Suspected { freezer, .. } => Some(freezer),
            _ => None,
        });
        let mut holders = vec![wallet];
        holders.extend(freezers.take(1));
        let mut found: BTreeMap<(u64, u64), Entry> = BTreeMap::new();
        for log in events {
            found.insert(
                (log.place.block, log.place.index),
                Entry::Said(Box::new(log)),
            );
        }
        let words: Vec<B256> = holders.iter().map(|holder| holder.into_word()).collect();
        let filter = || {
            let token = Filter::new().address(self.inner.deployment.token);
            token.event_signature(GioToken::Transfer::SIGNATURE_HASH)
        };
        for filter in [
            filter().topic1(words.clone()),
            filter().topic2(words.clone()),
        ] {
            for log in self.logs(&filter, from..=to).await? {
                let moved = transfer(&log)?;
                let at = (moved.place.block, moved.place.index);
                found.insert(at, Entry::Moved(moved));
            }
        }
        Ok(found.into_values().collect())
    }

    async fn figures(
        &self,
        wallet: Address,
        info: WalletInfo,
        books: &Books,
    ) -> Result<Figures, ChainError> {
        let at = info.at;
        let (freezer, payout_count) = tokio::try_join!(
            self.at(at, wallet, HubWallet::freezerCall {}),
            self.at(at, wallet, HubWallet::payoutCountCall {}),
        )?;
        let mut figures = Figures {
            info,
            frozen: Gio::ZERO,
            freezer: (freezer != Address::ZERO).then_some(freezer),
            payout_count,
            miners: Vec::new(),
            deals: Vec::new(),
            payouts: Vec::new(),
        };
        figures.frozen = match figures.freezer {
            Some(freezer) => self.balance_at(at, freezer).await?,
            None => Gio::ZERO,
        };
        for miner in books.miners.keys() {
            figures
                .miners
                .push(self.miner_at(at, wallet, *miner).await?);
        }
        for id in books.deals.keys() {
            let deal = self.at(at, wallet, HubWallet::dealCall { dealId: id.0 });
            let deal = DealInfo::try_from(deal.await?);
            figures.deals.push((*id, deal.map_err(unreadable)?));
        }
        for epoch in 0..payout_count {
            let stored = self.at(at, wallet, HubWallet::payoutCall { epoch }).await?;
            let mut root = B256::ZERO;
            root[..stored.root.len()].copy_from_slice(stored.root.as_slice());
            let reserve = gio("reserve", U256::from(stored.reserve)).map_err(unreadable)?;
            figures.payouts.push((root, reserve));
        }
        Ok(figures)
    }

    async fn balance_at(&self, at: BlockHead, account: Address) -> Result<Gio, ChainError> {
        let call = GioToken::balanceOfCall { account };
        let units = self.at(at, self.inner.deployment.token, call).await?;
        gio("balance", units).map_err(unreadable)
    }

    async fn miner_at(
        &self,
        at: BlockHead,
        wallet: Address,
        miner: Address,
    ) -> Result<(Address, Gio, Gio), ChainError> {
        let allowance = GioToken::allowanceCall {
            owner: wallet,
            spender: miner,
        };
        let (approved, allowance) = tokio::try_join!(
            self.at(at, wallet, HubWallet::approvedToCall { miner }),
            self.at(at, self.inner.deployment.token, allowance),
        )?;
        let approved = gio("approval", U256::from(approved)).map_err(unreadable)?;
        Ok((
            miner,
            approved,
            gio("allowance", allowance).map_err(unreadable)?,
        ))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: OutOfRange) -> ChainError {
    ChainError::unreadable(QUESTION, &error)
}

fn transfer(log: &Log) -> Result<Transfer, ChainError> {
    let unreadable = |problem: &str| ChainError::unreadable("transfers of the token", problem);
    let event = GioToken::Transfer::decode_raw_log(log.topics(), &log.data().data)
        .map_err(|error| unreadable(&error.to_string()))?;
    Ok(Transfer {
        place: place(log).ok_or_else(|| unreadable("a log without a place"))?,
        from: event.from,
        to: event.to,
        amount: gio("amount", event.value).map_err(|error| unreadable(&error.to_string()))?,
    })
}
