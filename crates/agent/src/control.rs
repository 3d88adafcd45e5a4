//! How commands reach a running agent: a socket in its home, one word in, one line of JSON out.
//!
//! # Security
//! The socket is mode 0600 and callers of other users are refused by their credentials as well.

use std::fs::{self, File, Permissions};
use std::future::Future;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::errors::Code;
use crate::exit::UserError;
use crate::home::{Home, Role};

/// The socket's name in the home.
const NAME: &str = "control.sock";
/// Longest question or answer.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// A question is one word that is there already.
const READ: Duration = Duration::from_secs(2);
/// An answer may wait for the database.
const ANSWER: Duration = Duration::from_secs(30);

/// What an operator asks of a running agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Read prices and limits from the config file again.
    Reload,
    /// Take nothing new; what runs is finished.
    Drain,
    /// Take new work again.
    Resume,
    /// Say what is under way.
    Status,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Whether it was done.
    pub done: bool,
    /// What was done, or why not.
    pub text: String,
    /// Whether the agent takes nothing new.
    #[serde(default)]
    pub draining: bool,
    /// Units that run, deals that are under way.
    #[serde(default)]
    pub under_way: u64,
}

impl Reply {
    /// Done.
    #[must_use]
    pub fn done(text: impl Into<String>) -> Self {
        Self {
            done: true,
            text: text.into(),
            draining: false,
            under_way: 0,
        }
    }

    /// Not done.
    #[must_use]
    pub fn refused(text: impl Into<String>) -> Self {
        Self {
            done: false,
            ..Self::done(text)
        }
    }
}

/// No answer came.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("no gio-{role} is running in {}", path.display())]
    NotRunning {
        /// The home.
        path: PathBuf,
        /// Whose.
        role: &'static str,
    },
    /// The socket cannot be used.
    #[error("cannot use {}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The agent is busy or stuck.
    #[error("the running agent did not answer within {} s", ANSWER.as_secs())]
    Silent,
    /// It is no agent of this version.
    #[error("the running agent's answer cannot be read")]
    Answer(#[source] serde_json::Error),
}

/// The socket of a running agent.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    _folder: File,
}

/// A socket's path has at most 108 bytes, a home's may have more: the folder is named by its open handle.
fn short(folder: &File, path: &Path) -> PathBuf {
    if path.as_os_str().len() < 100 {
        return path.to_owned();
    }
    PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()))
}

impl ControlSocket {
    /// Listens in a home whose lock the caller holds, so that a socket found there is nobody's.
    ///
    /// # Errors
    /// [`ControlError::Io`].
    pub fn bind(home: &Home) -> Result<Self, ControlError> {
        let path = home.path(NAME);
        let io = |source| ControlError::Io {
            path: path.clone(),
            source,
        };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let folder = File::open(home.folder()).map_err(io)?;
        let listener = UnixListener::bind(short(&folder, &path)).map_err(io)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(io)?;
        Ok(Self {
            listener,
            path,
            _folder: folder,
        })
    }

    /// Answers one question after the other until `stop`.
    pub async fn run<F, A>(self, answer: F, stop: CancellationToken)
    where
        F: Fn(Request) -> A,
        A: Future<Output = Reply>,
    {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let is_own = stream
                .peer_cred()
                .is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw());
            if is_own {
                // Who went away does not read the answer.
                let _ = serve(stream, &answer).await;
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // The next start removes what is left.
        let _ = fs::remove_file(&self.path);
    }
}

async fn serve<F, A>(stream: UnixStream, answer: &F) -> io::Result<()>
where
    F: Fn(Request) -> A,
    A: Future<Output = Reply>,
{
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    timeout(
        READ,
        (&mut stream).take(LINE_BYTES_MAX).read_line(&mut line),
    )
    .await??;
    let reply = match serde_json::from_str(&line) {
        Ok(request) => answer(request).await,
        Err(error) => Reply::refused(format!("this agent does not know that question: {error}")),
    };
    let mut text = serde_json::to_string(&reply).map_err(io::Error::other)?;
    text.push('\n');
    stream.get_mut().write_all(text.as_bytes()).await
}

