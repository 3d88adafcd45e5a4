//! A market whose processes die: each dead one is started again, armed to die somewhere else.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use gio_e2e::devnet::{Devnet, Settings};
use gio_e2e::process::Process;
use gio_failpoint::{HURRY, KILL_AT, VISITS};
use gio_protocol::{Address, B256, DealId, DealStage, Gio};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::MutexGuard;
use tokio::time::{Instant, sleep};

use super::audit::audit;
use super::jobs::Ask;
use crate::story::turn;

/// Between two looks at all processes.
const LOOK: Duration = Duration::from_millis(20);
/// A job that has not ended by then has lost its way: longer than the 300 s after which a hub gives a unit without a
/// result to somebody else.
const JOB_SECONDS: u64 = 400;
/// Before a person tries again what failed for now.
const AGAIN: Duration = Duration::from_millis(300);
/// Until the last miner has pulled its last pay: a miner looks by itself every 60 s.
const QUIET_SECONDS: u64 = 100;
/// How often a process is armed for one point before the point counts as never reached: another process may have died
/// so that this one had nothing to do.
const TRIES: u32 = 4;
/// How much sooner a process in a hurry gives up on the chain: after seconds instead of minutes.
const TIMES_SOONER: &str = "60";
/// Jobs that may go by before an armed process that still lives is armed for something else.
const JOBS_ARMED: u32 = 2;

/// Somebody who dies at a point: `hub`, `miner` or `buyer`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Death {
    pub(crate) who: &'static str,
    pub(crate) point: String,
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.who, self.point)
    }
}

/// A point to die at the next time it is passed.
#[derive(Clone, Debug)]
pub(crate) struct Aim {
    point: String,
    tries: u32,
}

impl Aim {
    pub(crate) fn at(point: &str) -> Self {
        let point = point.to_owned();
        Self { point, tries: 0 }
    }

    /// For the environment: the first visit.
    fn plan(&self) -> String {
        format!("{}@1", self.point)
    }

    /// Once more, unless it was tried often enough.
    fn again(mut self) -> Option<Self> {
        self.tries += 1;
        (self.tries < TRIES).then_some(self)
    }
}

/// A hub or a miner that is kept running.
pub(crate) struct Agent {
    pub(crate) name: &'static str,
    role: &'static str,
    program: &'static str,
    /// Where it will die, one after the other.
    pub(crate) plan: VecDeque<Aim>,
    armed: Option<Aim>,
    process: Option<Process>,
    /// Jobs that went by since it was armed.
    jobs: u32,
    /// When it dies it stays dead until somebody starts it.
    pub(crate) stays_dead: bool,
    /// Its next processes lose their patience with the chain soon.
    pub(crate) in_a_hurry: bool,
}

impl Agent {
    fn new(name: &'static str, role: &'static str, program: &'static str) -> Self {
        Self {
            name,
            role,
            program,
            plan: VecDeque::new(),
            armed: None,
            process: None,
            jobs: 0,
            stays_dead: false,
            in_a_hurry: false,
        }
    }

    fn start(&mut self, net: &Devnet) {
        self.armed = self.plan.pop_front();
        self.jobs = 0;
        let mut command = net.agent(self.program, self.name, &["start"]);
        if let Some(aim) = &self.armed {
            command.env(KILL_AT, aim.plan());
        }
        if self.in_a_hurry {
            command.env(HURRY, TIMES_SOONER);
        }
        let visits = visits(net, self.name);
        // Those of the last process; there is none before the first.
        let _ = fs::remove_file(&visits);
        command.env(VISITS, visits);
        let logs = net.folder.join("logs");
        self.process = Some(Process::start(self.name, command, &logs).unwrap());
    }

