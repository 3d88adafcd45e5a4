//! A job as it stands on disk: what was asked, what was signed, how far it is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use alloy_primitives::Bytes;
use gio_content::{ContentRef, JobSpec};
use gio_protocol::{Address, B256, Cu, DealId, DealTerms, DecodeError, Gio, Signature};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::next::{End, Step};
use crate::job_file::Assembly;
use crate::job_request::{HubConditions, PriceLimits};

/// The only version of the record so far.
pub const RECORD_VERSION: u32 = 1;

/// A job's local name, `j-` and eight hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

/// A text that is no job id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a job id (j- and eight hexadecimal digits)")]
pub struct NotAJobId(String);

impl JobId {
    /// The id made of a random word.
    #[must_use]
    pub fn from_random(word: B256) -> Self {
        Self(format!("j-{}", alloy_primitives::hex::encode(&word[..4])))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for JobId {
    type Err = NotAJobId;

    fn from_str(text: &str) -> Result<Self, NotAJobId> {
        let digits = text.strip_prefix("j-").unwrap_or_default();
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if digits.len() == 8 && digits.bytes().all(is_hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAJobId(text.to_owned()))
        }
    }
}

impl TryFrom<String> for JobId {
    type Error = NotAJobId;

    fn try_from(text: String) -> Result<Self, NotAJobId> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What hubs are told.
    pub spec: JobSpec,
    /// How the result is made; the reducing program is among the buyer's contents.
    pub assembly: Assembly<ContentRef>,
    /// What it may cost.
    pub price: PriceLimits,
    /// Who may have it.
    pub hubs: HubConditions,
}

/// The hub that has the job, and how to call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct HubContact {
    pub name: String,
    pub owner: Address,
    pub wallet: Address,
    pub peer: String,
    pub addrs: Vec<String>,
}

/// A deal both sides signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deal {
    /// The digest of the terms.
    pub id: DealId,
    /// On which chain.
    pub chain_id: u64,
    /// What was signed.
    pub terms: DealTerms,
    /// The hub.
    pub hub: HubContact,
    /// Its signature of the id; the buyer's own is made again from the key.
    pub hub_signature: SignatureText,
    /// For questions to the hub.
    pub quote_id: String,
    /// The last block before the signing: the deal's events are after it.
    pub signed_at_block: u64,
}

/// A signature in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignatureText(Bytes);

impl From<Signature> for SignatureText {
    fn from(signature: Signature) -> Self {
        Self(Bytes::copy_from_slice(signature.as_bytes()))
    }
}

impl SignatureText {
    /// The signature.
    ///
    /// # Errors
    /// [`DecodeError`] if the file was changed.
    pub fn signature(&self) -> Result<Signature, DecodeError> {
        Signature::try_from(self.0.as_ref())
    }
}

/// The fetched and checked result; the bytes are among the buyer's contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// The posted root it was checked against.
    pub result_root: B256,
    /// The posted sum.
    pub cu_total: Cu,
    /// The claims file.
    pub claims: ContentRef,
    /// Output images by unit; absent units are missing.
    pub outputs: BTreeMap<u32, ContentRef>,
}

/// How the money went, as the chain tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Settlement {
    pub payment: Gio,
    pub royalty: Gio,
    pub refund: Gio,
    pub tx: Option<B256>,
}

/// A miner's pay, as the hub reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Payout {
    pub miner: Address,
    pub net: Gio,
    pub gross: Gio,
    pub tx: B256,
    /// Whether the wallet's own event of this transaction says the same.
    pub on_chain: bool,
}

/// Why there is no assembled result although every unit is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssemblyFailure {
    /// What happened.
    pub message: String,
    /// Whether the reducing program ended badly; otherwise this machine failed.
    pub by_program: bool,
}

/// Transactions of a deal, as far as the buyer knows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Transactions {
    pub opened: Option<B256>,
    pub posted: Option<B256>,
}

