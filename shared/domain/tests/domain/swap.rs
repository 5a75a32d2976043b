//! A booking is given up for a sooner slot: both slots, and the entries, by one decision.

use callboard_contracts::SlotId;
use callboard_contracts::waitlist::{
    BookedBy, EntryEvent, Ineligible, OwnBooking, Preferences, SlotEvent, Urgency,
};
use callboard_domain::waitlist::cascade::{self, Taken};
use callboard_domain::waitlist::entry::{
    self, Booking, Entry, EntryStatus, Wishes, change_preferences, eligible,
};
use callboard_domain::waitlist::slot::{self, BookSlot, Look, ReleaseSlot, Slot};
use callboard_domain::waitlist::{Former, Refusal, Selection};

use crate::given::*;

/// A slot of two days after noon.
fn later_slot() -> Slot {
    let command = ReleaseSlot {
        slot_id: SlotId::parse("slot-2").expect("an id"),
        starts_at: NOON.plus(seconds(2 * 86_400)),
        ends_at: NOON.plus(seconds(2 * 86_400 + 1_800)),
        ..release_command()
    };
    let events = slot::release(&Slot::default(), &command, NOON).expect("a release");
    fold(Slot::default(), &events, NOON)
}

/// A slot of two days after noon that staff booked for the person of `name`.
fn booked_for(name: &str) -> Slot {
    let slot = later_slot();
    let booking = BookSlot {
        by: BookedBy::Staff,
        external_id: None,
        recipient_id: Some(join_command(name, Urgency::Routine).recipient_id),
    };
    fold(
        slot.clone(),
        &slot::book(&slot, &booking).expect("a booking"),
        NOON,
    )
}

/// A booking that came about without an offer.
const fn alone(slot: &Slot) -> Option<Former<'_>> {
    Some(Former { slot, entry: None })
}

fn swapping(former: &Slot) -> Wishes {
    let facts = facts(former);
    Wishes {
        preferences: Preferences {
            own_booking: Some(OwnBooking {
                slot_id: Some(facts.slot_id.clone()),
                starts_at: facts.starts_at,
                ends_at: facts.ends_at,
                swap: true,
            }),
            ..Preferences::default()
        },
        ..Wishes::default()
    }
}

#[test]
fn a_sooner_slot_is_taken_and_the_former_one_released_by_one_decision() {
    let former = booked_for("ada");
    let new = slot_on(rules(|rules| rules.swap_depth = 1));
    let (slot, entry, offer) = offered_on(new, wishing("ada", swapping(&former)));
    assert_eq!(entry.swaps(), Some(&facts(&former).slot_id));
    let yes = cascade::accept(&slot, &entry, alone(&former), &offer, NOON, &timing()).expect("yes");
    assert_eq!(names(&yes.slot), ["slot-filled"]);
    assert!(matches!(&yes.entry[0], EntryEvent::OfferAccepted(it)
        if it.swapped.as_ref() == Some(&facts(&former).slot_id)));
    let given_up = yes.former.expect("a booking is given up");
    assert_eq!(given_up.entry, [], "nobody had it by an offer");
    let [SlotEvent::SlotReleased(released)] = given_up.slot.as_slice() else {
        panic!("{given_up:?}")
    };
    assert_eq!((released.slot_version, released.swap_depth), (2, 1));
    let freed = fold(former, &given_up.slot, NOON);
    assert_eq!(
        slot::due(&freed, &timing()),
        Some(NOON),
        "its cascade starts"
    );
}

#[test]
fn nobody_gives_up_a_booking_that_is_not_theirs_or_not_theirs_any_more() {
    let theirs = booked_for("bob");
    let new = slot_on(rules(|rules| rules.swap_depth = 1));
    let (slot, entry, offer) = offered_on(new, wishing("ada", swapping(&theirs)));
    let open = Slot {
        status: open_slot().status,
        ..theirs.clone()
    };
    for former in [alone(&theirs), alone(&open), None] {
        let yes = cascade::accept(&slot, &entry, former, &offer, NOON, &timing()).expect("yes");
        assert_eq!(
            names(&yes.slot),
            ["slot-filled"],
            "the new slot is theirs all the same"
        );
        assert_eq!(yes.former, None);
        let booked = fold(entry.clone(), &yes.entry, NOON);
        assert!(booked.swap_failed() && booked.gave_up.is_none());
        assert!(matches!(&yes.entry[0], EntryEvent::OfferAccepted(it)
            if it.swapped.is_none() && it.swap_failed));
    }
}

#[test]
fn swaps_in_a_row_are_as_many_as_the_policy_allows() {
    let former = booked_for("ada");
    let entry = wishing("ada", swapping(&former));
    let mut slot = slot_on(rules(|rules| rules.swap_depth = 2));
    let why = |slot: &Slot| eligible(&entry, slot, &timing(), NOON);
    slot.facts.as_mut().expect("facts").swap_depth = 1;
    assert_eq!(why(&slot), Ok(()));
    slot.facts.as_mut().expect("facts").swap_depth = 2;
    assert_eq!(why(&slot), Err(Ineligible::SwapDepth));
    assert_eq!(
        eligible(&waiting("bob"), &slot, &timing(), NOON),
        Ok(()),
        "others may have it"
    );
}

#[test]
fn who_accepts_at_once_swaps_at_once() {
    let former = booked_for("ada");
    let slot = slot_on(rules(|rules| rules.swap_depth = 1));
    let mut wishes = swapping(&former);
    wishes.auto_accept = true;
    let mut selection = Selection::new(&slot, 1, timing(), NOON);
    selection.consider(&entry_id("ada"), &wishing("ada", wishes));
    assert_eq!(selection.swaps(), Some(&facts(&former).slot_id));
    let offers = selection
        .offer(alone(&former), Look::default())
        .expect("a booking");
    let given_up = offers.former.expect("a booking is given up");
    assert_eq!(names(&given_up.slot), ["slot-released"]);
}

