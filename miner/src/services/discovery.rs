//! Finding hubs, judging them against the chain, and working for the best (design section 2, rows 1 and 2).

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use gio_net::{Multiaddr, VerifiedAnnouncement};
use gio_protocol::{Address, Gio, UnixSeconds};
use tokio::time::{Instant, sleep};

use super::desk::{Desk, Hub};
use super::session::KINDS;
use super::{Deps, now};
use crate::domain::patience::Patience;
use crate::domain::selection::{Candidate, choose};
use crate::domain::trust::{Announced, HubStatus, Judgement, judge};
use crate::domain::turns::{Due, in_turn};
use crate::infra::chain::{ChainFailure, place_of};
use crate::infra::observe;
use crate::infra::store::{Change, HubRow, StoreError};

/// How often everything is looked at although nothing was heard.
const ROUND: Duration = Duration::from_secs(15);
/// How long a judgement holds: a hub's wallet changes with its deals.
const JUDGEMENT_HOLDS: Duration = Duration::from_secs(30);
/// How long the judgement of a fake holds: a thousand liars must not keep this miner's RPC busy.
const FAKE_HOLDS: Duration = Duration::from_secs(600);
/// Hubs nobody has judged, and fakes, judged at once and with every second: the chain is asked a question or two about
/// each, and whoever makes keys can announce as many as peers pass on.
const STRANGERS_AT_ONCE: u64 = 64;
const STRANGERS_PER_SECOND: u64 = 4;
/// Questions the chain leaves open before the strangers of a round are left for the next one: each may take its deadline.
const SILENCES_MAX: u32 = 3;
/// Fakes are remembered for people to see, for a week, and no more than people read.
const FAKES_KEPT_SECONDS: u64 = 7 * 24 * 3600;
const FAKES_KEPT_MAX: u32 = 1_000;
/// How often old fakes are forgotten: meanwhile come no more of them than strangers are judged, a few thousand.
const FORGET_EVERY: Duration = Duration::from_secs(600);
/// How long peers may take to say which hubs they know.
const FIND_TIMEOUT: Duration = Duration::from_secs(10);
/// How often peers are asked while no hub is known, and while some are.
const FIND_EVERY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(120));

/// What was last thought of the hub of an owner.
struct Known {
    said: Announced,
    wallet: Address,
    judgement: Judgement,
    at: Instant,
    /// Something happened since.
    stale: bool,
}

/// The loop's own memory.
struct Discovery {
    deps: Arc<Deps>,
    known: HashMap<Address, Known>,
    /// With hubs that are not known to be true.
    patience: Patience,
    /// Makes the strangers' places; drawn anew with every round.
    lots: RandomState,
    /// When fakes were last forgotten.
    forgot: Option<Instant>,
}

/// Asks peers which hubs they know, instead of waiting for gossip. Runs until the miner drains.
pub async fn find(deps: Arc<Deps>) {
    let draining = deps.stop.draining.clone();
    loop {
        let (few, many) = FIND_EVERY;
        let pause = async {
            let found = deps.net.find_hubs(FIND_TIMEOUT).await;
            sleep(if found.is_empty() { few } else { many }).await;
        };
        tokio::select! {
            () = pause => {}
            () = draining.cancelled() => return,
        }
    }
}

/// Judges and chooses until the miner drains.
pub async fn run(deps: Arc<Deps>) {
    let mut heard = deps.net.announcements();
    let mut discovery = Discovery {
        deps: Arc::clone(&deps),
        known: HashMap::new(),
        patience: Patience::new(STRANGERS_AT_ONCE, STRANGERS_PER_SECOND),
        lots: RandomState::new(),
        forgot: None,
    };
    let mut result = Ok(());
    loop {
        if let Err(error) = result {
            return deps.fatal("discovery", error);
        }
        let announced = heard.borrow_and_update().clone();
        tokio::select! {
            round = discovery.round(&announced) => result = round,
            () = deps.stop.draining.cancelled() => return,
        }
        tokio::select! {
            // The network ends after this loop.
            _ = heard.changed() => {}
            () = deps.rejudge.notified() => discovery.expire(),
            () = sleep(ROUND) => {}
            () = deps.stop.draining.cancelled() => return,
        }
    }
}

