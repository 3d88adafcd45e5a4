//! Reading a job's program and inputs from disk.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gio_agent::files::read_at_most;
use gio_content::job::SPEC_VERSION;
use gio_content::{Assemble, ContentRef, JobSpec};
use gio_machine::{PrepareError, PrepareLimits, prepare};
use thiserror::Error;

use crate::content_store::{ContentError, ContentStore};
use crate::domain::work::{Work, WorkError};
use crate::job::Order;
use crate::job_file::Assembly;
use crate::job_request::JobRequest;

/// Most bytes of all inputs: they are held in memory while the job is cut.
const INPUT_BYTES_MAX: u64 = 2 << 30;
/// Folders inside folders: deeper than any real tree, and an end to a loop of links.
const FOLDER_DEPTH_MAX: u32 = 32;

/// A job that cannot be read from disk.
#[derive(Debug, Error)]
pub enum InputError {
    /// The file system refused.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not a file or folder.
    #[error("{} is neither a file nor a folder", .0.display())]
    Kind(PathBuf),
    /// A name that is not UTF-8.
    #[error("the name of {} is not UTF-8", .0.display())]
    Name(PathBuf),
    /// Two inputs of one name.
    #[error("two inputs are called `{0}`")]
    Twice(String),
    /// Folders without end.
    #[error("{} is more than {FOLDER_DEPTH_MAX} folders deep", .0.display())]
    TooDeep(PathBuf),
    /// More than the inputs of one job may have.
    #[error("the inputs have more than {} MiB", INPUT_BYTES_MAX >> 20)]
    TooLarge,
    /// The program is not one this market runs.
    #[error("{} cannot be run", path.display())]
    Program {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: PrepareError,
    },
    /// The job as a whole does not work out.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The buyer's own copy is gone.
    #[error(transparent)]
    Content(#[from] ContentError),
}

/// A job with all its bytes.
#[derive(Clone, Debug)]
pub struct LoadedJob {
    /// What was asked, by content.
    pub order: Order,
    /// The job cut into units.
    pub work: Work,
    /// Every content the order names.
    pub contents: Vec<Vec<u8>>,
}

/// Reads a job and finds every mistake that can be found without anybody's help.
///
/// # Errors
/// [`InputError`].
pub fn load(request: &JobRequest) -> Result<LoadedJob, InputError> {
    let (module, pages_min) = program(&request.wasm)?;
    let mut contents = Vec::new();
    let assembly = match &request.assembly {
        Assembly::Concat => Assembly::Concat,
        Assembly::Directory => Assembly::Directory,
        Assembly::Reduce {
            program: path,
            args,
        } => {
            let (reducer, _) = program(path)?;
            let program = ContentRef::of(&reducer);
            contents.push(reducer);
            Assembly::Reduce {
                program,
                args: args.clone(),
            }
        }
    };
    let inputs = read_inputs(&request.inputs)?;
    let order = Order {
        spec: spec(request, &module, &inputs)?,
        assembly,
        price: request.price,
        hubs: request.hubs.clone(),
    };
    contents.extend(inputs.values().cloned());
    let work = Work::new(order.spec.clone(), inputs, &module, pages_min)?;
    contents.push(module);
    Ok(LoadedJob {
        order,
        work,
        contents,
    })
}

/// A job over bytes that are at hand: a reducing program and the outputs it works on (R1).
///
/// # Errors
/// [`InputError`].
pub fn load_from(
    request: &JobRequest,
    module: Vec<u8>,
    inputs: BTreeMap<String, Vec<u8>>,
) -> Result<LoadedJob, InputError> {
    let pages_min = prepared(&request.wasm, &module)?;
    let order = Order {
        spec: spec(request, &module, &inputs)?,
        assembly: Assembly::Directory,
        price: request.price,
        hubs: request.hubs.clone(),
    };
    let mut contents: Vec<Vec<u8>> = inputs.values().cloned().collect();
    let work = Work::new(order.spec.clone(), inputs, &module, pages_min)?;
    contents.push(module);
    Ok(LoadedJob {
        order,
        work,
        contents,
    })
}

fn spec(
    request: &JobRequest,
    module: &[u8],
    inputs: &BTreeMap<String, Vec<u8>>,
) -> Result<JobSpec, InputError> {
    let own_name = file_name(&request.wasm)?;
    Ok(JobSpec {
        version: SPEC_VERSION,
        name: request.name.clone(),
        module: ContentRef::of(module),
        args: [own_name].into_iter().chain(request.args.clone()).collect(),
        env: request.env.clone(),
        stdin: request.stdin.clone(),
        inputs: inputs
            .iter()
            .map(|(name, bytes)| (name.clone(), ContentRef::of(bytes)))
            .collect(),
        shared: request.shared.clone(),
        split: request.split.clone(),
        assemble: match request.assembly {
            Assembly::Concat => Assemble::Concat,
            // What a reduce works on is the units' files; the hub need not know of it.
            Assembly::Directory | Assembly::Reduce { .. } => Assemble::Directory,
        },
        bounds: request.bounds,
    })
}

/// Cuts a job again from the buyer's own copies.
///
/// # Errors
/// [`InputError`] if a copy is gone or damaged.
pub fn restore(order: &Order, contents: &ContentStore) -> Result<Work, InputError> {
    let module = contents.get(order.spec.module)?;
    let inputs = order.spec.inputs.iter();
    let inputs: Result<_, ContentError> = inputs
        .map(|(name, content)| Ok((name.clone(), contents.get(*content)?)))
        .collect();
    // The module was prepared when the job was new.
    Ok(Work::new(order.spec.clone(), inputs?, &module, 0)?)
}

/// A module and the pages of memory it starts with.
fn program(path: &Path) -> Result<(Vec<u8>, u64), InputError> {
    let module = read_module(path).map_err(|source| io_error(path, source))?;
    let pages_min = prepared(path, &module)?;
    Ok((module, pages_min))
}

fn prepared(path: &Path, module: &[u8]) -> Result<u64, InputError> {
    let prepared = prepare(module, &PrepareLimits::default());
    let prepared = prepared.map_err(|source| InputError::Program {
        path: path.to_owned(),
        source,
    })?;
    Ok(prepared.pages_min)
}

/// The bytes of a program, which are never more than a program has.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`], or the first failing system call.
pub fn read_module(path: &Path) -> io::Result<Vec<u8>> {
    read_at_most(path, PrepareLimits::default().module_bytes_max)
}

fn io_error(path: &Path, source: io::Error) -> InputError {
    InputError::Io {
        path: path.to_owned(),
        source,
    }
}

fn file_name(path: &Path) -> Result<String, InputError> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned)
        .ok_or_else(|| InputError::Name(path.to_owned()))
}

