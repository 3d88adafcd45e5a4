//! A block put together from short ids and what waits in the mempool.
//!
//! # Security
//! Short ids are six bytes: two transactions may have the same one, by chance or on purpose. A block that does not
//! fit together is therefore nobody's fault; it is asked for in full.

use std::collections::BTreeMap;

use gio_coin::{Block, BlockHash, Header, Transaction};
use thiserror::Error;

use crate::mempool::Mempool;
use crate::wire::{BlockTxn, BlockTxnRequest, CompactBlock, ShortId, ShortIds};

/// Why a block cannot be put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum CompactError {
    /// Two of its transactions have one short id.
    #[error("two transactions of the block have one short id")]
    Collision,
    /// The answer does not have as many transactions as were asked for.
    #[error("{found} transactions came where {expected} were asked for")]
    Count {
        /// How many were asked for.
        expected: usize,
        /// How many came.
        found: usize,
    },
}

/// A block of which some transactions are missing.
#[derive(Debug)]
pub(crate) struct Partial {
    id: BlockHash,
    header: Header,
    slots: Vec<Option<Transaction>>,
}

impl Partial {
    /// Puts together what the message and the mempool have.
    ///
    /// # Errors
    /// [`CompactError::Collision`].
    pub(crate) fn new(compact: CompactBlock, mempool: &Mempool) -> Result<Self, CompactError> {
        let header = compact.header;
        let ids = ShortIds::new(&header, compact.nonce);
        let mut slots: Vec<Option<Transaction>> = vec![None; compact.len()];
        for (position, transaction) in compact.prefilled {
            // The decoder refuses positions beyond the block.
            if let Some(slot) = slots.get_mut(position as usize) {
                *slot = Some(transaction);
            }
        }
        let open = slots.iter().enumerate().filter(|(_, slot)| slot.is_none());
        let open: Vec<usize> = open.map(|(position, _)| position).collect();
        let wanted: BTreeMap<ShortId, usize> = compact
            .short_ids
            .iter()
            .copied()
            .zip(open.iter().copied())
            .collect();
        if wanted.len() != compact.short_ids.len() {
            return Err(CompactError::Collision);
        }
        let mut twice = Vec::new();
        for (_, entry) in mempool.iter() {
            let Some(position) = wanted.get(&ids.of(&entry.wtxid)) else {
                continue;
            };
            // Two that wait have one short id: which of them is meant the sender must say.
            if slots[*position]
                .replace(entry.transaction.clone())
                .is_some()
            {
                twice.push(*position);
            }
        }
        twice
            .into_iter()
            .for_each(|position| slots[position] = None);
        let id = header.id();
        Ok(Self { id, header, slots })
    }

    /// Which block this is.
    pub(crate) const fn id(&self) -> BlockHash {
        self.id
    }

    /// Asks for what is missing; nothing if nothing is.
    pub(crate) fn request(&self) -> Option<BlockTxnRequest> {
        let missing = (0..).zip(&self.slots).filter(|(_, slot)| slot.is_none());
        let positions: Vec<u32> = missing.map(|(position, _)| position).collect();
        let block = self.id;
        (!positions.is_empty()).then_some(BlockTxnRequest { block, positions })
    }

    /// The block, with what was missing.
    ///
    /// # Errors
    /// [`CompactError::Count`].
    pub(crate) fn complete(self, answer: BlockTxn) -> Result<Block, CompactError> {
        let expected = self.slots.iter().filter(|slot| slot.is_none()).count();
        let found = answer.transactions.len();
        if expected != found {
            return Err(CompactError::Count { expected, found });
        }
        let mut came = answer.transactions.into_iter();
        let slots = self.slots.into_iter();
        Ok(Block {
            header: self.header,
            transactions: slots
                .filter_map(|slot| slot.or_else(|| came.next()))
                .collect(),
        })
    }
}

/// The transactions somebody asks for, unless one of the positions does not exist.
pub(crate) fn answer(block: &Block, request: &BlockTxnRequest) -> Option<BlockTxn> {
    let at = |position: &u32| block.transactions.get(*position as usize).cloned();
    let transactions = request.positions.iter().map(at).collect::<Option<_>>()?;
    let block = request.block;
    Some(BlockTxn {
        block,
        transactions,
    })
}
