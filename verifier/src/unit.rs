//! The options that make a unit: arguments, environment, files, limits and seed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use gio_agent::{Code, UserError};
use gio_content::image::InputImage;
use gio_machine::state::{DealDepths, UnitLimits};
use gio_machine::{Loaded, Machine, Program};
use gio_protocol::{B256, word_root};

use crate::app::read;

/// Depth of input and output, as deals have it: 128 MiB each.
pub(crate) const IO_DEPTH: u8 = 22;

/// Most bytes of an input image: what a tree of that depth holds.
const IMAGE_BYTES_MAX: u64 = 32 << IO_DEPTH;

// No documentation comment: clap would take it for what the command is about.
#[derive(Debug, Args)]
pub(crate) struct UnitOptions {
    /// The WASI module
    pub(crate) app: PathBuf,
    /// An input file: its name for the program, and where it is
    #[arg(long = "file", value_name = "NAME=PATH", value_parser = pair)]
    files: Vec<(String, String)>,
    /// An environment variable
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,
    /// A file to read as standard input
    #[arg(long)]
    stdin: Option<PathBuf>,
    /// Most compute units
    #[arg(long, default_value_t = 1 << 40)]
    pub(crate) cu_limit: u64,
    /// Most pages (64 KiB) of memory
    #[arg(long, default_value_t = 4096)]
    pub(crate) pages_max: u32,
    /// Most bytes of output
    #[arg(long, default_value_t = 64 << 20)]
    pub(crate) output_max: u64,
    /// The unit's seed, 64 hexadecimal digits
    #[arg(
        long,
        default_value = "0x0000000000000000000000000000000000000000000000000000000000000000"
    )]
    pub(crate) seed: B256,
    /// What the unit's clock shows first, in Unix seconds
    #[arg(long, default_value_t = 0)]
    pub(crate) clock_start: u64,
    /// The program's arguments, behind its name
    #[arg(last = true)]
    args: Vec<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

impl UnitOptions {
    /// The input image.
    pub(crate) fn image(&self) -> Result<Vec<u8>, UserError> {
        let name = self.app.file_stem().unwrap_or_default().to_string_lossy();
        let args = std::iter::once(name.as_bytes().to_vec())
            .chain(self.args.iter().map(|arg| arg.as_bytes().to_vec()));
        let mut image = InputImage {
            args: args.collect(),
            ..InputImage::default()
        };
        for (name, value) in &self.env {
            image.env.insert(name.clone(), value.as_bytes().to_vec());
        }
        let bound = format!("all of an input image has at most {IMAGE_BYTES_MAX} bytes");
        let mut left = IMAGE_BYTES_MAX;
        let mut read = |path: &Path| -> Result<Vec<u8>, UserError> {
            let bytes = read(path, left, &bound)?;
            left -= bytes.len() as u64;
            Ok(bytes)
        };
        for (name, path) in &self.files {
            image.files.insert(name.clone(), read(path.as_ref())?);
        }
        if let Some(path) = &self.stdin {
            image.stdin = read(path)?;
        }
        image
            .encode()
            .map_err(|error| UserError::of(Code::Usage, error))
    }

    /// The unit before its first step.
    pub(crate) fn machine(&self, program: Program, image: Vec<u8>) -> Result<Machine, UserError> {
        let too_long = |error| UserError::of(Code::Usage, error);
        let unit = UnitLimits {
            input_root: word_root(&image, IO_DEPTH).map_err(too_long)?,
            input_length: image.len() as u64,
            cu_limit: self.cu_limit,
            pages_max: self.pages_max,
            output_max: self.output_max,
            unit_seed: self.seed,
        };
        let deal = DealDepths {
            input_depth: IO_DEPTH,
            output_depth: IO_DEPTH,
            clock_start: self.clock_start,
        };
        Machine::new(Arc::new(Loaded::new(program)), image, &unit, &deal).map_err(|error| {
            UserError::of(Code::Usage, error)
                .hint("choose other limits; docs/step-machine.md section 9 lists the bounds")
        })
    }
}
