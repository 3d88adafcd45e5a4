//! The operator's word to a running miner: `drain`, `resume`, `reload`, SIGHUP; and its maintenance windows.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gio_agent::control::{Reply, Request};
use gio_agent::{Hangups, Home};
use tokio::time::sleep;

use super::Deps;
use crate::config::Config;
use crate::infra::observe;

/// How often the clock is compared with the maintenance windows, which have minutes.
const LOOK: Duration = Duration::from_secs(10);

/// Answers one question of the control socket.
pub fn answer(deps: &Deps, home: &Home, request: Request) -> Reply {
    let operation = &deps.operation;
    let mut reply = match request {
        Request::Reload => reload(deps, &home.config_path()),
        Request::Drain => {
            operation.set_draining(true);
            Reply::done("takes no new units")
        }
        Request::Resume => {
            operation.set_draining(false);
            match operation.is_draining() {
                true => Reply::refused("this is a maintenance window of `miner.maintenance`"),
                false => Reply::done("takes new units"),
            }
        }
        Request::Status => Reply::done(""),
    };
    reply.draining = operation.is_draining();
    let desks = deps.desks.all();
    reply.under_way = desks.iter().map(|desk| desk.holding().len() as u64).sum();
    reply
}

/// Reads the config again at every SIGHUP and looks at the maintenance windows, until the miner's end.
pub async fn run(deps: Arc<Deps>, home: Home) {
    let mut hangups = Hangups::listen();
    deps.operation.look();
    loop {
        tokio::select! {
            () = deps.stop.draining.cancelled() => return,
            () = hangups.next() => {
                reload(&deps, &home.config_path());
            }
            () = sleep(LOOK) => deps.operation.look(),
        }
    }
}

/// The config file is taken over as a whole, or not at all. Hubs are told by opening the work streams again, which loses
/// nothing: what a miner holds is in its first message.
fn reload(deps: &Deps, path: &Path) -> Reply {
    let reply = match Config::load(path) {
        Ok(config) => match deps.operation.reload(config.miner) {
            Ok(()) => {
                for desk in deps.desks.all() {
                    desk.set_limits(deps);
                }
                deps.rejudge.notify_one();
                deps.payouts_wake.notify_one();
                Reply::done("prices and limits are those of the config file now")
            }
            Err(key) => Reply::refused(format!(
                "`{key}` changed, which takes a restart; nothing was taken over"
            )),
        },
        Err(error) => Reply::refused(format!("{error}; nothing was taken over")),
    };
    observe::reloaded(&reply);
    reply
}
