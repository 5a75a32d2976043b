//! Who waits, and which slots are open: the two questions asked of the table `views`.
//!
//! Views are behind the journal. What is found here is only where to look first: every entry
//! and every slot is read again, strongly consistent, before anything is decided about it.
//!
//! A class (one urgency, or those whom staff moved to the front) is one partition whose order never
//! changes as time passes. So the next person is found by merging the heads of four classes, page
//! by page: four requests, however long the list is, and more only for those who are passed over.

use std::collections::{HashSet, VecDeque};

use callboard_contracts::view::{
    self, candidate_sort_key, candidates_key, front_key, front_sort_prefix, open_slots_key,
};
use callboard_contracts::waitlist::{Cursor, Urgency};
use callboard_contracts::{EntryId, SlotId, Timestamp, WaitlistId};
use callboard_domain::waitlist::rank::Candidate;
use callboard_domain::waitlist::slot::{self, Slot, SlotFacts};
use callboard_domain::waitlist::timing::Timing;
use callboard_runtime::failure::Failure;
use callboard_runtime::table::{self, Item, Page, Range, Table};

/// Rows read at once. A row has about 300 bytes, so a page is one read unit or two.
const PAGE_ROWS: i32 = 25;

/// Rows read in one look-up: 1,000 people who were offered this slot before, or hold another
/// offer. The next look-up goes on behind them.
const ROWS_MAX: usize = 1_000;

/// Open slots that one entry is tried on. It can be offered one of them only.
const OPEN_SLOTS_MAX: i32 = 25;

/// The classes: those whom staff moved to the front, then each urgency.
const CLASSES: [Option<Urgency>; 4] = [
    None,
    Some(Urgency::Routine),
    Some(Urgency::Soon),
    Some(Urgency::Urgent),
];

/// The table of views, as this function reads it.
#[derive(Debug, Clone)]
pub struct Views {
    table: Table,
}

/// What the view says of somebody who was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Free for an offer.
    Free,
    /// Busy with another offer.
    Busy,
    /// Was offered this version of the slot before, as the slot itself says.
    Offered,
    /// Was found already, or is known better than the view does: only the place counts.
    Again,
}

/// Somebody who was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What the rank depends on.
    pub candidate: Candidate,
    /// What the view says.
    pub mark: Mark,
    /// Where it stands in its class; absent for an entry that the view may not know yet.
    pub place: Option<Cursor>,
}

/// Who waits for a slot, one after the other by rank.
#[derive(Debug)]
pub struct LookUp<'a> {
    views: &'a Views,
    slot: &'a Slot,
    facts: &'a SlotFacts,
    timing: Timing,
    now: Timestamp,
    classes: Vec<Class>,
    known: Option<Found>,
    seen: HashSet<EntryId>,
    as_of: Option<Timestamp>,
    rows: usize,
}

/// One class, read from the front.
#[derive(Debug)]
struct Class {
    pk: String,
    urgency: Option<Urgency>,
    rows: VecDeque<Found>,
    after: Option<String>,
    ended: bool,
}

impl Views {
    /// The views in `table`.
    #[must_use]
    pub const fn new(table: Table) -> Self {
        Self { table }
    }

    /// The entries that wait for `slot`, ranked at `now`: those the view knows behind the slot's
    /// cursors, and `known`, which it may not know yet, or not as it is.
    #[must_use]
    pub fn look_up<'a>(
        &'a self,
        slot: &'a Slot,
        facts: &'a SlotFacts,
        known: Option<&Candidate>,
        timing: Timing,
        now: Timestamp,
    ) -> LookUp<'a> {
        let known = known.filter(|known| !slot.offered.contains(&known.entry_id));
        LookUp {
            views: self,
            slot,
            facts,
            timing,
            now,
            classes: CLASSES
                .map(|urgency| Class::new(slot, facts, urgency))
                .into(),
            known: known.map(|candidate| Found {
                candidate: candidate.clone(),
                mark: Mark::Free,
                place: None,
            }),
            seen: known
                .map(|known| known.entry_id.clone())
                .into_iter()
                .collect(),
            as_of: None,
            rows: 0,
        }
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

    /// The next page of a class, unless it is known.
    async fn next_page(&self, class: &Class) -> Result<Option<Page>, Failure> {
        if class.ended || !class.rows.is_empty() {
            return Ok(None);
        }
        let page = self.page(&class.pk, PAGE_ROWS, class.after.as_deref());
        page.await.map(Some)
    }
}

