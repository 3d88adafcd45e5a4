//! Keccak-256 for the short texts this market hashes by the hundred for every unit: nodes of trees, typed data.
//!
//! The permutation is FIPS 202's, written out lane by lane so that the compiler keeps the state in registers and copies
//! none of it; the general implementation behind alloy's takes almost three times as long for 64 bytes (docs/benchmarks.md). A test
//! compares the two.

use alloy_primitives::B256;

/// Bytes absorbed by one permutation.
const RATE: usize = 136;
/// Constants of the rounds (FIPS 202, 3.2.5).
const ROUNDS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

type State = [u64; 25];

/// The Keccak-256 of some bytes.
#[must_use]
pub fn keccak256(bytes: impl AsRef<[u8]>) -> B256 {
    hash(bytes.as_ref())
}

fn hash(bytes: &[u8]) -> B256 {
    let mut state: State = [0; 25];
    let mut blocks = bytes.chunks_exact(RATE);
    for block in &mut blocks {
        absorb(&mut state, block);
        permute(&mut state);
    }
    let rest = blocks.remainder();
    let mut last = [0u8; RATE];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x01;
    last[RATE - 1] |= 0x80;
    absorb(&mut state, &last);
    permute(&mut state);
    let mut out = B256::ZERO;
    for (bytes, lane) in out.0.chunks_exact_mut(8).zip(state) {
        bytes.copy_from_slice(&lane.to_le_bytes());
    }
    out
}

fn absorb(state: &mut State, block: &[u8]) {
    for (lane, bytes) in state.iter_mut().zip(block.chunks_exact(8)) {
        let mut word = [0u8; 8];
        word.copy_from_slice(bytes);
        *lane ^= u64::from_le_bytes(word);
    }
}

/// One row of chi: every lane of `out` from `y` on.
macro_rules! row {
    ($out:ident, $y:expr, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr) => {
        let (a, b, c, d, e) = ($a, $b, $c, $d, $e);
        $out[$y] = a ^ (!b & c);
        $out[$y + 1] = b ^ (!c & d);
        $out[$y + 2] = c ^ (!d & e);
        $out[$y + 3] = d ^ (!e & a);
        $out[$y + 4] = e ^ (!a & b);
    };
}

fn permute(state: &mut State) {
    for constant in ROUNDS {
        let s = *state;
        let column = |x: usize| s[x] ^ s[x + 5] ^ s[x + 10] ^ s[x + 15] ^ s[x + 20];
        let (c0, c1, c2, c3, c4) = (column(0), column(1), column(2), column(3), column(4));
        let d0 = c4 ^ c1.rotate_left(1);
        let d1 = c0 ^ c2.rotate_left(1);
        let d2 = c1 ^ c3.rotate_left(1);
        let d3 = c2 ^ c4.rotate_left(1);
        let d4 = c3 ^ c0.rotate_left(1);
        // Theta, rho and pi of each row's sources, then chi.
        row!(
            state,
            0,
            s[0] ^ d0,
            (s[6] ^ d1).rotate_left(44),
            (s[12] ^ d2).rotate_left(43),
            (s[18] ^ d3).rotate_left(21),
            (s[24] ^ d4).rotate_left(14)
        );
        row!(
            state,
            5,
            (s[3] ^ d3).rotate_left(28),
            (s[9] ^ d4).rotate_left(20),
            (s[10] ^ d0).rotate_left(3),
            (s[16] ^ d1).rotate_left(45),
            (s[22] ^ d2).rotate_left(61)
        );
        row!(
            state,
            10,
            (s[1] ^ d1).rotate_left(1),
            (s[7] ^ d2).rotate_left(6),
            (s[13] ^ d3).rotate_left(25),
            (s[19] ^ d4).rotate_left(8),
            (s[20] ^ d0).rotate_left(18)
        );
        row!(
            state,
            15,
            (s[4] ^ d4).rotate_left(27),
            (s[5] ^ d0).rotate_left(36),
            (s[11] ^ d1).rotate_left(10),
            (s[17] ^ d2).rotate_left(15),
            (s[23] ^ d3).rotate_left(56)
        );
        row!(
            state,
            20,
            (s[2] ^ d2).rotate_left(62),
            (s[8] ^ d3).rotate_left(55),
            (s[14] ^ d4).rotate_left(39),
            (s[15] ^ d0).rotate_left(41),
            (s[21] ^ d1).rotate_left(2)
        );
        state[0] ^= constant;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_length_around_the_blocks_gives_what_alloy_gives() {
        for length in 0..=3 * RATE + 1 {
            let bytes: Vec<u8> = (0..length)
                .map(|at| u8::try_from((at * 7 + length) % 256).unwrap())
                .collect();
            assert_eq!(
                keccak256(&bytes),
                alloy_primitives::keccak256(&bytes),
                "{length} bytes"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_what_alloy_gives(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            prop_assert_eq!(keccak256(&bytes), alloy_primitives::keccak256(&bytes));
        }
    }
}
