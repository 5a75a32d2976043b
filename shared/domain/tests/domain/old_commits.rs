//! Events as they were written before there were policies, preferences and batches: they stand
//! in journals for ever, and mean what they meant.

use callboard_contracts::waitlist::{Mode, Preferences};
use callboard_contracts::{DomainEvent as _, EntryEvent, Fold as _, SlotEvent};
use callboard_domain::waitlist::entry::{Entry, EntryStatus, Wishes};
use callboard_domain::waitlist::slot::{OfferFate, Slot, SlotStatus};
use serde_json::{Value, json};

use crate::given::*;

fn slot_after(events: &[(&str, Value)]) -> Slot {
    events.iter().fold(Slot::default(), |slot, (name, data)| {
        let full = format!("callboard.waitlist.{name}.v1");
        let event = SlotEvent::decode(&full, data.clone()).expect("an old event");
        if event.event_type() == full {
            assert_eq!(event.data(), *data, "it is written as it was");
        }
        slot.evolve(&event, NOON)
    })
}

fn entry_after(events: &[(&str, Value)]) -> Entry {
    events.iter().fold(Entry::default(), |entry, (name, data)| {
        let full = format!("callboard.waitlist.{name}.v1");
        let event = EntryEvent::decode(&full, data.clone()).expect("an old event");
        if event.event_type() == full {
            assert_eq!(event.data(), *data, "it is written as it was");
        }
        entry.evolve(&event, NOON)
    })
}

fn released() -> (&'static str, Value) {
    let data = json!({
        "waitlistId": "w", "slotId": "s", "slotVersion": 1, "service": "physio",
        "startsAt": "2027-01-16T12:00:00.000Z", "endsAt": "2027-01-16T12:30:00.000Z",
        "offerWindowSeconds": 1800
    });
    ("slot-released", data)
}

fn held() -> (&'static str, Value) {
    let data = json!({
        "waitlistId": "w", "slotId": "s", "slotVersion": 1, "offerId": "o", "entryId": "e",
        "expiresAt": "2027-01-15T08:30:00.000Z", "asOf": "2027-01-15T07:59:59.000Z"
    });
    ("slot-held", data)
}

#[test]
fn an_old_slot_is_offered_one_after_the_other_until_it_starts() {
    let slot = slot_after(&[released(), held()]);
    let facts = facts(&slot);
    assert_eq!(facts.terms.rules.mode, Mode::Sequential);
    assert_eq!(
        (facts.cutoff(), facts.broadcast_from()),
        (facts.starts_at, None)
    );
    assert_eq!((facts.max_wait(), facts.swap_depth), (None, 0));
    assert!(slot.is_held_under(&offer_id("o")));
    let declined = json!({
        "waitlistId": "w", "slotId": "s", "slotVersion": 1, "offerId": "o", "reason": "declined"
    });
    let slot = slot_after(&[released(), held(), ("hold-released", declined)]);
    assert_eq!(slot.ended[&offer_id("o")], OfferFate::Declined);
}

#[test]
fn an_old_booking_stands_and_says_nothing_of_the_person() {
    let filled = json!({
        "waitlistId": "w", "slotId": "s", "slotVersion": 1, "offerId": "o", "entryId": "e"
    });
    let slot = slot_after(&[released(), held(), ("slot-filled", filled)]);
    assert!(
        matches!(&slot.status, SlotStatus::Filled { entry_id, .. } if entry_id.as_str() == "e")
    );
    assert_eq!(slot.booked_for(), None);
}

#[test]
fn an_old_entry_wishes_nothing_and_is_never_paused_for_its_skips() {
    let joined = json!({
        "waitlistId": "w", "entryId": "e", "recipientId": "r", "service": "physio",
        "urgency": "soon"
    });
    let offered = json!({
        "waitlistId": "w", "entryId": "e", "recipientId": "r", "offerId": "o", "slotId": "s",
        "slotVersion": 1, "service": "physio", "startsAt": "2027-01-16T12:00:00.000Z",
        "endsAt": "2027-01-16T12:30:00.000Z", "expiresAt": "2027-01-15T08:30:00.000Z"
    });
    let entry = entry_after(&[
        ("entry-joined", joined.clone()),
        ("offer-made", offered.clone()),
    ]);
    assert_eq!(entry.wishes, Wishes::default());
    assert!(entry.wishes.preferences == Preferences::default());
    assert!(matches!(&entry.status, EntryStatus::Offered(it) if it.skip_limit.is_none()));
    let accepted = json!({
        "waitlistId": "w", "entryId": "e", "recipientId": "r", "offerId": "o", "slotId": "s",
        "service": "physio", "startsAt": "2027-01-16T12:00:00.000Z",
        "endsAt": "2027-01-16T12:30:00.000Z"
    });
    let entry = entry_after(&[
        ("entry-joined", joined),
        ("offer-made", offered),
        ("offer-accepted", accepted),
    ]);
    assert!(matches!(&entry.status, EntryStatus::Booked(it) if it.slot_version == 1));
}
