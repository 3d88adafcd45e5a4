//! A world that does not play along: wrong chains, dead RPCs, damaged and full disks, two of a kind, wrong clocks, nobody
//! who works. Each is told clearly, with what to do, and no money moves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use gio_e2e::chain::free_port;
use gio_e2e::devnet::Settings;
use gio_e2e::paths;
use gio_e2e::process::{Process, wait_for};
use gio_failpoint::CLOCK_SHIFT;
use gio_protocol::DealStage;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::story::{Answer, Story, block_on, text};

/// A command that must end by itself ends within this.
const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody listens there: the port is reserved.
const DEAD_RPC: &str = "http://127.0.0.1:1";

fn alone() -> Settings {
    Settings {
        miners: 1,
        ..Settings::default()
    }
}

/// The arguments of a small job.
fn job(deadline: &str) -> Vec<String> {
    let wasm = paths::repository().join("apps/bench/sha256.wasm");
    let args = [
        "submit",
        "--json",
        "--yes",
        "--wasm",
        text(&wasm),
        "--split",
        "range:0..3:3",
        "--pu",
        "2",
        "--deadline",
        deadline,
    ];
    args.map(str::to_owned).to_vec()
}

async fn submit(story: &Story, more: &[&str]) -> Answer {
    let mut args = job("10m");
    args.extend(more.iter().map(|&arg| arg.to_owned()));
    args.extend(["--out", text(&story.net.folder.join("out")), "--", "1"].map(str::to_owned));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = told(story.net.buyer(&args)).await;
    Answer::of(&output)
}

/// Runs a command that must end by itself.
async fn told(mut command: Command) -> Output {
    let output = timeout(PATIENCE, command.kill_on_drop(true).output()).await;
    let output = output.unwrap_or_else(|_| panic!("{command:?} does not end by itself"));
    output.unwrap()
}

/// It failed with this exit code, and says each of these things.
#[track_caller]
fn says(output: &Output, code: i32, words: &[&str]) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    for word in words {
        assert!(told.contains(word), "`{word}` is not in:\n{told}");
    }
}

fn change_config(home: &Path, from: &str, to: &str) {
    let path = home.join("config.toml");
    let config = fs::read_to_string(&path).unwrap();
    assert!(config.contains(from), "{from} is not in {config}");
    fs::write(path, config.replace(from, to)).unwrap();
}

#[test]
fn a_dead_rpc_and_a_wrong_chain_are_told_before_anything_is_sent() {
    block_on(async {
        let story = Story::prepare(alone()).await;
        let before = story.net.balances().await.unwrap();
        let rpc = story.net.anvil.rpc_url.clone();
        let homes = ["hub", "miner-1", "buyer"];
        let commands = |story: &Story| {
            let start = |program, home| story.net.agent(program, home, &["start"]);
            [
                start("gio-hub", "hub"),
                start("gio-miner", "miner-1"),
                story.net.buyer(&["balance"]),
            ]
        };
        for home in homes {
            change_config(&story.net.folder.join(home), &rpc, DEAD_RPC);
        }
        for command in commands(&story) {
            says(&told(command).await, 14, &["hint:", "rpc_url", "retry:"]);
        }
        let other = OtherChain::start(&story.net.folder).await;
        for home in homes {
            change_config(&story.net.folder.join(home), DEAD_RPC, &other.rpc_url);
        }
        for command in commands(&story) {
            let output = told(command).await;
            says(&output, 2, &["hint:", "chain", &OTHER_CHAIN_ID.to_string()]);
        }
        assert_eq!(story.net.balances().await.unwrap(), before);
        story.net.stop().await.unwrap();
    });
}

/// The address in the config leads to one chain at first and to another later.
#[test]
fn an_rpc_that_turns_into_another_chain_moves_no_money() {
    block_on(async {
        let mut story = Story::prepare(alone()).await;
        let port = |url: &str| url.rsplit(':').next().unwrap().parse().unwrap();
        let line = Line::start(port(&story.net.anvil.rpc_url)).await;
        let rpc = story.net.anvil.rpc_url.clone();
        for home in ["hub", "miner-1", "buyer"] {
            change_config(&story.net.folder.join(home), &rpc, &line.url);
        }
        story.net.start_hub().await.unwrap();
        story.net.start_miner(0).await.unwrap();
        let before = story.balance("buyer").await;
        let opened = submit(&story, &["--detach"]).await.expect(0);
        let other = OtherChain::start(&story.net.folder).await;
        line.lead_to(port(&other.rpc_url));
        // Time for everybody to look at the other chain, and to act on it.
        sleep(Duration::from_secs(5)).await;
        let attach = told(story.net.buyer(&["attach", opened.job()])).await;
        says(&attach, 2, &["hint:", "chain"]);
        let sent = other.transactions().await;
        assert_eq!(sent, 0, "nobody sent anything to the other chain");
        line.lead_to(port(&rpc));
        let attached = told(story.net.buyer(&["attach", opened.job()])).await;
        let stderr = String::from_utf8_lossy(&attached.stderr);
        assert!(attached.status.success(), "everybody goes on: {stderr}");
        assert!(story.balance("buyer").await < before, "it was paid for");
        for process in [story.net.hub.as_mut(), story.net.miners[0].as_mut()] {
            process.unwrap().check().unwrap();
        }
        story.net.stop().await.unwrap();
    });
}

