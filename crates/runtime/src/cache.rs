//! Compiled modules, kept by content: in memory while there is room, and on disk between starts.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gio_protocol::{B256, keccak256};
use wasmtime::{Engine, Module};

use crate::program::{MachineVersion, Program};

/// Machine code and modules kept in memory: some hundred programs of a few megabytes.
const MEMORY_BYTES_MAX: usize = 512 << 20;

/// Machine code kept on disk; the files used least recently go first.
const DISK_BYTES_MAX: u64 = 2 << 30;

/// First bytes of a cache file; the digit is the layout's version.
const MAGIC: &[u8; 8] = b"GIOWASM1";

/// A machine version, and the Keccak-256 of a module.
pub(crate) type Key = (MachineVersion, B256);

/// Programs in memory, the least recently used one leaving first.
#[derive(Debug, Default)]
pub(crate) struct MemoryCache {
    programs: BTreeMap<Key, (Program, u64)>,
    bytes: usize,
    uses: u64,
}

impl MemoryCache {
    pub(crate) fn get(&mut self, key: &Key) -> Option<Program> {
        self.uses += 1;
        let (program, last_use) = self.programs.get_mut(key)?;
        *last_use = self.uses;
        Some(program.clone())
    }

    pub(crate) fn put(&mut self, key: Key, program: Program) {
        self.uses += 1;
        self.bytes += program.bytes();
        if let Some((replaced, _)) = self.programs.insert(key, (program, self.uses)) {
            self.bytes -= replaced.bytes();
        }
        while self.bytes > MEMORY_BYTES_MAX && self.programs.len() > 1 {
            let oldest = self
                .programs
                .iter()
                .min_by_key(|(_, (_, last_use))| *last_use);
            let Some(key) = oldest.map(|(key, _)| *key) else {
                return;
            };
            if let Some((evicted, _)) = self.programs.remove(&key) {
                self.bytes -= evicted.bytes();
            }
        }
    }
}

/// A folder of serialized modules. Its files are machine code that will be executed, so it is used only if
/// nobody but this user can write to it, and a file only if it is exactly what was written.
#[derive(Debug)]
pub(crate) struct DiskCache {
    folder: PathBuf,
}

impl DiskCache {
    /// Opens or makes the folder; `None` (and a warning) if it cannot be trusted or used.
    pub(crate) fn open(folder: &Path) -> Option<Self> {
        match prepare_folder(folder) {
            Ok(()) => Some(Self {
                folder: folder.to_owned(),
            }),
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "compiled modules are not kept on disk");
                None
            }
        }
    }

    /// The compiled module, if a sound file for exactly this engine and these bytes is there.
    pub(crate) fn get(&self, engine: &Engine, wasm: &[u8]) -> Option<Module> {
        let path = self.path(engine, wasm);
        let file = fs::read(&path).ok()?;
        let (head, code) = file.split_at_checked(MAGIC.len() + 32)?;
        let (magic, digest) = head.split_at(MAGIC.len());
        if magic != MAGIC || digest != keccak256(code).as_slice() {
            tracing::warn!(path = %path.display(), "a cached module is damaged and is compiled again");
            return None;
        }
        let module = deserialize(engine, code)?;
        // Being used counts for what leaves first; failing to note it does no harm.
        let _ = fs::File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Some(module)
    }

    /// Keeps the module. Failing to is no error: the next start compiles again.
    pub(crate) fn put(&self, engine: &Engine, wasm: &[u8], module: &Module) {
        let path = self.path(engine, wasm);
        let kept = module
            .serialize()
            .map_err(|error| io::Error::other(error.to_string()))
            .and_then(|code| self.write(&path, &code))
            .and_then(|()| self.prune());
        if let Err(error) = kept {
            tracing::warn!(path = %path.display(), %error, "a compiled module could not be kept on disk");
        }
    }

    fn write(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(MAGIC)?;
        file.write_all(keccak256(code).as_slice())?;
        file.write_all(code)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let data = entry.metadata()?;
            if data.is_file() {
                files.push((data.modified()?, data.len(), entry.path()));
            }
        }
        let mut total: u64 = files.iter().map(|(_, length, _)| length).sum();
        files.sort();
        for (_, length, path) in files {
            if total <= DISK_BYTES_MAX {
                break;
            }
            fs::remove_file(path)?;
            total -= length;
        }
        Ok(())
    }

    /// Named by what is compiled and by everything of the compiler that decides the result.
    fn path(&self, engine: &Engine, wasm: &[u8]) -> PathBuf {
        let mut hasher = Fnv::default();
        std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut hasher);
        let compiler = std::hash::Hasher::finish(&hasher);
        let name = format!("{:x}-{compiler:016x}.bin", keccak256(wasm));
        self.folder.join(name)
    }
}

/// FNV-1a: the standard library's default hasher may give other values in another version.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl std::hash::Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[expect(
    unsafe_code,
    reason = "the bytes are what this program wrote: see DiskCache::get"
)]
fn deserialize(engine: &Engine, code: &[u8]) -> Option<Module> {
    // SAFETY: the folder belongs to this user and nobody else may write to it (checked by `prepare_folder`), the
    // digest has shown that the file is whole, and wasmtime itself refuses code of another version or
    // configuration. Whoever can forge such a file can already run code as this user.
    unsafe { Module::deserialize(engine, code) }.ok()
}

/// Makes the folder, for this user alone; one that is there already must be this user's, and nobody else may
/// be able to write to it.
#[cfg(unix)]
fn prepare_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};

    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let data = fs::symlink_metadata(folder)?;
    let probe = tempfile::NamedTempFile::new_in(folder)?;
    let user = probe.as_file().metadata()?.uid();
    if !data.is_dir() || data.uid() != user || data.mode() & 0o022 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "others than this user can write to the folder",
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn prepare_folder(_: &Path) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "who can write to a folder can only be checked on Unix",
    ))
}
