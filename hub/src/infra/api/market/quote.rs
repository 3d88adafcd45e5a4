//! Quotes: what a job costs here, and what of it the hub does not have yet.

use gio_agent::random_word;
use gio_content::JobSpec;
use gio_net::wire::field::{self, bytes};
use gio_net::wire::{ContentRef, QuoteReply, QuoteRequest};
use gio_protocol::{Address, B256, Gio, UnixSeconds};

use super::super::content::to_wire;
use super::super::error::ApiError;
use crate::domain::payout::due;
use crate::domain::quote::{Inquiry, NoQuote, quote};
use crate::domain::size::JobSize;
use crate::hub::Hub;
use crate::infra::observe;

/// Quotes a peer may hold at once: a buyer needs one per job it is about to submit.
const QUOTES_PER_PEER_MAX: u32 = 64;
/// What this hub runs.
const KINDS: [&str; 1] = ["wasm"];

impl Hub {
    pub(super) async fn answer_quote(
        &self,
        caller: Address,
        request: QuoteRequest,
    ) -> Result<QuoteReply, ApiError> {
        if self.stop.is_cancelled() {
            return Err(ApiError::Stopping);
        }
        if self.operation.is_draining() {
            return Err(NoQuote::Draining.into());
        }
        let inquiry = Inquiry {
            buyer: field::address("buyer", &request.buyer)?,
            seed_commitment: field::hash("seed_commitment", &request.seed_commitment)?,
            deliver_by: UnixSeconds(request.deliver_by),
        };
        let foreign = request
            .kinds
            .iter()
            .find(|kind| !KINDS.contains(&kind.as_str()));
        if let Some(kind) = foreign {
            let kind = kind.chars().take(32).collect();
            return Err(NoQuote::Kind(kind).into());
        }
        let spec = JobSpec::from_json(&request.job_spec)?;
        let config = self.config();
        JobSize::of(&spec).check(&config.limits.job())?;
        self.check_load(caller).await?;
        let (nonce, free) = (random_word(), self.uncommitted().await?);
        let quote = quote(&config.prices, &inquiry, nonce, free, self.now())?;
        self.store.add_quote(&quote, caller).await?;
        observe::quoted(quote.buyer, quote.price.0);
        Ok(QuoteReply {
            wallet: bytes(self.wallet),
            chain_id: self.chain.chain_id(),
            owner: bytes(self.key.address()),
            price_per_pu: quote.price.0.units(),
            hub_nonce: bytes(quote.hub_nonce),
            guarantee: quote.guarantee.units(),
            valid_until: quote.valid_until.0,
            window_seconds: quote.window_seconds,
            missing_content: self.missing(&spec).await?,
            quote_id: format!("{:.10}", quote.hub_nonce),
        })
    }

    /// Bounds what the hub remembers for strangers, and what it takes on.
    async fn check_load(&self, caller: Address) -> Result<(), ApiError> {
        let open = self.store.open_quotes(caller, self.now()).await?;
        if open >= u64::from(QUOTES_PER_PEER_MAX) {
            return Err(NoQuote::TooMany(QUOTES_PER_PEER_MAX).into());
        }
        let deals_max = self.config().limits.deals;
        if self.store.load().await?.deals >= u64::from(deals_max) {
            return Err(NoQuote::Busy(deals_max).into());
        }
        Ok(())
    }

    /// The wallet's free balance less what is promised: guarantees of deals that are signed and may still be opened, and
    /// pay for deals that are over (F4).
    pub(super) async fn uncommitted(&self) -> Result<Gio, ApiError> {
        let free = self.free_balance().await?;
        let promised = self.store.load().await?.guarantees;
        let accounts = self.store.accounts().await?;
        let over = accounts.iter().filter(|account| account.over);
        let unpaid = over.filter_map(|account| due(&account.account).ok().flatten());
        Ok(unpaid.fold(free.minus_or_zero(promised), |free, due| {
            free.minus_or_zero(due.gross)
        }))
    }

    /// What of a job is not here, each content once.
    async fn missing(&self, spec: &JobSpec) -> Result<Vec<ContentRef>, ApiError> {
        let mut contents: Vec<_> = spec.contents().collect();
        contents.sort();
        contents.dedup();
        let roots: Vec<B256> = contents.iter().map(|content| content.root).collect();
        let here = self.contents.lengths(&roots).await?;
        contents.retain(|content| !here.contains_key(&content.root));
        Ok(contents.into_iter().map(to_wire).collect())
    }
}
