//! Programs from files, and the names of their functions.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gio_agent::{Code, UserError};
use gio_machine::{FunctionPlace, Origin, PrepareLimits, Provable, prepare_provable};
use wasmparser::{Name, Parser, Payload};

/// A module as it was uploaded, and what became of it.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) wasm: Vec<u8>,
    pub(crate) provable: Provable,
    names: BTreeMap<u32, String>,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
struct ReadError {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

/// A file's bytes.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, UserError> {
    fs::read(path).map_err(|source| {
        let path = path.to_owned();
        UserError::of(Code::Usage, ReadError { path, source })
    })
}

impl App {
    pub(crate) fn load(path: &Path) -> Result<Self, UserError> {
        let wasm = read(path)?;
        let provable = prepare_provable(&wasm, &PrepareLimits::default()).map_err(|error| {
            UserError::of(Code::JobInvalid, error).hint(
                "a program is a WASI preview 1 command without threads, SIMD, exceptions, reference types; \
                 docs/protocol.md section 10 lists the limits",
            )
        })?;
        Ok(Self {
            names: names(&wasm),
            wasm,
            provable,
        })
    }

    /// What to call the function that an instruction belongs to.
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
