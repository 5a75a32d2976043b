//! What invokes a function apart from HTTP: event source mappings.

use std::time::Duration;

use serde_json::Value;

use crate::expr::Expr;
use crate::problem::Position;

/// What calls a function: a mapping, or a schedule. HTTP is not here: see [`HttpApi`](crate::HttpApi).
#[derive(Debug, Clone, PartialEq)]
pub enum EventSource {
    /// A queue (SAM `Type: SQS`).
    Sqs(SqsSource),
    /// A table's stream (SAM `Type: DynamoDB`).
    Stream(StreamSource),
    /// A rule of EventBridge with a rate (SAM `Type: Schedule`).
    Schedule(ScheduleSource),
}

/// A schedule that calls a function at a fixed rate, with EventBridge's own event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSource {
    /// Name of the event in the template, unique within its function.
    pub name: String,
    /// Where it stands.
    pub position: Position,
    /// Time between two calls; whole minutes, as `rate(…)` has them.
    pub every: Duration,
    /// `Enabled` (default true).
    pub enabled: bool,
}

/// An SQS event source mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct SqsSource {
    /// Name of the event in the template, unique within its function.
    pub name: String,
    /// Where it stands.
    pub position: Position,
    /// The queue's ARN, usually `GetAtt X.Arn`.
    pub queue: Expr,
    /// Records per invocation at most (default 10; 10 at most for FIFO).
    pub batch_size: u32,
    /// How long a batch may wait to fill, in seconds (default 0).
    pub window_s: u32,
    /// `ScalingConfig.MaximumConcurrency`: concurrent invocations at most.
    pub max_concurrency: Option<u32>,
    /// `FunctionResponseTypes: [ReportBatchItemFailures]`.
    pub report_item_failures: bool,
    /// Patterns of `FilterCriteria`, parsed; a record passes if one matches. Empty: all pass.
    pub filters: Vec<Value>,
    /// `Enabled` (default true).
    pub enabled: bool,
}

/// Where a new stream mapping begins to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartingPosition {
    /// The oldest record the stream still holds.
    TrimHorizon,
    /// What is written from now on.
    Latest,
}

/// A DynamoDB Streams event source mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamSource {
    /// Name of the event in the template, unique within its function.
    pub name: String,
    /// Where it stands.
    pub position: Position,
    /// The stream's ARN, usually `GetAtt X.StreamArn`.
    pub stream: Expr,
    /// Records per invocation at most (default 100).
    pub batch_size: u32,
    /// How long a batch may wait to fill, in seconds (default 0).
    pub window_s: u32,
    /// Where to begin.
    pub starting_position: StartingPosition,
    /// `BisectBatchOnFunctionError`.
    pub bisect: bool,
    /// `MaximumRetryAttempts`; −1 is without limit.
    pub max_retries: i64,
    /// `MaximumRecordAgeInSeconds`; −1 is without limit.
    pub max_record_age_s: i64,
    /// ARN of the queue that hears of what was given up.
    pub on_failure: Option<Expr>,
    /// Patterns of `FilterCriteria`, parsed; a record passes if one matches. Empty: all pass.
    pub filters: Vec<Value>,
    /// `FunctionResponseTypes: [ReportBatchItemFailures]`.
    pub report_item_failures: bool,
    /// `ParallelizationFactor` (default 1): concurrent batches per shard.
    pub parallelization: u32,
    /// `Enabled` (default true).
    pub enabled: bool,
}

impl EventSource {
    /// Name of the event in the template, unique within its function.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Sqs(source) => &source.name,
            Self::Stream(source) => &source.name,
            Self::Schedule(source) => &source.name,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::Sqs(source) => source.position,
            Self::Stream(source) => source.position,
            Self::Schedule(source) => source.position,
        }
    }

    /// The ARN of what it reads; a schedule reads nothing.
    #[must_use]
    pub fn source(&self) -> Option<&Expr> {
        match self {
            Self::Sqs(source) => Some(&source.queue),
            Self::Stream(source) => Some(&source.stream),
            Self::Schedule(_) => None,
        }
    }
}
