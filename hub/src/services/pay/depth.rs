//! Payments that were made, until their blocks are deep enough.
//!
//! # Correctness
//! A payment counts for its account from its first receipt on, so that nothing is paid a second time meanwhile; its miner
//! is told of it, and its deal's accounts are closed, when it is deep. One whose transaction is in no block then is under
//! way again, under the nonce it has, and in doubt: it may be in nodes' pools still.

use gio_evm::BlockHead;
use gio_protocol::B256;

use super::{PayError, announce};
use crate::hub::Hub;
use crate::infra::observe;
use crate::infra::store::{PayoutRow, Whereabouts};

/// Looks for the payments that should be deep by now.
pub(super) async fn check(hub: &Hub) -> Result<(), PayError> {
    let depth = hub.config().hub.confirmations;
    let shallow = hub.store.shallow_payouts().await?;
    if shallow.is_empty() {
        return Ok(());
    }
    let head = hub.chain.head().await?;
    for row in shallow {
        let made = row.tx.zip(row.block);
        let Some((tx, _)) = made.filter(|(_, block)| is_deep(*block, depth, head)) else {
            continue;
        };
        match look_up(hub, &row, tx, head).await {
            // It stays as it is; others are paid all the same.
            Err(PayError::Chain(error)) => {
                observe::retrying("looking a payment up", &error);
                break;
            }
            looked => looked?,
        }
    }
    Ok(())
}

/// Whether a block has so many others on top of it.
pub(super) fn is_deep(block: u64, depth: u64, head: BlockHead) -> bool {
    block.saturating_add(depth) <= head.number
}

async fn look_up(hub: &Hub, row: &PayoutRow, tx: B256, head: BlockHead) -> Result<(), PayError> {
    let depth = hub.config().hub.confirmations;
    let now = match hub.chain.mined(tx).await? {
        Some(mined) if is_deep(mined.block, depth, head) => Whereabouts::Deep(mined.block),
        Some(mined) => Whereabouts::Shallow(mined.block),
        None => Whereabouts::Gone,
    };
    let noted = hub.store.note_whereabouts(row.id, tx, now).await?;
    match now {
        Whereabouts::Deep(_) if noted => announce(hub, row, tx).await,
        Whereabouts::Gone if noted => observe::payment_taken_back(row.deal, row.miner, row.net),
        Whereabouts::Deep(_) | Whereabouts::Shallow(_) | Whereabouts::Gone => {}
    }
    Ok(())
}
