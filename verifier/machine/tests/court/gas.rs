//! What a step costs on chain, by class of instructions: the worst of each class at code depth 18 and memory depth
//! 21, in `contracts/snapshots/gas/step.json`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use gio_machine::isa::{Class, Op};
use serde_json::json;

use crate::evm::{Court, Gas};
use crate::rng::Rng;
use crate::scene::{Depths, Scene, width};
use crate::values;

/// The depths of the snapshot; locals, table and I/O are as deep as prepared programs and deals make them at most.
const DEEP: Depths = Depths {
    code: 18,
    memory: 21,
    slots: 12,
    table: 15,
    input: 22,
    output: 22,
};

/// Operands tried per instruction.
const ROUNDS: u32 = 12;

/// `docs/design` targets: execution and bytes of a proof, what a straddling store is billed.
const TARGETS: [(&str, u64, u64, u64); 5] = [
    ("alu", 20_000, 1_126, 66_000),
    ("f64", 20_000, 1_126, 66_000),
    ("load", 25_000, 1_843, 94_000),
    ("store", 35_000, 2_560, 121_000),
    ("straddle", 35_000, 2_560, 121_000),
];

/// To accept a change: `GIO_BLESS=1 cargo test -p gio-machine --test court gas`, then read the diff.
#[test]
fn the_committed_gas_is_what_steps_cost() {
    let classes = measure();
    for (class, exec, bytes, billed) in TARGETS {
        let gas = classes[class];
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

fn measure() -> BTreeMap<&'static str, Gas> {
    let mut court = Court::new();
    let mut rng = Rng::new(0x6a5);
    let mut worst: BTreeMap<&str, Gas> = BTreeMap::new();
    for op in Op::ALL {
        for round in 0..ROUNDS {
            let straddles = round % 2 == 1;
            let scene = deep(*op, straddles, &mut rng);
            let (_, _, gas) = scene.agrees(&mut court);
            let entry = worst.entry(class_of(*op, straddles)).or_default();
            entry.exec = entry.exec.max(gas.exec);
            entry.proof_bytes = entry.proof_bytes.max(gas.proof_bytes);
            entry.billed = entry.billed.max(gas.billed);
        }
    }
    worst
}

fn class_of(op: Op, straddles: bool) -> &'static str {
    match op.class() {
        Class::Load | Class::Store if straddles && width(op) > 1 => "straddle",
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

/// A state whose step does all its work, with operands of full width.
fn deep(op: Op, straddles: bool, rng: &mut Rng) -> Scene {
    let mut scene = Scene::new(op, DEEP);
    scene.header.pc = rng.below(2 << 18);
    scene.header.pages = [600, 500];
    scene.env.pages_max = [60_000, 60_000];
    scene.instruction.imm = rng.next() >> 24;
    scene.instruction.a = u16::try_from(rng.below(2)).unwrap();
    scene.stack.iter_mut().for_each(|slot| *slot = rng.next());
    let last = scene.stack.len().saturating_sub(1);
    let offset = if straddles {
        31
    } else {
        u64::from(rng.below(4)) * 8
    };
    let address = u64::from(rng.below(400 << 11)) * 32 + offset;
    match op.class() {
        Class::Float => {
            let format = if op.name().starts_with("f32") {
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
            scene.instruction.a = 12;
            scene.instruction.b = rng.below(4 << 12);
        }
        Class::Load | Class::Store => {
            scene.instruction.b = 16;
            let at = if op.class() == Class::Load {
                last
            } else {
                last - 1
            };
            scene.stack[at] = address.saturating_sub(16);
        }
        Class::Copy | Class::Fill => {
            scene.stack[last - 2] = address;
            scene.stack[last - 1] = address / 3;
            scene.stack[last] = 4096 + 7;
        }
        Class::Indirect => {
            let index = rng.below(scene.rest.table_size);
            scene.stack[last] = u64::from(index);
            scene.instruction.b = 9;
            Scene::set_slot(&mut scene.table, index, 9 << 32 | 1234);
        }
        Class::Frame => scene.instruction = scene.instruction.a(12).b(1000),
        Class::Grow => scene.stack[last] = 100,
        Class::Host => match op {
            Op::ScratchLoad | Op::ScratchStore => scene.stack[last] = address & !31,
            Op::InputFetch | Op::OutputWrite => scene.stack[last] = rng.next() % (1 << 21),
            Op::OutputClose => scene.stack[last] = 1 << 20,
            Op::Env => scene.instruction.b = rng.below(7),
            _ => {}
        },
        Class::Stack | Class::Return => {}
    }
    scene
}
