//! The one task that knows all peers: whom to reach, what to ask of whom, whom to hang up on.

mod compact;
mod dial;
mod follow;
mod inbound;
mod relay;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use gio_coin::{BlockHash, Txid};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::address_book::{AddressBook, SavedBook};
use super::bans::{BAN_SCORE, Bans, Offence};
use super::compact::Partial;
use super::connection::{Connection, Event, PeerId, ROOM, Shared};
use super::files::{open_book, save};
use super::presync::Presync;
use super::transactions::TxRelay;
use super::{Command, PeerInfo, PeerSettings, PeersError, Stay};
use crate::chain::ChainEvent;
use crate::clock::{PeerClocks, advice};
use crate::ledger::LedgerHandle;
use crate::wire::{Hello, Message};
pub use compact::CompactCounts;
use dial::Dial;

/// What connections may have said that the manager has not heard yet; [`ROOM`] bounds how large it is.
const EVENTS: usize = 16;
/// Blocks asked of one peer at a time.
const IN_FLIGHT_MAX: usize = 8;
/// A peer that sends none of the blocks it was asked for in this time is replaced.
const BLOCK_TIME: Duration = Duration::from_secs(60);
/// A peer that does not answer for headers in this time is replaced.
const HEADERS_TIME: Duration = Duration::from_secs(30);
/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often somebody is asked whether there is something new, in case an announcement was lost.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// How often the book of addresses is written.
const SAVE: Duration = Duration::from_secs(600);
/// Announcements in a row that follow nothing before they count as wrong: a few happen around a reorganisation.
const UNCONNECTED_MAX: u32 = 8;
/// Addresses taken from one connection.
const ADDRESSES_PER_PEER: usize = 2000;

/// Blocks not connected yet of which is remembered who brought them: twice as many as are fetched ahead.
const BROUGHT_MAX: usize = 1024;

/// A connected peer.
#[derive(Debug)]
struct Peer {
    hello: Hello,
    control: mpsc::Sender<Message>,
    score: u32,
    /// The best header it showed.
    best: Option<BlockHash>,
    best_height: i64,
    /// Blocks it was asked for.
    in_flight: BTreeSet<BlockHash>,
    /// When it last sent one, or was asked for the first.
    block_progress: Instant,
    presync: Option<Presync>,
    asked_headers: Option<Instant>,
    /// Whether it sends blocks as short ids.
    compact: bool,
    /// The block it was asked for as short ids, until they come.
    asked_compact: Option<BlockHash>,
    /// A block of which it was asked for what is missing.
    partial: Option<Partial>,
    /// Headers it announced in a row that followed nothing.
    unconnected: u32,
    addresses: usize,
    told_addresses: bool,
    /// When it last brought a block or a transaction that was not here.
    brought_block: Option<Instant>,
    brought_tx: Option<Instant>,
    /// Transactions it was not told of yet.
    untold: Vec<Txid>,
}

impl Peer {
    /// Whether it holds up blocks it was asked for.
    fn holds_up(&self, patience: Duration) -> bool {
        !self.in_flight.is_empty() && self.block_progress.elapsed() > patience
    }
}

/// A connection, greeted or not.
#[derive(Debug)]
struct Slot {
    address: SocketAddr,
    outbound: bool,
    hang_up: CancellationToken,
    peer: Option<Peer>,
}

