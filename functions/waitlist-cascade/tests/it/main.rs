//! The cascade against the embedded engine, in process and on virtual time.

mod binary;
mod endings;
mod messages;
mod rules;
mod sizes;
mod world;
