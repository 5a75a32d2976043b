//! Metrics of a function, in CloudWatch's embedded metric format: one JSON line per invocation, from
//! which CloudWatch makes the metrics.
//!
//! What happens is told where it happens ([`count`], [`observe`]); [`metered`] gathers what one
//! invocation told and writes it at its end. Only a function that runs in Lambda is metered: in
//! another host, and where nothing happened, nothing is written.
//!
//! A metric costs $0.30 a month for each set of dimensions it is written with (CloudWatch's price for
//! the first 10,000, by the hour in which there is data). So there are few, and two dimensions that
//! hardly multiply them: the stack, and the function. What else is known stands beside them as
//! properties, which CloudWatch Logs Insights can search. Never an id of a person, never a payload.
//!
//! *CloudWatch User Guide, "Specification: Embedded metric format".*

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lambda_runtime::LambdaEvent;
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use crate::clock::Clock;
use crate::function::Service;
use crate::settings::{self, SettingsError, Vars};

/// The namespace of all metrics here.
pub const NAMESPACE: &str = "Callboard";

/// The dimensions of each: the name of the CloudFormation stack, and the function by its plain name
/// (`email-sender`), not by the one that CloudFormation gave it.
pub const DIMENSIONS: [&str; 2] = ["Stack", "Function"];

/// Values of one metric in one line (the specification's bound).
const VALUES_MAX: usize = 100;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Attempts of which nobody can know whether they had their effect; by what followed
    /// (`repeat`, `park`).
    LeaseOutcomeUnknown,
    /// How long after it was due a step was taken (an expiry, a second look, a first offer), told by
    /// whoever commits it; and how long what is still open has been due, told by the sweep.
    DeadlineOverdue,
    /// Messages set aside; by the class of their error.
    DeadLetters,
    /// Records handed back to be delivered again; by why.
    BatchItemFailures,
    /// From a commit to the moment at which SNS had taken all that it tells.
    PublishLag,
    /// From the plan of a notification to its outcome.
    NotificationLag,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::LeaseOutcomeUnknown,
        Self::DeadlineOverdue,
        Self::DeadLetters,
        Self::BatchItemFailures,
        Self::PublishLag,
        Self::NotificationLag,
    ];

    /// Its name in CloudWatch.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeaseOutcomeUnknown => "LeaseOutcomeUnknown",
            Self::DeadlineOverdue => "DeadlineOverdue",
            Self::DeadLetters => "DeadLetters",
            Self::BatchItemFailures => "BatchItemFailures",
            Self::PublishLag => "PublishLag",
            Self::NotificationLag => "NotificationLag",
        }
    }

    /// Its unit, as CloudWatch calls it.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::LeaseOutcomeUnknown | Self::DeadLetters | Self::BatchItemFailures => "Count",
            Self::DeadlineOverdue | Self::PublishLag | Self::NotificationLag => "Milliseconds",
        }
    }
}

/// Takes one line at a time.
pub type Sink = Arc<dyn Fn(&str) + Send + Sync>;

/// The sink that Lambda reads: standard output, past the log and its level.
#[must_use]
pub fn stdout() -> Sink {
    Arc::new(|line| {
        // With nobody to read it there is nobody to tell, and no reason to fail an invocation.
        drop(writeln!(std::io::stdout().lock(), "{line}"));
    })
}

/// Whose metrics they are: the values of [`DIMENSIONS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Name of the CloudFormation stack.
    pub stack: String,
    /// Plain name of the function.
    pub function: String,
}

impl Owner {
    /// By the settings `STACK_NAME` and `FUNCTION_NAME`; `None` where there is no stack, for then
    /// there is no CloudWatch either.
    ///
    /// # Errors
    /// [`SettingsError`] when the function of a stack has no name.
    pub fn from_vars(vars: &Vars) -> Result<Option<Self>, SettingsError> {
        let Some(stack) = settings::optional(vars, "STACK_NAME") else {
            return Ok(None);
        };
        let function = settings::required(vars, "FUNCTION_NAME")?;
        Ok(Some(Self { stack, function }))
    }
}

