//! A witness is a row of fields, and each of them counts: with one bit of any field flipped, the contract refuses the
//! proof or opens another state, never the same one.
//!
//! The fields are those of docs/step-machine.md sections 3.1 and 7, written down here once more. Every byte of random
//! proofs is changed in `mutation`.

use gio_machine::isa::{Class, Op};
use gio_machine::state::{Halted, PC_TRAP, STATUS_EXIT};
use gio_protocol::keccak256;

use crate::evm::{Court, agreed};
use crate::rng::Rng;
use crate::scene::{SMALL, Scene, width};
use crate::values::scaled;

/// Bits that are flipped in every field, one at a time.
const FLIPS: u32 = 8;

/// Names and bytes of fields, in their order.
type Layout = Vec<(String, usize)>;

const HEADER: [(&str, usize); 13] = [
    ("codeRoot", 32),
    ("stackHash", 32),
    ("localsRoot", 32),
    ("memoryRoot", 32),
    ("restHash", 32),
    ("pc", 4),
    ("stackLen", 4),
    ("pages0", 3),
    ("pages1", 3),
    ("codeDepth", 1),
    ("memoryDepth", 1),
    ("cu", 8),
    ("cuLimit", 8),
];
const REST: [(&str, usize); 10] = [
    ("framesHash", 32),
    ("globalsRoot", 32),
    ("tableRoot", 32),
    ("ioHash", 32),
    ("zero of rest", 12),
    ("callDepth", 4),
    ("slots", 4),
    ("tableSize", 4),
    ("tableDepth", 1),
    ("last zero of rest", 7),
];
const IO: [(&str, usize); 5] = [
    ("outputRoot", 32),
    ("scratch", 32),
    ("envHash", 32),
    ("zero of io", 24),
    ("outputLength", 8),
];
const ENV: [(&str, usize); 11] = [
    ("inputRoot", 32),
    ("unitSeed", 32),
    ("zero of env", 8),
    ("inputDepth", 1),
    ("outputDepth", 1),
    ("pagesMax0", 3),
    ("pagesMax1", 3),
    ("inputLength", 8),
    ("outputMax", 8),
    ("last zero of env", 24),
    ("clockStart", 8),
];
const FRAME: [(&str, usize); 4] = [
    ("framesHash below", 32),
    ("caller's localsRoot", 32),
    ("returnPc", 4),
    ("caller's slots", 4),
];
const HALTED: [(&str, usize); 5] = [
    ("status", 1),
    ("exitCode", 4),
    ("cu", 8),
    ("outputRoot", 32),
    ("outputLength", 8),
];

fn add(layout: &mut Layout, fields: &[(&str, usize)]) {
    layout.extend(
        fields
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), *bytes)),
    );
}

fn add_leaf(layout: &mut Layout, name: &str, depth: u8) {
    layout.push((format!("{name} leaf"), 32));
    layout.extend((0..depth).map(|level| (format!("{name} sibling {level}"), 32)));
}

/// The fields of the proof of a step that does not trap.
fn layout(op: Op, leaves: usize) -> Layout {
    let mut layout = Layout::new();
    add(&mut layout, &HEADER);
    add_leaf(&mut layout, "code", SMALL.code);
    add(&mut layout, &[("base", 32), ("x", 8), ("y", 8), ("z", 8)]);
    let (rest, io, env) = parts(op);
    if rest {
        add(&mut layout, &REST);
    }
    if io {
        add(&mut layout, &IO);
    }
    if env {
        add(&mut layout, &ENV);
    }
    if op.class() == Class::Return {
        add(&mut layout, &FRAME);
    }
    let depth = match op {
        _ if matches!(op.class(), Class::Local | Class::Global) => SMALL.slots,
        Op::CallIndirect => SMALL.table,
        Op::InputFetch => SMALL.input,
        Op::OutputWrite => SMALL.output,
        _ => SMALL.memory,
    };
    for nth in 0..leaves {
        add_leaf(&mut layout, ["first", "second"][nth], depth);
    }
    layout
}

/// Whether `rest`, `io` and `env` are in an operation's proof.
fn parts(op: Op) -> (bool, bool, bool) {
    match (op.class(), op) {
        (Class::Global | Class::Frame | Class::Return | Class::Indirect, _) => (true, false, false),
        (Class::Host, Op::Exit | Op::ScratchLoad | Op::ScratchStore) => (true, true, false),
        (Class::Host | Class::Grow, _) => (true, true, true),
        _ => (false, false, false),
    }
}

