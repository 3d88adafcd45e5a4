//! `step`: one step, explained and proven.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use gio_agent::{Code, ExitStatus, UserError};
use gio_machine::mirror;
use serde_json::json;

use crate::Report;
use crate::app::App;
use crate::commands::{beyond, state};
use crate::explain::Found;
use crate::unit::UnitOptions;

/// Print one step: the instruction, where it stands, values before and after, hashes, proof
#[derive(Debug, Args)]
pub(crate) struct Step {
    /// Which step: how many were executed before it
    n: u64,
    #[command(flatten)]
    unit: UnitOptions,
    /// Say what the instruction finds and leaves: operands, result, and every part of the state that it touches
    #[arg(long)]
    explain: bool,
    /// Write the proof there
    #[arg(long, value_name = "PATH")]
    proof: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
struct WriteError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Step {
    pub(crate) fn run(&self) -> Result<Report, UserError> {
        let app = App::load(&self.unit.app)?;
        let image = self.unit.image()?;
        let mut machine = self.unit.machine(app.provable.program.clone(), image)?;
        machine.run_to(self.n);
        if machine.steps() < self.n {
            return Err(beyond(&machine).hint("`trace` prints its last state"));
        }
        let opened = machine.state_hash();
        let (line, before) = state(&mut machine, &app);
        let found = Found::new(&machine);
        let body = machine.pc().and_then(|pc| app.body(pc));
        let proof = machine.proof();
        machine.run_to(self.n + 1);
        let (next_line, after) = state(&mut machine, &app);
        let explained = found.executed(&machine);
        let followed = machine.state_hash();
        let proven = mirror::step(&proof)
            .is_ok_and(|checked| checked.before == opened && checked.next == followed);
        if let Some(path) = &self.proof {
            fs::write(path, &proof).map_err(|source| {
                let path = path.clone();
                UserError::of(Code::Usage, WriteError { path, source })
            })?;
        }
        let mut lines = vec![line];
        if self.explain {
            lines.extend(body.as_ref().map(|body| {
                let (from, to) = (body.start, body.end);
                format!("  the function is bytes {from:#x} to {to:#x} of the module")
            }));
            lines.extend(explained.lines());
        }
        lines.push(next_line);
        lines.push(format!(
            "proof   {} bytes, {}",
            proof.len(),
            if proven { "holds" } else { "DOES NOT HOLD" }
        ));
        let json = json!({
            "before": before, "after": after, "proven": proven, "proof": hex::encode(&proof),
            "explained": explained.json(),
            "function_bytes": body.map(|body| [body.start, body.end]),
        });
        Ok(Report {
            lines,
            json,
            status: (!proven).then_some(ExitStatus::BadResult),
        })
    }
}
