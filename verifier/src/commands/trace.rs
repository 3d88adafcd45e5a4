//! `trace`: the states of a run.

use clap::Args;
use gio_agent::UserError;
use serde_json::json;

use crate::Report;
use crate::app::App;
use crate::commands::{beyond, state};
use crate::unit::UnitOptions;

/// Run a program on the step machine and print its states
#[derive(Debug, Args)]
pub(crate) struct Trace {
    #[command(flatten)]
    unit: UnitOptions,
    /// Print the state after so many steps, of which there must be as many; may be given more than once. The final
    /// state is always printed
    #[arg(long, value_name = "N")]
    at: Vec<u64>,
}

impl Trace {
    pub(crate) fn run(&self) -> Result<Report, UserError> {
        let app = App::load(&self.unit.app)?;
        let image = self.unit.image()?;
        let mut machine = self.unit.machine(app.provable.program.clone(), image)?;
        let mut at = self.at.clone();
        at.sort_unstable();
        at.dedup();
        let mut report = Report::default();
        let mut states = Vec::new();
        for steps in at {
            machine.run_to(steps);
            if machine.steps() < steps {
                return Err(beyond(&machine).hint(format!("--at {steps} is no state of this run")));
            }
            if machine.halted().is_some() {
                break;
            }
            let (line, value) = state(&mut machine, &app);
            report.lines.push(line);
            states.push(value);
        }
        machine.run();
        let (line, value) = state(&mut machine, &app);
        report.lines.push(line);
        states.push(value);
        report.json = json!({ "states": states });
        Ok(report)
    }
}
