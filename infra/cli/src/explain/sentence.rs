//! One event as a plain sentence: what was decided, for whom by id, and the reason that was stored
//! with it. Nothing personal is in the journal, so nothing personal is said.

use callboard_contracts::DomainEvent;
use callboard_contracts::notification::{
    DropReason, NotificationDropped, NotificationEvent, NotificationPlanned, UnknownPolicy,
};
use callboard_contracts::waitlist::{
    BookedBy, BroadcastEvent, CalendarWord, CandidatesPassedOver, EntryEvent, HoldEnd,
    OfferAccepted, PauseReason, SlotEvent, SlotHeld,
};

use crate::timeline::{Event, ending};

/// The sentence for `event`; `all` is its timeline, for what can only be counted there.
pub(super) fn sentence(event: &Event, all: &[Event]) -> String {
    let decoded = match event.kind() {
        "notification" => NotificationEvent::decode(&event.event_type, event.data.clone())
            .map(|decoded| of_notification(&decoded)),
        "slot" => SlotEvent::decode(&event.event_type, event.data.clone())
            .map(|decoded| of_slot(&decoded, all)),
        "broadcast" => BroadcastEvent::decode(&event.event_type, event.data.clone())
            .map(|decoded| of_broadcast(&decoded)),
        "entry" => EntryEvent::decode(&event.event_type, event.data.clone())
            .map(|decoded| of_entry(&decoded)),
        _ => return outside(event),
    };
    // A newer version of the system may know more than this binary does.
    decoded.unwrap_or_else(|_| format!("{} was recorded in {}.", event.event_type, event.stream))
}

fn outside(event: &Event) -> String {
    match event.stream.split('#').collect::<Vec<_>>()[..] {
        ["event", source, ..] => {
            format!("The system {source} said that {} happened.", event.name())
        }
        _ => format!("{} was recorded in {}.", event.event_type, event.stream),
    }
}

fn of_notification(event: &NotificationEvent) -> String {
    match event {
        NotificationEvent::NotificationPlanned(it) => planned(it),
        NotificationEvent::DeliveryAttempted(it) => format!(
            "Attempt {} by {} began; nobody else sends before {}.",
            short(it.attempt_id),
            it.channel.as_str(),
            it.lease_until
        ),
        NotificationEvent::DeliverySucceeded(it) => {
            format!(
                "The provider {} took the {}.",
                it.provider,
                it.channel.as_str()
            )
        }
        NotificationEvent::AttemptFailed(it) => format!(
            "Attempt {} certainly reached nobody ({}); another may follow.",
            short(it.attempt_id),
            it.code
        ),
        NotificationEvent::DeliveryFailed(it) => format!(
            "The recipient cannot be reached by {} ({}).",
            it.channel.as_str(),
            it.code
        ),
        NotificationEvent::OutcomeUnknown(it) => format!(
            "Nobody can know whether attempt {} reached the recipient; {}.",
            short(it.attempt_id),
            match it.policy {
                UnknownPolicy::Resend => "by its category's policy it is sent again",
                UnknownPolicy::Park => "by its category's policy it is not sent again",
            }
        ),
        NotificationEvent::LateOutcome(it) => format!(
            "Attempt {} ended ({}) after another had taken over; that changed nothing.",
            short(it.attempt_id),
            it.outcome
        ),
        NotificationEvent::NotificationDropped(it) => dropped(it),
        NotificationEvent::NotificationCancelled(it) => {
            format!("It must not be sent any more: {}.", it.reason)
        }
    }
}

fn planned(it: &NotificationPlanned) -> String {
    let until = it
        .expires_at
        .map(|at| format!(", of use until {at}"))
        .unwrap_or_default();
    format!(
        "The definition {} planned an {} to the recipient {} about {}@{}{until}.",
        it.definition,
        it.channel.as_str(),
        it.recipient_id,
        it.cause.stream,
        it.cause.commit
    )
}

