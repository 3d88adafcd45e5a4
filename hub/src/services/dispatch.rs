//! The dispatcher: the one owner of the board and the one writer of assignments and claims.
//!
//! # Correctness
//! A turn takes every command that is waiting, decides, writes everything in one transaction and only then tells
//! miners and followers. While a turn writes, commands queue up for the next, so groups grow with the load and a
//! lone command does not wait. If the write fails the hub stops: its memory and its disk would differ.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gio_protocol::{Address, B256, DealId, Gio, Signature};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::domain::board::{Board, Effect, NotTaken, Offer, Restored, Session, UnitRef};
use crate::domain::deal::DealInfo;
use crate::hub::Hub;
use crate::infra::api::Checked;
use crate::infra::observe;
use crate::infra::progress::Stage;
use crate::infra::store::{AcceptedClaim, StoreError, WorkBatch};

/// Commands waiting for the dispatcher; senders wait when it is full.
pub(crate) const INBOX: usize = 4096;
/// Commands in one turn: a commit of this many batches stays within milliseconds.
const TURN_MAX: usize = 512;
/// How often deadlines of units are looked at.
const TICK: Duration = Duration::from_millis(500);

/// What others tell the dispatcher.
#[derive(Debug)]
pub enum Command {
    /// A miner connected.
    Join {
        /// Who.
        miner: Address,
        /// What it offers.
        offer: Offer,
        /// Where to tell it things.
        to_miner: mpsc::Sender<ToMiner>,
    },
    /// A miner's stream ended.
    Leave {
        /// Who.
        miner: Address,
        /// Which stream.
        session: Session,
    },
    /// Checked results.
    Results {
        /// Whose.
        miner: Address,
        /// The results.
        results: Vec<Checked>,
    },
    /// Units given back, and whether the miner could try again.
    Failures {
        /// By whom.
        miner: Address,
        /// Which.
        units: Vec<(UnitRef, bool)>,
    },
    /// A miner trusts the hub with another amount.
    Exposure {
        /// Who.
        miner: Address,
        /// How much.
        limit: Gio,
    },
    /// A miner takes no more.
    Drain {
        /// Who.
        miner: Address,
    },
    /// A miner was paid.
    Paid {
        /// Who.
        miner: Address,
        /// For what.
        deal: DealId,
        /// What it can pull.
        net: Gio,
        /// What it cost the wallet.
        gross: Gio,
        /// Where.
        tx: B256,
    },
    /// A deal is open on chain.
    Open {
        /// The deal.
        deal: Arc<DealInfo>,
        /// What is known of it from disk.
        restored: Restored,
    },
    /// A deal is posted or over.
    Close(DealId),
}

/// What the dispatcher tells a miner's connection.
#[derive(Debug)]
pub enum ToMiner {
    /// New orders.
    Assign(Vec<(Arc<DealInfo>, u32)>),
    /// Countersigned claims.
    Accepted(Vec<Acceptance>),
    /// Refused results.
    Rejected(Vec<(UnitRef, String)>),
    /// No longer wanted.
    Cancel(Vec<UnitRef>),
    /// Money is there.
    Paid {
        /// For what.
        deal: DealId,
        /// What it can pull.
        net: Gio,
        /// What it cost the wallet.
        gross: Gio,
        /// Where.
        tx: B256,
    },
}

/// A countersigned claim.
#[derive(Clone, Copy, Debug)]
pub struct Acceptance {
    pub unit: UnitRef,
    pub hub_signature: Signature,
    pub net: Gio,
}

/// Runs until the hub stops.
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
            () = hub.stop.cancelled() => return Ok(()),
            _ = ticker.tick() => {}
            count = inbox.recv_many(&mut commands, TURN_MAX) => if count == 0 { return Ok(()) },
        }
        dispatcher.turn(commands.drain(..)).await?;
    }
}

struct Dispatcher {
    hub: Arc<Hub>,
    board: Board,
    connections: BTreeMap<Address, (Session, mpsc::Sender<ToMiner>)>,
    /// Deals whose stage is Running or later already.
    running: BTreeSet<DealId>,
}

/// What a turn has to write, and then to tell.
#[derive(Default)]
struct Turn {
    batch: WorkBatch,
    tell: BTreeMap<Address, Told>,
    touched: BTreeSet<DealId>,
    finished: BTreeSet<DealId>,
}

