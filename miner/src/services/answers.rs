//! The hub's answers: a countersignature counts when it is the hub's over exactly these claims (R14), and when it is on
//! disk. One signature stands for all claims of a message; each is provable alone by its path.

use std::sync::Arc;

use gio_net::wire::{Accepted, UnitAcceptance, UnitRejection, field};
use gio_protocol::{B256, acceptance_hash, acceptances_digest, acceptances_root};
use thiserror::Error;
use tokio::sync::mpsc;

use super::desk::{Desk, Hub};
use crate::domain::order::UnitKey;
use crate::infra::observe;
use crate::infra::store::{Acceptances, Change, StoreError};
use crate::infra::wire::{MessageError, key_of};

/// Answers checked and written at once.
const BATCH_MAX: usize = 64;
/// Claims under one countersignature: more than any hub sends, so that nobody has a miner hash for long.
const ACCEPTANCES_MAX: usize = 4096;
/// Longest reason kept of a rejection.
const REASON_CHARS_MAX: usize = 512;

/// What the hub says to claims.
#[derive(Debug)]
pub enum Answer {
    /// Taken.
    Accepted(Accepted),
    /// Not taken.
    Rejected(Vec<UnitRejection>),
}

/// Why acceptances are none.
#[derive(Debug, Error)]
enum AcceptanceError {
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error("{0} claims under one countersignature")]
    TooMany(usize),
    #[error(transparent)]
    Signature(#[from] gio_keys::SignatureError),
}

impl From<field::FieldError> for AcceptanceError {
    fn from(error: field::FieldError) -> Self {
        Self::Message(error.into())
    }
}

/// One claim of an acceptance: what the hub says it is.
struct Taken {
    key: UnitKey,
    claim_hash: B256,
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
                Answer::Accepted(accepted) => to_check.push(accepted),
                Answer::Rejected(units) => {
                    rejected.extend(units.iter().filter_map(|unit| self.rejected_claim(unit)));
                }
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
        let keys = accepted.into_iter().flat_map(|together| together.units);
        let keys: Vec<UnitKey> = keys.collect();
        observe::claims_accepted(self.hub.wallet, keys.len());
        let mut state = self.state();
        for key in keys {
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

    fn rejected_claim(&self, rejection: &UnitRejection) -> Option<(UnitKey, String)> {
        let key = key_of(&rejection.deal_id, rejection.unit);
        let key = key
            .inspect_err(|error| observe::message_senseless(self.hub.wallet, error))
            .ok()?;
        self.state().book.made(key)?;
        let reason = rejection.reason.chars().take(REASON_CHARS_MAX);
        Some((key, reason.collect()))
    }

    /// Checks signatures on a thread that may be busy for a while, and keeps what is about claims that wait for one.
    async fn check(&self, to_check: Vec<Accepted>) -> Vec<Acceptances> {
        if to_check.is_empty() {
            return Vec::new();
        }
        let hub = self.hub.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let checked = to_check.iter().filter_map(|accepted| {
                let checked = verify(&hub, accepted);
                checked
                    .inspect_err(|error| observe::acceptance_invalid(hub.wallet, error))
                    .ok()
            });
            checked.collect::<Vec<_>>()
        });
        // A check that died accepted nothing: the claims stay unanswered and are sent again.
        let checked = checked.await.unwrap_or_default();
        let state = self.state();
        let ours = |taken: &Taken| {
            let made = state.book.made(taken.key);
            made.is_some_and(|made| made.claim_hash == taken.claim_hash)
        };
        let waiting = checked.into_iter().map(|(mut together, taken)| {
            together.units = taken.iter().filter(|t| ours(t)).map(|t| t.key).collect();
            together
        });
        waiting
            .filter(|together| !together.units.is_empty())
            .collect()
    }
}

/// The hub's signature over these very acceptances, and what they are about.
fn verify(hub: &Hub, accepted: &Accepted) -> Result<(Acceptances, Vec<Taken>), AcceptanceError> {
    let count = accepted.units.len();
    if count == 0 || count > ACCEPTANCES_MAX {
        return Err(AcceptanceError::TooMany(count));
    }
    let taken: Result<Vec<Taken>, AcceptanceError> = accepted.units.iter().map(read).collect();
    let taken = taken?;
    let leaf = |taken: &Taken| acceptance_hash(taken.key.deal.0, taken.key.unit, taken.claim_hash);
    let leaves: Vec<B256> = taken.iter().map(leaf).collect();
    let root = acceptances_root(&leaves);
    let signature = field::signature("hub_signature", &accepted.hub_signature)?;
    hub.key
        .verify(acceptances_digest(&hub.domain, root), &signature)?;
    let together = Acceptances {
        root,
        signature,
        leaves,
        units: Vec::new(),
    };
    Ok((together, taken))
}

fn read(unit: &UnitAcceptance) -> Result<Taken, AcceptanceError> {
    Ok(Taken {
        key: key_of(&unit.deal_id, unit.unit)?,
        claim_hash: field::hash("claim_hash", &unit.claim_hash)?,
    })
}
