//! What a person is told when the chain's files fail: what, and what to do about it.

use gio_agent::{ExitStatus, UserError};

use crate::chain::ChainError;
use crate::ledger::LedgerBroken;
use crate::peers::PeersError;
use crate::store::StoreError;

const REINDEX: &str = "`gio-chain node --reindex` makes the index again from the blocks";
const FREE_SPACE: &str =
    "free some space and start the node again: whatever was accepted is on the disk";

/// Why a chain does not open.
pub(crate) fn not_opened(error: ChainError) -> UserError {
    let hint = match &error {
        _ if error.is_disk_full() => return disk_full(error),
        ChainError::Store(StoreError::OtherNetwork { .. }) => {
            "a folder never changes its network: correct config.toml or choose another --home"
        }
        ChainError::Store(StoreError::InUse) => "stop the other node first",
        ChainError::Store(StoreError::UnknownFormat(_)) => {
            "run the version that wrote it, or `gio-chain node --reindex`"
        }
        ChainError::Store(_) | ChainError::Body(_) | ChainError::Undo(_) => REINDEX,
    };
    UserError::new(error, ExitStatus::Failure).hint(hint)
}

/// Why a running node stops.
pub(crate) fn broken(error: LedgerBroken) -> UserError {
    if error.is_disk_full {
        return disk_full(error);
    }
    UserError::new(error, ExitStatus::Failure).hint(format!(
        "`gio-chain doctor` looks at the files, and {REINDEX}"
    ))
}

/// Why the peers' part of a node ends.
pub(crate) fn peers(error: PeersError) -> UserError {
    match error {
        PeersError::Chain(error) => broken(LedgerBroken::from(&error)),
        other => other.into(),
    }
}

fn disk_full(error: impl std::error::Error + Send + Sync + 'static) -> UserError {
    UserError::new(error, ExitStatus::Failure)
        .hint(FREE_SPACE)
        .retryable()
}
