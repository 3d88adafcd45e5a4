//! What headers and blocks of peers mean to the ledger. Runs on the ledger's thread.

use std::collections::BTreeSet;

use gio_coin::{Block, BlockHash, Header, InsertError, Work};

use super::bans::Offence;
use super::connection::PeerId;
use super::presync::{Presync, PresyncError, PresyncStep, claimed_work};
use crate::chain::{AddBlockError, AddHeadersError, ChainError};
use crate::ledger::{Ledger, causes};
use crate::wire::MAX_HEADERS;

/// How far ahead of the tip blocks are fetched: they wait on disk until those before them came.
const WINDOW: u32 = 512;
/// A branch may leave ours this many blocks below the tip and still be worth memory while it has less work than ours:
/// a day.
const FORK_DEPTH: u32 = 1440;

/// What became of headers.
#[derive(Debug)]
pub(super) enum Placed {
    /// They are in the tree; the last is this.
    Taken { last: BlockHash, more: bool },
    /// Their work is not proven yet: ask for what follows.
    Unproven(Presync, Option<BlockHash>),
    /// Nobody knows what they follow.
    Unconnected,
    /// They are refused.
    Refused(Offence, String),
    /// One is ahead of our clock: perhaps ours is wrong. Those before it are in the tree; the last is this.
    TooEarly(Option<BlockHash>, String),
    /// The chain cannot go on.
    Fatal(ChainError),
}

/// The work a branch must have to be worth memory.
fn required(ledger: &Ledger, min_work: Work) -> Work {
    let (tree, tip) = (ledger.chain().headers(), ledger.chain().tip());
    let depth = ledger.chain().tip_height().saturating_sub(FORK_DEPTH);
    let below = tree.ancestor(&tip, depth).and_then(|id| tree.work(&id));
    min_work.max(below.unwrap_or(Work::ZERO))
}

/// Headers that follow something known, or not.
pub(super) fn place(ledger: &mut Ledger, headers: &[Header], min_work: Work) -> Placed {
    let (Some(first), Some(last)) = (headers.first(), headers.last()) else {
        return Placed::Unconnected;
    };
    let (tree, limit) = (ledger.chain().headers(), ledger.chain().params().pow_limit);
    let claimed = match claimed_work(first.previous, headers, limit) {
        Ok(work) => work,
        Err(error) => return Placed::Refused(Offence::BadHeaders, error.to_string()),
    };
    let Some(before) = tree.work(&first.previous) else {
        return Placed::Unconnected;
    };
    let more = headers.len() == MAX_HEADERS;
    let (last, start) = (last.id(), first.previous);
    let required = required(ledger, min_work);
    if tree.contains(&last) || before + claimed >= required {
        return take(ledger, headers, last, more);
    }
    if !more {
        let why = PresyncError::TooLittleWork.to_string();
        return Placed::Refused(Offence::LowWork, why);
    }
    let presync = Presync::new(start, before, limit);
    prove(ledger, presync, headers, min_work)
}

/// Headers of a branch being proven.
pub(super) fn prove(
    ledger: &mut Ledger,
    mut presync: Presync,
    headers: &[Header],
    min_work: Work,
) -> Placed {
    if let Err((_, error)) = ledger.check_work(headers) {
        return Placed::Refused(Offence::FakeWork, error.to_string());
    }
    let required = required(ledger, min_work);
    let PresyncStep { take: proven, ask } = match presync.feed(headers, required) {
        Ok(step) => step,
        Err(error @ (PresyncError::NotAChain | PresyncError::Target)) => {
            return Placed::Refused(Offence::BadHeaders, error.to_string());
        }
        Err(error) => return Placed::Refused(Offence::LowWork, error.to_string()),
    };
    let Some(last) = proven.last().map(Header::id) else {
        return Placed::Unproven(presync, ask);
    };
    match (take(ledger, &proven, last, true), ask) {
        (Placed::Taken { .. }, Some(after)) => Placed::Unproven(presync, Some(after)),
        (placed, _) => placed,
    }
}

