//! As much HTTP as JSON-RPC needs: one request, one answer, the connection is over.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);

fn base64(bytes: &[u8]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let digit = |six: &[u8]| {
        let text = format!("{:0<6}", String::from_utf8_lossy(six));
        char::from(digits[usize::from_str_radix(&text, 2).expect("binary digits")])
    };
    let mut text: String = bits.as_bytes().chunks(6).map(digit).collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Sends a request and gives what comes back, from the status line on.
pub(crate) fn open(at: SocketAddr, user: &[u8], head: &str, body: &str) -> BufReader<TcpStream> {
    let mut socket = TcpStream::connect(at).expect("the server answers");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let request = format!(
        "{head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic {}\r\nContent-Length: {}\r\n\r\n{body}",
        base64(user),
        body.len()
    );
    socket
        .write_all(request.as_bytes())
        .expect("the server reads");
    BufReader::new(socket)
}

/// Sends a request and gives the status and the body.
pub(crate) fn exchange(at: SocketAddr, user: &[u8], head: &str, body: &str) -> (u16, String) {
    let mut text = String::new();
    let mut reader = open(at, user, head, body);
    reader.read_to_string(&mut text).expect("an answer in text");
    let status = text[9..12].parse().expect("a status");
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}
