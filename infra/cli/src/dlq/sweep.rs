//! Goes through a dead-letter queue once. SQS has no way to look without taking: what is read is
//! hidden from others meanwhile, and shown again at the end unless it was deleted.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName,
};
use callboard_runtime::fault::AwsFault;
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::watch;

use super::letter::Letter;
use super::queues::DeadLetterQueue;
use crate::error::CliError;

/// How long what is read stays hidden if nobody shows it again, in seconds: the wait after a
/// `kill -9`.
pub(crate) const HIDDEN_SECONDS: i32 = 30;

/// Entries of one call (SQS API reference).
pub(crate) const BATCH: usize = 10;

/// How long SQS looks for a message before it says that there is none, in seconds: a call without
/// a wait asks only some of its servers.
const LOOK_SECONDS: i32 = 1;

/// Letters of one round, at most a page more: each may stand for a hundred commits, which are in memory.
const ROUND: usize = 500;

/// Readers side by side.
pub(crate) const WORKERS: usize = 8;

/// Says to all readers that they have had enough.
#[derive(Debug)]
pub(crate) struct Enough(watch::Sender<bool>);

impl Default for Enough {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Enough {
    pub(crate) fn say(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn is_said(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it is said.
    pub(crate) async fn said(&self) {
        // The sender lives as long as `self`: there is no error.
        let _ = self.0.subscribe().wait_for(|said| *said).await;
    }
}

struct Sweep<'a> {
    sqs: &'a Client,
    queue: &'a DeadLetterQueue,
    enough: &'a Enough,
    /// What was handed on.
    seen: Mutex<HashSet<String>>,
    /// What is to be shown again: receipt by id.
    hidden: Mutex<HashMap<String, String>>,
}

/// Hands every letter once to `handle`, which answers with the ids of those that it deleted; up to
/// `workers` pages at a time. A letter of a FIFO queue is reached only if those of its group before
/// it are among the same ten, or gone.
///
/// # Errors
/// The first of a call or of `handle`; what was read is shown again all the same.
pub(crate) async fn sweep<H>(
    sqs: &Client,
    queue: &DeadLetterQueue,
    workers: usize,
    enough: &Enough,
    handle: H,
) -> Result<(), CliError>
where
    H: AsyncFn(Vec<Letter>) -> Result<Vec<String>, CliError>,
{
    let sweep = Sweep::new(sqs, queue, enough);
    // Each comes to an end of its own: one broken off might have sent and not yet deleted.
    let ends = join_all((0..workers).map(|_| sweep.work(&handle))).await;
    let shown = sweep.show_again().await;
    ends.into_iter().collect::<Result<(), _>>()?;
    shown
}

impl<'a> Sweep<'a> {
    fn new(sqs: &'a Client, queue: &'a DeadLetterQueue, enough: &'a Enough) -> Self {
        Self {
            sqs,
            queue,
            enough,
            seen: Mutex::default(),
            hidden: Mutex::default(),
        }
    }

    async fn work<H>(&self, handle: &H) -> Result<(), CliError>
    where
        H: AsyncFn(Vec<Letter>) -> Result<Vec<String>, CliError>,
    {
        let outcome = self.pages(handle).await;
        if outcome.is_err() {
            self.enough.say();
        }
        outcome
    }

    async fn pages<H>(&self, handle: &H) -> Result<(), CliError>
    where
        H: AsyncFn(Vec<Letter>) -> Result<Vec<String>, CliError>,
    {
        while !self.enough.is_said() {
            let page = self.receive().await?;
            if page.is_empty() {
                break;
            }
            let new = self.noted(page);
            if !new.is_empty() {
                let gone = handle(new).await?;
                let mut hidden = lock(&self.hidden);
                for id in gone {
                    hidden.remove(&id);
                }
            }
        }
        Ok(())
    }

    async fn receive(&self) -> Result<Vec<Message>, CliError> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(&self.queue.url)
            .max_number_of_messages(BATCH as i32)
            .visibility_timeout(HIDDEN_SECONDS)
            .wait_time_seconds(LOOK_SECONDS)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .map_err(|error| AwsFault::of("ReceiveMessage", error))?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Those that were not handed on before; of the others the newer receipt counts.
    fn noted(&self, page: Vec<Message>) -> Vec<Letter> {
        let mut seen = lock(&self.seen);
        let mut hidden = lock(&self.hidden);
        let letters = page
            .into_iter()
            .map(|message| Letter::new(&self.queue.name, message));
        letters
            .inspect(|letter| {
                hidden.insert(letter.id.clone(), letter.receipt.clone());
            })
            .filter(|letter| seen.insert(letter.id.clone()))
            .collect()
    }

