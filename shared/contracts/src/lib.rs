//! Callboard's vocabulary: ids, time, the CloudEvents envelope, and every event and command type.
//!
//! What lives here is what crosses a boundary between two functions, or between Callboard and the
//! outside. There is no logic here beyond checking that a value is what its type says, and no
//! dependence on any other crate of ours.

pub mod attempt;
pub mod cause;
pub mod command;
pub mod envelope;
pub mod figures;
pub mod foreign;
pub mod id;
pub mod link;
pub mod notification;
pub mod recipient;
pub mod stream;
pub mod time;
pub mod version;
pub mod view;
pub mod waitlist;

pub use attempt::{AttemptView, Attempts};
pub use cause::Cause;
pub use envelope::{Envelope, EnvelopeError};
pub use id::{EntryId, IdError, OfferId, RecipientId, SlotId, WaitlistId};
pub use notification::{NotificationEvent, NotificationId};
pub use recipient::RecipientEvent;
pub use stream::{DecodeError, DomainEvent, Fold, Handling, StreamId, Unfolded, Visibility};
pub use time::Timestamp;
pub use waitlist::{BroadcastEvent, EntryEvent, SlotEvent, WaitlistEvent};