impl LookUp<'_> {
    /// The next one by rank, those included who were offered the slot or are busy. `None` at the
    /// end, or when as many rows were read as one look-up may.
    ///
    /// # Errors
    /// [`Failure`] (retryable) when the table cannot be read.
    pub async fn next(&mut self) -> Result<Option<Found>, Failure> {
        if !self.fill().await? {
            return Ok(None);
        }
        let Some(mut found) = self.first() else {
            return Ok(None);
        };
        // An entry that staff move stands in two classes for a moment.
        let is_new = self.seen.insert(found.candidate.entry_id.clone());
        if !is_new && found.place.is_some() {
            found.mark = Mark::Again;
        }
        Ok(Some(found))
    }

    /// The time of the newest commit that the rows read had seen; absent if there were none.
    #[must_use]
    pub const fn as_of(&self) -> Option<Timestamp> {
        self.as_of
    }

    /// Whether everybody was found.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        let at_end = |class: &Class| class.ended && class.rows.is_empty();
        self.known.is_none() && self.classes.iter().all(at_end)
    }

    /// Reads until each class has a head or is at its end; whether that was possible.
    async fn fill(&mut self) -> Result<bool, Failure> {
        let views = self.views;
        let [front, routine, soon, urgent] = self.classes.as_slice() else {
            return Ok(false);
        };
        let is_short = |class: &Class| !class.ended && class.rows.is_empty();
        if !self.classes.iter().any(is_short) {
            return Ok(true);
        }
        if self.rows >= ROWS_MAX {
            tracing::info!(
                waitlist_id = %self.facts.waitlist_id,
                slot_id = %self.facts.slot_id,
                rows = self.rows,
                "the look-up goes on with the next commit"
            );
            return Ok(false);
        }
        let pages = tokio::try_join!(
            views.next_page(front),
            views.next_page(routine),
            views.next_page(soon),
            views.next_page(urgent)
        )?;
        for (at, page) in <[_; 4]>::from(pages).into_iter().enumerate() {
            if let Some(page) = page {
                self.take(at, page)?;
            }
        }
        Ok(true)
    }

    fn take(&mut self, at: usize, page: Page) -> Result<(), Failure> {
        let Some(class) = self.classes.get_mut(at) else {
            return Ok(());
        };
        for item in &page.items {
            let row: view::Candidate = document(item)?;
            self.as_of = self.as_of.max(as_of(item));
            // The view's word is not enough to open the slot to the public over somebody's head.
            let busy = !slot::is_last_look(self.slot, self.now)
                && row
                    .offered_until
                    .is_some_and(|until| self.now < until.plus(self.timing.hold_grace));
            let mark = match () {
                () if self.slot.offered.contains(&row.entry_id) => Mark::Offered,
                () if busy => Mark::Busy,
                () => Mark::Free,
            };
            class.rows.push_back(Found::of(row, class.urgency, mark));
        }
        self.rows += page.items.len();
        class.ended = page.next.is_none();
        class.after = page.next;
        Ok(())
    }

    /// Takes the best of all heads.
    fn first(&mut self) -> Option<Found> {
        let heads = self.classes.iter().map(|class| class.rows.front());
        let heads = heads.chain([self.known.as_ref()]).enumerate();
        let heads = heads.filter_map(|(at, head)| Some((at, head?)));
        let max_wait = self.facts.max_wait();
        let (at, _) = heads.min_by(|(_, one), (_, other)| {
            let one = &one.candidate;
            one.compare(&other.candidate, max_wait, self.now)
        })?;
        match self.classes.get_mut(at) {
            Some(class) => class.rows.pop_front(),
            None => self.known.take(),
        }
    }
}

