//! Headers of a branch whose work is not proven yet: counted first, fetched again once there is enough.
//!
//! A branch is worth memory only when it has at least the work this node asks for. Until then nothing but a
//! digest per message is kept; the second time the same headers must come, or the peer showed two branches.

use gio_coin::{BlockHash, Header, Target, Work, claimed_target, sha256};
use thiserror::Error;

use crate::wire::MAX_HEADERS;

/// Messages counted before a peer is given up: 32 million headers, sixty years of blocks, in half a megabyte.
const CHUNKS_MAX: usize = 16_384;

/// Why a branch is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum PresyncError {
    /// It ends before it has the work this node asks for.
    #[error("the branch has too little work")]
    TooLittleWork,
    /// A header does not follow the one before.
    #[error("the headers do not follow each other")]
    NotAChain,
    /// The second time other headers came.
    #[error("other headers came the second time")]
    Changed,
    /// It is longer than any branch can be.
    #[error("the branch is longer than any can be")]
    TooLong,
    /// A header claims a target that does not exist here.
    #[error("a header claims a target the network does not allow")]
    Target,
}

/// What to do after a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PresyncStep {
    /// Proven headers, to be taken.
    pub(crate) take: Vec<Header>,
    /// Ask for headers after this one; `None` when all were taken.
    pub(crate) ask: Option<BlockHash>,
}

/// A branch being counted or fetched again.
#[derive(Debug)]
pub(crate) struct Presync {
    start: BlockHash,
    work: Work,
    limit: Target,
    last: BlockHash,
    /// How many headers a message had, and their digest.
    chunks: Vec<(usize, [u8; 32])>,
    /// Which message is fetched again, once there is enough work.
    again: Option<usize>,
}

/// The work headers claim together, if each follows the one before.
pub(crate) fn claimed_work(
    previous: BlockHash,
    headers: &[Header],
    limit: Target,
) -> Result<Work, PresyncError> {
    let mut previous = previous;
    let mut work = Work::ZERO;
    for header in headers {
        if header.previous != previous {
            return Err(PresyncError::NotAChain);
        }
        let target = claimed_target(header, limit).map_err(|_| PresyncError::Target)?;
        work = work + target.work();
        previous = header.id();
    }
    Ok(work)
}

fn digest(headers: &[Header]) -> [u8; 32] {
    let bytes: Vec<u8> = headers.iter().flat_map(Header::encode).collect();
    sha256(&bytes)
}

impl Presync {
    /// Counts a branch that leaves the known ones after `start`, whose work is `work`.
    pub(crate) const fn new(start: BlockHash, work: Work, limit: Target) -> Self {
        Self {
            start,
            work,
            limit,
            last: start,
            chunks: Vec::new(),
            again: None,
        }
    }

    /// Where the branch leaves the known ones.
    pub(crate) const fn start(&self) -> BlockHash {
        self.start
    }

    /// Whether a message that follows this header is the one asked for.
    pub(crate) fn expects(&self, previous: &BlockHash) -> bool {
        self.last == *previous
    }

    /// The next message of headers, whose own work was checked.
    ///
    /// # Errors
    /// [`PresyncError`]; the branch is then given up.
    pub(crate) fn feed(
        &mut self,
        headers: &[Header],
        required: Work,
    ) -> Result<PresyncStep, PresyncError> {
        match self.again {
            Some(at) => self.compare(at, headers),
            None => self.count(headers, required),
        }
    }

    fn count(&mut self, headers: &[Header], required: Work) -> Result<PresyncStep, PresyncError> {
        self.work = self.work + claimed_work(self.last, headers, self.limit)?;
        if let Some(last) = headers.last() {
            self.last = last.id();
            self.chunks.push((headers.len(), digest(headers)));
        }
        let ask = if self.work >= required {
            self.again = Some(0);
            self.last = self.start;
            self.start
        } else if headers.len() < MAX_HEADERS {
            return Err(PresyncError::TooLittleWork);
        } else if self.chunks.len() >= CHUNKS_MAX {
            return Err(PresyncError::TooLong);
        } else {
            self.last
        };
        Ok(PresyncStep {
            take: Vec::new(),
            ask: Some(ask),
        })
    }

