//! The bugs that were found in other one-step provers, one test each, by their number in the list this project began
//! with.
//!
//! | # | bug | where it is tested |
//! |---|---|---|
//! | 1-3 | shift counts, division, dirty upper halves | here, and `numeric` against wasmtime |
//! | 4 | branches that leave operands behind | `drop_under` here; which are dropped: `branches`, against wasmtime |
//! | 5 | truncation that saturated | here, and `floats` |
//! | 6 | `>` for `>=` | here |
//! | 7 | unproven input read as empty | here |
//! | 8 | wrong table of zero hashes | here; forge compares the table with the vectors |
//! | 9 | stale Merkle cache | `programs`: the engine's hashes and proofs |
//! | 10 | bounds off by a page | here, and `edges` |
//! | 11 | index bits beyond the path | here |
//! | 12 | reverting where the machine errs | here |
//! | 13 | an opcode missed by a range | here, and `differential`, which proves every operation |
//! | 14 | a flag byte of 2 | here; `mutation`: padding |
//! | 15 | unknown operations accepted | `shapes` |
//! | 16 | an allocator that wraps | `memory.grow` here; the shim's allocator: `tests/shim.rs` |
//! | 17 | unaligned host pointers | here, and `host_edges` |
//! | 18 | offsets of input off by one | here, `host_edges` and `engine` |
//! | 19 | a sub-call without gas recorded as a result | here |
//! | 20 | late steps | here; disputes of a hub's bill: `contracts/test/unit/HubWallet.disputes.t.sol` |
//! | 21 | shared clocks | the same two |
//! | 22 | `f32.demote` with NaN bits | here |
//! | 23 | a wrong comparison, a reverting opcode | here, and `numeric` |
//!
//! What programs can do by themselves is done by the fast engine too: it has its own code for every operation.

use gio_machine::isa::Op;
use gio_machine::mirror::Fault;
use gio_machine::state::{HALTED_BYTES, PC_TRAP, STATUS_EXHAUSTED, empty_root};
use gio_protocol::Address;
use revm::bytecode::opcode;
use revm::primitives::hardfork::SpecId;

use crate::engine;
use crate::evm::{Asker, Court, agreed};
use crate::rng::Rng;
use crate::scene::{SMALL, Scene};
use crate::values;

/// A numeric instruction's result, in contract, mirror and engine.
fn gives(court: &mut Court, op: Op, slots: &[u64], result: u64) {
    Scene::new(op, SMALL).stack(slots).gives(court, result);
    let found = engine::compute(op, slots);
    assert_eq!(found, Some(result), "{} {slots:x?}", op.name());
}

fn traps(court: &mut Court, op: Op, slots: &[u64]) {
    Scene::new(op, SMALL).stack(slots).traps(court);
    assert_eq!(engine::compute(op, slots), None, "{} {slots:x?}", op.name());
}

#[test]
fn bug_01_shift_counts_are_taken_modulo_the_width() {
    let court = &mut Court::new();
    for (count, result) in [
        (31, 0xffff_ffff),
        (32, 0x8000_0000),
        (33, 0xc000_0000),
        (0xffff_ffff, 0xffff_ffff),
    ] {
        gives(court, Op::I32ShrS, &[0x8000_0000, count], result);
    }
    gives(court, Op::I32Shl, &[1, 32], 1);
    gives(court, Op::I32ShrU, &[0x8000_0000, 63], 1);
    gives(court, Op::I64ShrS, &[1 << 63, 64], 1 << 63);
    gives(court, Op::I64ShrS, &[1 << 63, 63], u64::MAX);
    gives(court, Op::I64Shl, &[1, 65], 2);
    for count in [0, 32, 64] {
        gives(court, Op::I32Rotl, &[0x8000_0001, count], 0x8000_0001);
        gives(court, Op::I32Rotr, &[0x8000_0001, count], 0x8000_0001);
    }
    gives(court, Op::I64Rotr, &[1, 64], 1);
}

