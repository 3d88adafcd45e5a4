//! Finding a hub, agreeing on a price, handing over the bytes, signing: a draft becomes a deal both sides signed.

use futures::StreamExt as _;
use futures::stream;
use gio_agent::{ExitStatus, UserError, random_word};
use gio_evm::{ChainError, RevertReason, WalletState};
use gio_keys::verify_by_address;
use gio_net::{Multiaddr, PeerId, VerifiedAnnouncement};
use gio_protocol::{B256, Gio, U256, UnixSeconds, seed_commitment};
use std::io::{BufRead as _, stdin};
use std::time::Duration;
use thiserror::Error;

use super::{Approval, Driver, blocking, unix_ms};
use crate::decimal::gio_text;
use crate::domain::choose::{HubOffer, Registration, mismatches, shortlist};
use crate::domain::quote::{self, Asked, Quote, VALID_SECONDS_MIN};
use crate::domain::terms::{Signing, cap, draw_up};
use crate::domain::work::Work;
use crate::faults;
use crate::infra::hub::{HubClient, HubError, Inquiry};
use crate::job::{Deal, Dealt, HubContact, JobState, Moment};
use crate::output::{note, printable};
use crate::session::{local_now, now_at};

/// How long to look for hubs: the first answer usually comes in a fraction of a second.
const FIND_TIMEOUT: Duration = Duration::from_secs(10);
/// Hubs asked for a quote: the cheapest by their own announcement.
const QUOTES_MAX: usize = 5;
/// Hubs looked up on chain, and how many at a time: one call each.
const LOOKED_UP_MAX: usize = 100;
const LOOKUPS_AT_A_TIME: usize = 8;

/// A hub as announced and as the chain knows it.
struct Candidate {
    offer: HubOffer,
    peer: PeerId,
    addrs: Vec<Multiaddr>,
}

/// A candidate's price.
struct Quoted {
    candidate: Candidate,
    hub: HubClient,
    quote: Quote,
    buyer_nonce: B256,
}

/// Nobody to buy from.
#[derive(Debug, Error)]
enum NoHub {
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

/// A wallet with too little in it.
#[derive(Debug, Error)]
enum Poor {
    #[error("the wallet holds {} GIO, the job locks up to {} GIO: {} GIO are missing",
        gio_text(*.held), gio_text(*.cap), gio_text(.cap.minus_or_zero(*.held)))]
    Gio { held: Gio, cap: Gio },
    #[error("the wallet holds none of the chain's own coin, which pays the gas")]
    Gas,
    #[error("the job names no cap, and its limits would lock up to {} GIO; without a cap at most {} GIO are locked",
        gio_text(*.cap), gio_text(*.most))]
    Unbounded { cap: Gio, most: Gio },
    #[error("not agreed to; nothing was sent")]
    Declined,
}

/// Why one hub did not get the job, or why none will.
enum Failure {
    Hub(String),
    Own(UserError),
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        Self::Own(error)
    }
}

impl Failure {
    fn hub(error: &HubError) -> Self {
        let refusal = error.refusal().map(str::to_owned);
        Self::Hub(refusal.unwrap_or_else(|| error.to_string()))
    }
}

