//! Signatures: terms in, the hub's countersignature out, and nothing signed that the hub could not keep.
//!
//! # Security
//! What costs a stranger nothing costs the hub nothing: the heavy check of a job comes last, for a buyer who has the
//! money, one at a time per peer, within the limits that the specification alone already shows. Memory is lent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gio_content::{JobSpec, Plan};
use gio_net::wire::field::{self, bytes, signature_bytes};
use gio_net::wire::{SignDealReply, SignDealRequest};
use gio_protocol::{Address, B256, DealId, DealTerms, PricePerPu, keccak256};
use tokio::time::timeout;

use super::super::error::ApiError;
use crate::domain::agreement::{check_job, check_terms};
use crate::domain::deal::DealInfo;
use crate::domain::quote::{NoQuote, Quote};
use crate::domain::size::JobSize;
use crate::domain::stage::Stage;
use crate::hub::Hub;
use crate::infra::content::blocking;
use crate::infra::observe;
use crate::infra::store::{Added, DealRow, NewDeal, Turn};

/// How long a caller waits for its job's turn to be checked; its own deadline is about as long.
const CHECK_WAIT: Duration = Duration::from_secs(10);

impl Hub {
    pub(super) async fn sign_deal(
        &self,
        caller: Address,
        request: SignDealRequest,
    ) -> Result<SignDealReply, ApiError> {
        let terms = DealTerms::from_bytes(&request.terms)?;
        let id = terms.deal_id(self.chain.chain_id());
        let quote = match self.store.quote(terms.hub_nonce).await? {
            None => return Err(ApiError::UnknownQuote),
            Some((_, Some(used))) if used == id => return self.signed_before(id).await,
            Some((_, Some(_))) => return Err(ApiError::QuoteUsed),
            Some((quote, None)) => quote,
        };
        if self.stop.is_cancelled() {
            return Err(ApiError::Stopping);
        }
        let spec = self.check_cheaply(&terms, &quote, &request)?;
        // An output that finds no room is work that cannot be billed.
        self.contents.check_room(spec.bounds.output_max)?;
        self.check_buyer_funds(&terms).await?;
        let terms = self
            .check_own_split(caller, terms, &request, quote.net_price)
            .await?;
        let row = DealRow {
            id,
            hub_signature: self.key.sign(id.0),
            buyer_signature: request.buyer_signature.to_vec(),
            net_price: quote.net_price,
            stage: Stage::Signed,
            posted: None,
            confirmation: None,
            settled: None,
            terms,
        };
        let contents: Vec<B256> = spec.contents().map(|content| content.root).collect();
        let new = NewDeal {
            row: &row,
            job_spec: &request.job_spec,
            contents: &contents,
            memory: JobSize::of(&spec).resident_bytes(),
        };
        self.promise(&new).await?;
        observe::stage(id, Stage::Signed);
        Ok(signed_reply(&row))
    }

    /// Asked twice, answered twice the same.
    async fn signed_before(&self, id: DealId) -> Result<SignDealReply, ApiError> {
        let known = self.store.deal(id).await?.ok_or(ApiError::UnknownDeal)?;
        Ok(signed_reply(&known))
    }

    /// Everything that costs no more than reading the request.
    fn check_cheaply(
        &self,
        terms: &DealTerms,
        quote: &Quote,
        request: &SignDealRequest,
    ) -> Result<JobSpec, ApiError> {
        let config = self.config();
        let prices = &config.prices;
        check_terms(terms, quote, self.wallet, prices, self.now())?;
        let signature = field::signature("buyer_signature", &request.buyer_signature)?;
        let id = terms.deal_id(self.chain.chain_id());
        gio_keys::verify_by_address(terms.buyer, id.0, &signature)
            .map_err(|_| ApiError::BuyerSignature)?;
        let spec = JobSpec::from_json(&request.job_spec)?;
        JobSize::of(&spec).check(&config.limits.job())?;
        Ok(spec)
    }

