//! Every instruction as a function of the running state (docs/step-machine.md section 4).
//!
//! A handler answers the next `pc`. One that traps or exhausts leaves everything else as the specification says.
//! Handlers run prepared code only: operands are there, and locals have the depth that their function was entered with.

use super::core::{Core, Slot};
use crate::isa::Op;

mod control;
mod floats;
mod host;
mod ints;
mod memory;

pub(crate) use memory::{Chunk, copy_chunk, fill_chunk};

/// What an instruction does.
pub(crate) type Handler = fn(&mut Core, &Slot, u32) -> u32;

/// The handler of an operation.
pub(crate) fn handler(op: Op) -> Handler {
    let found = ints::unary(op)
        .or_else(|| ints::binary(op))
        .or_else(|| ints::division(op))
        .or_else(|| floats::comparison(op))
        .or_else(|| floats::sign(op))
        .or_else(|| floats::arithmetic(op))
        .or_else(|| floats::conversion(op))
        .or_else(|| floats::truncation(op))
        .or_else(|| memory::access(op))
        .or_else(|| memory::bulk(op))
        .or_else(|| control::handler(op))
        .or_else(|| host::handler(op));
    found.unwrap_or(control::trap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreachable_is_the_handler_that_traps() {
        for op in Op::ALL {
            let traps = std::ptr::fn_addr_eq(handler(*op), control::trap as Handler);
            assert_eq!(traps, *op == Op::Unreachable, "{}", op.name());
        }
    }
}
