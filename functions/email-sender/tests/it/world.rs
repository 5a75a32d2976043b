//! A small world around the function: engine, tables, queue, mailbox, and a hand on the clock.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
use callboard_contracts::foreign::ForeignEvent;
use callboard_contracts::notification::{CauseRef, Channel, NotificationPlanned};
use callboard_contracts::stream::Unfolded;
use callboard_contracts::waitlist::{BroadcastAnnounced, BroadcastEvent, Invited, OfferMade};
use callboard_contracts::{
    Cause, DomainEvent, EntryEvent, Envelope, NotificationEvent, NotificationId, RecipientId,
    StreamId, Timestamp,
};
use callboard_domain::notifications::notification::{KEPT_FOR, Notification};
use callboard_mailbox::{Mail, Mailbox, Query, Store};
use callboard_runtime::function::Service;
use callboard_runtime::journal::{Committed, Journal, Loaded};
use callboard_runtime::settings::Vars;
use callboard_testkit::{Faults, QueuePair, World as Kit};
use email_sender::provider::Provider;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use crate::provider::smtp;

/// When every test begins: a second after the samples' events.
pub const NOON: Timestamp = Timestamp::from_millis(1_772_445_601_000);

/// The function's time-out in the template.
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(10);

/// A definition of this tree, for an order: policy `resend`.
pub const ORDER: &str = "order-confirmation";

pub struct World {
    pub sdk: SdkConfig,
    pub faults: Faults,
    pub mailbox: Mailbox,
    pub journal: Journal,
    pub dynamo: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
    pub vars: Vars,
    kit: Kit,
    queues: QueuePair,
}

/// A planned notification in the journal, and the message that tells of it.
#[derive(Debug, Clone)]
pub struct Planned {
    pub id: NotificationId,
    pub stream: StreamId,
    pub envelope: Envelope,
}

