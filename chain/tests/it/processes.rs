//! Nodes as processes: they part and meet again and lose nothing; what goes wrong with one says how to mend it.
#![expect(
    clippy::unwrap_used,
    reason = "a test may end at the first thing that is wrong"
)]

use std::io::{Read, Write};
use std::net::TcpStream;

use gio_chain::wire::{Hello, Inventory, Message, Net, encode};
use gio_coin::{
    Block, BlockContext, CompactTarget, Header, Network, OutPoint, Params, ScryptHasher,
    Transaction, Txid, UtxoSet, check_work, connect_block, connect_genesis, issued, merkle_root,
    mine, sha256,
};
use serde_json::{Value, json};

use super::daemon::{Daemon, SmallDisk, run, until};
use super::forge::halve;

fn nodes(folder: &tempfile::TempDir, count: usize) -> Vec<Daemon> {
    let home = |at: usize| folder.path().join(at.to_string());
    let mut nodes: Vec<Daemon> = (0..count).map(|at| Daemon::init(home(at))).collect();
    nodes.iter_mut().for_each(|node| node.start(&[]));
    nodes
}

fn all_reach(nodes: &[Daemon], tip: &str) {
    for (at, node) in nodes.iter().enumerate() {
        until(&format!("node {at} is at {tip}"), || node.tip() == tip);
    }
}

/// The digest of the coins that the blocks of a node leave, computed apart from any node, and their sum checked
/// against what was ever issued.
fn replayed_digest(node: &Daemon) -> String {
    let mut coins = UtxoSet::new();
    let genesis = Params::of(Network::Regtest).genesis;
    coins.apply(connect_genesis(&genesis)).unwrap();
    let height = node.call("getblockcount", json!([])).as_u64().unwrap();
    let height = u32::try_from(height).unwrap();
    for height in 1..=height {
        let id = node.call("getblockhash", json!([height]));
        let block = node.call("getblock", json!([id, 0]));
        let block = Block::decode(&hex::decode(block.as_str().unwrap()).unwrap()).unwrap();
        let context = BlockContext {
            height,
            median_time_past: u32::MAX,
            median_time_at: &|_| 0,
        };
        let connected = connect_block(&block, &context, &coins).unwrap();
        coins.apply(connected.changes).unwrap();
    }
    let sum: u64 = coins.iter().map(|(_, coin)| coin.value.units()).sum();
    assert_eq!(sum, issued(height).units(), "no coin was made or lost");
    let mut running = [0; 32];
    for (point, coin) in coins.iter() {
        let index = point.index.to_be_bytes();
        let key = [&point.txid.as_bytes()[..], &index].concat();
        running = sha256(&[&running[..], &key, &coin.encode()].concat());
    }
    hex::encode(running)
}

fn assert_one_truth(nodes: &[Daemon]) {
    let expected = replayed_digest(&nodes[0]);
    for node in nodes {
        assert_eq!(node.tip(), nodes[0].tip());
        assert_eq!(node.coins_digest(), expected);
    }
}

/// Spends the first block's reward, which anybody can.
fn spend_first_reward(node: &Daemon) -> String {
    let id = node.call("getblockhash", json!([1]));
    let block = node.call("getblock", json!([id, 2]));
    let txid: Txid = block["tx"][0]["txid"].as_str().unwrap().parse().unwrap();
    let units = block["tx"][0]["vout"][0]["units"].as_u64().unwrap();
    let mut spending = halve(OutPoint { txid, index: 0 }, units);
    spending.outputs.truncate(1);
    let raw = hex::encode(spending.encode());
    let sent = node.call("sendrawtransaction", json!([raw]));
    sent.as_str().unwrap().to_owned()
}

