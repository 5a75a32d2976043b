//! The kinds of stream that views are made of. Which state and which document belong to a kind is
//! said here, once for messages and rebuilds.

use callboard_contracts::view::{EntryView, SlotView};
use callboard_contracts::{Fold, StreamId, Timestamp};
use callboard_domain::waitlist::{Entry, Slot};
use callboard_runtime::failure::Failure;
use callboard_runtime::journal::{Committed, Journal, JournalError, Passing};

use crate::rows::Rows;
use crate::view::{Document, Row};

/// A kind of stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Slots.
    Slot,
    /// Entries.
    Entry,
}

/// A set of rows that has a name. Its rows are those of all streams of its kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// All that the projector writes: boards, candidates, open slots, each slot and entry.
    Waitlist,
    /// Slots: each by itself, on its board, among the open ones.
    Slots,
    /// Entries: each by itself, on its board, among the candidates.
    Entries,
}

impl View {
    /// Every view.
    pub const ALL: [Self; 3] = [Self::Waitlist, Self::Slots, Self::Entries];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waitlist => "waitlist",
            Self::Slots => "slots",
            Self::Entries => "entries",
        }
    }

    /// The kinds of stream that it shows.
    #[must_use]
    pub const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Waitlist => &[Kind::Slot, Kind::Entry],
            Self::Slots => &[Kind::Slot],
            Self::Entries => &[Kind::Entry],
        }
    }

    /// The kind of `stream`, if this view shows it.
    #[must_use]
    pub fn shows(self, stream: &StreamId) -> Option<Kind> {
        Kind::of(stream).filter(|kind| self.kinds().contains(kind))
    }
}

/// Calls a generic function with the document of a kind.
macro_rules! with_document {
    ($kind:expr, $document:ident => $call:expr) => {
        match $kind {
            Kind::Slot => {
                type $document = SlotView;
                $call
            }
            Kind::Entry => {
                type $document = EntryView;
                $call
            }
        }
    };
}

impl Kind {
    /// The kind of `stream`; none if no view is made of it.
    #[must_use]
    pub fn of(stream: &StreamId) -> Option<Self> {
        match stream.kind() {
            "slot" => Some(Self::Slot),
            "entry" => Some(Self::Entry),
            _ => None,
        }
    }

    /// What the ids of its streams begin with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Slot => "slot#",
            Self::Entry => "entry#",
        }
    }

    /// The version of the fold behind its documents.
    #[must_use]
    pub const fn fold_version(self) -> u32 {
        with_document!(self, D => <<D as Document>::State as Fold>::VERSION)
    }

    /// The rows of `stream` at its tail, or as it was at a time; none if there is nothing of it.
    ///
    /// # Errors
    /// [`Failure`]: terminal if the journal holds what cannot be read, else retryable.
    pub async fn load(
        self,
        journal: &Journal,
        stream: &StreamId,
        until: Option<Timestamp>,
    ) -> Result<Option<Rows>, Failure> {
        with_document!(self, D => load::<D>(journal, stream, until).await)
    }

    /// The rows beside a main row with this document; none if it is not one of this version's.
    #[must_use]
    pub fn beside(self, doc: &str) -> Option<Vec<Row>> {
        with_document!(self, D => serde_json::from_str::<D>(doc).ok()?.rows_beside().ok())
    }
}

async fn load<D: Document>(
    journal: &Journal,
    stream: &StreamId,
    until: Option<Timestamp>,
) -> Result<Option<Rows>, Failure> {
    let loaded = match until {
        None => journal.load::<D::State>(stream).await?,
        Some(until) => journal.load_as_of::<D::State>(stream, until).await?,
    };
    Rows::of::<D>(&loaded).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> Failure {
    Failure::terminal("a view's document cannot be written").because(error)
}

/// A stream that is folded while its commits pass by, of whichever kind.
#[derive(Debug)]
pub enum Folding {
    /// A slot.
    Slot(Passing<Slot>),
    /// An entry.
    Entry(Passing<Entry>),
}

impl Folding {
    /// A stream of which nothing was shown yet.
    #[must_use]
    pub fn new(kind: Kind, stream: StreamId) -> Self {
        match kind {
            Kind::Slot => Self::Slot(Passing::new(stream)),
            Kind::Entry => Self::Entry(Passing::new(stream)),
        }
    }

    /// The next commit, or why it cannot be read.
    #[must_use]
    pub fn pass(self, commit: Result<&Committed, JournalError>) -> Self {
        match self {
            Self::Slot(passing) => Self::Slot(passing.pass(commit)),
            Self::Entry(passing) => Self::Entry(passing.pass(commit)),
        }
    }

    /// The rows of the stream as far as it was shown.
    ///
    /// # Errors
    /// [`Failure`]: terminal, for what passed cannot be read or is not whole.
    pub fn end(self) -> Result<Option<Rows>, Failure> {
        match self {
            Self::Slot(passing) => Rows::of::<SlotView>(&passing.end()?),
            Self::Entry(passing) => Rows::of::<EntryView>(&passing.end()?),
        }
        .map_err(unwritable)
    }
}
