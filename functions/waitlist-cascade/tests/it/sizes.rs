//! What the commits of an offer weigh, with ids and terms as they really are. A commit of at most
//! 1,024 bytes costs one write unit, and two in a transaction.

use std::time::Duration;

use callboard_contracts::waitlist::{Cursor, Mode, OwnBooking, Preferences, Urgency};
use callboard_contracts::{Cause, EntryId, Fold, SlotId, StreamId, Timestamp};
use callboard_domain::waitlist::broadcast::{Audience, PAGE, Page, announce};
use callboard_domain::waitlist::cascade::{self, Asked, Offers};
use callboard_domain::waitlist::entry::{self, Join, Wishes};
use callboard_domain::waitlist::policy::{Numbered, standard};
use callboard_domain::waitlist::slot::{self, Look, ReleaseSlot, SlotDetails};
use callboard_domain::waitlist::{Entry, Former, Selection, Slot, Timing};
use callboard_runtime::journal::{Commit, Loaded, WRITE_UNIT_BYTES, write_units};

use crate::world::time;

const NOW: &str = "2026-11-20T10:00:00.000Z";

/// Ids of the length that `generate` gives them: 32 hexadecimal digits.
fn digits(number: usize) -> String {
    format!("{number:032x}")
}

fn cause() -> Cause {
    Cause {
        causation_id: "0199f4b0-7c4e-7d30-8a51-2f8f3c5be001".to_owned(),
        correlation_id: "0199f4b0-7c4e-7d30-8a51-2f8f3c5be000".to_owned(),
        hash: digits(7),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
    }
}

/// The commit of `events` to a stream that has two commits already.
fn commit<S: Fold>(stream: StreamId, events: Vec<S::Event>, due: Option<Timestamp>) -> Commit {
    let mut loaded = Loaded::<S>::fresh(stream);
    loaded.number = 2;
    let next = loaded
        .next(&cause(), time(NOW))
        .group("city-practice")
        .events(events);
    let next = match due {
        Some(due) => next.due(due, "waitlist-cascade"),
        None => next,
    };
    next.build().expect("a commit")
}

fn folded<S: Fold>(state: S, events: &[S::Event]) -> S {
    let fold = |state: S, event| state.evolve(event, time(NOW));
    events.iter().fold(state, fold)
}

fn waiting(number: usize, preferences: Preferences) -> (EntryId, Entry) {
    let id: EntryId = digits(number).parse().expect("an id");
    let command = Join {
        waitlist_id: "city-practice".parse().expect("an id"),
        entry_id: id.clone(),
        recipient_id: digits(1_000 + number).parse().expect("an id"),
        service: "physiotherapy-first-visit".to_owned(),
        urgency: Urgency::Routine,
        wishes: Wishes {
            preferences,
            ..Wishes::default()
        },
    };
    let events = entry::join(&Entry::default(), &command).expect("a join");
    (id, folded(Entry::default(), &events))
}

/// A slot on the standard policy in this mode, with everything that is known of one.
fn released(mode: Mode) -> (Slot, Commit) {
    let mut policy = standard();
    // One of more than 29 characters (Buenos Aires) makes an offer of a batch to somebody who let
    // another pass cost a second unit.
    policy.zone = Some("Atlantic/Reykjavik".to_owned());
    policy.rules.mode = mode;
    policy.rules.grace_seconds = 120;
    policy.rules.broadcast_within_seconds = 3_600;
    policy.rules.audience_max = (mode == Mode::Broadcast).then_some(200);
    let slot_id: SlotId = digits(1).parse().expect("an id");
    let command = ReleaseSlot {
        waitlist_id: "city-practice".parse().expect("an id"),
        slot_id: slot_id.clone(),
        service: "physiotherapy-first-visit".to_owned(),
        starts_at: time("2026-11-21T10:00:00.000Z"),
        ends_at: time("2026-11-21T10:30:00.000Z"),
        offer_window: Duration::from_secs(1_800),
        after_version: None,
        details: SlotDetails {
            location: Some("north-side".to_owned()),
            provider: Some("dr-emmy-noether".to_owned()),
            zone: policy.zone.clone(),
            external_id: Some("appointment-2026-11-21-1000".to_owned()),
            terms: Some(Numbered { version: 3, policy }.terms(u128::MAX)),
        },
    };
    let events = slot::release(&Slot::default(), &command, time(NOW)).expect("a release");
    let state = folded(Slot::default(), &events);
    let due = slot::due(&state, &Timing::default());
    (state, commit::<Slot>(StreamId::slot(&slot_id), events, due))
}

