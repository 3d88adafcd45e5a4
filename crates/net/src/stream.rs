//! The byte streams that carry HTTP/2: one libp2p stream per channel, greeted by the server with one byte.
//!
//! libp2p-stream drops an inbound stream when its acceptor is busy, and the caller learns nothing.
//! With the greeting a caller knows that the server has the stream before any call is written to it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::{Stream, StreamProtocol};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt as _};

use crate::error::Refusal;

/// gRPC over HTTP/2 without TLS: the connection below is encrypted and authenticated.
pub(crate) const GRPC_PROTOCOL: StreamProtocol = StreamProtocol::new("/gio/grpc/1");

const WELCOME: u8 = 1;
const PEER_LIMIT: u8 = 2;
const TOTAL_LIMIT: u8 = 3;
const NO_ACCOUNT: u8 = 4;

/// Server side: says whether the stream is taken.
pub(crate) async fn greet(stream: &mut Stream, refusal: Option<Refusal>) -> io::Result<()> {
    let code = match refusal {
        None => WELCOME,
        Some(Refusal::PeerLimit) => PEER_LIMIT,
        Some(Refusal::TotalLimit) => TOTAL_LIMIT,
        Some(Refusal::NoAccount) => NO_ACCOUNT,
        Some(Refusal::Unknown(code)) => code,
    };
    stream.write_all(&[code]).await?;
    stream.flush().await
}

/// Client side: waits for the greeting.
pub(crate) async fn greeted(stream: &mut Stream) -> io::Result<Result<(), Refusal>> {
    let mut code = [0];
    stream.read_exact(&mut code).await?;
    Ok(match code[0] {
        WELCOME => Ok(()),
        PEER_LIMIT => Err(Refusal::PeerLimit),
        TOTAL_LIMIT => Err(Refusal::TotalLimit),
        NO_ACCOUNT => Err(Refusal::NoAccount),
        code => Err(Refusal::Unknown(code)),
    })
}

/// A libp2p stream as tokio's traits see it, with something that lives as long as it.
pub(crate) struct Io<G> {
    stream: Compat<Stream>,
    pub(crate) guard: G,
}

impl<G> Io<G> {
    pub(crate) fn new(stream: Stream, guard: G) -> Self {
        Self {
            stream: stream.compat(),
            guard,
        }
    }
}

impl<G: Unpin> AsyncRead for Io<G> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<G: Unpin> AsyncWrite for Io<G> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
