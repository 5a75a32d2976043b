//! What can go wrong with the journal, typed by what a caller does about it.

use callboard_contracts::{DecodeError, StreamId};

use super::committed::Committed;
use super::size::ITEM_BYTES_MAX;
use crate::fault::AwsFault;

/// A commit that must not be tried: known before any call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// No event in it.
    #[error("a commit to {0} holds no event")]
    Empty(StreamId),
    /// More events than the envelope's `sequence` can sort.
    #[error("a commit to {stream} holds {events} events, at most {EVENTS_MAX} are allowed")]
    TooMany {
        /// The stream.
        stream: StreamId,
        /// How many.
        events: usize,
    },
    /// Larger than an item may be.
    #[error("a commit to {stream} has {bytes} bytes, at most {ITEM_BYTES_MAX} are allowed")]
    TooLarge {
        /// The stream.
        stream: StreamId,
        /// Its size as DynamoDB counts.
        bytes: usize,
    },
    /// Two commits to one stream in one transaction.
    #[error("two commits to {0} in one transaction")]
    Twice(StreamId),
    /// More writes than a transaction may have.
    #[error("a transaction of {0} writes, at most {TRANSACTION_ITEMS_MAX} are allowed")]
    Transaction(usize),
}

/// Events in one commit: the index in `sequence` has two digits, so that it sorts as text.
pub const EVENTS_MAX: usize = 100;

/// Writes in one transaction (DynamoDB API reference, `TransactWriteItems`).
pub const TRANSACTION_ITEMS_MAX: usize = 100;

/// The journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// DynamoDB said no.
    #[error(transparent)]
    Aws(#[from] AwsFault),
    /// An event in it cannot be read by this version of the code.
    #[error("{stream}@{number} cannot be read")]
    Decode {
        /// The stream.
        stream: StreamId,
        /// The commit.
        number: u64,
        /// Which type, and why.
        source: DecodeError,
    },
    /// An item is not a commit.
    #[error("the item {key} is not a commit: attribute {attribute}")]
    Damaged {
        /// Its key, as far as it can be read.
        key: String,
        /// What is missing or malformed.
        attribute: &'static str,
    },
    /// Commits are missing from the stream: it is being forgotten (TTL), or was damaged.
    #[error("{stream} has no commit {missing} any more")]
    Gap {
        /// The stream.
        stream: StreamId,
        /// The first number that is missing, counted from the tail.
        missing: u64,
    },
}

impl JournalError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Aws(fault) => fault.is_retryable(),
            Self::Decode { source, .. } => source.is_of_other_version(),
            Self::Damaged { .. } | Self::Gap { .. } => false,
        }
    }
}

/// Somebody else has written the commit number.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// The stream.
    pub stream: StreamId,
    /// The number that was taken.
    pub number: u64,
    /// What stands there. It proves that the race is lost, no more: load the stream and decide
    /// again on its fold.
    pub winner: Option<Box<Committed>>,
    /// Hash of the cause of the commit that lost.
    pub cause_hash: String,
}

impl Conflict {
    /// Whether the winner came from the very same cause: a redelivery of what is done already.
    /// `Some(false)` is the same key with another payload. Compared is the hash of the *cause*,
    /// for an honest redelivery after a deployment may decide differently.
    #[must_use]
    pub fn same_cause(&self) -> Option<bool> {
        self.winner
            .as_ref()
            .map(|winner| winner.cause.hash == self.cause_hash)
    }
}

/// Why a commit was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The race for the commit number is lost.
    #[error("{}@{} is taken", .0.stream, .0.number)]
    Conflict(Conflict),
    /// The condition of an extra write in the transaction failed; nothing was written.
    #[error("the condition of extra write {index} failed")]
    Also {
        /// Its index among the extra writes, from 0.
        index: usize,
        /// The item it met, if the write asked for it.
        found: Option<std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>>,
    },
    /// It must not be tried.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The journal could not be written. Whether the commit stands there may be unknown; the
    /// same [`Commit`](super::Commit) may be appended again without harm.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl From<AwsFault> for AppendError {
    fn from(fault: AwsFault) -> Self {
        Self::Journal(fault.into())
    }
}
