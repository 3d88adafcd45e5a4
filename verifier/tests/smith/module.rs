//! Random modules of exactly the features that the machine accepts, by `wasm-smith`.

use arbitrary::Unstructured;
use wasm_smith::{Config, InstructionKind, InstructionKinds, MemoryOffsetChoices, Module};

use crate::rng::Rng;

/// Pages of 64 KiB that a generated memory has at most: the digest at the end reads all of them.
const PAGES_MAX: u64 = 2;

/// Host calls that a module may make: such whose answers do not depend on a folder, and one that ends the run.
const HOST_CALLS: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_fdstat_get" (func (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
      (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))))"#;

/// The module that belongs to a state of the generator; none if the bytes drawn make none.
pub fn generate(rng: &mut Rng) -> Option<Vec<u8>> {
    let config = config(rng);
    let length = rng.pick(&[2_000, 8_000, 30_000]) + rng.below(2_000);
    let bytes: Vec<u8> = (0..length / 8)
        .flat_map(|_| rng.next().to_le_bytes())
        .collect();
    let module = Module::new(config, &mut Unstructured::new(&bytes)).ok()?;
    Some(module.to_bytes())
}

fn config(rng: &mut Rng) -> Config {
    let calls_host = rng.one_in(4);
    Config {
        // What is accepted (docs/step-machine.md, `features.rs`).
        bulk_memory_enabled: true,
        multi_value_enabled: true,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,
        custom_descriptors_enabled: false,
        custom_page_sizes_enabled: false,
        exceptions_enabled: false,
        extended_const_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        shared_everything_threads_enabled: false,
        simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        // `table.init`, `table.copy` and `elem.drop` are of the two kinds left out.
        allowed_instructions: InstructionKinds::new(&[
            InstructionKind::Numeric,
            InstructionKind::Parametric,
            InstructionKind::Variable,
            InstructionKind::Memory,
            InstructionKind::Control,
        ]),
        available_imports: calls_host.then(|| wat::parse_str(HOST_CALLS).unwrap()),
        max_imports: if calls_host { 6 } else { 0 },
        // What makes programs run for a while and end in every way.
        disallow_traps: !rng.one_in(4),
        allow_floats: !rng.one_in(6),
        min_types: 3,
        max_types: 12,
        min_funcs: 2,
        max_funcs: rng.pick(&[4, 12, 24]),
        max_instructions: rng.pick(&[30, 120, 500, 2_000]),
        min_globals: 1,
        max_globals: 12,
        min_memories: 1,
        max_memories: 1,
        max_memory32_bytes: PAGES_MAX << 16,
        memory_offset_choices: MemoryOffsetChoices(95, 4, 1),
        min_tables: 1,
        max_tables: 1,
        max_table_elements: 40,
        min_element_segments: 2,
        max_element_segments: 12,
        max_elements: 20,
        max_data_segments: 8,
        max_type_size: 200,
        ..Config::default()
    }
}
