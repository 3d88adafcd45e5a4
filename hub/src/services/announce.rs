//! Announcements: who the hub is, where, and what it charges, again before each one expires.

use std::sync::Arc;
use std::time::Duration;

use gio_net::{ANNOUNCEMENT_SECONDS, Announcement, Multiaddr, Net};
use gio_protocol::{UnixSeconds, least_gross_price};

use crate::hub::Hub;
use crate::infra::observe;
use crate::infra::store::StoreError;

/// Well before the last announcement expires, and often enough for a new peer behind the first one.
const EVERY: Duration = Duration::from_secs(60);

/// Runs until the hub stops.
pub(crate) async fn run(hub: Arc<Hub>, net: Net) -> Result<(), StoreError> {
    while !hub.stop.is_cancelled() {
        if hub.operation.is_draining() {
            // Who asks again hears of another hub, or of this one when it takes deals again.
            hub.operation.changed(EVERY, &hub.stop).await;
            continue;
        }
        let now = UnixSeconds(gio_agent::unix_now());
        let sequence = hub.store.next_sequence(now).await?;
        let announcement = announcement(&hub, &net, sequence, now);
        let published = net.publish_announcement(announcement.sign(&hub.key));
        match hub.unless_stopped(published).await {
            Some(Ok(())) => {
                gio_failpoint::fail_point!("hub.told.announcement");
                observe::announced(sequence);
            }
            Some(Err(error)) => observe::retrying("announcing", &error),
            None => break,
        }
        hub.operation.changed(EVERY, &hub.stop).await;
    }
    Ok(())
}

fn announcement(hub: &Hub, net: &Net, sequence: u64, now: UnixSeconds) -> Announcement {
    let config = hub.config();
    let prices = &config.prices;
    // The config was checked: they are addresses.
    let configured = config.announce.iter();
    let configured: Vec<Multiaddr> = configured.filter_map(|addr| addr.parse().ok()).collect();
    Announcement {
        owner: hub.key.address(),
        wallet: hub.wallet,
        chain_id: hub.chain.chain_id(),
        addrs: match configured.is_empty() {
            true => net.announced_addrs(),
            false => configured,
        },
        sequence,
        issued_at: now,
        expires_at: now.after(ANNOUNCEMENT_SECONDS),
        // The config was checked: its prices are in range.
        gross_price: least_gross_price(prices.net_price, prices.margin).unwrap_or(prices.net_price),
        net_price: prices.net_price,
        region: config.hub.region.clone(),
        kinds: vec!["wasm".to_owned()],
        version: env!("CARGO_PKG_VERSION").to_owned(),
        name: config.hub.name.clone(),
    }
}
