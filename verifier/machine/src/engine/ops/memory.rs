//! Loads, stores, and the instructions that repeat.
#![expect(
    clippy::cast_possible_truncation,
    reason = "an i32 is the low half of its slot, and narrow stores cut the value off"
)]

use super::super::core::{Core, Slot};
use super::Handler;
use crate::isa::Op;
use crate::state::PC_TRAP;

const WORD: u64 = 32;

/// An access: the address, and the bytes there.
#[inline]
fn place<const N: usize>(core: &Core, slot: &Slot, address: u64) -> Option<(usize, [u8; N])> {
    let at = address as u32 as usize + slot.b as usize;
    let bytes = core.memories[usize::from(slot.a & 1)]
        .bytes
        .get(at..at + N)?;
    Some((at, bytes.try_into().ok()?))
}

#[inline]
fn store<const N: usize>(core: &mut Core, slot: &Slot, pc: u32, value: [u8; N]) -> u32 {
    let at = core.second() as u32 as usize + slot.b as usize;
    let memory = &mut core.memories[usize::from(slot.a & 1)];
    let Some(bytes) = memory.bytes.get_mut(at..at + N) else {
        return PC_TRAP;
    };
    bytes.copy_from_slice(&value);
    memory.mark(at, N);
    core.sp -= 2;
    pc + 1
}

pub(super) fn access(op: Op) -> Option<Handler> {
    loads(op).or_else(|| stores(op))
}

fn loads(op: Op) -> Option<Handler> {
    macro_rules! loads {
        ($($name:ident $read:ty as $wide:ty;)*) => {
            match op {
                $(Op::$name => Some(|core, slot, pc| {
                    let Some((_, bytes)) = place(core, slot, core.top()) else {
                        return PC_TRAP;
                    };
                    let value = <$wide>::from(<$read>::from_le_bytes(bytes));
                    core.replace(1, u64::from(value.cast()));
                    pc + 1
                }),)*
                _ => None,
            }
        };
    }
    loads! {
        I32Load u32 as u32; F32Load u32 as u32; I64Load u64 as u64; F64Load u64 as u64;
        I32Load8S i8 as i32; I32Load8U u8 as u32; I32Load16S i16 as i32; I32Load16U u16 as u32;
        I64Load8S i8 as i64; I64Load8U u8 as u64; I64Load16S i16 as i64; I64Load16U u16 as u64;
        I64Load32S i32 as i64; I64Load32U u32 as u64;
    }
}

/// A number's bits.
trait Cast {
    type Bits;
    fn cast(self) -> Self::Bits;
}

impl Cast for u32 {
    type Bits = Self;
    fn cast(self) -> Self {
        self
    }
}

impl Cast for u64 {
    type Bits = Self;
    fn cast(self) -> Self {
        self
    }
}

impl Cast for i32 {
    type Bits = u32;
    fn cast(self) -> u32 {
        self.cast_unsigned()
    }
}

impl Cast for i64 {
    type Bits = u64;
    fn cast(self) -> u64 {
        self.cast_unsigned()
    }
}

fn stores(op: Op) -> Option<Handler> {
    macro_rules! stores {
        ($($name:ident $ty:ty;)*) => {
            match op {
                $(Op::$name => Some(|core, slot, pc| {
                    let value = core.top() as $ty;
                    store(core, slot, pc, value.to_le_bytes())
                }),)*
                _ => None,
            }
        };
    }
    stores! {
        I32Store u32; F32Store u32; I64Store u64; F64Store u64;
        I32Store8 u8; I32Store16 u16; I64Store8 u8; I64Store16 u16; I64Store32 u32;
    }
}

pub(super) fn bulk(op: Op) -> Option<Handler> {
    let handler: Handler = match op {
        Op::MemorySize => size,
        Op::MemoryGrow => grow,
        Op::Copy => copy,
        Op::Fill => fill,
        _ => return None,
    };
    Some(handler)
}

fn size(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    let pages = core.memories[usize::from(slot.a & 1)].pages();
    core.push(u64::from(pages));
    pc + 1
}

