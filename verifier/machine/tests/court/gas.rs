//! What a step costs on chain, by class of instructions: the worst of each class at code depth 18 and memory depth
//! 21, in `contracts/snapshots/gas/step.json`.
//!
//! `GIO_STEP_SCALE` looks for dearer operands than `make test` does; what it finds belongs into `FOUND`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use gio_machine::isa::{Class, Op};
use gio_machine::state::PC_TRAP;
use serde_json::json;

use crate::dear::{dearest_floats, state};
use crate::evm::{Court, Gas, agreed};
use crate::rng::Rng;
use crate::scene::{Scene, width};
use crate::values;

/// States tried per instruction, and per instruction that moves a chunk: what it costs depends on where chunks lie.
const STATES: u32 = 64;
const CHUNKS: u32 = 512;

/// States tried with a float instruction's dearest operands: the places of instruction and stack cost little.
const STATES_OF_DEAREST: u32 = 16;

/// Targets of execution, bytes of calldata and what is billed, as the design sets them for every instruction: those
/// of arithmetic, of a load, and of a store, which may straddle and to which every other class is held.
const ARITHMETIC: (u64, u64, u64) = (20_000, 1_126, 66_000);
const LOAD: (u64, u64, u64) = (25_000, 1_843, 94_000);
const STORE: (u64, u64, u64) = (35_000, 2_560, 121_000);

fn target(class: &str) -> (u64, u64, u64) {
    match class {
        "alu" | "f64" | "halting" => ARITHMETIC,
        "load" | "local" => LOAD,
        _ => STORE,
    }
}

/// To accept a change: `GIO_BLESS=1 cargo test -p gio-machine --test court gas`, then read the diff.
#[test]
fn the_committed_gas_is_what_steps_cost() {
    let (classes, dearest) = measure();
    println!("{dearest}");
    for (class, gas) in &classes {
        let (exec, bytes, billed) = target(class);
        assert!(
            gas.exec <= exec && gas.proof_bytes <= bytes && gas.billed <= billed,
            "{class} costs {gas:?}"
        );
    }
    check_page(&classes);
    let figures: BTreeMap<&str, _> = classes
        .iter()
        .map(|(class, gas)| {
            let Gas {
                exec,
                proof_bytes,
                billed,
            } = gas;
            (
                *class,
                json!({ "exec": exec, "proof_bytes": proof_bytes, "billed": billed }),
            )
        })
        .collect();
    let text = format!("{}\n", serde_json::to_string_pretty(&figures).unwrap());
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/snapshots/gas/step.json");
    if std::env::var_os("GIO_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        text,
        "the snapshot is stale"
    );
}

/// Peers, measured once outside this repository; no figure here can go stale by our doing.
const PEERS: [(&str, &str, &str, &str); 6] = [
    (
        "Cannon (MIPS), add / load / store",
        "18,865 / 24,987 / 30,240",
        "2,212",
        "102,880",
    ),
    ("Asterisc (RISC-V 64), add", "37,530", "2,468", "112,670"),
    (
        "Asterisc, load / store",
        "71,812 / 120,458",
        "4,388",
        "189,140 / 208,594",
    ),
    ("Nitro (WAVM), add", "1,201,864", "3,699", "1,256,540"),
    ("Nitro, load", "1,483,401", "4,596", "1,552,365"),
    (
        "Nitro, store across leaves",
        "1,789,981",
        "5,493",
        "1,873,365",
    ),
];

fn table(classes: &BTreeMap<&str, Gas>) -> String {
    let mut text = "| class | exec | proof, bytes | billed |\n|---|---:|---:|---:|\n".to_owned();
    for (class, gas) in classes {
        let (exec, bytes) = (grouped(gas.exec), grouped(gas.proof_bytes));
        let billed = grouped(gas.billed);
        writeln!(text, "| `{class}` | {exec} | {bytes} | {billed} |").unwrap();
    }
    for (peer, exec, bytes, billed) in PEERS {
        writeln!(text, "| {peer} | {exec} | {bytes} | {billed} |").unwrap();
    }
    text
}

/// With a comma between thousands.
fn grouped(number: u64) -> String {
    if number < 1000 {
        return number.to_string();
    }
    format!("{},{:03}", grouped(number / 1000), number % 1000)
}

/// The page's table, or the page with the table renewed.
fn check_page(classes: &BTreeMap<&str, Gas>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/benchmarks.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once("<!-- step gas -->\n").unwrap();
    let (found, tail) = rest.split_once("<!-- /step gas -->").unwrap();
    let table = table(classes);
    if std::env::var_os("GIO_BLESS").is_some() {
        let page = format!("{head}<!-- step gas -->\n{table}<!-- /step gas -->{tail}");
        std::fs::write(&path, page).unwrap();
        return;
    }
    assert_eq!(found, table, "the table of docs/benchmarks.md is stale");
}

