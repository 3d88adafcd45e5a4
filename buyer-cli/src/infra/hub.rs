//! A hub's calls, in the buyer's words. What comes back is checked for its form here and for its truth in `domain`.

mod people;

use std::time::Duration;

use alloy_primitives::Address;
use gio_content::ContentRef;
use gio_net::blob::{self, BlobError};
use gio_net::wire::field::{self, FieldError};
use gio_net::wire::market_client::MarketClient;
use gio_net::wire::{self, result_reply::ClaimsFile as ClaimsPlace};
use gio_net::{CALL_TIMEOUT, call, call_within, market_client};
use gio_protocol::{B256, Cu, DealId, DealTerms, Gio, PricePerPu, Signature, UnixSeconds};
use thiserror::Error;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use crate::domain::choose::KIND;
use crate::domain::quote::Quote;
use crate::output::printable;

pub use self::people::{Cancelled, Explanation, UnitTrouble};

/// Signing: the hub cuts the job itself first, and hashes every input.
const SIGN_TIMEOUT: Duration = Duration::from_secs(120);
/// Confirming: the hub sends a transaction and may wait for it.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

/// A call that a hub did not answer, or answered in a way that makes no sense.
#[derive(Debug, Error)]
pub enum HubError {
    /// The hub said no, or went away.
    #[error("the hub answered {}: {}", .0.code(), .0.message())]
    Call(Box<Status>),
    /// The answer has a malformed field.
    #[error("the hub's answer is malformed")]
    Field(#[from] FieldError),
    /// The answer lacks something it must have.
    #[error("the hub's answer lacks `{0}`")]
    Missing(&'static str),
    /// Bytes did not arrive.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The hub serves other bytes than it names.
    #[error("the hub sent other bytes than those of content {0}")]
    OtherBytes(B256),
}

impl HubError {
    /// Whether the same call may succeed in a moment.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Call(status) => matches!(
                status.code(),
                Code::Unavailable | Code::Unknown | Code::Cancelled | Code::DeadlineExceeded
            ),
            Self::Blob(error) => error.is_transient(),
            Self::Field(_) | Self::Missing(_) | Self::OtherBytes(_) => false,
        }
    }

    /// Whether the hub has too many calls of this key at once, as when several programs follow a job.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        matches!(self, Self::Call(status) if status.code() == Code::ResourceExhausted)
    }

    /// Whether the hub understood the call and refused it, with its reason.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Call(status) if status.code() == Code::FailedPrecondition => {
                Some(status.message())
            }
            _ => None,
        }
    }
}

impl From<Status> for HubError {
    /// The hub's words are parts of lines of ours from here on.
    fn from(status: Status) -> Self {
        let said = printable(status.message());
        Self::Call(Box::new(Status::new(status.code(), said)))
    }
}

impl From<Box<Status>> for HubError {
    fn from(status: Box<Status>) -> Self {
        (*status).into()
    }
}

/// What a buyer tells a hub to get a quote.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// Who will open the deal.
    pub buyer: Address,
    /// `keccak(buyer nonce)`.
    pub seed_commitment: B256,
    /// The job's JSON.
    pub job_spec: Vec<u8>,
    /// What the buyer's own split gave.
    pub unit_count: u32,
    /// Sum of the units' limits.
    pub cu_total_limit: Cu,
    /// When the result would be due.
    pub deliver_by: UnixSeconds,
}

/// A hub's word on a posted result.
#[derive(Clone, Debug)]
pub struct PostedResult {
    /// The claims file, or where it is.
    pub claims: ClaimsSource,
    /// The posting transaction.
    pub posted_tx: Option<B256>,
    /// What the hub paid for this deal so far.
    pub payouts: Vec<PayoutWord>,
}

/// The claims file, or where it is.
#[derive(Clone, Debug)]
pub enum ClaimsSource {
    /// In the answer itself.
    Inline(Vec<u8>),
    /// At the hub.
    At(ContentRef),
}

/// What a hub says it paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are those of MinerPayout in market.proto"
)]
pub struct PayoutWord {
    pub miner: Address,
    pub net: Gio,
    pub gross: Gio,
    pub tx: B256,
}

