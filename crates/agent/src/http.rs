//! `/metrics` and `/health` over HTTP, on loopback unless the config says otherwise.
//!
//! # Security
//! A request is one line that is read and headers that are not; nothing a caller sends changes anything. A caller has
//! `CALL` for all of it, and `CALLERS_MAX` are served at a time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::metrics::{Metric, exposition};

/// A scrape takes milliseconds.
const CALL: Duration = Duration::from_secs(5);
/// A scraper, a health check and a few people.
const CALLERS_MAX: usize = 16;
/// Longest request: a path of ours with the headers browsers send.
const REQUEST_BYTES_MAX: usize = 8192;

/// Whether a program can do its work now, and why not.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// What was looked at: a name, and what is wrong with it if anything is.
    pub checks: Vec<(&'static str, Option<String>)>,
}

impl Health {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|(_, trouble)| trouble.is_none())
    }

    fn to_json(&self, role: &str) -> Value {
        let word = |trouble: &Option<String>| trouble.clone().unwrap_or_else(|| "ok".to_owned());
        let checks = self.checks.iter();
        let checks: serde_json::Map<String, Value> = checks
            .map(|(name, trouble)| ((*name).to_owned(), Value::String(word(trouble))))
            .collect();
        let status = if self.is_good() { "ok" } else { "failing" };
        json!({ "status": status, "role": role, "version": env!("CARGO_PKG_VERSION"), "checks": checks })
    }
}

/// Where a config says that metrics and health are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Listen {
    /// The program's own port on loopback, or another one when that is taken.
    #[default]
    Auto,
    /// Nowhere.
    Off,
    /// Here and nowhere else.
    At(SocketAddr),
}

/// A text that says no such thing.
#[derive(Clone, Debug, Error)]
#[error("`{0}` is none of \"auto\", \"off\" and an address such as \"127.0.0.1:9641\"")]
pub struct NotAListen(String);

impl TryFrom<String> for Listen {
    type Error = NotAListen;

    fn try_from(text: String) -> Result<Self, NotAListen> {
        match text.as_str() {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            addr => addr.parse().map(Self::At).map_err(|_| NotAListen(text)),
        }
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        match listen {
            Listen::Auto => "auto".to_owned(),
            Listen::Off => "off".to_owned(),
            Listen::At(addr) => addr.to_string(),
        }
    }
}

/// What is served.
pub trait Source: Send + Sync + 'static {
    /// The program's word: `hub`, `miner`, `chain`.
    fn role(&self) -> &'static str;
    /// Its metrics; gauges that nobody keeps up to date are set here.
    fn metrics(&self) -> Vec<&'static Metric>;
    /// Whether it can work.
    fn health(&self) -> Health;
}

/// The address cannot be served on.
#[derive(Debug, Error)]
#[error("cannot serve metrics on {addr}")]
pub struct HttpError {
    /// Which address.
    pub addr: SocketAddr,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// A server that is about to run.
#[derive(Debug)]
pub struct HttpServer {
    listener: TcpListener,
    addr: SocketAddr,
}

impl HttpServer {
    /// Takes the address the config says, if any. `port` is the program's own; several agents on one machine each get
    /// one.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn open(listen: Listen, port: u16) -> Result<Option<Self>, HttpError> {
        let own = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(match listen {
            Listen::Off => None,
            Listen::Auto => Some(Self::bind(own, true).await?),
            Listen::At(addr) => Some(Self::bind(addr, false).await?),
        })
    }

    async fn bind(addr: SocketAddr, fallible: bool) -> Result<Self, HttpError> {
        let error = |source| HttpError { addr, source };
        let listener = match TcpListener::bind(addr).await {
            Err(found) if fallible && found.kind() == io::ErrorKind::AddrInUse => {
                TcpListener::bind((addr.ip(), 0)).await.map_err(error)?
            }
            other => other.map_err(error)?,
        };
        let addr = listener.local_addr().map_err(error)?;
        Ok(Self { listener, addr })
    }

