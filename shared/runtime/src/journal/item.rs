//! A commit as an item of the table, and back; and the agenda's key.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_contracts::{Cause, StreamId, Timestamp};
use serde_json::Value;

use super::agenda::Bucket;
use super::committed::{Committed, Due, Snapshot};
use super::error::JournalError;

/// An item of a table.
pub type Item = HashMap<String, AttributeValue>;

/// Minutes in one bucket of the agenda.
pub(super) const BUCKET_MINUTES: i64 = 10;

/// Shards of one bucket, so that no partition of the index takes the writes of a whole product.
pub(super) const BUCKET_SHARDS: u64 = 8;

/// The agenda's bucket for work of `stream` due at `at`: `<epoch minute, floored to ten>#<shard>`.
#[must_use]
pub fn due_bucket(stream: &StreamId, at: Timestamp) -> String {
    // FNV-1a: the same shard in every process and version.
    let hash = stream
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    Bucket::of(at).shard(hash % BUCKET_SHARDS)
}

impl Committed {
    /// The item that holds it.
    pub(super) fn to_item(&self) -> Item {
        let mut item = Item::new();
        let mut s = |name: &str, value: &str| {
            item.insert(name.to_owned(), AttributeValue::S(value.to_owned()))
        };
        s("pk", self.stream.as_str());
        s("id", &self.id.simple().to_string());
        s("corr", &self.cause.correlation_id);
        s("cause", &self.cause.causation_id);
        s("hash", &self.cause.hash);
        s(
            "ev",
            &serde_json::to_string(&self.events).expect("events are plain JSON"),
        );
        if let Some(traceparent) = &self.cause.traceparent {
            s("tp", traceparent);
        }
        if self.events.iter().any(|event| event.public) {
            s("relay", "1");
        }
        if let Some(group) = &self.group {
            s("grp", group);
        }
        if let Some(due) = &self.due {
            s("due_bucket", &due_bucket(&self.stream, due.at));
            s("due_q", &due.queue);
        }
        if let Some(snapshot) = &self.snapshot {
            s("snap", &snapshot.state);
        }
        let mut n =
            |name: &str, value: String| item.insert(name.to_owned(), AttributeValue::N(value));
        n("sk", self.number.to_string());
        n("at", self.at.as_millis().to_string());
        if let Some(due) = &self.due {
            n("due_at", due.at.as_millis().to_string());
        }
        if let Some(snapshot) = &self.snapshot {
            n("snapv", snapshot.version.to_string());
        }
        if let Some(expires) = self.expires {
            n("ttl", expires.as_secs().to_string());
        }
        item
    }

    /// Reads an item of the journal.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] with the attribute that is missing or malformed.
    pub fn from_item(item: &Item) -> Result<Self, JournalError> {
        let read = Reader(item);
        let due = match (item.get("due_at"), item.get("due_q")) {
            (None, _) | (_, None) => None,
            _ => Some(Due {
                at: read.time("due_at")?,
                queue: read.text("due_q")?.to_owned(),
            }),
        };
        let snapshot = match item.get("snap") {
            None => None,
            Some(_) => Some(Snapshot {
                version: read.number("snapv")?,
                state: read.text("snap")?.to_owned(),
            }),
        };
        Ok(Self {
            stream: StreamId::try_from(read.text("pk")?.to_owned())
                .map_err(|_| read.damaged("pk"))?,
            number: read.number("sk")?,
            id: read.text("id")?.parse().map_err(|_| read.damaged("id"))?,
            at: read.time("at")?,
            cause: Cause {
                causation_id: read.text("cause")?.to_owned(),
                correlation_id: read.text("corr")?.to_owned(),
                hash: read.text("hash")?.to_owned(),
                traceparent: read.optional("tp"),
            },
            events: serde_json::from_str(read.text("ev")?).map_err(|_| read.damaged("ev"))?,
            due,
            group: read.optional("grp"),
            expires: match item.get("ttl") {
                None => None,
                Some(_) => Some(Timestamp::from_millis(
                    read.number::<i64>("ttl")?.saturating_mul(1_000),
                )),
            },
            snapshot,
        })
    }

    /// Reads `dynamodb.NewImage` of a stream record, in the form Lambda delivers it:
    /// `{"pk": {"S": "…"}, "sk": {"N": "1"}, …}`.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] with the attribute that is missing or malformed.
    pub fn from_stream_image(image: &Value) -> Result<Self, JournalError> {
        let fields = image.as_object().into_iter().flatten();
        let item: Item = fields
            .filter_map(|(name, typed)| {
                let text = |key| typed.get(key).and_then(Value::as_str).map(str::to_owned);
                let value = text("S")
                    .map(AttributeValue::S)
                    .or_else(|| text("N").map(AttributeValue::N))?;
                Some((name.clone(), value))
            })
            .collect();
        Self::from_item(&item)
    }
}

