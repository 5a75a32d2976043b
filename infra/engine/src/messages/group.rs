//! Transactions. Calls that come at the same time share one: each is undone alone if it fails, and
//! none is answered before the commit of all. What one commit costs is so shared as well.

use super::work::Changes;
use super::{Messages, Names, StorageError, Store, Work};
use crate::sns::Topics;
use crate::sqs::Queues;
use rusqlite::{Connection, ffi};
use std::sync::{Arc, OnceLock};

/// The calls of one transaction, which learn here what came of it: nothing, or why it failed.
#[derive(Debug, Default)]
pub(super) struct Group(OnceLock<Option<String>>);

/// A call's part in its group. Dropped with its call, it commits like one that was waited for, so
/// that no transaction stays open.
struct Joined<'a> {
    messages: &'a Messages,
    group: Arc<Group>,
}

/// What a call does, to be undone when it is dropped before it is kept.
struct Savepoint<'a>(&'a Connection);

impl Messages {
    /// Runs `work` in a transaction that is committed when this returns: its rows are there and its
    /// arrivals told, or, on an error, nothing has happened.
    pub(crate) fn transact<T, E: From<StorageError>>(
        &self,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (outcome, joined) = self.join(work)?;
        joined.commit()?;
        outcome
    }

    /// As [`Messages::transact`], with whatever other calls are ready to run: the first of them to
    /// go on commits for all.
    pub(crate) async fn transact_together<T, E: From<StorageError>>(
        &self,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (outcome, joined) = self.join(work)?;
        tokio::task::yield_now().await;
        joined.commit()?;
        outcome
    }

    /// A refused call commits too: what it has seen may be another's, and not be there in the end.
    fn join<T, E: From<StorageError>>(
        &self,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, E>,
    ) -> Result<(Result<T, E>, Joined<'_>), E> {
        let mut store = self.store();
        let group = store.group()?;
        let now = self.clock.now_ms();
        let outcome = store.run(&self.names, now, work);
        let joined = Joined {
            messages: self,
            group,
        };
        Ok((outcome, joined))
    }
}

impl Joined<'_> {
    fn commit(&self) -> Result<(), StorageError> {
        if self.group.0.get().is_none() {
            self.messages.store().commit();
        }
        match self.group.0.get() {
            Some(None) => Ok(()),
            failed => Err(rusqlite::Error::SqliteFailure(
                ffi::Error::new(ffi::SQLITE_ABORT),
                failed.cloned().flatten(),
            )),
        }
    }
}

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        // Logged by who is answered, or, if nobody is left to be, not missed.
        let _ = self.commit();
    }
}

impl<'a> Savepoint<'a> {
    fn set(db: &'a Connection) -> Result<Self, StorageError> {
        execute(db, "SAVEPOINT call")?;
        Ok(Savepoint(db))
    }

    fn keep(self) -> Result<(), StorageError> {
        let kept = execute(self.0, "RELEASE call");
        if kept.is_ok() {
            std::mem::forget(self);
        }
        kept
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        // It fails where SQLite has rolled the whole transaction back, which `run` finds out.
        let _ = execute(self.0, "ROLLBACK TO call").and_then(|()| execute(self.0, "RELEASE call"));
    }
}

fn execute(db: &Connection, sql: &str) -> Result<(), StorageError> {
    db.prepare_cached(sql)?.execute([]).map(drop)
}

impl Store {
    /// The group of the running transaction, which begins if there is none.
    fn group(&mut self) -> Result<Arc<Group>, StorageError> {
        if let Some(group) = &self.group {
            return Ok(group.clone());
        }
        execute(&self.db, "BEGIN IMMEDIATE")?;
        Ok(self.group.insert(Arc::default()).clone())
    }

    fn run<T, E: From<StorageError>>(
        &mut self,
        names: &Names,
        now: i64,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // Left by a panic.
        self.undo()?;
        let savepoint = Savepoint::set(&self.db)?;
        let mut running = Work::new(
            &self.db,
            &mut self.last_id,
            &mut self.queues,
            &mut self.topics,
            names,
            now,
        );
        let outcome = work(&mut running);
        let changes = running.into_changes();
        let outcome = match outcome {
            Ok(value) => savepoint.keep().map(|()| value).map_err(E::from),
            Err(error) => {
                drop(savepoint);
                Err(error)
            }
        };
        if outcome.is_ok() {
            self.apply(changes);
        } else if self.db.is_autocommit() {
            self.close(Some("a call failed so that all were undone".to_owned()));
        } else {
            self.undo()?;
        }
        outcome
    }

