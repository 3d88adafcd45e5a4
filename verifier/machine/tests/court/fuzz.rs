//! Random programs: floats with every kind of NaN, traps, bulk operations, indirect calls. The engine's proofs take
//! mirror and contract from its hash before to its hash after, step by step.

use gio_content::image::InputImage;
use gio_machine::isa::Op;
use gio_machine::mirror;

use crate::evm::Court;
use crate::programs::machine_with;
use crate::rng::Rng;
use crate::support::generator::{Taste, generate};
use crate::values::scaled;

const PROGRAMS: u32 = 20;
const FUNCTIONS: u32 = 40;

/// Steps before the program's own: the shim reads the image, the same for all of them.
const SHIM_STEPS: u64 = 2_000;

/// Steps of one program that go through the mirror, and how many of them one goes through the contract for.
const STEPS: u64 = 3_000;
const CONTRACT_SHARE: u64 = 29;

#[test]
fn random_programs_are_proven_at_every_step() {
    let mut court = Court::new();
    let mut rng = Rng::new(0xf022);
    let (mut steps, mut ends) = (0, [0; 3]);
    let mut seen: Vec<Op> = Vec::new();
    for seed in 0..scaled(PROGRAMS) {
        let taste = Taste {
            traps: rng.one_in(3),
            bulk: rng.one_in(2),
            floats: rng.below(8),
            statements: 1 + rng.below(5),
        };
        let wasm = generate(u64::from(seed), FUNCTIONS, taste).encode_command(seed);
        let mut machine = machine_with(&wasm, &InputImage::default(), 1 << 26, 3);
        machine.run_to(SHIM_STEPS);
        let mut before = machine.state_hash();
        while machine.halted().is_none() && machine.steps() < SHIM_STEPS + STEPS {
            let at = machine.steps();
            seen.extend(
                machine
                    .instruction()
                    .and_then(|instruction| instruction.operation()),
            );
            let proof = machine.proof();
            machine.run_to(at + 1);
            let after = machine.state_hash();
            let checked =
                mirror::step(&proof).unwrap_or_else(|fault| panic!("{seed}, {at}: {fault}"));
            assert_eq!(
                (checked.before, checked.next),
                (before, after),
                "program {seed}, step {at}"
            );
            if at.is_multiple_of(CONTRACT_SHARE) {
                assert_eq!(
                    court.step(&proof).0,
                    Ok(checked),
                    "program {seed}, step {at}"
                );
            }
            before = after;
            steps += 1;
        }
        let halted = machine.run();
        ends[usize::from(halted.status)] += 1;
        assert!(machine.steps() <= halted.cu, "R20: steps ≤ CU");
    }
    seen.sort_unstable();
    seen.dedup();
    println!(
        "{steps} steps, {} of {} operations, ends {ends:?}",
        seen.len(),
        Op::ALL.len()
    );
    assert!(
        seen.len() > 100,
        "only {} operations: the programs test little",
        seen.len()
    );
    assert!(ends[0] > 0 && ends[1] > 0, "ends {ends:?}");
}
