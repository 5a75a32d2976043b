//! From the template's event sources to running mappings: every reference resolved, and
//! every rule checked that AWS checks when a mapping is created, with the place at fault.

use std::time::Duration;

use callboard_template::{
    Function as Definition, ScheduleSource, SqsSource, Stack, StartingPosition, StreamSource,
};

use crate::error::{HostError, Place};
use crate::filter::Filters;
use crate::provision::text;
use crate::queue::QueueMapping;
use crate::resources::Resources;
use crate::schedule::Schedule;
use crate::stream::{Destination, Start, StreamMapping};

/// Records per batch at most, for both kinds of source.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>
const BATCH_SIZE_MAX: u32 = 10_000;

/// Records per batch of a FIFO queue, and of a standard one without window (page above).
const BATCH_SIZE_PLAIN_MAX: u32 = 10;

/// `MaximumBatchingWindowInSeconds` at most (page above).
const WINDOW_S_MAX: u32 = 300;

/// `MaximumConcurrency`'s range:
/// <https://docs.aws.amazon.com/lambda/latest/api/API_ScalingConfig.html>
const CONCURRENCY: std::ops::RangeInclusive<u32> = 2..=1_000;

/// A queue's visibility time-out where the template sets none, in seconds.
const VISIBILITY_S_DEFAULT: u32 = 30;

/// What a mapping is made from.
pub(crate) struct Source<'a> {
    pub stack: &'a Stack,
    pub resources: &'a Resources,
    pub region: &'a str,
    pub function: &'a Definition,
    pub file: &'a str,
}

impl Source<'_> {
    /// The mapping for a queue.
    pub(crate) fn queue(&self, source: &SqsSource) -> Result<QueueMapping, HostError> {
        let at = Event::new(self, &source.name, source.position);
        let arn = text(&source.queue, self.resources, at.place, &at.path("Queue"))?;
        let (logical_id, name, url) = self.resources.queue_by_arn(&arn).ok_or_else(|| {
            at.problem(
                "Queue",
                "is no queue of this template, so it cannot be polled",
            )
        })?;
        let queue = self.stack.queue(logical_id);
        let fifo = queue.is_some_and(|queue| queue.fifo);
        check_batch(&at, source, fifo)?;
        let visibility_s = queue
            .and_then(|queue| queue.attributes.get("VisibilityTimeout"))
            .and_then(|seconds| seconds.parse().ok())
            .unwrap_or(VISIBILITY_S_DEFAULT);
        if visibility_s < self.function.timeout_s {
            return Err(at.problem(
                "Queue",
                format!(
                    "the queue's visibility time-out ({visibility_s} s) is less than the \
                     function's time-out ({} s): AWS refuses such a mapping",
                    self.function.timeout_s
                ),
            ));
        }
        Ok(QueueMapping {
            queue_name: name.into(),
            queue_url: url.to_owned(),
            queue_arn: arn.clone(),
            region: self.region.to_owned(),
            fifo,
            batch_size: source.batch_size as usize,
            window: Duration::from_secs(source.window_s.into()),
            max_concurrency: source.max_concurrency.map(|limit| limit as usize),
            report_item_failures: source.report_item_failures,
            filters: at.filters(&source.filters)?,
        })
    }

    /// The mapping for a table's stream.
    pub(crate) fn stream(&self, source: &StreamSource) -> Result<StreamMapping, HostError> {
        let at = Event::new(self, &source.name, source.position);
        let arn = text(&source.stream, self.resources, at.place, &at.path("Stream"))?;
        let table = self
            .resources
            .table_by_stream(&arn)
            .ok_or_else(|| at.problem("Stream", "is no stream of a table of this template"))?;
        at.check("BatchSize", source.batch_size, 1..=BATCH_SIZE_MAX)?;
        at.check(
            "MaximumBatchingWindowInSeconds",
            source.window_s,
            0..=WINDOW_S_MAX,
        )?;
        at.check("ParallelizationFactor", source.parallelization, 1..=10)?;
        Ok(StreamMapping {
            table_name: table.into(),
            stream_arn: arn.clone(),
            region: self.region.to_owned(),
            start: match source.starting_position {
                StartingPosition::TrimHorizon => Start::TrimHorizon,
                StartingPosition::Latest => Start::Latest,
            },
            batch_size: source.batch_size as usize,
            window: Duration::from_secs(source.window_s.into()),
            bisect: source.bisect,
            // −1, and for the age 0 too, mean without limit.
            max_retries: u64::try_from(source.max_retries).ok(),
            max_record_age: u64::try_from(source.max_record_age_s)
                .ok()
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            on_failure: self.destination(&at, source)?,
            filters: at.filters(&source.filters)?,
            report_item_failures: source.report_item_failures,
            parallelization: source.parallelization as usize,
        })
    }

    /// The schedule, which needs nothing resolved.
    pub(crate) fn schedule(&self, source: &ScheduleSource) -> Schedule {
        let account = self.resources.account().unwrap_or_default();
        let (region, function) = (self.region, &self.function.logical_id);
        Schedule {
            name: source.name.as_str().into(),
            rule_arn: format!(
                "arn:aws:events:{region}:{account}:rule/{function}{}",
                source.name
            ),
            account: account.to_owned(),
            region: region.to_owned(),
            every: source.every,
        }
    }

    fn destination(
        &self,
        at: &Event<'_>,
        source: &StreamSource,
    ) -> Result<Option<Destination>, HostError> {
        const PROPERTY: &str = "DestinationConfig.OnFailure.Destination";
        let Some(expr) = &source.on_failure else {
            return Ok(None);
        };
        let arn = text(expr, self.resources, at.place, &at.path(PROPERTY))?;
        if arn.ends_with(".fifo") {
            return Err(at.problem(PROPERTY, "must be a standard queue or topic, not FIFO"));
        }
        if let Some((_, _, url)) = self.resources.queue_by_arn(&arn) {
            return Ok(Some(Destination::Queue(url.to_owned())));
        }
        if arn.contains(":sns:") {
            return Ok(Some(Destination::Topic(arn)));
        }
        Err(at.problem(PROPERTY, "is neither a queue of this template nor a topic"))
    }
}

