//! Bytes to and from another peer in chunks.
//!
//! # Security
//! Lengths and order are checked here, hashes are not: the caller compares the content root before it uses a byte.

use std::time::Duration;

use alloy_primitives::B256;
use bytes::{Bytes, BytesMut};
use thiserror::Error;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use tracing::debug;

use crate::client::content_client;
use crate::limits::{CALL_TIMEOUT, CHUNK_BYTES_MAX, call, call_within};
use crate::wire::content_client::ContentClient;
use crate::wire::field::{self, FieldError};
use crate::wire::{ContentChunk, ContentRef, ContentRequest, HasRequest};

/// The slowest line an upload is worth waiting for.
const UPLOAD_BYTES_PER_SECOND_MIN: u64 = 64 * 1024;
/// The slowest line a download is worth waiting for: several share one.
const DOWNLOAD_BYTES_PER_SECOND_MIN: u64 = 16 * 1024;
/// Between two chunks of a download, over the slowest line.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a download goes on where it broke.
const RESUMES_MAX: u32 = 3;
/// Roots in one question, see the `.proto` file.
pub const HAS_ROOTS_MAX: usize = 1024;

/// What is wrong with bytes that were sent or asked for.
#[derive(Debug, Error)]
pub enum BlobError {
    /// The peer said no, or went away.
    #[error("the peer answered {}: {}", .0.code(), .0.message().escape_debug())]
    Call(#[from] Box<Status>),
    /// The reference itself is malformed.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// More than the caller is ready to hold.
    #[error("{length} bytes are offered, at most {max} are taken")]
    TooLong {
        /// What the reference says.
        length: u64,
        /// What the caller takes.
        max: u64,
    },
    /// Not the bytes asked for: another root, length or offset.
    #[error("the peer sent a chunk at {offset} of {length} bytes where {expected} was due")]
    OutOfOrder {
        /// Of the chunk.
        offset: u64,
        /// What the chunk calls the whole.
        length: u64,
        /// How many bytes had come.
        expected: u64,
    },
    /// The stream ended early.
    #[error("the peer sent {found} of {expected} bytes")]
    Short {
        /// What came.
        found: u64,
        /// What was asked for.
        expected: u64,
    },
    /// Nothing came for too long.
    #[error("the peer sent nothing for {} s", CHUNK_TIMEOUT.as_secs())]
    Stalled,
    /// Every chunk came in time, and all of them took too long.
    #[error("the peer sent {length} bytes too slowly, in more than {} s", after.as_secs())]
    TooSlow {
        /// What was asked for.
        length: u64,
        /// How long that may take.
        after: Duration,
    },
    /// A chunk that brings nothing, of which a peer could send any number.
    #[error("the peer sent an empty chunk")]
    Empty,
    /// The peer stored something else.
    #[error("the peer stored {found} bytes under {root}, not {expected}")]
    StoredOther {
        /// What the peer calls it.
        root: B256,
        /// How long it is there.
        found: u64,
        /// How long it is here.
        expected: u64,
    },
}

impl BlobError {
    /// Whether the same bytes may come if asked for again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Call(status) => matches!(
                status.code(),
                Code::Unavailable | Code::Unknown | Code::Cancelled | Code::DeadlineExceeded
            ),
            Self::Stalled | Self::Short { .. } | Self::TooSlow { .. } => true,
            Self::Field(_)
            | Self::TooLong { .. }
            | Self::Empty
            | Self::OutOfOrder { .. }
            | Self::StoredOther { .. } => false,
        }
    }
}

/// Sends bytes; `root` is their content root.
///
/// # Errors
/// [`BlobError`].
pub async fn upload(channel: Channel, root: B256, data: Bytes) -> Result<ContentRef, BlobError> {
    let length = length_of(&data);
    let allowed = CALL_TIMEOUT + Duration::from_secs(length / UPLOAD_BYTES_PER_SECOND_MIN);
    let request = call_within(allowed, futures::stream::iter(chunks(root, data)));
    let reply = content_client(channel)
        .put(request)
        .await
        .map_err(Box::new)?;
    let stored = reply.into_inner();
    let stored_root = field::hash("root", &stored.root)?;
    if stored_root != root || stored.length != length {
        return Err(BlobError::StoredOther {
            root: stored_root,
            found: stored.length,
            expected: length,
        });
    }
    Ok(stored)
}

/// Cuts bytes into chunks as `Put` and `Get` send them; no bytes are one empty chunk.
pub fn chunks(root: B256, data: Bytes) -> impl Iterator<Item = ContentChunk> + Send + 'static {
    let length = length_of(&data);
    let root = field::bytes(root);
    let count = data.len().div_ceil(CHUNK_BYTES_MAX).max(1);
    (0..count).map(move |index| {
        let start = index * CHUNK_BYTES_MAX;
        let end = data.len().min(start + CHUNK_BYTES_MAX);
        ContentChunk {
            root: root.clone(),
            length,
            offset: u64::try_from(start).expect("an offset in memory fits in 64 bits"),
            data: data.slice(start..end),
        }
    })
}