/// All inputs by the path the guest sees: a file by its own name, a folder's files relative to the folder.
fn read_inputs(paths: &[PathBuf]) -> Result<BTreeMap<String, Vec<u8>>, InputError> {
    let mut reader = Reader::default();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|source| io_error(path, source))?;
        if metadata.is_dir() {
            reader.folder(path, "", 0)?;
        } else {
            reader.file(path, file_name(path)?, &metadata)?;
        }
    }
    Ok(reader.files)
}

/// Files found so far.
#[derive(Default)]
struct Reader {
    files: BTreeMap<String, Vec<u8>>,
    bytes: u64,
}

impl Reader {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: u32) -> Result<(), InputError> {
        if depth > FOLDER_DEPTH_MAX {
            return Err(InputError::TooDeep(folder.to_owned()));
        }
        let entries = fs::read_dir(folder).map_err(|source| io_error(folder, source))?;
        for entry in entries {
            let path = entry.map_err(|source| io_error(folder, source))?.path();
            let name = format!("{prefix}{}", file_name(&path)?);
            let metadata = fs::metadata(&path).map_err(|source| io_error(&path, source))?;
            if metadata.is_dir() {
                self.folder(&path, &format!("{name}/"), depth + 1)?;
            } else {
                self.file(&path, name, &metadata)?;
            }
        }
        Ok(())
    }

    fn file(
        &mut self,
        path: &Path,
        name: String,
        metadata: &fs::Metadata,
    ) -> Result<(), InputError> {
        if !metadata.is_file() {
            return Err(InputError::Kind(path.to_owned()));
        }
        if self.files.contains_key(&name) {
            return Err(InputError::Twice(name));
        }
        let left = INPUT_BYTES_MAX - self.bytes;
        if metadata.len() > left {
            return Err(InputError::TooLarge);
        }
        // Some files are longer than they say, and some grow.
        let bytes = read_at_most(path, left).map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => InputError::TooLarge,
            _ => io_error(path, source),
        })?;
        self.bytes += bytes.len() as u64;
        self.files.insert(name, bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gio_content::Split;

    use super::*;
    use crate::job_file::JobFile;

    fn request(dir: &Path, inputs: &[&str]) -> JobRequest {
        let wasm = Path::new(env!("CARGO_MANIFEST_DIR")).join("../apps/echo/echo.wasm");
        let file = JobFile {
            wasm: Some(wasm),
            inputs: inputs.iter().map(PathBuf::from).collect(),
            ..JobFile::default()
        };
        JobRequest::new(file, dir).unwrap()
    }

    #[test]
    fn files_keep_their_names_and_folders_their_shape() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("data/deep")).unwrap();
        fs::write(dir.path().join("data/a"), "A").unwrap();
        fs::write(dir.path().join("data/deep/b"), "B").unwrap();
        fs::write(dir.path().join("c.txt"), "C").unwrap();
        let loaded = load(&request(dir.path(), &["data", "c.txt"])).unwrap();
        let names: Vec<_> = loaded.order.spec.inputs.keys().collect();
        assert_eq!(names, ["a", "c.txt", "deep/b"]);
        assert_eq!(loaded.order.spec.args, ["echo.wasm"]);
        assert_eq!(loaded.order.spec.split, Split::None);
        let named: Vec<ContentRef> = loaded.order.spec.contents().collect();
        let held: Vec<_> = loaded.contents.iter().map(|b| ContentRef::of(b)).collect();
        assert!(named.iter().all(|content| held.contains(content)));
    }

    #[test]
    fn what_is_missing_or_twice_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        fs::write(dir.path().join("data/a"), "A").unwrap();
        fs::write(dir.path().join("a"), "A").unwrap();
        let error = load(&request(dir.path(), &["data", "a"])).unwrap_err();
        assert!(matches!(error, InputError::Twice(name) if name == "a"));
        let error = load(&request(dir.path(), &["nowhere"])).unwrap_err();
        assert!(matches!(error, InputError::Io { .. }));
    }

    #[test]
    fn a_file_that_is_no_program_is_refused_before_anything_else() {
        let dir = tempfile::tempdir().unwrap();
        let mut request = request(dir.path(), &["nowhere"]);
        request.wasm = dir.path().join("a.wasm");
        fs::write(&request.wasm, "no module").unwrap();
        let error = load(&request).unwrap_err();
        assert!(matches!(error, InputError::Program { .. }), "{error}");
    }

    #[test]
    fn a_file_that_does_not_end_is_no_program() {
        let dir = tempfile::tempdir().unwrap();
        let mut request = request(dir.path(), &[]);
        request.wasm = PathBuf::from("/dev/zero");
        let error = load(&request).unwrap_err();
        let InputError::Io { source, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(source.kind(), io::ErrorKind::FileTooLarge);
    }
}
