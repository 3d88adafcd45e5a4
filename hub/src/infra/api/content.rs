//! Content: uploads of buyers and miners, downloads for everybody who knows a root.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, stream};
use gio_net::wire::content_server::Content;
use gio_net::wire::field::{self, bytes};
use gio_net::wire::{ContentChunk, ContentRef, ContentRequest, HasReply, HasRequest};
use gio_net::{CHUNK_BYTES_MAX, blob::HAS_ROOTS_MAX};
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming};

use super::error::ApiError;
use crate::hub::Hub;
use crate::infra::content::{CONTENT_BYTES_MAX, ContentError};

/// Between two chunks of an upload; a line slower than 256 KiB in this time is as good as cut.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(30);

/// The Content service.
#[derive(Clone, Debug)]
pub struct ContentApi(pub Arc<Hub>);

#[tonic::async_trait]
impl Content for ContentApi {
    async fn put(
        &self,
        request: Request<Streaming<ContentChunk>>,
    ) -> Result<Response<ContentRef>, Status> {
        let mut chunks = request.into_inner();
        let first = next_chunk(&mut chunks)
            .await?
            .ok_or_else(|| Status::invalid_argument("no chunk came"))?;
        let root = field::hash("root", &first.root)?;
        let length = first.length;
        if length > CONTENT_BYTES_MAX {
            return Err(ApiError::from(ContentError::TooLarge(length)).into());
        }
        let mut whole = Vec::new();
        let mut chunk = Some(first);
        while let Some(ContentChunk { offset, data, .. }) = chunk {
            if offset != whole.len() as u64 || offset.saturating_add(data.len() as u64) > length {
                return Err(Status::invalid_argument(
                    "a chunk is out of order or beyond the length",
                ));
            }
            whole.extend_from_slice(&data);
            chunk = next_chunk(&mut chunks).await?;
        }
        if whole.len() as u64 != length {
            return Err(Status::invalid_argument("the upload ended early"));
        }
        let kept = self
            .0
            .contents
            .put(Some(root), whole)
            .await
            .map_err(ApiError::from)?;
        Ok(Response::new(to_wire(kept)))
    }

    type GetStream = Pin<Box<dyn Stream<Item = Result<ContentChunk, Status>> + Send>>;

    async fn get(
        &self,
        request: Request<ContentRequest>,
    ) -> Result<Response<Self::GetStream>, Status> {
        let ContentRequest { root, offset } = request.into_inner();
        let root = field::hash("root", &root)?;
        let whole = Bytes::from(self.0.contents.get(root).await.map_err(ApiError::from)?);
        let length = whole.len() as u64;
        let start = usize::try_from(offset)
            .ok()
            .filter(|start| *start <= whole.len());
        let start = start.ok_or_else(|| Status::out_of_range("the offset is beyond the end"))?;
        // An empty content, or one resumed at its end, still answers with one chunk.
        let offsets = (start..whole.len().max(start + 1)).step_by(CHUNK_BYTES_MAX);
        let chunks = offsets.map(move |at| {
            let data = whole.slice(at..whole.len().min(at + CHUNK_BYTES_MAX));
            Ok(ContentChunk {
                root: bytes(root),
                length,
                offset: at as u64,
                data,
            })
        });
        Ok(Response::new(Box::pin(stream::iter(chunks))))
    }

    async fn has(&self, request: Request<HasRequest>) -> Result<Response<HasReply>, Status> {
        let roots = request.into_inner().roots;
        if roots.len() > HAS_ROOTS_MAX {
            return Err(Status::invalid_argument("too many roots at once"));
        }
        let mut held = Vec::with_capacity(roots.len());
        for root in &roots {
            let root = field::hash("roots", root)?;
            held.push(self.0.contents.has(root).await.map_err(ApiError::from)?);
        }
        Ok(Response::new(HasReply { held }))
    }
}

/// The wire's form of a reference.
pub(super) fn to_wire(content: gio_content::ContentRef) -> ContentRef {
    ContentRef {
        root: bytes(content.root),
        length: content.length,
    }
}

async fn next_chunk(chunks: &mut Streaming<ContentChunk>) -> Result<Option<ContentChunk>, Status> {
    timeout(CHUNK_TIMEOUT, chunks.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no chunk came for a while"))?
}
