//! What a miner asks the chain, behind a small trait so that tests answer in the chain's place.

use std::fmt;

use async_trait::async_trait;
use gio_evm::{
    Chain, ChainError, HubInfo, PayoutClaim, PostedPayouts, RevertReason, SendError, WalletEvent,
    WalletInfo, WalletState,
};
use gio_net::{Multiaddr, peer_of_addr};
use gio_protocol::{Address, B256, DealId, DealStage, Gio, UnixSeconds};
use thiserror::Error;

use crate::domain::trust::{Backing, HubFacts, WalletStanding};

/// The chain gave no answer.
#[derive(Debug, Error)]
pub enum ChainFailure {
    /// The connection or a contract.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A question about this miner's own account.
    #[error(transparent)]
    Account(#[from] Box<SendError>),
}

/// What a wallet has for this miner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Funds {
    /// The money behind its promises.
    pub backing: Backing,
    /// What this miner may pull now.
    pub approved: Gio,
    /// Block time (F5).
    pub time: UnixSeconds,
}

/// An approval and what else holds as of the same block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approval {
    /// What this miner may pull.
    pub amount: Gio,
    /// Nonces of this miner's account that mined transactions have used up.
    pub nonces_used: u64,
    /// The block's height.
    pub block: u64,
}

/// A transaction that was not seen to do what it was sent for. What became of it is for the chain to say.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct SendFailure(#[from] pub Box<SendError>);

/// Hears under which nonce something is about to be sent.
#[async_trait]
pub trait Notebook: Send + Sync {
    /// Whether it is written down: unless it is, nothing is sent under this nonce.
    async fn note(&self, nonce: u64) -> bool;
}

/// The questions of a miner with one account.
#[async_trait]
pub trait MarketChain: fmt::Debug + Send + Sync {
    /// What the chain knows of a wallet; `None` if it is no wallet of this market.
    async fn hub(&self, wallet: Address) -> Result<Option<HubFacts>, ChainFailure>;
    /// What a wallet has for this miner.
    async fn funds(&self, wallet: Address) -> Result<Funds, ChainFailure>;
    /// Where a deal stands.
    async fn deal_stage(&self, wallet: Address, deal: DealId) -> Result<DealStage, ChainFailure>;
    /// What this miner may pull from a wallet and how many of its nonces are used, both as of one block.
    async fn approval(&self, wallet: Address) -> Result<Approval, ChainFailure>;
    /// Everything a wallet approved to this miner after block `after` up to block `until`.
    async fn approved_between(
        &self,
        wallet: Address,
        after: u64,
        until: u64,
    ) -> Result<Gio, ChainFailure>;
    /// Pulls, under a nonce that is written down first. Returns the transaction that did it.
    async fn pull(
        &self,
        wallet: Address,
        amount: Gio,
        notebook: &dyn Notebook,
    ) -> Result<B256, SendFailure>;
    /// Whether the node knows a transaction of this miner under this nonce, mined or waiting.
    async fn is_taken(&self, nonce: u64) -> Result<bool, ChainFailure>;
    /// Sends a transaction that changes nothing and waits until it is mined: it uses up this miner's next nonce.
    async fn use_up_a_nonce(&self) -> Result<(), SendFailure>;
    /// What a wallet has posted in payouts, from a block on or since it was listed; each compared with what it keeps.
    async fn payouts_since(
        &self,
        wallet: Address,
        from: Option<u64>,
    ) -> Result<PostedPayouts, ChainFailure>;
    /// Whether a leaf of a payout was claimed, by whomever.
    async fn is_claimed(
        &self,
        wallet: Address,
        epoch: u32,
        index: u32,
    ) -> Result<bool, ChainFailure>;
    /// Has a leaf of a payout paid out. Returns the transaction that did it.
    async fn claim_payout(&self, wallet: Address, claim: &PayoutClaim)
    -> Result<B256, SendFailure>;
}

/// The real chain, with this miner's account.
#[derive(Clone, Debug)]
pub struct EvmChain {
    chain: Chain,
    account: Address,
}

impl EvmChain {
    /// Asks in the name of `account`.
    #[must_use]
    pub fn new(chain: Chain, account: Address) -> Self {
        Self { chain, account }
    }
}

