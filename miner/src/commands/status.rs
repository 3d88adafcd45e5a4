//! `gio-miner status`: what was done and paid, hub by hub, from the store; also while the miner runs.

use gio_agent::{Home, UserError, printable};
use gio_protocol::Gio;
use serde::Serialize;

use super::key;
use crate::domain::trust::HubStatus;
use crate::infra::console::{self, name_of, pu};
use crate::infra::store::{HubTotals, Store};
use crate::run::DATABASE;

/// The JSON of `--json`: stable. Amounts are GIO as text, times Unix seconds.
#[derive(Debug, Serialize)]
struct Status {
    owner: String,
    units_accepted: u64,
    earned: String,
    paid: String,
    unpaid: String,
    payouts_claimed: String,
    payouts_open: String,
    hubs: Vec<HubStatusLine>,
}

#[derive(Debug, Serialize)]
struct HubStatusLine {
    wallet: String,
    owner: String,
    name: String,
    status: &'static str,
    reason: String,
    net_price_per_pu: String,
    deals: u64,
    units_accepted: u64,
    units_unanswered: u64,
    units_rejected: u64,
    pu: String,
    earned: String,
    paid: String,
    unpaid: String,
    last_pay_at: Option<u64>,
    last_pay_tx: Option<String>,
    payouts_claimed: String,
    payouts_open: String,
    payouts_unproven: u64,
}

/// Prints the status.
///
/// # Errors
/// If there is no miner in this home, or its database cannot be read.
pub async fn run(home: &Home, as_json: bool) -> Result<(), UserError> {
    let owner = key(home)?.address();
    let path = home.path(DATABASE);
    let hubs = match path.exists() {
        true => Store::open_to_read(&path).await?.all_totals().await?,
        false => Vec::new(),
    };
    let status = summary(owner.to_string(), &hubs);
    if as_json {
        console::line(serde_json::to_string_pretty(&status)?);
    } else {
        print(&status);
    }
    Ok(())
}

fn summary(owner: String, hubs: &[HubTotals]) -> Status {
    let sum = |pick: fn(&HubTotals) -> Gio| {
        let amounts = hubs.iter().map(pick);
        amounts.fold(Gio::ZERO, |sum, amount| {
            sum.plus(amount).unwrap_or(Gio::from_units(u64::MAX))
        })
    };
    Status {
        owner,
        units_accepted: hubs.iter().map(|hub| hub.totals.units_accepted).sum(),
        earned: sum(|hub| hub.totals.earned).to_string(),
        paid: sum(|hub| hub.totals.pulled).to_string(),
        unpaid: sum(unpaid).to_string(),
        payouts_claimed: sum(|hub| hub.totals.payouts.claimed).to_string(),
        payouts_open: sum(|hub| hub.totals.payouts.open).to_string(),
        hubs: hubs.iter().map(line_of).collect(),
    }
}

fn unpaid(hub: &HubTotals) -> Gio {
    hub.totals.earned.minus_or_zero(hub.totals.pulled)
}

fn line_of(hub: &HubTotals) -> HubStatusLine {
    let HubTotals { hub: row, totals } = hub;
    HubStatusLine {
        wallet: row.wallet.to_string(),
        owner: row.owner.to_string(),
        name: name_of(&row.name),
        status: row.status.name(),
        reason: printable(&row.reason),
        net_price_per_pu: row.net_price.0.to_string(),
        deals: totals.deals,
        units_accepted: totals.units_accepted,
        units_unanswered: totals.units_unanswered,
        units_rejected: totals.units_rejected,
        pu: pu(totals.cu_accepted),
        earned: totals.earned.to_string(),
        paid: totals.pulled.to_string(),
        unpaid: unpaid(hub).to_string(),
        last_pay_at: totals.last_pull_at.map(|at| at.0),
        last_pay_tx: totals.last_pull_tx.map(|tx| tx.to_string()),
        payouts_claimed: totals.payouts.claimed.to_string(),
        payouts_open: totals.payouts.open.to_string(),
        payouts_unproven: totals.payouts.unproven,
    }
}