fn dropped(it: &NotificationDropped) -> String {
    let what = match &it.instead_of {
        Some(planned) => format!(
            "The {} that the definition {} has for the recipient {} was not sent",
            planned.channel.as_str(),
            planned.definition,
            planned.recipient_id
        ),
        None => "It was not sent".to_owned(),
    };
    format!("{what}: {}.", reason(it.reason))
}

fn reason(reason: DropReason) -> &'static str {
    match reason {
        DropReason::NoContact => {
            "the recipient has no address on this channel, or is not registered (no-contact)"
        }
        DropReason::OptedOut => "the recipient opted out of the category (opted-out)",
        DropReason::Suppressed => "the address bounced or complained before (suppressed)",
        DropReason::Expired => "it came too late to be of use (expired)",
        DropReason::Stale => "its cause is older than 14 days (stale)",
        DropReason::Cancelled => "it was cancelled before it was sent (cancelled)",
        DropReason::Unrenderable => {
            "its wording could not be filled from the event's data (unrenderable)"
        }
    }
}

fn of_broadcast(event: &BroadcastEvent) -> String {
    match event {
        BroadcastEvent::BroadcastAnnounced(it) => format!(
            "{} of those whom the slot {} suits were told that the first to accept gets it.",
            it.invited.len(),
            it.slot_id
        ),
        BroadcastEvent::AudienceSearched(it) => {
            let passed: usize = it.passed.values().map(Vec::len).sum();
            let reasons: Vec<_> = it.passed.keys().map(code).collect();
            let passed = match passed {
                0 => "Nobody was passed over".to_owned(),
                _ => format!("{passed} entries were passed over ({})", reasons.join(", ")),
            };
            let then = if it.done {
                "nobody else is told"
            } else {
                "the search goes on"
            };
            format!("{passed}; {then}.")
        }
    }
}

fn of_slot(event: &SlotEvent, all: &[Event]) -> String {
    match event {
        SlotEvent::SlotReleased(it) => format!(
            "The slot {} became free for {} from {} and is offered to the waitlist {}, each time for {} s.",
            it.slot_id, it.service, it.starts_at, it.waitlist_id, it.offer_window_seconds
        ),
        SlotEvent::SlotHeld(it) => held(it, all),
        SlotEvent::BatchHeld(it) => format!(
            "The slot {} was held until {} for {} entries at once; the first to accept gets it.",
            it.slot_id,
            it.expires_at,
            it.entry_ids.len()
        ),
        SlotEvent::SlotBroadcast(it) => format!(
            "The slot {} may be taken by everybody on the waitlist {} whom it suits, until {}.",
            it.slot_id, it.waitlist_id, it.ends_at
        ),
        SlotEvent::CandidatesPassedOver(it) => passed_over(it),
        SlotEvent::OfferEnded(it) => format!(
            "The offer {} was declined; the others of its batch stand.",
            ending(it.offer_id.as_str())
        ),
        SlotEvent::EndedOffersTold(it) => format!(
            "Everybody whose offer of the slot {} had ended by somebody else's act was told.",
            it.slot_id
        ),
        SlotEvent::BatchReleased(it) => format!(
            "The {} offers of the slot {} that stood ended: their time ran out without an answer.",
            it.offers, it.slot_id
        ),
        SlotEvent::HoldReleased(it) => format!(
            "The hold for the offer {} ended: {}.",
            ending(it.offer_id.as_str()),
            match it.reason {
                HoldEnd::Declined => "the person said no",
                HoldEnd::Expired => "its time ran out without an answer",
            }
        ),
        SlotEvent::SlotFilled(it) => format!(
            "The slot {} was booked for the entry {}.",
            it.slot_id,
            ending(it.entry_id.as_str())
        ),
        SlotEvent::SlotBooked(it) => format!(
            "The slot {} was booked without an offer, {}.",
            it.slot_id,
            match it.by {
                BookedBy::Staff => "by staff",
                BookedBy::Elsewhere => "in another system",
            }
        ),
        SlotEvent::CandidateNotFound(it) => format!(
            "Nobody on the waitlist {} may be offered the slot; it is looked again after {}.",
            it.waitlist_id, it.look_again_at
        ),
        SlotEvent::SlotOpenedToPublic(it) => format!(
            "Nobody on the waitlist {} took the slot {}; anybody may.",
            it.waitlist_id, it.slot_id
        ),
        SlotEvent::SlotWithdrawn(it) => {
            format!("The slot {} is no longer to be had.", it.slot_id)
        }
        SlotEvent::CalendarTold(it) => format!(
            "The practice's calendar said of the slot {} that {} (number {}).",
            it.slot_id,
            match it.word {
                CalendarWord::Free => "it is free",
                CalendarWord::Booked => "it is booked",
                CalendarWord::Gone => "it is gone",
            },
            it.revision
        ),
    }
}

