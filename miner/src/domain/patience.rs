//! How often somebody is listened to whose messages cost this miner something each.

use gio_protocol::UnixSeconds;

/// So many messages at once, and so many more with every second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    most: u64,
    per_second: u64,
    left: u64,
    at: UnixSeconds,
}

impl Patience {
    /// For `most` messages at once and `per_second` in the long run.
    #[must_use]
    pub fn new(most: u64, per_second: u64) -> Self {
        Self {
            most,
            per_second,
            left: most,
            at: UnixSeconds(0),
        }
    }

    /// Whether a message of now is listened to. A clock that was set back costs nothing but its own seconds.
    pub fn listens(&mut self, now: UnixSeconds) -> bool {
        let more = self.at.until(now).saturating_mul(self.per_second);
        self.left = self.left.saturating_add(more).min(self.most);
        self.at = now;
        let listens = self.left > 0;
        self.left = self.left.saturating_sub(1);
        listens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_listened_to_as_often_as_was_said() {
        let mut patience = Patience::new(3, 2);
        let mut at = |seconds: u64| {
            let heard = (0..10).filter(|_| patience.listens(UnixSeconds(seconds)));
            heard.count()
        };
        assert_eq!(at(1_000), 3);
        assert_eq!(at(1_000), 0);
        assert_eq!(at(1_001), 2);
        assert_eq!(at(999), 0, "the clock was set back");
        assert_eq!(at(1_000), 2);
        assert_eq!(at(9_000), 3, "patience has an end");
    }
}
