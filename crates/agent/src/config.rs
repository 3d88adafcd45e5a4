//! Config files: TOML with checked keys. An unknown key is an error that names the nearest valid one.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::files::read_text;

/// The option every binary has beside `--home`.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigOption {
    /// The config file [default: config.toml in the home folder]
    #[arg(
        long = "config",
        env = "GIO_CONFIG",
        global = true,
        value_name = "FILE"
    )]
    pub file: Option<PathBuf>,
}

/// A config or job file that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// There is no such file.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not TOML, or a key or value is wrong.
    #[error("{}: {message}", path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Where and what, with the nearest valid key.
        message: String,
    },
}

/// Reads a TOML file into `T`, which must deny unknown fields.
///
/// # Errors
/// [`ConfigError`].
pub fn read_config<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = read_text(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    toml::from_str(&text).map_err(|error| ConfigError::Parse {
        path: path.to_owned(),
        message: explain(&error, &text),
    })
}

fn explain(error: &toml::de::Error, text: &str) -> String {
    let before = |start: usize| {
        text.bytes()
            .take(start)
            .filter(|byte| *byte == b'\n')
            .count()
    };
    let line = error.span().map(|span| before(span.start) + 1);
    let place = line.map_or_else(String::new, |line| format!("line {line}: "));
    let message = error.message();
    let hint =
        nearest_key(message).map_or_else(String::new, |key| format!("; did you mean `{key}`?"));
    format!("{place}{message}{hint}")
}

/// From serde's "unknown field `x`, expected one of `a`, `b`": the key nearest to `x`.
fn nearest_key(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("unknown field `")?;
    let (unknown, rest) = rest.split_once('`')?;
    nearest(unknown, rest.split('`').skip(1).step_by(2))
}

/// The candidate nearest to `word`, if one is near at all.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this similarity a suggestion is more confusing than none.
    const SIMILAR: f64 = 0.6;
    let scored = candidates
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(word, name), name));
    scored
        .filter(|(score, _)| *score >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Sample {
        rpc_url: String,
        listen: Option<Vec<String>>,
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, "rpc_url = \"x\"\nlisten_on = []\nlistn = []\n").unwrap();
        let message = read_config::<Sample>(&path).unwrap_err().to_string();
        assert!(
            message.contains("line 2: unknown field `listen_on`"),
            "{message}"
        );
        assert!(message.ends_with("did you mean `listen`?"), "{message}");
        fs::write(&path, "rpc_url = 3\n").unwrap();
        assert!(
            read_config::<Sample>(&path)
                .unwrap_err()
                .to_string()
                .contains("line 1"),
            "a wrong type says where"
        );
    }
}