/// An offer of the slot to `want` entries, of which each let one pass before, after `passed` were
/// passed over; the slot's hold has just run out.
fn offers(mode: Mode, want: usize, passed: usize) -> (Slot, Offers) {
    let (slot, _) = released(mode);
    let asked = [Asked {
        entry: waiting(900, Preferences::default()).1,
        score: None,
    }];
    let timing = Timing::default();
    let first = cascade::offer(&slot, &asked, None, &Look::default(), &timing, time(NOW));
    let slot = folded(slot, &first.expect("an offer").slot);
    let now = time(NOW).plus(Duration::from_secs(2_000));
    let mut selection = Selection::new(&slot, want, timing, now);
    for number in 0..passed {
        let elsewhere = Preferences {
            locations: vec!["south-side".to_owned()],
            ..Preferences::default()
        };
        let (id, entry) = waiting(300 + number, elsewhere);
        selection.consider(&id, &entry);
    }
    for number in 0..want {
        let (id, mut entry) = waiting(100 + number, Preferences::default());
        entry.status = lapsed(number, &entry);
        selection.consider(&id, &entry);
    }
    let offers = selection
        .offer(None, Look::as_of(Some(now)))
        .expect("an offer");
    (slot, offers)
}

/// The entry as it is after another slot's offer that ran out at [`NOW`].
fn lapsed(number: usize, entry: &Entry) -> entry::EntryStatus {
    let (mut slot, _) = released(Mode::Sequential);
    slot.facts.as_mut().expect("facts").slot_id = digits(2_000 + number).parse().expect("an id");
    let earlier = Timestamp::from_millis(time(NOW).as_millis() - 1_800_000);
    let asked = [Asked {
        entry: entry.clone(),
        score: None,
    }];
    let timing = Timing::default();
    let made = cascade::offer(&slot, &asked, None, &Look::default(), &timing, earlier);
    folded(entry.clone(), &made.expect("an offer").entries[0].1).status
}

/// Bytes of the slot's commit, of the largest of an entry, and write units of the transaction.
fn weight(mode: Mode, want: usize, passed: usize) -> (usize, usize, usize) {
    let (slot, offers) = offers(mode, want, passed);
    let state = folded(slot.clone(), &offers.slot);
    let due = slot::due(&state, &Timing::default());
    let stream = StreamId::slot(&slot.facts.as_ref().expect("facts").slot_id);
    let of_slot = commit::<Slot>(stream, offers.slot, due).bytes();
    let of_entries: Vec<_> = offers
        .entries
        .into_iter()
        .map(|(id, events)| commit::<Entry>(StreamId::entry(&id), events, None).bytes())
        .collect();
    let all = of_entries.iter().chain([&of_slot]);
    let units = all.map(|bytes| 2 * write_units(*bytes)).sum();
    (
        of_slot,
        of_entries.into_iter().max().unwrap_or_default(),
        units,
    )
}

#[test]
fn a_release_with_its_terms_and_a_next_offer_fit_into_one_write_unit_each() {
    for mode in [Mode::Lottery, Mode::Broadcast] {
        let bytes = released(mode).1.bytes();
        assert!(bytes <= WRITE_UNIT_BYTES, "{mode:?}: {bytes} bytes");
    }
    let (slot, entry, units) = weight(Mode::Sequential, 1, 0);
    assert!(slot <= WRITE_UNIT_BYTES, "{slot} bytes");
    assert!(entry <= WRITE_UNIT_BYTES, "{entry} bytes");
    assert_eq!(units, 4, "two items in a transaction");
}

#[test]
fn an_acceptance_with_a_swap_fits_into_one_write_unit_for_each_stream() {
    let (slot, offers) = offers(Mode::Sequential, 1, 0);
    let held = folded(slot, &offers.slot);
    let (id, events) = &offers.entries[0];
    let (own_slot, own_entry) = booked_later();
    let own = own_slot.facts.as_ref().expect("facts");
    let mut entry = folded(waiting(100, Preferences::default()).1, events);
    entry.wishes.preferences.own_booking = Some(OwnBooking {
        slot_id: Some(own.slot_id.clone()),
        starts_at: own.starts_at,
        ends_at: own.ends_at,
        swap: true,
    });
    let offer = &held.held()[0].offer_id;
    let former = Former {
        slot: &own_slot,
        entry: Some(&own_entry),
    };
    let timing = Timing::default();
    let yes = cascade::accept(&held, &entry, Some(former), offer, time(NOW), &timing);
    let yes = yes.expect("yes");
    let given_up = yes.former.expect("a booking is given up");
    let due = slot::due(&folded(own_slot.clone(), &given_up.slot), &timing);
    let of_slot = |slot: &Slot| StreamId::slot(&slot.facts.as_ref().expect("facts").slot_id);
    let weights = [
        commit::<Slot>(of_slot(&held), yes.slot, None).bytes(),
        commit::<Entry>(StreamId::entry(id), yes.entry, None).bytes(),
        commit::<Slot>(of_slot(&own_slot), given_up.slot, due).bytes(),
        commit::<Entry>(
            StreamId::entry(&waiting(101, Preferences::default()).0),
            given_up.entry,
            None,
        )
        .bytes(),
    ];
    assert!(
        weights.iter().all(|bytes| *bytes <= WRITE_UNIT_BYTES),
        "{weights:?} bytes"
    );
}

