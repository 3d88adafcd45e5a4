//! One connection: the greeting, then reading, writing and serving side by side until one of them ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gio_coin::MAX_BLOCK_BYTES;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Patience;
use super::asked::{Asked, Form};
use super::bans::Offence;
use super::serve::{Asks, Request, Served, serve};
use crate::ledger::LedgerHandle;
use crate::wire::{
    Frame, FrameError, FrameHead, HEAD_BYTES, Hello, Message, Net, encode, envelope,
};

/// Reaching a node takes no longer where nodes are.
const DIAL: Duration = Duration::from_secs(5);
/// After so long without a word to send, a ping keeps the connection known to be alive.
const PING: Duration = Duration::from_secs(60);
/// Small messages that may wait for the socket; a peer that reads none of them is hung up on.
const CONTROL: usize = 256;
/// Served messages that may wait: blocks are large, and another is being written.
const BULK: usize = 1;
/// Requests that may wait to be served: more than one downloader has open at a time.
const REQUESTS: usize = 64;
/// Bytes of messages that may be decoded and not judged yet, of all peers together. The worst take 24 times as much
/// memory as they have bytes.
pub(super) const ROOM: usize = 2 * MAX_BLOCK_BYTES;
/// Older programs speak otherwise.
const VERSION_MIN: u32 = 70_012;

/// Counts connections.
pub(super) type PeerId = u64;

/// What a connection tells the manager.
#[derive(Debug)]
pub(super) enum Event {
    /// The greeting is over.
    Arrived {
        id: PeerId,
        control: mpsc::Sender<Message>,
        hello: Hello,
    },
    /// The peer said something the manager must judge; its room is free again once that is done.
    Said {
        id: PeerId,
        message: Message,
        room: OwnedSemaphorePermit,
    },
    /// The peer did something wrong.
    Offended {
        id: PeerId,
        offence: Offence,
        why: String,
    },
    /// The connection is over, or never came to be.
    Left { id: PeerId, why: String },
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) magic: [u8; 4],
    pub(super) nonce: u64,
    pub(super) agent: String,
    /// Where this node listens, as it tells others; port 0 for nowhere.
    pub(super) listening: SocketAddr,
    pub(super) ledger: LedgerHandle,
    pub(super) events: mpsc::Sender<Event>,
    /// For messages that are decoded; see [`ROOM`].
    pub(super) room: Arc<Semaphore>,
    pub(super) min_work: gio_coin::Work,
    pub(super) patience: Patience,
    /// Messages with short ids made so far.
    pub(super) compacted: AtomicU64,
}

impl Shared {
    /// What time it is, Unix seconds.
    pub(super) fn now(&self) -> u64 {
        self.ledger.clock().now().0
    }

    /// A number nobody else knows, for a message with short ids.
    pub(super) fn next_nonce(&self) -> u64 {
        let count = self.compacted.fetch_add(1, Ordering::Relaxed);
        let mixed = gio_coin::sha256(&[self.nonce.to_le_bytes(), count.to_le_bytes()].concat());
        u64::from_le_bytes(mixed.first_chunk().copied().unwrap_or_default())
    }
}

/// One connection on its way.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: PeerId,
    pub(super) address: SocketAddr,
    pub(super) shared: Arc<Shared>,
    pub(super) hang_up: CancellationToken,
}

/// Why a connection ends.
#[derive(Debug)]
enum Ending {
    Wrong(FrameError),
    Offence(Offence, &'static str),
    Quiet(String),
}

impl From<std::io::Error> for Ending {
    fn from(error: std::io::Error) -> Self {
        Self::Quiet(error.to_string())
    }
}

impl From<FrameError> for Ending {
    fn from(error: FrameError) -> Self {
        Self::Wrong(error)
    }
}

fn quiet(why: &str) -> Ending {
    Ending::Quiet(why.to_owned())
}

impl Connection {
    /// Reaches a node and talks to it until one side ends.
    pub(super) async fn dial(self) {
        let hang_up = self.hang_up.clone();
        let reached = tokio::select! {
            () = hang_up.cancelled() => Err(quiet("hung up")),
            reached = timeout(DIAL, TcpStream::connect(self.address)) => match reached {
                Ok(Ok(socket)) => Ok(socket),
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err(quiet("no answer")),
            },
        };
        match reached {
            Ok(socket) => self.run(socket, true).await,
            Err(ending) => self.leave(ending).await,
        }
    }

