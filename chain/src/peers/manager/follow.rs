//! What peers say about the chain, and what is said to them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use gio_coin::{Block, BlockHash, Header, Transaction};
use tokio::sync::broadcast::error::RecvError;
use tracing::{debug, info};

use super::{ADDRESSES_PER_PEER, BROUGHT_MAX, IN_FLIGHT_MAX, Manager, PeerId};
use crate::chain::ChainEvent;
use crate::ledger::{SubmitError, causes};
use crate::mempool::AdmitError;
use crate::peers::PeersError;
use crate::peers::bans::Offence;
use crate::peers::compact::Partial;
use crate::peers::presync::Presync;
use crate::peers::serve::headers_after;
use crate::peers::sync::{self, Kept, Outcome, Placed, Source};
use crate::wire::{Inventory, MAX_LOCATOR, Message, Net, PeerAddress};

/// Headers announced one by one; more blocks at once are catching up and only their last is named.
const ANNOUNCED_MAX: usize = 8;

impl Manager {
    /// Hears what a peer says about the chain, transactions and addresses.
    pub(super) async fn judge(&mut self, id: PeerId, message: Message) -> Result<(), PeersError> {
        match message {
            Message::Headers(headers) => self.judge_headers(id, headers).await,
            Message::Block(block) => self.judge_block(id, block).await,
            Message::Tx(transaction) => self.judge_tx(id, transaction).await,
            Message::Inv(items) => self.judge_inventory(id, items).await,
            Message::NotFound(items) => {
                self.note_missing(id, &items);
                self.fetch().await
            }
            Message::GetAddr => {
                self.tell_addresses(id);
                Ok(())
            }
            Message::Addr(addresses) => {
                self.learn_addresses(id, &addresses);
                Ok(())
            }
            Message::SendCompact { version, .. } => {
                if let Some(peer) = self.peer(id) {
                    peer.compact = version == super::compact::VERSION;
                }
                Ok(())
            }
            Message::CompactBlock(block) => self.judge_compact(id, block).await,
            Message::BlockTxn(answer) => self.judge_block_txn(id, answer).await,
            // Handled by the connection.
            Message::Version(_)
            | Message::Verack
            | Message::Ping(_)
            | Message::Pong(_)
            | Message::GetHeaders { .. }
            | Message::GetBlockTxn(_)
            | Message::GetData(_) => Ok(()),
        }
    }

    /// A peer does not have blocks it showed the headers of: others may.
    fn note_missing(&mut self, id: PeerId, items: &[Inventory]) {
        for item in items {
            if let Inventory::Tx(txid) = item {
                self.txs.is_missing(id, txid);
            }
        }
        let Some(peer) = self.peer(id) else { return };
        for item in items {
            if let Inventory::Block(block) | Inventory::CompactBlock(block) = item
                && peer.in_flight.remove(block)
            {
                peer.best = None;
            }
        }
    }

    /// Asks a peer for headers: after our best one, or after `after` while a branch is being proven.
    pub(super) async fn ask_headers(
        &mut self,
        id: PeerId,
        after: Option<(BlockHash, BlockHash)>,
    ) -> Result<(), PeersError> {
        let locator = self.ledger.call(move |ledger| {
            let tree = ledger.chain().headers();
            match after {
                None => tree.locator(&tree.best_header()),
                Some((after, start)) => {
                    let mut ids = tree.locator(&start);
                    if ids.first() != Some(&after) {
                        ids.insert(0, after);
                    }
                    ids
                }
            }
        });
        let mut locator = locator.await?;
        locator.truncate(MAX_LOCATOR);
        if let Some(peer) = self.peer(id) {
            peer.asked_headers = Some(Instant::now());
        }
        let stop = BlockHash::default();
        self.tell(id, Message::GetHeaders { locator, stop });
        Ok(())
    }

