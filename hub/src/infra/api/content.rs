//! Content: uploads of buyers and miners, downloads for everybody who knows a root.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use gio_net::wire::content_server::Content;
use gio_net::wire::field::{self, bytes};
use gio_net::wire::{ContentChunk, ContentRef, ContentRequest, HasReply, HasRequest};
use gio_net::{CHUNK_BYTES_MAX, Caller, blob::HAS_ROOTS_MAX};
use gio_protocol::B256;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::{Request, Response, Status, Streaming};

use super::error::ApiError;
use crate::hub::Hub;
use crate::infra::content::{ContentError, ContentReader, Upload};
use crate::infra::places::Place;

/// Between two chunks of an upload; a line slower than 256 KiB in this time is as good as cut.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(30);
/// For the first chunk and the disk, on top of what the bytes take.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(60);
/// The slowest upload that is waited for as a whole.
const UPLOAD_BYTES_PER_SECOND_MIN: u64 = 32 * 1024;

/// The Content service.
#[derive(Clone, Debug)]
pub struct ContentApi(pub Arc<Hub>);

#[tonic::async_trait]
impl Content for ContentApi {
    async fn put(
        &self,
        request: Request<Streaming<ContentChunk>>,
    ) -> Result<Response<ContentRef>, Status> {
        let caller = Caller::of(&request)?;
        let place = self.0.places.uploads.take(caller.address);
        let _place = place.ok_or(ApiError::TooManyCalls)?;
        let mut chunks = request.into_inner();
        let first = next_chunk(&mut chunks)
            .await?
            .ok_or_else(|| Status::invalid_argument("no chunk came"))?;
        let root = field::hash("root", &first.root)?;
        let upload = self.0.contents.upload(caller.address, root, first.length);
        let upload = upload.await.map_err(ApiError::from)?;
        let seconds = first.length / UPLOAD_BYTES_PER_SECOND_MIN;
        let deadline = Instant::now() + UPLOAD_TIMEOUT + Duration::from_secs(seconds);
        let received = timeout_at(deadline, receive(upload, first, &mut chunks)).await;
        let upload = received.map_err(|_| slow())??;
        let kept = upload.finish(self.0.now()).await.map_err(ApiError::from)?;
        gio_failpoint::fail_point!("hub.answers.upload");
        Ok(Response::new(to_wire(kept)))
    }

    type GetStream = Pin<Box<dyn Stream<Item = Result<ContentChunk, Status>> + Send>>;

    async fn get(
        &self,
        request: Request<ContentRequest>,
    ) -> Result<Response<Self::GetStream>, Status> {
        let caller = Caller::of(&request)?;
        let place = self.0.places.downloads.take(caller.address);
        let place = place.ok_or(ApiError::TooManyCalls)?;
        let ContentRequest { root, offset } = request.into_inner();
        let root = field::hash("root", &root)?;
        let reader = self.0.contents.read(root, offset).await;
        let reader = reader.map_err(ApiError::from)?;
        if offset > reader.length {
            return Err(Status::out_of_range("the offset is beyond the end"));
        }
        // An empty content, or one resumed at its end, still answers with one chunk.
        let sending = Sending {
            root,
            reader,
            _place: place,
        };
        let chunks = stream::unfold(Some(sending), Sending::next);
        Ok(Response::new(Box::pin(chunks)))
    }

    async fn has(&self, request: Request<HasRequest>) -> Result<Response<HasReply>, Status> {
        let roots = request.into_inner().roots;
        if roots.len() > HAS_ROOTS_MAX {
            return Err(Status::invalid_argument("too many roots at once"));
        }
        let roots: Vec<B256> = roots
            .iter()
            .map(|root| field::hash("roots", root))
            .collect::<Result<_, _>>()?;
        let lengths = self.0.contents.lengths(&roots).await;
        let lengths = lengths.map_err(ApiError::from)?;
        let held = roots.iter().map(|root| lengths.contains_key(root));
        gio_failpoint::fail_point!("hub.answers.has");
        Ok(Response::new(HasReply {
            held: held.collect(),
        }))
    }
}

/// The wire's form of a reference.
pub(super) fn to_wire(content: gio_content::ContentRef) -> ContentRef {
    ContentRef {
        root: bytes(content.root),
        length: content.length,
    }
}

async fn receive(
    mut upload: Upload,
    first: ContentChunk,
    chunks: &mut Streaming<ContentChunk>,
) -> Result<Upload, Status> {
    let mut chunk = Some(first);
    while let Some(ContentChunk { offset, data, .. }) = chunk {
        if offset != upload.found() {
            return Err(Status::invalid_argument("a chunk is out of order"));
        }
        upload.push(&data).await.map_err(ApiError::from)?;
        chunk = next_chunk(chunks).await?;
    }
    Ok(upload)
}

async fn next_chunk(chunks: &mut Streaming<ContentChunk>) -> Result<Option<ContentChunk>, Status> {
    timeout(CHUNK_TIMEOUT, chunks.message())
        .await
        .map_err(|_| slow())?
}

fn slow() -> Status {
    Status::deadline_exceeded("the upload is too slow")
}

/// A download under way.
struct Sending {
    root: B256,
    reader: ContentReader,
    _place: Place,
}

impl Sending {
    /// Reads the next chunk only when the line has taken the one before.
    async fn next(state: Option<Self>) -> Option<(Result<ContentChunk, Status>, Option<Self>)> {
        let mut this = state?;
        let (offset, length) = (this.reader.offset, this.reader.length);
        match this.reader.next(CHUNK_BYTES_MAX).await {
            Ok(data) => {
                let chunk = ContentChunk {
                    root: bytes(this.root),
                    length,
                    offset,
                    data: data.into(),
                };
                let is_last = this.reader.offset >= length;
                gio_failpoint::fail_point!("hub.answers.chunk");
                Some((Ok(chunk), (!is_last).then_some(this)))
            }
            Err(error) => {
                let error = ApiError::from(ContentError::from(error));
                Some((Err(error.into()), None))
            }
        }
    }
}
