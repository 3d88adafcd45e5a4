//! The other nodes: finding them, hearing them, following the one with the most work.
//!
//! One task, the manager, owns all that is known of peers and decides; each connection is a task that reads,
//! writes and serves. Connections wait for the manager, the manager waits only for the ledger, so nothing waits in a
//! circle.
//!
//! # Security
//! A peer costs at most one message being read, what it was asked for, two answers on their way to its socket, and
//! requests that name 10,000 blocks or transactions. Of a block nobody asked it for only the first bytes are kept.
//! What is decoded and not judged yet has room for two blocks, of all peers together. Headers cost memory only once
//! all of a message have the work they claim, and together the work this node asks for. Transactions are
//! judged only if asked for and not refused before. What a peer withholds of blocks keeps nothing back that another
//! has, and a place is held for nobody for good.

mod address_book;
mod asked;
mod bans;
mod compact;
mod connection;
mod files;
mod manager;
mod presync;
mod serve;
mod sync;
mod transactions;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use gio_coin::{Txid, Work};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::chain::ChainError;
use crate::ledger::LedgerGone;
pub use manager::{CompactCounts, Manager};
pub(crate) use sync::is_far_behind;

/// Commands that may wait for the manager.
const COMMANDS: usize = 32;

/// How long this node waits for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// A peer that did not greet by then never will.
    pub greeting: Duration,
    /// Time for one message. Slower peers hold up more than they help.
    pub message: Duration,
    /// A peer that sends none of the blocks it was asked for in this time keeps them back no longer: others are asked.
    pub block: Duration,
    /// A peer that says nothing for this long, pings unanswered, is gone.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(10),
            // A full block at 35 kB/s.
            message: Duration::from_secs(60),
            // A sixth of the time between two blocks; a full one at 200 kB/s.
            block: Duration::from_secs(10),
            // Two pings and some.
            silence: Duration::from_secs(150),
        }
    }
}

/// How this node meets others.
#[derive(Clone, Debug)]
pub struct PeerSettings {
    /// Where to listen; nowhere if `None`.
    pub listen: Option<SocketAddr>,
    /// Nodes to stay connected to.
    pub connect: Vec<SocketAddr>,
    /// Whether to seek other nodes besides those.
    pub discover: bool,
    /// Addresses to begin that search with.
    pub seeds: Vec<SocketAddr>,
    /// The least work a branch must have to be worth memory.
    pub min_work: Work,
    /// The file that keeps addresses between runs.
    pub book: PathBuf,
    /// The file that keeps bans between runs.
    pub bans: PathBuf,
    /// The name told to peers.
    pub agent: String,
    /// Random: tells a connection to oneself.
    pub nonce: u64,
    /// How long it waits for others.
    pub patience: Patience,
}

/// The network cannot go on.
#[derive(Debug, Error)]
pub enum PeersError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The ledger ended.
    #[error(transparent)]
    LedgerGone(#[from] LedgerGone),
    /// The chain cannot go on.
    #[error("the chain cannot go on")]
    Chain(#[from] ChainError),
}

/// What is known of a connected peer.
#[derive(Clone, Debug, Serialize)]
pub struct PeerInfo {
    /// Counts connections.
    pub id: u64,
    /// Where it is.
    pub addr: SocketAddr,
    /// Whether it came to us.
    pub inbound: bool,
    /// Its program.
    pub subver: String,
    /// Its version of the protocol.
    pub version: u32,
    /// Its height when it came.
    pub startingheight: u32,
    /// Height of the best header it showed.
    pub synced_headers: i64,
    /// How much it did wrong.
    pub banscore: u32,
    /// Blocks it was asked for.
    pub inflight: usize,
}

/// Whether to stay connected to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// From now on.
    Add,
    /// No longer; an open connection is closed.
    Remove,
    /// Try once.
    Once,
}

/// What the manager can be asked.
#[derive(Debug)]
pub enum Command {
    /// Everybody connected.
    Peers(oneshot::Sender<Vec<PeerInfo>>),
    /// Seconds by which the peers' clocks are ahead of ours, if enough were heard.
    ClockOffset(oneshot::Sender<Option<i64>>),
    /// How blocks that came as short ids were put together.
    CompactCounts(oneshot::Sender<CompactCounts>),
    /// Stay connected to a node, or no longer.
    Node(SocketAddr, Stay),
    /// Hang up on a peer; false if there is none.
    HangUp(SocketAddr, oneshot::Sender<bool>),
    /// Cut all connections and make none, or make them again.
    SetActive(bool),
    /// Who is banned, and until when in Unix seconds.
    Banned(oneshot::Sender<Vec<(IpAddr, u64)>>),
    /// Forget all bans; the answer comes when that is on the disk.
    ClearBanned(oneshot::Sender<()>),
    /// A transaction entered the mempool here.
    Announce(Txid),
}

/// A way to ask the manager.
#[derive(Clone, Debug)]
pub struct PeersHandle {
    commands: mpsc::Sender<Command>,
}

impl PeersHandle {
    /// A handle, and where its commands arrive.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Command>) {
        let (commands, arriving) = mpsc::channel(COMMANDS);
        (Self { commands }, arriving)
    }

    /// Sends a command.
    ///
    /// # Errors
    /// [`LedgerGone`] when the node is stopping.
    pub async fn send(&self, command: Command) -> Result<(), LedgerGone> {
        self.commands.send(command).await.map_err(|_| LedgerGone)
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// [`LedgerGone`] when the node is stopping.
    pub async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, LedgerGone> {
        let (answer, waiting) = oneshot::channel();
        self.send(command(answer)).await?;
        waiting.await.map_err(|_| LedgerGone)
    }
}
