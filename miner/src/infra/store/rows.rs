//! What the tables hold, as values.

use gio_protocol::{
    Address, B256, Claim, Cu, DealId, DealTerms, DecodeError, Gio, PricePerPu, Signature,
    UnixSeconds,
};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use thiserror::Error;

use super::payouts::PayoutTotals;
use crate::domain::order::UnitKey;
use crate::domain::trust::{HubStatus, PaymentHistory};

/// A row that this program never wrote.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("column `{column}`: {problem}")]
pub struct NotARow {
    /// Which column.
    pub column: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// What this miner thinks of a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it, the migration the rest")]
pub struct HubRow {
    pub wallet: Address,
    pub owner: Address,
    pub name: String,
    pub net_price: PricePerPu,
    pub status: HubStatus,
    pub reason: String,
    pub judged_at: UnixSeconds,
}

/// A deal this miner has worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it, the migration the rest")]
pub struct DealRow {
    pub id: DealId,
    pub wallet: Address,
    pub terms: DealTerms,
    pub net_price: PricePerPu,
    pub accepted_units: u64,
    pub accepted_cu: Cu,
    pub first_at: UnixSeconds,
}

impl DealRow {
    /// What the deal pays this miner, rounded down once (F4).
    #[must_use]
    pub fn earned(&self) -> Gio {
        let cost = self.net_price.cost(self.accepted_cu);
        cost.unwrap_or(Gio::from_units(u64::MAX))
    }
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimState {
    /// The hub has not answered.
    Unanswered = 0,
    /// Countersigned.
    Accepted = 1,
    /// Not taken.
    Rejected = 2,
}

/// A claim this miner has signed, with what has to be sent again until the hub answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it, the migration the rest")]
pub struct ClaimRow {
    pub claim: Claim,
    pub signature: Signature,
    /// The output image, unless it is a file of its own.
    pub output: Option<Vec<u8>>,
    pub made_at: UnixSeconds,
}

impl ClaimRow {
    /// The unit's name.
    #[must_use]
    pub fn key(&self) -> UnitKey {
        UnitKey {
            deal: self.claim.deal_id,
            unit: self.claim.unit,
        }
    }
}

/// Claims the hub countersigned together (R14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptances {
    /// Over `leaves`; what the hub signed.
    pub root: B256,
    /// The hub's signature.
    pub signature: Signature,
    /// The acceptances in the hub's order: from them the path of any one follows.
    pub leaves: Vec<B256>,
    /// Those of them that are news.
    pub units: Vec<UnitKey>,
}

/// A claim the hub has not answered, without its output.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Unanswered {
    pub claim: Claim,
    pub net_price: PricePerPu,
    /// Whether the output is a file of its own.
    pub in_file: bool,
}

/// What became of a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullState {
    /// Sent, or about to be.
    UnderWay = 0,
    /// The money is here.
    Arrived = 1,
    /// No money moved.
    Void = 2,
}

/// A pull of what a wallet has approved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it, the migration the rest")]
pub struct PullRow {
    pub id: B256,
    pub wallet: Address,
    pub amount: Gio,
    pub allowance: Gio,
    pub from_block: u64,
    /// The highest it was sent under; without one it was not sent.
    pub nonce: Option<u64>,
}

/// Everything between this miner and one hub.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Totals {
    pub units_accepted: u64,
    pub units_unanswered: u64,
    pub units_rejected: u64,
    pub cu_accepted: u128,
    pub deals: u64,
    pub earned: Gio,
    pub promised: Gio,
    pub pulled: Gio,
    pub last_pull_at: Option<UnixSeconds>,
    pub last_pull_tx: Option<B256>,
    pub was_even: bool,
    /// By proof, which is no pay for deals.
    pub payouts: PayoutTotals,
}

impl Totals {
    /// For judging the hub; `approved` is what its wallet has approved and nobody pulled yet.
    #[must_use]
    pub fn history(&self, approved: Gio) -> PaymentHistory {
        let all = Gio::from_units(u64::MAX);
        PaymentHistory {
            earned: self.earned,
            promised: self.promised,
            received: self.pulled.plus(approved).unwrap_or(all),
            was_even: self.was_even,
        }
    }
}

/// A hub with its totals, for `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct HubTotals {
    pub hub: HubRow,
    pub totals: Totals,
}

/// Reads columns by name, with errors that name them.
pub(super) struct Columns<'a>(pub(super) &'a SqliteRow);

