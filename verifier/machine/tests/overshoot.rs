//! The fast build ends under every limit, and never far behind it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::fmt::Write;

use gio_machine::{LIBRARY_PREFIX, OVERSHOOT_MAX, PrepareLimits, prepare, prepare_library};
use support::host::{End, Guest, engine};
use support::rng::Rng;
use wasmtime::Module;

/// The same program for one machine version.
struct Builds {
    fast: Module,
    exact: Module,
    /// Before the names of exports.
    prefix: &'static str,
}

/// A hand-written module for both machine versions.
fn builds(body: &str) -> [Builds; 2] {
    let begin = r#"(memory (export "memory") 1) (global $c (mut i32) (i32.const 0)) (func (export "_start"))"#;
    let wasm = wat::parse_str(format!("(module {begin} {body})")).unwrap();
    let limits = PrepareLimits::default();
    let engine = engine();
    let metered = prepare(&wasm, &limits).unwrap();
    let provable = prepare_library(&wasm, &limits).unwrap().builds;
    [(metered, ""), (provable, LIBRARY_PREFIX)].map(|(builds, prefix)| Builds {
        fast: Module::new(&engine, builds.fast).unwrap(),
        exact: Module::new(&engine, builds.exact).unwrap(),
        prefix,
    })
}

impl Builds {
    fn call(&self, build: &Module, entry: &str, limit: u64) -> (Guest, End) {
        let mut guest = Guest::new(build, limit);
        let end = guest.call(&format!("{}{entry}", self.prefix), &[]);
        (guest, end)
    }

    /// How far behind the limit the fast build ends.
    fn overshoot(&self, entry: &str, limit: u64) -> u64 {
        let (mut fast, _) = self.call(&self.fast, entry, limit);
        fast.used_in_the_end().saturating_sub(limit)
    }

    /// The greatest overshoot of `run` under the limits; what both builds say about each has to fit together.
    fn check(&self, limits: impl Iterator<Item = u64>) -> u64 {
        let mut greatest = 0;
        for limit in limits {
            let (mut exact, expected) = self.call(&self.exact, "run", limit);
            let (mut fast, end) = self.call(&self.fast, "run", limit);
            match end {
                End::Exhausted => {}
                End::Trapped => assert_ne!(expected, End::Exhausted, "limit {limit}"),
                End::Returned(_) if expected == End::Exhausted => assert!(fast.used() > limit),
                End::Returned(_) => assert_eq!(fast.used(), exact.used(), "limit {limit}"),
            }
            greatest = greatest.max(fast.used_in_the_end().saturating_sub(limit));
        }
        greatest
    }
}

/// A thread with room for the deepest recursion.
fn on_large_stack(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().stack_size(gio_machine::NATIVE_STACK_BYTES + (8 << 20));
        thread.spawn_scoped(scope, test).unwrap().join().unwrap();
    });
}

fn nops(count: usize) -> String {
    "nop ".repeat(count)
}

#[test]
fn a_loop_around_a_tight_one_and_one_with_values_ends_at_every_limit() {
    let inner = [
        "(loop $inner (local.set $j (i32.sub (local.get $j) (i32.const 1))) nop (br_if $inner (i32.gt_s (local.get $j) (i32.const 9))))",
        "(loop $inner (br_if $inner (i32.ne (local.tee $j (i32.add (local.get $j) (i32.const 1))) (i32.const 5))))",
        "(loop $inner (br_if $inner (local.tee $j (i32.add (local.get $j) (i32.const -1)))))",
    ];
    let valued = [
        "(drop (loop $p (result i32) (br_if $p (global.get $c)) (i32.const 1)))",
        "(i32.const 7) (loop $p (param i32) (br_if $p (global.get $c)) (drop))",
        "(call $empty) (drop (loop $p (result i32) (br_if $p (global.get $c)) (i32.const 1)))",
        "(drop (loop $p (result i32) (loop $q (br_if $q (global.get $c))) (br_if $p (global.get $c)) (i32.const 1)))",
    ];
    for (inner, valued) in inner
        .iter()
        .flat_map(|inner| valued.map(|valued| (inner, valued)))
    {
        let arms =
            format!("(if (global.get $c) (then {inner})) (if (global.get $c) (then {valued}))");
        let head = nops(200);
        for builds in builds(&format!(
            r#"(func $empty (if (global.get $c) (then nop)))
               (func (export "run") (local $j i32) (loop $outer {head} {arms} (br $outer)))"#
        )) {
            assert!(builds.check(3000..3250) <= 200, "{arms}");
        }
    }
}

