//! Orders come in: each is checked, its deal looked up on chain once, its bytes fetched, then it runs.
//!
//! # Security
//! A deal is worked on only if its terms make exactly this deal in this hub's wallet, and the wallet says it is open (R1):
//! then both sides have signed and the cap is locked.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gio_net::wire::{Assign, Failed, UnitFailure, UnitRef, miner_message::Body};
use gio_protocol::{Cu, DealId, DealStage, DealTerms};
use gio_runtime::{Program, RunControl, RunError};
use thiserror::Error;
use tokio::time::{sleep, sleep_until};

use super::desk::{Desk, Stopper};
use super::fetch::FetchError;
use super::now;
use super::programs::ProgramError;
use super::runner::{Failure, Finished, Job, JobInput};
use crate::domain::book::{Refusal, Todo};
use crate::domain::order::{Input, Order, OrderRefusal, UnitKey, check_due, check_terms};
use crate::infra::observe;
use crate::infra::store::{Change, DealRow, StoreError};
use crate::infra::wire::{key_of, order_of, unit_failure};

/// How often a deal that is not open yet is looked up: this miner's RPC may be a few blocks behind the hub's.
const DEAL_TRIES: u32 = 6;
/// Before the second look; doubled for each further one, 3 s in all.
const DEAL_BACKOFF: Duration = Duration::from_millis(100);

/// What a unit needs could not be had.
#[derive(Debug, Error)]
pub enum SupplyError {
    /// Its module.
    #[error("the module cannot be had")]
    Module(#[source] FetchError),
    /// The module is no program.
    #[error("the module cannot be loaded")]
    Program(#[source] ProgramError),
    /// Its input.
    #[error("the input cannot be had")]
    Input(#[source] FetchError),
}

impl SupplyError {
    /// Whether trying again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Module(error) | Self::Input(error) => error.is_transient(),
            Self::Program(error) => error.is_transient(),
        }
    }
}

/// How long an order has, and how to stop it.
struct Timing {
    stopper: Stopper,
    due: Option<Instant>,
}

impl Timing {
    fn until(due: Option<Instant>) -> Self {
        let stopper = Stopper {
            run: due.map_or_else(RunControl::none, RunControl::with_deadline),
            ..Stopper::default()
        };
        Self { stopper, due }
    }

