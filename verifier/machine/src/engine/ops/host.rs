//! Input and output.
#![expect(
    clippy::cast_possible_truncation,
    reason = "addresses and exit codes are the low half of their slots"
)]

use gio_protocol::{B256, keccak256, tag};

use super::super::core::{Core, PC_HALTED, Slot};
use super::Handler;
use crate::isa::Op;
use crate::state::{Halted, PC_TRAP, STATUS_EXIT};

const WORD: usize = 32;

pub(super) fn handler(op: Op) -> Option<Handler> {
    let handler: Handler = match op {
        Op::Exit => exit,
        Op::Env => env,
        Op::InputFetch => input_fetch,
        Op::Random => random,
        Op::ScratchStore => scratch_store,
        Op::ScratchLoad => scratch_load,
        Op::OutputWrite => output_write,
        Op::OutputClose => output_close,
        _ => return None,
    };
    Some(handler)
}

fn exit(core: &mut Core, _: &Slot, _: u32) -> u32 {
    core.output.update();
    core.halted = Some(Halted {
        status: STATUS_EXIT,
        exit_code: core.top() as u32,
        cu: core.cu,
        output_root: core.output.root(),
        output_length: core.output_length,
    });
    PC_HALTED
}

fn env(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    let seed = |part: usize| {
        let bytes = core.env.unit_seed[8 * part..8 * part + 8].try_into();
        u64::from_be_bytes(bytes.expect("a quarter of 32 bytes"))
    };
    let value = match slot.b {
        0 => core.env.input_length,
        1 => core.env.output_max,
        2 => core.env.clock_start,
        part @ 3..=6 => seed(part as usize - 3),
        _ => return PC_TRAP,
    };
    core.push(value);
    pc + 1
}

fn input_fetch(core: &mut Core, _: &Slot, pc: u32) -> u32 {
    core.sp -= 1;
    let word = core.stack[core.sp];
    core.scratch = core.input.word(word);
    pc + 1
}

fn random(core: &mut Core, _: &Slot, pc: u32) -> u32 {
    core.sp -= 1;
    let block = core.stack[core.sp];
    let mut preimage = [0; 72];
    preimage[..32].copy_from_slice(tag("gio.random.v1").as_slice());
    preimage[32..64].copy_from_slice(core.env.unit_seed.as_slice());
    preimage[64..].copy_from_slice(&block.to_be_bytes());
    core.scratch = keccak256(preimage).0;
    pc + 1
}

/// The word of memory that a scratch instruction is about.
fn scratch_place(core: &Core, slot: &Slot) -> Option<std::ops::Range<usize>> {
    let at = core.top() as u32 as usize;
    let inside = at + WORD <= core.memories[usize::from(slot.a & 1)].bytes.len();
    (at.is_multiple_of(WORD) && inside).then_some(at..at + WORD)
}

fn scratch_store(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    let Some(place) = scratch_place(core, slot) else {
        return PC_TRAP;
    };
    let memory = &mut core.memories[usize::from(slot.a & 1)];
    memory.bytes[place.clone()].copy_from_slice(&core.scratch);
    memory.mark(place.start, WORD);
    core.sp -= 1;
    pc + 1
}

fn scratch_load(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    let Some(place) = scratch_place(core, slot) else {
        return PC_TRAP;
    };
    let memory = &core.memories[usize::from(slot.a & 1)];
    core.scratch.copy_from_slice(&memory.bytes[place]);
    core.sp -= 1;
    pc + 1
}

fn output_write(core: &mut Core, _: &Slot, pc: u32) -> u32 {
    let word = core.top();
    if word >= core.env.output_max.div_ceil(WORD as u64) {
        return PC_TRAP;
    }
    core.output.set(word, B256::new(core.scratch));
    core.sp -= 1;
    pc + 1
}

fn output_close(core: &mut Core, _: &Slot, pc: u32) -> u32 {
    let length = core.top();
    if length > core.env.output_max {
        return PC_TRAP;
    }
    core.output_length = length;
    core.sp -= 1;
    pc + 1
}
