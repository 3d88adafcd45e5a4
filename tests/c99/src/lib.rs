//! C's fast integer types, for `softfloat-sys`, the float oracle of the step machine's tests.
//!
//! glibc makes them as wide as a register; other C libraries and 32-bit machines keep them at their least width.
#![allow(
    non_camel_case_types,
    missing_docs,
    clippy::missing_docs_in_private_items,
    reason = "the names are C's"
)]

#[cfg(all(target_env = "gnu", target_pointer_width = "64"))]
mod fast {
    pub type int_fast16_t = i64;
    pub type int_fast32_t = i64;
    pub type uint_fast16_t = u64;
    pub type uint_fast32_t = u64;
}

#[cfg(not(all(target_env = "gnu", target_pointer_width = "64")))]
mod fast {
    pub type int_fast16_t = i32;
    pub type int_fast32_t = i32;
    pub type uint_fast16_t = u32;
    pub type uint_fast32_t = u32;
}

pub use fast::*;

pub type int_fast8_t = i8;
pub type int_fast64_t = i64;
pub type uint_fast8_t = u8;
pub type uint_fast64_t = u64;
