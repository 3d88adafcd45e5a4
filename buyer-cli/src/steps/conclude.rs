//! The end of a deal: confirming, settling, taking the cap back, and reading from the chain how the money went.

use std::collections::BTreeSet;
use std::time::Duration;

use gio_agent::UserError;
use gio_evm::{RevertReason, SendError, WalletEvent, WalletLog};
use gio_protocol::{Address, ClaimsFile, DealStage, Domain, Gio, Signature, confirmation_digest};
use tokio::time::{Instant, sleep, timeout};

use super::{Driver, unix_ms};
use crate::domain::next::{End, Step};
use crate::domain::receipt;
use crate::faults;
use crate::infra::hub::{HubClient, PayoutWord};
use crate::job::{Moment, Payout, Settlement};
use crate::results;

/// How long the hub has to settle after a confirmation before the buyer pays the gas itself.
const SETTLE_WAIT: Duration = Duration::from_secs(20);
/// How long to wait for the miners' pay after the settlement: only the receipt needs it.
const PAYOUT_WAIT: Duration = Duration::from_secs(15);
/// How long a node's events may lag behind its state.
const EVENTS_WAIT: Duration = Duration::from_secs(10);
/// Looking up one transaction that should be mined already.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Parts a miner is paid in, on average: more than a hub needs that pays whenever a miner's trust in it is used up.
const PARTS_MAX: usize = 64;
/// Looking up all of them: a receipt without these lines is a whole receipt.
const LOOKUPS_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks at the chain or the hub.
const PAUSE: Duration = Duration::from_millis(300);
/// When the contract says that it is too early: until the next attempt.
const EARLY_PAUSE: Duration = Duration::from_secs(2);

