//! Carrying a job from where it is to its end. `domain::next` decides, the files here do: one per leg of the way.
//!
//! Every step writes to disk before the next one is begun, so that a buyer that was killed goes on with `attach`.

mod collect;
mod conclude;
mod feed;
mod follow;
mod negotiate;
mod open;
pub(crate) mod seek;

pub(crate) use self::collect::OUTPUT_WITH_CLAIM_MAX;

use std::io::{IsTerminal as _, stderr, stdin};
use std::time::{SystemTime, UNIX_EPOCH};

use gio_agent::{Code, ExitStatus, UserError};
use gio_evm::{BlockHead, Chain, DealInfo};
use gio_net::{ConnectError, Multiaddr, Net, PeerId};
use gio_protocol::DealStage;
use thiserror::Error;

use crate::decimal::gio_text;
use crate::domain::next::{Action, ChainView, Step, next};
use crate::domain::work::Work;
use crate::faults;
use crate::infra::hub::HubClient;
use crate::infra::inputs;
use crate::infra::progress::Progress;
use crate::job::{Dealt, HubContact, Job, JobId, JobState, Moment};
use crate::job_store::JobLock;
use crate::session::{RunningNet, Session, local_now};

/// How far to carry a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Until the deal is open: the hub works on without us.
    Open,
    /// Until the result is here.
    Fetched,
    /// To the end.
    End,
}

/// Whether a cap that the user did not name needs a word of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// `--yes`, or nobody is there to ask.
    Given,
    /// Ask on the terminal.
    Ask,
}

impl Approval {
    /// Given by `--yes`, or because nobody is there to ask: a script named its limits.
    #[must_use]
    pub fn new(is_given: bool) -> Self {
        let is_somebody_there = stdin().is_terminal() && stderr().is_terminal();
        if is_given || !is_somebody_there {
            Self::Given
        } else {
            Self::Ask
        }
    }
}

/// One process's hold on a job.
#[derive(Debug)]
pub struct Driver<'a> {
    session: &'a Session,
    progress: &'a Progress,
    chain: Chain,
    net: RunningNet,
    job: Job,
    approval: Approval,
    _lock: JobLock,
    work: Option<Work>,
    hub: Option<HubClient>,
}

/// What the chain says of the deal, and when.
struct Seen {
    deal: DealInfo,
    head: BlockHead,
}

/// A hub whose stored address cannot be read or reached.
#[derive(Debug, Error)]
pub(crate) enum ReachError {
    #[error("the hub's stored address `{0}` cannot be read")]
    Address(String),
    #[error(transparent)]
    Connect(#[from] Box<ConnectError>),
}

impl<'a> Driver<'a> {
    /// Takes hold of a job: the network and the chain are connected when this returns.
    ///
    /// # Errors
    /// A [`UserError`] if another process holds the job, or something cannot be reached.
    pub async fn new(
        session: &'a Session,
        progress: &'a Progress,
        job: Job,
        approval: Approval,
    ) -> Result<Self, UserError> {
        if job.cancelled {
            let text = format!("{} was cancelled before a deal was opened", job.id);
            return Err(UserError::of(Code::JobCancelled, text).next("gio-buyer submit JOB.toml"));
        }
        let lock = session.jobs().lock(&job.id).map_err(faults::jobs)?;
        let connected = tokio::try_join!(session.chain(), session.net());
        let (chain, net) = connected.map_err(|error| in_the_light_of(&job, error))?;
        Ok(Self {
            session,
            progress,
            chain,
            net,
            job,
            approval,
            _lock: lock,
            work: None,
            hub: None,
        })
    }

    /// Gives the driver a job that was just cut, so that it need not be cut again.
    #[must_use]
    pub fn with_work(mut self, work: Work) -> Self {
        self.work = Some(work);
        self
    }

    /// Which job this is.
    #[must_use]
    pub fn job_id(&self) -> &JobId {
        &self.job.id
    }

    /// Carries the job to `goal`, or to its end if that comes first.
    ///
    /// # Errors
    /// A [`UserError`] that says what became of the money and how to go on.
    pub async fn drive(&mut self, goal: Goal) -> Result<(), UserError> {
        let result = self.drive_to(goal).await;
        result.map_err(|error| in_the_light_of(&self.job, error))
    }

    async fn drive_to(&mut self, goal: Goal) -> Result<(), UserError> {
        loop {
            let Some(dealt) = self.job.dealt() else {
                self.negotiate().await?;
                continue;
            };
            let step = dealt.step;
            let is_there = match goal {
                Goal::Open => step >= Step::Open,
                Goal::Fetched => step >= Step::Fetched,
                Goal::End => false,
            };
            if is_there || step == Step::Ended {
                return Ok(());
            }
            let seen = self.look().await?;
            match self.decide(&seen) {
                Action::Open => self.open().await?,
                Action::NoteOpen => self.note_open(None).await?,
                Action::Follow => self.follow().await?,
                Action::Refund => self.refund().await?,
                Action::Collect => {
                    let collected = self.collect(&seen.deal).await;
                    collected.map_err(|error| unless_paid(&seen.deal, error))?;
                }
                Action::Confirm => self.confirm().await?,
                Action::AwaitSettlement => self.await_settlement().await?,
                Action::Settle => self.settle().await?,
                Action::End(end) => self.finish(end).await?,
            }
        }
    }

