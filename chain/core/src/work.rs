//! Doing and checking the work of headers.

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::hash::PowHash;
use crate::header::{HEADER_BYTES, Header};
use crate::scrypt::{ScryptHasher, ScryptPath};
use crate::target::{CompactTargetError, Target};

/// A header does not carry the work it claims.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WorkError {
    /// The bits stand for no target.
    #[error("the bits of the header stand for no target")]
    Bits(#[source] CompactTargetError),
    /// The target is easier than the network allows.
    #[error("the target is easier than the network's limit")]
    TargetAboveLimit,
    /// The hash is larger than the target.
    #[error("the proof-of-work hash {hash} is above the target")]
    HashAboveTarget {
        /// scrypt of the header.
        hash: PowHash,
    },
}

/// The target a header claims, if the network allows it.
///
/// # Errors
/// [`WorkError::Bits`], [`WorkError::TargetAboveLimit`].
pub fn claimed_target(header: &Header, limit: Target) -> Result<Target, WorkError> {
    let target = header.bits.expand().map_err(WorkError::Bits)?;
    if target > limit {
        return Err(WorkError::TargetAboveLimit);
    }
    Ok(target)
}

/// scrypt of one header, without keeping memory for a next one.
#[must_use]
pub fn work_hash(header: &Header) -> PowHash {
    let portable = ScryptHasher::with_path(ScryptPath::Portable);
    portable
        .expect("the portable path is always available")
        .hash(&header.encode())
}

/// Checks the work of many headers in step; see [`ScryptHasher`].
///
/// # Errors
/// The position of the first header without its work, and what is wrong with it.
pub fn check_work(
    hasher: &mut ScryptHasher,
    headers: &[Header],
    limit: Target,
) -> Result<(), (usize, WorkError)> {
    let mut targets = Vec::with_capacity(headers.len());
    let mut refused = None;
    for (at, header) in headers.iter().enumerate() {
        match claimed_target(header, limit) {
            Ok(target) => targets.push(target),
            Err(error) => {
                refused = Some((at, error));
                break;
            }
        }
    }
    let encoded: Vec<[u8; HEADER_BYTES]> = headers.iter().map(Header::encode).collect();
    for (chunk, batch) in encoded[..targets.len()].chunks(hasher.lanes()).enumerate() {
        let start = chunk * hasher.lanes();
        for (i, hash) in hasher.hash_all(batch).into_iter().enumerate() {
            if !targets[start + i].is_met_by(&hash) {
                return Err((start + i, WorkError::HashAboveTarget { hash }));
            }
        }
    }
    refused.map_or(Ok(()), Err)
}

/// Searches a nonce in a range; the built-in miner, for regtest and tests.
#[must_use]
pub fn mine(header: Header, nonces: RangeInclusive<u32>) -> Option<Header> {
    let target = header.bits.expand().ok()?;
    let mut hasher = ScryptHasher::new();
    let mut nonces = nonces.peekable();
    while nonces.peek().is_some() {
        let batch = nonces.by_ref().take(hasher.lanes());
        let tried: Vec<Header> = batch.map(|nonce| Header { nonce, ..header }).collect();
        let encoded: Vec<_> = tried.iter().map(Header::encode).collect();
        let hashes = hasher.hash_all(&encoded);
        let found = hashes.iter().position(|hash| target.is_met_by(hash));
        if let Some(found) = found {
            return Some(tried[found]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Network, Params};
    use crate::target::CompactTarget;

    fn mined(count: u32) -> Vec<Header> {
        let genesis = Params::of(Network::Regtest).genesis.header;
        let header = |time| Header { time, ..genesis };
        (0..count)
            .map(|time| mine(header(time), 0..=u32::MAX).unwrap())
            .collect()
    }

    #[test]
    fn a_batch_names_its_first_bad_header() {
        let limit = Target::from_bit_len(255);
        let mut headers = mined(40);
        let mut hasher = ScryptHasher::new();
        assert_eq!(check_work(&mut hasher, &headers, limit), Ok(()));
        headers[33].bits = CompactTarget(0);
        let error = check_work(&mut hasher, &headers, limit).unwrap_err();
        assert_eq!(error, (33, WorkError::Bits(CompactTargetError::Zero)));
        headers[21].bits = CompactTarget(0x1d00_ffff);
        let (at, error) = check_work(&mut hasher, &headers, limit).unwrap_err();
        assert!(matches!(
            (at, error),
            (21, WorkError::HashAboveTarget { .. })
        ));
        let strict = Target::from_bit_len(254);
        let error = check_work(&mut hasher, &headers, strict).unwrap_err();
        assert_eq!(error, (0, WorkError::TargetAboveLimit));
    }

    #[test]
    fn mining_stops_at_the_end_of_its_range() {
        let mut header = Params::of(Network::Regtest).genesis.header;
        header.bits = CompactTarget(0x1d00_ffff);
        assert_eq!(mine(header, 0..=20), None);
    }
}
