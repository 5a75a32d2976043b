//! The cascade against the embedded engine, in process and on virtual time.

mod binary;
mod broadcasts;
mod endings;
mod entries;
mod many;
mod messages;
mod rules;
mod searches;
mod sizes;
mod world;
