//! Proofs that a transaction is in a block, for light wallets and the bridge.
//!
//! A Merkle path alone does not say how deep the tree is, so an inner node could pass for a
//! transaction. The proof therefore carries the coinbase with a path of the same length: a
//! coinbase is recognised by its content, so its depth is the tree's. The rule against
//! transactions of 64 bytes (R28) closes the same hole a second time.

use thiserror::Error;

use crate::Block;
use crate::block::MAX_BLOCK_BYTES;
use crate::hash::{MerkleRoot, Txid};
use crate::merkle::{MerkleTree, root_of_path};
use crate::transaction::{MAX_TX_BYTES, Transaction};
use crate::wire::{DecodeError, Reader, put_compact, put_var_bytes};

/// Deepest tree of a block: the smallest valid transaction has 60 bytes.
const MAX_DEPTH: usize = 16;
const _: () = assert!(
    MAX_BLOCK_BYTES / 60 <= 1 << MAX_DEPTH,
    "every block's tree fits"
);

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SpvError {
    /// The two paths differ in length.
    #[error("the transaction's path has {transaction} nodes, the coinbase's {coinbase}")]
    DifferentDepths {
        /// Length of the transaction's path.
        transaction: usize,
        /// Length of the coinbase's path.
        coinbase: usize,
    },
    /// The position lies beyond what the depth can hold.
    #[error("position {index} does not exist at depth {depth}")]
    NoSuchPosition {
        /// The claimed position.
        index: u32,
        /// Length of the path.
        depth: usize,
    },
    /// The position is a repetition at the end of an odd level, not a transaction's own.
    #[error("position {0} repeats another one")]
    RepeatedPosition(u32),
    /// The transaction said to be the coinbase is none.
    #[error("the coinbase of the proof is no coinbase")]
    NoCoinbase,
    /// The transaction has 64 bytes and could be an inner node.
    #[error("the transaction has 64 bytes")]
    SixtyFourBytes,
    /// The transaction's path leads to another root.
    #[error("the transaction is not under this root")]
    WrongRoot,
    /// The coinbase's path leads to another root.
    #[error("the coinbase is not under this root")]
    WrongCoinbaseRoot,
}

/// A transaction, where it stands in its block, and the coinbase beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpvProof {
    /// Its position.
    pub index: u32,
    /// The transaction, without witnesses.
    pub transaction: Transaction,
    /// Siblings from the transaction to the root.
    pub path: Vec<MerkleRoot>,
    /// The block's first transaction, without witnesses.
    pub coinbase: Transaction,
    /// Siblings from the coinbase to the root.
    pub coinbase_path: Vec<MerkleRoot>,
}

impl SpvProof {
    /// The proof for a transaction of a valid block, if it has that many.
    #[must_use]
    pub fn new(block: &Block, index: usize) -> Option<Self> {
        let tree = MerkleTree::new(block.txids().into_iter().map(Txid::to_leaf)).ok()?;
        Some(Self {
            index: u32::try_from(index).ok()?,
            transaction: without_witnesses(block.transactions.get(index)?),
            path: tree.path(index)?,
            coinbase: without_witnesses(block.transactions.first()?),
            coinbase_path: tree.path(0)?,
        })
    }

    /// Checks that the transaction stands under this root, which the caller knows to be that
    /// of a header with enough work on top, and gives its id.
    ///
    /// # Errors
    /// [`SpvError`].
    pub fn verify(&self, root: MerkleRoot) -> Result<Txid, SpvError> {
        let depth = self.path.len();
        if depth != self.coinbase_path.len() {
            return Err(SpvError::DifferentDepths {
                transaction: depth,
                coinbase: self.coinbase_path.len(),
            });
        }
        let index = self.index;
        if depth > MAX_DEPTH || u64::from(index) >= 1 << depth {
            return Err(SpvError::NoSuchPosition { index, depth });
        }
        if !self.coinbase.is_coinbase() {
            return Err(SpvError::NoCoinbase);
        }
        for transaction in [&self.transaction, &self.coinbase] {
            if transaction.txid_preimage_len() == 64 {
                return Err(SpvError::SixtyFourBytes);
            }
        }
        let coinbase = self.coinbase.txid().to_leaf();
        if root_of_path(coinbase, 0, &self.coinbase_path) != root {
            return Err(SpvError::WrongCoinbaseRoot);
        }
        let txid = self.transaction.txid();
        if root_of_path(txid.to_leaf(), index, &self.path) != root {
            return Err(SpvError::WrongRoot);
        }
        if self.repeats_another_position() {
            return Err(SpvError::RepeatedPosition(index));
        }
        Ok(txid)
    }

    /// Whether some node on the way up is the right twin of itself.
    fn repeats_another_position(&self) -> bool {
        let mut node = self.transaction.txid().to_leaf();
        for (height, sibling) in self.path.iter().enumerate() {
            let place = self.index >> height;
            if place & 1 == 1 && node == *sibling {
                return true;
            }
            node = root_of_path(node, place & 1, std::slice::from_ref(sibling));
        }
        false
    }

    /// The bytes: position, depth, both transactions with their lengths, both paths.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.index.to_le_bytes().to_vec();
        put_compact(&mut bytes, self.path.len());
        put_var_bytes(&mut bytes, &self.transaction.encode());
        put_var_bytes(&mut bytes, &self.coinbase.encode());
        for node in self.path.iter().chain(&self.coinbase_path) {
            bytes.extend_from_slice(node.as_bytes());
        }
        bytes
    }

    /// Exactly one proof.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are what [`SpvProof::encode`] would give.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let index = reader.u32()?;
        let depth = reader.count("path nodes", 64)?;
        let transaction = read_transaction(&mut reader)?;
        let coinbase = read_transaction(&mut reader)?;
        let mut path = || -> Result<Vec<MerkleRoot>, DecodeError> {
            let mut nodes = Vec::with_capacity(depth);
            for _ in 0..depth {
                nodes.push(MerkleRoot::from_bytes(reader.array()?));
            }
            Ok(nodes)
        };
        let (path, coinbase_path) = (path()?, path()?);
        reader.finish()?;
        Ok(Self {
            index,
            transaction,
            path,
            coinbase,
            coinbase_path,
        })
    }
}

fn read_transaction(reader: &mut Reader<'_>) -> Result<Transaction, DecodeError> {
    Transaction::decode(reader.var_bytes("transaction", MAX_TX_BYTES)?)
}

fn without_witnesses(transaction: &Transaction) -> Transaction {
    let mut transaction = transaction.clone();
    for input in &mut transaction.inputs {
        input.witness.clear();
    }
    transaction
}

#[cfg(test)]
mod tests;
