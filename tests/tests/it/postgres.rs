//! The hub on PostgreSQL, alone and as several processes. `scripts/test-postgres` starts the server and names it;
//! without one these stories say that they are skipped.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use gio_e2e::chain::free_port;
use gio_e2e::devnet::Settings;
use gio_e2e::process::{Process, wait_for};
use gio_e2e::{paths, report};
use gio_evm::WalletEvent;
use gio_failpoint::{KILL_AT, STOP_AT};
use gio_protocol::amount::CU_PER_PU;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::story::{Answer, Story, block_on, text};

/// Names the server: `postgres://user@host:port/database`.
const SERVER: &str = "GIO_TEST_POSTGRES";
/// What miners get for a PU on a development network, in base units.
const NET_PRICE: u64 = 1_000_000;
/// Units of the jobs: enough that a kill finds some done and some not.
const UNITS: usize = 24;
/// What a unit hashes, in MiB: done in a moment, and in about a second.
const LITTLE: &str = "1";
const MUCH: &str = "100";

fn server() -> Option<String> {
    let server = std::env::var(SERVER).ok();
    if server.is_none() {
        let skipped = format!("skipped: {SERVER} is not set; scripts/test-postgres sets it\n");
        std::io::stderr().write_all(skipped.as_bytes()).unwrap();
    }
    server
}

/// A database of its own on the server: every hub makes its tables anew.
async fn database(server: &str, name: &str) -> String {
    let mut psql = Command::new("psql");
    psql.args(["--quiet", "--command"]);
    psql.arg(format!("CREATE DATABASE {name}")).arg(server);
    gio_e2e::process::run(psql).await.unwrap();
    let (address, _) = server.rsplit_once('/').unwrap();
    format!("{address}/{name}")
}

