//! Both builds charge what an oracle finds that counts every executed operator, and end where it says.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use gio_machine::{PrepareLimits, Prepared, prepare};
use support::generator::{DOUBLES, Program, SINGLES, Taste, generate};
use support::host::{End, Event, Guest, engine, reference_engine};
use support::oracle::Oracle;
use support::rng::Rng;
use wasmtime::{Engine, Module, Val};

/// More than any generated program uses.
const PLENTY: u64 = 1 << 40;

/// One program in all its encodings.
struct Bench {
    oracle: Oracle,
    traced: Module,
    fast: Module,
    exact: Module,
}

/// What a run left behind.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    end: End,
    memory: Vec<u8>,
    globals: Vec<u64>,
}

impl Bench {
    fn new(program: &Program, reference: &Engine, ours: &Engine) -> Self {
        let Prepared { fast, exact, .. } =
            prepare(&program.encode(false), &PrepareLimits::default()).unwrap();
        Self {
            oracle: Oracle::new(program),
            traced: Module::new(reference, program.encode(true)).unwrap(),
            fast: Module::new(ours, fast).unwrap(),
            exact: Module::new(ours, exact).unwrap(),
        }
    }

    fn trace(&self, export: &str, params: &[Val]) -> (Left, Vec<Event>) {
        let mut guest = Guest::new(&self.traced, PLENTY);
        let left = run(&mut guest, export, params);
        (left, std::mem::take(&mut guest.store.data_mut().events))
    }
}

fn run(guest: &mut Guest, export: &str, params: &[Val]) -> Left {
    Left {
        end: guest.call(export, params),
        memory: guest.memory().to_vec(),
        globals: guest.globals(),
    }
}

fn exhausted(guest: &mut Guest, export: &str, params: &[Val]) -> u64 {
    assert_eq!(guest.call(export, params), End::Exhausted);
    guest.used()
}

#[test]
fn generated_programs_cost_what_the_oracle_counts() {
    let (reference, ours) = (reference_engine(), engine());
    let (mut returned, mut trapped) = (0, 0);
    for seed in 0..8 {
        let taste = Taste {
            traps: seed % 2 == 1,
            bulk: true,
            floats: 3,
            statements: 6,
        };
        let program = generate(seed, 60, taste);
        let bench = Bench::new(&program, &reference, &ours);
        let mut rng = Rng::new(seed);
        for function in 0..60 {
            let params = [
                Val::I32(rng.below(9).cast_signed()),
                Val::I64(rng.next().cast_signed()),
                Val::F32(rng.pick(&SINGLES)),
                Val::F64(rng.pick(&DOUBLES)),
            ];
            match check(&bench, &function.to_string(), &params, &mut rng) {
                End::Returned(_) => returned += 1,
                _ => trapped += 1,
            }
        }
    }
    println!("{returned} returned, {trapped} trapped");
    assert!(
        returned > 200 && trapped > 30,
        "{returned} returned, {trapped} trapped"
    );
}

fn check(bench: &Bench, export: &str, params: &[Val], rng: &mut Rng) -> End {
    let (expected, events) = bench.trace(export, params);
    let (cu, _) = bench.oracle.charge(&events, PLENTY);

    let mut exact = Guest::new(&bench.exact, PLENTY);
    assert_eq!(run(&mut exact, export, params), expected);
    assert_eq!(exact.used(), cu, "{export} {params:?} {:?}", expected.end);

    let mut fast = Guest::new(&bench.fast, PLENTY);
    assert_eq!(run(&mut fast, export, params), expected);
    if expected.end != End::Trapped {
        assert_eq!(fast.used(), cu, "{export} {params:?}");
    }

    let mut enough = Guest::new(&bench.exact, cu);
    assert_eq!(run(&mut enough, export, params), expected);
    assert_eq!(enough.used(), cu);

    for limit in [cu - 1, rng.next() % cu, rng.next() % cu] {
        let (used, ends) = bench.oracle.charge(&events, limit);
        assert!(ends, "the program costs more than {limit}");
        let mut exact = Guest::new(&bench.exact, limit);
        assert_eq!(
            exhausted(&mut exact, export, params),
            used,
            "{export} limit {limit}"
        );
        // The fast build may run on to its end or its trap, but then it is known to have passed the limit.
        let mut fast = Guest::new(&bench.fast, limit);
        match fast.call(export, params) {
            End::Returned(_) => assert!(fast.used() > limit),
            End::Trapped => assert_eq!(expected.end, End::Trapped),
            End::Exhausted => {}
        }
    }
    expected.end
}

