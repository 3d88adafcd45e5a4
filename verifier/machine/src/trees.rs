//! Trees and chains of the step machine (docs/step-machine.md section 2).

use std::sync::LazyLock;

use gio_protocol::{B256, keccak256, tag};

pub use gio_protocol::tree::words::parent;

/// Deepest tree of locals or globals: 16,384 slots.
pub const SLOT_DEPTH_MAX: u8 = 12;

/// Levels of which the empty root is known: a memory tree of two full memories has 28.
pub const ZERO_LEVELS: usize = 33;

/// Slots, or table elements, in one leaf.
pub const SLOTS_PER_LEAF: u32 = 4;

/// Roots of empty trees by depth: `zero[0] = 0`, `zero[i+1] = keccak(zero[i] ‖ zero[i])`.
///
/// Computed once: whoever hashes a state or proves a step asks for them several times.
#[must_use]
pub fn zeros() -> &'static [B256; ZERO_LEVELS] {
    static ZEROS: LazyLock<[B256; ZERO_LEVELS]> = LazyLock::new(|| {
        let mut zeros = [B256::ZERO; ZERO_LEVELS];
        for level in 1..ZERO_LEVELS {
            zeros[level] = parent(zeros[level - 1], zeros[level - 1]);
        }
        zeros
    });
    &ZEROS
}

/// The root that `leaf` at `index` and its siblings, from the leaf upwards, make.
#[must_use]
pub fn root_of(leaf: B256, index: u64, path: &[B256]) -> B256 {
    path.iter()
        .enumerate()
        .fold(leaf, |node, (level, sibling)| {
            if index >> level & 1 == 0 {
                parent(node, *sibling)
            } else {
                parent(*sibling, node)
            }
        })
}

/// A root of depth `from` as the left part of a tree of depth `to` that is empty otherwise.
#[must_use]
pub fn extend(root: B256, from: u8, to: u8) -> B256 {
    let zeros = zeros();
    (from..to).fold(root, |node, level| parent(node, zeros[usize::from(level)]))
}

/// The operand stack with `slot` on top.
#[must_use]
pub fn push_slot(stack: B256, slot: u64) -> B256 {
    parent(stack, slot_word(slot))
}

/// A slot as a 32-byte word.
#[must_use]
pub fn slot_word(slot: u64) -> B256 {
    B256::left_padding_from(&slot.to_be_bytes())
}

/// The chain of frames with one more on top.
#[must_use]
pub fn push_frame(frames: B256, locals_root: B256, return_pc: u32, slots: u32) -> B256 {
    let mut bytes = [0u8; 128];
    bytes[..32].copy_from_slice(tag("gio.machine.frame.v1").as_slice());
    bytes[32..64].copy_from_slice(frames.as_slice());
    bytes[64..96].copy_from_slice(locals_root.as_slice());
    bytes[120..124].copy_from_slice(&return_pc.to_be_bytes());
    bytes[124..].copy_from_slice(&slots.to_be_bytes());
    keccak256(bytes)
}

/// Slot, or table element, `index` of a leaf.
#[must_use]
pub fn slot_of(leaf: B256, index: u32) -> u64 {
    let at = 8 * (index % SLOTS_PER_LEAF) as usize;
    let bytes = leaf[at..at + 8].try_into().expect("a leaf has four slots");
    u64::from_be_bytes(bytes)
}

/// The leaf with slot `index` replaced.
#[must_use]
pub fn with_slot(mut leaf: B256, index: u32, slot: u64) -> B256 {
    let at = 8 * (index % SLOTS_PER_LEAF) as usize;
    leaf[at..at + 8].copy_from_slice(&slot.to_be_bytes());
    leaf
}

/// The least depth of a tree of slots, or of table elements, that has room for `count`.
#[must_use]
pub const fn slot_depth(count: u32) -> u8 {
    depth_of(count.div_ceil(SLOTS_PER_LEAF) as u64)
}

/// The least depth with room for `leaves`.
#[must_use]
pub const fn depth_of(leaves: u64) -> u8 {
    if leaves <= 1 {
        return 0;
    }
    // At most 64.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a bit count of a u64 is at most 64"
    )]
    let depth = (u64::BITS - (leaves - 1).leading_zeros()) as u8;
    depth
}

/// Depth of one memory of so many pages: 2^11 leaves a page.
#[must_use]
pub const fn page_depth(pages: u32) -> u8 {
    11 + depth_of(pages as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_the_root_of_the_word_tree() {
        let words: Vec<u8> = (0..=255).collect();
        let root = gio_protocol::word_root(&words, 5).unwrap();
        let zeros = zeros();
        let leaf = |i: usize| B256::from_slice(&words[32 * i..32 * i + 32]);
        let pair = |i: usize| parent(leaf(i), leaf(i + 1));
        let path = [
            leaf(4),
            pair(6),
            parent(pair(0), pair(2)),
            zeros[3],
            zeros[4],
        ];
        assert_eq!(root_of(leaf(5), 5, &path), root);
        assert_ne!(root_of(leaf(5), 4, &path), root);
        assert_eq!(
            extend(gio_protocol::word_root(&words, 3).unwrap(), 3, 5),
            root
        );
    }

    #[test]
    fn depths_are_the_least_that_hold() {
        for (leaves, depth) in [
            (0, 0),
            (1, 0),
            (2, 1),
            (3, 2),
            (4, 2),
            (5, 3),
            (1 << 16, 16),
        ] {
            assert_eq!(depth_of(leaves), depth, "{leaves}");
        }
        assert_eq!((slot_depth(0), slot_depth(4), slot_depth(5)), (0, 0, 1));
        assert_eq!(
            (page_depth(0), page_depth(1), page_depth(65_536)),
            (11, 11, 27)
        );
    }

    #[test]
    fn slots_of_a_leaf_are_apart() {
        let leaf = (0..4).fold(B256::ZERO, |leaf, i| with_slot(leaf, i, u64::from(i) + 1));
        assert_eq!([0, 1, 2, 3].map(|i| slot_of(leaf, i)), [1, 2, 3, 4]);
    }
}