impl Columns<'_> {
    pub(super) fn bytes(&self, column: &'static str) -> Result<Vec<u8>, NotARow> {
        self.0.try_get(column).map_err(|error| bad(column, &error))
    }

    pub(super) fn optional_bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, NotARow> {
        self.0.try_get(column).map_err(|error| bad(column, &error))
    }

    pub(super) fn text(&self, column: &'static str) -> Result<String, NotARow> {
        self.0.try_get(column).map_err(|error| bad(column, &error))
    }

    pub(super) fn u64(&self, column: &'static str) -> Result<u64, NotARow> {
        let value: i64 = self
            .0
            .try_get(column)
            .map_err(|error| bad(column, &error))?;
        u64::try_from(value).map_err(|error| bad(column, &error))
    }

    pub(super) fn optional_u64(&self, column: &'static str) -> Result<Option<u64>, NotARow> {
        let value: Option<i64> = self
            .0
            .try_get(column)
            .map_err(|error| bad(column, &error))?;
        let checked = value.map(u64::try_from).transpose();
        checked.map_err(|error| bad(column, &error))
    }

    pub(super) fn u32(&self, column: &'static str) -> Result<u32, NotARow> {
        u32::try_from(self.u64(column)?).map_err(|error| bad(column, &error))
    }

    pub(super) fn gio(&self, column: &'static str) -> Result<Gio, NotARow> {
        self.u64(column).map(Gio::from_units)
    }

    /// A sum of amounts from the sums of their upper and lower 32 bits: SQLite refuses a sum that passes 2^63, and what
    /// others say they paid may.
    pub(super) fn halves(&self, high: &'static str, low: &'static str) -> Result<Gio, NotARow> {
        let (high, low) = (self.u64(high)?, self.u64(low)?);
        let sum = (u128::from(high) << 32) + u128::from(low);
        Ok(Gio::from_units(u64::try_from(sum).unwrap_or(u64::MAX)))
    }

    pub(super) fn time(&self, column: &'static str) -> Result<UnixSeconds, NotARow> {
        self.u64(column).map(UnixSeconds)
    }

    pub(super) fn word(&self, column: &'static str) -> Result<B256, NotARow> {
        B256::try_from(self.bytes(column)?.as_slice()).map_err(|error| bad(column, &error))
    }

    /// Words one after the other.
    pub(super) fn words(&self, column: &'static str) -> Result<Vec<B256>, NotARow> {
        let bytes = self.bytes(column)?;
        let words = bytes.chunks(B256::len_bytes()).map(B256::try_from);
        let parsed: Result<_, _> = words.collect();
        parsed.map_err(|error: std::array::TryFromSliceError| bad(column, &error))
    }

    pub(super) fn optional_word(&self, column: &'static str) -> Result<Option<B256>, NotARow> {
        let word = |bytes: Vec<u8>| B256::try_from(bytes.as_slice());
        let checked = self.optional_bytes(column)?.map(word).transpose();
        checked.map_err(|error| bad(column, &error))
    }

    pub(super) fn address(&self, column: &'static str) -> Result<Address, NotARow> {
        Address::try_from(self.bytes(column)?.as_slice()).map_err(|error| bad(column, &error))
    }

    pub(super) fn claim(&self) -> Result<Claim, NotARow> {
        let decoded = Claim::from_bytes(&self.bytes("claim")?);
        decoded.map_err(|error| bad("claim", &error))
    }
}

fn bad(column: &'static str, error: &dyn std::error::Error) -> NotARow {
    NotARow {
        column,
        problem: error.to_string(),
    }
}

impl TryFrom<&SqliteRow> for HubRow {
    type Error = NotARow;

    fn try_from(row: &SqliteRow) -> Result<Self, NotARow> {
        let columns = Columns(row);
        let status = columns.text("status")?;
        let status = status.parse().map_err(|()| NotARow {
            column: "status",
            problem: format!("`{status}` is no status"),
        })?;
        Ok(Self {
            wallet: columns.address("wallet")?,
            owner: columns.address("owner")?,
            name: columns.text("name")?,
            net_price: PricePerPu(columns.gio("net_price")?),
            status,
            reason: columns.text("reason")?,
            judged_at: columns.time("judged_at")?,
        })
    }
}

impl TryFrom<&SqliteRow> for DealRow {
    type Error = NotARow;

    fn try_from(row: &SqliteRow) -> Result<Self, NotARow> {
        let columns = Columns(row);
        let terms = DealTerms::from_bytes(&columns.bytes("terms")?);
        Ok(Self {
            id: DealId(columns.word("id")?),
            wallet: columns.address("wallet")?,
            terms: terms.map_err(|error: DecodeError| bad("terms", &error))?,
            net_price: PricePerPu(columns.gio("net_price")?),
            accepted_units: columns.u64("accepted_units")?,
            accepted_cu: Cu(columns.u64("accepted_cu")?),
            first_at: columns.time("first_at")?,
        })
    }
}

impl TryFrom<&SqliteRow> for ClaimRow {
    type Error = NotARow;

    fn try_from(row: &SqliteRow) -> Result<Self, NotARow> {
        let columns = Columns(row);
        let signature = Signature::try_from(columns.bytes("signature")?.as_slice());
        Ok(Self {
            claim: columns.claim()?,
            signature: signature.map_err(|error| bad("signature", &error))?,
            output: columns.optional_bytes("output")?,
            made_at: columns.time("made_at")?,
        })
    }
}

impl TryFrom<&SqliteRow> for PullRow {
    type Error = NotARow;

    fn try_from(row: &SqliteRow) -> Result<Self, NotARow> {
        let columns = Columns(row);
        Ok(Self {
            id: columns.word("id")?,
            wallet: columns.address("wallet")?,
            amount: columns.gio("amount")?,
            allowance: columns.gio("allowance")?,
            from_block: columns.u64("from_block")?,
            nonce: columns.optional_u64("nonce")?,
        })
    }
}
