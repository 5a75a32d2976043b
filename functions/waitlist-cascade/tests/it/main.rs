//! The cascade against the embedded engine, in process and on virtual time.

mod messages;
mod rules;
mod world;
