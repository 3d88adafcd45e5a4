//! The sandbox: loads modules, keeps them compiled, runs units.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use gio_content::image::InputImage;
use gio_machine::{NATIVE_STACK_BYTES, PrepareLimits};
use gio_protocol::{Status, keccak256};
use wasmtime::{Config, InstanceAllocationStrategy, Linker, PoolingAllocationConfig};

use crate::cache::{DiskCache, MemoryCache};
use crate::error::{EngineError, LoadError, RunError};
use crate::host::{self, BEGUN_CU, Host, Unit, World};
use crate::limits::{RunControl, UnitLimits};
use crate::program::{MachineVersion, Program};
use crate::run::{End, attempt};
use crate::wasi::Wasi;

/// Stack for the host's own calls, on top of what programs may use.
const HOST_STACK_BYTES: usize = 1 << 20;

/// Bytes per memory that are zeroed instead of given back to the system: enough for small programs to start
/// without a page fault.
const MEMORY_KEPT_BYTES: usize = 1 << 20;

/// Bytes of wasmtime's own state of an instance; globals and function references decide it, and
/// [`PrepareLimits`] bounds those.
const INSTANCE_BYTES_MAX: usize = 32 << 20;

/// Address space is all an idle instance costs, 4 GiB of it: 1024 are a hundredth of what a process has.
const INSTANCES_MAX: u32 = 1024;

/// Pages of a 32-bit memory.
const PAGES_MAX: u32 = 1 << 16;

/// How much of the machine the sandbox may use.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Where compiled modules are kept between starts; `None` keeps them in memory only.
    pub cache_dir: Option<PathBuf>,
    /// How many units may run at the same time.
    pub instances_max: u32,
    /// Most pages (64 KiB) of linear memory any unit may use.
    pub pages_max: u32,
}

/// The sandbox. Cheap to clone; clones share instances and compiled modules.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    config: EngineConfig,
    linker: Linker<Host>,
    programs: Mutex<MemoryCache>,
    disk: Option<DiskCache>,
}

/// What a unit did, as far as a claim binds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// What it gave to `proc_exit`, zero unless `status` is `Exit`.
    pub exit_code: u32,
    /// Compute units used.
    pub cu: u64,
    /// Everything it wrote: with machine version 0 always an image (F2), with version 1 an image if it exited. What a
    /// unit of version 1 had written when it trapped or was exhausted is the beginning of one, with length 0.
    pub output_image: Vec<u8>,
    /// How long the output is.
    pub output_length: u64,
}

