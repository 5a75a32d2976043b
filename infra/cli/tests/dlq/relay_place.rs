//! A journal with its stream, the relay's two queues, and its topics with one queue behind each.

use std::net::Ipv4Addr;

use aws_sdk_dynamodbstreams::types::{Record, ShardIteratorType};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, QueueAttributeName};
use callboard_cli::env_file::EnvFile;
use callboard_contracts::foreign::ForeignEvent;
use callboard_contracts::stream::Unfolded;
use callboard_contracts::{Cause, DecodeError, DomainEvent, StreamId, Timestamp, Visibility};
use callboard_runtime::journal::{Committed, Loaded};
use callboard_testkit::World;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::place::Place;

pub(crate) const ORDER: &str = "com.example.orders.order-placed.v1";

/// The names that [`RelayPlace::published`] takes.
pub(crate) const EXTERNAL: &str = "EXTERNAL_EVENTS";

pub(crate) const PARKED: &str = "OUTBOX_RELAY_DEAD_LETTER_QUEUE";
pub(crate) const FAILED: &str = "OUTBOX_RELAY_FAILURE_QUEUE";

pub(crate) struct RelayPlace {
    pub(crate) place: Place,
    pub(crate) kit: World,
    streams: aws_sdk_dynamodbstreams::Client,
}

/// An event that is nobody else's business.
#[derive(Debug, Clone)]
struct Internal;

impl DomainEvent for Internal {
    fn event_type(&self) -> &str {
        "callboard.test.noted.v1"
    }

    fn visibility(&self) -> Visibility {
        Visibility::Internal
    }

    fn data(&self) -> Value {
        json!({})
    }

    fn decode(_: &str, _: Value) -> Result<Self, DecodeError> {
        Ok(Self)
    }
}

impl RelayPlace {
    pub(crate) async fn open() -> Self {
        let kit = World::open().await;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let engine = kit.engine().clone();
        engine.set_public_url(url.clone());
        let streams = aws_sdk_dynamodbstreams::Client::new(&engine.sdk_config());
        tokio::spawn(async move { engine.serve(listener, std::future::pending()).await });
        let mut env = EnvFile::default();
        for (name, value) in [
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("CALLBOARD_JOURNAL_TABLE", "journal"),
        ] {
            env.set(name, value);
        }
        let sqs = kit.sqs();
        for variable in [PARKED, FAILED] {
            let made = sqs.create_queue().queue_name(variable).send().await;
            let url = made.unwrap().queue_url.unwrap();
            env.set(format!("CALLBOARD_{variable}"), url);
        }
        for domain in ["WAITLIST_EVENTS", "NOTIFICATION_EVENTS", EXTERNAL] {
            let (topic, queue) = topic_with_queue(&kit, domain).await;
            env.set(format!("CALLBOARD_{domain}_TOPIC"), topic);
            env.set(format!("CALLBOARD_{domain}_QUEUE"), queue);
        }
        let place = Place::with(env, Client::new(&kit.engine().sdk_config()));
        Self {
            place,
            kit,
            streams,
        }
    }

    /// Appends a commit with one event of this type, as an order in a message group of its own or
    /// in `group`.
    pub(crate) async fn commit(
        &self,
        id: &str,
        event_type: &str,
        group: Option<&str>,
    ) -> Committed {
        let event = ForeignEvent {
            event_type: event_type.to_owned(),
            data: json!({ "orderId": id }),
        };
        self.append(id, event, group, self.kit.now()).await
    }

    /// The same in one group, decided at another time.
    pub(crate) async fn commit_at(&self, id: &str, at: Timestamp) -> Committed {
        let event = ForeignEvent {
            event_type: ORDER.to_owned(),
            data: json!({ "orderId": id }),
        };
        self.append(id, event, Some("group"), at).await
    }

    pub(crate) async fn internal_commit(&self, id: &str) -> Committed {
        self.append(id, Internal, None, self.kit.now()).await
    }

    async fn append<E: DomainEvent>(
        &self,
        id: &str,
        event: E,
        group: Option<&str>,
        at: Timestamp,
    ) -> Committed {
        let cause = Cause {
            causation_id: id.to_owned(),
            correlation_id: id.to_owned(),
            hash: "0".repeat(32),
            traceparent: None,
        };
        let loaded = Loaded::fresh(StreamId::event("orders", id));
        let loaded: Loaded<Unfolded<E>> = loaded;
        let mut commit = loaded.next(&cause, at).event(event);
        if let Some(group) = group {
            commit = commit.group(group);
        }
        let commit = commit.build().unwrap();
        let record = commit.record().clone();
        self.kit.journal().append(commit).await.unwrap();
        record
    }

