//! Finding a hub, agreeing on a price, handing over the bytes, signing: a draft becomes a deal both sides signed.

use std::io::{BufRead as _, stdin};

use gio_agent::{Code, UserError};
use gio_keys::verify_by_address;
use gio_protocol::{Gio, U256};
use thiserror::Error;

use super::seek::{NoHub, Quoted, Seeker, label};
use super::{Approval, Driver, blocking, unix_ms};
use crate::decimal::gio_text;
use crate::domain::quote::{Quote, VALID_SECONDS_MIN};
use crate::domain::terms::{Signing, cap, draw_up};
use crate::domain::work::Work;
use crate::faults;
use crate::infra::hub::HubError;
use crate::job::{Deal, Dealt, HubContact, JobState, Moment};
use crate::output::note;
use crate::session::{local_now, now_at};

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
        let candidates = self.seeker().suitable().await?;
        self.job.note(Moment::HubsFound, unix_ms());
        self.progress.stage(match candidates.len() {
            1 => "asking a hub for its price".to_owned(),
            count => format!("asking {count} hubs for their prices"),
        });
        let (mut quoted, mut reasons) = self.seeker().quotes(&work, candidates).await?;
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
        Err(UserError::of(Code::NoHubTook, NoHub::Took(reasons)))
    }

    fn seeker(&self) -> Seeker<'_> {
        Seeker {
            session: self.session,
            chain: &self.chain,
            net: &self.net.net,
            order: &self.job.order,
        }
    }

    /// Funds, approval, upload, signatures; then the deal is on disk.
    async fn agree(&mut self, work: &Work, mut quoted: Quoted) -> Result<(), Failure> {
        let cap = self.check_cap(work, &quoted.quote)?;
        self.check_funds(cap).await?;
        self.approve(cap, &quoted).await?;
        self.progress.note(format!(
            "{} asks {} GIO per PU; up to {} GIO will be locked",
            label(&quoted.candidate.offer),
            gio_text(quoted.quote.price.0),
            gio_text(cap)
        ));
        self.upload(&quoted).await?;
        if quoted.quote.valid_until < local_now().after(VALID_SECONDS_MIN) {
            // The upload took longer than the quote was good for.
            let (hub, offer) = (&quoted.hub, &quoted.candidate.offer);
            let again = self.seeker().ask(work, hub, offer, local_now()).await;
            (quoted.quote, quoted.buyer_nonce) = again.map_err(Failure::Hub)?;
            self.upload(&quoted).await?;
        }
        self.job.note(Moment::Uploaded, unix_ms());
        self.sign(work, quoted).await
    }

    fn check_cap(&self, work: &Work, quote: &Quote) -> Result<Gio, UserError> {
        let limits = &self.job.order.price;
        let cap = cap(work, limits, quote.price).map_err(faults::job)?;
        let most = self.session.config().cap_default_max_gio;
        if limits.cap.is_none() && cap > most {
            let hint =
                "name a cap: --cap GIO, or cap_gio in the job file; or lower the limit: --pu PU";
            return Err(UserError::of(Code::CapMissing, Poor::Unbounded { cap, most }).hint(hint));
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
        let code = match poor {
            Poor::Gas => Code::FundsGas,
            _ => Code::FundsGio,
        };
        let next = format!("gio-buyer attach {}", self.job.id);
        let error = UserError::of(code, poor).hint(format!("send it to {address}"));
        Err(error.next(next))
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
        Err(UserError::of(Code::Declined, Poor::Declined))
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
        let terms = draw_up(work, &quoted.quote, limits, &signing).map_err(faults::job)?;
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
