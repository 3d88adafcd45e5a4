//! Golden output: what a program prints, word for word, in committed files. Packages take this file in by its path.
//!
//! `GIO_BLESS=1 cargo test` writes the files anew; read their diff. What differs from run to run is replaced: folders,
//! addresses, job ids, sizes of a disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A program under test and where its golden files are.
pub(crate) struct Golden {
    program: &'static str,
    name: &'static str,
    folder: PathBuf,
    /// Texts that differ from run to run, and what stands for them.
    replace: Vec<(String, String)>,
    env: BTreeMap<&'static str, String>,
}

impl Golden {
    /// `program` is the path cargo gives, `package` its manifest's folder.
    pub(crate) fn new(program: &'static str, name: &'static str, package: &str) -> Self {
        Self {
            program,
            name,
            folder: Path::new(package).join("tests/golden"),
            replace: Vec::new(),
            env: BTreeMap::new(),
        }
    }

    /// From now on `text` is printed as `word`.
    #[allow(dead_code, reason = "not every package has such texts")]
    pub(crate) fn replace(&mut self, text: impl Into<String>, word: &str) {
        self.replace.push((text.into(), word.to_owned()));
    }

    /// Every page of help of the program, also of commands that are added later.
    #[allow(dead_code, reason = "not every package has all its pages here")]
    pub(crate) fn check_help(&self) {
        self.check_completion();
        let mut waiting = vec![Vec::<String>::new()];
        let mut pages = 0;
        while let Some(command) = waiting.pop() {
            let args: Vec<&str> = command
                .iter()
                .map(String::as_str)
                .chain(["--help"])
                .collect();
            let output = self.run(&args);
            assert!(output.status.success(), "{args:?}");
            let page = text(&output.stdout);
            for name in commands(&page) {
                let mut path = command.clone();
                path.push(name);
                waiting.push(path);
            }
            let file = [&["help".to_owned()], command.as_slice()]
                .concat()
                .join("-");
            self.check(&file, &page);
            pages += 1;
        }
        assert!(pages > 1, "the program lists its commands");
    }

    /// Every shell's script knows every command.
    #[allow(dead_code, reason = "not every package has all its pages here")]
    fn check_completion(&self) {
        let page = text(&self.run(&["--help"]).stdout);
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let output = self.run(&["completion", shell]);
            assert!(output.status.success(), "{shell}");
            let script = text(&output.stdout);
            for command in commands(&page) {
                assert!(script.contains(&command), "{shell} does not know {command}");
            }
        }
    }

    /// Runs the command lines one after the other and compares everything they print and their exit codes.
    pub(crate) fn check_lines(&self, file: &str, lines: &[&[&str]]) {
        let shown: Vec<String> = lines.iter().map(|args| self.transcript(args)).collect();
        self.check(file, &shown.join("\n"));
    }

    fn transcript(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let mut shown = format!("$ {} {}\n", self.name, args.join(" "));
        for (title, bytes) in [("", &output.stdout), ("stderr: ", &output.stderr)] {
            for line in text(bytes).lines() {
                shown.push_str(title);
                shown.push_str(line);
                shown.push('\n');
            }
        }
        shown.push_str(&format!("exit {}\n", output.status.code().unwrap_or(-1)));
        shown
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(self.program);
        command.env_clear().env("COLUMNS", "100").envs(&self.env);
        let output = command.args(args).stdin(Stdio::null()).output();
        output.expect("the program was built for this test")
    }

    /// Compares a text with its file.
    pub(crate) fn check(&self, file: &str, found: &str) {
        let found = self.steady(found);
        let path = self.folder.join(format!("{file}.txt"));
        if std::env::var_os("GIO_BLESS").is_some() {
            std::fs::create_dir_all(&self.folder).expect("the folder can be made");
            std::fs::write(&path, &found).expect("the file can be written");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == expected,
            "{} differs; GIO_BLESS=1 writes it anew. Found:\n{found}\nExpected:\n{expected}",
            path.display()
        );
    }

    fn steady(&self, shown: &str) -> String {
        let mut shown = shown.to_owned();
        for (text, word) in &self.replace {
            shown = shown.replace(text, word);
        }
        let shown = hidden(&shown, "0x", 40, "ADDRESS");
        let shown = hidden(&shown, "j-", 8, "JOB");
        let lines = shown
            .lines()
            .map(|line| match line.split_once(" MiB free") {
                Some((before, after)) => {
                    let before = before.trim_end_matches(|c: char| c.is_ascii_digit());
                    format!("{before}N MiB free{after}")
                }
                None => line.trim_end().to_owned(),
            });
        lines.map(|line| line + "\n").collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("programs print text")
}

/// The names under `Commands:` of a page of help.
fn commands(page: &str) -> Vec<String> {
    let after = page.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = after.take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Every `prefix` followed by at least `digits` hexadecimal digits, with a word in their place.
fn hidden(shown: &str, prefix: &str, digits: usize, word: &str) -> String {
    let mut out = String::new();
    let mut rest = shown;
    while let Some((before, after)) = rest.split_once(prefix) {
        out.push_str(before);
        out.push_str(prefix);
        let found = after.chars().take_while(char::is_ascii_hexdigit).count();
        if found >= digits {
            out.push_str(word);
            rest = &after[found..];
        } else {
            rest = after;
        }
    }
    out + rest
}