    async fn judge_headers(&mut self, id: PeerId, headers: Vec<Header>) -> Result<(), PeersError> {
        let Some(peer) = self.peer(id) else {
            return Ok(());
        };
        // A block announced while a branch is being proven: its headers will come with the branch.
        let aside = |presync: &Presync, first: &Header| !presync.expects(&first.previous);
        if let (Some(presync), Some(first)) = (&peer.presync, headers.first())
            && aside(presync, first)
        {
            return Ok(());
        }
        peer.asked_headers = None;
        let presync = peer.presync.take();
        if headers.is_empty() {
            if presync.is_some() {
                self.offend(id, Offence::LowWork, "the branch ended early");
            }
            return Ok(());
        }
        let min_work = self.settings.min_work;
        let placed = self.ledger.call(move |ledger| match presync {
            Some(presync) => sync::prove(ledger, presync, &headers, min_work),
            None => sync::place(ledger, &headers, min_work),
        });
        match placed.await? {
            Placed::Taken { last, more } => {
                self.showed(id, last).await?;
                if more {
                    self.ask_headers(id, Some((last, last))).await?;
                }
                self.fetch().await
            }
            Placed::Unproven(presync, ask) => {
                let start = presync.start();
                if let Some(peer) = self.peer(id) {
                    peer.presync = Some(presync);
                }
                match ask {
                    Some(after) => self.ask_headers(id, Some((after, start))).await,
                    None => Ok(()),
                }
            }
            Placed::Unconnected => self.connect_branch(id).await,
            Placed::Refused(offence, why) => {
                self.offend(id, offence, &why);
                Ok(())
            }
            Placed::TooEarly(before, why) => {
                info!(
                    why,
                    "headers from the future; if this goes on, check this machine's clock"
                );
                match before {
                    Some(last) => {
                        self.showed(id, last).await?;
                        self.fetch().await
                    }
                    None => Ok(()),
                }
            }
            Placed::Fatal(error) => Err(error.into()),
        }
    }

    /// Somebody announced headers that follow nothing we know: ask for those between.
    async fn connect_branch(&mut self, id: PeerId) -> Result<(), PeersError> {
        let Some(peer) = self.peer(id) else {
            return Ok(());
        };
        peer.unconnected += 1;
        if peer.unconnected > super::UNCONNECTED_MAX {
            peer.unconnected = 0;
            self.offend(id, Offence::Unconnected, "headers that follow nothing");
        }
        self.ask_headers(id, None).await
    }

    async fn showed(&mut self, id: PeerId, last: BlockHash) -> Result<(), PeersError> {
        let old = self.peer(id).and_then(|peer| peer.best);
        let best = self.ledger.call(move |ledger| {
            let tree = ledger.chain().headers();
            let work = |id: &BlockHash| tree.work(id);
            let better = old.is_none_or(|old| tree.is_invalid(&old) || work(&last) >= work(&old));
            (better, tree.height(&last))
        });
        let (better, height) = best.await?;
        if let Some(peer) = self.peer(id) {
            peer.unconnected = 0;
            if better {
                peer.best = Some(last);
                peer.best_height = height.map_or(-1, i64::from);
            }
        }
        Ok(())
    }

    /// Asks for the blocks that are missing.
    pub(super) async fn fetch(&mut self) -> Result<(), PeersError> {
        let mut in_flight = BTreeSet::new();
        let mut sources = Vec::new();
        for (id, slot) in &self.slots {
            let Some(peer) = &slot.peer else { continue };
            if peer.holds_up(self.settings.patience.block) {
                // Others are asked for the same, and it for nothing more.
                continue;
            }
            in_flight.extend(peer.in_flight.iter().copied());
            if let Some(best) = peer.best.filter(|_| !slot.hang_up.is_cancelled()) {
                let free = IN_FLIGHT_MAX.saturating_sub(peer.in_flight.len());
                let id = *id;
                sources.push(Source { id, best, free });
            }
        }
        if sources.iter().all(|source| source.free == 0) {
            return Ok(());
        }
        let wanted = self
            .ledger
            .call(move |ledger| sync::wanted(ledger, sources, in_flight));
        for wanted in wanted.await? {
            let (id, block) = (wanted.of, wanted.block);
            let Some(peer) = self.peer(id) else { continue };
            if peer.in_flight.is_empty() {
                peer.block_progress = Instant::now();
            }
            peer.in_flight.insert(block);
            let item = if wanted.is_next && peer.compact {
                peer.asked_compact = Some(block);
                Inventory::CompactBlock(block)
            } else {
                Inventory::Block(block)
            };
            self.tell(id, Message::GetData(vec![item]));
        }
        Ok(())
    }

