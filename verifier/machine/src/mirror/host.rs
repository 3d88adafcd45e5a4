//! Input, output, environment.

use gio_protocol::{B256, U256};

use super::{End, Fault, ProofInvalid, Step, U32, leaves, low};
use crate::state::{Env, Io, STATUS_EXIT, tagged};

impl Step<'_> {
    pub(super) fn host(&mut self) -> Result<End, ProofInvalid> {
        let op = self.op;
        let address = self.x & U32;
        let scratches = op == 0xf4 || op == 0xf5;
        if scratches && (address & 31 != 0 || !self.inside(self.a, address, 32)) {
            return Ok(End::Trap);
        }
        let (mut rest, mut io) = self.rest_and_io()?;
        match op {
            0xf0 => {
                let code = low(self.x);
                return Ok(End::Halted(self.halted_hash(STATUS_EXIT, code, &io)));
            }
            0xf4 => {
                let scratch = U256::from_be_bytes(io.scratch.0);
                self.header.memory_root = self.rewrite_leaf(self.a, address, scratch)?;
            }
            0xf5 => io.scratch = B256::from(self.read_leaf(self.a, address)?),
            _ => {
                if !self.with_env(&mut io)? {
                    return Ok(End::Trap);
                }
            }
        }
        self.close(&mut rest, &io);
        Ok(End::Next)
    }

    /// The host instructions that need the unit's environment; answers false for those that trap.
    fn with_env(&mut self, io: &mut Io) -> Result<bool, ProofInvalid> {
        let env = self.env(io)?;
        let x = self.x;
        match self.op {
            0xf1 => {
                if self.b > 6 {
                    return Ok(false);
                }
                self.result = value(&env, self.b);
            }
            0xf2 => {
                io.scratch = if x >= env.input_length.div_ceil(32) {
                    B256::ZERO
                } else {
                    B256::from(self.open_leaf(
                        env.input_root,
                        U256::from(x),
                        env.input_depth,
                        Fault::Input,
                    )?)
                }
            }
            0xf3 => {
                let mut block = env.unit_seed.to_vec();
                block.extend_from_slice(&x.to_be_bytes());
                io.scratch = tagged("gio.random.v1", &block);
            }
            0xf6 => {
                if x >= env.output_max.div_ceil(32) {
                    return Ok(false);
                }
                let scratch = U256::from_be_bytes(io.scratch.0);
                let place = (U256::from(x), env.output_depth);
                io.output_root = self.write_leaf(io.output_root, place, scratch, Fault::Output)?;
            }
            _ => {
                if x > env.output_max {
                    return Ok(false);
                }
                io.output_length = x;
            }
        }
        Ok(true)
    }
}

fn value(env: &Env, which: u64) -> u64 {
    match which {
        0 => env.input_length,
        1 => env.output_max,
        2 => env.clock_start,
        _ => leaves::slot(U256::from_be_bytes(env.unit_seed.0), which - 3),
    }
}
