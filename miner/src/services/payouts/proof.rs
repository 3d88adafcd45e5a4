//! What proves and claims a payout (R9): for the running miner and for the command `claim`.
//!
//! # Correctness
//! A leaf counts only after it was proven: the file's content root is the one in the event, its tree's top is the posted
//! one, and the wallet keeps the root of that top. Which leaves are claimed is asked of the chain, so that everything here
//! can be repeated.

use std::io;

use bytes::Bytes;
use gio_agent::printable;
use gio_content::{ContentRef, content_root};
use gio_evm::{LeafFile, PayoutClaim, RevertReason};
use gio_net::{ConnectError, Multiaddr, Net, blob, peer_of_addr};
use gio_protocol::{Address, B256};
use thiserror::Error;
use tokio::task::JoinError;

use crate::infra::chain::{ChainFailure, MarketChain, SendFailure};
use crate::infra::leaves::Leaves;
use crate::infra::store::PayoutRow;
use crate::infra::wire::content_ref;
use crate::services::fetch::Source;

/// A payout that is not proven, or a leaf that is not claimed.
#[derive(Debug, Error)]
pub enum PayoutError {
    /// The hub gives no leaf file now.
    #[error("{0}")]
    Unreachable(String),
    /// What there is does not prove what the hub posted.
    #[error("{0}")]
    NotProven(String),
    /// The wallet pays nobody until its case is decided.
    #[error("the wallet is suspected: claims wait until that ends")]
    Suspected,
    /// A proven file cannot be kept.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// The thread that proves died.
    #[error("the thread that proves died")]
    Thread(#[from] JoinError),
    /// The chain says nothing.
    #[error(transparent)]
    Chain(#[from] ChainFailure),
    /// The claim was not seen to do what it was sent for.
    #[error(transparent)]
    Send(#[from] SendFailure),
}

/// What became of a claim that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It paid.
    Claimed(B256),
    /// A claim of before was mined in between or waits, or somebody else sent it: the money comes here.
    Before,
}

/// A leaf file that was proven.
#[derive(Clone, Debug)]
pub struct Proven {
    /// It.
    pub file: LeafFile,
    /// As it came.
    pub bytes: Bytes,
}

/// Whom to ask for the leaf file of the hub at an endpoint of the register.
///
/// # Errors
/// [`PayoutError::Unreachable`] if nobody is named there.
pub fn source_of(endpoint: &str) -> Result<Source, PayoutError> {
    let addr: Multiaddr = endpoint.parse().map_err(|_| {
        let said = printable(endpoint);
        PayoutError::Unreachable(format!("`{said}` in the register is no multiaddr"))
    })?;
    match peer_of_addr(&addr) {
        Some(peer) => Ok(Source {
            peer,
            addrs: vec![addr],
        }),
        None => Err(unreachable(&ConnectError::NoPeer { addr })),
    }
}

/// The leaf file of a payout from this miner's folder, if it is there and is the posted one.
pub async fn kept(leaves: &Leaves, payout: PayoutRow) -> Option<Proven> {
    let leaves = leaves.clone();
    let read = tokio::task::spawn_blocking(move || {
        let bytes = leaves.read(payout.leaves_root)?;
        prove(bytes.into(), &payout).ok()
    });
    read.await.ok().flatten()
}

/// The leaf file of a payout from its hub, proven.
///
/// # Errors
/// [`PayoutError`].
pub async fn fetch(net: &Net, source: &Source, payout: PayoutRow) -> Result<Proven, PayoutError> {
    let channel = net.channel(source.peer, &source.addrs).await;
    let channel = channel.map_err(|error| unreachable(&error))?;
    let content = ContentRef {
        root: payout.leaves_root,
        length: LeafFile::bytes_of(payout.count) as u64,
    };
    let bytes = blob::download(channel, &content_ref(content), LeafFile::BYTES_MAX as u64).await;
    let bytes = bytes.map_err(|error| unreachable(&error))?;
    // Hashing a file of a million leaves takes a core a second.
    tokio::task::spawn_blocking(move || prove(bytes, &payout)).await?
}

/// Keeps a proven file.
///
/// # Errors
/// [`PayoutError::Disk`].
pub async fn keep(leaves: &Leaves, bytes: Bytes) -> Result<(), PayoutError> {
    let leaves = leaves.clone();
    let kept = tokio::task::spawn_blocking(move || leaves.keep(&bytes));
    Ok(kept.await??)
}

/// A miner's leaves of a proven payout, each with its proof.
#[must_use]
pub fn claims_of(file: &LeafFile, epoch: u32, miner: Address) -> Vec<PayoutClaim> {
    let leaves = (0..).zip(file.tree.leaves());
    let own = leaves.filter(|(_, (account, _))| *account == miner);
    own.filter_map(|(index, _)| file.tree.claim(epoch, index))
        .collect()
}

/// Whether a leaf was claimed, by whomever.
///
/// # Errors
/// [`PayoutError`]; a leaf that is not in the posted payout is nobody's.
pub async fn is_claimed(
    chain: &dyn MarketChain,
    payout: &PayoutRow,
    claim: &PayoutClaim,
) -> Result<bool, PayoutError> {
    if !claim.is_in(payout.top) {
        let text = "the leaf does not lead to the posted root";
        return Err(PayoutError::NotProven(text.to_owned()));
    }
    let (wallet, epoch, index) = (payout.wallet, claim.epoch, claim.index);
    Ok(chain.is_claimed(wallet, epoch, index).await?)
}

/// Sends a claim and waits until it is mined. Whoever is killed meanwhile asks [`is_claimed`] first, and sends again what
/// the chain does not know: the wallet pays a leaf once.
///
/// # Errors
/// [`PayoutError`].
pub async fn claim(
    chain: &dyn MarketChain,
    wallet: Address,
    claim: &PayoutClaim,
) -> Result<Sent, PayoutError> {
    let sent = chain.claim_payout(wallet, claim).await;
    gio_failpoint::fail_point!("miner.sent.claim");
    match sent {
        Ok(tx) => Ok(Sent::Claimed(tx)),
        Err(failure) => match failure.0.revert() {
            Some(RevertReason::PayoutClaimedAlready { .. }) => Ok(Sent::Before),
            Some(RevertReason::ClaimsFrozen) => Err(PayoutError::Suspected),
            _ => Err(failure.into()),
        },
    }
}

/// A file is a proof if its bytes are those the wallet named and its tree is the posted one.
fn prove(bytes: Bytes, payout: &PayoutRow) -> Result<Proven, PayoutError> {
    let not_proven = |text: String| Err(PayoutError::NotProven(text));
    let root = content_root(&bytes);
    if root != payout.leaves_root {
        let posted = payout.leaves_root;
        return not_proven(format!("the leaf file is {root}, posted was {posted}"));
    }
    let file = match LeafFile::decode(&bytes) {
        Ok(file) => file,
        Err(error) => return not_proven(error.to_string()),
    };
    let is_posted = file.wallet == payout.wallet
        && file.tree.top() == payout.top
        && file.tree.count() == payout.count;
    if !is_posted {
        let text = "its leaves are not those of the posted root: this hub promised nothing";
        return not_proven(text.to_owned());
    }
    Ok(Proven { file, bytes })
}

fn unreachable(error: &dyn std::error::Error) -> PayoutError {
    PayoutError::Unreachable(error.to_string())
}

#[cfg(test)]
mod tests {
    use gio_evm::PayoutTree;
    use gio_protocol::Gio;

    use super::*;

    const WALLET: Address = Address::repeat_byte(7);
    const MINER: Address = Address::repeat_byte(9);

    fn file() -> LeafFile {
        let other = (Address::repeat_byte(8), Gio::from_units(5));
        let own = (MINER, Gio::from_units(3));
        LeafFile {
            wallet: WALLET,
            tree: PayoutTree::new(vec![other, own, other]).unwrap(),
        }
    }

    fn posted(file: &LeafFile) -> PayoutRow {
        PayoutRow {
            wallet: WALLET,
            epoch: 4,
            count: file.tree.count(),
            net: file.tree.net(),
            top: file.tree.top(),
            leaves_root: content_root(&file.encode()),
        }
    }

    #[test]
    fn r09_only_the_posted_leaves_of_the_named_wallet_are_a_proof() {
        let file = file();
        let (bytes, posted) = (Bytes::from(file.encode()), posted(&file));
        let proven = prove(bytes.clone(), &posted).unwrap();
        let claims = claims_of(&proven.file, 4, MINER);
        assert_eq!(claims.len(), 1);
        assert_eq!((claims[0].index, claims[0].net), (1, Gio::from_units(3)));
        assert!(claims[0].is_in(posted.top));
        let wrong = [
            PayoutRow {
                leaves_root: B256::ZERO,
                ..posted
            },
            PayoutRow {
                wallet: MINER,
                ..posted
            },
            PayoutRow {
                top: B256::ZERO,
                ..posted
            },
            PayoutRow { count: 4, ..posted },
        ];
        for wrong in wrong {
            let error = prove(bytes.clone(), &wrong).unwrap_err();
            assert!(matches!(error, PayoutError::NotProven(_)), "{error}");
        }
        let garbage = Bytes::from_static(b"no leaf file");
        let named = PayoutRow {
            leaves_root: content_root(&garbage),
            ..posted
        };
        assert!(prove(garbage, &named).is_err());
    }

    #[tokio::test]
    async fn a_kept_file_proves_until_it_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let leaves = Leaves::in_home(dir.path());
        let file = file();
        let posted = posted(&file);
        assert!(kept(&leaves, posted).await.is_none());
        keep(&leaves, file.encode().into()).await.unwrap();
        assert_eq!(kept(&leaves, posted).await.unwrap().file, file);
        let name = format!("payouts/{:x}.leaves", posted.leaves_root);
        std::fs::write(dir.path().join(name), b"damaged").unwrap();
        assert!(kept(&leaves, posted).await.is_none());
    }

    #[test]
    fn a_record_without_a_peer_is_nobody_to_ask() {
        for endpoint in ["", "here", "/ip4/10.0.0.1/tcp/1"] {
            assert!(matches!(
                source_of(endpoint),
                Err(PayoutError::Unreachable(_))
            ));
        }
    }
}
