//! The data files of `events/`, embedded when this crate is compiled (see `build.rs`).

use callboard_contracts::command::CommandEvent;
use callboard_contracts::{
    BroadcastEvent, EntryEvent, NotificationEvent, RecipientEvent, SlotEvent, WaitlistEvent,
};

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/data.rs"));
}

/// Foreign event types: file name below `events/foreign`, and its text.
pub static FOREIGN: &[(&str, &str)] = embedded::FOREIGN;

/// Notification definitions and wordings: path below `events/notifications`, and its text.
pub static NOTIFICATIONS: &[(&str, &str)] = embedded::NOTIFICATIONS;

/// The words of replies to messages: file name below `events/replies`, and its text.
pub static REPLIES: &[(&str, &str)] = embedded::REPLIES;

/// The full types of every event that Callboard makes itself.
pub fn own_event_types() -> impl Iterator<Item = &'static str> {
    [
        SlotEvent::TYPES,
        BroadcastEvent::TYPES,
        EntryEvent::TYPES,
        WaitlistEvent::TYPES,
        NotificationEvent::TYPES,
        RecipientEvent::TYPES,
        CommandEvent::TYPES,
    ]
    .into_iter()
    .flatten()
    .copied()
}
