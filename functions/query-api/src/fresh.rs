//! `?at-least=<stream>@<number>`: waiting until a view has seen a commit.

use std::time::Duration;

use axum::http::StatusCode;
use callboard_runtime::http::Problem;
use tokio::time::{Instant, sleep};

use crate::Deps;
use crate::read_problem;
use crate::views::View;

/// Longest wait. With a view's read it stays well under the function's time-out of 10 s.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Pause between two looks: a view follows its commit within about 0.3 s on AWS.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// A commit that a caller wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AtLeast {
    pub(crate) stream: String,
    pub(crate) number: u64,
}

impl AtLeast {
    pub(crate) fn parse(text: Option<&str>) -> Result<Option<Self>, Problem> {
        let Some(text) = text else { return Ok(None) };
        let parsed = text.rsplit_once('@').and_then(|(stream, number)| {
            Some(Self {
                stream: stream.to_owned(),
                number: number.parse().ok()?,
            })
        });
        match parsed {
            Some(at_least) if !at_least.stream.is_empty() => Ok(Some(at_least)),
            _ => Err(Problem::malformed(
                "The parameter at-least takes what an answer's header Callboard-Commit says: <stream>@<number>.",
            )),
        }
    }
}

/// The view of `stream`, once it has seen `at_least` if that is about the same stream; a commit
/// of another stream is waited for in that stream's own view first.
pub(crate) async fn view_of(
    deps: &Deps,
    stream: &str,
    at_least: Option<&AtLeast>,
) -> Result<Option<View>, Problem> {
    if let Some(at_least) = at_least {
        wait_for(deps, at_least).await?;
    }
    deps.views
        .of_stream(stream)
        .await
        .map_err(|error| read_problem(&error))
}

/// Waits until the view of the commit's stream has seen it.
pub(crate) async fn wait_for(deps: &Deps, at_least: &AtLeast) -> Result<(), Problem> {
    let until = Instant::now() + WAIT_MAX;
    loop {
        let view = deps
            .views
            .of_stream(&at_least.stream)
            .await
            .map_err(|error| read_problem(&error))?;
        if view.is_some_and(|view| view.applied >= at_least.number) {
            return Ok(());
        }
        if Instant::now() + LOOK_EVERY > until {
            return Err(Problem {
                retry_after_seconds: Some(1),
                ..Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "not-yet",
                    "The view has not reached the commit asked for within 5 s. Ask again, or without at-least.",
                )
            });
        }
        sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_name_is_cut_at_its_last_at_sign() {
        let parsed = AtLeast::parse(Some("entry#a@b@12")).expect("well-formed");
        assert_eq!(
            parsed,
            Some(AtLeast {
                stream: "entry#a@b".to_owned(),
                number: 12
            })
        );
        assert!(AtLeast::parse(Some("entry#a")).is_err());
        assert!(AtLeast::parse(Some("@3")).is_err());
        assert_eq!(AtLeast::parse(None), Ok(None));
    }
}
