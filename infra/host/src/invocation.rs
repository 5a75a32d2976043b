//! One call of a function: a fresh context with request id and deadline, the
//! time-out that Lambda would enforce, and a panic caught where Lambda would see a
//! crashed runtime. What the outcome means for records is the event source's business.
//!
//! The function's service is cloned for each call, as concurrent Lambda sandboxes
//! share nothing but what their `build` made. A cancelled call drops the future: work
//! that the function spawned onto the runtime is not stopped (Lambda freezes it).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::SharedTimeSource;
use futures::FutureExt;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::Service;
use crate::observe::{Invocation, Observer, Trigger, Verdict};

/// What is known of a function before it is called.
#[derive(Debug, Clone)]
pub(crate) struct FunctionConfig {
    /// The binary's name, `waitlist-cascade`.
    pub name: Arc<str>,
    /// ARN that the function sees and that failure records carry.
    pub arn: String,
    /// Longest run of one invocation.
    pub timeout: Duration,
    /// `MemorySize`, for the context only; nothing is limited by it.
    pub memory_mb: i32,
}

/// A function that can be called. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Function {
    config: Arc<FunctionConfig>,
    service: Service,
    clock: SharedTimeSource,
    observer: Observer,
    running: Running,
}

/// Counts the invocations under way, so that a shutdown can wait for them.
#[derive(Debug, Clone)]
pub(crate) struct Running(Arc<watch::Sender<usize>>);

impl Running {
    pub(crate) fn new() -> Self {
        Running(Arc::new(watch::Sender::new(0)))
    }

    /// Returns when no invocation is under way.
    pub(crate) async fn none(&self) {
        let mut count = self.0.subscribe();
        // The sender lives in `self`, so this cannot fail.
        let _ = count.wait_for(|running| *running == 0).await;
    }

    fn enter(&self) -> RunningGuard {
        self.0.send_modify(|running| *running += 1);
        RunningGuard(self.0.clone())
    }
}

struct RunningGuard(Arc<watch::Sender<usize>>);

impl Drop for RunningGuard {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The function's answer.
    Answer(Value),
    /// The function returned an error; its text is not kept, it may quote a payload.
    Error,
    /// The deadline passed.
    TimedOut,
    /// The function panicked.
    Panicked,
}

impl Outcome {
    /// The verdict when nothing but the outcome itself is looked at.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Outcome::Answer(_) => Verdict::Succeeded,
            Outcome::Error => Verdict::Failed,
            Outcome::TimedOut => Verdict::TimedOut,
            Outcome::Panicked => Verdict::Panicked,
        }
    }
}

/// A finished call, before the event source has judged it.
#[derive(Debug)]
pub(crate) struct Call {
    pub request_id: String,
    pub started_at: SystemTime,
    pub duration: Duration,
    pub outcome: Outcome,
}

/// The event source's judgement of a [`Call`].
#[derive(Debug)]
pub(crate) struct Judgement {
    pub trigger: Trigger,
    pub records: usize,
    pub failed: usize,
    pub verdict: Verdict,
    pub status: Option<u16>,
    pub correlation_ids: Vec<String>,
}

impl Function {
    pub(crate) fn new(
        config: FunctionConfig,
        service: Service,
        clock: SharedTimeSource,
        observer: Observer,
        running: Running,
    ) -> Self {
        Function {
            config: Arc::new(config),
            service,
            clock,
            observer,
            running,
        }
    }

    pub(crate) fn config(&self) -> &FunctionConfig {
        &self.config
    }

    /// Now, by the clock of the host's SDK configuration (virtual in a simulation).
    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Calls the function once. Always ends within the function's time-out.
    pub(crate) async fn call(&self, payload: Value) -> Call {
        let _guard = self.running.enter();
        let started_at = self.clock.now();
        let start = Instant::now();
        let context = self.context(started_at);
        let request_id = context.request_id.clone();
        let service = self.service.clone();
        let call =
            AssertUnwindSafe(
                async move { service.oneshot(LambdaEvent::new(payload, context)).await },
            )
            .catch_unwind();
        let outcome = match tokio::time::timeout(self.config.timeout, call).await {
            Ok(Ok(Ok(answer))) => Outcome::Answer(answer),
            Ok(Ok(Err(error))) => {
                // Off unless asked for: the text may quote what the function was given.
                tracing::debug!(function = %self.config.name, request_id, %error, "function error");
                Outcome::Error
            }
            Ok(Err(_panic)) => Outcome::Panicked,
            Err(_elapsed) => Outcome::TimedOut,
        };
        if !matches!(outcome, Outcome::Answer(_)) {
            tracing::warn!(
                function = %self.config.name,
                request_id,
                verdict = ?outcome.verdict(),
                "invocation did not succeed"
            );
        }
        Call {
            request_id,
            started_at,
            duration: start.elapsed(),
            outcome,
        }
    }

