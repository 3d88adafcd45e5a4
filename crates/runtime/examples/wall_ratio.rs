//! How much longer a program takes here than under wasmtime alone, in one run, alternating.
//!
//! ```text
//! wall_ratio NAME MODULE [--file GUEST_PATH=HOST_PATH]... [--stdin HOST_PATH] [--rounds N] [--machine 0|1] [--behind N] [-- ARGS...]
//! ```
//!
//! Prints one line of JSON. `wasm_wall_ratio` is the median of the rounds' ratios; compiling is not measured,
//! instantiating and reading and writing all input and output is.
//! `--behind N` measures the module behind N functions that nobody calls: the same work, its code at another place.
//! On a busy machine `wasm_wall_ratio_of_fastest`, the ratio of both sides' fastest rounds, is steadier. The peer is wasmtime with its default
//! configuration and its own WASI on a folder; both must give the same exit code and the same bytes.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use gio_content::image::{InputImage, OutputImage};
use gio_protocol::{B256, Status};
use gio_runtime::{Engine, EngineConfig, MachineVersion, Program, RunControl, UnitLimits};
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{CodeSection, Function, FunctionSection, TypeSection};
use wasmtime::{Linker, Module, Store};
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_sync};
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

const ROUNDS: usize = 7;
const PAGES_MAX: u32 = 16_384;
/// What a deal of version 1 has room for.
const OUTPUT_MAX: u64 = 1 << 27;

type Answer<T> = Result<T, Box<dyn Error>>;

struct Task {
    name: String,
    module: Vec<u8>,
    input: InputImage,
    rounds: usize,
    version: MachineVersion,
}

/// What a run answered, for comparing both sides.
#[derive(PartialEq, Eq)]
struct Done {
    exit_code: u32,
    stdout: Vec<u8>,
    files: BTreeMap<String, Vec<u8>>,
}

fn main() -> Answer<()> {
    let task = task(std::env::args().skip(1))?;
    let peer = Peer::new(&task)?;
    let ours = Ours::new(&task)?;
    let mut rounds = Vec::new();
    for _ in 0..task.rounds {
        let (plain, expected) = peer.run()?;
        let (metered, found) = ours.run()?;
        if found != expected {
            return Err("both sides ran, but their results differ".into());
        }
        rounds.push((metered.as_secs_f64() / plain.as_secs_f64(), plain, metered));
    }
    let mut ratios: Vec<f64> = rounds.iter().map(|round| round.0).collect();
    let mut plain: Vec<Duration> = rounds.iter().map(|round| round.1).collect();
    let mut metered: Vec<Duration> = rounds.iter().map(|round| round.2).collect();
    ratios.sort_by(f64::total_cmp);
    plain.sort();
    metered.sort();
    let middle = task.rounds / 2;
    println!(
        r#"{{"name":"{}","wasm_wall_ratio":{:.3},"wasm_wall_ratio_min":{:.3},"wasm_wall_ratio_max":{:.3},"wasm_wall_ratio_of_fastest":{:.3},"plain_ms":{:.1},"gio_ms":{:.1},"cu":{},"rounds":{}}}"#,
        task.name,
        ratios[middle],
        ratios[0],
        ratios[ratios.len() - 1],
        metered[0].as_secs_f64() / plain[0].as_secs_f64(),
        plain[middle].as_secs_f64() * 1000.0,
        metered[middle].as_secs_f64() * 1000.0,
        ours.cu.get(),
        task.rounds,
    );
    Ok(())
}

fn task(mut args: impl Iterator<Item = String>) -> Answer<Task> {
    let usage = "usage: wall_ratio NAME MODULE [--file GUEST=HOST]... [--stdin HOST] [--rounds N] [--machine 0|1] [--behind N] [-- ARGS...]";
    let name = args.next().ok_or(usage)?;
    let mut module = fs::read(args.next().ok_or(usage)?)?;
    let mut input = InputImage {
        args: vec![name.clone().into_bytes()],
        ..InputImage::default()
    };
    let mut rounds = ROUNDS;
    let mut version = MachineVersion::Metered;
    while let Some(flag) = args.next() {
        match flag.as_str() {
            "--" => input.args.extend(args.by_ref().map(String::into_bytes)),
            "--stdin" => input.stdin = fs::read(args.next().ok_or(usage)?)?,
            "--rounds" => rounds = args.next().ok_or(usage)?.parse::<usize>()?.max(1),
            "--machine" => {
                version = match args.next().ok_or(usage)?.as_str() {
                    "0" => MachineVersion::Metered,
                    "1" => MachineVersion::Provable,
                    _ => return Err(usage.into()),
                }
            }
            "--behind" => module = behind(&module, args.next().ok_or(usage)?.parse()?)?,
            "--file" => {
                let file = args.next().ok_or(usage)?;
                let (guest, host) = file.split_once('=').ok_or(usage)?;
                input.files.insert(guest.to_owned(), fs::read(host)?);
            }
            _ => return Err(usage.into()),
        }
    }
    Ok(Task {
        name,
        module,
        input,
        rounds,
        version,
    })
}

