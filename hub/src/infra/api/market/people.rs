//! What buyers ask beside their money's way: which machines there are, why a deal is where it is, what is claimed so
//! far; and that no more of it be run.

use gio_net::wire::field::{self, bytes, signature_bytes};
use gio_net::wire::{
    AcceptedClaim, CancelReply, CancelRequest, ClaimsReply, ClaimsRequest, DealRef, ExplainReply,
    MachinesReply, MachinesRequest, UnitTrouble,
};
use gio_protocol::{Address, DealId, Domain, Gio, PricePerPu, cancellation_digest};
use tokio::sync::oneshot;

use super::super::error::ApiError;
use super::stage_to_wire;
use crate::domain::board::{Machines, Progress};
use crate::domain::stage::Stage;
use crate::hub::Hub;
use crate::infra::observe;
use crate::infra::store::{Cancellation, DealRow, TroubleRow};
use crate::services::dispatch::{Command, Question, View};

/// Claims in one answer: each has less than 400 bytes.
const CLAIMS_MAX: u32 = 256;

impl Hub {
    /// The miners for units of such limits at today's price.
    pub(super) async fn machines(
        &self,
        request: MachinesRequest,
    ) -> Result<MachinesReply, ApiError> {
        let net_price = self.config().prices.net_price;
        let question = Question::Machines {
            pages_max: request.pages_max,
            net_price,
        };
        let view = self.ask_board(question).await?;
        Ok(machines_reply(&view.machines, net_price))
    }

    /// Why a deal is where it is; for its buyer only, because a miner's words may say what a job is about.
    pub(super) async fn explain(
        &self,
        caller: Address,
        request: DealRef,
    ) -> Result<ExplainReply, ApiError> {
        let deal = self.deal_of(caller, &request.deal_id).await?;
        let view = self.ask_board(Question::Deal(deal.id)).await?;
        let newest = self.store.events(deal.id, 0).await?.pop();
        let troubles = self.store.troubles(deal.id).await?;
        let cancellation = self.store.cancellation(deal.id).await?;
        let progress = view.progress.unwrap_or(Progress {
            total: deal.terms.unit_count,
            ..Progress::default()
        });
        Ok(ExplainReply {
            stage: stage_to_wire(deal.stage),
            message: newest
                .as_ref()
                .map(|event| event.message.clone())
                .unwrap_or_default(),
            at: newest.map_or(0, |event| event.at.0),
            units_total: progress.total,
            units_queued: progress.queued,
            units_running: progress.running,
            units_done: progress.done,
            machines: Some(machines_reply(&view.machines, deal.net_price)),
            troubles_total: troubles
                .last()
                .map_or(0, |last| u32::try_from(last.number).unwrap_or(u32::MAX)),
            troubles: troubles.into_iter().map(trouble).collect(),
            cancel_until: cancellation.map_or(0, |cancellation| cancellation.until.0),
        })
    }

    /// What is claimed so far; for the buyer only, to whom it will belong.
    pub(super) async fn accepted_claims(
        &self,
        caller: Address,
        request: ClaimsRequest,
    ) -> Result<ClaimsReply, ApiError> {
        let deal = self.deal_of(caller, &request.deal_id).await?;
        let claims = self
            .store
            .claims_from(deal.id, request.from_unit, CLAIMS_MAX);
        let claims = claims.await?.into_iter().map(|signed| AcceptedClaim {
            claim: signed.claim.to_bytes().into(),
            signature: signature_bytes(&signed.signature),
        });
        Ok(ClaimsReply {
            claims: claims.collect(),
        })
    }

    /// Takes a buyer's cancellation: on disk first, then the board hears of it, then the buyer (R10).
    pub(super) async fn take_cancellation(
        &self,
        request: CancelRequest,
    ) -> Result<CancelReply, ApiError> {
        let id = DealId(field::hash("deal_id", &request.deal_id)?);
        let deal = self.store.deal(id).await?.ok_or(ApiError::UnknownDeal)?;
        let domain = Domain::new(self.chain.chain_id(), self.wallet);
        let digest = cancellation_digest(&domain, id.0, Gio::ZERO);
        let signature = field::signature("signature", &request.signature)?;
        gio_keys::verify_by_address(deal.terms.buyer, digest, &signature)
            .map_err(|_| ApiError::BuyerSignature)?;
        if deal.stage >= Stage::Assembling {
            return Err(ApiError::TooLateToCancel(deal.stage.name()));
        }
        let now = self.now();
        // Every unit given out before now is late by then, so the grace is enough for all of them.
        let grace = now.after(self.config().hub.unit_seconds);
        let cancellation = Cancellation {
            signature: request.signature.to_vec(),
            at: now,
            until: grace.min(deal.terms.deliver_by),
        };
        let stands = self.store.cancel(id, &cancellation).await?;
        observe::cancelled(id, stands.until);
        let view = self.ask_board(Question::Stop(id)).await?;
        self.look_at_deals.notify_one();
        let progress = view.progress.unwrap_or_default();
        Ok(CancelReply {
            until: stands.until.0,
            units_running: progress.running,
            units_done: progress.done,
        })
    }

    async fn deal_of(&self, caller: Address, id: &[u8]) -> Result<DealRow, ApiError> {
        let id = DealId(field::hash("deal_id", id)?);
        let deal = self.store.deal(id).await?;
        deal.filter(|deal| deal.terms.buyer == caller)
            .ok_or(ApiError::UnknownDeal)
    }

    /// Asks the dispatcher, the one owner of the board.
    pub(crate) async fn ask_board(&self, question: Question) -> Result<View, ApiError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.dispatcher.send(Command::Ask { question, answer });
        sent.await.map_err(|_| ApiError::Stopping)?;
        answered.await.map_err(|_| ApiError::Stopping)
    }
}

fn machines_reply(found: &Machines, net_price: PricePerPu) -> MachinesReply {
    MachinesReply {
        connected: found.connected,
        ready: found.ready,
        busy: found.busy,
        memory_too_small: found.memory_too_small,
        pay_too_low: found.pay_too_low,
        waiting_for_pay: found.waiting_for_pay,
        resting: found.resting,
        draining: found.draining,
        bond_too_short: found.bond_too_short,
        pages_offered: found.pages_offered,
        net_price_per_pu: net_price.0.units(),
        net_price_wanted: found.net_price_wanted.0.units(),
    }
}

fn trouble(row: TroubleRow) -> UnitTrouble {
    UnitTrouble {
        unit: row.unit,
        miner: bytes(row.miner),
        reason: row.reason,
        at: row.at.0,
    }
}
