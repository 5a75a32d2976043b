//! The clock against the embedded engine's queues, in process and on virtual time.

mod reminders;
mod sweeping;
mod world;
