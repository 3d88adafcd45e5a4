//! Fetching a posted result and believing none of it before it is checked; then writing it out.

use std::collections::BTreeMap;
use std::convert::Infallible;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use gio_agent::{ExitStatus, UserError};
use gio_content::ContentRef;
use gio_evm::DealInfo;
use gio_net::wire::OutputPage;
use gio_protocol::{Claim, ClaimsFile, ClaimsFileError, Domain};
use thiserror::Error;

use super::{Driver, blocking, unix_ms};
use crate::content_store::{ContentError, ContentStore};
use crate::domain::next::Step;
use crate::domain::refute::{Refutation, refutation};
use crate::domain::verify::{Expected, ResultError, check_claims, check_output};
use crate::faults;
use crate::infra::hub::{ClaimsSource, HubClient, HubError, PostedResult};
use crate::infra::retry::retrying;
use crate::job::{Collected, Moment};
use crate::results;

/// Outputs up to this size lie with their claims at the hub (docs/protocol.md 5).
pub(crate) const OUTPUT_WITH_CLAIM_MAX: u64 = 1024;
/// Outputs fetched at a time: enough to hide the line's latency, few enough to hold in memory.
const DOWNLOADS_AT_A_TIME: usize = 8;
/// Longest record of a claims file, and what stands before the first.
const CLAIM_BYTES_MAX: u64 = 300;