impl Discovery {
    /// Judges whoever is due and opens and closes desks accordingly.
    async fn round(&mut self, heard: &[Arc<VerifiedAnnouncement>]) -> Result<(), StoreError> {
        let ours = heard.iter().filter(|hub| self.concerns_us(hub));
        let ours: Vec<Arc<VerifiedAnnouncement>> = ours.cloned().collect();
        self.forget_fakes().await?;
        self.lots = RandomState::new();
        let due = ours.iter().filter(|hub| self.is_due(hub));
        let due: Vec<_> = due.map(|hub| self.place(hub)).collect();
        let mut silences = 0;
        for Due { hub, is_known, .. } in in_turn(due, &mut self.patience, now()) {
            if !is_known && silences == SILENCES_MAX {
                break;
            }
            silences += u32::from(!self.judge(hub).await?);
        }
        let owners: HashSet<Address> = ours.iter().map(|hub| hub.announcement().owner).collect();
        self.known.retain(|owner, _| owners.contains(owner));
        self.open_and_close(&ours).await
    }

    /// Fakes that are old, or too many.
    async fn forget_fakes(&mut self) -> Result<(), StoreError> {
        if self.forgot.is_some_and(|at| at.elapsed() < FORGET_EVERY) {
            return Ok(());
        }
        let before = UnixSeconds(now().0.saturating_sub(FAKES_KEPT_SECONDS));
        let most = FAKES_KEPT_MAX;
        let forget = Change::ForgetFakes { before, most };
        self.deps.store.apply(vec![forget]).await?;
        gio_failpoint::fail_point!("miner.wrote.fakes_forgotten");
        self.forgot = Some(Instant::now());
        Ok(())
    }