/// Ada's earlier entry has the later slot by an offer, and the one that wishes for a sooner one has
/// an offer of such.
struct Both {
    former: (Slot, Entry),
    now: (Slot, Entry),
    offer: callboard_contracts::OfferId,
}

fn with_a_booking_by_offer() -> Both {
    let (slot, entry, offer) = offered_on(later_slot(), waiting("ada"));
    let yes = accept(&slot, &entry, &offer, NOON).expect("yes");
    let former = (fold(slot, &yes.slot, NOON), fold(entry, &yes.entry, NOON));
    let mut command = join_command("ada-sooner", Urgency::Routine);
    command.recipient_id = join_command("ada", Urgency::Routine).recipient_id;
    command.wishes = swapping(&former.0);
    let joined = entry::join(&Entry::default(), &command).expect("a join");
    let sooner = slot_on(rules(|rules| rules.swap_depth = 1));
    let (slot, entry, offer) = offered_on(sooner, fold(Entry::default(), &joined, NOON));
    Both {
        former,
        now: (slot, entry),
        offer,
    }
}

impl Both {
    fn yes(&self) -> Taken {
        let former = Former {
            slot: &self.former.0,
            entry: Some(&self.former.1),
        };
        let (slot, entry) = &self.now;
        cascade::accept(slot, entry, Some(former), &self.offer, NOON, &timing()).expect("yes")
    }
}

#[test]
fn the_entry_whose_booking_is_given_up_is_told_by_the_same_decision() {
    let it = with_a_booking_by_offer();
    let yes = it.yes();
    let given_up = yes.former.expect("a booking is given up");
    assert_eq!(names(&given_up.slot), ["slot-released"]);
    assert_eq!(names(&given_up.entry), ["booking-given-up"]);
    assert_eq!(through_the_journal(&given_up.entry), given_up.entry);
    assert_eq!(through_the_journal(&yes.entry), yes.entry);
    let (former, sooner) = (facts(&it.former.0), facts(&it.now.0));
    let taken = fold(it.now.1.clone(), &yes.entry, NOON);
    let gave_up = Booking {
        slot_id: former.slot_id.clone(),
        starts_at: former.starts_at,
    };
    assert_eq!(taken.gave_up, Some(gave_up));
    assert!(!taken.swap_failed());
    let old = fold(it.former.1, &given_up.entry, NOON);
    let EntryStatus::GivenUp { booking, instead } = &old.status else {
        panic!("{:?}", old.status)
    };
    assert_eq!(booking.slot_id, former.slot_id);
    assert_eq!(
        (&instead.slot_id, instead.starts_at),
        (&sooner.slot_id, sooner.starts_at)
    );
}

#[test]
fn nothing_becomes_of_an_entry_that_gave_its_booking_up() {
    let it = with_a_booking_by_offer();
    let given_up = it.yes().former.expect("a booking is given up");
    let slot = fold(it.former.0, &given_up.slot, NOON);
    let old = fold(it.former.1, &given_up.entry, NOON);
    let offer = facts(&later_slot()).offer_id(&entry_id("ada"));
    let gone = Err(Refusal::BookingGivenUp);
    assert_eq!(accept(&slot, &old, &offer, NOON).map(drop), gone);
    let decline = cascade::decline(&slot, &old, &offer, NOON);
    assert_eq!(decline.map(drop), gone);
    assert_eq!(cascade::leave(None, &old, NOON).map(drop), gone);
    let join = entry::join(&old, &join_command("ada", Urgency::Routine));
    assert_eq!(join.map(drop), gone);
    let may = eligible(&old, &slot, &timing(), NOON);
    assert_eq!(may, Err(Ineligible::Booked));
    // Told once more, of whatever offer, it is as before.
    assert_eq!(fold(old.clone(), &given_up.entry, NOON), old);
}

#[test]
fn a_wish_that_comes_after_the_offer_frees_no_slot_beyond_the_cap() {
    let former = booked_for("ada");
    let mut slot = slot_on(rules(|rules| rules.swap_depth = 1));
    slot.facts.as_mut().expect("facts").swap_depth = 1;
    let (slot, entry, offer) = offered_on(slot, waiting("ada"));
    let wishes = swapping(&former);
    let wished = change_preferences(&entry, &wishes, &timing(), NOON).expect("a change");
    let entry = fold(entry, &wished, NOON);
    let former = alone(&former);
    let yes = cascade::accept(&slot, &entry, former, &offer, NOON, &timing()).expect("yes");
    assert_eq!(yes.former, None);
    assert!(matches!(&yes.entry[0], EntryEvent::OfferAccepted(it) if it.swap_failed));
}

#[test]
fn an_offer_says_beforehand_what_an_acceptance_gives_up() {
    let former = booked_for("ada");
    let slot = slot_on(rules(|rules| rules.swap_depth = 1));
    let says = |entry: &Entry| {
        let offers = offer_to(&slot, &[entry], NOON).expect("an offer");
        match &offers.entries[0].1[0] {
            EntryEvent::OfferMade(made) => made.gives_up_starts_at,
            other => panic!("{other:?}"),
        }
    };
    let starts_at = facts(&former).starts_at;
    assert_eq!(says(&wishing("ada", swapping(&former))), Some(starts_at));
    let mut keeps = swapping(&former);
    if let Some(own) = &mut keeps.preferences.own_booking {
        own.swap = false;
    }
    assert_eq!(says(&wishing("ada", keeps)), None);
}
