//! What a letter of the relay names: a commit that it parked, or a range of the journal's stream that
//! Lambda gave up.

use callboard_contracts::StreamId;
use jiff::Timestamp;
use serde_json::Value;

use crate::dlq::letter::Letter;
use crate::explain::reference;

/// Where in the journal, or in its stream, is what was not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// One commit, by its key.
    Commit { stream: StreamId, number: u64 },
    /// Records of the stream.
    Range(Range),
}

/// Records of one shard, as Lambda's on-failure destination is told of them
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) stream_arn: String,
    pub(super) shard: String,
    /// The first record's sequence number.
    pub(super) start: String,
    /// The last one's.
    pub(super) end: String,
    /// When the first and the last came into the stream, where Lambda says so.
    pub(super) arrival: Option<(Timestamp, Timestamp)>,
    /// How many passed the mapping's filter.
    pub(super) records: usize,
}

impl Place {
    /// # Errors
    /// Why the letter names none.
    pub(super) fn of(letter: &Letter) -> Result<Self, String> {
        let json = letter.json.as_ref().ok_or("its body is no JSON")?;
        if let Some(info) = json.get("DDBStreamBatchInfo") {
            let range = Range::of(info);
            return range
                .map(Self::Range)
                .ok_or_else(|| "its DDBStreamBatchInfo names no range of a stream".to_owned());
        }
        let commit = json["commit"]
            .as_str()
            .ok_or("it names neither a commit nor a range of a stream")?;
        let (stream, number) = reference(commit)
            .ok_or_else(|| format!("`{commit}` names no commit: its record could not be read"))?;
        Ok(Self::Commit { stream, number })
    }

    /// Ranges before commits; within a shard or a stream what came first.
    pub(super) fn order(&self) -> (bool, &str, (usize, &str), u64) {
        match self {
            Self::Range(range) => (false, &range.shard, numeric(&range.start), 0),
            Self::Commit { stream, number } => (true, stream.as_str(), (0, ""), *number),
        }
    }
}

impl Range {
    fn of(info: &Value) -> Option<Self> {
        let text = |name: &str| info[name].as_str().map(str::to_owned);
        let time = |name: &str| info[name].as_str()?.parse::<Timestamp>().ok();
        let first = time("approximateArrivalOfFirstRecord");
        let last = time("approximateArrivalOfLastRecord");
        let records = info["batchSize"].as_u64()?;
        let range = Self {
            stream_arn: text("streamArn")?,
            shard: text("shardId")?,
            start: text("startSequenceNumber")?,
            end: text("endSequenceNumber")?,
            arrival: first.zip(last),
            records: usize::try_from(records).ok()?,
        };
        (numeric(&range.start) <= numeric(&range.end)).then_some(range)
    }

    /// Whether a record lies behind it.
    pub(super) fn ends_before(&self, sequence_number: &str) -> bool {
        numeric(sequence_number) > numeric(&self.end)
    }

    /// Whether a record is its last, or behind it.
    pub(super) fn ends_at(&self, sequence_number: &str) -> bool {
        numeric(sequence_number) >= numeric(&self.end)
    }

    /// Whether its stream is that of `table`: `arn:aws:dynamodb:…:table/NAME/stream/LABEL`.
    pub(super) fn is_of(&self, table: &str) -> bool {
        self.stream_arn.contains(&format!(":table/{table}/stream/"))
    }
}

/// A sequence number has up to 40 digits: compared by length, then as text.
fn numeric(sequence_number: &str) -> (usize, &str) {
    let digits = sequence_number.trim_start_matches('0');
    (digits.len(), digits)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use aws_sdk_sqs::types::Message;
    use serde_json::json;

    use super::*;

    fn place(body: &Value) -> Result<Place, String> {
        let message = Message::builder().body(body.to_string());
        Place::of(&Letter::new("outbox-relay", message.build()))
    }

    /// The example of Lambda's documentation, with the names that a test may have.
    fn range() -> Value {
        json!({ "requestContext": { "condition": "RetryAttemptsExhausted" }, "DDBStreamBatchInfo": {
            "shardId": "shardId-00000001573689847184-864758bb",
            "startSequenceNumber": "800000000003126276362",
            "endSequenceNumber": "900000000003126276362",
            "approximateArrivalOfFirstRecord": "2019-11-14T00:38:06Z",
            "approximateArrivalOfLastRecord": "2019-11-14T00:38:07Z",
            "batchSize": 2,
            "streamArn": "arn:aws:dynamodb:us-east-2:123456789012:table/journal/stream/2019-11-14T00:14:09.731",
        }})
    }

    #[test]
    fn a_parked_record_names_a_commit_if_its_image_did() {
        let found = place(&json!({ "commit": "event#shop@home#1@12" })).unwrap();
        let Place::Commit { stream, number } = found else {
            panic!("a commit");
        };
        assert_eq!((stream.as_str(), number), ("event#shop@home#1", 12));
        let unread = place(&json!({ "commit": "?@?" })).unwrap_err();
        assert!(unread.contains("`?@?` names no commit"), "{unread}");
        assert!(place(&json!({ "id": "1" })).is_err());
    }

    #[test]
    fn what_lambda_gave_up_names_a_range_with_its_times() {
        let Place::Range(found) = place(&range()).unwrap() else {
            panic!("a range");
        };
        let (first, last) = found.arrival.unwrap();
        assert_eq!(last.duration_since(first).as_secs(), 1);
        assert!(found.is_of("journal") && !found.is_of("journal-2"));
        assert!(found.ends_at("900000000003126276362"));
        assert!(!found.ends_before("900000000003126276362"));
        assert!(found.ends_before("1000000000000000000000"), "a digit more");
        let mut wrong = range();
        wrong["DDBStreamBatchInfo"]["startSequenceNumber"] = "9000000000031262763620".into();
        assert!(place(&wrong).is_err(), "it ends before it begins");
    }
}