/// A state in which the operation does what it is for, its loads and stores at `address`.
fn working(op: Op, address: u64) -> Scene {
    let operands: &[u64] = match op.class() {
        Class::Load => &[address],
        Class::Store => &[address, 0x1122_3344_5566_7788],
        Class::Copy | Class::Fill => &[40, 100, 20],
        Class::Host => &[32],
        Class::Grow => &[1],
        Class::Indirect => &[5],
        _ => &[7, 3, 1],
    };
    let scene = Scene::new(op, SMALL).imm(5);
    let mut scene = match op.class() {
        Class::Local | Class::Global => scene.a(u16::from(SMALL.slots)).b(6),
        Class::Frame => scene.a(3).b(1),
        Class::Host | Class::Load | Class::Store => scene,
        _ => scene.b(3),
    };
    if op == Op::CallIndirect {
        Scene::set_slot(&mut scene.table, 5, 3 << 32 | 40);
    }
    scene.stack(&operands[..usize::from(op.pops())])
}

fn flips(
    court: &mut Court,
    rng: &mut Rng,
    name: &str,
    proof: &[u8],
    layout: &Layout,
    in_hash: usize,
) {
    let bytes: usize = layout.iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(proof.len(), bytes, "{name}: fields are missing");
    let valid = agreed(court, proof).0.unwrap();
    let mut at = 0;
    for (nth, (field, bytes)) in layout.iter().enumerate() {
        for _ in 0..scaled(FLIPS) {
            let bit = rng.below(8 * u32::try_from(*bytes).unwrap());
            let mut changed = proof.to_vec();
            changed[at + bit as usize / 8] ^= 1 << (bit % 8);
            match agreed(court, &changed).0 {
                Err(_) => {}
                Ok(found) => {
                    assert!(nth < in_hash, "{name}: {field} is not checked");
                    assert_ne!(
                        found.before, valid.before,
                        "{name}: {field} is not in the state's hash"
                    );
                }
            }
        }
        at += bytes;
    }
}

#[test]
fn no_field_of_a_witness_can_be_another() {
    let mut court = Court::new();
    let mut rng = Rng::new(0xf1e1d);
    let mut seconds = 0;
    for op in Op::ALL.iter().copied().filter(|op| *op != Op::Unreachable) {
        let moves = matches!(op.class(), Class::Load | Class::Store);
        let straddles = moves && width(op) > 1;
        for address in [100, 63].into_iter().take(1 + usize::from(straddles)) {
            let mut scene = working(op, address);
            scene.prepare();
            let leaves = scene.touched().len();
            seconds += usize::from(leaves == 2);
            let proof = scene.proof();
            let mut trapped = scene.sealed().0;
            trapped.pc = PC_TRAP;
            let next = agreed(&mut court, &proof).0.unwrap().next;
            assert_ne!(next, trapped.hash(), "{} traps", op.name());
            let layout = layout(op, leaves);
            flips(
                &mut court,
                &mut rng,
                op.name(),
                &proof,
                &layout,
                HEADER.len(),
            );
        }
    }
    // Every load and store of more than a byte, and `copy`.
    assert_eq!(seconds, 10 + 7 + 1, "second leaves");
}

#[test]
fn no_field_of_an_end_can_be_another() {
    let mut court = Court::new();
    let mut rng = Rng::new(0xe4d);
    let mut scene = Scene::new(Op::Jump, SMALL);
    scene.header.pc = PC_TRAP;
    scene.prepare();
    let mut layout = Layout::new();
    add(&mut layout, &HEADER);
    add(&mut layout, &REST);
    add(&mut layout, &IO);
    flips(
        &mut court,
        &mut rng,
        "halting",
        &scene.proof(),
        &layout,
        HEADER.len(),
    );
    let halted = Halted {
        status: STATUS_EXIT,
        exit_code: 3,
        cu: 1000,
        output_root: keccak256("output"),
        output_length: 12,
    };
    let mut layout = Layout::new();
    add(&mut layout, &HALTED);
    flips(
        &mut court,
        &mut rng,
        "halted",
        &halted.encode(),
        &layout,
        HALTED.len(),
    );
}
