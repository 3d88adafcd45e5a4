//! Whole blobs in chunks, with limits on what a peer can make us hold.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use alloy_primitives::B256;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use gio_net::blob::{BlobError, chunks, download, held, upload};
use gio_net::wire::content_server::Content;
use gio_net::wire::{ContentChunk, ContentRef, ContentRequest, HasReply, HasRequest, field};
use gio_net::{CHUNK_BYTES_MAX, Services};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::support::Node;

/// Keeps everything, and may break off each root's first download in the middle.
#[derive(Clone, Default)]
struct Shelf {
    blobs: Arc<Mutex<HashMap<Bytes, Bytes>>>,
    breaks_off: Arc<AtomicBool>,
    /// Answers a download with chunks that bring nothing, without end.
    dawdles: Arc<AtomicBool>,
}

#[tonic::async_trait]
impl Content for Shelf {
    type GetStream = Pin<Box<dyn Stream<Item = Result<ContentChunk, Status>> + Send>>;

    async fn put(
        &self,
        request: Request<Streaming<ContentChunk>>,
    ) -> Result<Response<ContentRef>, Status> {
        let mut chunks = request.into_inner();
        let (mut root, mut data) = (Bytes::new(), BytesMut::new());
        while let Some(chunk) = chunks.message().await? {
            assert!(chunk.data.len() <= CHUNK_BYTES_MAX);
            assert_eq!(chunk.offset, data.len() as u64);
            data.extend_from_slice(&chunk.data);
            root = chunk.root;
        }
        let length = data.len() as u64;
        let mut blobs = self.blobs.lock().unwrap();
        blobs.insert(root.clone(), data.freeze());
        Ok(Response::new(ContentRef { root, length }))
    }

    async fn get(
        &self,
        request: Request<ContentRequest>,
    ) -> Result<Response<Self::GetStream>, Status> {
        let wanted = request.into_inner();
        let data = self.blobs.lock().unwrap().get(&wanted.root).cloned();
        let data = data.ok_or_else(|| Status::not_found("no such content"))?;
        let root = field::hash("root", &wanted.root)?;
        if self.dawdles.load(Ordering::Relaxed) {
            let nothing = ContentChunk {
                root: wanted.root,
                length: data.len() as u64,
                offset: 0,
                data: Bytes::new(),
            };
            return Ok(Response::new(futures::stream::repeat(Ok(nothing)).boxed()));
        }
        let mut answer: Vec<_> = chunks(root, data)
            .filter(|chunk| chunk.offset >= wanted.offset)
            .map(Ok)
            .collect();
        if self.breaks_off.swap(false, Ordering::Relaxed) {
            answer.truncate(1);
            answer.push(Err(Status::unavailable("the line broke")));
        }
        Ok(Response::new(futures::stream::iter(answer).boxed()))
    }

    async fn has(&self, request: Request<HasRequest>) -> Result<Response<HasReply>, Status> {
        let blobs = self.blobs.lock().unwrap();
        let roots = request.into_inner().roots;
        let held = roots.iter().map(|root| blobs.contains_key(root)).collect();
        Ok(Response::new(HasReply { held }))
    }
}

async fn shelf() -> (Shelf, [Node; 2], Channel) {
    let shelf = Shelf::default();
    let server = Node::listening(1, &[]).await;
    let services = Services::new().content(shelf.clone());
    server.net.serve(services).unwrap();
    let client = Node::dialling(2, &[]).await;
    let channel = client
        .net
        .channel(server.net.peer_id(), &[server.addr()])
        .await;
    (shelf, [server, client], channel.unwrap())
}

fn pattern(bytes: usize) -> Bytes {
    (0..bytes).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

#[tokio::test]
async fn bytes_come_back_as_they_were_sent() {
    let (_, _nodes, channel) = shelf().await;
    for (number, size) in [0, 1, CHUNK_BYTES_MAX, 5 * CHUNK_BYTES_MAX + 17]
        .into_iter()
        .enumerate()
    {
        let root = B256::with_last_byte(u8::try_from(number).unwrap());
        let data = pattern(size);
        assert_eq!(held(channel.clone(), &[root]).await.unwrap(), [false]);
        let stored = upload(channel.clone(), root, data.clone()).await.unwrap();
        assert_eq!(held(channel.clone(), &[root]).await.unwrap(), [true]);
        let max = u64::try_from(size).unwrap();
        let back = download(channel.clone(), &stored, max).await.unwrap();
        assert!(back == data, "{size} bytes changed on the way");
    }
}

#[tokio::test]
async fn a_download_goes_on_where_the_line_broke() {
    let (shelf, _nodes, channel) = shelf().await;
    let data = pattern(3 * CHUNK_BYTES_MAX);
    let stored = upload(channel.clone(), B256::ZERO, data.clone())
        .await
        .unwrap();
    shelf.breaks_off.store(true, Ordering::Relaxed);
    let back = download(channel, &stored, stored.length).await.unwrap();
    assert!(back == data);
    assert!(!shelf.breaks_off.load(Ordering::Relaxed), "it did break");
}

#[tokio::test]
async fn chunks_that_bring_nothing_end_a_download() {
    let (shelf, _nodes, channel) = shelf().await;
    for size in [0, 100] {
        let root = B256::with_last_byte(size);
        let data = pattern(size.into());
        let stored = upload(channel.clone(), root, data.clone()).await.unwrap();
        shelf.dawdles.store(true, Ordering::Relaxed);
        let ended = download(channel.clone(), &stored, stored.length).await;
        shelf.dawdles.store(false, Ordering::Relaxed);
        match ended {
            Ok(back) => assert!(size == 0 && back == data, "no bytes are there at once"),
            Err(error) => assert!(size > 0 && matches!(error, BlobError::Empty), "{error}"),
        }
    }
}

#[tokio::test]
async fn what_was_not_promised_is_not_taken() {
    let (_, _nodes, channel) = shelf().await;
    let root = B256::ZERO;
    let mut stored = upload(channel.clone(), root, pattern(100)).await.unwrap();
    let error = download(channel.clone(), &stored, 99).await.unwrap_err();
    assert!(matches!(
        error,
        BlobError::TooLong {
            length: 100,
            max: 99
        }
    ));
    stored.length = 50;
    let error = download(channel.clone(), &stored, 99).await.unwrap_err();
    assert!(matches!(error, BlobError::OutOfOrder { .. }), "{error}");
    stored.root = field::bytes(B256::repeat_byte(1));
    let error = download(channel, &stored, 99).await.unwrap_err();
    assert!(matches!(error, BlobError::Call(status) if status.code() == Code::NotFound));
}
