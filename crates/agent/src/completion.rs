//! Shell completion: a script for the user's shell, made from the command line itself.

use std::io::{self, Write as _};

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

/// How to install what `completion` prints, in its help.
const AFTER_HELP: &str = "\
Install it once:
  bash   PROGRAM completion bash > ~/.local/share/bash-completion/completions/PROGRAM
  zsh    PROGRAM completion zsh > \"${fpath[1]}/_PROGRAM\"
  fish   PROGRAM completion fish > ~/.config/fish/completions/PROGRAM.fish";

/// Print a script that completes this program's commands and options in your shell
#[derive(Clone, Copy, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Completion {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completion {
    /// Writes the script of the command line `C` to standard output.
    pub fn print<C: CommandFactory>(self) {
        let mut command = C::command();
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        generate(self.shell, &mut command, name, &mut script);
        // A reader that went away ends the output, nothing else.
        let _ = io::stdout().write_all(&script);
    }
}