/// A hand-written module in both builds under ample limits; its entry is `run`.
struct Written {
    fast: Module,
    exact: Module,
}

impl Written {
    fn new(body: &str) -> Self {
        let wat =
            format!(r#"(module (memory (export "memory") 1) (func (export "_start")) {body})"#);
        let prepared = prepare(&wat::parse_str(wat).unwrap(), &PrepareLimits::default()).unwrap();
        let engine = engine();
        Self {
            fast: Module::new(&engine, prepared.fast).unwrap(),
            exact: Module::new(&engine, prepared.exact).unwrap(),
        }
    }

    /// End and CU in the exact build; the fast build must agree.
    fn run(&self, params: &[Val]) -> (End, u64) {
        let mut exact = Guest::new(&self.exact, PLENTY);
        let end = exact.call("run", params);
        let mut fast = Guest::new(&self.fast, PLENTY);
        assert_eq!(fast.call("run", params), end);
        if end != End::Trapped {
            assert_eq!(fast.used(), exact.used());
        }
        (end, exact.used())
    }
}

#[test]
fn marks_cost_nothing_and_every_operator_costs_one() {
    let written = Written::new(
        r#"(func (export "run") (result i32) block block nop end end loop end i32.const 1 i32.const 2 i32.add)"#,
    );
    assert_eq!(written.run(&[]), (End::Returned(vec![3]), 4));
}

#[test]
fn a_block_that_traps_in_its_middle_is_charged_as_a_whole() {
    let written = Written::new(
        r#"(func (export "run") (param i32)
             i32.const 1 local.get 0 i32.div_u drop nop nop nop)"#,
    );
    assert_eq!(written.run(&[Val::I32(1)]), (End::Returned(vec![]), 7));
    assert_eq!(written.run(&[Val::I32(0)]), (End::Trapped, 7));
}

#[test]
fn a_branch_table_charges_only_the_arm_it_takes() {
    let written = Written::new(
        r#"(func (export "run") (param i32) (result i32)
             (block (block (block (br_table 0 1 2 (local.get 0))) (return (i32.const 10))) nop nop)
             i32.const 7)"#,
    );
    assert_eq!(written.run(&[Val::I32(0)]), (End::Returned(vec![10]), 4));
    assert_eq!(written.run(&[Val::I32(1)]), (End::Returned(vec![7]), 5));
    for beyond in [2, 3, -1] {
        assert_eq!(
            written.run(&[Val::I32(beyond)]),
            (End::Returned(vec![7]), 3)
        );
    }
}

#[test]
fn a_loop_charges_every_round() {
    let written = Written::new(
        r#"(func (export "run") (param i32) (result i32)
             (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0))"#,
    );
    assert_eq!(written.run(&[Val::I32(1)]), (End::Returned(vec![0]), 6));
    assert_eq!(
        written.run(&[Val::I32(1000)]),
        (End::Returned(vec![0]), 5001)
    );
}

