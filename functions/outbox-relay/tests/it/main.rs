//! `outbox-relay` as Lambda calls it, on the embedded engine, under virtual time.

mod failures;
mod publishing;
mod samples;
mod wire;
mod world;
