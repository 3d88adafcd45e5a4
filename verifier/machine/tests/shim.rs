//! The committed shim is what its source says, and its allocator does not wrap.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(
    clippy::disallowed_methods,
    reason = "the crate is pure, this test compares with a committed file"
)]

mod shim_compiler;

use wasmtime::{Engine, Instance, Memory, MemoryType, Module, Store, Trap};

const SOURCES: [&str; 8] = [
    include_str!("../shim/memory.shim"),
    include_str!("../shim/descriptors.shim"),
    include_str!("../shim/budget.shim"),
    include_str!("../shim/tree.shim"),
    include_str!("../shim/image.shim"),
    include_str!("../shim/streams.shim"),
    include_str!("../shim/paths.shim"),
    include_str!("../shim/process.shim"),
];

/// Calls the allocator with a heap that ends at `top`.
const PROBE: &str = r"
export fn probe(top, most, bytes) -> int {
    m32[TOP] = top;
    m32[PAGES_MAX] = most;
    return alloc(bytes);
}
export fn top() -> int { return m32[TOP]; }
export fn size() -> int { return pages(); }
";

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/shim/shim.wasm");

/// With `GIO_WRITE_SHIM=1` the compiled shim is written instead, for whoever changes the source.
#[test]
fn the_committed_shim_is_what_its_source_compiles_to() {
    let compiled = shim_compiler::compile(&SOURCES);
    let features = wasmparser::WasmFeatures::default() | wasmparser::WasmFeatures::MULTI_MEMORY;
    wasmparser::Validator::new_with_features(features)
        .validate_all(&compiled)
        .unwrap();
    if std::env::var_os("GIO_WRITE_SHIM").is_some() {
        std::fs::write(COMMITTED, &compiled).unwrap();
    }
    let committed = std::fs::read(COMMITTED).unwrap_or_default();
    assert!(
        committed == compiled,
        "run with GIO_WRITE_SHIM=1 and commit"
    );
}

/// One of the bugs found in other provers, number 16 in the list of `court/bugs.rs`: a room whose end is beyond the
/// address space came out at a small address, over what was there.
#[test]
fn bug_16_the_shims_allocator_does_not_wrap() {
    let engine = Engine::default();
    let module = Module::new(&engine, shim_compiler::compile(&[SOURCES[0], PROBE])).unwrap();
    let fresh = || {
        let mut store = Store::new(&engine, ());
        let guest = Memory::new(&mut store, MemoryType::new(0, None)).unwrap();
        let instance = Instance::new(&mut store, &module, &[guest.into()]).unwrap();
        (store, instance)
    };
    let most = 1 << 16;
    for (top, most, bytes) in [
        (0xffff_fff0, most, 1),
        (0xffff_fff0, most, 16),
        (0xffff_ffe8, most, 17),
        (0xffff_0000, most, 1),
        (0x8000_0000, most, 0x8000_0000),
        (0x0002_0000, most, 0x8000_0001),
        (0x0002_0000, most, 0xffff_ffff),
        (0x0002_0000, most, 0),
        // A page more than the memory may have.
        (0x0002_0000, 3, 0x2_0000),
    ] {
        let (mut store, instance) = fresh();
        let probe = instance.get_typed_func::<(u32, u32, u32), u32>(&mut store, "probe");
        let error = probe.unwrap().call(&mut store, (top, most, bytes));
        let trap = error.expect_err("there is no such room");
        assert_eq!(
            trap.downcast_ref::<Trap>(),
            Some(&Trap::UnreachableCodeReached),
            "{bytes} bytes at {top:#x}"
        );
    }
    for (top, bytes, end, pages) in [
        (0x0002_0000, 17, 0x0002_0020, 3),
        (0x0002_0000, 0x2_0000, 0x0004_0000, 4),
        (0x0000_fff0, 16, 0x0001_0000, 1),
    ] {
        let (mut store, instance) = fresh();
        let probe = instance.get_typed_func::<(u32, u32, u32), u32>(&mut store, "probe");
        assert_eq!(
            probe.unwrap().call(&mut store, (top, 4, bytes)).unwrap(),
            top
        );
        let mut told = |name| {
            let told = instance.get_typed_func::<(), u32>(&mut store, name);
            told.unwrap().call(&mut store, ()).unwrap()
        };
        assert_eq!((told("top"), told("size")), (end, pages));
    }
}
