//! `gio-chain rpc`: one question to the node of a folder, for people and scripts.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use gio_agent::{Code, ExitStatus, Home, UserError};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::node::{COOKIE, ENDPOINTS};
use crate::rpc::base64;

/// Longer than any method takes, mining many blocks included.
const ANSWER: Duration = Duration::from_secs(330);
/// Longest answer that is read: a block of two megabytes, described.
const ANSWER_MAX: u64 = 64 << 20;

/// Asks the node that runs in a folder.
///
/// # Errors
/// No node runs there, or it refuses.
pub(crate) async fn call(home: &Home, method: &str, params: &[String]) -> Result<Value, UserError> {
    let read = |name| std::fs::read(home.path(name)).map_err(|_| no_node(home));
    let endpoints: Value = serde_json::from_slice(&read(ENDPOINTS)?)?;
    let at = endpoints["rpc"].as_str().and_then(|at| at.parse().ok());
    let at: SocketAddr = at.ok_or_else(|| no_node(home))?;
    let params: Vec<Value> = params.iter().map(|text| parameter(text)).collect();
    let body = json!({"method": method, "params": params, "id": 1}).to_string();
    let answered = timeout(ANSWER, exchange(at, &read(COOKIE)?, &body)).await;
    let text = match answered {
        Ok(Ok(text)) => text,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err(no_node(home));
        }
        Ok(Err(error)) => return Err(error.into()),
        Err(_) => {
            return Err(UserError::new(
                "the node does not answer",
                ExitStatus::Failure,
            ));
        }
    };
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let mut answer: Value = serde_json::from_str(body)
        .map_err(|_| UserError::new("the node gave no JSON", ExitStatus::Failure))?;
    match answer["error"].take() {
        Value::Null => Ok(answer["result"].take()),
        error => {
            let text = format!(
                "{} (code {})",
                error["message"].as_str().unwrap_or_default(),
                error["code"]
            );
            Err(UserError::new(text, ExitStatus::Failure)
                .hint("`gio-chain rpc help` lists the methods"))
        }
    }
}

fn no_node(home: &Home) -> UserError {
    let text = format!("no node runs in {}", home.folder().display());
    UserError::of(Code::NotRunning, text)
        .hint("start it, or name the folder of a node that runs")
        .next("gio-chain node")
}

/// JSON where it is JSON, else a text: ids and addresses need no quotes.
fn parameter(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

async fn exchange(at: SocketAddr, cookie: &[u8], body: &str) -> io::Result<String> {
    let mut socket = TcpStream::connect(at).await?;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nAuthorization: Basic {}\r\nContent-Length: {}\r\n\r\n{body}",
        base64(cookie),
        body.len()
    );
    socket.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    socket.take(ANSWER_MAX).read_to_string(&mut answer).await?;
    Ok(answer)
}
