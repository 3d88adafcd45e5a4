//! The chain's files in a node's folder: opening them, and making the index again from the blocks.
//!
//! # Correctness
//! A new index is made beside the old one and takes its place when it is whole. While it is there under its own name,
//! it is not: every start makes it anew, whatever interrupted the last one. Blocks without an index are no empty
//! chain either: their index is made too.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use gio_agent::{Home, UserError};
use tracing::info;

use crate::bodies::BodyFile;
use crate::chain::{Chain, ChainError};
use crate::config::Config;
use crate::store::Store;
use crate::trouble;

/// What is to be done before a chain opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndexState {
    /// Nothing: there is an index, or no block either.
    Whole,
    /// An index was being made and is not whole.
    HalfMade,
    /// There are blocks and no index.
    Missing,
}

struct Paths {
    index: PathBuf,
    half_made: PathBuf,
    blocks: PathBuf,
}

impl Paths {
    fn of(home: &Home) -> Self {
        Self {
            index: home.path("index"),
            half_made: home.path("index.new"),
            blocks: home.path("blocks"),
        }
    }

    fn state(&self) -> IndexState {
        let blocks = || fs::metadata(&self.blocks).is_ok_and(|blocks| blocks.len() > 0);
        if self.half_made.exists() {
            IndexState::HalfMade
        } else if !self.index.exists() && blocks() {
            IndexState::Missing
        } else {
            IndexState::Whole
        }
    }

    /// The new index takes the old one's place.
    fn replace_index(&self) -> io::Result<()> {
        fs::rename(&self.half_made, &self.index)?;
        match self.index.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// What the index in a folder is.
pub(crate) fn index_state(home: &Home) -> IndexState {
    Paths::of(home).state()
}

/// Opens the chain in a folder; makes its index from the blocks if that is asked for or was interrupted.
///
/// # Errors
/// What is wrong with the files, with a hint.
pub(crate) fn open_chain(home: &Home, config: &Config, reindex: bool) -> Result<Chain, UserError> {
    let paths = Paths::of(home);
    let state = paths.state();
    if reindex || state != IndexState::Whole {
        info!(?state, "making the index again from the blocks");
        return self::reindex(&paths, config);
    }
    let params = config.params();
    let opened = || -> Result<Chain, ChainError> {
        let store = Store::open(&paths.index, &params)?;
        Chain::open(params.clone(), store, |end| {
            BodyFile::open(&paths.blocks, params.magic, end)
        })
    };
    opened().map_err(trouble::not_opened)
}

fn reindex(paths: &Paths, config: &Config) -> Result<Chain, UserError> {
    if paths.half_made.exists() {
        fs::remove_file(&paths.half_made)?;
    }
    let params = config.params();
    let made = || -> Result<Chain, ChainError> {
        let store = Store::open(&paths.half_made, &params)?;
        let bodies = BodyFile::open(&paths.blocks, params.magic, 0)?;
        Chain::reindex(params.clone(), store, bodies)
    };
    let chain = made().map_err(trouble::not_opened)?;
    paths.replace_index()?;
    Ok(chain)
}
