//! Two nodes as processes: one has 100,000 blocks, the other fetches them through a proxy that counts bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::maker::{Maker, Payee};
use super::utxo::status;
use super::{add, http, open};

const BLOCKS: u32 = 100_000;
/// Between two looks at the follower's height.
const LOOK: Duration = Duration::from_millis(200);

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket")
}

/// A node's process; it ends with this value.
struct Node {
    child: Child,
    rpc: SocketAddr,
    home: PathBuf,
}

impl Node {
    fn start(home: PathBuf, peers: SocketAddr, connect: Option<SocketAddr>) -> Self {
        let rpc = free_port();
        let here = std::env::current_exe().expect("a running program knows its path");
        let program = here
            .ancestors()
            .nth(2)
            .expect("examples lie beside programs");
        let program = program.join("gio-chain");
        assert!(
            program.exists(),
            "run `cargo build --release -p gio-chain` first"
        );
        let run = |arguments: &[&str]| {
            let mut command = Command::new(&program);
            command
                .arg("--home")
                .arg(&home)
                .args(arguments)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn().expect("the node starts")
        };
        let (listen, answer) = (peers.to_string(), rpc.to_string());
        let mut init = vec![
            "init",
            "--network",
            "regtest",
            "--listen",
            &listen,
            "--rpc",
            &answer,
        ];
        let connect = connect.map(|at| at.to_string());
        init.extend(connect.iter().flat_map(|at| ["--connect", at]));
        assert!(run(&init).wait().expect("our child").success());
        Self {
            child: run(&["node"]),
            rpc,
            home,
        }
    }

    /// Its height; nothing while it starts.
    fn height(&self) -> Option<u64> {
        let cookie = std::fs::read(self.home.join(".cookie")).ok()?;
        TcpStream::connect(self.rpc).ok()?;
        let request = r#"{"method":"getblockcount","params":[],"id":1}"#;
        let (_, body) = http::exchange(self.rpc, &cookie, "POST /", request);
        let answer: Value = serde_json::from_str(&body).ok()?;
        answer["result"].as_u64()
    }

    #[expect(clippy::disallowed_methods, reason = "another process has to go on")]
    fn wait_for(&self, height: u64) {
        while self.height() != Some(height) {
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Nothing of it is needed again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes bytes on until one side ends, and counts them.
fn pump(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 || to.write_all(&buffer[..length]).is_err() {
            break;
        }
        count.fetch_add(length as u64, Ordering::Relaxed);
    }
    // The other direction ends too.
    let _ = to.shutdown(Shutdown::Both);
}

/// Listens in front of a node; gives where, and the bytes counted so far.
fn proxy(node: SocketAddr) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (here, count) = (
        listener.local_addr().expect("a bound socket"),
        Arc::default(),
    );
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(node).expect("the node listens");
            let back = (
                server.try_clone().expect("a socket"),
                client.try_clone().expect("a socket"),
            );
            let (there, here) = (Arc::clone(&counted), Arc::clone(&counted));
            thread::spawn(move || pump(client, server, &there));
            thread::spawn(move || pump(back.0, back.1, &here));
        }
    });
    (here, count)
}

/// A chain of which every block after the hundredth spends one reward.
fn make(folder: &Path) {
    std::fs::create_dir_all(folder).expect("a writable folder");
    let mut chain = open(folder);
    let mut maker = Maker::new();
    for _ in 0..BLOCKS {
        let height = maker.height() as usize;
        let mature = height.checked_sub(100).filter(|height| *height > 0);
        let spend = mature.map(|height| maker.fan_out(height, 2, Payee::Key));
        add(&mut chain, &maker.block(spend.into_iter().collect()));
    }
}

pub(crate) fn measure(folder: &Path) -> Value {
    let source = folder.join("source");
    make(&source);
    let first = Node::start(source, free_port(), None);
    first.wait_for(u64::from(BLOCKS));
    let peers = std::fs::read(first.home.join("endpoints.json")).expect("a running node");
    let peers: Value = serde_json::from_slice(&peers).expect("JSON");
    let peers = peers["peers"].as_str().and_then(|at| at.parse().ok());
    let (through, count) = proxy(peers.expect("an address"));
    let start = Instant::now();
    let second = Node::start(folder.join("follower"), free_port(), Some(through));
    second.wait_for(u64::from(BLOCKS));
    let seconds = start.elapsed().as_secs_f64();
    let memory = status(&second.child.id().to_string(), "VmHWM") >> 10;
    json!({
        "sync_100k_blocks_s": (seconds * 10.0).round() / 10.0,
        "sync_100k_blocks_mib": count.load(Ordering::Relaxed) >> 20,
        "sync_100k_blocks_peak_rss_mib": memory,
    })
}
