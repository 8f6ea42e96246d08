//! Waiting for what the service cannot start without. It may come up later than the service: meanwhile `/startupz` says
//! no, and nothing crashes only to be started again.

use std::time::Duration;

use tokio::time::sleep;

use crate::Error;

/// The longest first pause between two attempts; it doubles …
const PAUSE: Duration = Duration::from_millis(100);
/// … up to this.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Why a dependency cannot be used.
#[derive(Debug)]
pub enum Failure {
    /// It may still come.
    NotYet(Error),
    /// Waiting does not help.
    Never(Error),
}

/// Repeats `attempt` until it succeeds, or fails for good.
pub async fn wait_for<T, F>(dependency: &str, attempt: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut longest = PAUSE;
    loop {
        let error = match attempt().await {
            Ok(ready) => return Ok(ready),
            Err(Failure::Never(error)) => return Err(error),
            Err(Failure::NotYet(error)) => error,
        };
        // Half of it by chance, so that replicas which start together do not ask together.
        let pause = longest.mul_f64(0.5 + fastrand::f64() / 2.0);
        tracing::warn!(
            dependency,
            error = &*error as &(dyn std::error::Error + 'static),
            retry_in_ms = pause.as_millis() as u64,
            "cannot start yet"
        );
        sleep(pause).await;
        longest = (longest * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_tries_until_the_dependency_is_there() {
        let (began, attempts) = (Instant::now(), Cell::new(0));
        let waited = wait_for("late", || {
            attempts.set(attempts.get() + 1);
            ready(match began.elapsed() < Duration::from_secs(60) {
                true => Err(Failure::NotYet("not there".into())),
                false => Ok("ready"),
            })
        });
        assert_eq!(waited.await.unwrap(), "ready");
        // Six pauses until they are the longest, then two or three in ten seconds.
        assert!((16..=32).contains(&attempts.get()), "{attempts:?}");
        assert!(began.elapsed() <= Duration::from_secs(60) + PAUSE_MAX);
    }

    #[tokio::test]
    async fn it_does_not_wait_for_what_never_comes() {
        let failed = wait_for("wrong", || {
            ready(Err::<(), _>(Failure::Never("another's".into())))
        });
        assert_eq!(failed.await.unwrap_err().to_string(), "another's");
    }
}
