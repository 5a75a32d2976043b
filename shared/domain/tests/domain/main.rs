//! Given/when/then tests of every decision, properties of the rules, and the data files.

mod batch;
mod broadcast;
mod calendar;
mod data;
mod entry;
mod explain;
mod foreign;
mod given;
mod lottery;
mod matching;
mod notification;
mod old_commits;
mod policy;
mod rank;
mod schemas;
mod slot;
mod state_machine;
mod swap;
mod window;
mod wishes;
