//! Which offer a person means who answers without naming one.

use callboard_contracts::view::{Answering, BOOKED_PREFIX, OFFERED_PREFIX, answers_key};
use callboard_contracts::{EntryId, StreamId};
use callboard_domain::waitlist::entry::{Entry, EntryOffer, EntryStatus};
use callboard_runtime::http::Problem;
use callboard_runtime::journal::Loaded;
use callboard_runtime::table::{Range, text};
use serde_json::{Value, json};

use super::Reply;
use crate::answer::unavailable;

/// Most entries of one kind that are looked at. One who has more offers open at once has to name
/// the one that is meant in any case; of bookings, this many lie ahead of nobody.
const LOOK_AT_MAX: i32 = 25;

/// An entry and the offer that it has, or has accepted.
pub(super) struct Meant {
    pub(super) entry_id: EntryId,
    pub(super) offer: EntryOffer,
    is_booked: bool,
    /// Something happened to the entry after the reply was written.
    is_newer: bool,
}

pub(super) enum Choice {
    One(Box<Meant>),
    Several(Vec<Meant>),
    None,
    /// The only offer there is was made after the reply was written.
    Outdated,
}

impl Meant {
    /// As a caller is told who has to choose.
    pub(super) fn told(&self) -> Value {
        json!({
            "offerId": self.offer.offer_id,
            "entryId": self.entry_id,
            "slotId": self.offer.slot_id,
            "service": self.offer.service,
            "startsAt": self.offer.starts_at,
            "expiresAt": self.offer.expires_at,
        })
    }
}

impl Reply<'_> {
    /// The one offer that stands. If none does, the last that did: it is then told why it counts
    /// no more, or that the same was answered before.
    pub(super) async fn which(&self) -> Result<Choice, Problem> {
        let mut all = self.look_up(OFFERED_PREFIX).await?;
        if !all.iter().any(|meant| self.stands(meant)) {
            all.extend(self.look_up(BOOKED_PREFIX).await?);
        }
        if let Some(named) = &self.offer {
            let named = all.into_iter().find(|meant| meant.offer.offer_id == *named);
            return Ok(named.map_or(Choice::None, |meant| Choice::One(Box::new(meant))));
        }
        let (mut open, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| self.stands(it));
        Ok(match (open.len(), open.pop()) {
            (1, Some(only)) if self.is_dated && only.is_newer => Choice::Outdated,
            (1, Some(only)) => Choice::One(Box::new(only)),
            (0, _) => {
                // An offer that ran out goes before a booking: it is the more recent.
                let last = rest
                    .into_iter()
                    .max_by_key(|it| (!it.is_booked, it.offer.expires_at));
                last.map_or(Choice::None, |meant| Choice::One(Box::new(meant)))
            }
            (_, last) => {
                open.extend(last);
                Choice::Several(open)
            }
        })
    }

    fn stands(&self, meant: &Meant) -> bool {
        !meant.is_booked && self.received_at < meant.offer.expires_at
    }

    /// What the view knows of the person, as the entries' own streams have it now.
    async fn look_up(&self, prefix: &str) -> Result<Vec<Meant>, Problem> {
        let pk = answers_key(&self.recipient);
        let range = Range {
            pk: &pk,
            prefix: Some(prefix),
            after: None,
            limit: LOOK_AT_MAX,
            consistent: false,
        };
        let page = self.deps.views.page(range).await;
        let page = page.map_err(|error| unavailable(&error))?;
        let rows = page.items.iter().filter_map(|item| text(item, "doc"));
        let mut found = Vec::new();
        for row in rows.filter_map(|doc| serde_json::from_str::<Answering>(doc).ok()) {
            let stream = StreamId::entry(&row.entry_id);
            let entry = self.deps.journal.load::<Entry>(&stream).await;
            let entry = entry.map_err(|error| unavailable(&error))?;
            found.extend(self.meant(row.entry_id, entry));
        }
        Ok(found)
    }

    fn meant(&self, entry_id: EntryId, entry: Loaded<Entry>) -> Option<Meant> {
        if entry.state.answered_by() != Some(&self.recipient) {
            return None;
        }
        let is_newer = entry.last.is_some_and(|last| self.received_at < last.at);
        let (offer, is_booked) = match entry.state.status {
            EntryStatus::Offered(offer) => (offer, false),
            // What has been is no answer to anything that is asked now.
            EntryStatus::Booked(offer) if self.received_at < offer.starts_at => (offer, true),
            _ => return None,
        };
        Some(Meant {
            entry_id,
            offer,
            is_booked,
            is_newer,
        })
    }
}