#[async_trait]
impl MarketChain for EvmChain {
    async fn hub(&self, wallet: Address) -> Result<Option<HubFacts>, ChainFailure> {
        let listed = match self.chain.hub(wallet).await {
            Ok(listed) => listed,
            Err(ChainError::Reverted(RevertReason::WalletUnknown { .. })) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Only now: before, this address might be any contract.
        let figures = self.chain.wallet(wallet).await?;
        if figures.factory != self.chain.deployment().factory {
            return Ok(None);
        }
        let is_delinquent = self.chain.is_delinquent(wallet).await?;
        Ok(Some(facts_of(&listed, &figures, is_delinquent)))
    }

    async fn funds(&self, wallet: Address) -> Result<Funds, ChainFailure> {
        let approved = self.chain.allowance(wallet, self.account).await?;
        let figures = self.chain.wallet(wallet).await?;
        Ok(Funds {
            backing: backing_of(&figures),
            approved,
            time: figures.at.time,
        })
    }

    async fn deal_stage(&self, wallet: Address, deal: DealId) -> Result<DealStage, ChainFailure> {
        Ok(self.chain.deal(wallet, deal).await?.stage)
    }

    async fn approval(&self, wallet: Address) -> Result<Approval, ChainFailure> {
        let head = self.chain.head().await?;
        let amount = self.chain.allowance_at(head, wallet, self.account).await?;
        let used = self.chain.nonces_used_at(head).await;
        Ok(Approval {
            amount,
            nonces_used: used.map_err(Box::new)?,
            block: head.number,
        })
    }

    async fn approved_between(
        &self,
        wallet: Address,
        after: u64,
        until: u64,
    ) -> Result<Gio, ChainFailure> {
        if until <= after {
            return Ok(Gio::ZERO);
        }
        let events = self.chain.wallet_events(wallet, after + 1, until).await?;
        let approved = events.iter().filter_map(|log| match log.event {
            WalletEvent::PaymentApproved { miner, net, .. } if miner == self.account => Some(net),
            _ => None,
        });
        Ok(approved.fold(Gio::ZERO, |sum, net| {
            sum.plus(net).unwrap_or(Gio::from_units(u64::MAX))
        }))
    }

    async fn pull(
        &self,
        wallet: Address,
        amount: Gio,
        notebook: &dyn Notebook,
    ) -> Result<B256, SendFailure> {
        let note = |nonce| notebook.note(nonce);
        let sent = self.chain.pull_noted(wallet, amount, note).await;
        Ok(sent.map(|tx| tx.hash).map_err(Box::new)?)
    }

    async fn is_taken(&self, nonce: u64) -> Result<bool, ChainFailure> {
        let taken = self.chain.nonces_taken().await.map_err(Box::new)?;
        Ok(taken > nonce)
    }

    async fn use_up_a_nonce(&self) -> Result<(), SendFailure> {
        let sent = self.chain.send_gio(self.account, Gio::ZERO).await;
        Ok(sent.map(drop).map_err(Box::new)?)
    }

    async fn payouts_since(
        &self,
        wallet: Address,
        from: Option<u64>,
    ) -> Result<PostedPayouts, ChainFailure> {
        Ok(self.chain.payouts_since(wallet, from).await?)
    }

    async fn is_claimed(
        &self,
        wallet: Address,
        epoch: u32,
        index: u32,
    ) -> Result<bool, ChainFailure> {
        Ok(self.chain.is_claimed(wallet, epoch, index).await?)
    }

    async fn claim_payout(
        &self,
        wallet: Address,
        claim: &PayoutClaim,
    ) -> Result<B256, SendFailure> {
        let sent = self.chain.claim_payout(wallet, claim).await;
        Ok(sent.map(|tx| tx.hash).map_err(Box::new)?)
    }
}

fn facts_of(listed: &HubInfo, figures: &WalletInfo, is_delinquent: bool) -> HubFacts {
    let (endpoint, endpoint_peer) = endpoint_of(&listed.endpoint);
    HubFacts {
        owner: figures.owner,
        standing: standing_of(figures.state),
        stake: figures.stake,
        stake_due: figures.parameters.freeze_quota,
        backing: backing_of(figures),
        endpoint,
        endpoint_peer,
        is_delinquent,
    }
}

fn backing_of(figures: &WalletInfo) -> Backing {
    Backing {
        free: figures.free,
        escrow: figures.escrow,
    }
}

fn standing_of(state: WalletState) -> WalletStanding {
    match state {
        WalletState::Created => WalletStanding::Created,
        WalletState::Registered => WalletStanding::Registered,
        WalletState::Idle => WalletStanding::Idle,
        WalletState::Suspected => WalletStanding::Suspected,
        WalletState::Punished => WalletStanding::Punished,
    }
}

/// A record's endpoint: the place, and the peer if it names one. What is no multiaddress stays as it is: nobody
/// announces it, so it counts as different.
fn endpoint_of(record: &str) -> (String, Option<String>) {
    match record.parse::<Multiaddr>() {
        Ok(addr) => (
            place_of(&addr),
            peer_of_addr(&addr).map(|peer| peer.to_string()),
        ),
        Err(_) => (record.to_owned(), None),
    }
}

/// An address without the peer at its end.
#[must_use]
pub fn place_of(addr: &Multiaddr) -> String {
    let mut place = addr.clone();
    if peer_of_addr(addr).is_some() {
        place.pop();
    }
    place.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_place_and_a_peer() {
        let peer = "16Uiu2HAkuTXKrGvqLWFMvt5uSq8Rx72u2CmgaFCfUi8QeZmptMGt";
        let (place, found) = endpoint_of(&format!("/ip4/10.0.0.1/tcp/7701/p2p/{peer}"));
        assert_eq!(
            (place.as_str(), found.as_deref()),
            ("/ip4/10.0.0.1/tcp/7701", Some(peer))
        );
        assert_eq!(endpoint_of("/dns/hub.example/tcp/1").1, None);
        assert_eq!(endpoint_of("10.0.0.1:1"), ("10.0.0.1:1".to_owned(), None));
    }
}
