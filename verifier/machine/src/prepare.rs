//! From a module as it was uploaded to the two instrumented builds a sandbox runs.

use wasm_encoder::{BranchHints, CodeSection};
use wasmparser::{
    FuncToValidate, FuncValidatorAllocations, FunctionBody, Parser, Payload, ValidPayload,
    Validator, ValidatorResources,
};

use crate::body::{self, Body, Weight};
use crate::calls::Calls;
use crate::emit::exact::Exact;
use crate::emit::fast::{Fast, Paid};
use crate::emit::{self, Added, Extras, Plan, Writer};
use crate::error::{PrepareError, check_size};
use crate::features::{accepted, linked, refusal};
use crate::limits::{INSTRUCTIONS_MAX, PrepareLimits, WRITTEN_BYTES_MAX};
use crate::link::{Linking, link, with_shim};
use crate::lower::{Lowered, Scope, lower};
use crate::program::{Origin, Program};
use crate::source::{Profile, Source};
use crate::{blocks, fold, inline, loops, nan, program};

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

/// Export of the global that holds the most pages the guest's memory may have, in builds of a linked program. The host
/// sets it before it calls anything.
pub const PAGES_EXPORT: &str = "gio:pages";

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
    let mut scan = Scan::read(module, limits, Profile::Command)?;
    scan.source.check_command()?;
    let code = Code::write(&mut scan.functions, &mut scan.source)?;
    scan.source.builds(&code)
}

/// A program of machine version 1: one a contract can check (docs/step-machine.md).
#[derive(Clone, Debug)]
pub struct Provable {
    /// The builds that a sandbox runs.
    pub builds: Prepared,
    /// What the step machine runs; it names the program root.
    pub program: Program,
}

/// The same check as [`prepare`], then the shim is linked in, and the linked program is both instrumented and lowered.
/// Builds and program agree in status, exit code, CU and output of every unit.
pub fn prepare_provable(module: &[u8], limits: &PrepareLimits) -> Result<Provable, PrepareError> {
    check_size(
        "bytes of the module",
        module.len() as u64,
        limits.module_bytes_max,
    )?;
    provable(module, Linking::Command, limits)
}

/// For tests of single functions: a module that imports nothing and need not be a command. Its exports can be called by
/// [`crate::LIBRARY_PREFIX`] and their names, in the builds and with [`crate::Machine::call`].
pub fn prepare_library(module: &[u8], limits: &PrepareLimits) -> Result<Provable, PrepareError> {
    provable(module, Linking::Library, limits)
}

fn provable(
    module: &[u8],
    linking: Linking,
    limits: &PrepareLimits,
) -> Result<Provable, PrepareError> {
    let mut guest = Scan::read(module, limits, Profile::Command)?;
    if linking == Linking::Command {
        guest.source.check_command()?;
    }
    program::check_segments(&guest.source)?;
    guest.functions.check()?;
    let bodies: Vec<_> = guest.functions.bodies().collect();
    let linked = link(&guest.source, &bodies, linking, limits)?;
    let limits = with_shim(limits)?;
    let mut scan = Scan::read(&linked, &limits, Profile::Linked)?;
    let mut code = Code::write(&mut scan.functions, &mut scan.source)?;
    let lowered = std::mem::take(&mut code.lowered);
    let program = Program::build(&scan.source, lowered, &guest.origins())?;
    Ok(Provable {
        builds: scan.source.builds(&code)?,
        program,
    })
}

/// A module whose sections have been read and whose functions can be decoded.
struct Scan<'a> {
    source: Source<'a>,
    functions: Functions<'a>,
}

