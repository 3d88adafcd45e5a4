//! `doctor`: looks at everything a buyer needs, and changes nothing.

use std::time::Duration;

use clap::Args;
use gio_agent::doctor::{Diagnosis, chain_of};
use gio_agent::{ExitStatus, Home, UserError, read_config, unix_now};
use gio_evm::Chain;
use gio_protocol::{Gio, U256};
use gio_runtime::{Engine, EngineConfig};

use crate::cli::Global;
use crate::config::Config;
use crate::decimal::gio_text;
use crate::faults;
use crate::session::Session;

/// How long to look for hubs: the first answer usually comes in a fraction of a second.
const FIND_TIMEOUT: Duration = Duration::from_secs(5);

/// Look at key, config, jobs, disk, sandbox, clock, chain, peers and money, and say what is wrong
#[derive(Clone, Copy, Debug, Args)]
pub struct Doctor {}

impl Doctor {
    /// Looks and prints; the exit code is 1 if anything fails.
    ///
    /// # Errors
    /// None of its own: what is wrong is a line.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let home = global.home();
        let mut found = Diagnosis::default();
        found.key(&home);
        let read = read_config::<Config>(&home.config_path()).map_err(faults::config);
        found.config(&home, read);
        if home.folder().exists() {
            found.disk(home.folder());
        }
        sandbox(&mut found);
        if let Ok(session) = Session::open(home.clone()) {
            jobs(&mut found, &session, &home);
            if let Some(chain) = chain(&mut found, &session).await {
                money(&mut found, &session, &chain).await;
            }
            peers(&mut found, &session).await;
        }
        global.output().result(&found.text(), &found);
        Ok(found.status())
    }
}

fn sandbox(found: &mut Diagnosis) {
    let config = EngineConfig {
        cache_dir: None,
        instances_max: 1,
        pages_max: 16,
    };
    match Engine::new(config) {
        Ok(_) => found.ok("sandbox", "programs can be run here"),
        Err(error) => found.warn(
            "sandbox",
            chain_of(&error),
            "`run`, `check` and reducing programs need it; address space may be limited (`ulimit -v`)",
        ),
    }
}

fn jobs(found: &mut Diagnosis, session: &Session, home: &Home) {
    let folder = home.path("jobs");
    let ids = match session.jobs().ids() {
        Ok(ids) => ids,
        Err(error) => {
            return found.fail(
                "jobs",
                chain_of(&error),
                format!("is {} yours?", folder.display()),
            );
        }
    };
    let mut open = 0;
    for id in &ids {
        match session.jobs().load(id) {
            Ok(job) => open += usize::from(job.dealt().is_some_and(|dealt| dealt.end.is_none())),
            Err(error) => found.fail(
                "jobs",
                chain_of(&error),
                "bring the record back from a copy; what the chain says of the deal is safe",
            ),
        }
    }
    found.ok(
        "jobs",
        format_args!("{}, {open} of them under way", ids.len()),
    );
}

async fn chain(found: &mut Diagnosis, session: &Session) -> Option<Chain> {
    let chain = match session.chain().await {
        Ok(chain) => chain,
        Err(error) => {
            let hint = error.hint.clone().unwrap_or_default();
            found.fail("rpc", chain_of(error.cause.as_ref()), hint);
            return None;
        }
    };
    match chain.head().await {
        Ok(head) => found.rpc(chain.chain_id(), head.number, unix_now(), head.time.0),
        Err(error) => found.fail("rpc", chain_of(&error), "is the node of `rpc_url` up?"),
    }
    Some(chain)
}

async fn money(found: &mut Diagnosis, session: &Session, chain: &Chain) {
    let address = session.address();
    match chain.gas_balance(address).await {
        Ok(U256::ZERO) => {
            let hint = format!("send some of the chain's own coin to {address}");
            found.fail("gas", "none", hint);
        }
        Ok(_) => found.ok("gas", "there is some"),
        Err(error) => found.fail("gas", chain_of(&error), "is the node of `rpc_url` up?"),
    }
    match chain.balance(address).await {
        Ok(Gio::ZERO) => found.fail("gio", "none", format!("send GIO to {address}")),
        Ok(held) => found.ok("gio", format_args!("{} GIO", gio_text(held))),
        Err(error) => found.fail("gio", chain_of(&error), "is the node of `rpc_url` up?"),
    }
}

async fn peers(found: &mut Diagnosis, session: &Session) {
    let net = match session.net().await {
        Ok(net) => net,
        Err(error) => {
            let hint = error.hint.clone().unwrap_or_default();
            return found.fail("peers", chain_of(error.cause.as_ref()), hint);
        }
    };
    let hubs = net.net.find_hubs(FIND_TIMEOUT).await;
    let peers = net.net.stats().borrow().peers;
    let said = hubs.iter().map(|hub| hub.announcement());
    let newest = said.clone().map(|said| said.issued_at.0).max();
    let ours = said.filter(|said| said.chain_id == session.config().contracts.chain_id);
    found.peers(peers, ours.count());
    found.peer_clock(unix_now(), newest);
}
