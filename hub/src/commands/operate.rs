//! `drain`, `resume` and `reload`: a word to the hub that runs in this home.

use std::time::Duration;

use gio_agent::control::{self, Reply, Request};
use gio_agent::{Code, Home, UserError};
use tokio::time::sleep;

/// Between two looks at a hub that drains.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) async fn tell(home: &Home, request: Request) -> Result<(), UserError> {
    let reply = control::tell(home, request).await?;
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
        let reply = control::tell(home, Request::Status).await?;
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

fn line(reply: &Reply) -> String {
    format!("{}; {} deals under way", reply.text, reply.under_way)
}
