//! Edge cases of memory, control and metering, each with the state it must lead to written out.
//!
//! `copy` and `fill` are in `bulk`; integers and floats at their edges in `numeric` and `floats`, against engines that
//! are not ours.

use gio_machine::isa::{Instruction, Op};
use gio_machine::state::{PC_EXHAUSTED, PC_TRAP, STATUS_EXHAUSTED, STATUS_TRAP, empty_root};

use crate::evm::Court;
use crate::scene::{Frame, SMALL, Scene, width};

const PAGE: u64 = 1 << 16;
/// Both memories of a small scene are as large as its tree: 4 pages.
pub const PAGES: [u32; 2] = [4, 4];
pub const END: u64 = 4 * PAGE;

const LOADS: [Op; 14] = [
    Op::I32Load,
    Op::I64Load,
    Op::F32Load,
    Op::F64Load,
    Op::I32Load8S,
    Op::I32Load8U,
    Op::I32Load16S,
    Op::I32Load16U,
    Op::I64Load8S,
    Op::I64Load8U,
    Op::I64Load16S,
    Op::I64Load16U,
    Op::I64Load32S,
    Op::I64Load32U,
];
const STORES: [Op; 9] = [
    Op::I32Store,
    Op::I64Store,
    Op::F32Store,
    Op::F64Store,
    Op::I32Store8,
    Op::I32Store16,
    Op::I64Store8,
    Op::I64Store16,
    Op::I64Store32,
];

