//! Given/when/then tests of every decision, properties of the rules, and the data files.

mod data;
mod entry;
mod foreign;
mod given;
mod notification;
mod rank;
mod schemas;
mod slot;
mod state_machine;