    /// Starts it again if it has died, and says of what.
    fn tend(&mut self, net: &Devnet) -> Option<Death> {
        let status = self.process.as_mut()?.ended().unwrap()?;
        let log = self.process.take().unwrap().log().unwrap();
        let armed = self.armed.take();
        assert_eq!(
            status.signal(),
            Some(9),
            "{} ended by itself ({status}), armed for {armed:?}:\n{}",
            self.name,
            tail(&log)
        );
        let aim = armed.expect("a process that is not armed is not killed");
        if !self.stays_dead {
            self.start(net);
        }
        Some(Death {
            who: self.role,
            point: aim.point,
        })
    }
}

/// A market whose processes die.
pub(crate) struct DyingMarket {
    pub(crate) net: Devnet,
    pub(crate) agents: Vec<Agent>,
    pub(crate) buyer_plan: VecDeque<Aim>,
    /// Who died where.
    pub(crate) deaths: BTreeSet<Death>,
    /// Never reached, however often somebody was armed for it.
    pub(crate) unreached: BTreeSet<Death>,
    pub(crate) window_seconds: u64,
    before: Vec<(String, Gio)>,
    jobs: usize,
    _folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// How long a posted result may be looked at before anybody may settle.
const WINDOW_SECONDS: u64 = 600;
pub(crate) const MINERS: [&str; 2] = ["miner-1", "miner-2"];

impl DyingMarket {
    /// Chain, contracts and accounts; nothing runs yet.
    pub(crate) async fn prepare() -> Self {
        Self::with(Settings::default()).await
    }

    /// The same, with its programs on hosts of their own.
    pub(crate) async fn with(settings: Settings) -> Self {
        let turn = turn().await;
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            miners: MINERS.len(),
            window_seconds: WINDOW_SECONDS,
            ..settings
        };
        let net = Devnet::prepare(folder.path(), settings).await.unwrap();
        let before = net.balances().await.unwrap();
        let mut agents = vec![Agent::new("hub", "hub", "gio-hub")];
        agents.extend(MINERS.map(|name| Agent::new(name, "miner", "gio-miner")));
        Self {
            net,
            agents,
            buyer_plan: VecDeque::new(),
            deaths: BTreeSet::new(),
            unreached: BTreeSet::new(),
            window_seconds: WINDOW_SECONDS,
            before,
            jobs: 0,
            _folder: folder,
            _turn: turn,
        }
    }

    pub(crate) fn start(&mut self) {
        for agent in &mut self.agents {
            agent.start(&self.net);
        }
    }

    pub(crate) fn agent(&mut self, name: &str) -> &mut Agent {
        let found = self.agents.iter_mut().find(|agent| agent.name == name);
        found.expect("the market has this agent")
    }

    /// Kills an agent from outside, and keeps it down until it is started again.
    pub(crate) async fn kill(&mut self, name: &str) {
        let agent = self.agent(name);
        agent.armed = None;
        if let Some(process) = agent.process.take() {
            process.kill().await.unwrap();
        }
    }

    pub(crate) fn start_again(&mut self, name: &str) {
        let at = self
            .agents
            .iter()
            .position(|agent| agent.name == name)
            .unwrap();
        self.agents[at].start(&self.net);
    }

    pub(crate) fn tend(&mut self) {
        for agent in &mut self.agents {
            if let Some(death) = agent.tend(&self.net) {
                self.deaths.insert(death);
            }
        }
    }

