//! Putting a block together.

use crate::Block;
use crate::hash::BlockHash;
use crate::header::Header;
use crate::merkle::{MutatedTree, merkle_root};
use crate::rules::witness_commitment;
use crate::script::ScriptBuilder;
use crate::target::CompactTarget;
use crate::transaction::{OutPoint, Transaction, TxIn, TxOut, Witness};

/// The version of new headers: nothing is signalled.
const VERSION: u32 = 0x2000_0000;
/// Keeps a coinbase's lock time in force (R28).
const COINBASE_SEQUENCE: u32 = u32::MAX - 1;

/// A coinbase as R28 demands it at `height`. `extra` follows the height in the input script:
/// whatever makes this miner's blocks its own, at most 90 bytes.
#[must_use]
pub fn coinbase(height: u32, extra: &[u8], outputs: Vec<TxOut>) -> Transaction {
    let script = ScriptBuilder::new().number(i64::from(height)).push(extra);
    Transaction {
        version: 2,
        inputs: vec![TxIn {
            previous: OutPoint::NULL,
            script_sig: script.build(),
            sequence: COINBASE_SEQUENCE,
            witness: Witness::new(),
        }],
        outputs,
        lock_time: height.saturating_sub(1),
    }
}

/// A block without its work: the coinbase first, committing to the witnesses if there are any.
///
/// # Errors
/// [`MutatedTree`] if the transactions repeat their own tail.
pub fn assemble(
    previous: BlockHash,
    time: u32,
    bits: CompactTarget,
    mut coinbase: Transaction,
    others: Vec<Transaction>,
) -> Result<Block, MutatedTree> {
    let witnesses = others.iter().any(Transaction::has_witnesses);
    let mut transactions = others;
    if witnesses {
        transactions.insert(0, coinbase);
        let commitment = witness_commitment(&transactions)?;
        coinbase = transactions.remove(0);
        coinbase.outputs.push(commitment);
        coinbase.inputs[0].witness = vec![vec![0; 32]];
    }
    transactions.insert(0, coinbase);
    let leaves = transactions
        .iter()
        .map(|transaction| transaction.txid().to_leaf());
    let header = Header {
        version: VERSION,
        previous,
        merkle_root: merkle_root(leaves)?,
        time,
        bits,
        nonce: 0,
    };
    Ok(Block {
        header,
        transactions,
    })
}
