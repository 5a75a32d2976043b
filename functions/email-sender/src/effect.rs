//! What the runtime's lease has to know of a notification: which events tell of an attempt, its
//! outcome, a late one, and one that nobody knows.

use callboard_contracts::NotificationEvent;
use callboard_contracts::notification::{
    AttemptFailed, DeliveryAttempted, DeliveryFailed, DeliverySucceeded, DropReason, LateOutcome,
    NotificationDropped, OutcomeUnknown, UnknownPolicy,
};
use callboard_domain::notifications::notification::{AttemptKey, KEPT_FOR, Notification};
use callboard_runtime::Clock;
use callboard_runtime::journal::CommitBuilder;
use callboard_runtime::lease::{Attempt, Effect, OnUnknown};
use uuid::Uuid;

/// How an attempt certainly ended. What nobody can be certain of is no outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took the mail.
    Delivered {
        /// Which provider.
        provider: &'static str,
    },
    /// It was not taken and never will be.
    Failed {
        /// Provider and code.
        code: String,
    },
    /// It was not taken; another attempt may work.
    FailedForNow {
        /// Provider and code.
        code: String,
    },
    /// What it is about was written by other code than this, and can be read by that alone.
    NotReadableHere {
        /// The version that is not known.
        why: String,
    },
    /// It must not be sent.
    Dropped(DropReason),
}

impl Outcome {
    /// A failure that may pass.
    #[must_use]
    pub fn for_now(code: &str) -> Self {
        Self::FailedForNow {
            code: code.to_owned(),
        }
    }

    /// The same, when no further try follows: a failure that could have passed is then one that
    /// stays. Not so what other code can do: its letter waits for that code.
    #[must_use]
    pub fn on_last_try(self) -> Self {
        match self {
            Self::FailedForNow { code } => Self::Failed { code },
            outcome => outcome,
        }
    }

    /// The outcome in a word: `succeeded`, `dropped`, or the failure's code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Delivered { .. } => "succeeded",
            Self::Failed { code } | Self::FailedForNow { code } => code,
            Self::NotReadableHere { .. } => "not-readable-here",
            Self::Dropped(_) => "dropped",
        }
    }
}

/// An e-mail, as an effect that happens at most once at a time.
#[derive(Debug, Clone)]
pub struct Email {
    clock: Clock,
}

impl Email {
    /// The effect, with commits kept for a while from the present that `clock` tells.
    #[must_use]
    pub const fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

impl Effect for Email {
    type State = Notification;
    type Key = AttemptKey;
    type Outcome = Outcome;

    fn is_wanted(&self, state: &Notification, _: &AttemptKey) -> bool {
        state.facts.is_some() && !state.cancelled && !state.status.is_final()
    }

    fn begun(&self, key: &AttemptKey, attempt: &Attempt) -> Vec<NotificationEvent> {
        let event = DeliveryAttempted {
            attempt_id: attempt.attempt_id,
            channel: key.channel,
            step: key.step,
            owner: attempt.owner.clone(),
            lease_until: attempt.lease_until,
        };
        vec![event.into()]
    }

    fn ended(
        &self,
        key: &AttemptKey,
        attempt_id: Uuid,
        outcome: &Outcome,
    ) -> Vec<NotificationEvent> {
        let (channel, step) = (key.channel, key.step);
        let event = match outcome {
            Outcome::Delivered { provider } => {
                let provider = (*provider).to_owned();
                DeliverySucceeded {
                    attempt_id,
                    channel,
                    step,
                    provider,
                }
                .into()
            }
            Outcome::Failed { code } => {
                let code = code.clone();
                DeliveryFailed {
                    attempt_id,
                    channel,
                    step,
                    code,
                }
                .into()
            }
            Outcome::FailedForNow { .. } | Outcome::NotReadableHere { .. } => {
                let code = outcome.as_str().to_owned();
                AttemptFailed {
                    attempt_id,
                    channel,
                    step,
                    code,
                }
                .into()
            }
            Outcome::Dropped(reason) => {
                let reason = *reason;
                NotificationDropped {
                    reason,
                    instead_of: None,
                }
                .into()
            }
        };
        vec![event]
    }

    fn late(
        &self,
        key: &AttemptKey,
        attempt_id: Uuid,
        outcome: &Outcome,
    ) -> Vec<NotificationEvent> {
        let event = LateOutcome {
            attempt_id,
            channel: key.channel,
            step: key.step,
            outcome: outcome.as_str().to_owned(),
        };
        vec![event.into()]
    }

    fn unknown(
        &self,
        key: &AttemptKey,
        attempt_id: Uuid,
        policy: OnUnknown,
    ) -> Vec<NotificationEvent> {
        let event = OutcomeUnknown {
            attempt_id,
            channel: key.channel,
            step: key.step,
            policy: match policy {
                OnUnknown::Repeat => UnknownPolicy::Resend,
                OnUnknown::Park => UnknownPolicy::Park,
            },
        };
        vec![event.into()]
    }

    fn dress(&self, commit: CommitBuilder<Notification>) -> CommitBuilder<Notification> {
        commit.expires(self.clock.now().plus(KEPT_FOR))
    }
}
