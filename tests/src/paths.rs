//! Where things are in a clone.

use std::path::{Path, PathBuf};

/// The clone's top folder.
///
/// # Panics
/// Never: the package lies in it.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the repository")
        .to_owned()
}

/// Forge's artifacts, written by `make contracts`.
#[must_use]
pub fn artifacts() -> PathBuf {
    repository().join("contracts/out")
}

/// A native tool that `scripts/bootstrap` installs: `anvil`, `cast` or `forge`.
///
/// # Panics
/// If it is not installed; the message says what to run.
#[must_use]
pub fn foundry(tool: &str) -> PathBuf {
    let folder = repository().join("contracts/node_modules/@foundry-rs");
    let arch = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let path = folder.join(format!("{tool}-linux-{arch}/bin/{tool}"));
    assert!(
        path.exists(),
        "{tool} is not installed; run scripts/bootstrap"
    );
    path
}

/// One of the project's own programs, beside the one that runs.
///
/// # Panics
/// If it was not built; the message says what to run.
#[must_use]
pub fn agent(name: &str) -> PathBuf {
    let here = std::env::current_exe().expect("a running program knows its path");
    let folders = here.ancestors().skip(1).take(2);
    let found = folders
        .map(|folder| folder.join(name))
        .find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is not built; run `cargo build --workspace`"))
}
