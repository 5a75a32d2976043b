//! SNS, in AWS's Query protocol: form in, XML out.
//!
//! Topics deliver to SQS queues of the same engine, in the transaction of the publish: what was
//! answered with 200 is in every queue that should have it. What goes to web endpoints and
//! functions is put down in that transaction, and sent after it until it is taken. Text messages
//! are kept for `GET /_callboard/sms`. Other protocols are refused when subscribed.

mod confirmation;
mod delivery;
mod delivery_policy;
mod delivery_request;
mod delivery_rows;
mod delivery_worker;
mod endpoint;
mod filter;
mod form;
mod lambda;
mod message;
mod publish;
mod reply;
mod signature;
mod sms;
mod subscriptions;
mod telephones;
mod topics;

pub(crate) use confirmation::{forget_unconfirmed, shown as confirmations};
pub(crate) use delivery_request::Outside;
pub(crate) use delivery_worker::Sender;
pub(crate) use form::Caller;
pub(crate) use signature::certificate_at;
pub(crate) use sms::{forget as forget_texts, kept as kept_texts};
pub(crate) use telephones::opt_out;
pub(crate) use topics::Topics;

/// What is kept of SNS beside topics and subscriptions.
pub(crate) const TABLES: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS texts(id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL);",
    confirmation::TABLES,
    delivery_rows::TABLES,
    telephones::TABLES,
];

use crate::messages::{Messages, Work};
use crate::wire::Answer;
use form::Form;
use reply::{SnsError, Xml};

type Outcome<T> = Result<T, SnsError>;

/// Answers one call. A publish hands the call's X-Ray header on to its queues.
pub(crate) async fn answer(
    messages: &Messages,
    fields: Vec<(String, String)>,
    caller: Caller,
) -> Answer {
    let form = Form::new(fields, caller);
    let action = form.text("Action").unwrap_or_default().to_owned();
    let Some(operation) = operation(&action) else {
        tracing::warn!(
            service = "SNS",
            operation = action,
            "an operation that the engine does not have was called"
        );
        return SnsError::invalid_action(&action).answer();
    };
    let together = messages.transact_together(|work| operation(work, &form));
    match together.await {
        Ok(result) => reply::success(&action, result),
        Err(error) => error.answer(),
    }
}

/// The answer to a call that came to no account and region.
pub(crate) fn refusal(status: u16, code: &'static str, words: String) -> Answer {
    SnsError::outside(status, code, words).answer()
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
        "AddPermission" => topics::add_permission,
        "RemovePermission" => topics::remove_permission,
        "SetSMSAttributes" => telephones::set_attributes,
        "GetSMSAttributes" => telephones::attributes,
        "CheckIfPhoneNumberIsOptedOut" => telephones::check,
        "ListPhoneNumbersOptedOut" => telephones::list,
        "OptInPhoneNumber" => telephones::opt_in,
        "ListTagsForResource" => topics::tags,
        "Subscribe" => subscriptions::subscribe,
        "ConfirmSubscription" => confirmation::confirm,
        "Unsubscribe" => subscriptions::unsubscribe,
        "GetSubscriptionAttributes" => subscriptions::attributes,
        "SetSubscriptionAttributes" => subscriptions::set_attribute,
        "ListSubscriptions" => subscriptions::list,
        "ListSubscriptionsByTopic" => subscriptions::list_by_topic,
        _ => return None,
    })
}
