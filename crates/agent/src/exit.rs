//! How an agent ends: one table of exit codes, and errors that say what to do next.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::process::ExitCode;

use crate::errors::Code;

/// Exit codes of all binaries; scripts may rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything asked for was done.
    Ok = 0,
    /// Something failed that no other code names.
    Failure = 1,
    /// The command line, config or job file is wrong; nothing was sent or spent.
    Usage = 2,
    /// The job ran, but a unit ended with a non-zero exit code, a trap or out of CU.
    UnitFailed = 10,
    /// The job did not complete; the escrow was or will be refunded.
    NotDelivered = 11,
    /// No hub met the conditions.
    NoMatch = 12,
    /// The wallet has too little GIO or gas.
    Funds = 13,
    /// A hub, miner or RPC could not be reached; trying again may help.
    Unreachable = 14,
    /// What the hub delivered is not what it posted; the escrow is not confirmed.
    BadResult = 15,
    /// The user left while the job goes on.
    Detached = 20,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}

/// An error as a person needs it: what happened, what to do, what became of the money.
#[derive(Debug)]
pub struct UserError {
    /// Its stable name.
    pub code: Code,
    /// What happened.
    pub cause: Box<dyn Error + Send + Sync>,
    /// The process's exit code.
    pub status: ExitStatus,
    /// What to do about it.
    pub hint: Option<String>,
    /// The exact command that goes on.
    pub next: Option<String>,
    /// Whether the same command may succeed later.
    pub retryable: bool,
    /// What became of the money; `None` when none was touched.
    pub escrow: Option<String>,
}

impl UserError {
    /// An error with a status and nothing more to say.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>, status: ExitStatus) -> Self {
        Self {
            code: Code::of(status),
            cause: cause.into(),
            status,
            hint: None,
            next: None,
            retryable: false,
            escrow: None,
        }
    }

    /// An error of a code, with the code's exit code and whether to try again.
    pub fn of(code: Code, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let entry = code.entry();
        let mut error = Self::new(cause, entry.exit).code(code);
        error.retryable = entry.retryable;
        error
    }

    /// Its stable name.
    #[must_use]
    pub fn code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// The exact command that goes on.
    #[must_use]
    pub fn next(mut self, command: impl Into<String>) -> Self {
        self.next = Some(command.into());
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same command may succeed later.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// What became of the money.
    #[must_use]
    pub fn escrow(mut self, effect: impl Into<String>) -> Self {
        self.escrow = Some(effect.into());
        self
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for UserError {
    fn from(error: E) -> Self {
        Self::new(error, ExitStatus::Failure)
    }
}

/// The error as people read it: code and chain of causes, then hint, escrow, retry and next command, a line each. Further
/// lines of one of them are indented: nobody whose words an error repeats can begin a line that looks like ours.
#[must_use]
pub fn report(error: &UserError) -> String {
    let mut text = format!("error[{}]: {}", error.code.name(), indented(&error.cause));
    let mut last = error.cause.to_string();
    let mut source = error.cause.source();
    while let Some(cause) = source {
        // Libraries wrap an error in one that says the same.
        let said = cause.to_string();
        if said != last {
            let _ = write!(text, "\n  because: {}", indented(&said));
        }
        last = said;
        source = cause.source();
    }
    if let Some(hint) = &error.hint {
        let _ = write!(text, "\nhint: {}", indented(hint));
    }
    if let Some(escrow) = &error.escrow {
        let _ = write!(text, "\nescrow: {}", indented(escrow));
    }
    if error.retryable {
        text.push_str("\nretry: the same command may succeed later");
    }
    if let Some(next) = &error.next {
        let _ = write!(text, "\nnext: {}", indented(next));
    }
    text
}

fn indented(said: &(impl fmt::Display + ?Sized)) -> String {
    said.to_string().replace('\n', "\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_words_begin_a_line_that_looks_like_ours() {
        let text = "`/dns/x\nescrow: yours\nnext: gio-miner drain` is no address";
        let error = UserError::of(Code::HubUnreachable, text).hint("ask\nnext: nobody");
        let shown = report(&error);
        let begins = |what: &str| shown.lines().filter(|line| line.starts_with(what)).count();
        assert_eq!(
            (begins("escrow"), begins("next"), begins("hint")),
            (0, 0, 1),
            "{shown}"
        );
    }
}