fn passed_over(it: &CandidatesPassedOver) -> String {
    let reasons: Vec<_> = it
        .passed
        .iter()
        .map(|(reason, entries)| {
            let entries: Vec<_> = entries.iter().map(|id| ending(id.as_str())).collect();
            format!(
                "{} because {reason} ({})",
                entries.join(", "),
                reason.code()
            )
        })
        .collect();
    format!("Passed over: {}.", reasons.join("; "))
}

/// The rank itself is not stored, but the order of the holds is: entries are asked by rank.
fn held(it: &SlotHeld, all: &[Event]) -> String {
    let of_release = |event: &&Event| match SlotEvent::decode(&event.event_type, event.data.clone())
    {
        Ok(SlotEvent::SlotHeld(held)) => {
            (&held.slot_id, held.slot_version) == (&it.slot_id, it.slot_version)
        }
        _ => false,
    };
    let place = all
        .iter()
        .filter(|event| event.kind() == "slot")
        .filter(of_release)
        .position(|event| event.data["offerId"] == it.offer_id.as_str());
    let place = place.map_or(String::new(), |index| {
        format!(", number {} to be asked since the release", index + 1)
    });
    let view = match it.as_of {
        Some(at) => format!("the ranking was as of {at}"),
        None => "the ranking was empty".to_owned(),
    };
    format!(
        "The slot {} was held until {} for the entry {}{place}; {view}.",
        it.slot_id,
        it.expires_at,
        ending(it.entry_id.as_str()),
    )
}

fn accepted(it: &OfferAccepted) -> String {
    let (person, slot) = (&it.recipient_id, &it.slot_id);
    match &it.swapped {
        Some(former) => format!(
            "The recipient {person} accepted the slot {slot} in time, and gave up {former} for it."
        ),
        None => format!("The recipient {person} accepted the slot {slot} in time."),
    }
}

fn of_entry(event: &EntryEvent) -> String {
    match event {
        EntryEvent::EntryJoined(it) => format!(
            "The recipient {} joined the waitlist {} for {} ({}).",
            it.recipient_id,
            it.waitlist_id,
            it.service,
            it.urgency.as_str()
        ),
        EntryEvent::OfferMade(it) => format!(
            "The slot {} was offered to the recipient {} until {}.",
            it.slot_id, it.recipient_id, it.expires_at
        ),
        EntryEvent::OfferAccepted(it) => accepted(it),
        EntryEvent::BookingGivenUp(it) => format!(
            "The recipient {} gave up the slot {} for {}, which is sooner.",
            it.recipient_id, it.slot_id, it.instead
        ),
        EntryEvent::OfferDeclined(it) => format!(
            "The entry {} declined the slot {} and keeps its rank.",
            ending(it.entry_id.as_str()),
            it.slot_id
        ),
        EntryEvent::OfferLapsed(it) => format!(
            "The offer {} had passed its deadline without an answer.",
            ending(it.offer_id.as_str())
        ),
        EntryEvent::OfferSuperseded(it) => format!(
            "The offer {} ended because somebody else got the slot {}; no skip is counted.",
            ending(it.offer_id.as_str()),
            it.slot_id
        ),
        EntryEvent::OfferWithdrawn(it) => format!(
            "The offer {} ended because the slot {} was withdrawn; no skip is counted.",
            ending(it.offer_id.as_str()),
            it.slot_id
        ),
        EntryEvent::PreferencesChanged(it) => format!(
            "The entry {} has other preferences.",
            ending(it.entry_id.as_str())
        ),
        EntryEvent::EntryPaused(it) => format!(
            "The entry {} was paused: {}.",
            ending(it.entry_id.as_str()),
            match it.reason {
                PauseReason::Asked => "the person asked for it".to_owned(),
                PauseReason::Skips => format!("it had let {} offers pass", it.skips),
            }
        ),
        EntryEvent::EntryResumed(it) => {
            format!("The entry {} was resumed.", ending(it.entry_id.as_str()))
        }
        EntryEvent::RankOverridden(it) => format!(
            "Staff moved the entry {} to {} ({}).",
            ending(it.entry_id.as_str()),
            code(&it.to),
            code(&it.reason)
        ),
        EntryEvent::EntryLeft(it) => format!(
            "The entry {} left the waitlist {}.",
            ending(it.entry_id.as_str()),
            it.waitlist_id
        ),
    }
}

