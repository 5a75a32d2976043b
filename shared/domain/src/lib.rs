//! Callboard's rules: pure state machines for the waitlist and for notifications, and the data
//! (foreign event types, wordings) that they are used with.
//!
//! Every rule has one of two forms: a *decision* takes a state, a command and `now`, and gives
//! events or a typed refusal; a *fold* (`Fold::evolve`) takes a state and an event and gives the
//! next state. There is no async here, no I/O, no clock and no AWS type.

pub mod calendar;
pub mod data;
pub mod foreign;
pub mod notifications;
pub mod problem;
pub mod replies;
pub mod waitlist;
pub mod when;

pub use problem::{Problem, Problems};
