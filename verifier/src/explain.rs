//! What one instruction finds and leaves: the operands it pops, what it pushes, and every part of the state that its
//! class touches, before and after.

use gio_machine::isa::{Class, Instruction, Op};
use gio_machine::state::{PC_EXHAUSTED, PC_TRAP};
use gio_machine::{Access, Machine};
use serde_json::{Value, json};

/// Bytes of a leaf of memory.
const LEAF: u64 = 32;

/// Locals that are shown of a frame.
const LOCALS_SHOWN: usize = 16;

/// A part of the state.
#[derive(Clone, Copy, Debug)]
enum Part {
    Local(u32),
    Global(u32),
    Bytes(Access),
    Leaf { memory: usize, leaf: u64 },
    Pages(usize),
    Element(u32),
    Scratch,
    OutputWord(u64),
    OutputLength,
    CallDepth,
    Frame,
    Slots,
    Locals,
    Cu,
}

/// An instruction that is about to be executed, and what it finds.
#[derive(Debug)]
pub(crate) struct Found {
    operands: Vec<u64>,
    /// Operands that it leaves alone.
    below: usize,
    parts: Vec<(Part, String)>,
}

/// The same instruction executed.
#[derive(Debug)]
pub(crate) struct Explained {
    operands: Vec<u64>,
    results: Vec<u64>,
    /// Why it pushed nothing, if it did not end as others do.
    ended: Option<&'static str>,
    parts: Vec<(Part, String, String)>,
}

impl Found {
    pub(crate) fn new(machine: &Machine) -> Self {
        let stack = machine.stack();
        let instruction = machine.instruction().unwrap_or_default();
        let operation = machine.instruction().and_then(Instruction::operation);
        let pops = operation.map_or(0, |op| usize::from(op.pops()));
        let below = stack.len().saturating_sub(pops);
        let parts = operation.map_or(Vec::new(), |op| parts(machine, op, instruction));
        let parts = parts.into_iter().chain([Part::Cu]);
        Self {
            operands: stack[below..].to_vec(),
            below,
            parts: parts.map(|part| (part, part.value(machine))).collect(),
        }
    }

    /// What the instruction left: the machine is one step further.
    pub(crate) fn executed(self, machine: &Machine) -> Explained {
        let ended = match machine.pc() {
            None => Some("the machine has halted"),
            Some(PC_TRAP) => Some("it traps"),
            Some(PC_EXHAUSTED) => Some("the CU limit is reached"),
            Some(_) => None,
        };
        let results = machine
            .stack()
            .get(self.below..)
            .filter(|_| ended.is_none());
        let parts = self.parts.into_iter();
        Explained {
            operands: self.operands,
            results: results.unwrap_or_default().to_vec(),
            ended,
            parts: parts
                .map(|(part, before)| (part, before, part.value(machine)))
                .collect(),
        }
    }
}

/// What the operation's class touches beside operands and result.
fn parts(machine: &Machine, op: Op, instruction: Instruction) -> Vec<Part> {
    let top = machine.stack().last().copied().unwrap_or(0);
    let memory = usize::from(instruction.a & 1);
    match op.class() {
        Class::Local => vec![Part::Local(instruction.b)],
        Class::Global => vec![Part::Global(instruction.b)],
        Class::Load | Class::Store | Class::Copy | Class::Fill => accessed(machine),
        Class::Frame | Class::Return => CALL.to_vec(),
        Class::Indirect => {
            let index = u32::try_from(top & u64::from(u32::MAX)).unwrap_or(u32::MAX);
            [&[Part::Element(index)], CALL].concat()
        }
        Class::Grow => vec![Part::Pages(memory)],
        Class::Stack if op == Op::MemorySize => vec![Part::Pages(memory)],
        Class::Stack | Class::Float => Vec::new(),
        Class::Host => match op {
            Op::InputFetch | Op::Random => vec![Part::Scratch],
            Op::ScratchStore | Op::ScratchLoad => [vec![Part::Scratch], accessed(machine)].concat(),
            Op::OutputWrite => vec![Part::Scratch, Part::OutputWord(top)],
            Op::OutputClose | Op::Exit => vec![Part::OutputLength],
            _ => Vec::new(),
        },
    }
}

/// What calls and returns touch.
const CALL: &[Part] = &[Part::CallDepth, Part::Frame, Part::Slots, Part::Locals];

/// The bytes of memory that the instruction is about, each followed by the leaves they are in.
fn accessed(machine: &Machine) -> Vec<Part> {
    let accesses = machine.accesses().into_iter();
    let parts = accesses.filter(|access| access.len > 0).flat_map(|access| {
        let (first, last) = (access.at / LEAF, (access.at + access.len - 1) / LEAF);
        let leaves = (first..=last).map(move |leaf| Part::Leaf {
            memory: access.memory,
            leaf,
        });
        [Part::Bytes(access)].into_iter().chain(leaves)
    });
    parts.collect()
}

