//! Several hosts on one machine: network namespaces with addresses of their own, joined by a relay that loses, delays and
//! cuts what it carries.
//!
//! `tests/relay.py` is that relay: kernels without `sch_netem` cannot spoil a link. It runs in the namespace of whoever
//! makes the [`Lan`], which must be one of its own: nothing is changed in the host's.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::paths::repository;

/// The net of the first three bytes is everybody's.
const NET: &str = "10.77.0";
/// Whoever made the net takes part in it with this address.
const OBSERVER: u8 = 254;

/// Where a program runs.
#[derive(Clone, Debug)]
pub struct Place {
    /// The network namespace; none is this one.
    pub netns: Option<String>,
    /// Its address.
    pub ip: String,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            netns: None,
            ip: "127.0.0.1".to_owned(),
        }
    }
}

impl Place {
    /// A command that runs there.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let Some(netns) = &self.netns else {
            return Command::new(program);
        };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", netns]).arg(program);
        command
    }
}

/// Hosts and the relay between them; all of it goes when this is dropped.
#[derive(Debug)]
pub struct Lan {
    /// By the names given.
    pub places: BTreeMap<String, Place>,
    relay: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What the relay did with frames.
#[derive(Clone, Copy, Debug)]
pub struct Carried {
    /// Arrived.
    pub passed: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Met a cut link.
    pub cut: u64,
}

impl Lan {
    /// Makes the hosts. Links of those in `clean` are cut but never spoilt.
    ///
    /// # Errors
    /// If the right is missing, or `ip` or `python3`.
    pub fn start(names: &[&str], clean: &[&str]) -> Result<Self> {
        // Ports of the relay answer for their own address only: they have none.
        std::fs::write("/proc/sys/net/ipv4/conf/all/arp_ignore", "1")?;
        ip("link set lo up")?;
        let mut places = BTreeMap::new();
        let mut ports = vec!["p-observer=clean".to_owned()];
        for (name, number) in names.iter().zip(1u8..) {
            let netns = format!("gio-{}-{name}", std::process::id());
            let place = Place {
                ip: format!("{NET}.{number}"),
                netns: Some(netns.clone()),
            };
            ip(&format!("netns add {netns}"))?;
            places.insert((*name).to_owned(), place.clone());
            ip(&format!(
                "link add p-{name} type veth peer name eth0 netns {netns}"
            ))?;
            ip(&format!("link set p-{name} up"))?;
            ip(&format!("-n {netns} addr add {}/24 dev eth0", place.ip))?;
            ip(&format!("-n {netns} link set eth0 up"))?;
            ip(&format!("-n {netns} link set lo up"))?;
            // Frames as on a wire, whole and with their checksums.
            let relay = relay_program();
            ip(&format!("netns exec {netns} python3 {relay} --plain eth0"))?;
            let spoilt = if clean.contains(name) { "=clean" } else { "" };
            ports.push(format!("p-{name}{spoilt}"));
        }
        ip("link add observer type veth peer name p-observer")?;
        ip(&format!("addr add {NET}.{OBSERVER}/24 dev observer"))?;
        ip("link set observer up")?;
        ip("link set p-observer up")?;
        run(std::process::Command::new("python3").args([&relay_program(), "--plain", "observer"]))?;
        let (relay, orders, answers) = start_relay(&ports)?;
        Ok(Self {
            places,
            relay,
            orders,
            answers,
        })
    }

    /// Loses and delays from now on.
    ///
    /// # Errors
    /// If the relay is gone.
    pub fn spoil(&mut self, loss_percent: u32, delay_ms: u32) -> Result<Carried> {
        self.order(&format!("spoil {loss_percent} {delay_ms}"))
    }

    /// Cuts a host off.
    ///
    /// # Errors
    /// If the relay is gone.
    pub fn cut(&mut self, name: &str) -> Result<Carried> {
        self.order(&format!("cut p-{name}"))
    }

    /// Joins a host to the others again.
    ///
    /// # Errors
    /// If the relay is gone.
    pub fn heal(&mut self, name: &str) -> Result<Carried> {
        self.order(&format!("heal p-{name}"))
    }

    fn order(&mut self, order: &str) -> Result<Carried> {
        writeln!(self.orders, "{order}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let counts: Vec<u64> = answer
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let [passed, lost, cut] = counts[..] else {
            anyhow::bail!("the relay answered `{answer}`");
        };
        Ok(Carried { passed, lost, cut })
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        // What is left goes with the namespace of whoever made it.
        let _ = self.relay.kill();
        let _ = self.relay.wait();
        for netns in self
            .places
            .values()
            .filter_map(|place| place.netns.as_ref())
        {
            let _ = ip(&format!("netns del {netns}"));
        }
    }
}

fn relay_program() -> String {
    let path = repository().join("tests/relay.py");
    path.display().to_string()
}

fn start_relay(ports: &[String]) -> Result<(Child, ChildStdin, BufReader<ChildStdout>)> {
    let mut relay = std::process::Command::new("python3")
        .arg(relay_program())
        .args(ports)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("python3 is needed for the relay")?;
    let orders = relay.stdin.take().context("its standard input is a pipe")?;
    let answers = relay
        .stdout
        .take()
        .context("its standard output is a pipe")?;
    let mut answers = BufReader::new(answers);
    let mut ready = String::new();
    answers.read_line(&mut ready)?;
    ensure!(ready.trim() == "ready", "the relay said `{ready}`");
    Ok((relay, orders, answers))
}

/// Runs `ip` with these words.
fn ip(words: &str) -> Result<()> {
    run(std::process::Command::new("ip").args(words.split(' ')))
}

fn run(command: &mut std::process::Command) -> Result<()> {
    let output = command.output();
    let output = output.with_context(|| format!("cannot run {command:?}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {told}");
    Ok(())
}
