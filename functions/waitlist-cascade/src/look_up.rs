//! Who waits, and which slots are open: the two questions asked of the table `views`.
//!
//! Views are behind the journal. What is found here is only where to look first: every entry
//! and every slot is read again, strongly consistent, before anything is decided about it.

use callboard_contracts::view::{self, candidates_key, open_slots_key};
use callboard_contracts::waitlist::Urgency;
use callboard_contracts::{SlotId, Timestamp, WaitlistId};
use callboard_domain::waitlist::rank::{self, Candidate};
use callboard_domain::waitlist::slot::{Slot, SlotFacts};
use callboard_domain::waitlist::timing::Timing;
use callboard_runtime::failure::Failure;
use callboard_runtime::table::{self, Item, Page, Range, Table};

/// Candidates whose journal is looked at for one slot. Each was free when the view was written;
/// that sixteen in a row have changed since is a matter for the next look-up.
pub const CANDIDATES_MAX: usize = 16;

/// Rows read at once: [`CANDIDATES_MAX`] and some to pass over. A row has about 300 bytes, so a
/// page is one read unit or two.
const PAGE_ROWS: i32 = 25;

/// Pages read of one class for one slot: 1,000 people who were all offered this slot before, or
/// hold another offer. A class in which more of them stand in front is taken for empty.
const PAGES_MAX: usize = 40;

/// Open slots that one new entry is tried on. It can be offered one of them only.
const OPEN_SLOTS_MAX: i32 = 25;

/// The table of views, as this function reads it.
#[derive(Debug, Clone)]
pub struct Views {
    table: Table,
}

/// The outcome of a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookUp {
    /// Who to ask, the first first; at most [`CANDIDATES_MAX`].
    pub ranked: Vec<Candidate>,
    /// The time of the newest commit that the rows read had seen; absent if there were none.
    pub as_of: Option<Timestamp>,
}

/// The usable heads of one class.
#[derive(Debug, Default)]
struct Class {
    heads: Vec<Candidate>,
    as_of: Option<Timestamp>,
}

impl Views {
    /// The views in `table`.
    #[must_use]
    pub const fn new(table: Table) -> Self {
        Self { table }
    }

    /// The entries that should be asked next for `slot`, ranked at `now`: those the view knows,
    /// and `joined`, which it may not know yet. Left out is who was offered this version of the
    /// slot, and who holds another offer as far as the view knows.
    ///
    /// # Errors
    /// [`Failure`] (retryable) when the table cannot be read.
    pub async fn candidates(
        &self,
        slot: &Slot,
        facts: &SlotFacts,
        joined: Option<&Candidate>,
        timing: &Timing,
        now: Timestamp,
    ) -> Result<LookUp, Failure> {
        let class = |urgency| self.class(slot, facts, urgency, timing, now);
        let [routine, soon, urgent] = Urgency::ALL.map(class);
        let (routine, soon, urgent) = tokio::try_join!(routine, soon, urgent)?;
        let mut classes = [routine, soon, urgent];
        if let Some(joined) = joined.filter(|joined| !slot.offered.contains(&joined.entry_id)) {
            let class = &mut classes[joined.urgency as usize];
            class.add(joined);
        }
        let as_of = classes.iter().filter_map(|class| class.as_of).max();
        let heads = classes.into_iter().map(|class| class.heads).collect();
        Ok(LookUp {
            ranked: rank::merge(heads, facts.max_wait(), now)
                .take(CANDIDATES_MAX)
                .collect(),
            as_of,
        })
    }

    async fn class(
        &self,
        slot: &Slot,
        facts: &SlotFacts,
        urgency: Urgency,
        timing: &Timing,
        now: Timestamp,
    ) -> Result<Class, Failure> {
        let pk = candidates_key(&facts.waitlist_id, &facts.service, urgency);
        let mut class = Class::default();
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page = self.page(&pk, PAGE_ROWS, after.as_deref()).await?;
            for item in &page.items {
                let row: view::Candidate = document(item)?;
                class.as_of = class.as_of.max(as_of(item));
                let busy = row
                    .offered_until
                    .is_some_and(|until| now < until.plus(timing.hold_grace));
                if !busy && !slot.offered.contains(&row.entry_id) {
                    let candidate = Candidate::new(row.entry_id, urgency, row.joined_at);
                    class.heads.push(candidate);
                }
            }
            after = page.next;
            if after.is_none() || class.heads.len() >= CANDIDATES_MAX {
                return Ok(class);
            }
        }
        tracing::warn!(
            waitlist_id = %facts.waitlist_id,
            slot_id = %facts.slot_id,
            urgency = urgency.as_str(),
            pages = PAGES_MAX,
            "a class of candidates was not read to its end"
        );
        Ok(class)
    }

    /// Open slots that somebody who waits for `service` could be offered.
    ///
    /// # Errors
    /// [`Failure`] (retryable) when the table cannot be read.
    pub async fn open_slots(
        &self,
        waitlist: &WaitlistId,
        service: &str,
    ) -> Result<Vec<SlotId>, Failure> {
        let pk = open_slots_key(waitlist, service);
        let page = self.page(&pk, OPEN_SLOTS_MAX, None).await?;
        let slot = |item| document::<view::SlotView>(item).map(|slot| slot.slot_id);
        page.items.iter().map(slot).collect()
    }

    async fn page(&self, pk: &str, limit: i32, after: Option<&str>) -> Result<Page, Failure> {
        let range = Range {
            pk,
            prefix: None,
            after,
            limit,
            consistent: false,
        };
        Ok(self.table.page(range).await?)
    }
}

impl Class {
    /// Puts `joined` in its place, unless it is there already.
    fn add(&mut self, joined: &Candidate) {
        if self
            .heads
            .iter()
            .all(|head| head.entry_id != joined.entry_id)
        {
            let before = |head: &Candidate| {
                (head.joined_at, &head.entry_id) < (joined.joined_at, &joined.entry_id)
            };
            let at = self.heads.partition_point(before);
            self.heads.insert(at, joined.clone());
        }
    }
}

fn document<T: serde::de::DeserializeOwned>(item: &Item) -> Result<T, Failure> {
    // Passing over a row that cannot be read would pass over a person: the view needs a rebuild.
    table::text(item, "doc")
        .and_then(|doc| serde_json::from_str(doc).ok())
        .ok_or_else(|| Failure::retryable("a row of the views cannot be read"))
}

fn as_of(item: &Item) -> Option<Timestamp> {
    table::number(item, "as_of").map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard_contracts::EntryId;

    fn candidate(id: &str, joined_at: i64) -> Candidate {
        let id = EntryId::parse(id).expect("an id");
        Candidate::new(id, Urgency::Soon, Timestamp::from_millis(joined_at))
    }

    #[test]
    fn a_new_entry_takes_its_place_in_its_class_once() {
        let mut class = Class {
            heads: vec![candidate("a", 10), candidate("c", 20)],
            as_of: None,
        };
        class.add(&candidate("b", 20));
        class.add(&candidate("b", 20));
        class.add(&candidate("z", 5));
        let order: Vec<_> = class
            .heads
            .iter()
            .map(|head| head.entry_id.as_str())
            .collect();
        assert_eq!(order, ["z", "a", "b", "c"]);
    }

    #[test]
    fn the_classes_are_read_in_the_order_of_their_numbers() {
        for (at, urgency) in Urgency::ALL.into_iter().enumerate() {
            assert_eq!(urgency as usize, at);
        }
    }
}
