//! The queues themselves: making, finding, describing, tagging and removing them.

use super::refusal::SqsError;
use super::settings::{COUNTED, SETTABLE, Settings};
use super::{Nothing, Outcome};
use crate::messages::{StorageError, Work};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The longest queue name, in characters (AWS, `CreateQueue`).
const NAME_LEN_MAX: usize = 80;
/// Between two purges of a queue, in milliseconds (AWS, `PurgeQueue`).
const PURGE_EVERY_MS: i64 = 60_000;
/// The most tags of a queue (AWS, "Amazon SQS cost allocation tags").
const TAGS_MAX: usize = 50;
/// The most queues in one answer of a list (AWS, `ListQueues`).
const LISTED_MAX: usize = 1000;

/// All queues, in memory beside their rows.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    by_name: BTreeMap<String, Arc<Queue>>,
    names: HashMap<i64, String>,
    /// How many messages a queue holds, once somebody has asked.
    counts: HashMap<i64, i64>,
    last_id: i64,
    /// Whether the running transaction has changed anything here.
    pub(crate) touched: bool,
}

/// A queue.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(super) settings: Settings,
    tags: BTreeMap<String, String>,
    created_at: i64,
    modified_at: i64,
    purged_at: Option<i64>,
}

impl Queue {
    pub(crate) fn fifo(&self) -> bool {
        self.settings.fifo
    }
}

impl Queues {
    pub(crate) fn load(db: &Connection) -> Result<Queues, StorageError> {
        let mut queues = Queues::default();
        let mut statement =
            db.prepare("SELECT id, name, attributes, tags, created_at, modified_at FROM queues")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let attributes: String = row.get(2)?;
            let tags: String = row.get(3)?;
            queues.insert(Queue {
                id: row.get(0)?,
                name: row.get(1)?,
                settings: Settings::read(serde_json::from_str(&attributes).unwrap_or_default())
                    .unwrap_or_default(),
                tags: serde_json::from_str(&tags).unwrap_or_default(),
                created_at: row.get(4)?,
                modified_at: row.get(5)?,
                purged_at: None,
            });
        }
        Ok(queues)
    }

    fn insert(&mut self, queue: Queue) {
        self.last_id = self.last_id.max(queue.id);
        self.names.insert(queue.id, queue.name.clone());
        self.by_name.insert(queue.name.clone(), Arc::new(queue));
    }

    /// The queue with this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Queue>> {
        self.by_name.get(name)
    }

    pub(crate) fn ids(&self) -> Vec<i64> {
        self.names.keys().copied().collect()
    }

    /// Whether a queue is FIFO, and its retention in milliseconds.
    pub(crate) fn retention(&self, id: i64) -> Option<(bool, i64)> {
        let queue = self.by_name.get(self.names.get(&id)?)?;
        Some((queue.settings.fifo, queue.settings.retention_ms))
    }

    pub(crate) fn known_count(&self, id: i64) -> Option<i64> {
        self.counts.get(&id).copied()
    }

    pub(crate) fn set_count(&mut self, id: i64, count: i64) {
        self.counts.insert(id, count);
    }

    pub(crate) fn count(&mut self, id: i64, by: i64) {
        if let Some(count) = self.counts.get_mut(&id) {
            *count += by;
        }
    }
}

/// The queue that a URL names: by its last segment, whatever its host, since the same engine is
/// reached by several.
pub(super) fn find(queues: &Queues, url: &str) -> Outcome<Arc<Queue>> {
    let name = url.rsplit('/').next().unwrap_or_default();
    queues
        .named(name)
        .cloned()
        .ok_or_else(SqsError::no_such_queue)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Create {
    queue_name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default, alias = "tags")]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Url {
    queue_url: String,
}

pub(super) fn create(work: &mut Work<'_>, request: Create) -> Outcome<Url> {
    let name = request.queue_name;
    check_settable(&request.attributes)?;
    if let Some(queue) = work.queues.named(&name) {
        let shown = queue.settings.shown();
        let differs = request
            .attributes
            .iter()
            .find(|(attribute, value)| shown.get(*attribute) != Some(value));
        if let Some((attribute, _)) = differs {
            return Err(SqsError::queue_exists(attribute));
        }
    } else {
        let settings = Settings::read(request.attributes)?;
        check_name(&name, settings.fifo)?;
        check_dead_letter_queue(work, &name, &settings)?;
        let queue = Queue {
            id: work.queues.last_id + 1,
            name: name.clone(),
            settings,
            tags: request.tags,
            created_at: work.now,
            modified_at: work.now,
            purged_at: None,
        };
        keep(work, queue)?;
    }
    Ok(Url {
        queue_url: work.names.queue_url(&name),
    })
}

