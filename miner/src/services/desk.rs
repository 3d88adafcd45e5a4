//! A desk: everything between this miner and one hub. It outlives connections; the loops around it share it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gio_content::ContentRef;
use gio_keys::PublicKey;
use gio_net::wire::{MinerMessage, miner_message::Body};
use gio_net::{Multiaddr, PeerId, VerifiedAnnouncement, public_key_of};
use gio_protocol::{Address, DealId, Domain, Gio, UnixSeconds, Work};
use gio_runtime::RunControl;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::answers::Answer;
use super::fetch::Source;
use super::runner::Finished;
use super::{Deps, answers, now, results, session};
use crate::domain::book::{Book, Made};
use crate::domain::exposure::Exposure;
use crate::domain::order::UnitKey;
use crate::domain::patience::Patience;
use crate::infra::chain::{ChainFailure, Funds};
use crate::infra::contents::Pinned;
use crate::infra::store::{StoreError, Unanswered};
use crate::infra::wire::message;

/// A hub that takes no message for so long is gone, whatever its connection says.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Messages with answers waiting to be checked; while they do, the stream waits.
const ANSWER_QUEUE: usize = 64;

/// Times a hub may say at once that it paid: a hub has one payment to a miner under way, so this is minutes of the
/// fastest chain. Each costs a write to disk and questions to the chain.
const PROMISES_AT_ONCE: u64 = 256;
/// And with every second: faster than blocks come where it matters.
const PROMISES_PER_SECOND: u64 = 2;

/// Which hub.
#[derive(Clone, Debug)]
pub struct Hub {
    /// Its wallet, which names it.
    pub wallet: Address,
    /// Its key's account.
    pub owner: Address,
    /// It as a peer.
    pub peer: PeerId,
    /// Its key, which countersigns.
    pub key: PublicKey,
    /// What it calls itself.
    pub name: String,
    /// Where claims for it hold.
    pub domain: Domain,
}

impl Hub {
    /// The hub that announced itself; `None` for a peer without a key of the right kind.
    #[must_use]
    pub fn of(announced: &VerifiedAnnouncement) -> Option<Self> {
        let said = announced.announcement();
        Some(Self {
            wallet: said.wallet,
            owner: said.owner,
            peer: announced.peer(),
            key: public_key_of(&announced.peer())?,
            name: said.name.clone(),
            domain: Domain::new(said.chain_id, said.wallet),
        })
    }
}

/// An open work stream towards the hub.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) sender: mpsc::Sender<MinerMessage>,
    /// Cancelled when the stream is of no use any more.
    pub(super) broken: CancellationToken,
}

/// See the module.
#[derive(Debug)]
pub struct Desk {
    /// Whose desk.
    pub hub: Hub,
    /// Ends this desk's loops.
    pub stop: CancellationToken,
    pub(super) deps: Arc<Deps>,
    pub(super) finished: mpsc::Sender<Finished>,
    pub(super) answers: mpsc::Sender<Answer>,
    /// What the hub is told to be trusted with (R25).
    pub(super) limit: watch::Sender<Gio>,
    /// Whether the hub may give new orders: it may not while this miner does not think enough of it.
    pub(super) is_trusted: watch::Sender<bool>,
    /// What the hub is still to be told.
    untold: AtomicUsize,
    state: Mutex<State>,
}

/// Stops an order wherever it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Stopper {
    /// Its run.
    pub(super) run: RunControl,
    /// While its bytes come.
    pub(super) supply: CancellationToken,
}

impl Stopper {
    pub(super) fn stop(&self) {
        self.run.cancel();
        self.supply.cancel();
    }
}

/// While it lives, the hub is still to be told something: a stopping miner waits for it. Taken before the book forgets
/// what the message is about.
#[derive(Debug)]
pub(super) struct Telling(Arc<Desk>);

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.untold.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Never locked across an await.
#[derive(Debug)]
pub(super) struct State {
    pub(super) book: Book,
    /// How to stop what runs, or waits for its bytes.
    pub(super) stoppers: HashMap<UnitKey, Stopper>,
    /// Large results the hub has not answered: they stay on disk.
    pub(super) outputs: HashMap<UnitKey, Pinned>,
    line: Option<Line>,
    addrs: Vec<Multiaddr>,
    /// Terms of deals whose look-up has not succeeded yet.
    pub(super) shown: ShownTerms,
    /// How often the hub may say that it paid.
    pub(super) patience: Patience,
    /// Block time when the chain was last asked.
    chain_time: UnixSeconds,
    /// What has arrived, as far as the book knows.
    pulled: Gio,
    /// Pulls that arrived: what the chain said before the last one is out of date.
    pulls: u64,
}

