//! The projector against the embedded engine, in process and on virtual time.

mod messages;
mod views;
mod world;
