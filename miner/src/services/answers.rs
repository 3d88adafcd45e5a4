//! The hub's answers: a countersignature counts when it is the hub's over exactly this claim (R14), and when it is on disk.

use std::sync::Arc;

use gio_net::wire::{UnitAcceptance, UnitRejection, field};
use gio_protocol::{B256, Signature, acceptance_digest};
use thiserror::Error;
use tokio::sync::mpsc;

use super::desk::{Desk, Hub};
use crate::domain::order::UnitKey;
use crate::infra::observe;
use crate::infra::store::{Change, StoreError};
use crate::infra::wire::{MessageError, key_of};

/// Answers checked and written at once.
const BATCH_MAX: usize = 512;
/// Longest reason kept of a rejection.
const REASON_CHARS_MAX: usize = 512;

/// What the hub says to a claim.
#[derive(Debug)]
pub enum Answer {
    /// Taken.
    Accepted(UnitAcceptance),
    /// Not taken.
    Rejected(UnitRejection),
}

/// Why an acceptance is none.
#[derive(Debug, Error)]
enum AcceptanceError {
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error(transparent)]
    Signature(#[from] gio_keys::SignatureError),
}

/// An acceptance of a claim we made, not checked yet.
struct ToCheck {
    key: UnitKey,
    claim_hash: B256,
    signature: Signature,
}

/// Runs until the desk's end.
pub(super) async fn run(desk: Arc<Desk>, mut answers: mpsc::Receiver<Answer>) {
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            biased;
            count = answers.recv_many(&mut batch, BATCH_MAX) => if count == 0 { return },
            () = desk.stop.cancelled() => return,
        }
        if let Err(error) = desk.take_answers(std::mem::take(&mut batch)).await {
            desk.deps.fatal("answers", error);
            return;
        }
    }
}

impl Desk {
    async fn take_answers(&self, batch: Vec<Answer>) -> Result<(), StoreError> {
        let (mut to_check, mut rejected) = (Vec::new(), Vec::new());
        for answer in batch {
            match answer {
                Answer::Accepted(acceptance) => match self.made_claim(&acceptance) {
                    Ok(found) => to_check.extend(found),
                    Err(error) => observe::message_senseless(self.hub.wallet, &error),
                },
                Answer::Rejected(rejection) => rejected.extend(self.rejected_claim(&rejection)),
            }
        }
        let accepted = self.check(to_check).await;
        let mut changes = Vec::new();
        if !accepted.is_empty() {
            changes.push(Change::Accepted(accepted.clone()));
        }
        if !rejected.is_empty() {
            changes.push(Change::Rejected(rejected.clone()));
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.deps.store.apply(changes).await?;
        gio_failpoint::fail_point!("miner.wrote.answers");
        observe::claims_accepted(self.hub.wallet, accepted.len());
        let mut state = self.state();
        for (key, _) in accepted {
            state.book.accept(key);
            state.outputs.remove(&key);
        }
        for (key, reason) in rejected {
            observe::claim_rejected(key, &reason);
            state.book.reject(key);
            state.outputs.remove(&key);
        }
        Ok(())
    }

    /// The claim an acceptance is about; `None` if it was answered before.
    fn made_claim(&self, acceptance: &UnitAcceptance) -> Result<Option<ToCheck>, MessageError> {
        let key = key_of(&acceptance.deal_id, acceptance.unit)?;
        let signature = field::signature("hub_signature", &acceptance.hub_signature)?;
        let made = self.state().book.made(key);
        Ok(made.map(|made| ToCheck {
            key,
            claim_hash: made.claim_hash,
            signature,
        }))
    }

    fn rejected_claim(&self, rejection: &UnitRejection) -> Option<(UnitKey, String)> {
        let key = key_of(&rejection.deal_id, rejection.unit);
        let key = key
            .inspect_err(|error| observe::message_senseless(self.hub.wallet, error))
            .ok()?;
        self.state().book.made(key)?;
        let reason = rejection.reason.chars().take(REASON_CHARS_MAX);
        Some((key, reason.collect()))
    }

    /// Checks signatures on a thread that may be busy for a while.
    async fn check(&self, to_check: Vec<ToCheck>) -> Vec<(UnitKey, Signature)> {
        if to_check.is_empty() {
            return Vec::new();
        }
        let hub = self.hub.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let checked = to_check.into_iter().filter_map(|answer| {
                verify(&hub, &answer)
                    .inspect_err(|error| observe::acceptance_invalid(answer.key, error))
                    .ok()?;
                Some((answer.key, answer.signature))
            });
            checked.collect()
        });
        // A check that died accepted nothing: the claims stay unanswered and are sent again.
        checked.await.unwrap_or_default()
    }
}

fn verify(hub: &Hub, answer: &ToCheck) -> Result<(), AcceptanceError> {
    let digest = acceptance_digest(
        &hub.domain,
        answer.key.deal.0,
        answer.key.unit,
        answer.claim_hash,
    );
    Ok(hub.key.verify(digest, &answer.signature)?)
}
