//! scrypt's mixing in plain Rust: the meaning of the faster paths.

use super::Words;

/// Mixes one state at a time through `N` remembered ones.
#[derive(Debug)]
pub(super) struct Mixer<const N: usize> {
    memory: Box<[Words; N]>,
}

impl<const N: usize> Mixer<N> {
    pub(super) fn new() -> Self {
        let memory = vec![[0; 32]; N].into_boxed_slice();
        let memory = memory.try_into().expect("the vector has N elements");
        Self { memory }
    }

    pub(super) fn mix(&mut self, states: &mut [Words]) {
        for state in states {
            mix_one(state, &mut self.memory);
        }
    }
}

fn mix_one<const N: usize>(state: &mut Words, memory: &mut [Words; N]) {
    for remembered in memory.iter_mut() {
        *remembered = *state;
        block_mix(state);
    }
    for _ in 0..N {
        let remembered = &memory[state[16] as usize % N];
        for (word, other) in state.iter_mut().zip(remembered) {
            *word ^= other;
        }
        block_mix(state);
    }
}

/// scrypt's BlockMix for r = 1.
pub(super) fn block_mix(state: &mut Words) {
    let (halves, _) = state.as_chunks_mut::<16>();
    let [first, second] = halves else {
        unreachable!("32 words are two halves");
    };
    xor_salsa(first, second);
    xor_salsa(second, first);
}

/// `block = salsa(block ^ other)`.
fn xor_salsa(block: &mut [u32; 16], other: &[u32; 16]) {
    for (word, other) in block.iter_mut().zip(other) {
        *word ^= other;
    }
    salsa20_8(block);
}

/// The Salsa20/8 core.
pub(super) fn salsa20_8(block: &mut [u32; 16]) {
    let mut x = *block;
    for _ in 0..4 {
        for [a, b, c, d] in [[0, 4, 8, 12], [5, 9, 13, 1], [10, 14, 2, 6], [15, 3, 7, 11]] {
            quarter_round(&mut x, [a, b, c, d]);
        }
        for [a, b, c, d] in [[0, 1, 2, 3], [5, 6, 7, 4], [10, 11, 8, 9], [15, 12, 13, 14]] {
            quarter_round(&mut x, [a, b, c, d]);
        }
    }
    for (word, mixed) in block.iter_mut().zip(x) {
        *word = word.wrapping_add(mixed);
    }
}

#[inline(always)]
fn quarter_round(x: &mut [u32; 16], [a, b, c, d]: [usize; 4]) {
    x[b] ^= x[a].wrapping_add(x[d]).rotate_left(7);
    x[c] ^= x[b].wrapping_add(x[a]).rotate_left(9);
    x[d] ^= x[c].wrapping_add(x[b]).rotate_left(13);
    x[a] ^= x[d].wrapping_add(x[c]).rotate_left(18);
}