/// All that is known of peers.
#[derive(Debug)]
pub struct Manager {
    settings: PeerSettings,
    shared: Arc<Shared>,
    ledger: LedgerHandle,
    listener: Option<TcpListener>,
    events: mpsc::Receiver<Event>,
    commands: mpsc::Receiver<Command>,
    news: broadcast::Receiver<ChainEvent>,
    slots: BTreeMap<PeerId, Slot>,
    next_id: PeerId,
    book: AddressBook,
    bans: Bans,
    manual: BTreeMap<SocketAddr, Dial>,
    active: bool,
    txs: TxRelay,
    /// Who brought blocks that are not connected yet.
    brought: BTreeMap<BlockHash, (PeerId, SocketAddr)>,
    clocks: PeerClocks,
    compact: CompactCounts,
    asked_again: Instant,
    saved: Instant,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Waits for a connection; forever if nobody listens.
async fn accept(listener: Option<&TcpListener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

impl Manager {
    /// Listens, and reads the book of addresses.
    ///
    /// # Errors
    /// [`PeersError`].
    pub async fn start(
        settings: PeerSettings,
        ledger: LedgerHandle,
        commands: mpsc::Receiver<Command>,
        stop: CancellationToken,
    ) -> Result<Self, PeersError> {
        let listener = match settings.listen {
            None => None,
            Some(address) => Some(
                TcpListener::bind(address)
                    .await
                    .map_err(|source| PeersError::Listen { address, source })?,
            ),
        };
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let listening = listener.as_ref().and_then(|it| it.local_addr().ok());
        let (magic, local) = ledger
            .call(|ledger| {
                let params = ledger.chain().params();
                (params.magic, !params.retargets)
            })
            .await?;
        let (said, events) = mpsc::channel(EVENTS);
        let shared = Shared {
            magic,
            nonce: settings.nonce,
            agent: settings.agent.clone(),
            listening: listening.unwrap_or(nowhere),
            ledger: ledger.clone(),
            events: said,
            room: Arc::new(Semaphore::new(ROOM)),
            min_work: settings.min_work,
            patience: settings.patience,
            compacted: AtomicU64::new(0),
        };
        let clock = shared.now();
        let mut book = open_book(&settings.book, local, clock);
        for seed in &settings.seeds {
            // Each counts as told by itself: what the owner chose is not a neighbourhood's share.
            book.learn(*seed, seed.ip(), clock, clock);
        }
        let bans = std::fs::read(&settings.bans).unwrap_or_default();
        let bans = Bans::from_file(&bans, clock);
        let now = Instant::now();
        let connect = settings.connect.iter();
        Ok(Self {
            manual: connect.map(|at| (*at, Dial::new(now))).collect(),
            news: ledger.listen(),
            shared: Arc::new(shared),
            slots: BTreeMap::new(),
            next_id: 1,
            bans,
            active: true,
            txs: TxRelay::default(),
            brought: BTreeMap::new(),
            clocks: PeerClocks::default(),
            compact: CompactCounts::default(),
            asked_again: now,
            saved: now,
            tasks: TaskTracker::new(),
            settings,
            ledger,
            listener,
            events,
            commands,
            book,
            stop,
        })
    }

    /// Where this node listens.
    #[must_use]
    pub fn listening(&self) -> SocketAddr {
        self.shared.listening
    }

    /// Runs until the node stops.
    ///
    /// # Errors
    /// [`PeersError`] when the chain cannot go on.
    pub async fn run(mut self) -> Result<(), PeersError> {
        let outcome = self.turn().await;
        for slot in self.slots.values() {
            slot.hang_up.cancel();
        }
        self.save_book();
        self.tasks.close();
        let mut events = std::mem::replace(&mut self.events, mpsc::channel(1).1);
        // Connections tell of their end; hearing it lets them go.
        tokio::select! {
            () = self.tasks.wait() => {}
            () = async { while events.recv().await.is_some() {} } => {}
        }
        outcome
    }

    async fn turn(&mut self) -> Result<(), PeersError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                event = self.events.recv() => match event {
                    Some(event) => self.hear(event).await?,
                    None => return Ok(()),
                },
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return Ok(()),
                },
                news = self.news.recv() => self.announce(news).await?,
                arrived = accept(self.listener.as_ref()) => self.welcome(arrived),
                _ = tick.tick() => self.look_at_clock().await?,
            }
        }
    }

    fn slot(&mut self, address: SocketAddr, outbound: bool) -> Connection {
        let id = self.next_id;
        self.next_id += 1;
        let hang_up = self.stop.child_token();
        let slot = Slot {
            address,
            outbound,
            hang_up: hang_up.clone(),
            peer: None,
        };
        self.slots.insert(id, slot);
        Connection {
            id,
            address,
            shared: Arc::clone(&self.shared),
            hang_up,
        }
    }

    async fn hear(&mut self, event: Event) -> Result<(), PeersError> {
        match event {
            Event::Arrived { id, control, hello } => self.arrive(id, control, hello).await,
            Event::Said { id, message, room } => {
                let judged = self.judge(id, message).await;
                drop(room);
                judged
            }
            Event::Offended { id, offence, why } => {
                self.offend(id, offence, &why);
                Ok(())
            }
            Event::Left { id, why } => {
                self.txs.left(id);
                if let Some(slot) = self.slots.remove(&id) {
                    debug!(address = %slot.address, why, "a connection ended");
                }
                self.fetch().await
            }
        }
    }

    async fn arrive(
        &mut self,
        id: PeerId,
        control: mpsc::Sender<Message>,
        hello: Hello,
    ) -> Result<(), PeersError> {
        let Some(slot) = self.slots.get_mut(&id) else {
            return Ok(());
        };
        let (address, outbound, now) = (slot.address, slot.outbound, Instant::now());
        info!(%address, outbound, agent = %hello.agent, height = hello.height, "a peer arrived");
        let listens = SocketAddr::new(address.ip(), hello.sender.address.port());
        let theirs = hello.time;
        slot.peer = Some(Peer {
            hello,
            control,
            score: 0,
            best: None,
            best_height: -1,
            in_flight: BTreeSet::new(),
            block_progress: now,
            presync: None,
            asked_headers: None,
            compact: false,
            asked_compact: None,
            partial: None,
            unconnected: 0,
            addresses: 0,
            told_addresses: false,
            brought_block: None,
            brought_tx: None,
            untold: Vec::new(),
        });
        let clock = self.shared.now();
        if outbound {
            self.compare_clocks(theirs);
            self.book.answered(address, clock);
            self.tell(id, Message::GetAddr);
        } else {
            self.book.learn(listens, address.ip(), clock, clock);
        }
        if let Some(dial) = self.manual.get_mut(&address) {
            dial.answered(now);
        }
        let version = compact::VERSION;
        let announce = false;
        self.tell(id, Message::SendCompact { announce, version });
        self.ask_headers(id, None).await
    }

    fn compare_clocks(&mut self, theirs: u64) {
        let ours = self.shared.ledger.clock().now();
        self.clocks.hear(theirs, ours);
        if let Some(offset) = self.clocks.newly_far() {
            warn!(offset, "{}", advice(offset));
        }
    }

    fn peer(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.slots.get_mut(&id)?.peer.as_mut()
    }

    /// Queues a message; a peer whose queue is full does not read and is hung up on.
    fn tell(&mut self, id: PeerId, message: Message) {
        let Some(slot) = self.slots.get(&id) else {
            return;
        };
        let full = slot
            .peer
            .as_ref()
            .is_some_and(|peer| peer.control.try_send(message).is_err());
        if full {
            slot.hang_up.cancel();
        }
    }

    /// Adds to a peer's score; at the limit it is hung up on and, unless it was chosen by hand, banned.
    fn offend(&mut self, id: PeerId, offence: Offence, why: &str) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let score = match &mut slot.peer {
            Some(peer) => {
                peer.score = peer.score.saturating_add(offence.score());
                peer.score
            }
            None => offence.score(),
        };
        let address = slot.address;
        info!(%address, ?offence, score, why, "a peer did something wrong");
        if score >= BAN_SCORE {
            slot.hang_up.cancel();
            self.ban(address, why);
        }
    }

    /// Bans an address, unless it was chosen by hand.
    fn ban(&mut self, address: SocketAddr, why: &str) {
        if !self.manual.contains_key(&address) {
            warn!(%address, why, "a peer is banned");
            self.bans.add(address.ip(), self.shared.now());
            self.save_bans();
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            // Whoever asked may have left, here and below.
            Command::Peers(answer) => drop(answer.send(self.infos())),
            Command::CompactCounts(answer) => drop(answer.send(self.compact)),
            Command::ClockOffset(answer) => drop(answer.send(self.clocks.median())),
            Command::Node(address, stay) => self.stay(address, stay),
            Command::HangUp(address, answer) => drop(answer.send(self.hang_up(address))),
            Command::SetActive(active) => {
                self.active = active;
                if !active {
                    self.slots.values().for_each(|slot| slot.hang_up.cancel());
                }
                let now = Instant::now();
                self.manual.values_mut().for_each(|dial| dial.hurry(now));
            }
            Command::Banned(answer) => drop(answer.send(self.bans.list(self.shared.now()))),
            Command::ClearBanned(answer) => {
                self.bans.clear();
                self.save_bans();
                // Whoever asked may have left.
                let _ = answer.send(());
            }
            Command::Announce(txid) => self.announce_tx(txid, None),
        }
    }

    fn infos(&self) -> Vec<PeerInfo> {
        let greeted = self.slots.iter().filter_map(|(id, slot)| {
            let peer = slot.peer.as_ref()?;
            Some(PeerInfo {
                id: *id,
                addr: slot.address,
                inbound: !slot.outbound,
                subver: peer.hello.agent.clone(),
                version: peer.hello.version,
                startingheight: peer.hello.height,
                synced_headers: peer.best_height,
                banscore: peer.score,
                inflight: peer.in_flight.len(),
            })
        });
        greeted.collect()
    }

    fn stay(&mut self, address: SocketAddr, stay: Stay) {
        match stay {
            Stay::Add => {
                self.manual
                    .entry(address)
                    .or_insert_with(|| Dial::new(Instant::now()));
            }
            Stay::Remove => {
                self.manual.remove(&address);
                self.hang_up(address);
            }
            Stay::Once => self.dial(address),
        }
    }

    fn hang_up(&mut self, address: SocketAddr) -> bool {
        let there = self.slots.values().filter(|slot| slot.address == address);
        there.fold(false, |_, slot| {
            slot.hang_up.cancel();
            true
        })
    }

    fn save_book(&mut self) {
        self.saved = Instant::now();
        save(&self.settings.book, &SavedBook::of(&self.book));
    }

    fn save_bans(&self) {
        save(&self.settings.bans, &self.bans);
    }
}
