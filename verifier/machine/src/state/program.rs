//! From a program and a unit to the state its run begins with (docs/step-machine.md sections 8 and 9).

use gio_protocol::B256;
use thiserror::Error;

use super::{Bytes, Env, Header, Io, Rest, START_CU, empty_root, tagged, u24};
use crate::trees::{self, page_depth};

/// Machine version of this page.
pub const VERSION: u32 = 1;

/// The preimage of a program root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are documented in one place, docs/step-machine.md section 8"
)]
pub struct ProgramHeader {
    pub code_root: B256,
    /// Roots of both memories, each as deep as [`page_depth`] of its pages.
    pub memory_roots: [B256; 2],
    pub globals_root: B256,
    pub table_root: B256,
    pub version: u32,
    pub entry_pc: u32,
    pub pages: [u32; 2],
    pub table_size: u32,
    pub code_depth: u8,
    pub table_depth: u8,
}

/// What a unit's leaf says of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are documented in one place, docs/protocol.md section 2.1"
)]
pub struct UnitLimits {
    pub input_root: B256,
    pub input_length: u64,
    pub cu_limit: u64,
    pub pages_max: u32,
    pub output_max: u64,
    pub unit_seed: B256,
}

/// What a deal says of all its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are documented in one place, docs/protocol.md section 4"
)]
pub struct DealDepths {
    pub input_depth: u8,
    pub output_depth: u8,
    pub clock_start: u64,
}

/// A unit that no machine can run: it is refused at signing and worth zero in court.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what} is outside the machine's bounds")]
pub struct BoundsError {
    /// The value at fault.
    pub what: &'static str,
}

/// Greatest CU limit of a unit: nine rounds of 32 segments.
pub const CU_LIMIT_MAX: u64 = 1 << 45;
/// Greatest pages of a memory: 4 GiB.
pub const PAGES_MAX: u32 = 1 << 16;
/// Deepest input or output tree: 2 GiB.
pub const IO_DEPTH_MAX: u8 = 26;
/// Deepest code tree: two million instructions.
pub const CODE_DEPTH_MAX: u8 = 20;
/// Deepest table tree: half a million elements.
pub const TABLE_DEPTH_MAX: u8 = 17;

const PAGE_BYTES: u64 = 1 << 16;

impl ProgramHeader {
    /// The program root.
    #[must_use]
    pub fn hash(&self) -> B256 {
        let mut out = Bytes::<192>::new();
        for root in [
            self.code_root,
            self.memory_roots[0],
            self.memory_roots[1],
            self.globals_root,
            self.table_root,
        ] {
            out.put(root.as_slice());
        }
        out.put(&[0; 8]);
        out.put(&self.version.to_be_bytes());
        out.put(&self.entry_pc.to_be_bytes());
        out.put(&u24(self.pages[0]));
        out.put(&u24(self.pages[1]));
        out.put(&self.table_size.to_be_bytes());
        out.put(&[self.code_depth, self.table_depth]);
        out.put(&[0; 4]);
        tagged("gio.machine.program.v1", &out.done())
    }
}

/// Room of the shim beside the output: a file of the input or output takes 64 bytes and its name, so that 65,535
/// input files with short names fit. `PAGES_SPARE` of `shim/process.shim` says the same.
const SHIM_PAGES_SPARE: u64 = 256;

/// Greatest pages of the shim's memory: what it begins with, and room for the output and for names.
fn shim_pages_max(program: &ProgramHeader, unit: &UnitLimits) -> u64 {
    u64::from(program.pages[1]) + 2 * unit.output_max.div_ceil(PAGE_BYTES) + SHIM_PAGES_SPARE
}

/// Whether a machine can run the unit.
///
/// # Errors
/// [`BoundsError`] names the first value that is out of bounds.
pub fn check_bounds(
    program: &ProgramHeader,
    unit: &UnitLimits,
    deal: &DealDepths,
) -> Result<(), BoundsError> {
    let fits = |bytes: u64, depth: u8| bytes <= 32 << depth;
    let checks = [
        ("machine version", program.version == VERSION),
        (
            "code depth",
            (1..=CODE_DEPTH_MAX).contains(&program.code_depth),
        ),
        ("table depth", program.table_depth <= TABLE_DEPTH_MAX),
        (
            "table size",
            u64::from(program.table_size) <= 4 << program.table_depth.min(TABLE_DEPTH_MAX),
        ),
        (
            "CU limit",
            (START_CU..=CU_LIMIT_MAX).contains(&unit.cu_limit),
        ),
        (
            "pages max",
            (program.pages[0]..=PAGES_MAX).contains(&unit.pages_max),
        ),
        ("depth of the input", deal.input_depth <= IO_DEPTH_MAX),
        ("depth of the output", deal.output_depth <= IO_DEPTH_MAX),
        (
            "input length",
            deal.input_depth > IO_DEPTH_MAX || fits(unit.input_length, deal.input_depth),
        ),
        (
            "output max",
            deal.output_depth > IO_DEPTH_MAX || fits(unit.output_max, deal.output_depth),
        ),
        (
            "pages of the shim",
            shim_pages_max(program, unit) <= u64::from(PAGES_MAX),
        ),
    ];
    match checks.iter().find(|(_, holds)| !holds) {
        Some((what, _)) => Err(BoundsError { what }),
        None => Ok(()),
    }
}

/// Depth and root of the memory tree a run begins with.
#[must_use]
pub fn initial_memory(program: &ProgramHeader, pages_max: [u32; 2]) -> (u8, B256) {
    let half = page_depth(pages_max[0]).max(page_depth(pages_max[1]));
    let root = |memory: usize| {
        let from = page_depth(program.pages[memory]);
        trees::extend(program.memory_roots[memory], from, half)
    };
    (half + 1, trees::parent(root(0), root(1)))
}

/// The state a run begins with: everything that [`Header::hash`] commits to.
///
/// # Errors
/// [`BoundsError`] if no machine can run the unit.
pub fn initial(
    program: &ProgramHeader,
    unit: &UnitLimits,
    deal: &DealDepths,
) -> Result<(Header, Rest, Io, Env), BoundsError> {
    check_bounds(program, unit, deal)?;
    let shim_max = u32::try_from(shim_pages_max(program, unit));
    let pages_max = [
        unit.pages_max,
        shim_max.expect("checked to be at most 2^16"),
    ];
    let env = Env {
        input_root: unit.input_root,
        unit_seed: unit.unit_seed,
        input_depth: deal.input_depth,
        output_depth: deal.output_depth,
        pages_max,
        input_length: unit.input_length,
        output_max: unit.output_max,
        clock_start: deal.clock_start,
    };
    let io = Io {
        output_root: empty_root(deal.output_depth),
        scratch: B256::ZERO,
        env_hash: env.hash(),
        output_length: 0,
    };
    let rest = Rest {
        frames_hash: B256::ZERO,
        globals_root: program.globals_root,
        table_root: program.table_root,
        io_hash: io.hash(),
        call_depth: 0,
        slots: 0,
        table_size: program.table_size,
        table_depth: program.table_depth,
    };
    let (memory_depth, memory_root) = initial_memory(program, pages_max);
    let header = Header {
        code_root: program.code_root,
        stack_hash: B256::ZERO,
        locals_root: B256::ZERO,
        memory_root,
        rest_hash: rest.hash(),
        pc: program.entry_pc,
        stack_len: 0,
        pages: program.pages,
        code_depth: program.code_depth,
        memory_depth,
        cu: START_CU,
        cu_limit: unit.cu_limit,
    };
    Ok((header, rest, io, env))
}