impl<'a> Scan<'a> {
    fn read(
        module: &'a [u8],
        limits: &'a PrepareLimits,
        profile: Profile,
    ) -> Result<Self, PrepareError> {
        let features = match profile {
            Profile::Command => accepted(),
            Profile::Linked => linked(),
        };
        let mut source = Source::new(profile);
        let mut functions = Functions::new(limits);
        let mut validator = Validator::new_with_features(features);
        let mut parser = Parser::new(0);
        parser.set_features(features);
        for payload in parser.parse_all(module) {
            let payload = payload.map_err(|error| refusal(&error, None))?;
            if let Payload::TypeSection(types) = &payload {
                let bytes = types.range().len() as u64;
                check_size("bytes of the types", bytes, limits.type_bytes_max)?;
            }
            let valid = validator
                .payload(&payload)
                .map_err(|error| refusal(&error, None))?;
            if let ValidPayload::Func(function, body) = valid {
                functions.list.push((function, body));
            } else {
                source.take(payload, limits)?;
            }
        }
        Ok(Self { source, functions })
    }

    /// What the functions of the linked program are that come from this one.
    fn origins(&self) -> Vec<Origin> {
        let functions = self.functions.list.iter();
        functions
            .map(|(function, _)| Origin::Guest(function.index))
            .collect()
    }
}

/// The functions a module defines, decoded one at a time and as often as needed: all of them decoded would
/// take a hundred times the module's size.
struct Functions<'a> {
    list: Vec<(FuncToValidate<ValidatorResources>, FunctionBody<'a>)>,
    limits: &'a PrepareLimits,
    allocations: FuncValidatorAllocations,
}

impl<'a> Functions<'a> {
    fn new(limits: &'a PrepareLimits) -> Self {
        Self {
            list: Vec::new(),
            limits,
            allocations: FuncValidatorAllocations::default(),
        }
    }

    fn decode(&mut self, nth: usize) -> Result<Body<'a>, PrepareError> {
        let (function, body) = self.function(nth);
        body::decode(function, &body, self.limits, &mut self.allocations)
    }

    fn function(&self, nth: usize) -> (FuncToValidate<ValidatorResources>, FunctionBody<'a>) {
        let (function, body) = &self.list[nth];
        let function = FuncToValidate {
            resources: function.resources.clone(),
            index: function.index,
            ty: function.ty,
            features: function.features,
        };
        (function, body.clone())
    }

    fn bodies(&self) -> impl Iterator<Item = FunctionBody<'a>> {
        self.list.iter().map(|(_, body)| body.clone())
    }

    /// Reads everything once and keeps nothing, to find what is to be refused before any work is done for it.
    fn check(&mut self) -> Result<(), PrepareError> {
        let mut sums = Sums::default();
        for nth in 0..self.list.len() {
            let (function, body) = self.function(nth);
            let weight = body::weigh(function, &body, self.limits, &mut self.allocations)?;
            sums.add(weight, self.limits)?;
        }
        Ok(())
    }

    /// A function, in a linked program lowered as well.
    fn costed(
        &mut self,
        nth: usize,
        scope: Option<&Scope>,
    ) -> Result<(Body<'a>, Option<Lowered>), PrepareError> {
        let mut body = self.decode(nth)?;
        let lowered = scope.map(|scope| lower(&mut body, scope)).transpose()?;
        Ok((body, lowered))
    }

    fn calls(
        &mut self,
        source: &Source<'_>,
        scope: Option<&Scope>,
    ) -> Result<Calls<'a>, PrepareError> {
        let reachable = source.reachable();
        let mut calls = Calls::new(source.added().imports);
        let mut sums = Sums {
            instructions: scope.map_or(0, |_| program::ENTRY_INSTRUCTIONS),
            ..Sums::default()
        };
        for nth in 0..self.list.len() {
            let (body, lowered) = self.costed(nth, scope)?;
            let weight = Weight {
                complexity: body.complexity,
                instructions: lowered.map_or(0, |lowered| lowered.code.len()),
            };
            sums.add(weight, self.limits)?;
            calls.add(&body, &reachable, self.list.len());
        }
        calls.decide(&reachable);
        Ok(calls)
    }
}

/// What is bounded over all functions together.
#[derive(Debug, Default)]
struct Sums {
    complexity: u64,
    instructions: u64,
}