#[test]
fn bug_02_division_traps_at_zero_and_overflow() {
    let court = &mut Court::new();
    for op in [
        Op::I32DivS,
        Op::I32DivU,
        Op::I32RemS,
        Op::I32RemU,
        Op::I64DivS,
        Op::I64DivU,
        Op::I64RemS,
        Op::I64RemU,
    ] {
        traps(court, op, &[7, 0]);
        traps(court, op, &[0, 0]);
    }
    traps(court, Op::I32DivS, &[0x8000_0000, 0xffff_ffff]);
    traps(court, Op::I64DivS, &[1 << 63, u64::MAX]);
    gives(court, Op::I32RemS, &[0x8000_0000, 0xffff_ffff], 0);
    gives(court, Op::I64RemS, &[1 << 63, u64::MAX], 0);
    gives(court, Op::I32DivU, &[0x8000_0000, 0xffff_ffff], 0);
    gives(court, Op::I32DivS, &[0x8000_0001, 0xffff_ffff], 0x7fff_ffff);
    gives(court, Op::I32RemS, &[0xffff_fff9, 2], 0xffff_ffff);
}

#[test]
fn bug_03_upper_halves_do_not_reach_32_bit_arithmetic() {
    let court = &mut Court::new();
    let dirty = 0xdead_beef_0000_0000;
    gives(court, Op::I32DivU, &[dirty | 100, dirty | 7], 14);
    gives(court, Op::I32DivS, &[dirty | 0xffff_ff9c, 7], 0xffff_fff2);
    traps(court, Op::I32DivU, &[1, dirty]);
    gives(court, Op::I32Eqz, &[dirty], 1);
    gives(court, Op::I32Eq, &[dirty | 5, 5], 1);
    gives(court, Op::I32Clz, &[dirty | 1], 31);
    gives(court, Op::I32Ctz, &[dirty], 32);
    gives(court, Op::I32ShrU, &[dirty | 8, 1], 4);
    gives(court, Op::I32WrapI64, &[dirty | 9], 9);
    gives(
        court,
        Op::I64ExtendI32U,
        &[dirty | 0xffff_ffff],
        0xffff_ffff,
    );
    gives(court, Op::I32Extend8S, &[dirty | 0x1_80], 0xffff_ff80);
}

#[test]
fn bug_04_a_kept_operand_moves_down_and_the_surplus_goes() {
    let court = &mut Court::new();
    Scene::new(Op::DropUnder, SMALL)
        .stack(&[1, 2, 3])
        .check(court, |scene| scene.stack = vec![1, 3]);
}

#[test]
fn bug_05_truncation_traps_outside_the_type() {
    let court = &mut Court::new();
    let bits = f64::to_bits;
    for (op, bad, good) in [
        (Op::I32TruncF64S, 2147483648.0, 2147483647.9),
        (Op::I32TruncF64S, -2147483649.0, -2147483648.9),
        (Op::I32TruncF64U, 4294967296.0, 4294967295.9),
        (Op::I32TruncF64U, -1.0, -0.9),
        (
            Op::I64TruncF64S,
            9223372036854775808.0,
            -9223372036854775808.0,
        ),
        (
            Op::I64TruncF64U,
            18446744073709551616.0,
            18446744073709549568.0,
        ),
    ] {
        traps(court, op, &[bits(bad)]);
        let width = if op.name().starts_with("i32") { 32 } else { 64 };
        let whole = i128::from_f64(good) & (u64::MAX >> (64 - width));
        gives(court, op, &[bits(good)], whole);
    }
    for nan in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        traps(court, Op::I64TruncF64S, &[bits(nan)]);
    }
    gives(
        court,
        Op::I32TruncF32S,
        &[u64::from(2147483520f32.to_bits())],
        2147483520,
    );
    traps(
        court,
        Op::I32TruncF32S,
        &[u64::from(2147483648f32.to_bits())],
    );
}

/// The low 64 bits of a float's whole part.
trait FromFloat {
    fn from_f64(value: f64) -> u64;
}

