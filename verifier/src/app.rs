//! Programs from files, and the names of their functions.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gio_agent::files::read_at_most;
use gio_agent::{Code, UserError};
use gio_machine::{FunctionPlace, Origin, PrepareLimits, Provable, prepare_provable};
use wasmparser::{Name, Parser, Payload};

/// What a program may be.
const PROGRAM: &str = "a program is a WASI preview 1 command without threads, SIMD, exceptions, reference types; \
                       docs/protocol.md section 10 lists the limits";

/// A module as it was uploaded, and what became of it.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) wasm: Vec<u8>,
    pub(crate) provable: Provable,
    names: BTreeMap<u32, String>,
    /// Where in the module the functions that it defines are, and the number of the first.
    bodies: Vec<Range<usize>>,
    imported: u32,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
struct ReadError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// A file's bytes, of which there may be so many; `bound` says why no more.
pub(crate) fn read(path: &Path, max: u64, bound: &str) -> Result<Vec<u8>, UserError> {
    read_at_most(path, max).map_err(|source| {
        let is_too_large = source.kind() == io::ErrorKind::FileTooLarge;
        let path = path.to_owned();
        let error = ReadError { path, source };
        match is_too_large {
            true => UserError::of(Code::JobInvalid, error).hint(bound),
            false => UserError::of(Code::Usage, error),
        }
    })
}

impl App {
    pub(crate) fn load(path: &Path) -> Result<Self, UserError> {
        let limits = PrepareLimits::default();
        let wasm = read(path, limits.module_bytes_max, PROGRAM)?;
        let provable = prepare_provable(&wasm, &limits)
            .map_err(|error| UserError::of(Code::JobInvalid, error).hint(PROGRAM))?;
        let (imported, bodies) = bodies(&wasm);
        Ok(Self {
            names: names(&wasm),
            bodies,
            imported,
            wasm,
            provable,
        })
    }

    /// Where in the module the function is that an instruction belongs to. Instructions have no place of their own
    /// there: lowering keeps none.
    pub(crate) fn body(&self, pc: u32) -> Option<Range<usize>> {
        let Origin::Guest(index) = self.provable.program.function_at(pc)?.origin else {
            return None;
        };
        let nth = index.checked_sub(self.imported)?;
        self.bodies.get(nth as usize).cloned()
    }

    /// What to call the function that an instruction belongs to, and the instruction's number in it as it was lowered.
    pub(crate) fn function(&self, pc: u32) -> (String, u32) {
        let Some(FunctionPlace { pc: begin, origin }) = self.provable.program.function_at(pc)
        else {
            return ("outside the code".to_owned(), 0);
        };
        let name = match origin {
            Origin::Entry => "the entry".to_owned(),
            Origin::Shim(index) => format!("function {index} of the shim"),
            Origin::Guest(index) => match self.names.get(&index) {
                Some(name) => format!("function {index} `{name}`"),
                None => format!("function {index}"),
            },
        };
        (name, pc - begin)
    }
}

/// How many functions a prepared module imports, and where those are that it defines.
fn bodies(wasm: &[u8]) -> (u32, Vec<Range<usize>>) {
    let (mut imported, mut bodies) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(wasm).flatten() {
        match payload {
            // A program imports nothing but functions.
            Payload::ImportSection(reader) => {
                imported += u32::try_from(reader.into_imports().count()).unwrap_or(u32::MAX);
            }
            Payload::CodeSectionEntry(body) => bodies.push(body.range()),
            _ => {}
        }
    }
    (imported, bodies)
}

/// The functions' names, as far as the module has them. A name section that is damaged names nothing.
fn names(wasm: &[u8]) -> BTreeMap<u32, String> {
    let mut found = BTreeMap::new();
    for payload in Parser::new(0).parse_all(wasm).flatten() {
        let Payload::CustomSection(section) = payload else {
            continue;
        };
        let wasmparser::KnownCustom::Name(reader) = section.as_known() else {
            continue;
        };
        for subsection in reader.into_iter().flatten() {
            if let Name::Function(map) = subsection {
                let named = map.into_iter().flatten();
                found.extend(named.map(|naming| (naming.index, naming.name.to_owned())));
            }
        }
    }
    found
}