    /// Tells the observers how a call was judged. Exactly once for each call.
    pub(crate) fn report(&self, call: &Call, judgement: Judgement) {
        self.observer.report(Invocation {
            function: self.config.name.clone(),
            request_id: call.request_id.clone(),
            trigger: judgement.trigger,
            records: judgement.records,
            failed: judgement.failed,
            verdict: judgement.verdict,
            status: judgement.status,
            started_at: call.started_at,
            duration: call.duration,
            correlation_ids: judgement.correlation_ids,
        });
    }

    fn context(&self, started_at: SystemTime) -> Context {
        let env = lambda_runtime::Config {
            function_name: self.config.name.to_string(),
            memory: self.config.memory_mb,
            version: "$LATEST".to_owned(),
            ..lambda_runtime::Config::default()
        };
        // `Context` is non-exhaustive: made by default, then filled.
        let mut context = Context::default();
        context.request_id = request_id();
        context.deadline = unix_ms(started_at + self.config.timeout);
        context.invoked_function_arn = self.config.arn.clone();
        context.xray_trace_id = Some(trace_id(started_at));
        context.env_config = Arc::new(env);
        context
    }
}

/// A request id in Lambda's shape. Drawn from `fastrand`, so that a simulation which
/// sets its seed sees the same ids again.
pub(crate) fn request_id() -> String {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes())
        .into_uuid()
        .to_string()
}

/// An X-Ray trace header: <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>
pub(crate) fn trace_id(at: SystemTime) -> String {
    format!(
        "Root=1-{:08x}-{:024x};Sampled=0",
        unix_ms(at) / 1_000,
        fastrand::u128(..) >> 32
    )
}

/// Milliseconds since 1970; 0 before it.
pub(crate) fn unix_ms(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_async::time::TimeSource;
    use tower::service_fn;

    /// A clock that stands.
    #[derive(Debug)]
    struct Standing;

    impl TimeSource for Standing {
        fn now(&self) -> SystemTime {
            UNIX_EPOCH + Duration::from_secs(1_700_000_000)
        }
    }

    fn function<F, Fut>(timeout_s: u64, handler: F) -> Function
    where
        F: Fn(LambdaEvent<Value>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, lambda_runtime::Error>> + Send + 'static,
    {
        Function::new(
            FunctionConfig {
                name: "probe".into(),
                arn: "arn:aws:lambda:us-east-1:000000000000:function:probe".into(),
                timeout: Duration::from_secs(timeout_s),
                memory_mb: 128,
            },
            Service::new(service_fn(handler)),
            SharedTimeSource::new(Standing),
            Observer::new(),
            Running::new(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_sees_its_deadline_request_id_and_arn() {
        let function = function(10, |event: LambdaEvent<Value>| async move {
            Ok(serde_json::json!({
                "deadline": event.context.deadline,
                "id": event.context.request_id,
                "arn": event.context.invoked_function_arn,
                "trace": event.context.xray_trace_id,
            }))
        });
        let call = function.call(Value::Null).await;
        let Outcome::Answer(answer) = call.outcome else {
            panic!("expected an answer, got {:?}", call.outcome);
        };
        assert_eq!(answer["deadline"], 1_700_000_010_000_u64);
        assert_eq!(answer["id"], call.request_id);
        assert_eq!(
            answer["arn"],
            "arn:aws:lambda:us-east-1:000000000000:function:probe"
        );
        let trace = answer["trace"].as_str().expect("a trace id");
        assert_eq!(
            trace.len(),
            "Root=1-".len() + 8 + 1 + 24 + ";Sampled=0".len()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_past_its_deadline_is_cancelled_and_reported_as_timed_out() {
        let function = function(3, |_| async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(Value::Null)
        });
        let before = Instant::now();
        let call = function.call(Value::Null).await;
        assert!(matches!(call.outcome, Outcome::TimedOut));
        assert_eq!(before.elapsed().as_secs(), 3);
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_and_the_next_call_works() {
        let function = function(3, |event: LambdaEvent<Value>| async move {
            assert!(event.payload != "boom", "asked to");
            Ok(event.payload)
        });
        let call = function.call("boom".into()).await;
        assert!(matches!(call.outcome, Outcome::Panicked));
        let call = function.call("fine".into()).await;
        assert!(matches!(call.outcome, Outcome::Answer(_)));
        tokio::time::timeout(Duration::from_secs(1), function.running.none())
            .await
            .expect("nothing is under way after the calls");
    }
}
