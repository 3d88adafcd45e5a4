//! The chain: takes headers and blocks, follows the branch with the most work.
//!
//! Owns the header tree, the store and the file of bodies, and keeps the three in step.
//! Does not: talk to peers, keep unconfirmed transactions, or look at the clock.
//!
//! # Correctness
//! A block is accepted when its body is synced and the store says where it is. The tip moves
//! block by block, each move one transaction of the store; whatever is interrupted, the store
//! stands at one block, and [`Chain::open`] goes on from there.

mod error;
mod scripts;

use std::collections::BTreeSet;

use gio_coin::{
    Block, BlockContext, BlockHash, Coin, Header, HeaderTree, OutPoint, Params, ScryptHasher, Txid,
    check_block, check_block_at, check_work, connect_block, disconnect_block,
};
use gio_protocol::UnixSeconds;

use crate::bodies::{BodyFile, BodyPlace};
use crate::store::{Safety, Store, StoreError, StoredHeader};
pub use error::{AddBlockError, AddHeadersError, ChainError, InvalidBlock};

/// While catching up, how many blocks are connected between two commits that are synced. A
/// loss of power costs the work of at most so many blocks, never a body.
const LAZY_BLOCKS: usize = 256;

/// The clock of headers that were accepted before: their time is not asked again.
const LONG_AGO: UnixSeconds = UnixSeconds(u64::MAX);

/// A move of the tip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainEvent {
    /// The tip moved up to this block.
    Connected {
        /// Its id.
        id: BlockHash,
        /// Its height.
        height: u32,
    },
    /// The tip moved down from this block.
    Disconnected {
        /// Its id.
        id: BlockHash,
        /// Its height.
        height: u32,
    },
}

/// What became of a block.
#[derive(Debug, Default)]
pub struct Added {
    /// How the tip moved.
    pub events: Vec<ChainEvent>,
    /// Blocks that turned out to break a rule on the way, and which.
    pub invalid: Vec<(BlockHash, InvalidBlock)>,
}

/// The chain of one network.
#[derive(Debug)]
pub struct Chain {
    params: Params,
    store: Store,
    bodies: BodyFile,
    tree: HeaderTree,
    hasher: ScryptHasher,
    tip: BlockHash,
    /// Where the bodies of known blocks are.
    places: std::collections::BTreeMap<BlockHash, (BodyPlace, u64)>,
    /// How many bodies arrived so far.
    arrivals: u64,
}

