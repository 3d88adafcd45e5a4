//! The dispatcher: the one owner of the board and the one writer of assignments and claims.
//!
//! # Correctness
//! A turn takes every command that is waiting, decides, writes everything in one transaction and only then tells
//! miners and followers. While a turn writes, commands queue up for the next, so groups grow with the load and a
//! lone command does not wait. If the write fails the hub stops: its memory and its disk would differ.
//! What a miner has coming is read from disk after everything it earned so far is written, and before it gets more.

mod messages;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gio_protocol::{Address, DealId};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use self::turn::Turn;
use crate::domain::board::{Board, Session};
use crate::domain::stage::Stage;
use crate::hub::Hub;
use crate::infra::store::{StoreError, WorkBatch};
use crate::infra::{metrics, observe};

pub(crate) use self::messages::{Acceptance, Command, Grants, Outcome, Question, ToMiner, View};

/// Commands waiting for the dispatcher; senders wait when it is full.
pub(crate) const INBOX: usize = 4096;
/// Commands in one turn: a commit of this many batches stays within milliseconds.
const TURN_MAX: usize = 512;
/// How often deadlines of units are looked at.
const TICK: Duration = Duration::from_millis(500);

/// Runs until the hub stops; what had arrived by then is still written down.
pub(crate) async fn run(
    hub: Arc<Hub>,
    mut inbox: mpsc::Receiver<Command>,
) -> Result<(), StoreError> {
    let mut dispatcher = Dispatcher::new(Arc::clone(&hub));
    let mut ticker = interval(TICK);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut commands = Vec::with_capacity(TURN_MAX);
    loop {
        tokio::select! {
            () = hub.stop.cancelled() => break,
            _ = ticker.tick() => {
                let late = dispatcher.board.tick(hub.clock());
                let mut turn = Turn::default();
                dispatcher.note(late, &mut turn);
                dispatcher.finish(turn).await?;
                dispatcher.prune();
                dispatcher.measure();
            }
            count = inbox.recv_many(&mut commands, TURN_MAX) => {
                if count == 0 {
                    break;
                }
                dispatcher.turn(commands.drain(..)).await?;
            }
        }
    }
    inbox.close();
    dispatcher.is_stopping = true;
    while inbox.recv_many(&mut commands, TURN_MAX).await > 0 {
        dispatcher.turn(commands.drain(..)).await?;
    }
    Ok(())
}

struct Dispatcher {
    hub: Arc<Hub>,
    board: Board,
    connections: BTreeMap<Address, Connection>,
    /// Deals whose stage is Running or later already.
    running: BTreeSet<DealId>,
    /// Nothing is given out any more.
    is_stopping: bool,
    /// Nothing is given out until further notice.
    is_paused: bool,
}

/// Where a miner can be told things.
struct Connection {
    session: Session,
    to_miner: mpsc::Sender<ToMiner>,
    grants: Grants,
    over: CancellationToken,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A session nobody tells anything is over: the miner comes back with a new one.
        self.over.cancel();
    }
}

impl Dispatcher {
    fn new(hub: Arc<Hub>) -> Self {
        let board = Board::new(hub.config().hub.unit_seconds);
        Self {
            hub,
            board,
            connections: BTreeMap::new(),
            running: BTreeSet::new(),
            is_stopping: false,
            is_paused: false,
        }
    }

    async fn turn(&mut self, commands: impl Iterator<Item = Command>) -> Result<(), StoreError> {
        let mut turn = Turn::default();
        for command in commands {
            self.apply(command, &mut turn);
        }
        self.finish(turn).await
    }

