//! Market: quotes, signatures, progress and results for buyers.

mod follow;
mod outputs;
mod people;
mod quote;
mod result;
mod sign;

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, stream};
use gio_net::Caller;
use gio_net::wire::field;
use gio_net::wire::market_server::Market;
use gio_net::wire::{
    CancelReply, CancelRequest, ClaimsReply, ClaimsRequest, ConfirmReply, ConfirmRequest,
    DealProgress, DealRef, DealStage, ExplainReply, FollowRequest, MachinesReply, MachinesRequest,
    OpenedReply, OutputPage, OutputsRequest, QuoteReply, QuoteRequest, ResultReply, SignDealReply,
    SignDealRequest,
};
use gio_protocol::DealId;
use tonic::{Request, Response, Status};

use self::follow::Follower;
use self::outputs::Outputs;
use super::error::ApiError;
use crate::domain::stage::Stage;
use crate::hub::Hub;
use crate::infra::observe;

/// The Market service.
#[derive(Clone, Debug)]
pub struct MarketApi(pub Arc<Hub>);

#[tonic::async_trait]
impl Market for MarketApi {
    async fn quote(&self, request: Request<QuoteRequest>) -> Result<Response<QuoteReply>, Status> {
        let caller = Caller::of(&request)?;
        let reply = self.0.answer_quote(caller.address, request.into_inner());
        let reply = reply.await?;
        gio_failpoint::fail_point!("hub.answers.quote");
        Ok(Response::new(reply))
    }

    async fn sign_deal(
        &self,
        request: Request<SignDealRequest>,
    ) -> Result<Response<SignDealReply>, Status> {
        let caller = Caller::of(&request)?;
        let reply = self.0.sign_deal(caller.address, request.into_inner()).await;
        if let Err(error) = &reply {
            observe::refused(caller.address, error);
        }
        gio_failpoint::fail_point!("hub.answers.signature");
        Ok(Response::new(reply?))
    }

    async fn opened(&self, _request: Request<DealRef>) -> Result<Response<OpenedReply>, Status> {
        self.0.look_at_chain.notify_one();
        gio_failpoint::fail_point!("hub.answers.opened");
        Ok(Response::new(OpenedReply {}))
    }

    type FollowStream = Pin<Box<dyn Stream<Item = Result<DealProgress, Status>> + Send>>;

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let caller = Caller::of(&request)?;
        let FollowRequest {
            deal_id,
            after_event,
        } = request.into_inner();
        let id = DealId(field::hash("deal_id", &deal_id)?);
        let known = self.0.store.deal(id).await.map_err(ApiError::from)?;
        if known.is_none() {
            return Err(ApiError::UnknownDeal.into());
        }
        let place = self.0.places.following.take(caller.address);
        let place = place.ok_or(ApiError::TooManyCalls)?;
        let follower = Follower::new(Arc::clone(&self.0), id, after_event, place);
        let messages = stream::unfold(Some(follower), Follower::next);
        Ok(Response::new(Box::pin(messages)))
    }

    async fn result(&self, request: Request<DealRef>) -> Result<Response<ResultReply>, Status> {
        let caller = Caller::of(&request)?;
        let place = self.0.places.results.take(caller.address);
        let _place = place.ok_or(ApiError::TooManyCalls)?;
        let id = DealId(field::hash("deal_id", &request.into_inner().deal_id)?);
        let reply = self.0.result(id).await?;
        gio_failpoint::fail_point!("hub.answers.result");
        Ok(Response::new(reply))
    }

    type OutputsStream = Pin<Box<dyn Stream<Item = Result<OutputPage, Status>> + Send>>;

    async fn outputs(
        &self,
        request: Request<OutputsRequest>,
    ) -> Result<Response<Self::OutputsStream>, Status> {
        let caller = Caller::of(&request)?;
        let place = self.0.places.downloads.take(caller.address);
        let place = place.ok_or(ApiError::TooManyCalls)?;
        let OutputsRequest {
            deal_id,
            first_unit,
        } = request.into_inner();
        let id = DealId(field::hash("deal_id", &deal_id)?);
        let outputs = Outputs::begin(Arc::clone(&self.0), id, first_unit, place).await?;
        gio_failpoint::fail_point!("hub.answers.outputs");
        let pages = stream::unfold(Some(outputs), Outputs::next);
        Ok(Response::new(Box::pin(pages)))
    }

    async fn confirm(
        &self,
        request: Request<ConfirmRequest>,
    ) -> Result<Response<ConfirmReply>, Status> {
        let reply = self.0.take_confirmation(request.into_inner()).await?;
        gio_failpoint::fail_point!("hub.answers.confirmation");
        Ok(Response::new(reply))
    }

    async fn cancel(
        &self,
        request: Request<CancelRequest>,
    ) -> Result<Response<CancelReply>, Status> {
        let reply = self.0.take_cancellation(request.into_inner()).await?;
        gio_failpoint::fail_point!("hub.answers.cancellation");
        Ok(Response::new(reply))
    }

    async fn machines(
        &self,
        request: Request<MachinesRequest>,
    ) -> Result<Response<MachinesReply>, Status> {
        let caller = Caller::of(&request)?;
        let place = self.0.places.questions.take(caller.address);
        let _place = place.ok_or(ApiError::TooManyCalls)?;
        let reply = self.0.machines(request.into_inner()).await?;
        gio_failpoint::fail_point!("hub.answers.machines");
        Ok(Response::new(reply))
    }

    async fn explain(&self, request: Request<DealRef>) -> Result<Response<ExplainReply>, Status> {
        let caller = Caller::of(&request)?;
        let place = self.0.places.questions.take(caller.address);
        let _place = place.ok_or(ApiError::TooManyCalls)?;
        let reply = self.0.explain(caller.address, request.into_inner());
        let reply = reply.await?;
        gio_failpoint::fail_point!("hub.answers.explanation");
        Ok(Response::new(reply))
    }

    async fn claims(
        &self,
        request: Request<ClaimsRequest>,
    ) -> Result<Response<ClaimsReply>, Status> {
        let caller = Caller::of(&request)?;
        let place = self.0.places.questions.take(caller.address);
        let _place = place.ok_or(ApiError::TooManyCalls)?;
        let reply = self.0.accepted_claims(caller.address, request.into_inner());
        let reply = reply.await?;
        gio_failpoint::fail_point!("hub.answers.claims");
        Ok(Response::new(reply))
    }
}

/// The wire's word for a stage.
fn stage_to_wire(stage: Stage) -> i32 {
    let stage = match stage {
        Stage::Signed => DealStage::Signed,
        Stage::Open => DealStage::Open,
        Stage::Running => DealStage::Running,
        Stage::Assembling => DealStage::Assembling,
        Stage::Posted => DealStage::Posted,
        Stage::Settled => DealStage::Settled,
        Stage::Refunded => DealStage::Refunded,
        Stage::Cancelled => DealStage::Cancelled,
        Stage::Refuted => DealStage::Refuted,
        Stage::Expired => DealStage::Expired,
    };
    stage.into()
}
