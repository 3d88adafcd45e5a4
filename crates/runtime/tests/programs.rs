//! Programs that people know or would write: the same result on wasmtime and on the step machine, and where there is
//! a reference, the right one.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::collections::BTreeMap;

use gio_content::image::InputImage;
use gio_protocol::Status;
use gio_runtime::{Outcome, UnitLimits};
use support::machine::{machine, run_everywhere};
use support::{LIMITS, input, output};

const RENDER: &[u8] = include_bytes!("../../../apps/render/render.wasm");
const SHA256: &[u8] = include_bytes!("../../../apps/bench/sha256.wasm");
const WORDCOUNT: &[u8] = include_bytes!("../../../apps/wordcount/wordcount.wasm");
const TEXT: &[u8] = include_bytes!("../../../apps/wordcount/alice.txt");
const HASHED_WORDS: &[u8] = include_bytes!("../../../apps/bench/wordcount.wasm");
const DEFLATE: &[u8] = include_bytes!("../../../apps/tools/deflate.wasm");
const FORTH: &[u8] = include_bytes!("../../../apps/tools/forth.wasm");
const STATISTICS: &[u8] = include_bytes!("../../../apps/tools/statistics.wasm");

const BIG: UnitLimits = UnitLimits {
    cu_limit: 1 << 40,
    ..LIMITS
};

fn run(wasm: &[u8], image: &InputImage) -> Outcome {
    let outcome = run_everywhere(wasm, image, &BIG);
    assert_eq!((outcome.status, outcome.exit_code), (Status::Exit, 0));
    outcome
}

fn with_stdin(args: &[&str], stdin: &[u8]) -> InputImage {
    InputImage {
        stdin: stdin.to_vec(),
        ..input(args)
    }
}

#[test]
fn a_picture_is_the_same_everywhere() {
    let scene = "picture 12 8\ncamera 0 1 4 0 1 0 50 0 0\nsamples 2\nsky 1 1 1 0.5 0.7 1\n\
        material m diffuse 0.8 0.3 0.3\nmaterial g glass 1 1 1\nplane 0 1 0 0 m\nsphere 0 1 0 1 g\n";
    let mut image = input(&["render", "scene.txt", "-o", "picture.png"]);
    image.files.insert("scene.txt".into(), scene.into());
    let picture = &output(&run(RENDER, &image)).files["picture.png"];
    assert!(picture.starts_with(b"\x89PNG"));
}

#[test]
fn words_are_counted_the_same_everywhere() {
    let mut image = input(&["wordcount", "text", "-o", "counts"]);
    image.files.insert("text".into(), TEXT.to_vec());
    let counted = &output(&run(WORDCOUNT, &image)).files["counts"];
    let mut words = BTreeMap::new();
    let text = std::str::from_utf8(TEXT).unwrap().to_lowercase();
    for word in text.split(|c: char| c.is_ascii() && !c.is_ascii_alphabetic() && c != '\'') {
        let word = word.trim_matches('\'');
        if !word.is_empty() {
            *words.entry(word).or_insert(0) += 1;
        }
    }
    let lines = words
        .iter()
        .map(|(word, times)| format!("{word},{times}\n"));
    let expected: String = lines.collect();
    assert_eq!(String::from_utf8_lossy(counted), expected);
}

#[test]
fn a_table_of_words_is_the_same_everywhere() {
    let mut image = input(&["wordcount", "text"]);
    image
        .files
        .insert("text".into(), b"one two two three three three ".repeat(50));
    assert!(!output(&run(HASHED_WORDS, &image)).stdout.is_empty());
}

#[test]
fn a_hash_is_the_same_everywhere() {
    assert!(
        !output(&run(SHA256, &input(&["sha256", "0"])))
            .stdout
            .is_empty()
    );
}

#[test]
fn what_was_compressed_expands_to_what_it_was() {
    let text: Vec<u8> = include_bytes!("programs.rs")[..3000].to_vec();
    let packed = output(&run(DEFLATE, &with_stdin(&["deflate"], &text))).stdout;
    assert!(packed.len() < text.len() * 2 / 3, "{}", packed.len());
    let expanded = output(&run(DEFLATE, &with_stdin(&["deflate", "-d"], &packed)));
    assert!(expanded.stdout == text);
    let damaged = run_everywhere(DEFLATE, &with_stdin(&["deflate", "-d"], b"\xff\xff"), &BIG);
    assert_eq!(damaged.exit_code, 1);
}

#[test]
fn an_interpreter_computes() {
    let program = include_bytes!("data/primes.fs");
    let outcome = run(FORTH, &with_stdin(&["forth"], program));
    assert_eq!(output(&outcome).stdout, b"primes 2262 \nfib 610 \n");
}

#[test]
fn floats_are_sorted_and_printed_the_same_everywhere() {
    let numbers = (0..200).map(|i| format!("{} ", f64::from(i * 7919 % 1000) / 8.0 - 40.0));
    let numbers: String = numbers.collect();
    let outcome = run(STATISTICS, &with_stdin(&["statistics"], numbers.as_bytes()));
    let text = String::from_utf8(output(&outcome).stdout).unwrap();
    assert!(text.starts_with("count 200\nmin -40\n"), "{text}");
}

#[test]
fn a_billion_steps_end_where_wasmtime_ends() {
    let image = input(&["sha256", "8"]);
    run(SHA256, &image);
    let mut machine = machine(SHA256, &image, &BIG);
    machine.run();
    println!("{} steps", machine.steps());
    assert!(machine.steps() > 1_000_000_000);
}