    /// Gives units out, writes the turn down, and tells everybody.
    async fn finish(&mut self, mut turn: Turn) -> Result<(), StoreError> {
        let now = self.hub.clock();
        if !turn.accounts.is_empty() {
            self.hub.store.write_work(&turn.batch, now).await?;
            turn.batch = WorkBatch::default();
            for miner in std::mem::take(&mut turn.accounts) {
                let owed = self.hub.store.owed(miner).await?;
                self.board.set_owed(miner, owed);
            }
        }
        if !self.is_stopping && !self.is_paused {
            let given = self.board.fill(now);
            self.note(given, &mut turn);
        }
        self.hub.store.write_work(&turn.batch, now).await?;
        turn.troubles.extend(self.board.take_troubles());
        self.hub.store.add_troubles(&turn.troubles, now).await?;
        self.move_on(&turn).await?;
        self.tell(turn);
        self.note_who_waits();
        self.note_whose_bond_counts();
        self.note_who_is_here();
        Ok(())
    }

    /// A deal runs from its first assignment and is assembled when nothing is left to run.
    async fn move_on(&mut self, turn: &Turn) -> Result<(), StoreError> {
        for (unit, _) in &turn.batch.assigned {
            if self.running.insert(unit.deal) {
                self.hub
                    .move_on(unit.deal, Stage::Running, "the first unit is with a miner")
                    .await?;
            }
        }
        for deal in &turn.finished {
            self.hub
                .move_on(*deal, Stage::Assembling, "nothing is left to run")
                .await?;
        }
        Ok(())
    }

    fn note_who_waits(&self) {
        let waiting = self.board.waiting_for_pay(self.hub.clock());
        let mut known = self.hub.notes.waiting_for_pay.lock();
        if !waiting.is_subset(&known) {
            self.hub.look_at_pay.notify_one();
        }
        *known = waiting;
    }

    /// Nobody is given a unit of a deal with a court before the register was asked for its bond (R15).
    fn note_whose_bond_counts(&self) {
        let wanted = self.board.wanting_bonds();
        let mut known = self.hub.notes.bonds_wanted.lock();
        if !wanted.is_subset(&known) {
            self.hub.look_at_bonds.notify_one();
        }
        *known = wanted;
    }

    /// The first miner brings work here that waits for one.
    fn note_who_is_here(&self) {
        let has_miners = !self.connections.is_empty();
        let had = self
            .hub
            .notes
            .has_miners
            .swap(has_miners, Ordering::Relaxed);
        if has_miners && !had && self.hub.store.is_shared() {
            self.hub.look_at_deals.notify_one();
        }
    }

    fn prune(&self) {
        let on_board = |deal| self.board.deal(deal).is_some();
        self.hub.progress.prune(on_board);
    }

    /// The gauges; twice a second is often enough for whoever looks at them.
    fn measure(&self) {
        metrics::DEALS_RUNNING.set(self.board.deal_count());
        metrics::UNITS_RUNNING.set(self.board.units_running());
        metrics::UNITS_QUEUED.set(self.board.units_queued());
        metrics::MINERS_CONNECTED.set(self.connections.len() as u64);
    }

    fn tell(&mut self, turn: Turn) {
        if !turn.batch.assigned.is_empty() {
            observe::units_assigned(turn.batch.assigned.len());
        }
        if !turn.batch.requeued.is_empty() {
            observe::units_requeued(turn.batch.requeued.len());
        }
        for (miner, told) in turn.tell {
            let Some(connection) = self.connections.get(&miner) else {
                continue;
            };
            let sent = told
                .messages()
                .into_iter()
                .try_for_each(|message| connection.to_miner.try_send(message));
            if sent.is_err() {
                // Too far behind, or gone: its session ends, and its units come back after the grace.
                observe::miner_too_slow(miner);
                self.connections.remove(&miner);
            }
        }
        for deal in turn.touched {
            if let Some(progress) = self.board.progress(deal) {
                self.hub.progress.publish(deal, progress);
            }
        }
        if !turn.finished.is_empty() {
            self.hub.look_at_deals.notify_one();
        }
        for deal in turn.opened {
            self.hub.has_come(deal);
        }
        for done in turn.closed {
            // Whoever asked may have given up.
            let _ = done.send(());
        }
        for (question, answer) in turn.asked {
            // As above.
            let _ = answer.send(self.view(question));
        }
    }
}
