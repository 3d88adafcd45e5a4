//! When to stop: Ctrl-C or SIGTERM. When to read the config again: SIGHUP.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves at the first Ctrl-C or SIGTERM from when it is first polled.
pub async fn shutdown_signal() {
    Shutdowns::listen().next().await;
}

/// Ctrl-C and SIGTERM, time after time.
#[derive(Debug)]
pub struct Shutdowns {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Shutdowns {
    /// From now on neither ends the process by itself. Before an agent says that it is there: whoever heard that may
    /// stop it at once, and in order.
    #[must_use]
    pub fn listen() -> Self {
        let listen = |kind, name| match signal(kind) {
            Ok(signal) => Some(signal),
            Err(error) => {
                tracing::warn!(
                    "cannot listen for {name}, which ends this process at once: {error}"
                );
                None
            }
        };
        Self {
            interrupt: listen(SignalKind::interrupt(), "Ctrl-C"),
            terminate: listen(SignalKind::terminate(), "SIGTERM"),
        }
    }

    /// The next one; safe to cancel.
    pub async fn next(&mut self) {
        tokio::select! {
            () = next(&mut self.interrupt) => {}
            () = next(&mut self.terminate) => {}
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    let came = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if came.is_none() {
        std::future::pending::<()>().await;
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
        next(&mut self.0).await;
    }
}