/// A deal and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dealt {
    /// The deal.
    pub deal: Deal,
    /// How far the buyer is.
    pub step: Step,
    /// The result, from [`Step::Fetched`] on.
    pub collected: Option<Collected>,
    /// Why the result could not be put together; the units' outputs are here all the same.
    pub assembly_failure: Option<AssemblyFailure>,
    /// What is known of its transactions.
    pub transactions: Transactions,
    /// How it ended, once it has.
    pub end: Option<End>,
    /// How the money went, once it has.
    pub settlement: Option<Settlement>,
    /// What the miners got.
    pub payouts: Vec<Payout>,
}

/// Where a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Found to be right here; no hub has it.
    Drafted,
    /// A hub signed.
    Dealt(Box<Dealt>),
}

/// Moments of a job, for timings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Moment {
    Submitted,
    Checked,
    HubsFound,
    Quoted,
    Uploaded,
    Signed,
    Opened,
    Running,
    Computed,
    Posted,
    Fetched,
    Confirmed,
    Settled,
    Finished,
}

/// A job on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// Its local name.
    pub id: JobId,
    /// Where the result goes.
    pub out: PathBuf,
    /// What was asked.
    pub order: Order,
    /// Where it is.
    pub state: JobState,
    /// When what happened first, in Unix milliseconds.
    pub moments: BTreeMap<Moment, u64>,
    /// The buyer cancelled it before a deal was opened: nobody opens one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

impl Dealt {
    /// A deal that was just signed.
    #[must_use]
    pub fn new(deal: Deal) -> Self {
        Self {
            deal,
            step: Step::Signed,
            collected: None,
            assembly_failure: None,
            transactions: Transactions::default(),
            end: None,
            settlement: None,
            payouts: Vec::new(),
        }
    }
}

impl Job {
    /// A job that was just found to be right.
    #[must_use]
    pub fn new(id: JobId, out: PathBuf, order: Order) -> Self {
        Self {
            version: RECORD_VERSION,
            id,
            out,
            order,
            state: JobState::Drafted,
            moments: BTreeMap::new(),
            cancelled: false,
        }
    }

    /// The deal, if a hub signed.
    #[must_use]
    pub fn dealt(&self) -> Option<&Dealt> {
        match &self.state {
            JobState::Drafted => None,
            JobState::Dealt(dealt) => Some(dealt),
        }
    }

    /// The deal, to be changed.
    pub fn dealt_mut(&mut self) -> Option<&mut Dealt> {
        match &mut self.state {
            JobState::Drafted => None,
            JobState::Dealt(dealt) => Some(dealt),
        }
    }

    /// The word users read.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        let Some(dealt) = self.dealt() else {
            return if self.cancelled {
                "cancelled"
            } else {
                "drafted"
            };
        };
        match (dealt.step, dealt.end) {
            (Step::Ended, Some(end)) => end.name(),
            (Step::Signed, _) => "signed",
            (Step::Opening, _) => "opening",
            (Step::Open, _) => "open",
            (Step::Posted, _) => "posted",
            (Step::Fetched, _) => "fetched",
            (Step::Confirmed | Step::Ended, _) => "confirmed",
        }
    }

    /// Remembers when something happened first.
    pub fn note(&mut self, moment: Moment, unix_ms: u64) {
        self.moments.entry(moment).or_insert(unix_ms);
    }

    /// When it was submitted, in Unix milliseconds.
    #[must_use]
    pub fn submitted_ms(&self) -> u64 {
        self.moments.get(&Moment::Submitted).copied().unwrap_or(0)
    }

    /// Milliseconds from the submission to each moment.
    #[must_use]
    pub fn timings_ms(&self) -> BTreeMap<Moment, u64> {
        let start = self.moments.get(&Moment::Submitted).copied();
        let since = |at: u64| at.saturating_sub(start.unwrap_or(at));
        self.moments
            .iter()
            .map(|(m, at)| (*m, since(*at)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_nothing_else_is_one() {
        let id = JobId::from_random(B256::repeat_byte(0xa7));
        assert_eq!(id.as_str(), "j-a7a7a7a7");
        assert_eq!(id.as_str().parse::<JobId>().unwrap(), id);
        for bad in [
            "",
            "j-",
            "j-a7a7a7a",
            "j-A7A7A7A7",
            "j-a7a7a7a/",
            "../../etc",
        ] {
            assert!(bad.parse::<JobId>().is_err(), "{bad}");
        }
    }
}
