//! What a running program is connected to: the handlers of WASI, the refill, and the limit of its memory.

use gio_content::image::{ImageError, InputImage};
use gio_machine::state::START_CU;
use gio_machine::{ENTRY_CU, Param, REFILL_MODULE, REFILL_NAME, WASI_MODULE, WasiCall};
use wasmtime::{
    Caller, Extern, FuncType, Global, Linker, Memory, ModuleExport, ResourceLimiter, Val, ValType,
};

use crate::error::EngineError;
use crate::limits::{RunControl, UnitLimits};
use crate::meter::{Halt, Meter};
use crate::primitive::{self, Primitive};
use crate::wasi::{Account, Guest, Wasi};

const PAGE_BYTES: usize = 1 << 16;

/// Most parameters of a WASI call.
const PARAMS_MAX: usize = 9;

/// Where the host finds what it needs in a module.
#[derive(Clone, Copy)]
pub(crate) struct Exports {
    /// The memory that host calls work on: the guest's for WASI, the shim's for a linked program.
    pub(crate) memory: Option<ModuleExport>,
    pub(crate) counter: ModuleExport,
    pub(crate) stack: ModuleExport,
    /// Most pages of the guest's memory, which a linked program looks at itself.
    pub(crate) pages: Option<ModuleExport>,
    /// The module's start function, if it has one, and the command's entry.
    pub(crate) start: Option<ModuleExport>,
    pub(crate) entry: ModuleExport,
}

/// What a program reaches besides its own memory.
#[derive(Debug)]
pub(crate) enum World {
    /// Machine version 0: WASI is the host's.
    Wasi(Box<Wasi>),
    /// Machine version 1: WASI is the program's shim.
    Primitive(Primitive),
}

impl World {
    /// The output's bytes and its length.
    pub(crate) fn into_output(self) -> Result<(Vec<u8>, u64), ImageError> {
        match self {
            Self::Wasi(wasi) => {
                let image = wasi.into_output().encode()?;
                let length = image.len() as u64;
                Ok((image, length))
            }
            Self::Primitive(primitive) => Ok(primitive.into_output()),
        }
    }
}

/// The data of a store: everything one run has.
pub(crate) struct Host {
    pub(crate) meter: Meter,
    pub(crate) world: World,
    pub(crate) pages: Pages,
    pub(crate) exports: Exports,
}

impl Host {
    pub(crate) fn new(
        unit: &Unit<'_>,
        limits: &UnitLimits,
        control: &RunControl,
        exports: Exports,
    ) -> Result<Self, ImageError> {
        let (begun, world, pages_max) = match unit {
            Unit::Wasi(image) => {
                let wasi = Wasi::new(InputImage::decode(image)?, limits);
                (0, World::Wasi(Box::new(wasi)), limits.pages_max)
            }
            // The program itself keeps to its pages: the guest's memory and the shim's have different limits.
            Unit::Primitive(image) => {
                let primitive = Primitive::new(image.to_vec(), limits);
                (BEGUN_CU, World::Primitive(primitive), u32::MAX)
            }
        };
        Ok(Self {
            meter: Meter::new(limits.cu_limit, begun, control.clone()),
            world,
            pages: Pages {
                bytes_max: (pages_max as usize).saturating_mul(PAGE_BYTES),
                failed: None,
            },
            exports,
        })
    }
}

/// The input image, for the kind of program that is to read it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit<'a> {
    Wasi(&'a [u8]),
    Primitive(&'a [u8]),
}

/// CU of a linked program before its first function: the initial state's, and the entry's block.
pub(crate) const BEGUN_CU: u64 = START_CU + ENTRY_CU;

/// Makes `memory.grow` a function of pages alone: the unit's limit and the module's own decide, and a
/// machine that cannot give what they allow fails the run instead of the operation.
#[derive(Debug)]
pub(crate) struct Pages {
    bytes_max: usize,
    /// Why the machine could not give memory, if it could not.
    pub(crate) failed: Option<String>,
}

impl ResourceLimiter for Pages {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= self.bytes_max && maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed = Some(error.to_string());
        Err(error)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Tables have their size from the start: no accepted instruction grows them.
        Ok(true)
    }
}

/// Connects every WASI call of the table, and the refill.
pub(crate) fn linker(engine: &wasmtime::Engine) -> Result<Linker<Host>, EngineError> {
    let mut linker = Linker::new(engine);
    for &call in WasiCall::ALL {
        let params = call.params().iter().map(|param| match param {
            Param::I32 => ValType::I32,
            Param::I64 => ValType::I64,
        });
        let results = call.answers().then_some(ValType::I32);
        let ty = FuncType::new(engine, params, results);
        linker
            .func_new(
                WASI_MODULE,
                call.name(),
                ty,
                move |caller, params, results| answer(call, caller, params, results),
            )
            .map_err(|error| EngineError::Wasmtime(format!("{error:#}")))?;
    }
    linker
        .func_wrap(REFILL_MODULE, REFILL_NAME, refill)
        .map_err(|error| EngineError::Wasmtime(format!("{error:#}")))?;
    primitive::link(&mut linker).map_err(|error| EngineError::Wasmtime(format!("{error:#}")))?;
    Ok(linker)
}

fn refill(mut caller: Caller<'_, Host>, left: i64, needed: i64) -> wasmtime::Result<i64> {
    let needed = u64::try_from(needed).unwrap_or(0);
    let refilled = caller.data_mut().meter.refill(left, needed);
    refilled.map_err(wasmtime::Error::new)
}

fn answer(
    call: WasiCall,
    mut caller: Caller<'_, Host>,
    params: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let mut args = [0; PARAMS_MAX];
    for (slot, param) in args.iter_mut().zip(params) {
        *slot = match param {
            Val::I32(value) => u64::from(value.cast_unsigned()),
            Val::I64(value) => value.cast_unsigned(),
            // The linker's types come from the same table as the module's imports.
            _ => return Err(wasmtime::Error::new(Halt::Trap)),
        };
    }
    let exports = caller.data().exports;
    let counter = global(&mut caller, &exports.counter)?;
    let left = counter.get(&mut caller).i64().unwrap_or_default();
    let memory = memory(&mut caller, &exports);
    let (bytes, host) = match &memory {
        Some(memory) => memory.data_and_store_mut(&mut caller),
        None => (&mut [][..], caller.data_mut()),
    };
    let mut guest = Guest {
        memory: bytes,
        account: Account {
            meter: &mut host.meter,
            left,
        },
    };
    let World::Wasi(wasi) = &mut host.world else {
        return Err(wasmtime::Error::new(Halt::Trap));
    };
    let answered = wasi.call(call, &mut guest, &args);
    let left = guest.account.left;
    counter.set(&mut caller, Val::I64(left))?;
    let errno = answered.map_err(wasmtime::Error::new)?;
    if let Some(result) = results.first_mut() {
        *result = Val::I32(i32::from(errno.0));
    }
    Ok(())
}

fn global(caller: &mut Caller<'_, Host>, export: &ModuleExport) -> wasmtime::Result<Global> {
    caller
        .get_module_export(export)
        .and_then(Extern::into_global)
        .ok_or_else(|| wasmtime::Error::new(Halt::Trap))
}

fn memory(caller: &mut Caller<'_, Host>, exports: &Exports) -> Option<Memory> {
    caller
        .get_module_export(exports.memory.as_ref()?)
        .and_then(Extern::into_memory)
}