    /// Looks after the processes for a while.
    pub(crate) async fn tend_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.tend();
            sleep(LOOK).await;
        }
    }

    /// Waits for a condition on the chain while the processes die.
    pub(crate) async fn tend_until<F: Future<Output = bool>>(
        &mut self,
        what: &str,
        seconds: u64,
        mut is_so: impl FnMut(gio_evm::Chain) -> F,
    ) {
        let until = Instant::now() + Duration::from_secs(seconds);
        while !is_so(self.net.chain.clone()).await {
            assert!(
                Instant::now() < until,
                "{what} did not come about\n{}",
                self.logs()
            );
            self.tend();
            sleep(LOOK).await;
        }
    }

    /// One job to its end, whoever dies meanwhile; returns its id. The buyer dies at most once a job and is then started
    /// again.
    pub(crate) async fn job(&mut self, ask: &Ask) -> String {
        let aim = self.buyer_plan.pop_front();
        let job = self.submit(ask, &[], aim).await;
        self.pass_by().await;
        job
    }

    /// Opens a job's deal and leaves it to the hub.
    pub(crate) async fn leave(&mut self, ask: &Ask) -> String {
        self.submit(ask, &["--detach"], None).await
    }

    async fn submit(&mut self, ask: &Ask, flags: &[&str], mut aim: Option<Aim>) -> String {
        self.jobs += 1;
        let out = self.net.folder.join(format!("out-{}", self.jobs));
        let known = self.job_ids();
        let until = Instant::now() + Duration::from_secs(JOB_SECONDS);
        let mut job: Option<String> = None;
        loop {
            let mut command = match &job {
                Some(job) if flags.is_empty() => self.net.buyer(&["attach", job, "--json"]),
                Some(_) => panic!("a job that is left is left at once\n{}", self.logs()),
                None => self.submission(ask, flags, &out),
            };
            if let Some(aim) = &aim {
                command.env(KILL_AT, aim.plan());
            }
            let status = self.buyer(command, until).await;
            job = job.or_else(|| self.job_ids().difference(&known).next().cloned());
            let armed = aim.take();
            let is_done = status.code().is_some_and(|code| ask.codes.contains(&code));
            match armed {
                Some(aim) if status.signal() == Some(9) => {
                    let (who, point) = ("buyer", aim.point);
                    self.deaths.insert(Death { who, point });
                }
                // Somebody it needed was dead: it may die the next time.
                Some(aim) => self.aim_again("buyer", aim),
                None => {}
            }
            if is_done {
                return job.expect("a job that ended is on disk");
            }
            assert!(
                Instant::now() < until,
                "the job did not end ({status})\n{}",
                self.logs()
            );
            sleep(AGAIN).await;
        }
    }

    fn submission(&self, ask: &Ask, flags: &[&str], out: &Path) -> Command {
        let mut command = self.net.buyer(&["submit", "--json", "--yes"]);
        command.args(flags).args(&ask.args).arg("--out").arg(out);
        command.arg("--").args(&ask.program_args);
        command
    }

    fn aim_again(&mut self, who: &'static str, aim: Aim) {
        let point = aim.point.clone();
        match aim.again() {
            Some(aim) => self.buyer_plan.push_back(aim),
            None => {
                self.unreached.insert(Death { who, point });
            }
        }
    }

    /// Runs one command of the buyer to its end.
    async fn buyer(&mut self, command: Command, until: Instant) -> ExitStatus {
        let logs = self.net.folder.join("logs");
        let mut buyer = Process::start("buyer", command, &logs).unwrap();
        loop {
            if let Some(status) = buyer.ended().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the buyer hangs\n{}", self.logs());
            self.tend();
            sleep(LOOK).await;
        }
    }

    /// Runs a command that dies at a point.
    pub(crate) async fn buyer_dies(&mut self, args: &[&str], point: &str) {
        let command = self.net.buyer(args);
        self.dies_of(command, point).await;
    }

    /// The same, as soon as the hub has caught up: until then nobody can be reached, or nothing is to be had.
    pub(crate) async fn buyer_dies_in_the_end(&mut self, args: &[&str], point: &str) {
        let until = Instant::now() + Duration::from_secs(JOB_SECONDS);
        loop {
            let mut command = self.net.buyer(args);
            command.env(KILL_AT, Aim::at(point).plan());
            let status = self.buyer(command, until).await;
            if status.signal() == Some(9) {
                let (who, point) = ("buyer", point.to_owned());
                self.deaths.insert(Death { who, point });
                return;
            }
            assert_eq!(status.code(), Some(14), "{}", self.logs());
            sleep(AGAIN).await;
        }
    }

    /// Submits a job with a buyer in a hurry, which dies at a point. Returns the job, which `attach` goes on with.
    pub(crate) async fn submission_dies(&mut self, ask: &Ask, point: &str) -> String {
        self.jobs += 1;
        let (out, known) = (self.out(), self.job_ids());
        let mut command = self.submission(ask, &[], &out);
        command.env(HURRY, TIMES_SOONER);
        self.dies_of(command, point).await;
        let new = self.job_ids().difference(&known).next().cloned();
        new.expect("a job that is about to be opened is on disk")
    }

    async fn dies_of(&mut self, mut command: Command, point: &str) {
        command.env(KILL_AT, Aim::at(point).plan());
        let until = Instant::now() + Duration::from_secs(JOB_SECONDS);
        let status = self.buyer(command, until).await;
        assert_eq!(
            status.signal(),
            Some(9),
            "the buyer did not die at {point} ({status})\n{}",
            self.logs()
        );
        let point = point.to_owned();
        self.deaths.insert(Death {
            who: "buyer",
            point,
        });
    }

    /// Runs a command again and again until an agent has died wherever it was to die.
    pub(crate) async fn buyer_until_deaths(&mut self, args: &[&str], name: &str) {
        let until = Instant::now() + Duration::from_secs(JOB_SECONDS);
        while !self.is_dead_everywhere(name) {
            self.buyer(self.net.buyer(args), until).await;
            self.tend_for(AGAIN).await;
        }
    }

    fn is_dead_everywhere(&mut self, name: &str) -> bool {
        let agent = self.agent(name);
        agent.plan.is_empty() && agent.armed.is_none()
    }

    /// Runs a command until it succeeds, as often as whom it needs is dead.
    pub(crate) async fn buyer_succeeds(&mut self, args: &[&str]) {
        let until = Instant::now() + Duration::from_secs(JOB_SECONDS);
        loop {
            let status = self.buyer(self.net.buyer(args), until).await;
            if status.success() {
                return;
            }
            assert!(
                Instant::now() < until,
                "{args:?}: {status}\n{}",
                self.logs()
            );
            sleep(AGAIN).await;
        }
    }

    /// A job has gone by: who was armed for two and did not die is armed anew.
    async fn pass_by(&mut self) {
        for at in 0..self.agents.len() {
            let agent = &mut self.agents[at];
            agent.jobs += 1;
            if agent.jobs < JOBS_ARMED {
                continue;
            }
            let (name, who) = (agent.name, agent.role);
            let Some(aim) = agent.armed.take() else {
                continue;
            };
            let point = aim.point.clone();
            match aim.again() {
                Some(aim) => agent.plan.push_back(aim),
                None => {
                    self.unreached.insert(Death { who, point });
                }
            }
            self.kill(name).await;
            self.start_again(name);
        }
    }

    /// An agent dies at these points, one after the other, while the market goes on.
    pub(crate) async fn dies(&mut self, name: &str, points: &[&str], what: &str) {
        self.arm(name, points).await;
        self.wait_for_deaths(name, what).await;
    }

    /// Starts an agent anew, to die at these points one after the other.
    pub(crate) async fn arm(&mut self, name: &str, points: &[&str]) {
        self.kill(name).await;
        self.agent(name).plan = points.iter().map(|point| Aim::at(point)).collect();
        self.start_again(name);
    }

    /// Waits until an agent has died wherever it was to die.
    pub(crate) async fn wait_for_deaths(&mut self, name: &str, what: &str) {
        let until = Instant::now() + Duration::from_secs(JOB_SECONDS);
        loop {
            self.tend();
            if self.is_dead_everywhere(name) {
                return;
            }
            let agent = self.agent(name);
            let left = (agent.armed.clone(), agent.plan.clone());
            assert!(
                Instant::now() < until,
                "{what}: {name} did not die at {left:?}\n{}",
                self.logs()
            );
            sleep(LOOK).await;
        }
    }

    /// Asks an agent to stop; its orderly end may be where it dies.
    pub(crate) fn ask_to_stop(&mut self, name: &str) {
        let process = self.agent(name).process.as_ref();
        process.expect("it runs").ask_to_stop();
    }

    pub(crate) async fn kill_miners(&mut self) {
        for name in MINERS {
            self.kill(name).await;
        }
    }

    pub(crate) fn start_miners(&mut self) {
        for name in MINERS {
            if self.agent(name).process.is_none() {
                self.start_again(name);
            }
        }
    }

    /// Waits until an agent's process has begun to run a unit.
    pub(crate) async fn begins_a_unit(&mut self, name: &'static str) {
        let visits = visits(&self.net, name);
        self.tend_until("a running unit", JOB_SECONDS, |_| {
            let passed = fs::read_to_string(&visits).unwrap_or_default();
            let begun = passed.lines().any(|point| point == "miner.begins.unit");
            async move { begun }
        })
        .await;
    }

    pub(crate) async fn reaches(&mut self, job: &str, stage: DealStage) {
        let (wallet, deal) = self.deal(job);
        let what = format!("the deal's stage {stage:?}");
        self.tend_until(&what, JOB_SECONDS, move |chain| async move {
            chain.deal(wallet, deal).await.unwrap().stage == stage
        })
        .await;
    }

    /// A job's wallet and deal.
    pub(crate) fn deal(&self, job: &str) -> (Address, DealId) {
        let record = self.record(job);
        let deal = &record["state"]["dealt"]["deal"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let wallet = text(&deal["hub"]["wallet"]).parse().unwrap();
        (wallet, DealId(text(&deal["id"]).parse::<B256>().unwrap()))
    }

    pub(crate) fn is_done(&self) -> bool {
        self.buyer_plan.is_empty()
            && self
                .agents
                .iter()
                .all(|agent| agent.plan.is_empty() && agent.armed.is_none())
    }

    fn job_ids(&self) -> BTreeSet<String> {
        let Ok(entries) = fs::read_dir(self.net.folder.join("buyer/jobs")) else {
            return BTreeSet::new();
        };
        let whole = entries
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().join("job.json").exists());
        whole
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect()
    }

    /// A job's record.
    pub(crate) fn record(&self, job: &str) -> Value {
        let path = self
            .net
            .folder
            .join("buyer/jobs")
            .join(job)
            .join("job.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.net.folder.join(format!("out-{}", self.jobs))
    }

    /// Lets everything come to rest and adds up.
    pub(crate) async fn settle_sums(&mut self) {
        let until = Instant::now() + Duration::from_secs(QUIET_SECONDS);
        loop {
            match audit(&self.net, &self.before).await {
                Ok(()) => return,
                Err(error) => assert!(
                    Instant::now() < until,
                    "the sums do not add up: {error:#}\n{}",
                    self.logs()
                ),
            }
            self.tend_for(Duration::from_millis(500)).await;
        }
    }

    /// Adds up, stops the market in order, and adds up again.
    pub(crate) async fn close(mut self) {
        self.settle_sums().await;
        for agent in &mut self.agents {
            if let Some(process) = agent.process.take() {
                process.stop().await.unwrap();
            }
        }
        audit(&self.net, &self.before).await.unwrap();
        self.net.stop().await.unwrap();
    }

    /// The end of every log, for a test that failed.
    fn logs(&self) -> String {
        let mut text = String::new();
        for name in ["hub", "miner-1", "miner-2", "buyer"] {
            let log = fs::read_to_string(self.net.folder.join(format!("logs/{name}.log")));
            text += &format!("== {name}\n{}\n", tail(&log.unwrap_or_default()));
        }
        text
    }
}

/// The fail-points an agent's process has passed.
fn visits(net: &Devnet, name: &str) -> PathBuf {
    net.folder.join(format!("{name}.visits"))
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
