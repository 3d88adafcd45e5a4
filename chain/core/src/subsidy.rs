//! How coins come into being (R27).

use gio_protocol::Gio;

/// Rewards of the schedule that the first block mints at once: the premine.
pub const PREMINED_REWARDS: u32 = 200_000;
/// Rewards between two halvings.
pub const HALVING_INTERVAL: u32 = 1_000_000;
/// The first reward, 1000 GIO.
const FIRST_REWARD: u64 = 100_000_000_000;
/// What the first block mints: 200,000,000 GIO.
pub const PREMINE: Gio = Gio::from_units(PREMINED_REWARDS as u64 * FIRST_REWARD);
/// All there will ever be: every amount of a transaction lies below. It is the exact sum of
/// the schedule, rounded down at every halving.
pub const MAX_MONEY: Gio = Gio::from_units(199_999_999_985_000_000);

/// What the block at `height` may mint besides its fees.
#[must_use]
pub fn subsidy(height: u32) -> Gio {
    if height == 0 {
        return PREMINE;
    }
    reward(u64::from(height) + u64::from(PREMINED_REWARDS) - 1)
}

/// The reward at an index of the schedule.
fn reward(index: u64) -> Gio {
    let halvings = index / u64::from(HALVING_INTERVAL);
    let shifted = u32::try_from(halvings)
        .ok()
        .and_then(|halvings| FIRST_REWARD.checked_shr(halvings));
    Gio::from_units(shifted.unwrap_or(0))
}

/// All that blocks up to and including `height` may have minted.
#[must_use]
pub fn issued(height: u32) -> Gio {
    let mut left = u64::from(height) + u64::from(PREMINED_REWARDS);
    let interval = u64::from(HALVING_INTERVAL);
    let mut units = 0;
    let mut index = 0;
    while left > 0 {
        let reward = reward(index).units();
        if reward == 0 {
            break;
        }
        let now = left.min(interval);
        units += now * reward;
        left -= now;
        index += interval;
    }
    Gio::from_units(units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r27_the_schedule_sums_to_the_total() {
        let eras = (0..64u64).map(|era| reward(era * 1_000_000).units() * 1_000_000);
        assert_eq!(eras.sum::<u64>(), MAX_MONEY.units());
        assert_eq!(issued(u32::MAX), MAX_MONEY);
        assert_eq!(MAX_MONEY.to_string(), "1999999999.85000000");
    }

    #[test]
    fn r27_the_first_500_coin_block_is_at_height_800_001() {
        let whole = |gio| Gio::from_whole(gio).unwrap();
        assert_eq!(subsidy(0), whole(200_000_000));
        assert_eq!(subsidy(1), whole(1000));
        assert_eq!(subsidy(800_000), whole(1000));
        assert_eq!(subsidy(800_001), whole(500));
        assert_eq!(subsidy(1_800_000), whole(500));
        assert_eq!(subsidy(1_800_001), whole(250));
        assert_eq!(subsidy(35_800_001), Gio::from_units(1));
        assert_eq!(subsidy(36_800_001), Gio::ZERO);
        assert_eq!(subsidy(u32::MAX), Gio::ZERO);
        assert_eq!(reward(64_000_000), Gio::ZERO);
    }

    #[test]
    fn issued_is_the_running_sum_of_subsidies() {
        for edge in [0, 1, 2, 799_999, 800_000, 800_001, 1_800_000, 36_800_000] {
            let next = issued(edge).plus(subsidy(edge + 1)).unwrap();
            assert_eq!(issued(edge + 1), next, "{edge}");
        }
        assert_eq!(issued(0), PREMINE);
    }
}
