//! The work stream: opened, greeted, kept, opened again. The desk keeps everything a broken stream must not lose.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use gio_net::wire::{
    Draining, Exposure, Failed, Hello, HubMessage, Welcome, field, hub_message, miner_message::Body,
};
use gio_net::{ConnectError, work_client};
use gio_protocol::Address;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, Streaming};

use super::answers::Answer;
use super::collect;
use super::desk::{Desk, Line};
use super::now;
use super::orders::refusals;
use crate::domain::order::MACHINE_VERSION;
use crate::infra::chain::ChainFailure;
use crate::infra::observe;
use crate::infra::store::StoreError;
use crate::infra::wire::{message, unit_ref};

/// Kinds of work this miner does.
pub const KINDS: [&str; 1] = ["wasm"];
/// The hub's first words: it looks this miner up in its database before.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a stream may take to end after this miner's last word. Shorter than what a stopping miner gives its loops.
const PART_TIMEOUT: Duration = Duration::from_secs(1);
/// Messages waiting for the line; whoever sends more waits with them.
const OUT_QUEUE: usize = 64;
/// How often orders that wait for room are looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often the chain is asked what money stands behind the hub: blocks come no faster where it matters.
const FUNDS_EVERY: Duration = Duration::from_secs(10);
/// First pause after a stream that broke.
const BACKOFF_MIN: Duration = Duration::from_millis(250);
/// Longest pause: shorter than the 5 s for which a hub that comes back keeps a miner's units for it, so that no unit is
/// run again because its miner was still waiting.
const BACKOFF_MAX: Duration = Duration::from_secs(4);
/// A stream that lived this long, or on which the hub took a result, was a good one: the next pause is short again.
const STABLE: Duration = Duration::from_secs(30);

