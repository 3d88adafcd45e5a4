//! Market: quotes, signatures, progress and results for buyers.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use gio_agent::random_word;
use gio_content::{JobSpec, Plan};
use gio_net::Caller;
use gio_net::wire::field::{self, bytes, signature_bytes};
use gio_net::wire::market_server::Market;
use gio_net::wire::{
    ConfirmReply, ConfirmRequest, DealProgress, DealRef, FollowRequest, MinerPayout, OpenedReply,
    QuoteReply, QuoteRequest, ResultReply, Settlement, SignDealReply, SignDealRequest, UnitOutput,
    result_reply,
};
use gio_protocol::{DealId, DealTerms, Gio, PricePerPu, UnixSeconds, keccak256};
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::{Request, Response, Status};

use super::content::to_wire;
use super::error::ApiError;
use crate::domain::agreement::{check_job, check_terms};
use crate::domain::board::Progress;
use crate::domain::deal::DealInfo;
use crate::domain::quote::{Inquiry, quote};
use crate::hub::Hub;
use crate::infra::observe;
use crate::infra::progress::Stage;
use crate::infra::store::{DealRow, PayoutRow, StageEvent};

/// A follower hears at least this often, so that it notices a dead line.
const FOLLOW_PULSE: Duration = Duration::from_secs(5);
/// Claims files up to this size come with the result, larger ones as a content.
const CLAIMS_INLINE_MAX: usize = 256 * 1024;

/// The Market service.
#[derive(Clone, Debug)]
pub struct MarketApi(pub Arc<Hub>);

#[tonic::async_trait]
impl Market for MarketApi {
    async fn quote(&self, request: Request<QuoteRequest>) -> Result<Response<QuoteReply>, Status> {
        Ok(Response::new(
            self.0.answer_quote(request.into_inner()).await?,
        ))
    }

    async fn sign_deal(
        &self,
        request: Request<SignDealRequest>,
    ) -> Result<Response<SignDealReply>, Status> {
        let caller = Caller::of(&request)?;
        let reply = self.0.sign_deal(request.into_inner()).await;
        if let Err(error) = &reply {
            observe::refused(caller.address, error);
        }
        Ok(Response::new(reply?))
    }

    async fn opened(&self, _request: Request<DealRef>) -> Result<Response<OpenedReply>, Status> {
        self.0.look_at_chain.notify_one();
        Ok(Response::new(OpenedReply {}))
    }

    type FollowStream = Pin<Box<dyn Stream<Item = Result<DealProgress, Status>> + Send>>;

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let FollowRequest {
            deal_id,
            after_event,
        } = request.into_inner();
        let id = DealId(field::hash("deal_id", &deal_id)?);
        if self
            .0
            .store
            .deal(id)
            .await
            .map_err(ApiError::from)?
            .is_none()
        {
            return Err(ApiError::UnknownDeal.into());
        }
        let follower = Follower {
            changes: self.0.progress.subscribe(id),
            hub: Arc::clone(&self.0),
            id,
            after_event,
            pending: Vec::new(),
            stage: Stage::Signed,
            first: true,
        };
        Ok(Response::new(Box::pin(stream::unfold(
            Some(follower),
            Follower::next,
        ))))
    }

    async fn result(&self, request: Request<DealRef>) -> Result<Response<ResultReply>, Status> {
        let id = DealId(field::hash("deal_id", &request.into_inner().deal_id)?);
        Ok(Response::new(self.0.result(id).await?))
    }

    async fn confirm(
        &self,
        request: Request<ConfirmRequest>,
    ) -> Result<Response<ConfirmReply>, Status> {
        Ok(Response::new(
            self.0.take_confirmation(request.into_inner()).await?,
        ))
    }
}

