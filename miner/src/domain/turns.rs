//! Whom the chain is asked about first, when there are more announcements than a miner can check.

use gio_protocol::UnixSeconds;

use super::patience::Patience;

/// A hub whose judgement is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due<T> {
    /// Who.
    pub hub: T,
    /// Whether it was true the last time. Nobody can make many of these: each has a wallet with a stake.
    pub is_known: bool,
    /// Its place among strangers: another one every time, or somebody could choose keys that always come first.
    pub lot: u64,
}

/// Who is judged now: every hub that is known, then as many strangers as `patience` has for now.
#[must_use]
pub fn in_turn<T>(mut due: Vec<Due<T>>, patience: &mut Patience, now: UnixSeconds) -> Vec<Due<T>> {
    due.sort_by_key(|due| (!due.is_known, due.lot));
    due.into_iter()
        .take_while(|due| due.is_known || patience.listens(now))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Two known hubs among a hundred strangers.
    fn crowd(salt: u64) -> Vec<Due<u64>> {
        let due = |hub: u64| Due {
            hub,
            is_known: hub % 50 == 7,
            lot: (hub + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        };
        (0..100).map(due).collect()
    }

    #[test]
    fn strangers_keep_no_known_hub_waiting_and_all_get_their_turn() {
        let mut patience = Patience::new(10, 3);
        let turn = |patience: &mut Patience, at| in_turn(crowd(at), patience, UnixSeconds(at));
        let first = turn(&mut patience, 1_000);
        let known: Vec<u64> = first.iter().take(2).map(|due| due.hub).collect();
        assert_eq!(BTreeSet::from_iter(known), BTreeSet::from([7, 57]));
        assert_eq!(first.len(), 2 + 10);
        assert_eq!(turn(&mut patience, 1_000).len(), 2, "no more at once");
        let mut seen = BTreeSet::new();
        for second in 1_001..2_000 {
            let turn = turn(&mut patience, second);
            assert!(turn.len() <= 2 + 3);
            seen.extend(turn.into_iter().map(|due| due.hub));
        }
        assert_eq!(seen.len(), 100);
    }
}