impl Driver<'_> {
    /// A draft becomes a signed deal, with the cheapest hub that signs.
    pub(super) async fn negotiate(&mut self) -> Result<(), UserError> {
        self.progress.stage("finding hubs");
        let work = self.work().await?;
        let candidates = self.suitable().await?;
        self.job.note(Moment::HubsFound, unix_ms());
        self.progress.stage(match candidates.len() {
            1 => "asking a hub for its price".to_owned(),
            count => format!("asking {count} hubs for their prices"),
        });
        let (mut quoted, mut reasons) = self.quotes(&work, candidates).await?;
        quoted.sort_by_key(|quoted| quoted.quote.price);
        if !quoted.is_empty() {
            self.job.note(Moment::Quoted, unix_ms());
        }
        for quoted in quoted {
            let name = label(&quoted.candidate.offer);
            match self.agree(&work, quoted).await {
                Ok(()) => return Ok(()),
                Err(Failure::Hub(reason)) => reasons.push(format!("{name}: {reason}")),
                Err(Failure::Own(error)) => return Err(error),
            }
        }
        Err(UserError::new(NoHub::Took(reasons), ExitStatus::NoMatch).retryable())
    }

    /// The hubs that meet every condition, the cheapest first.
    async fn suitable(&self) -> Result<Vec<Candidate>, UserError> {
        let announced = self.net.net.find_hubs(FIND_TIMEOUT).await;
        if announced.is_empty() {
            let hint = "is a hub running, and does `bootstrap` in config.toml lead to it?";
            let error = UserError::new(NoHub::Found, ExitStatus::Unreachable);
            return Err(error.hint(hint).retryable());
        }
        let mut by_price: Vec<_> = announced.iter().cloned().collect();
        by_price.sort_by_key(|hub| hub.announcement().gross_price);
        by_price.truncate(LOOKED_UP_MAX);
        let lookups = stream::iter(by_price).map(|hub| async move { self.look_up(&hub).await });
        let found: Vec<_> = lookups.buffered(LOOKUPS_AT_A_TIME).collect().await;
        let candidates: Vec<Candidate> = found.into_iter().collect::<Result<_, _>>()?;
        let order = &self.job.order;
        let judge =
            |offer: &HubOffer| mismatches(offer, self.chain.chain_id(), &order.price, &order.hubs);
        let offers: Vec<HubOffer> = candidates.iter().map(|c| c.offer.clone()).collect();
        let places = shortlist(&offers, |offer| judge(offer).is_empty(), QUOTES_MAX);
        if places.is_empty() {
            let reason = |offer: &HubOffer| {
                let found: Vec<_> = judge(offer).iter().map(ToString::to_string).collect();
                format!("{}: {}", label(offer), found.join("; "))
            };
            let reasons = offers.iter().map(reason).collect();
            return Err(UserError::new(NoHub::Suits(reasons), ExitStatus::NoMatch));
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
        let registered = match self.chain.hub(said.wallet).await {
            Ok(info) => Some(Registration {
                owner: info.owner,
                state: info.state.name().to_owned(),
                is_registered: info.state == WalletState::Registered,
            }),
            Err(ChainError::Reverted(RevertReason::WalletUnknown { .. })) => None,
            Err(error) => return Err(faults::chain(error)),
        };
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

    /// Asks all candidates at once; beside the good quotes, why the others gave none.
    async fn quotes(
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

    async fn quote(
        &self,
        work: &Work,
        candidate: Candidate,
        now: UnixSeconds,
    ) -> Result<Quoted, String> {
        let channel = self.net.net.channel(candidate.peer, &candidate.addrs).await;
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
    async fn ask(
        &self,
        work: &Work,
        hub: &HubClient,
        offer: &HubOffer,
        now: UnixSeconds,
    ) -> Result<(Quote, B256), String> {
        let limits = &self.job.order.price;
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

    /// Funds, approval, upload, signatures; then the deal is on disk.
    async fn agree(&mut self, work: &Work, mut quoted: Quoted) -> Result<(), Failure> {
        let cap = self.check_cap(work, &quoted.quote)?;
        self.check_funds(cap).await?;
        self.approve(cap, &quoted).await?;
        self.upload(&quoted).await?;
        if quoted.quote.valid_until < local_now().after(VALID_SECONDS_MIN) {
            // The upload took longer than the quote was good for.
            let (hub, offer) = (&quoted.hub, &quoted.candidate.offer);
            let again = self.ask(work, hub, offer, local_now()).await;
            (quoted.quote, quoted.buyer_nonce) = again.map_err(Failure::Hub)?;
            self.upload(&quoted).await?;
        }
        self.job.note(Moment::Uploaded, unix_ms());
        self.sign(work, quoted).await
    }

    fn check_cap(&self, work: &Work, quote: &Quote) -> Result<Gio, UserError> {
        let limits = &self.job.order.price;
        let cap = cap(work, limits, quote.price).map_err(faults::usage)?;
        let most = self.session.config().cap_default_max_gio;
        if limits.cap.is_none() && cap > most {
            let hint =
                "name a cap: --cap GIO, or cap_gio in the job file; or lower the limit: --pu PU";
            return Err(faults::usage(Poor::Unbounded { cap, most }).hint(hint));
        }
        Ok(cap)
    }

    async fn check_funds(&self, cap: Gio) -> Result<(), UserError> {
        let address = self.session.address();
        let (held, gas) =
            tokio::try_join!(self.chain.balance(address), self.chain.gas_balance(address))
                .map_err(faults::chain)?;
        let poor = if held < cap {
            Poor::Gio { held, cap }
        } else if gas == U256::ZERO {
            Poor::Gas
        } else {
            return Ok(());
        };
        let hint = format!(
            "send it to {address}, then `gio-buyer attach {}`",
            self.job.id
        );
        Err(UserError::new(poor, ExitStatus::Funds).hint(hint))
    }

    /// Asks about a cap the user did not name.
    async fn approve(&self, cap: Gio, quoted: &Quoted) -> Result<(), UserError> {
        if self.approval == Approval::Given || self.job.order.price.cap.is_some() {
            return Ok(());
        }
        self.progress.clear();
        note(&format!(
            "{} asks {} GIO per PU. Lock up to {} GIO? What is not used comes back. [y/N]",
            label(&quoted.candidate.offer),
            gio_text(quoted.quote.price.0),
            gio_text(cap)
        ));
        let answer = blocking(|| {
            let mut line = String::new();
            stdin().lock().read_line(&mut line).map(|_| line)
        });
        if matches!(answer.await?.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(faults::usage(Poor::Declined))
    }

    /// Hands over what the hub does not have.
    async fn upload(&self, quoted: &Quoted) -> Result<(), Failure> {
        let missing = &quoted.quote.missing;
        let total = missing.iter().map(|content| content.length).sum();
        if total > 0 {
            self.progress
                .stage(format!("uploading to {}", label(&quoted.candidate.offer)));
        }
        let mut done = 0;
        for content in missing {
            let (content, store) = (*content, self.session.contents().clone());
            let bytes = blocking(move || store.get(content)).await?;
            self.progress.bytes(done, total);
            let sent = quoted.hub.upload(content, bytes).await;
            sent.map_err(|error| Failure::hub(&error))?;
            done += content.length;
        }
        if total > 0 {
            self.progress.bytes(total, total);
        }
        Ok(())
    }

    /// Both signatures; the deal is on disk when this returns.
    async fn sign(&mut self, work: &Work, quoted: Quoted) -> Result<(), Failure> {
        self.progress.stage("signing");
        let head = self.chain.head().await.map_err(faults::chain)?;
        let signing = Signing {
            buyer: self.session.address(),
            buyer_nonce: quoted.buyer_nonce,
            now: now_at(&head),
        };
        let limits = &self.job.order.price;
        let terms = draw_up(work, &quoted.quote, limits, &signing).map_err(faults::usage)?;
        let chain_id = self.chain.chain_id();
        let id = terms.deal_id(chain_id);
        let own = self.session.key().sign(id.0);
        let signed = quoted.hub.sign(&terms, &own, work.spec().to_json()).await;
        let (signed_id, hub_signature) = signed.map_err(|error| Failure::hub(&error))?;
        let offer = quoted.candidate.offer;
        if signed_id != id || verify_by_address(offer.owner, id.0, &hub_signature).is_err() {
            return Err(Failure::Hub("it signed something else".to_owned()));
        }
        let deal = Deal {
            id,
            chain_id,
            terms,
            hub: HubContact {
                name: offer.name,
                owner: offer.owner,
                wallet: offer.wallet,
                peer: quoted.candidate.peer.to_string(),
                addrs: quoted
                    .candidate
                    .addrs
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            },
            hub_signature: hub_signature.into(),
            quote_id: quoted.quote.quote_id,
            signed_at_block: head.number,
        };
        self.job.state = JobState::Dealt(Box::new(Dealt::new(deal)));
        self.job.note(Moment::Signed, unix_ms());
        self.save()?;
        self.hub = Some(quoted.hub);
        Ok(())
    }
}

/// A hub for people: its name, and whose it is.
fn label(offer: &HubOffer) -> String {
    format!("{} ({})", offer.name, offer.owner)
}
