//! The three trees of `docs/protocol.md` section 2. Their leaves, nodes and roots never collide:
//! job and result trees prefix them with 0x00, 0x01, 0x02, the word tree has one fixed depth per deal.

pub mod job;
pub mod result;
pub mod words;

/// Depth of a full binary tree with `count` positions: `⌈log2(count)⌉`.
#[must_use]
pub fn depth_of(count: u32) -> u32 {
    count.next_power_of_two().trailing_zeros()
}
