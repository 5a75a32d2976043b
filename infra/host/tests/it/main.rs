//! The host on the embedded engine, in process and on paused time: what AWS documents of
//! event source mappings, seen from the outside.

mod http;
mod provision;
mod queue;
mod schedule;
mod stream;
mod support;
mod template;
