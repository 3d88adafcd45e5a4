//! Edge cases of `copy` and `fill`, run to their ends chunk by chunk.

use gio_machine::isa::Op;

use crate::edges::{END, PAGES};
use crate::evm::Court;
use crate::scene::{SMALL, Scene};

/// Runs `copy` or `fill` to its end and answers the steps it took.
fn run_bulk(court: &mut Court, scene: Scene) -> u64 {
    let op = scene.instruction.operation().unwrap();
    let (source, target) = (
        u64::from(scene.instruction.a >> 1 & 1),
        u64::from(scene.instruction.a & 1),
    );
    let [to, from, n] = scene.clone().pop::<3>();
    let mut now = scene;
    let data = match op {
        Op::Copy => now.read(source, from, n),
        _ => vec![from.to_le_bytes()[0]; usize::try_from(n).unwrap()],
    };
    now.read(target, to, n);
    let mut expected = now.clone();
    expected.write(target, to, &data);
    expected.pop::<3>();
    expected.prepare();
    expected.header.pc += 1;
    let mut steps = 0;
    loop {
        now.prepare();
        let (_, next, _) = now.clone().agrees(court);
        steps += 1;
        if next == expected.hash() {
            return steps;
        }
        advance(&mut now, op, source, target);
        assert_eq!(now.hash(), next, "{} after {steps} steps", op.name());
    }
}

/// One chunk, as the test understands it.
fn advance(scene: &mut Scene, op: Op, source: u64, target: u64) {
    let (skip, count) = scene.chunk();
    let [to, from, n] = scene.pop::<3>();
    let data = match op {
        Op::Copy => scene.read(source, from + skip, count),
        _ => vec![from.to_le_bytes()[0]; usize::try_from(count).unwrap()],
    };
    scene.write(target, to + skip, &data);
    let forward = if skip == 0 { count } else { 0 };
    let forward = if op == Op::Copy && to > from {
        0
    } else {
        forward
    };
    let from = if op == Op::Copy { from + forward } else { from };
    scene.stack.extend([to + forward, from, n - count]);
}

#[test]
fn copy_moves_overlapping_bytes_both_ways_within_its_steps() {
    let mut court = Court::new();
    let places = [
        (100, 103),
        (103, 100),
        (64, 96),
        (96, 64),
        (65, 33),
        (33, 65),
        (40, 40),
        (0, 200),
        (200, 0),
    ];
    for (to, from) in places {
        for n in [1, 2, 31, 32, 33, 64, 100] {
            let scene = Scene::new(Op::Copy, SMALL)
                .pages(PAGES)
                .stack(&[to, from, n]);
            let steps = run_bulk(&mut court, scene);
            assert!(
                steps <= 1 + 2 * (n - 1).div_ceil(32),
                "{n} bytes took {steps} steps"
            );
            assert!(
                steps <= Op::Copy.weight() + n.div_ceil(8),
                "R20: steps are charged"
            );
        }
    }
    for a in 0..4 {
        let scene = Scene::new(Op::Copy, SMALL)
            .a(a)
            .pages(PAGES)
            .stack(&[70, 61, 50]);
        run_bulk(&mut court, scene);
    }
}

#[test]
fn fill_writes_one_byte_value_within_its_steps() {
    let mut court = Court::new();
    for to in [0, 31, 32, 100] {
        for n in [1, 2, 31, 32, 33, 65] {
            let scene = Scene::new(Op::Fill, SMALL)
                .a(1)
                .pages(PAGES)
                .stack(&[to, 0xabcd, n]);
            let steps = run_bulk(&mut court, scene);
            assert!(steps <= 1 + (n - 1).div_ceil(32));
            assert!(
                steps <= Op::Fill.weight() + n.div_ceil(8),
                "R20: steps are charged"
            );
        }
    }
}

#[test]
fn bulk_operations_check_their_whole_range_first_even_for_nothing() {
    let mut court = Court::new();
    let ends = |op: Op, slots: [u64; 3], court: &mut Court| {
        Scene::new(op, SMALL)
            .pages(PAGES)
            .stack(&slots)
            .check(court, |scene| {
                scene.pop::<3>();
            });
    };
    for op in [Op::Copy, Op::Fill] {
        ends(op, [END, END, 0], &mut court);
        ends(op, [0, 0, 1 << 32], &mut court);
        for slots in [
            [END + 1, 0, 0],
            [END - 3, 0, 4],
            [0, 0, 0xffff_ffff],
            [0xffff_ffff, 0, 1],
        ] {
            Scene::new(op, SMALL)
                .pages(PAGES)
                .stack(&slots)
                .traps(&mut court);
        }
    }
    for slots in [[0, END + 1, 0], [0, END - 3, 4]] {
        Scene::new(Op::Copy, SMALL)
            .pages(PAGES)
            .stack(&slots)
            .traps(&mut court);
    }
    // The last chunk may end at the very end.
    run_bulk(
        &mut court,
        Scene::new(Op::Copy, SMALL)
            .pages(PAGES)
            .stack(&[END - 40, 5, 40]),
    );
    run_bulk(
        &mut court,
        Scene::new(Op::Fill, SMALL)
            .pages(PAGES)
            .stack(&[END - 40, 5, 40]),
    );
}
