//! Drops what nobody needs any more: quotes that ended, uploads no deal came of, results long after their deal.

use std::sync::Arc;
use std::time::Duration;

use gio_protocol::UnixSeconds;
use tokio::time::timeout;

use crate::hub::Hub;
use crate::infra::content::ContentError;
use crate::infra::observe;
use crate::infra::store::StoreError;

/// Often enough that what is dropped late does not matter.
const EVERY: Duration = Duration::from_secs(30);
/// A deal that ended without work has no claim on its way after this long.
const QUIET_SECONDS: u64 = 3600;

/// Runs until the hub stops.
pub(crate) async fn run(hub: Arc<Hub>) -> Result<(), StoreError> {
    while !hub.stop.is_cancelled() {
        match clean(&hub).await {
            Ok(()) => {}
            Err(ContentError::Store(error)) => return Err(error),
            Err(error) => observe::retrying("cleaning up", &error),
        }
        let _ = timeout(EVERY, hub.stop.cancelled()).await;
    }
    Ok(())
}

async fn clean(hub: &Hub) -> Result<(), ContentError> {
    let now = hub.now();
    let days = hub.config().limits.result_days;
    let before = UnixSeconds(now.0.saturating_sub(days * 24 * 3600));
    let quiet = UnixSeconds(now.0.saturating_sub(QUIET_SECONDS));
    hub.store.drop_quotes_before(now).await?;
    hub.store.close_accounts_without_work(quiet).await?;
    let deals = hub.store.release_contents(before, now).await?;
    let contents = hub.contents.clean(now).await?;
    if contents > 0 || deals > 0 {
        observe::cleaned(contents, deals);
    }
    Ok(())
}