    async fn show_again(&self) -> Result<(), CliError> {
        self.hide(0).await?;
        lock(&self.hidden).clear();
        Ok(())
    }

    /// Hides what is in hand for so many seconds from now on; with 0 it is shown.
    async fn hide(&self, seconds: i32) -> Result<(), CliError> {
        let receipts: Vec<String> = lock(&self.hidden).values().cloned().collect();
        let calls = receipts.chunks(BATCH).map(|chunk| async move {
            let entries = chunk.iter().enumerate().map(|(at, receipt)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(at.to_string())
                    .receipt_handle(receipt)
                    .visibility_timeout(seconds)
                    .build()
                    .expect("id and receipt are set")
            });
            // An entry that fails is one whose time is over, and is shown already.
            self.sqs
                .change_message_visibility_batch()
                .queue_url(&self.queue.url)
                .set_entries(Some(entries.collect()))
                .send()
                .await
                .map_err(|error| AwsFault::of("ChangeMessageVisibilityBatch", error))?;
            Ok::<_, CliError>(())
        });
        let calls = stream::iter(calls).buffer_unordered(WORKERS);
        calls.try_collect::<()>().await
    }

    async fn rounds<H>(&self, handle: &H) -> Result<(), CliError>
    where
        H: AsyncFn(Vec<Letter>, &Gone) -> Result<(), CliError>,
    {
        while !self.enough.is_said() {
            let round = self.held(self.gather()).await?;
            if round.is_empty() {
                break;
            }
            let gone = Gone::default();
            let outcome = self.held(handle(round, &gone)).await;
            lock(&self.hidden).retain(|id, _| !lock(&gone.0).contains(id));
            outcome?;
        }
        Ok(())
    }

    /// The next letters, up to [`ROUND`] or a page more.
    async fn gather(&self) -> Result<Vec<Letter>, CliError> {
        let mut round = Vec::new();
        while round.len() < ROUND && !self.enough.is_said() {
            let page = self.receive().await?;
            if page.is_empty() {
                break;
            }
            round.extend(self.noted(page));
        }
        Ok(round)
    }

    /// Runs `work` while what is in hand stays hidden, however long it takes.
    async fn held<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let every = Duration::from_secs(HIDDEN_SECONDS.unsigned_abs().into()) / 3;
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(every) => {}
            }
            if let Err(error) = self.hide(HIDDEN_SECONDS).await {
                // What is shown too early is at worst replayed twice.
                tracing::warn!(%error, "letters in hand could not be kept hidden");
            }
        }
    }
}

/// Ids of letters that were deleted.
#[derive(Debug, Default)]
pub(crate) struct Gone(Mutex<HashSet<String>>);

impl Gone {
    pub(crate) fn add(&self, ids: &[String]) {
        lock(&self.0).extend(ids.iter().cloned());
    }
}

/// Hands letters to `handle` many at a time, each once, and keeps them hidden meanwhile; for letters
/// whose order or common cost matters more than their speed.
///
/// # Errors
/// The first of a call or of `handle`; what was read is shown again all the same.
pub(crate) async fn in_rounds<H>(
    sqs: &Client,
    queue: &DeadLetterQueue,
    enough: &Enough,
    handle: H,
) -> Result<(), CliError>
where
    H: AsyncFn(Vec<Letter>, &Gone) -> Result<(), CliError>,
{
    let sweep = Sweep::new(sqs, queue, enough);
    let end = sweep.rounds(&handle).await;
    if end.is_err() {
        enough.say();
    }
    let shown = sweep.show_again().await;
    end?;
    shown
}

/// Deletes letters; answers with those that are gone.
///
/// # Errors
/// [`CliError::Aws`] if the call fails; what it was to delete is then still there.
pub(crate) async fn delete(
    sqs: &Client,
    queue: &DeadLetterQueue,
    letters: &[&Letter],
) -> Result<Vec<String>, CliError> {
    let mut gone = Vec::with_capacity(letters.len());
    for chunk in letters.chunks(BATCH) {
        let entries = chunk.iter().enumerate().map(|(at, letter)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(at.to_string())
                .receipt_handle(&letter.receipt)
                .build()
                .expect("id and receipt are set")
        });
        let deleted = sqs
            .delete_message_batch()
            .queue_url(&queue.url)
            .set_entries(Some(entries.collect()))
            .send()
            .await
            .map_err(|error| AwsFault::of("DeleteMessageBatch", error))?;
        let ids = deleted.successful.iter().filter_map(|entry| {
            let at: usize = entry.id.parse().ok()?;
            Some(chunk.get(at)?.id.clone())
        });
        gone.extend(ids);
    }
    Ok(gone)
}

/// A poisoned lock still guards whole values here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
