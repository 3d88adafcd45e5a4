//! The hub's metrics and health, as `docs/operations.md` lists them. `observe` counts events, the dispatcher sets the
//! gauges.

use std::sync::Arc;

use gio_agent::http::{Health, Source};
use gio_agent::metrics::Metric;

use crate::hub::Hub;

/// The port of `/metrics` and `/health` on loopback.
pub const PORT: u16 = 9641;
/// The chain is asked several times a second; without an answer for so long the hub is of no use.
const CHAIN_SILENT_SECONDS: u64 = 30;

pub(crate) static DEALS_RUNNING: Metric = Metric::gauge(
    "gio_hub_deals_running",
    "Deals whose units are given out now.",
);
pub(crate) static UNITS_QUEUED: Metric =
    Metric::gauge("gio_hub_units_queued", "Units that wait for a miner.");
pub(crate) static UNITS_RUNNING: Metric =
    Metric::gauge("gio_hub_units_running", "Units that are with a miner.");
pub(crate) static MINERS_CONNECTED: Metric = Metric::gauge(
    "gio_hub_miners_connected",
    "Miners with an open work stream.",
);
pub(crate) static QUOTES: Metric =
    Metric::counter("gio_hub_quotes_total", "Quotes given to buyers.");
pub(crate) static REFUSALS: Metric =
    Metric::counter("gio_hub_refusals_total", "Deals that were not signed.");
pub(crate) static DEALS_SIGNED: Metric =
    Metric::counter("gio_hub_deals_signed_total", "Deals signed.");
pub(crate) static DEALS_POSTED: Metric =
    Metric::counter("gio_hub_deals_posted_total", "Results posted by this hub.");
pub(crate) static DEALS_SETTLED: Metric =
    Metric::counter("gio_hub_deals_settled_total", "Deals that were settled.");
pub(crate) static DEALS_REFUNDED: Metric = Metric::counter(
    "gio_hub_deals_refunded_total",
    "Deals whose cap went back: refunded, cancelled or refuted.",
);
pub(crate) static UNITS_ASSIGNED: Metric =
    Metric::counter("gio_hub_units_assigned_total", "Units given to miners.");
pub(crate) static UNITS_REQUEUED: Metric = Metric::counter(
    "gio_hub_units_requeued_total",
    "Units that came back without a result.",
);
pub(crate) static CLAIMS_REFUSED: Metric =
    Metric::counter("gio_hub_claims_refused_total", "False claims of miners.");
pub(crate) static PAID_NET: Metric = Metric::counter(
    "gio_hub_paid_net_base_units_total",
    "What miners were paid, in base units of GIO.",
);
pub(crate) static RETRIES: Metric = Metric::counter(
    "gio_hub_retries_total",
    "Things that failed and are tried again: chain, disk, announcements.",
);

/// Every metric, in the order of the document.
#[must_use]
pub fn all() -> Vec<&'static Metric> {
    vec![
        &DEALS_RUNNING,
        &UNITS_QUEUED,
        &UNITS_RUNNING,
        &MINERS_CONNECTED,
        &QUOTES,
        &REFUSALS,
        &DEALS_SIGNED,
        &DEALS_POSTED,
        &DEALS_SETTLED,
        &DEALS_REFUNDED,
        &UNITS_ASSIGNED,
        &UNITS_REQUEUED,
        &CLAIMS_REFUSED,
        &PAID_NET,
        &RETRIES,
    ]
}

/// What is served of a hub.
#[derive(Debug)]
pub(crate) struct HubSource(pub(crate) Arc<Hub>);

impl Source for HubSource {
    fn role(&self) -> &'static str {
        "hub"
    }

    fn metrics(&self) -> Vec<&'static Metric> {
        all()
    }

    fn health(&self) -> Health {
        let silent = self
            .0
            .clock()
            .0
            .saturating_sub(self.0.operation.chain_seen());
        let chain = (silent > CHAIN_SILENT_SECONDS)
            .then(|| format!("the chain has not answered for {silent} s"));
        let draining = self.0.operation.is_draining();
        Health {
            checks: vec![
                ("chain", chain),
                (
                    "deals",
                    draining.then(|| "draining: takes no new deals".to_owned()),
                ),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gio_agent::metrics::{bless_table, misnamed};

    use super::*;

    #[test]
    fn names_and_the_table_of_docs_operations_md_are_right() {
        assert_eq!(misnamed(&all(), "hub"), Vec::<&str>::new());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
        bless_table(&path, "hub", &all()).unwrap();
    }
}