impl Chain {
    /// Loads the chain and finishes what was interrupted. `bodies` gets the end of the last
    /// body the store knows.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn open(
        params: Params,
        store: Store,
        bodies: impl FnOnce(u64) -> Result<BodyFile, crate::BodyError>,
    ) -> Result<Self, ChainError> {
        let stored = store.headers()?;
        let end = stored.iter().filter_map(|header| header.body);
        let end = end.map(|(place, _)| place.end()).max().unwrap_or(0);
        let mut chain = Self {
            tree: HeaderTree::new(&params),
            tip: store.tip()?,
            bodies: bodies(end)?,
            hasher: ScryptHasher::new(),
            places: std::collections::BTreeMap::new(),
            arrivals: 0,
            params,
            store,
        };
        chain.restore(&stored)?;
        chain.follow_best()?;
        Ok(chain)
    }

    /// Puts the headers of the store back into the tree, and the bodies in their old order.
    fn restore(&mut self, stored: &[StoredHeader]) -> Result<(), ChainError> {
        let mut arrived = Vec::new();
        for stored in stored {
            let id = stored.header.id();
            if self.tree.insert(stored.header, LONG_AGO).is_err() && !stored.is_invalid {
                return Err(StoreError::Missing("the parent of a header").into());
            }
            if let Some((place, order)) = stored.body {
                self.places.insert(id, (place, order));
                arrived.push((order, id));
            }
        }
        arrived.sort_unstable();
        for (order, id) in arrived {
            self.arrivals = order + 1;
            self.tree.set_body(&id);
        }
        for stored in stored.iter().filter(|stored| stored.is_invalid) {
            self.tree.set_invalid(&stored.header.id());
        }
        if !self.tree.contains(&self.tip) {
            return Err(StoreError::Missing("the header of the tip").into());
        }
        Ok(())
    }

    /// Makes headers, coins and undo records again from the bodies alone. All of it is safe when this returns, and
    /// worth nothing before.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn reindex(params: Params, store: Store, mut bodies: BodyFile) -> Result<Self, ChainError> {
        store.reset(&params)?;
        let mut found = Vec::new();
        bodies.scan(|place, block| found.push((place, block.header)))?;
        let mut chain = Self::open(params, store, |_| Ok(bodies))?;
        let mut left = found;
        loop {
            let before = left.len();
            left = chain.reindex_pass(left)?;
            if left.is_empty() || left.len() == before {
                break;
            }
        }
        chain.follow_best()?;
        chain.store.flush()?;
        Ok(chain)
    }

    /// Takes the bodies whose parents are known; gives back the others.
    fn reindex_pass(
        &mut self,
        found: Vec<(BodyPlace, Header)>,
    ) -> Result<Vec<(BodyPlace, Header)>, ChainError> {
        let mut left = Vec::new();
        for (place, header) in found {
            let known = self.tree.contains(&header.previous);
            if !known {
                left.push((place, header));
            } else if check_work(&mut self.hasher, &[header], self.params.pow_limit).is_ok()
                && self.tree.insert(header, LONG_AGO).is_ok()
                && check_block(&self.bodies.block(place)?).is_ok()
            {
                self.record_body(&header, place)?;
            }
        }
        Ok(left)
    }

    /// The block the coins stand at.
    #[must_use]
    pub const fn tip(&self) -> BlockHash {
        self.tip
    }

    /// Its height.
    ///
    /// # Panics
    /// Never: the tip is in the tree.
    #[must_use]
    pub fn tip_height(&self) -> u32 {
        let height = self.tree.height(&self.tip);
        height.expect("the tip is in the tree")
    }

    /// All known headers.
    #[must_use]
    pub const fn headers(&self) -> &HeaderTree {
        &self.tree
    }

    /// The network's parameters.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// The body of a known block, if it is at hand.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn block(&self, id: &BlockHash) -> Result<Option<Block>, ChainError> {
        if *id == self.params.genesis_id() {
            return Ok(Some(self.params.genesis.clone()));
        }
        let place = self.places.get(id);
        Ok(place
            .map(|(place, _)| self.bodies.block(*place))
            .transpose()?)
    }

    /// An unspent coin.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn coin(&self, point: OutPoint) -> Result<Option<Coin>, ChainError> {
        let mut found = self.store.coins(std::iter::once(point))?;
        Ok(found.remove(&point))
    }

    /// A hash over all unspent coins: equal for two chains with the same coins.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn coins_digest(&self) -> Result<[u8; 32], ChainError> {
        Ok(self.store.coins_digest()?)
    }

    /// Whether every page of the index is as it was written; reads all of it.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn is_index_intact(&mut self) -> Result<bool, ChainError> {
        Ok(self.store.is_intact()?)
    }

    /// Takes headers, in the order of the chain, once all of them have the work they claim.
    ///
    /// # Errors
    /// The first header that is refused and why. If it lacks its work none is taken: how much work a branch has is
    /// decided by what all its headers claim. Else those before it are taken.
    pub fn add_headers(
        &mut self,
        headers: &[Header],
        now: UnixSeconds,
    ) -> Result<(), AddHeadersError> {
        let unknown = headers
            .iter()
            .position(|header| !self.tree.contains(&header.id()));
        let Some(start) = unknown else {
            return Ok(());
        };
        let new = &headers[start..];
        if let Err((at, source)) = check_work(&mut self.hasher, new, self.params.pow_limit) {
            let at = start + at;
            return Err(AddHeadersError::Work { at, source });
        }
        let mut taken = Vec::with_capacity(new.len());
        let mut refused = Ok(());
        for (at, header) in new.iter().enumerate() {
            match self.tree.insert(*header, now) {
                Ok(id) => taken.push(self.stored(&id)),
                Err(source) => {
                    let at = start + at;
                    refused = Err(AddHeadersError::Insert { at, source });
                    break;
                }
            }
        }
        self.store.put_headers(&taken, Safety::Later)?;
        refused
    }

    /// Takes a block and follows the branch with the most work. When this returns without an
    /// error, the block will be there after any crash.
    ///
    /// # Errors
    /// [`AddBlockError`]: the block is refused on its own, or the store fails. Blocks that
    /// break a rule only in their place are in [`Added::invalid`].
    pub fn add_block(&mut self, block: &Block, now: UnixSeconds) -> Result<Added, AddBlockError> {
        let id = block.id();
        self.add_headers(&[block.header], now)?;
        if self.tree.is_invalid(&id) {
            return Err(AddBlockError::InvalidBranch(id));
        }
        if self.tree.has_body(&id) {
            return Ok(Added::default());
        }
        if let Err(source) = check_block(block) {
            if !source.may_be_mutation() {
                self.mark_invalid(&id)?;
            }
            return Err(AddBlockError::Block(source));
        }
        let place = self
            .bodies
            .append(&block.encode())
            .map_err(ChainError::from)?;
        self.record_body(&block.header, place)?;
        let added = self.follow_best()?;
        if added.events.is_empty() {
            // Nothing moved, so nothing was made safe yet.
            self.store.flush().map_err(ChainError::from)?;
        }
        Ok(added)
    }

    /// Notes where a body is; safe with the next commit that is synced.
    fn record_body(&mut self, header: &Header, place: BodyPlace) -> Result<(), ChainError> {
        let id = header.id();
        self.places.insert(id, (place, self.arrivals));
        self.store.put_headers(&[self.stored(&id)], Safety::Later)?;
        self.arrivals += 1;
        self.tree.set_body(&id);
        Ok(())
    }

    /// A known header as the store keeps it.
    fn stored(&self, id: &BlockHash) -> StoredHeader {
        let header = self.tree.header(id).expect("only known headers are stored");
        StoredHeader {
            header: *header,
            height: self.tree.height(id).expect("only known headers are stored"),
            body: self.places.get(id).copied(),
            is_invalid: self.tree.is_invalid(id),
        }
    }

    fn mark_invalid(&mut self, id: &BlockHash) -> Result<(), ChainError> {
        self.tree.set_invalid(id);
        self.store.put_headers(&[self.stored(id)], Safety::Now)?;
        Ok(())
    }

    /// Moves the tip until it is the best block; a block that breaks a rule on the way is
    /// noted, and the next best is tried.
    fn follow_best(&mut self) -> Result<Added, ChainError> {
        let mut added = Added::default();
        loop {
            let best = self.tree.best_block();
            if best == self.tip {
                break;
            }
            let route = self.tree.route(&self.tip, &best);
            let route = route.expect("tip and best block are in the tree");
            for id in &route.disconnect {
                added.events.push(self.disconnect(id)?);
            }
            for (at, id) in route.connect.iter().enumerate() {
                let synced = (at + 1) % LAZY_BLOCKS == 0;
                let safety = if synced { Safety::Now } else { Safety::Later };
                match self.connect(id, safety)? {
                    Ok(event) => added.events.push(event),
                    Err(broken) => {
                        self.mark_invalid(id)?;
                        added.invalid.push((*id, broken));
                        break;
                    }
                }
            }
        }
        if !added.events.is_empty() {
            self.store.flush()?;
        }
        Ok(added)
    }

    fn disconnect(&mut self, id: &BlockHash) -> Result<ChainEvent, ChainError> {
        let block = self.required_block(id)?;
        let undo = self.store.undo(id)?;
        let changes = disconnect_block(&block, undo).map_err(ChainError::Undo)?;
        let parent = block.header.previous;
        self.store.disconnect(id, &parent, changes)?;
        self.tip = parent;
        let height = self.tip_height() + 1;
        Ok(ChainEvent::Disconnected { id: *id, height })
    }

    fn required_block(&self, id: &BlockHash) -> Result<Block, ChainError> {
        self.block(id)?
            .ok_or_else(|| StoreError::Missing("the place of a body").into())
    }

    /// Connects a block on top of the tip, unless it breaks a rule there.
    fn connect(
        &mut self,
        id: &BlockHash,
        safety: Safety,
    ) -> Result<Result<ChainEvent, InvalidBlock>, ChainError> {
        let block = self.required_block(id)?;
        let height = self.tip_height() + 1;
        let median_time_past = self.median_time(&self.tip);
        if let Err(broken) = check_block_at(&block, height, median_time_past) {
            return Ok(Err(InvalidBlock::InItsPlace(broken)));
        }
        let coins = self.store.coins(outside_inputs(&block).into_iter())?;
        let median_time_at = |height| {
            let ancestor = self.tree.ancestor(&self.tip, height);
            ancestor.map_or(0, |id| self.median_time(&id))
        };
        let context = BlockContext {
            height,
            median_time_past,
            median_time_at: &median_time_at,
        };
        let connected = match connect_block(&block, &context, &coins) {
            Ok(connected) => connected,
            Err(broken) => return Ok(Err(InvalidBlock::Coins(broken))),
        };
        if let Err(broken) = scripts::verify(&block, &connected.spends) {
            return Ok(Err(broken));
        }
        self.store
            .connect(id, connected.changes, &connected.undo, safety)?;
        self.tip = *id;
        Ok(Ok(ChainEvent::Connected { id: *id, height }))
    }

    fn median_time(&self, id: &BlockHash) -> u32 {
        let time = self.tree.median_time_past(id);
        time.expect("only headers of the tree are asked")
    }
}

/// What a block spends that it did not make itself.
fn outside_inputs(block: &Block) -> BTreeSet<OutPoint> {
    let inside: BTreeSet<Txid> = block.txids().into_iter().collect();
    let spending = block.transactions.iter().filter(|each| !each.is_coinbase());
    spending
        .flat_map(|each| each.inputs.iter().map(|input| input.previous))
        .filter(|point| !inside.contains(&point.txid))
        .collect()
}
