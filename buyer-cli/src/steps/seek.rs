//! Finding hubs for a job: who announced itself, what the chain knows of it, whether it meets the conditions, what it
//! asks. Nothing here binds the buyer, so `plan` does the same as `submit`.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use gio_agent::{Code, UserError, clock_off, random_word, unix_now};
use gio_evm::{Chain, ChainError, RevertReason, WalletState};
use gio_net::{Multiaddr, Net, PeerId, VerifiedAnnouncement};
use gio_protocol::{Address, B256, UnixSeconds, seed_commitment};
use thiserror::Error;

use crate::domain::choose::{HubOffer, Mismatch, Registration, Selection, mismatches, shortlist};
use crate::domain::quote::{self, Asked, Quote};
use crate::domain::work::Work;
use crate::faults;
use crate::infra::hub::{HubClient, HubError, Inquiry};
use crate::job::Order;
use crate::output::printable;
use crate::session::{Session, now_at};

/// How long to look for hubs: the first answer usually comes in a fraction of a second.
const FIND_TIMEOUT: Duration = Duration::from_secs(10);
/// What to do when nobody is heard of.
const NOBODY: &str =
    "is a hub running, and does `bootstrap` in config.toml lead to it? `gio-buyer doctor` looks";
/// Hubs asked for a quote: the cheapest by their own announcement.
const QUOTES_MAX: usize = 5;
/// Hubs of this market compared: the cheapest by their own announcement.
const HUBS_MAX: usize = 100;
/// Announcements shown that are not of a hub of this market. Making them costs nothing, so they take no hub's place.
const OTHERS_MAX: usize = 20;
/// Hubs looked up on chain at a time: at most two calls each, for as many as the network layer remembers.
const LOOKUPS_AT_A_TIME: usize = 8;

/// What it takes to look for hubs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeker<'a> {
    pub(crate) session: &'a Session,
    pub(crate) chain: &'a Chain,
    pub(crate) net: &'a Net,
    pub(crate) order: &'a Order,
}

/// A hub as announced and as the chain knows it.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) offer: HubOffer,
    pub(super) peer: PeerId,
    pub(super) addrs: Vec<Multiaddr>,
}

/// A candidate's price.
#[derive(Debug)]
pub(crate) struct Quoted {
    pub(super) candidate: Candidate,
    pub(crate) hub: HubClient,
    pub(crate) quote: Quote,
    pub(super) buyer_nonce: B256,
}

/// Nobody to buy from.
#[derive(Debug, Error)]
pub(super) enum NoHub {
    #[error("no hub answered within {} s", FIND_TIMEOUT.as_secs())]
    Found,
    #[error("no hub meets the conditions:{}", lines(.0))]
    Suits(Vec<String>),
    #[error("no hub took the job:{}", lines(.0))]
    Took(Vec<String>),
}

fn lines(reasons: &[String]) -> String {
    reasons
        .iter()
        .map(|reason| format!("\n  {reason}"))
        .collect()
}

