//! SNS, in AWS's Query protocol: form in, XML out.
//!
//! Topics deliver to SQS queues of the same engine, in the transaction of the publish: what was
//! answered with 200 is in every queue that should have it. Other protocols are not here yet and
//! are refused when subscribed.

mod delivery;
mod filter;
mod form;
mod publish;
mod reply;
mod subscriptions;
mod topics;

pub(crate) use topics::Topics;

use crate::messages::{Messages, Work};
use crate::wire::Answer;
use form::Form;
use reply::{SnsError, Xml};

type Outcome<T> = Result<T, SnsError>;

/// Answers one call.
pub(crate) fn answer(messages: &Messages, fields: Vec<(String, String)>) -> Answer {
    let form = Form::new(fields);
    let action = form.text("Action").unwrap_or_default().to_owned();
    let Some(operation) = operation(&action) else {
        tracing::warn!(
            service = "SNS",
            operation = action,
            "an operation that the engine does not have was called"
        );
        return SnsError::invalid_action(&action).answer();
    };
    match messages.transact(|work| operation(work, &form)) {
        Ok(result) => reply::success(&action, result),
        Err(error) => error.answer(),
    }
}

type Operation = fn(&mut Work<'_>, &Form) -> Outcome<Xml>;

fn operation(action: &str) -> Option<Operation> {
    Some(match action {
        "Publish" => publish::one,
        "PublishBatch" => publish::batch,
        "CreateTopic" => topics::create,
        "DeleteTopic" => topics::delete,
        "ListTopics" => topics::list,
        "GetTopicAttributes" => topics::attributes,
        "SetTopicAttributes" => topics::set_attribute,
        "TagResource" => topics::tag,
        "UntagResource" => topics::untag,
        "ListTagsForResource" => topics::tags,
        "Subscribe" => subscriptions::subscribe,
        "Unsubscribe" => subscriptions::unsubscribe,
        "GetSubscriptionAttributes" => subscriptions::attributes,
        "SetSubscriptionAttributes" => subscriptions::set_attribute,
        "ListSubscriptions" => subscriptions::list,
        "ListSubscriptionsByTopic" => subscriptions::list_by_topic,
        _ => return None,
    })
}
