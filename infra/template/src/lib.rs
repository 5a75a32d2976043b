//! Reads `infra/template.yaml` (AWS SAM) with line and column, and says what of it is served,
//! inert or refused.
//!
//! The template is the only description of the topology. AWS gets it as it is; the host, the
//! catalog, the command line and the tests get it through [`load`], which resolves parameters,
//! conditions and pseudo parameters and yields a typed [`Stack`]. What only exists once a stack
//! is created (a queue's URL, a topic's ARN) stays an [`Expr`] that the caller evaluates against
//! the resources it made.
//!
//! Three explicit lists, in [`lists`], decide about every resource type and every property:
//! *served* (it reaches the [`Stack`]), *inert* (it has a meaning on AWS alone, such as a log
//! group or an alarm) and, for everything else, *refused*: a [`Problem`] that names line, column
//! and path. Nothing is skipped in silence, so that a construct which works on AWS and not here
//! is found when the file is read.
//!
//! ```
//! use callboard_template::{load, Parameters};
//!
//! let text = "
//! Resources:
//!   InboxQueue:
//!     Type: AWS::SQS::Queue
//!     Properties:
//!       VisibilityTimeout: 60
//! ";
//! let stack = load("template.yaml", text, &Parameters::default())?;
//! assert_eq!(stack.queues[0].logical_id, "InboxQueue");
//! assert_eq!(stack.queues[0].attributes["VisibilityTimeout"], "60");
//! # Ok::<(), callboard_template::Problems>(())
//! ```
//!
//! Not here: creating anything, talking to AWS, reading the process's environment.

mod declared;
mod document;
mod expr;
mod functions;
mod http_api;
pub mod lists;
mod load;
mod messaging;
mod parameters;
mod problem;
mod resolve;
mod roles;
mod schedule;
mod source;
mod stack;
mod tables;
mod value;
mod yaml;

pub use expr::{Expr, Reference, Unresolved};
pub use load::load;
pub use parameters::Parameters;
pub use problem::{Position, Problem, Problems};
pub use source::{EventSource, ScheduleSource, SqsSource, StartingPosition, StreamSource};
pub use stack::{
    AttributeType, Authorization, Condition, FilterScope, Function, HttpApi, Index, KeySchema,
    Output, Projection, Queue, QueuePolicy, Redrive, Route, Stack, Statement, StreamView,
    Subscription, Table, Topic,
};