impl Found {
    fn of(row: view::Candidate, class: Option<Urgency>, mark: Mark) -> Self {
        let since = match class {
            Some(_) => row.joined_at,
            None => row.overridden_at.unwrap_or(row.joined_at),
        };
        Self {
            place: Some(Cursor {
                urgency: class,
                since,
                entry_id: row.entry_id.clone(),
            }),
            candidate: Candidate {
                overridden_at: row.overridden_at,
                ..Candidate::new(row.entry_id, row.urgency, row.joined_at)
            },
            mark,
        }
    }
}

impl Class {
    fn new(slot: &Slot, facts: &SlotFacts, urgency: Option<Urgency>) -> Self {
        let of_class = |cursor: &&Cursor| cursor.urgency == urgency;
        let cursor = slot.cursors.iter().find(of_class);
        let (pk, after) = match urgency {
            Some(urgency) => (
                candidates_key(&facts.waitlist_id, &facts.service, urgency),
                cursor.map(|cursor| candidate_sort_key(cursor.since, &cursor.entry_id)),
            ),
            None => (
                front_key(&facts.waitlist_id, &facts.service),
                cursor.map(|cursor| front_sort_prefix(cursor.since)),
            ),
        };
        Self {
            pk,
            urgency,
            rows: VecDeque::new(),
            after,
            ended: false,
        }
    }
}

/// How far each class was looked through: behind `found`, in the order in which they were found,
/// up to the first of a class that is not `settled`. Where nobody was found, `before` holds.
#[must_use]
pub fn cursors(
    before: &[Cursor],
    found: &[Found],
    settled: impl Fn(&EntryId) -> bool,
) -> Vec<Cursor> {
    let cursor = |urgency: Option<Urgency>| {
        let places = found.iter().filter_map(|found| found.place.as_ref());
        let of_class = places.filter(|place| place.urgency == urgency);
        of_class
            .take_while(|place| settled(&place.entry_id))
            .last()
            .or_else(|| before.iter().find(|cursor| cursor.urgency == urgency))
            .cloned()
    };
    CLASSES.into_iter().filter_map(cursor).collect()
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

    fn found(id: &str, urgency: Option<Urgency>, since: i64) -> Found {
        let row = view::Candidate {
            entry_id: EntryId::parse(id).expect("an id"),
            joined_at: Timestamp::from_millis(since),
            urgency: urgency.unwrap_or(Urgency::Soon),
            offered_until: None,
            overridden_at: None,
        };
        Found::of(row, urgency, Mark::Free)
    }

    #[test]
    fn each_class_goes_on_behind_the_last_one_before_the_first_that_is_not_settled() {
        let (soon, routine) = (Some(Urgency::Soon), Some(Urgency::Routine));
        let all = [
            found("a", soon, 1),
            found("b", routine, 1),
            found("c", soon, 2),
            found("d", None, 3),
            found("e", routine, 4),
            found("f", soon, 5),
        ];
        let places = |settled: &[&str]| -> Vec<_> {
            let before = [Cursor {
                urgency: soon,
                since: Timestamp::from_millis(0),
                entry_id: EntryId::parse("z").expect("an id"),
            }];
            let settled = |id: &EntryId| settled.contains(&id.as_str());
            let cursors = cursors(&before, &all, settled).into_iter();
            cursors.map(|cursor| cursor.entry_id.to_string()).collect()
        };
        assert_eq!(places(&[]), ["z"], "as before");
        assert_eq!(places(&["a", "b", "f", "d"]), ["d", "b", "a"]);
        assert_eq!(places(&["a", "b", "c", "d", "e", "f"]), ["d", "e", "f"]);
    }
}
