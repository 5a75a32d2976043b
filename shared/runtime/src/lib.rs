//! The plumbing that event-driven Lambda functions in Rust need, whatever their subject.
//!
//! | room | what it gives |
//! |---|---|
//! | [`journal`] | append-only streams in one DynamoDB table: optimistic concurrency, deduplication and outbox in a single conditional write |
//! | [`lease`] | at most one attempt at an effect that no conditional write can cover, with a fence |
//! | [`batch`] | SQS batches in stages, standard and FIFO, with partial failures |
//! | [`stream`] | DynamoDB Streams batches with a checkpoint at the first failure |
//! | [`dead_letter`] | a message set aside with its reason |
//! | [`publish`] | SNS `PublishBatch` with each entry's answer checked |
//! | [`queue`] | SQS `SendMessage`, delayed or in a group |
//! | [`table`] | items of views and contacts: keys, pages, conditional writes |
//! | `http` (feature) | problem details, JSON bodies and requests of an HTTP API |
//! | [`bulk`] | strongly consistent reads of many items in one call |
//! | [`scan`] | a table read from end to end, in segments |
//! | [`backoff`] | full jitter |
//! | [`failure`] | the one shape of a handler's error: retry, hold, or dead-letter |
//! | [`settings`], [`function`], [`clock`], [`telemetry`] | start, time and logs of a function |
//! | [`metrics`] | what goes wrong or takes long, as lines that CloudWatch reads |
//! | [`token`] | signed, expiring link tokens with rotating keys |
//!
//! Nothing here knows a waitlist or a notification.

pub mod backoff;
pub mod batch;
pub mod bulk;
pub mod clock;
pub mod dead_letter;
pub mod failure;
pub mod fault;
pub mod function;
#[cfg(feature = "http")]
pub mod http;
pub mod journal;
pub mod lease;
pub mod metrics;
pub mod publish;
pub mod queue;
pub mod scan;
pub mod settings;
pub mod stream;
pub mod table;
pub mod telemetry;
pub mod token;

pub use callboard_contracts::{Cause, DomainEvent, Fold, StreamId, Timestamp};
pub use clock::{Clock, Deadline};
pub use failure::{Class, Failure};
