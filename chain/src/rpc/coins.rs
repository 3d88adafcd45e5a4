//! Unspent outputs and proofs of transactions as JSON. Runs on the ledger's thread.

use gio_coin::{BlockHash, Coin, OutPoint, SpvProof, Txid};
use serde_json::{Value, json};

use super::blocks::{body, no_block};
use super::error::{CallError, DECODE, INVALID, NOT_FOUND};
use super::params::Params;
use crate::chain::Chain;
use crate::ledger::Ledger;

/// An unspent output, or null: of the chain, and of what waits unless told otherwise.
pub(super) fn output(ledger: &Ledger, params: &Params) -> Result<Value, CallError> {
    let txid: Txid = params.parsed(0, "txid")?;
    let index = params.number(1, "n")?;
    let with_mempool = !params.has(2) || params.flag(2, "include_mempool")?;
    let (chain, pool) = (ledger.chain(), ledger.mempool());
    let point = OutPoint { txid, index };
    if with_mempool && pool.spender(&point).is_some() {
        return Ok(Value::Null);
    }
    let confirmed = chain.coin(point);
    let confirmed = confirmed.map_err(|error| CallError::internal(&error))?;
    let waits = || {
        let output = pool.output(&point).filter(|_| with_mempool)?;
        Some(Coin::new(output, chain.tip_height() + 1, false))
    };
    let Some(coin) = confirmed.or_else(waits) else {
        return Ok(Value::Null);
    };
    Ok(json!({
        "bestblock": chain.tip().to_string(),
        "confirmations": i64::from(chain.tip_height()) - i64::from(coin.height) + 1,
        "value": coin.value.to_string(),
        "units": coin.value.units(),
        "scriptPubKey": {"hex": hex::encode(coin.script_pubkey.as_bytes())},
        "linkhash": coin.link.map(|link| hex::encode(link.as_bytes())),
        "coinbase": coin.is_coinbase,
    }))
}

/// The proof that one transaction is in a block.
pub(super) fn prove(chain: &Chain, params: &Params) -> Result<Value, CallError> {
    let txid: Txid = params.only(0, "txids")?;
    let id: BlockHash = params.parsed(1, "blockhash")?;
    let block = body(chain, &id)?;
    let place = block.txids().iter().position(|each| *each == txid);
    let proof = place.and_then(|place| SpvProof::new(&block, place));
    let absent = || CallError::new(NOT_FOUND, format!("{txid} is not in block {id}"));
    Ok(json!(hex::encode(proof.ok_or_else(absent)?.encode())))
}

/// The id a proof proves, for a block of the branch this node is on.
pub(super) fn verify(chain: &Chain, params: &Params) -> Result<Value, CallError> {
    let bytes = params.hex(0, "proof")?;
    let proof = SpvProof::decode(&bytes);
    let proof = proof.map_err(|error| CallError::new(DECODE, error.to_string()))?;
    let id: BlockHash = params.parsed(1, "blockhash")?;
    let tree = chain.headers();
    let header = tree.header(&id).ok_or_else(|| no_block(&id))?;
    let height = tree.height(&id).ok_or_else(|| no_block(&id))?;
    if tree.ancestor(&chain.tip(), height) != Some(id) {
        let text = format!("block {id} is not on the branch this node follows");
        return Err(CallError::new(NOT_FOUND, text));
    }
    let proven = proof.verify(header.merkle_root);
    let txid = proven.map_err(|error| CallError::new(INVALID, error.to_string()))?;
    Ok(json!([txid.to_string()]))
}
