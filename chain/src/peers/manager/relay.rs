//! Telling peers of transactions: what came since the last time goes out in one message.
//!
//! # Security
//! However many transactions come, one message of them waits for a peer's socket, and as many ids as another may
//! name. A peer that is still receiving a block hears of them later, and loses no connection over them.

use std::time::Instant;

use gio_coin::Txid;

use super::{Manager, Peer, PeerId};
use crate::wire::{Inventory, MAX_INVENTORY, Message};

impl Peer {
    /// Whether all that was said to it is on its way.
    fn is_idle(&self) -> bool {
        self.control.capacity() == self.control.max_capacity()
    }
}

impl Manager {
    /// Notes a transaction that all but who brought it should hear of.
    pub(super) fn announce_tx(&mut self, txid: Txid, from: Option<PeerId>) {
        for (id, slot) in &mut self.slots {
            let Some(peer) = &mut slot.peer else { continue };
            if Some(*id) == from {
                peer.brought_tx = Some(Instant::now());
                continue;
            }
            // Who does not read for so long hears of the rest from others.
            if peer.hello.relay && peer.untold.len() < MAX_INVENTORY {
                peer.untold.push(txid);
            }
        }
    }

    /// Tells each peer of the transactions it was not told of yet, once it has taken what was said before.
    pub(super) fn tell_transactions(&mut self) {
        let mut told = Vec::new();
        for (id, slot) in &mut self.slots {
            let Some(peer) = &mut slot.peer else { continue };
            if !peer.untold.is_empty() && peer.is_idle() {
                told.push((*id, std::mem::take(&mut peer.untold)));
            }
        }
        for (id, txids) in told {
            let items = txids.into_iter().map(Inventory::Tx).collect();
            self.tell(id, Message::Inv(items));
        }
    }
}
