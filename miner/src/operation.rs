//! What an operator can change while the miner runs: prices and limits by `reload`, and whether it takes new units.

use std::sync::Arc;

use gio_agent::unix_now;
use tokio::sync::watch;

use crate::config::MinerConfig;

/// The config as it is now, and the operator's word.
#[derive(Debug)]
pub struct Operation {
    config: watch::Sender<Arc<MinerConfig>>,
    /// The operator's word.
    told: watch::Sender<bool>,
    /// Whether nothing new is taken, by that word or in a maintenance window.
    draining: watch::Sender<bool>,
}

impl Operation {
    /// A miner that takes units.
    #[must_use]
    pub fn new(config: MinerConfig) -> Self {
        Self {
            config: watch::Sender::new(Arc::new(config)),
            told: watch::Sender::new(false),
            draining: watch::Sender::new(false),
        }
    }

    /// The config.
    #[must_use]
    pub fn config(&self) -> Arc<MinerConfig> {
        Arc::clone(&self.config.borrow())
    }

    /// The config, live: whoever tells others of it subscribes before looking, or misses a reload in between.
    #[must_use]
    pub fn reloads(&self) -> watch::Receiver<Arc<MinerConfig>> {
        self.config.subscribe()
    }

    /// Takes a checked config over as a whole, or says which key of it only a restart can change.
    ///
    /// # Errors
    /// The key.
    pub fn reload(&self, new: MinerConfig) -> Result<(), &'static str> {
        if let Some(key) = self.config().fixed_difference(&new) {
            return Err(key);
        }
        self.config.send_replace(Arc::new(new));
        self.look();
        Ok(())
    }

    /// Takes nothing new, or takes it again.
    pub fn set_draining(&self, draining: bool) {
        self.told.send_replace(draining);
        self.look();
    }

    /// Looks whether this is a maintenance window.
    pub fn look(&self) {
        let now = unix_now();
        let config = self.config();
        let in_window = config.maintenance.iter().any(|window| window.contains(now));
        let draining = *self.told.borrow() || in_window;
        self.draining.send_if_modified(|known| {
            let changed = *known != draining;
            *known = draining;
            changed
        });
    }

    /// Whether nothing new is taken, live.
    #[must_use]
    pub fn draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }

    /// Whether nothing new is taken now.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_takes_prices_over_and_refuses_what_only_a_restart_changes() {
        let operation = Operation::new(MinerConfig::default());
        let mut new = MinerConfig {
            hubs_max: 3,
            ..MinerConfig::default()
        };
        operation.reload(new.clone()).unwrap();
        assert_eq!(operation.config().hubs_max, 3);
        new.hubs_max = 4;
        new.cache_mib += 1;
        assert_eq!(operation.reload(new), Err("miner.cache_mib"));
        assert_eq!(
            operation.config().hubs_max,
            3,
            "nothing of it was taken over"
        );
    }

    #[test]
    fn a_maintenance_window_drains_and_the_operators_word_does() {
        let operation = Operation::new(MinerConfig::default());
        let halves = ["00:00-12:00", "12:00-00:00"];
        let new = MinerConfig {
            maintenance: halves.iter().map(|text| text.parse().unwrap()).collect(),
            ..MinerConfig::default()
        };
        operation.reload(new).unwrap();
        assert!(operation.is_draining());
        operation.reload(MinerConfig::default()).unwrap();
        assert!(!operation.is_draining());
        operation.set_draining(true);
        assert!(operation.is_draining());
    }
}