impl Part {
    fn name(self) -> String {
        match self {
            Self::Local(index) => format!("local {index}"),
            Self::Global(index) => format!("global {index}"),
            Self::Bytes(Access { memory, at, len }) => {
                let bytes = if len == 1 { "byte" } else { "bytes" };
                format!("{len} {bytes} at {at:#x} of memory {memory}")
            }
            Self::Leaf { memory, leaf } => format!("leaf {leaf} of memory {memory}"),
            Self::Pages(memory) => format!("pages of memory {memory}"),
            Self::Element(index) => format!("table element {index}"),
            Self::Scratch => "scratch".to_owned(),
            Self::OutputWord(word) => format!("output word {word}"),
            Self::OutputLength => "output length".to_owned(),
            Self::CallDepth => "call depth".to_owned(),
            Self::Frame => "frame on top".to_owned(),
            Self::Slots => "slots".to_owned(),
            Self::Locals => "locals".to_owned(),
            Self::Cu => "CU".to_owned(),
        }
    }

    fn value(self, machine: &Machine) -> String {
        let outside = || "outside".to_owned();
        let slot = |slots: &[u64], index: u32| {
            let slot = slots.get(index as usize);
            slot.map_or_else(outside, |slot| format!("{slot:#x}"))
        };
        match self {
            Self::Local(index) => slot(machine.locals(), index),
            Self::Global(index) => slot(machine.globals(), index),
            Self::Bytes(Access { memory, at, len }) => {
                bytes(machine, memory, at, len).map_or_else(outside, hex::encode)
            }
            Self::Leaf { memory, leaf } => {
                bytes(machine, memory, leaf * LEAF, LEAF).map_or_else(outside, hex::encode)
            }
            Self::Pages(memory) => (machine.memory(memory).len() >> 16).to_string(),
            Self::Element(index) => match machine.element(index) {
                None => outside(),
                Some((0, _)) => "null".to_owned(),
                Some((ty, pc)) => format!("type {ty}, pc {pc}"),
            },
            Self::Scratch => machine.scratch().to_string(),
            Self::OutputWord(word) => machine.output_word(word).to_string(),
            Self::OutputLength => machine.output_length().to_string(),
            Self::CallDepth => machine.call_depth().to_string(),
            Self::Frame => machine.top_call().map_or_else(
                || "none".to_owned(),
                |frame| format!("returns to pc {}, {} slots", frame.return_pc, frame.slots),
            ),
            Self::Slots => machine.slots().to_string(),
            Self::Locals => locals(machine.locals()),
            Self::Cu => machine.cu().to_string(),
        }
    }
}

fn bytes(machine: &Machine, memory: usize, at: u64, len: u64) -> Option<&[u8]> {
    let at = usize::try_from(at).ok()?;
    let end = at.checked_add(usize::try_from(len).ok()?)?;
    machine.memory(memory).get(at..end)
}

fn locals(locals: &[u64]) -> String {
    let shown = &locals[..locals.len().min(LOCALS_SHOWN)];
    match locals.len() - shown.len() {
        0 => words(shown),
        more => format!("{} and {more} more", words(shown)),
    }
}

fn words(slots: &[u64]) -> String {
    let words: Vec<String> = slots.iter().map(|slot| format!("{slot:#x}")).collect();
    words.join(" ")
}

impl Explained {
    /// A line for each of them.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |name: &str, value: &str| format!("  {name:<32} {value}");
        let none = |slots: &[u64]| match slots {
            [] => "none".to_owned(),
            slots => words(slots),
        };
        let pushed = match self.ended {
            Some(why) => format!("none: {why}"),
            None => none(&self.results),
        };
        let mut lines = vec![line("pops", &none(&self.operands)), line("pushes", &pushed)];
        for (part, before, after) in &self.parts {
            let value = match before == after {
                true => format!("{before} (stays)"),
                false => format!("{before} -> {after}"),
            };
            lines.push(line(&part.name(), &value));
        }
        lines
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> Value {
        let hex = |slots: &[u64]| -> Vec<String> {
            slots.iter().map(|slot| format!("{slot:#x}")).collect()
        };
        let touched = self.parts.iter().map(
            |(part, before, after)| json!({"what": part.name(), "before": before, "after": after}),
        );
        json!({
            "pops": hex(&self.operands),
            "pushes": hex(&self.results),
            "ended": self.ended,
            "touched": touched.collect::<Vec<_>>(),
        })
    }
}
