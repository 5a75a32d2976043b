//! A letter's copy on its way to where it came from.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use callboard_runtime::dead_letter::{ATTRIBUTES_MAX, REPLAYS};
use callboard_runtime::fault::AwsFault;
use callboard_runtime::publish::{Message, Publisher};
use futures::future::join_all;
use outbox_relay::route::Topics;

use super::letter::{Letter, text};
use super::queues::Origin;
use super::sweep::BATCH;

/// Bytes of one call: the least that SQS has ever taken, so that older emulators take it too.
const CALL_BYTES: usize = 262_144;

/// What is to be sent for a letter.
#[derive(Debug, Clone)]
pub(crate) struct Copy {
    /// The letter's place in its page.
    pub(crate) at: usize,
    pub(crate) body: String,
    pub(crate) attributes: HashMap<String, MessageAttributeValue>,
    pub(crate) group: Option<String>,
    /// The same however often this replay is begun anew: a FIFO queue takes it once.
    pub(crate) dedup: String,
}

impl Copy {
    /// Body and attributes as they came, and one replay more.
    ///
    /// # Errors
    /// Why it cannot be sent.
    pub(crate) fn of(at: usize, letter: &Letter) -> Result<Self, &'static str> {
        let replays = letter.replays().saturating_add(1);
        let mut attributes = letter.originals();
        attributes.insert(REPLAYS.to_owned(), text(replays.to_string()));
        if attributes.len() > ATTRIBUTES_MAX {
            return Err("its ten attributes leave no room for the count of replays");
        }
        Ok(Self {
            at,
            body: letter.body.clone(),
            attributes,
            group: letter.group.clone(),
            dedup: format!("replay-{}-{replays}", letter.id),
        })
    }

    fn bytes(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| {
            let text = value.string_value().map_or(0, str::len);
            let bytes = value.binary_value().map_or(0, |it| it.as_ref().len());
            name.len() + value.data_type().len() + text + bytes
        });
        self.body.len() + attributes.sum::<usize>()
    }

    fn as_message(&self) -> Message {
        let attributes = self
            .attributes
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.string_value()?.to_owned())));
        Message {
            body: self.body.clone(),
            group: self.group.clone(),
            dedup: Some(self.dedup.clone()),
            attributes: attributes.collect(),
        }
    }
}

/// Which copies were taken, by [`Copy::at`], and why others were not.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) accepted: Vec<usize>,
    pub(crate) refused: Vec<(usize, String)>,
}

/// Sends copies, those of a group in their order: after one that is not taken, none of its group is
/// sent. `broken` are the groups in which that was so before.
pub(crate) async fn send(
    sqs: &Client,
    publisher: &Publisher,
    origin: &Origin,
    copies: Vec<Copy>,
    broken: &HashSet<String>,
) -> Taken {
    match origin {
        Origin::Queue { url, .. } if url.ends_with(".fifo") => {
            in_groups(copies, broken, async |copy| one(sqs, url, copy).await).await
        }
        Origin::Queue { url, .. } => side_by_side(sqs, url, &copies).await,
        Origin::Topics(topics) => {
            let publish = async |copy: &Copy| publish(publisher, topics, copy).await;
            in_groups(copies, broken, publish).await
        }
        Origin::Journal(_) => none_taken(&copies, "it names a place in the journal"),
        Origin::None(why) => none_taken(&copies, why),
    }
}

fn none_taken(copies: &[Copy], why: &str) -> Taken {
    let refused = copies.iter().map(|copy| (copy.at, why.to_owned()));
    Taken {
        refused: refused.collect(),
        ..Taken::default()
    }
}

