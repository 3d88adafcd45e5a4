//! What the miner says to the person in front of it, on stdout: who we are, which hubs, what was paid. Logs are elsewhere.

use std::fmt::Display;
use std::io::{Write, stderr, stdout};
use std::path::Path;

use gio_agent::{printable, printable_lines};
use gio_protocol::amount::CU_PER_PU;
use gio_protocol::{Address, DealId, Gio, PricePerPu};

use crate::domain::trust::Judgement;

/// Where a running miner tells its story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// On stdout.
    Stdout,
    /// Nowhere: somebody else looks after this miner.
    Silent,
}

impl Console {
    fn say(self, text: impl Display) {
        match self {
            Self::Stdout => line(text),
            Self::Silent => {}
        }
    }

    /// The first lines.
    pub fn started(self, owner: Address, cores: u32, home: &Path) {
        self.say(format_args!("miner {owner}"));
        let home = home.display();
        self.say(format_args!("{cores} units at a time; home {home}"));
    }

    /// A hub, when its status changes.
    pub fn hub(self, name: &str, wallet: Address, net_price: PricePerPu, judgement: &Judgement) {
        let status = judgement.status.name();
        let price = net_price.0;
        // Its record's words may be in the reason.
        let (name, reason) = (name_of(name), printable(&judgement.reason.to_string()));
        self.say(format_args!(
            "hub {name} {wallet}: {status}, pays {price} GIO per PU ({reason})"
        ));
    }

    /// A deal the hub has paid for.
    pub fn deal_paid(self, deal: DealId, hub: &str, units: u64, cu: u64, earned: Gio) {
        let (pu, hub) = (pu(u128::from(cu)), name_of(hub));
        self.say(format_args!(
            "deal {deal} of {hub}: {units} units, {pu} PU, {earned} GIO"
        ));
    }

    /// Pay in this miner's account.
    pub fn pulled(self, wallet: Address, amount: Gio) {
        self.say(format_args!("received {amount} GIO from {wallet}"));
    }

    /// A part of a payout in this miner's account.
    pub fn claimed(self, wallet: Address, epoch: u32, net: Gio) {
        self.say(format_args!(
            "received {net} GIO from {wallet}, payout {epoch}"
        ));
    }

    /// A stop signal came.
    pub fn stopping(self, running: usize) {
        self.say(format_args!("stopping; {running} units still run"));
    }
}

/// A line, whatever of others is in it. Whoever closed our output does not read it, and the miner goes on.
pub fn line(text: impl Display) {
    write(stdout(), text);
}

/// A command's result: text for people, or one JSON object.
pub fn result(as_json: bool, text: &str, value: &serde_json::Value) {
    if as_json {
        line(format_args!("{value:#}"));
    } else {
        line(text.trim_end());
    }
}

/// A line on stderr: errors, and what is not a command's result.
pub fn complain(text: impl Display) {
    write(stderr(), text);
}

fn write(mut to: impl Write, text: impl Display) {
    let text = printable_lines(&text.to_string());
    let _ = writeln!(to, "{text}").and_then(|()| to.flush());
}

/// PU with three decimals, without floats.
#[must_use]
pub fn pu(cu: u128) -> String {
    let per_pu = u128::from(CU_PER_PU);
    let thousandths = cu % per_pu / (per_pu / 1000);
    format!("{}.{thousandths:03}", cu / per_pu)
}

/// A hub's name as people read it: it chose it itself.
#[must_use]
pub fn name_of(hub: &str) -> String {
    if hub.is_empty() {
        "(no name)".to_owned()
    } else {
        printable(hub)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pu_are_cut_not_rounded() {
        assert_eq!(pu(1_999_999_999), "1.999");
        assert_eq!(pu(5_000_000), "0.005");
        assert_eq!(pu(0), "0.000");
    }

    #[test]
    fn a_hub_cannot_draw_on_the_terminal() {
        assert_eq!(name_of("nice\x1b[2J"), "nice\u{fffd}[2J");
        assert_eq!(name_of(""), "(no name)");
        let mut out = Vec::new();
        write(&mut out, "two\x1b]0;x\x07\nlines\u{202e}");
        let shown = "two\u{fffd}]0;x\u{fffd}\nlines\u{fffd}\n";
        assert_eq!(String::from_utf8(out).unwrap(), shown);
    }
}
