//! Collecting pay: what a deal's wallet has approved is pulled, and counted once whatever happens in between.
//!
//! # Correctness
//! A pull is written down before it is sent, with the allowance and the block it was read at. Whoever finds it later
//! without an end asks the chain: allowance then, plus approvals since, less allowance now, is what moved.
//! Only wallets of deals this miner worked on are looked at: an approval from any other address counts nothing (HW-13).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gio_net::wire::{Paid, field};
use gio_protocol::{Address, B256, DealId, Gio};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::desk::Desk;
use super::{Deps, now};
use crate::domain::trust::is_even;
use crate::infra::chain::{Approval, ChainFailure, PullFailure};
use crate::infra::observe;
use crate::infra::store::{Change, PullRow, PullState, StoreError};

/// How often wallets are looked at although nobody said that they paid.
const EVERY: Duration = Duration::from_secs(60);
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
    loop {
        let wallets = tokio::select! {
            () = deps.stop.ended.cancelled() => return,
            asked = deps.collect.asked() => Ok(asked),
            _ = rounds.tick() => deps.store.wallets().await,
        };
        let collected = match wallets {
            Ok(wallets) => collect_all(&deps, wallets).await,
            Err(error) => Err(error),
        };
        if let Err(error) = collected {
            return deps.fatal("collect", error);
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

async fn collect_all(deps: &Deps, wallets: Vec<Address>) -> Result<(), StoreError> {
    for wallet in wallets {
        tokio::select! {
            () = deps.stop.ended.cancelled() => return Ok(()),
            collected = collect(deps, wallet) => collected?,
        }
        if let Some(desk) = deps.desks.get(wallet)
            && let Err(error) = desk.refresh().await
        {
            observe::chain_silent(wallet, &error);
        }
    }
    deps.rejudge.notify_one();
    Ok(())
}

/// Finishes what is open, then pulls what there is.
///
/// # Errors
/// [`StoreError`]; everything else is tried again in the next round.
pub async fn collect(deps: &Deps, wallet: Address) -> Result<(), StoreError> {
    if let Some(open) = deps.store.pull_under_way(wallet).await?
        && !resume(deps, &open).await?
    {
        return Ok(());
    }
    let Some(Approval { amount, block }) = approval(deps, wallet).await else {
        return Ok(());
    };
    if amount == Gio::ZERO {
        return Ok(());
    }
    let pull = PullRow {
        id: gio_agent::random_word(),
        wallet,
        amount,
        allowance: amount,
        from_block: block,
        tx: None,
    };
    let started = Change::PullStarted {
        pull: pull.clone(),
        at: now(),
    };
    deps.store.apply(vec![started]).await?;
    gio_failpoint::fail_point!("miner.wrote.pull");
    let sent = deps.chain.pull(wallet, amount).await;
    gio_failpoint::fail_point!("miner.sent.pull");
    conclude(deps, &pull, sent).await.map(drop)
}

/// A pull of before. Returns whether its fate is known now.
async fn resume(deps: &Deps, pull: &PullRow) -> Result<bool, StoreError> {
    match pull.tx {
        Some(tx) => {
            let mined = deps.chain.await_pull(tx).await;
            conclude(deps, pull, mined).await
        }
        None => audit(deps, pull).await,
    }
}

/// Writes down how a pull ended. Returns whether that is known.
async fn conclude(
    deps: &Deps,
    pull: &PullRow,
    result: Result<B256, PullFailure>,
) -> Result<bool, StoreError> {
    match result {
        Ok(tx) => end(deps, pull, PullState::Arrived, Some(tx)).await,
        Err(PullFailure::Unresolved(tx)) => {
            observe::pull_failed(pull.wallet, &PullFailure::Unresolved(tx));
            let sent = Change::PullSent { id: pull.id, tx };
            deps.store.apply(vec![sent]).await?;
            gio_failpoint::fail_point!("miner.wrote.pull_sent");
            Ok(false)
        }
        Err(failure) => {
            observe::pull_failed(pull.wallet, &failure);
            audit(deps, pull).await
        }
    }
}

/// Asks the chain what became of a pull.
async fn audit(deps: &Deps, pull: &PullRow) -> Result<bool, StoreError> {
    match moved(deps, pull).await {
        Ok(moved) if moved >= pull.amount => end(deps, pull, PullState::Arrived, None).await,
        Ok(_) => end(deps, pull, PullState::Void, None).await,
        Err(error) => {
            observe::chain_silent(pull.wallet, &error);
            Ok(false)
        }
    }
}

/// What left the allowance since the pull was written down.
async fn moved(deps: &Deps, pull: &PullRow) -> Result<Gio, ChainFailure> {
    let now = deps.chain.approval(pull.wallet).await?;
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
) -> Result<bool, StoreError> {
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
    Ok(true)
}

async fn arrived(deps: &Deps, pull: &PullRow, tx: Option<B256>) -> Result<(), StoreError> {
    let wallet = pull.wallet;
    observe::pulled(wallet, pull.amount, tx);
    deps.console.pulled(wallet, pull.amount);
    if let Some(desk) = deps.desks.get(wallet) {
        desk.pulled(pull.amount);
    }
    let totals = deps.store.totals(wallet).await?;
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