/// What one miner is told at the end of a turn.
#[derive(Default)]
struct Told {
    assign: Vec<(Arc<DealInfo>, u32)>,
    accepted: Vec<Acceptance>,
    rejected: Vec<(UnitRef, String)>,
    cancel: Vec<UnitRef>,
    paid: Vec<ToMiner>,
}

impl Dispatcher {
    fn new(hub: Arc<Hub>) -> Self {
        let board = Board::new(hub.config.hub.unit_seconds);
        Self {
            hub,
            board,
            connections: BTreeMap::new(),
            running: BTreeSet::new(),
        }
    }

    async fn turn(&mut self, commands: impl Iterator<Item = Command>) -> Result<(), StoreError> {
        let mut turn = Turn {
            batch: WorkBatch {
                at: self.hub.now().0,
                ..WorkBatch::default()
            },
            ..Turn::default()
        };
        for command in commands {
            self.apply(command, &mut turn).await?;
        }
        let effects = self.board.tick(self.hub.now());
        self.note(effects, &mut turn);
        self.hub.store.write_work(&turn.batch).await?;
        self.move_on(&turn).await?;
        self.tell(turn);
        let waiting: BTreeSet<Address> = self.board.waiting_for_pay().into_iter().collect();
        if !waiting.is_empty() {
            self.hub.look_at_pay.notify_one();
        }
        *self
            .hub
            .waiting_for_pay
            .lock()
            .expect("no holder of this lock panics") = waiting;
        Ok(())
    }

    async fn apply(&mut self, command: Command, turn: &mut Turn) -> Result<(), StoreError> {
        let now = self.hub.now();
        let effects = match command {
            Command::Join {
                miner,
                offer,
                to_miner,
            } => {
                observe::miner_joined(miner, offer.places);
                self.connections.insert(miner, (offer.session, to_miner));
                self.board.join(miner, offer, now)
            }
            Command::Leave { miner, session } => {
                if self
                    .connections
                    .get(&miner)
                    .is_some_and(|(current, _)| *current == session)
                {
                    observe::miner_left(miner);
                    self.connections.remove(&miner);
                }
                self.board.leave(miner, session, now);
                Vec::new()
            }
            Command::Results { miner, results } => return self.results(miner, results, turn).await,
            Command::Failures { miner, units } => units
                .into_iter()
                .flat_map(|(unit, retryable)| self.board.fail(miner, unit, retryable))
                .collect(),
            Command::Exposure { miner, limit } => self.board.set_exposure(miner, limit, now),
            Command::Drain { miner } => {
                self.board.drain(miner);
                Vec::new()
            }
            Command::Paid {
                miner,
                deal,
                net,
                gross,
                tx,
            } => {
                turn.tell
                    .entry(miner)
                    .or_default()
                    .paid
                    .push(ToMiner::Paid {
                        deal,
                        net,
                        gross,
                        tx,
                    });
                self.board.paid(miner, net, now)
            }
            Command::Open { deal, restored } => {
                turn.touched.insert(deal.id);
                self.board.open(deal, &restored, now)
            }
            Command::Close(deal) => {
                self.running.remove(&deal);
                self.board.close(deal)
            }
        };
        self.note(effects, turn);
        Ok(())
    }

    async fn results(
        &mut self,
        miner: Address,
        results: Vec<Checked>,
        turn: &mut Turn,
    ) -> Result<(), StoreError> {
        for Checked { unit, result } in results {
            match result {
                Err(reason) => self.refuse(miner, unit, reason, turn),
                Ok(claim) => self.take(miner, unit, *claim, turn).await?,
            }
        }
        Ok(())
    }

    fn refuse(&mut self, miner: Address, unit: UnitRef, reason: String, turn: &mut Turn) {
        let effects = self.board.fail(miner, unit, false);
        self.note(effects, turn);
        turn.tell
            .entry(miner)
            .or_default()
            .rejected
            .push((unit, reason));
    }

