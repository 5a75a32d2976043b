//! How many messages of a queue may be under a lease at once. Leases are counted as they are given
//! and looked at one by one only when the count nears the limit, so that a receive costs the same
//! whatever is in flight.

use super::Outcome;
use super::queues::Queue;
use crate::messages::Work;

/// The most messages of a queue under a lease at once (AWS, "Amazon SQS standard queue quotas" and
/// "FIFO queue quotas": 120,000 for both kinds).
pub(super) const MAX: i64 = 120_000;

/// How many more of `wanted` may be in flight. A standard queue refuses a short poll without room;
/// a long poll, and any of a FIFO queue, gets nothing (AWS, "quotas").
pub(super) fn room(work: &mut Work<'_>, queue: &Queue, wanted: usize) -> Outcome<usize> {
    let fifo = queue.settings.fifo;
    let wanted = i64::try_from(wanted).unwrap_or(0);
    let mut in_flight = work.in_flight(queue.id, fifo, false)?;
    if in_flight + wanted > MAX {
        in_flight = work.in_flight(queue.id, fifo, true)?;
    }
    Ok(usize::try_from(MAX - in_flight).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;
    use crate::messages::{Messages, PublicUrl};
    use crate::scope::Scope;
    use crate::sqs::outcome;
    use rusqlite::params;

    async fn call(messages: &Messages, operation: &str, body: &str) -> Outcome<String> {
        outcome(messages, operation, body.as_bytes())
            .await
            .expect("an operation")
    }

    /// A queue with so many messages that one more lease is all it may have.
    async fn nearly_full(name: &str, attributes: &str) -> Messages {
        let scope = Scope {
            account: "a".to_owned(),
            region: "r".to_owned(),
        };
        let urls = PublicUrl::new("http://x", "r");
        let messages = Messages::open(None, Clock::real(), &scope, urls).expect("opened");
        let body = format!(r#"{{"QueueName":"{name}","Attributes":{attributes}}}"#);
        call(&messages, "CreateQueue", &body).await.expect("made");
        messages
            .transact(|work| {
                let fifo = name.ends_with(".fifo");
                work.db.execute(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
                     INSERT INTO messages(id, queue, lane, visible_at, leased_at, receives, \
                     sent_at, message_id, body, details) \
                     SELECT i, 1, CASE WHEN ?2 THEN 'g' || i END, ?3 + 60000, 1, 1, ?3, 'x', 'x', \
                     '{\"md5\":\"\"}' FROM n",
                    params![MAX - 1, fifo, work.now],
                )
            })
            .expect("filled");
        messages
    }

    #[tokio::test]
    async fn a_standard_queue_without_room_in_flight_refuses_a_short_poll() {
        let messages = nearly_full("q", "{}").await;
        for body in ["1", "2"] {
            let send = format!(r#"{{"QueueUrl":"q","MessageBody":"{body}"}}"#);
            call(&messages, "SendMessage", &send).await.expect("sent");
        }
        let short = r#"{"QueueUrl":"q","MaxNumberOfMessages":10}"#;
        let last = call(&messages, "ReceiveMessage", short)
            .await
            .expect("room");
        let last: serde_json::Value = serde_json::from_str(&last).expect("JSON");
        assert_eq!(last["Messages"].as_array().map(Vec::len), Some(1));
        let error = call(&messages, "ReceiveMessage", short)
            .await
            .expect_err("full");
        assert_eq!(error.code, "OverLimit");
        let long = r#"{"QueueUrl":"q","WaitTimeSeconds":1}"#;
        assert_eq!(
            call(&messages, "ReceiveMessage", long)
                .await
                .expect("empty"),
            "{}"
        );
        let handle = &last["Messages"][0]["ReceiptHandle"];
        let delete = format!(r#"{{"QueueUrl":"q","ReceiptHandle":{handle}}}"#);
        call(&messages, "DeleteMessage", &delete)
            .await
            .expect("deleted");
        let again = call(&messages, "ReceiveMessage", short)
            .await
            .expect("room again");
        assert!(again.contains("Messages"), "{again}");
    }

    #[tokio::test]
    async fn a_fifo_queue_without_room_in_flight_gives_nothing() {
        let messages = nearly_full("q.fifo", r#"{"FifoQueue":"true"}"#).await;
        for body in ["1", "2"] {
            let send = format!(
                r#"{{"QueueUrl":"q.fifo","MessageBody":"{body}","MessageGroupId":"{body}",
                "MessageDeduplicationId":"{body}"}}"#
            );
            call(&messages, "SendMessage", &send).await.expect("sent");
        }
        let short = r#"{"QueueUrl":"q.fifo"}"#;
        let last = call(&messages, "ReceiveMessage", short)
            .await
            .expect("room");
        assert!(last.contains("Messages"), "{last}");
        assert_eq!(
            call(&messages, "ReceiveMessage", short)
                .await
                .expect("none"),
            "{}"
        );
    }
}
