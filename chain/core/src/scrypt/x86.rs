//! scrypt's mixing with vectors.
//!
//! A 64-byte half of a state is kept as four rows of four words, turned so that the columns
//! of Salsa20 stand side by side. A vector holds the same row of one, two or four hashes;
//! `GROUPS` such sets are worked on in turn to hide the latency of each step. In memory every
//! hash has its own 128 KiB, a state in two cache lines.
//!
//! The three modules below are one text over five operations (`add`, `xor`, `rotate`,
//! `turn`, `words`/`row`) and a transposition between rows of many hashes and states of one.

#![expect(
    unsafe_code,
    reason = "functions compiled for instructions the machine was asked about"
)]

use super::Words;

/// Where word `i` of a half goes: row `i / 4`, place `i % 4` hold word `5 i mod 16`.
fn diagonal(i: usize) -> usize {
    5 * i % 16
}

/// The text shared by the three vector widths; see the head of this file.
macro_rules! mixer {
    ($feature:tt, $vector:ty, $per_vector:literal, $groups:literal) => {
        use super::{Words, diagonal};

        /// Hashes in one vector.
        const PER_VECTOR: usize = $per_vector;
        /// Sets of vectors worked on in turn.
        const GROUPS: usize = $groups;
        /// Hashes computed in step.
        pub(in crate::scrypt) const LANES: usize = PER_VECTOR * GROUPS;
        /// Vectors in the 128 bytes of a state.
        const VECTORS: usize = 8 / PER_VECTOR;

        /// One state of one hash.
        type State = [$vector; VECTORS];
        /// The eight rows of the states of `PER_VECTOR` hashes.
        type Rows = [$vector; 8];

        /// Mixes up to [`LANES`] states in step through `N` remembered ones each.
        #[derive(Debug)]
        pub(in crate::scrypt) struct Mixer<const N: usize> {
            memory: Vec<[State; N]>,
        }

        impl<const N: usize> Mixer<N> {
            /// Nothing if the machine lacks the instructions.
            pub(in crate::scrypt) fn new() -> Option<Self> {
                if !is_x86_feature_detected!($feature) {
                    return None;
                }
                // SAFETY: the machine has the feature the function is compiled for.
                let memory = unsafe { zeroed_memory() };
                Some(Self { memory })
            }

            pub(in crate::scrypt) fn mix(&mut self, states: &mut [Words]) {
                let mut rest = states;
                while !rest.is_empty() {
                    let full = rest.len() >= LANES;
                    let lanes = if full { LANES } else { PER_VECTOR };
                    let (now, later) = rest.split_at_mut(lanes.min(rest.len()));
                    // SAFETY: a `Mixer` exists only where `new` found the feature.
                    unsafe {
                        if full {
                            mix_groups::<N, GROUPS>(now, &mut self.memory);
                        } else {
                            mix_groups::<N, 1>(now, &mut self.memory);
                        }
                    }
                    rest = later;
                }
            }
        }

        #[target_feature(enable = $feature)]
        fn zeroed_memory<const N: usize>() -> Vec<[State; N]> {
            let zero = row([[0; 4]; PER_VECTOR]);
            vec![[[zero; VECTORS]; N]; LANES]
        }

        /// ROMix over `G` groups; missing states of the last group repeat the last one.
        #[target_feature(enable = $feature)]
        fn mix_groups<const N: usize, const G: usize>(
            states: &mut [Words],
            memory: &mut [[State; N]],
        ) {
            let lanes = &mut memory[..G * PER_VECTOR];
            let mut groups = [[row([[0; 4]; PER_VECTOR]); 8]; G];
            for (group, rows) in groups.iter_mut().enumerate() {
                load(rows, states, group * PER_VECTOR);
            }
            for i in 0..N {
                for (rows, lanes) in groups.iter().zip(lanes.chunks_exact_mut(PER_VECTOR)) {
                    for (lane, state) in lanes.iter_mut().zip(to_states(rows)) {
                        lane[i] = state;
                    }
                }
                block_mix(&mut groups);
            }
            for _ in 0..N {
                for (rows, lanes) in groups.iter_mut().zip(lanes.chunks_exact(PER_VECTOR)) {
                    let places = words(rows[4]);
                    let remembered =
                        std::array::from_fn(|lane| lanes[lane][places[lane][0] as usize % N]);
                    for (row, other) in rows.iter_mut().zip(to_rows(&remembered)) {
                        *row = xor(*row, other);
                    }
                }
                block_mix(&mut groups);
            }
            for (group, rows) in groups.iter().enumerate() {
                store(rows, states, group * PER_VECTOR);
            }
        }

        #[target_feature(enable = $feature)]
        fn load(rows: &mut Rows, states: &[Words], from: usize) {
            for (r, target) in rows.iter_mut().enumerate() {
                let (half, r) = (r / 4 * 16, r % 4);
                *target = row(std::array::from_fn(|lane| {
                    let state = &states[(from + lane).min(states.len() - 1)];
                    std::array::from_fn(|place| state[half + diagonal(4 * r + place)])
                }));
            }
        }

        #[target_feature(enable = $feature)]
        fn store(rows: &Rows, states: &mut [Words], from: usize) {
            for (r, source) in rows.iter().enumerate() {
                let (half, r) = (r / 4 * 16, r % 4);
                let lanes = words(*source);
                for (state, four) in states.iter_mut().skip(from).zip(lanes) {
                    for (place, word) in four.into_iter().enumerate() {
                        state[half + diagonal(4 * r + place)] = word;
                    }
                }
            }
        }

        #[target_feature(enable = $feature)]
        #[inline]
        fn block_mix<const G: usize>(groups: &mut [Rows; G]) {
            let mut x = [[groups[0][0]; 4]; G];
            for g in 0..G {
                for r in 0..4 {
                    x[g][r] = xor(groups[g][r], groups[g][4 + r]);
                }
            }
            salsa20_8(&mut x);
            for g in 0..G {
                for r in 0..4 {
                    groups[g][r] = x[g][r];
                    x[g][r] = xor(x[g][r], groups[g][4 + r]);
                }
            }
            salsa20_8(&mut x);
            for g in 0..G {
                for r in 0..4 {
                    groups[g][4 + r] = x[g][r];
                }
            }
        }

        #[target_feature(enable = $feature)]
        #[inline]
        fn salsa20_8<const G: usize>(blocks: &mut [[$vector; 4]; G]) {
            let mut x = *blocks;
            for _ in 0..4 {
                step::<G, 7, 25>(&mut x, [0, 3, 1]);
                step::<G, 9, 23>(&mut x, [1, 0, 2]);
                step::<G, 13, 19>(&mut x, [2, 1, 3]);
                step::<G, 18, 14>(&mut x, [3, 2, 0]);
                for x in &mut x {
                    *x = [
                        x[0],
                        turn::<0x93>(x[1]),
                        turn::<0x4e>(x[2]),
                        turn::<0x39>(x[3]),
                    ];
                }
                step::<G, 7, 25>(&mut x, [0, 1, 3]);
                step::<G, 9, 23>(&mut x, [3, 0, 2]);
                step::<G, 13, 19>(&mut x, [2, 3, 1]);
                step::<G, 18, 14>(&mut x, [1, 2, 0]);
                for x in &mut x {
                    *x = [
                        x[0],
                        turn::<0x39>(x[1]),
                        turn::<0x4e>(x[2]),
                        turn::<0x93>(x[3]),
                    ];
                }
            }
            for (block, mixed) in blocks.iter_mut().zip(x) {
                for (row, mixed) in block.iter_mut().zip(mixed) {
                    *row = add(*row, mixed);
                }
            }
        }

        /// `x[c] ^= rotate(x[a] + x[b])` in every group; `RIGHT` is `32 - LEFT`.
        #[target_feature(enable = $feature)]
        #[inline]
        fn step<const G: usize, const LEFT: i32, const RIGHT: i32>(
            x: &mut [[$vector; 4]; G],
            [a, b, c]: [usize; 3],
        ) {
            for x in x {
                x[c] = xor_rotated::<LEFT, RIGHT>(x[c], add(x[a], x[b]));
            }
        }
    };
}

pub(super) mod avx2;
pub(super) mod avx512;
pub(super) mod sse2;