impl Hub {
    async fn answer_quote(&self, request: QuoteRequest) -> Result<QuoteReply, ApiError> {
        let inquiry = Inquiry {
            buyer: field::address("buyer", &request.buyer)?,
            seed_commitment: field::hash("seed_commitment", &request.seed_commitment)?,
            deliver_by: UnixSeconds(request.deliver_by),
        };
        let spec = JobSpec::from_json(&request.job_spec)?;
        let free = self
            .chain
            .wallet(self.wallet)
            .await?
            .free
            .minus_or_zero(self.promised().await?);
        let quote = quote(
            &self.config.prices,
            &inquiry,
            random_word(),
            free,
            self.now(),
        )?;
        self.store.add_quote(&quote).await?;
        let mut missing_content = Vec::new();
        for content in spec.contents() {
            if !self.contents.has(content.root).await? {
                missing_content.push(to_wire(content));
            }
        }
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
            missing_content,
            quote_id: format!("{:.10}", quote.hub_nonce),
        })
    }

    /// Guarantees of deals that are signed and may still be opened.
    async fn promised(&self) -> Result<Gio, ApiError> {
        let signed = self.store.deals_in(&[Stage::Signed]).await?;
        Ok(signed.iter().fold(Gio::ZERO, |sum, deal| {
            sum.plus(deal.terms.guarantee).unwrap_or(sum)
        }))
    }

    async fn sign_deal(&self, request: SignDealRequest) -> Result<SignDealReply, ApiError> {
        let terms = DealTerms::from_bytes(&request.terms)?;
        let id = terms.deal_id(self.chain.chain_id());
        let (quote, used_by) = self
            .store
            .quote(terms.hub_nonce)
            .await?
            .ok_or(ApiError::UnknownQuote)?;
        if used_by == Some(id) {
            let known = self.store.deal(id).await?.ok_or(ApiError::UnknownDeal)?;
            return Ok(signed_reply(&known));
        }
        check_terms(&terms, &quote, self.wallet, self.now())?;
        let buyer_signature = field::signature("buyer_signature", &request.buyer_signature)?;
        gio_keys::verify_by_address(terms.buyer, id.0, &buyer_signature)
            .map_err(|_| ApiError::BuyerSignature)?;
        let deal = self
            .derive(terms, &request.job_spec, quote.net_price)
            .await?;
        check_job(&deal)?;
        let row = DealRow {
            id,
            job_spec: request.job_spec.to_vec(),
            hub_signature: self.key.sign(id.0),
            buyer_signature: request.buyer_signature.to_vec(),
            net_price: quote.net_price,
            stage: Stage::Signed,
            posted: None,
            confirmation: None,
            settled: None,
            terms: deal.terms,
        };
        if !self.store.add_deal(&row, self.now()).await? {
            return Err(ApiError::QuoteUsed);
        }
        observe::stage(id, Stage::Signed);
        Ok(signed_reply(&row))
    }

    /// Repeats the buyer's split from the bytes themselves (R1, R19).
    pub(crate) async fn derive(
        &self,
        terms: DealTerms,
        job_spec: &[u8],
        net_price: PricePerPu,
    ) -> Result<DealInfo, ApiError> {
        let spec = JobSpec::from_json(job_spec)?;
        let module = self.contents.get(spec.module.root).await?;
        let mut inputs = BTreeMap::new();
        for (name, content) in &spec.inputs {
            inputs.insert(name.clone(), self.contents.get(content.root).await?);
        }
        let chain_id = self.chain.chain_id();
        let work = move || {
            gio_machine::prepare(&module, &gio_machine::PrepareLimits::default())?;
            let plan = Plan::new(Arc::new(spec), Arc::new(inputs))?;
            Ok(DealInfo::derive(
                terms,
                chain_id,
                plan,
                keccak256(&module),
                net_price,
            )?)
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| ApiError::Stopping)?
    }

    async fn result(&self, id: DealId) -> Result<ResultReply, ApiError> {
        let deal = self.store.deal(id).await?.ok_or(ApiError::UnknownDeal)?;
        let posted = deal
            .posted
            .filter(|posted| posted.tx.is_some())
            .ok_or(ApiError::NotPosted)?;
        let file = self.contents.get(posted.claims.root).await?;
        let claims_file = if file.len() <= CLAIMS_INLINE_MAX {
            result_reply::ClaimsFile::ClaimsInline(file.into())
        } else {
            result_reply::ClaimsFile::ClaimsRef(to_wire(posted.claims))
        };
        let claims = self.store.claims(id).await?;
        let outputs = claims.iter().map(|signed| UnitOutput {
            unit: signed.claim.unit,
            image: Some(to_wire(gio_content::ContentRef {
                root: signed.claim.content_root,
                length: signed.claim.output_length,
            })),
        });
        let settled = deal.settled.map(|settled| Settlement {
            payment: settled.payment.units(),
            royalty: settled.royalty.units(),
            refund: settled.refund.units(),
            tx_hash: bytes(settled.tx),
        });
        Ok(ResultReply {
            stage: deal.stage.to_wire().into(),
            result_root: bytes(posted.result_root),
            tree_hash: bytes(posted.tree_hash),
            cu_total: posted.cu_total.0,
            claims_file: Some(claims_file),
            outputs: outputs.collect(),
            posted_tx: posted.tx.map(bytes).unwrap_or_default(),
            settled,
            payouts: self
                .store
                .payouts_of(id)
                .await?
                .iter()
                .map(payout_to_wire)
                .collect(),
            assembled: None,
        })
    }

    async fn take_confirmation(&self, request: ConfirmRequest) -> Result<ConfirmReply, ApiError> {
        let id = DealId(field::hash("deal_id", &request.deal_id)?);
        let result_root = field::hash("result_root", &request.result_root)?;
        let deal = self.store.deal(id).await?.ok_or(ApiError::UnknownDeal)?;
        let posted = deal.posted.ok_or(ApiError::NotPosted)?;
        if posted.result_root != result_root {
            return Err(ApiError::OtherResult);
        }
        if let Some(settled) = deal.settled {
            return Ok(ConfirmReply {
                tx_hash: bytes(settled.tx),
            });
        }
        let domain = gio_protocol::Domain::new(self.chain.chain_id(), self.wallet);
        let digest = gio_protocol::confirmation_digest(&domain, id.0, result_root);
        let signature = field::signature("signature", &request.signature)?;
        gio_keys::verify_by_address(deal.terms.buyer, digest, &signature)
            .map_err(|_| ApiError::BuyerSignature)?;
        self.store.set_confirmation(id, &request.signature).await?;
        self.look_at_deals.notify_one();
        Ok(ConfirmReply::default())
    }
}

