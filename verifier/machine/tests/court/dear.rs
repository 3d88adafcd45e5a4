//! States whose step costs as much as the proof's layout allows: every byte that neither the layout nor the step's own
//! work makes zero is none, and operands are drawn from all that the instruction distinguishes.

use gio_machine::isa::{Class, Op};
use gio_protocol::B256;

use crate::evm::Court;
use crate::rng::Rng;
use crate::scene::{Depths, Frame, Scene, width};
use crate::tree::Tree;
use crate::values::{self, operand, special_pairs};

/// The depths of the snapshot; locals, table and I/O are as deep as prepared programs and deals make them at most.
const DEEP: Depths = Depths {
    code: 18,
    memory: 21,
    slots: 12,
    table: 15,
    input: 22,
    output: 22,
};

/// Random operands of a float instruction among which the dearest are looked for, and how often one bit or two of
/// those are changed to find dearer ones.
const DRAWN: u32 = 2_000;
const CHANGED: u32 = 1_000;

/// Dear operands that few draws hit, found by longer searches: the smaller one comes first, so that they are exchanged,
/// and their sum overflows.
const FOUND: [(Op, [u64; 2]); 2] = [
    (Op::F32Add, [0xfe75_4284, 0xff63_3232]),
    (Op::F64Sub, [0xffd1_0915_1cd9_a0b0, 0x7fee_ca61_b09c_5acf]),
];

/// Operands of a float instruction, and the gas that the float unit takes for them.
pub type Dear = (u64, [u64; 2]);

/// The operands of a float instruction that cost most: of those it answers, and of those it traps on.
pub fn dearest_floats(court: &mut Court, op: Op, rng: &mut Rng) -> Vec<Dear> {
    let mut best: [Option<Dear>; 2] = [None; 2];
    let mut consider = |best: &mut [Option<Dear>; 2], [x, y]: [u64; 2]| {
        let (trap, gas) = court.float_cost(u64::from(op.code()), x, y);
        let place = &mut best[usize::from(trap)];
        // Equal ones too: what is dearer may lie behind them.
        if place.is_none_or(|(most, _)| gas >= most) {
            *place = Some((gas, [x, y]));
        }
    };
    for (x, y) in special_pairs(op) {
        consider(&mut best, [x, y]);
    }
    for (_, found) in FOUND.iter().filter(|(of, _)| *of == op) {
        consider(&mut best, *found);
    }
    for _ in 0..values::scaled(DRAWN) {
        let drawn = [operand(op, rng), operand(op, rng)];
        consider(&mut best, drawn);
    }
    for nth in 0..values::scaled(CHANGED) {
        let place = best[usize::from(nth % 2 == 1)].or(best[0]);
        let (_, mut changed) = place.unwrap();
        for _ in 0..=rng.below(2) {
            changed[rng.below(u32::from(op.pops())) as usize] ^= 1 << rng.below(64);
        }
        consider(&mut best, changed);
    }
    best.into_iter().flatten().collect()
}

/// A number of so many bytes, none of them zero.
fn full(rng: &mut Rng, bytes: u32) -> u64 {
    (0..bytes).fold(0, |number, _| number << 8 | u64::from(1 + rng.below(255)))
}

/// The same, below `2^(8 · bytes − 2)`, so that the sum of two is below any `large` one.
fn small(rng: &mut Rng, bytes: u32) -> u64 {
    headed(rng, 0x3f, bytes)
}

/// The same, at least `2^(8 · bytes − 1)`.
fn large(rng: &mut Rng, bytes: u32) -> u64 {
    full(rng, bytes) | 0x80 << (8 * (bytes - 1))
}

/// The same, with a first byte of at most `greatest`.
fn headed(rng: &mut Rng, greatest: u32, bytes: u32) -> u64 {
    u64::from(1 + rng.below(greatest)) << (8 * (bytes - 1)) | full(rng, bytes - 1)
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap()
}

fn word(rng: &mut Rng) -> B256 {
    let bytes: Vec<u8> = (0..4).flat_map(|_| full(rng, 8).to_be_bytes()).collect();
    B256::from_slice(&bytes)
}

/// A 32-bit operand in a slot whose high half is not looked at.
fn slot(low: u64, rng: &mut Rng) -> u64 {
    full(rng, 4) << 32 | low
}

