//! The tree of all known headers, and which branch of it to follow.
//!
//! Owns: headers, their accumulated work, which bodies are at hand, which blocks turned out
//! invalid. Decides: whether a header fits, and the best tip (most work; among equals the one
//! whose body came first). Does not: compute scrypt (the caller checks work in batches) or
//! touch bodies and coins.

mod entry;

use std::collections::BTreeMap;

use gio_protocol::UnixSeconds;
use thiserror::Error;

use crate::difficulty::{is_retarget, measured_from, retarget};
use crate::hash::BlockHash;
use crate::header::Header;
use crate::params::{MEDIAN_TIME_SPAN, Params, RETARGET_INTERVAL};
use crate::rules::{HeaderContext, HeaderError, check_header};
use crate::target::{Target, Work};
use entry::{Entry, Place};

/// Why a header is not taken into the tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InsertError {
    /// The header before it is not known.
    #[error("the header before, {0}, is not known")]
    UnknownParent(BlockHash),
    /// It, or one before it, turned out to be invalid.
    #[error("the branch of {0} is invalid")]
    InvalidBranch(BlockHash),
    /// It does not fit its place.
    #[error("the header does not fit its place")]
    Header(#[source] HeaderError),
}

/// What to undo and what to connect to get from one block to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Blocks to undo, the highest first.
    pub disconnect: Vec<BlockHash>,
    /// Blocks to connect, the lowest first.
    pub connect: Vec<BlockHash>,
}

/// All known headers of a network.
#[derive(Clone, Debug)]
pub struct HeaderTree {
    pow_limit: Target,
    retargets: bool,
    entries: Vec<Entry>,
    places: BTreeMap<BlockHash, Place>,
    best_header: Place,
    best_block: Place,
    /// How many bodies arrived so far: among equal work the earliest wins.
    bodies: u64,
}

impl HeaderTree {
    /// A tree of the network's first header, whose body is at hand.
    #[must_use]
    pub fn new(params: &Params) -> Self {
        let genesis = Entry::genesis(params.genesis.header);
        let root = Place::ROOT;
        Self {
            pow_limit: params.pow_limit,
            retargets: params.retargets,
            places: BTreeMap::from([(genesis.id, root)]),
            entries: vec![genesis],
            best_header: root,
            best_block: root,
            bodies: 0,
        }
    }

    /// How many headers are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never: there is always the first header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a header is known.
    #[must_use]
    pub fn contains(&self, id: &BlockHash) -> bool {
        self.places.contains_key(id)
    }

    /// A known header.
    #[must_use]
    pub fn header(&self, id: &BlockHash) -> Option<&Header> {
        self.find(id).map(|entry| &entry.header)
    }

    /// The height of a known header.
    #[must_use]
    pub fn height(&self, id: &BlockHash) -> Option<u32> {
        self.find(id).map(|entry| entry.height)
    }

    /// The work of a known header and all before it.
    #[must_use]
    pub fn work(&self, id: &BlockHash) -> Option<Work> {
        self.find(id).map(|entry| entry.work)
    }

    /// Whether the body of a known header and all bodies before it are at hand.
    #[must_use]
    pub fn is_complete(&self, id: &BlockHash) -> bool {
        self.find(id).is_some_and(|entry| entry.is_complete())
    }

    /// Whether the body of a known header is at hand.
    #[must_use]
    pub fn has_body(&self, id: &BlockHash) -> bool {
        self.find(id).is_some_and(|entry| entry.body.is_some())
    }

    /// Whether a known block, or one before it, turned out invalid.
    #[must_use]
    pub fn is_invalid(&self, id: &BlockHash) -> bool {
        self.find(id).is_some_and(|entry| entry.is_invalid)
    }

    /// The header with the most work, whatever bodies are at hand.
    #[must_use]
    pub fn best_header(&self) -> BlockHash {
        self.entry(self.best_header).id
    }

    /// The block with the most work among those whose bodies are all at hand: the tip to be on.
    #[must_use]
    pub fn best_block(&self) -> BlockHash {
        self.entry(self.best_block).id
    }