    async fn take(
        &mut self,
        miner: Address,
        unit: UnitRef,
        claim: AcceptedClaim,
        turn: &mut Turn,
    ) -> Result<(), StoreError> {
        let cu = claim.signed.claim.cu;
        let outcome = match self.board.accept(miner, unit, cu) {
            Ok(effects) => {
                self.note(effects, turn);
                turn.touched.insert(unit.deal);
                let price = self
                    .hub
                    .deals
                    .get(unit.deal)
                    .map(|deal| deal.net_price)
                    .unwrap_or_default();
                let net = price.cost(cu).unwrap_or_default();
                let acceptance = Acceptance {
                    unit,
                    hub_signature: claim.hub_signature,
                    net,
                };
                turn.batch.accepted.push(claim);
                Ok(acceptance)
            }
            Err(reason) => self.accepted_before(miner, unit, reason, turn).await?,
        };
        let told = turn.tell.entry(miner).or_default();
        match outcome {
            Ok(acceptance) => told.accepted.push(acceptance),
            Err(reason) => told.rejected.push((unit, reason.reason().to_owned())),
        }
        Ok(())
    }

    /// A claim sent again after a broken stream: the answer is the same as the first time.
    async fn accepted_before(
        &self,
        miner: Address,
        unit: UnitRef,
        reason: NotTaken,
        turn: &Turn,
    ) -> Result<Result<Acceptance, NotTaken>, StoreError> {
        let this_turn = turn.batch.accepted.iter().find(|claim| {
            let claim = &claim.signed.claim;
            claim.deal_id == unit.deal && claim.unit == unit.unit && claim.owner == miner
        });
        let signature = match this_turn {
            Some(claim) => Some(claim.hub_signature),
            None => self.hub.store.acceptance(unit, miner).await?,
        };
        Ok(signature
            .map(|hub_signature| Acceptance {
                unit,
                hub_signature,
                net: Gio::ZERO,
            })
            .ok_or(reason))
    }

    fn note(&mut self, effects: Vec<Effect>, turn: &mut Turn) {
        for effect in effects {
            match effect {
                Effect::Assign { miner, unit, .. } => {
                    turn.batch.assigned.push((unit, miner));
                    turn.touched.insert(unit.deal);
                    if let Some(deal) = self.hub.deals.get(unit.deal) {
                        turn.tell
                            .entry(miner)
                            .or_default()
                            .assign
                            .push((deal, unit.unit));
                    }
                }
                Effect::Requeue(unit) => {
                    turn.batch.requeued.push(unit);
                    turn.touched.insert(unit.deal);
                }
                Effect::Cancel { session, unit } => {
                    let to = self
                        .connections
                        .iter()
                        .find(|(_, (current, _))| *current == session);
                    if let Some((miner, _)) = to {
                        turn.tell.entry(*miner).or_default().cancel.push(unit);
                    }
                }
                Effect::Finished(deal) => {
                    turn.touched.insert(deal);
                    turn.finished.insert(deal);
                }
            }
        }
    }

    fn tell(&mut self, turn: Turn) {
        if !turn.batch.assigned.is_empty() {
            observe::units_assigned(turn.batch.assigned.len());
        }
        if !turn.batch.requeued.is_empty() {
            observe::units_requeued(turn.batch.requeued.len());
        }
        for (miner, told) in turn.tell {
            let Some((_, to_miner)) = self.connections.get(&miner) else {
                continue;
            };
            let sent = told
                .messages()
                .into_iter()
                .try_for_each(|message| to_miner.try_send(message));
            if sent.is_err() {
                // Too far behind, or gone: its units come back when the stream is seen to end.
                self.connections.remove(&miner);
            }
        }
        for deal in turn.touched {
            self.hub.progress.publish(deal, self.board.progress(deal));
        }
        if !turn.finished.is_empty() {
            self.hub.look_at_deals.notify_one();
        }
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
}

impl Told {
    fn messages(self) -> Vec<ToMiner> {
        let mut messages = Vec::new();
        if !self.accepted.is_empty() {
            messages.push(ToMiner::Accepted(self.accepted));
        }
        if !self.rejected.is_empty() {
            messages.push(ToMiner::Rejected(self.rejected));
        }
        if !self.cancel.is_empty() {
            messages.push(ToMiner::Cancel(self.cancel));
        }
        if !self.assign.is_empty() {
            messages.push(ToMiner::Assign(self.assign));
        }
        messages.extend(self.paid);
        messages
    }
}
