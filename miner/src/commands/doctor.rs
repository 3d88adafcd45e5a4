//! `gio-miner doctor`: looks at everything the miner needs, also while it runs, and changes nothing.

use std::path::Path;
use std::time::Duration;

use gio_agent::doctor::{Diagnosis, chain_of};
use gio_agent::{Home, UserError, unix_now};
use gio_evm::Chain;
use gio_keys::MachineKey;
use gio_net::Net;
use gio_protocol::{Address, Gio, U256};
use gio_runtime::{Engine, EngineConfig};
use tokio_util::sync::CancellationToken;

use super::config;
use super::start::told;
use crate::config::{Config, MinerConfig};
use crate::infra::console;
use crate::infra::store::{self, PayoutTotals, Store};
use crate::run::DATABASE;

/// How long to look for hubs: the first answer usually comes in a fraction of a second.
const FIND_TIMEOUT: Duration = Duration::from_secs(5);

/// What to do about a damaged database.
const DATABASE_HINT: &str = "stop the miner and bring miner.db back from a copy; without one, move it away: claims that no hub has answered are lost with it";

/// Looks and prints.
///
/// # Errors
/// If anything fails.
pub async fn run(home: &Home, as_json: bool) -> Result<(), UserError> {
    let mut found = Diagnosis::default();
    let key = found.key(home);
    let config = found.config(home, config(home));
    if home.folder().exists() {
        found.disk(home.folder());
    }
    let path = home.path(DATABASE);
    let look = || store::integrity(&path);
    found.database(&path, DATABASE_HINT, look).await;
    let is_running = found.process(home, "units are here").await;
    if let Some(config) = &config {
        payouts(&mut found, &path, config.miner.payout_claim_min).await;
        sandbox(&mut found, &config.miner);
        chain(&mut found, config, key.as_ref().map(MachineKey::address)).await;
        match key {
            // Two nodes of one key would take each other's place.
            Some(_) if is_running => found.ok("peers", "the running miner uses the network"),
            Some(key) => peers(&mut found, config, key).await,
            None => {}
        }
    }
    if as_json {
        console::line(serde_json::to_string_pretty(&found)?);
    } else {
        console::line(found.text().trim_end());
    }
    found.verdict()
}

/// What of payouts by proof waits. A database that cannot be read was told above.
async fn payouts(found: &mut Diagnosis, path: &Path, least: Gio) {
    const CHECK: &str = "payouts";
    if !path.exists() {
        return;
    }
    let Ok(store) = Store::open_to_read(path).await else {
        return;
    };
    let Ok(totals) = store.payout_totals(None).await else {
        return;
    };
    let PayoutTotals {
        open,
        open_parts,
        unproven,
        ..
    } = totals;
    let left = format!("{open} GIO in {open_parts} parts not claimed, {unproven} not proven");
    match (least, open) {
        (Gio::ZERO, Gio::ZERO) => found.ok(CHECK, format_args!("{left}; none claimed by itself")),
        (Gio::ZERO, _) => found.warn(
            CHECK,
            format_args!("{left}; none claimed by itself"),
            "gio-miner claim; `payout_claim_min` above 0 has the running miner do it",
        ),
        (least, _) => found.ok(CHECK, format_args!("{left}; claimed from {least} GIO on")),
    }
}

fn sandbox(found: &mut Diagnosis, config: &MinerConfig) {
    let made = Engine::new(EngineConfig {
        cache_dir: None,
        instances_max: config.cores().get(),
        pages_max: config.pages_max(),
    });
    let cores = config.cores();
    match made {
        Ok(_) => found.ok(
            "sandbox",
            format_args!(
                "{cores} units at a time, {} MiB each",
                config.unit_memory_mib
            ),
        ),
        Err(error) => {
            let hint =
                "lower `cores` or `unit_memory_mib`; address space may be limited (`ulimit -v`)";
            found.fail("sandbox", chain_of(&error), hint);
        }
    }
}

async fn chain(found: &mut Diagnosis, config: &Config, owner: Option<Address>) {
    let chain = match Chain::connect(&config.rpc_url, config.contracts, None).await {
        Ok(chain) => chain,
        Err(error) => {
            let error = told(error, config);
            let hint = error.hint.clone().unwrap_or_default();
            return found.fail("rpc", chain_of(error.cause.as_ref()), hint);
        }
    };
    match chain.head().await {
        Ok(head) => found.rpc(chain.chain_id(), head.number, unix_now(), head.time.0),
        Err(error) => found.fail("rpc", chain_of(&error), "is the node of `rpc_url` up?"),
    }
    let Some(owner) = owner else { return };
    match chain.gas_balance(owner).await {
        Ok(U256::ZERO) => {
            let hint =
                format!("send some of the chain's own coin to {owner}; pulling pay takes gas");
            found.warn("gas", "none", hint);
        }
        Ok(_) => found.ok("gas", "there is some"),
        Err(error) => found.fail("gas", chain_of(&error), "is the node of `rpc_url` up?"),
    }
}

/// Starts a node for a moment and looks who is there.
async fn peers(found: &mut Diagnosis, config: &Config, key: MachineKey) {
    let stop = CancellationToken::new();
    let hint = "correct `listen` and `bootstrap` in config.toml";
    let settings = match config.net(key) {
        Ok(settings) => settings,
        Err(error) => return found.fail("peers", error, hint),
    };
    let net = match Net::start(settings, stop.clone()).await {
        Ok(net) => net,
        Err(error) => return found.fail("peers", chain_of(&error), hint),
    };
    let hubs = net.find_hubs(FIND_TIMEOUT).await;
    let peers = net.stats().borrow().peers;
    let ours = hubs.iter().map(|hub| hub.announcement());
    let newest = ours.clone().map(|said| said.issued_at.0).max();
    let ours = ours.filter(|said| said.chain_id == config.contracts.chain_id);
    found.peers(peers, ours.count());
    found.peer_clock(unix_now(), newest);
    stop.cancel();
    net.stopped().await;
}
