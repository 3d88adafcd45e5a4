//! The miner's metrics and health, as `docs/operations.md` lists them. `observe` counts events; what runs is counted
//! when somebody asks.

use std::sync::Arc;

use gio_agent::http::{Health, Source};
use gio_agent::metrics::Metric;

use crate::services::Deps;

/// The port of `/metrics` and `/health` on loopback.
pub const PORT: u16 = 9642;

pub(crate) static HUBS_CONNECTED: Metric =
    Metric::gauge("gio_miner_hubs_connected", "Hubs with an open work stream.");
pub(crate) static UNITS_RUNNING: Metric =
    Metric::gauge("gio_miner_units_running", "Units that run now.");
pub(crate) static UNITS_REFUSED: Metric = Metric::counter(
    "gio_miner_units_refused_total",
    "Orders given back before they ran.",
);
pub(crate) static UNITS_FAILED: Metric = Metric::counter(
    "gio_miner_units_failed_total",
    "Units that ended without a result.",
);
pub(crate) static CLAIMS_MADE: Metric =
    Metric::counter("gio_miner_claims_made_total", "Claims signed.");
pub(crate) static CLAIMS_ACCEPTED: Metric =
    Metric::counter("gio_miner_claims_accepted_total", "Claims countersigned.");
pub(crate) static CLAIMS_REJECTED: Metric = Metric::counter(
    "gio_miner_claims_rejected_total",
    "Claims a hub did not take.",
);
pub(crate) static PAY_RECEIVED: Metric = Metric::counter(
    "gio_miner_pay_received_base_units_total",
    "Pay in this miner's account, in base units of GIO.",
);
pub(crate) static PAYOUTS_CLAIMED: Metric = Metric::counter(
    "gio_miner_payouts_claimed_total",
    "Parts of payouts by proof that were found claimed, whoever sent the claim.",
);
pub(crate) static PAYOUTS_RECEIVED: Metric = Metric::counter(
    "gio_miner_payouts_received_base_units_total",
    "What these parts brought, in base units of GIO.",
);
pub(crate) static PAYOUTS_OPEN: Metric = Metric::gauge(
    "gio_miner_payouts_open",
    "Parts of payouts by proof that are proven and not claimed.",
);
pub(crate) static PAYOUTS_UNPROVEN: Metric = Metric::gauge(
    "gio_miner_payouts_unproven",
    "Payouts whose leaf file was not proven.",
);
pub(crate) static PAYOUT_FAILURES: Metric = Metric::counter(
    "gio_miner_payout_failures_total",
    "Leaf files and claims of payouts that failed and are tried again.",
);
pub(crate) static CHAIN_FAILURES: Metric = Metric::counter(
    "gio_miner_chain_failures_total",
    "Questions the chain did not answer.",
);

/// Every metric, in the order of the document.
#[must_use]
pub fn all() -> Vec<&'static Metric> {
    vec![
        &HUBS_CONNECTED,
        &UNITS_RUNNING,
        &UNITS_REFUSED,
        &UNITS_FAILED,
        &CLAIMS_MADE,
        &CLAIMS_ACCEPTED,
        &CLAIMS_REJECTED,
        &PAY_RECEIVED,
        &PAYOUTS_CLAIMED,
        &PAYOUTS_RECEIVED,
        &PAYOUTS_OPEN,
        &PAYOUTS_UNPROVEN,
        &PAYOUT_FAILURES,
        &CHAIN_FAILURES,
    ]
}

/// What is served of a miner.
#[derive(Debug)]
pub struct MinerSource(pub Arc<Deps>);

impl MinerSource {
    fn hubs(&self) -> usize {
        let desks = self.0.desks.all();
        desks.iter().filter(|desk| desk.is_connected()).count()
    }
}

impl Source for MinerSource {
    fn role(&self) -> &'static str {
        "miner"
    }

    fn metrics(&self) -> Vec<&'static Metric> {
        HUBS_CONNECTED.set(self.hubs() as u64);
        UNITS_RUNNING.set(self.0.runner.running() as u64);
        all()
    }

    fn health(&self) -> Health {
        let alone = self.hubs() == 0;
        let draining = self.0.operation.is_draining();
        Health {
            checks: vec![
                ("hubs", alone.then(|| "connected to no hub".to_owned())),
                (
                    "units",
                    draining.then(|| "draining: takes no new units".to_owned()),
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
        assert_eq!(misnamed(&all(), "miner"), Vec::<&str>::new());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
        bless_table(&path, "miner", &all()).unwrap();
    }
}