    /// The header at a height of the branch that ends with `tip`.
    #[must_use]
    pub fn ancestor(&self, tip: &BlockHash, height: u32) -> Option<BlockHash> {
        let place = self.ancestor_place(*self.places.get(tip)?, height)?;
        Some(self.entry(place).id)
    }

    /// Median time of a header and the ten before it.
    #[must_use]
    pub fn median_time_past(&self, id: &BlockHash) -> Option<u32> {
        Some(self.median_time(*self.places.get(id)?))
    }

    /// What a successor of this header must fulfil.
    #[must_use]
    pub fn context_after(&self, parent: &BlockHash) -> Option<HeaderContext> {
        Some(self.context(*self.places.get(parent)?))
    }

    /// Takes a header into the tree. Its work must have been checked. A header already there
    /// is fine.
    ///
    /// # Errors
    /// [`InsertError`].
    pub fn insert(&mut self, header: Header, now: UnixSeconds) -> Result<BlockHash, InsertError> {
        let id = header.id();
        if let Some(entry) = self.find(&id) {
            return match entry.is_invalid {
                true => Err(InsertError::InvalidBranch(id)),
                false => Ok(id),
            };
        }
        let Some(parent) = self.places.get(&header.previous).copied() else {
            return Err(InsertError::UnknownParent(header.previous));
        };
        if self.entry(parent).is_invalid {
            return Err(InsertError::InvalidBranch(header.previous));
        }
        check_header(&header, &self.context(parent), now).map_err(InsertError::Header)?;
        self.attach(header, id, parent);
        Ok(id)
    }

    fn attach(&mut self, header: Header, id: BlockHash, parent: Place) {
        let place = Place::of(self.entries.len());
        let height = self.entry(parent).height + 1;
        let skip = self.ancestor_place(parent, entry::skip_height(height));
        let entry = Entry {
            header,
            id,
            height,
            work: self.entry(parent).work + self.work_of(&header),
            parent: Some(parent),
            skip: skip.unwrap_or(Place::ROOT),
            first_child: None,
            next_sibling: self.entry(parent).first_child,
            body: None,
            complete: None,
            is_invalid: false,
        };
        let more_work = entry.work > self.entry(self.best_header).work;
        self.entries.push(entry);
        self.places.insert(id, place);
        self.entries[parent.index()].first_child = Some(place);
        if more_work {
            self.best_header = place;
        }
    }

    fn work_of(&self, header: &Header) -> Work {
        // The context demanded these bits, so they stand for a target within the limit.
        header.bits.expand().unwrap_or(self.pow_limit).work()
    }

    /// Notes that a block's body arrived and was checked on its own. The best tip may move,
    /// also to successors whose bodies came before.
    pub fn set_body(&mut self, id: &BlockHash) {
        let Some(place) = self.places.get(id).copied() else {
            return;
        };
        self.bodies += 1;
        let order = self.bodies;
        let entry = &mut self.entries[place.index()];
        if entry.body.is_some() {
            return;
        }
        entry.body = Some(order);
        let parent_complete = entry
            .parent
            .is_none_or(|parent| self.entry(parent).is_complete());
        if !parent_complete {
            return;
        }
        let mut ready = vec![place];
        while let Some(place) = ready.pop() {
            self.entries[place.index()].complete = Some(order);
            self.consider_block(place);
            let children = self.children(place);
            ready.extend(
                children
                    .into_iter()
                    .filter(|child| self.entry(*child).body.is_some()),
            );
        }
    }

    fn consider_block(&mut self, place: Place) {
        let (new, best) = (self.entry(place), self.entry(self.best_block));
        if new.is_complete() && !new.is_invalid && new.rank() > best.rank() {
            self.best_block = place;
        }
    }

    /// Notes that a block broke a rule: it and all after it are never followed.
    pub fn set_invalid(&mut self, id: &BlockHash) {
        if let Some(place) = self
            .places
            .get(id)
            .copied()
            .filter(|place| *place != Place::ROOT)
        {
            self.mark_branch(place, true);
        }
    }

    /// Forgets that a block and those after it were noted as invalid.
    pub fn reconsider(&mut self, id: &BlockHash) {
        if let Some(place) = self.places.get(id).copied() {
            let mut above = self.entry(place).parent;
            while let Some(place) = above {
                self.entries[place.index()].is_invalid = false;
                above = self.entry(place).parent;
            }
            self.mark_branch(place, false);
        }
    }

