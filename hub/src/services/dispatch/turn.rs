//! One turn of the dispatcher: commands and effects become what is written, and what is told afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gio_protocol::{Address, Cu, DealId, UnixSeconds};
use tokio::sync::oneshot;

use super::messages::{Acceptance, Command, Outcome, Question, ToMiner, View};
use super::{Connection, Dispatcher};
use crate::domain::board::{Effect, Failure, NotTaken, Session, Trouble, UnitRef};
use crate::domain::bonds::UNCOVERED;
use crate::domain::deal::DealInfo;
use crate::infra::observe;
use crate::infra::store::{AcceptedClaim, WorkBatch};

/// What a turn has to write, and then to tell.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) batch: WorkBatch,
    /// Miners of which the disk knows better what they have coming.
    pub(super) accounts: BTreeSet<Address>,
    pub(super) tell: BTreeMap<Address, Told>,
    pub(super) touched: BTreeSet<DealId>,
    pub(super) finished: BTreeSet<DealId>,
    pub(super) opened: Vec<DealId>,
    pub(super) closed: Vec<oneshot::Sender<()>>,
    /// Units that came back, and why.
    pub(super) troubles: Vec<Trouble>,
    pub(super) asked: Vec<(Question, oneshot::Sender<View>)>,
}

/// What one miner is told at the end of a turn.
#[derive(Default)]
pub(super) struct Told {
    assign: Vec<(Arc<DealInfo>, u32, UnixSeconds)>,
    accepted: Vec<Acceptance>,
    rejected: Vec<(UnitRef, String)>,
    cancel: Vec<UnitRef>,
    paid: Vec<ToMiner>,
}

impl Turn {
    fn tell(&mut self, miner: Address) -> &mut Told {
        self.tell.entry(miner).or_default()
    }

    fn reject(&mut self, miner: Address, unit: UnitRef, reason: String) {
        self.tell(miner).rejected.push((unit, reason));
    }

    fn trouble(&mut self, miner: Address, unit: UnitRef, reason: String) {
        let trouble = Trouble {
            unit,
            miner,
            reason,
        };
        self.troubles.push(trouble);
    }
}

impl Told {
    pub(super) fn messages(self) -> Vec<ToMiner> {
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
        // Before new orders: the miner may take them because of this.
        messages.extend(self.paid);
        if !self.assign.is_empty() {
            messages.push(ToMiner::Assign(self.assign));
        }
        messages
    }
}

