//! The projector against the embedded engine, in process and on virtual time.

mod events;
mod figures;
mod lasting;
mod messages;
mod views;
mod world;
