//! The waitlist: slots that become free, entries that wait for them, and who comes next.
//!
//! Slot and entry are two streams. What must agree between them is decided by [`cascade`] and
//! committed in one transaction on both.

pub mod cascade;
pub mod entry;
pub mod rank;
pub mod refusal;
pub mod slot;
pub mod timing;

pub use entry::{Entry, EntryStatus, Ineligible};
pub use refusal::{Refusal, RefusalKind};
pub use slot::{Slot, SlotFacts, SlotStatus, Step};
pub use timing::Timing;