impl Engine {
    /// Reserves address space for the instances and compiles nothing yet.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        check("instances_max", config.instances_max, INSTANCES_MAX)?;
        check("pages_max", config.pages_max, PAGES_MAX)?;
        let engine = wasmtime::Engine::new(&wasmtime_config(&config))
            .map_err(|error| EngineError::Wasmtime(format!("{error:#}")))?;
        let inner = Inner {
            linker: host::linker(&engine)?,
            programs: Mutex::default(),
            disk: config.cache_dir.as_deref().and_then(DiskCache::open),
            config,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Checks, instruments and compiles a module for machine version 0, or takes it from the cache.
    pub fn load(&self, module: &[u8]) -> Result<Program, LoadError> {
        self.load_version(module, MachineVersion::Metered)
    }

    /// Checks, links, instruments and compiles a module for a machine version, or takes it from the cache.
    pub fn load_version(
        &self,
        module: &[u8],
        version: MachineVersion,
    ) -> Result<Program, LoadError> {
        let key = (version, keccak256(module));
        let programs = || {
            // A panic elsewhere leaves a cache that is whole: it is only ever replaced entry by entry.
            let locked = self.inner.programs.lock();
            locked.unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(program) = programs().get(&key) {
            return Ok(program);
        }
        let program = Program::load(key, module, &self.inner.linker, self.inner.disk.as_ref())?;
        programs().put(key, program.clone());
        Ok(program)
    }

    /// Runs one unit to its end. Blocks: call it from a thread that may.
    ///
    /// The fast build runs first. If it trapped in the guest or passed its CU limit, the exact build
    /// runs the unit again and decides.
    pub fn run(
        &self,
        program: &Program,
        input_image: &[u8],
        limits: &UnitLimits,
        control: &RunControl,
    ) -> Result<Outcome, RunError> {
        let provable = program.version() == MachineVersion::Provable;
        InputImage::decode(input_image)?;
        program.check_bounds(input_image.len() as u64, limits)?;
        if limits.pages_max > self.inner.config.pages_max {
            return Err(RunError::PagesBeyondEngine {
                wanted: limits.pages_max,
                available: self.inner.config.pages_max,
            });
        }
        if program.pages_min() > u64::from(limits.pages_max) {
            let empty = World::Wasi(Box::new(Wasi::new(InputImage::default(), limits)));
            return outcome(Status::Trap, 0, 0, empty.into_output()?);
        }
        if provable && limits.cu_limit < BEGUN_CU {
            return outcome(Status::CuExhausted, 0, limits.cu_limit, (Vec::new(), 0));
        }
        let unit = match program.version() {
            MachineVersion::Metered => Unit::Wasi(input_image),
            MachineVersion::Provable => Unit::Primitive(input_image),
        };
        let first = attempt(program.fast(), &unit, limits, control)?;
        if first.cu <= limits.cu_limit {
            match first.end {
                End::Exit(code) => return outcome(Status::Exit, code, first.cu, first.output),
                End::HostTrap => return outcome(Status::Trap, 0, first.cu, first.output),
                End::GuestTrap | End::Exhausted => {}
            }
        }
        drop(first);
        let build = program
            .exact(&self.inner.linker, self.inner.disk.as_ref())
            .map_err(|error| RunError::Host(error.to_string()))?;
        let decided = attempt(build, &unit, limits, control)?;
        match decided.end {
            End::Exit(code) => outcome(Status::Exit, code, decided.cu, decided.output),
            End::GuestTrap | End::HostTrap => outcome(Status::Trap, 0, decided.cu, decided.output),
            End::Exhausted => {
                let cu = if provable {
                    limits.cu_limit
                } else {
                    decided.cu
                };
                outcome(Status::CuExhausted, 0, cu, decided.output)
            }
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

fn outcome(
    status: Status,
    exit_code: u32,
    cu: u64,
    (output_image, output_length): (Vec<u8>, u64),
) -> Result<Outcome, RunError> {
    Ok(Outcome {
        status,
        exit_code,
        cu,
        output_image,
        output_length,
    })
}

fn check(field: &'static str, given: u32, max: u32) -> Result<(), EngineError> {
    match (1..=max).contains(&given) {
        true => Ok(()),
        false => Err(EngineError::Config { field, given, max }),
    }
}

fn wasmtime_config(config: &EngineConfig) -> Config {
    let limits = PrepareLimits::default();
    let instances = config.instances_max;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(instances)
        // The guest's and, in a linked program, the shim's.
        .total_memories(2 * instances)
        .max_memories_per_module(2)
        .total_tables(instances)
        .total_stacks(instances)
        .max_memory_size(PAGES_MAX as usize * (1 << 16))
        .table_elements(usize::try_from(limits.table_elements_max).unwrap_or(usize::MAX))
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .linear_memory_keep_resident(MEMORY_KEPT_BYTES);
    let mut wasmtime = Config::new();
    wasmtime
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .max_wasm_stack(NATIVE_STACK_BYTES)
        .async_stack_size(NATIVE_STACK_BYTES + HOST_STACK_BYTES)
        // Gives the memory of a deep recursion back.
        .async_stack_zeroing(true)
        .wasm_branch_hinting(true)
        .native_unwind_info(false)
        .generate_address_map(false);
    wasmtime
}