/// Deals whose terms are kept while they cannot be looked up.
const SHOWN_MAX: usize = 256;

/// Terms as the hub showed them. It shows them once a stream, with a deal's first order; if that order was given back,
/// because the chain was silent for a moment, the next ones come without.
#[derive(Debug, Default)]
pub(super) struct ShownTerms(BTreeMap<DealId, Bytes>);

impl ShownTerms {
    pub(super) fn keep(&mut self, deal: DealId, terms: Bytes) {
        if self.0.len() >= SHOWN_MAX {
            self.0.pop_first();
        }
        self.0.insert(deal, terms);
    }

    pub(super) fn of(&self, deal: DealId) -> Option<Bytes> {
        self.0.get(&deal).cloned()
    }

    pub(super) fn forget(&mut self, deal: DealId) {
        self.0.remove(&deal);
    }
}

impl Desk {
    /// Opens a desk with everything the store knows, and starts its loops.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(
        deps: &Arc<Deps>,
        hub: Hub,
        addrs: Vec<Multiaddr>,
    ) -> Result<Arc<Self>, StoreError> {
        let held_max = held_max(deps);
        let (finished, finished_queue) = mpsc::channel(held_max);
        let (answers, answer_queue) = mpsc::channel(ANSWER_QUEUE);
        let state = recall(deps, hub.wallet, held_max, addrs).await?;
        let desk = Arc::new(Self {
            stop: deps.stop.ended.child_token(),
            deps: Arc::clone(deps),
            finished,
            answers,
            limit: watch::Sender::new(Gio::ZERO),
            is_trusted: watch::Sender::new(true),
            untold: AtomicUsize::new(0),
            state: Mutex::new(state),
            hub,
        });
        let tasks = &deps.stop.tasks;
        tasks.spawn(results::run(Arc::clone(&desk), finished_queue));
        tasks.spawn(answers::run(Arc::clone(&desk), answer_queue));
        tasks.spawn(session::run(Arc::clone(&desk)));
        Ok(desk)
    }

    /// Where the hub is now.
    pub fn set_addrs(&self, addrs: Vec<Multiaddr>) {
        self.state().addrs = addrs;
    }

    /// Whom to ask for contents.
    #[must_use]
    pub fn source(&self) -> Source {
        Source {
            peer: self.hub.peer,
            addrs: self.state().addrs.clone(),
        }
    }

    /// Whether a work stream is open.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state().line.is_some()
    }

    /// Whether nothing is left to do or to be answered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state().book.is_idle()
    }

    /// Whether every result is on disk, and said if a stream is open.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.state().book.running() == 0 && self.untold.load(Ordering::Acquire) == 0
    }

    /// Something is about to be said.
    pub(super) fn telling(self: &Arc<Self>) -> Telling {
        self.untold.fetch_add(1, Ordering::AcqRel);
        Telling(Arc::clone(self))
    }

    /// Most unpaid work for this hub.
    #[must_use]
    pub fn exposure_limit(&self) -> Gio {
        self.state().book.limit()
    }

    /// Takes new orders from now on, or none. What runs goes on, and what was earned is collected either way.
    pub(super) fn trust(self: &Arc<Self>, is_trusted: bool) {
        if *self.is_trusted.borrow() == is_trusted {
            return;
        }
        if is_trusted {
            self.state().book.take_again();
        } else {
            let back = self.state().book.turn_away();
            self.refuse(&back);
        }
        self.is_trusted.send_replace(is_trusted);
    }

    /// Works under other limits from now on.
    pub(super) fn set_limits(&self, deps: &Deps) {
        let initial = deps.config().exposure_initial;
        self.state().book.set_limits(deps.own_limits(), initial);
        self.publish_limit();
    }

    /// Everything this miner still has of the hub's.
    #[must_use]
    pub fn holding(&self) -> BTreeSet<UnitKey> {
        self.state().book.holding()
    }

    /// Asks the chain what money stands behind the hub, and starts what there is room for.
    ///
    /// # Errors
    /// [`ChainFailure`]; nothing has changed then.
    pub async fn refresh(self: &Arc<Self>) -> Result<Funds, ChainFailure> {
        loop {
            let pulls = self.state().pulls;
            let funds = self.deps.chain.funds(self.hub.wallet).await?;
            let mut state = self.state();
            if state.pulls != pulls {
                // An approval would count that a pull has just used up.
                continue;
            }
            state.chain_time = funds.time;
            let todo = state.book.set_chain(funds.backing, funds.approved, now());
            drop(state);
            self.act(todo);
            self.publish_limit();
            return Ok(funds);
        }
    }

    /// When the hub gives an order elsewhere. Its deadline is by the hub's clock, which may be the chain's: block time
    /// stands still between blocks, so a deadline is past only when it is past by both clocks.
    pub(super) fn due(&self, deadline: UnixSeconds) -> Option<Instant> {
        let clock = now().min(self.state().chain_time);
        Instant::now().checked_add(Duration::from_secs(clock.until(deadline)))
    }

    /// So much has arrived in all, as the store says: told twice it counts once.
    pub fn pulled(self: &Arc<Self>, total: Gio) {
        let mut state = self.state();
        let news = total.minus_or_zero(state.pulled);
        if news == Gio::ZERO {
            return;
        }
        state.pulled = total;
        state.pulls += 1;
        let todo = state.book.pull(news, now());
        drop(state);
        self.act(todo);
        self.publish_limit();
    }

    /// Stops every run of this hub's.
    pub fn cancel_all(&self) {
        for stopper in self.state().stoppers.values() {
            stopper.stop();
        }
    }

    /// Sends a message if a stream is open. What matters is in the store and is sent again after a reconnect.
    pub async fn send(&self, body: Body) {
        let line = self.state().line.clone();
        let Some(line) = line else { return };
        pass_fail_point(&body);
        let sent = timeout(SEND_TIMEOUT, line.sender.send(message(body))).await;
        if !matches!(sent, Ok(Ok(()))) {
            line.broken.cancel();
        }
    }

    /// Ends the open stream, so that the next one sends everything again.
    pub(super) fn hang_up(&self) {
        if let Some(line) = &self.state().line {
            line.broken.cancel();
        }
    }

    pub(super) fn set_line(&self, line: Option<Line>) {
        self.state().line = line;
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic while it was held would have ended the miner's results loop anyway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish_limit(&self) {
        let limit = self.exposure_limit();
        self.limit.send_if_modified(|known| {
            let changed = *known != limit;
            *known = limit;
            changed
        });
    }
}

