//! From what was found to a mail: the gate again, the wording, the links. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use callboard_contracts::link::{ENTRY_LINK_LASTS, EntryLink, OfferLink};
use callboard_contracts::notification::DropReason;
use callboard_contracts::waitlist::BroadcastEvent;
use callboard_contracts::{DomainEvent, EntryEvent, RecipientId, Timestamp};
use callboard_domain::notifications::definition::{Context, Definition, Link, Person, Rendered};
use callboard_domain::notifications::gate::{self, Addressee};
use callboard_domain::notifications::notification::Notification;
use callboard_domain::waitlist::slot;

use crate::compose::{ComposeError, Draft, compose};
use crate::contact::Contact;
use crate::deps::Deps;
use crate::effect::Outcome;
use crate::job::Job;
use crate::lookup::{Caused, Facts};
use crate::provider::Message;

/// The mail, if it may and can be sent at `now`.
///
/// # Errors
/// The outcome that stands instead of it: dropped with a reason, or failed for its address.
pub fn prepare(
    deps: &Deps,
    job: &Job,
    state: &Notification,
    facts: &Facts,
    now: Timestamp,
) -> Result<Message, Outcome> {
    let unrenderable = || Outcome::Dropped(DropReason::Unrenderable);
    let planned = &job.planned;
    let definition = deps
        .catalogue
        .get(&planned.definition)
        .ok_or_else(unrenderable)?;
    let cause = facts.cause.as_ref().ok().and_then(Option::as_ref);
    let question = gate::Message {
        category: &definition.category,
        critical: definition.critical,
        cancelled: state.cancelled,
        caused_at: cause.map_or(job.planned_at, |cause| cause.at),
        expires_at: planned.expires_at,
    };
    let addressee = facts.contact.as_ref().map(addressee);
    gate::check(&question, addressee.as_ref(), now).map_err(Outcome::Dropped)?;
    let (Some(contact), Some(cause)) = (&facts.contact, cause) else {
        return Err(unrenderable());
    };
    let to = &planned.recipient_id;
    let rendered = render(deps, definition, (to, contact), cause, facts);
    let rendered = rendered.ok_or_else(unrenderable)?;
    let appointment = definition.calendar.as_ref();
    let appointment = appointment.and_then(|it| it.file(&cause.data, &deps.organizer, cause.at));
    let draft = Draft {
        notification: planned.notification_id,
        from: &deps.from,
        email: contact.email.as_deref().unwrap_or_default(),
        name: contact.name.as_deref(),
        subject: &rendered.subject,
        text: &rendered.text,
        html: &rendered.html,
        appointment: appointment.as_deref(),
        at: now,
        unsubscribe: !definition.critical,
    };
    compose(&draft).map_err(|error| match error {
        ComposeError::Address | ComposeError::Name => Outcome::Failed {
            code: error.to_string(),
        },
        ComposeError::Subject | ComposeError::Assembly => unrenderable(),
    })
}

fn addressee(contact: &Contact) -> Addressee {
    Addressee {
        has_address: contact.email.is_some(),
        opted_out: contact.opted_out.iter().cloned().collect::<BTreeSet<_>>(),
        suppressed: contact.suppressed,
    }
}

fn render(
    deps: &Deps,
    definition: &Definition,
    (to, contact): (&RecipientId, &Contact),
    cause: &Caused,
    facts: &Facts,
) -> Option<Rendered> {
    let links = links(deps, definition, to, cause)?;
    let context = Context {
        data: &cause.data,
        personal: &facts.personal,
        recipient: Person {
            name: contact.name.as_deref(),
            zone: contact.time_zone.as_deref(),
        },
        links: &links,
        time: cause.at,
    };
    match deps.catalogue.render(definition, &context) {
        Ok(rendered) => Some(rendered),
        Err(error) => {
            tracing::warn!(%error, "a wording could not be filled");
            None
        }
    }
}

/// The links that the wording may hold, signed until they are of no use any more.
fn links(
    deps: &Deps,
    definition: &Definition,
    to: &RecipientId,
    cause: &Caused,
) -> Option<BTreeMap<String, String>> {
    let sign = |link: &Link| match link {
        Link::Offer => {
            let (claims, expires_at) = offer(cause, to)?;
            let token = deps.keys.sign(&claims, expires_at);
            let url = format!("{}/o/{token}", deps.public_url);
            Some((link.as_str().to_owned(), url))
        }
        Link::Place => {
            // Every event of an entry names both.
            let id = |member: &str| cause.data.get(member)?.as_str();
            let claims = EntryLink {
                waitlist: id("waitlistId")?.parse().ok()?,
                entry: id("entryId")?.parse().ok()?,
            };
            let token = deps.keys.sign(&claims, cause.at.plus(ENTRY_LINK_LASTS));
            let url = format!("{}/w/{token}", deps.public_url);
            Some((link.as_str().to_owned(), url))
        }
    };
    definition.links.iter().map(sign).collect()
}

/// The offer that the event makes to this person, and until when it can be accepted.
fn offer(cause: &Caused, to: &RecipientId) -> Option<(OfferLink, Timestamp)> {
    let (event_type, data) = (&cause.event_type, &cause.data);
    if let Ok(EntryEvent::OfferMade(offer)) = EntryEvent::decode(event_type, data.clone()) {
        let claims = OfferLink {
            slot: offer.slot_id,
            version: offer.slot_version,
            offer: offer.offer_id,
            entry: offer.entry_id,
        };
        return Some((claims, offer.expires_at));
    }
    let Ok(BroadcastEvent::BroadcastAnnounced(open)) =
        BroadcastEvent::decode(event_type, data.clone())
    else {
        return None;
    };
    let mut invited = open.invited.into_iter();
    let entry = invited.find(|one| one.recipient_id == *to)?.entry_id;
    let claims = OfferLink {
        offer: slot::offer_id(&open.slot_id, open.slot_version, &entry),
        slot: open.slot_id,
        version: open.slot_version,
        entry,
    };
    Some((claims, open.expires_at))
}
