//! The waitlist: slots that become free, entries that wait for them, and who comes next.
//!
//! A slot, an entry and a waitlist's policy are a stream each. What must agree between slots and
//! entries is decided by [`cascade`] and committed in one transaction. What a slot needs of the
//! policy it takes with it when it is released.

pub mod broadcast;
pub mod cascade;
pub mod entry;
pub mod explain;
pub mod figures;
mod local;
pub mod lottery;
pub mod matching;
pub mod policy;
pub mod rank;
pub mod refusal;
pub mod selection;
pub mod slot;
pub mod statistics;
pub mod swap;
pub mod timing;
pub mod window;

pub use broadcast::Audience;
pub use callboard_contracts::waitlist::Ineligible;
pub use entry::{Entry, EntryStatus};
pub use policy::Policies;
pub use refusal::{Refusal, RefusalKind};
pub use selection::{Considered, Selection};
pub use slot::{OfferFate, Slot, SlotFacts, SlotStatus, Step};
pub use swap::Former;
pub use timing::Timing;