    /// Splits the job itself and compares, when it is the caller's turn.
    async fn check_own_split(
        &self,
        caller: Address,
        terms: DealTerms,
        request: &SignDealRequest,
        net_price: PricePerPu,
    ) -> Result<DealTerms, ApiError> {
        let turn = self.places.signing.take(caller);
        let _turn = turn.ok_or(ApiError::Busy("another job of yours is being checked"))?;
        let place = timeout(CHECK_WAIT, self.checks.acquire()).await;
        let busy = ApiError::Busy("other jobs are being checked");
        let _place = place.map_err(|_| busy)?.map_err(|_| ApiError::Stopping)?;
        let deal = self.derive(terms, &request.job_spec, net_price).await?;
        check_job(&deal)?;
        Ok(deal.terms)
    }

    /// A stranger without money cannot tie up guarantees: it holds what it has signed for.
    async fn check_buyer_funds(&self, terms: &DealTerms) -> Result<(), ApiError> {
        let signed = self.store.unopened_caps(terms.buyer).await?;
        let signed = signed.plus(terms.cap).map_err(NoQuote::Price)?;
        let held = self.chain.balance(terms.buyer).await?;
        if held < signed {
            return Err(ApiError::BuyerFunds { held, signed });
        }
        Ok(())
    }

    /// Writes the deal down if the hub can keep it (F4); nobody else's promise comes in between.
    async fn promise(&self, new: &NewDeal<'_>) -> Result<(), ApiError> {
        let _promise = self.notes.promise.lock().await;
        let _alone = self.store.turn(Turn::Promise).await?;
        let config = self.config();
        let limits = &config.limits;
        let load = self.store.load().await?;
        let memory = load.memory.saturating_add(new.memory);
        let is_full = load.deals >= u64::from(limits.deals);
        if is_full || memory > crate::config::mib(limits.deals_mib) {
            return Err(NoQuote::Busy(limits.deals).into());
        }
        let (free, guarantee) = (self.uncommitted().await?, new.row.terms.guarantee);
        if free < guarantee {
            return Err(NoQuote::FreeBalance { free, guarantee }.into());
        }
        match self.store.add_deal(new, self.now()).await? {
            Added::Yes => Ok(()),
            Added::QuoteUsed => Err(ApiError::QuoteUsed),
            Added::ContentMissing(root) => {
                Err(crate::infra::content::ContentError::Missing(root).into())
            }
        }
    }

    /// Repeats the buyer's split from the bytes themselves (R1, R19). Whoever calls has a place among the checks.
    pub(crate) async fn derive(
        &self,
        terms: DealTerms,
        job_spec: &[u8],
        net_price: PricePerPu,
    ) -> Result<DealInfo, ApiError> {
        let spec = JobSpec::from_json(job_spec)?;
        let memory = self.memory.take(JobSize::of(&spec).memory_bytes()).await;
        let memory = memory.ok_or(ApiError::Busy("no memory for a job of this size now"))?;
        self.check_lengths(&spec).await?;
        let module = self.contents.get(spec.module.root).await?;
        let mut inputs = BTreeMap::new();
        for (name, content) in &spec.inputs {
            inputs.insert(name.clone(), self.contents.get(content.root).await?);
        }
        let chain_id = self.chain.chain_id();
        blocking(move || {
            let _memory = memory;
            gio_machine::prepare(&module, &gio_machine::PrepareLimits::default())?;
            let program_root = keccak256(&module);
            drop(module);
            let plan = Plan::new(Arc::new(spec), Arc::new(inputs))?;
            Ok(DealInfo::derive(
                terms,
                chain_id,
                plan,
                program_root,
                net_price,
            )?)
        })
        .await?
    }

    /// The sizes a job was judged by are those of its contents.
    async fn check_lengths(&self, spec: &JobSpec) -> Result<(), ApiError> {
        let roots: Vec<B256> = spec.contents().map(|content| content.root).collect();
        let lengths = self.contents.lengths(&roots).await?;
        for content in spec.contents() {
            let root = content.root;
            let missing = crate::infra::content::ContentError::Missing(root);
            let found = *lengths.get(&root).ok_or(missing)?;
            if found != content.length {
                return Err(ApiError::ContentLength {
                    root,
                    found,
                    expected: content.length,
                });
            }
        }
        Ok(())
    }
}

fn signed_reply(deal: &DealRow) -> SignDealReply {
    SignDealReply {
        deal_id: bytes(deal.id.0),
        hub_signature: signature_bytes(&deal.hub_signature),
    }
}