/// The hub's result is not what it posted.
#[derive(Debug, Error)]
enum Refused {
    #[error("the hub's claims file cannot be read")]
    Claims(#[source] ClaimsFileError),
    #[error("the hub's result is not right")]
    Result(#[source] ResultError),
    #[error("the hub names a claims file of {0} bytes, more than the deal can have")]
    ClaimsTooLong(u64),
    #[error("the wallet says that a result is posted, and shows no root")]
    NoRoot,
}

/// What the look at a claims file gave.
enum Checked {
    Right(ClaimsFile),
    Wrong(ResultError, Option<Refutation>),
}

impl Driver<'_> {
    /// Fetches, checks, stores and writes out the result. Paying for it comes after.
    pub(super) async fn collect(&mut self, posted: &DealInfo) -> Result<(), UserError> {
        self.advance_to_posted()?;
        let result_root = posted.result_root.ok_or_else(|| refused(Refused::NoRoot))?;
        let have = self.dealt().collected.as_ref();
        if have.is_none_or(|have| have.result_root != result_root) {
            let collected = self.fetch(posted).await?;
            self.dealt_mut().collected = Some(collected);
            self.job.note(Moment::Fetched, unix_ms());
            self.save()?;
        }
        self.progress.stage("writing the result");
        let work = self.work().await?;
        let failure = results::write_out(self.session, &self.job, &work, &self.job.out).await?;
        if let Some(failure) = &failure {
            self.progress.note(failure.message.clone());
        }
        self.dealt_mut().assembly_failure = failure;
        self.advance(Step::Fetched, None)
    }

    fn advance_to_posted(&mut self) -> Result<(), UserError> {
        if self.dealt().step < Step::Posted {
            self.advance(Step::Posted, Some(Moment::Posted))?;
        }
        Ok(())
    }

    async fn fetch(&mut self, posted: &DealInfo) -> Result<Collected, UserError> {
        self.progress.stage("fetching the result");
        let hub = self.hub().await?;
        let id = self.dealt().deal.id;
        // The hub may take a moment to see its own transaction.
        let result = retrying(|| async {
            let answer = hub.result(id).await;
            answer.map_err(not_yet)
        });
        let result = result.await.map_err(faults::hub)?;
        if result.posted_tx.is_some() {
            self.dealt_mut().transactions.posted = result.posted_tx;
        }
        let claims_bytes = self.claims_bytes(&hub, &result).await?;
        let claims = self.checked_claims(&claims_bytes, posted).await?;
        let outputs = self.outputs(&hub, &claims).await?;
        Ok(Collected {
            result_root: posted.result_root.ok_or_else(|| refused(Refused::NoRoot))?,
            cu_total: posted.cu_total,
            claims: self.session.contents().put(&claims_bytes)?,
            outputs,
        })
    }

    async fn claims_bytes(
        &self,
        hub: &HubClient,
        result: &PostedResult,
    ) -> Result<Vec<u8>, UserError> {
        let content = match &result.claims {
            ClaimsSource::Inline(bytes) => return Ok(bytes.clone()),
            ClaimsSource::At(content) => *content,
        };
        let units = u64::from(self.dealt().deal.terms.unit_count);
        if content.length > CLAIM_BYTES_MAX * (units + 1) {
            return Err(refused(Refused::ClaimsTooLong(content.length)));
        }
        retrying(|| hub.download(content))
            .await
            .map_err(faults::hub)
    }

    /// The claims, all signed, all of this job's units, adding up to what the chain bills.
    async fn checked_claims(
        &mut self,
        bytes: &[u8],
        posted: &DealInfo,
    ) -> Result<ClaimsFile, UserError> {
        let file = ClaimsFile::from_bytes(bytes).map_err(|e| refused(Refused::Claims(e)))?;
        let work = self.work().await?;
        let deal = &self.dealt().deal;
        let (id, chain_id, terms) = (deal.id, deal.chain_id, deal.terms.clone());
        let (result_root, cu_total) = (posted.result_root.unwrap_or_default(), posted.cu_total);
        let check = move || {
            let leaves = work.leaves(terms.deal_seed());
            let expected = Expected {
                deal_id: id,
                domain: Domain::new(chain_id, terms.wallet),
                leaves: &leaves,
                result_root,
                cu_total,
            };
            Ok::<_, Refused>(match check_claims(&file, &expected) {
                Ok(()) => Checked::Right(file),
                Err(error) => Checked::Wrong(error, refutation(&file, &expected)),
            })
        };
        match blocking(check).await? {
            Checked::Right(file) => Ok(file),
            Checked::Wrong(error, proof) => Err(self.refute(error, proof).await),
        }
    }

    /// Shows the wallet what is false, if it can be shown; the error says what came of it.
    async fn refute(&self, error: ResultError, proof: Option<Refutation>) -> UserError {
        let Some(proof) = proof else {
            return refused(Refused::Result(error));
        };
        self.progress
            .stage("showing the wallet that the bill is false");
        let terms = &self.dealt().deal.terms;
        let sent = match proof {
            Refutation::Sum(step) => Box::pin(self.chain.refute_sum(terms, &[step])).await,
            Refutation::Bill(bill) => Box::pin(self.chain.refute_bill(terms, &bill)).await,
        };
        gio_failpoint::fail_point!("buyer.sent.refutation");
        let refused = refused(Refused::Result(error));
        match sent {
            Ok(tx) => refused.escrow(format!(
                "the cap came back, and the hub's guarantee with it, by transaction {}",
                tx.hash
            )),
            Err(error) => {
                self.progress
                    .note(format!("the bill was not refuted on chain: {error}"));
                refused
            }
        }
    }

    /// Every output, checked and stored: the buyer's own copies first, then the small ones, which come together, then each
    /// of the others.
    async fn outputs(
        &self,
        hub: &HubClient,
        claims: &ClaimsFile,
    ) -> Result<BTreeMap<u32, ContentRef>, UserError> {
        let claims = claims.claims.iter().flatten().map(|s| s.claim.clone());
        let claims: Vec<Claim> = claims.collect();
        let mut unsaid = claims.len();
        let mut outputs = Outputs::new(self.session.contents().clone(), claims);
        outputs = taking(move || outputs.take_own()).await?;
        let (id, total) = (self.dealt().deal.id, outputs.total);
        if outputs.has_small() {
            let mut pages = retrying(|| hub.small_outputs(id, 0))
                .await
                .map_err(faults::hub)?;
            while let Some(page) = HubClient::next_outputs(&mut pages)
                .await
                .map_err(faults::hub)?
            {
                let said = page.outputs.len();
                outputs = taking(move || outputs.take_page(page)).await?;
                self.progress.bytes(outputs.bytes, total);
                // Who says nothing, or more than there is, would say it for ever; what is missing is asked for alone.
                if said == 0 || said > unsaid {
                    break;
                }
                unsaid -= said;
            }
        }
        let missing: Vec<Claim> = outputs.missing.values().cloned().collect();
        let fetched = stream::iter(missing).map(|claim| async move {
            let bytes = retrying(|| hub.download(content_of(&claim))).await;
            Ok::<_, UserError>((claim.unit, bytes.map_err(faults::hub)?))
        });
        let mut fetched = fetched.buffer_unordered(DOWNLOADS_AT_A_TIME);
        while let Some((unit, bytes)) = fetched.try_next().await? {
            outputs = taking(move || outputs.take(unit, &bytes)).await?;
            self.progress.bytes(outputs.bytes, total);
        }
        Ok(outputs.done)
    }
}

/// An output that cannot be taken.
#[derive(Debug, Error)]
enum TakeError {
    #[error(transparent)]
    Wrong(#[from] ResultError),
    #[error(transparent)]
    Store(#[from] ContentError),
}

/// Takes outputs on a thread that may be busy for a while.
async fn taking(
    work: impl FnOnce() -> Result<Outputs, TakeError> + Send + 'static,
) -> Result<Outputs, UserError> {
    let taken = blocking(move || Ok::<_, Infallible>(work())).await?;
    taken.map_err(|error| match error {
        TakeError::Wrong(error) => refused(Refused::Result(error)),
        TakeError::Store(error) => UserError::from(error),
    })
}

/// Outputs on their way into the buyer's store.
struct Outputs {
    store: ContentStore,
    missing: BTreeMap<u32, Claim>,
    done: BTreeMap<u32, ContentRef>,
    bytes: u64,
    total: u64,
}

impl Outputs {
    fn new(store: ContentStore, claims: Vec<Claim>) -> Self {
        let total = claims.iter().map(|claim| claim.output_length).sum();
        Self {
            store,
            missing: claims
                .into_iter()
                .map(|claim| (claim.unit, claim))
                .collect(),
            done: BTreeMap::new(),
            bytes: 0,
            total,
        }
    }

    /// Whether any may come with its claim.
    fn has_small(&self) -> bool {
        let is_small = |claim: &Claim| claim.output_length <= OUTPUT_WITH_CLAIM_MAX;
        self.missing.values().any(is_small)
    }

    /// What a run before this one has fetched already.
    fn take_own(mut self) -> Result<Self, TakeError> {
        let claims: Vec<Claim> = self.missing.values().cloned().collect();
        for claim in claims {
            if let Ok(bytes) = self.store.get(content_of(&claim)) {
                self = self.take(claim.unit, &bytes)?;
            }
        }
        Ok(self)
    }

    /// A page of the hub's; what nobody asked for is left out.
    fn take_page(mut self, page: OutputPage) -> Result<Self, TakeError> {
        for output in page.outputs {
            self = self.take(output.unit, &output.image)?;
        }
        Ok(self)
    }

    /// Checked against its claim, wherever it comes from, then stored.
    fn take(mut self, unit: u32, bytes: &[u8]) -> Result<Self, TakeError> {
        let Some(claim) = self.missing.remove(&unit) else {
            return Ok(self);
        };
        check_output(&claim, bytes)?;
        self.done.insert(unit, self.store.put(bytes)?);
        self.bytes += claim.output_length;
        Ok(self)
    }
}

fn content_of(claim: &Claim) -> ContentRef {
    ContentRef {
        root: claim.content_root,
        length: claim.output_length,
    }
}

/// "Not posted" is no final answer of a hub whose transaction the chain has already.
fn not_yet(error: HubError) -> HubError {
    match error.refusal() {
        Some(reason) => HubError::from(tonic::Status::unavailable(reason.to_owned())),
        None => error,
    }
}

fn refused(error: Refused) -> UserError {
    bad_result(UserError::from(error))
}

/// What is wrong is said, nothing is confirmed, and the user is told what the hub can and cannot do now.
fn bad_result(mut error: UserError) -> UserError {
    error.status = ExitStatus::BadResult;
    error.retryable = false;
    error
}
