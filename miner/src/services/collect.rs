//! Collecting pay: what a deal's wallet has approved is pulled, and counted once whatever happens in between.
//!
//! # Correctness
//! A pull is written down before it is sent, with the allowance and the block it was read at, and then the nonce it is
//! sent under. Whoever finds it later without an end waits until that nonce is used up, if need be by a transaction that
//! changes nothing: from then on the pull is mined or never will be. Then the chain says what moved: allowance then, plus
//! approvals since, less allowance now. Allowance and nonces are read as of one block.
//! Only wallets of deals this miner worked on are looked at: an approval from any other address counts nothing (HW-13).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gio_net::wire::{Paid, field};
use gio_protocol::{Address, B256, DealId, Gio};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::desk::Desk;
use super::{Deps, now};
use crate::domain::trust::is_even;
use crate::infra::chain::{Approval, ChainFailure, Notebook};
use crate::infra::observe;
use crate::infra::store::{Change, PullRow, PullState, StoreError};

/// How often wallets are looked at although nobody said that they paid.
const EVERY: Duration = Duration::from_secs(60);
/// Before a pull is looked at again that was not decided: about a block of a slow chain.
const AGAIN: Duration = Duration::from_secs(5);
/// Nonces that may be free below a pull's, because their transactions were lost: pulls are sent one after the other.
const BARRIERS_MAX: usize = 4;
/// Between two looks that somebody asked for: each has the chain asked, and every hub judged anew.
const PAUSE: Duration = Duration::from_millis(250);
/// Deals shown to people for one payment. A hub pays one at a time; this is room for more, and no way to keep a miner busy.
const DEALS_SHOWN_MAX: usize = 16;

/// Asks for a wallet to be looked at now. However often it is asked, a wallet is looked at once.
#[derive(Debug, Default)]
pub struct CollectHandle {
    /// At most the wallets of the open desks.
    wallets: Mutex<BTreeSet<Address>>,
    wake: Notify,
}

impl CollectHandle {
    /// Asks.
    pub fn look_at(&self, wallet: Address) {
        self.lock().insert(wallet);
        self.wake.notify_one();
    }

    /// Waits until somebody asks; whom about.
    async fn asked(&self) -> Vec<Address> {
        self.wake.notified().await;
        std::mem::take(&mut *self.lock()).into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Address>> {
        // A set is whole whatever panicked beside it.
        self.wallets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs until the miner ends.
pub async fn run(deps: Arc<Deps>) {
    let mut rounds = interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut open = BTreeSet::new();
    loop {
        let wallets = tokio::select! {
            () = deps.stop.ended.cancelled() => return,
            asked = deps.collect.asked() => Ok(asked),
            () = sleep(AGAIN), if !open.is_empty() => {
                Ok(std::mem::take(&mut open).into_iter().collect())
            }
            _ = rounds.tick() => deps.store.wallets().await,
        };
        let collected = match wallets {
            Ok(wallets) => collect_all(&deps, wallets).await,
            Err(error) => Err(error),
        };
        match collected {
            Ok(left) => open.extend(left),
            Err(error) => return deps.fatal("collect", error),
        }
        tokio::select! {
            () = deps.stop.ended.cancelled() => return,
            () = sleep(PAUSE) => {}
        }
    }
}

/// The hub says it paid: it is written down, to be compared with what arrives, and the wallet is looked at. A hub that
/// says it too often is not listened to: what arrives is found all the same.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn promised(desk: &Desk, paid: Paid) -> Result<(), StoreError> {
    let wallet = desk.hub.wallet;
    if !desk.state().patience.listens(now()) {
        observe::promise_unheard(wallet);
        return Ok(());
    }
    let parsed = field::address("wallet", &paid.wallet);
    let (named, tx) = match (parsed, field::hash("tx_hash", &paid.tx_hash)) {
        (Ok(named), Ok(tx)) => (named, tx),
        (Err(error), _) | (_, Err(error)) => {
            observe::message_senseless(wallet, &error);
            return Ok(());
        }
    };
    if named != wallet {
        observe::foreign_payment(wallet, named);
        return Ok(());
    }
    let net = Gio::from_units(paid.net);
    let at = now();
    let promise = Change::Promise {
        wallet,
        tx,
        net,
        at,
    };
    desk.deps.store.apply(vec![promise]).await?;
    gio_failpoint::fail_point!("miner.wrote.promise");
    observe::payment_promised(wallet, net, tx);
    for deal in paid.deal_ids.iter().take(DEALS_SHOWN_MAX) {
        if let Ok(deal) = DealId::try_from(deal.as_ref()) {
            show_deal(desk, deal).await?;
        }
    }
    desk.deps.collect.look_at(wallet);
    Ok(())
}

async fn show_deal(desk: &Desk, deal: DealId) -> Result<(), StoreError> {
    let row = desk.deps.store.deal(deal).await?;
    if let Some(row) = row.filter(|row| row.wallet == desk.hub.wallet) {
        let (units, cu) = (row.accepted_units, row.accepted_cu.0);
        let console = desk.deps.console;
        console.deal_paid(deal, &desk.hub.name, units, cu, row.earned());
    }
    Ok(())
}

/// Returns the wallets with a pull that is not decided.
async fn collect_all(deps: &Deps, wallets: Vec<Address>) -> Result<Vec<Address>, StoreError> {
    let mut open = Vec::new();
    for wallet in wallets {
        let is_decided = tokio::select! {
            () = deps.stop.ended.cancelled() => return Ok(Vec::new()),
            collected = collect(deps, wallet) => collected?,
        };
        if !is_decided {
            open.push(wallet);
        }
        if let Some(desk) = deps.desks.get(wallet)
            && let Err(error) = desk.refresh().await
        {
            observe::chain_silent(wallet, &error);
        }
    }
    deps.rejudge.notify_one();
    Ok(open)
}

/// Finishes what is open, then pulls what there is. Returns whether no pull is left open.
///
/// # Errors
/// [`StoreError`]; everything else is tried again later.
pub async fn collect(deps: &Deps, wallet: Address) -> Result<bool, StoreError> {
    if let Some(open) = deps.store.pull_under_way(wallet).await?
        && !resume(deps, &open).await?
    {
        return Ok(false);
    }
    let Some(Approval { amount, block, .. }) = approval(deps, wallet).await else {
        return Ok(true);
    };
    if amount == Gio::ZERO {
        return Ok(true);
    }
    let pull = PullRow {
        id: gio_agent::random_word(),
        wallet,
        amount,
        allowance: amount,
        from_block: block,
        nonce: None,
    };
    let started = Change::PullStarted {
        pull: pull.clone(),
        at: now(),
    };
    deps.store.apply(vec![started]).await?;
    gio_failpoint::fail_point!("miner.wrote.pull");
    let notes = Notes { deps, id: pull.id };
    let sent = deps.chain.pull(wallet, amount, &notes).await;
    gio_failpoint::fail_point!("miner.sent.pull");
    match sent {
        Ok(tx) => {
            end(deps, &pull, PullState::Arrived, Some(tx)).await?;
            Ok(true)
        }
        Err(failure) => {
            observe::pull_failed(wallet, &failure);
            let open = deps.store.pull_under_way(wallet).await?;
            resume(deps, &open.unwrap_or(pull)).await
        }
    }
}

/// Writes down under which nonce a pull is sent.
struct Notes<'a> {
    deps: &'a Deps,
    id: B256,
}

#[async_trait]
impl Notebook for Notes<'_> {
    async fn note(&self, nonce: u64) -> bool {
        let id = self.id;
        let noted = Change::PullNonce { id, nonce };
        let noted = self.deps.store.apply(vec![noted]).await;
        gio_failpoint::fail_point!("miner.wrote.pull_nonce");
        // Whoever asks the store next ends the miner.
        noted.is_ok()
    }
}

