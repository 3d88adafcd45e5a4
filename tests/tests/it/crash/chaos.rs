//! A thousand jobs while processes are killed at random: every job ends, and the sums add up.
//!
//! Long: `scripts/test-long` runs it. `GIO_CHAOS_JOBS` and `GIO_CHAOS_SECONDS` make it shorter.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gio_e2e::devnet::{Devnet, Settings};
use gio_e2e::paths;
use gio_protocol::{DealStage, Gio};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::audit::audit;
use crate::story::{block_on, text, turn};

const JOBS: usize = 1_000;
/// How long processes are killed; jobs that are left then end in peace.
const KILLING_SECONDS: u64 = 600;
/// Between two kills, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 200..1_500;
/// How long a killed hub or miner stays dead, in milliseconds: sometimes longer than its peers wait for it.
const DEAD_MS: std::ops::Range<u64> = 0..6_000;
const MINERS: usize = 3;
/// Buyers with an account each, one job at a time.
const BUYERS: usize = 6;
/// Before a person tries again what failed for now.
const AGAIN: Duration = Duration::from_millis(500);
/// The whole run; a job that has not ended by then has lost its way.
const PATIENCE_SECONDS: u64 = 5_400;
/// Units of one job.
const UNITS: &str = "range:0..3:3";

/// Everybody who can be killed, by name.
#[derive(Default)]
struct Victims(Mutex<BTreeMap<String, Arc<Notify>>>);

impl Victims {
    fn enter(&self, name: &str) -> Arc<Notify> {
        let mut all = self.0.lock().unwrap();
        Arc::clone(all.entry(name.to_owned()).or_default())
    }

    fn any(&self, random: &mut StdRng) -> (String, Arc<Notify>) {
        let all = self.0.lock().unwrap();
        let at = random.random_range(0..all.len());
        let (name, victim) = all.iter().nth(at).unwrap();
        (name.clone(), Arc::clone(victim))
    }
}

/// What all tasks share.
struct Run {
    net: Devnet,
    victims: Victims,
    next: AtomicUsize,
    jobs: usize,
    kills: Mutex<BTreeMap<String, usize>>,
    is_over: AtomicBool,
    until: Instant,
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
#[ignore = "takes a quarter of an hour or more; scripts/test-long runs it"]
fn a_thousand_jobs_while_processes_are_killed_at_random() {
    block_on(async {
        let _turn = turn().await;
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            miners: MINERS,
            ..Settings::default()
        };
        let mut net = Devnet::prepare(folder.path(), settings).await.unwrap();
        for number in 1..=BUYERS {
            let home = format!("buyer-{number}");
            net.make_buyer(&home, Gio::from_whole(100).unwrap())
                .await
                .unwrap();
        }
        let before = net.balances().await.unwrap();
        let seed = setting("GIO_CRASH_SEED", gio_agent::unix_now());
        let jobs = usize::try_from(setting("GIO_CHAOS_JOBS", JOBS as u64)).unwrap();
        let killing = Duration::from_secs(setting("GIO_CHAOS_SECONDS", KILLING_SECONDS));
        println!(
            "seed {seed}: {jobs} jobs, killing for {} s",
            killing.as_secs()
        );
        let run = Arc::new(Run {
            net,
            victims: Victims::default(),
            next: AtomicUsize::new(0),
            jobs,
            kills: Mutex::default(),
            is_over: AtomicBool::new(false),
            until: Instant::now() + Duration::from_secs(PATIENCE_SECONDS),
        });
        let began = Instant::now();
        let mut agents = JoinSet::new();
        agents.spawn(keep(Arc::clone(&run), "hub".to_owned(), "gio-hub", seed));
        for number in 1..=MINERS {
            let name = format!("miner-{number}");
            agents.spawn(keep(
                Arc::clone(&run),
                name,
                "gio-miner",
                seed + number as u64,
            ));
        }
        let mut buyers = JoinSet::new();
        for number in 1..=BUYERS {
            buyers.spawn(buy(Arc::clone(&run), format!("buyer-{number}")));
        }
        let mut killer = JoinSet::new();
        killer.spawn(kill(Arc::clone(&run), killing, seed));
        let ended = buyers.join_all().await;
        killer.shutdown().await;
        let done: usize = ended.iter().sum();
        println!(
            "{done} jobs ended after {:.0} s",
            began.elapsed().as_secs_f64()
        );
        println!("killed: {:?}", run.kills.lock().unwrap());
        assert_eq!(done, jobs);
        add_up(&run, &before).await;
        run.is_over.store(true, Ordering::SeqCst);
        for (_, victim) in run.victims.0.lock().unwrap().iter() {
            victim.notify_one();
        }
        agents.join_all().await;
    });
}

