//! The sums: what the chain's events, the balances and the miners' own books say must be one story.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Result, ensure};
use gio_e2e::devnet::Devnet;
use gio_e2e::report;
use gio_evm::WalletEvent;
use gio_protocol::{Address, B256, Cu, DealId, Gio, PricePerPu, bill};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Row as _};

/// What the wallet's events say.
#[derive(Default)]
struct Story {
    caps: BTreeMap<DealId, (Gio, PricePerPu)>,
    posted: BTreeMap<DealId, Cu>,
    settled: BTreeSet<DealId>,
    over: BTreeSet<DealId>,
    /// What buyers paid in all.
    paid: u64,
    /// What buyers got of hubs' guarantees, and what the treasury got.
    compensation: u64,
    forfeited: u64,
    /// What each miner may pull or has pulled.
    approved: BTreeMap<Address, u64>,
    /// What each miner's leaves of payouts brought.
    claimed: BTreeMap<Address, u64>,
    /// How many payments that is: each is rounded up by less than one base unit.
    payments: BTreeMap<Address, u64>,
}

/// What a miner's own book says the hub accepted, by deal.
struct Work {
    cu: Cu,
    net_price: PricePerPu,
}

/// Fails as long as something is under way, and for good if a sum is wrong.
pub(super) async fn audit(net: &Devnet, before: &[(String, Gio)]) -> Result<()> {
    let accounts: BTreeMap<String, Address> = net.accounts().await?.into_iter().collect();
    let wallet = accounts["hub wallet"];
    let head = net.chain.head().await?.number;
    let mut story = Story::default();
    for log in net.chain.wallet_events(wallet, 0, head).await? {
        story.take(log.event)?;
    }
    let open: Vec<_> = story
        .caps
        .keys()
        .filter(|deal| !story.over.contains(deal))
        .collect();
    ensure!(open.is_empty(), "not over: {open:?}");
    let after = net.balances().await?;
    let total = |balances: &[(String, Gio)]| report::total(balances).units();
    ensure!(
        total(before) == total(&after) + story.forfeited,
        "GIO was made or lost"
    );
    let buyers = |balances: &[(String, Gio)]| -> u64 {
        let buyers = balances
            .iter()
            .filter(|(name, _)| name.starts_with("buyer"));
        buyers.map(|(_, gio)| gio.units()).sum()
    };
    let paid = (buyers(before) + story.compensation).checked_sub(buyers(&after));
    ensure!(
        paid == Some(story.paid),
        "the buyers paid {paid:?}, the deals cost {}",
        story.paid
    );
    let mut billed: BTreeMap<DealId, u64> = BTreeMap::new();
    for (name, account) in accounts
        .iter()
        .filter(|(name, _)| name.starts_with("miner"))
    {
        let mut earned = 0;
        for (deal, work) in accepted(&net.folder.join(name).join("miner.db")).await? {
            earned += work.net_price.cost(work.cu)?.units();
            *billed.entry(deal).or_default() += work.cu.0;
        }
        let approved = story.approved.get(account).copied().unwrap_or_default();
        let payments = story.payments.get(account).copied().unwrap_or_default();
        ensure!(
            (earned..=earned + payments).contains(&approved),
            "{name} earned {earned}, was paid {approved} in {payments} payments"
        );
        let claimed = story.claimed.get(account).copied().unwrap_or_default();
        let came = of(&after, name).units() - of(before, name).units();
        ensure!(
            came == approved + claimed,
            "{name} was paid {approved} and claimed {claimed}, {came} came"
        );
    }
    for deal in &story.settled {
        let (posted, accepted) = (story.posted[deal].0, billed.get(deal).copied());
        ensure!(
            Some(posted) == accepted,
            "deal {deal:?}: the buyer was billed {posted} CU, the miners delivered {accepted:?}"
        );
    }
    Ok(())
}

impl Story {
    fn take(&mut self, event: WalletEvent) -> Result<()> {
        match event {
            WalletEvent::DealOpened { deal, terms, .. } => {
                let before = self.caps.insert(deal, (terms.cap, terms.price_per_pu));
                ensure!(before.is_none(), "{deal:?} opened twice");
            }
            WalletEvent::ResultPosted { deal, cu_total, .. } => {
                ensure!(
                    self.posted.insert(deal, cu_total).is_none(),
                    "{deal:?} posted twice"
                );
            }
            WalletEvent::DealSettled {
                deal,
                payment,
                refund,
                ..
            } => {
                let (cap, price) = self.caps[&deal];
                let cu = self.posted[&deal];
                ensure!(payment == bill(cap, cu, price), "{deal:?} cost {payment}");
                ensure!(
                    payment.plus(refund)? == cap,
                    "{deal:?}: payment and refund are the cap"
                );
                ensure!(self.over.insert(deal), "{deal:?} ended twice");
                self.settled.insert(deal);
                self.paid += payment.units();
            }
            WalletEvent::DealRefunded { deal, refund, .. } => {
                ensure!(
                    refund == self.caps[&deal].0,
                    "{deal:?}: all of the cap came back"
                );
                ensure!(self.over.insert(deal), "{deal:?} ended twice");
            }
            WalletEvent::DealCancelled {
                deal,
                payment,
                refund,
                ..
            } => {
                ensure!(
                    payment.plus(refund)? == self.caps[&deal].0,
                    "{deal:?}: all of the cap is there"
                );
                ensure!(self.over.insert(deal), "{deal:?} ended twice");
                self.paid += payment.units();
            }
            WalletEvent::DealRefuted {
                deal,
                refund,
                guarantee,
                compensation,
                ..
            } => {
                ensure!(
                    refund == self.caps[&deal].0,
                    "{deal:?}: all of the cap came back"
                );
                ensure!(self.over.insert(deal), "{deal:?} ended twice");
                self.compensation += compensation.units();
                self.forfeited += guarantee.minus(compensation)?.units();
            }
            WalletEvent::PaymentApproved { miner, net, .. } => {
                *self.approved.entry(miner).or_default() += net.units();
                *self.payments.entry(miner).or_default() += 1;
            }
            WalletEvent::PayoutClaimed { miner, net, .. } => {
                *self.claimed.entry(miner).or_default() += net.units();
            }
            _ => {}
        }
        Ok(())
    }
}

fn of(balances: &[(String, Gio)], name: &str) -> Gio {
    let found = balances.iter().find(|(account, _)| account == name);
    found.map_or(Gio::ZERO, |(_, gio)| *gio)
}

/// Claims with the hub's countersignature, from the miner's own database.
async fn accepted(path: &Path) -> Result<BTreeMap<DealId, Work>> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut database = SqliteConnection::connect_with(&options).await?;
    let rows = sqlx::query(
        "SELECT c.deal, SUM(c.cu) AS cu, d.net_price FROM claims c JOIN deals d ON d.id = c.deal \
         WHERE c.state = 1 GROUP BY c.deal",
    );
    let mut work = BTreeMap::new();
    for row in rows.fetch_all(&mut database).await? {
        let number =
            |column: &str| -> Result<u64> { Ok(u64::try_from(row.try_get::<i64, _>(column)?)?) };
        let deal = DealId(B256::from_slice(row.try_get("deal")?));
        let (cu, net_price) = (
            Cu(number("cu")?),
            PricePerPu(Gio::from_units(number("net_price")?)),
        );
        work.insert(deal, Work { cu, net_price });
    }
    Ok(work)
}
