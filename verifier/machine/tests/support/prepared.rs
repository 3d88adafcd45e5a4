//! What holds for any bytes that somebody uploads, and for any proof that somebody submits.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test binary and fuzzer uses its own part of this module"
)]

use gio_machine::state::{CODE_DEPTH_MAX, VERSION};
use gio_machine::{PrepareLimits, mirror, prepare, prepare_provable};

/// Prepares the bytes for both machine versions, or has them refused; answers whether they are a program. Whatever is
/// prepared keeps to the machine's bounds.
pub fn prepare_any(bytes: &[u8]) -> bool {
    let limits = PrepareLimits::default();
    let metered = prepare(bytes, &limits);
    let Ok(provable) = prepare_provable(bytes, &limits) else {
        return false;
    };
    // What version 0 refuses is no program of version 1.
    assert!(metered.is_ok());
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
    true
}

/// Checks the bytes as a proof of a step; answers whether they are one.
pub fn check_any(bytes: &[u8]) -> bool {
    mirror::step(bytes).is_ok()
}