impl World {
    pub async fn open() -> Self {
        let kit = Kit::starting_at(NOON).await;
        let queues = kit.queue("email-sender").await;
        Self {
            sdk: kit.sdk().clone(),
            faults: kit.faults().clone(),
            mailbox: Mailbox::open(Store::Memory).await.unwrap(),
            journal: kit.journal(),
            dynamo: kit.dynamodb(),
            sqs: kit.sqs(),
            vars: vars(&queues),
            kit,
            queues,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.kit.now()
    }

    /// The function with real SMTP into the mailbox.
    pub async fn function(&self) -> Service {
        self.function_with(smtp(&self.mailbox)).await
    }

    pub async fn function_with(&self, provider: Arc<dyn Provider>) -> Service {
        email_sender::build_with(&self.vars, &self.sdk, provider)
            .await
            .unwrap()
    }

    /// Registers a person, with attributes beside the address.
    pub async fn register(&self, id: &str, email: &str, more: &[(&str, AttributeValue)]) {
        let mut item = HashMap::from([
            ("pk".to_owned(), AttributeValue::S(id.to_owned())),
            ("sk".to_owned(), AttributeValue::S("profile".to_owned())),
            ("email".to_owned(), AttributeValue::S(email.to_owned())),
        ]);
        item.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        let put = self
            .dynamo
            .put_item()
            .table_name("contacts")
            .set_item(Some(item));
        put.send().await.unwrap();
    }

    /// An order of `recipient`, and the notification planned because of it.
    pub async fn order(&self, number: u32, recipient: &str) -> Planned {
        self.order_with(number, recipient, NOON).await
    }

    pub async fn order_with(&self, number: u32, recipient: &str, at: Timestamp) -> Planned {
        let order_id = format!("ord-{number}");
        let event = ForeignEvent {
            event_type: "com.example.orders.order-placed.v1".to_owned(),
            data: json!({
                "orderId": order_id, "userId": recipient, "items": ["book", "pen"], "totalAmount": 29.99
            }),
        };
        let stream = StreamId::event("orders", &order_id);
        let caused = self.record::<ForeignEvent>(stream, event, at).await;
        self.plan(&caused, recipient, ORDER, None, at).await
    }

    /// An offer to `recipient`, and the notification planned because of it.
    pub async fn offer(&self, recipient: &str, expires_at: Timestamp) -> Planned {
        let offer = OfferMade {
            waitlist_id: "w-physio".parse().unwrap(),
            entry_id: "entry-1".parse().unwrap(),
            recipient_id: recipient.parse().unwrap(),
            offer_id: "offer-1".parse().unwrap(),
            slot_id: "slot-0900".parse().unwrap(),
            slot_version: 1,
            service: "physio".to_owned(),
            starts_at: NOON.plus(Duration::from_secs(86_400)),
            ends_at: NOON.plus(Duration::from_secs(88_200)),
            expires_at,
            zone: None,
            proxy_id: None,
            batch: None,
            skip_limit: None,
            score: None,
            gives_up_starts_at: None,
        };
        let stream = StreamId::entry(&offer.entry_id);
        let caused = self.record::<EntryEvent>(stream, offer.into(), NOON).await;
        self.plan(&caused, recipient, "waitlist-offer", Some(expires_at), NOON)
            .await
    }

    /// A broadcast to these people, each with an entry `of-<id>`, and the notifications planned
    /// because of it.
    pub async fn broadcast(&self, people: &[&str], expires_at: Timestamp) -> Vec<Planned> {
        let invited = people.iter().map(|person| Invited {
            entry_id: format!("of-{person}").parse().unwrap(),
            recipient_id: person.parse().unwrap(),
            proxy_id: None,
        });
        let told = BroadcastAnnounced {
            waitlist_id: "w-physio".parse().unwrap(),
            slot_id: "slot-0900".parse().unwrap(),
            slot_version: 2,
            service: "physio".to_owned(),
            starts_at: NOON.plus(Duration::from_secs(86_400)),
            ends_at: NOON.plus(Duration::from_secs(88_200)),
            expires_at,
            location: None,
            provider: None,
            zone: None,
            invited: invited.collect(),
        };
        let stream = StreamId::broadcast(&told.slot_id, 2);
        let caused = self
            .record::<BroadcastEvent>(stream, told.into(), NOON)
            .await;
        let mut planned = Vec::new();
        for person in people {
            let until = Some(expires_at);
            let one = self.plan(&caused, person, "waitlist-broadcast", until, NOON);
            planned.push(one.await);
        }
        planned
    }

    /// An offer that code deployed after this one wrote, and the notification planned because of
    /// it.
    pub async fn offer_of_a_later_version(&self, recipient: &str) -> Planned {
        let event = ForeignEvent {
            event_type: "callboard.waitlist.offer-made.v9".to_owned(),
            data: json!({ "recipient": recipient }),
        };
        let stream = StreamId::entry(&"entry-9".parse().unwrap());
        let caused = self.record::<ForeignEvent>(stream, event, NOON).await;
        self.plan(&caused, recipient, "waitlist-offer", None, NOON)
            .await
    }

    /// A notification planned by code that has a definition more than this one.
    pub async fn order_under(&self, definition: &str, recipient: &str) -> Planned {
        self.order(9, recipient).await;
        let stream = StreamId::event("orders", "ord-9");
        let caused = self.journal.read(&stream, 1).await.unwrap().remove(0);
        self.plan(&caused, recipient, definition, None, NOON).await
    }

    async fn record<E: DomainEvent>(&self, stream: StreamId, event: E, at: Timestamp) -> Committed {
        let cause = Cause {
            causation_id: "req-1".to_owned(),
            correlation_id: "req-1".to_owned(),
            hash: callboard_contracts::cause::hash_of(&event.data()),
            traceparent: None,
        };
        let id = derived(stream.as_str());
        let commit = Loaded::<Unfolded<E>>::fresh(stream)
            .next(&cause, at)
            .event(event)
            .id(id);
        let commit = commit.build().unwrap();
        let record = commit.record().clone();
        self.journal.append(commit).await.unwrap();
        record
    }

    async fn plan(
        &self,
        caused: &Committed,
        recipient: &str,
        definition: &str,
        expires_at: Option<Timestamp>,
        at: Timestamp,
    ) -> Planned {
        let event = caused.envelope(0);
        let recipient_id: RecipientId = recipient.parse().unwrap();
        let id = NotificationId::derived(&event.id, &recipient_id, definition);
        let stream = StreamId::notification(id);
        let planned = NotificationPlanned {
            notification_id: id,
            definition: definition.to_owned(),
            recipient_id,
            channel: Channel::Email,
            cause: CauseRef {
                stream: caused.stream.clone(),
                commit: caused.number,
                index: 0,
            },
            expires_at,
        };
        let commit = Loaded::<Notification>::fresh(stream.clone())
            .next(&event.as_cause(), at)
            .event(planned)
            .expires(at.plus(KEPT_FOR))
            .id(derived(stream.as_str()))
            .build()
            .unwrap();
        let envelope = commit.record().envelope(0);
        self.journal.append(commit).await.unwrap();
        Planned {
            id,
            stream,
            envelope,
        }
    }

    /// Commits an event on a notification from somebody else's hand.
    pub async fn commit(&self, planned: &Planned, event: impl Into<NotificationEvent>) {
        let loaded = self
            .journal
            .load::<Notification>(&planned.stream)
            .await
            .unwrap();
        let commit = loaded
            .next(&planned.envelope.as_cause(), self.now())
            .event(event);
        self.journal.append(commit.build().unwrap()).await.unwrap();
    }

    /// What happened to a notification since it was planned: short names.
    pub async fn story(&self, planned: &Planned) -> Vec<String> {
        let commits = self.journal.read(&planned.stream, 2).await.unwrap();
        let events = commits.iter().flat_map(|commit| &commit.events);
        events
            .map(|event| short(&event.event_type).to_owned())
            .collect()
    }

    pub async fn state(&self, planned: &Planned) -> Notification {
        self.journal
            .load::<Notification>(&planned.stream)
            .await
            .unwrap()
            .state
    }

    pub async fn mails(&self) -> Vec<Mail> {
        self.mailbox.list(&Query::default()).await.unwrap()
    }

    /// Delivers a planned notification to the function, past the queue; its answer.
    pub async fn deliver(&self, planned: &Planned) -> Value {
        let event = batch(std::slice::from_ref(planned));
        invoke(&self.function().await, event, self.now()).await
    }

    /// Puts a message on the function's queue, as the topic's subscription does.
    pub async fn enqueue(&self, body: &str) {
        let text = |value: &str| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .unwrap()
        };
        let send = self
            .sqs
            .send_message()
            .queue_url(&self.queues.url)
            .message_body(body);
        send.message_attributes("channel", text("email"))
            .send()
            .await
            .unwrap();
    }

