//! `prepare`: the program root, and what it stands for.

use std::path::PathBuf;

use clap::Args;
use gio_agent::UserError;
use serde_json::json;

use crate::Report;
use crate::app::App;

/// Print the program root and the sizes of a WASI module, or why it is refused
#[derive(Debug, Args)]
pub(crate) struct Prepare {
    /// The WASI module
    app: PathBuf,
}

impl Prepare {
    pub(crate) fn run(&self) -> Result<Report, UserError> {
        let app = App::load(&self.app)?;
        let program = &app.provable.program;
        let (root, header) = (program.root(), program.header());
        let instructions = program.code().len();
        let lines = vec![
            format!("program root   {root}"),
            format!("machine        version {}", header.version),
            format!("module         {} bytes", app.wasm.len()),
            format!(
                "code           {instructions} instructions, tree of depth {}",
                header.code_depth
            ),
            format!(
                "memory         {} pages, the shim's {} pages",
                header.pages[0], header.pages[1]
            ),
            format!("table          {} elements", header.table_size),
            format!(
                "builds         {} bytes fast, {} bytes exact",
                app.provable.builds.fast.len(),
                app.provable.builds.exact.len()
            ),
        ];
        let json = json!({
            "program_root": root,
            "version": header.version,
            "module_bytes": app.wasm.len(),
            "instructions": instructions,
            "code_root": header.code_root,
            "code_depth": header.code_depth,
            "memory_roots": header.memory_roots,
            "globals_root": header.globals_root,
            "table_root": header.table_root,
            "table_size": header.table_size,
            "pages": header.pages,
            "entry_pc": header.entry_pc,
            "fast_bytes": app.provable.builds.fast.len(),
            "exact_bytes": app.provable.builds.exact.len(),
        });
        Ok(Report {
            lines,
            json,
            status: None,
        })
    }
}
