//! What an operator can change while the hub runs: prices and limits by `reload`, and whether it takes new deals.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use gio_agent::unix_now;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// The config as it is now, and the operator's word.
#[derive(Debug)]
pub struct Operation {
    config: RwLock<Arc<Config>>,
    draining: AtomicBool,
    changed: Notify,
    chain_seen: AtomicU64,
}

impl Operation {
    /// A hub that takes deals.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config: RwLock::new(Arc::new(config)),
            draining: AtomicBool::new(false),
            changed: Notify::new(),
            chain_seen: AtomicU64::new(unix_now()),
        }
    }

    /// The config.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        let config = self.config.read();
        Arc::clone(&config.unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a checked config over as a whole, or says which key of it only a restart can change. Quotes that were given
    /// hold.
    ///
    /// # Errors
    /// The key.
    pub fn reload(&self, new: Config) -> Result<(), &'static str> {
        if let Some(key) = self.config().fixed_difference(&new) {
            return Err(key);
        }
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Takes no new deals, or takes them again.
    pub fn set_draining(&self, draining: bool) {
        self.draining.store(draining, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    /// Whether no new deals are taken, by the operator's word or in a maintenance window.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        let now = unix_now();
        let windows = &self.config().hub.maintenance;
        self.draining.load(Ordering::Relaxed) || windows.iter().any(|window| window.contains(now))
    }

    /// Waits for a change, at most so long, and not beyond the stop.
    pub async fn changed(&self, most: Duration, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            _ = timeout(most, self.changed.notified()) => {}
        }
    }

    /// The chain has answered.
    pub fn saw_chain(&self) {
        self.chain_seen.store(unix_now(), Ordering::Relaxed);
    }

    /// When it last did, by the local clock.
    #[must_use]
    pub fn chain_seen(&self) -> u64 {
        self.chain_seen.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let example = include_str!("../config.example.toml");
        toml::from_str(example).expect("the example is a config")
    }

    #[test]
    fn a_reload_takes_prices_over_and_refuses_what_only_a_restart_changes() {
        let operation = Operation::new(config());
        let mut new = config();
        new.limits.deals = 3;
        new.prices.quote_seconds = 77;
        operation.reload(new.clone()).unwrap();
        assert_eq!(*operation.config(), new);
        let mut other = new.clone();
        other.limits.deals = 4;
        other.rpc_url = "http://elsewhere".to_owned();
        assert_eq!(operation.reload(other), Err("rpc_url"));
        assert_eq!(*operation.config(), new, "nothing of it was taken over");
    }

    #[test]
    fn a_maintenance_window_drains() {
        let operation = Operation::new(config());
        assert!(!operation.is_draining());
        let mut new = config();
        let halves = ["00:00-12:00", "12:00-00:00"];
        new.hub.maintenance = halves.iter().map(|text| text.parse().unwrap()).collect();
        operation.reload(new).unwrap();
        assert!(operation.is_draining());
        operation.reload(config()).unwrap();
        operation.set_draining(true);
        assert!(operation.is_draining());
    }
}
