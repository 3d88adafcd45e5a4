//! What a wallet has promised its miners epoch by epoch (R9), for those who look it up: hubs that were interrupted, and
//! miners.

use alloy::rpc::types::Filter;
use alloy::sol_types::SolEvent;
use gio_protocol::{Address, B256, Gio, U256};

use super::Chain;
use crate::bindings::HubWallet;
use crate::convert::{gio, wallet_log};
use crate::error::ChainError;
use crate::event::{WalletEvent, WalletLog};

/// A payout as its wallet announced it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostedPayout {
    /// Its number.
    pub epoch: u32,
    /// How many miners.
    pub count: u32,
    /// Net and lock.
    pub gross: Gio,
    /// What stays in the wallet until payday.
    pub lock: Gio,
    /// For all miners together.
    pub net: Gio,
    /// The tree's top node.
    pub top: B256,
    /// Content root of the leaf file.
    pub leaves_root: B256,
    /// The transaction.
    pub tx: B256,
}

impl PostedPayout {
    /// What is posted in a log; `None` if the log is about something else.
    #[must_use]
    pub fn of(log: &WalletLog) -> Option<Self> {
        match log.event {
            WalletEvent::PayoutPosted {
                epoch,
                count,
                gross,
                lock,
                net,
                top,
                leaves_root,
            } => Some(Self {
                epoch,
                count,
                gross,
                lock,
                net,
                top,
                leaves_root,
                tx: log.place.tx,
            }),
            _ => None,
        }
    }
}

/// A wallet's payouts up to a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostedPayouts {
    /// Oldest first.
    pub payouts: Vec<PostedPayout>,
    /// The last block that was looked at.
    pub until: u64,
}

impl Chain {
    /// Every payout of a wallet since it was listed, oldest first. Each was compared with what the wallet keeps of it, so
    /// that an RPC cannot make up the one without the other.
    ///
    /// # Errors
    /// [`ChainError`]; [`crate::RevertReason::WalletUnknown`] for anything no factory of this market made.
    pub async fn payouts(&self, wallet: Address) -> Result<Vec<PostedPayout>, ChainError> {
        Ok(self.payouts_since(wallet, None).await?.payouts)
    }

    /// The same from a block on, for whoever has looked before.
    ///
    /// # Errors
    /// As [`Self::payouts`].
    pub async fn payouts_since(
        &self,
        wallet: Address,
        from: Option<u64>,
    ) -> Result<PostedPayouts, ChainError> {
        let until = self.head().await?.number;
        let from = match from {
            Some(block) => block,
            None => {
                let listed_at = self.hub(wallet).await?.listed_at;
                // None now is none up to the head of before.
                if self.payout_count(wallet).await? == 0 {
                    let payouts = Vec::new();
                    return Ok(PostedPayouts { payouts, until });
                }
                self.first_block_since(listed_at).await?
            }
        };
        let filter = Filter::new()
            .address(wallet)
            .event_signature(HubWallet::PayoutPosted::SIGNATURE_HASH);
        let mut payouts = Vec::new();
        for log in self.logs(&filter, from..=until).await? {
            let log = wallet_log(&log, wallet, self.chain_id())?;
            let Some(payout) = PostedPayout::of(&log) else {
                continue;
            };
            let (root, _) = self.payout_kept(wallet, payout.epoch).await?;
            if root != crate::payout::root_of(payout.count, payout.top) {
                return Err(ChainError::Contradiction {
                    question: "payouts",
                    problem: format!("payout {} was posted with another root", payout.epoch),
                });
            }
            payouts.push(payout);
        }
        Ok(PostedPayouts { payouts, until })
    }

    /// How many payouts a wallet has posted, which is the number of the next.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn payout_count(&self, wallet: Address) -> Result<u32, ChainError> {
        self.ask(wallet, HubWallet::payoutCountCall {}).await
    }

    /// What a wallet keeps of a payout: the first 24 bytes of its root, zero if there is none, and what is not claimed.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn payout_kept(
        &self,
        wallet: Address,
        epoch: u32,
    ) -> Result<(B256, Gio), ChainError> {
        let kept = self.ask(wallet, HubWallet::payoutCall { epoch }).await?;
        let mut root = B256::ZERO;
        root[..kept.root.len()].copy_from_slice(kept.root.as_slice());
        let reserve = gio("reserve", U256::from(kept.reserve));
        Ok((root, reserve.map_err(|error| error.in_answer_to("payout"))?))
    }
}
