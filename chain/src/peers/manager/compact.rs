//! Blocks that come as short ids: put together, completed, or asked for in full.

use gio_coin::{Block, BlockHash};
use tracing::debug;

use super::{Manager, PeerId};
use crate::peers::PeersError;
use crate::peers::bans::Offence;
use crate::peers::compact::{CompactError, Partial};
use crate::peers::sync::{self, Kept};
use crate::wire::{BlockTxn, CompactBlock, Inventory, Message};

/// The version whose short ids are those of wtxids: the only one in use here.
pub(super) const VERSION: u64 = 2;

/// Blocks that came as short ids since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactCounts {
    /// Put together from the mempool alone.
    pub from_mempool: u64,
    /// Put together with transactions asked for.
    pub completed: u64,
    /// Given up and asked for in full.
    pub in_full: u64,
}

impl Manager {
    pub(super) async fn judge_compact(
        &mut self,
        id: PeerId,
        compact: CompactBlock,
    ) -> Result<(), PeersError> {
        let block = compact.header.id();
        let Some(peer) = self.peer(id) else {
            return Ok(());
        };
        // Once: putting a block together costs a look at every transaction that waits.
        let was_asked = peer.asked_compact.take_if(|asked| *asked == block);
        if was_asked.is_none() || !peer.in_flight.contains(&block) {
            self.offend(id, Offence::UnaskedBlock, "short ids nobody asked for");
            return Ok(());
        }
        let begun = self
            .ledger
            .call(move |ledger| Partial::new(compact, ledger.mempool()));
        match begun.await? {
            Err(error) => {
                self.ask_in_full(id, block, error);
                Ok(())
            }
            Ok(partial) => match partial.request() {
                Some(request) => {
                    if let Some(peer) = self.peer(id) {
                        peer.partial = Some(partial);
                    }
                    self.tell(id, Message::GetBlockTxn(request));
                    Ok(())
                }
                None => {
                    self.compact.from_mempool += 1;
                    self.complete(id, partial, BlockTxn::none(block)).await
                }
            },
        }
    }

    pub(super) async fn judge_block_txn(
        &mut self,
        id: PeerId,
        answer: BlockTxn,
    ) -> Result<(), PeersError> {
        let asked = self.peer(id).and_then(|peer| {
            let is_this = |partial: &mut Partial| partial.id() == answer.block;
            peer.partial.take_if(is_this)
        });
        let Some(partial) = asked else {
            self.offend(id, Offence::UnaskedBlock, "transactions nobody asked for");
            return Ok(());
        };
        self.compact.completed += 1;
        self.complete(id, partial, answer).await
    }

    /// Takes a block that was put together. If it does not fit together, that is nobody's fault.
    async fn complete(
        &mut self,
        id: PeerId,
        partial: Partial,
        answer: BlockTxn,
    ) -> Result<(), PeersError> {
        let block_id = partial.id();
        let block: Block = match partial.complete(answer) {
            Ok(block) => block,
            Err(error) => {
                self.offend(id, Offence::BadBlock, &error.to_string());
                return Ok(());
            }
        };
        let outcome = self.ledger.call(move |ledger| sync::keep(ledger, &block));
        let outcome = outcome.await?;
        if let Kept::Mutated(why) = outcome.kept {
            debug!(%block_id, why, "a block does not fit together");
            self.ask_in_full(id, block_id, CompactError::Collision);
            return Ok(());
        }
        self.settle_block(id, block_id, outcome)?;
        self.fetch().await
    }

    fn ask_in_full(&mut self, id: PeerId, block: BlockHash, why: CompactError) {
        debug!(%block, %why, "a block is asked for in full");
        self.compact.in_full += 1;
        self.tell(id, Message::GetData(vec![Inventory::Block(block)]));
    }
}
