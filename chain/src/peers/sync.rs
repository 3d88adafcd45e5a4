//! What headers and blocks of peers mean to the ledger. Runs on the ledger's thread.

use std::collections::BTreeSet;

use gio_coin::{Block, BlockHash, Header, HeaderTree, InsertError, Work};

use super::bans::Offence;
use super::connection::PeerId;
use super::presync::{Presync, PresyncError, PresyncStep, claimed_work};
use crate::chain::{AddBlockError, AddHeadersError, ChainError};
use crate::ledger::{Ledger, causes};
use crate::wire::MAX_HEADERS;

/// How far above the last block a branch shares with ours its blocks are fetched: they wait on disk until those before
/// them came.
const WINDOW: u32 = 512;
/// A branch may leave ours this many blocks below the tip and still be worth memory while it has less work than ours:
/// a day.
const FORK_DEPTH: u32 = 1440;

/// So many blocks make a day: who is further behind the best header does not announce what it connects.
const FAR_BEHIND: u32 = 1440;

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

/// Whether this node is a day or more behind the best header it knows: what it connects is news to nobody. Somebody
/// who withholds blocks would have to withhold a day of all miners' work to make it look so.
pub(crate) fn is_far_behind(ledger: &Ledger) -> bool {
    let tree = ledger.chain().headers();
    let best = tree.height(&tree.best_header()).unwrap_or(0);
    best > ledger.chain().tip_height().saturating_add(FAR_BEHIND)
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
    /// It is kept, but it breaks a rule in its place.
    Broken(String),
    /// The chain cannot go on.
    Fatal(ChainError),
}

/// What a block brought about.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What became of it.
    pub(super) kept: Kept,
    /// Blocks that waited for it and turned out to break a rule: the fault of those who brought them.
    pub(super) others: Vec<(BlockHash, String)>,
}

/// Takes a block that was asked for.
pub(super) fn keep(ledger: &mut Ledger, block: &Block) -> Outcome {
    let mut others = Vec::new();
    let kept = match ledger.add_block(block) {
        Ok(added) => {
            let mut kept = Kept::Yes;
            for (id, broken) in added.invalid {
                let why = format!("{id}: {}", causes(&broken));
                if id == block.id() {
                    kept = Kept::Broken(why);
                } else {
                    others.push((id, why));
                }
            }
            kept
        }
        Err(AddBlockError::Chain(error) | AddBlockError::Header(AddHeadersError::Chain(error))) => {
            Kept::Fatal(error)
        }
        Err(error) => match &error {
            AddBlockError::Block(broken) if broken.may_be_mutation() => {
                Kept::Mutated(causes(&error))
            }
            _ => Kept::Refused(causes(&error)),
        },
    };
    Outcome { kept, others }
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

/// A source's branch above our tip, and how far it was looked at.
struct Walk {
    source: Source,
    /// The last block it shares with our branch.
    fork: u32,
    /// The next height to look at.
    next: u32,
    top: u32,
}

impl Walk {
    /// The branch of a source's best header, if it has more work than our tip and nothing known to be wrong.
    ///
    /// Equal work is not enough: the tip would stay where it is.
    fn new(ledger: &Ledger, source: Source) -> Option<Self> {
        let (tree, tip) = (ledger.chain().headers(), ledger.chain().tip());
        let best = source.best;
        let top = tree.height(&best)?;
        if tree.work(&best) <= tree.work(&tip) || tree.is_invalid(&best) {
            return None;
        }
        let mut fork = ledger.chain().tip_height().min(top);
        while tree.ancestor(&tip, fork) != tree.ancestor(&best, fork) {
            fork = fork.saturating_sub(1);
        }
        Some(Self {
            source,
            fork,
            next: fork + 1,
            top,
        })
    }

    /// The lowest block it has that is missing and that nobody is asked for.
    fn next_missing(
        &mut self,
        tree: &HeaderTree,
        asked: &BTreeSet<BlockHash>,
    ) -> Option<(u32, BlockHash)> {
        let last = self.top.min(self.fork.saturating_add(WINDOW));
        while self.next <= last {
            let height = self.next;
            self.next += 1;
            let id = tree.ancestor(&self.source.best, height)?;
            if !tree.has_body(&id) && !asked.contains(&id) {
                return Some((height, id));
            }
        }
        None
    }
}

/// Which blocks to ask of whom: of each peer those missing on its own best branch, the lowest first, as long as that
/// branch has more work than our tip; those that several have of the peer with the most room.
///
/// # Security
/// Nobody's headers decide what is asked of others: a branch whose blocks are withheld keeps back no other.
pub(super) fn wanted(
    ledger: &Ledger,
    sources: Vec<Source>,
    mut asked: BTreeSet<BlockHash>,
) -> Vec<Wanted> {
    let (tree, tip_height) = (ledger.chain().headers(), ledger.chain().tip_height());
    let able = sources.into_iter().filter(|source| source.free > 0);
    let walks = able.filter_map(|source| Walk::new(ledger, source));
    let mut walks: Vec<Walk> = walks.collect();
    let mut wanted = Vec::new();
    let roomiest = |walks: &[Walk]| {
        let places = walks.iter().enumerate();
        let roomiest = places.max_by_key(|(_, walk)| walk.source.free);
        roomiest.map(|(at, _)| at)
    };
    while let Some(at) = roomiest(&walks) {
        let walk = &mut walks[at];
        let Some((height, block)) = walk.next_missing(tree, &asked) else {
            walks.swap_remove(at);
            continue;
        };
        wanted.push(Wanted {
            of: walk.source.id,
            block,
            is_next: height == walk.fork + 1 && height == walk.top && walk.fork == tip_height,
        });
        asked.insert(block);
        walk.source.free -= 1;
        if walk.source.free == 0 {
            walks.swap_remove(at);
        }
    }
    wanted
}
