//! Modules that are loaded, by content root: the sandbox compiles each once, and thousands of units share it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gio_protocol::B256;
use gio_runtime::{Engine, LoadError, Program};
use thiserror::Error;
use tokio::sync::OnceCell;
use tokio::task::JoinError;

use crate::infra::contents::{Contents, Pinned};

/// Programs held ready; compiled code of a few MiB each.
const PROGRAMS_MAX: usize = 64;

/// A module that does not become a program.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// The sandbox does not take it.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It was here and is not any more.
    #[error("the module was lost from disk")]
    Lost,
    /// The thread that compiles it died.
    #[error("the compiler died")]
    Compiler(#[from] JoinError),
}

impl ProgramError {
    /// Whether trying again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Load(_) => false,
            Self::Lost | Self::Compiler(_) => true,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Programs {
    engine: Engine,
    contents: Contents,
    loaded: Mutex<Loaded>,
}

#[derive(Debug, Default)]
struct Loaded {
    by_root: HashMap<B256, Slot>,
    clock: u64,
}

#[derive(Debug)]
struct Slot {
    program: Arc<OnceCell<Program>>,
    used: u64,
}

impl Programs {
    /// Loads modules from `contents`.
    #[must_use]
    pub fn new(engine: Engine, contents: Contents) -> Self {
        Self {
            engine,
            contents,
            loaded: Mutex::default(),
        }
    }

    /// A program that is ready.
    #[must_use]
    pub fn ready(&self, root: B256) -> Option<Program> {
        self.cell(root, false)?.get().cloned()
    }

    /// The program of a module that is on disk; compiled by the first caller, the others wait.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub async fn load(&self, module: Pinned) -> Result<Program, ProgramError> {
        let cell = self
            .cell(module.content.root, true)
            .expect("a cell is made when asked for");
        let program = cell.get_or_try_init(|| self.compile(module)).await;
        program.cloned()
    }

    async fn compile(&self, module: Pinned) -> Result<Program, ProgramError> {
        let (engine, contents) = (self.engine.clone(), self.contents.clone());
        let compiled = tokio::task::spawn_blocking(move || {
            let bytes = contents.read(&module).ok_or(ProgramError::Lost)?;
            Ok(engine.load(&bytes)?)
        });
        compiled.await?
    }

    fn cell(&self, root: B256, make: bool) -> Option<Arc<OnceCell<Program>>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.clock += 1;
        let used = loaded.clock;
        if let Some(slot) = loaded.by_root.get_mut(&root) {
            slot.used = used;
            return Some(Arc::clone(&slot.program));
        }
        if !make {
            return None;
        }
        if loaded.by_root.len() >= PROGRAMS_MAX {
            let oldest = loaded.by_root.iter().min_by_key(|(_, slot)| slot.used);
            let oldest = oldest.map(|(root, _)| *root);
            oldest.and_then(|root| loaded.by_root.remove(&root));
        }
        let program = Arc::new(OnceCell::new());
        let slot = Slot {
            program: Arc::clone(&program),
            used,
        };
        loaded.by_root.insert(root, slot);
        Some(program)
    }
}