fn signed_reply(deal: &DealRow) -> SignDealReply {
    SignDealReply {
        deal_id: bytes(deal.id.0),
        hub_signature: signature_bytes(&deal.hub_signature),
    }
}

fn payout_to_wire(payout: &PayoutRow) -> MinerPayout {
    MinerPayout {
        miner: bytes(payout.miner),
        cu: payout.cu.0,
        net: payout.net.units(),
        gross: payout.gross.units(),
        tx_hash: payout.tx.map(bytes).unwrap_or_default(),
        units: payout.units,
    }
}

/// One caller of Follow: the stored events first, then live counters whenever they change.
struct Follower {
    hub: Arc<Hub>,
    id: DealId,
    after_event: u64,
    pending: Vec<StageEvent>,
    changes: watch::Receiver<Progress>,
    stage: Stage,
    first: bool,
}

impl Follower {
    async fn next(state: Option<Self>) -> Option<(Result<DealProgress, Status>, Option<Self>)> {
        let mut this = state?;
        if this.pending.is_empty() {
            if !this.first {
                // The pulse and the change lead to the same: look again.
                let _ = timeout(FOLLOW_PULSE, this.changes.changed()).await;
            }
            this.first = false;
            match this.hub.store.events(this.id, this.after_event).await {
                Ok(events) => this.pending = events.into_iter().rev().collect(),
                Err(error) => return Some((Err(ApiError::from(error).into()), None)),
            }
        }
        let event = this.pending.pop();
        if let Some(event) = &event {
            this.after_event = event.id;
            this.stage = event.stage;
        }
        let message = this.message(event);
        let last = this.stage.is_final() && this.pending.is_empty();
        Some((Ok(message), (!last).then_some(this)))
    }

    fn message(&mut self, event: Option<StageEvent>) -> DealProgress {
        let progress = *self.changes.borrow_and_update();
        let now = self.hub.now();
        DealProgress {
            deal_id: bytes(self.id.0),
            stage: self.stage.to_wire().into(),
            units_total: progress.total,
            units_queued: progress.queued,
            units_running: progress.running,
            units_done: progress.done,
            cu_done: progress.cu_done.0,
            miners: progress.miners,
            at: event.as_ref().map_or(now.0, |event| event.at.0),
            event_id: event.as_ref().map_or(0, |event| event.id),
            message: event.map(|event| event.message).unwrap_or_default(),
        }
    }
}