#[test]
fn loops_cost_the_same_whichever_way_they_are_left() {
    // A tight loop with arms, a skipped end, and exits in the middle by `br_if`, `br_table` and `return`.
    let written = Written::new(
        r#"(func (export "run") (param $n i32) (param $way i32) (result i32) (local $i i32) (local $sum i32)
             (block $out (block $done
               (loop $next
                 (local.set $i (i32.add (local.get $i) (i32.const 1)))
                 (block $even
                   (br_if $even (i32.eqz (i32.and (local.get $i) (i32.const 1))))
                   (local.set $sum (i32.add (local.get $sum) (i32.const 3))) nop nop)
                 (br_if $done (i32.eq (local.get $i) (local.get $n)))
                 (if (i32.eq (local.get $i) (i32.const 7))
                   (then (block $on (block $quit (block $leave
                     (br_table $on $quit $leave (local.get $way)))
                     nop (br $out)) nop nop (return (local.get $sum)))))
                 nop
                 (br_if $next (i32.lt_u (local.get $i) (i32.const 100))))
               nop nop nop)
             (local.set $sum (i32.add (local.get $sum) (i32.const 1000))))
           (local.get $sum))"#,
    );
    // A round: 9, if odd 6, 4, 4 and 5; the way through $on 2 more.
    let round = |odd: u64| 9 + 6 * odd + 4 + 4;
    let whole = |i: u64| round(i % 2) + 5 + if i == 7 { 2 } else { 0 };
    let rounds = |to: u64| (1..=to).map(whole).sum::<u64>();
    let run = |n, way| written.run(&[Val::I32(n), Val::I32(way)]);
    let done = 4 + 1;
    assert_eq!(
        run(3, 0),
        (End::Returned(vec![1006]), rounds(2) + round(1) - 4 + done)
    );
    assert_eq!(
        run(50, 0),
        (End::Returned(vec![1075]), rounds(49) + round(0) - 4 + done)
    );
    assert_eq!(
        run(0, 0),
        (End::Returned(vec![1150]), rounds(100) + 3 + done)
    );
    assert_eq!(
        run(0, 1),
        (End::Returned(vec![12]), rounds(6) + round(1) + 2 + 4)
    );
    assert_eq!(
        run(0, 2),
        (End::Returned(vec![12]), rounds(6) + round(1) + 2 + 2 + 1)
    );
}

#[test]
fn a_loop_may_be_left_with_a_value() {
    let written = Written::new(
        r#"(func (export "run") (param $n i32) (result i32) (local $i i32)
             (block $out (result i32)
               (loop
                 (local.set $i (i32.add (local.get $i) (i32.const 1)))
                 (drop (br_if $out (i32.mul (local.get $i) (i32.const 10)) (i32.eq (local.get $i) (local.get $n))))
                 nop nop (br 0))
               unreachable)
             nop)"#,
    );
    assert_eq!(
        written.run(&[Val::I32(3)]),
        (End::Returned(vec![30]), 2 * (11 + 4) + 11 + 1)
    );
}