#[test]
fn five_nodes_part_and_meet_again_and_lose_no_coin() {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = nodes(&folder, 5);
    for at in 0..4 {
        nodes[at].link(&nodes[at + 1], "add");
    }
    let tip = nodes[0].generate(101);
    all_reach(&nodes, &tip);

    // Two halves, each with its own miners; the smaller half confirms a transaction.
    nodes[1].link(&nodes[2], "remove");
    until("the halves are apart", || {
        nodes[2].call("getconnectioncount", json!([])) == 1
    });
    let txid = spend_first_reward(&nodes[1]);
    until("the transaction arrives", || {
        nodes[0].call("getrawmempool", json!([])) == json!([txid])
    });
    let small = nodes[0].generate(3);
    all_reach(&nodes[..2], &small);
    let base = nodes[4].generate(2);
    all_reach(&nodes[2..], &base);
    std::thread::scope(|scope| {
        // Competing miners in the same half.
        for node in &nodes[2..4] {
            scope.spawn(|| node.generate(3));
        }
    });
    // More than both of them together, so that no tie is left.
    let large = nodes[4].generate(8);
    all_reach(&nodes[2..], &large);
    assert_eq!(nodes[0].tip(), small);
    nodes[1].link(&nodes[2], "add");
    all_reach(&nodes, &large);
    assert_one_truth(&nodes);
    let waiting = nodes[0].call("getrawmempool", json!([]));
    assert_eq!(waiting, json!([txid]), "what was undone waits again");

    // One is alone and mines most; another loses power meanwhile.
    nodes[4].call("setnetworkactive", json!([false]));
    until("it is alone", || {
        nodes[4].call("getconnectioncount", json!([])) == 0
    });
    let alone = nodes[4].generate(9);
    let others = nodes[0].generate(5);
    nodes[2].kill();
    nodes[2].start(&[]);
    nodes[2].link(&nodes[3], "add");
    all_reach(&nodes[..4], &others);
    nodes[4].call("setnetworkactive", json!([true]));
    all_reach(&nodes, &alone);
    assert_one_truth(&nodes);
    let last = nodes[0].generate(1);
    all_reach(&nodes, &last);
    assert_one_truth(&nodes);
    let block = nodes[4].call("getblock", json!([last]));
    assert_eq!(
        block["tx"][1],
        json!(txid),
        "the transaction is in after all"
    );
    nodes.iter_mut().for_each(Daemon::stop);
}

#[test]
fn a_damaged_index_says_so_and_reindex_heals_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = nodes(&folder, 1).remove(0);
    let tip = node.generate(20);
    let coins = node.coins_digest();
    let second = run(&node.home, &["node"]);
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(2), "{told}");
    assert!(told.contains("another gio-chain is running"), "{told}");
    node.stop();

    let healthy = run(&node.home, &["doctor"]);
    assert!(healthy.status.success(), "{healthy:?}");
    let index = node.home.join("index");
    let mut bytes = std::fs::read(&index).unwrap();
    let half = bytes.len() / 2;
    bytes[..half].fill(0xa5);
    std::fs::write(&index, &bytes).unwrap();
    let damaged = run(&node.home, &["node"]);
    let told = String::from_utf8_lossy(&damaged.stderr).into_owned();
    assert_eq!(damaged.status.code(), Some(1), "{told}");
    assert!(
        told.contains("hint: ") && told.contains("--reindex"),
        "{told}"
    );
    let sick = run(&node.home, &["doctor", "--json"]);
    assert_eq!(sick.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&sick.stdout).contains("\"verdict\": \"fail\""));
    assert!(String::from_utf8_lossy(&sick.stderr).contains("error[unhealthy]"));

    node.start(&["--reindex"]);
    assert_eq!((node.tip(), node.coins_digest()), (tip, coins));
    node.stop();
}

#[test]
fn a_damaged_block_is_left_out_by_reindex_and_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = nodes(&folder, 2);
    nodes[0].link(&nodes[1], "add");
    let tip = nodes[1].generate(30);
    all_reach(&nodes, &tip);
    let coins = nodes[1].coins_digest();
    nodes[0].stop();
    let blocks = nodes[0].home.join("blocks");
    let mut bytes = std::fs::read(&blocks).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4].fill(0);
    std::fs::write(&blocks, &bytes).unwrap();
    nodes[0].start(&["--reindex"]);
    let height = nodes[0].call("getblockcount", json!([])).as_u64().unwrap();
    assert!((10..20).contains(&height), "{height}");
    nodes[0].link(&nodes[1], "add");
    all_reach(&nodes, &tip);
    assert_eq!(nodes[0].coins_digest(), coins);
    nodes.iter_mut().for_each(Daemon::stop);
}

#[test]
fn a_node_on_a_full_disk_stops_with_a_hint_and_goes_on_with_more_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = match SmallDisk::mount(folder.path().join("disk"), "3m") {
        Ok(disk) => disk,
        Err(why) => {
            println!("skipped: no small disk can be mounted here ({why})");
            return;
        }
    };
    let mut node = Daemon::init(disk.at.join("node"));
    node.start(&[]);
    // Everybody's coins cost room; sooner or later there is none.
    let mut last = node.tip();
    while let Ok(mined) = node.try_call("generate", &json!([10])) {
        last = mined[9].as_str().unwrap().to_owned();
    }
    let (status, told) = node.ended();
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("hint: free some space"), "{told}");

    disk.grow("64m");
    node.start(&[]);
    let height = node.call("getblockheader", json!([last]))["height"].clone();
    assert!(node.call("getblockcount", json!([])).as_u64() >= height.as_u64());
    assert_eq!(node.coins_digest(), replayed_digest(&node));
    node.generate(5);
    node.stop();
}