    /// What became of a block that a peer was asked for.
    pub(super) fn settle_block(
        &mut self,
        id: PeerId,
        block: BlockHash,
        outcome: Outcome,
    ) -> Result<(), PeersError> {
        if let Some(peer) = self.peer(id) {
            peer.in_flight.remove(&block);
            peer.block_progress = Instant::now();
        }
        for (other, why) in outcome.others {
            self.blame(&other, &why);
        }
        match outcome.kept {
            Kept::Yes => {
                if let Some(peer) = self.peer(id) {
                    peer.brought_block = Some(Instant::now());
                }
                self.remember(id, block);
                Ok(())
            }
            Kept::Refused(why) | Kept::Mutated(why) | Kept::Broken(why) => {
                self.offend(id, Offence::BadBlock, &why);
                Ok(())
            }
            Kept::Fatal(error) => Err(error.into()),
        }
    }

    /// Remembers who brought a block until it is connected: only then is it known to be good.
    fn remember(&mut self, id: PeerId, block: BlockHash) {
        if let Some(slot) = self.slots.get(&id) {
            let address = slot.address;
            if self.brought.len() >= BROUGHT_MAX {
                self.brought.pop_first();
            }
            self.brought.entry(block).or_insert((id, address));
        }
    }

    /// A block that was kept turned out to break a rule: whoever brought it pays, there or gone.
    fn blame(&mut self, block: &BlockHash, why: &str) {
        let Some((id, address)) = self.brought.remove(block) else {
            return;
        };
        if self.slots.contains_key(&id) {
            self.offend(id, Offence::BadBlock, why);
        } else {
            self.ban(address, why);
        }
    }

    async fn judge_block(&mut self, id: PeerId, block: Block) -> Result<(), PeersError> {
        let Some(peer) = self.peer(id) else {
            return Ok(());
        };
        let block_id = block.id();
        if !peer.in_flight.contains(&block_id) {
            self.offend(id, Offence::UnaskedBlock, "a block nobody asked for");
            return Ok(());
        }
        let is_this = |partial: &mut Partial| partial.id() == block_id;
        peer.partial.take_if(is_this);
        let outcome = self.ledger.call(move |ledger| sync::keep(ledger, &block));
        let outcome = outcome.await?;
        self.settle_block(id, block_id, outcome)?;
        self.fetch().await
    }

    async fn judge_tx(&mut self, id: PeerId, transaction: Transaction) -> Result<(), PeersError> {
        if !self.txs.brought(id, &transaction) {
            debug!("a transaction nobody asked for, or refused before, is not looked at");
            return Ok(());
        }
        let (txid, wtxid) = (transaction.txid(), transaction.wtxid());
        let submitted = self.ledger.call(|ledger| ledger.submit(transaction));
        match submitted.await? {
            Ok(txid) => self.announce_tx(txid, Some(id)),
            Err(SubmitError::Chain(error)) => return Err(error.into()),
            Err(SubmitError::Refused(error)) => {
                if error.lasts_until_the_tip_moves() {
                    self.txs.refused(&txid, wtxid);
                }
                if matches!(error, AdmitError::UnusualScript(_)) {
                    self.txs.was_unusual(id);
                }
                // Ours may be another tip, or other limits: only what no tip allows counts.
                if error.lasts_for_ever() {
                    self.offend(id, Offence::BadTransaction, &causes(&error));
                } else {
                    debug!(%error, "a transaction is not taken");
                }
            }
        }
        Ok(())
    }

