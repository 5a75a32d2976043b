//! The embedded engine: DynamoDB with Streams, SQS and SNS in one small process, spoken to in
//! AWS's own wire protocols, either over a socket ([`Engine::serve`]) or without one
//! ([`Engine::sdk_config`]). For development and tests only: it checks no signature and no policy.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use callboard_engine::{Engine, EngineConfig};
//! let engine = Engine::open(EngineConfig::default()).await?;
//! let sqs = aws_sdk_sqs::Client::new(&engine.sdk_config());
//! let queue = sqs.create_queue().queue_name("letters").send().await?;
//! sqs.send_message().queue_url(queue.queue_url().unwrap_or_default()).message_body("hello").send().await?;
//! # Ok(()) }
//! ```
//!
//! All time comes from one [`Clock`], and every wait is `tokio::time`, so the whole engine runs on
//! a paused `current_thread` runtime. What lives here may not depend on any other crate of ours.

mod clock;
mod cloudwatch;
mod config;
mod connector;
mod dynamo;
mod engine;
mod ids;
mod messages;
mod scope;
mod serve;
mod sns;
mod sqs;
mod state;
mod tenants;
mod web;
mod wire;

pub use clock::Clock;
pub use config::{EngineConfig, EngineError, State};
pub use engine::Engine;
pub use scope::{is_account, is_region};