impl FromFloat for i128 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the low bits are wanted"
    )]
    fn from_f64(value: f64) -> u64 {
        (value as i128) as u64
    }
}

#[test]
fn bug_06_the_first_index_behind_the_end_is_outside() {
    let court = &mut Court::new();
    let mut call = Scene::new(Op::CallIndirect, SMALL).b(1).stack(&[7]);
    call.rest.table_size = 7;
    call.traps(court);
    Scene::new(Op::Env, SMALL).b(7).traps(court);
    let mut write = Scene::new(Op::OutputWrite, SMALL).stack(&[2]);
    write.env.output_max = 64;
    write.traps(court);
    Scene::new(Op::LocalGet, SMALL).a(3).b(32).traps(court);

    let machine = &mut engine::library(
        r#"(module (type $seven (func (result i32))) (table 7 funcref) (elem (i32.const 6) $last)
            (func $last (result i32) i32.const 77)
            (func (export "element") (param i32) (result i32) local.get 0 call_indirect (type $seven)))"#,
    );
    assert_eq!(engine::call(machine, "element", &[6]), Some(vec![77]));
    assert_eq!(engine::call(machine, "element", &[7]), None);
}

#[test]
fn bug_07_an_input_word_inside_the_input_needs_its_proof() {
    let court = &mut Court::new();
    let mut scene = Scene::new(Op::InputFetch, SMALL).stack(&[1]);
    scene.prepare();
    let proof = scene.proof();
    let leaf = 32 + 32 * usize::from(SMALL.input);
    let (found, _) = agreed(court, &proof[..proof.len() - leaf]);
    assert_eq!(found, Err(Fault::Input));
}

#[test]
fn bug_08_empty_trees_have_the_root_of_zeros() {
    let court = &mut Court::new();
    for depth in 0..=12u8 {
        let scene = Scene::new(Op::Enter, SMALL).a(u16::from(depth)).b(1);
        scene.check(court, |scene| {
            scene.rest.slots += 1;
            let hashed = gio_protocol::word_root(&[], depth).unwrap();
            assert_eq!(hashed, empty_root(depth));
            scene.locals_root = Some(hashed);
        });
    }
}

#[test]
fn bug_10_the_last_page_is_inside_and_the_next_is_not() {
    let court = &mut Court::new();
    for pages in 1..=3 {
        let end = u64::from(pages) << 16;
        let at = |address| {
            Scene::new(Op::I64Load, SMALL)
                .pages([pages, 0])
                .stack(&[address])
        };
        let mut last = at(end - 8);
        last.write(0, end - 8, &[1, 0, 0, 0, 0, 0, 0, 0]);
        last.gives(court, 1);
        at(end - 7).traps(court);
        at(end).traps(court);
        at(end + 0xffff).traps(court);

        let machine = &mut engine::library(&format!(
            r#"(module (memory {pages})
                (func (export "load") (param i32) (result i64) local.get 0 i64.load)
                (func (export "store") (param i32) local.get 0 i64.const 5 i64.store))"#
        ));
        assert_eq!(engine::call(machine, "store", &[end - 8]), Some(vec![]));
        assert_eq!(engine::call(machine, "load", &[end - 8]), Some(vec![5]));
        for outside in [end - 7, end, end + 0xffff] {
            assert_eq!(engine::call(machine, "load", &[outside]), None);
            assert_eq!(engine::call(machine, "store", &[outside]), None);
        }
    }
}