fn grow(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    let which = usize::from(slot.a & 1);
    let wanted = core.top() as u32;
    let pages = core.memories[which].pages();
    let after = u64::from(pages) + u64::from(wanted);
    let answer = if after <= u64::from(core.env.pages_max[which]) {
        core.memories[which].grow(wanted);
        pages
    } else {
        u32::MAX
    };
    core.replace(1, u64::from(answer));
    pc + 1
}

/// What one step of `copy` or `fill` moves; nothing is left when `len` is `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Memories of destination and source.
    pub(crate) to: usize,
    pub(crate) from: usize,
    /// Where the chunk goes, and where it comes from.
    pub(crate) at: u64,
    pub(crate) source: u64,
    pub(crate) len: u64,
    /// The operands behind it.
    pub(crate) next: [u64; 3],
}

/// The chunk that `copy` moves next; none if its ranges leave the memories. A chunk of no bytes ends it.
pub(crate) fn copy_chunk(core: &Core, a: u16) -> Option<Chunk> {
    let [d, s, n] = operands(core);
    let (to, from) = (usize::from(a & 1), usize::from(a >> 1 & 1));
    let inside = |memory: usize, end: u64| end <= core.memories[memory].bytes.len() as u64;
    if !inside(to, d + n) || !inside(from, s + n) {
        return None;
    }
    if n == 0 {
        return Some(Chunk {
            to,
            from,
            at: d,
            source: s,
            len: 0,
            next: [d, s, 0],
        });
    }
    Some(if d <= s {
        let len = n.min(WORD - d % WORD).min(WORD - s % WORD);
        Chunk {
            to,
            from,
            at: d,
            source: s,
            len,
            next: [d + len, s + len, n - len],
        }
    } else {
        let last = |end: u64| (end - 1) % WORD + 1;
        let len = n.min(last(d + n)).min(last(s + n));
        Chunk {
            to,
            from,
            at: d + n - len,
            source: s + n - len,
            len,
            next: [d, s, n - len],
        }
    })
}

/// The chunk that `fill` writes next, with the value as it was for the source.
pub(crate) fn fill_chunk(core: &Core, a: u16) -> Option<Chunk> {
    let [d, _, n] = operands(core);
    let value = core.second();
    let to = usize::from(a & 1);
    if d + n > core.memories[to].bytes.len() as u64 {
        return None;
    }
    let len = n.min(WORD - d % WORD);
    Some(Chunk {
        to,
        from: to,
        at: d,
        source: value,
        len,
        next: [d + len, value, n - len],
    })
}

fn operands(core: &Core) -> [u64; 3] {
    [3, 2, 1].map(|below| u64::from(core.stack[core.sp - below] as u32))
}

/// Takes the operands away, or puts those of the next chunk there.
fn repeat(core: &mut Core, chunk: &Chunk, pc: u32) -> u32 {
    if chunk.next[2] == 0 {
        core.sp -= 3;
        return pc + 1;
    }
    let sp = core.sp;
    core.stack[sp - 3..sp].copy_from_slice(&chunk.next);
    pc
}

fn copy(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    let Some(chunk) = copy_chunk(core, slot.a) else {
        return PC_TRAP;
    };
    if chunk.len > 0 {
        let len = chunk.len as usize;
        let (at, source) = (chunk.at as usize, chunk.source as usize);
        let mut word = [0; WORD as usize];
        word[..len].copy_from_slice(&core.memories[chunk.from].bytes[source..source + len]);
        let to = &mut core.memories[chunk.to];
        to.bytes[at..at + len].copy_from_slice(&word[..len]);
        to.mark(at, len);
    }
    repeat(core, &chunk, pc)
}

fn fill(core: &mut Core, slot: &Slot, pc: u32) -> u32 {
    let Some(chunk) = fill_chunk(core, slot.a) else {
        return PC_TRAP;
    };
    if chunk.len > 0 {
        let (at, len) = (chunk.at as usize, chunk.len as usize);
        let to = &mut core.memories[chunk.to];
        to.bytes[at..at + len].fill(chunk.source as u8);
        to.mark(at, len);
    }
    repeat(core, &chunk, pc)
}