    /// Where it serves.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `stop`.
    pub async fn run(self, source: Arc<dyn Source>, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(CALLERS_MAX));
        let mut calls = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            while calls.try_join_next().is_some() {}
            let Ok((stream, _)) = accepted else {
                // Out of file handles: the next caller may find one.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                continue;
            };
            let source = Arc::clone(&source);
            calls.spawn(async move {
                let _place = place;
                // A caller that is too slow or went away gets nothing.
                let _ = timeout(CALL, answer(stream, source.as_ref())).await;
            });
        }
    }
}

async fn answer(mut stream: TcpStream, source: &dyn Source) -> io::Result<()> {
    let mut request = vec![0; REQUEST_BYTES_MAX];
    let mut length = 0;
    while !request[..length].windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut request[length..]).await?;
        if read == 0 {
            return Ok(());
        }
        length += read;
    }
    let (status, kind, body) = page(&request[..length], source);
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

fn page(request: &[u8], source: &dyn Source) -> (&'static str, &'static str, String) {
    let line = request.split(|byte| *byte == b'\r').next();
    let line = String::from_utf8_lossy(line.unwrap_or_default());
    let mut words = line.split(' ');
    let (method, path) = (words.next(), words.next());
    match (method, path) {
        (Some("GET"), Some("/metrics")) => ("200 OK", TEXT, exposition(&source.metrics())),
        (Some("GET"), Some("/health")) => {
            let health = source.health();
            let status = if health.is_good() {
                "200 OK"
            } else {
                "503 Service Unavailable"
            };
            let body = health.to_json(source.role()).to_string();
            (status, "application/json", body)
        }
        (Some("GET"), _) => (
            "404 Not Found",
            TEXT,
            "there are /metrics and /health\n".to_owned(),
        ),
        _ => ("405 Method Not Allowed", TEXT, "only GET\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static JOBS: Metric = Metric::counter("gio_test_jobs_total", "Jobs.");

    struct Sample(Option<&'static str>);

    impl Source for Sample {
        fn role(&self) -> &'static str {
            "sample"
        }
        fn metrics(&self) -> Vec<&'static Metric> {
            vec![&JOBS]
        }
        fn health(&self) -> Health {
            Health {
                checks: vec![("disk", None), ("chain", self.0.map(str::to_owned))],
            }
        }
    }

    fn get(path: &str, trouble: Option<&'static str>) -> (&'static str, String) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        let (status, _, body) = page(request.as_bytes(), &Sample(trouble));
        (status, body)
    }

    #[test]
    fn health_is_200_or_503_and_says_what_is_wrong() {
        let (status, body) = get("/health", None);
        assert_eq!(status, "200 OK");
        assert!(body.contains(r#""chain":"ok""#), "{body}");
        let (status, body) = get("/health", Some("no answer"));
        assert!(status.starts_with("503"), "{status}");
        assert!(body.contains(r#""chain":"no answer""#), "{body}");
        assert!(body.contains(r#""status":"failing""#), "{body}");
        assert!(get("/", None).0.starts_with("404"));
        let post = page(b"POST /metrics HTTP/1.1\r\n\r\n", &Sample(None));
        assert!(post.0.starts_with("405"));
    }

    #[tokio::test]
    async fn a_default_port_in_use_is_no_failure_and_a_chosen_one_is() {
        let stop = CancellationToken::new();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let first = HttpServer::bind(any, false).await.unwrap();
        let taken = first.addr();
        let error = HttpServer::bind(taken, false).await.unwrap_err();
        assert_eq!(error.addr, taken);
        let second = HttpServer::bind(taken, true).await.unwrap();
        assert_ne!(second.addr(), taken);
        let addr = second.addr();
        let mut servers = JoinSet::new();
        servers.spawn(second.run(Arc::new(Sample(None)), stop.clone()));
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.0\r\n\r\n")
            .await
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.ends_with("gio_test_jobs_total 0\n"), "{text}");
        stop.cancel();
        servers.join_all().await;
    }
}