/// A pull whose end nobody saw. Returns whether its fate is known now.
async fn resume(deps: &Deps, pull: &PullRow) -> Result<bool, StoreError> {
    for _ in 0..BARRIERS_MAX {
        let Some(now) = approval(deps, pull.wallet).await else {
            return Ok(false);
        };
        // Without a nonce it was not sent, and nobody is left who would send it.
        let Some(nonce) = pull.nonce.filter(|nonce| now.nonces_used <= *nonce) else {
            return audit(deps, pull, now).await;
        };
        match deps.chain.is_taken(nonce).await {
            Ok(true) => {
                observe::pull_waits(pull.wallet, nonce);
                return Ok(false);
            }
            Ok(false) => {}
            Err(error) => {
                observe::chain_silent(pull.wallet, &error);
                return Ok(false);
            }
        }
        gio_failpoint::fail_point!("miner.sends.barrier");
        let sent = deps.chain.use_up_a_nonce().await;
        gio_failpoint::fail_point!("miner.sent.barrier");
        if let Err(failure) = sent {
            observe::pull_failed(pull.wallet, &failure);
            return Ok(false);
        }
    }
    Ok(false)
}

/// Writes down what became of a pull that is decided.
async fn audit(deps: &Deps, pull: &PullRow, now: Approval) -> Result<bool, StoreError> {
    match moved(deps, pull, now).await {
        Ok(moved) if moved >= pull.amount => end(deps, pull, PullState::Arrived, None).await?,
        Ok(_) => end(deps, pull, PullState::Void, None).await?,
        Err(error) => {
            observe::chain_silent(pull.wallet, &error);
            return Ok(false);
        }
    }
    Ok(true)
}

/// What left the allowance since the pull was written down.
async fn moved(deps: &Deps, pull: &PullRow, now: Approval) -> Result<Gio, ChainFailure> {
    let since = deps
        .chain
        .approved_between(pull.wallet, pull.from_block, now.block)
        .await?;
    let could = pull.allowance.plus(since);
    let could = could.unwrap_or(Gio::from_units(u64::MAX));
    Ok(could.minus_or_zero(now.amount))
}

async fn end(
    deps: &Deps,
    pull: &PullRow,
    state: PullState,
    tx: Option<B256>,
) -> Result<(), StoreError> {
    let ended = Change::PullEnded {
        id: pull.id,
        state,
        tx,
        at: now(),
    };
    deps.store.apply(vec![ended]).await?;
    gio_failpoint::fail_point!("miner.wrote.pull_ended");
    if state == PullState::Arrived {
        arrived(deps, pull, tx).await?;
    }
    Ok(())
}

async fn arrived(deps: &Deps, pull: &PullRow, tx: Option<B256>) -> Result<(), StoreError> {
    let wallet = pull.wallet;
    observe::pulled(wallet, pull.amount, tx);
    deps.console.pulled(wallet, pull.amount);
    let totals = deps.store.totals(wallet).await?;
    if let Some(desk) = deps.desks.get(wallet) {
        desk.pulled(totals.pulled);
    }
    if is_even(&totals.history(Gio::ZERO)) {
        deps.store.apply(vec![Change::HubWasEven(wallet)]).await?;
        gio_failpoint::fail_point!("miner.wrote.even");
    }
    Ok(())
}

async fn approval(deps: &Deps, wallet: Address) -> Option<Approval> {
    let approval = deps.chain.approval(wallet).await;
    approval
        .inspect_err(|error| observe::chain_silent(wallet, error))
        .ok()
}
