//! `drain`, `resume` and `reload`: a word to the miner that runs in this home.

use std::time::Duration;

use gio_agent::control::{self, Reply, Request};
use gio_agent::{Code, Home, UserError};
use tokio::time::sleep;

use crate::infra::console;

/// Between two looks at a miner that drains.
const LOOK: Duration = Duration::from_secs(1);

/// Says it and prints the answer.
///
/// # Errors
/// If no miner runs in this home, or it does not do it.
pub async fn tell(home: &Home, request: Request) -> Result<(), UserError> {
    let reply = control::tell(home, request).await?;
    let Reply {
        text, under_way, ..
    } = reply;
    console::line(format_args!("{text}; {under_way} units are here"));
    Ok(())
}

/// Takes nothing new; with `wait`, until what is here is done and answered.
///
/// # Errors
/// As [`tell`], and if somebody resumes meanwhile.
pub async fn drain(home: &Home, wait: bool) -> Result<(), UserError> {
    tell(home, Request::Drain).await?;
    if !wait {
        return Ok(());
    }
    let mut last = None;
    loop {
        let reply = control::tell(home, Request::Status).await?;
        if !reply.draining {
            let text = "the miner takes units again: somebody told it to resume";
            return Err(UserError::of(Code::Internal, text));
        }
        if reply.under_way == 0 {
            console::line("no unit is here; `gio-miner` may be stopped");
            return Ok(());
        }
        if last.replace(reply.under_way) != Some(reply.under_way) {
            console::complain(format_args!("{} units are here", reply.under_way));
        }
        sleep(LOOK).await;
    }
}
