//! What tests start from: ids, times, and states folded from events.

use std::time::Duration;

use callboard_contracts::waitlist::{EntryEvent, OfferRules, SlotEvent, Terms, Urgency};
use callboard_contracts::{EntryId, Fold, OfferId, RecipientId, SlotId, Timestamp, WaitlistId};
use callboard_domain::waitlist::cascade::{self, Asked, Offers, Taken};
use callboard_domain::waitlist::entry::{self, Entry, Join, Wishes};
use callboard_domain::waitlist::slot::{self, Look, ReleaseSlot, Slot, SlotDetails, SlotFacts};
use callboard_domain::waitlist::{Refusal, Timing};

/// Half an hour, the window of the offers in these tests.
pub const WINDOW: Duration = Duration::from_secs(1_800);

/// Long before the slot starts.
pub const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub fn timing() -> Timing {
    Timing::default()
}

pub fn slot_id() -> SlotId {
    SlotId::parse("slot-1").expect("an id")
}

pub fn entry_id(name: &str) -> EntryId {
    EntryId::parse(name).expect("an id")
}

pub fn offer_id(name: &str) -> OfferId {
    OfferId::parse(name).expect("an id")
}

pub fn waitlist_id() -> WaitlistId {
    WaitlistId::parse("practice").expect("an id")
}

/// The state after `events`, all committed at `at`.
pub fn fold<S: Fold>(state: S, events: &[S::Event], at: Timestamp) -> S {
    events
        .iter()
        .fold(state, |state, event| state.evolve(event, at))
}

/// A release of the slot, which starts a day after noon.
pub fn release_command() -> ReleaseSlot {
    ReleaseSlot {
        waitlist_id: waitlist_id(),
        slot_id: slot_id(),
        service: "physio".to_owned(),
        starts_at: NOON.plus(seconds(86_400)),
        ends_at: NOON.plus(seconds(88_200)),
        offer_window: WINDOW,
        after_version: None,
        details: SlotDetails::default(),
    }
}

/// A slot released at noon.
pub fn open_slot() -> Slot {
    let events = slot::release(&Slot::default(), &release_command(), NOON).expect("a release");
    fold(Slot::default(), &events, NOON)
}

/// A slot with these terms, released at noon.
pub fn slot_on(terms: Terms) -> Slot {
    let mut command = release_command();
    command.details.terms = Some(terms);
    let events = slot::release(&Slot::default(), &command, NOON).expect("a release");
    fold(Slot::default(), &events, NOON)
}

/// Terms with these rules.
pub fn rules(change: impl FnOnce(&mut OfferRules)) -> Terms {
    let mut terms = Terms::default();
    change(&mut terms.rules);
    terms
}

pub fn facts(slot: &Slot) -> &SlotFacts {
    slot.facts.as_ref().expect("a released slot")
}

/// The offer of the first version of the slot to an entry.
pub fn offer_of(entry: &str) -> OfferId {
    facts(&open_slot()).offer_id(&entry_id(entry))
}

/// The slot, held since noon for `entry`.
pub fn held_slot(entry: &str) -> Slot {
    let slot = open_slot();
    let look = Look::as_of(Some(NOON));
    let events = slot::hold(&slot, &[entry_id(entry)], &look, &timing(), NOON).expect("a hold");
    fold(slot, &events, NOON)
}

/// Offers the slot to the entries.
pub fn offer_to(slot: &Slot, entries: &[&Entry], now: Timestamp) -> Result<Offers, Refusal> {
    let asked: Vec<_> = entries
        .iter()
        .map(|entry| Asked {
            entry: (*entry).clone(),
            score: None,
        })
        .collect();
    cascade::offer(slot, &asked, None, &Look::as_of(Some(now)), &timing(), now)
}

/// Accepts an offer, without a booking to give up.
pub fn accept(
    slot: &Slot,
    entry: &Entry,
    offer: &OfferId,
    at: Timestamp,
) -> Result<Taken, Refusal> {
    cascade::accept(slot, entry, None, offer, at, &timing())
}

pub fn join_command(name: &str, urgency: Urgency) -> Join {
    Join {
        waitlist_id: waitlist_id(),
        entry_id: entry_id(name),
        recipient_id: RecipientId::parse(&format!("person-of-{name}")).expect("an id"),
        service: "physio".to_owned(),
        urgency,
        wishes: Wishes::default(),
    }
}

/// An entry that joined at noon.
pub fn waiting(name: &str) -> Entry {
    let command = join_command(name, Urgency::Routine);
    let events = entry::join(&Entry::default(), &command).expect("a join");
    fold(Entry::default(), &events, NOON)
}

/// An entry that joined at noon with these wishes.
pub fn wishing(name: &str, wishes: Wishes) -> Entry {
    let mut command = join_command(name, Urgency::Routine);
    command.wishes = wishes;
    let events = entry::join(&Entry::default(), &command).expect("a join");
    fold(Entry::default(), &events, NOON)
}

/// Slot and entry after an offer that was made at noon.
pub fn offered(name: &str) -> (Slot, Entry, OfferId) {
    offered_on(open_slot(), waiting(name))
}

/// Slot and entry after an offer that was made at noon.
pub fn offered_on(slot: Slot, entry: Entry) -> (Slot, Entry, OfferId) {
    let offers = offer_to(&slot, &[&entry], NOON).expect("an offer");
    let (id, events) = &offers.entries[0];
    let offer = facts(&slot).offer_id(id);
    (
        fold(slot, &offers.slot, NOON),
        fold(entry, events, NOON),
        offer,
    )
}

/// The names of events, to compare what happened at a glance.
pub fn names<E: callboard_contracts::DomainEvent>(events: &[E]) -> Vec<String> {
    let name = |event: &E| {
        let full = event.event_type();
        let short = full.rsplit('.').nth(1).unwrap_or(full);
        short.to_owned()
    };
    events.iter().map(name).collect()
}

/// Events as they stand in the journal and come back.
pub fn through_the_journal<E: callboard_contracts::DomainEvent>(events: &[E]) -> Vec<E> {
    events
        .iter()
        .map(|event| E::decode(event.event_type(), event.data()).expect("an event reads back"))
        .collect()
}

/// One of each event of a slot and of an entry, in an order that can happen.
pub fn story() -> (Vec<SlotEvent>, Vec<EntryEvent>) {
    let (mut slot, mut entry) = (open_slot(), waiting("ada"));
    let mut slot_events =
        slot::release(&Slot::default(), &release_command(), NOON).expect("a release");
    let mut entry_events =
        entry::join(&Entry::default(), &join_command("ada", Urgency::Routine)).expect("a join");
    let first = offer_to(&slot, &[&entry], NOON).expect("an offer");
    let made = &first.entries[0].1;
    slot = fold(slot, &first.slot, NOON);
    entry = fold(entry, made, NOON);
    entry_events.extend(made.iter().cloned());
    let later = NOON.plus(WINDOW).plus(seconds(5));
    let nobody = slot::no_candidate(&slot, &Look::default(), &timing(), later).expect("nobody");
    let left = entry::leave(&entry, later).expect("a leave");
    slot_events.extend(first.slot.into_iter().chain(nobody));
    entry_events.extend(left);
    (slot_events, entry_events)
}
