//! The queues themselves, and what is checked whenever one is made or changed.

use super::Outcome;
use super::refusal::SqsError;
use super::settings::{SETTABLE, Settings};
use crate::messages::{StorageError, Work};
use crate::scope::{is_account, is_region};
use rusqlite::{Connection, params};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How long a queue goes on telling duplicates as before when that is changed, in milliseconds
/// (AWS, `SetQueueAttributes`: a change takes up to 60 s, and LocalStack's recordings of AWS show
/// that this one is not seen at once).
const SCOPE_CHANGE_MS: i64 = 60_000;

/// All queues, in memory beside their rows.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    by_name: BTreeMap<String, Arc<Queue>>,
    names: HashMap<i64, String>,
    /// How many messages a queue holds, once somebody has asked.
    counts: HashMap<i64, i64>,
    /// How many messages of a queue are under a lease, at most.
    leases: HashMap<i64, i64>,
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
    pub(super) tags: BTreeMap<String, String>,
    pub(super) created_at: i64,
    pub(super) modified_at: i64,
    pub(super) purged_at: Option<i64>,
    /// Whether duplicates are still told by group, or still are not, and until when, in
    /// milliseconds. Not kept: after a restart the change is in force.
    pub(super) scope_before: Option<(bool, i64)>,
}

impl Queue {
    pub(crate) fn fifo(&self) -> bool {
        self.settings.fifo
    }

    /// Whether deduplication ids are told apart by message group at this time.
    pub(super) fn dedup_by_group(&self, now: i64) -> bool {
        match self.scope_before {
            Some((by_group, until)) if now < until => by_group,
            _ => self.settings.dedup_by_group,
        }
    }

    /// The queue with other settings.
    pub(super) fn changed(&self, settings: Settings, now: i64) -> Queue {
        let by_group = self.dedup_by_group(now);
        let scope_before = if settings.dedup_by_group == self.settings.dedup_by_group {
            self.scope_before
        } else {
            Some((by_group, now + SCOPE_CHANGE_MS))
        };
        Queue {
            settings,
            modified_at: now,
            scope_before,
            ..self.clone()
        }
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
                scope_before: None,
            });
        }
        Ok(queues)
    }

    /// The id of the next queue.
    pub(super) fn next_id(&self) -> i64 {
        self.last_id + 1
    }

    /// All queues, sorted by name.
    pub(super) fn sorted(&self) -> impl Iterator<Item = &Arc<Queue>> {
        self.by_name.values()
    }

    /// Forgets a queue.
    pub(super) fn remove(&mut self, queue: &Queue) {
        self.touched = true;
        self.by_name.remove(&queue.name);
        self.names.remove(&queue.id);
        self.counts.remove(&queue.id);
        self.leases.remove(&queue.id);
    }

    pub(super) fn insert(&mut self, queue: Queue) {
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

impl Queues {
    pub(crate) fn known_leases(&self, id: i64) -> Option<i64> {
        self.leases.get(&id).copied()
    }

    /// Sets the count, or forgets it: then it will be counted anew.
    pub(crate) fn set_leases(&mut self, id: i64, count: Option<i64>) {
        match count {
            Some(count) => self.leases.insert(id, count),
            None => self.leases.remove(&id),
        };
    }

    pub(crate) fn count_leases(&mut self, id: i64, by: i64) {
        if let Some(count) = self.leases.get_mut(&id) {
            *count += by;
        }
    }
}

/// A call that names a queue and nothing else.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    pub(super) queue_url: String,
}

/// The queue that a URL names: by its last segment, whatever its host, since the same engine is
/// reached by several. An account or a region that it names must be those of the call.
pub(super) fn find(work: &Work<'_>, url: &str) -> Outcome<Arc<Queue>> {
    let address = Address::read(url);
    let elsewhere = address
        .region
        .is_some_and(|region| region != work.names.region);
    if elsewhere || address.queue.is_empty() {
        return Err(SqsError::invalid_address(url));
    }
    if address
        .account
        .is_some_and(|account| account != work.names.account)
    {
        return Err(SqsError::access_denied(&work.names.region));
    }
    work.queues
        .named(address.queue)
        .cloned()
        .ok_or_else(SqsError::no_such_queue)
}

/// What a queue URL says.
#[derive(Debug, PartialEq, Eq)]
struct Address<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    queue: &'a str,
}

impl<'a> Address<'a> {
    /// Reads `HOST/ACCOUNT/QUEUE` and `HOST/queue/REGION/ACCOUNT/QUEUE`. Of hosts, AWS's
    /// `sqs.REGION.…` and `REGION.queue.…` name a region.
    fn read(url: &'a str) -> Address<'a> {
        let mut segments = url.rsplit('/');
        let queue = segments.next().unwrap_or_default();
        let account = segments.next().filter(|text| is_account(text));
        let region = segments.next().filter(|text| is_region(text));
        let named = account.is_some() && segments.next() == Some("queue");
        Address {
            region: region.filter(|_| named).or_else(|| region_of_host(url)),
            account,
            queue,
        }
    }
}

fn region_of_host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let mut labels = rest.split(['/', ':']).next()?.split('.');
    let region = match (labels.next()?, labels.next()?) {
        ("sqs", region) | (region, "queue") => region,
        _ => return None,
    };
    is_region(region).then_some(region)
}

/// Writes a queue down, and keeps it in memory.
pub(super) fn keep(work: &mut Work<'_>, queue: Queue) -> Outcome<()> {
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

pub(super) fn check_settable(attributes: &BTreeMap<String, String>) -> Outcome<()> {
    match attributes
        .keys()
        .find(|name| !SETTABLE.contains(&name.as_str()))
    {
        Some(name) => Err(SqsError::unknown_attribute(name)),
        None => Ok(()),
    }
}

/// A dead-letter queue must be there, be of the same kind, and let this queue in.
pub(super) fn check_dead_letter_queue(
    work: &Work<'_>,
    name: &str,
    settings: &Settings,
) -> Outcome<()> {
    let Some(redrive) = &settings.redrive else {
        return Ok(());
    };
    let refused = |reason: &str| {
        Err(SqsError::invalid(format!(
            "Value {} for parameter RedrivePolicy is invalid. Reason: {reason}",
            settings
                .given
                .get("RedrivePolicy")
                .map_or("", String::as_str)
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
    if !target
        .settings
        .redrive_allow
        .allows(&work.names.queue_arn(name))
    {
        return refused("Dead-letter queue does not allow this source queue.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_url_names_what_it_names() {
        let own = (None, Some("000000000000"));
        let west = (Some("eu-west-1"), Some("000000000000"));
        for (url, (region, account)) in [
            ("http://127.0.0.1:4566/000000000000/letters", own),
            ("/000000000000/letters", own),
            ("letters", (None, None)),
            ("http://localhost/queue/letters", (None, None)),
            ("http://h:1/queue/eu-west-1/000000000000/letters", west),
            ("/queue/eu-west-1/000000000000/letters", west),
            (
                "https://sqs.eu-west-1.amazonaws.com/000000000000/letters",
                west,
            ),
            (
                "http://eu-west-1.queue.localhost:4566/000000000000/letters",
                west,
            ),
            ("http://sqs.example.com/000000000000/letters", own),
        ] {
            let queue = "letters";
            let expected = Address {
                region,
                account,
                queue,
            };
            assert_eq!(Address::read(url), expected, "{url}");
        }
    }
}
