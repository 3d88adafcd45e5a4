//! The barest host: hands out CU up to a limit, and records what the traced encoding tells it.

use gio_machine::{COUNTER_EXPORT, PAGES_EXPORT, REFILL_MODULE, REFILL_NAME, STACK_EXPORT};
use wasmtime::{Caller, Config, Engine, Instance, Linker, Module, Store, Val};

/// Small, so that programs of a few hundred operators refill several times.
const SLICE: i64 = 1000;

/// Refills after which a program is held for endless. The longest limit of a test takes a tenth.
const REFILLS_MAX: u32 = 1 << 20;

/// What the traced encoding says, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// About to execute the operator with this id.
    Operator(u32),
    /// About to move so many bytes.
    Bulk(u32),
    /// About to ask for so many pages.
    Grow(u32),
}

#[derive(Debug, Default)]
pub struct Host {
    granted: i64,
    limit: i64,
    refills: u32,
    /// CU used when the limit ended it.
    ended_at: Option<u64>,
    pub events: Vec<Event>,
}

/// How a call ended; results as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Returned(Vec<u64>),
    Trapped,
    Exhausted,
}

#[derive(Debug, thiserror::Error)]
#[error("out of compute units")]
struct Exhausted;

pub struct Guest {
    pub store: Store<Host>,
    pub instance: Instance,
}

/// An engine for instrumented builds.
pub fn engine() -> Engine {
    let mut config = config();
    config.wasm_branch_hinting(true);
    Engine::new(&config).unwrap()
}

/// The engine whose NaN bits are the reference: Cranelift corrects every arithmetic result.
pub fn reference_engine() -> Engine {
    let mut config = config();
    config.cranelift_nan_canonicalization(true);
    Engine::new(&config).unwrap()
}

fn config() -> Config {
    let mut config = Config::new();
    config.max_wasm_stack(gio_machine::NATIVE_STACK_BYTES);
    config.async_stack_size(gio_machine::NATIVE_STACK_BYTES + (1 << 20));
    config
}

impl Guest {
    pub fn new(module: &Module, limit: u64) -> Self {
        let mut linker: Linker<Host> = Linker::new(module.engine());
        linker
            .func_wrap(REFILL_MODULE, REFILL_NAME, refill)
            .unwrap();
        let mut record = |name, event: fn(u32) -> Event| {
            let func = move |mut caller: Caller<'_, Host>, value: u32| {
                caller.data_mut().events.push(event(value));
            };
            linker.func_wrap("test", name, func).unwrap();
        };
        record("trace", Event::Operator);
        record("bulk", Event::Bulk);
        record("grow", Event::Grow);
        let host = Host {
            limit: i64::try_from(limit).unwrap(),
            ..Host::default()
        };
        // A linked program's host calls; functions that are called one by one make none.
        linker.define_unknown_imports_as_traps(module).unwrap();
        let mut store = Store::new(module.engine(), host);
        let instance = linker.instantiate(&mut store, module).unwrap();
        Self { store, instance }
    }

    pub fn call(&mut self, export: &str, params: &[Val]) -> End {
        self.set(STACK_EXPORT, Val::I32(0));
        let func = self.instance.get_func(&mut self.store, export).unwrap();
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        match func.call(&mut self.store, params, &mut results) {
            Ok(()) => End::Returned(results.iter().map(bits).collect()),
            Err(error) if error.is::<Exhausted>() => End::Exhausted,
            Err(error) => {
                assert!(error.is::<wasmtime::Trap>(), "{error:?}");
                End::Trapped
            }
        }
    }

    /// So many pages the memory of a linked program may have.
    pub fn allow_pages(&mut self, pages: u32) {
        self.set(PAGES_EXPORT, Val::I32(pages.cast_signed()));
    }

    /// CU used so far.
    pub fn used(&mut self) -> u64 {
        let counter = self.instance.get_global(&mut self.store, COUNTER_EXPORT);
        let left = counter.unwrap().get(&mut self.store).unwrap_i64();
        u64::try_from(self.store.data().granted - left).unwrap()
    }

    /// CU used when the limit ended the call, or else until now.
    pub fn used_in_the_end(&mut self) -> u64 {
        match self.store.data().ended_at {
            Some(used) => used,
            None => self.used(),
        }
    }

    fn set(&mut self, export: &str, value: Val) {
        if let Some(global) = self.instance.get_global(&mut self.store, export) {
            global.set(&mut self.store, value).unwrap();
        }
    }

    pub fn memory(&mut self) -> &[u8] {
        let memory = self.instance.get_memory(&mut self.store, "memory").unwrap();
        memory.data(&self.store)
    }

    /// The bits of the exported globals whose names begin with `g`, by name.
    pub fn globals(&mut self) -> Vec<u64> {
        (0..8)
            .map(|index| {
                let global = self
                    .instance
                    .get_global(&mut self.store, &format!("g{index}"));
                bits(&global.unwrap().get(&mut self.store))
            })
            .collect()
    }
}

fn refill(mut caller: Caller<'_, Host>, left: i64, needed: i64) -> wasmtime::Result<i64> {
    let host = caller.data_mut();
    let used = host.granted - left;
    host.refills += 1;
    assert!(host.refills < REFILLS_MAX, "the program asks for ever");
    if used + needed > host.limit {
        host.ended_at = u64::try_from(used).ok();
        return Err(wasmtime::Error::new(Exhausted));
    }
    let grant = SLICE.max(needed - left).min(host.limit - host.granted);
    host.granted += grant;
    Ok(left + grant)
}

pub fn bits(value: &Val) -> u64 {
    match value {
        Val::I32(bits) => u64::from(bits.cast_unsigned()),
        Val::I64(bits) => bits.cast_unsigned(),
        Val::F32(bits) => u64::from(*bits),
        Val::F64(bits) => *bits,
        other => panic!("no program of the tests answers {other:?}"),
    }
}