/// No machine makes such states: more input or output than its tree has room for, elements behind the table, more
/// memory than its depth. The proof of the leaf that the index's low bits name must not do, be it read or written.
#[test]
fn bug_11_an_index_beyond_its_tree_is_refused() {
    let court = &mut Court::new();
    let mut refused = |mut scene: Scene, fault: Fault| {
        scene.prepare();
        let name = scene.instruction.operation().unwrap().name();
        assert_eq!(agreed(court, &scene.proof()).0, Err(fault), "{name}");
    };
    let mut input = Scene::new(Op::InputFetch, SMALL).stack(&[1 << SMALL.input]);
    input.env.input_length = 1 << 20;
    refused(input, Fault::Input);
    let mut output = Scene::new(Op::OutputWrite, SMALL).stack(&[1 << SMALL.output]);
    output.env.output_max = 1 << 20;
    refused(output, Fault::Output);
    let element = 4 << SMALL.table;
    let mut call = Scene::new(Op::CallIndirect, SMALL).stack(&[element]);
    call.rest.table_size = 1 << 20;
    refused(call, Fault::Table);

    // The shim's memory is the upper half of the tree: behind it, the low bits name the guest's first leaf.
    let end = 1u64 << (SMALL.memory - 1 + 5);
    for (op, stack) in [
        (Op::I64Load, &[end][..]),
        (Op::I64Load, &[end - 4]),
        (Op::I64Store, &[end, 7]),
        (Op::I64Store, &[end - 4, 7]),
        (Op::Copy, &[end, 0, 8]),
        (Op::Copy, &[0, end, 8]),
        (Op::Fill, &[end, 7, 8]),
        (Op::ScratchStore, &[end]),
        (Op::ScratchLoad, &[end]),
    ] {
        let scene = Scene::new(op, SMALL).a(0b11).pages([4, 5]);
        refused(scene.stack(stack), Fault::Memory);
    }
}

#[test]
fn bug_12_whatever_a_program_does_there_is_a_next_state() {
    let court = &mut Court::new();
    Scene::new(Op::I32Load, SMALL)
        .b(u32::MAX)
        .stack(&[u64::MAX])
        .traps(court);
    Scene::new(Op::Enter, SMALL)
        .a(0xffff)
        .b(u32::MAX)
        .traps(court);
    Scene::new(Op::LocalSet, SMALL)
        .a(0xffff)
        .b(u32::MAX)
        .traps(court);
    Scene::new(Op::Copy, SMALL)
        .stack(&[u64::MAX; 3])
        .traps(court);
    Scene::new(Op::OutputClose, SMALL)
        .stack(&[u64::MAX])
        .traps(court);
    Scene::new(Op::ScratchStore, SMALL)
        .a(0xffff)
        .stack(&[u64::MAX])
        .traps(court);
}

#[test]
fn bug_13_every_host_operation_is_reached() {
    let court = &mut Court::new();
    for code in 0xf0..0xf8u16 {
        let op = Op::from_code(code).unwrap();
        let scene = Scene::new(op, SMALL);
        let mut trapped = scene.clone();
        trapped.prepare();
        trapped.header.pc = PC_TRAP;
        let (before, next, _) = scene.agrees(court);
        assert_ne!(next, before, "{}", op.name());
        assert_ne!(next, trapped.hash(), "{} traps", op.name());
    }
    assert_eq!(Op::from_code(0xef), None);
    assert_eq!(Op::from_code(0xf8), None);
}

#[test]
fn bug_14_a_status_has_three_values() {
    let court = &mut Court::new();
    for status in 0..=u8::MAX {
        let mut halted = [0; HALTED_BYTES];
        halted[0] = status;
        let (found, _) = agreed(court, &halted);
        assert_eq!(found.is_ok(), status <= STATUS_EXHAUSTED, "status {status}");
    }
}

#[test]
fn bug_16_growing_cannot_wrap() {
    let court = &mut Court::new();
    for by in [0xffff_fffd, 0xffff_fffe, 0xffff_ffff, 0xff_fffd, 0x100_0000] {
        Scene::new(Op::MemoryGrow, SMALL)
            .stack(&[by])
            .gives(court, 0xffff_ffff);
    }
}

#[test]
fn bug_17_host_pointers_are_aligned_or_trap() {
    let court = &mut Court::new();
    for address in 1..32 {
        for op in [Op::ScratchLoad, Op::ScratchStore] {
            Scene::new(op, SMALL).stack(&[address]).traps(court);
        }
    }
}

