//! The methods.

use std::net::SocketAddr;

use gio_coin::{BlockHash, Network, Transaction, Txid};
use serde_json::{Value, json};

use super::blocks::{block_json, body, header_json, no_block, transaction_json};
use super::error::{
    CallError, DECODE, INTERNAL, INVALID, MISSING_INPUTS, NO_METHOD, NOT_CONNECTED, NOT_FOUND,
    REJECTED,
};
use super::params::Params;
use super::{Api, catalogue, coins, mining};
use crate::clock::{advice, is_far};
use crate::ledger::{Ledger, SubmitError, causes};
use crate::mempool::AdmitError;
use crate::peers::{Command, Stay, is_far_behind};

type Answer = Result<Value, CallError>;

/// Calls a method.
pub(super) async fn call(api: &Api, method: &str, params: Params) -> Answer {
    catalogue::find(method)?;
    match method {
        "help" => catalogue::help(&params),
        "uptime" => Ok(json!(api.started.elapsed().as_secs())),
        "submitblock" => mining::submit(api, &params).await,
        "getblocktemplate" => mining::template(api, &params).await,
        "generate" | "generatetoaddress" | "generatetoscript" => {
            mining::generate(api, method, &params).await
        }
        "sendrawtransaction" => send_transaction(api, &params).await,
        "addnode" | "disconnectnode" | "setnetworkactive" | "getpeerinfo"
        | "getconnectioncount" | "getnetworkinfo" | "listbanned" | "clearbanned" => {
            network(api, method, &params).await
        }
        "stop" => {
            api.stop.cancel();
            Ok(json!("the node is stopping"))
        }
        _ => {
            let (method, network) = (method.to_owned(), api.network);
            let read = api
                .ledger
                .call(move |ledger| read(ledger, network, &method, &params));
            read.await?
        }
    }
}

/// Methods that only look at the ledger.
fn read(ledger: &Ledger, network: Network, method: &str, params: &Params) -> Answer {
    let chain = ledger.chain();
    match method {
        "getblockchaininfo" => Ok(chain_info(ledger, network)),
        "getblockcount" => Ok(json!(chain.tip_height())),
        "getbestblockhash" => Ok(json!(chain.tip().to_string())),
        "getblockhash" => {
            let height = params.number(0, "height")?;
            let found = chain.headers().ancestor(&chain.tip(), height);
            let beyond = || CallError::new(INVALID, "the chain is not that high");
            Ok(json!(found.ok_or_else(beyond)?.to_string()))
        }
        "getblockheader" => {
            let id: BlockHash = params.parsed(0, "blockhash")?;
            if params.verbosity(1, 1)? > 0 {
                return header_json(chain, &id);
            }
            let header = chain.headers().header(&id).ok_or_else(|| no_block(&id))?;
            Ok(json!(hex::encode(header.encode())))
        }
        "getblock" => {
            let verbosity = params.verbosity(1, 1)?;
            block_json(chain, &params.parsed(0, "blockhash")?, verbosity)
        }
        "getrawtransaction" => raw_transaction(ledger, params),
        "gettxout" => coins::output(ledger, params),
        "gettxoutproof" => coins::prove(chain, params),
        "verifytxoutproof" => coins::verify(chain, params),
        "gettxoutsetinfo" => {
            let digest = chain
                .coins_digest()
                .map_err(|error| CallError::internal(&error))?;
            Ok(json!({
                "height": chain.tip_height(),
                "bestblock": chain.tip().to_string(),
                "coins_digest": hex::encode(digest),
            }))
        }
        "getmempoolinfo" => Ok(json!({
            "loaded": true,
            "size": ledger.mempool().len(),
            "bytes": ledger.mempool().bytes(),
            "minrate": ledger.mempool().rate_min().to_string(),
        })),
        "getrawmempool" => Ok(ledger
            .mempool()
            .iter()
            .map(|(id, _)| json!(id.to_string()))
            .collect()),
        other => Err(CallError::new(
            NO_METHOD,
            format!("there is no method `{other}`"),
        )),
    }
}

fn chain_info(ledger: &Ledger, network: Network) -> Value {
    let (chain, tree) = (ledger.chain(), ledger.chain().headers());
    let tip = chain.tip();
    let best = tree.best_header();
    let bits = tree.header(&tip).map(|header| header.bits.0);
    json!({
        "chain": network.name(),
        "blocks": chain.tip_height(),
        "headers": tree.height(&best),
        "bestblockhash": tip.to_string(),
        "bits": bits.map(|bits| format!("{bits:08x}")),
        "time": tree.header(&tip).map(|header| header.time),
        "mediantime": tree.median_time_past(&tip),
        "initialblockdownload": is_far_behind(ledger),
        "chainwork": tree.work(&tip).map(|work| hex::encode(work.to_be_bytes())),
        "pruned": false,
    })
}