/// Changes lines of a config file; new keys go to its beginning, before the tables.
fn configure(home: &Path, keys: &[(&str, String)]) {
    let path = home.join("config.toml");
    let before = fs::read_to_string(&path).unwrap();
    let is_changed = |line: &str| {
        keys.iter()
            .any(|(key, _)| line.starts_with(&format!("{key} =")))
    };
    let new = keys.iter().map(|(key, value)| format!("{key} = {value}\n"));
    let old = before.lines().filter(|line| !is_changed(line));
    let changed: String = new.chain(old.map(|line| format!("{line}\n"))).collect();
    fs::write(path, changed).unwrap();
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

#[test]
fn a_market_runs_unchanged_on_postgres() {
    let Some(server) = server() else { return };
    block_on(async {
        let mut story = Story::prepare(Settings {
            miners: 2,
            ..Settings::default()
        })
        .await;
        let url = database(&server, "gio_one").await;
        configure(
            &story.net.folder.join("hub"),
            &[("database_url", quoted(&url))],
        );
        story.net.start_hub().await.unwrap();
        for number in 0..2 {
            story.net.start_miner(number).await.unwrap();
        }
        let before = story.net.balances().await.unwrap();
        submit(&story).await;
        let after = story.net.balances().await.unwrap();
        assert_eq!(report::total(&before), report::total(&after));
        assert!(!story.net.folder.join("hub/hub.db").exists());
        // A restart finds its deals there, too.
        let hub = story.net.hub.take().unwrap();
        hub.kill().await.unwrap();
        story.net.start_hub().await.unwrap();
        submit(&story).await;
        story.net.stop().await.unwrap();
    });
}

#[test]
fn a_hub_of_two_processes_loses_one_in_mid_job_and_pays_once() {
    let Some(server) = server() else { return };
    block_on(async {
        let mut story = Story::prepare(Settings {
            miners: 2,
            json_logs: true,
            ..Settings::default()
        })
        .await;
        let url = database(&server, "gio_two").await;
        let balancer = Balancer::prepare(&story, &url).await;
        let mut hubs = balancer.start_hubs(&story).await;
        for number in 0..2 {
            story.net.start_miner(number).await.unwrap();
        }
        let before = story.net.balances().await.unwrap();
        let mid_job = async {
            let at = wait_for("a hub with the job", 120, || async {
                Ok(hubs.iter().position(|hub| {
                    hub.log()
                        .is_ok_and(|log| log.contains("\"stage\":\"running\""))
                }))
            })
            .await
            .unwrap();
            hubs.remove(at).kill().await.unwrap();
        };
        let ((), ()) = tokio::join!(mid_job, submit(&story));
        let left = hubs.remove(0);
        assert!(
            left.log()
                .unwrap()
                .contains("deals taken that no process had")
        );
        // Another job runs on the one that is left.
        submit(&story).await;
        let after = story.net.balances().await.unwrap();
        assert_eq!(
            report::total(&before),
            report::total(&after),
            "GIO was made or lost"
        );
        check_pay(&story).await;
        for miner in &mut story.net.miners {
            miner.take().unwrap().stop().await.unwrap();
        }
        left.stop().await.unwrap();
        balancer.task.abort();
        story.net.stop().await.unwrap();
    });
}

/// Miners get the net price of every CU that was posted, once: up to one base unit per payment, which is rounded when it is
/// worked out and when its lock is taken off.
async fn check_pay(story: &Story) {
    let (chain, wallet) = (&story.net.chain, story.wallet().await);
    let paid_and_earned = || async {
        let head = chain.head().await?.number;
        let (mut paid, mut cu) = (0u64, 0u128);
        for log in chain.wallet_events(wallet, 0, head).await? {
            match log.event {
                WalletEvent::PaymentApproved { net, .. } => paid += net.units(),
                WalletEvent::ResultPosted { cu_total, .. } => cu += u128::from(cu_total.0),
                _ => {}
            }
        }
        let earned = cu * u128::from(NET_PRICE) / u128::from(CU_PER_PU);
        Ok::<_, anyhow::Error>((paid, u64::try_from(earned)?))
    };
    let rounding = 2 * story.net.miners.len() as u64;
    wait_for("all pay", 60, || async {
        let (paid, earned) = paid_and_earned().await?;
        Ok((paid + rounding >= earned).then_some(()))
    })
    .await
    .unwrap();
    let (paid, earned) = paid_and_earned().await.unwrap();
    assert!(
        earned > 1_000 * rounding && paid <= earned + rounding,
        "{paid} paid, {earned} earned"
    );
}

/// A process stands still for longer than its leases last, right before it writes a payment's nonce down or right before
/// it sends the payment; another one takes over and pays; then the first goes on.
#[test]
fn a_hub_process_frozen_before_it_pays_does_not_pay_again() {
    let Some(server) = server() else { return };
    block_on(async {
        let mut story = Story::prepare(Settings {
            miners: 1,
            ..Settings::default()
        })
        .await;
        let url = database(&server, "gio_frozen").await;
        let balancer = Balancer::prepare(&story, &url).await;
        story.net.start_miner(0).await.unwrap();
        let points = ["hub.sends.payment", "hub.wrote.payment_nonce"];
        for (jobs, point) in (1..).zip(points) {
            frozen(&story, &balancer, point, jobs).await;
        }
        story.net.miners[0].take().unwrap().stop().await.unwrap();
        balancer.task.abort();
        story.net.stop().await.unwrap();
    });
}

async fn frozen(story: &Story, balancer: &Balancer, point: &str, jobs: usize) {
    let mut first = balancer.start_hub(story, 0, &[(STOP_AT, point)]).await;
    let logs = story.net.folder.join("logs");
    // It may hear no more of its hub, so it is not waited for.
    let _buyer = Process::start("buyer", submission(story, &[], LITTLE), &logs).unwrap();
    wait_for("a frozen hub", 120, || async {
        Ok(first.is_frozen().then_some(()))
    })
    .await
    .unwrap();
    let other = balancer.start_hub(story, 1, &[]).await;
    settled(story, jobs).await;
    check_pay(story).await;
    first.go_on();
    // Long enough to send what it was about to send.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    // Paid once: the sum is still right.
    check_pay(story).await;
    if first.ended().unwrap().is_none() {
        first.kill().await.unwrap();
    }
    other.stop().await.unwrap();
}

/// Waits until so many deals are settled: the first process may have been frozen at an advance.
async fn settled(story: &Story, jobs: usize) {
    let (chain, wallet) = (&story.net.chain, story.wallet().await);
    wait_for("the deal's end", 120, || async {
        let head = chain.head().await?.number;
        let logs = chain.wallet_events(wallet, 0, head).await?;
        let is_end = |event: &WalletEvent| matches!(event, WalletEvent::DealSettled { .. });
        let ended = logs.iter().filter(|log| is_end(&log.event)).count();
        Ok((ended >= jobs).then_some(()))
    })
    .await
    .unwrap();
}

/// Where leases are written, and what has to happen for it besides a job that runs.
pub(crate) const LEASES: [(&str, Besides); 5] = [
    ("hub.wrote.lease_taken", Besides::Nothing),
    ("hub.wrote.deals_held", Besides::Nothing),
    ("hub.wrote.leases_kept", Besides::Nothing),
    ("hub.wrote.deal_released", Besides::MinersLeave),
    ("hub.wrote.leases_released", Besides::HubStops),
];

pub(crate) enum Besides {
    Nothing,
    MinersLeave,
    HubStops,
}

#[test]
fn a_hub_on_a_shared_database_survives_a_death_wherever_a_lease_is_written() {
    let Some(server) = server() else { return };
    block_on(async {
        let mut story = Story::prepare(Settings {
            miners: 1,
            ..Settings::default()
        })
        .await;
        let url = database(&server, "gio_leases").await;
        let home = story.net.folder.join("hub");
        configure(&home, &[("database_url", quoted(&url))]);
        let before = story.net.balances().await.unwrap();
        story.net.start_hub().await.unwrap();
        let mut job = submission(&story, &["--detach"], MUCH);
        let job = Answer::of(&job.output().await.unwrap()).expect(0);
        story.net.hub.take().unwrap().kill().await.unwrap();
        story.net.start_miner(0).await.unwrap();
        for (point, besides) in LEASES {
            // As if the dead one had been silent for long enough.
            sql(
                &url,
                "UPDATE deals SET held_until = 0; UPDATE leases SET until = 0",
            )
            .await;
            let mut hub = story.net.agent("gio-hub", "hub", &["start"]);
            hub.env(KILL_AT, format!("{point}@1"));
            let logs = story.net.folder.join("logs");
            let mut hub = Process::start("hub", hub, &logs).unwrap();
            match besides {
                Besides::Nothing => {}
                Besides::MinersLeave => {
                    held(&url).await;
                    let miner = story.net.miners[0].take().unwrap();
                    miner.kill().await.unwrap();
                }
                Besides::HubStops => {
                    held(&url).await;
                    hub.ask_to_stop();
                }
            }
            let status = wait_for(point, 60, || {
                let ended = hub.ended();
                async move { ended }
            });
            assert_eq!(status.await.unwrap().signal(), Some(9), "{point}");
            if story.net.miners[0].is_none() {
                story.net.start_miner(0).await.unwrap();
            }
        }
        sql(
            &url,
            "UPDATE deals SET held_until = 0; UPDATE leases SET until = 0",
        )
        .await;
        story.net.start_hub().await.unwrap();
        story.buyer(&["attach", job.job()]).await.expect(0);
        check_pay(&story).await;
        let after = story.net.balances().await.unwrap();
        assert_eq!(report::total(&before), report::total(&after));
        story.net.stop().await.unwrap();
    });
}

/// Waits until a process works on the job: its units are given out.
async fn held(url: &str) {
    wait_for("a hub with the job", 60, || async {
        let count = sql(url, "SELECT COUNT(*) FROM assignments").await;
        Ok((count.trim() != "0").then_some(()))
    })
    .await
    .unwrap();
}

async fn sql(url: &str, statement: &str) -> String {
    let mut psql = Command::new("psql");
    psql.args(["--quiet", "--tuples-only", "--command", statement])
        .arg(url);
    gio_e2e::process::run(psql).await.unwrap()
}

static JOBS: AtomicUsize = AtomicUsize::new(0);

/// A job of many units, to its end.
async fn submit(story: &Story) {
    let number = JOBS.load(Ordering::SeqCst);
    let output = submission(story, &[], LITTLE).output().await.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let units = story.net.folder.join(format!("out-{number}/units.json"));
    let units: serde_json::Value = serde_json::from_slice(&fs::read(units).unwrap()).unwrap();
    assert_eq!(units.as_array().unwrap().len(), UNITS);
}

/// The command for it.
fn submission(story: &Story, flags: &[&str], mebibytes: &str) -> Command {
    let number = JOBS.fetch_add(1, Ordering::SeqCst);
    let wasm = paths::repository().join("apps/bench/sha256.wasm");
    let out = story.net.folder.join(format!("out-{number}"));
    let split = format!("range:0..{UNITS}:{UNITS}");
    let args = [
        "submit",
        "--wasm",
        text(&wasm),
        "--split",
        &split,
        "--pu",
        "20",
        "--assemble",
        "concat",
        "--json",
        "--yes",
        "--out",
        text(&out),
    ];
    let mut command = story.net.buyer(&args);
    command.args(flags).args(["--", mebibytes]);
    command
}

/// What stands at the hub's registered address and passes every connection on to one of its processes that lives.
struct Balancer {
    ports: [u16; 2],
    task: JoinHandle<()>,
}

impl Balancer {
    /// Makes the hub's folder two folders, on one database, behind the address that is registered.
    async fn prepare(story: &Story, url: &str) -> Self {
        let folder = &story.net.folder;
        let public = story.net.hub_addr().unwrap();
        let port: u16 = public.split('/').nth(4).unwrap().parse().unwrap();
        let ports = [free_port().unwrap(), free_port().unwrap()];
        fs::create_dir_all(folder.join("hub-1")).unwrap();
        for file in ["key", "config.toml"] {
            fs::copy(
                folder.join("hub").join(file),
                folder.join("hub-1").join(file),
            )
            .unwrap();
        }
        let (announced, _) = public.split_once("/p2p/").unwrap();
        for (home, port) in ["hub", "hub-1"].into_iter().zip(ports) {
            let keys = [
                ("listen", format!("[\"/ip4/127.0.0.1/tcp/{port}\"]")),
                ("announce", format!("[\"{announced}\"]")),
                ("database_url", quoted(url)),
                ("content_dir", quoted(text(&folder.join("content")))),
            ];
            configure(&folder.join(home), &keys);
        }
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "the test ends it")]
        let task = tokio::spawn(balance(listener, ports));
        Self { ports, task }
    }

    async fn start_hubs(&self, story: &Story) -> Vec<Process> {
        vec![
            self.start_hub(story, 0, &[]).await,
            self.start_hub(story, 1, &[]).await,
        ]
    }

    /// Starts one of the processes; `points` are variables of fail-points, each with the point it is for.
    async fn start_hub(&self, story: &Story, at: usize, points: &[(&str, &str)]) -> Process {
        let (home, port) = (["hub", "hub-1"][at], self.ports[at]);
        let mut command = story.net.agent("gio-hub", home, &["start"]);
        for (variable, point) in points {
            command.env(variable, format!("{point}@1"));
        }
        let process = Process::start(home, command, &story.net.folder.join("logs")).unwrap();
        wait_for("a hub process", 30, || async move {
            Ok(TcpStream::connect(("127.0.0.1", port)).await.ok())
        })
        .await
        .unwrap();
        process
    }
}

async fn balance(listener: TcpListener, ports: [u16; 2]) {
    let mut turn = 0usize;
    let mut live = tokio::task::JoinSet::new();
    while let Ok((mut inbound, _)) = listener.accept().await {
        turn += 1;
        let order = [ports[turn % 2], ports[(turn + 1) % 2]];
        live.spawn(async move {
            for port in order {
                let address = SocketAddr::from(([127, 0, 0, 1], port));
                if let Ok(mut outbound) = TcpStream::connect(address).await {
                    // An end on either side ends both.
                    let _ = tokio::io::copy_bidirectional(&mut inbound, &mut outbound).await;
                    return;
                }
            }
        });
    }
}