    /// Where a hub stands among those that are due.
    fn place<'a>(&self, hub: &'a VerifiedAnnouncement) -> Due<&'a VerifiedAnnouncement> {
        let owner = hub.announcement().owner;
        let is_true = |known: &Known| {
            let status = known.judgement.status;
            status >= HubStatus::NotConfirmed && known.wallet == hub.announcement().wallet
        };
        Due {
            hub,
            is_known: self.known.get(&owner).is_some_and(is_true),
            lot: self.lots.hash_one(owner),
        }
    }

    /// Everybody but fakes is judged anew: something was paid, or was not.
    fn expire(&mut self) {
        for known in self.known.values_mut() {
            known.stale |= known.judgement.status != HubStatus::Fake;
        }
    }

    fn concerns_us(&self, hub: &VerifiedAnnouncement) -> bool {
        let said = hub.announcement();
        let offers = |kind: &&str| said.kinds.iter().any(|offered| offered == kind);
        said.chain_id == self.deps.chain_id && KINDS.iter().any(offers)
    }

    fn is_due(&self, hub: &VerifiedAnnouncement) -> bool {
        let Some(known) = self.known.get(&hub.announcement().owner) else {
            return true;
        };
        let holds = match known.judgement.status {
            HubStatus::Fake => FAKE_HOLDS,
            _ => JUDGEMENT_HOLDS,
        };
        let same = known.said == announced(hub) && known.wallet == hub.announcement().wallet;
        known.stale || !same || known.at.elapsed() >= holds
    }

    /// Returns whether the chain answered.
    async fn judge(&mut self, hub: &VerifiedAnnouncement) -> Result<bool, StoreError> {
        let (said, wallet) = (announced(hub), hub.announcement().wallet);
        if self.is_paying(said.owner, wallet).await? {
            return Ok(true);
        }
        let asked = self.ask(&said, wallet).await?;
        let is_answered = asked.is_ok();
        let judgement = match asked {
            Ok(judgement) => judgement,
            Err(failure) => {
                observe::hub_not_judged(wallet, &failure);
                let known = self.known.remove(&said.owner);
                known.map_or(Judgement::UNKNOWN, |known| known.judgement)
            }
        };
        let row = row_of(hub, &judgement);
        let before = self.deps.store.hub(wallet, said.owner).await?;
        let was_known = before.is_some();
        if before.is_none_or(|before| is_news(&before, &row)) {
            observe::hub_judged(wallet, &row.name, &judgement);
            let console = self.deps.console;
            console.hub(&row.name, wallet, row.net_price, &judgement);
        }
        // Of a stranger whom the chain says nothing of there is nothing to remember.
        if row.status != HubStatus::Unknown || was_known {
            self.deps.store.apply(vec![Change::Hub(row)]).await?;
            gio_failpoint::fail_point!("miner.wrote.hub");
        }
        let known = Known {
            wallet,
            judgement,
            at: Instant::now(),
            stale: false,
            said,
        };
        self.known.insert(known.said.owner, known);
        Ok(is_answered)
    }

    /// While a pull is under way nobody can say what has arrived: the last judgement stands.
    async fn is_paying(&self, owner: Address, wallet: Address) -> Result<bool, StoreError> {
        let known = self.known.contains_key(&owner);
        Ok(known && self.deps.store.pull_under_way(wallet).await?.is_some())
    }

    async fn ask(
        &self,
        said: &Announced,
        wallet: Address,
    ) -> Result<Result<Judgement, ChainFailure>, StoreError> {
        let totals = self.deps.store.totals(wallet).await?;
        let facts = match self.deps.chain.hub(wallet).await {
            Ok(facts) => facts,
            Err(failure) => return Ok(Err(failure)),
        };
        let mut approved = Gio::ZERO;
        if totals.promised > totals.pulled {
            match self.deps.chain.funds(wallet).await {
                Ok(funds) => approved = funds.approved,
                Err(failure) => return Ok(Err(failure)),
            }
        }
        let history = totals.history(approved);
        Ok(Ok(judge(said, facts.as_ref(), &history)))
    }

    async fn open_and_close(&self, hubs: &[Arc<VerifiedAnnouncement>]) -> Result<(), StoreError> {
        let config = self.deps.config();
        let candidates: Vec<Candidate> =
            hubs.iter().filter_map(|hub| self.candidate(hub)).collect();
        let chosen = choose(&candidates, config.net_price_min, config.hubs_max);
        for wallet in &chosen {
            let named = |hub: &&Arc<VerifiedAnnouncement>| {
                hub.announcement().wallet == *wallet && self.status(hub).allows_work()
            };
            if let Some(hub) = hubs.iter().find(named) {
                self.open(hub).await?;
            }
        }
        for desk in self.deps.desks.all() {
            if let Some(is_trusted) = self.trusts(&desk) {
                desk.trust(is_trusted);
            }
            if !chosen.contains(&desk.hub.wallet) && self.may_close(&desk) {
                desk.stop.cancel();
                desk.cancel_all();
                self.deps.desks.remove(desk.hub.wallet);
            }
        }
        Ok(())
    }

    async fn open(&self, hub: &VerifiedAnnouncement) -> Result<(), StoreError> {
        let said = hub.announcement();
        let addrs: Vec<Multiaddr> = said.addrs.clone();
        if let Some(desk) = self.deps.desks.get(said.wallet) {
            desk.set_addrs(addrs);
            return Ok(());
        }
        let Some(named) = Hub::of(hub) else {
            return Ok(());
        };
        let desk = Desk::open(&self.deps, named, addrs).await?;
        self.deps.desks.insert(Arc::clone(&desk));
        // What arrived while it was opened was told to nobody.
        let totals = self.deps.store.totals(desk.hub.wallet).await?;
        desk.pulled(totals.pulled);
        Ok(())
    }

    /// A fake at once; others when there is nothing between us, and not because one announcement got lost.
    fn may_close(&self, desk: &Desk) -> bool {
        match self.known.get(&desk.hub.owner) {
            Some(known) if known.judgement.status == HubStatus::Fake => true,
            Some(_) => desk.is_idle(),
            None => desk.is_idle() && !desk.is_connected(),
        }
    }

    /// Whether the hub may give new orders; `None` while nothing else is known than before: one silent RPC takes no trust.
    fn trusts(&self, desk: &Desk) -> Option<bool> {
        let known = self.known.get(&desk.hub.owner)?;
        if known.wallet != desk.hub.wallet {
            return None;
        }
        match known.judgement.status {
            HubStatus::Checked | HubStatus::Safe => Some(true),
            HubStatus::NotConfirmed => Some(false),
            HubStatus::Unknown | HubStatus::Fake => None,
        }
    }

    fn candidate(&self, hub: &VerifiedAnnouncement) -> Option<Candidate> {
        let known = self.known.get(&hub.announcement().owner)?;
        Some(Candidate {
            wallet: known.wallet,
            net_price: hub.announcement().net_price,
            status: known.judgement.status,
        })
    }

    fn status(&self, hub: &VerifiedAnnouncement) -> HubStatus {
        let known = self.known.get(&hub.announcement().owner);
        known.map_or(HubStatus::Unknown, |known| known.judgement.status)
    }
}

/// Every payment changes the reason why a hub is safe; that is no news.
fn is_news(before: &HubRow, now: &HubRow) -> bool {
    let other_reason = before.reason != now.reason && now.status != HubStatus::Safe;
    before.status != now.status || other_reason
}

fn announced(hub: &VerifiedAnnouncement) -> Announced {
    let said = hub.announcement();
    Announced {
        owner: said.owner,
        endpoints: said.addrs.iter().map(place_of).collect(),
        peer: hub.peer().to_string(),
    }
}

fn row_of(hub: &VerifiedAnnouncement, judgement: &Judgement) -> HubRow {
    let said = hub.announcement();
    HubRow {
        wallet: said.wallet,
        owner: said.owner,
        name: said.name.clone(),
        net_price: said.net_price,
        status: judgement.status,
        reason: judgement.reason.to_string(),
        judged_at: now(),
    }
}
