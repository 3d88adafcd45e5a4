//! Leaf files of payouts in the miner's home (R9), by their content root: a hub that dies takes nothing with it, and
//! anybody's copy is a proof for everybody in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gio_agent::files::{Access, write_durably};
use gio_content::content_root;
use gio_protocol::B256;

/// The folder in the miner's home.
const FOLDER: &str = "payouts";

/// See the module. All of it blocks.
#[derive(Clone, Debug)]
pub struct Leaves {
    folder: PathBuf,
}

impl Leaves {
    /// Those of a home, whose folder need not exist.
    #[must_use]
    pub fn in_home(home: &Path) -> Self {
        Self {
            folder: home.join(FOLDER),
        }
    }

    /// Keeps a file, whatever it is, under its own content root; it is on disk when this returns.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn keep(&self, bytes: &[u8]) -> io::Result<()> {
        write_durably(&self.path(content_root(bytes)), bytes, Access::Public)
    }

    /// The bytes of a file, which may be damaged; `None` if there are none.
    #[must_use]
    pub fn read(&self, root: B256) -> Option<Vec<u8>> {
        fs::read(self.path(root)).ok()
    }

    fn path(&self, root: B256) -> PathBuf {
        self.folder.join(format!("{root:x}.leaves"))
    }
}