fn check_name(name: &str, fifo: bool) -> Outcome<()> {
    let stem = name.strip_suffix(".fifo");
    if fifo != stem.is_some() {
        let what = if fifo {
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or \
             underscores, must end with .fifo suffix and be 1 to 80 in length"
        } else {
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        };
        return Err(SqsError::invalid(what));
    }
    let stem = stem.unwrap_or(name);
    let well_formed = stem
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if stem.is_empty() || name.len() > NAME_LEN_MAX || !well_formed {
        return Err(SqsError::invalid(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ));
    }
    Ok(())
}

fn check_settable(attributes: &BTreeMap<String, String>) -> Outcome<()> {
    match attributes.keys().find(|name| !SETTABLE.contains(&name.as_str())) {
        Some(name) => Err(SqsError::unknown_attribute(name)),
        None => Ok(()),
    }
}

/// A dead-letter queue must be there, be of the same kind, and let this queue in.
fn check_dead_letter_queue(work: &Work<'_>, name: &str, settings: &Settings) -> Outcome<()> {
    let Some(redrive) = &settings.redrive else {
        return Ok(());
    };
    let refused = |reason: &str| {
        Err(SqsError::invalid(format!(
            "Value {} for parameter RedrivePolicy is invalid. Reason: {reason}",
            settings.given.get("RedrivePolicy").map_or("", String::as_str)
        )))
    };
    let target = work
        .names
        .queue_in(&redrive.target_arn)
        .and_then(|target| work.queues.named(target));
    let Some(target) = target else {
        return refused("Dead letter target does not exist.");
    };
    if target.settings.fifo != settings.fifo {
        return refused("Dead-letter queue must be same type of queue as the source.");
    }
    if !target.settings.redrive_allow.allows(&work.names.queue_arn(name)) {
        return refused("Dead-letter queue does not allow this source queue.");
    }
    Ok(())
}

fn keep(work: &mut Work<'_>, queue: Queue) -> Outcome<()> {
    let json = |map: &BTreeMap<String, String>| {
        serde_json::to_string(map).map_err(|error| SqsError::internal(&error))
    };
    work.db.execute(
        "INSERT OR REPLACE INTO queues VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            queue.id,
            queue.name,
            json(&queue.settings.given)?,
            json(&queue.tags)?,
            queue.created_at,
            queue.modified_at
        ],
    )?;
    work.queues.touched = true;
    work.queues.insert(queue);
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    queue_url: String,
}

pub(super) fn delete(work: &mut Work<'_>, request: Named) -> Outcome<Nothing> {
    let queue = find(work.queues, &request.queue_url)?;
    work.clear(queue.id)?;
    work.db
        .execute("DELETE FROM queues WHERE id = ?1", params![queue.id])?;
    work.queues.touched = true;
    work.queues.by_name.remove(&queue.name);
    work.queues.names.remove(&queue.id);
    work.queues.counts.remove(&queue.id);
    work.gone(queue.id);
    Ok(Nothing {})
}