    /// Waits until nobody wants the unit of this miner any more.
    async fn over(&self) -> Failure {
        let late = async {
            match self.due {
                Some(due) => sleep_until(due.into()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = late => Failure::Late,
            () = self.stopper.supply.cancelled() => RunError::Cancelled.into(),
        }
    }
}

/// Why a deal could not be looked up: it is refused, or the miner has to stop.
enum LookUpError {
    Refused(Refusal),
    Store(StoreError),
}

impl From<StoreError> for LookUpError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<R: Into<Refusal>> From<R> for LookUpError {
    fn from(refusal: R) -> Self {
        Self::Refused(refusal.into())
    }
}

impl Desk {
    /// Orders came.
    pub(super) fn assign(self: &Arc<Self>, assign: Assign) {
        let now = now();
        let mut todo = Todo::default();
        let mut state = self.state();
        for message in assign.units {
            let (shown, key) = (
                message.terms.clone(),
                key_of(&message.deal_id, message.unit),
            );
            match order_of(message) {
                Ok(order) => {
                    if !shown.is_empty() {
                        state.shown.keep(order.deal, shown);
                    }
                    state.book.receive(order, now, &mut todo);
                }
                Err(error) => {
                    observe::message_senseless(self.hub.wallet, &error);
                    if let Ok(key) = key {
                        self.give_back(vec![unit_failure(key, &error.to_string(), false)]);
                    }
                }
            }
        }
        drop(state);
        for deal in std::mem::take(&mut todo.check) {
            let desk = Arc::clone(self);
            let task = async move { desk.check_deal(deal).await };
            self.deps.stop.tasks.spawn(task);
        }
        self.act(todo);
    }

    /// Does what the book decided.
    pub(super) fn act(self: &Arc<Self>, todo: Todo) {
        self.refuse(&todo.refuse);
        for key in todo.resend {
            let desk = Arc::clone(self);
            let task = async move { desk.resend_one(key).await };
            self.deps.stop.tasks.spawn(task);
        }
        let mut ready = Vec::new();
        for order in todo.start {
            let timing = Timing::until(self.due(order.deadline));
            let stopper = timing.stopper.clone();
            self.state().stoppers.insert(order.key(), stopper);
            match self.at_hand(&order) {
                Some((program, input)) => ready.push(self.job(order, program, input, timing)),
                None => {
                    let desk = Arc::clone(self);
                    let task = async move { desk.prepare(order, timing).await };
                    self.deps.stop.tasks.spawn(task);
                }
            }
        }
        self.deps.runner.push(ready);
    }

    /// Gives orders back that never ran.
    pub(super) fn refuse(self: &Arc<Self>, refused: &[(UnitKey, Refusal)]) {
        self.give_back(refusals(refused));
    }

    /// The hub wants no result of these units.
    pub(super) fn cancel(&self, units: &[UnitRef]) {
        let mut state = self.state();
        for unit in units {
            let Ok(key) = key_of(&unit.deal_id, unit.unit) else {
                continue;
            };
            if state.book.cancel(key)
                && let Some(stopper) = state.stoppers.get(&key)
            {
                stopper.stop();
            }
        }
    }

    fn give_back(self: &Arc<Self>, units: Vec<UnitFailure>) {
        if units.is_empty() {
            return;
        }
        let telling = self.telling();
        let desk = Arc::clone(self);
        let task = async move {
            desk.send(Body::Failed(Failed { units })).await;
            drop(telling);
        };
        self.deps.stop.tasks.spawn(task);
    }

    /// The common case of tiny units: the program is loaded and the input came with the order.
    fn at_hand(&self, order: &Order) -> Option<(Program, JobInput)> {
        let Input::Inline(input) = &order.input else {
            return None;
        };
        let program = self.deps.programs.ready(order.module.root)?;
        Some((program, JobInput::Inline(input.clone())))
    }

    fn job(&self, order: Order, program: Program, input: JobInput, timing: Timing) -> Job {
        Job {
            order,
            program,
            input,
            domain: self.hub.domain,
            control: timing.stopper.run,
            due: timing.due,
            finished: self.finished.clone(),
        }
    }

    /// Gets what an order needs, then queues it; as long as somebody wants the unit.
    async fn prepare(self: Arc<Self>, order: Order, timing: Timing) {
        let supplied = tokio::select! {
            biased;
            () = self.deps.stop.draining.cancelled() => Err(Failure::Stopping),
            failure = timing.over() => Err(failure),
            supplied = self.supply(&order) => supplied.map_err(Failure::from),
        };
        match supplied {
            Ok((program, input)) => {
                let job = self.job(order, program, input, timing);
                self.deps.runner.push([job]);
            }
            Err(failure) => {
                let key = order.key();
                let result = Err(failure);
                // Only a desk that has ended does not listen.
                let _ = self.finished.send(Finished { key, result }).await;
            }
        }
    }

    async fn supply(&self, order: &Order) -> Result<(Program, JobInput), SupplyError> {
        let (fetcher, source) = (&self.deps.fetcher, self.source());
        let program = match self.deps.programs.ready(order.module.root) {
            Some(program) => program,
            None => {
                let module = fetcher.get(&source, order.module).await;
                let module = module.map_err(SupplyError::Module)?;
                let loaded = self.deps.programs.load(module).await;
                loaded.map_err(SupplyError::Program)?
            }
        };
        let input = match &order.input {
            Input::Inline(bytes) => JobInput::Inline(bytes.clone()),
            Input::Content(content) => {
                let pinned = fetcher.get(&source, *content).await;
                JobInput::File(pinned.map_err(SupplyError::Input)?)
            }
        };
        Ok((program, input))
    }

    async fn check_deal(self: Arc<Self>, deal: DealId) {
        let shown = self.state().shown.of(deal);
        match self.look_up(deal, shown).await {
            Ok((terms, accepted)) => {
                let mut state = self.state();
                state.shown.forget(deal);
                let todo = state.book.open_deal(deal, terms, accepted, now());
                drop(state);
                self.act(todo);
            }
            Err(LookUpError::Refused(refusal)) => {
                let refused = self.state().book.refuse_deal(deal, &refusal);
                self.refuse(&refused);
            }
            Err(LookUpError::Store(error)) => self.deps.fatal("deal look-up", error),
        }
    }

    /// The checked terms of a deal that is open on chain, and its units that need no second claim.
    async fn look_up(
        self: &Arc<Self>,
        deal: DealId,
        shown: Option<Bytes>,
    ) -> Result<(Arc<DealTerms>, Vec<u32>), LookUpError> {
        let (store, wallet) = (&self.deps.store, self.hub.wallet);
        let known = store.deal(deal).await?;
        let terms = match (&known, shown) {
            (Some(row), _) => row.terms.clone(),
            (None, Some(bytes)) => {
                DealTerms::from_bytes(&bytes).map_err(|_| Refusal::TermsUnreadable)?
            }
            (None, None) => return Err(Refusal::TermsMissing.into()),
        };
        check_terms(&terms, deal, self.deps.chain_id, wallet)?;
        let funds = self.refresh().await.map_err(|error| {
            observe::chain_silent(wallet, &error);
            Refusal::ChainSilent
        })?;
        check_due(&terms, funds.time)?;
        self.check_open(deal).await?;
        let price = self.state().book.net_price(deal);
        let Some(net_price) = price else {
            // Every waiting order was cancelled meanwhile.
            return Ok((Arc::new(terms), Vec::new()));
        };
        if known.is_some_and(|row| row.net_price != net_price) {
            return Err(Refusal::Order(OrderRefusal::PriceChanged).into());
        }
        let row = DealRow {
            id: deal,
            wallet,
            terms: terms.clone(),
            net_price,
            accepted_units: 0,
            accepted_cu: Cu(0),
            first_at: now(),
        };
        store.apply(vec![Change::Deal(Box::new(row))]).await?;
        gio_failpoint::fail_point!("miner.wrote.deal");
        observe::deal_taken(wallet, deal, net_price);
        Ok((Arc::new(terms), store.accepted_units(deal).await?))
    }

    async fn check_open(&self, deal: DealId) -> Result<(), Refusal> {
        let mut backoff = DEAL_BACKOFF;
        let mut stage = DealStage::None;
        for attempt in 1..=DEAL_TRIES {
            match self.deps.chain.deal_stage(self.hub.wallet, deal).await {
                Ok(DealStage::Open) => return Ok(()),
                Ok(other) => stage = other,
                Err(error) => {
                    observe::chain_silent(self.hub.wallet, &error);
                    return Err(Refusal::ChainSilent);
                }
            }
            if stage != DealStage::None || attempt == DEAL_TRIES {
                break;
            }
            sleep(backoff).await;
            backoff *= 2;
        }
        Err(Refusal::NotOpen { stage })
    }
}

/// What the hub is told of orders that never ran.
pub(super) fn refusals(refused: &[(UnitKey, Refusal)]) -> Vec<UnitFailure> {
    let failures = refused.iter().map(|(key, refusal)| {
        let retryable = refusal.is_transient();
        observe::order_refused(*key, refusal, retryable);
        unit_failure(*key, &refusal.to_string(), retryable)
    });
    failures.collect()
}
