//! `step`: one step, explained and proven.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use gio_agent::{Code, ExitStatus, UserError};
use gio_machine::{Machine, mirror};
use serde_json::json;

use crate::Report;
use crate::app::App;
use crate::commands::state;
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
            let cause = format!("the program halts after {} steps", machine.steps());
            return Err(UserError::of(Code::Usage, cause).hint("`trace` prints its last state"));
        }
        let (line, before) = state(&mut machine, &app);
        let (stack, locals) = values(&machine);
        let proof = machine.proof();
        machine.run_to(self.n + 1);
        let (next_line, after) = state(&mut machine, &app);
        let (next_stack, next_locals) = values(&machine);
        let checked = mirror::step(&proof);
        let proven = checked.is_ok_and(|checked| checked.next == machine.state_hash());
        if let Some(path) = &self.proof {
            fs::write(path, &proof).map_err(|error| UserError::of(Code::Usage, error))?;
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
