//! What holds for any bytes that somebody uploads.

#![allow(unreachable_pub, reason = "a module of test binaries")]

use gio_machine::state::{CODE_DEPTH_MAX, VERSION};
use gio_machine::{PrepareLimits, prepare_provable};

/// Prepares the bytes, or has them refused. Whatever is prepared keeps to the machine's bounds.
pub fn prepare_any(bytes: &[u8]) {
    let Ok(provable) = prepare_provable(bytes, &PrepareLimits::default()) else {
        return;
    };
    let header = provable.program.header();
    assert_eq!(header.version, VERSION);
    assert!((1..=CODE_DEPTH_MAX).contains(&header.code_depth));
    assert!(provable.program.code().len() <= 2 << header.code_depth);
    let operations = provable.program.code().iter();
    assert!(
        operations
            .into_iter()
            .all(|code| code.operation().is_some())
    );
}
