//! Paying miners: when their deal is over, or earlier from the hub's own money where a miner will not run on credit any
//! more (R25).
//!
//! # Correctness
//! A payment is written down before it is sent, at most one at a time per miner, and then the nonce it is sent under. It
//! leaves this state in two ways: it was made, which its event or receipt shows, or it was certainly not made and never
//! will be. Whether a payment that was sent and not seen again may still be mined is decided by a barrier ([`doubt`]),
//! never by waiting: nothing is paid twice. A payment that was made is looked up once more when its block is as deep as
//! the hub wants it ([`depth`]); if a reorganisation has taken it back, it is under way and in doubt again. Accepted work
//! is paid however its deal ended.
//!
//! The nonce is what fences off a process that was frozen while another took its work over: of all transactions with one
//! nonce the chain takes one, and a payment that is gone from the books, or has another nonce there than this process
//! wrote, gets no nonce from this process any more.

mod depth;
mod doubt;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gio_evm::{ChainError, RevertReason, SendError, TxInfo};
use gio_protocol::{Address, B256, DealId, Gio};
use thiserror::Error;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use self::doubt::Barriers;
use crate::domain::payout::{Due, due, is_worth_advancing};
use crate::hub::{BalanceError, Hub};
use crate::infra::observe;
use crate::infra::store::{MinerAccount, PayoutRow, Role, StoreError};
use crate::services::dispatch::Command;

/// How often accounts are looked at when nothing wakes the loop.
const PULSE: Duration = Duration::from_secs(5);
/// Payments waiting to be mined at once.
const PAYMENTS_MAX: usize = 16;
/// A miner whose payment failed is left alone for so long, and so is everybody when the chain does not answer.
const REST: Duration = Duration::from_secs(5);
/// Miners looked at for pulls the wallet has not noticed.
const RECONCILE_MAX: u32 = 64;
/// Between two reconciliations, each of which costs gas.
const RECONCILE_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug, Error)]
enum PayError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Balance(#[from] BalanceError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a payment of {gross} GIO is not covered by the wallet's free balance")]
    NotCovered { gross: Gio },
    #[error(
        "earlier transactions of this account are not mined yet; until then nothing more is paid"
    )]
    Undecided,
}

/// Runs until the hub stops.
pub(crate) async fn run(hub: Arc<Hub>) -> Result<(), StoreError> {
    let mut payer = Payer {
        hub: Arc::clone(&hub),
        payments: JoinSet::new(),
        barriers: Barriers::default(),
        busy: BTreeSet::new(),
        resting: BTreeMap::new(),
        reconciled: None,
        advanced: Gio::ZERO,
    };
    while !hub.stop.is_cancelled() {
        let done = hub.unless_stopped(Box::pin(payer.look())).await;
        let wait = match done {
            Some(Ok(())) => PULSE,
            Some(Err(PayError::Store(error))) => return Err(error),
            Some(Err(error)) => {
                observe::retrying("paying miners", &error);
                REST
            }
            None => break,
        };
        tokio::select! {
            () = hub.stop.cancelled() => {}
            Some(ended) = payer.payments.join_next() => {
                // A payment that panicked has found the hub's books to be other than they can be.
                let (miner, result) = ended.unwrap_or_else(|error| resume_unwind(error.into_panic()));
                payer.note(miner, result)?;
            }
            _ = timeout(wait, hub.look_at_pay.notified()) => {}
        }
    }
    // Payments under way are looked up at the next start.
    payer.payments.shutdown().await;
    Ok(())
}

struct Payer {
    hub: Arc<Hub>,
    payments: JoinSet<(Address, Result<(), PayError>)>,
    /// Sent for payments in doubt.
    barriers: Barriers,
    /// Miners with a payment under way.
    busy: BTreeSet<Address>,
    resting: BTreeMap<Address, Instant>,
    reconciled: Option<Instant>,
    /// What the advances of this look take from the free balance.
    advanced: Gio,
}

