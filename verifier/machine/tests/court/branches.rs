//! Branches that keep results and leave operands behind: `br`, `br_if` and `br_table` with 0, 1 and 2 results over 0,
//! 1 and 2 surplus operands, out of one block, of two and of the function.

use std::fmt::Write as _;

use gio_machine::isa::Op;
use gio_machine::state::STATUS_EXIT;
use wasmtime::{Engine, Instance, Module, Store};

use crate::evm::Court;
use crate::programs::{machine, prove};

const TARGETS: [&str; 3] = ["$in", "$out", "$function"];

/// What the caller had below its call.
const SENTINEL: u32 = 7777;

/// Bytes that a call leaves in memory, and where the first ones are.
const RECORD: u32 = 16;
const RECORDS: u32 = 1024;

fn repeated(text: &str, count: u32) -> String {
    text.repeat(count as usize)
}

/// Constants from `first` on.
fn constants(first: u32, count: u32) -> String {
    (first..first + count).fold(String::new(), |mut text, value| {
        write!(text, "i32.const {value} ").unwrap();
        text
    })
}

/// Takes the results off, does something below them, and puts them back with something added.
fn under_results(results: u32, below: &str, added: &str) -> String {
    let mut text = String::new();
    for nth in (0..results).rev() {
        write!(text, "local.set $r{nth} ").unwrap();
    }
    text.push_str(below);
    for nth in 0..results {
        write!(text, " local.get $r{nth} {added} i32.add ").unwrap();
    }
    text
}

/// A function that branches in its inner block, where `x` says whether or where to, and tells at `at` what was below
/// its blocks if it comes there.
fn function(name: &str, results: u32, surplus: u32, branch: &str) -> String {
    let ty = format!("(result {})", repeated("i32 ", results));
    let kept = (0..results).fold(String::new(), |mut text, nth| {
        write!(text, "local.get $x i32.const {} i32.add ", 30 + nth).unwrap();
        text
    });
    let falls_through = branch.contains("br_if");
    let behind = if falls_through {
        repeated("drop ", results + surplus) + &constants(40, results)
    } else {
        String::new()
    };
    format!(
        "(func ${name} (param $x i32) (param $at i32) {ty} (local $r0 i32) (local $r1 i32) (local $under i32)
          i32.const 1000
          block $out {ty}
            {outer}
            block $in {ty}
              {inner} {kept} {branch} {behind}
            end
            {from_inner}
          end
          {from_outer})",
        outer = constants(500, surplus),
        inner = constants(600, surplus),
        from_inner = under_results(results, &repeated("drop ", surplus), "i32.const 7"),
        from_outer = under_results(
            results,
            "local.set $under local.get $at local.get $under i32.store",
            "local.get $under"
        ),
    )
    .replace("$function", "2")
}

/// Every case as a function, with its number of results.
fn cases() -> Vec<(String, u32)> {
    let mut branches: Vec<String> = Vec::new();
    for target in TARGETS {
        branches.push(format!("br {target}"));
        branches.push(format!("local.get $x br_if {target}"));
    }
    branches.push("local.get $x br_table $in $out $function $out".to_owned());
    let mut cases = Vec::new();
    for branch in branches {
        for results in 0..3 {
            for surplus in 0..3 {
                let name = format!("f{}", cases.len());
                cases.push((function(&name, results, surplus, &branch), results));
            }
        }
    }
    cases
}

/// Calls every case with 0 to 3; what it answers, and what is below the call afterwards, goes to memory.
fn program() -> (Vec<u8>, u32) {
    let mut text = "(module (memory (export \"memory\") 1)".to_owned();
    let mut start = String::new();
    let mut calls = 0;
    for (nth, (function, results)) in cases().into_iter().enumerate() {
        text.push_str(&function);
        for x in 0..4 {
            let at = RECORDS + RECORD * calls;
            let below =
                format!("local.set $below i32.const {at} local.get $below i32.store offset=4");
            let taken = under_results(results, &below, "i32.const 0");
            let kept: String = (0..results)
                .rev()
                .map(|nth| {
                    format!(
                        "local.set $r{nth} i32.const {at} local.get $r{nth} i32.store offset={} ",
                        8 + 4 * nth
                    )
                })
                .collect();
            writeln!(
                start,
                "i32.const {SENTINEL} i32.const {x} i32.const {at} call $f{nth} {taken} {kept}"
            )
            .unwrap();
            calls += 1;
        }
    }
    write!(
        text,
        "(func (export \"_start\") (local $r0 i32) (local $r1 i32) (local $below i32) {start}))"
    )
    .unwrap();
    (wat::parse_str(text).unwrap(), calls)
}

#[test]
fn bug_04_branches_keep_their_results_and_nothing_else() {
    let (wasm, calls) = program();
    let engine = Engine::default();
    let module = Module::new(&engine, &wasm).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start");
    start.unwrap().call(&mut store, ()).unwrap();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let expected = memory.data(&store);

    let mut machine = machine(&wasm, 1 << 30);
    let seen = prove(&mut Court::new(), &mut machine);
    assert_eq!(machine.halted().unwrap().status, STATUS_EXIT);
    let records = |memory: &[u8]| -> Vec<[u32; 4]> {
        let bytes = &memory[RECORDS as usize..(RECORDS + RECORD * calls) as usize];
        let words = bytes
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()));
        let words: Vec<u32> = words.collect();
        words
            .chunks_exact(4)
            .map(|record| record.try_into().unwrap())
            .collect()
    };
    let (found, expected) = (records(machine.memory(0)), records(expected));
    for (nth, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(
            found, expected,
            "call {nth}: below the blocks, below the call, results"
        );
        assert_eq!(found[1], SENTINEL, "call {nth}");
    }
    for op in [
        Op::Drop,
        Op::DropUnder,
        Op::JumpTable,
        Op::JumpIf,
        Op::JumpUnless,
    ] {
        assert!(seen.contains(&op), "{}", op.name());
    }
}
