//! Where several processes are one hub: says that this one is alive, and shows it what the others are doing.
//!
//! # Correctness
//! A process that cannot say so for [`SILENT_MAX`] stops before others may take its work over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::hub::Hub;
use crate::infra::observe;
use crate::infra::store::StoreError;

/// How often leases are renewed: several times while one lasts.
const EVERY: Duration = Duration::from_secs(3);
/// Two thirds of a lease.
const SILENT_MAX: Duration = Duration::from_secs(10);
/// How often the counters of deals elsewhere are read, for those who follow them here.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs until the hub stops, or until it must assume that others have its work.
pub(crate) async fn run(hub: Arc<Hub>) -> Result<(), StoreError> {
    let mut heard = Instant::now();
    while !hub.stop.is_cancelled() && hub.store.is_shared() {
        let asked = Instant::now();
        // A process that was frozen has lost its leases, although it may renew what nobody took.
        if asked - heard >= SILENT_MAX {
            return Err(StoreError::Silent);
        }
        match timeout(SILENT_MAX, hub.store.keep_leases()).await {
            Ok(Ok(())) => heard = asked,
            Ok(Err(error)) => observe::retrying("renewing leases", &error),
            Err(_) => {}
        }
        if heard.elapsed() >= SILENT_MAX {
            return Err(StoreError::Silent);
        }
        let _ = timeout(EVERY, hub.stop.cancelled()).await;
    }
    hub.stop.cancelled().await;
    Ok(())
}

/// Runs until the hub stops.
pub(crate) async fn mirror(hub: Arc<Hub>) -> Result<(), StoreError> {
    while !hub.stop.is_cancelled() && hub.store.is_shared() {
        for deal in hub.progress.followed() {
            if !hub.store.is_held_elsewhere(deal).await? {
                continue;
            }
            if let Some(row) = hub.store.deal(deal).await? {
                let progress = hub.store.progress(deal, row.terms.unit_count).await?;
                hub.progress.publish(deal, progress);
            }
        }
        let _ = timeout(LOOK_EVERY, hub.stop.cancelled()).await;
    }
    hub.stop.cancelled().await;
    Ok(())
}