/// A state about to execute the instruction, which does all its work there; `straddles` asks a load or store to touch
/// two leaves.
pub fn state(op: Op, straddles: bool, rng: &mut Rng) -> Scene {
    let mut scene = filled(op, rng);
    let last = scene.stack.len().saturating_sub(1);
    match op.class() {
        Class::Stack => operands_of_stack(&mut scene, rng),
        // The float unit's dearest are put in by the caller.
        Class::Float | Class::Return => {}
        Class::Local | Class::Global => {
            scene.instruction.a = 12;
            scene.instruction.b = narrow(headed(rng, 0x3f, 2));
        }
        Class::Load => scene.stack[last] = place(&mut scene, op, straddles, rng),
        Class::Store => scene.stack[last - 1] = place(&mut scene, op, straddles, rng),
        Class::Copy | Class::Fill => chunk(&mut scene, rng),
        Class::Indirect => {
            let index = 1 << 16 | full(rng, 2);
            scene.stack[last] = slot(index, rng);
            let element = u64::from(scene.instruction.b) << 32 | full(rng, 4);
            Scene::set_slot(&mut scene.table, narrow(index), element);
        }
        Class::Frame if op == Op::Enter => {
            // Two of them are within what all frames may cost.
            scene.instruction.a = 12;
            scene.instruction.b = narrow(headed(rng, 0xf, 3));
            scene.rest.slots = narrow(headed(rng, 0xf, 3));
        }
        Class::Frame => {}
        Class::Grow => scene.stack[last] = slot(small(rng, 3), rng),
        Class::Host => host(&mut scene, op, rng),
    }
    scene
}

/// A state of whose fields no byte is zero that need not be; small ones where the step adds to them.
fn filled(op: Op, rng: &mut Rng) -> Scene {
    let mut scene = Scene::new(op, DEEP);
    for tree in [
        &mut scene.code,
        &mut scene.memory,
        &mut scene.globals,
        &mut scene.table,
        &mut scene.input,
        &mut scene.output,
        &mut scene.locals,
    ] {
        *tree = Tree::new(tree.depth, rng.next());
    }
    scene.header.pc = narrow(headed(rng, 7, 3));
    scene.header.pages = [small(rng, 3), small(rng, 3)].map(narrow);
    scene.header.cu = small(rng, 8);
    scene.header.cu_limit = large(rng, 8);
    scene.below = (word(rng), narrow(small(rng, 4)));
    scene.rest.call_depth = narrow(small(rng, 4));
    scene.rest.slots = narrow(full(rng, 4));
    scene.rest.table_size = narrow(full(rng, 4));
    scene.io.scratch = word(rng);
    scene.io.output_length = full(rng, 8);
    scene.env.unit_seed = word(rng);
    scene.env.pages_max = [large(rng, 3), large(rng, 3)].map(narrow);
    scene.env.input_length = large(rng, 8) & !(1 << 62);
    scene.env.output_max = large(rng, 8) & !(1 << 62);
    scene.env.clock_start = full(rng, 8);
    let frame = Frame {
        locals_root: word(rng),
        return_pc: narrow(full(rng, 4)),
        slots: narrow(full(rng, 4)),
    };
    scene.frames = (word(rng), Some(frame));
    scene.instruction.a = u16::try_from(full(rng, 2)).unwrap();
    scene.instruction.b = narrow(full(rng, 4));
    scene.instruction.imm = small(rng, 8);
    scene.stack.iter_mut().for_each(|slot| *slot = full(rng, 8));
    scene
}

/// Half of them are edges, which shifts, divisions and counts of bits treat differently; some exhaust the CU.
fn operands_of_stack(scene: &mut Scene, rng: &mut Rng) {
    if rng.one_in(2) {
        let slots = scene.stack.iter_mut();
        slots.for_each(|slot| *slot = values::whole(rng));
    }
    if rng.one_in(8) {
        scene.instruction.imm = large(rng, 8);
    }
}

/// An address below `2^25`, which is half of a memory tree of depth 21: put into the slot and field `b`.
fn place(scene: &mut Scene, op: Op, straddles: bool, rng: &mut Rng) -> u64 {
    loop {
        let base = 1 << 24 | headed(rng, 0x7e, 3);
        let offset = headed(rng, 0x7e, 3);
        if ((base + offset) % 32 + width(op) > 32) == straddles {
            scene.instruction.b = narrow(offset);
            return slot(base, rng);
        }
    }
}

/// Chunks at all places of their leaves, in both directions; some are the last.
fn chunk(scene: &mut Scene, rng: &mut Rng) {
    let last = scene.stack.len() - 1;
    let count = if rng.one_in(4) {
        u64::from(1 + rng.below(40))
    } else {
        small(rng, 3)
    };
    scene.stack[last] = slot(count, rng);
    let [to, from] = [(); 2].map(|()| 1 << 24 | headed(rng, 0x3f, 3));
    scene.stack[last - 2] = slot(to, rng);
    if scene.instruction.operation() == Some(Op::Copy) {
        scene.stack[last - 1] = slot(from, rng);
    }
}

fn host(scene: &mut Scene, op: Op, rng: &mut Rng) {
    let last = scene.stack.len().saturating_sub(1);
    match op {
        Op::ScratchLoad | Op::ScratchStore => {
            let address = 1 << 24 | full(rng, 2) << 8 | u64::from(32 + 32 * rng.below(7));
            scene.stack[last] = slot(address, rng);
        }
        Op::InputFetch | Op::OutputWrite => scene.stack[last] = headed(rng, 0x3f, 3),
        Op::OutputClose => scene.stack[last] = small(rng, 8),
        Op::Env => scene.instruction.b = rng.below(7),
        _ => {}
    }
}