#[test]
fn a_damaged_database_is_told_and_a_copy_brings_it_back() {
    block_on(async {
        let mut story = Story::start(alone()).await;
        let opened = submit(&story, &["--detach"]).await.expect(0);
        let (wallet, deal) = (story.wallet().await, opened.deal());
        let chain = story.net.chain.clone();
        wait_for("the result", 60, || {
            let chain = chain.clone();
            async move { Ok((chain.deal(wallet, deal).await?.stage == DealStage::Posted).then_some(())) }
        })
        .await
        .unwrap();
        story.net.hub.take().unwrap().stop().await.unwrap();
        story.net.miners[0].take().unwrap().stop().await.unwrap();
        for (program, home, file) in [
            ("gio-hub", "hub", "hub.db"),
            ("gio-miner", "miner-1", "miner.db"),
        ] {
            let copy = Copy::damage(&story.net.folder.join(home), file);
            let output = told(story.net.agent(program, home, &["start"])).await;
            says(
                &output,
                1,
                &[
                    "error[database]",
                    "hint:",
                    "docs/recovery.md",
                    file,
                    "doctor",
                ],
            );
            copy.bring_back();
        }
        story.net.start_hub().await.unwrap();
        story.net.start_miner(0).await.unwrap();
        story.buyer(&["attach", opened.job()]).await.expect(0);
        story.net.stop().await.unwrap();
    });
}

/// The hub's home lies on a disk of its own that fills up in the middle of a job.
#[test]
fn a_full_disk_stops_the_hub_and_room_on_it_brings_the_job_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let disk = match Disk::mount(&folder.path().join("hub")) {
        Ok(disk) => disk,
        Err(missing) => {
            println!("skipped: {missing}");
            return;
        }
    };
    block_on(async {
        let mut story = Story::prepare_in(folder, alone()).await;
        story.net.start_hub().await.unwrap();
        let opened = submit(&story, &["--detach"]).await.expect(0);
        disk.fill();
        story.net.start_miner(0).await.unwrap();
        let hub = story.net.hub.as_mut().unwrap();
        let ended = wait_for("the hub's end", 60, || {
            let status = hub.ended();
            async move { status }
        });
        let status = ended.await.unwrap();
        let log = story.net.hub.take().unwrap().log().unwrap();
        assert_eq!(status.code(), Some(1), "{log}");
        for word in ["error[database]", "full", "hint:", "room", "cannot go on"] {
            assert!(log.contains(word), "`{word}` is not in:\n{log}");
        }
        disk.make_room();
        story.net.start_hub().await.unwrap();
        story.buyer(&["attach", opened.job()]).await.expect(0);
        story.net.stop().await.unwrap();
    });
    drop(disk);
}

#[test]
fn a_second_agent_on_a_folder_is_refused() {
    block_on(async {
        let mut story = Story::start(alone()).await;
        for (program, home) in [("gio-hub", "hub"), ("gio-miner", "miner-1")] {
            let second = story.net.agent(program, home, &["start"]);
            says(
                &told(second).await,
                2,
                &["another", program, home, "hint:", "--home"],
            );
        }
        story.net.miners[0].take().unwrap().stop().await.unwrap();
        let opened = submit(&story, &["--detach"]).await.expect(0);
        let logs = story.net.folder.join("logs");
        let attach = story.net.buyer(&["attach", opened.job()]);
        let mut first = Process::start("buyer", attach, &logs).unwrap();
        let lock = story
            .net
            .folder
            .join("buyer/jobs")
            .join(opened.job())
            .join("lock");
        wait_for("the first to take hold", 30, || {
            let held = fs::File::open(&lock).is_ok_and(|file| file.try_lock().is_err());
            async move { Ok(held.then_some(())) }
        })
        .await
        .unwrap();
        let second = told(story.net.buyer(&["attach", opened.job()])).await;
        says(&second, 2, &["another gio-buyer follows job"]);
        first.check().unwrap();
        first.kill().await.unwrap();
        story.net.stop().await.unwrap();
    });
}

#[test]
fn a_clock_that_is_hours_off_is_named_and_costs_nothing() {
    block_on(async {
        let mut story = Story::start(alone()).await;
        let before = story.net.balances().await.unwrap();
        // Ahead, every announcement looks over; behind, it was signed in the future.
        for shift in ["10800", "-10800"] {
            let args: Vec<String> = [job("10m"), ["--", "1"].map(str::to_owned).to_vec()].concat();
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let mut command = story.net.buyer(&args);
            command.env(CLOCK_SHIFT, shift);
            says(&told(command).await, 14, &["hint:", "clock"]);
            let mut miner = story.net.agent("gio-miner", "miner-1", &["start"]);
            miner.env(CLOCK_SHIFT, shift);
            story.net.miners[0].take().unwrap().stop().await.unwrap();
            let logs = story.net.folder.join("logs");
            let mut miner = Process::start("late-miner", miner, &logs).unwrap();
            wait_for("a word about the clock", 30, || {
                let log = miner.log();
                async move { Ok(log?.contains("clock looks wrong").then_some(())) }
            })
            .await
            .unwrap();
            miner.check().unwrap();
            miner.stop().await.unwrap();
            fs::remove_file(logs.join("late-miner.log")).unwrap();
            story.net.start_miner(0).await.unwrap();
        }
        assert_eq!(story.net.balances().await.unwrap(), before);
        submit(&story, &[]).await.expect(0);
        story.net.stop().await.unwrap();
    });
}

