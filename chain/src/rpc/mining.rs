//! Work for miners: blocks at will on regtest, and templates for programs that mine elsewhere (BIP 22, BIP 23).

use std::collections::BTreeMap;

use gio_coin::{Block, MAX_BLOCK_BYTES, MAX_BLOCK_SIGOPS, Network, Script, Transaction, Txid};
use serde_json::{Value, json};

use super::Api;
use super::error::{CallError, DECODE, INVALID, MISC, NOT_FOUND};
use super::params::Params;
use crate::address::script_of;
use crate::ledger::{Ledger, MineError, causes};

/// Blocks mined by one call.
const GENERATE_MAX: u32 = 10_000;

/// Mines blocks at will.
pub(super) async fn generate(api: &Api, method: &str, params: &Params) -> Result<Value, CallError> {
    if api.network != Network::Regtest {
        return Err(CallError::new(
            MISC,
            "blocks are made at will on regtest only",
        ));
    }
    let count = params.number(0, "nblocks")?;
    if count > GENERATE_MAX {
        let text = format!("at most {GENERATE_MAX} blocks at a time");
        return Err(CallError::new(INVALID, text));
    }
    let script = match method {
        // Anybody can spend it: for tests that do not care.
        "generate" => Script::new([gio_coin::opcode::OP_1]),
        "generatetoscript" => Script::new(params.hex(1, "script")?),
        _ => {
            let text = params.text(1, "address")?;
            let prefixes = gio_coin::Params::of(api.network).prefixes;
            let wrong = |error| CallError::new(NOT_FOUND, format!("`{text}`: {error}"));
            script_of(text, &prefixes).map_err(wrong)?
        }
    };
    let mut mined = Vec::new();
    for _ in 0..count {
        let script = script.clone();
        let block = api.ledger.call(move |ledger| ledger.generate(&script));
        let id = block.await?.map_err(|error| CallError::internal(&error))?;
        mined.push(json!(id.to_string()));
    }
    Ok(Value::Array(mined))
}

/// As miners' programs expect it: null for a block that is taken, the reason for one that is not.
pub(super) async fn submit(api: &Api, params: &Params) -> Result<Value, CallError> {
    let bytes = params.hex(0, "hexdata")?;
    let malformed = |error: gio_coin::DecodeError| CallError::new(DECODE, error.to_string());
    let block = Block::decode(&bytes).map_err(malformed)?;
    let added = api.ledger.call(move |ledger| {
        let known = ledger.chain().headers().has_body(&block.id());
        (known, ledger.add_block(&block))
    });
    match added.await? {
        (_, Err(error)) => match error.fatal() {
            Some(fatal) => Err(CallError::internal(fatal)),
            None => Ok(json!(causes(&error))),
        },
        (true, Ok(_)) => Ok(json!("duplicate")),
        (false, Ok(added)) => Ok(added
            .invalid
            .first()
            .map_or(Value::Null, |(_, broken)| json!(causes(broken)))),
    }
}

/// A block to find a nonce for. The coinbase is made here, because the coin's rules for it are not those that miners'
/// own builders know (R28); only the time may be changed.
pub(super) async fn template(api: &Api, params: &Params) -> Result<Value, CallError> {
    let request = params.object(0, "template_request")?;
    let mode = request.get("mode").and_then(Value::as_str);
    if mode.is_some_and(|mode| mode != "template") {
        return Err(CallError::new(INVALID, "`mode` must be template"));
    }
    let unset = || {
        let text = "nobody to pay: set `mine_to` in config.toml and start the node again";
        CallError::new(MISC, text)
    };
    let script = api.mine_to.clone().ok_or_else(unset)?;
    let made = api.ledger.call(move |ledger| made(ledger, &script));
    made.await?.map_err(|error| CallError::internal(&error))
}

fn made(ledger: &mut Ledger, script: &Script) -> Result<Value, MineError> {
    let block = ledger.template(script)?;
    let height = ledger.chain().tip_height() + 1;
    let mintime = ledger
        .chain()
        .headers()
        .median_time_past(&ledger.chain().tip());
    let target = block.header.bits.expand().map(|target| target.to_string());
    let (first, others) = block
        .transactions
        .split_first()
        .ok_or(MineError::DoesNotFit)?;
    let mut places = BTreeMap::new();
    let mut told = Vec::new();
    for (place, transaction) in (1..).zip(others) {
        told.push(transaction_json(ledger, transaction, &places));
        places.insert(transaction.txid(), place);
    }
    Ok(json!({
        "capabilities": ["coinbasetxn"],
        "version": block.header.version,
        "previousblockhash": block.header.previous.to_string(),
        "transactions": told,
        "coinbasetxn": {
            "data": hex::encode(first.encode()),
            "txid": first.txid().to_string(),
            "hash": first.wtxid().to_string(),
        },
        "coinbaseaux": {},
        "target": target.unwrap_or_default(),
        "mintime": mintime.map(|time| time + 1),
        "mutable": ["time"],
        "noncerange": "00000000ffffffff",
        "sigoplimit": MAX_BLOCK_SIGOPS,
        "sizelimit": MAX_BLOCK_BYTES,
        "curtime": block.header.time,
        "bits": format!("{:08x}", block.header.bits.0),
        "height": height,
        "rules": [],
    }))
}

fn transaction_json(
    ledger: &Ledger,
    transaction: &Transaction,
    places: &BTreeMap<Txid, u32>,
) -> Value {
    let parents = transaction.inputs.iter().map(|input| input.previous.txid);
    let depends: Vec<u32> = parents
        .filter_map(|txid| places.get(&txid).copied())
        .collect();
    let txid = transaction.txid();
    let entry = ledger.mempool().get(&txid);
    json!({
        "data": hex::encode(transaction.encode()),
        "txid": txid.to_string(),
        "hash": transaction.wtxid().to_string(),
        "depends": depends,
        "fee": entry.map(|entry| entry.fee.units()),
        "sigops": entry.map(|entry| entry.sigops),
    })
}
