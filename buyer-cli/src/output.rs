//! The only place that writes to standard output: results, as text or as one JSON object. Everything else, progress
//! and errors and logs, goes to standard error, so that a script can read the one and a person the other.

use std::io::{self, IsTerminal, Write};

use gio_agent::{UserError, printable_lines, report};
use serde::Serialize;
use serde_json::json;

pub use gio_agent::printable;

/// Where a command's result goes.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    is_json: bool,
}

impl Output {
    /// Text for people, or one JSON object.
    #[must_use]
    pub fn new(is_json: bool) -> Self {
        Self { is_json }
    }

    /// Whether the result is one JSON object.
    #[must_use]
    pub fn is_json(self) -> bool {
        self.is_json
    }

    /// A line for people; with `--json` it goes to standard error, because standard output is one object.
    pub fn line(self, text: &str) {
        if self.is_json {
            write(io::stderr(), text);
        } else {
            write(io::stdout(), text);
        }
    }

    /// The command's result: `text` for people, `value` for programs.
    ///
    /// # Panics
    /// If the value cannot be JSON, which no result of ours is.
    pub fn result(self, text: &str, value: &impl Serialize) {
        if self.is_json {
            let json = serde_json::to_string_pretty(value)
                .expect("results hold only texts, numbers and maps with text keys");
            write(io::stdout(), &json);
        } else if !text.is_empty() {
            write(io::stdout(), text.trim_end());
        }
    }

    /// A command's failure: the report for people on standard error, and for programs an object with `error`.
    pub fn failure(self, error: &UserError) {
        write(io::stderr(), &report(error));
        if self.is_json {
            let value = json!({ "error": {
                "code": error.code.name(),
                "what": error.cause.to_string(),
                "hint": error.hint,
                "next": error.next,
                "retryable": error.retryable,
                "escrow": error.escrow,
                "exit_code": error.status as u8,
            }});
            write(io::stdout(), &value.to_string());
        }
    }
}

/// Bytes a program wrote, as they are; without control characters if they go to a terminal.
pub fn bytes_of_a_program(to: Stream, bytes: &[u8]) {
    match to {
        Stream::Stdout => write_bytes(io::stdout(), bytes),
        Stream::Stderr => write_bytes(io::stderr(), bytes),
    }
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

fn write_bytes(mut to: impl Write + IsTerminal, bytes: &[u8]) {
    // As for `write`.
    let _ = if to.is_terminal() {
        to.write_all(printable_lines(&String::from_utf8_lossy(bytes)).as_bytes())
    } else {
        to.write_all(bytes)
    };
    let _ = to.flush();
}

/// A line for people on standard error, where no progress bar is drawn.
pub fn note(text: &str) {
    write(io::stderr(), text);
}

/// A reader that went away (`| head`) ends the output, not the job.
fn write(mut to: impl Write, text: &str) {
    let _ = writeln!(to, "{}", printable_lines(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_cannot_write_to_the_terminal_what_it_likes() {
        let mut out = Vec::new();
        write(&mut out, "hub\u{1b}[2J\r\nsays \u{202e}grüß dich");
        let shown = "hub\u{fffd}[2J\u{fffd}\nsays \u{fffd}grüß dich\n";
        assert_eq!(String::from_utf8(out).unwrap(), shown);
        assert_eq!(
            printable("nice\nhub"),
            "nice\u{fffd}hub",
            "one line of ours"
        );
    }
}
