//! What stands in the table `views` for one stream: pure, from fold to rows.
//!
//! The rows of a stream follow from its document alone. So the rows to take away are known as
//! well: those of the document that stood there before, less those of the new one. And a row's key
//! says whose it is.

use callboard_contracts::StreamId;
use callboard_contracts::stream::Fold;
use callboard_contracts::view::{
    Answering, BOOKED_PREFIX, Candidate, EntryView, OFFERED_PREFIX, RecentSlot, SlotView,
    VIEW_SORT_KEY, answers_key, board_key, calendar_key, calendar_sort_key, candidate_sort_key,
    candidates_key, front_key, front_sort_key, open_slots_key, recent_key, recent_sort_key,
};
use callboard_domain::waitlist::entry::{Entry, EntryStatus};
use callboard_domain::waitlist::slot::{Slot, SlotStatus};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::figures;

/// Where a row stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

/// A row: its place and its document as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it stands.
    pub key: Key,
    /// The document.
    pub doc: String,
    /// It does not say which commit it has seen, so that it need not be written while its document
    /// stays as it is.
    pub lasting: bool,
}

impl Row {
    /// A row that says which commit it has seen.
    #[must_use]
    pub const fn new(pk: String, sk: String, doc: String) -> Self {
        Self {
            key: key(pk, sk),
            doc,
            lasting: false,
        }
    }

    /// A row that lasts while its document stays as it is.
    #[must_use]
    pub fn lasting(pk: String, sk: String, doc: String) -> Self {
        Self {
            lasting: true,
            ..Self::new(pk, sk, doc)
        }
    }
}

/// The document of one kind of stream.
pub trait Document: Serialize + DeserializeOwned + Sized + Send + Sync {
    /// What it is made from.
    type State: Fold;

    /// The document of a state; none while nothing has happened.
    fn of(state: &Self::State) -> Option<Self>;

    /// The rows that stand beside the one of [`Key::of`] at the moment.
    ///
    /// # Errors
    /// If a document cannot be written as JSON.
    fn rows_beside(&self) -> Result<Vec<Row>, serde_json::Error>;
}

const fn key(pk: String, sk: String) -> Key {
    Key { pk, sk }
}

impl Key {
    /// The key of the one row that shows all of `stream`.
    #[must_use]
    pub fn of(stream: &StreamId) -> Self {
        key(stream.as_str().to_owned(), VIEW_SORT_KEY.to_owned())
    }

    /// The stream that a row under this key would be of; none if no row of ours has such a key.
    #[must_use]
    pub fn owner(&self) -> Option<StreamId> {
        let entry = |id: &str| format!("entry#{id}");
        let stream = match self.pk.split_once('#')?.0 {
            _ if self.sk == VIEW_SORT_KEY => self.pk.clone(),
            "waitlist" | "open" => self.sk.clone(),
            "recent" | "calendar" => self.sk.split_once('#')?.1.to_owned(),
            "candidates" | "recipient" => entry(self.sk.split_once('#')?.1),
            "figures" => match self.sk.split('#').collect::<Vec<_>>()[..] {
                ["slot", id, _] => format!("slot#{id}"),
                ["override", id, _] => entry(id),
                // Ended, or waiting since.
                ["entry", id] | [_, id] => entry(id),
                _ => return None,
            },
            _ => return None,
        };
        StreamId::try_from(stream).ok()
    }
}

impl Document for SlotView {
    type State = Slot;

    fn of(slot: &Slot) -> Option<Self> {
        let facts = slot.facts.as_ref()?;
        let (state, entry_id, offer_id, expires_at) = match &slot.status {
            SlotStatus::Absent => return None,
            SlotStatus::Open { .. } => ("open", None, None, None),
            SlotStatus::Held { offers, expires_at } => match offers.as_slice() {
                [only] => (
                    "held",
                    Some(&only.entry_id),
                    Some(&only.offer_id),
                    Some(*expires_at),
                ),
                _ => ("held", None, None, Some(*expires_at)),
            },
            SlotStatus::Broadcast { ends_at } => ("broadcast", None, None, Some(*ends_at)),
            SlotStatus::Filled {
                offer_id, entry_id, ..
            } => ("booked", Some(entry_id), Some(offer_id), None),
            SlotStatus::Booked { .. } => ("booked", None, None, None),
            SlotStatus::OpenedToPublic => ("opened-to-public", None, None, None),
            SlotStatus::Withdrawn => ("withdrawn", None, None, None),
        };
        Some(Self {
            slot_id: facts.slot_id.clone(),
            waitlist_id: facts.waitlist_id.clone(),
            state: state.to_owned(),
            slot_version: facts.version,
            service: facts.service.clone(),
            starts_at: facts.starts_at,
            ends_at: facts.ends_at,
            location: facts.location.clone(),
            provider: facts.provider.clone(),
            zone: facts.zone.clone(),
            entry_id: entry_id.cloned(),
            offer_id: offer_id.cloned(),
            expires_at,
            offers: u32::try_from(slot.offered.len()).unwrap_or(u32::MAX),
            offered_at: slot.offered_at,
            tallies: slot.tallies.clone(),
        })
    }

