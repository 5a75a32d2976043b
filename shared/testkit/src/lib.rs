//! What Callboard's tests are made with: the engine in process with the house's tables, faults
//! between a client and its service, a count of what calls cost, events as Lambda delivers them,
//! the samples, and virtual time. For tests and simulations only.
//!
//! ```
//! use callboard_testkit::{Fault, World};
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let world = World::open().await;
//! world.faults().next("PutItem", Fault::DropAnswer);
//! // … the SDK tries again, and the journal recognises its own write …
//! assert_eq!(world.faults().costs().requests("PutItem"), 0);
//! # }
//! ```

pub mod build;
pub mod contract;
pub mod deliver;
pub mod faults;
pub mod gateway;
pub mod interleave;
pub mod metered;
pub mod policy;
pub mod samples;
pub mod time;
pub mod world;

pub use build::{Message, cause, envelope, sqs_event, stream_event, stream_id};
pub use deliver::{failed, twice_and_backwards, twice_and_shuffled};
pub use faults::{Costs, Fault, Faults, Gate};
pub use interleave::interleaved;
pub use metered::Measured;
pub use samples::{assert_sample, documented, holds, sample};
pub use time::{eventually, virtual_runtime};
pub use world::{DeadLetter, QueuePair, World};
