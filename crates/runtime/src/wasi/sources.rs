//! Clock and randomness: what a program cannot compute itself, made a function of the deal (R22).

use gio_protocol::{B256, keccak256, tag};

use super::abi::{Answer, Args, Buffer, Errno, Guest};

const NS_PER_SECOND: u64 = 1_000_000_000;
const NS_PER_READING: u64 = 1_000_000;

/// Realtime, monotonic, process and thread clock: all show the same.
const CLOCKS: u32 = 4;

/// CU of a random byte: a hash of 136 absorbed bytes for every 32 of them.
const CU_PER_RANDOM_BYTE: u64 = 8;

/// Random bytes made between two looks at deadline and cancel.
const RANDOM_CHUNK: u32 = 1 << 16;

/// Shows the deal's time first and goes on by 1 ms per reading, whichever clock is read.
#[derive(Debug)]
pub(crate) struct Clock {
    start_ns: u64,
    now_ns: u64,
}

impl Clock {
    pub(super) fn new(start: u64) -> Self {
        let start_ns = start.saturating_mul(NS_PER_SECOND);
        Self {
            start_ns,
            now_ns: start_ns,
        }
    }

    /// When everything in the unit's file system was made.
    pub(super) fn start_ns(&self) -> u64 {
        self.start_ns
    }

    pub(super) fn resolution(&self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        known_clock(args.u32(0))?;
        guest.write_u64(args.u32(1), NS_PER_READING)
    }

    pub(super) fn read(&mut self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        known_clock(args.u32(0))?;
        guest.write_u64(args.u32(2), self.now_ns)?;
        self.now_ns = self.now_ns.saturating_add(NS_PER_READING);
        Ok(())
    }
}

fn known_clock(id: u32) -> Answer {
    match id < CLOCKS {
        true => Ok(()),
        false => Err(Errno::INVAL.into()),
    }
}

/// `keccak(TAG("gio.random.v1") ‖ unit seed ‖ block u64)` for block 0, 1, ...: one stream over all calls.
#[derive(Debug)]
pub(crate) struct Random {
    seed: B256,
    tag: B256,
    next_block: u64,
    block: [u8; 32],
    /// Bytes of `block` that were given away.
    taken: usize,
}

impl Random {
    pub(super) fn new(seed: B256) -> Self {
        Self {
            seed,
            tag: tag("gio.random.v1"),
            next_block: 0,
            block: [0; 32],
            taken: 32,
        }
    }

    pub(super) fn fill(&mut self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let (at, len) = (args.u32(0), args.u32(1));
        guest.check(at, len)?;
        let mut done: u32 = 0;
        while done < len {
            let chunk = (len - done).min(RANDOM_CHUNK);
            guest.charge(u64::from(chunk) * CU_PER_RANDOM_BYTE)?;
            let room = guest.bytes_mut(Buffer {
                at: at + done,
                len: chunk,
            })?;
            room.fill_with(|| self.next_byte());
            done += chunk;
        }
        Ok(())
    }

    fn next_byte(&mut self) -> u8 {
        if self.taken == self.block.len() {
            let mut preimage = [0; 72];
            preimage[..32].copy_from_slice(self.tag.as_slice());
            preimage[32..64].copy_from_slice(self.seed.as_slice());
            preimage[64..].copy_from_slice(&self.next_block.to_be_bytes());
            self.block = keccak256(preimage).0;
            self.next_block += 1;
            self.taken = 0;
        }
        self.taken += 1;
        self.block[self.taken - 1]
    }
}
