//! One waiting transaction, and what it pays.

use std::fmt;

use gio_coin::{Transaction, Txid, Wtxid};
use gio_protocol::Gio;

/// What a signature check costs at least, as bytes: blocks have room for one in 52, and whoever uses that up pays for
/// it. Far below 52, so that ordinary payments pay for their bytes alone.
pub(super) const BYTES_PER_SIGOP: usize = 20;

/// Base units for 1,000 bytes; a fraction is rounded down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeeRate(u64);

impl FeeRate {
    /// So many base units for 1,000 bytes.
    #[must_use]
    pub const fn per_kilobyte(units: u64) -> Self {
        Self(units)
    }

    /// What a fee for so many bytes is as a rate.
    #[must_use]
    pub fn of(fee: Gio, bytes: usize) -> Self {
        let rate = u128::from(fee.units()) * 1000 / (bytes.max(1) as u128);
        Self(u64::try_from(rate).unwrap_or(u64::MAX))
    }

    /// What transactions pay that are taken or left together.
    pub(super) fn together<'a>(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let (fee, size) = entries.fold((0, 0), |(fee, size), entry| {
            (fee + entry.fee.units(), size + entry.size())
        });
        Self::of(Gio::from_units(fee), size)
    }

    /// The fee for so many bytes at this rate, rounded up.
    #[must_use]
    pub fn fee_of(self, bytes: usize) -> Gio {
        let fee = (u128::from(self.0) * bytes as u128).div_ceil(1000);
        Gio::from_units(u64::try_from(fee).unwrap_or(u64::MAX))
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub(super) const fn halved(self) -> Self {
        Self(self.0 / 2)
    }
}

impl fmt::Display for FeeRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per 1,000 bytes", Gio::from_units(self.0))
    }
}

/// A waiting transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The transaction.
    pub transaction: Transaction,
    /// Its id.
    pub txid: Txid,
    /// The id that its witnesses change too.
    pub wtxid: Wtxid,
    /// What it pays.
    pub fee: Gio,
    /// Its complete bytes.
    pub bytes: usize,
    /// Its signature checks, as a block counts them.
    pub sigops: usize,
}

impl Entry {
    pub(super) fn new(transaction: Transaction, txid: Txid, fee: Gio, sigops: usize) -> Self {
        let bytes = transaction.encoded_len();
        Self {
            wtxid: transaction.wtxid(),
            transaction,
            txid,
            fee,
            bytes,
            sigops,
        }
    }

    /// What its fee is measured by: its bytes, or what its signature checks stand for if that is more.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.max(self.sigops * BYTES_PER_SIGOP)
    }

    /// What it pays for its size.
    #[must_use]
    pub fn rate(&self) -> FeeRate {
        FeeRate::of(self.fee, self.size())
    }
}