fn print(status: &Status) {
    let Status {
        owner,
        units_accepted,
        earned,
        paid,
        unpaid,
        hubs,
        ..
    } = status;
    console::line(format_args!("miner {owner}"));
    console::line(format_args!(
        "{units_accepted} units done; {earned} GIO earned, {paid} paid, {unpaid} unpaid"
    ));
    for hub in hubs {
        let HubStatusLine {
            name,
            wallet,
            status,
            reason,
            ..
        } = hub;
        console::line(format_args!("hub {name} {wallet}: {status} ({reason})"));
        if *status == HubStatus::Fake.name() {
            continue;
        }
        let HubStatusLine {
            units_accepted,
            pu,
            deals,
            earned,
            paid,
            unpaid,
            ..
        } = hub;
        console::line(format_args!(
            "  {units_accepted} units of {deals} deals, {pu} PU; {earned} GIO earned, {paid} paid, {unpaid} unpaid"
        ));
        if let (Some(at), Some(tx)) = (hub.last_pay_at, &hub.last_pay_tx) {
            console::line(format_args!("  last pay at {at} by {tx}"));
        }
        if let Some(text) = payouts(hub) {
            console::line(format_args!("  {text}"));
        }
    }
}

/// Payouts by proof, if there are any.
fn payouts(hub: &HubStatusLine) -> Option<String> {
    let HubStatusLine {
        payouts_claimed,
        payouts_open,
        payouts_unproven,
        ..
    } = hub;
    let none = Gio::ZERO.to_string();
    if *payouts_claimed == none && *payouts_open == none && *payouts_unproven == 0 {
        return None;
    }
    Some(format!(
        "payouts: {payouts_claimed} GIO claimed, {payouts_open} not claimed yet, {payouts_unproven} not proven yet"
    ))
}

#[cfg(test)]
mod tests {
    use gio_protocol::{Address, PricePerPu, UnixSeconds};

    use super::*;
    use crate::domain::trust::Reason;
    use crate::infra::store::{HubRow, PayoutTotals, Totals};

    fn hub(name: &str, reason: &str) -> HubRow {
        HubRow {
            wallet: Address::repeat_byte(1),
            owner: Address::repeat_byte(2),
            name: name.to_owned(),
            net_price: PricePerPu::default(),
            status: HubStatus::Safe,
            reason: reason.to_owned(),
            judged_at: UnixSeconds(1),
        }
    }

    #[test]
    fn a_hubs_record_draws_nothing_on_the_terminal() {
        let endpoint = Reason::EndpointDiffers {
            recorded: "/dns/h\u{1b}]0;x\u{7}\nhub nice: safe\u{202e}/tcp/1".to_owned(),
        };
        let totals = HubTotals {
            hub: hub("h\nub", &endpoint.to_string()),
            totals: Totals::default(),
        };
        let status = summary("me".to_owned(), &[totals]);
        let line = &status.hubs[0];
        for said in [&line.name, &line.reason] {
            assert_eq!(*said, printable(said), "{said:?}");
            assert!(said.contains('\u{fffd}'), "{said:?}");
        }
    }

    #[test]
    fn the_sums_are_those_of_the_hubs() {
        let paid = |earned, pulled| HubTotals {
            hub: hub("h", "r"),
            totals: Totals {
                units_accepted: 2,
                cu_accepted: 2_500_000_000,
                earned: Gio::from_units(earned),
                pulled: Gio::from_units(pulled),
                ..Totals::default()
            },
        };
        // A pull may bring one base unit more than was earned (X-06): nothing is unpaid then.
        let status = summary("me".to_owned(), &[paid(10, 4), paid(5, 6)]);
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!(json["units_accepted"], 4);
        assert_eq!(json["earned"], "0.00000015");
        assert_eq!(json["paid"], "0.00000010");
        assert_eq!(json["unpaid"], "0.00000006");
        assert_eq!(json["hubs"][0]["pu"], "2.500");
        assert_eq!(json["hubs"][1]["last_pay_at"], serde_json::Value::Null);
        assert_eq!(payouts(&status.hubs[0]), None);
    }

    #[test]
    fn payouts_are_shown_beside_the_pay_for_deals() {
        let payouts_of = |claimed, open| HubTotals {
            hub: hub("h", "r"),
            totals: Totals {
                payouts: PayoutTotals {
                    claimed: Gio::from_units(claimed),
                    open: Gio::from_units(open),
                    unproven: 1,
                    ..PayoutTotals::default()
                },
                ..Totals::default()
            },
        };
        let status = summary("me".to_owned(), &[payouts_of(7, 2), payouts_of(1, 0)]);
        assert_eq!(status.paid, "0.00000000", "it is no pay for deals");
        assert_eq!(status.payouts_claimed, "0.00000008");
        assert_eq!(status.payouts_open, "0.00000002");
        assert_eq!(
            payouts(&status.hubs[0]).unwrap(),
            "payouts: 0.00000007 GIO claimed, 0.00000002 not claimed yet, 1 not proven yet"
        );
    }
}