    /// All that the journal's stream holds.
    pub(crate) async fn records(&self) -> (String, String, Vec<Record>) {
        let listed = self.streams.list_streams().table_name("journal").send();
        let listed = listed.await.unwrap();
        let arn = listed.streams()[0].stream_arn().unwrap().to_owned();
        let described = self.streams.describe_stream().stream_arn(&arn).send();
        let described = described.await.unwrap().stream_description.unwrap();
        let shard = described.shards()[0].shard_id().unwrap().to_owned();
        let iterator = self.streams.get_shard_iterator().stream_arn(&arn);
        let iterator = iterator
            .shard_id(&shard)
            .shard_iterator_type(ShardIteratorType::TrimHorizon);
        let iterator = iterator.send().await.unwrap().shard_iterator;
        let page = self.streams.get_records().set_shard_iterator(iterator);
        let records = page.send().await.unwrap().records.unwrap();
        (arn, shard, records)
    }

    /// What Lambda says of these records of the stream when it gives them up.
    pub(crate) async fn given_up(&self, records: std::ops::RangeInclusive<usize>) -> Value {
        let (arn, shard, all) = self.records().await;
        let of = |at: usize| all[at].dynamodb.clone().unwrap();
        let (first, last) = (of(*records.start()), of(*records.end()));
        // DynamoDB tells arrivals to the second.
        let arrival = |record: &aws_sdk_dynamodbstreams::types::StreamRecord| {
            let at = record.approximate_creation_date_time.unwrap();
            jiff::Timestamp::from_second(at.secs()).unwrap().to_string()
        };
        let public = all[records.clone()].iter().filter(|record| {
            let image = record.dynamodb.as_ref().unwrap().new_image.as_ref();
            image.unwrap().contains_key("relay")
        });
        json!({
            "requestContext": {
                "requestId": "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
                "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:outbox-relay",
                "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 3,
            },
            "version": "1.0",
            "timestamp": jiff::Timestamp::now().to_string(),
            "DDBStreamBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": first.sequence_number, "endSequenceNumber": last.sequence_number,
                "approximateArrivalOfFirstRecord": arrival(&first),
                "approximateArrivalOfLastRecord": arrival(&last),
                "batchSize": public.count(), "streamArn": arn,
            },
        })
    }

    /// Parks a commit as the relay does.
    pub(crate) async fn park(&self, commit: &str, reason: &str) {
        let body = json!({ "commit": commit, "sequenceNumber": "1", "eventName": "INSERT" });
        let attributes = [
            ("callboard-reason", reason),
            ("callboard-error-class", "terminal"),
            ("callboard-function", "outbox-relay"),
            ("callboard-attempt", "1"),
        ];
        self.place.letter(PARKED, &body, &attributes).await;
    }

    /// What came out of the topics of a domain since the last time, in order.
    pub(crate) async fn published(&self, domain: &str) -> Vec<Message> {
        self.place.take(&format!("{domain}_QUEUE")).await
    }
}

pub(crate) async fn topic_with_queue(kit: &World, domain: &str) -> (String, String) {
    let (sns, sqs) = (kit.sns(), kit.sqs());
    let topic = sns.create_topic().name(format!("{domain}.fifo"));
    let topic = topic.attributes("FifoTopic", "true").send().await.unwrap();
    let topic = topic.topic_arn.unwrap();
    let queue = sqs.create_queue().queue_name(format!("{domain}.fifo"));
    let queue = queue.attributes(QueueAttributeName::FifoQueue, "true");
    let url = queue.send().await.unwrap().queue_url.unwrap();
    let arn = QueueAttributeName::QueueArn;
    let asked = sqs.get_queue_attributes().queue_url(&url);
    let answer = asked.attribute_names(arn.clone()).send().await.unwrap();
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs");
    let subscribe = subscribe.endpoint(&answer.attributes.unwrap()[&arn]);
    let subscribe = subscribe.attributes("RawMessageDelivery", "true");
    subscribe.send().await.unwrap();
    (topic, url)
}