/// Why a work stream ended.
#[derive(Debug, Error)]
enum SessionEnd {
    #[error("the chain does not say what the hub could pay")]
    Chain(#[source] ChainFailure),
    #[error("the hub cannot be reached")]
    Connect(#[source] Box<ConnectError>),
    #[error("the hub ended the stream")]
    Call(#[source] Box<Status>),
    #[error("the hub closed the stream")]
    Closed,
    #[error("the hub did not answer within {} s", WELCOME_TIMEOUT.as_secs())]
    NoWelcome,
    #[error("the hub's first message was no welcome")]
    NotGreeted,
    #[error("the hub calls itself {wallet} on chain {chain_id}, not what it announced")]
    OtherHub { wallet: Address, chain_id: u64 },
    #[error("the stream was given up")]
    HungUp,
    #[error("this miner takes units again")]
    Resumed,
    #[error("this miner's prices and limits were read again")]
    Reloaded,
    #[error("this miner is stopping")]
    Stopped,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Status> for SessionEnd {
    fn from(status: Status) -> Self {
        Self::Call(Box::new(status))
    }
}

/// Whether the hub may give new units: neither has the operator paused this miner, nor does it distrust this hub.
struct Pause {
    operator: watch::Receiver<bool>,
    trust: watch::Receiver<bool>,
}

impl Pause {
    /// A hub hears of a pause on each of its streams.
    fn of(desk: &Desk) -> Self {
        let mut pause = Self {
            operator: desk.deps.operation.draining(),
            trust: desk.is_trusted.subscribe(),
        };
        if *pause.operator.borrow() || !*pause.trust.borrow() {
            pause.operator.mark_changed();
        }
        pause
    }

    /// Waits for news, and answers whether there is a pause now.
    async fn changed(&mut self) -> bool {
        // Both senders live as long as the desk, so there is always more to wait for.
        tokio::select! {
            Ok(()) = self.operator.changed() => {}
            Ok(()) = self.trust.changed() => {}
            else => pending().await,
        }
        let (by_operator, is_trusted) = (
            *self.operator.borrow_and_update(),
            *self.trust.borrow_and_update(),
        );
        by_operator || !is_trusted
    }
}

/// An open stream, both ways.
struct Stream {
    line: Line,
    inbound: Streaming<HubMessage>,
}

/// Keeps a stream open until the desk's end.
pub(super) async fn run(desk: Arc<Desk>) {
    let mut backoff = BACKOFF_MIN;
    loop {
        let since = Instant::now();
        let mut was_useful = false;
        let end = desk.serve(&mut was_useful).await;
        desk.set_line(None);
        if desk.stop.is_cancelled() {
            return;
        }
        if let SessionEnd::Store(error) = end {
            return desk.deps.fatal("session", error);
        }
        observe::disconnected(desk.hub.wallet, &end);
        if was_useful || since.elapsed() >= STABLE {
            backoff = BACKOFF_MIN;
        }
        tokio::select! {
            () = sleep(backoff) => {}
            () = desk.stop.cancelled() => return,
        }
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

impl Desk {
    async fn serve(self: &Arc<Self>, was_useful: &mut bool) -> SessionEnd {
        let Err(end) = self.try_serve(was_useful).await;
        end
    }

    async fn try_serve(self: &Arc<Self>, was_useful: &mut bool) -> Result<Infallible, SessionEnd> {
        let mut limit = self.limit.subscribe();
        let mut reloads = self.deps.operation.reloads();
        let opened = tokio::select! {
            opened = self.greet() => opened?,
            () = self.stop.cancelled() => return Err(SessionEnd::Stopped),
        };
        let (broken, mut inbound) = opened;
        let (mut tick, mut funds) = (every(TICK), every(FUNDS_EVERY));
        let draining = &self.deps.stop.draining;
        let mut told = false;
        let mut pause = Pause::of(self);
        loop {
            tokio::select! {
                next = inbound.message() => {
                    let next = next?.ok_or(SessionEnd::Closed)?;
                    *was_useful |= matches!(next.body, Some(hub_message::Body::Accepted(_)));
                    self.hear(next).await?;
                }
                Ok(()) = limit.changed() => {
                    let limit = limit.borrow_and_update().units();
                    self.send(Body::Exposure(Exposure { limit })).await;
                }
                _ = tick.tick() => {
                    let late = self.state().book.tick(now());
                    self.refuse(&late);
                }
                _ = funds.tick() => self.refresh_aside(),
                is_paused = pause.changed() => {
                    if is_paused {
                        self.send(Body::Draining(Draining {})).await;
                    } else {
                        // A new first message is how a hub hears that this miner takes units again.
                        return Err(SessionEnd::Resumed);
                    }
                }
                // As with a pause that ends, the hub hears of it by a new first message.
                Ok(()) = reloads.changed() => return Err(SessionEnd::Reloaded),
                () = draining.cancelled(), if !told => {
                    told = true;
                    self.say_stopping().await;
                }
                () = broken.cancelled() => return Err(SessionEnd::HungUp),
                () = self.stop.cancelled() => {
                    if draining.is_cancelled() && !told {
                        self.say_stopping().await;
                    }
                    self.part(inbound).await;
                    return Err(SessionEnd::Stopped);
                }
            }
        }
    }

    /// Opens a stream and says on it what the hub must know again.
    async fn greet(
        self: &Arc<Self>,
    ) -> Result<(CancellationToken, Streaming<HubMessage>), SessionEnd> {
        self.refresh().await.map_err(SessionEnd::Chain)?;
        let Stream { line, inbound } = self.open_stream().await?;
        let broken = line.broken.clone();
        self.set_line(Some(line));
        let resent = self.resend().await?;
        let hub = &self.hub;
        observe::connected(hub.wallet, &hub.name, self.exposure_limit(), resent);
        Ok((broken, inbound))
    }

    /// What has not been started goes back, and nothing new may come.
    async fn say_stopping(self: &Arc<Self>) {
        let telling = self.telling();
        let back = refusals(&self.state().book.stop());
        if !back.is_empty() {
            self.send(Body::Failed(Failed { units: back })).await;
        }
        self.send(Body::Draining(Draining {})).await;
        drop(telling);
    }

    /// Ends this miner's direction, so that all that was said arrives, and waits until the hub ends its own: a stream
    /// that is dropped instead takes with it what is still under way.
    async fn part(&self, mut inbound: Streaming<HubMessage>) {
        self.set_line(None);
        let ends = async { while let Ok(Some(_)) = inbound.message().await {} };
        // A hub that does not end it has had its time.
        let _ = timeout(PART_TIMEOUT, ends).await;
    }

    async fn open_stream(&self) -> Result<Stream, SessionEnd> {
        let source = self.source();
        let channel = self.deps.net.channel(source.peer, &source.addrs).await;
        let channel = channel.map_err(|error| SessionEnd::Connect(Box::new(error)))?;
        let (sender, queue) = mpsc::channel(OUT_QUEUE);
        // An empty queue has room.
        let _ = sender.try_send(message(Body::Hello(self.hello())));
        gio_failpoint::fail_point!("miner.tells.hello");
        let request = Request::new(ReceiverStream::new(queue));
        let mut client = work_client(channel);
        let opened = timeout(WELCOME_TIMEOUT, client.open(request)).await;
        let opened = opened.map_err(|_| SessionEnd::NoWelcome)?;
        let mut inbound = opened?.into_inner();
        let first = timeout(WELCOME_TIMEOUT, inbound.message()).await;
        let first = first.map_err(|_| SessionEnd::NoWelcome)?;
        self.check_welcome(first?.ok_or(SessionEnd::Closed)?)?;
        let broken = CancellationToken::new();
        let line = Line { sender, broken };
        Ok(Stream { line, inbound })
    }

    fn hello(&self) -> Hello {
        let config = self.deps.config();
        Hello {
            owner: field::bytes(self.deps.owner()),
            machine_version: MACHINE_VERSION,
            cores: config.cores().get(),
            prefetch: config.prefetch(),
            kinds: KINDS.map(str::to_owned).to_vec(),
            net_price_min: config.net_price_min.0.units(),
            exposure_limit: self.exposure_limit().units(),
            pages_max: config.pages_max(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            holding: self.holding().into_iter().map(unit_ref).collect(),
        }
    }

    fn check_welcome(&self, first: HubMessage) -> Result<(), SessionEnd> {
        let Some(hub_message::Body::Welcome(welcome)) = first.body else {
            return Err(SessionEnd::NotGreeted);
        };
        let Welcome {
            hub,
            wallet,
            chain_id,
            ..
        } = welcome;
        let wallet = field::address("wallet", &wallet).map_err(|_| SessionEnd::NotGreeted)?;
        let owner = field::address("hub", &hub).map_err(|_| SessionEnd::NotGreeted)?;
        let same = wallet == self.hub.wallet && owner == self.hub.owner;
        if same && chain_id == self.deps.chain_id {
            return Ok(());
        }
        Err(SessionEnd::OtherHub { wallet, chain_id })
    }

    async fn hear(self: &Arc<Self>, heard: HubMessage) -> Result<(), StoreError> {
        match heard.body {
            Some(hub_message::Body::Assign(assign)) => self.assign(assign),
            Some(hub_message::Body::Cancel(cancel)) => self.cancel(&cancel.units),
            Some(hub_message::Body::Accepted(accepted)) => {
                self.answer(Answer::Accepted(accepted)).await;
            }
            Some(hub_message::Body::Rejected(rejected)) => {
                self.answer(Answer::Rejected(rejected.units)).await;
            }
            Some(hub_message::Body::Paid(paid)) => collect::promised(self, paid).await?,
            // A second welcome, or a message of a later version.
            Some(hub_message::Body::Welcome(_)) | None => {}
        }
        Ok(())
    }

    async fn answer(&self, answer: Answer) {
        // The queue closes only with the desk.
        let _ = self.answers.send(answer).await;
    }

    /// Asks the chain without holding up the stream.
    fn refresh_aside(self: &Arc<Self>) {
        let desk = Arc::clone(self);
        let task = async move {
            if let Err(error) = desk.refresh().await {
                observe::chain_silent(desk.hub.wallet, &error);
            }
        };
        self.deps.stop.tasks.spawn(task);
    }
}

/// Ticks that start after one period and never come in bursts.
fn every(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    ticks
}
