//! Schedules: a function called at a fixed rate with the event of an EventBridge rule.
//!
//! As <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html>
//! has it: the first call comes one period after the rule was made. Calls do not overlap here; a
//! failed one is not repeated, for the next is near (on AWS that is `MaximumRetryAttempts: 0`).

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Value, json};

use crate::invocation::{Function, Judgement, request_id};
use crate::observe::Trigger;
use crate::stop::Stop;

/// One schedule of a function.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    /// Its name in the template.
    pub name: Arc<str>,
    /// ARN of the rule that it would be.
    pub rule_arn: String,
    pub account: String,
    pub region: String,
    pub every: Duration,
}

/// Calls the function until stopped.
pub(crate) async fn run(schedule: Schedule, function: Function, mut stop: Stop) {
    while stop.sleep(schedule.every).await {
        let call = function.call(schedule.event(&function)).await;
        let judgement = Judgement {
            trigger: Trigger::Schedule(schedule.name.clone()),
            records: 0,
            failed: 0,
            verdict: call.outcome.verdict(),
            status: None,
            correlation_ids: Vec::new(),
        };
        function.report(&call, judgement);
    }
}

impl Schedule {
    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html>
    fn event(&self, function: &Function) -> Value {
        let seconds = function
            .now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let time = DateTime::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        json!({
            "version": "0",
            "id": request_id(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": self.account,
            "time": time.fmt(Format::DateTime).unwrap_or_default(),
            "region": self.region,
            "resources": [self.rule_arn],
            "detail": {},
        })
    }
}