impl Sums {
    fn add(&mut self, weight: Weight, limits: &PrepareLimits) -> Result<(), PrepareError> {
        self.complexity = self.complexity.saturating_add(weight.complexity);
        check_size(
            "complexity of all functions",
            self.complexity,
            limits.complexity_max,
        )?;
        self.instructions += weight.instructions as u64;
        check_size(
            "instructions of the program",
            self.instructions,
            INSTRUCTIONS_MAX,
        )
    }
}

/// The code sections of both builds, grown function by function.
#[derive(Debug, Default)]
pub(crate) struct Code {
    pub(crate) fast: CodeSection,
    pub(crate) exact: CodeSection,
    pub(crate) hints: BranchHints,
    pub(crate) extras: Extras,
    /// In a linked program, the functions as the step machine runs them.
    lowered: Vec<Lowered>,
}

impl Code {
    fn write(functions: &mut Functions<'_>, source: &mut Source<'_>) -> Result<Self, PrepareError> {
        let scope = program::scope(source)?;
        let calls = functions.calls(source, scope.as_ref())?;
        let mut code = Self::default();
        for nth in 0..functions.list.len() {
            let (body, lowered) = functions.costed(nth, scope.as_ref())?;
            code.lowered.extend(lowered);
            code.add(body, source, &calls)?;
        }
        let added = source.added();
        for nth in 0..code.extras.copies.len() {
            let function = code.extras.copies[nth];
            let body = functions.decode((function - added.imports) as usize)?;
            code.add_copy(body, source)?;
        }
        Ok(code)
    }

    fn add<'a>(
        &mut self,
        body: Body<'a>,
        source: &mut Source<'_>,
        calls: &Calls<'a>,
    ) -> Result<(), PrepareError> {
        let added = source.added();
        let (charges, mut heads) = blocks::find(&body);
        let mut plan = Plan {
            tight: Vec::new(),
            nans: nan::corrections(&body),
            results: source.result_type(&body.results),
            charges,
            corrections: Vec::new(),
            body,
        };
        let mut exact = Exact {
            slots: plan.body.slots,
        };
        let written = emit::write(&plan, Writer::new(&plan.body, added), &mut exact);
        check_written(&written)?;
        self.exact.function(&written.function);
        let leaves = inline::leaves(&mut plan.body, calls);
        if !leaves.is_empty() {
            (plan.charges, heads) = blocks::find(&plan.body);
            plan.nans = nan::corrections(&plan.body);
        }
        let folded = fold::fold(&plan.body.ops, &plan.charges, &heads, calls, &leaves);
        plan.tight = loops::tight(&plan.body.ops, &plan.charges, &heads);
        plan.charges = folded.charges;
        plan.corrections = folded.corrections;
        let mut fast = Fast::new(&plan, calls, &mut self.extras);
        let written = emit::write(&plan, Writer::new(&plan.body, added), &mut fast);
        self.add_fast(&written, added)
    }

    fn add_copy(&mut self, body: Body<'_>, source: &mut Source<'_>) -> Result<(), PrepareError> {
        let added = source.added();
        let plan = Plan {
            tight: Vec::new(),
            nans: nan::corrections(&body),
            results: source.result_type(&body.results),
            charges: Vec::new(),
            corrections: Vec::new(),
            body,
        };
        let written = emit::write(&plan, Writer::new(&plan.body, added), &mut Paid);
        self.add_fast(&written, added)
    }

    fn add_fast(&mut self, written: &emit::Written, added: Added) -> Result<(), PrepareError> {
        check_written(written)?;
        if !written.hints.is_empty() {
            let index = added.imports + 1 + self.fast.len();
            self.hints
                .function_hints(index, written.hints.iter().copied());
        }
        self.fast.function(&written.function);
        Ok(())
    }
}

/// What instrumentation adds can be many times what it is added to.
fn check_written(written: &emit::Written) -> Result<(), PrepareError> {
    check_size(
        "bytes of one function as it is compiled",
        written.function.byte_len() as u64,
        WRITTEN_BYTES_MAX,
    )
}
