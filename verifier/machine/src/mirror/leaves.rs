//! `Leaves.sol`: what a leaf's 32 bytes hold, as 256-bit integers.

use gio_protocol::U256;

/// Slot, or table element, `index` of a leaf of four.
pub(super) fn slot(leaf: U256, index: u64) -> u64 {
    field(leaf, shift(index), 64)
}

/// The leaf with slot `index` replaced.
pub(super) fn with_slot(leaf: U256, index: u64, value: u64) -> U256 {
    let shift = shift(index);
    (leaf & !(U256::from(u64::MAX) << shift)) | (U256::from(value) << shift)
}

fn shift(index: u64) -> usize {
    let place = usize::try_from(index & 3).expect("less than four");
    192 - (place << 6)
}

/// `count` bytes from byte `offset` of a leaf, in front of zeros.
pub(super) fn bytes_of(leaf: U256, offset: u64, count: u64) -> U256 {
    (leaf << bits(offset)) & front(count)
}

/// The leaf with `count` bytes from byte `offset` replaced by the first ones of `bytes`.
pub(super) fn with_bytes(leaf: U256, offset: u64, count: u64, bytes: U256) -> U256 {
    let mask = front(count) >> bits(offset);
    (leaf & !mask) | ((bytes >> bits(offset)) & mask)
}

/// A mask of the first `count` bytes of a word.
fn front(count: u64) -> U256 {
    !(U256::MAX >> bits(count))
}

/// `bits` bits of a word, `shift` from its end.
pub(super) fn field(word: U256, shift: usize, bits: usize) -> u64 {
    let mask = (U256::from(1) << bits) - U256::from(1);
    ((word >> shift) & mask).to()
}

/// Bits of so many bytes, at most 32.
pub(super) fn bits(bytes: u64) -> usize {
    usize::try_from(bytes << 3).expect("at most 256")
}