/// Just before a message leaves: what it says is on disk.
fn pass_fail_point(body: &Body) {
    match body {
        Body::Hello(_) => {}
        Body::Done(_) => gio_failpoint::fail_point!("miner.tells.results"),
        Body::Failed(_) => gio_failpoint::fail_point!("miner.tells.failures"),
        Body::Exposure(_) => gio_failpoint::fail_point!("miner.tells.exposure"),
        Body::Draining(_) => gio_failpoint::fail_point!("miner.tells.draining"),
    }
}

/// Orders of one hub at once: what it was told it may send, and as much again for what crosses on the way.
fn held_max(deps: &Deps) -> usize {
    let places = deps.config().cores().get() + deps.config().prefetch();
    2 * places as usize
}

/// What the store knows of a hub.
async fn recall(
    deps: &Arc<Deps>,
    wallet: Address,
    held_max: usize,
    addrs: Vec<Multiaddr>,
) -> Result<State, StoreError> {
    let answered = deps.store.work_done(wallet).await?;
    let pulled = deps.store.totals(wallet).await?.pulled;
    let unanswered = deps.store.unanswered(wallet).await?;
    let made: BTreeMap<UnitKey, Made> = unanswered.iter().map(made_of).collect();
    let done = made
        .values()
        .fold(answered, |sum, made| sum.plus(made.work));
    let exposure = Exposure::new(deps.config().exposure_initial, done, pulled);
    let files = unanswered.iter().filter(|claim| claim.in_file);
    let outputs = files.filter_map(|claim| {
        let content = ContentRef {
            root: claim.claim.content_root,
            length: claim.claim.output_length,
        };
        Some((made_of(claim).0, deps.contents.pin(content)?))
    });
    Ok(State {
        book: Book::new(deps.own_limits(), held_max, exposure, made),
        stoppers: HashMap::new(),
        outputs: outputs.collect(),
        line: None,
        addrs,
        shown: ShownTerms::default(),
        patience: Patience::new(PROMISES_AT_ONCE, PROMISES_PER_SECOND),
        chain_time: UnixSeconds(0),
        pulled,
        pulls: 0,
    })
}

fn made_of(unanswered: &Unanswered) -> (UnitKey, Made) {
    let claim = &unanswered.claim;
    let key = UnitKey {
        deal: claim.deal_id,
        unit: claim.unit,
    };
    let made = Made {
        claim_hash: claim.struct_hash(),
        work: Work::of(claim.cu, unanswered.net_price),
    };
    (key, made)
}