#[test]
fn a_loop_that_counts_affords_its_arms() {
    for (arm, bound) in [(4000, 2_000_000_000), (60_000, 2_000_000_000), (50, 3000)] {
        let arm = nops(arm);
        for builds in builds(&format!(
            r#"(func (export "run") (local $i i32)
                 (global.set $c (i32.const 1))
                 (loop
                   (if (global.get $c) (then {arm}))
                   (if (i32.eqz (global.get $c)) (then {arm}) (else nop))
                   (br_if 0 (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {bound})))))"#
        )) {
            let greatest = builds.check((1000..200_000).step_by(9999));
            assert!(greatest <= 100, "{greatest}");
        }
    }
}

/// Functions that call each other in trees and chains, and what the fast build may be behind its limit in each.
const TREES: [(&str, u64); 8] = [
    ("tree", 1 << 21),
    ("arms", 1 << 21),
    ("indirect", 1 << 21),
    ("paid", 1 << 21),
    ("chain", 1 << 25),
    ("down", OVERSHOOT_MAX),
    ("table_down", OVERSHOOT_MAX),
    ("paid_down", OVERSHOOT_MAX),
];

fn trees() -> String {
    let work = "(global.set $c (i32.add (i32.mul (global.get $c) (i32.const 5)) (i32.const 1)))"
        .repeat(60);
    let (hundred, five) = ("(call $million)".repeat(100), "(call $million)".repeat(5));
    let mut text = format!(
        r#"(type $one (func (param i32)))
           (table 2 funcref) (elem (i32.const 0) $one_million $table_down)
           (func $work (if (global.get $c) (then {work})) {work})
           (func $million {}) (func $one_million (param i32) (call $million))
           (func $straight {}) (func $chain0)
           (func (export "tree") {hundred})
           (func (export "arms") (if (i32.eqz (global.get $c)) (then {hundred})) {hundred})
           (func (export "indirect") {})
           (func $paid (export "paid") {})
           (func $down (param i32) {five} (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1))))))
           (func $table_down (param i32) {five} (call_indirect (type $one) (local.get 0) (i32.const 0))
             (if (local.get 0)
               (then (call_indirect (type $one) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1)))))
           (func $paid_down (param i32) {} (if (local.get 0)
             (then (call $paid_down (i32.sub (local.get 0) (i32.const 1))))))
           (func (export "down") (call $down (i32.const 50)))
           (func (export "table_down") (call $table_down (i32.const 50)))
           (func (export "paid_down") (call $paid_down (i32.const 2000)))
           (func (export "chain") (call $chain200))"#,
        "(call $work)".repeat(1200),
        nops(190),
        "(call_indirect (type $one) (i32.const 1) (i32.const 0))".repeat(100),
        "(call $straight)".repeat(12_000),
        "(call $straight)".repeat(500),
    );
    for nth in 1..=200 {
        write!(
            text,
            "(func $chain{nth} (call $million) (call $chain{}))",
            nth - 1
        )
        .unwrap();
    }
    text
}

#[test]
fn a_tree_of_calls_looks_in_between() {
    let builds = builds(&trees());
    on_large_stack(|| {
        for builds in builds {
            for (entry, bound) in TREES {
                for limit in [0, 100_000, 3_000_000] {
                    let overshoot = builds.overshoot(entry, limit);
                    assert!(overshoot <= bound, "{entry}, limit {limit}: {overshoot}");
                }
            }
        }
    });
}

/// Functions of a generated program.
const FUNCTIONS: u32 = 5;

/// More than any operators that such a program executes without a look: its functions are short, and its recursions
/// go down [`DEPTH`] calls.
const SMALL_OVERSHOOT: u64 = 4000;

const DEPTH: u32 = 6;

/// Writes functions of loops in loops, calls and recursion. Each has a depth as its parameter.
struct Shapes {
    rng: Rng,
    text: String,
    function: u32,
}

