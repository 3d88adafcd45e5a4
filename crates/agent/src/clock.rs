//! The machine's clock and the chain's.
//!
//! Deadlines are compared with block time, so a wrong clock costs no money. Announcements of hubs are believed for ten
//! minutes by the local clock: with a wrong one a machine hears of nobody, or nobody of it.

/// A block may be stamped a little ahead of its time.
const BEHIND_MAX: u64 = 15;
/// How long an announcement holds: with a clock further ahead than that, every one of them looks over.
const AHEAD_MAX: u64 = 600;

/// What is wrong with a clock, as far as the chain's last block tells; nothing if it may be right.
#[must_use]
pub fn clock_off(now: u64, block_time: u64) -> Option<String> {
    if block_time > now.saturating_add(BEHIND_MAX) {
        let behind = block_time - now;
        return Some(format!("{behind} s behind the chain's last block"));
    }
    let ahead = now.saturating_sub(block_time);
    (ahead > AHEAD_MAX)
        .then(|| format!("{ahead} s ahead of the chain's last block, unless the chain is idle"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_when_announcements_would_be() {
        let now = 1_000_000;
        assert_eq!(clock_off(now, now + BEHIND_MAX), None);
        assert!(clock_off(now, now + BEHIND_MAX + 1).is_some());
        assert_eq!(clock_off(now, now - AHEAD_MAX), None);
        assert!(clock_off(now, now - AHEAD_MAX - 1).is_some());
    }
}
