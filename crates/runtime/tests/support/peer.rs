//! wasmtime alone, with its own WASI and a folder on disk: what a user's program does without us.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gio_content::image::InputImage;
use wasmtime::{Engine, Linker, Module, Store};
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_sync};
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

#[derive(Debug, PartialEq, Eq)]
pub struct Peer {
    pub exit_code: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Files that were not there before, or are different now.
    pub files: BTreeMap<String, Vec<u8>>,
}

pub fn run(wasm: &[u8], input: &InputImage) -> Peer {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in &input.files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let stdout = MemoryOutputPipe::new(1 << 24);
    let stderr = MemoryOutputPipe::new(1 << 24);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut builder = WasiCtxBuilder::new();
    builder
        .stdin(MemoryInputPipe::new(input.stdin.clone()))
        .stdout(stdout.clone())
        .stderr(stderr.clone());
    for arg in &input.args {
        builder.arg(text(arg));
    }
    for (name, value) in &input.env {
        builder.env(name, text(value));
    }
    for guest_path in ["/", "."] {
        builder
            .preopened_dir(folder.path(), guest_path, FsPerms::ReadWrite)
            .unwrap();
    }
    let exit_code = call(wasm, builder.build_p1());
    let mut files = BTreeMap::new();
    collect(folder.path(), "", &mut files);
    files.retain(|path, bytes| input.files.get(path) != Some(bytes));
    Peer {
        exit_code,
        stdout: stdout.contents().to_vec(),
        stderr: stderr.contents().to_vec(),
        files,
    }
}

fn call(wasm: &[u8], context: WasiP1Ctx) -> i32 {
    let engine = Engine::default();
    let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
    add_to_linker_sync(&mut linker, |context| context).unwrap();
    let mut store = Store::new(&engine, context);
    let module = Module::new(&engine, wasm).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let start = instance
        .get_typed_func::<(), ()>(&mut store, "_start")
        .unwrap();
    match start.call(&mut store, ()) {
        Ok(()) => 0,
        Err(error) => error.downcast_ref::<I32Exit>().unwrap().0,
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => collect(&entry.path(), &format!("{name}/"), files),
            false => drop(files.insert(name, fs::read(entry.path()).unwrap())),
        }
    }
}