#[test]
fn bug_18_the_last_word_of_the_input_is_input_and_the_next_is_zero() {
    let court = &mut Court::new();
    let fetch = |word| {
        let mut scene = Scene::new(Op::InputFetch, SMALL).stack(&[word]);
        scene.env.input_length = 33;
        scene
    };
    fetch(1).check(court, |scene| {
        scene.stack.clear();
        scene.io.scratch = scene.input.get(1);
    });
    fetch(2).check(court, |scene| {
        scene.stack.clear();
        scene.io.scratch = gio_protocol::B256::ZERO;
    });
}

#[test]
fn bug_19_a_step_without_gas_answers_nothing() {
    let court = &mut Court::of(SpecId::CANCUN);
    let mut rng = Rng::new(0x9a5);
    for op in values::float_operations() {
        let mut dearest = (0, Vec::new());
        for _ in 0..8 {
            let operands = [0; 2].map(|_| values::operand(op, &mut rng));
            let mut scene = Scene::new(op, SMALL).stack(&operands[..usize::from(op.pops())]);
            scene.prepare();
            let proof = scene.proof();
            dearest = dearest.max((court.step(&proof).1.exec, proof));
        }
        let (needed, proof) = dearest;
        // The float unit gets at most 63 of 64 parts of what is left: at no amount may its failure look like a result
        // or a trap.
        assert!(court.succeeds_with(&proof, needed + needed / 8));
        for missing in (1..needed).step_by(50) {
            assert!(
                !court.succeeds_with(&proof, needed - missing),
                "{}, {missing} gas short",
                op.name()
            );
        }
    }
}

/// Callers and moments far apart, and the first of them once more.
fn askers() -> [Asker; 5] {
    let asker = |name: u8, block, time| Asker {
        address: Address::repeat_byte(name),
        block,
        time,
    };
    [
        asker(1, 1, 1_790_000_000),
        asker(2, 1, 1_790_000_000),
        asker(1, 50_400, 1_790_604_800),
        asker(3, u64::MAX, u64::MAX),
        asker(1, 1, 1_790_000_000),
    ]
}

/// A running state's step, what may be asked about that state instead (the proof of a rival who shows other operands),
/// and a machine that halted.
fn proofs_about_one_machine() -> [Vec<u8>; 3] {
    let mut scene = Scene::new(Op::F64Div, SMALL).stack(&[1f64.to_bits(), 3f64.to_bits()]);
    scene.prepare();
    let header = scene.sealed().0.encode();
    let mut rival = scene.clone().stack(&[3f64.to_bits(), 1f64.to_bits()]);
    rival.prepare();
    let mut rival = rival.proof();
    rival[..header.len()].copy_from_slice(&header);
    let mut halted = vec![0; HALTED_BYTES];
    halted[8] = 7;
    [scene.proof(), rival, halted]
}

/// There, a step could be taken after its claim was decided, and changed the decision. Here a step decides nothing by
/// itself: the contracts can neither store, log nor call anything that could, so that what was answered once is
/// answered ever after, whatever was asked in between.
#[test]
fn bug_20_a_late_step_changes_nothing() {
    let court = &mut Court::new();
    let [step, rival, halted] = proofs_about_one_machine();
    let [first, ..] = askers();
    let proven = court.sent_by(first, &step);
    let refused = court.sent_by(first, &rival);
    let ended = court.sent_by(first, &halted);
    assert_ne!(
        proven.as_ref().unwrap()[..32],
        proven.as_ref().unwrap()[32..]
    );
    assert!(refused.is_err(), "operands the state does not have");
    let same = ended.as_ref().unwrap();
    assert_eq!(same[..32], same[32..], "a halted machine stays");

    for asker in askers() {
        assert_eq!(court.sent_by(asker, &halted), ended, "{asker:?}");
        assert_eq!(court.sent_by(asker, &rival), refused, "{asker:?}");
        assert_eq!(court.sent_by(asker, &step), proven, "{asker:?}");
    }
    assert_eq!(court.stored(), 0);
    let changes = [
        opcode::SLOAD,
        opcode::SSTORE,
        opcode::TLOAD,
        opcode::TSTORE,
        opcode::CALL,
        opcode::CALLCODE,
        opcode::DELEGATECALL,
        opcode::CREATE,
        opcode::CREATE2,
        opcode::SELFDESTRUCT,
        opcode::LOG0,
        opcode::LOG1,
        opcode::LOG2,
        opcode::LOG3,
        opcode::LOG4,
    ];
    let opcodes = court.opcodes();
    assert!(opcodes.contains(&opcode::STATICCALL), "the float unit");
    for change in changes {
        assert!(!opcodes.contains(&change), "{change:#x} in the code");
    }
}