/// Waits for the last payments, then checks every sum, and that every job's deal is over.
async fn add_up(run: &Run, before: &[(String, Gio)]) {
    let until = Instant::now() + Duration::from_secs(180);
    while let Err(error) = audit(&run.net, before).await {
        assert!(Instant::now() < until, "the sums do not add up: {error:#}");
        sleep(AGAIN).await;
    }
    println!("the sums add up");
}

/// Keeps an agent running; one that is killed comes back after a while.
async fn keep(run: Arc<Run>, name: String, program: &'static str, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let victim = run.victims.enter(&name);
    let log = run.net.folder.join(format!("logs/{name}.log"));
    loop {
        let command = run.net.agent(program, &name, &["start"]);
        let mut child = spawn(command, &log);
        tokio::select! {
            status = child.wait() => {
                let tail = std::fs::read_to_string(&log).unwrap_or_default();
                let tail = tail.lines().rev().take(30).collect::<Vec<_>>().join("\n");
                panic!("{name} ended by itself ({}):\n{tail}", status.unwrap());
            }
            () = victim.notified() => child.kill().await.unwrap(),
        }
        if run.is_over.load(Ordering::SeqCst) {
            return;
        }
        sleep(Duration::from_millis(random.random_range(DEAD_MS))).await;
    }
}

async fn kill(run: Arc<Run>, killing: Duration, seed: u64) {
    let mut random = StdRng::seed_from_u64(!seed);
    let end = Instant::now() + killing;
    while Instant::now() < end {
        sleep(Duration::from_millis(random.random_range(PAUSE_MS))).await;
        let (name, victim) = run.victims.any(&mut random);
        victim.notify_waiters();
        let kind = name.split('-').next().unwrap_or_default().to_owned();
        *run.kills.lock().unwrap().entry(kind).or_default() += 1;
    }
}

/// One buyer's jobs, one after the other, each to its end; returns how many.
async fn buy(run: Arc<Run>, home: String) -> usize {
    let victim = run.victims.enter(&home);
    let mut done = 0;
    while run.next.fetch_add(1, Ordering::SeqCst) < run.jobs {
        one_job(&run, &home, &victim).await;
        done += 1;
    }
    done
}

async fn one_job(run: &Run, home: &str, victim: &Notify) {
    let wasm = paths::repository().join("apps/bench/sha256.wasm");
    let submit = [
        "submit",
        "--json",
        "--yes",
        "--wasm",
        text(&wasm),
        "--split",
        UNITS,
        "--pu",
        "2",
        "--deadline",
        "60m",
        "--",
        "1",
    ];
    let known = jobs_of(run, home);
    let mut job: Option<String> = None;
    loop {
        let args = match &job {
            Some(job) => vec!["attach", job, "--json"],
            None => submit.to_vec(),
        };
        let mut command = run.net.agent("gio-buyer", home, &args);
        command.current_dir(run.net.folder.join(home));
        let log = run.net.folder.join(format!("logs/{home}.log"));
        let mut child = spawn(command, &log);
        let status = tokio::select! {
            status = child.wait() => status.unwrap(),
            () = victim.notified() => {
                child.kill().await.unwrap();
                child.wait().await.unwrap()
            }
        };
        job = job.or_else(|| {
            jobs_of(run, home)
                .into_iter()
                .find(|job| !known.contains(job))
        });
        if status.success() {
            let job = job.expect("a job that ended is on disk");
            return is_over(run, home, &job).await;
        }
        let wanted = status.signal() == Some(9) || matches!(status.code(), Some(1 | 11 | 12 | 14));
        assert!(wanted, "{home} {job:?}: {status}, see {}", log.display());
        assert!(Instant::now() < run.until, "{home} {job:?} did not end");
        sleep(AGAIN).await;
    }
}

/// The chain agrees that a job's deal is over.
async fn is_over(run: &Run, home: &str, job: &str) {
    let path = run
        .net
        .folder
        .join(home)
        .join("jobs")
        .join(job)
        .join("job.json");
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let deal = &record["state"]["dealt"]["deal"];
    let wallet = deal["hub"]["wallet"].as_str().unwrap().parse().unwrap();
    let id = gio_protocol::DealId(deal["id"].as_str().unwrap().parse().unwrap());
    let stage = run.net.chain.deal(wallet, id).await.unwrap().stage;
    assert!(
        matches!(stage, DealStage::Settled | DealStage::Refunded),
        "{job}: {stage:?}"
    );
}

fn jobs_of(run: &Run, home: &str) -> Vec<String> {
    let folder = run.net.folder.join(home).join("jobs");
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let whole = entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("job.json").exists());
    whole
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

fn spawn(mut command: Command, log: &PathBuf) -> Child {
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(log)
        .unwrap();
    command
        .env("GIO_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .kill_on_drop(true);
    command.spawn().unwrap()
}