impl Shapes {
    fn program(seed: u64) -> String {
        let mut shapes = Self {
            rng: Rng::new(seed),
            text: "(type $deep (func (param i32))) (table 5 funcref) (elem (i32.const 0) $f0 $f1 $f2 $f3 $f4)".into(),
            function: 0,
        };
        for function in 0..FUNCTIONS {
            shapes.function = function;
            write!(
                shapes.text,
                "(func $f{function} (param $d i32) (local $i i32) (local $j i32) (local $k i32) "
            )
            .unwrap();
            for _ in 0..=shapes.rng.below(4) {
                shapes.statement(3);
            }
            shapes.text.push(')');
        }
        let entry = FUNCTIONS - 1;
        write!(
            shapes.text,
            r#"(func (export "run") (call $f{entry} (i32.const {DEPTH})))"#
        )
        .unwrap();
        shapes.text
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn nops(&mut self, below: u32) {
        let count = self.rng.below(below) as usize;
        self.push(&nops(count));
    }

    /// Something that changes from one time to the next.
    fn maybe(&mut self) {
        let mask = self.rng.pick(&[1, 3, 7, 15]) << 16;
        let next = "(i32.add (i32.mul (global.get $c) (i32.const 1664525)) (i32.const 1013904223))";
        self.push(&format!(
            "(global.set $c {next}) (i32.and (global.get $c) (i32.const {mask})) "
        ));
    }

    fn inside(&mut self, depth: u32) {
        for _ in 0..=self.rng.below(3) {
            self.statement(depth);
        }
    }

    fn statement(&mut self, depth: u32) {
        let depth = depth.saturating_sub(1);
        match self.rng.below(if depth == 0 { 3 } else { 12 }) {
            0 => self.nops(20),
            1 => self.nops(200),
            2 => self.push("(local.set $k (i32.add (local.get $k) (local.get $i)))"),
            3 | 4 => self.arm(depth),
            5 | 6 => self.call(),
            7 => {
                self.push("(block ");
                self.maybe();
                self.push("(br_if 0) ");
                self.inside(depth);
                self.push(")");
            }
            _ => self.repeat(depth),
        }
    }

    fn arm(&mut self, depth: u32) {
        self.maybe();
        self.push("(if (then ");
        self.inside(depth);
        if self.rng.one_in(2) {
            self.push(") (else ");
            self.inside(depth);
        }
        self.push("))");
    }

    /// Of an earlier function, or of any with less depth.
    fn call(&mut self) {
        let way = self.rng.below(3);
        let target = match way {
            0 if self.function > 0 => self.rng.below(self.function),
            _ => self.rng.below(FUNCTIONS),
        };
        let less = "(i32.sub (local.get $d) (i32.const 1))";
        let call = match way {
            0 if self.function > 0 => format!("(call $f{target} (local.get $d))"),
            1 => format!(
                "(if (local.get $d) (then (call_indirect (type $deep) {less} (i32.const {target}))))"
            ),
            _ => format!("(if (local.get $d) (then (call $f{target} {less})))"),
        };
        self.push(&call);
    }

    fn repeat(&mut self, depth: u32) {
        let counter = self.rng.pick(&["$i", "$j"]);
        match self.rng.below(6) {
            // Counted, if nothing inside prevents it.
            0 | 1 => {
                let bound = self.rng.below(60) + 1;
                self.push(&format!("(local.set {counter} (i32.const 0)) (loop "));
                self.inside(depth);
                let next =
                    format!("(local.tee {counter} (i32.add (local.get {counter}) (i32.const 1)))");
                self.push(&format!("(br_if 0 (i32.ne {next} (i32.const {bound}))))"));
            }
            2 => {
                self.push("(loop ");
                self.inside(depth);
                self.maybe();
                self.push("(br_if 0))");
            }
            3 => {
                self.push("(drop (loop (result i32) ");
                self.inside(depth);
                self.maybe();
                self.push("(br_if 0) (i32.const 1)))");
            }
            4 => {
                self.push("(i32.const 1) (loop (param i32) drop ");
                self.inside(depth);
                self.push("(i32.const 1) ");
                self.maybe();
                self.push("(br_if 0) drop)");
            }
            // Left in the middle, and from an arm begun again.
            _ => {
                self.push("(block (loop ");
                self.inside(depth);
                self.maybe();
                self.push("(br_if 1) ");
                self.maybe();
                self.push("(if (then nop nop (br 1))) ");
                self.inside(depth);
                self.push("(br 0)))");
            }
        }
    }
}

#[test]
fn whatever_the_shape_the_fast_build_ends_near_its_limit() {
    let mut greatest = 0;
    for seed in 0..60 {
        let program = Shapes::program(seed);
        let mut rng = Rng::new(seed);
        for builds in builds(&program) {
            let first = 500 + rng.next() % 20_000;
            let overshoot = builds.check((first..first + 700).step_by(23));
            assert!(
                overshoot <= SMALL_OVERSHOOT,
                "seed {seed}: {overshoot} {program}"
            );
            greatest = greatest.max(overshoot);
        }
    }
    println!("at most {greatest} CU behind the limit");
}