async fn in_groups<S>(copies: Vec<Copy>, broken: &HashSet<String>, send: S) -> Taken
where
    S: AsyncFn(&Copy) -> Result<(), String>,
{
    let mut groups: BTreeMap<Option<String>, Vec<Copy>> = BTreeMap::new();
    for copy in copies {
        groups.entry(copy.group.clone()).or_default().push(copy);
    }
    let sent = join_all(groups.into_iter().map(|(group, copies)| {
        let is_broken = group.is_some_and(|group| broken.contains(&group));
        one_after_another(copies, is_broken, &send)
    }));
    let mut all = Taken::default();
    for taken in sent.await {
        all.accepted.extend(taken.accepted);
        all.refused.extend(taken.refused);
    }
    all
}

async fn one_after_another<S>(copies: Vec<Copy>, mut is_broken: bool, send: &S) -> Taken
where
    S: AsyncFn(&Copy) -> Result<(), String>,
{
    let mut taken = Taken::default();
    for copy in copies {
        let sent = match is_broken {
            true => Err("one before it in its group was not taken".to_owned()),
            false => send(&copy).await,
        };
        match sent {
            Ok(()) => taken.accepted.push(copy.at),
            Err(why) => {
                is_broken = true;
                taken.refused.push((copy.at, why));
            }
        }
    }
    taken
}

/// Sends one message to a queue, with a deduplication id where it is FIFO.
///
/// # Errors
/// What SQS answered.
pub(crate) async fn one(sqs: &Client, url: &str, copy: &Copy) -> Result<(), String> {
    let dedup = url.ends_with(".fifo").then(|| copy.dedup.clone());
    let sent = sqs
        .send_message()
        .queue_url(url)
        .message_body(&copy.body)
        .set_message_attributes(Some(copy.attributes.clone()))
        .set_message_group_id(copy.group.clone())
        .set_message_deduplication_id(dedup)
        .send();
    let sent = sent.await;
    sent.map_err(|error| AwsFault::of("SendMessage", error).to_string())?;
    Ok(())
}

async fn publish(publisher: &Publisher, topics: &Topics, copy: &Copy) -> Result<(), String> {
    let event_type = copy.attributes.get("type").and_then(|it| it.string_value());
    let topic = topics
        .of(event_type.unwrap_or_default())
        .map_err(|error| error.to_string())?;
    let answers = publisher.publish_all(topic, vec![copy.as_message()]).await;
    let answers: Result<Vec<()>, _> = answers.into_iter().collect();
    answers.map(drop).map_err(|failure| failure.to_string())
}

async fn side_by_side(sqs: &Client, url: &str, copies: &[Copy]) -> Taken {
    let mut all = Taken::default();
    let mut rest = copies;
    while !rest.is_empty() {
        let (call, after) = rest.split_at(fitting(rest));
        let taken = batch(sqs, url, call).await;
        all.accepted.extend(taken.accepted);
        all.refused.extend(taken.refused);
        rest = after;
    }
    all
}

/// How many of the first fit into one call; one at least.
fn fitting(copies: &[Copy]) -> usize {
    let mut bytes = 0;
    let fit = copies.iter().take(BATCH).take_while(|copy| {
        bytes += copy.bytes();
        bytes <= CALL_BYTES
    });
    fit.count().max(1)
}

async fn batch(sqs: &Client, url: &str, copies: &[Copy]) -> Taken {
    let entries = copies.iter().map(|copy| {
        SendMessageBatchRequestEntry::builder()
            .id(copy.at.to_string())
            .message_body(&copy.body)
            .set_message_attributes(Some(copy.attributes.clone()))
            .set_message_group_id(copy.group.clone())
            .build()
            .expect("id and body are set")
    });
    let call = sqs
        .send_message_batch()
        .queue_url(url)
        .set_entries(Some(entries.collect()));
    match call.send().await {
        Ok(answer) => Taken {
            accepted: answer
                .successful
                .iter()
                .filter_map(|entry| entry.id.parse().ok())
                .collect(),
            refused: answer
                .failed
                .iter()
                .filter_map(|entry| Some((entry.id.parse().ok()?, entry.code.clone())))
                .collect(),
        },
        Err(error) => none_taken(copies, &AwsFault::of("SendMessageBatch", error).to_string()),
    }
}