struct Reader<'a>(&'a Item);

impl<'a> Reader<'a> {
    fn text(&self, name: &'static str) -> Result<&'a str, JournalError> {
        match self.0.get(name) {
            Some(AttributeValue::S(text)) => Ok(text),
            _ => Err(self.damaged(name)),
        }
    }

    fn optional(&self, name: &'static str) -> Option<String> {
        self.text(name).ok().map(str::to_owned)
    }

    fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, JournalError> {
        match self.0.get(name) {
            Some(AttributeValue::N(number)) => number.parse().map_err(|_| self.damaged(name)),
            _ => Err(self.damaged(name)),
        }
    }

    fn time(&self, name: &'static str) -> Result<Timestamp, JournalError> {
        self.number(name).map(Timestamp::from_millis)
    }

    fn damaged(&self, attribute: &'static str) -> JournalError {
        let part = |name| match self.0.get(name) {
            Some(AttributeValue::S(text) | AttributeValue::N(text)) => text.as_str(),
            _ => "?",
        };
        JournalError::Damaged {
            key: format!("{}@{}", part("pk"), part("sk")),
            attribute,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::RecordedEvent;
    use callboard_contracts::envelope::Sequence;
    use proptest::prelude::*;
    use serde_json::json;
    use uuid::Uuid;

    fn stream(text: &str) -> StreamId {
        StreamId::try_from(text.to_owned()).expect("a stream id")
    }

    fn sample() -> Committed {
        Committed {
            stream: stream("slot#s1"),
            number: 3,
            id: Uuid::from_u128(7),
            at: Timestamp::from_millis(1_795_000_000_123),
            cause: Cause {
                causation_id: "c".to_owned(),
                correlation_id: "k".to_owned(),
                hash: "h".to_owned(),
                traceparent: Some("00-1-2-01".to_owned()),
            },
            events: vec![
                RecordedEvent {
                    event_type: "a.v1".to_owned(),
                    data: json!({"n": 1}),
                    public: true,
                },
                RecordedEvent {
                    event_type: "b.v1".to_owned(),
                    data: json!({}),
                    public: false,
                },
            ],
            due: Some(Due {
                at: Timestamp::from_millis(1_795_000_600_000),
                queue: "owner".to_owned(),
            }),
            group: Some("list-1".to_owned()),
            expires: Some(Timestamp::from_millis(1_800_000_000_000)),
            snapshot: Some(Snapshot {
                version: 2,
                state: "{}".to_owned(),
            }),
        }
    }

    #[test]
    fn a_commit_survives_the_table_and_the_stream() {
        let commit = sample();
        let item = commit.to_item();
        assert_eq!(Committed::from_item(&item).expect("a commit"), commit);
        let image: serde_json::Map<String, Value> = item
            .iter()
            .map(|(name, value)| match value {
                AttributeValue::S(text) => (name.clone(), json!({ "S": text })),
                AttributeValue::N(number) => (name.clone(), json!({ "N": number })),
                _ => unreachable!("only S and N are written"),
            })
            .collect();
        assert_eq!(
            Committed::from_stream_image(&Value::Object(image)).expect("a commit"),
            commit
        );
    }

    #[test]
    fn a_damaged_item_is_named_by_key_and_attribute() {
        let mut item = sample().to_item();
        item.insert("ev".to_owned(), AttributeValue::S("[".to_owned()));
        let error = Committed::from_item(&item).expect_err("damaged");
        assert_eq!(
            error.to_string(),
            "the item slot#s1@3 is not a commit: attribute ev"
        );
    }

    #[test]
    fn the_relay_sees_the_public_events_alone_and_an_envelope_carries_the_trace() {
        let commit = sample();
        assert_eq!(commit.public().collect::<Vec<_>>(), [0]);
        let envelope = commit.envelope(0);
        assert_eq!(envelope.traceparent.as_deref(), Some("00-1-2-01"));
        assert_eq!(
            envelope.sequence,
            Some(Sequence {
                commit: 3,
                index: 0
            })
        );
        assert_ne!(commit.event_id(0), commit.event_id(1));
        let internal = Committed {
            events: vec![commit.events[1].clone()],
            ..commit
        };
        assert!(!internal.to_item().contains_key("relay"));
    }

    proptest! {
        #[test]
        fn a_bucket_covers_ten_minutes_and_one_of_eight_shards(minute in 0_i64..100_000_000, id in "[a-z0-9]{1,20}") {
            let at = Timestamp::from_millis(minute * 60_000);
            let bucket = due_bucket(&stream(&format!("slot#{id}")), at);
            let (start, shard) = bucket.split_once('#').expect("two parts");
            let start: i64 = start.parse().expect("a number");
            prop_assert!(start % 10 == 0 && (0..10).contains(&(minute - start)));
            prop_assert!(shard.parse::<u64>().expect("a number") < 8);
        }
    }
}
