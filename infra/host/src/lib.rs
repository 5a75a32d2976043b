//! Drives Lambda functions as Lambda's event source mappings do, and serves their HTTP
//! API, by the AWS SDK alone: on the embedded engine, an emulator or a sandbox account.
//!
//! The functions run in this process, as the `tower` services that their `build` makes.
//! Topology, names, environment and mappings come from the template's
//! [`Stack`](callboard_template::Stack); nothing here knows a waitlist.
//!
//! | of AWS | here |
//! |---|---|
//! | CloudFormation | [`provision()`]: create or find, resolve references |
//! | SQS event source mapping | `queue`: long poll, batches, partial failures, FIFO groups |
//! | stream event source mapping | `stream`: order, bisect, retries, on-failure records |
//! | EventBridge rule with a rate | `schedule` |
//! | API Gateway v2 | `http`: routes, payload format 2.0 |
//! | Lambda | `invocation`: context, deadline, time-out, panics |
//!
//! Every wait is `tokio::time`, and the clock is the SDK configuration's time source, so
//! the whole runs under paused time. What is *not* here: throttling and account limits,
//! the reduced polling after errors, concurrency reserved for a function, authorizers,
//! cold starts, and any knowledge of IAM: [`Roles`] hands each function's on to whoever has it.

mod batch_response;
mod error;
mod filter;
mod functions;
mod host;
mod http;
mod invocation;
mod mappings;
mod observe;
mod provision;
mod queue;
mod registry;
mod resources;
mod roles;
mod schedule;
mod starting;
mod stop;
mod stream;

pub use error::{BoxError, HostError};
pub use filter::FilterError;
pub use host::{Host, HostConfig};
pub use observe::{Invocation, Totals, Trigger, Verdict};
pub use provision::{TornDown, provision, teardown};
pub use registry::Registry;
pub use resources::{Resource, Resources};
pub use roles::{Role, Roles};
pub use stream::CheckpointError;

pub use callboard_runtime::function::Service;
pub use callboard_runtime::settings::Vars;
