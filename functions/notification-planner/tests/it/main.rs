//! `notification-planner` as Lambda calls it, on the embedded engine, under virtual time.

mod meter;
mod planning;
mod samples;
mod world;
