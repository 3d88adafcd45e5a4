//! Nodes that meet over sockets: they agree, and whoever cheats is hung up on and banned.
#![expect(
    clippy::unwrap_used,
    reason = "a test may end at the first thing that is wrong"
)]

use std::net::SocketAddr;
use std::time::Duration;

use gio_chain::wire::{
    Frame, FrameHead, HEAD_BYTES, Hello, Inventory, MAX_HEADERS, Message, Net, encode,
};
use gio_chain::{
    Clock, Command, Ledger, LedgerHandle, Manager, Patience, PeerSettings, PeersHandle, Stay,
};
use gio_coin::{BlockHash, Header, Work, mine};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::forge::{Forge, open_script};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Node {
    pub(crate) ledger: LedgerHandle,
    pub(crate) peers: PeersHandle,
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Node {
    pub(crate) async fn start(forge: &Forge, tag: u8, min_work: Work) -> Self {
        Self::start_at(forge, tag, min_work, Clock::system()).await
    }

    pub(crate) async fn start_at(forge: &Forge, tag: u8, min_work: Work, clock: Clock) -> Self {
        let patience = Patience {
            // Tests do not wait a minute.
            message: Duration::from_secs(2),
            ..Patience::default()
        };
        Self::start_with(forge, tag, min_work, (clock, patience)).await
    }

    pub(crate) async fn start_with(
        forge: &Forge,
        tag: u8,
        min_work: Work,
        (clock, patience): (Clock, Patience),
    ) -> Self {
        let (folder, chain) = forge.chain();
        let ledger = Ledger::new(chain, [tag; 8]).with_clock(clock);
        let (ledger, work) = LedgerHandle::new(ledger);
        let mut tasks = JoinSet::new();
        tasks.spawn_blocking(|| work().unwrap());
        let (peers, commands) = PeersHandle::new();
        let stop = CancellationToken::new();
        let settings = PeerSettings {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            connect: vec![],
            discover: false,
            seeds: vec![],
            min_work,
            book: folder.path().join("peers.json"),
            bans: folder.path().join("bans.json"),
            agent: "/test/".to_owned(),
            nonce: u64::from(tag),
            patience,
        };
        let manager = Manager::start(settings, ledger.clone(), commands, stop.clone());
        let manager = manager.await.unwrap();
        let address = manager.listening();
        tasks.spawn(async move { manager.run().await.unwrap() });
        Self {
            ledger,
            peers,
            address,
            stop,
            tasks,
            _folder: folder,
        }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        drop(self.ledger);
        timeout(PATIENCE, self.tasks.join_all()).await.unwrap();
    }

    pub(crate) async fn mine(&self, count: u32) -> BlockHash {
        let script = open_script();
        let mined = self.ledger.call(move |ledger| {
            (0..count)
                .map(|_| ledger.generate(&script).unwrap())
                .last()
                .unwrap()
        });
        mined.await.unwrap()
    }

    pub(crate) async fn stays_with(&self, other: &Self) {
        let command = Command::Node(other.address, Stay::Add);
        self.peers.send(command).await.unwrap();
    }

    pub(crate) async fn at(&self) -> (BlockHash, [u8; 32]) {
        let at = self.ledger.call(|ledger| {
            let chain = ledger.chain();
            (chain.tip(), chain.coins_digest().unwrap())
        });
        at.await.unwrap()
    }

    pub(crate) async fn reaches(&self, tip: BlockHash) {
        until("the tip is reached", async || self.at().await.0 == tip).await;
    }

    pub(crate) async fn bans_loopback(&self) -> bool {
        let banned = self.peers.ask(Command::Banned).await.unwrap();
        banned.iter().any(|(ip, _)| *ip == self.address.ip())
    }

    pub(crate) async fn headers(&self) -> usize {
        let count = self.ledger.call(|ledger| ledger.chain().headers().len());
        count.await.unwrap()
    }
}

pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

/// A peer that says whatever the test wants.
pub(crate) struct Stranger {
    socket: TcpStream,
    magic: [u8; 4],
}

impl Stranger {
    pub(crate) async fn connect(node: &Node, forge: &Forge) -> Self {
        let socket = TcpStream::connect(node.address).await.unwrap();
        let magic = forge.params.magic;
        Self { socket, magic }
    }

    /// One that comes from an address of this machine and takes only so much before it reads.
    pub(crate) async fn from(ip: [u8; 4], buffer: u32, node: SocketAddr, forge: &Forge) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(buffer).unwrap();
        socket.bind(SocketAddr::from((ip, 0))).unwrap();
        let socket = socket.connect(node).await.unwrap();
        let magic = forge.params.magic;
        Self { socket, magic }.greets().await
    }

    pub(crate) async fn greeted(node: &Node, forge: &Forge) -> Self {
        Self::connect(node, forge).await.greets().await
    }

    async fn greets(mut self) -> Self {
        let nowhere = Net {
            services: 1,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let hello = Hello {
            version: Hello::VERSION,
            services: 1,
            time: 0,
            receiver: nowhere,
            sender: nowhere,
            nonce: 999,
            agent: "/stranger/".to_owned(),
            height: 0,
            relay: true,
        };
        self.say(&Message::Version(hello)).await;
        self.say(&Message::Verack).await;
        self.hears("getheaders").await;
        self
    }

    pub(crate) async fn say(&mut self, message: &Message) {
        self.write(&encode(message, self.magic)).await;
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // The node may have hung up already.
        let _ = self.socket.write_all(bytes).await;
    }

    pub(crate) async fn hear(&mut self) -> Option<Message> {
        loop {
            let mut head = [0; HEAD_BYTES];
            let read = timeout(PATIENCE, self.socket.read_exact(&mut head)).await;
            read.unwrap().ok()?;
            let head = FrameHead::decode(&head, self.magic).unwrap();
            let mut payload = vec![0; head.length];
            self.socket.read_exact(&mut payload).await.ok()?;
            if let Frame::Known(message) = head.message(&payload).unwrap() {
                return Some(*message);
            }
        }
    }

    pub(crate) async fn hears(&mut self, name: &str) -> Message {
        loop {
            let message = self
                .hear()
                .await
                .unwrap_or_else(|| panic!("no `{name}` came"));
            if message.name() == name {
                return message;
            }
        }
    }

    /// Waits until the node hangs up.
    pub(crate) async fn is_hung_up_on(&mut self) {
        while self.hear().await.is_some() {}
    }
}

#[tokio::test]
async fn nodes_agree_on_the_branch_with_the_most_work() {
    let forge = Forge::new();
    let nodes = [
        Node::start(&forge, 1, Work::ZERO).await,
        Node::start(&forge, 2, Work::ZERO).await,
        Node::start(&forge, 3, Work::ZERO).await,
    ];
    nodes[0].mine(30).await;
    let best = nodes[2].mine(47).await;
    nodes[0].stays_with(&nodes[1]).await;
    nodes[1].stays_with(&nodes[2]).await;
    for node in &nodes {
        node.reaches(best).await;
    }
    let next = nodes[0].mine(1).await;
    for node in &nodes {
        node.reaches(next).await;
    }
    let coins = nodes[0].at().await.1;
    for node in &nodes[1..] {
        assert_eq!(node.at().await.1, coins);
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_long_branch_is_proven_before_it_is_kept() {
    let forge = Forge::new();
    let headers = spam(&forge, MAX_HEADERS + 300, 7);
    // Each regtest block is two hashes of work.
    let enough = Work::from_hashes(2 * headers.len() as u64);
    let node = Node::start(&forge, 2, enough).await;
    let mut peer = Stranger::greeted(&node, &forge).await;
    let (first, rest) = headers.split_at(MAX_HEADERS);
    for kept in [1, 1 + MAX_HEADERS] {
        peer.say(&Message::Headers(first.to_vec())).await;
        let asked = peer.hears("getheaders").await;
        let Message::GetHeaders { locator, .. } = asked else {
            unreachable!("asked by name")
        };
        assert_eq!(locator[0], first[MAX_HEADERS - 1].id());
        assert_eq!(node.headers().await, kept);
        peer.say(&Message::Headers(rest.to_vec())).await;
        if kept == 1 {
            let Message::GetHeaders { locator, .. } = peer.hears("getheaders").await else {
                unreachable!("asked by name")
            };
            assert_eq!(
                locator[0],
                forge.genesis(),
                "proven, so from the start again"
            );
            assert_eq!(node.headers().await, 1);
        }
    }
    until("all are kept", async || {
        node.headers().await == 1 + headers.len()
    })
    .await;
    node.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_messages_are_a_ban() {
    let forge = Forge::new();
    let ping = encode(&Message::Ping(1), forge.params.magic);
    let mut wrong_magic = ping.clone();
    wrong_magic[0] ^= 1;
    let mut wrong_checksum = ping.clone();
    wrong_checksum[20] ^= 1;
    let mut oversize = ping.clone();
    oversize[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut malformed = encode(&Message::Pong(1), forge.params.magic);
    malformed[4..8].copy_from_slice(b"addr");
    for bytes in [wrong_magic, wrong_checksum, oversize, malformed] {
        let node = Node::start(&forge, 1, Work::ZERO).await;
        let mut stranger = Stranger::greeted(&node, &forge).await;
        stranger.write(&bytes).await;
        stranger.is_hung_up_on().await;
        until("a ban", async || node.bans_loopback().await).await;
        let mut again = Stranger::connect(&node, &forge).await;
        assert_eq!(again.hear().await, None, "the banned may not come back");
        node.stop().await;
    }
}

#[tokio::test]
async fn a_message_that_drips_is_a_ban() {
    let forge = Forge::new();
    let node = Node::start(&forge, 1, Work::ZERO).await;
    let mut stranger = Stranger::greeted(&node, &forge).await;
    let mut bytes = encode(&Message::Inv(vec![]), forge.params.magic);
    bytes[16..20].copy_from_slice(&100_000_u32.to_le_bytes());
    stranger.write(&bytes[..24]).await;
    let dripping = async {
        loop {
            stranger.write(&[7]).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = dripping => {}
        () = until("a ban", async || node.bans_loopback().await) => {}
    }
    node.stop().await;
}

pub(crate) fn spam(forge: &Forge, count: usize, salt: u32) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    let mut header = forge.params.genesis.header;
    for _ in 0..count {
        header.previous = header.id();
        header.time += 1;
        header.version = salt;
        header = mine(header, 0..=u32::MAX).unwrap();
        headers.push(header);
    }
    headers
}

#[tokio::test]
async fn headers_below_the_least_work_cost_nothing_and_end_in_a_ban() {
    let forge = Forge::new();
    let node = Node::start(&forge, 1, Work::from_hashes(1 << 40)).await;
    let mut stranger = Stranger::greeted(&node, &forge).await;
    for salt in 0..5 {
        stranger
            .say(&Message::Headers(spam(&forge, 50, salt)))
            .await;
    }
    stranger.is_hung_up_on().await;
    until("a ban", async || node.bans_loopback().await).await;
    assert_eq!(node.headers().await, 1);
    node.stop().await;
}

#[tokio::test]
async fn headers_without_work_or_order_are_a_ban() {
    let forge = Forge::new();
    let mut gap = spam(&forge, 5, 1);
    gap.remove(2);
    let mut fake = spam(&forge, 5, 1);
    while gio_coin::check_work(
        &mut gio_coin::ScryptHasher::new(),
        &fake[4..],
        forge.params.pow_limit,
    )
    .is_ok()
    {
        fake[4].nonce += 1;
    }
    for headers in [gap, fake] {
        let node = Node::start(&forge, 1, Work::ZERO).await;
        let mut stranger = Stranger::greeted(&node, &forge).await;
        stranger.say(&Message::Headers(headers)).await;
        stranger.is_hung_up_on().await;
        until("a ban", async || node.bans_loopback().await).await;
        node.stop().await;
    }
}

#[tokio::test]
async fn a_mutated_block_bans_its_bringer_and_the_true_one_is_still_taken() {
    let mut forge = Forge::new();
    let block = forge.grow(forge.genesis(), 1).remove(0);
    let node = Node::start(&forge, 1, Work::ZERO).await;
    let mut stranger = Stranger::greeted(&node, &forge).await;
    stranger.say(&Message::Headers(vec![block.header])).await;
    let asked = stranger.hears("getdata").await;
    assert_eq!(asked, Message::GetData(vec![Inventory::Block(block.id())]));
    let mut mutated = block.clone();
    mutated.transactions.push(block.transactions[0].clone());
    stranger.say(&Message::Block(mutated)).await;
    stranger.is_hung_up_on().await;
    until("a ban", async || node.bans_loopback().await).await;
    node.peers.ask(Command::ClearBanned).await.unwrap();
    let mut honest = Stranger::greeted(&node, &forge).await;
    honest.say(&Message::Headers(vec![block.header])).await;
    honest.hears("getdata").await;
    honest.say(&Message::Block(block.clone())).await;
    node.reaches(block.id()).await;
    node.stop().await;
}

#[tokio::test]
async fn a_transaction_travels_to_every_mempool_and_into_a_block() {
    let forge = Forge::new();
    let nodes = [
        Node::start(&forge, 1, Work::ZERO).await,
        Node::start(&forge, 2, Work::ZERO).await,
        Node::start(&forge, 3, Work::ZERO).await,
    ];
    nodes[0].stays_with(&nodes[1]).await;
    nodes[2].stays_with(&nodes[1]).await;
    let tip = nodes[0].mine(101).await;
    nodes[2].reaches(tip).await;
    let spending = nodes[0].ledger.call(|ledger| {
        let chain = ledger.chain();
        let first = chain.headers().ancestor(&chain.tip(), 1).unwrap();
        let block = chain.block(&first).unwrap().unwrap();
        let (point, units) = Forge::reward_of(&block);
        let mut spending = super::forge::halve(point, units);
        spending.outputs[0].value = gio_protocol::Gio::from_units(units / 2 - 10_000);
        ledger.submit(spending).unwrap()
    });
    let txid = spending.await.unwrap();
    nodes[0].peers.send(Command::Announce(txid)).await.unwrap();
    until("the transaction travels", async || {
        let there = nodes[2]
            .ledger
            .call(move |ledger| ledger.mempool().get(&txid).is_some());
        there.await.unwrap()
    })
    .await;
    let tip = nodes[2].mine(1).await;
    nodes[0].reaches(tip).await;
    let left = nodes[0]
        .ledger
        .call(|ledger| ledger.mempool().len())
        .await
        .unwrap();
    assert_eq!(left, 0, "a mined transaction waits no longer");
    for node in nodes {
        node.stop().await;
    }
}
