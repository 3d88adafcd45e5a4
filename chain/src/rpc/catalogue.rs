//! Every method with its parameters: what `help` says, and where a parameter given by name belongs.

use serde_json::{Map, Value};

use super::error::{CallError, INVALID, NO_METHOD};
use super::params::Params;

/// A method as callers see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Method {
    pub(super) name: &'static str,
    /// Names of its parameters, in order; those in brackets may be left out.
    params: &'static [&'static str],
    what: &'static str,
}

const fn method(name: &'static str, params: &'static [&'static str], what: &'static str) -> Method {
    Method { name, params, what }
}

/// All methods, in the order of their names.
pub(super) const METHODS: [Method; 30] = [
    method(
        "addnode",
        &["node", "command"],
        "`command` is add, remove or onetry",
    ),
    method("clearbanned", &[], "forgets all bans"),
    method("disconnectnode", &["address"], "hangs up on a peer"),
    method(
        "generate",
        &["nblocks"],
        "mines blocks whose reward anybody can spend (regtest)",
    ),
    method(
        "generatetoaddress",
        &["nblocks", "address"],
        "mines blocks that pay to an address (regtest)",
    ),
    method(
        "generatetoscript",
        &["nblocks", "script"],
        "mines blocks that pay to a script in hex (regtest)",
    ),
    method("getbestblockhash", &[], "the tip's id"),
    method(
        "getblock",
        &["blockhash", "[verbosity]"],
        "bytes (0), ids (1) or transactions (2) of a block",
    ),
    method("getblockchaininfo", &[], "network, tip, work, progress"),
    method("getblockcount", &[], "the tip's height"),
    method("getblockhash", &["height"], "the id at a height"),
    method(
        "getblockheader",
        &["blockhash", "[verbose]"],
        "a header, described or as bytes",
    ),
    method(
        "getblocktemplate",
        &["[template_request]"],
        "a block to find a nonce for, with its coinbase",
    ),
    method("getconnectioncount", &[], "how many peers there are"),
    method(
        "getmempoolinfo",
        &[],
        "how much waits, and what it takes to wait",
    ),
    method(
        "getnetworkinfo",
        &[],
        "this node, and how far its clock is from others'",
    ),
    method("getpeerinfo", &[], "every peer"),
    method("getrawmempool", &[], "ids of the transactions that wait"),
    method(
        "getrawtransaction",
        &["txid", "[verbose]", "[blockhash]"],
        "a transaction that waits, or one of a block",
    ),
    method(
        "gettxout",
        &["txid", "n", "[include_mempool]"],
        "an unspent output",
    ),
    method(
        "gettxoutproof",
        &["txids", "blockhash"],
        "the proof that one transaction is in a block, as docs/coin.md 10 writes it",
    ),
    method("gettxoutsetinfo", &[], "a digest of all unspent outputs"),
    method("help", &["[command]"], "this list, or one line of it"),
    method("listbanned", &[], "who may not come back, and until when"),
    method(
        "sendrawtransaction",
        &["hexstring"],
        "takes a transaction and passes it on",
    ),
    method(
        "setnetworkactive",
        &["state"],
        "cuts all connections, or makes them again",
    ),
    method("stop", &[], "stops the node"),
    method(
        "submitblock",
        &["hexdata"],
        "takes a block; null, or why not",
    ),
    method("uptime", &[], "seconds since the start"),
    method(
        "verifytxoutproof",
        &["proof", "blockhash"],
        "the id a proof proves for a block of this chain",
    ),
];

/// A method by its name.
pub(super) fn find(name: &str) -> Result<&'static Method, CallError> {
    let found = METHODS.iter().find(|method| method.name == name);
    found.ok_or_else(|| CallError::new(NO_METHOD, format!("there is no method `{name}`")))
}

impl Method {
    fn usage(&self) -> String {
        let words = [&[self.name][..], self.params].concat();
        words.join(" ")
    }

    /// Parameters given by name, in their places.
    ///
    /// # Errors
    /// A name this method does not know.
    pub(super) fn place(&self, mut named: Map<String, Value>) -> Result<Params, CallError> {
        let bare = |name: &&str| name.trim_matches(['[', ']']).to_owned();
        let names = self.params.iter().map(bare);
        let placed = names.map(|name| named.remove(&name).unwrap_or(Value::Null));
        let placed: Vec<Value> = placed.collect();
        match named.keys().next() {
            None => Ok(Params(placed)),
            Some(other) => {
                let text = format!("unknown parameter `{other}`; usage: {}", self.usage());
                Err(CallError::new(INVALID, text))
            }
        }
    }
}

/// What `help` says.
pub(super) fn help(params: &Params) -> Result<Value, CallError> {
    let line = |method: &Method| format!("{}: {}", method.usage(), method.what);
    let text = match params.has(0) {
        true => line(find(params.text(0, "command")?)?),
        false => METHODS.map(|method| line(&method)).join("\n"),
    };
    Ok(Value::String(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_by_name_find_their_places() {
        let method = find("getblock").unwrap();
        let named = json!({"verbosity": 2, "blockhash": "ab"});
        let placed = method.place(named.as_object().unwrap().clone()).unwrap();
        assert_eq!(placed.0, [json!("ab"), json!(2)]);
        let named = json!({"blockhash": "ab", "colour": 1});
        let error = method
            .place(named.as_object().unwrap().clone())
            .unwrap_err();
        assert!(
            error.message.contains("`colour`")
                && error.message.contains("getblock blockhash [verbosity]")
        );
    }

    #[test]
    fn methods_are_listed_once_in_order() {
        assert!(METHODS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