pub(super) fn purge(work: &mut Work<'_>, request: Named) -> Outcome<Nothing> {
    let queue = find(work.queues, &request.queue_url)?;
    if queue
        .purged_at
        .is_some_and(|at| work.now < at + PURGE_EVERY_MS)
    {
        return Err(SqsError::purging(&queue.name));
    }
    work.clear(queue.id)?;
    work.queues.touched = true;
    work.queues.insert(Queue {
        purged_at: Some(work.now),
        ..(*queue).clone()
    });
    Ok(Nothing {})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ByName {
    queue_name: String,
}

pub(super) fn url(work: &mut Work<'_>, request: ByName) -> Outcome<Url> {
    let queue = work
        .queues
        .named(&request.queue_name)
        .ok_or_else(SqsError::no_such_queue)?;
    Ok(Url {
        queue_url: work.names.queue_url(&queue.name),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    queue_name_prefix: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) fn list(work: &mut Work<'_>, request: List) -> Outcome<Listed> {
    let prefix = request.queue_name_prefix.unwrap_or_default();
    let names = work.queues.by_name.keys().filter(|name| name.starts_with(&prefix));
    let (names, next_token) = page(names.cloned(), request.max_results, request.next_token)?;
    let queue_urls = names.iter().map(|name| work.names.queue_url(name)).collect();
    Ok(Listed {
        queue_urls,
        next_token,
    })
}

/// One page of sorted names. The token is the last name of the page before; AWS gives one only if
/// a size was asked for.
fn page(
    names: impl Iterator<Item = String>,
    size: Option<usize>,
    after: Option<String>,
) -> Outcome<(Vec<String>, Option<String>)> {
    if size.is_some_and(|size| !(1..=LISTED_MAX).contains(&size)) {
        return Err(SqsError::invalid_value(
            size.unwrap_or_default(),
            "MaxResults",
            "MaxResults must be an integer between 1 and 1000.",
        ));
    }
    let limit = size.unwrap_or(LISTED_MAX);
    let after = after.unwrap_or_default();
    let mut names: Vec<String> = names.filter(|name| *name > after).take(limit + 1).collect();
    let more = names.len() > limit;
    names.truncate(limit);
    let token = (more && size.is_some()).then(|| names.last().cloned()).flatten();
    Ok((names, token))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAttributes {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ShownAttributes {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
}

pub(super) fn attributes(work: &mut Work<'_>, request: GetAttributes) -> Outcome<ShownAttributes> {
    let queue = find(work.queues, &request.queue_url)?;
    let wanted = request.attribute_names;
    let all = wanted.iter().any(|name| name == "All");
    for name in wanted.iter().filter(|name| *name != "All") {
        let name = name.as_str();
        if !SETTABLE.contains(&name) && !COUNTED.contains(&name) {
            return Err(SqsError::unknown_attribute(name));
        }
    }
    let mut attributes = queue.settings.shown();
    attributes.insert("QueueArn".to_owned(), work.names.queue_arn(&queue.name));
    for (name, at) in [
        ("CreatedTimestamp", queue.created_at),
        ("LastModifiedTimestamp", queue.modified_at),
    ] {
        attributes.insert(name.to_owned(), (at / 1000).to_string());
    }
    if all || wanted.iter().any(|name| name.starts_with("Approximate")) {
        let (total, leased, delayed) = work.census(queue.id, queue.settings.fifo)?;
        for (name, count) in [
            ("ApproximateNumberOfMessages", total - leased - delayed),
            ("ApproximateNumberOfMessagesNotVisible", leased),
            ("ApproximateNumberOfMessagesDelayed", delayed),
        ] {
            attributes.insert(name.to_owned(), count.to_string());
        }
    }
    attributes.retain(|name, value| (all || wanted.contains(name)) && !value.is_empty());
    Ok(ShownAttributes { attributes })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetAttributes {
    queue_url: String,
    attributes: BTreeMap<String, String>,
}

pub(super) fn set_attributes(work: &mut Work<'_>, request: SetAttributes) -> Outcome<Nothing> {
    let queue = find(work.queues, &request.queue_url)?;
    check_settable(&request.attributes)?;
    let kind = request.attributes.get("FifoQueue");
    if kind.is_some_and(|value| Some(value) != queue.settings.given.get("FifoQueue")) {
        return Err(SqsError::invalid_attribute("FifoQueue"));
    }
    let mut given = queue.settings.given.clone();
    given.extend(request.attributes);
    // An empty policy is no policy.
    given.retain(|_, value| !value.is_empty());
    let settings = Settings::read(given)?;
    check_dead_letter_queue(work, &queue.name, &settings)?;
    let modified_at = work.now;
    keep(
        work,
        Queue {
            settings,
            modified_at,
            ..(*queue).clone()
        },
    )?;
    // A poll that waits may now see what it could not, a shorter delay for instance.
    work.arrived(queue.id);
    Ok(Nothing {})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    queue_url: String,
    tags: BTreeMap<String, String>,
}

pub(super) fn tag(work: &mut Work<'_>, request: Tag) -> Outcome<Nothing> {
    let queue = find(work.queues, &request.queue_url)?;
    let mut tags = queue.tags.clone();
    tags.extend(request.tags);
    if tags.len() > TAGS_MAX {
        return Err(SqsError::invalid(format!(
            "Too many tags added for queue {}.",
            queue.name
        )));
    }
    keep(
        work,
        Queue {
            tags,
            ..(*queue).clone()
        },
    )?;
    Ok(Nothing {})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Untag {
    queue_url: String,
    tag_keys: Vec<String>,
}

pub(super) fn untag(work: &mut Work<'_>, request: Untag) -> Outcome<Nothing> {
    let queue = find(work.queues, &request.queue_url)?;
    let mut queue = (*queue).clone();
    queue.tags.retain(|key, _| !request.tag_keys.contains(key));
    keep(work, queue)?;
    Ok(Nothing {})
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tags {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
}

pub(super) fn tags(work: &mut Work<'_>, request: Named) -> Outcome<Tags> {
    let queue = find(work.queues, &request.queue_url)?;
    Ok(Tags {
        tags: queue.tags.clone(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSources {
    queue_url: String,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// `queueUrls`: the one list of SQS's that begins in lower case.
#[derive(Serialize)]
pub(super) struct Sources {
    #[serde(rename = "queueUrls")]
    queue_urls: Vec<String>,
    #[serde(rename = "NextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) fn dead_letter_sources(work: &mut Work<'_>, request: ListSources) -> Outcome<Sources> {
    let target = find(work.queues, &request.queue_url)?;
    let arn = work.names.queue_arn(&target.name);
    let sources = work.queues.by_name.values().filter(|queue| {
        let redrive = queue.settings.redrive.as_ref();
        redrive.is_some_and(|redrive| redrive.target_arn == arn)
    });
    let names = sources.map(|queue| queue.name.clone());
    let (names, next_token) = page(names, request.max_results, request.next_token)?;
    Ok(Sources {
        queue_urls: names.iter().map(|name| work.names.queue_url(name)).collect(),
        next_token,
    })
}