/// A connected hub. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HubClient {
    channel: Channel,
}

impl HubClient {
    /// A client over a channel.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self { channel }
    }

    fn market(&self) -> MarketClient<Channel> {
        market_client(self.channel.clone())
    }

    /// Asks for a price.
    ///
    /// # Errors
    /// [`HubError`]; a refusal says why the hub will not take the job.
    pub async fn quote(&self, inquiry: &Inquiry) -> Result<Quote, HubError> {
        let request = wire::QuoteRequest {
            buyer: field::bytes(inquiry.buyer),
            seed_commitment: field::bytes(inquiry.seed_commitment),
            job_spec: inquiry.job_spec.clone().into(),
            unit_count: inquiry.unit_count,
            cu_total_limit: inquiry.cu_total_limit.0,
            kinds: vec![KIND.to_owned()],
            deliver_by: inquiry.deliver_by.0,
            job_root: field::bytes([]),
        };
        let reply = self.market().quote(call(request)).await?.into_inner();
        gio_failpoint::fail_point!("buyer.asked.quote");
        let missing = reply.missing_content.iter().map(content_ref);
        Ok(Quote {
            wallet: field::address("wallet", &reply.wallet)?,
            chain_id: reply.chain_id,
            owner: field::address("owner", &reply.owner)?,
            price: PricePerPu(Gio::from_units(reply.price_per_pu)),
            hub_nonce: field::hash("hub_nonce", &reply.hub_nonce)?,
            guarantee: Gio::from_units(reply.guarantee),
            valid_until: UnixSeconds(reply.valid_until),
            window_seconds: reply.window_seconds,
            missing: missing.collect::<Result<_, _>>()?,
            quote_id: reply.quote_id,
        })
    }

    /// Hands over bytes the hub needs.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn upload(&self, content: ContentRef, bytes: Vec<u8>) -> Result<(), HubError> {
        blob::upload(self.channel.clone(), content.root, bytes.into()).await?;
        gio_failpoint::fail_point!("buyer.sent.content");
        Ok(())
    }

    /// Fetches bytes and compares them with their address.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn download(&self, content: ContentRef) -> Result<Vec<u8>, HubError> {
        let wanted = wire::ContentRef {
            root: field::bytes(content.root),
            length: content.length,
        };
        let bytes = blob::download(self.channel.clone(), &wanted, content.length).await?;
        gio_failpoint::fail_point!("buyer.fetched.content");
        if ContentRef::of(&bytes) == content {
            Ok(bytes.into())
        } else {
            Err(HubError::OtherBytes(content.root))
        }
    }

    /// Gives the signed terms and gets the hub's signature, not yet checked.
    ///
    /// # Errors
    /// [`HubError`]; a refusal says what the hub does not sign.
    pub async fn sign(
        &self,
        terms: &DealTerms,
        buyer_signature: &Signature,
        job_spec: Vec<u8>,
    ) -> Result<(DealId, Signature), HubError> {
        let request = wire::SignDealRequest {
            terms: terms.to_bytes().into(),
            buyer_signature: field::signature_bytes(buyer_signature),
            job_spec: job_spec.into(),
        };
        let request = call_within(SIGN_TIMEOUT, request);
        let reply = self.market().sign_deal(request).await?.into_inner();
        gio_failpoint::fail_point!("buyer.asked.signature");
        let deal = DealId(field::hash("deal_id", &reply.deal_id)?);
        Ok((
            deal,
            field::signature("hub_signature", &reply.hub_signature)?,
        ))
    }

    /// Tells the hub to look for the deal on chain.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn opened(&self, deal: DealId, tx: Option<B256>) -> Result<(), HubError> {
        let request = deal_ref(deal, tx);
        self.market().opened(call(request)).await?;
        gio_failpoint::fail_point!("buyer.told.opening");
        Ok(())
    }

    /// What happened since an event, then what happens.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn follow(
        &self,
        deal: DealId,
        after_event: u64,
    ) -> Result<Streaming<wire::DealProgress>, HubError> {
        let deal_id = field::bytes(deal.0);
        let request = wire::FollowRequest {
            deal_id,
            after_event,
        };
        // The stream has no deadline of its own, its beginning has.
        let mut market = self.market();
        let answer = tokio::time::timeout(CALL_TIMEOUT, market.follow(request)).await;
        gio_failpoint::fail_point!("buyer.asked.progress");
        let late = |_| Status::deadline_exceeded("the hub did not begin to answer");
        Ok(answer.map_err(late)??.into_inner())
    }

    /// The posted result and what was paid for it.
    ///
    /// # Errors
    /// [`HubError`]; a refusal before the result is posted.
    pub async fn result(&self, deal: DealId) -> Result<PostedResult, HubError> {
        let request = call(deal_ref(deal, None));
        let reply = self.market().result(request).await?.into_inner();
        gio_failpoint::fail_point!("buyer.asked.result");
        let claims = reply.claims_file.ok_or(HubError::Missing("claims_file"))?;
        let payouts = reply.payouts.iter().map(payout);
        Ok(PostedResult {
            claims: match claims {
                ClaimsPlace::ClaimsInline(bytes) => ClaimsSource::Inline(bytes.into()),
                ClaimsPlace::ClaimsRef(content) => ClaimsSource::At(content_ref(&content)?),
            },
            posted_tx: field::hash("posted_tx", &reply.posted_tx).ok(),
            payouts: payouts.collect::<Result<_, _>>()?,
        })
    }

    /// Outputs that lie with their claims, from a unit on, page by page, not yet checked.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn small_outputs(
        &self,
        deal: DealId,
        first_unit: u32,
    ) -> Result<Streaming<wire::OutputPage>, HubError> {
        let request = wire::OutputsRequest {
            deal_id: field::bytes(deal.0),
            first_unit,
        };
        let mut market = self.market();
        let answer = tokio::time::timeout(CALL_TIMEOUT, market.outputs(request)).await;
        gio_failpoint::fail_point!("buyer.asked.outputs");
        let late = |_| Status::deadline_exceeded("the hub did not begin to answer");
        Ok(answer.map_err(late)??.into_inner())
    }

    /// The next page of such outputs.
    ///
    /// # Errors
    /// [`HubError`], also when none comes for a while.
    pub async fn next_outputs(
        pages: &mut Streaming<wire::OutputPage>,
    ) -> Result<Option<wire::OutputPage>, HubError> {
        let page = tokio::time::timeout(CALL_TIMEOUT, pages.message()).await;
        let late = |_| Status::deadline_exceeded("the hub sent no more outputs");
        Ok(page.map_err(late)??)
    }

    /// Says that the result may be settled.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn confirm(
        &self,
        deal: DealId,
        result_root: B256,
        signature: &Signature,
    ) -> Result<(), HubError> {
        let request = wire::ConfirmRequest {
            deal_id: field::bytes(deal.0),
            result_root: field::bytes(result_root),
            signature: field::signature_bytes(signature),
        };
        let request = call_within(CONFIRM_TIMEOUT, request);
        self.market().confirm(request).await?;
        gio_failpoint::fail_point!("buyer.told.confirmation");
        Ok(())
    }
}

fn deal_ref(deal: DealId, tx: Option<B256>) -> wire::DealRef {
    wire::DealRef {
        deal_id: field::bytes(deal.0),
        tx_hash: tx.map(field::bytes).unwrap_or_default(),
    }
}

fn content_ref(content: &wire::ContentRef) -> Result<ContentRef, FieldError> {
    Ok(ContentRef {
        root: field::hash("root", &content.root)?,
        length: content.length,
    })
}

fn payout(payout: &wire::MinerPayout) -> Result<PayoutWord, FieldError> {
    Ok(PayoutWord {
        miner: field::address("miner", &payout.miner)?,
        net: Gio::from_units(payout.net),
        gross: Gio::from_units(payout.gross),
        tx: field::hash("tx_hash", &payout.tx_hash)?,
    })
}
