//! Trying again what may succeed in a moment.

use std::time::Duration;

use tokio::time::sleep;

use super::hub::HubError;

/// Before the second attempt; doubled for each further one.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
/// Attempts in all: about half a minute, long enough for a hub's restart.
const ATTEMPTS_MAX: u32 = 7;

/// Calls until it succeeds, fails for good, or has failed too often.
///
/// # Errors
/// The last attempt's.
pub async fn retrying<T, F>(call: impl FnMut() -> F) -> Result<T, HubError>
where
    F: Future<Output = Result<T, HubError>>,
{
    retrying_after(PAUSE_FIRST, call).await
}

async fn retrying_after<T, F>(
    mut pause: Duration,
    mut call: impl FnMut() -> F,
) -> Result<T, HubError>
where
    F: Future<Output = Result<T, HubError>>,
{
    for _ in 1..ATTEMPTS_MAX {
        match call().await {
            Err(error) if error.is_transient() => {
                tracing::debug!(%error, "calling the hub again");
            }
            result => return result,
        }
        sleep(pause).await;
        pause *= 2;
    }
    call().await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tonic::Status;

    use super::*;

    async fn calls_until_end(error: fn() -> Status, good_after: u32) -> (u32, bool) {
        let calls = AtomicU32::new(0);
        let result = retrying_after(Duration::from_micros(1), || async {
            if calls.fetch_add(1, Ordering::Relaxed) < good_after {
                return Err(HubError::from(error()));
            }
            Ok(())
        });
        let is_ok = result.await.is_ok();
        (calls.into_inner(), is_ok)
    }

    #[tokio::test]
    async fn a_hub_that_comes_back_is_heard_and_a_refusal_is_final() {
        let away = || Status::unavailable("restarting");
        assert_eq!(calls_until_end(away, 3).await, (4, true));
        assert_eq!(calls_until_end(away, 99).await, (ATTEMPTS_MAX, false));
        let no = || Status::failed_precondition("no");
        assert_eq!(calls_until_end(no, 99).await, (1, false));
    }
}
