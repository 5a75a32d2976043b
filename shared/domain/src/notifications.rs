//! Notifications: who is told what, whether it may still be sent, and what became of it.

pub mod definition;
pub mod gate;
pub mod notification;

pub use definition::{Catalogue, Context, Definition, Person, RenderError, Rendered};
pub use notification::{AttemptKey, Notification, NotificationStatus, Refusal};