fn check_batch(at: &Event<'_>, source: &SqsSource, fifo: bool) -> Result<(), HostError> {
    let plain = fifo || source.window_s == 0;
    let largest = if plain {
        BATCH_SIZE_PLAIN_MAX
    } else {
        BATCH_SIZE_MAX
    };
    at.check("BatchSize", source.batch_size, 1..=largest)?;
    let longest = if fifo { 0 } else { WINDOW_S_MAX };
    at.check(
        "MaximumBatchingWindowInSeconds",
        source.window_s,
        0..=longest,
    )?;
    if let Some(limit) = source.max_concurrency {
        at.check("ScalingConfig.MaximumConcurrency", limit, CONCURRENCY)?;
    }
    Ok(())
}

/// An event source in the template, for messages about it.
struct Event<'a> {
    place: Place<'a>,
    name: &'a str,
}

impl<'a> Event<'a> {
    fn new(source: &Source<'a>, name: &'a str, position: callboard_template::Position) -> Self {
        Event {
            place: Place {
                file: source.file,
                logical_id: &source.function.logical_id,
                position,
            },
            name,
        }
    }

    fn path(&self, property: &str) -> String {
        format!("Properties.Events.{}.Properties.{property}", self.name)
    }

    fn problem(&self, property: &str, message: impl Into<String>) -> HostError {
        self.place.problem(&self.path(property), message)
    }

    fn check(
        &self,
        property: &str,
        value: u32,
        range: std::ops::RangeInclusive<u32>,
    ) -> Result<(), HostError> {
        if range.contains(&value) {
            return Ok(());
        }
        Err(self.problem(
            property,
            format!("{value} is not within {} to {}", range.start(), range.end()),
        ))
    }

    fn filters(&self, patterns: &[serde_json::Value]) -> Result<Filters, HostError> {
        Filters::compile(patterns)
            .map_err(|error| self.problem("FilterCriteria", error.to_string()))
    }
}