/// A later slot, and the entry of the same person as number 100 that was booked by an offer of it.
fn booked_later() -> (Slot, Entry) {
    let (mut slot, _) = released(Mode::Sequential);
    let facts = slot.facts.as_mut().expect("facts");
    facts.slot_id = digits(2).parse().expect("an id");
    facts.starts_at = facts.starts_at.plus(Duration::from_secs(86_400));
    facts.ends_at = facts.ends_at.plus(Duration::from_secs(86_400));
    let mut entry = waiting(101, Preferences::default()).1;
    let person = waiting(100, Preferences::default()).1.facts;
    let of_entry = entry.facts.as_mut().expect("facts");
    of_entry.recipient_id = person.expect("facts").recipient_id;
    let asked = [Asked {
        entry: entry.clone(),
        score: None,
    }];
    let (look, timing) = (Look::default(), Timing::default());
    let now = time(NOW).plus(Duration::from_secs(120));
    let offers = cascade::offer(&slot, &asked, None, &look, &timing, now).expect("an offer");
    let (slot, entry) = (
        folded(slot, &offers.slot),
        folded(entry, &offers.entries[0].1),
    );
    let offer = slot.held()[0].offer_id.clone();
    let yes = cascade::accept(&slot, &entry, None, &offer, now, &timing).expect("yes");
    (folded(slot, &yes.slot), folded(entry, &yes.entry))
}

#[test]
fn a_batch_costs_two_write_units_for_each_entry_and_four_for_the_slot_beyond_seven() {
    for (size, expected) in [(7, 16), (8, 20), (20, 44)] {
        let (slot, entry, units) = weight(Mode::Batch { size }, size.into(), 0);
        assert!(entry <= WRITE_UNIT_BYTES, "{entry} bytes");
        assert_eq!(
            units, expected,
            "{size}: the slot's commit has {slot} bytes"
        );
    }
}

#[test]
fn to_tell_sixteen_of_a_broadcast_costs_three_write_units() {
    let (slot, _) = released(Mode::Broadcast);
    let opened = slot::broadcast(&slot, &Timing::default(), time(NOW)).expect("a broadcast");
    let after = folded(slot.clone(), &opened);
    let people: Vec<_> = (0..PAGE)
        .map(|number| waiting(100 + number, Preferences::default()).1)
        .collect();
    let cursor = |urgency| Cursor {
        urgency,
        since: time(NOW),
        entry_id: digits(100).parse().expect("an id"),
    };
    let look = Look {
        cursors: [
            None,
            Some(Urgency::Routine),
            Some(Urgency::Soon),
            Some(Urgency::Urgent),
        ]
        .map(cursor)
        .into(),
        ..Look::as_of(Some(time(NOW)))
    };
    let page = Page {
        found: people.iter().collect(),
        look,
        is_last: false,
    };
    let slot_id = &slot.facts.as_ref().expect("facts").slot_id;
    let told = announce(&after, &Audience::default(), page);
    let due = Some(time(NOW).plus(Duration::from_secs(30)));
    let page = commit::<Audience>(StreamId::broadcast(slot_id, 1), told, due).bytes();
    assert!(page <= 3 * WRITE_UNIT_BYTES, "{page} bytes");
    let due = slot::due(&after, &Timing::default());
    let opened = commit::<Slot>(StreamId::slot(slot_id), opened, due).bytes();
    assert!(opened <= WRITE_UNIT_BYTES, "{opened} bytes");
}

#[test]
fn a_few_passed_over_stand_beside_a_hold_for_nothing_and_more_would_cost_it_two_units_a_kilobyte() {
    let fits = |passed: &usize| weight(Mode::Sequential, 1, *passed).2 == 4;
    let few = (0..16).take_while(fits).count() - 1;
    assert!(few >= 2, "{few} fit");
    let (many, _, units) = weight(Mode::Sequential, 1, 16);
    assert!(many > WRITE_UNIT_BYTES && many <= 2 * WRITE_UNIT_BYTES);
    assert_eq!(units, 6, "{many} bytes");
}