impl Driver<'_> {
    /// Tells the hub that it may settle; settles in its place if it cannot be told.
    pub(super) async fn confirm(&mut self) -> Result<(), UserError> {
        self.progress.stage("confirming");
        let signature = self.confirmation();
        let (id, root) = (self.dealt().deal.id, self.result_root());
        gio_failpoint::fail_point!("buyer.tells.confirmation");
        let told = match self.hub().await {
            Ok(hub) => hub
                .confirm(id, root, &signature)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.cause.to_string()),
        };
        if let Err(error) = told {
            tracing::debug!(%id, %error, "the hub did not take the confirmation");
            self.settle_in_the_hubs_place().await?;
        }
        self.advance(Step::Confirmed, Some(Moment::Confirmed))
    }

    async fn settle_in_the_hubs_place(&self) -> Result<(), UserError> {
        self.progress.stage("settling in the hub's place");
        let (signature, root) = (self.confirmation(), self.result_root());
        let terms = &self.dealt().deal.terms;
        let sent = self.chain.confirm(terms, root, signature.as_bytes());
        gio_failpoint::fail_point!("buyer.sends.confirmation");
        let sent = Box::pin(sent).await.map(drop);
        gio_failpoint::fail_point!("buyer.sent.confirmation");
        overtaken_is_fine(sent).await
    }

    fn confirmation(&self) -> Signature {
        let deal = &self.dealt().deal;
        let domain = Domain::new(deal.chain_id, deal.terms.wallet);
        let digest = confirmation_digest(&domain, deal.id.0, self.result_root());
        self.session.key().sign(digest)
    }

    fn result_root(&self) -> gio_protocol::B256 {
        let collected = self.dealt().collected.as_ref();
        collected
            .expect("a deal is confirmed only after its result was fetched")
            .result_root
    }

    /// Waits for the hub to settle, then settles in its place.
    pub(super) async fn await_settlement(&mut self) -> Result<(), UserError> {
        self.progress.stage("waiting for the settlement");
        let until = Instant::now() + SETTLE_WAIT;
        while Instant::now() < until {
            if self.look().await?.deal.stage != DealStage::Posted {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        self.settle_in_the_hubs_place().await
    }

    /// The window is over: anyone may settle.
    pub(super) async fn settle(&mut self) -> Result<(), UserError> {
        self.progress.stage("settling");
        let terms = &self.dealt().deal.terms;
        let sent = self.chain.settle(terms);
        gio_failpoint::fail_point!("buyer.sends.settlement");
        let sent = Box::pin(sent).await.map(drop);
        gio_failpoint::fail_point!("buyer.sent.settlement");
        overtaken_is_fine(sent).await
    }

    /// Nothing was delivered in time (F5).
    pub(super) async fn refund(&mut self) -> Result<(), UserError> {
        self.progress
            .stage("nothing was delivered in time: taking the cap back");
        let terms = &self.dealt().deal.terms;
        let sent = self.chain.refund(terms);
        gio_failpoint::fail_point!("buyer.sends.refund");
        let sent = Box::pin(sent).await.map(drop);
        gio_failpoint::fail_point!("buyer.sent.refund");
        overtaken_is_fine(sent).await
    }

    /// Writes down how it ended, with the chain's own figures, and the receipt.
    pub(super) async fn finish(&mut self, end: End) -> Result<(), UserError> {
        if end != End::Expired {
            self.note_events(end).await?;
        }
        if end == End::Settled {
            self.job.note(Moment::Settled, unix_ms());
            self.save()?;
            self.note_payouts().await?;
        }
        self.dealt_mut().end = Some(end);
        self.advance(Step::Ended, Some(Moment::Finished))?;
        results::write_receipt(self.session, &self.job)
    }

    /// Reads from the wallet's own events how the money went. A node may show a deal's state before its events, so
    /// they are waited for; if they never come, the rules say what the wallet paid.
    async fn note_events(&mut self, end: End) -> Result<(), UserError> {
        let until = Instant::now() + EVENTS_WAIT;
        loop {
            let logs = self.deal_events().await?;
            let dealt = self.dealt_mut();
            for log in &logs {
                let tx = Some(log.place.tx);
                match &log.event {
                    WalletEvent::DealOpened { .. } => dealt.transactions.opened = tx,
                    WalletEvent::ResultPosted { .. } => dealt.transactions.posted = tx,
                    event => dealt.settlement = settlement(event, log).or(dealt.settlement),
                }
            }
            if dealt.settlement.is_some() {
                return Ok(());
            }
            if Instant::now() >= until {
                dealt.settlement = receipt::settlement_by_rule(dealt, end);
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }

    /// Every event of this deal since it was signed.
    pub(super) async fn deal_events(&self) -> Result<Vec<WalletLog>, UserError> {
        let deal = &self.dealt().deal;
        let head = self.chain.head().await.map_err(faults::chain)?;
        let logs = self
            .chain
            .wallet_events(deal.terms.wallet, deal.signed_at_block, head.number);
        let mut logs = logs.await.map_err(faults::chain)?;
        logs.retain(|log| log.event.deal() == Some(deal.id));
        Ok(logs)
    }

    /// Waits a while for the miners' pay. A hub that is away or slow costs the receipt some lines, nothing else.
    async fn note_payouts(&mut self) -> Result<(), UserError> {
        let owners = results::claims(self.session, &self.job)?;
        let owners = owners.as_ref().map_or_else(Vec::new, claim_owners);
        let Ok(hub) = self.hub().await else {
            return Ok(());
        };
        self.progress.stage("waiting for the miners' pay");
        let words = self.payout_words(&hub, &owners).await;
        let until = Instant::now() + LOOKUPS_TIMEOUT;
        let mut payouts = Vec::new();
        for word in words_of(&owners, words) {
            let on_chain = Instant::now() < until && self.is_on_chain(&word).await;
            payouts.push(Payout {
                miner: word.miner,
                net: word.net,
                gross: word.gross,
                tx: word.tx,
                on_chain,
            });
        }
        self.dealt_mut().payouts = payouts;
        self.save()
    }

    async fn payout_words(&self, hub: &HubClient, owners: &[Address]) -> Vec<PayoutWord> {
        let until = Instant::now() + PAYOUT_WAIT;
        let mut words = Vec::new();
        loop {
            match hub.result(self.dealt().deal.id).await {
                Ok(result) => words = result.payouts,
                Err(error) => tracing::debug!(%error, "the hub does not say whom it paid"),
            }
            let is_paid = |owner: &Address| words.iter().any(|word| word.miner == *owner);
            if owners.iter().all(is_paid) || Instant::now() >= until {
                return words;
            }
            sleep(PAUSE).await;
        }
    }

    /// Whether the wallet's own event says that it approved this payout.
    async fn is_on_chain(&self, word: &PayoutWord) -> bool {
        let wallet = self.dealt().deal.terms.wallet;
        let Ok(Ok(tx)) = timeout(LOOKUP_TIMEOUT, self.chain.await_tx(word.tx)).await else {
            return false;
        };
        // One transaction may pay for several deals at once, so the approval is at least this deal's net.
        tx.events.iter().any(|log| {
            let paid = |to: &Address, net: &Gio| *to == word.miner && *net >= word.net;
            log.wallet == wallet
                && matches!(&log.event, WalletEvent::PaymentApproved { miner, net, .. } if paid(miner, net))
        })
    }
}

/// What the hub says of those with a claim, each transaction once.
fn words_of(owners: &[Address], words: Vec<PayoutWord>) -> Vec<PayoutWord> {
    let mut said = BTreeSet::new();
    words
        .into_iter()
        .filter(|word| owners.contains(&word.miner) && said.insert((word.miner, word.tx)))
        .take(PARTS_MAX * owners.len())
        .collect()
}

/// Everybody with a claim, once.
fn claim_owners(claims: &ClaimsFile) -> Vec<Address> {
    let mut owners: Vec<_> = claims
        .claims
        .iter()
        .flatten()
        .map(|s| s.claim.owner)
        .collect();
    owners.sort();
    owners.dedup();
    owners
}

fn settlement(event: &WalletEvent, log: &WalletLog) -> Option<Settlement> {
    let (payment, royalty, refund) = match event {
        WalletEvent::DealSettled {
            payment,
            royalty,
            refund,
            ..
        }
        | WalletEvent::DealCancelled {
            payment,
            royalty,
            refund,
            ..
        } => (*payment, *royalty, *refund),
        WalletEvent::DealRefunded { refund, .. } => (Gio::ZERO, Gio::ZERO, *refund),
        WalletEvent::DealRefuted {
            refund,
            compensation,
            ..
        } => {
            let all = refund.plus(*compensation).unwrap_or(*refund);
            (Gio::ZERO, Gio::ZERO, all)
        }
        _ => return None,
    };
    Some(Settlement {
        payment,
        royalty,
        refund,
        tx: Some(log.place.tx),
    })
}

/// Somebody else's transaction may have done it already, or the last block's time is short of the deadline: the next
/// look at the chain decides.
async fn overtaken_is_fine(sent: Result<(), SendError>) -> Result<(), UserError> {
    let Err(error) = sent else { return Ok(()) };
    match error.revert() {
        Some(RevertReason::DealStateMismatch { .. }) => Ok(()),
        Some(RevertReason::DeliverByNotPassed { .. } | RevertReason::WindowOpen { .. }) => {
            sleep(EARLY_PAUSE).await;
            Ok(())
        }
        _ => Err(faults::send(error)),
    }
}

#[cfg(test)]
mod tests {
    use gio_protocol::B256;

    use super::*;

    #[test]
    fn of_what_a_hub_says_of_payments_only_those_with_claims_count() {
        let (one, other) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let word = |miner, tx: usize| PayoutWord {
            miner,
            net: Gio::from_units(1),
            gross: Gio::from_units(2),
            tx: B256::left_padding_from(&tx.to_be_bytes()),
        };
        let said = vec![word(other, 1), word(one, 2), word(one, 2), word(one, 3)];
        let counted = words_of(&[one], said);
        let txs: Vec<_> = counted.iter().map(|word| word.tx).collect();
        assert_eq!(txs, [word(one, 2).tx, word(one, 3).tx]);
        let endless = (0..1_000).map(|tx| word(one, tx)).collect();
        assert_eq!(words_of(&[one], endless).len(), PARTS_MAX);
    }
}