    fn compare(&mut self, at: usize, headers: &[Header]) -> Result<PresyncStep, PresyncError> {
        let (count, expected) = *self.chunks.get(at).ok_or(PresyncError::Changed)?;
        // A block may have come since: the last message may have more than before.
        let same = headers.get(..count).ok_or(PresyncError::Changed)?;
        if digest(same) != expected {
            return Err(PresyncError::Changed);
        }
        self.again = Some(at + 1);
        let last = same.last().map(Header::id);
        self.last = last.unwrap_or(self.last);
        let ask = last.filter(|_| at + 1 < self.chunks.len());
        Ok(PresyncStep {
            take: same.to_vec(),
            ask,
        })
    }
}

#[cfg(test)]
mod tests {
    use gio_coin::{Network, Params};

    use super::*;

    /// Headers that follow each other; their work is not done, only claimed.
    fn branch(count: usize, salt: u32) -> (BlockHash, Target, Vec<Header>) {
        let params = Params::of(Network::Regtest);
        let mut headers: Vec<Header> = Vec::new();
        for at in 0..count {
            let previous = headers.last().map_or(params.genesis_id(), Header::id);
            let nonce = salt.wrapping_add(u32::try_from(at).unwrap());
            headers.push(Header {
                previous,
                nonce,
                ..params.genesis.header
            });
        }
        (params.genesis_id(), params.pow_limit, headers)
    }

    #[test]
    fn a_branch_is_taken_only_the_second_time() {
        let (start, limit, headers) = branch(2 * MAX_HEADERS + 5, 0);
        let required = claimed_work(start, &headers, limit).unwrap();
        let mut presync = Presync::new(start, Work::ZERO, limit);
        let mut asked = Vec::new();
        let mut taken = Vec::new();
        for chunk in headers
            .chunks(MAX_HEADERS)
            .chain(headers.chunks(MAX_HEADERS))
        {
            assert!(presync.expects(&chunk[0].previous));
            let step = presync.feed(chunk, required).unwrap();
            asked.push(step.ask);
            taken.extend(step.take);
        }
        assert_eq!(taken, headers);
        let (first, second) = (headers[MAX_HEADERS - 1], headers[2 * MAX_HEADERS - 1]);
        let (first, second) = (Some(first.id()), Some(second.id()));
        assert_eq!(asked, [first, second, Some(start), first, second, None]);
    }

    #[test]
    fn a_branch_with_too_little_work_leaves_nothing_behind() {
        let (start, limit, headers) = branch(MAX_HEADERS + 3, 0);
        let required = claimed_work(start, &headers, limit).unwrap() + Work::from_hashes(1);
        let mut presync = Presync::new(start, Work::ZERO, limit);
        let step = presync.feed(&headers[..MAX_HEADERS], required).unwrap();
        assert_eq!(step.take, []);
        let error = presync.feed(&headers[MAX_HEADERS..], required).unwrap_err();
        assert_eq!(error, PresyncError::TooLittleWork);
    }

    #[test]
    fn two_branches_from_one_peer_are_noticed() {
        let (start, limit, headers) = branch(30, 0);
        let (_, _, others) = branch(30, 1000);
        let required = claimed_work(start, &headers, limit).unwrap();
        let fresh = || {
            let mut presync = Presync::new(start, Work::ZERO, limit);
            presync.feed(&headers, required).unwrap();
            presync
        };
        let error = fresh().feed(&others, required).unwrap_err();
        assert_eq!(error, PresyncError::Changed);
        let error = fresh().feed(&headers[..29], required).unwrap_err();
        assert_eq!(error, PresyncError::Changed);
        let error = Presync::new(start, Work::ZERO, limit).feed(&headers[1..], required);
        assert_eq!(error.unwrap_err(), PresyncError::NotAChain);
    }
}
