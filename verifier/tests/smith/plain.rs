//! wasmtime on a command as it is: no instrumentation, no shim, NaNs made canonical by Cranelift.

use wasmtime::{
    Caller, Config, Engine, Linker, Module, Store, StoreLimits, StoreLimitsBuilder, Trap,
};

use crate::engines::PAGES_MAX;

/// More than what any program executes that the machine's CU limit lets come to its end.
const FUEL: u64 = 20_000_000;

/// How it ended.
#[derive(Debug)]
pub enum Plain {
    Exit {
        code: u32,
        stdout: Vec<u8>,
    },
    Trap,
    /// A limit of this host's own.
    NoOpinion,
}

struct Host {
    limits: StoreLimits,
    stdout: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
#[error("exit")]
struct Exit(u32);

pub fn engine() -> Engine {
    let mut config = Config::new();
    config.cranelift_nan_canonicalization(true);
    config.consume_fuel(true);
    Engine::new(&config).unwrap()
}

pub fn run(engine: &Engine, wasm: &[u8]) -> Plain {
    let module = Module::new(engine, wasm).unwrap();
    let limits = StoreLimitsBuilder::new()
        .memory_size(PAGES_MAX as usize * 65_536)
        .build();
    let stdout = Vec::new();
    let mut store = Store::new(engine, Host { limits, stdout });
    store.limiter(|host| &mut host.limits);
    store.set_fuel(FUEL).unwrap();
    let mut linker: Linker<Host> = Linker::new(engine);
    let wasi = "wasi_snapshot_preview1";
    linker.func_wrap(wasi, "fd_write", fd_write).unwrap();
    linker
        .func_wrap(wasi, "proc_exit", |code: u32| -> wasmtime::Result<()> {
            Err(wasmtime::Error::new(Exit(code)))
        })
        .unwrap();
    let ended = linker
        .instantiate(&mut store, &module)
        .and_then(|instance| {
            let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
            start.call(&mut store, ())
        });
    let Err(error) = ended else {
        panic!("a command of these tests ends with proc_exit")
    };
    if let Some(exit) = error.downcast_ref::<Exit>() {
        return Plain::Exit {
            code: exit.0,
            stdout: store.into_data().stdout,
        };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel | Trap::StackOverflow) => Plain::NoOpinion,
        Some(_) => Plain::Trap,
        None => panic!("{error:?}"),
    }
}

/// One buffer to standard output: all that the command's own end asks for.
fn fd_write(mut caller: Caller<'_, Host>, fd: u32, at: u32, count: u32, written: u32) -> u32 {
    assert_eq!((fd, count), (1, 1));
    let memory = caller.get_export("memory").unwrap().into_memory().unwrap();
    let (bytes, host) = memory.data_and_store_mut(&mut caller);
    let number = |at: u32| {
        let at = at as usize;
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    };
    let (from, length) = (number(at) as usize, number(at + 4));
    host.stdout
        .extend_from_slice(&bytes[from..from + length as usize]);
    let written = written as usize;
    bytes[written..written + 4].copy_from_slice(&length.to_le_bytes());
    0
}
