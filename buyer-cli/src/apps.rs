//! Applications of the pool as a buyer uses them: the pool says which bytes a name and version are and what their author
//! earns; the bytes are the buyer's own copy.
//!
//! # Security
//! A copy is used only if its hash is the one on chain, whatever its file is called and whoever brought it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use gio_agent::files::{Access, write_durably};
use gio_agent::{Code, ExitStatus, UserError};
use gio_evm::{AppKind, Chain, ChainError, GovernmentRevert, ReleaseInfo, RevertReason};
use gio_protocol::{B256, keccak256};
use thiserror::Error;

use crate::faults;
use crate::infra::inputs::read_module;
use crate::job_file::JobFile;
use crate::job_flags::JobFlags;
use crate::job_request::{JobRequest, Royalty};
use crate::session::Session;

/// A name and a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppName {
    /// Which application.
    pub name: String,
    /// Which of its versions.
    pub version: String,
}

/// A word that names no version of an application.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not NAME@VERSION, such as render@1.2")]
pub struct AppNameError(String);

impl FromStr for AppName {
    type Err = AppNameError;

    fn from_str(text: &str) -> Result<Self, AppNameError> {
        let bad = || AppNameError(text.to_owned());
        let (name, version) = text.split_once('@').ok_or_else(bad)?;
        // What the contract would refuse anyway; and a file will have this name.
        let is_plain = |word: &str, also: &str| {
            let mut chars = word.chars();
            !word.is_empty() && chars.all(|c| c.is_ascii_alphanumeric() || also.contains(c))
        };
        if !is_plain(name, "-") || !is_plain(version, ".+-") {
            return Err(bad());
        }
        Ok(Self {
            name: name.to_owned(),
            version: version.to_owned(),
        })
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// What the pool says of a version; `None` if nobody published it.
///
/// # Errors
/// A [`UserError`] about the chain.
pub async fn release(chain: &Chain, app: &AppName) -> Result<Option<ReleaseInfo>, UserError> {
    match chain.release(&app.name, &app.version).await {
        Ok(found) => Ok(Some(found)),
        Err(ChainError::Reverted(RevertReason::Government(
            GovernmentRevert::AppUnknown { .. } | GovernmentRevert::ReleaseUnknown { .. },
        ))) => Ok(None),
        Err(error) => Err(faults::chain(error)),
    }
}

/// The buyer's own copies.
#[derive(Clone, Debug)]
pub struct Apps {
    folder: PathBuf,
}

impl Apps {
    /// Those of a home.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        Self {
            folder: session.folder("apps"),
        }
    }

    /// Where a copy is: under its hash, and called as the application, which is what the program sees as its name.
    fn path(&self, app: &AppName, digest: B256) -> PathBuf {
        self.folder
            .join(format!("{digest:x}"))
            .join(format!("{}.wasm", app.name))
    }

    /// Keeps a copy.
    ///
    /// # Errors
    /// The first failing system call.
    pub fn keep(&self, app: &AppName, digest: B256, module: &[u8]) -> io::Result<PathBuf> {
        let path = self.path(app, digest);
        write_durably(&path, module, Access::Public)?;
        Ok(path)
    }
}

/// What the flags ask for, with program and royalty of the application they name.
///
/// # Errors
/// A [`UserError`] about the job, or as when a name is looked up.
pub async fn request(session: &Session, flags: &JobFlags) -> Result<JobRequest, UserError> {
    let (mut file, base) = flags.file()?;
    let royalty = resolve(session, &mut file, &base).await?;
    let mut request = JobRequest::new(file, &base).map_err(faults::job)?;
    request.price.royalty = royalty;
    Ok(request)
}

/// Fills a job's program and royalty in from the pool, if it names an application.
///
/// # Errors
/// A [`UserError`] if there is no such version, it is advised against, or its bytes are not here.
async fn resolve(
    session: &Session,
    file: &mut JobFile,
    base: &Path,
) -> Result<Option<Royalty>, UserError> {
    let Some(app) = &file.app else {
        return Ok(None);
    };
    let app: AppName = app.parse().map_err(faults::usage)?;
    let chain = session.chain().await?;
    let unknown = || {
        let text = format!("nobody published {app}");
        UserError::of(Code::JobInvalid, text).hint("gio-buyer app list")
    };
    let found = release(&chain, &app).await?.ok_or_else(unknown)?;
    if found.is_deprecated || found.draft.kind != AppKind::WasmModule {
        let text = match found.is_deprecated {
            true => format!("its publisher advises against {app}"),
            false => {
                format!("{app} is a Docker image, which this version of the market does not run")
            }
        };
        let hint = format!("gio-buyer app list {}", app.name);
        return Err(UserError::of(Code::JobInvalid, text).hint(hint));
    }
    let apps = Apps::of(session);
    let digest = found.draft.digest;
    let path = match &file.wasm {
        Some(given) => {
            let module = read(&base.join(given))?;
            check(&app, digest, &module)?;
            apps.keep(&app, digest, &module)?
        }
        None => {
            let path = apps.path(&app, digest);
            let module = read_module(&path).map_err(|_| not_here(&app, digest))?;
            check(&app, digest, &module)?;
            path
        }
    };
    file.wasm = Some(std::path::absolute(path)?);
    Ok((found.draft.royalty_per_mille > 0).then_some(Royalty {
        to: found.draft.royalty_to,
        per_mille: found.draft.royalty_per_mille,
    }))
}

fn read(path: &Path) -> Result<Vec<u8>, UserError> {
    read_module(path)
        .map_err(|error| faults::usage(error).hint(format!("{} must be a file", path.display())))
}

fn check(app: &AppName, digest: B256, module: &[u8]) -> Result<(), UserError> {
    let found = keccak256(module);
    if found == digest {
        return Ok(());
    }
    let text = format!("{app} is {digest}, these bytes are {found}");
    Err(UserError::new(text, ExitStatus::Usage)
        .hint("get the published program, or leave --app out"))
}

fn not_here(app: &AppName, digest: B256) -> UserError {
    let text = format!("the program of {app} ({digest}) is not here");
    let hint = format!(
        "get it where `gio-buyer app list {}` says, and name it once with --wasm FILE",
        app.name
    );
    UserError::of(Code::JobInvalid, text).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_version_read_back_and_nothing_else_does() {
        let app: AppName = "render@1.2.0-rc1+5".parse().unwrap();
        assert_eq!(app.to_string(), "render@1.2.0-rc1+5");
        for bad in [
            "", "render", "@1", "render@", "../x@1", "a@1/2", "a b@1", "a@1@2",
        ] {
            assert!(bad.parse::<AppName>().is_err(), "{bad}");
        }
    }
}
