//! Events of `slot-0900` and `entry-ada`, beyond those of [`world`](crate::world).

use callboard_contracts::waitlist::{
    BatchHeld, BatchReleased, BookedBy, EntryEvent, HoldEnd, OfferAccepted, OfferEnded,
    OverrideReason, RankOverridden, RankTo, SlotBooked, SlotBroadcast, SlotEvent, SlotFilled,
    SlotOpenedToPublic,
};

use crate::world::{id, released, time};

pub fn batch(entries: &[&str]) -> SlotEvent {
    BatchHeld {
        waitlist_id: id("w-physio"),
        slot_id: id("slot-0900"),
        slot_version: 1,
        entry_ids: entries.iter().map(|entry| id(entry)).collect(),
        expires_at: time("2026-03-02T10:30:00.000Z"),
        as_of: None,
    }
    .into()
}

pub fn filled(offer: &str, auto: bool) -> SlotEvent {
    SlotFilled {
        waitlist_id: id("w-physio"),
        slot_id: id("slot-0900"),
        slot_version: 1,
        offer_id: id(offer),
        entry_id: id("entry-ada"),
        recipient_id: None,
        auto,
        as_of: None,
    }
    .into()
}

pub fn booked() -> SlotEvent {
    SlotBooked {
        waitlist_id: id("w-physio"),
        slot_id: id("slot-0900"),
        slot_version: 1,
        by: BookedBy::Staff,
        external_id: None,
        recipient_id: None,
    }
    .into()
}

pub fn opened() -> SlotEvent {
    SlotOpenedToPublic {
        waitlist_id: id("w-physio"),
        slot_id: id("slot-0900"),
        slot_version: 1,
    }
    .into()
}

pub fn broadcast() -> SlotEvent {
    SlotBroadcast {
        waitlist_id: id("w-physio"),
        slot_id: id("slot-0900"),
        slot_version: 1,
        ends_at: time("2026-03-02T14:00:00.000Z"),
    }
    .into()
}

pub fn expired() -> SlotEvent {
    BatchReleased {
        waitlist_id: id("w-physio"),
        slot_id: id("slot-0900"),
        slot_version: 1,
        offers: 2,
    }
    .into()
}

/// One of a batch said no.
pub fn one_declined(offer: &str) -> SlotEvent {
    OfferEnded {
        waitlist_id: id("w-physio"),
        slot_id: id("slot-0900"),
        slot_version: 1,
        offer_id: id(offer),
        reason: HoldEnd::Declined,
    }
    .into()
}

/// The offers of a batch are named by slot, version and entry.
pub fn offer_of(entry: &str) -> String {
    let facts = callboard_domain::waitlist::SlotFacts::from(&match released(1, "physio") {
        SlotEvent::SlotReleased(event) => event,
        _ => unreachable!("it is a release"),
    });
    facts.offer_id(&id(entry)).to_string()
}

pub fn overridden(to: RankTo, reason: OverrideReason) -> EntryEvent {
    RankOverridden {
        waitlist_id: id("w-physio"),
        entry_id: id("entry-ada"),
        to,
        reason,
    }
    .into()
}

pub fn accepted() -> EntryEvent {
    OfferAccepted {
        waitlist_id: id("w-physio"),
        entry_id: id("entry-ada"),
        recipient_id: id("usr-ada"),
        offer_id: id("offer-1"),
        slot_id: id("slot-0900"),
        service: "physio".to_owned(),
        starts_at: time("2026-03-02T15:00:00.000Z"),
        ends_at: time("2026-03-02T15:30:00.000Z"),
        slot_version: Some(1),
        location: None,
        zone: None,
        proxy_id: None,
        auto: false,
        score: None,
        swapped: None,
        swapped_starts_at: None,
        swap_failed: false,
    }
    .into()
}
