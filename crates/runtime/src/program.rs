//! A loaded program: both of its builds, compiled and connected to the host.

use std::sync::{Arc, OnceLock};

use gio_machine::{COUNTER_EXPORT, PrepareLimits, Prepared, STACK_EXPORT, START_EXPORT, prepare};
use gio_protocol::B256;
use wasmtime::{InstancePre, Linker, Module};

use crate::cache::DiskCache;
use crate::error::LoadError;
use crate::host::{Exports, Host};

/// A loaded program, ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Program {
    inner: Arc<Inner>,
}

struct Inner {
    root: B256,
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
}

impl Program {
    pub(crate) fn load(
        root: B256,
        module: &[u8],
        linker: &Linker<Host>,
        disk: Option<&DiskCache>,
    ) -> Result<Self, LoadError> {
        let Prepared {
            fast,
            exact,
            pages_min,
        } = prepare(module, &PrepareLimits::default())?;
        let inner = Inner {
            root,
            pages_min,
            fast: Build::new(&fast, linker, disk)?,
            exact,
            exact_build: OnceLock::new(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The program root of machine version 0: the Keccak-256 of the module (F3).
    #[must_use]
    pub fn root(&self) -> B256 {
        self.inner.root
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
        let build = Build::new(&self.inner.exact, linker, disk)?;
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
        let exports = Exports {
            memory: module
                .get_export("memory")
                .and_then(|ty| ty.memory().and(module.get_export_index("memory"))),
            counter: export(COUNTER_EXPORT)?,
            stack: export(STACK_EXPORT)?,
            start: module.get_export_index(START_EXPORT),
            entry: export("_start")?,
        };
        Ok(Self {
            instance: linker.instantiate_pre(&module).map_err(refused)?,
            exports,
        })
    }
}
