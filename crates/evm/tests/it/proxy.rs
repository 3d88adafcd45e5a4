//! A stand-in for the network between us and the node, which fails on demand.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use alloy::transports::http::reqwest::{Client, header};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What happens to one request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The node answers.
    Forward,
    /// The node answers, and this is done to its result.
    Edit(Edit),
    /// The node does what was asked; the answer is lost.
    ForwardAndHangUp,
    /// The connection breaks.
    HangUp,
    /// Nothing, for ever.
    Silence,
    /// An HTTP error.
    Status(u16),
    /// A JSON-RPC result.
    Result(Value),
    /// A JSON-RPC error.
    Error(Value),
}

/// Changes a result.
pub(crate) type Edit = fn(&mut Value);
type Rule = Arc<dyn Fn(usize, &Value) -> Answer + Send + Sync>;

#[derive(Default)]
struct Rules {
    by_method: BTreeMap<&'static str, Rule>,
    seen: BTreeMap<String, usize>,
}

/// Stops when dropped.
pub(crate) struct Proxy {
    url: String,
    rules: Arc<Mutex<Rules>>,
    _task: JoinSet<()>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.url)
    }
}

impl Proxy {
    pub(crate) async fn start(node: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let rules = Arc::<Mutex<Rules>>::default();
        let mut task = JoinSet::new();
        let shared = rules.clone();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, node.clone(), shared.clone()));
            }
        });
        Self {
            url,
            rules,
            _task: task,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// From now on this decides about `method`; it gets the number of earlier requests under it and the parameters.
    pub(crate) fn on(
        &self,
        method: &'static str,
        rule: impl Fn(usize, &Value) -> Answer + Send + Sync + 'static,
    ) {
        let mut rules = self.rules.lock().unwrap();
        rules.by_method.insert(method, Arc::new(rule));
        rules.seen.remove(method);
    }

    /// Requests since the rule was set.
    pub(crate) fn seen(&self, method: &str) -> usize {
        self.rules
            .lock()
            .unwrap()
            .seen
            .get(method)
            .copied()
            .unwrap_or(0)
    }
}

fn decide(rules: &Mutex<Rules>, request: &Value) -> Answer {
    let mut rules = rules.lock().unwrap();
    let method = request["method"].as_str().unwrap();
    let seen = rules.seen.entry(method.to_owned()).or_default();
    let nth = *seen;
    *seen += 1;
    rules
        .by_method
        .get(method)
        .map_or(Answer::Forward, |rule| rule(nth, &request["params"]))
}

async fn serve(stream: TcpStream, node: String, rules: Arc<Mutex<Rules>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream).await {
        let answer = decide(&rules, &request);
        let (status, body) = match answer {
            Answer::HangUp => return,
            Answer::Silence => return std::future::pending().await,
            Answer::Status(status) => (status, json!({})),
            Answer::Result(result) => (200, reply(&request, "result", result)),
            Answer::Error(error) => (200, reply(&request, "error", error)),
            Answer::Forward => (200, forward(&node, &request).await),
            Answer::ForwardAndHangUp => {
                forward(&node, &request).await;
                return;
            }
            Answer::Edit(edit) => {
                let mut body = forward(&node, &request).await;
                edit(&mut body["result"]);
                (200, body)
            }
        };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all((head + &body).as_bytes()).await.is_err() {
            return;
        }
    }
}

fn reply(request: &Value, key: &str, value: Value) -> Value {
    let mut reply = json!({"jsonrpc": "2.0", "id": request["id"]});
    reply[key] = value;
    reply
}

async fn forward(node: &str, request: &Value) -> Value {
    let sent = Client::new()
        .post(node)
        .header(header::CONTENT_TYPE, "application/json")
        .body(request.to_string())
        .send();
    let bytes = sent.await.unwrap().bytes().await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// One HTTP request's JSON body; `None` when the other side is gone.
async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    serde_json::from_slice(&body).ok()
}
