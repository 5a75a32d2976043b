//! What a run leaves behind: commits, rows, messages; and when it has come to rest.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, QueueAttributeName};
use callboard_runtime::journal::Committed;

use crate::house::House;

/// An item of a table.
pub type Item = HashMap<String, AttributeValue>;

/// A dead letter: the body as it was, and what stands beside it.
#[derive(Debug, Clone)]
pub struct Letter {
    pub body: String,
    pub attributes: BTreeMap<String, String>,
}

impl House {
    /// Every item of a table.
    pub async fn items(&self, table: &str) -> Vec<Item> {
        let client = aws_sdk_dynamodb::Client::new(&self.sdk);
        let scan = client
            .scan()
            .table_name(self.reference(table))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        scan.try_collect().await.expect("a scan")
    }

    /// Every commit of the journal that can be read, in order of time, stream and number.
    pub async fn journal(&self) -> Vec<Committed> {
        let items = self.items("JournalTable").await;
        let mut commits: Vec<_> = items
            .iter()
            .filter_map(|item| Committed::from_item(item).ok())
            .collect();
        commits.sort_by_key(|commit| (commit.at, commit.stream.clone(), commit.number));
        commits
    }

    /// How often each type of event stands in the journal.
    pub async fn events_by_type(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for commit in self.journal().await {
            for event in &commit.events {
                *counts.entry(event.event_type.clone()).or_default() += 1;
            }
        }
        counts
    }

    /// How often an event stands in the journal, by the short name of its type.
    pub async fn events_of(&self, name: &str) -> usize {
        let suffix = format!(".{name}.v1");
        let all = self.events_by_type().await;
        let of = all.iter().filter(|(kind, _)| kind.ends_with(&suffix));
        of.map(|(_, count)| count).sum()
    }

    /// The journal for a failed test's message: time, commit, types.
    pub async fn journal_told(&self) -> String {
        let mut told = String::new();
        for commit in self.journal().await {
            let types: Vec<_> = commit
                .events
                .iter()
                .map(|event| &event.event_type)
                .collect();
            let _ = writeln!(
                told,
                "  {} {}@{} {types:?}",
                commit.at, commit.stream, commit.number
            );
        }
        for (queue, depth) in self.depths().await {
            if depth != [0, 0, 0] {
                let _ = writeln!(told, "  {queue}: visible, in flight, delayed {depth:?}");
            }
        }
        told
    }

    /// Messages of each queue: visible, in flight, delayed.
    pub async fn depths(&self) -> BTreeMap<String, [u64; 3]> {
        use QueueAttributeName as Name;
        let sqs = aws_sdk_sqs::Client::new(&self.sdk);
        let mut depths = BTreeMap::new();
        for (logical_id, url) in self.queues() {
            let ask = sqs
                .get_queue_attributes()
                .queue_url(url)
                .attribute_names(Name::All);
            let answer = ask.send().await.expect("attributes");
            let of = |name| {
                let text = answer.attributes().and_then(|all| all.get(&name));
                text.and_then(|text| text.parse().ok()).unwrap_or(0)
            };
            let depth = [
                Name::ApproximateNumberOfMessages,
                Name::ApproximateNumberOfMessagesNotVisible,
                Name::ApproximateNumberOfMessagesDelayed,
            ];
            depths.insert(logical_id, depth.map(of));
        }
        depths
    }

    /// Returns when nothing is under way: the relay has read every public commit, and no queue
    /// but those of dead letters holds a message. On virtual time no timer runs either.
    pub async fn at_rest(&self) {
        let mut before = None;
        loop {
            let now = self
                .until("everything to come to rest", async || {
                    self.if_at_rest().await
                })
                .await;
            // A message may pass from a queue not yet looked at to one that was: look twice.
            if before.replace(now) == Some(now) {
                return;
            }
        }
    }

    /// The journal's length, if nothing is under way.
    async fn if_at_rest(&self) -> Option<usize> {
        let items = self.items("JournalTable").await;
        let public = items
            .iter()
            .filter(|item| item.contains_key("relay"))
            .count();
        let relayed = self
            .host()
            .totals()
            .get("outbox-relay")
            .map_or(0, |totals| totals.records - totals.failed);
        let depths = self.depths().await;
        let worked = |queue: &str| !queue.contains("DeadLetter") && !queue.contains("Failure");
        let empty = depths.iter().filter(|(queue, _)| worked(queue)).all(
            |(_, [visible, in_flight, delayed])| {
                visible + in_flight == 0 && (*delayed == 0 || !self.on_virtual_time())
            },
        );
        (empty && relayed >= public as u64).then_some(items.len())
    }

    /// Takes every visible message of a queue.
    pub async fn letters(&self, queue: &str) -> Vec<Letter> {
        let sqs = aws_sdk_sqs::Client::new(&self.sdk);
        let url = self.reference(queue);
        let mut letters = Vec::new();
        loop {
            let receive = sqs
                .receive_message()
                .queue_url(&url)
                .max_number_of_messages(10)
                .message_attribute_names("All")
                .send();
            let received = receive
                .await
                .expect("messages")
                .messages
                .unwrap_or_default();
            if received.is_empty() {
                return letters;
            }
            for message in received {
                let delete = sqs
                    .delete_message()
                    .queue_url(&url)
                    .receipt_handle(message.receipt_handle().unwrap_or_default());
                delete.send().await.expect("deleted");
                letters.push(Letter::of(&message));
            }
        }
    }

    /// Moves a consumer's dead letters back to its queue, twice each (I11), as a person does who
    /// sees no other way; the number of letters.
    pub async fn redrive(&self, consumer: &str) -> usize {
        let sqs = aws_sdk_sqs::Client::new(&self.sdk);
        let url = self.reference(&format!("{consumer}Queue"));
        let letters = self.letters(&format!("{consumer}DeadLetterQueue")).await;
        for letter in &letters {
            assert!(
                !letter.reason().is_empty(),
                "{consumer} gave no reason (I9)"
            );
            for copy in 0..2 {
                let mut send = sqs
                    .send_message()
                    .queue_url(&url)
                    .message_body(&letter.body);
                for (name, value) in &letter.attributes {
                    let attribute = MessageAttributeValue::builder()
                        .data_type("String")
                        .string_value(value)
                        .build();
                    send = send.message_attributes(name, attribute.expect("whole"));
                }
                if url.ends_with(".fifo") {
                    let id = format!("redrive-{copy}-{}", uuid::Uuid::new_v4());
                    send = send
                        .message_group_id("redrive")
                        .message_deduplication_id(id);
                }
                send.send().await.expect("sent");
            }
        }
        letters.len()
    }

    /// Fails if any queue of dead letters holds something.
    pub async fn expect_no_dead_letters(&self) {
        for (queue, depth) in self.depths().await {
            let dead = queue.contains("DeadLetter") || queue.contains("Failure");
            assert!(!dead || depth == [0, 0, 0], "{queue} holds {depth:?}");
        }
    }
}

impl Letter {
    fn of(message: &Message) -> Self {
        let attributes = message.message_attributes().into_iter().flatten();
        Self {
            body: message.body().unwrap_or_default().to_owned(),
            attributes: attributes
                .filter_map(|(name, value)| Some((name.clone(), value.string_value()?.to_owned())))
                .collect(),
        }
    }

    pub fn reason(&self) -> &str {
        let reason = self.attributes.get(callboard_runtime::dead_letter::REASON);
        reason.map_or("", String::as_str)
    }
}
