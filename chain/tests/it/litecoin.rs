//! Debian's `litecoind` as an oracle: another team's code for the same headers, work, compact bits and Merkle trees,
//! and its command line as a client of our JSON-RPC. Skipped, with the reason, where it is not and cannot be
//! installed.
#![expect(
    clippy::unwrap_used,
    reason = "a test may end at the first thing that is wrong"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use gio_coin::{
    Block, CompactTarget, Header, Link, MerkleTree, OutPoint, Script, ScryptHasher, Target,
    Transaction, TxIn, TxOut, Txid, Witness, Work, check_work, mine,
};
use gio_coin::{SpvProof, opcode};
use gio_protocol::Gio;
use serde_json::{Value, json};

use super::daemon::{Daemon, free_port, until};
use super::http;
use super::partial_tree::Proof;

/// Where Debian puts the programs themselves, beside a wrapper that writes into the home folder.
const PROGRAM: &str = "/usr/lib/litecoin/litecoind";
const CLIENT: &str = "/usr/bin/litecoin-cli";
const USER: &[u8] = b"test:test";

/// Says why a test shows nothing here.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn skip(why: &str) {
    println!("skipped: {why}");
}

/// Whether the programs are here, or why not; the superuser installs them.
fn installed() -> &'static Result<(), String> {
    static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let is_there = || Path::new(PROGRAM).exists() && Path::new(CLIENT).exists();
        let quietly = |arguments: &[&str]| {
            let mut command = Command::new("apt-get");
            let command = command
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive");
            command
                .stdin(Stdio::null())
                .output()
                .is_ok_and(|output| output.status.success())
        };
        let install = [
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            "litecoind",
        ];
        let has = is_there()
            || quietly(&install) && is_there()
            || quietly(&["update", "-qq"]) && quietly(&install) && is_there();
        has.then_some(())
            .ok_or_else(|| format!("{PROGRAM} is not installed and apt-get cannot install it"))
    })
}

/// A litecoind on loopback with a folder of its own.
struct Litecoin {
    child: Child,
    rpc: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Litecoin {
    /// Starts one on a network of its own; nothing if it cannot be had here.
    fn start(network: &str) -> Option<Self> {
        if let Err(why) = installed() {
            skip(why);
            return None;
        }
        let (folder, rpc) = (tempfile::tempdir().unwrap(), free_port());
        let mut command = Command::new(PROGRAM);
        command.arg(format!("-chain={network}"));
        command.arg(format!("-datadir={}", folder.path().display()));
        command.arg(format!("-rpcport={}", rpc.port()));
        command.args([
            "-listen=0",
            "-connect=0",
            "-dnsseed=0",
            "-disablewallet",
            "-server",
        ]);
        command.args([
            "-rpcbind=127.0.0.1",
            "-rpcallowip=127.0.0.1",
            "-rpcuser=test",
            "-rpcpassword=test",
        ]);
        command.args(["-printtoconsole=0", "-dbcache=16"]);
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let node = Self {
            child,
            rpc,
            _folder: folder,
        };
        until("litecoind answers", || {
            std::net::TcpStream::connect(rpc).is_ok()
                && node.try_call("getblockcount", &json!([])).is_ok()
        });
        Some(node)
    }

    fn try_call(&self, method: &str, params: &Value) -> Result<Value, Value> {
        let mut answers = self.answers(&[json!({"id": 1, "method": method, "params": params})]);
        let mut answer = answers.remove(0);
        match answer["error"].take() {
            Value::Null => Ok(answer["result"].take()),
            error => Err(error),
        }
    }

    /// Answers to many requests at once.
    fn answers(&self, requests: &[Value]) -> Vec<Value> {
        let (_, body) = http::exchange(self.rpc, USER, "POST /", &json!(requests).to_string());
        match serde_json::from_str(&body) {
            Ok(Value::Array(answers)) => answers,
            // Still starting.
            _ => vec![json!({"error": body}); requests.len()],
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "every call makes its own")]
    fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, &params)
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn calls(&self, method: &str, params: impl Iterator<Item = Value>) -> Vec<Value> {
        let requests: Vec<Value> = params
            .map(|params| json!({"id": 1, "method": method, "params": params}))
            .collect();
        let answers = self.answers(&requests);
        answers
            .into_iter()
            .map(|mut answer| answer["result"].take())
            .collect()
    }