#[test]
fn without_any_miner_it_is_said_and_the_deadline_gives_everything_back() {
    block_on(async {
        let story = Story::with_hub(0).await;
        let before = story.balance("buyer").await;
        let opened = submit(&story, &["--detach"]).await.expect(0);
        let status = told(story.net.buyer(&["status", opened.job()])).await;
        let said = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(said.contains("no miner"), "{said}");
        story.net.anvil.pass(601).await.unwrap();
        let (wallet, deal) = (story.wallet().await, opened.deal());
        let chain = story.net.chain.clone();
        wait_for("the refund", 30, || {
            let chain = chain.clone();
            async move {
                Ok((chain.deal(wallet, deal).await?.stage == DealStage::Refunded).then_some(()))
            }
        })
        .await
        .unwrap();
        assert_eq!(story.balance("buyer").await, before);
        story.net.stop().await.unwrap();
    });
}

const OTHER_CHAIN_ID: u64 = 4_242;

/// A chain that is not the market's.
struct OtherChain {
    rpc_url: String,
    _process: Process,
}

impl OtherChain {
    async fn start(folder: &Path) -> Self {
        let port = free_port().unwrap();
        let mut command = Command::new(paths::foundry("anvil"));
        command.args([
            "--port",
            &port.to_string(),
            "--chain-id",
            &OTHER_CHAIN_ID.to_string(),
        ]);
        let process = Process::start("other-anvil", command, &folder.join("logs")).unwrap();
        let connect = || async move { Ok(TcpStream::connect(("127.0.0.1", port)).await.ok()) };
        wait_for("the other chain", 30, connect).await.unwrap();
        Self {
            rpc_url: format!("http://127.0.0.1:{port}"),
            _process: process,
        }
    }

    /// How many transactions it has in its blocks: each is a block of its own.
    async fn transactions(&self) -> u64 {
        use alloy::providers::{Provider as _, ProviderBuilder};
        let provider = ProviderBuilder::new().connect_http(self.rpc_url.parse().unwrap());
        provider.get_block_number().await.unwrap()
    }
}

/// A line to a node that can lead to another one from now on.
struct Line {
    url: String,
    port: Arc<AtomicU16>,
    _task: JoinSet<()>,
}

impl Line {
    async fn start(to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let port = Arc::new(AtomicU16::new(to));
        let to = Arc::clone(&port);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(carry(stream, Arc::clone(&to)));
            }
        });
        Self {
            url,
            port,
            _task: task,
        }
    }

    fn lead_to(&self, port: u16) {
        self.port.store(port, Ordering::SeqCst);
    }
}

async fn carry(mut stream: TcpStream, to: Arc<AtomicU16>) {
    let port = to.load(Ordering::SeqCst);
    let turned = async {
        while to.load(Ordering::SeqCst) == port {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let pass = async {
        if let Ok(mut there) = TcpStream::connect(("127.0.0.1", port)).await {
            let _ = copy_bidirectional(&mut stream, &mut there).await;
        }
    };
    tokio::select! {
        () = turned => {}
        () = pass => {}
    }
}

/// A database's files as they were: SQLite keeps the newest pages beside the main file.
struct Copy(Vec<(PathBuf, Vec<u8>)>);

impl Copy {
    /// Copies a stopped agent's database and fills it with garbage.
    fn damage(home: &Path, file: &str) -> Self {
        let files = ["", "-wal", "-shm"].map(|end| home.join(format!("{file}{end}")));
        let files = files.into_iter().filter(|path| path.exists());
        let copy: Vec<_> = files
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        for (path, bytes) in &copy {
            fs::write(path, vec![0xa5; bytes.len()]).unwrap();
        }
        Self(copy)
    }

    fn bring_back(self) {
        for (path, bytes) in self.0 {
            fs::write(path, bytes).unwrap();
        }
    }
}

/// A small disk in memory, mounted at a folder.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("mounting a small disk needs root".to_owned());
        }
        fs::create_dir_all(at).unwrap();
        let mut mount = std::process::Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=4m,mode=700", "gio-test"])
            .arg(at);
        match mount.output() {
            Ok(output) if output.status.success() => Ok(Self(at.to_owned())),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn fill(&self) {
        use std::io::Write as _;
        let mut filler = fs::File::create(self.0.join("filler")).unwrap();
        // Until it refuses: that is what full means.
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .output();
    }
}
