//! Making, finding, listing, purging and removing queues.

use super::describe::check_tags;
use super::queues::{Named, Queue, check_dead_letter_queue, check_settable, find, keep};
use super::refusal::SqsError;
use super::settings::{Settings, as_shown, check_given};
use super::{Nothing, Outcome};
use crate::messages::Work;
use crate::wire::same_value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest queue name, in characters (AWS, `CreateQueue`).
const NAME_LEN_MAX: usize = 80;
/// Between two purges of a queue, in milliseconds (AWS, `PurgeQueue`).
const PURGE_EVERY_MS: i64 = 60_000;
/// The most queues in one answer of a list (AWS, `ListQueues`).
const LISTED_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Create {
    queue_name: Option<String>,
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

pub(super) fn create(work: &mut Work<'_>, mut request: Create) -> Outcome<Url> {
    let name = request.queue_name.ok_or_else(|| {
        SqsError::invalid(
            "Value for parameter QueueName is invalid. Reason: Must specify a queue name.",
        )
    })?;
    check_settable(&request.attributes)?;
    as_shown(&mut request.attributes);
    if let Some(queue) = work.queues.named(&name) {
        let shown = queue.settings.shown();
        let differs = request
            .attributes
            .iter()
            .find(|(attribute, value)| !same_value(shown.get(*attribute), value));
        if let Some((attribute, _)) = differs {
            return Err(SqsError::queue_exists(attribute));
        }
    } else {
        check_given(&request.attributes)?;
        let settings = Settings::read(request.attributes)?;
        check_name(&name, settings.fifo)?;
        check_tags(&name, &request.tags)?;
        if work.deleted_recently(&name)? {
            return Err(SqsError::deleted_recently());
        }
        check_dead_letter_queue(work, &name, &settings)?;
        let queue = Queue {
            id: work.queues.next_id(),
            name: name.clone(),
            settings,
            tags: request.tags,
            created_at: work.now,
            modified_at: work.now,
            purged_at: None,
            scope_before: None,
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

pub(super) fn delete(work: &mut Work<'_>, request: Named) -> Outcome<Nothing> {
    let queue = find(work, &request.queue_url)?;
    work.clear(queue.id)?;
    for sql in [
        "DELETE FROM attempts WHERE queue = ?1",
        "DELETE FROM moves WHERE source = (SELECT name FROM queues WHERE id = ?1)",
        "DELETE FROM queues WHERE id = ?1",
    ] {
        work.db.execute(sql, params![queue.id])?;
    }
    work.name_deleted(&queue.name)?;
    work.forget_dedup_ids(&format!("queue {}", queue.id))?;
    work.queues.remove(&queue);
    work.gone(queue.id);
    Ok(Nothing {})
}

pub(super) fn purge(work: &mut Work<'_>, request: Named) -> Outcome<Nothing> {
    let queue = find(work, &request.queue_url)?;
    if queue
        .purged_at
        .is_some_and(|at| work.now < at + PURGE_EVERY_MS)
    {
        return Err(SqsError::purging(&queue.name));
    }
    work.clear(queue.id)?;
    work.forget_dedup_ids(&format!("queue {}", queue.id))?;
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
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner: Option<String>,
}

pub(super) fn url(work: &mut Work<'_>, request: ByName) -> Outcome<Url> {
    let queue = work
        .queues
        .named(&request.queue_name)
        .filter(|_| {
            let owner = request.owner.as_deref();
            owner.is_none_or(|owner| owner == work.names.account)
        })
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
    let names = work.queues.sorted().map(|queue| queue.name.clone());
    let names = names.filter(|name| name.starts_with(&prefix));
    let (names, next_token) = page(names, request.max_results, request.next_token)?;
    let queue_urls = names
        .iter()
        .map(|name| work.names.queue_url(name))
        .collect();
    Ok(Listed {
        queue_urls,
        next_token,
    })
}

/// One page of sorted names. The token is the last name of the page before, in base64; AWS gives
/// one only if a size was asked for.
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
    let after = match after {
        Some(token) => name_of(&token)?,
        None => String::new(),
    };
    let mut names: Vec<String> = names.filter(|name| *name > after).take(limit + 1).collect();
    let more = names.len() > limit;
    names.truncate(limit);
    let token = (more && size.is_some())
        .then(|| names.last().map(|name| BASE64.encode(name)))
        .flatten();
    Ok((names, token))
}

fn name_of(token: &str) -> Outcome<String> {
    BASE64
        .decode(token)
        .ok()
        .and_then(|name| String::from_utf8(name).ok())
        .ok_or_else(|| SqsError::invalid("Invalid or expired next token."))
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
    let target = find(work, &request.queue_url)?;
    let arn = work.names.queue_arn(&target.name);
    let sources = work.queues.sorted().filter(|queue| {
        let redrive = queue.settings.redrive.as_ref();
        redrive.is_some_and(|redrive| redrive.target_arn == arn)
    });
    let names = sources.map(|queue| queue.name.clone());
    let (names, next_token) = page(names, request.max_results, request.next_token)?;
    Ok(Sources {
        queue_urls: names
            .iter()
            .map(|name| work.names.queue_url(name))
            .collect(),
        next_token,
    })
}