    /// Mines blocks whose coins anybody can spend.
    fn generate(&self, count: u32) {
        self.call("generatetodescriptor", json!([count, "raw(51)"]));
    }

    /// All headers from the first: in our words, and as it describes them.
    fn headers(&self) -> Vec<(Header, Value)> {
        let height = self.call("getblockcount", json!([])).as_u64().unwrap();
        let ids = self.calls("getblockhash", (0..=height).map(|height| json!([height])));
        let raw = self.calls("getblockheader", ids.iter().map(|id| json!([id, false])));
        let told = self.calls("getblockheader", ids.iter().map(|id| json!([id, true])));
        let header =
            |raw: Value| Header::decode(&hex::decode(raw.as_str().unwrap()).unwrap()).unwrap();
        raw.into_iter().map(header).zip(told).collect()
    }
}

impl Drop for Litecoin {
    fn drop(&mut self) {
        // Nothing of it is needed again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The easiest target of each of its networks.
fn limit(network: &str) -> Target {
    Target::from_bit_len(if network == "regtest" { 255 } else { 236 })
}

#[test]
fn headers_ids_work_and_medians_are_litecoins() {
    for (network, blocks) in [("main", 0), ("test", 0), ("regtest", 150)] {
        let Some(litecoin) = Litecoin::start(network) else {
            return;
        };
        if blocks > 0 {
            litecoin.generate(blocks);
        }
        let headers = litecoin.headers();
        assert_eq!(headers.len(), 1 + blocks as usize);
        let mut work = Work::ZERO;
        let mut times = Vec::new();
        for (header, told) in &headers {
            assert_eq!(told["hash"], json!(header.id().to_string()));
            assert_eq!(told["merkleroot"], json!(header.merkle_root.to_string()));
            assert_eq!(told["bits"], json!(format!("{:08x}", header.bits.0)));
            work = work + header.bits.expand().unwrap().work();
            assert_eq!(told["chainwork"], json!(hex::encode(work.to_be_bytes())));
            times.push(header.time);
            let mut last: Vec<u32> = times.iter().rev().take(11).copied().collect();
            last.sort_unstable();
            assert_eq!(told["mediantime"], json!(last[last.len() / 2]));
        }
        let headers: Vec<Header> = headers.into_iter().map(|(header, _)| header).collect();
        assert_eq!(
            check_work(&mut ScryptHasher::new(), &headers, limit(network)),
            Ok(())
        );
    }
}

/// A header after `parent` with these bits, whose work is left to chance.
fn candidate(parent: &Header, bits: u32, nonce: u32) -> Header {
    Header {
        previous: parent.id(),
        time: parent.time + 60,
        bits: CompactTarget(bits),
        nonce,
        ..*parent
    }
}

#[test]
fn work_and_compact_bits_are_judged_as_litecoin_judges_them() {
    let Some(litecoin) = Litecoin::start("regtest") else {
        return;
    };
    litecoin.generate(1);
    let parent = litecoin.headers().pop().unwrap().0;
    let mut hasher = ScryptHasher::new();
    let mut state = 0x5eed_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let mut candidates = Vec::new();
    for nonce in 0..1500 {
        // Sizes around the limit, every shape of digits: negative, zero and overflowing ones are among them.
        let size = [0, 1, 3, 0x1f, 0x20, 0x20, 0x20, 0x21, 0x22, 0x23][random() as usize % 10];
        let digits = [
            random(),
            random() & 0xffff,
            random() | 0x7f_0000,
            random() & 0xff,
            0,
        ][random() as usize % 5];
        candidates.push(candidate(&parent, size << 24 | digits & 0xff_ffff, nonce));
    }
    // The network's own bits, with and without work.
    candidates.extend((2000..2200).map(|nonce| candidate(&parent, parent.bits.0, nonce)));
    let mut seen = std::collections::BTreeMap::new();
    for part in candidates.chunks(100) {
        let request = |header: &Header| json!({"id": 1, "method": "submitheader", "params": [hex::encode(header.encode())]});
        let requests: Vec<Value> = part.iter().map(request).collect();
        for (header, answer) in part.iter().zip(litecoin.answers(&requests)) {
            let has_work = check_work(&mut hasher, &[*header], limit("regtest")).is_ok();
            let expected = match (has_work, header.bits == parent.bits) {
                (false, _) => json!("high-hash"),
                (true, false) => json!("bad-diffbits"),
                (true, true) => Value::Null,
            };
            assert_eq!(answer["error"]["message"], expected, "{header:?}");
            *seen.entry(expected.to_string()).or_insert(0) += 1;
        }
    }
    assert!(
        seen.len() == 3 && seen.values().all(|count| *count > 20),
        "{seen:?}"
    );
    // What our miner finds, it takes as a tip.
    let mined = mine(candidate(&parent, parent.bits.0, 0), 0..=u32::MAX).unwrap();
    assert_eq!(
        litecoin.try_call("submitheader", &json!([hex::encode(mined.encode())])),
        Ok(Value::Null)
    );
}

/// Spends an open coin, without a link: what Litecoin's nodes can read.
fn spend(coinbase: &Transaction) -> Transaction {
    let output = |value| TxOut {
        value,
        script_pubkey: Script::new([opcode::OP_1]),
        link: Link::NONE,
    };
    let units = coinbase.outputs[0].value.units();
    Transaction {
        version: 2,
        inputs: vec![TxIn {
            previous: OutPoint {
                txid: coinbase.txid(),
                index: 0,
            },
            script_sig: Script::default(),
            sequence: u32::MAX,
            witness: Witness::new(),
        }],
        outputs: vec![output(Gio::from_units(units - 1000))],
        lock_time: 0,
    }
}

/// A block of a litecoind at a height, in our words.
fn block(litecoin: &Litecoin, id: &Value) -> Block {
    let raw = litecoin.call("getblock", json!([id, 0]));
    Block::decode(&hex::decode(raw.as_str().unwrap()).unwrap()).unwrap()
}

#[test]
fn merkle_proofs_go_both_ways() {
    let Some(litecoin) = Litecoin::start("regtest") else {
        return;
    };
    litecoin.generate(180);
    let mut height = 1;
    for others in [0, 1, 2, 3, 4, 6, 7, 12, 16, 17] {
        let mut raw = Vec::new();
        for _ in 0..others {
            let id = litecoin.call("getblockhash", json!([height]));
            raw.push(hex::encode(
                spend(&block(&litecoin, &id).transactions[0]).encode(),
            ));
            height += 1;
        }
        let made = litecoin.call("generateblock", json!(["raw(51)", raw]));
        let block = block(&litecoin, &made["hash"]);
        assert_eq!(block.transactions.len(), 1 + others);
        let tree = MerkleTree::new(block.txids().into_iter().map(Txid::to_leaf)).unwrap();
        assert_eq!(tree.root(), block.header.merkle_root);
        for (index, txid) in block.txids().into_iter().enumerate() {
            let theirs = litecoin.call("gettxoutproof", json!([[txid.to_string()], made["hash"]]));
            let bytes = hex::decode(theirs.as_str().unwrap()).unwrap();
            let proof = Proof::decode(&bytes).unwrap();
            let ours = Proof {
                header: block.header,
                leaves: block.transactions.len(),
                index,
                leaf: txid.to_leaf(),
                path: tree.path(index).unwrap(),
            };
            assert_eq!(proof, ours);
            // Ours as bytes convinces their verifier, and their path convinces ours.
            assert_eq!(ours.encode(), bytes);
            let proven = litecoin.call("verifytxoutproof", json!([hex::encode(ours.encode())]));
            assert_eq!(proven, json!([txid.to_string()]));
            let mut spv = SpvProof::new(&block, index).unwrap();
            spv.path = proof.path;
            assert_eq!(spv.verify(block.header.merkle_root), Ok(txid));
        }
    }
}

/// Litecoin's command line, asking one of our nodes.
fn client(node: &Daemon, arguments: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(CLIENT)
        .arg("-regtest")
        .arg(format!("-datadir={}", folder.path().display()))
        .arg(format!("-rpcport={}", node.rpc.port()))
        .arg(format!(
            "-rpccookiefile={}",
            node.home.join(".cookie").display()
        ))
        .args(arguments)
        .output()
        .unwrap();
    let told = if output.status.success() {
        output.stdout
    } else {
        output.stderr
    };
    let told = String::from_utf8(told).unwrap();
    (output.status.success(), told.trim_end().to_owned())
}

#[test]
fn n22_litecoins_command_line_can_drive_our_node() {
    if let Err(why) = installed() {
        skip(why);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut node = Daemon::init(folder.path().join("node"));
    node.start(&[]);
    let ask = |arguments: &[&str]| {
        let (is_good, told) = client(&node, arguments);
        assert!(is_good, "{arguments:?}: {told}");
        told
    };
    let address = "giort1qw508d6qejxtdg4y5r3zarvary0c5xw7kxnfxx5";
    let mined: Vec<String> =
        serde_json::from_str(&ask(&["generatetoaddress", "3", address])).unwrap();
    assert_eq!(ask(&["getblockcount"]), "3");
    assert_eq!(ask(&["getbestblockhash"]), mined[2]);
    assert_eq!(ask(&["-named", "getblockhash", "height=2"]), mined[1]);
    let info: Value = serde_json::from_str(&ask(&["-getinfo"])).unwrap();
    assert_eq!((&info["blocks"], &info["headers"]), (&json!(3), &json!(3)));
    let block: Value = serde_json::from_str(&ask(&["getblock", &mined[0], "2"])).unwrap();
    let txid = block["tx"][0]["txid"].as_str().unwrap().to_owned();
    let coin: Value = serde_json::from_str(&ask(&["gettxout", &txid, "0"])).unwrap();
    assert_eq!(
        (&coin["units"], &coin["confirmations"]),
        (&json!(100_000_000_000_u64), &json!(3))
    );
    let list = format!("[\"{txid}\"]");
    let proof = ask(&["gettxoutproof", &list, &mined[0]]);
    let proven = node.call("verifytxoutproof", json!([proof, mined[0]]));
    assert_eq!(proven, json!([txid]));
    let other = node.try_call("verifytxoutproof", &json!([proof, mined[1]]));
    assert_eq!(other.unwrap_err()["code"], -8);
    let raw = ask(&["getblock", &mined[2], "0"]);
    assert_eq!(ask(&["submitblock", &raw]), "duplicate");
    assert!(ask(&["help"]).contains("getblockhash height: "));
    assert!(ask(&["help", "stop"]).starts_with("stop: "));
    assert!(ask(&["uptime"]).parse::<u64>().is_ok());
    for (arguments, code) in [
        (&["getblockhash", "9"][..], "error code: -8"),
        (&["getblockhash"], "error code: -1"),
        (&["getblock", "00"], "error code: -8"),
        (&["nonsense"], "error code: -32601"),
        (&["sendrawtransaction", "00"], "error code: -22"),
    ] {
        let (is_good, told) = client(&node, arguments);
        assert!(!is_good && told.contains(code), "{arguments:?}: {told}");
    }
    ask(&["stop"]);
    assert!(node.ended().0.success());
}