    /// Talks to a peer until one side ends.
    pub(super) async fn run(self, socket: TcpStream, outbound: bool) {
        let hang_up = self.hang_up.clone();
        // A failure costs some milliseconds per small message, no more.
        let _ = socket.set_nodelay(true);
        let (reader, writer) = socket.into_split();
        let ending = tokio::select! {
            () = hang_up.cancelled() => quiet("hung up"),
            ending = self.talk(reader, writer, outbound) => ending,
        };
        self.leave(ending).await;
    }

    async fn leave(self, ending: Ending) {
        let id = self.id;
        let offended = |offence, why| Event::Offended { id, offence, why };
        let (offence, why) = match ending {
            Ending::Wrong(error) => {
                let why = error.to_string();
                (Some(offended(Offence::BadMessage, why.clone())), why)
            }
            Ending::Offence(offence, why) => {
                (Some(offended(offence, why.to_owned())), why.to_owned())
            }
            Ending::Quiet(why) => (None, why),
        };
        let left = Event::Left { id, why };
        for event in offence.into_iter().chain([left]) {
            // The manager is gone only when the node stops.
            let _ = self.shared.events.send(event).await;
        }
    }

    async fn talk(
        &self,
        mut reader: OwnedReadHalf,
        mut writer: OwnedWriteHalf,
        outbound: bool,
    ) -> Ending {
        let patience = self.shared.patience.greeting;
        let asked = Asked::default();
        let greeting = self.greet(&mut reader, &mut writer, (&asked, outbound));
        let greeting = timeout(patience, greeting).await;
        let hello = match greeting {
            Ok(Ok(hello)) => hello,
            Ok(Err(ending)) => return ending,
            Err(_) => return quiet("no greeting"),
        };
        let (control, controls) = mpsc::channel(CONTROL);
        let (bulk, bulks) = mpsc::channel(BULK);
        let (requests, waiting) = mpsc::channel(REQUESTS);
        let requests = Asks::new(requests);
        let arrived = Event::Arrived {
            id: self.id,
            control: control.clone(),
            hello,
        };
        if self.shared.events.send(arrived).await.is_err() {
            return quiet("the node stops");
        }
        tokio::select! {
            ending = self.read(&mut reader, &asked, (&control, &requests)) => ending,
            ending = self.write(&mut writer, &asked, (controls, bulks)) => ending,
            () = serve(&self.shared, waiting, bulk) => quiet("nothing more is served"),
        }
    }

    fn hello(&self, height: u32) -> Hello {
        let net = |services, address| Net { services, address };
        Hello {
            version: Hello::VERSION,
            services: SERVICES,
            time: self.shared.now(),
            receiver: net(0, self.address),
            sender: net(SERVICES, self.shared.listening),
            nonce: self.shared.nonce,
            agent: self.shared.agent.clone(),
            height,
            relay: true,
        }
    }

    /// `version` and `verack` both ways, nothing else before.
    async fn greet(
        &self,
        reader: &mut OwnedReadHalf,
        writer: &mut OwnedWriteHalf,
        (asked, outbound): (&Asked, bool),
    ) -> Result<Hello, Ending> {
        let height = self
            .shared
            .ledger
            .call(|ledger| ledger.chain().tip_height());
        let height = height
            .await
            .map_err(|gone| Ending::Quiet(gone.to_string()))?;
        let ours = Message::Version(self.hello(height));
        if outbound {
            self.say(writer, &ours).await?;
        }
        let (Message::Version(hello), _) = self.hear(reader, asked).await? else {
            return Err(Ending::Offence(Offence::BadMessage, "no greeting first"));
        };
        if hello.nonce == self.shared.nonce {
            return Err(quiet("this is ourselves"));
        }
        if hello.version < VERSION_MIN {
            return Err(quiet("the peer's version is too old"));
        }
        if !outbound {
            self.say(writer, &ours).await?;
        }
        self.say(writer, &Message::Verack).await?;
        match self.hear(reader, asked).await?.0 {
            Message::Verack => Ok(hello),
            _ => Err(Ending::Offence(
                Offence::BadMessage,
                "something before the greeting's end",
            )),
        }
    }

    async fn say(&self, writer: &mut OwnedWriteHalf, message: &Message) -> Result<(), Ending> {
        self.send(writer, &encode(message, self.shared.magic)).await
    }

    async fn send(&self, writer: &mut OwnedWriteHalf, bytes: &[u8]) -> Result<(), Ending> {
        let patience = self.shared.patience.message;
        match timeout(patience, writer.write_all(bytes)).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(Ending::Offence(Offence::Slow, "it does not read")),
        }
    }

