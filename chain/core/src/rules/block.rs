//! What makes a block valid, as far as it can be said without the coins it spends.

use gio_protocol::Gio;
use sha2::Sha256;
use thiserror::Error;

use super::locks::{SEQUENCE_FINAL, is_final};
use super::transaction::{TransactionError, check_transaction};
use crate::Block;
use crate::block::MAX_BLOCK_BYTES;
use crate::hash::{MerkleRoot, finish_sha256d};
use crate::link::Link;
use crate::merkle::{MutatedTree, merkle_root};
use crate::script::{Script, ScriptBuilder, sigops};
use crate::transaction::{Transaction, TxOut};
use crate::wire::Sink;

/// Most signature checks in a block: one for every 52 bytes of a full one, so that ordinary
/// payments never meet it and checking a block takes about a second on one core.
pub const MAX_BLOCK_SIGOPS: usize = 40_000;

/// How a witness commitment begins: OP_RETURN, a push of 36 bytes, and BIP 141's four bytes.
const COMMITMENT_START: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
/// Where a commitment ends.
const COMMITMENT_END: usize = 38;

/// A rule that a block breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BlockError {
    /// It has no transactions.
    #[error("the block has no transactions")]
    Empty,
    /// Its transactions repeat their own tail.
    #[error("the block's transactions repeat their own tail")]
    MutatedTransactions,
    /// The header commits to other transactions.
    #[error("the header commits to {committed}, the transactions give {found}")]
    WrongMerkleRoot {
        /// What the header says.
        committed: MerkleRoot,
        /// What the transactions give.
        found: MerkleRoot,
    },
    /// The coinbase's witness is not one item of 32 bytes.
    #[error("the coinbase's witness is not one item of 32 bytes")]
    WitnessReserveMissing,
    /// The coinbase commits to other witnesses.
    #[error("the coinbase commits to other witnesses")]
    WrongWitnessCommitment,
    /// There are witnesses, and the coinbase does not commit to them.
    #[error("transaction {transaction} has a witness the coinbase does not commit to")]
    UnexpectedWitness {
        /// Its position.
        transaction: usize,
    },
    /// Its bytes exceed the limit, witnesses and links included (R28).
    #[error("the block has {0} bytes, at most {MAX_BLOCK_BYTES} are allowed")]
    TooLarge(usize),
    /// The first transaction is no coinbase.
    #[error("the first transaction is no coinbase")]
    NoCoinbase,
    /// Another transaction than the first is a coinbase.
    #[error("transaction {transaction} is a second coinbase")]
    SecondCoinbase {
        /// Its position.
        transaction: usize,
    },
    /// A transaction breaks a rule on its own.
    #[error("transaction {transaction} is invalid")]
    Transaction {
        /// Its position.
        transaction: usize,
        /// The rule.
        #[source]
        source: TransactionError,
    },
    /// Too many signature checks.
    #[error("the block has {0} signature checks, at most {MAX_BLOCK_SIGOPS} are allowed")]
    TooManySigops(usize),
    /// A transaction's lock time has not been reached.
    #[error("transaction {transaction} is locked until later")]
    NotFinal {
        /// Its position.
        transaction: usize,
    },
    /// The coinbase's input script does not begin with the height (BIP 34).
    #[error("the coinbase's input script does not begin with height {0}")]
    CoinbaseHeight(u32),
    /// The coinbase's lock time is not the height before (R28).
    #[error("the coinbase's lock time is {found}, not {required}")]
    CoinbaseLockTime {
        /// The height before.
        required: u32,
        /// What it has.
        found: u32,
    },
    /// The coinbase's sequence switches its lock time off (R28).
    #[error("the coinbase's sequence switches its lock time off")]
    CoinbaseSequence,
}

impl BlockError {
    /// Whether the header may still belong to a valid block whose body was damaged on the
    /// way: such a header must not be remembered as invalid.
    #[must_use]
    pub const fn may_be_mutation(&self) -> bool {
        matches!(
            self,
            Self::Empty
                | Self::MutatedTransactions
                | Self::WrongMerkleRoot { .. }
                | Self::WitnessReserveMissing
                | Self::WrongWitnessCommitment
                | Self::UnexpectedWitness { .. }
                | Self::NoCoinbase
                | Self::Transaction {
                    source: TransactionError::SixtyFourBytes,
                    ..
                }
        )
    }
}

/// Checks a block on its own. First that the header commits to these transactions and these
/// witnesses, so that every later error is the miner's and not a messenger's.
///
/// # Errors
/// The first rule it breaks.
pub fn check_block(block: &Block) -> Result<(), BlockError> {
    let Some((coinbase, others)) = block.transactions.split_first() else {
        return Err(BlockError::Empty);
    };
    check_commitments(block)?;
    if !coinbase.is_coinbase() {
        return Err(BlockError::NoCoinbase);
    }
    if let Some(second) = others.iter().position(Transaction::is_coinbase) {
        let transaction = second + 1;
        return Err(BlockError::SecondCoinbase { transaction });
    }
    let length = block.encoded_len();
    if length > MAX_BLOCK_BYTES {
        return Err(BlockError::TooLarge(length));
    }
    let mut checks = 0;
    for (transaction, checked) in block.transactions.iter().enumerate() {
        check_transaction(checked).map_err(|source| BlockError::Transaction {
            transaction,
            source,
        })?;
        checks += static_sigops(checked);
    }
    if checks > MAX_BLOCK_SIGOPS {
        return Err(BlockError::TooManySigops(checks));
    }
    Ok(())
}