#[test]
fn a_ban_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = nodes(&folder, 1).remove(0);
    let mut stranger = TcpStream::connect(node.peers).unwrap();
    stranger.write_all(&[0xee; 24]).unwrap();
    let banned = |node: &Daemon| node.call("listbanned", json!([]));
    until("the stranger is banned", || {
        banned(&node)[0]["address"] == "127.0.0.1"
    });
    let before = banned(&node);
    node.kill();
    node.start(&[]);
    assert_eq!(banned(&node), before);
    let mut again = TcpStream::connect(node.peers).unwrap();
    let heard = again.read(&mut [0; 1]);
    assert!(!heard.is_ok_and(|count| count > 0), "the banned is greeted");
    node.call("clearbanned", json!([]));
    node.kill();
    node.start(&[]);
    assert_eq!(banned(&node), json!([]));
    node.stop();
}

/// A stranger's greeting, and what it says next.
fn greeted(node: &Daemon, magic: [u8; 4]) -> Option<TcpStream> {
    let nowhere = Net {
        services: 1,
        address: node.peers,
    };
    let hello = Hello {
        version: Hello::VERSION,
        services: 1,
        time: 0,
        receiver: nowhere,
        sender: nowhere,
        nonce: 99,
        agent: "/stranger/".to_owned(),
        height: 0,
        relay: false,
    };
    let mut socket = TcpStream::connect(node.peers).ok()?;
    socket
        .write_all(&encode(&Message::Version(hello), magic))
        .ok()?;
    socket.write_all(&encode(&Message::Verack, magic)).ok()?;
    Some(socket)
}

#[test]
fn floods_cost_little_memory() {
    const CONNECTIONS: u32 = 40;
    const MESSAGES: u32 = 12;
    let folder = tempfile::tempdir().unwrap();
    let mut node = nodes(&folder, 1).remove(0);
    let magic = Params::of(Network::Regtest).magic;
    let before = node.resident_kilobytes();
    let mut open = Vec::new();
    for number in 0..CONNECTIONS {
        // Beyond a few of one address nobody is let in: the socket may be closed at any time.
        let Some(mut socket) = greeted(&node, magic) else {
            continue;
        };
        for message in 0..MESSAGES {
            let id = |at: u32| {
                let words = [number, message, at, 0, 0, 0, 0, 0];
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                Inventory::Tx(Txid::from_bytes(bytes.try_into().unwrap()))
            };
            let flood = Message::Inv((0..5000).map(id).collect());
            let _ = socket.write_all(&encode(&flood, magic));
        }
        // A block announced and never sent.
        let mut head = encode(&Message::Ping(1), magic);
        head[4..12].copy_from_slice(b"block\0\0\0");
        head[16..20].copy_from_slice(&2_000_000_u32.to_le_bytes());
        let _ = socket.write_all(&head);
        open.push(socket);
    }
    assert_eq!(node.call("getblockcount", json!([])), 0, "it still answers");
    let grown = node.resident_kilobytes().saturating_sub(before);
    assert!(
        grown < 64 << 10,
        "{grown} kilobytes for a flood of strangers"
    );
    node.stop();
}