    /// The next message this version knows, but for blocks nobody asked for; and the room it takes.
    async fn hear(
        &self,
        reader: &mut OwnedReadHalf,
        asked: &Asked,
    ) -> Result<(Message, OwnedSemaphorePermit), Ending> {
        loop {
            let mut head = [0; HEAD_BYTES];
            let patience = self.shared.patience;
            match timeout(patience.silence, reader.read_exact(&mut head)).await {
                Ok(read) => read?,
                Err(_) => return Err(quiet("the peer is silent")),
            };
            let head = FrameHead::decode(&head, self.shared.magic)?;
            let payload = match timeout(patience.message, payload(reader, &head, asked)).await {
                Ok(payload) => payload?,
                Err(_) => return Err(Ending::Offence(Offence::Slow, "it sends too slowly")),
            };
            let Some(payload) = payload else {
                let why = format!("a `{}` nobody asked for", head.name);
                let (id, offence) = (self.id, Offence::UnaskedBlock);
                let offended = Event::Offended { id, offence, why };
                if self.shared.events.send(offended).await.is_err() {
                    return Err(quiet("the node stops"));
                }
                continue;
            };
            let room = self.room(payload.len()).await?;
            if let Frame::Known(message) = head.message(&payload)? {
                return Ok((*message, room));
            }
        }
    }

    /// Waits for room to decode a message.
    async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Ending> {
        let bytes = u32::try_from(bytes.clamp(1, ROOM)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.shared.room).acquire_many_owned(bytes);
        room.await.map_err(|_| quiet("the node stops"))
    }

    async fn read(
        &self,
        reader: &mut OwnedReadHalf,
        asked: &Asked,
        (control, requests): (&mpsc::Sender<Message>, &Asks),
    ) -> Ending {
        loop {
            let (message, room) = match self.hear(reader, asked).await {
                Ok(heard) => heard,
                Err(ending) => return ending,
            };
            let done = match message {
                Message::Ping(nonce) => control.try_send(Message::Pong(nonce)).is_ok(),
                Message::Pong(_) => true,
                Message::GetData(items) => requests.put(Request::Data(items)),
                Message::GetBlockTxn(request) => requests.put(Request::BlockTxn(request)),
                Message::GetHeaders { locator, stop } => {
                    requests.put(Request::Headers { locator, stop })
                }
                Message::Version(_) | Message::Verack => {
                    return Ending::Offence(Offence::BadMessage, "a second greeting");
                }
                message => {
                    if let Message::NotFound(items) = &message {
                        asked.forget(items);
                    }
                    let id = self.id;
                    let said = Event::Said { id, message, room };
                    self.shared.events.send(said).await.is_ok()
                }
            };
            if !done {
                return Ending::Offence(Offence::Flood, "more requests than can be served");
            }
        }
    }

    async fn write(
        &self,
        writer: &mut OwnedWriteHalf,
        asked: &Asked,
        (mut controls, mut bulks): (mpsc::Receiver<Message>, mpsc::Receiver<Served>),
    ) -> Ending {
        loop {
            let next = tokio::select! {
                biased;
                next = controls.recv() => next,
                next = bulks.recv() => match next {
                    Some(Served { name, payload }) => {
                        let bytes = envelope(name, &payload, self.shared.magic);
                        drop(payload);
                        if let Err(ending) = self.send(writer, &bytes).await {
                            return ending;
                        }
                        continue;
                    }
                    None => None,
                },
                () = tokio::time::sleep(PING) => Some(Message::Ping(self.id)),
            };
            let Some(message) = next else {
                return quiet("hung up");
            };
            // Before it is sent: the answer may come at once.
            asked.note(&message);
            if let Err(ending) = self.say(writer, &message).await {
                return ending;
            }
        }
    }
}

/// The payload of a message. `None` for a block nobody asked for: its bytes are passed over and never kept.
async fn payload(
    reader: &mut OwnedReadHalf,
    head: &FrameHead,
    asked: &Asked,
) -> Result<Option<Vec<u8>>, Ending> {
    // Grows with what came: announcing much costs nothing here.
    let mut payload = Vec::new();
    let mut part = reader.take(head.length as u64);
    let mut is_wanted = true;
    if let Some(form) = Form::of(&head.name) {
        let mut start = (&mut part).take(form.name_bytes() as u64);
        start.read_to_end(&mut payload).await?;
        is_wanted = asked.takes(form, &payload);
    }
    let start = payload.len();
    let rest = match is_wanted {
        true => part.read_to_end(&mut payload).await?,
        false => usize::try_from(tokio::io::copy(&mut part, &mut tokio::io::sink()).await?)
            .unwrap_or(usize::MAX),
    };
    match start.saturating_add(rest) == head.length {
        true => Ok(is_wanted.then_some(payload)),
        false => Err(quiet("the peer left within a message")),
    }
}

/// Whole blocks.
const SERVICES: u64 = 1;