    fn rows_beside(&self) -> Result<Vec<Row>, serde_json::Error> {
        let shown = Self {
            tallies: Vec::new(),
            ..self.clone()
        };
        let doc = serde_json::to_string(&shown)?;
        let sk = format!("slot#{}", self.slot_id);
        let board = board_key(&self.waitlist_id);
        let calendar = calendar_key(&self.waitlist_id);
        let start = calendar_sort_key(self.starts_at, &self.slot_id);
        let mut rows = vec![
            Row::new(board, sk.clone(), doc.clone()),
            Row::new(calendar, start, doc.clone()),
        ];
        // Who comes while a slot is broadcast is told of it.
        if ["open", "broadcast"].contains(&self.state.as_str()) {
            let pk = open_slots_key(&self.waitlist_id, &self.service);
            rows.push(Row::new(pk, sk, doc));
        }
        if let Some(offered_at) = self.offered_at {
            let recent = RecentSlot {
                slot_id: self.slot_id.clone(),
                offered_at,
            };
            rows.push(Row::lasting(
                recent_key(&self.waitlist_id, &self.service),
                recent_sort_key(offered_at, &self.slot_id),
                serde_json::to_string(&recent)?,
            ));
        }
        rows.extend(figures::of_slot(self)?);
        Ok(rows)
    }
}

impl Document for EntryView {
    type State = Entry;

    fn of(entry: &Entry) -> Option<Self> {
        let facts = entry.facts.as_ref()?;
        let (state, offer) = match &entry.status {
            EntryStatus::Absent => return None,
            EntryStatus::Waiting => ("waiting", None),
            EntryStatus::Offered(offer) => ("offered", Some(offer)),
            EntryStatus::Paused(_) => ("paused", None),
            EntryStatus::Booked(offer) => ("booked", Some(offer)),
            EntryStatus::GivenUp { booking, .. } => ("given-up", Some(booking)),
            EntryStatus::Left => ("left", None),
        };
        let live = offer.filter(|_| state == "offered");
        Some(Self {
            entry_id: facts.entry_id.clone(),
            waitlist_id: facts.waitlist_id.clone(),
            recipient_id: facts.recipient_id.clone(),
            proxy_id: entry.wishes.proxy_id.clone(),
            state: state.to_owned(),
            service: facts.service.clone(),
            urgency: entry.urgency()?,
            joined_at: facts.joined_at,
            slot_id: offer.map(|offer| offer.slot_id.clone()),
            expires_at: live.map(|offer| offer.expires_at),
            skips: entry.skips,
            overridden_at: entry.candidate()?.overridden_at,
            ended_at: entry.ended_at,
            overrides: Some(entry.overrides.clone()),
        })
    }

    fn rows_beside(&self) -> Result<Vec<Row>, serde_json::Error> {
        let mut rows = vec![Row::new(
            board_key(&self.waitlist_id),
            format!("entry#{}", self.entry_id),
            serde_json::to_string(self)?,
        )];
        let answering = match self.state.as_str() {
            "offered" => Some(OFFERED_PREFIX),
            "booked" => Some(BOOKED_PREFIX),
            _ => None,
        };
        if let Some(prefix) = answering {
            let entry_id = self.entry_id.clone();
            let answers = self.proxy_id.as_ref().unwrap_or(&self.recipient_id);
            rows.push(Row::new(
                answers_key(answers),
                format!("{prefix}{entry_id}"),
                serde_json::to_string(&Answering { entry_id })?,
            ));
        }
        if matches!(self.state.as_str(), "waiting" | "offered") {
            let candidate = Candidate {
                entry_id: self.entry_id.clone(),
                joined_at: self.joined_at,
                urgency: self.urgency,
                offered_until: self.expires_at,
                overridden_at: self.overridden_at,
            };
            let Key { pk, sk } = candidate_key(self);
            rows.push(Row::new(pk, sk, serde_json::to_string(&candidate)?));
        }
        rows.extend(figures::of_entry(self)?);
        Ok(rows)
    }
}

/// Where an entry stands among the candidates: in its class of urgency, or in the class of those
/// whom staff moved to the front.
fn candidate_key(entry: &EntryView) -> Key {
    let (waitlist, service) = (&entry.waitlist_id, &entry.service);
    match entry.overridden_at {
        Some(at) => key(
            front_key(waitlist, service),
            front_sort_key(at, entry.joined_at, &entry.entry_id),
        ),
        None => key(
            candidates_key(waitlist, service, entry.urgency),
            candidate_sort_key(entry.joined_at, &entry.entry_id),
        ),
    }
}
