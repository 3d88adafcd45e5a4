//! An agent's home: the one folder with its key, config and database.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use gio_keys::{KeyError, MachineKey};
use thiserror::Error;

use crate::files::{Access, write_durably};
use crate::random_word;

/// Which agent a home belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// gio-hub
    Hub,
    /// gio-miner
    Miner,
    /// gio-buyer
    Buyer,
    /// gio-chain
    Chain,
}

impl Role {
    /// The role's word, also the name of its folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Miner => "miner",
            Self::Buyer => "buyer",
            Self::Chain => "chain",
        }
    }
}

/// Something is wrong with the home folder.
#[derive(Debug, Error)]
pub enum HomeError {
    /// `init` was not run.
    #[error("{} does not exist; run `gio-{role} init` first", path.display())]
    NotInitialised {
        /// What is missing.
        path: PathBuf,
        /// Whose home.
        role: &'static str,
    },
    /// `init` found a key.
    #[error("{} already exists; a key is never overwritten", .0.display())]
    KeyExists(PathBuf),
    /// Others can read the key.
    #[error("{} can be read by others (mode {mode:o}); run `chmod 600` on it", path.display())]
    KeyReadable {
        /// The key file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key file holds no key.
    #[error("{} is damaged", path.display())]
    Key {
        /// The key file.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
    /// A second process on the same folder would sign with the same nonces.
    #[error("another gio-{role} is running in {}", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
        /// Whose home.
        role: &'static str,
    },
    /// The file system refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// An agent's folder.
#[derive(Clone, Debug)]
pub struct Home {
    folder: PathBuf,
    config: Option<PathBuf>,
    role: Role,
}

/// Held as long as the agent runs; a second agent on the folder is refused.
#[derive(Debug)]
pub struct HomeLock {
    _file: File,
}

impl Home {
    /// The folder given, or `~/.gio/<role>`.
    #[must_use]
    pub fn new(folder: Option<PathBuf>, role: Role) -> Self {
        let default = || {
            let user = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
            user.join(".gio").join(role.name())
        };
        Self {
            folder: folder.unwrap_or_else(default),
            config: None,
            role,
        }
    }

    /// The same home with its config file elsewhere.
    #[must_use]
    pub fn with_config(mut self, config: Option<PathBuf>) -> Self {
        self.config = config;
        self
    }

    /// Whose home it is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// A file in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `config.toml`, or the file `--config` named.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        let given = self.config.clone();
        given.unwrap_or_else(|| self.path("config.toml"))
    }

    /// Makes the folder and a new key.
    ///
    /// # Errors
    /// [`HomeError::KeyExists`] if there is one.
    ///
    /// # Panics
    /// Never in practice: one in 2^128 random words is no key.
    pub fn create_key(&self) -> Result<MachineKey, HomeError> {
        let path = self.path("key");
        if path.exists() {
            return Err(HomeError::KeyExists(path));
        }
        let key = MachineKey::from_bytes(&random_word())
            .expect("a random word is a key but once in 2^128");
        self.write_key(&key)?;
        Ok(key)
    }

    /// Stores a key that came from elsewhere, in a home that has none.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn write_key(&self, key: &MachineKey) -> Result<(), HomeError> {
        let path = self.path("key");
        if path.exists() {
            return Err(HomeError::KeyExists(path));
        }
        write_durably(&path, key.to_text().as_bytes(), Access::Secret)
            .map_err(|source| HomeError::Io { path, source })
    }

    /// Reads the key.
    ///
    /// # Errors
    /// [`HomeError`] if it is missing, readable by others or damaged.
    pub fn key(&self) -> Result<MachineKey, HomeError> {
        let path = self.path("key");
        let io = |source| HomeError::Io {
            path: path.clone(),
            source,
        };
        let metadata = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(HomeError::NotInitialised {
                    path,
                    role: self.role.name(),
                });
            }
            other => other.map_err(io)?,
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(HomeError::KeyReadable { path, mode });
        }
        let text = fs::read_to_string(&path).map_err(io)?;
        MachineKey::from_text(&text).map_err(|source| HomeError::Key { path, source })
    }

    /// Claims the folder for this process, so that no second agent signs with the same key.
    ///
    /// # Errors
    /// [`HomeError::Locked`].
    pub fn lock(&self) -> Result<HomeLock, HomeError> {
        self.lock_for("lock")
    }

    /// Claims one thing of the folder, named by its file, for a command that may run beside the agent but not twice.
    ///
    /// # Errors
    /// [`HomeError::Locked`].
    pub fn lock_for(&self, name: &str) -> Result<HomeLock, HomeError> {
        let path = self.path(name);
        let io = |source| HomeError::Io {
            path: path.clone(),
            source,
        };
        fs::create_dir_all(&self.folder).map_err(io)?;
        let file = File::create(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(HomeLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(HomeError::Locked {
                path: self.folder.clone(),
                role: self.role.name(),
            }),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_keeps_its_key_and_lets_one_agent_in() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(Some(dir.path().join("m")), Role::Miner);
        assert!(matches!(home.key(), Err(HomeError::NotInitialised { .. })));
        let key = home.create_key().unwrap();
        assert_eq!(home.key().unwrap().address(), key.address());
        assert!(matches!(home.create_key(), Err(HomeError::KeyExists(_))));
        let lock = home.lock().unwrap();
        assert!(matches!(home.lock(), Err(HomeError::Locked { .. })));
        drop(lock);
        home.lock().unwrap();
        fs::set_permissions(home.path("key"), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(home.key(), Err(HomeError::KeyReadable { .. })));
    }
}
