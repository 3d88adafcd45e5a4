//! A loaded program: both of its builds, compiled and connected to the host.

use std::sync::{Arc, OnceLock};

use gio_machine::state::{
    BoundsError, DealDepths, ProgramHeader, UnitLimits as Bounded, check_bounds,
};
use gio_machine::{
    COUNTER_EXPORT, PAGES_EXPORT, PrepareLimits, SHIM_MEMORY_EXPORT, STACK_EXPORT, START_EXPORT,
    prepare, prepare_provable,
};
use gio_protocol::{B256, MachineParams, keccak256};
use wasmtime::{InstancePre, Linker, Module};

use crate::cache::{DiskCache, Key};
use crate::error::LoadError;
use crate::host::{Exports, Host};
use crate::limits::UnitLimits;

/// Which rules a program runs by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MachineVersion {
    /// Version 0: metered, without proofs; WASI is the host's.
    Metered,
    /// Version 1: linked with the shim, every step provable (docs/step-machine.md).
    Provable,
}

/// A loaded program, ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Program {
    inner: Arc<Inner>,
}

struct Inner {
    version: MachineVersion,
    root: B256,
    /// Of machine version 1, what the step machine begins with.
    header: Option<ProgramHeader>,
    pages_min: u64,
    fast: Build,
    exact: Vec<u8>,
    exact_build: OnceLock<Build>,
}

/// One build of a program, compiled.
#[derive(Clone)]
pub(crate) struct Build {
    pub(crate) instance: InstancePre<Host>,
    pub(crate) exports: Exports,
    /// Keccak-256 of the bytes that were compiled.
    hash: B256,
}

/// What of a program is compiled, by Keccak-256 of the bytes: what `gio-machine` prepared, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildHashes {
    /// The build to run first.
    pub fast: B256,
    /// The build that decides.
    pub exact: B256,
}

impl Program {
    pub(crate) fn load(
        (version, hash): Key,
        module: &[u8],
        linker: &Linker<Host>,
        disk: Option<&DiskCache>,
    ) -> Result<Self, LoadError> {
        let limits = PrepareLimits::default();
        let (builds, root, header) = match version {
            MachineVersion::Metered => (prepare(module, &limits)?, hash, None),
            MachineVersion::Provable => {
                let provable = prepare_provable(module, &limits)?;
                let header = *provable.program.header();
                (provable.builds, header.hash(), Some(header))
            }
        };
        let inner = Inner {
            version,
            root,
            header,
            pages_min: builds.pages_min,
            fast: Build::new(&builds.fast, version, linker, disk)?,
            exact: builds.exact,
            exact_build: OnceLock::new(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Which rules it runs by.
    #[must_use]
    pub fn version(&self) -> MachineVersion {
        self.inner.version
    }

    /// The program root: of machine version 0 the Keccak-256 of the module (F3), of version 1 what names its prepared form.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.inner.root
    }

    /// What runs when it runs.
    #[must_use]
    pub fn builds(&self) -> BuildHashes {
        let exact = self.inner.exact_build.get();
        BuildHashes {
            fast: self.inner.fast.hash,
            exact: exact.map_or_else(|| keccak256(&self.inner.exact), |build| build.hash),
        }
    }

    /// Whether a step machine can run the unit (docs/step-machine.md section 9); version 0 has no such bounds.
    pub(crate) fn check_bounds(
        &self,
        input_length: u64,
        limits: &UnitLimits,
    ) -> Result<(), BoundsError> {
        let Some(header) = &self.inner.header else {
            return Ok(());
        };
        let unit = Bounded {
            // No bound is about the root or the seed.
            input_root: B256::ZERO,
            input_length,
            cu_limit: limits.cu_limit,
            pages_max: limits.pages_max,
            output_max: limits.output_max,
            unit_seed: limits.unit_seed,
        };
        let deal = DealDepths {
            input_depth: MachineParams::IMAGE_DEPTH,
            output_depth: MachineParams::IMAGE_DEPTH,
            clock_start: limits.clock_start,
        };
        check_bounds(header, &unit, &deal)
    }

    pub(crate) fn pages_min(&self) -> u64 {
        self.inner.pages_min
    }

    /// The build to run first.
    pub(crate) fn fast(&self) -> &Build {
        &self.inner.fast
    }

    /// The build that knows its CU at every moment; compiled when a unit first needs it.
    pub(crate) fn exact(
        &self,
        linker: &Linker<Host>,
        disk: Option<&DiskCache>,
    ) -> Result<&Build, LoadError> {
        if let Some(build) = self.inner.exact_build.get() {
            return Ok(build);
        }
        let build = Build::new(&self.inner.exact, self.inner.version, linker, disk)?;
        Ok(self.inner.exact_build.get_or_init(|| build))
    }

    /// Bytes of machine code and module kept for it, for the limit of the cache.
    pub(crate) fn bytes(&self) -> usize {
        let image = self.inner.fast.instance.module().image_range();
        let code = image.end as usize - image.start as usize;
        // The exact build may be compiled at any time: count it as if it were.
        2 * code + self.inner.exact.len()
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("root", &self.inner.root)
            .finish_non_exhaustive()
    }
}

impl Build {
    fn new(
        wasm: &[u8],
        version: MachineVersion,
        linker: &Linker<Host>,
        disk: Option<&DiskCache>,
    ) -> Result<Self, LoadError> {
        let refused = |error: wasmtime::Error| LoadError::Compile(format!("{error:#}"));
        let engine = linker.engine();
        let module = match disk.and_then(|disk| disk.get(engine, wasm)) {
            Some(module) => module,
            None => {
                let module = Module::new(engine, wasm).map_err(refused)?;
                if let Some(disk) = disk {
                    disk.put(engine, wasm, &module);
                }
                module
            }
        };
        let export = |name: &str| {
            module
                .get_export_index(name)
                .ok_or_else(|| LoadError::Compile(format!("the prepared module lacks {name}")))
        };
        let memory = match version {
            MachineVersion::Metered => "memory",
            MachineVersion::Provable => SHIM_MEMORY_EXPORT,
        };
        let exports = Exports {
            memory: module
                .get_export(memory)
                .and_then(|ty| ty.memory().and(module.get_export_index(memory))),
            pages: module.get_export_index(PAGES_EXPORT),
            counter: export(COUNTER_EXPORT)?,
            stack: export(STACK_EXPORT)?,
            start: module.get_export_index(START_EXPORT),
            entry: export("_start")?,
        };
        Ok(Self {
            instance: linker.instantiate_pre(&module).map_err(refused)?,
            exports,
            hash: keccak256(wasm),
        })
    }
}