/// Signature checks visible without the spent outputs; counted for a block as a whole.
pub(crate) fn static_sigops(transaction: &Transaction) -> usize {
    let inputs = transaction.inputs.iter().map(|input| &input.script_sig);
    let outputs = transaction
        .outputs
        .iter()
        .map(|output| &output.script_pubkey);
    inputs
        .chain(outputs)
        .map(|script| sigops(script, false))
        .sum()
}

fn check_commitments(block: &Block) -> Result<(), BlockError> {
    let leaves = block
        .transactions
        .iter()
        .map(|transaction| transaction.txid().to_leaf());
    let found = merkle_root(leaves).map_err(|MutatedTree| BlockError::MutatedTransactions)?;
    let committed = block.header.merkle_root;
    if found != committed {
        return Err(BlockError::WrongMerkleRoot { committed, found });
    }
    check_witnesses(block)
}

fn check_witnesses(block: &Block) -> Result<(), BlockError> {
    let coinbase = &block.transactions[0];
    let commitment = coinbase.outputs.iter().rev().find_map(|output| {
        let script = output.script_pubkey.as_bytes();
        script
            .starts_with(&COMMITMENT_START)
            .then_some(script)?
            .get(6..COMMITMENT_END)
    });
    let Some(commitment) = commitment else {
        let with_witness = block
            .transactions
            .iter()
            .position(Transaction::has_witnesses);
        return with_witness.map_or(Ok(()), |transaction| {
            Err(BlockError::UnexpectedWitness { transaction })
        });
    };
    let reserve = match coinbase
        .inputs
        .first()
        .map(|input| input.witness.as_slice())
    {
        Some([reserve]) => <&[u8; 32]>::try_from(reserve.as_slice()),
        _ => return Err(BlockError::WitnessReserveMissing),
    };
    let reserve = reserve.map_err(|_| BlockError::WitnessReserveMissing)?;
    let found = commitment_hash(&block.transactions, reserve)
        .map_err(|MutatedTree| BlockError::MutatedTransactions)?;
    if commitment != found {
        return Err(BlockError::WrongWitnessCommitment);
    }
    Ok(())
}

fn commitment_hash(
    transactions: &[Transaction],
    reserve: &[u8; 32],
) -> Result<[u8; 32], MutatedTree> {
    let others = transactions
        .iter()
        .skip(1)
        .map(|transaction| transaction.wtxid().to_leaf());
    let root = merkle_root(std::iter::once(MerkleRoot::default()).chain(others))?;
    let mut engine = Sha256::default();
    engine.put(root.as_bytes());
    engine.put(reserve);
    Ok(finish_sha256d(engine))
}

/// The output a miner adds to a coinbase to commit to the witnesses of the transactions after
/// it; the coinbase's own witness is then one item of 32 zero bytes.
///
/// # Errors
/// [`MutatedTree`] if the transactions repeat their own tail.
pub fn witness_commitment(transactions: &[Transaction]) -> Result<TxOut, MutatedTree> {
    let hash = commitment_hash(transactions, &[0; 32])?;
    let mut script = COMMITMENT_START.to_vec();
    script.extend_from_slice(&hash);
    Ok(TxOut {
        value: Gio::ZERO,
        script_pubkey: Script::new(script),
        link: Link::NONE,
    })
}

/// Checks a block (already checked on its own) at its height, whose parent has this median
/// time. The first block of a network is exempt: it is known by its id.
///
/// # Errors
/// The first rule it breaks.
pub fn check_block_at(block: &Block, height: u32, median_time_past: u32) -> Result<(), BlockError> {
    let mut transactions = block.transactions.iter();
    let locked = transactions.position(|checked| !is_final(checked, height, median_time_past));
    if let Some(transaction) = locked {
        return Err(BlockError::NotFinal { transaction });
    }
    let Some(coinbase) = block.transactions.first() else {
        return Err(BlockError::Empty);
    };
    check_coinbase_at(coinbase, height)
}

fn check_coinbase_at(coinbase: &Transaction, height: u32) -> Result<(), BlockError> {
    let Some(input) = coinbase.inputs.first() else {
        return Err(BlockError::NoCoinbase);
    };
    let start = ScriptBuilder::new().number(i64::from(height)).build();
    if !input.script_sig.as_bytes().starts_with(start.as_bytes()) {
        return Err(BlockError::CoinbaseHeight(height));
    }
    let required = height.saturating_sub(1);
    let found = coinbase.lock_time;
    if found != required {
        return Err(BlockError::CoinbaseLockTime { required, found });
    }
    if input.sequence == SEQUENCE_FINAL {
        return Err(BlockError::CoinbaseSequence);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