impl Payer {
    async fn look(&mut self) -> Result<(), PayError> {
        let now = Instant::now();
        self.resting.retain(|_, until| *until > now);
        if !self.hub.store.hold(Role::Payer).await? {
            return Ok(());
        }
        depth::check(&self.hub).await?;
        self.settle_doubts().await?;
        self.advanced = Gio::ZERO;
        let mut done: BTreeMap<DealId, bool> = BTreeMap::new();
        for account in self.hub.store.accounts().await? {
            let is_paid = self.consider(&account).await?;
            let all = done.entry(account.deal).or_insert(true);
            *all &= account.over && is_paid;
        }
        for (deal, _) in done.into_iter().filter(|(_, all)| *all) {
            self.hub.store.set_miners_paid(deal).await?;
            self.hub.progress.wake(deal);
        }
        Ok(())
    }

    /// Looks up payments nobody is following, before anything else is paid. Their miners wait until they are decided.
    async fn settle_doubts(&mut self) -> Result<(), PayError> {
        let mut rows = self.hub.store.payouts_under_way().await?;
        rows.retain(|row| !self.busy.contains(&row.miner));
        doubt::settle(&self.hub, &mut self.barriers, &rows).await
    }

    /// Starts paying what is due on one account. Returns whether nothing is due and all that was paid counts for good.
    async fn consider(&mut self, account: &MinerAccount) -> Result<bool, PayError> {
        let miner = account.miner;
        if self.busy.contains(&miner) {
            return Ok(false);
        }
        // Sums that leave 64 bits cannot come from claims within a cap; such an account waits for a person.
        let Ok(due) = due(&account.account) else {
            return Ok(false);
        };
        let Some(due) = due else {
            return Ok(!account.is_undecided);
        };
        let is_free = self.payments.len() < PAYMENTS_MAX && !self.resting.contains_key(&miner);
        if is_free && (account.over || self.advances(account, due).await?) {
            self.start(*account, due).await?;
        }
        Ok(false)
    }

    /// Whether a miner is paid before its deal is over: it waits for that, it is worth a transaction, and what the hub
    /// has promised to others is left alone.
    async fn advances(&mut self, account: &MinerAccount, due: Due) -> Result<bool, PayError> {
        let waits = self
            .hub
            .notes
            .waiting_for_pay
            .lock()
            .contains(&account.miner);
        let now = self.hub.now();
        if !waits || !is_worth_advancing(&account.account, due, account.last, now) {
            return Ok(false);
        }
        let promised = self.hub.store.load().await?.guarantees;
        let free = self.hub.free_balance().await?.minus_or_zero(promised);
        match self.advanced.plus(due.gross) {
            Ok(advanced) if advanced <= free => self.advanced = advanced,
            Ok(_) | Err(_) => return Ok(false),
        }
        Ok(true)
    }

    async fn start(&mut self, account: MinerAccount, due: Due) -> Result<(), PayError> {
        let hub = Arc::clone(&self.hub);
        let (block, now) = (hub.head.borrow().number, hub.now());
        let Some(row) = hub.store.intend_payout(&account, due, block, now).await? else {
            return Ok(());
        };
        self.busy.insert(account.miner);
        self.payments
            .spawn(async move { (row.miner, Box::pin(pay(&hub, &row)).await) });
        Ok(())
    }

    fn note(&mut self, miner: Address, result: Result<(), PayError>) -> Result<(), StoreError> {
        self.busy.remove(&miner);
        match result {
            Ok(()) => return Ok(()),
            Err(PayError::Store(error)) => return Err(error),
            Err(PayError::NotCovered { gross }) => {
                observe::balance_too_low(miner, gross);
                self.reconcile();
            }
            Err(error) => observe::retrying("paying a miner", &error),
        }
        self.resting.insert(miner, Instant::now() + REST);
        Ok(())
    }

    /// Has the wallet notice what miners pulled, which raises its free balance (section 6).
    fn reconcile(&mut self) {
        let now = Instant::now();
        if self
            .reconciled
            .is_some_and(|last| now < last + RECONCILE_EVERY)
        {
            return;
        }
        self.reconciled = Some(now);
        let hub = Arc::clone(&self.hub);
        self.payments
            .spawn(async move { (Address::ZERO, Box::pin(reconcile(&hub)).await) });
    }
}