    fn decide(&self, seen: &Seen) -> Action {
        let dealt = self.dealt();
        let view = ChainView {
            stage: seen.deal.stage,
            window_end: seen.deal.window_end,
            block_time: seen.head.time,
        };
        next(dealt.step, &view, &dealt.deal.terms, local_now())
    }

    /// Reads the deal and the last block.
    async fn look(&self) -> Result<Seen, UserError> {
        let deal = &self.dealt().deal;
        let (info, head) = tokio::try_join!(
            self.chain.deal(deal.terms.wallet, deal.id),
            self.chain.head()
        )
        .map_err(faults::chain)?;
        Ok(Seen { deal: info, head })
    }

    /// The deal of a job that has one.
    fn dealt(&self) -> &Dealt {
        self.job
            .dealt()
            .expect("steps other than negotiate run only once a hub has signed")
    }

    fn dealt_mut(&mut self) -> &mut Dealt {
        self.job
            .dealt_mut()
            .expect("steps other than negotiate run only once a hub has signed")
    }

    /// Writes the job to disk.
    fn save(&self) -> Result<(), UserError> {
        self.session.jobs().save(&self.job).map_err(UserError::from)
    }

    /// Goes one step on, on disk first.
    fn advance(&mut self, step: Step, moment: Option<Moment>) -> Result<(), UserError> {
        self.dealt_mut().step = step;
        if let Some(moment) = moment {
            self.job.note(moment, unix_ms());
        }
        self.save()
    }

    /// The job cut into units, again if this process has not done it.
    async fn work(&mut self) -> Result<Work, UserError> {
        if let Some(work) = &self.work {
            return Ok(work.clone());
        }
        let (order, contents) = (self.job.order.clone(), self.session.contents().clone());
        let restored = blocking(move || inputs::restore(&order, &contents)).await?;
        self.work = Some(restored.clone());
        Ok(restored)
    }

    /// The hub of the deal, connected.
    async fn hub(&mut self) -> Result<HubClient, UserError> {
        if let Some(hub) = &self.hub {
            return Ok(hub.clone());
        }
        let contact = &self.dealt().deal.hub;
        let hub = reach(&self.net.net, contact)
            .await
            .map_err(faults::unreachable)?;
        self.hub = Some(hub.clone());
        Ok(hub)
    }
}

/// Connects to a hub where it was when it signed, or wherever it has announced itself since.
pub(crate) async fn reach(net: &Net, contact: &HubContact) -> Result<HubClient, ReachError> {
    let bad = |text: &String| ReachError::Address(text.clone());
    let peer: PeerId = contact.peer.parse().map_err(|_| bad(&contact.peer))?;
    let announced = net.announcements().borrow().clone();
    let moved = announced.iter().find(|hub| hub.peer() == peer);
    let addrs: Vec<Multiaddr> = match moved {
        Some(hub) => hub.announcement().addrs.clone(),
        None => contact
            .addrs
            .iter()
            .filter_map(|addr| addr.parse().ok())
            .collect(),
    };
    let channel = net.channel(peer, &addrs).await.map_err(Box::new)?;
    Ok(HubClient::new(channel))
}

/// Work that keeps a core busy or waits for the disk, on a thread that may.
///
/// # Errors
/// What the work returns.
///
/// # Panics
/// If the work panics.
pub async fn blocking<T, E, F>(work: F) -> Result<T, UserError>
where
    T: Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
    F: FnOnce() -> Result<T, E> + Send + 'static,
{
    let result = tokio::task::spawn_blocking(work).await;
    let result = result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    result.map_err(UserError::from)
}

/// The local clock in milliseconds, for timings only.
#[must_use]
pub fn unix_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| {
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    })
}

/// What became of the money of a job in this state.
#[must_use]
pub fn escrow_effect(job: &Job) -> String {
    let JobState::Dealt(dealt) = &job.state else {
        return "untouched: nothing was signed or locked".to_owned();
    };
    let cap = gio_text(dealt.deal.terms.cap);
    match dealt.step {
        Step::Signed => "untouched: nothing was locked".to_owned(),
        Step::Opening => format!(
            "the transaction that locks {cap} GIO may be on its way; `attach` finds out and opens nothing twice"
        ),
        Step::Open => format!(
            "{cap} GIO are in escrow; they are paid out against a result only, and all come back when none is posted in time"
        ),
        Step::Posted | Step::Fetched => format!(
            "{cap} GIO are in escrow; a result is posted and not confirmed, the window runs"
        ),
        Step::Confirmed => format!("{cap} GIO are in escrow; the result is confirmed"),
        Step::Ended => format!("the deal is {}", job.state_name()),
    }
}

/// A result that is paid for and not here.
fn unless_paid(deal: &DealInfo, error: UserError) -> UserError {
    if deal.stage == DealStage::Settled {
        error.escrow("the deal is settled and paid; its result is not fetched yet")
    } else {
        error
    }
}

/// Adds to an error what only the job knows: the escrow and the command that goes on.
fn in_the_light_of(job: &Job, mut error: UserError) -> UserError {
    if error.escrow.is_none() {
        error.escrow = Some(escrow_effect(job));
    }
    // What is wrong with the job itself stays wrong; everything else can be gone on with.
    if error.status != ExitStatus::Usage {
        let attach = || format!("gio-buyer attach {}", job.id);
        error.next.get_or_insert_with(attach);
    }
    error
}
