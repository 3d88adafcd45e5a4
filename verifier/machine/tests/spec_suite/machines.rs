//! One module on all machines: both builds under wasmtime and the step machine. They must agree in results, traps, CU
//! and memory.

use std::sync::Arc;

use gio_machine::state::{DealDepths, START_CU, STATUS_TRAP, UnitLimits};
use gio_machine::{Loaded, Machine, Provable};
use gio_protocol::{B256, word_root};
use wasmtime::{Engine, Module, Val};

use crate::steps::Steps;
use crate::support::host::{End, Guest, bits};

/// Enough for any function of the suite.
const CU_LIMIT: u64 = 1 << 40;

/// Pages a memory may have unless the module begins with more: what a unit of the market has.
const PAGES_MAX: u32 = 1024;

/// No function of the suite reads input or writes output. The depths differ all the same, as a deal's may.
const INPUT_DEPTH: u8 = 1;
const OUTPUT_DEPTH: u8 = 2;

pub struct Machines {
    fast: Guest,
    exact: Guest,
    step: Machine,
}

impl Machines {
    pub fn new(engine: &Engine, provable: Provable) -> Self {
        let pages_max = provable.program.header().pages[0].max(PAGES_MAX);
        let guest = |wasm: &[u8]| {
            let module = Module::new(engine, wasm).unwrap();
            let mut guest = Guest::new(&module, CU_LIMIT);
            guest.allow_pages(pages_max);
            guest
        };
        let unit = UnitLimits {
            input_root: word_root(&[], INPUT_DEPTH).unwrap(),
            input_length: 0,
            cu_limit: CU_LIMIT,
            pages_max,
            output_max: 32,
            unit_seed: B256::ZERO,
        };
        let deal = DealDepths {
            input_depth: INPUT_DEPTH,
            output_depth: OUTPUT_DEPTH,
            clock_start: 0,
        };
        Self {
            fast: guest(&provable.builds.fast),
            exact: guest(&provable.builds.exact),
            step: Machine::new(
                Arc::new(Loaded::new(provable.program)),
                Vec::new(),
                &unit,
                &deal,
            )
            .unwrap(),
        }
    }

    /// Calls a function everywhere, its steps checked, and answers how it ended.
    pub fn call(&mut self, export: &str, arguments: &[Val], steps: &mut Steps) -> End {
        let (end, used) = metered(&mut self.exact, export, arguments);
        let (ended, charged) = metered(&mut self.fast, export, arguments);
        assert_eq!(ended, end, "the builds differ");
        if end != End::Trapped {
            assert_eq!(charged, used, "CU of the builds");
        }
        let pc = self.step.program().export(export).unwrap();
        let arguments: Vec<u64> = arguments.iter().map(bits).collect();
        self.step.call(pc, &arguments);
        steps.walk(&mut self.step);
        let ended = match self.step.halted() {
            None => End::Returned(self.step.stack().to_vec()),
            Some(halted) if halted.status == STATUS_TRAP => End::Trapped,
            Some(_) => End::Exhausted,
        };
        assert_eq!(ended, end, "the step machine differs from wasmtime");
        assert_eq!(self.step.cu() - START_CU, used, "CU");
        assert!(self.step.steps() <= self.step.cu(), "R20: steps ≤ CU");
        end
    }

    /// Memories are the same. Costs a look at all of them.
    pub fn agree(&mut self) {
        let memory = self.step.memory(0);
        assert!(self.exact.memory() == memory, "memory of the exact build");
        assert!(self.fast.memory() == memory, "memory of the fast build");
    }
}

/// How a call ends, and the CU it takes.
fn metered(guest: &mut Guest, export: &str, arguments: &[Val]) -> (End, u64) {
    let before = guest.used();
    let end = guest.call(export, arguments);
    (end, guest.used() - before)
}
