//! `email-sender` as Lambda calls it, on the embedded engine, under virtual time, with real SMTP
//! to a mailbox over a pipe.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod counts;
mod delivery;
mod gate;
mod lease;
mod provider;
mod samples;
mod versions;
mod world;
