//! Nodes on loopback, through the public door only.
#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on fails its test"
)]

mod calls;
mod content;
mod discovery;
mod gossip;
mod raw;
mod recovery;
mod relayed;
mod support;
