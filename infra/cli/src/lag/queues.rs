//! What SQS tells of the queues: which is whose dead-letter queue is read from the queues
//! themselves, so that any template's are understood.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_types::error::display::DisplayErrorContext;
use futures::future::try_join_all;
use serde_json::Value;

use super::{Aside, Consumer, Lag};
use crate::error::CliError;
use crate::target::Target;

/// One queue as SQS describes it.
#[derive(Debug, Clone, Default)]
struct Told {
    /// Its physical name.
    queue: String,
    arn: String,
    visible: u64,
    delayed: u64,
    in_flight: u64,
    /// ARN of its dead-letter queue, if it has one.
    redrives_to: Option<String>,
}

/// Asks for all queues that the system's variables name, side by side.
pub(super) async fn ask(target: &Target) -> Result<Lag, CliError> {
    let client = Client::new(target.sdk());
    let asked = target.queues().map(|(name, url)| {
        let client = &client;
        async move { Ok::<_, CliError>((name.clone(), ask_one(client, &name, url).await?)) }
    });
    let told: BTreeMap<String, Told> = try_join_all(asked).await?.into_iter().collect();
    if told.is_empty() {
        return Err(CliError::Input("the env file names no queue".to_owned()));
    }
    Ok(sorted_out(&told))
}

async fn ask_one(client: &Client, name: &str, url: &str) -> Result<Told, CliError> {
    let wanted = [
        QueueAttributeName::QueueArn,
        QueueAttributeName::RedrivePolicy,
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    let answer = client
        .get_queue_attributes()
        .queue_url(url)
        .set_attribute_names(Some(wanted.to_vec()))
        .send()
        .await
        .map_err(|error| {
            let reason = DisplayErrorContext(&error);
            CliError::Refused(format!("SQS does not tell of {name}: {reason}"))
        })?;
    let queue = url.rsplit('/').next().unwrap_or_default().to_owned();
    Ok(Told {
        queue,
        ..told_by(&answer.attributes.unwrap_or_default())
    })
}

fn told_by(attributes: &HashMap<QueueAttributeName, String>) -> Told {
    let text = |name| attributes.get(&name).cloned().unwrap_or_default();
    let count = |name| text(name).parse().unwrap_or_default();
    let policy: Value =
        serde_json::from_str(&text(QueueAttributeName::RedrivePolicy)).unwrap_or_default();
    Told {
        queue: String::new(),
        arn: text(QueueAttributeName::QueueArn),
        visible: count(QueueAttributeName::ApproximateNumberOfMessages),
        delayed: count(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
        in_flight: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        redrives_to: policy["deadLetterTargetArn"].as_str().map(str::to_owned),
    }
}

/// Whose dead letters are whose.
fn sorted_out(told: &BTreeMap<String, Told>) -> Lag {
    // One that somebody looks at right now is in flight, and still a dead letter.
    let all_in = |queue: &Told| queue.visible + queue.delayed + queue.in_flight;
    let depth_of = |arn: &str| told.values().find(|it| it.arn == arn).map(all_in);
    let is_redriven_to = |queue: &Told| {
        let mut targets = told.values().filter_map(|it| it.redrives_to.as_ref());
        targets.any(|arn| *arn == queue.arn)
    };
    let mut lag = Lag {
        at: jiff::Timestamp::now(),
        consumers: Vec::new(),
        aside: Vec::new(),
        iterators: Vec::new(),
        ages_unknown: None,
        exceeded: Vec::new(),
    };
    for (name, queue) in told {
        match &queue.redrives_to {
            Some(arn) => lag.consumers.push(Consumer {
                name: name.trim_end_matches("-queue").to_owned(),
                backlog: queue.visible,
                delayed: queue.delayed,
                in_flight: queue.in_flight,
                dead_letters: depth_of(arn),
                oldest_s: None,
                queue: queue.queue.clone(),
            }),
            None if is_redriven_to(queue) => {}
            None => lag.aside.push(Aside {
                name: name.clone(),
                messages: all_in(queue),
            }),
        }
    }
    lag
}
