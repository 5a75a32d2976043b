//! `callboard replay`: views rebuilt from random histories, interrupted, beside a projector at
//! work, and as they were at a time.

#![allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]

mod history;
mod interrupted;
mod live;
mod past;
mod place;
mod wrong;