/// What a load of these bytes gives, by its definition.
fn loaded(op: Op, bytes: &[u8]) -> u64 {
    let mut all = [0; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    let value = u64::from_le_bytes(all);
    let bits = 8 * u32::try_from(bytes.len()).unwrap();
    let extended = (value << (64 - bits)).cast_signed() >> (64 - bits);
    match op.name().rsplit_once('_') {
        Some((name, "s")) if name.starts_with("i32") => extended.cast_unsigned() & 0xffff_ffff,
        Some((_, "s")) => extended.cast_unsigned(),
        _ => value,
    }
}

fn load(court: &mut Court, op: Op, memory: u16, address: u64) {
    let count = width(op);
    let mut scene = Scene::new(op, SMALL)
        .a(memory)
        .pages(PAGES)
        .stack(&[address]);
    let bytes: Vec<u8> = (0..count)
        .map(|nth| 0x81 + u8::try_from(nth).unwrap() * 0x0d)
        .collect();
    scene.write(u64::from(memory), address, &bytes);
    scene.gives(court, loaded(op, &bytes));
}

fn store(court: &mut Court, op: Op, memory: u16, address: u64) {
    let value = 0xf1e2_d3c4_b5a6_9788u64;
    let bytes = value.to_le_bytes()[..usize::try_from(width(op)).unwrap()].to_vec();
    let scene = Scene::new(op, SMALL)
        .a(memory)
        .pages(PAGES)
        .stack(&[address, value]);
    scene.check(court, |scene| {
        scene.pop::<2>();
        scene.write(u64::from(memory), address, &bytes);
    });
}

#[test]
fn loads_and_stores_straddle_leaves_pages_and_halves_of_the_tree() {
    let mut court = Court::new();
    // Leaves with the next one as sibling, as cousin, across a page, across the middle of a memory's tree.
    for leaf in [0, 1, 2047, 4095] {
        for offset in 24..32 {
            let address = 32 * leaf + offset;
            LOADS
                .iter()
                .for_each(|op| load(&mut court, *op, 0, address));
            STORES
                .iter()
                .for_each(|op| store(&mut court, *op, 0, address));
        }
    }
}

#[test]
fn the_last_byte_of_a_memory_is_inside_and_the_next_is_not() {
    let mut court = Court::new();
    for memory in [0, 1] {
        for op in LOADS {
            load(&mut court, op, memory, END - width(op));
            let scene = Scene::new(op, SMALL).a(memory).pages(PAGES);
            scene.stack(&[END - width(op) + 1]).traps(&mut court);
        }
        for op in STORES {
            store(&mut court, op, memory, END - width(op));
            let scene = Scene::new(op, SMALL).a(memory).pages(PAGES);
            scene.stack(&[END - width(op) + 1, 7]).traps(&mut court);
        }
    }
}

#[test]
fn addresses_do_not_wrap_and_an_empty_memory_has_none() {
    let mut court = Court::new();
    for (base, offset) in [
        (u64::MAX, 8),
        (0xffff_ffff, u32::MAX),
        (0, u32::MAX),
        (0xffff_ffff, 0),
    ] {
        Scene::new(Op::I32Load8U, SMALL)
            .b(offset)
            .stack(&[base])
            .traps(&mut court);
        Scene::new(Op::I32Store8, SMALL)
            .b(offset)
            .stack(&[base, 1])
            .traps(&mut court);
    }
    Scene::new(Op::I32Load8U, SMALL)
        .pages([0, 4])
        .traps(&mut court);
    Scene::new(Op::I32Load8U, SMALL)
        .pages([4, 0])
        .a(1)
        .traps(&mut court);
    // The high half of an address is not part of it.
    let mut scene = Scene::new(Op::I32Load8U, SMALL)
        .b(3)
        .stack(&[0xdead_beef_0000_0010]);
    scene.write(0, 0x13, &[0xee]);
    scene.gives(&mut court, 0xee);
}

#[test]
fn memory_grows_up_to_its_greatest_size_and_says_its_old_one() {
    let mut court = Court::new();
    for memory in [0u16, 1] {
        let which = usize::from(memory);
        let grow = |by: u64| {
            Scene::new(Op::MemoryGrow, SMALL)
                .a(memory)
                .pages([2, 1])
                .stack(&[by])
        };
        let base = grow(0);
        let (old, max) = (base.header.pages[which], base.env.pages_max[which]);
        for by in 0..=max - old {
            grow(u64::from(by) | 0x7_0000_0000).check(&mut court, |scene| {
                scene.stack = vec![u64::from(old)];
                scene.header.pages[which] += by;
            });
        }
        for by in [u64::from(max - old) + 1, 65_536, 0x7fff_ffff, 0xffff_ffff] {
            grow(by).gives(&mut court, 0xffff_ffff);
        }
        Scene::new(Op::MemorySize, SMALL)
            .a(memory)
            .pages([9, 11])
            .gives(&mut court, [9, 11][which]);
    }
}

#[test]
fn charges_hit_the_limit_exactly_and_do_not_overflow() {
    let mut court = Court::new();
    let at = |op: Op, left: u64| {
        let mut scene = Scene::new(op, SMALL);
        scene.header.cu = scene.header.cu_limit - left;
        scene
    };
    at(Op::Charge, 5)
        .imm(5)
        .check(&mut court, |scene| scene.header.cu += 5);
    at(Op::Charge, 5).imm(6).exhausts(&mut court);
    at(Op::Charge, 5).imm(u64::MAX).exhausts(&mut court);
    at(Op::Charge, 0).imm(0).check(&mut court, |_| {});
    let mut full = Scene::new(Op::Charge, SMALL).imm(1);
    (full.header.cu, full.header.cu_limit) = (u64::MAX, u64::MAX);
    full.exhausts(&mut court);
    for (op, amount, cu) in [
        (Op::ChargeBulk, 0, 0),
        (Op::ChargeBulk, 1, 1),
        (Op::ChargeBulk, 8, 1),
        (Op::ChargeBulk, 9 | 1 << 40, 2),
        (Op::ChargeBulk, 0xffff_ffff, 1 << 29),
        (Op::ChargeGrow, 0, 0),
        (Op::ChargeGrow, 3 | 1 << 33, 3072),
        (Op::ChargeGrow, 65_536, 65_536 * 1024),
        (Op::ChargeGrow, 0xffff_ffff, 65_536 * 1024),
    ] {
        at(op, cu)
            .stack(&[amount])
            .check(&mut court, |scene| scene.header.cu += cu);
        if cu > 0 {
            at(op, cu - 1).stack(&[amount]).exhausts(&mut court);
        }
    }
}

#[test]
fn jumps_look_at_the_low_half_and_go_where_they_say() {
    let mut court = Court::new();
    let goes = |op: Op, x: u64, to: u32, court: &mut Court| {
        let scene = Scene::new(op, SMALL).b(3);
        let pops = usize::from(op.pops());
        scene.stack(&[x][..pops]).check(court, |scene| {
            scene.stack.clear();
            scene.header.pc = to;
        });
    };
    goes(Op::Jump, 0, 3, &mut court);
    goes(Op::JumpIf, 0, 22, &mut court);
    goes(Op::JumpIf, 1 << 32, 22, &mut court);
    goes(Op::JumpIf, 2, 3, &mut court);
    goes(Op::JumpUnless, 0, 3, &mut court);
    goes(Op::JumpUnless, 1 << 32, 3, &mut court);
    goes(Op::JumpUnless, 0x8000_0000, 22, &mut court);
    // A table of three targets and a default.
    for (index, to) in [
        (0, 22),
        (1, 23),
        (2, 24),
        (3, 25),
        (4, 25),
        (0xffff_ffff, 25),
        (1 << 32, 22),
    ] {
        goes(Op::JumpTable, index, to, &mut court);
    }
    Scene::new(Op::JumpTable, SMALL)
        .b(0)
        .stack(&[9])
        .check(&mut court, |scene| scene.stack.clear());
    Scene::new(Op::JumpTable, SMALL)
        .b(u32::MAX)
        .stack(&[u64::MAX])
        .traps(&mut court);
}

#[test]
fn a_place_outside_the_code_halts() {
    let mut court = Court::new();
    let leave = Scene::new(Op::Jump, SMALL).b(64);
    leave.check(&mut court, |scene| scene.header.pc = 64);
    for (pc, status) in [
        (64, STATUS_TRAP),
        (0x8000_0000, STATUS_TRAP),
        (PC_TRAP, STATUS_TRAP),
        (PC_EXHAUSTED, STATUS_EXHAUSTED),
    ] {
        let mut scene = Scene::new(Op::Jump, SMALL);
        scene.header.pc = pc;
        scene.halts(&mut court, status, 0);
    }
    // One before the end is still code.
    let mut last = Scene::new(Op::Const, SMALL).imm(5);
    last.header.pc = 63;
    last.gives(&mut court, 5);
    Scene::new(Op::Unreachable, SMALL).traps(&mut court);
}

#[test]
fn calls_and_returns_keep_locals_and_slots() {
    let mut court = Court::new();
    Scene::new(Op::Call, SMALL)
        .b(40)
        .check(&mut court, |scene| {
            let (header, rest, _) = scene.sealed();
            let top = Frame {
                locals_root: header.locals_root,
                return_pc: 22,
                slots: rest.slots,
            };
            scene.frames = (rest.frames_hash, Some(top));
            scene.rest.call_depth += 1;
            scene.header.pc = 40;
        });
    Scene::new(Op::Return, SMALL).check(&mut court, |scene| {
        let (below, top) = scene.frames;
        let top = top.unwrap();
        scene.frames = (below, None);
        scene.locals_root = Some(top.locals_root);
        scene.rest.slots = top.slots;
        scene.rest.call_depth -= 1;
        scene.header.pc = top.return_pc;
    });
    let mut bottom = Scene::new(Op::Return, SMALL);
    bottom.rest.call_depth = 0;
    bottom.traps(&mut court);
    let mut deepest = Scene::new(Op::Call, SMALL);
    deepest.rest.call_depth = u32::MAX;
    deepest.traps(&mut court);
}

#[test]
fn entering_stops_exactly_at_the_greatest_depth() {
    let mut court = Court::new();
    let enter = |slots: u32, cost: u32, depth: u16| {
        let mut scene = Scene::new(Op::Enter, SMALL).a(depth).b(cost);
        scene.rest.slots = slots;
        scene
    };
    for depth in 0..=12u16 {
        enter(100, 2_097_052, depth).check(&mut court, |scene| {
            scene.rest.slots = 2_097_152;
            scene.locals_root = Some(empty_root(u8::try_from(depth).unwrap()));
        });
    }
    enter(100, 2_097_053, 0).traps(&mut court);
    enter(2_097_152, 1, 0).traps(&mut court);
    enter(2_097_152, u32::MAX, 0).traps(&mut court);
    enter(0, 1, 13).traps(&mut court);
}

#[test]
fn indirect_calls_check_range_null_and_type() {
    let mut court = Court::new();
    let call = |index: u64, element: u64, wanted: u32| {
        let mut scene = Scene::new(Op::CallIndirect, SMALL)
            .b(wanted)
            .stack(&[index]);
        Scene::set_slot(
            &mut scene.table,
            u32::try_from(index & 0xff).unwrap(),
            element,
        );
        scene
    };
    // The high half of an index is not part of it.
    call(5 | 1 << 32, 3 << 32 | 40, 3).check(&mut court, |scene| {
        let (header, rest, _) = scene.sealed();
        let top = Frame {
            locals_root: header.locals_root,
            return_pc: 22,
            slots: rest.slots,
        };
        scene.frames = (rest.frames_hash, Some(top));
        scene.rest.call_depth += 1;
        scene.stack.clear();
        scene.header.pc = 40;
    });
    call(5, 3 << 32 | 40, 4).traps(&mut court);
    call(5, 40, 0).traps(&mut court);
    call(5, 40, 3).traps(&mut court);
    let size = 4 << SMALL.table;
    call(size, 3 << 32 | 40, 3).traps(&mut court);
    call(0xffff_ffff, 3 << 32 | 40, 3).traps(&mut court);
    let mut short = call(5, 3 << 32 | 40, 3);
    short.rest.table_size = 5;
    short.traps(&mut court);
    let mut deepest = call(5, 3 << 32 | 40, 3);
    deepest.rest.call_depth = u32::MAX;
    deepest.traps(&mut court);
}

#[test]
fn locals_and_globals_have_an_end() {
    let mut court = Court::new();
    for (get, set) in [(Op::LocalGet, Op::LocalSet), (Op::GlobalGet, Op::GlobalSet)] {
        for index in [0, 3, 4, 31] {
            let mut scene = Scene::new(get, SMALL).a(3).b(index);
            let value = u64::MAX - u64::from(index);
            let tree = if get == Op::LocalGet {
                &mut scene.locals
            } else {
                &mut scene.globals
            };
            Scene::set_slot(tree, index, value);
            scene.gives(&mut court, value);
            Scene::new(set, SMALL)
                .a(3)
                .b(index)
                .stack(&[value])
                .check(&mut court, |scene| {
                    scene.stack.clear();
                    let tree = if get == Op::LocalGet {
                        &mut scene.locals
                    } else {
                        &mut scene.globals
                    };
                    Scene::set_slot(tree, index, value);
                });
        }
        Scene::new(get, SMALL).a(3).b(32).traps(&mut court);
        Scene::new(set, SMALL).a(3).b(u32::MAX).traps(&mut court);
        Scene::new(get, SMALL).a(13).b(0).traps(&mut court);
        Scene::new(get, SMALL).a(0xffff).b(0).traps(&mut court);
    }
    Scene::new(Op::LocalTee, SMALL)
        .a(3)
        .b(6)
        .stack(&[77])
        .check(&mut court, |scene| {
            Scene::set_slot(&mut scene.locals, 6, 77);
            assert_eq!(scene.local(6), 77);
        });
}

#[test]
fn stack_instructions_move_what_they_say() {
    let mut court = Court::new();
    Scene::new(Op::Drop, SMALL)
        .stack(&[5, 6])
        .check(&mut court, |scene| scene.stack = vec![5]);
    Scene::new(Op::DropUnder, SMALL)
        .stack(&[4, 5, 6])
        .check(&mut court, |scene| scene.stack = vec![4, 6]);
    let nan = 0x7ff0_dead_beef_0001;
    for (condition, kept) in [(0, 8), (1, nan), (1 << 32, 8), (0x8000_0000, nan)] {
        Scene::new(Op::Select, SMALL)
            .stack(&[nan, 8, condition])
            .gives(&mut court, kept);
    }
    for bits in [0, u64::MAX, nan] {
        Scene::new(Op::Const, SMALL)
            .imm(bits)
            .gives(&mut court, bits);
    }
}

#[test]
fn a_stack_too_short_or_too_long_traps() {
    let mut court = Court::new();
    for op in Op::ALL {
        for len in 0..u32::from(op.pops()) {
            let mut scene = Scene::new(*op, SMALL).stack(&[]);
            scene.below.1 = len;
            scene.traps(&mut court);
        }
    }
    let mut full = Scene::new(Op::Const, SMALL);
    full.below.1 = u32::MAX;
    full.traps(&mut court);
    let mut level = Scene::new(Op::I32Eqz, SMALL).stack(&[3]);
    level.below.1 = u32::MAX - 1;
    level.gives(&mut court, 0);
}

#[test]
fn fields_an_instruction_does_not_use_are_not_looked_at() {
    let mut court = Court::new();
    let instruction = Instruction {
        op: 0x6a,
        a: 0xffff,
        b: 7,
        imm: 9,
    };
    Scene::of(instruction, SMALL)
        .stack(&[2, 3])
        .gives(&mut court, 5);
}
