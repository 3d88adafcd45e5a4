//! The operator's word to a running hub: `drain`, `resume`, `reload`, SIGHUP.

use std::sync::Arc;

use gio_agent::control::{Reply, Request};
use gio_agent::{Hangups, Home};

use crate::domain::stage::Stage;
use crate::hub::Hub;
use crate::infra::observe;
use crate::infra::store::StoreError;

/// Deals that are not over for the hub: their results are not posted yet.
const UNDER_WAY: [Stage; 3] = [Stage::Open, Stage::Running, Stage::Assembling];

/// Answers one question of the control socket.
pub(crate) async fn answer(hub: Arc<Hub>, home: Home, request: Request) -> Reply {
    let mut reply = match request {
        Request::Reload => reload(&hub, &home),
        Request::Drain => {
            hub.operation.set_draining(true);
            Reply::done("takes no new deals")
        }
        Request::Resume => {
            hub.operation.set_draining(false);
            match hub.operation.is_draining() {
                true => Reply::refused("this is a maintenance window of `hub.maintenance`"),
                false => Reply::done("takes new deals"),
            }
        }
        Request::Status => Reply::done(""),
    };
    reply.draining = hub.operation.is_draining();
    match hub.store.deals_in(&UNDER_WAY).await {
        Ok(deals) => reply.under_way = deals.len() as u64,
        Err(error) => return Reply::refused(error.to_string()),
    }
    reply
}

/// Reads the config again at every SIGHUP, until the hub stops.
pub(crate) async fn hangups(hub: Arc<Hub>, home: Home) -> Result<(), StoreError> {
    let mut hangups = Hangups::listen();
    while hub.unless_stopped(hangups.next()).await.is_some() {
        reload(&hub, &home);
    }
    Ok(())
}

/// The config file is taken over as a whole, or not at all.
fn reload(hub: &Hub, home: &Home) -> Reply {
    let reply = match crate::commands::config(home) {
        Ok(config) => match hub.operation.reload(config) {
            Ok(()) => Reply::done("prices and limits are those of the config file now"),
            Err(key) => Reply::refused(format!(
                "`{key}` changed, which takes a restart; nothing was taken over"
            )),
        },
        Err(error) => Reply::refused(format!("{}; nothing was taken over", error.cause)),
    };
    observe::reloaded(&reply);
    reply
}
