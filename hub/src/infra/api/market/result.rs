//! Results: the posted root, where its bytes are, who was paid; and the buyer's confirmation.

use gio_net::wire::field::{self, bytes};
use gio_net::wire::{
    ConfirmReply, ConfirmRequest, MinerPayout, ResultReply, Settlement, UnitOutput, result_reply,
};
use gio_protocol::{DealId, Domain, confirmation_digest};

use super::super::content::to_wire;
use super::super::error::ApiError;
use super::stage_to_wire;
use crate::hub::Hub;
use crate::infra::store::{DealRow, PayoutRow, Posted, Settled};

/// Claims files up to this size come with the result, larger ones as a content.
const CLAIMS_INLINE_MAX: u64 = 256 * 1024;
/// Memory per unit while a result is put together: the claim, its row, the reply. Generous, so that few large ones at a
/// time keep the database busy.
const UNIT_BYTES: u64 = 4096;

impl Hub {
    pub(super) async fn result(&self, id: DealId) -> Result<ResultReply, ApiError> {
        let deal = self.store.deal(id).await?.ok_or(ApiError::UnknownDeal)?;
        let posted = deal
            .posted
            .filter(|posted| posted.tx.is_some())
            .ok_or(ApiError::NotPosted)?;
        let units = u64::from(deal.terms.unit_count);
        let memory = self.memory.take(units * UNIT_BYTES).await;
        let _memory = memory.ok_or(ApiError::Busy("other results are being read"))?;
        let payouts = self.store.payouts_of(id).await?;
        Ok(ResultReply {
            stage: stage_to_wire(deal.stage),
            result_root: bytes(posted.result_root),
            tree_hash: bytes(posted.tree_hash),
            cu_total: posted.cu_total.0,
            claims_file: Some(self.claims_file(&posted).await?),
            outputs: self.outputs(id).await?,
            posted_tx: posted.tx.map(bytes).unwrap_or_default(),
            settled: deal.settled.map(settlement),
            payouts: payouts.iter().map(payout).collect(),
            assembled: None,
        })
    }

    async fn claims_file(&self, posted: &Posted) -> Result<result_reply::ClaimsFile, ApiError> {
        if posted.claims.length > CLAIMS_INLINE_MAX {
            return Ok(result_reply::ClaimsFile::ClaimsRef(to_wire(posted.claims)));
        }
        let file = self.contents.get(posted.claims.root).await?;
        Ok(result_reply::ClaimsFile::ClaimsInline(file.into()))
    }

    async fn outputs(&self, id: DealId) -> Result<Vec<UnitOutput>, ApiError> {
        let claims = self.store.claims(id).await?;
        let outputs = claims.iter().map(|signed| UnitOutput {
            unit: signed.claim.unit,
            image: Some(to_wire(gio_content::ContentRef {
                root: signed.claim.content_root,
                length: signed.claim.output_length,
            })),
        });
        Ok(outputs.collect())
    }

    pub(super) async fn take_confirmation(
        &self,
        request: ConfirmRequest,
    ) -> Result<ConfirmReply, ApiError> {
        let id = DealId(field::hash("deal_id", &request.deal_id)?);
        let result_root = field::hash("result_root", &request.result_root)?;
        let deal = self.store.deal(id).await?.ok_or(ApiError::UnknownDeal)?;
        let posted = deal.posted.ok_or(ApiError::NotPosted)?;
        if posted.result_root != result_root {
            return Err(ApiError::OtherResult);
        }
        if let Some(tx) = settled_tx(&deal) {
            return Ok(tx);
        }
        let domain = Domain::new(self.chain.chain_id(), self.wallet);
        let digest = confirmation_digest(&domain, id.0, result_root);
        let signature = field::signature("signature", &request.signature)?;
        gio_keys::verify_by_address(deal.terms.buyer, digest, &signature)
            .map_err(|_| ApiError::BuyerSignature)?;
        self.store.set_confirmation(id, &request.signature).await?;
        self.look_at_deals.notify_one();
        Ok(ConfirmReply::default())
    }
}

fn settled_tx(deal: &DealRow) -> Option<ConfirmReply> {
    let tx_hash = bytes(deal.settled?.tx);
    Some(ConfirmReply { tx_hash })
}

fn settlement(settled: Settled) -> Settlement {
    Settlement {
        payment: settled.payment.units(),
        royalty: settled.royalty.units(),
        refund: settled.refund.units(),
        tx_hash: bytes(settled.tx),
    }
}

fn payout(payout: &PayoutRow) -> MinerPayout {
    MinerPayout {
        miner: bytes(payout.miner),
        cu: payout.cu.0,
        net: payout.net.units(),
        gross: payout.gross.units(),
        tx_hash: payout.tx.map(bytes).unwrap_or_default(),
        units: payout.units,
    }
}