/// There, rivals that shared a parent inherited its timer. Here a proof's answer has no part of when it was asked for,
/// by whom, nor of what came before: the code cannot read a clock, a caller or a balance.
#[test]
fn bug_21_rivals_share_no_clock() {
    let [step, rival, halted] = proofs_about_one_machine();
    let [first, ..] = askers();
    let alone = |proof: &[u8]| Court::new().sent_by(first, proof);
    let answers = [alone(&step), alone(&rival), alone(&halted)];
    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 2, 0]] {
        let court = &mut Court::new();
        for (asker, which) in askers().into_iter().zip(order.into_iter().cycle()) {
            let proof = [&step, &rival, &halted][which];
            assert_eq!(court.sent_by(asker, proof), answers[which], "{asker:?}");
        }
    }
    let surroundings = [
        opcode::TIMESTAMP,
        opcode::NUMBER,
        opcode::BLOCKHASH,
        opcode::COINBASE,
        opcode::DIFFICULTY,
        opcode::GASLIMIT,
        opcode::BASEFEE,
        opcode::BLOBHASH,
        opcode::BLOBBASEFEE,
        opcode::CHAINID,
        opcode::CALLER,
        opcode::ORIGIN,
        opcode::GASPRICE,
        opcode::BALANCE,
        opcode::SELFBALANCE,
        opcode::EXTCODEHASH,
    ];
    let opcodes = Court::new().opcodes();
    for surrounding in surroundings {
        assert!(
            !opcodes.contains(&surrounding),
            "{surrounding:#x} in the code"
        );
    }
}

#[test]
fn bug_22_demoting_makes_nans_canonical() {
    let court = &mut Court::new();
    for nan in [
        0x7ff8_0000_0000_0000,
        0xfff8_0000_0000_0000,
        0x7ff0_0000_0000_0001,
        0x7fff_ffff_ffff_ffff,
    ] {
        gives(court, Op::F32DemoteF64, &[nan], 0x7fc0_0000);
    }
    gives(
        court,
        Op::F64PromoteF32,
        &[0xffa0_0001],
        0x7ff8_0000_0000_0000,
    );
    // What only moves bits keeps them.
    gives(court, Op::F32Neg, &[0x7fa0_0001], 0xffa0_0001);
    gives(
        court,
        Op::F64Abs,
        &[0xfff0_0000_0000_0001],
        0x7ff0_0000_0000_0001,
    );
    gives(
        court,
        Op::F64Copysign,
        &[0x7ff0_0000_0000_0001, 1 << 63],
        0xfff0_0000_0000_0001,
    );
    gives(
        court,
        Op::I64ReinterpretF64,
        &[0x7ff0_0000_0000_0001],
        0x7ff0_0000_0000_0001,
    );
}

#[test]
fn bug_23_signed_comparisons_look_at_the_sign() {
    let court = &mut Court::new();
    gives(court, Op::I32GtS, &[1, 0xffff_ffff], 1);
    gives(court, Op::I32GtU, &[1, 0xffff_ffff], 0);
    gives(court, Op::I64GtS, &[1, u64::MAX], 1);
    gives(court, Op::I64GtU, &[1, u64::MAX], 0);
    gives(court, Op::I64LeS, &[1 << 63, i64::MAX.cast_unsigned()], 1);
}
