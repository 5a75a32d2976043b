//! The runtime against the embedded engine, with faults in between.

mod batch;
mod bulk;
mod duplicates;
mod ends;
mod journal;
mod lease;
mod parcel;
mod publish;
mod size;
mod transaction;