/// Asks the agent that runs in a home.
///
/// # Errors
/// [`ControlError`].
pub async fn ask(home: &Home, request: Request) -> Result<Reply, ControlError> {
    let path = home.path(NAME);
    let role = Role::name(home.role());
    let not_running = || ControlError::NotRunning {
        path: home.folder().to_owned(),
        role,
    };
    let io = |source| ControlError::Io {
        path: path.clone(),
        source,
    };
    let Ok(folder) = File::open(home.folder()) else {
        return Err(not_running());
    };
    let connected = UnixStream::connect(short(&folder, &path)).await;
    let stream = connected.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => not_running(),
        _ => io(error),
    })?;
    let mut stream = BufReader::new(stream);
    let mut line = serde_json::to_string(&request).map_err(ControlError::Answer)?;
    line.push('\n');
    let talk = async {
        stream.get_mut().write_all(line.as_bytes()).await?;
        let mut reply = String::new();
        (&mut stream)
            .take(LINE_BYTES_MAX)
            .read_line(&mut reply)
            .await?;
        Ok(reply)
    };
    let reply = timeout(ANSWER, talk)
        .await
        .map_err(|_| ControlError::Silent)?
        .map_err(io)?;
    serde_json::from_str(&reply).map_err(ControlError::Answer)
}

/// Asks it for a person at the command line: only what was done is an answer.
///
/// # Errors
/// [`Code::NotRunning`], [`Code::ReloadRefused`], or whatever else it says no with.
pub async fn tell(home: &Home, request: Request) -> Result<Reply, UserError> {
    let role = Role::name(home.role());
    let reply = ask(home, request).await.map_err(|error| match error {
        ControlError::NotRunning { .. } => UserError::of(Code::NotRunning, error)
            .hint(format!(
                "start it, or name the folder of a {role} that runs"
            ))
            .next(format!("gio-{role} start")),
        _ => UserError::of(Code::Internal, error),
    })?;
    if reply.done {
        return Ok(reply);
    }
    let code = match request {
        Request::Reload => Code::ReloadRefused,
        Request::Drain | Request::Resume | Request::Status => Code::Internal,
    };
    Err(UserError::of(code, reply.text))
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    async fn talks(folder: PathBuf) {
        let home = Home::new(Some(folder), Role::Miner);
        let error = ask(&home, Request::Status).await.unwrap_err();
        assert!(matches!(error, ControlError::NotRunning { .. }), "{error}");
        fs::create_dir_all(home.folder()).unwrap();
        let error = ask(&home, Request::Status).await.unwrap_err();
        assert!(matches!(error, ControlError::NotRunning { .. }), "{error}");
        // What a killed agent left.
        drop(UnixListener::bind(short(
            &File::open(home.folder()).unwrap(),
            &home.path(NAME),
        )));
        let error = ask(&home, Request::Status).await.unwrap_err();
        assert!(matches!(error, ControlError::NotRunning { .. }), "{error}");
        let stop = CancellationToken::new();
        let socket = ControlSocket::bind(&home).unwrap();
        let mode = fs::metadata(home.path(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let answer = |request| async move { Reply::refused(format!("{request:?}")) };
        let mut tasks = JoinSet::new();
        tasks.spawn(socket.run(answer, stop.clone()));
        let reply = ask(&home, Request::Reload).await.unwrap();
        assert_eq!((reply.done, reply.text.as_str()), (false, "Reload"));
        stop.cancel();
        tasks.join_all().await;
        assert!(!home.path(NAME).exists());
    }

    #[tokio::test]
    async fn a_running_agent_is_asked_and_a_stopped_one_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        talks(dir.path().join("m")).await;
        // Longer than a socket's path may be.
        talks(dir.path().join("long".repeat(40))).await;
    }
}