fn take(ledger: &mut Ledger, headers: &[Header], last: BlockHash, more: bool) -> Placed {
    match ledger.add_headers(headers) {
        Ok(()) => Placed::Taken { last, more },
        Err(AddHeadersError::Chain(error)) => Placed::Fatal(error),
        Err(AddHeadersError::Work { source, .. }) => {
            Placed::Refused(Offence::FakeWork, source.to_string())
        }
        Err(AddHeadersError::Insert { at, source }) => match source {
            InsertError::Header(error) if error.is_transient() => {
                let before = headers[..at].last().map(Header::id);
                Placed::TooEarly(before, error.to_string())
            }
            other => Placed::Refused(Offence::BadHeaders, causes(&other)),
        },
    }
}

/// What became of a block.
#[derive(Debug)]
pub(super) enum Kept {
    /// It is kept.
    Yes,
    /// It is refused.
    Refused(String),
    /// It is not the block its header names: its bytes were mixed up.
    Mutated(String),
    /// It is kept, but it or a block before it breaks a rule in its place.
    Broken(String),
    /// The chain cannot go on.
    Fatal(ChainError),
}

/// A block that was asked for.
pub(super) fn keep(ledger: &mut Ledger, block: &Block) -> Kept {
    match ledger.add_block(block) {
        Ok(added) => match added.invalid.first() {
            Some((id, broken)) => Kept::Broken(format!("{id}: {}", causes(broken))),
            None => Kept::Yes,
        },
        Err(AddBlockError::Chain(error) | AddBlockError::Header(AddHeadersError::Chain(error))) => {
            Kept::Fatal(error)
        }
        Err(error) => match &error {
            AddBlockError::Block(broken) if broken.may_be_mutation() => {
                Kept::Mutated(causes(&error))
            }
            _ => Kept::Refused(causes(&error)),
        },
    }
}

/// A peer that could be asked for blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) id: PeerId,
    /// The best header it showed.
    pub(super) best: BlockHash,
    /// How many more blocks it may be asked for.
    pub(super) free: usize,
}

/// A block to ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Of whom.
    pub(super) of: PeerId,
    /// Which.
    pub(super) block: BlockHash,
    /// Whether it is the only one missing, on our tip: most of its transactions wait in the mempool.
    pub(super) is_next: bool,
}

/// Which blocks to ask of whom: those missing on the branch with the most work, the lowest first, each from the
/// peer with the most room among those that have it.
pub(super) fn wanted(
    ledger: &Ledger,
    mut sources: Vec<Source>,
    in_flight: &BTreeSet<BlockHash>,
) -> Vec<Wanted> {
    let (tree, tip) = (ledger.chain().headers(), ledger.chain().tip());
    let best = tree.best_header();
    let mut wanted = Vec::new();
    let top = tree.height(&best).unwrap_or(0);
    let mut fork = ledger.chain().tip_height().min(top);
    while tree.ancestor(&tip, fork) != tree.ancestor(&best, fork) {
        fork = fork.saturating_sub(1);
    }
    for height in fork + 1..=top.min(fork.saturating_add(WINDOW)) {
        let Some(id) = tree.ancestor(&best, height) else {
            break;
        };
        if tree.has_body(&id) || in_flight.contains(&id) {
            continue;
        }
        let able = sources.iter_mut().filter(|source| source.free > 0);
        let having = able.filter(|source| tree.ancestor(&source.best, height) == Some(id));
        if let Some(source) = having.max_by_key(|source| source.free) {
            source.free -= 1;
            wanted.push(Wanted {
                of: source.id,
                block: id,
                is_next: height == fork + 1 && height == top && fork == ledger.chain().tip_height(),
            });
        } else if sources.iter().all(|source| source.free == 0) {
            break;
        }
    }
    wanted
}
