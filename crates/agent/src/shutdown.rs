//! When to stop: Ctrl-C or SIGTERM. When to read the config again: SIGHUP.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves at the first Ctrl-C or SIGTERM.
pub async fn shutdown_signal() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        tracing::warn!("cannot listen for SIGTERM; only Ctrl-C stops this process");
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// SIGHUP, time after time.
#[derive(Debug)]
pub struct Hangups(Option<Signal>);

impl Hangups {
    /// From now on SIGHUP no longer ends the process.
    #[must_use]
    pub fn listen() -> Self {
        let signal = signal(SignalKind::hangup());
        if signal.is_err() {
            tracing::warn!("cannot listen for SIGHUP; use the `reload` command");
        }
        Self(signal.ok())
    }

    /// The next one; safe to cancel.
    pub async fn next(&mut self) {
        let came = match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if came.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
