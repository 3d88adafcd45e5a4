//! Constants, stack, locals, globals, control and metering.
#![expect(
    clippy::cast_possible_truncation,
    reason = "an i32 is the low half of its slot, and a table element's pc the low half of the element"
)]

use super::super::core::{Core, Frame, Slot};
use super::Handler;
use crate::isa::Op;
use crate::limits::STACK_SLOTS_MAX;
use crate::state::{PC_EXHAUSTED, PC_TRAP};
use crate::{bulk_cu, grow_cu};

pub(super) fn handler(op: Op) -> Option<Handler> {
    let handler: Handler = match op {
        Op::Unreachable => trap,
        Op::Drop => drop,
        Op::Select => select,
        Op::DropUnder => drop_under,
        Op::Const => constant,
        Op::LocalGet => local_get,
        Op::LocalSet => local_set,
        Op::LocalTee => local_tee,
        Op::GlobalGet => global_get,
        Op::GlobalSet => global_set,
        Op::Jump => |_, slot, _| slot.b,
        Op::JumpIf => |core, slot, pc| jump(core, slot, pc, true),
        Op::JumpUnless => |core, slot, pc| jump(core, slot, pc, false),
        Op::JumpTable => jump_table,
        Op::Call => |core, slot, pc| call(core, slot.b, pc),
        Op::CallIndirect => call_indirect,
        Op::Return => leave,
        Op::Enter => enter,
        Op::Charge => |core, slot, pc| charge(core, slot.imm, pc),
        Op::ChargeBulk => |core, _, pc| charge(core, bulk_cu(core.top() as u32), pc),
        Op::ChargeGrow => |core, _, pc| charge(core, grow_cu(core.top() as u32), pc),
        _ => return None,
    };
    Some(handler)
}

pub(super) fn trap(_: &mut Core, _: &Slot, _: u32) -> u32 {
    PC_TRAP
}

fn drop(core: &mut Core, _: &Slot, pc: u32) -> u32 {
    core.sp -= 1;
    pc + 1
}

fn select(core: &mut Core, _: &Slot, pc: u32) -> u32 {
    let first = core.stack[core.sp - 3];
    let slot = if core.top() as u32 == 0 {
        core.second()
    } else {
        first
    };
    core.replace(3, slot);
    pc + 1
}

fn drop_under(core: &mut Core, _: &Slot, pc: u32) -> u32 {
    let top = core.top();
    core.replace(2, top);
    pc + 1
}

fn constant(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    core.push(slot.imm);
    pc + 1
}

fn local_get(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    let local = core.locals[core.base + slot.b as usize];
    core.push(local);
    pc + 1
}

fn local_set(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    let at = core.base + slot.b as usize;
    core.sp -= 1;
    core.locals[at] = core.stack[core.sp];
    pc + 1
}

fn local_tee(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    let at = core.base + slot.b as usize;
    core.locals[at] = core.top();
    pc + 1
}

fn global_get(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    let global = core.globals[slot.b as usize];
    core.push(global);
    pc + 1
}

fn global_set(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    core.sp -= 1;
    core.globals[slot.b as usize] = core.stack[core.sp];
    pc + 1
}

#[inline]
fn jump(core: &mut Core, slot: &Slot, pc: u32, when: bool) -> u32 {
    core.sp -= 1;
    if (core.stack[core.sp] as u32 != 0) == when {
        slot.b
    } else {
        pc + 1
    }
}

fn jump_table(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    let entry = (core.top() as u32).min(slot.b);
    let Some(next) = (pc + 1).checked_add(entry) else {
        return PC_TRAP;
    };
    core.sp -= 1;
    next
}

fn call(core: &mut Core, target: u32, pc: u32) -> u32 {
    core.frames.push(Frame {
        return_pc: pc + 1,
        slots: core.slots,
        base: core.base,
        depth: core.depth,
    });
    target
}

fn call_indirect(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    let element = core.table.get(core.top() as u32 as usize).copied();
    let Some(element) = element.filter(|element| *element >> 32 == u64::from(slot.b)) else {
        return PC_TRAP;
    };
    if slot.b == 0 {
        return PC_TRAP;
    }
    core.sp -= 1;
    call(core, element as u32, pc)
}

fn leave(core: &mut Core, _: &Slot, _: u32) -> u32 {
    let Some(frame) = core.frames.pop() else {
        return PC_TRAP;
    };
    core.frames_low = core.frames_low.min(core.frames.len());
    core.locals.truncate(frame.base + (4 << frame.depth));
    core.base = frame.base;
    core.depth = frame.depth;
    core.slots = frame.slots;
    frame.return_pc
}

fn enter(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    let slots = core.slots.saturating_add(slot.b);
    if slots > STACK_SLOTS_MAX {
        return PC_TRAP;
    }
    core.slots = slots;
    core.base = core.locals.len();
    // Lowering has checked that the tree is not too deep.
    core.depth = slot.a as u8;
    core.locals.resize(core.base + (4 << core.depth), 0);
    pc + 1
}

#[inline]
fn charge(core: &mut Core, amount: u64, pc: u32) -> u32 {
    // `cu` never exceeds the limit.
    if amount > core.cu_limit - core.cu {
        core.cu = core.cu_limit;
        return PC_EXHAUSTED;
    }
    core.cu += amount;
    pc + 1
}