#[test]
fn a_function_that_always_costs_the_same_costs_it_however_it_is_called() {
    let written = Written::new(
        r#"(type $unary (func (param i32) (result i32)))
           (table 2 funcref) (elem (i32.const 0) $double $double)
           (func $double (param i32) (result i32) (i32.add (local.get 0) (local.get 0)))
           (func (export "run") (param $n i32) (result i32) (local $sum i32)
             (loop
               (local.set $sum (i32.add (local.get $sum) (call $double (local.get $n))))
               (if (i32.and (local.get $n) (i32.const 1))
                 (then (drop (call_indirect (type $unary) (i32.const 7) (i32.const 1)))))
               (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
             (call $double (local.get $sum)))
           (export "double" (func $double))"#,
    );
    // A round: 5 and 3 for the callee, 4, odd 4 and 3, 5.
    let (end, cu) = written.run(&[Val::I32(10)]);
    assert_eq!(end, End::Returned(vec![220]));
    assert_eq!(cu, 10 * (5 + 3 + 4 + 5) + 5 * (4 + 3) + 2 + 3);
    for module in [&written.fast, &written.exact] {
        let mut guest = Guest::new(module, PLENTY);
        assert_eq!(guest.call("double", &[Val::I32(4)]), End::Returned(vec![8]));
        assert_eq!(guest.used(), 3);
    }
}

#[test]
fn loops_around_calls_and_loops_end_at_their_limit() {
    let written = Written::new(
        r#"(func $work (param i32) (if (local.get 0) (then (global.set 0 (local.get 0)))))
           (global (mut i32) (i32.const 0))
           (func (export "calls") (loop (call $work (i32.const 1)) nop (br 0)))
           (func (export "sometimes") (param i32) (loop (if (local.get 0) (then (call $work (i32.const 1)))) (br 0)))
           (func (export "nested") (local i32)
             (loop (local.set 0 (i32.const 3))
               (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (br 0)))
           (func (export "carried") (param i32) (i32.const 5) (loop (param i32) (br 0)))
           (func (export "endless") (result i32) (loop (result i32) (br 0)))
           (func $deep (param i32) (if (local.get 0)
             (then (call $deep (i32.sub (local.get 0) (i32.const 1))) (call $deep (i32.sub (local.get 0) (i32.const 1))))))
           (func (export "tree") (call $deep (i32.const 60)))"#,
    );
    let one = [Val::I32(1)];
    let cases: [(&str, &[Val]); 6] = [
        ("calls", &[]),
        ("sometimes", &one),
        ("nested", &[]),
        ("carried", &one),
        ("endless", &[]),
        ("tree", &[]),
    ];
    for (export, params) in cases {
        for limit in [1000, 54_321] {
            let mut exact = Guest::new(&written.exact, limit);
            let used = exhausted(&mut exact, export, params);
            assert!(
                used <= limit && used + 20 > limit,
                "{export}: {used} of {limit}"
            );
            let mut fast = Guest::new(&written.fast, limit);
            assert_eq!(fast.call(export, params), End::Exhausted, "{export}");
        }
    }
}

/// Rounds of a loop that adds `step` to `start` until it is `bound`.
fn rounds(start: i32, step: i32, bound: i32) -> u64 {
    let after = |round: u64| start.wrapping_add(step.wrapping_mul(i32::try_from(round).unwrap()));
    (1..).find(|round| after(*round) == bound).unwrap()
}

#[test]
fn loops_that_count_cost_the_same_wherever_they_begin_and_end() {
    // The same loop four ways: the bound first, last, as a constant, and none but zero. Every other round has an arm.
    let arm = "(if (i32.and (local.get $i) (i32.const 1)) (then nop nop))";
    let cases: [(i32, i32, i32); 14] = [
        (0, 1, 1),
        (0, 1, 700),
        (5, 1, 4000),
        (-300, 1, 300),
        (300, -1, -300),
        (0, 8, 8000),
        (6, 12, 6 + 12 * 90),
        (0, -24, -24 * 333),
        (1, 1 << 30, 1),
        (0, 0x6000_0000, 0x2000_0000),
        (7, -0x6000_0000, 7 - 0x2000_0000),
        (0, i32::MIN, i32::MIN),
        (3, i32::MIN, 3),
        (0, 0x1000_0001, 0x1000_0001_i32.wrapping_mul(999)),
    ];
    for (start, step, bound) in cases {
        let changed = format!("(local.tee $i (i32.add (local.get $i) (i32.const {step})))");
        let ways = [
            format!("(br_if 0 (i32.ne (local.get $n) {changed}))"),
            format!("(br_if 0 (i32.ne {changed} (local.get $n)))"),
            format!("(br_if 0 (i32.ne {changed} (i32.const {bound})))"),
            format!("(drop {changed}) (br_if 0 (i32.ne (local.get $i) (local.get $n)))"),
        ];
        let zero = format!("(br_if 0 {changed})");
        let zero = (start.wrapping_sub(bound), 0, &zero);
        let ways = ways.iter().map(|way| (start, bound, way)).chain([zero]);
        for (start, bound, way) in ways {
            let written = Written::new(&format!(
                r#"(func (export "run") (param $i i32) (param $n i32) (result i32) (local $r i32)
                     (loop {arm} (local.set $r (i32.add (local.get $r) (i32.const 1))) {way}) (local.get $r))"#
            ));
            let params = [Val::I32(start), Val::I32(bound)];
            let (end, cu) = written.run(&params);
            let expected = rounds(start, step, bound);
            assert_eq!(end, End::Returned(vec![expected]), "{start} {step} {way}");
            for limit in [cu - 1, cu / 2, cu / 3] {
                let mut exact = Guest::new(&written.exact, limit);
                assert!(exhausted(&mut exact, "run", &params) <= limit);
                let mut fast = Guest::new(&written.fast, limit);
                match fast.call("run", &params) {
                    End::Exhausted => {}
                    _ => assert!(fast.used() > limit, "{start} {step} {way} {limit}"),
                }
            }
        }
    }
}

#[test]
fn loops_that_look_as_if_they_counted_cost_what_they_do() {
    for (bound, body) in [
        // The bound changes, the local changes twice, in an arm, before it is asked for, by no constant.
        (600, "(local.set $n (i32.sub (local.get $n) (i32.const 1)))
         (br_if 0 (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))"),
        (600, "(local.set $i (i32.add (local.get $i) (i32.const 1)))
         (br_if 0 (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))"),
        (600, "(if (i32.eqz (local.get $r)) (then (local.set $i (i32.add (local.get $i) (i32.const 1)))))
         (local.set $r (i32.eqz (local.get $r)))
         (br_if 0 (i32.ne (local.get $i) (local.get $n)))"),
        (600, "(local.get $i) (local.set $i (i32.add (local.get $i) (i32.const 1)))
         (local.get $n) i32.ne (br_if 0)"),
        (600, "(br_if 0 (i32.ne (local.tee $i (i32.add (local.get $i) (local.get $r))) (local.get $n)))"),
        (600, "(br_if 0 (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 0))) (local.get $i)))"),
        (600, "(block $out (br_if $out (i32.eqz (local.get $r))) (local.set $i (i32.add (local.get $i) (i32.const 1))))
         (local.set $r (i32.const 1))
         (br_if 0 (i32.ne (local.get $i) (local.get $n)))"),
        // It is left, and begun again, from its middle.
        (600, "(br_if 1 (i32.eq (local.get $i) (i32.const 33)))
         (br_if 0 (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))"),
        (601, "(if (i32.and (local.get $i) (i32.const 1)) (then
           (br 1 (local.set $i (i32.add (local.get $i) (i32.const 3))))))
         (br_if 0 (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))"),
    ] {
        let written = Written::new(&format!(
            r#"(func (export "run") (param $i i32) (param $n i32) (param $r i32) (result i32)
                 (block (loop {body})) (local.get $i))"#
        ));
        let params = [Val::I32(0), Val::I32(bound), Val::I32(4)];
        let (end, _) = written.run(&params);
        assert!(matches!(end, End::Returned(_)), "{body}");
    }
}

#[test]
fn a_loop_that_counts_past_its_bound_for_ever_ends_at_its_limit() {
    for (step, arm) in [
        (2, ""),
        (-4, ""),
        (1 << 31, ""),
        (6, "(if (local.get $i) (then nop nop nop nop nop nop nop))"),
    ] {
        let written = Written::new(&format!(
            r#"(func (export "run") (param $i i32) (param $n i32)
                 (loop {arm} (br_if 0 (i32.ne (local.get $n)
                   (local.tee $i (i32.add (local.get $i) (i32.const {step})))))))"#
        ));
        let params = [Val::I32(0), Val::I32(1)];
        for limit in [0, 1, 7, 1000, 54_321, 100_000_000] {
            let mut exact = Guest::new(&written.exact, limit);
            let used = exhausted(&mut exact, "run", &params);
            assert!(
                used <= limit && used + 20 > limit,
                "{step}: {used} of {limit}"
            );
            let mut fast = Guest::new(&written.fast, limit);
            assert_eq!(fast.call("run", &params), End::Exhausted, "{step}");
        }
    }
}

#[test]
fn a_small_function_does_in_the_place_of_its_call_what_it_does_called() {
    let written = Written::new(
        r#"(func $less (param i32 i32) (result i32) (i32.sub (local.get 0) (local.get 1)))
           (func $fresh (param i32) (result i32) (local i32 i64 f64)
             (local.set 1 (i32.add (local.get 1) (local.get 0)))
             (local.set 3 (f64.add (local.get 3) (f64.convert_i32_s (local.get 1))))
             (local.set 2 (i64.add (local.get 2) (i64.trunc_f64_s (local.get 3))))
             (i32.wrap_i64 (local.get 2)))
           (func $nothing)
           (func $kept (param f64) (result f64) (local.get 0))
           (func $made (param f64) (result f64) (f64.add (local.get 0) (f64.const 1)))
           (func (export "run") (param $n i32) (param $x f64) (result i32) (local $sum i32)
             (loop
               (call $nothing)
               (local.set $sum (i32.add (local.get $sum) (call $less (call $fresh (local.get $n)) (i32.const 1))))
               (f64.store (i32.const 8) (call $kept (local.get $x)))
               (f64.store (i32.const 16) (call $made (local.get $x)))
               (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
             (local.get $sum))"#,
    );
    // A NaN with a payload: kept as it is, and canonical once it was computed with.
    let payload = 0xfff4_0000_0000_0001;
    let params = [Val::I32(100), Val::F64(payload)];
    let (end, cu) = written.run(&params);
    assert_eq!(end, End::Returned(vec![5050 - 100]));
    // A round: the five lines, then the callees in order.
    let lines = 1 + 7 + 4 + 4 + 5;
    assert_eq!(cu, 100 * (lines + 16 + 3 + 1 + 3) + 1);
    let mut fast = Guest::new(&written.fast, PLENTY);
    fast.call("run", &params);
    let mut bits = |at: usize| u64::from_le_bytes(fast.memory()[at..at + 8].try_into().unwrap());
    assert_eq!((bits(8), bits(16)), (payload, 0x7ff8_0000_0000_0000));
}

#[test]
fn several_results_leave_through_every_exit() {
    let written = Written::new(
        r#"(func $pair (param i32) (result i32 i64)
             (if (i32.eqz (local.get 0)) (then (return (i32.const 1) (i64.const 2))))
             (block (br_if 0 (i32.eq (local.get 0) (i32.const 1)))
               (br 1 (i32.const 3) (i64.const 4)))
             (call $none) (i32.const 5) (i64.const 6))
           (func $none)
           (func (export "run") (param i32) (result i32 i64) (call $pair (local.get 0)))"#,
    );
    let answer = |n| written.run(&[Val::I32(n)]).0;
    assert_eq!(answer(0), End::Returned(vec![1, 2]));
    assert_eq!(answer(1), End::Returned(vec![5, 6]));
    assert_eq!(answer(2), End::Returned(vec![3, 4]));
}

#[test]
fn bulk_operations_and_growth_are_charged_by_size_before_they_take_effect() {
    let fill = Written::new(
        r#"(func (export "run") (param i32) (memory.fill (i32.const 0) (i32.const 1) (local.get 0)))"#,
    );
    for (bytes, cu) in [(0, 4), (1, 5), (8, 5), (9, 6), (65536, 4 + 8192)] {
        assert_eq!(fill.run(&[Val::I32(bytes)]), (End::Returned(vec![]), cu));
    }
    assert_eq!(fill.run(&[Val::I32(65537)]), (End::Trapped, 4 + 8193));
    assert_eq!(fill.run(&[Val::I32(-1)]), (End::Trapped, 4 + (1 << 29)));

    let grow = Written::new(
        r#"(func (export "run") (param i32) (result i32) (memory.grow (local.get 0)))"#,
    );
    assert_eq!(grow.run(&[Val::I32(0)]), (End::Returned(vec![1]), 2));
    assert_eq!(
        grow.run(&[Val::I32(3)]),
        (End::Returned(vec![1]), 2 + 3 * 1024)
    );
    let refused = End::Returned(vec![u64::from(u32::MAX)]);
    assert_eq!(grow.run(&[Val::I32(-1)]), (refused, 2 + 65536 * 1024));
}

#[test]
fn recursion_traps_at_the_same_depth_in_both_builds() {
    // Answers the depth at which it was, through memory, when the stack limit ended it.
    let written = Written::new(
        r#"(func $down (param i32) (result i32)
             (i32.store (i32.const 0) (local.get 0))
             (call $leaf)
             (i32.add (call $down (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
           (func $leaf)
           (func (export "run") (result i32) (call $down (i32.const 0)))"#,
    );
    let on_large_stack = |module: &Module| {
        std::thread::scope(|scope| {
            std::thread::Builder::new()
                .stack_size(gio_machine::NATIVE_STACK_BYTES + (8 << 20))
                .spawn_scoped(scope, || depth(module))
                .unwrap()
                .join()
                .unwrap()
        })
    };
    let exact = on_large_stack(&written.exact);
    // `run`: 8 for a frame, 1 operand. `$down`: 8, 1 parameter, 2 operands.
    assert_eq!(exact, (gio_machine::STACK_SLOTS_MAX - 9) / 11 - 1);
    let fast = on_large_stack(&written.fast);
    assert!(
        fast <= exact && (exact - fast) * 11 <= 4096,
        "the fast build may only stop early, near the limit: {fast} {exact}"
    );
}

/// The depth that a module writes to its memory before its stack ends.
fn depth(module: &Module) -> u32 {
    let mut guest = Guest::new(module, PLENTY);
    assert_eq!(guest.call("run", &[]), End::Trapped);
    u32::from_le_bytes(guest.memory()[..4].try_into().unwrap())
}