/// The code that a value has in the journal.
fn code(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(code)) => code,
        _ => String::new(),
    }
}

fn short(id: uuid::Uuid) -> String {
    ending(&id.simple().to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(stream: &str, event_type: &str, data: Value) -> Event {
        serde_json::from_value(json!({
            "eventId": "e", "type": event_type, "stream": stream, "commit": 1, "index": 0,
            "time": "2026-01-01T00:00:00Z", "causationId": "x", "public": true, "data": data,
        }))
        .expect("an event of a timeline")
    }

    #[test]
    fn a_drop_is_told_with_its_stored_reason() {
        let event = event(
            "notification#1",
            "callboard.notification.notification-dropped.v1",
            json!({"reason": "opted-out"}),
        );
        assert_eq!(
            sentence(&event, &[]),
            "It was not sent: the recipient opted out of the category (opted-out)."
        );
    }

    #[test]
    fn a_hold_is_told_with_its_place_since_the_release() {
        let held = |offer: &str| {
            let data = json!({
                "waitlistId": "w", "slotId": "s1", "slotVersion": 1, "offerId": offer,
                "entryId": "e1", "expiresAt": "2026-01-01T00:02:00Z",
            });
            event("slot#s1", "callboard.waitlist.slot-held.v1", data)
        };
        let all = [held("o1"), held("o2")];
        let text = sentence(&all[1], &all);
        assert!(text.contains("number 2 to be asked"), "{text}");
        assert!(text.contains("the ranking was empty"), "{text}");
    }

    #[test]
    fn a_broadcast_is_told_by_numbers_and_reasons_and_not_by_names() {
        let told = event(
            "broadcast#s1#1",
            "callboard.waitlist.broadcast-announced.v1",
            json!({
                "waitlistId": "w", "slotId": "s1", "slotVersion": 1, "service": "physio",
                "startsAt": "2026-01-01T09:00:00Z", "endsAt": "2026-01-01T09:30:00Z",
                "expiresAt": "2026-01-01T08:00:00Z",
                "invited": [{"entryId": "e1", "recipientId": "r1"}],
            }),
        );
        let text = sentence(&told, &[]);
        assert!(
            text.starts_with("1 of those whom the slot s1 suits were told"),
            "{text}"
        );
        let searched = event(
            "broadcast#s1#1",
            "callboard.waitlist.audience-searched.v1",
            json!({"passed": {"paused": ["e2"], "has-offer": ["e3", "e4"]}, "done": true}),
        );
        let text = sentence(&searched, &[]);
        assert!(text.starts_with("3 entries were passed over ("), "{text}");
        assert!(
            text.contains("paused") && text.ends_with("nobody else is told."),
            "{text}"
        );
    }

    #[test]
    fn what_this_version_does_not_know_is_named_by_its_type() {
        let event = event("slot#s1", "callboard.waitlist.slot-painted.v1", json!({}));
        assert_eq!(
            sentence(&event, &[]),
            "callboard.waitlist.slot-painted.v1 was recorded in slot#s1."
        );
    }
}