    /// Commits the running transaction, if there is one.
    fn commit(&mut self) {
        if self.group.is_some() {
            let committed = execute(&self.db, "COMMIT");
            self.close(committed.err().map(|error| error.to_string()));
        }
    }

    /// Ends the group: all is there, or, after a failure, nothing of it.
    fn close(&mut self, failure: Option<String>) {
        if let Some(failure) = &failure {
            tracing::error!(failure, "a transaction of queues and topics failed");
            if !self.db.is_autocommit() {
                let _ = execute(&self.db, "ROLLBACK");
            }
            self.queues.touched = true;
            self.topics.touched = true;
            if let Err(error) = self.undo() {
                tracing::error!(%error, "queues and topics could not be read");
            }
        }
        if let Some(group) = self.group.take() {
            let _ = group.0.set(failure);
        }
    }

    /// Back to what is in the tables: queues and topics are read again, if work that failed has
    /// changed them in memory.
    fn undo(&mut self) -> Result<(), StorageError> {
        if self.queues.touched {
            self.queues = Queues::load(&self.db)?;
        }
        if self.topics.touched {
            self.topics = Topics::load(&self.db)?;
        }
        Ok(())
    }

    /// What work has done is told to who waits for it. They look within the same transaction.
    fn apply(&mut self, changes: Changes) {
        self.queues.touched = false;
        self.topics.touched = false;
        for (queue, by) in changes.counts {
            self.queues.count(queue, by);
        }
        for (queue, by) in changes.leases {
            self.queues.count_leases(queue, by);
        }
        if changes.moving {
            self.moving.notify_one();
        }
        if changes.delivering {
            self.delivering.notify_one();
        }
        for queue in changes.arrivals {
            if let Some(waiting) = self.waiting.get(&queue) {
                waiting.notify_waiters();
            }
        }
        for queue in changes.gone {
            // Who waits there finds the queue gone.
            if let Some(waiting) = self.waiting.remove(&queue) {
                waiting.notify_waiters();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;
    use crate::messages::PublicUrl;
    use crate::scope::Scope;
    use futures::FutureExt;

    fn opened() -> Messages {
        let scope = Scope {
            account: "a".to_owned(),
            region: "r".to_owned(),
        };
        let urls = PublicUrl::new("http://x", "r");
        Messages::open(None, Clock::real(), &scope, urls).expect("opened")
    }

    fn noted(messages: &Messages, name: &str) -> bool {
        let noted = messages.transact(|work| work.deleted_recently(name));
        noted.expect("read")
    }

    #[tokio::test]
    async fn a_call_that_fails_is_undone_alone_in_the_transaction_it_shares() {
        let messages = opened();
        let first = messages.transact_together(|work| work.name_deleted("first"));
        let failing = messages.transact_together(|work| {
            assert!(work.deleted_recently("first")?, "one transaction");
            work.name_deleted("failing")?;
            Err::<(), _>(rusqlite::Error::InvalidQuery)
        });
        let (first, failing) = tokio::join!(first, failing);
        first.expect("committed");
        failing.expect_err("undone");
        assert!(noted(&messages, "first"));
        assert!(!noted(&messages, "failing"));
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_leaves_no_transaction_open() {
        let messages = opened();
        let call = messages.transact_together(|work| work.name_deleted("given up"));
        assert!(call.now_or_never().is_none(), "it waits for others");
        assert!(messages.store().db.is_autocommit());
        assert!(noted(&messages, "given up"));
    }

    #[tokio::test]
    async fn a_commit_that_fails_fails_every_call_of_its_transaction() {
        let messages = opened();
        let calls = ["one", "two"]
            .map(|name| messages.transact_together(move |work| work.name_deleted(name)));
        let spoil = async {
            execute(&messages.store().db, "ROLLBACK").expect("behind their backs");
        };
        let (calls, ()) = tokio::join!(futures::future::join_all(calls), spoil);
        for call in calls {
            call.expect_err("not committed");
        }
        assert!(!noted(&messages, "one"));
    }
}
