//! The waits that the cascade keeps.

use std::time::Duration;

/// A hold is released no earlier than this after its deadline. `command-api` ends within 4 s, so
/// an acceptance that was received in time has been committed by then.
pub const HOLD_GRACE: Duration = Duration::from_secs(5);

/// A slot is opened to the public only by a second empty look-up this much later: the view that
/// candidates are looked up in may be seconds behind, and a join may be on its way.
pub const SECOND_LOOK: Duration = Duration::from_secs(30);

/// Whose offer somebody else's act has ended is told by the message of that act, within a second or
/// two. From so much later on the sweep of the agenda sees to it.
pub const TELL_AFTER: Duration = Duration::from_secs(30);

/// How long the cascade waits before it acts. The defaults are the constants of this module;
/// tests and demonstrations shorten them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// See [`HOLD_GRACE`].
    pub hold_grace: Duration,
    /// See [`SECOND_LOOK`].
    pub second_look: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            hold_grace: HOLD_GRACE,
            second_look: SECOND_LOOK,
        }
    }
}
