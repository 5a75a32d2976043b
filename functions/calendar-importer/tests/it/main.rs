//! `calendar-importer` as Lambda calls it, on the embedded engine, under virtual time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod importing;
mod samples;
mod world;
