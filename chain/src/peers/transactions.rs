//! Transactions between peers: which were asked for, of whom, and which were refused.
//!
//! # Security
//! What nobody asked for is not looked at, and what was refused is not looked at again until the tip moves: judging a
//! transaction costs far more than sending it. Refusals are remembered by the id that witnesses change too, so that a
//! spoiled copy does not keep the true one out.

use std::collections::{BTreeMap, BTreeSet};

use gio_coin::{Transaction, Txid, Wtxid};

use super::connection::PeerId;

/// Transactions asked of one peer and not brought yet: what one announcement can name. A peer with so many open is not
/// asked for more.
const ASKED_MAX: usize = 5000;
/// Announced transactions that are not asked for again; then all are forgotten, and some asked for once more.
const SEEN_MAX: usize = 20_000;
/// Refused transactions remembered; then all are forgotten, and some judged once more.
const REFUSED_MAX: usize = 20_000;
/// Transactions of one peer whose scripts were run for nothing under one tip, through no rule of blocks. It is not asked
/// for more until the tip moves: nobody is blamed for them, and nobody can make this node run scripts all day.
const UNUSUAL_MAX: u32 = 20;

/// Which transactions peers were asked for, and which were refused.
#[derive(Debug, Default)]
pub(super) struct TxRelay {
    asked: BTreeMap<PeerId, BTreeSet<Txid>>,
    seen: BTreeSet<Txid>,
    refused: BTreeSet<Wtxid>,
    unusual: BTreeMap<PeerId, u32>,
}

impl TxRelay {
    /// Whether to ask a peer for what it announced; it is then expected to bring it.
    pub(super) fn announced(&mut self, by: PeerId, txid: Txid) -> bool {
        if self
            .unusual
            .get(&by)
            .is_some_and(|count| *count >= UNUSUAL_MAX)
        {
            return false;
        }
        let asked = self.asked.entry(by).or_default();
        if asked.len() >= ASKED_MAX || self.seen.contains(&txid) {
            return false;
        }
        if self.seen.len() >= SEEN_MAX {
            self.seen.clear();
        }
        self.seen.insert(txid);
        asked.insert(txid)
    }

    /// Whether to look at what a peer brought.
    pub(super) fn brought(&mut self, by: PeerId, transaction: &Transaction) -> bool {
        self.is_missing(by, &transaction.txid()) && !self.refused.contains(&transaction.wtxid())
    }

    /// A peer does not have what it was asked for, or brought it; gives whether it was asked.
    pub(super) fn is_missing(&mut self, by: PeerId, txid: &Txid) -> bool {
        let asked = self.asked.get_mut(&by);
        asked.is_some_and(|asked| asked.remove(txid))
    }

    /// Under this tip the transaction is refused, whoever brings it.
    pub(super) fn refused(&mut self, txid: &Txid, wtxid: Wtxid) {
        if self.refused.len() >= REFUSED_MAX {
            self.refused.clear();
        }
        self.refused.insert(wtxid);
        // With other witnesses it may be fine: others may bring it. Without any there is one form of it.
        if txid.as_bytes() != wtxid.as_bytes() {
            self.seen.remove(txid);
        }
    }

    /// A peer brought one whose scripts are not passed on, though a block may contain it.
    pub(super) fn was_unusual(&mut self, by: PeerId) {
        *self.unusual.entry(by).or_default() += 1;
    }

    /// What was refused on another tip may be fine now.
    pub(super) fn tip_moved(&mut self) {
        self.unusual.clear();
        self.seen.clear();
        self.refused.clear();
    }

    /// A peer is gone.
    pub(super) fn left(&mut self, id: PeerId) {
        self.asked.remove(&id);
    }
}
