//! A hub's miners in the words of a buyer: how many could run a unit now, and what would have to change for the others.

use gio_protocol::PricePerPu;
use serde::Serialize;

use crate::decimal::gio_text;

/// Pages of 64 KiB in a MiB.
const PAGES_PER_MIB: u32 = 16;

/// The connected miners; each is in exactly one count after `connected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "market.proto says what each counts")]
pub struct Machines {
    pub connected: u32,
    pub ready: u32,
    pub busy: u32,
    pub memory_too_small: u32,
    pub pay_too_low: u32,
    pub waiting_for_pay: u32,
    pub resting: u32,
    pub draining: u32,
    pub bond_too_short: u32,
    pub pages_offered: u32,
    #[serde(skip)]
    pub net_price: PricePerPu,
    #[serde(skip)]
    pub net_price_wanted: PricePerPu,
}

impl Machines {
    /// Whether any of them could ever run a unit as things are.
    #[must_use]
    pub fn can_run(&self) -> bool {
        self.ready + self.busy + self.waiting_for_pay + self.resting > 0
    }

    /// `3 connected, 2 fit: 1 ready, 1 busy`.
    #[must_use]
    pub fn summary(&self) -> String {
        if self.connected == 0 {
            return "none connected".to_owned();
        }
        let fit = self.ready + self.busy + self.waiting_for_pay + self.resting;
        let (connected, ready, busy) = (self.connected, self.ready, self.busy);
        format!("{connected} connected, {fit} fit: {ready} ready, {busy} busy")
    }

    /// One line per reason why some of them do not run a unit now, with what would have to change.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let miners = |count: u32| format!("{count} of {} miners", self.connected);
        let mut lines = Vec::new();
        if self.connected == 0 {
            lines.push("no miner is connected to this hub: wait, or name another hub".to_owned());
        }
        if self.memory_too_small > 0 {
            let mib = self.pages_offered / PAGES_PER_MIB;
            lines.push(format!(
                "{} offer less memory than a unit may use; the most any offers is {mib} MiB: --memory-mib {mib}",
                miners(self.memory_too_small)
            ));
        }
        if self.pay_too_low > 0 {
            lines.push(format!(
                "{} want more for a PU than the {} GIO this hub pays them (the least: {} GIO): only the hub can change that",
                miners(self.pay_too_low),
                gio_text(self.net_price.0),
                gio_text(self.net_price_wanted.0)
            ));
        }
        let passing = [
            (self.busy, "are busy with other units: wait"),
            (
                self.waiting_for_pay,
                "run nothing more on credit before the hub has paid them: wait",
            ),
            (
                self.resting,
                "gave units of this deal back and rest for up to a minute: wait",
            ),
            (self.draining, "take nothing new: wait, or name another hub"),
            (
                self.bond_too_short,
                "have no bond that stays until the last game about this deal can be over: only they can change that",
            ),
        ];
        let found = passing.into_iter().filter(|(count, _)| *count > 0);
        lines.extend(found.map(|(count, text)| format!("{} {text}", miners(count))));
        lines
    }
}

#[cfg(test)]
mod tests {
    use gio_protocol::Gio;

    use super::*;

    #[test]
    fn every_reason_says_what_would_have_to_change() {
        let found = Machines {
            connected: 8,
            ready: 1,
            busy: 1,
            memory_too_small: 1,
            pay_too_low: 2,
            waiting_for_pay: 0,
            resting: 1,
            draining: 1,
            bond_too_short: 1,
            pages_offered: 4096,
            net_price: PricePerPu(Gio::from_units(100)),
            net_price_wanted: PricePerPu(Gio::from_units(200)),
        };
        assert_eq!(found.summary(), "8 connected, 3 fit: 1 ready, 1 busy");
        let reasons = found.reasons();
        assert_eq!(reasons.len(), 6, "{reasons:?}");
        assert!(reasons[0].contains("--memory-mib 256"), "{reasons:?}");
        assert!(reasons[1].contains("0.000001 GIO") && reasons[1].contains("0.000002 GIO"));
        assert!(found.can_run());
    }

    #[test]
    fn no_miner_at_all_is_said() {
        let none = Machines::default();
        assert!(!none.can_run());
        assert_eq!(none.summary(), "none connected");
        assert!(none.reasons()[0].contains("no miner is connected"));
        let all = Machines {
            connected: 2,
            ready: 2,
            ..none
        };
        assert_eq!(all.reasons(), Vec::<String>::new());
    }
}
