//! The `gio-chain` process as a test drives it: over its command line and JSON-RPC.

use std::io::BufRead;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::{self, PATIENCE};

/// A node's folder, and its process while one runs.
pub(crate) struct Daemon {
    pub(crate) home: PathBuf,
    pub(crate) peers: SocketAddr,
    pub(crate) rpc: SocketAddr,
    child: Option<Child>,
    /// Where its output goes: not onto a disk that a test fills.
    log: PathBuf,
    _logs: tempfile::TempDir,
}

/// A disk of a few megabytes, unmounted at the end.
pub(crate) struct SmallDisk {
    pub(crate) at: PathBuf,
}

impl SmallDisk {
    /// Mounts one, if this user may.
    pub(crate) fn mount(at: PathBuf, size: &str) -> Result<Self, String> {
        std::fs::create_dir(&at).map_err(|error| error.to_string())?;
        let options = format!("size={size}");
        let mut command = Command::new("mount");
        let command = command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]);
        match command.arg(&at).output() {
            Ok(output) if output.status.success() => Ok(Self { at }),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Makes it larger, with what is on it.
    pub(crate) fn grow(&self, size: &str) {
        let options = format!("remount,size={size}");
        let mut command = Command::new("mount");
        let grown = command.args(["-o", &options]).arg(&self.at).status();
        assert!(grown.expect("it was mounted").success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A disk still in use is left to the end of the machine.
        let _ = Command::new("umount").arg(&self.at).status();
    }
}

/// A port nobody uses now.
pub(crate) fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener
        .local_addr()
        .expect("a bound socket has an address")
}

/// Runs the binary to its end.
pub(crate) fn run(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gio-chain"));
    let command = command.arg("--home").arg(home).args(arguments);
    command.output().expect("the binary was built")
}

/// Waits for something to come true.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        #[expect(clippy::disallowed_methods, reason = "another process has to go on")]
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Daemon {
    /// Makes a regtest node's folder.
    pub(crate) fn init(home: PathBuf) -> Self {
        let (peers, rpc) = (free_port(), free_port());
        let (listen, answer) = (peers.to_string(), rpc.to_string());
        let made = run(
            &home,
            &[
                "init",
                "--network",
                "regtest",
                "--listen",
                &listen,
                "--rpc",
                &answer,
            ],
        );
        assert!(made.status.success(), "{made:?}");
        let logs = tempfile::tempdir().expect("a temporary folder");
        Self {
            home,
            peers,
            rpc,
            child: None,
            log: logs.path().join("log"),
            _logs: logs,
        }
    }

    pub(crate) fn start(&mut self, arguments: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gio-chain"));
        let command = command.arg("--home").arg(&self.home).arg("node");
        let log = std::fs::File::create(&self.log).expect("a writable folder");
        let command = command.args(arguments).stderr(log).stdout(Stdio::null());
        self.child = Some(command.spawn().expect("the binary was built"));
        let endpoints = self.home.join("endpoints.json");
        until("the node is ready", || endpoints.exists());
    }

    /// As a loss of power does it.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Dead already is fine.
            let _ = child.kill();
            child.wait().expect("our child");
        }
        let _ = std::fs::remove_file(self.home.join("endpoints.json"));
    }

    pub(crate) fn stop(&mut self) {
        self.call("stop", json!([]));
        let mut child = self.child.take().expect("a running node");
        assert!(child.wait().expect("our child").success());
    }

    /// Memory of the process.
    pub(crate) fn resident_kilobytes(&self) -> u64 {
        self.kilobytes("VmRSS")
    }

    /// The most memory the process ever had.
    pub(crate) fn peak_kilobytes(&self) -> u64 {
        self.kilobytes("VmHWM")
    }

    fn kilobytes(&self, what: &str) -> u64 {
        let id = self.child.as_ref().expect("a running node").id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("Linux");
        let line = status.lines().find(|line| line.starts_with(what));
        let digits = line.and_then(|line| line.split_whitespace().nth(1));
        digits
            .and_then(|digits| digits.parse().ok())
            .expect("a number")
    }

    /// Waits until the process ends by itself; gives its status and what it said.
    pub(crate) fn ended(&mut self) -> (ExitStatus, String) {
        let mut child = self.child.take().expect("a running node");
        let mut status = None;
        until("the node ends", || {
            status = child.try_wait().expect("our child");
            status.is_some()
        });
        let log = std::fs::read_to_string(&self.log).expect("a readable log");
        (status.expect("it ended"), log)
    }

    fn user(&self, with_cookie: bool) -> Vec<u8> {
        let cookie = std::fs::read(self.home.join(".cookie")).expect("a running node has a cookie");
        if with_cookie {
            cookie
        } else {
            b"__cookie__:guess".to_vec()
        }
    }

    /// Sends a request as it is and gives the status and the body.
    pub(crate) fn http(&self, head: &str, body: &str, with_cookie: bool) -> (u16, String) {
        http::exchange(self.rpc, &self.user(with_cookie), head, body)
    }

    /// The stream of the tip's moves: each line that tells something.
    pub(crate) fn events(&self) -> impl Iterator<Item = String> + use<> {
        let lines = http::open(self.rpc, &self.user(true), "GET /events", "").lines();
        let lines = lines.map(|line| line.expect("events go on"));
        lines.filter(|line| line.starts_with("event:") || line.starts_with("data:"))
    }

    /// A call that may fail.
    pub(crate) fn try_call(&self, method: &str, params: &Value) -> Result<Value, Value> {
        let request = json!({"id": 1, "method": method, "params": params});
        let (_, body) = self.http("POST /", &request.to_string(), true);
        let mut answer: Value = serde_json::from_str(&body).expect("an answer in JSON");
        match answer["error"].take() {
            Value::Null => Ok(answer["result"].take()),
            error => Err(error),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "every call makes its own")]
    pub(crate) fn call(&self, method: &str, params: Value) -> Value {
        let answer = self.try_call(method, &params);
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    pub(crate) fn tip(&self) -> String {
        let tip = self.call("getbestblockhash", json!([]));
        tip.as_str().expect("an id").to_owned()
    }

    /// Mines blocks and gives the last.
    pub(crate) fn generate(&self, count: u32) -> String {
        let mined = self.call("generate", json!([count]));
        let last = mined.as_array().and_then(|mined| mined.last()).cloned();
        last.expect("at least one")
            .as_str()
            .expect("an id")
            .to_owned()
    }

    pub(crate) fn link(&self, other: &Self, command: &str) {
        self.call("addnode", json!([other.peers.to_string(), command]));
    }

    pub(crate) fn coins_digest(&self) -> String {
        let info = self.call("gettxoutsetinfo", json!([]));
        info["coins_digest"].as_str().expect("a digest").to_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
