//! Programs of the development network as real processes: started with a log file, stopped by SIGTERM.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// A program that has not ended this long after SIGTERM is killed.
const STOP_SECONDS: u64 = 15;
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(20);

/// A running program of the network.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program whose output goes to `<logs>/<name>.log`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(name: &str, mut command: Command, logs: &Path) -> Result<Self> {
        fs::create_dir_all(logs)?;
        let log = logs.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number, while it has not been seen to end.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Its log so far.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    /// Fails if the program has ended, with the end of its log.
    ///
    /// # Errors
    /// If it has ended.
    pub fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(());
        };
        let log = self.log()?;
        let lines: Vec<&str> = log.lines().collect();
        bail!(
            "{} ended ({status}); its log ends with:\n{}",
            self.name,
            lines[lines.len().saturating_sub(20)..].join("\n")
        )
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Whether all of it stands still, as after SIGSTOP.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        let Some(id) = self.id() else { return false };
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // After its name, which is in brackets and may hold anything.
        let state = stat.rsplit(')').next().map(str::trim_start);
        state.is_some_and(|state| state.starts_with('T'))
    }

    /// Lets a frozen process go on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to stop, and does not wait.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to stop, and kills it if it does not in time.
    ///
    /// # Errors
    /// If it did not stop by itself.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM);
        match timeout(Duration::from_secs(STOP_SECONDS), self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => {
                self.child.kill().await?;
                bail!(
                    "{} did not stop within {STOP_SECONDS} s of SIGTERM and was killed",
                    self.name
                )
            }
        }
    }

    /// Kills it on the spot, as a power failure would.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub async fn kill(mut self) -> Result<()> {
        self.signal(Signal::KILL);
        self.child.wait().await?;
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        let id = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(id) = id {
            // A process that has just ended by itself is as good as signalled.
            let _ = kill_process(id, signal);
        }
    }
}

/// Waits until `look` finds something.
///
/// # Errors
/// If it does not within `seconds`, or a look fails.
pub async fn wait_for<T, F: Future<Output = Result<Option<T>>>>(
    what: &str,
    seconds: u64,
    mut look: impl FnMut() -> F,
) -> Result<T> {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= end {
            bail!("{what} did not come about within {seconds} s");
        }
        sleep(LOOK).await;
    }
}

/// Runs a program to its end and returns its standard output.
///
/// # Errors
/// If it fails, with its standard error.
pub async fn run(mut command: Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().await?;
    if !output.status.success() {
        bail!(
            "{:?} failed ({}):\n{}",
            command.as_std(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}