impl Dispatcher {
    pub(super) fn apply(&mut self, command: Command, turn: &mut Turn) {
        let now = self.hub.clock();
        let effects = match command {
            Command::Results { miner, results } => {
                self.results(miner, results, turn);
                Vec::new()
            }
            command @ Command::Join { .. } => self.join(command, turn),
            Command::Leave { miner, session } => {
                self.leave(miner, session);
                Vec::new()
            }
            Command::Failures { miner, units } => {
                let mut effects = Vec::new();
                for (unit, failure, reason) in units {
                    let back = self.board.fail(miner, unit, failure, now);
                    if !back.is_empty() {
                        turn.trouble(miner, unit, reason);
                    }
                    effects.extend(back);
                }
                effects
            }
            Command::Exposure { miner, limit } => {
                self.board.set_exposure(miner, limit);
                Vec::new()
            }
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
                turn.accounts.insert(miner);
                turn.tell(miner).paid.push(ToMiner::Paid {
                    deal,
                    net,
                    gross,
                    tx,
                });
                Vec::new()
            }
            Command::Bonds(bonds) => {
                self.board.set_bonds(bonds);
                Vec::new()
            }
            Command::Open { deal, restored } => {
                turn.touched.insert(deal.id);
                turn.opened.push(deal.id);
                self.board.open(deal, &restored, now)
            }
            Command::Close { deal, done } => {
                self.running.remove(&deal);
                turn.closed.push(done);
                let effects = self.board.close(deal);
                for connection in self.connections.values() {
                    connection.grants.remove_deal(deal);
                }
                effects
            }
            Command::Ask { question, answer } => {
                match question {
                    Question::Stop(deal) => self.board.stop(deal),
                    Question::Pause(is_paused) => self.is_paused = is_paused,
                    Question::Machines { .. } | Question::Deal(_) | Question::Load => {}
                }
                turn.asked.push((question, answer));
                Vec::new()
            }
        };
        self.note(effects, turn);
    }

    /// What the board shows now.
    pub(super) fn view(&self, question: Question) -> View {
        let now = self.hub.clock();
        let (machines, progress) = match question {
            Question::Machines {
                pages_max,
                net_price,
            } => (Some(self.board.machines(pages_max, net_price, now)), None),
            Question::Deal(deal) | Question::Stop(deal) => {
                let found = self.board.machines_for(deal, now);
                (found, self.board.progress(deal))
            }
            Question::Pause(_) | Question::Load => (None, None),
        };
        View {
            machines: machines.unwrap_or_default(),
            progress,
            units_running: self.board.units_running(),
        }
    }

    fn join(&mut self, command: Command, turn: &mut Turn) -> Vec<Effect> {
        let Command::Join {
            miner,
            offer,
            to_miner,
            grants,
            over,
        } = command
        else {
            return Vec::new();
        };
        observe::miner_joined(miner, offer.places);
        let connection = Connection {
            session: offer.session,
            to_miner,
            grants,
            over,
        };
        // The session before, if there is one, ends with its connection.
        self.connections.insert(miner, connection);
        turn.accounts.insert(miner);
        self.board.join(miner, offer, self.hub.clock())
    }

    fn leave(&mut self, miner: Address, session: Session) {
        let current = self.connections.get(&miner);
        if current.is_some_and(|connection| connection.session == session) {
            observe::miner_left(miner);
            self.connections.remove(&miner);
        }
        self.board.leave(miner, session, self.hub.clock());
    }

    fn results(&mut self, miner: Address, results: Vec<(UnitRef, Outcome)>, turn: &mut Turn) {
        for (unit, outcome) in results {
            match outcome {
                Outcome::Valid(claim) => match self.take(miner, unit, *claim, turn) {
                    Ok(acceptance) => turn.tell(miner).accepted.push(acceptance),
                    Err(reason) => turn.reject(miner, unit, reason.reason().to_owned()),
                },
                Outcome::False(reason) => {
                    let trouble = format!("a false claim: {reason}");
                    self.take_away(miner, unit, Failure::FalseClaim, trouble, turn);
                    turn.reject(miner, unit, reason);
                }
                Outcome::Uncovered => {
                    let reason = UNCOVERED.to_owned();
                    self.take_away(miner, unit, Failure::ForEver, reason.clone(), turn);
                    turn.reject(miner, unit, reason);
                }
            }
        }
    }

    /// A unit whose result is not taken goes to another miner.
    fn take_away(
        &mut self,
        miner: Address,
        unit: UnitRef,
        failure: Failure,
        trouble: String,
        turn: &mut Turn,
    ) {
        let effects = self.board.fail(miner, unit, failure, self.hub.clock());
        if !effects.is_empty() {
            turn.trouble(miner, unit, trouble);
        }
        self.note(effects, turn);
    }

    fn take(
        &mut self,
        miner: Address,
        unit: UnitRef,
        claim: AcceptedClaim,
        turn: &mut Turn,
    ) -> Result<Acceptance, NotTaken> {
        let cu = claim.signed.claim.cu;
        let effects = self.board.accept(miner, unit, cu)?;
        self.note(effects, turn);
        turn.touched.insert(unit.deal);
        let price = self.board.deal(unit.deal).map(|deal| deal.net_price);
        let acceptance = Acceptance {
            unit,
            claim_hash: claim.claim_hash,
            net: price.unwrap_or_default().cost(cu).unwrap_or_default(),
        };
        turn.batch.accepted.push(claim);
        Ok(acceptance)
    }

    /// Notes what the board decided.
    pub(super) fn note(&mut self, effects: Vec<Effect>, turn: &mut Turn) {
        for effect in effects {
            match effect {
                Effect::Assign {
                    miner,
                    unit,
                    deadline,
                } => {
                    turn.batch.assigned.push((unit, miner));
                    turn.touched.insert(unit.deal);
                    if let Some(deal) = self.grant(miner, unit) {
                        turn.tell(miner).assign.push((deal, unit.unit, deadline));
                    }
                }
                Effect::Keep { miner, unit } => {
                    self.grant(miner, unit);
                }
                Effect::Requeue(unit) => {
                    turn.batch.requeued.push(unit);
                    turn.touched.insert(unit.deal);
                }
                Effect::Cancel { miner, unit } => {
                    self.cancel(miner, unit);
                    turn.tell(miner).cancel.push(unit);
                }
                Effect::Finished(deal) => {
                    turn.touched.insert(deal);
                    turn.finished.insert(deal);
                }
            }
        }
    }

    /// A miner need not finish a unit. If it is only late, it may still be first.
    fn cancel(&self, miner: Address, unit: UnitRef) {
        let may_be_first = self.board.may_accept(miner, unit, Cu(0)).is_ok();
        if let Some(connection) = self.connections.get(&miner).filter(|_| !may_be_first) {
            connection.grants.remove(unit);
        }
    }

    /// A result of this unit by this miner is worth checking.
    fn grant(&self, miner: Address, unit: UnitRef) -> Option<Arc<DealInfo>> {
        let deal = self.board.deal(unit.deal)?;
        let connection = self.connections.get(&miner)?;
        connection.grants.add(unit, Arc::clone(deal));
        Some(Arc::clone(deal))
    }
}
