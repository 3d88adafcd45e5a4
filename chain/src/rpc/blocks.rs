//! Headers, blocks and transactions as JSON. Runs on the ledger's thread.

use gio_coin::{Block, BlockHash, Transaction};
use serde_json::{Value, json};

use super::error::{CallError, NOT_FOUND};
use crate::chain::Chain;

/// No such block.
pub(super) fn no_block(id: &BlockHash) -> CallError {
    CallError::new(NOT_FOUND, format!("block {id} is not known"))
}

/// A header with its place.
pub(super) fn header_json(chain: &Chain, id: &BlockHash) -> Result<Value, CallError> {
    let tree = chain.headers();
    let unknown = || no_block(id);
    let header = tree.header(id).ok_or_else(unknown)?;
    let height = tree.height(id).ok_or_else(unknown)?;
    let tip = chain.tip();
    let is_ours = tree.ancestor(&tip, height) == Some(*id);
    let above = i64::from(chain.tip_height()) - i64::from(height) + 1;
    let work = tree.work(id).ok_or_else(unknown)?;
    let mut told = json!({
        "hash": id.to_string(),
        "confirmations": if is_ours { above } else { -1 },
        "height": height,
        "version": header.version,
        "merkleroot": header.merkle_root.to_string(),
        "time": header.time,
        "mediantime": tree.median_time_past(id),
        "nonce": header.nonce,
        "bits": format!("{:08x}", header.bits.0),
        "chainwork": hex::encode(work.to_be_bytes()),
    });
    if height > 0 {
        told["previousblockhash"] = json!(header.previous.to_string());
    }
    if is_ours && let Some(next) = tree.ancestor(&tip, height + 1) {
        told["nextblockhash"] = json!(next.to_string());
    }
    Ok(told)
}

/// A block: its bytes (0), ids (1) or transactions (2).
pub(super) fn block_json(
    chain: &Chain,
    id: &BlockHash,
    verbosity: u64,
) -> Result<Value, CallError> {
    let block = body(chain, id)?;
    if verbosity == 0 {
        return Ok(json!(hex::encode(block.encode())));
    }
    let mut told = header_json(chain, id)?;
    told["nTx"] = json!(block.transactions.len());
    told["size"] = json!(block.encoded_len());
    let transactions = block.transactions.iter();
    told["tx"] = match verbosity {
        1 => transactions
            .map(|each| json!(each.txid().to_string()))
            .collect(),
        _ => transactions.map(transaction_json).collect(),
    };
    Ok(told)
}

/// The body of a block.
pub(super) fn body(chain: &Chain, id: &BlockHash) -> Result<Block, CallError> {
    let found = chain
        .block(id)
        .map_err(|error| CallError::internal(&error))?;
    found.ok_or_else(|| match chain.headers().contains(id) {
        true => CallError::new(NOT_FOUND, format!("of block {id} only the header is here")),
        false => no_block(id),
    })
}

/// A transaction. Amounts are texts and base units: JSON's numbers lose digits.
pub(super) fn transaction_json(transaction: &Transaction) -> Value {
    let input = |input: &gio_coin::TxIn| {
        let witness: Vec<String> = input.witness.iter().map(hex::encode).collect();
        if transaction.is_coinbase() {
            return json!({"coinbase": hex::encode(input.script_sig.as_bytes()), "sequence": input.sequence});
        }
        json!({
            "txid": input.previous.txid.to_string(),
            "vout": input.previous.index,
            "scriptSig": {"hex": hex::encode(input.script_sig.as_bytes())},
            "txinwitness": witness,
            "sequence": input.sequence,
        })
    };
    let output = |(at, output): (usize, &gio_coin::TxOut)| {
        json!({
            "n": at,
            "value": output.value.to_string(),
            "units": output.value.units(),
            "scriptPubKey": {"hex": hex::encode(output.script_pubkey.as_bytes())},
            "link": String::from_utf8_lossy(output.link.as_bytes()),
        })
    };
    json!({
        "txid": transaction.txid().to_string(),
        "hash": transaction.wtxid().to_string(),
        "version": transaction.version,
        "size": transaction.encoded_len(),
        "locktime": transaction.lock_time,
        "vin": transaction.inputs.iter().map(input).collect::<Vec<_>>(),
        "vout": transaction.outputs.iter().enumerate().map(output).collect::<Vec<_>>(),
        "hex": hex::encode(transaction.encode()),
    })
}