/// The module with `functions` empty ones in front of its own.
fn behind(module: &[u8], functions: u32) -> Answer<Vec<u8>> {
    let mut imports = 0;
    for payload in wasmparser::Parser::new(0).parse_all(module) {
        if let wasmparser::Payload::ImportSection(section) = payload? {
            for import in section.into_imports() {
                imports += u32::from(matches!(import?.ty, wasmparser::TypeRef::Func(_)));
            }
        }
    }
    let mut moved = Moved {
        imports,
        functions,
        empty: 0,
    };
    let mut written = wasm_encoder::Module::new();
    moved.parse_core_module(&mut written, wasmparser::Parser::new(0), module)?;
    Ok(written.finish())
}

struct Moved {
    imports: u32,
    functions: u32,
    /// Type of a function without parameters and results.
    empty: u32,
}

type Written = Result<(), reencode::Error>;

impl Reencode for Moved {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error> {
        let imported = function < self.imports;
        Ok(if imported {
            function
        } else {
            function + self.functions
        })
    }

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: wasmparser::TypeSectionReader<'_>,
    ) -> Written {
        reencode::utils::parse_type_section(self, types, section)?;
        self.empty = types.len();
        types.ty().function([], []);
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Written {
        for _ in 0..self.functions {
            functions.function(self.empty);
        }
        reencode::utils::parse_function_section(self, functions, section)
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Written {
        let mut empty = Function::new([]);
        empty.instructions().end();
        for _ in 0..self.functions {
            code.function(&empty);
        }
        reencode::utils::parse_code_section(self, code, section)
    }
}

struct Ours {
    engine: Engine,
    program: Program,
    image: Vec<u8>,
    cu: std::cell::Cell<u64>,
}

impl Ours {
    fn new(task: &Task) -> Answer<Self> {
        let engine = Engine::new(EngineConfig {
            cache_dir: None,
            instances_max: 1,
            pages_max: PAGES_MAX,
        })?;
        Ok(Self {
            program: engine.load_version(&task.module, task.version)?,
            engine,
            image: task.input.encode()?,
            cu: std::cell::Cell::new(0),
        })
    }

    fn run(&self) -> Answer<(Duration, Done)> {
        let limits = UnitLimits {
            // The most a unit of version 1 may have.
            cu_limit: 1 << 45,
            pages_max: PAGES_MAX,
            output_max: OUTPUT_MAX,
            unit_seed: B256::ZERO,
            clock_start: 1_700_000_000,
        };
        let start = Instant::now();
        let outcome = self
            .engine
            .run(&self.program, &self.image, &limits, &RunControl::none())?;
        let took = start.elapsed();
        if outcome.status != Status::Exit {
            return Err(format!("the program ended with {:?}", outcome.status).into());
        }
        self.cu.set(outcome.cu);
        let output = OutputImage::decode(&outcome.output_image)?;
        let done = Done {
            exit_code: outcome.exit_code,
            stdout: output.stdout,
            files: output.files,
        };
        Ok((took, done))
    }
}

struct Peer {
    module: Module,
    linker: Linker<WasiP1Ctx>,
    input: InputImage,
}

impl Peer {
    fn new(task: &Task) -> Answer<Self> {
        let engine = wasmtime::Engine::default();
        let mut linker = Linker::new(&engine);
        add_to_linker_sync(&mut linker, |context| context)?;
        Ok(Self {
            module: Module::new(&engine, &task.module)?,
            linker,
            input: task.input.clone(),
        })
    }

    fn run(&self) -> Answer<(Duration, Done)> {
        let folder = tempfile::tempdir()?;
        for (path, bytes) in &self.input.files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
            fs::write(path, bytes)?;
        }
        let start = Instant::now();
        let stdout = MemoryOutputPipe::new(1 << 30);
        let mut builder = WasiCtxBuilder::new();
        builder
            .stdin(MemoryInputPipe::new(self.input.stdin.clone()))
            .stdout(stdout.clone());
        for arg in &self.input.args {
            builder.arg(std::str::from_utf8(arg)?);
        }
        for guest_path in ["/", "."] {
            builder.preopened_dir(folder.path(), guest_path, FsPerms::ReadWrite)?;
        }
        let mut store = Store::new(self.module.engine(), builder.build_p1());
        let instance = self.linker.instantiate(&mut store, &self.module)?;
        let entry = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
        let exit_code = match entry.call(&mut store, ()) {
            Ok(()) => 0,
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(exit) => exit.0.cast_unsigned(),
                None => return Err(error.into()),
            },
        };
        let took = start.elapsed();
        let mut files = BTreeMap::new();
        collect(folder.path(), "", &mut files)?;
        files.retain(|path, bytes| self.input.files.get(path) != Some(bytes));
        let done = Done {
            exit_code,
            stdout: stdout.contents().to_vec(),
            files,
        };
        Ok((took, done))
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Answer<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(())
}
