//! What a lease needs to know of a stream: its latest attempt at an effect.
//!
//! The state (in `callboard_domain`) tells it, the lease (in `callboard_runtime`) asks for it,
//! and neither knows the other.

use uuid::Uuid;

use crate::time::Timestamp;

/// The latest attempt at one effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptView {
    /// The attempt; the fence that an outcome is checked against.
    pub attempt_id: Uuid,
    /// Its lease ends here.
    pub lease_until: Timestamp,
    /// An outcome of it stands in the stream, an unknown one included.
    pub settled: bool,
}

/// A state that remembers the latest attempt at each of its effects.
pub trait Attempts {
    /// What tells one effect of the stream from another, for instance channel and step.
    type Key;

    /// The latest attempt at the effect `key`, if there was one.
    fn latest_attempt(&self, key: &Self::Key) -> Option<AttemptView>;
}
