//! `step`: one step, explained and proven.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use gio_agent::{Code, ExitStatus, UserError};
use gio_machine::{Machine, mirror};
use serde_json::json;

use crate::Report;
use crate::app::App;
use crate::commands::{beyond, state};
use crate::unit::UnitOptions;

/// Operands and locals that are shown, counted from the top.
const SHOWN: usize = 4;

/// Print one step: the instruction, where it stands, values before and after, hashes, proof
#[derive(Debug, Args)]
pub(crate) struct Step {
    /// Which step: how many were executed before it
    n: u64,
    #[command(flatten)]
    unit: UnitOptions,
    /// Say what the instruction finds and leaves
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

/// The values that instructions work on.
fn values(machine: &Machine) -> (Vec<String>, Vec<String>) {
    let hex = |slots: &[u64]| slots.iter().map(|slot| format!("{slot:#x}")).collect();
    let stack = machine.stack();
    let locals = machine.locals();
    (
        hex(&stack[stack.len().saturating_sub(SHOWN)..]),
        hex(&locals[..locals.len().min(SHOWN)]),
    )
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
        let (stack, locals) = values(&machine);
        let proof = machine.proof();
        machine.run_to(self.n + 1);
        let (next_line, after) = state(&mut machine, &app);
        let (next_stack, next_locals) = values(&machine);
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
            lines.push(format!("  before  stack … {}", stack.join(" ")));
            lines.push(format!("          locals {} …", locals.join(" ")));
            lines.push(format!("  after   stack … {}", next_stack.join(" ")));
            lines.push(format!("          locals {} …", next_locals.join(" ")));
        }
        lines.push(next_line);
        lines.push(format!(
            "proof   {} bytes, {}",
            proof.len(),
            if proven { "holds" } else { "DOES NOT HOLD" }
        ));
        let json = json!({
            "before": before, "after": after, "proven": proven, "proof": hex::encode(&proof),
            "stack_before": stack, "stack_after": next_stack,
            "locals_before": locals, "locals_after": next_locals,
        });
        Ok(Report {
            lines,
            json,
            status: (!proven).then_some(ExitStatus::BadResult),
        })
    }
}
