//! Logs: structured, on stderr, as text or JSON.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The log options every binary has.
#[derive(Clone, Debug, Args)]
pub struct LogOptions {
    /// What to log: error, warn, info, debug, trace, or a filter such as `gio_hub=debug`
    #[arg(long = "log", env = "GIO_LOG", global = true, value_name = "FILTER")]
    pub filter: Option<String>,
    /// Log lines as text or JSON
    #[arg(
        long = "log-format",
        env = "GIO_LOG_FORMAT",
        global = true,
        value_enum,
        default_value_t
    )]
    pub format: LogFormat,
}

/// Starts logging to stderr; `default` is the filter when the user gave none.
pub fn init_logging(options: &LogOptions, default: &str) {
    let text = options.filter.as_deref().unwrap_or(default);
    let filter = EnvFilter::builder().parse_lossy(text);
    let registry = tracing_subscriber::registry().with(filter);
    // A second call finds the first subscriber in place; tests do that.
    let _ = match options.format {
        LogFormat::Text => registry
            .with(fmt::layer().with_writer(std::io::stderr))
            .try_init(),
        LogFormat::Json => registry
            .with(fmt::layer().json().with_writer(std::io::stderr))
            .try_init(),
    };
}
