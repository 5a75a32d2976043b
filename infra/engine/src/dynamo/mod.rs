//! DynamoDB and its streams, by the crate `dynoxide-rs`.
//!
//! The crate's `Storage` and its actions are used below its `Database` facade, because only there
//! can one have all of: the engine's clock, an index on the stream records (without it each write
//! costs a scan of them), trimming, and dispatch without a socket. What the crate gets wrong for
//! our use is mended here and named where it is mended; the expression language, validation,
//! transactions and indexes are the crate's own.

mod arns;
mod dispatch;
mod front;
mod refusal;
mod retold;
mod settings;
mod streams;
mod tables;
mod tokens;
mod upkeep;
mod validate;

use crate::Clock;
use crate::config::EngineError;
use crate::scope::Scope;
use crate::wire::{Answer, Call, JSON};
use arns::Arns;
use dynoxide::DynoxideError;
use dynoxide::actions::vector_lifecycle::VectorIndexLifecycle;
use dynoxide::storage::Storage;
use refusal::{Outcome, Refusal};
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokens::Tokens;
use tokio::sync::Notify;
use validate::Reading;
use validate::deep::{self, Way};

pub(crate) use front::{not_found, unnamed};

/// Makes the crate's `MAX(CAST(sequence_number …))` and its reads of a shard cost the same however
/// long the stream is.
const STREAM_INDEX: &str = "CREATE INDEX IF NOT EXISTS _callboard_stream_sequence \
     ON _stream_records(table_name, CAST(sequence_number AS INTEGER))";

/// Prepared statements kept: those of some tables.
const STATEMENTS: usize = 256;

/// A database of this connection alone, in memory, behind a page cache of SQLite's usual 2 MB.
/// Not `:memory:`: there the cache *is* the database, and SQLite walks through all of it at the
/// end of every transaction that has split a page in the middle, so that writing cost more the
/// longer a table was (a fifth of all time at 100,000 commits). It holds 1 GiB at most
/// (`SQLITE_MEMDB_DEFAULT_MAXSIZE`): about 600,000 commits with their stream records.
const IN_MEMORY: &str = "file:callboard?vfs=memdb";

pub(crate) struct Dynamo {
    storage: Mutex<Storage>,
    tokens: Mutex<Tokens>,
    vectors: VectorIndexLifecycle,
    arns: Arns,
    clock: Clock,
    /// Row id of the last stream record seen, to tell writes that left one.
    last_record: AtomicI64,
    /// Told when a stream has a new record.
    recorded: Notify,
}

impl std::fmt::Debug for Dynamo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dynamo")
    }
}

impl Dynamo {
    pub(crate) fn open(
        file: Option<PathBuf>,
        clock: Clock,
        scope: &Scope,
    ) -> Result<Dynamo, EngineError> {
        let failed = |error: DynoxideError| match &file {
            Some(path) => EngineError::Damaged {
                path: path.clone(),
                detail: error.to_string(),
            },
            None => EngineError::Storage(error.to_string()),
        };
        let storage = match &file {
            Some(path) => Storage::new(&path.to_string_lossy()),
            None => Storage::new(IN_MEMORY),
        }
        .map_err(failed)?
        .with_clock(Arc::new(clock.clone()));
        // WAL without a sync per commit outlives the process, which is what is promised. In
        // memory there is no WAL, and what can be undone is kept in memory as well.
        let journal = match &file {
            Some(_) => "",
            None => "PRAGMA journal_mode = MEMORY;",
        };
        // rusqlite keeps 16, of which the crate alone has twice as many for each table.
        storage
            .conn()
            .set_prepared_statement_cache_capacity(STATEMENTS);
        storage
            .conn()
            .execute_batch(&format!(
                "{journal} PRAGMA synchronous = NORMAL; {STREAM_INDEX};"
            ))
            .map_err(|error| failed(error.into()))?;
        upkeep::index_all(&storage).map_err(failed)?;
        settings::prepare(&storage).map_err(failed)?;
        streams::adopt_all(&storage, &clock).map_err(failed)?;
        let last = streams::last_record(&storage);
        Ok(Dynamo {
            storage: Mutex::new(storage),
            tokens: Mutex::new(Tokens::default()),
            vectors: VectorIndexLifecycle::new(),
            arns: Arns::new(&scope.region, &scope.account),
            clock,
            last_record: AtomicI64::new(last),
            recorded: Notify::new(),
        })
    }

    /// The storage, for one operation. A panic inside the crate rolls back with its transaction, so
    /// a poisoned lock is taken all the same.
    fn storage(&self) -> MutexGuard<'_, Storage> {
        self.storage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn answer(&self, operation: &str, call: &Call) -> Answer {
        let Some(media_type) = front::media_type(call) else {
            return front::dressed(front::not_found(), JSON);
        };
        front::dressed(self.judged(operation, call).await, media_type)
    }

    async fn judged(&self, operation: &str, call: &Call) -> Answer {
        if !validate::known(operation) {
            tracing::warn!(
                operation,
                "an operation of DynamoDB that the engine does not have was called"
            );
            return front::unknown_operation(call);
        }
        if let Some(refusal) = front::unsigned(call) {
            return front::unreadable(call).unwrap_or(refusal);
        }
        let Ok(body) = std::str::from_utf8(&call.body) else {
            return refusal::unreadable();
        };
        let (outcome, older) = match validate::read(operation, body) {
            Ok(reading) => (
                self.outcome(operation, body, call, &reading).await,
                reading.older,
            ),
            Err(refusal) => (Err(refusal.into()), false),
        };
        match outcome {
            Ok(json) => Answer::json(200, self.arns.outward(operation, json)),
            Err(error) => {
                let answer = refusal::answer(operation, body, older, error);
                Answer {
                    body: self.arns.outward(operation, answer.body),
                    ..answer
                }
            }
        }
    }

    async fn outcome(
        &self,
        operation: &str,
        body: &str,
        call: &Call,
        reading: &Reading<'_>,
    ) -> Outcome<String> {
        let mut body = Cow::Borrowed(body);
        if reading.fractional && !reading.beyond_serde {
            body = Cow::Owned(validate::whole(&body)?);
        }
        if reading.beyond_serde {
            match deep::way(operation, &body, reading) {
                Way::Unreadable => {
                    return Err(DynoxideError::SerializationException(String::new()).into());
                }
                Way::Run(shallow) => body = Cow::Owned(shallow),
                Way::Refuse { body, words } => {
                    dispatch::members(operation, &body)?;
                    return Err(DynoxideError::ValidationException(words).into());
                }
            }
        }
        if let Some(words) = retold::of_types(operation, &body) {
            return Err(DynoxideError::ValidationException(words).into());
        }
        let body = self.arns.inward(&body).map_err(Refusal::Foreign)?;
        if operation == "GetRecords" {
            return self.get_records(&body, streams::wait(call)).await;
        }
        self.dispatch(operation, &body).unwrap_or_else(|| {
            let words = format!("{operation} has a shape and nothing that runs it");
            Err(DynoxideError::InternalServerError(words).into())
        })
    }

    /// Wakes who waits for records, if the operation just run left any.
    fn tell_of_records(&self, storage: &Storage) {
        let last = streams::last_record(storage);
        if self.last_record.swap(last, Ordering::AcqRel) != last {
            self.recorded.notify_waiters();
        }
    }
}