/// The worst of every class, and the dearest operands of float instructions in words.
fn measure() -> (BTreeMap<&'static str, Gas>, String) {
    let mut court = Court::new();
    let mut worst = Worst::default();
    let mut dearest = String::new();
    for op in Op::ALL {
        for straddles in [false, true] {
            if straddles && !can_straddle(*op) {
                continue;
            }
            let mut rng = seeded(*op, u64::from(straddles));
            let states = match op.class() {
                Class::Copy | Class::Fill => CHUNKS,
                _ => STATES,
            };
            let full = (0..values::scaled(states)).map(|_| state(*op, straddles, &mut rng));
            let zeros = worst.measure(&mut court, class_of(*op, straddles), full);
            zeros
                .iter()
                .for_each(|zeros| zeros.assert_none_by_accident(*op));
        }
    }
    for op in values::float_operations() {
        let mut rng = seeded(op, 2);
        for (gas, pair) in dearest_floats(&mut court, op, &mut rng) {
            let [x, y] = pair;
            let name = op.name();
            writeln!(dearest, "{name}: {gas} in the float unit at {x:#x} {y:#x}").unwrap();
            let operands = &pair[..usize::from(op.pops())];
            let states = (0..STATES_OF_DEAREST).map(|_| state(op, false, &mut rng).stack(operands));
            worst.measure(&mut court, class_of(op, false), states);
        }
    }
    let mut rng = seeded(Op::Unreachable, 3);
    worst.measure(
        &mut court,
        "halting",
        (0..STATES).map(|_| halting(&mut rng)),
    );
    (worst.0, dearest)
}

/// Numbers of their own for every instruction, so that longer searches begin with what shorter ones try.
fn seeded(op: Op, purpose: u64) -> Rng {
    Rng::new(0x6a5 << 32 | purpose << 16 | u64::from(op.code()))
}

/// A machine that has trapped, about to halt.
fn halting(rng: &mut Rng) -> Scene {
    let mut scene = state(Op::Drop, false, rng);
    scene.header.pc = PC_TRAP;
    scene
}

fn can_straddle(op: Op) -> bool {
    matches!(op.class(), Class::Load | Class::Store) && width(op) > 1
}

/// The most of everything, by class.
#[derive(Default)]
struct Worst(BTreeMap<&'static str, Gas>);

impl Worst {
    fn measure(
        &mut self,
        court: &mut Court,
        class: &'static str,
        states: impl IntoIterator<Item = Scene>,
    ) -> [Zeros; 2] {
        let worst = self.0.entry(class).or_default();
        let mut zeros = <[Zeros; 2]>::default();
        for mut scene in states {
            scene.prepare();
            let proof = scene.proof();
            let (answer, gas) = agreed(court, &proof);
            answer.unwrap_or_else(|fault| panic!("refused for {fault:?}: {scene:#?}"));
            // The instruction is in either half of its leaf.
            zeros[scene.header.pc as usize % 2].see(&proof);
            worst.exec = worst.exec.max(gas.exec);
            worst.proof_bytes = worst.proof_bytes.max(gas.proof_bytes);
            worst.billed = worst.billed.max(gas.billed);
        }
        zeros
    }
}

/// Zero bytes of the longest proofs of an instruction: whether each place always has one, and how few there were.
#[derive(Default)]
struct Zeros {
    always: Vec<bool>,
    fewest: usize,
}

impl Zeros {
    fn see(&mut self, proof: &[u8]) {
        if proof.len() < self.always.len() {
            return;
        }
        if proof.len() > self.always.len() {
            *self = Self {
                always: vec![true; proof.len()],
                fewest: usize::MAX,
            };
        }
        let places = self.always.iter_mut().zip(proof);
        places.for_each(|(always, byte)| *always &= *byte == 0);
        let zeros = proof.iter().filter(|byte| **byte == 0).count();
        self.fewest = self.fewest.min(zeros);
    }

    /// Zeros are cheaper, so a proof with one that could have been something else is not the dearest.
    fn assert_none_by_accident(&self, op: Op) {
        let forced = self.always.iter().filter(|always| **always).count();
        assert_eq!(self.fewest, forced, "zero bytes of {}", op.name());
    }
}

fn class_of(op: Op, straddles: bool) -> &'static str {
    match op.class() {
        Class::Load | Class::Store if straddles => "straddle",
        Class::Stack => "alu",
        Class::Float => "f64",
        Class::Local => "local",
        Class::Global => "global",
        Class::Load => "load",
        Class::Store => "store",
        Class::Frame | Class::Return | Class::Indirect => "call",
        Class::Copy | Class::Fill => "bulk",
        Class::Grow | Class::Host => "host",
    }
}