#[test]
fn a_folder_keeps_its_network() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = nodes(&folder, 1).remove(0);
    node.stop();
    let path = node.home.join("config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("regtest", "test")).unwrap();
    let refused = run(&node.home, &["node"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains("belongs to the network of"), "{told}");
    assert!(told.contains("never changes its network"), "{told}");
    let again = run(&node.home, &["init"]);
    assert_eq!(again.status.code(), Some(2));
}

#[test]
fn a_miner_that_knows_only_the_template_finds_a_block() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = nodes(&folder, 1).remove(0);
    let refused = node.try_call("getblocktemplate", &json!([]));
    assert_eq!(refused.unwrap_err()["code"], -1);
    node.generate(101);
    node.stop();
    let path = node.home.join("config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let line = "mine_to = \"giort1qw508d6qejxtdg4y5r3zarvary0c5xw7kxnfxx5\"\n";
    std::fs::write(&path, format!("{line}{config}")).unwrap();
    node.start(&[]);
    let txid = spend_first_reward(&node);
    let template = node.call("getblocktemplate", json!([{"rules": ["segwit"]}]));
    assert_eq!(
        (&template["height"], &template["transactions"][0]["txid"]),
        (&json!(102), &json!(txid))
    );
    let decode = |told: &Value| {
        let bytes = hex::decode(told["data"].as_str().unwrap()).unwrap();
        Transaction::decode(&bytes).unwrap()
    };
    let others = template["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(decode);
    let transactions: Vec<Transaction> = std::iter::once(decode(&template["coinbasetxn"]))
        .chain(others)
        .collect();
    let leaves = transactions.iter().map(|each| each.txid().to_leaf());
    let number = |name: &str| u32::try_from(template[name].as_u64().unwrap()).unwrap();
    let header = Header {
        version: number("version"),
        previous: template["previousblockhash"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap(),
        merkle_root: merkle_root(leaves).unwrap(),
        time: number("curtime"),
        bits: CompactTarget(u32::from_str_radix(template["bits"].as_str().unwrap(), 16).unwrap()),
        nonce: 0,
    };
    assert_eq!(
        template["target"],
        json!(header.bits.expand().unwrap().to_string())
    );
    let submit = |header: Header| {
        let block = Block {
            header,
            transactions: transactions.clone(),
        };
        node.call("submitblock", json!([hex::encode(block.encode())]))
    };
    let mut lazy = header;
    while check_work(
        &mut ScryptHasher::new(),
        &[lazy],
        Params::of(Network::Regtest).pow_limit,
    )
    .is_ok()
    {
        lazy.nonce += 1;
    }
    assert!(submit(lazy).as_str().unwrap().contains("lacks the work"));
    let mined = mine(header, 0..=u32::MAX).unwrap();
    assert_eq!(submit(mined), Value::Null);
    assert_eq!(node.tip(), mined.id().to_string());
    assert_eq!(submit(mined), json!("duplicate"));
    let stale = node.call("getblocktemplate", json!([]));
    assert_eq!(stale["previousblockhash"], json!(mined.id().to_string()));
    assert_eq!(stale["transactions"], json!([]));
    node.stop();
}

#[test]
fn json_rpc_speaks_as_bitcoins_tools_expect() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = nodes(&folder, 1).remove(0);
    assert_eq!(node.http("POST /", "{}", false).0, 401);
    assert_eq!(node.http("GET /events", "", false).0, 401);
    assert_eq!(node.http("POST /", "no json", true).0, 500);
    assert_eq!(
        node.http("POST /", r#"{"method":"nonsense","id":7}"#, true)
            .0,
        404
    );
    let second = r#"{"jsonrpc":"2.0","method":"nonsense","id":7}"#;
    let (status, body) = node.http("POST /", second, true);
    assert_eq!(status, 200);
    assert!(
        body.contains("-32601") && body.contains("\"id\":7"),
        "{body}"
    );
    let batch = r#"[{"method":"getblockcount","id":1},{"method":"getbestblockhash","id":2}]"#;
    assert!(node.http("POST /", batch, true).1.starts_with('['));

    let mut events = node.events();
    assert_eq!(events.next().unwrap(), "event: tip");
    let genesis = Params::of(Network::Regtest).genesis_id().to_string();
    assert!(events.next().unwrap().contains(&genesis));
    let mined = node.call(
        "generatetoaddress",
        json!([1, "giort1qw508d6qejxtdg4y5r3zarvary0c5xw7kxnfxx5"]),
    );
    let wrong = mined.as_array();
    assert_eq!(wrong.map(Vec::len), Some(1));
    let tip = node.tip();
    assert_eq!(events.next().unwrap(), "event: connected");
    assert!(events.next().unwrap().contains(&tip));

    let header = node.call("getblockheader", json!([tip]));
    assert_eq!(
        (&header["height"], &header["confirmations"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(header["previousblockhash"], json!(genesis));
    let block = node.call("getblock", json!([tip, 2]));
    assert_eq!(block["tx"][0]["vout"][0]["value"], json!("1000.00000000"));
    let script = &block["tx"][0]["vout"][0]["scriptPubKey"]["hex"];
    assert_eq!(script, "0014751e76e8199196d454941c45d1b3a323f1433bd6");
    let txid = &block["tx"][0]["txid"];
    let raw = node.call("getrawtransaction", json!([txid, false, tip]));
    assert_eq!(raw, block["tx"][0]["hex"]);
    let info = node.call("getblockchaininfo", json!([]));
    assert_eq!(
        (&info["chain"], &info["blocks"]),
        (&json!("regtest"), &json!(1))
    );
    let code = |method, params| node.try_call(method, &params).unwrap_err()["code"].clone();
    assert_eq!(code("getblockhash", json!([9])), -8);
    assert_eq!(code("getblock", json!(["00"])), -8);
    assert_eq!(code("getblock", json!([txid])), -5);
    assert_eq!(code("sendrawtransaction", json!(["00"])), -22);
    assert_eq!(code("generatetoaddress", json!([1, "nowhere"])), -5);
    assert_eq!(code("sendrawtransaction", json!([raw])), -26);
    node.stop();
    assert!(!node.home.join(".cookie").exists());
}
