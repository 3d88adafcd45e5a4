//! `drain`, `resume` and `reload`: a word to the hub that runs in this home.

use std::time::Duration;

use gio_agent::control::{ControlError, Reply, Request, ask};
use gio_agent::{Code, Home, UserError};
use tokio::time::sleep;

/// Between two looks at a hub that drains.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) async fn tell(home: &Home, request: Request) -> Result<(), UserError> {
    let reply = talk(home, request).await?;
    println!("{}", line(&reply));
    Ok(())
}

pub(crate) async fn drain(home: &Home, wait: bool) -> Result<(), UserError> {
    tell(home, Request::Drain).await?;
    if !wait {
        return Ok(());
    }
    let mut last = None;
    loop {
        let reply = talk(home, Request::Status).await?;
        if !reply.draining {
            let text = "the hub takes deals again: somebody told it to resume";
            return Err(UserError::of(Code::Internal, text));
        }
        if reply.under_way == 0 {
            println!("no deal is under way; `gio-hub` may be stopped");
            return Ok(());
        }
        if last.replace(reply.under_way) != Some(reply.under_way) {
            eprintln!("{} deals are under way", reply.under_way);
        }
        sleep(LOOK).await;
    }
}

async fn talk(home: &Home, request: Request) -> Result<Reply, UserError> {
    let reply = ask(home, request).await.map_err(told)?;
    if reply.done {
        return Ok(reply);
    }
    let code = match request {
        Request::Reload => Code::ReloadRefused,
        Request::Drain | Request::Resume | Request::Status => Code::Internal,
    };
    Err(UserError::of(code, reply.text))
}

fn told(error: ControlError) -> UserError {
    match error {
        ControlError::NotRunning { .. } => UserError::of(Code::NotRunning, error)
            .hint("start it, or name the folder of a hub that runs")
            .next("gio-hub start"),
        _ => UserError::of(Code::Internal, error),
    }
}

fn line(reply: &Reply) -> String {
    format!("{}; {} deals under way", reply.text, reply.under_way)
}
