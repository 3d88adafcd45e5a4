//! From a module as it was uploaded to the two instrumented builds a sandbox runs.

use wasm_encoder::{BlockType, BranchHint, BranchHints, CodeSection};
use wasmparser::{FuncValidatorAllocations, Parser, ValidPayload, Validator};

use crate::emit::exact::Exact;
use crate::emit::fast::Fast;
use crate::emit::{self, Added, Meter, Plan, Writer, Written};
use crate::error::{PrepareError, check_size};
use crate::features::{accepted, refusal};
use crate::limits::PrepareLimits;
use crate::source::Source;
use crate::{blocks, body, nan};

/// Module of the one import that instrumentation adds: no guest can import from it.
pub const REFILL_MODULE: &str = "gio";

/// `refill(left: i64, needed: i64) -> i64`: the host adds CU to what is left until at least `needed` are there,
/// or ends the run. `left` may be below zero.
pub const REFILL_NAME: &str = "refill";

/// Export of the global that holds the CU left of what the host handed out.
pub const COUNTER_EXPORT: &str = "gio:cu";

/// Export of the global that holds the slots in use on the call stack. The host sets it to zero before it
/// calls a function, because functions do not restore it when they return.
pub const STACK_EXPORT: &str = "gio:stack";

/// Export of the start function, if the module has one. The builds have no start section: the host calls it
/// before `_start`, so that it is metered and may trap like everything else.
pub const START_EXPORT: &str = "gio:start";

/// A program ready to compile: the same module in two builds that agree on everything a claim binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Counts in locals: fast, but only exact when the program exits or calls the host.
    pub fast: Vec<u8>,
    /// Counts in a global at every block: exact at every moment.
    pub exact: Vec<u8>,
    /// Pages (64 KiB) of memory it starts with.
    pub pages_min: u64,
}

/// Checks a WASI command against the accepted feature set and `limits`, and instruments it.
///
/// A pure function of its arguments.
pub fn prepare(module: &[u8], limits: &PrepareLimits) -> Result<Prepared, PrepareError> {
    check_size(
        "bytes of the module",
        module.len() as u64,
        limits.module_bytes_max,
    )?;
    let mut source = Source::default();
    let mut code = Code::default();
    let mut validator = Validator::new_with_features(accepted());
    let mut allocations = FuncValidatorAllocations::default();
    let mut parser = Parser::new(0);
    parser.set_features(accepted());
    for payload in parser.parse_all(module) {
        let payload = payload.map_err(|error| refusal(&error, None))?;
        let valid = validator
            .payload(&payload)
            .map_err(|error| refusal(&error, None))?;
        if let ValidPayload::Func(function, body) = valid {
            let body = body::decode(function, &body, limits, &mut allocations)?;
            code.add(body, &mut source);
        } else {
            source.take(payload, limits)?;
        }
    }
    source.check_command()?;
    Ok(Prepared {
        fast: source.module(&code.fast, Some(&code.hints))?,
        exact: source.module(&code.exact, None)?,
        pages_min: source.pages_min,
    })
}

/// The code sections of both builds, grown function by function.
#[derive(Debug, Default)]
struct Code {
    fast: CodeSection,
    exact: CodeSection,
    hints: BranchHints,
}

impl Code {
    fn add(&mut self, body: body::Body<'_>, source: &mut Source<'_>) {
        let plan = Plan {
            charges: blocks::charges(&body.ops),
            corrections: nan::corrections(&body),
            body,
        };
        let added = source.added();
        let results = source.result_type(&plan.body.results);
        let index = added.imports + 1 + self.fast.len();
        let written = write(&plan, added, Fast::new(&plan), results);
        let hints = written.cold.iter().map(|offset| BranchHint {
            branch_func_offset: *offset,
            branch_hint_value: 0,
        });
        if !written.cold.is_empty() {
            self.hints.function_hints(index, hints);
        }
        self.fast.function(&written.function);
        let exact = Exact {
            slots: plan.body.slots,
        };
        self.exact
            .function(&write(&plan, added, exact, results).function);
    }
}

fn write(plan: &Plan<'_>, added: Added, mut meter: impl Meter, results: BlockType) -> Written {
    emit::write(plan, Writer::new(&plan.body, added), &mut meter, results)
}
