//! Miners' bonds, for deals with a court (R15): read from the register once per owner and block.
//!
//! # Correctness
//! The dispatcher gives units out by what it was told after the newest block; a claim is countersigned only after a look
//! at the register as of the newest block, by [`Hub::bonds`]. What is kept is of one block: with the next one everybody
//! is asked again, so a bond that was asked back stops counting with the block that says so.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gio_evm::ChainError;
use gio_protocol::{Address, B256};
use tokio::time::timeout;

use super::dispatch::Command;
use crate::domain::bonds::Bonds;
use crate::hub::Hub;
use crate::infra::observe;
use crate::infra::store::StoreError;

/// Before the chain is asked again that gave no answer, if no block comes before.
const AGAIN: Duration = Duration::from_secs(2);
/// Between two looks when nothing happens.
const QUIET: Duration = Duration::from_secs(60);

/// What the register said, as of a block.
#[derive(Debug, Default)]
pub(crate) struct KnownBonds {
    block: B256,
    bonds: Bonds,
    asked: BTreeSet<Address>,
    /// Never changes: the register's parameters are its code.
    withdrawal_delay: Option<u64>,
}

/// Tells the dispatcher of the bonds of its miners, as long as it has a deal that needs any. Runs until the hub stops.
pub(crate) async fn run(hub: Arc<Hub>) -> Result<(), StoreError> {
    let mut head = hub.head.clone();
    let mut pause = QUIET;
    while !hub.stop.is_cancelled() {
        let news = async {
            tokio::select! {
                changed = head.changed() => if changed.is_err() {
                    // The watcher has ended: no block comes any more, and the hub stops.
                    hub.stop.cancelled().await;
                },
                () = hub.look_at_bonds.notified() => {}
            }
        };
        if hub.unless_stopped(timeout(pause, news)).await.is_none() {
            break;
        }
        pause = QUIET;
        let owners = hub.notes.bonds_wanted.lock().clone();
        if owners.is_empty() {
            continue;
        }
        match hub.unless_stopped(hub.bonds(owners)).await {
            Some(Ok(bonds)) => {
                if hub.dispatcher.send(Command::Bonds(bonds)).await.is_err() {
                    break;
                }
            }
            Some(Err(error)) => {
                observe::retrying("reading miners' bonds", &error);
                pause = AGAIN;
            }
            None => break,
        }
    }
    Ok(())
}

impl Hub {
    /// What the register says of these owners, as of the newest block.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn bonds(
        &self,
        owners: impl IntoIterator<Item = Address>,
    ) -> Result<Bonds, ChainError> {
        let mut known = self.notes.bonds.lock().await;
        let block = self.head.borrow().hash;
        let delay = match known.withdrawal_delay {
            Some(delay) => delay,
            None => self.chain.registry_rules().await?.withdrawal_delay,
        };
        known.withdrawal_delay = Some(delay);
        if known.block != block {
            known.block = block;
            known.bonds = Bonds::new(delay);
            known.asked.clear();
        }
        for owner in owners {
            if known.asked.contains(&owner) {
                continue;
            }
            let until = self.chain.miner(owner).await?.covered_until;
            known.bonds.set(owner, until);
            known.asked.insert(owner);
        }
        Ok(known.bonds.clone())
    }
}
