//! Edge cases of input, output and environment.

use gio_machine::isa::Op;
use gio_machine::state::STATUS_EXIT;
use gio_protocol::{B256, keccak256, tag};

use crate::evm::Court;
use crate::scene::{SMALL, Scene};

#[test]
fn input_ends_after_its_last_word() {
    let mut court = Court::new();
    let fetch = |length: u64, word: u64| {
        let mut scene = Scene::new(Op::InputFetch, SMALL).stack(&[word]);
        scene.env.input_length = length;
        scene
    };
    for (length, word) in [(1, 0), (32, 0), (33, 1), (64, 1), (32 * 64, 63)] {
        fetch(length, word).check(&mut court, |scene| {
            scene.stack.clear();
            scene.io.scratch = scene.input.get(word);
        });
    }
    for (length, word) in [
        (0, 0),
        (32, 1),
        (33, 2),
        (64, 2),
        (2048, 64),
        (64, 1 << 32),
        (64, u64::MAX),
    ] {
        fetch(length, word).check(&mut court, |scene| {
            scene.stack.clear();
            scene.io.scratch = B256::ZERO;
        });
    }
}

#[test]
fn output_has_room_for_the_units_limit_and_no_more() {
    let mut court = Court::new();
    let write = |max: u64, word: u64| {
        let mut scene = Scene::new(Op::OutputWrite, SMALL).stack(&[word]);
        scene.env.output_max = max;
        scene
    };
    for (max, word) in [(1, 0), (32, 0), (33, 1), (2048, 63), (32 * 128, 127)] {
        write(max, word).check(&mut court, |scene| {
            scene.stack.clear();
            scene.output.set(word, scene.io.scratch);
        });
    }
    for (max, word) in [
        (0, 0),
        (32, 1),
        (33, 2),
        (2048, 64),
        (2048, 1 << 32),
        (2048, u64::MAX),
    ] {
        write(max, word).traps(&mut court);
    }
    let close = |max: u64, length: u64| {
        let mut scene = Scene::new(Op::OutputClose, SMALL).stack(&[length]);
        scene.env.output_max = max;
        scene
    };
    for (max, length) in [(0, 0), (100, 100), (u64::MAX, u64::MAX)] {
        close(max, length).check(&mut court, |scene| {
            scene.stack.clear();
            scene.io.output_length = length;
        });
    }
    close(100, 101).traps(&mut court);
    close(100, 1 << 32).traps(&mut court);
}

#[test]
fn scratch_moves_through_aligned_words_of_both_memories() {
    let mut court = Court::new();
    for memory in [0u16, 1] {
        let end = [3u64 << 16, 2 << 16][usize::from(memory)];
        for address in [0, 32, end - 32] {
            let at = (address >> 5) + (u64::from(memory) << 13);
            let dirty = address | 0xbad << 32;
            Scene::new(Op::ScratchStore, SMALL)
                .a(memory)
                .stack(&[dirty])
                .check(&mut court, |scene| {
                    scene.stack.clear();
                    scene.memory.set(at, scene.io.scratch);
                });
            Scene::new(Op::ScratchLoad, SMALL)
                .a(memory)
                .stack(&[dirty])
                .check(&mut court, |scene| {
                    scene.stack.clear();
                    scene.io.scratch = scene.memory.get(at);
                });
        }
        for address in [1, 8, 31, 33, end - 31, end, 0xffff_ffe0, 0xffff_ffff] {
            for op in [Op::ScratchStore, Op::ScratchLoad] {
                Scene::new(op, SMALL)
                    .a(memory)
                    .stack(&[address])
                    .traps(&mut court);
            }
        }
    }
}

#[test]
fn the_environment_is_the_units() {
    let mut court = Court::new();
    let seed = keccak256("seed").0;
    let part = |nth: usize| u64::from_be_bytes(seed[8 * nth..8 * nth + 8].try_into().unwrap());
    let base = Scene::new(Op::Env, SMALL);
    let values = [
        base.env.input_length,
        base.env.output_max,
        1_790_000_000,
        part(0),
        part(1),
        part(2),
        part(3),
    ];
    for (which, value) in (0..).zip(values) {
        Scene::new(Op::Env, SMALL).b(which).gives(&mut court, value);
    }
    for which in [7, 8, u32::MAX] {
        Scene::new(Op::Env, SMALL).b(which).traps(&mut court);
    }
}

#[test]
fn r22_random_blocks_are_those_of_machine_version_0() {
    let mut court = Court::new();
    for block in [0, 1, u64::MAX] {
        let mut bytes = tag("gio.random.v1").to_vec();
        bytes.extend(keccak256("seed"));
        bytes.extend(block.to_be_bytes());
        Scene::new(Op::Random, SMALL)
            .stack(&[block])
            .check(&mut court, |scene| {
                scene.stack.clear();
                scene.io.scratch = keccak256(bytes);
            });
    }
}

#[test]
fn exit_halts_from_any_frame_with_the_low_half_of_its_code() {
    let mut court = Court::new();
    for (slot, code) in [(0, 0), (7, 7), (0xffff_ffff, 0xffff_ffff), (5 << 32 | 3, 3)] {
        Scene::new(Op::Exit, SMALL)
            .stack(&[slot])
            .halts(&mut court, STATUS_EXIT, code);
    }
}
