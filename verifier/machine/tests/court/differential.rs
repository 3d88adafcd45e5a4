//! Every instruction on made-up states, random and at the edges: contract and mirror go to the same state.

use gio_machine::isa::{Class, Op};

use crate::evm::Court;
use crate::rng::Rng;
use crate::scene::{Depths, SMALL, Scene, width};
use crate::values;

const ROUNDS: u32 = 40;

#[test]
fn contract_and_mirror_agree_on_every_instruction() {
    let mut court = Court::new();
    let mut rng = Rng::new(0x57e9);
    let mut moved = 0;
    for op in Op::ALL {
        for _ in 0..values::scaled(ROUNDS) {
            let scene = random(*op, &mut rng);
            // Only a jump to itself leaves the state as it was.
            let stays = *op == Op::Jump && scene.instruction.b == scene.header.pc;
            let (before, next, _) = scene.agrees(&mut court);
            assert_eq!(before == next, stays, "{}", op.name());
            moved += 1;
        }
    }
    println!("{moved} steps of {} instructions", Op::ALL.len());
}

/// A state in which the step is likely to do something, and now and then to trap.
pub fn random(op: Op, rng: &mut Rng) -> Scene {
    let depths = Depths {
        code: 1 + u8::try_from(rng.below(6)).unwrap(),
        slots: u8::try_from(rng.below(6)).unwrap(),
        ..SMALL
    };
    let mut scene = Scene::new(op, depths);
    scene.header.pc = rng.below(2 << depths.code);
    scene.instruction.a = u16::try_from(rng.below(1 << 16)).unwrap() & 0b11;
    scene.instruction.b = u32::try_from(values::whole(rng) & 0xffff_ffff).unwrap();
    scene.instruction.imm = values::whole(rng);
    let tops = scene.stack.len();
    scene.stack = (0..tops + rng.below(3) as usize)
        .map(|_| values::whole(rng))
        .collect();
    shape(op, &mut scene, rng);
    scene
}

fn shape(op: Op, scene: &mut Scene, rng: &mut Rng) {
    let last = scene.stack.len().saturating_sub(1);
    match op.class() {
        Class::Float => {
            let format = if rng.one_in(2) {
                values::SINGLE
            } else {
                values::DOUBLE
            };
            scene
                .stack
                .iter_mut()
                .for_each(|slot| *slot = values::float(rng, format));
        }
        Class::Local | Class::Global => {
            scene.instruction.a = if rng.one_in(10) {
                13
            } else {
                u16::from(scene.locals.depth)
            };
            scene.instruction.b = rng.below((4 << scene.locals.depth) + 1);
        }
        Class::Load => near_the_edge(op, scene, last, rng),
        Class::Store => near_the_edge(op, scene, last - 1, rng),
        Class::Copy | Class::Fill => {
            let n = u64::from(rng.below(80));
            let end = 3 << 16;
            let dirty = rng.next() << 32;
            let near = |rng: &mut Rng| match rng.below(3) {
                0 => end - n + u64::from(rng.below(2)),
                1 => u64::from(rng.below(100)),
                _ => 1000 + u64::from(rng.below(64)),
            };
            scene.stack[last - 2] = near(rng) | dirty;
            scene.stack[last - 1] = near(rng) | dirty;
            scene.stack[last] = n | dirty;
            scene.header.pages = [3, 3];
        }
        Class::Indirect => {
            let index = rng.below(scene.rest.table_size + 2);
            scene.stack[last] = u64::from(index) | rng.next() << 32;
            let wanted = if rng.one_in(4) {
                0
            } else {
                1 + u64::from(rng.below(3))
            };
            Scene::set_slot(&mut scene.table, index, wanted << 32 | 77);
            scene.instruction.b = u32::try_from(wanted).unwrap() + u32::from(rng.one_in(4));
        }
        Class::Return | Class::Frame => {
            scene.rest.call_depth = rng.pick(&[0, 1, 7, u32::MAX - 1, u32::MAX]);
            scene.instruction.b = rng.pick(&[0, 1, 100, 2_097_152, u32::MAX]);
            scene.instruction.a = rng.pick(&[0, 1, 5, 12, 13]);
        }
        Class::Grow => scene.stack[last] = u64::from(rng.below(4)) | rng.next() << 32,
        Class::Host => host(scene, rng),
        Class::Stack => {}
    }
}

fn near_the_edge(op: Op, scene: &mut Scene, at: usize, rng: &mut Rng) {
    let memory = usize::from(scene.instruction.a & 1);
    let end = u64::from(scene.header.pages[memory]) << 16;
    let address = match rng.below(3) {
        0 => end - width(op) + u64::from(rng.below(3)) - 1,
        1 => 64 + u64::from(rng.below(40)),
        _ => rng.next() % end,
    };
    let offset = u64::from(rng.below(u32::try_from(address).unwrap() + 1));
    scene.instruction.b = u32::try_from(offset).unwrap();
    scene.stack[at] = (address - offset) | rng.next() << 32;
}

fn host(scene: &mut Scene, rng: &mut Rng) {
    let last = scene.stack.len().saturating_sub(1);
    scene.instruction.b = rng.below(9);
    let words = |depth: u8| {
        [
            0,
            1,
            (1 << depth) - 1,
            1 << depth,
            1 << (depth + 32),
            u64::MAX,
        ]
    };
    let top = match scene.instruction.operation() {
        Some(Op::ScratchLoad | Op::ScratchStore) => {
            rng.pick(&[0, 32, 33, (2 << 16) - 32, (3 << 16) - 32, 3 << 16]) | rng.next() << 32
        }
        Some(Op::InputFetch) => rng.pick(&words(scene.env.input_depth)),
        Some(Op::OutputWrite) => rng.pick(&words(scene.env.output_depth)),
        Some(Op::OutputClose) => scene.env.output_max - 1 + u64::from(rng.below(3)),
        _ => rng.next(),
    };
    if let Some(slot) = scene.stack.get_mut(last) {
        *slot = top;
    }
}
