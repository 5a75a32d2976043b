//! What SQS and SNS share: one SQLite connection, the queues and topics kept in memory beside it,
//! and transactions whose effects on both happen together or not at all.
//!
//! One connection under one lock, because a publish must reach all its queues at once and SQLite
//! has one writer anyway. What is answered with 200 is committed to the write-ahead log before:
//! it outlives `kill -9`.

mod group;
mod open;
mod rows;
mod work;

pub(crate) use rows::{Ready, Row};
pub(crate) use work::Work;

use crate::Clock;
use crate::sns::{self, Topics};
use crate::sqs::Queues;
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::Notify;

/// The storage failed: the service answers 500 and logs why.
pub(crate) type StorageError = rusqlite::Error;

pub(crate) struct Messages {
    store: Mutex<Store>,
    clock: Clock,
    names: Names,
}

/// The parts of ARNs and URLs.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) region: String,
    pub(crate) account: String,
    public_url: PublicUrl,
}

/// The base of the queue URLs of all accounts and regions.
#[derive(Clone, Debug)]
pub(crate) struct PublicUrl {
    base: Arc<RwLock<String>>,
    /// The region that URLs do not name: the engine's own.
    region: String,
}

impl PublicUrl {
    pub(crate) fn new(base: &str, region: &str) -> PublicUrl {
        PublicUrl {
            base: Arc::new(RwLock::new(base.to_owned())),
            region: region.to_owned(),
        }
    }

    pub(crate) fn set(&self, url: &str) {
        let mut base = self.base.write().unwrap_or_else(PoisonError::into_inner);
        url.trim_end_matches('/').clone_into(&mut base);
    }
}

struct Store {
    db: Connection,
    /// The calls of the transaction that is open.
    group: Option<Arc<group::Group>>,
    /// The newest message id given out.
    last_id: i64,
    queues: Queues,
    topics: Topics,
    /// Per queue: who waits for a message.
    waiting: HashMap<i64, Arc<Notify>>,
    /// Told when dead letters are to be moved, and when nobody needs it any more.
    moving: Arc<Notify>,
    /// The same for deliveries to endpoints outside.
    delivering: Arc<Notify>,
}

impl Drop for Store {
    fn drop(&mut self) {
        self.moving.notify_one();
        self.delivering.notify_one();
    }
}

impl std::fmt::Debug for Messages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Messages")
    }
}

impl Names {
    pub(crate) fn queue_arn(&self, queue: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{queue}", self.region, self.account)
    }

    pub(crate) fn topic_arn(&self, topic: &str) -> String {
        format!("arn:aws:sns:{}:{}:{topic}", self.region, self.account)
    }

    pub(crate) fn queue_url(&self, queue: &str) -> String {
        let base = self.public_url();
        let account = &self.account;
        if self.region == self.public_url.region {
            return format!("{base}/{account}/{queue}");
        }
        // One host serves all regions, so the path must name it: LocalStack's "path" strategy.
        format!("{base}/queue/{}/{account}/{queue}", self.region)
    }

    /// The base of URLs, without a slash at its end.
    pub(crate) fn public_url(&self) -> String {
        self.public_url
            .base
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The name in a queue ARN of this region and account.
    pub(crate) fn queue_in<'a>(&self, arn: &'a str) -> Option<&'a str> {
        local_name(arn, "sqs", self)
    }
}

fn local_name<'a>(arn: &'a str, service: &str, names: &Names) -> Option<&'a str> {
    arn.strip_prefix("arn:aws:")?
        .strip_prefix(service)?
        .strip_prefix(':')?
        .strip_prefix(names.region.as_str())?
        .strip_prefix(':')?
        .strip_prefix(names.account.as_str())?
        .strip_prefix(':')
}

impl Messages {
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a waiter for a message of queue `id` listens to.
    pub(crate) fn arrivals(&self, id: i64) -> Arc<Notify> {
        self.store().waiting.entry(id).or_default().clone()
    }

    /// What the mover of dead letters listens to.
    pub(crate) fn moving(&self) -> Arc<Notify> {
        self.store().moving.clone()
    }

    /// What the sender of deliveries to endpoints outside listens to.
    pub(crate) fn delivering(&self) -> Arc<Notify> {
        self.store().delivering.clone()
    }

    /// Clears away what time has ended: messages past their queue's retention, forgotten
    /// deduplication ids.
    pub(crate) fn upkeep(&self) {
        let outcome = self.transact(|work| -> Result<(), StorageError> {
            work.forget_old_dedup_ids()?;
            work.forget_old_attempts()?;
            work.forget_deleted_names()?;
            sns::forget_unconfirmed(work)?;
            for queue in work.queues.ids() {
                work.expire(queue)?;
            }
            Ok(())
        });
        if let Err(error) = outcome {
            tracing::error!(%error, "the upkeep of queues failed");
        }
    }
}
