//! One file per command, and how a state is described.

pub(crate) mod check;
pub(crate) mod prepare;
pub(crate) mod step;
pub(crate) mod trace;

use gio_agent::{Code, UserError};
use gio_machine::Machine;
use gio_machine::isa::Instruction;
use gio_machine::state::Halted;
use serde_json::{Value, json};

use crate::app::App;

/// A step that a program does not have.
fn beyond(machine: &Machine) -> UserError {
    let cause = format!("the program halts after {} steps", machine.steps());
    UserError::of(Code::Usage, cause)
}

/// An instruction as people read it: fields that are zero are left out.
fn instruction_text(instruction: Instruction) -> String {
    let name = match instruction.operation() {
        Some(op) => op.name().to_owned(),
        None => format!("unknown {:#04x}", instruction.op),
    };
    let fields = [
        ("a", u64::from(instruction.a)),
        ("b", u64::from(instruction.b)),
        ("imm", instruction.imm),
    ];
    let fields = fields.iter().filter(|(_, value)| *value != 0);
    let fields: Vec<String> = fields
        .map(|(name, value)| format!(" {name}={value:#x}"))
        .collect();
    name + &fields.concat()
}

fn status_text(status: u8) -> &'static str {
    match status {
        0 => "exit",
        1 => "trap",
        _ => "cuExhausted",
    }
}

fn halted_json(halted: &Halted) -> Value {
    json!({
        "status": status_text(halted.status),
        "exit_code": halted.exit_code,
        "cu": halted.cu,
        "output_root": halted.output_root,
        "output_length": halted.output_length,
    })
}

/// The state a machine is in, in one line and as JSON.
fn state(machine: &mut Machine, app: &App) -> (String, Value) {
    let hash = machine.state_hash();
    let (steps, cu) = (machine.steps(), machine.cu());
    if let Some(halted) = machine.halted() {
        let line = format!(
            "step {steps}  {hash}  halted: {} {}, {cu} CU, {} bytes of output {}",
            status_text(halted.status),
            halted.exit_code,
            halted.output_length,
            halted.output_root,
        );
        let value = json!({"step": steps, "hash": hash, "halted": halted_json(halted)});
        return (line, value);
    }
    let pc = machine.pc().unwrap_or(u32::MAX);
    let (function, nth) = app.function(pc);
    let instruction = machine.instruction().map(instruction_text);
    let instruction = instruction.unwrap_or_else(|| "halts".to_owned());
    let line = format!(
        "step {steps}  {hash}  {cu} CU  pc {pc}  {function}, lowered instruction {nth}: {instruction}"
    );
    let value = json!({
        "step": steps, "hash": hash, "cu": cu, "pc": pc, "function": function, "lowered_instruction": nth,
        "instruction": instruction, "stack": machine.stack().len(), "call_depth": machine.call_depth(),
    });
    (line, value)
}