impl Seeker<'_> {
    /// Every hub that announced itself, the cheapest first, with what the chain knows of it.
    pub(crate) async fn announced(&self) -> Result<Vec<Candidate>, UserError> {
        let announced = self.net.find_hubs(FIND_TIMEOUT).await;
        if announced.is_empty() {
            let head = self.chain.head().await.map_err(faults::chain)?;
            let hint = match clock_off(unix_now(), head.time.0) {
                Some(off) => format!("this machine's clock is {off}: set it, best by NTP"),
                None => NOBODY.to_owned(),
            };
            return Err(UserError::of(Code::NoHubFound, NoHub::Found).hint(hint));
        }
        let mut by_price: Vec<_> = announced.iter().cloned().collect();
        by_price.sort_by_key(|hub| hub.announcement().gross_price);
        let (wanted, others): (Vec<_>, Vec<_>) =
            by_price.into_iter().partition(|hub| self.is_wanted(hub));
        let in_turn = wanted.into_iter().chain(others);
        let lookups = stream::iter(in_turn).map(|hub| async move { self.look_up(&hub).await });
        let mut lookups = lookups.buffered(LOOKUPS_AT_A_TIME);
        let mut selection = Selection::new(HUBS_MAX, OTHERS_MAX);
        while !selection.is_full()
            && let Some(candidate) = lookups.next().await
        {
            let candidate = candidate?;
            let is_hub = candidate.offer.is_of_this_market();
            selection.add(candidate, is_hub);
        }
        let mut found = selection.found;
        found.sort_by_key(|candidate| candidate.offer.price);
        Ok(found)
    }

    /// Whether the announcement alone rules a hub out.
    fn is_wanted(&self, hub: &VerifiedAnnouncement) -> bool {
        let said = hub.announcement();
        let only = &self.order.hubs.only;
        let is_named = only.is_empty() || only.contains(&said.owner) || only.contains(&said.wallet);
        is_named && said.chain_id == self.chain.chain_id()
    }

    /// Every condition a hub does not meet.
    pub(crate) fn judge(&self, offer: &HubOffer) -> Vec<Mismatch> {
        let chain_id = self.chain.chain_id();
        mismatches(offer, chain_id, &self.order.price, &self.order.hubs)
    }

    /// The hubs that meet every condition, the cheapest first.
    pub(super) async fn suitable(&self) -> Result<Vec<Candidate>, UserError> {
        let candidates = self.announced().await?;
        let offers: Vec<HubOffer> = candidates.iter().map(|c| c.offer.clone()).collect();
        let places = shortlist(&offers, |offer| self.judge(offer).is_empty(), QUOTES_MAX);
        if places.is_empty() {
            let reason = |offer: &HubOffer| {
                let found: Vec<_> = self.judge(offer).iter().map(ToString::to_string).collect();
                format!("{}: {}", label(offer), found.join("; "))
            };
            let reasons = offers.iter().map(reason).collect();
            let hint = "`gio-buyer plan` with the same job says what would have to change";
            return Err(UserError::of(Code::NoHubFits, NoHub::Suits(reasons)).hint(hint));
        }
        let mut slots: Vec<_> = candidates.into_iter().map(Some).collect();
        Ok(places
            .into_iter()
            .filter_map(|at| slots[at].take())
            .collect())
    }

    /// What the chain knows of an announced hub.
    async fn look_up(&self, hub: &VerifiedAnnouncement) -> Result<Candidate, UserError> {
        let said = hub.announcement();
        let registered = self
            .registration(said.wallet)
            .await
            .map_err(faults::chain)?;
        Ok(Candidate {
            offer: HubOffer {
                name: printable(&said.name),
                owner: said.owner,
                wallet: said.wallet,
                chain_id: said.chain_id,
                price: said.gross_price,
                region: printable(&said.region),
                kinds: said.kinds.clone(),
                registered,
            },
            peer: hub.peer(),
            addrs: said.addrs.clone(),
        })
    }

    /// What the register and the marks say of a wallet; `None` if no factory of this market made it.
    async fn registration(&self, wallet: Address) -> Result<Option<Registration>, ChainError> {
        let info = match self.chain.hub(wallet).await {
            Ok(info) => info,
            Err(ChainError::Reverted(RevertReason::WalletUnknown { .. })) => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_registered = info.state == WalletState::Registered;
        Ok(Some(Registration {
            owner: info.owner,
            state: info.state.name().to_owned(),
            is_registered,
            is_delinquent: is_registered && self.chain.is_delinquent(wallet).await?,
        }))
    }

    /// Asks all candidates at once; beside the good quotes, why the others gave none.
    pub(super) async fn quotes(
        &self,
        work: &Work,
        candidates: Vec<Candidate>,
    ) -> Result<(Vec<Quoted>, Vec<String>), UserError> {
        let head = self.chain.head().await.map_err(faults::chain)?;
        let now = now_at(&head);
        let asked = stream::iter(candidates).map(|candidate| async move {
            let name = label(&candidate.offer);
            let quoted = self.quote(work, candidate, now).await;
            quoted.map_err(|reason| format!("{name}: {reason}"))
        });
        let mut good = Vec::new();
        let mut reasons = Vec::new();
        for answer in asked.buffer_unordered(QUOTES_MAX).collect::<Vec<_>>().await {
            match answer {
                Ok(quoted) => good.push(quoted),
                Err(reason) => reasons.push(reason),
            }
        }
        Ok((good, reasons))
    }

    pub(crate) async fn quote(
        &self,
        work: &Work,
        candidate: Candidate,
        now: UnixSeconds,
    ) -> Result<Quoted, String> {
        let channel = self.net.channel(candidate.peer, &candidate.addrs).await;
        let hub = HubClient::new(channel.map_err(|error| error.to_string())?);
        let (quote, buyer_nonce) = self.ask(work, &hub, &candidate.offer, now).await?;
        Ok(Quoted {
            candidate,
            hub,
            quote,
            buyer_nonce,
        })
    }

    /// Asks one hub, with a nonce no other hub has seen.
    pub(super) async fn ask(
        &self,
        work: &Work,
        hub: &HubClient,
        offer: &HubOffer,
        now: UnixSeconds,
    ) -> Result<(Quote, B256), String> {
        let limits = &self.order.price;
        let buyer_nonce = random_word();
        let total = work.cu_total_limit().map_err(|error| error.to_string())?;
        let inquiry = Inquiry {
            buyer: self.session.address(),
            seed_commitment: seed_commitment(buyer_nonce),
            job_spec: work.spec().to_json(),
            unit_count: work.unit_count(),
            cu_total_limit: total,
            deliver_by: now.after(limits.deadline_seconds),
        };
        let reason = |error: HubError| {
            error
                .refusal()
                .map_or_else(|| error.to_string(), str::to_owned)
        };
        let quote = hub.quote(&inquiry).await.map_err(reason)?;
        let contents: Vec<_> = work.spec().contents().collect();
        let asked = Asked {
            contents: &contents,
            cu_limit: work.spec().bounds.cu_limit,
            price: limits,
            now,
        };
        quote::check(&quote, offer, &asked).map_err(|error| error.to_string())?;
        Ok((quote, buyer_nonce))
    }
}

/// A hub for people: its name, and whose it is.
pub(crate) fn label(offer: &HubOffer) -> String {
    format!("{} ({})", offer.name, offer.owner)
}