tokio::task_local! {
    static TALLY: Arc<Mutex<Tally>>;
}

/// What one invocation told.
#[derive(Debug, Default)]
struct Tally {
    counts: BTreeMap<Metric, BTreeMap<String, u64>>,
    /// In milliseconds.
    samples: BTreeMap<Metric, Vec<u64>>,
}

/// Counts one more of `metric`, of this `kind` (a word from a small set: it becomes a property).
/// Does nothing outside a metered invocation.
pub fn count(metric: Metric, kind: &str) {
    told(|tally| {
        let kinds = tally.counts.entry(metric).or_default();
        *kinds.entry(kind.to_owned()).or_default() += 1;
    });
}

/// Notes how long something took. Does nothing outside a metered invocation.
pub fn observe(metric: Metric, took: Duration) {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    told(|tally| tally.samples.entry(metric).or_default().push(millis));
}

fn told(tell: impl FnOnce(&mut Tally)) {
    // An error means that nobody measures.
    TALLY.try_with(|tally| tell(&mut lock(tally))).ok();
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same function, metered: at the end of each invocation, what it told goes to `sink`, in one
/// line unless a metric has more than a hundred values.
#[must_use]
pub fn metered(function: Service, owner: Owner, clock: Clock, sink: Sink) -> Service {
    Service::new(tower::service_fn(move |event: LambdaEvent<Value>| {
        let (function, owner) = (function.clone(), owner.clone());
        let (clock, sink) = (clock.clone(), Arc::clone(&sink));
        async move {
            let request_id = event.context.request_id.clone();
            let tally = Arc::new(Mutex::new(Tally::default()));
            let answer = TALLY
                .scope(Arc::clone(&tally), function.oneshot(event))
                .await;
            let tally = std::mem::take(&mut *lock(&tally));
            for line in tally.lines(&owner, &request_id, clock.now().as_millis()) {
                sink(&line.to_string());
            }
            answer
        }
    }))
}

impl Tally {
    /// The documents to write: none if nothing was told.
    fn lines(mut self, owner: &Owner, request_id: &str, at_ms: i64) -> Vec<Value> {
        let mut lines = Vec::new();
        while !self.counts.is_empty() || !self.samples.is_empty() {
            let mut line = Map::new();
            let mut metrics = Vec::new();
            for (metric, kinds) in std::mem::take(&mut self.counts) {
                let sum: u64 = kinds.values().sum();
                line.insert(metric.name().to_owned(), json!(sum));
                line.insert(format!("{}By", metric.name()), json!(kinds));
                metrics.push(metric);
            }
            for (metric, values) in &mut self.samples {
                let rest = values.split_off(values.len().min(VALUES_MAX));
                let values = std::mem::replace(values, rest);
                line.insert(metric.name().to_owned(), json!(values));
                metrics.push(*metric);
            }
            self.samples.retain(|_, values| !values.is_empty());
            lines.push(document(line, &metrics, owner, request_id, at_ms));
        }
        lines
    }
}

fn document(
    mut line: Map<String, Value>,
    metrics: &[Metric],
    owner: &Owner,
    request_id: &str,
    at_ms: i64,
) -> Value {
    let definitions: Vec<Value> = metrics
        .iter()
        .map(|metric| json!({ "Name": metric.name(), "Unit": metric.unit() }))
        .collect();
    let directive = json!({
        "Timestamp": at_ms,
        "CloudWatchMetrics": [{
            "Namespace": NAMESPACE,
            "Dimensions": [DIMENSIONS],
            "Metrics": definitions,
        }],
    });
    line.insert("_aws".to_owned(), directive);
    line.insert(DIMENSIONS[0].to_owned(), json!(owner.stack));
    line.insert(DIMENSIONS[1].to_owned(), json!(owner.function));
    line.insert("requestId".to_owned(), json!(request_id));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function;
    use aws_smithy_async::time::StaticTimeSource;
    use lambda_runtime::{Context, Error};
    use std::time::UNIX_EPOCH;

    const AT_MS: u64 = 1_772_445_600_000;

    /// What a handler's invocation writes.
    async fn written(tell: impl Fn() + Clone + Send + Sync + 'static) -> Vec<Value> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let sink: Sink = Arc::new(move |line| kept.lock().unwrap().push(line.to_owned()));
        let handler = function::service(move |_| {
            let tell = tell.clone();
            async move {
                tokio::task::yield_now().await;
                tell();
                Ok::<_, Error>(Value::Null)
            }
        });
        let owner = Owner {
            stack: "callboard-dev".to_owned(),
            function: "outbox-relay".to_owned(),
        };
        let now = UNIX_EPOCH + Duration::from_millis(AT_MS);
        let clock = Clock::from_time_source(StaticTimeSource::new(now).into());
        let mut context = Context::default();
        context.request_id = "req-1".to_owned();
        let event = LambdaEvent::new(Value::Null, context);
        let answer = metered(handler, owner, clock, sink).oneshot(event).await;
        assert!(answer.is_ok_and(|answer| answer.is_null()));
        let lines = lines.lock().unwrap();
        lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn an_invocation_writes_one_line_of_all_that_it_told_with_units() {
        let lines = written(|| {
            count(Metric::DeadLetters, "poison");
            count(Metric::DeadLetters, "terminal");
            count(Metric::DeadLetters, "poison");
            observe(Metric::PublishLag, Duration::from_millis(40));
            observe(Metric::PublishLag, Duration::from_micros(41_900));
        })
        .await;
        let expected = json!({
            "_aws": {
                "Timestamp": AT_MS,
                "CloudWatchMetrics": [{
                    "Namespace": "Callboard",
                    "Dimensions": [["Stack", "Function"]],
                    "Metrics": [
                        { "Name": "DeadLetters", "Unit": "Count" },
                        { "Name": "PublishLag", "Unit": "Milliseconds" },
                    ],
                }],
            },
            "Stack": "callboard-dev",
            "Function": "outbox-relay",
            "requestId": "req-1",
            "DeadLetters": 3,
            "DeadLettersBy": { "poison": 2, "terminal": 1 },
            "PublishLag": [40, 41],
        });
        assert_eq!(lines, [expected]);
    }

    #[tokio::test]
    async fn an_invocation_that_told_nothing_writes_nothing() {
        assert!(written(|| ()).await.is_empty());
    }

    #[tokio::test]
    async fn no_line_has_more_values_than_the_format_takes() {
        let lines = written(|| {
            count(Metric::BatchItemFailures, "retryable");
            for millis in 0..250 {
                observe(Metric::PublishLag, Duration::from_millis(millis));
            }
        })
        .await;
        let values = |line: &Value| line["PublishLag"].as_array().unwrap().len();
        assert_eq!(lines.iter().map(values).collect::<Vec<_>>(), [100, 100, 50]);
        let counted = |line: &&Value| line.get("BatchItemFailures").is_some();
        assert_eq!(lines.iter().filter(counted).count(), 1);
    }

    #[tokio::test]
    async fn telling_without_anybody_who_measures_is_no_error() {
        count(Metric::DeadLetters, "poison");
        observe(Metric::PublishLag, Duration::ZERO);
    }

    #[test]
    fn without_a_stack_nothing_is_owned_and_with_one_the_function_needs_its_name() {
        let vars = |pairs: &[(&str, &str)]| {
            let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(pair).collect::<Vars>()
        };
        assert_eq!(Owner::from_vars(&vars(&[("FUNCTION_NAME", "f")])), Ok(None));
        let error = Owner::from_vars(&vars(&[("STACK_NAME", "s")])).unwrap_err();
        assert!(error.to_string().contains("FUNCTION_NAME"));
    }
}