    async fn judge_inventory(
        &mut self,
        id: PeerId,
        items: Vec<Inventory>,
    ) -> Result<(), PeersError> {
        let mut blocks = false;
        let mut asked = Vec::new();
        for item in items {
            match item {
                Inventory::Block(_) | Inventory::CompactBlock(_) => blocks = true,
                Inventory::Tx(txid) => {
                    if self.txs.announced(id, txid) {
                        asked.push(item);
                    }
                }
                Inventory::Other(..) => {}
            }
        }
        if !asked.is_empty() {
            self.tell(id, Message::GetData(asked));
        }
        // The headers of an announced block say more than its id.
        let idle = self
            .peer(id)
            .is_some_and(|peer| peer.asked_headers.is_none() && peer.presync.is_none());
        if blocks && idle {
            self.ask_headers(id, None).await?;
        }
        Ok(())
    }

    /// The tip moved: whoever does not know yet hears it.
    pub(super) async fn announce(
        &mut self,
        news: Result<ChainEvent, RecvError>,
    ) -> Result<(), PeersError> {
        let mut moves = Vec::from_iter(news.ok());
        while let Ok(more) = self.news.try_recv() {
            moves.push(more);
        }
        for event in &moves {
            if let ChainEvent::Connected { id, .. } = event {
                self.brought.remove(id);
            }
        }
        self.txs.tip_moved();
        let new = moves
            .iter()
            .filter(|event| matches!(event, ChainEvent::Connected { .. }));
        let count = new.count().min(ANNOUNCED_MAX + 1);
        let greeted = self.slots.iter().filter_map(|(id, slot)| {
            let peer = slot.peer.as_ref()?;
            Some((*id, peer.best))
        });
        let greeted: Vec<(PeerId, Option<BlockHash>)> = greeted.collect();
        let told = self.ledger.call(move |ledger| {
            let chain = ledger.chain();
            let (tree, tip, height) = (chain.headers(), chain.tip(), chain.tip_height());
            if sync::is_far_behind(ledger) {
                return (None, Vec::new());
            }
            let knows = |best: &BlockHash| tree.ancestor(best, height) == Some(tip);
            let without = greeted
                .into_iter()
                .filter(|(_, best)| !best.as_ref().is_some_and(knows));
            let below = height.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
            let after: Vec<BlockHash> = tree.ancestor(&tip, below).into_iter().collect();
            let message = match count {
                1..=ANNOUNCED_MAX => Message::Headers(headers_after(ledger, &after, &tip)),
                _ => Message::Inv(vec![Inventory::Block(tip)]),
            };
            (Some(message), without.map(|(id, _)| id).collect())
        });
        if let (Some(message), ids) = told.await? {
            for id in ids {
                self.tell(id, message.clone());
            }
        }
        self.fetch().await
    }

    fn tell_addresses(&mut self, id: PeerId) {
        let told = self.book.told(self.shared.now());
        let Some(peer) = self.peer(id).filter(|peer| !peer.told_addresses) else {
            return;
        };
        // Once: whoever asks again and again maps who knows whom.
        peer.told_addresses = true;
        let address = |(address, seen): (SocketAddr, u64)| PeerAddress {
            seen: u32::try_from(seen).unwrap_or(u32::MAX),
            net: Net {
                services: 1,
                address,
            },
        };
        let addresses = told.into_iter().map(address).collect();
        self.tell(id, Message::Addr(addresses));
    }

    fn learn_addresses(&mut self, id: PeerId, addresses: &[PeerAddress]) {
        let Some(source) = self.slots.get(&id).map(|slot| slot.address.ip()) else {
            return;
        };
        let Some(peer) = self.peer(id) else {
            return;
        };
        let room = ADDRESSES_PER_PEER.saturating_sub(peer.addresses);
        peer.addresses += addresses.len();
        for known in addresses.iter().take(room) {
            let now = self.shared.now();
            let seen = u64::from(known.seen);
            self.book.learn(known.net.address, source, seen, now);
        }
    }
}