/// Sends one payment that is written down.
async fn pay(hub: &Hub, row: &PayoutRow) -> Result<(), PayError> {
    if !hub.store.hold(Role::Payer).await? {
        // Another process decides what becomes of the row.
        return Ok(());
    }
    gio_failpoint::fail_point!("hub.sends.payment");
    let noted = Noted::of(row);
    let note = |nonce| noted.note(hub, nonce);
    let sent = hub.chain.transfer_net(hub.wallet, row.miner, row.net, note);
    match sent.await {
        Ok(tx) => {
            gio_failpoint::fail_point!("hub.sent.payment");
            Ok(made(hub, row, &tx).await?)
        }
        Err(error) => {
            let nonce = noted.last();
            if nonce.is_none() || is_over(hub, &error) {
                hub.store.drop_payout(row.id, nonce).await?;
            }
            Err(match error.revert() {
                Some(RevertReason::FreeBalanceTooLow { .. }) => {
                    PayError::NotCovered { gross: row.gross }
                }
                _ => error.into(),
            })
        }
    }
}

/// Under which nonce a payment is sent, as the books know it.
struct Noted {
    payout: i64,
    nonce: Mutex<Option<u64>>,
}

impl Noted {
    fn of(row: &PayoutRow) -> Self {
        Self {
            payout: row.id,
            nonce: Mutex::new(row.nonce),
        }
    }

    fn last(&self) -> Option<u64> {
        *self.nonce.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the payment may be sent under this nonce: the books say so now.
    async fn note(&self, hub: &Hub, nonce: u64) -> bool {
        match hub.store.note_nonce(self.payout, self.last(), nonce).await {
            Ok(true) => {
                *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = Some(nonce);
                true
            }
            Ok(false) => false,
            Err(error) => {
                observe::retrying("noting a payment's nonce", &error);
                false
            }
        }
    }
}

/// Whether a payment that has a nonce has failed for good: only a mined transaction proves it, and where blocks count
/// later, not even that. Of every other failure, also of a node's refusal, a barrier decides; without a nonce nothing was
/// sent.
fn is_over(hub: &Hub, error: &SendError) -> bool {
    hub.config().hub.confirmations == 0 && matches!(error, SendError::RevertedOnChain { .. })
}

/// A payment has its receipt: it counts for good at once, or it is looked up again when its block is deep enough.
async fn made(hub: &Hub, row: &PayoutRow, tx: &TxInfo) -> Result<(), StoreError> {
    let is_deep = hub.config().hub.confirmations == 0;
    let made = hub
        .store
        .complete_payout(row.id, tx.hash, tx.block, is_deep);
    made.await?;
    if is_deep {
        announce(hub, row, tx.hash).await;
    } else {
        observe::payment_mined(row.deal, row.miner, row.net, tx.block);
        hub.progress.wake(row.deal);
    }
    Ok(())
}

/// Says that a payment was made and stays made.
async fn announce(hub: &Hub, row: &PayoutRow, tx: B256) {
    observe::miner_paid(row.deal, row.miner, row.net, row.gross);
    hub.progress.wake(row.deal);
    hub.look_at_pay.notify_one();
    let told = Command::Paid {
        miner: row.miner,
        deal: row.deal,
        net: row.net,
        gross: row.gross,
        tx,
    };
    // A miner that is not told finds the allowance on chain.
    let _ = hub.dispatcher.send(told).await;
}

async fn reconcile(hub: &Hub) -> Result<(), PayError> {
    let mut pulled = Vec::new();
    for miner in hub.store.paid_lately(RECONCILE_MAX).await? {
        let seen = hub.chain.approved_to(hub.wallet, miner).await?;
        if hub.chain.allowance(hub.wallet, miner).await? < seen {
            pulled.push(miner);
        }
    }
    if !pulled.is_empty() {
        gio_failpoint::fail_point!("hub.sends.reconciliation");
        hub.chain.reconcile(hub.wallet, &pulled).await?;
        gio_failpoint::fail_point!("hub.sent.reconciliation");
        hub.look_at_pay.notify_one();
    }
    Ok(())
}