/// Fetches bytes of at most `max` bytes, going on where the line broke. However a peer sends them, it ends: in the time
/// that the slowest line takes for this length.
///
/// # Errors
/// [`BlobError`].
pub async fn download(
    channel: Channel,
    content: &ContentRef,
    max: u64,
) -> Result<Bytes, BlobError> {
    let root = field::hash("root", &content.root)?;
    if content.length > max {
        return Err(BlobError::TooLong {
            length: content.length,
            max,
        });
    }
    let after = CALL_TIMEOUT + Duration::from_secs(content.length / DOWNLOAD_BYTES_PER_SECOND_MIN);
    let whole = timeout(after, fetch_all(channel, root, content)).await;
    whole.unwrap_or(Err(BlobError::TooSlow {
        length: content.length,
        after,
    }))
}

async fn fetch_all(channel: Channel, root: B256, content: &ContentRef) -> Result<Bytes, BlobError> {
    let mut client = content_client(channel);
    let mut data = BytesMut::new();
    let mut resumes = 0;
    loop {
        match fetch(&mut client, content, &mut data).await {
            Err(error) if error.is_transient() && resumes < RESUMES_MAX => {
                debug!(%root, %error, at = data.len(), "resuming a download");
                resumes += 1;
            }
            result => return result.map(|()| data.freeze()),
        }
    }
}

/// Appends what is missing in `data`.
async fn fetch(
    client: &mut ContentClient<Channel>,
    content: &ContentRef,
    data: &mut BytesMut,
) -> Result<(), BlobError> {
    let request = ContentRequest {
        root: content.root.clone(),
        offset: length_of(data),
    };
    let answer = timeout(CHUNK_TIMEOUT, client.get(request)).await;
    let answer = answer.map_err(|_| BlobError::Stalled)?.map_err(Box::new)?;
    let mut chunks = answer.into_inner();
    // What comes after the last byte is not waited for.
    while length_of(data) < content.length {
        let Some(chunk) = next(&mut chunks).await? else {
            return Err(BlobError::Short {
                found: length_of(data),
                expected: content.length,
            });
        };
        append(content, data, &chunk)?;
    }
    Ok(())
}

async fn next(chunks: &mut Streaming<ContentChunk>) -> Result<Option<ContentChunk>, BlobError> {
    let chunk = timeout(CHUNK_TIMEOUT, chunks.message()).await;
    let chunk = chunk.map_err(|_| BlobError::Stalled)?;
    Ok(chunk.map_err(Box::new)?)
}

/// Takes a chunk only if it is the next one and brings something; never more than was promised.
fn append(
    content: &ContentRef,
    data: &mut BytesMut,
    chunk: &ContentChunk,
) -> Result<(), BlobError> {
    let have = length_of(data);
    let fits = length_of(&chunk.data) <= content.length - have;
    let matches = chunk.root == content.root && chunk.length == content.length;
    if !(fits && matches && chunk.offset == have) {
        return Err(BlobError::OutOfOrder {
            offset: chunk.offset,
            length: chunk.length,
            expected: have,
        });
    }
    if chunk.data.is_empty() && content.length > 0 {
        return Err(BlobError::Empty);
    }
    data.extend_from_slice(&chunk.data);
    Ok(())
}

/// Which of these roots a peer holds, in the order given; at most [`HAS_ROOTS_MAX`].
///
/// # Errors
/// [`BlobError`].
pub async fn held(channel: Channel, roots: &[B256]) -> Result<Vec<bool>, BlobError> {
    let roots = roots.iter().map(field::bytes).collect();
    let request = call(HasRequest { roots });
    let reply = content_client(channel)
        .has(request)
        .await
        .map_err(Box::new)?;
    Ok(reply.into_inner().held)
}

fn length_of(data: &[u8]) -> u64 {
    u64::try_from(data.len()).expect("a length in memory fits in 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(data: &[u8]) -> ContentRef {
        ContentRef {
            root: field::bytes(B256::repeat_byte(3)),
            length: length_of(data),
        }
    }

    #[test]
    fn chunks_cover_the_bytes_once() {
        for size in [
            0,
            1,
            CHUNK_BYTES_MAX,
            CHUNK_BYTES_MAX + 1,
            3 * CHUNK_BYTES_MAX,
        ] {
            let data = Bytes::from(vec![7; size]);
            let mut back = BytesMut::new();
            for chunk in chunks(B256::repeat_byte(3), data.clone()) {
                assert!(chunk.data.len() <= CHUNK_BYTES_MAX);
                append(&content(&data), &mut back, &chunk).unwrap();
            }
            assert_eq!(back.freeze(), data);
        }
    }

    #[test]
    fn a_peer_cannot_send_more_or_other_bytes_than_asked_for() {
        let asked = content(&[0; 10]);
        let good = ContentChunk {
            root: asked.root.clone(),
            length: 10,
            offset: 0,
            data: Bytes::from_static(&[0; 10]),
        };
        let mut other_root = good.clone();
        other_root.root = field::bytes(B256::ZERO);
        let mut other_length = good.clone();
        other_length.length = 11;
        let mut gap = good.clone();
        gap.offset = 1;
        let mut too_much = good.clone();
        too_much.data = Bytes::from_static(&[0; 11]);
        for bad in [other_root, other_length, gap, too_much] {
            let error = append(&asked, &mut BytesMut::new(), &bad).unwrap_err();
            assert!(matches!(error, BlobError::OutOfOrder { .. }));
            assert!(!error.is_transient());
        }
        let mut nothing = good.clone();
        nothing.data = Bytes::new();
        let error = append(&asked, &mut BytesMut::new(), &nothing).unwrap_err();
        assert!(matches!(error, BlobError::Empty), "{error}");
        append(&asked, &mut BytesMut::new(), &good).unwrap();
    }
}