    pub async fn enqueue_planned(&self, planned: &Planned) {
        self.enqueue(&serde_json::to_string(&planned.envelope).unwrap())
            .await;
    }

    /// Delivers what is visible on the queue, once, as Lambda does; how many messages that was.
    pub async fn pump(&self, function: &Service) -> usize {
        let now = self.now();
        let invoke = |event| invoke(function, event, now);
        self.kit.deliver(&self.queues.url, invoke).await
    }

    /// Delivers until the queue is empty, letting time pass; how many deliveries that took.
    pub async fn drain(&self, function: &Service) -> usize {
        let mut deliveries = 0;
        for _ in 0..200 {
            deliveries += self.pump(function).await;
            if self.depth(&self.queues.url).await == 0 {
                return deliveries;
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        panic!("the queue is not empty after {deliveries} deliveries");
    }

    async fn depth(&self, url: &str) -> usize {
        let ask = self.sqs.get_queue_attributes().queue_url(url);
        let answer = ask
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .unwrap();
        let attributes = answer.attributes().unwrap();
        let count = |name| attributes[&name].parse::<usize>().unwrap();
        count(QueueAttributeName::ApproximateNumberOfMessages)
            + count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
    }

    /// The reasons of all dead letters.
    pub async fn dead(&self) -> Vec<String> {
        let letters = self.kit.dead_letters(&self.queues.dlq_url).await;
        letters.into_iter().map(|letter| letter.reason).collect()
    }
}

/// One message as Lambda delivers it.
pub fn record(message_id: &str, body: &str, receive_count: u32) -> Value {
    json!({
        "messageId": message_id,
        "receiptHandle": "",
        "body": body,
        "attributes": { "ApproximateReceiveCount": receive_count.to_string() },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:email-sender",
        "awsRegion": "us-east-1"
    })
}

/// A batch of planned notifications as Lambda delivers it, for the first time.
pub fn batch(planned: &[Planned]) -> Value {
    let records = planned.iter().enumerate().map(|(at, planned)| {
        record(
            &format!("m-{at}"),
            &serde_json::to_string(&planned.envelope).unwrap(),
            1,
        )
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// Invokes the function at `now`, with its whole time before it.
pub async fn invoke(function: &Service, event: Value, now: Timestamp) -> Value {
    invoke_until(function, event, now.plus(FUNCTION_TIMEOUT)).await
}

pub async fn invoke_until(function: &Service, event: Value, deadline: Timestamp) -> Value {
    let mut context = Context::default();
    context.request_id = "6f1c0a52-0d4e-4c1b-9d53-3f5f2f0f4a11".to_owned();
    context.deadline = u64::try_from(deadline.as_millis()).unwrap();
    function
        .clone()
        .oneshot(LambdaEvent::new(event, context))
        .await
        .unwrap()
}

fn short(event_type: &str) -> &str {
    event_type
        .trim_start_matches("callboard.notification.")
        .trim_end_matches(".v1")
}

fn derived(from: &str) -> Uuid {
    callboard_contracts::id::derived_uuid(&["sample", from])
}

fn vars(queues: &QueuePair) -> Vars {
    [
        ("JOURNAL_TABLE", "journal"),
        ("CONTACTS_TABLE", "contacts"),
        ("MAIL_TRANSPORT", "ses"),
        ("MAIL_FROM", "Callboard <desk@example.com>"),
        ("PUBLIC_URL", "http://127.0.0.1:8080"),
        (
            "LINK_KEYS",
            "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE",
        ),
        ("QUEUE_URL", &queues.url),
        ("DLQ_URL", &queues.dlq_url),
        ("FUNCTION_NAME", "email-sender"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}
