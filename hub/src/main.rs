//! The `gio-hub` binary.

use std::process::ExitCode;
use std::time::Duration;

/// Checks of jobs and claims run on threads that cannot be interrupted; nothing depends on their end.
const THREADS_MAY_TAKE: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("the operating system gives threads");
    let code = runtime.block_on(gio_hub::cli::main());
    runtime.shutdown_timeout(THREADS_MAY_TAKE);
    code
}
