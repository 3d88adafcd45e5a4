//! The programs people run, compiled from C: steps drawn at random out of millions, each proven by the engine and
//! checked by mirror and contract.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gio_content::image::{InputImage, OutputImage};
use gio_machine::Machine;
use gio_machine::mirror;
use gio_machine::state::STATUS_EXIT;

use crate::evm::Court;
use crate::programs::machine_with;
use crate::rng::Rng;
use crate::values::scaled;

const STEPS: u32 = 40;

fn apps() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../apps")
}

fn machine(app: &str, arguments: &[&str], files: &[(&str, Vec<u8>)]) -> Machine {
    reading(app, arguments, files, b"")
}

fn reading(app: &str, arguments: &[&str], files: &[(&str, Vec<u8>)], stdin: &[u8]) -> Machine {
    let wasm = std::fs::read(apps().join(format!("{app}.wasm"))).unwrap();
    let image = InputImage {
        args: [&[app], arguments]
            .concat()
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect(),
        files: files
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), bytes.clone()))
            .collect::<BTreeMap<_, _>>(),
        stdin: stdin.to_vec(),
        ..InputImage::default()
    };
    machine_with(&wasm, &image, 1 << 40, 512)
}

/// Proves steps drawn at random, the first, and the last ones; answers how many there were to draw from.
fn proven(app: &str, start: &Machine) -> u64 {
    let mut court = Court::new();
    let mut whole = start.clone();
    let halted = whole.run();
    assert_eq!((halted.status, halted.exit_code), (STATUS_EXIT, 0), "{app}");
    let steps = whole.steps();
    assert!(steps <= halted.cu, "R20: steps ≤ CU");
    let mut rng = Rng::new(steps);
    let mut drawn: Vec<u64> = (0..scaled(STEPS)).map(|_| rng.next() % steps).collect();
    drawn.extend([0, steps - 2, steps - 1]);
    drawn.sort_unstable();
    drawn.dedup();
    let mut machine = start.clone();
    for at in drawn {
        machine.run_to(at);
        let (before, proof) = (machine.state_hash(), machine.proof());
        machine.run_to(at + 1);
        let checked =
            mirror::step(&proof).unwrap_or_else(|invalid| panic!("{app}, step {at}: {invalid}"));
        assert_eq!(
            (checked.before, checked.next),
            (before, machine.state_hash()),
            "{app}, step {at}"
        );
        assert_eq!(court.step(&proof).0, Ok(checked), "{app}, step {at}");
    }
    assert_eq!(machine.state_hash(), whole.state_hash());
    steps
}

#[test]
fn random_steps_of_the_benchmarks_are_proven() {
    for (app, size) in [
        ("bench/matmul", "24"),
        ("bench/sort", "4"),
        ("bench/sha256", "1"),
    ] {
        proven(app, &machine(app, &[size], &[]));
    }
}

#[test]
fn random_steps_of_counting_words_are_proven() {
    let text = std::fs::read(apps().join("wordcount/alice.txt")).unwrap();
    let files = [("text", text)];
    proven(
        "wordcount/wordcount",
        &machine("wordcount/wordcount", &["text", "-o", "counts"], &files),
    );
}

#[test]
fn random_steps_of_rendering_are_proven() {
    let scene = std::fs::read(apps().join("render/scene.txt")).unwrap();
    let arguments = ["scene", "--tile", "500", "--tiles", "1000", "-o", "tile"];
    proven(
        "render/render",
        &machine("render/render", &arguments, &[("scene", scene)]),
    );
}

#[test]
fn random_steps_of_a_billion_are_proven() {
    let steps = proven("bench/sha256", &machine("bench/sha256", &["8"], &[]));
    assert!(steps > 1_000_000_000, "{steps}");
}

#[test]
fn random_steps_of_compressing_are_proven() {
    let text = std::fs::read(apps().join("wordcount/alice.txt")).unwrap();
    let mut packing = reading("tools/deflate", &[], &[], &text);
    proven("tools/deflate", &packing);
    packing.run();
    let packed = OutputImage::decode(&packing.output()).unwrap().stdout;
    proven(
        "tools/deflate",
        &reading("tools/deflate", &["-d"], &[], &packed),
    );
}

#[test]
fn random_steps_of_an_interpreter_are_proven() {
    let program = apps().join("../crates/runtime/tests/data/primes.fs");
    let program = std::fs::read(program).unwrap();
    proven("tools/forth", &reading("tools/forth", &[], &[], &program));
}

#[test]
fn random_steps_of_statistics_are_proven() {
    let numbers = (0..500).map(|i| format!("{} ", f64::from(i * 7919 % 1000) / 8.0 - 40.0));
    let numbers: String = numbers.collect();
    proven(
        "tools/statistics",
        &reading("tools/statistics", &[], &[], numbers.as_bytes()),
    );
}