fn raw_transaction(ledger: &Ledger, params: &Params) -> Answer {
    let txid: Txid = params.parsed(0, "txid")?;
    let verbose = params.verbosity(1, 0)? > 0;
    let mut block = None;
    let transaction: Option<Transaction> = if params.has(2) {
        let id: BlockHash = params.parsed(2, "blockhash")?;
        block = Some(id);
        let transactions = body(ledger.chain(), &id)?.transactions;
        transactions.into_iter().find(|each| each.txid() == txid)
    } else {
        let entry = ledger.mempool().get(&txid);
        entry.map(|entry| entry.transaction.clone())
    };
    let unknown = || {
        let text = "no such transaction waits; name the block of a confirmed one";
        CallError::new(NOT_FOUND, text)
    };
    let transaction = transaction.ok_or_else(unknown)?;
    if !verbose {
        return Ok(json!(hex::encode(transaction.encode())));
    }
    let mut told = transaction_json(&transaction);
    if let Some(id) = block {
        told["blockhash"] = json!(id.to_string());
    }
    Ok(told)
}

async fn send_transaction(api: &Api, params: &Params) -> Answer {
    let bytes = params.hex(0, "hexstring")?;
    let malformed = |error: gio_coin::DecodeError| CallError::new(DECODE, error.to_string());
    let transaction = Transaction::decode(&bytes).map_err(malformed)?;
    let submitted = api.ledger.call(|ledger| ledger.submit(transaction)).await?;
    let txid = submitted.map_err(|error| {
        let code = match &error {
            SubmitError::Chain(_) => INTERNAL,
            SubmitError::Refused(AdmitError::MissingCoin(_)) => MISSING_INPUTS,
            SubmitError::Refused(_) => REJECTED,
        };
        CallError::new(code, causes(&error))
    })?;
    api.peers.send(Command::Announce(txid)).await?;
    Ok(json!(txid.to_string()))
}

async fn network_info(api: &Api) -> Answer {
    let offset = api.peers.ask(Command::ClockOffset).await?;
    Ok(json!({
        "subversion": concat!("/gio-chain:", env!("CARGO_PKG_VERSION"), "/"),
        "protocolversion": crate::wire::Hello::VERSION,
        "connections": api.peers.ask(Command::Peers).await?.len(),
        "localaddress": api.listening,
        "timeoffset": offset,
        "warnings": offset.filter(|offset| is_far(*offset)).map_or_else(String::new, advice),
    }))
}

async fn network(api: &Api, method: &str, params: &Params) -> Answer {
    let peers = &api.peers;
    match method {
        "addnode" => {
            let address: SocketAddr = params.parsed(0, "node")?;
            let stay = match params.text(1, "command")? {
                "add" => Stay::Add,
                "remove" => Stay::Remove,
                "onetry" => Stay::Once,
                _ => {
                    return Err(CallError::new(
                        INVALID,
                        "`command` is add, remove or onetry",
                    ));
                }
            };
            peers.send(Command::Node(address, stay)).await?;
            Ok(Value::Null)
        }
        "disconnectnode" => {
            let address: SocketAddr = params.parsed(0, "address")?;
            let gone = peers.ask(|answer| Command::HangUp(address, answer)).await?;
            let absent = || CallError::new(NOT_CONNECTED, "no such peer is connected");
            gone.then_some(Value::Null).ok_or_else(absent)
        }
        "setnetworkactive" => {
            let active = params.flag(0, "state")?;
            peers.send(Command::SetActive(active)).await?;
            Ok(json!(active))
        }
        "listbanned" => {
            let banned = peers.ask(Command::Banned).await?.into_iter();
            Ok(banned
                .map(|(ip, until)| json!({"address": ip, "banned_until": until}))
                .collect())
        }
        "clearbanned" => {
            peers.ask(Command::ClearBanned).await?;
            Ok(Value::Null)
        }
        "getnetworkinfo" => network_info(api).await,
        "getconnectioncount" => Ok(json!(peers.ask(Command::Peers).await?.len())),
        _ => Ok(json!(peers.ask(Command::Peers).await?)),
    }
}
