//! The one table of host calls that a linked program is left with (docs/step-machine.md sections 4.8 and 5): the sandbox
//! answers them, lowering turns each into its instructions.

use crate::isa::{Instruction, Op};
use crate::wasi::Param;

/// Module that a linked program imports its host calls from.
pub const HOST_MODULE: &str = "gio";

/// A primitive host call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostCall {
    /// `input_read(at, word)`: 32 bytes of the shim's memory become a word of the input image.
    InputRead,
    /// `input_len() -> i64`: bytes of the input image.
    InputLen,
    /// `output_write(word, at)`: a word of the output image becomes 32 bytes of the shim's memory.
    OutputWrite,
    /// `output_close(bytes: i64)`: how long the output image is.
    OutputClose,
    /// `output_max() -> i64`: how long it may be.
    OutputMax,
    /// `clock_start() -> i64`: what the unit's clock shows first, in seconds.
    ClockStart,
    /// `random(at, block: i64)`: 32 bytes of the shim's memory become a block of the unit's random stream.
    Random,
    /// `exit(code)`: ends the run.
    Exit,
}

impl HostCall {
    /// All of them, in the order in which a linked program imports them.
    pub const ALL: &[Self] = &[
        Self::InputRead,
        Self::InputLen,
        Self::OutputWrite,
        Self::OutputClose,
        Self::OutputMax,
        Self::ClockStart,
        Self::Random,
        Self::Exit,
    ];

    /// The name it is imported by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InputRead => "input_read",
            Self::InputLen => "input_len",
            Self::OutputWrite => "output_write",
            Self::OutputClose => "output_close",
            Self::OutputMax => "output_max",
            Self::ClockStart => "clock_start",
            Self::Random => "random",
            Self::Exit => "exit",
        }
    }

    /// The call imported as `name`, if there is one.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|call| call.name() == name)
    }

    /// Its parameters.
    #[must_use]
    pub fn params(self) -> &'static [Param] {
        match self {
            Self::InputRead | Self::OutputWrite => &[Param::I32, Param::I32],
            Self::InputLen | Self::OutputMax | Self::ClockStart => &[],
            Self::OutputClose => &[Param::I64],
            Self::Random => &[Param::I32, Param::I64],
            Self::Exit => &[Param::I32],
        }
    }

    /// Its result.
    #[must_use]
    pub fn result(self) -> Option<Param> {
        match self {
            Self::InputLen | Self::OutputMax | Self::ClockStart => Some(Param::I64),
            _ => None,
        }
    }

    /// What it is lowered to. Addresses are the shim's.
    pub(crate) fn instructions(self) -> Vec<Instruction> {
        let shim = |op| Instruction::new(op).a(1);
        let plain = Instruction::new;
        let env = |value| vec![plain(Op::Env).b(value)];
        match self {
            Self::InputRead => vec![plain(Op::InputFetch), shim(Op::ScratchStore)],
            Self::Random => vec![plain(Op::Random), shim(Op::ScratchStore)],
            Self::OutputWrite => vec![shim(Op::ScratchLoad), plain(Op::OutputWrite)],
            Self::OutputClose => vec![plain(Op::OutputClose)],
            Self::Exit => vec![plain(Op::Exit)],
            Self::InputLen => env(0),
            Self::OutputMax => env(1),
            Self::ClockStart => env(2),
        }
    }
}
