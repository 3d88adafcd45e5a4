//! The host calls of a linked program: what the step machine does in one or two instructions, done for wasmtime.
//!
//! The shim's memory is the only one they touch. Each has the effect that docs/step-machine.md section 4.8 gives its
//! instructions; a trap there ends the run here.

use gio_machine::HOST_MODULE;
use gio_protocol::{B256, keccak256, tag};
use wasmtime::{Caller, Extern, Linker};

use crate::host::{Host, World};
use crate::limits::UnitLimits;
use crate::meter::Halt;

const WORD: usize = 32;

/// What the host calls of one run work on.
#[derive(Debug)]
pub(crate) struct Primitive {
    input: Vec<u8>,
    output: Vec<u8>,
    output_length: u64,
    output_max: u64,
    clock_start: u64,
    unit_seed: B256,
}

impl Primitive {
    pub(crate) fn new(input: Vec<u8>, limits: &UnitLimits) -> Self {
        Self {
            input,
            output: Vec::new(),
            output_length: 0,
            output_max: limits.output_max,
            clock_start: limits.clock_start,
            unit_seed: limits.unit_seed,
        }
    }

    /// The words written, and the length that the program gave its output.
    pub(crate) fn into_output(self) -> (Vec<u8>, u64) {
        (self.output, self.output_length)
    }

    fn input_word(&self, word: u32) -> [u8; WORD] {
        let mut bytes = [0; WORD];
        if let Some(rest) = self.input.get(word as usize * WORD..) {
            let len = rest.len().min(WORD);
            bytes[..len].copy_from_slice(&rest[..len]);
        }
        bytes
    }

    fn write(&mut self, word: u32, bytes: [u8; WORD]) -> Result<(), Halt> {
        if u64::from(word) >= self.output_max.div_ceil(WORD as u64) {
            return Err(Halt::Trap);
        }
        let at = word as usize * WORD;
        if self.output.len() < at + WORD {
            self.output.resize(at + WORD, 0);
        }
        self.output[at..at + WORD].copy_from_slice(&bytes);
        Ok(())
    }

    fn random(&self, block: u64) -> [u8; WORD] {
        let mut preimage = [0; 72];
        preimage[..32].copy_from_slice(tag("gio.random.v1").as_slice());
        preimage[32..64].copy_from_slice(self.unit_seed.as_slice());
        preimage[64..].copy_from_slice(&block.to_be_bytes());
        keccak256(preimage).0
    }
}

type Called<T = ()> = wasmtime::Result<T>;

/// Connects every host call.
pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(HOST_MODULE, "input_read", input_read)?;
    linker.func_wrap(HOST_MODULE, "input_len", |mut caller: Caller<'_, Host>| {
        Ok(world(&mut caller)?.input.len() as u64)
    })?;
    linker.func_wrap(HOST_MODULE, "output_write", output_write)?;
    linker.func_wrap(HOST_MODULE, "output_close", output_close)?;
    linker.func_wrap(HOST_MODULE, "output_max", |mut caller: Caller<'_, Host>| {
        Ok(world(&mut caller)?.output_max)
    })?;
    linker.func_wrap(
        HOST_MODULE,
        "clock_start",
        |mut caller: Caller<'_, Host>| Ok(world(&mut caller)?.clock_start),
    )?;
    linker.func_wrap(HOST_MODULE, "random", random)?;
    linker.func_wrap(HOST_MODULE, "exit", exit)?;
    Ok(())
}

fn exit(_: Caller<'_, Host>, code: u32) -> Called {
    Err(wasmtime::Error::new(Halt::Exit(code)))
}

fn input_read(mut caller: Caller<'_, Host>, at: u32, word: u32) -> Called {
    let bytes = world(&mut caller)?.input_word(word);
    store(&mut caller, at, bytes)
}

fn random(mut caller: Caller<'_, Host>, at: u32, block: u64) -> Called {
    let bytes = world(&mut caller)?.random(block);
    store(&mut caller, at, bytes)
}

fn output_write(mut caller: Caller<'_, Host>, word: u32, at: u32) -> Called {
    let (memory, host) = shim(&mut caller)?;
    let bytes = memory.get(place(at)?).ok_or_else(trap)?.try_into();
    let World::Primitive(world) = &mut host.world else {
        return Err(trap());
    };
    world
        .write(word, bytes.map_err(|_| trap())?)
        .map_err(wasmtime::Error::new)
}

fn output_close(mut caller: Caller<'_, Host>, length: u64) -> Called {
    let world = world(&mut caller)?;
    if length > world.output_max {
        return Err(trap());
    }
    world.output_length = length;
    Ok(())
}

fn trap() -> wasmtime::Error {
    wasmtime::Error::new(Halt::Trap)
}

fn world<'c>(caller: &'c mut Caller<'_, Host>) -> Called<&'c mut Primitive> {
    match &mut caller.data_mut().world {
        World::Primitive(world) => Ok(world),
        World::Wasi(_) => Err(trap()),
    }
}

/// The shim's memory and the host's data.
fn shim<'c>(caller: &'c mut Caller<'_, Host>) -> Called<(&'c mut [u8], &'c mut Host)> {
    let export = caller.data().exports.memory.ok_or_else(trap)?;
    let memory = caller.get_module_export(&export);
    let memory = memory.and_then(Extern::into_memory).ok_or_else(trap)?;
    Ok(memory.data_and_store_mut(caller))
}

/// A word of memory: its address is a multiple of its size.
fn place(at: u32) -> Called<std::ops::Range<usize>> {
    let at = at as usize;
    match at.is_multiple_of(WORD) {
        true => Ok(at..at + WORD),
        false => Err(trap()),
    }
}

fn store(caller: &mut Caller<'_, Host>, at: u32, bytes: [u8; WORD]) -> Called {
    let (memory, _) = shim(caller)?;
    let room = memory.get_mut(place(at)?).ok_or_else(trap)?;
    room.copy_from_slice(&bytes);
    Ok(())
}
