//! What did not succeed waits before it is tried again, each time twice as long. Time is counted in rounds of the loop
//! that tries, so that no clock can make a wait longer.

use std::collections::BTreeMap;

/// Waits by what waits.
#[derive(Clone, Debug)]
pub struct Waits<K> {
    rounds_max: u64,
    round: u64,
    waiting: BTreeMap<K, Wait>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    /// The round in which it is tried again.
    until: u64,
    rounds: u64,
}

impl<K: Ord> Waits<K> {
    /// Nobody waits longer than so many rounds.
    #[must_use]
    pub fn new(rounds_max: u64) -> Self {
        Self {
            rounds_max,
            round: 0,
            waiting: BTreeMap::new(),
        }
    }

    /// A round begins. What has been due for so long that nobody can want it any more is forgotten.
    pub fn begin_round(&mut self) {
        self.round += 1;
        let (round, most) = (self.round, self.rounds_max);
        let is_wanted = |wait: &Wait| wait.until.saturating_add(most) >= round;
        self.waiting.retain(|_, wait| is_wanted(wait));
    }

    /// Whether it is tried in this round.
    #[must_use]
    pub fn is_due(&self, key: &K) -> bool {
        let wait = self.waiting.get(key);
        wait.is_none_or(|wait| wait.until <= self.round)
    }

    /// It was tried, and has to be again: in the next round, then two rounds later, then four.
    pub fn again(&mut self, key: K) {
        let before = self.waiting.get(&key).map_or(0, |wait| wait.rounds);
        let rounds = before.saturating_mul(2).clamp(1, self.rounds_max);
        let until = self.round.saturating_add(rounds);
        self.waiting.insert(key, Wait { until, rounds });
    }

    /// Nothing waits any more.
    pub fn forget_all(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_tried_ever_more_rarely_and_holds_nobody_up() {
        let mut waits = Waits::new(8);
        let mut tried = Vec::new();
        for round in 1..=40u64 {
            waits.begin_round();
            assert!(waits.is_due(&"another"));
            if waits.is_due(&"bad") {
                tried.push(round);
                waits.again("bad");
            }
        }
        assert_eq!(tried, [1, 2, 4, 8, 16, 24, 32, 40]);
        waits.forget_all();
        assert!(waits.is_due(&"bad"));
    }

    #[test]
    fn what_nobody_tries_any_more_is_forgotten() {
        let mut waits = Waits::new(4);
        waits.begin_round();
        waits.again(1);
        for _ in 0..5 {
            waits.begin_round();
            assert_eq!(waits.waiting.len(), 1);
        }
        waits.begin_round();
        assert!(waits.waiting.is_empty());
    }
}
