//! One header of the tree and its links.

use crate::hash::BlockHash;
use crate::header::Header;
use crate::target::{CompactTarget, Work};

/// Where a header stands in the tree's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u32);

impl Place {
    pub(super) const ROOT: Self = Self(0);

    pub(super) fn of(index: usize) -> Self {
        Self(u32::try_from(index).expect("2^32 headers would take 8,000 years"))
    }

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) header: Header,
    pub(super) id: BlockHash,
    pub(super) height: u32,
    /// Of this header and all before.
    pub(super) work: Work,
    pub(super) parent: Option<Place>,
    /// An ancestor further back, so that any ancestor is found in a few steps.
    pub(super) skip: Place,
    pub(super) first_child: Option<Place>,
    pub(super) next_sibling: Option<Place>,
    /// When its body arrived, counted in bodies.
    pub(super) body: Option<u64>,
    /// When the last missing body of its branch arrived.
    pub(super) complete: Option<u64>,
    pub(super) is_invalid: bool,
}

impl Entry {
    pub(super) fn genesis(header: Header) -> Self {
        Self {
            header,
            id: header.id(),
            height: 0,
            work: header
                .bits
                .expand()
                .map_or(Work::ZERO, |target| target.work()),
            parent: None,
            skip: Place::ROOT,
            first_child: None,
            next_sibling: None,
            body: Some(0),
            complete: Some(0),
            is_invalid: false,
        }
    }

    pub(super) const fn is_complete(&self) -> bool {
        self.complete.is_some()
    }

    /// Greater is better: more work, then completed earlier.
    pub(super) fn rank(&self) -> (Work, std::cmp::Reverse<u64>) {
        let when = self.complete.unwrap_or(u64::MAX);
        (self.work, std::cmp::Reverse(when))
    }
}

const _: () = assert!(
    size_of::<CompactTarget>() == 4,
    "headers are kept by the million"
);

/// Which ancestor a header at this height remembers. Clearing the lowest set bit (twice for
/// odd heights) makes any ancestor reachable in a number of steps like the logarithm.
pub(super) const fn skip_height(height: u32) -> u32 {
    const fn without_lowest_bit(n: u32) -> u32 {
        n & n.wrapping_sub(1)
    }
    if height < 2 {
        return 0;
    }
    if height % 2 == 1 {
        without_lowest_bit(without_lowest_bit(height - 1)) + 1
    } else {
        without_lowest_bit(height)
    }
}