    fn mark_branch(&mut self, place: Place, is_invalid: bool) {
        let mut marked = vec![place];
        while let Some(place) = marked.pop() {
            self.entries[place.index()].is_invalid = is_invalid;
            marked.extend(self.children(place));
        }
        self.best_block = Place::ROOT;
        self.best_header = Place::ROOT;
        for index in 0..self.entries.len() {
            let place = Place::of(index);
            self.consider_block(place);
            let (new, best) = (self.entry(place), self.entry(self.best_header));
            if !new.is_invalid && new.work > best.work {
                self.best_header = place;
            }
        }
    }

    /// How to get from one block to another.
    #[must_use]
    pub fn route(&self, from: &BlockHash, to: &BlockHash) -> Option<Route> {
        let mut from = *self.places.get(from)?;
        let mut to = *self.places.get(to)?;
        let mut route = Route::default();
        while from != to {
            let (above, below) = (self.entry(from), self.entry(to));
            if above.height >= below.height {
                route.disconnect.push(above.id);
                from = above.parent?;
            } else {
                route.connect.push(below.id);
                to = below.parent?;
            }
        }
        route.connect.reverse();
        Some(route)
    }

    /// Ids of a branch that let a peer find the last one both know: ten in a row, then ever
    /// larger steps, the first block last.
    #[must_use]
    pub fn locator(&self, tip: &BlockHash) -> Vec<BlockHash> {
        let mut ids = Vec::new();
        let mut step = 1;
        let mut at = self.places.get(tip).copied();
        while let Some(place) = at {
            let entry = self.entry(place);
            ids.push(entry.id);
            if ids.len() >= 10 {
                step *= 2;
            }
            at = match entry.height {
                0 => None,
                height => self.ancestor_place(place, height.saturating_sub(step)),
            };
        }
        ids
    }

    fn find(&self, id: &BlockHash) -> Option<&Entry> {
        self.places.get(id).map(|place| self.entry(*place))
    }

    fn entry(&self, place: Place) -> &Entry {
        &self.entries[place.index()]
    }

    fn children(&self, place: Place) -> Vec<Place> {
        let first = self.entry(place).first_child;
        std::iter::successors(first, |child| self.entry(*child).next_sibling).collect()
    }

    fn ancestor_place(&self, place: Place, height: u32) -> Option<Place> {
        let mut at = place;
        if height > self.entry(at).height {
            return None;
        }
        while self.entry(at).height > height {
            let entry = self.entry(at);
            at = if self.entry(entry.skip).height >= height {
                entry.skip
            } else {
                entry.parent?
            };
        }
        Some(at)
    }

    fn median_time(&self, place: Place) -> u32 {
        let before = std::iter::successors(Some(place), |place| self.entry(*place).parent);
        let times = before
            .take(MEDIAN_TIME_SPAN)
            .map(|place| self.entry(place).header.time);
        let mut times: Vec<u32> = times.collect();
        times.sort_unstable();
        times[times.len() / 2]
    }

    fn time_at(&self, tip: Place, height: u32) -> u32 {
        let place = self.ancestor_place(tip, height);
        self.entry(place.unwrap_or(Place::ROOT)).header.time
    }

    fn context(&self, parent: Place) -> HeaderContext {
        let before = self.entry(parent);
        let height = before.height + 1;
        let mut bits = before.header.bits;
        if self.retargets && is_retarget(height) {
            let first_time = self.time_at(parent, measured_from(height));
            bits = retarget(bits, first_time, before.header.time, self.pow_limit)
                .expect("the bits of a header in the tree stand for a target");
        }
        let is_last = height % RETARGET_INTERVAL == RETARGET_INTERVAL - 1;
        HeaderContext {
            height,
            bits,
            median_time_past: self.median_time(parent),
            parent_time: before.header.time,
            period_first_time: is_last
                .then(|| self.time_at(parent, height + 1 - RETARGET_INTERVAL)),
        }
    }
}

#[cfg(test)]
mod tests;
