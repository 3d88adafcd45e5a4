//! JSON-RPC as Bitcoin's tools speak it, and a stream of the tip's moves; on this machine only, behind a cookie.

mod answer;
mod blocks;
mod catalogue;
mod coins;
mod error;
mod methods;
mod mining;
mod params;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::stream::{self, Stream, StreamExt};
use gio_coin::{MAX_BLOCK_BYTES, Network, Script, sha256};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_stream::wrappers::BroadcastStream;
use tokio_util::sync::CancellationToken;

use crate::chain::ChainEvent;
use crate::ledger::LedgerHandle;
use crate::peers::PeersHandle;

/// Longest request: the hexadecimal digits of the largest block, and some.
const BODY_MAX: usize = 2 * MAX_BLOCK_BYTES + 4096;
/// Requests in one batch.
const BATCH_MAX: usize = 100;
/// A request takes no longer, mining many blocks included.
const REQUEST: Duration = Duration::from_secs(300);

/// JSON-RPC cannot listen, or stopped.
#[derive(Debug, Error)]
pub(crate) enum RpcError {
    /// The address cannot be listened on.
    #[error("cannot answer JSON-RPC on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Serving failed.
    #[error("answering JSON-RPC failed")]
    Serve(#[source] std::io::Error),
}

/// What the methods need.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) ledger: LedgerHandle,
    pub(crate) peers: PeersHandle,
    pub(crate) stop: CancellationToken,
    pub(crate) network: Network,
    pub(crate) listening: SocketAddr,
    pub(crate) started: Instant,
    /// Whom templates for miners pay.
    pub(crate) mine_to: Option<Script>,
}

#[derive(Debug)]
struct Served {
    api: Api,
    /// SHA-256 of the only good `Authorization` header: comparing hashes tells nobody how much of a guess fits.
    authorization: [u8; 32],
}

/// A listening JSON-RPC server.
#[derive(Debug)]
pub(crate) struct Rpc {
    listener: TcpListener,
    address: SocketAddr,
    served: Arc<Served>,
}

impl Rpc {
    /// Listens.
    ///
    /// # Errors
    /// [`RpcError::Listen`].
    pub(crate) async fn bind(
        address: SocketAddr,
        api: Api,
        cookie: &str,
    ) -> Result<Self, RpcError> {
        let refused = |source| RpcError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let basic = format!("Basic {}", base64(cookie.as_bytes()));
        let authorization = sha256(basic.as_bytes());
        let served = Arc::new(Served { api, authorization });
        Ok(Self {
            listener,
            address,
            served,
        })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the node stops.
    ///
    /// # Errors
    /// [`RpcError::Serve`].
    pub(crate) async fn run(self) -> Result<(), RpcError> {
        let stop = self.served.api.stop.clone();
        let router = Router::new()
            .route("/", post(call))
            .route("/events", get(events))
            .with_state(self.served);
        axum::serve(self.listener, router)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
            .map_err(RpcError::Serve)
    }
}

impl Served {
    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION);
        given.is_some_and(|given| sha256(given.as_bytes()) == self.authorization)
    }
}

fn refused() -> Response {
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"jsonrpc\"")];
    (StatusCode::UNAUTHORIZED, ask).into_response()
}

async fn call(State(served): State<Arc<Served>>, request: Request<Body>) -> Response {
    if !served.lets_in(request.headers()) {
        return refused();
    }
    let answered = async {
        let Ok(body) = to_bytes(request.into_body(), BODY_MAX).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        answer::all(&served.api, &body).await
    };
    match tokio::time::timeout(REQUEST, answered).await {
        Ok(response) => response,
        Err(_) => StatusCode::GATEWAY_TIMEOUT.into_response(),
    }
}

/// Whether a body is a request, as far as that can be said without a node.
pub(crate) fn is_request(body: &[u8]) -> bool {
    answer::Asked::read(body).is_ok()
}

fn told(event: &str, value: &Value) -> Result<Event, Infallible> {
    Ok(Event::default().event(event).data(value.to_string()))
}

fn moved(event: ChainEvent) -> Result<Event, Infallible> {
    let (name, id, height) = match event {
        ChainEvent::Connected { id, height } => ("connected", id, height),
        ChainEvent::Disconnected { id, height } => ("disconnected", id, height),
    };
    told(name, &json!({"hash": id.to_string(), "height": height}))
}

/// The tip, then every move of it; nothing is missed between. A listener that falls too far behind is told `lagged`,
/// and the stream ends: it asks where the chain is and listens anew.
async fn events(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response {
    if !served.lets_in(&headers) {
        return refused();
    }
    let begun = served.api.ledger.call(|ledger| {
        let chain = ledger.chain();
        (ledger.listen(), chain.tip(), chain.tip_height())
    });
    let Ok((news, tip, height)) = begun.await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let first = told("tip", &json!({"hash": tip.to_string(), "height": height}));
    let moves = stream::unfold(Some(BroadcastStream::new(news)), |news| async move {
        let mut news = news?;
        match news.next().await? {
            Ok(event) => Some((moved(event), Some(news))),
            Err(_) => Some((told("lagged", &json!({})), None)),
        }
    });
    let all = stream::once(async { first }).chain(moves);
    sse(all.take_until(served.api.stop.clone().cancelled_owned())).into_response()
}

fn sse<S>(events: S) -> Sse<impl Stream<Item = Result<Event, Infallible>>>
where
    S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
{
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// Base64 with padding (RFC 4648): only the cookie needs it, on both sides.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_rfc_4648() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ];
        for (plain, coded) in vectors {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
