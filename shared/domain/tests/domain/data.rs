//! The data files of `events/`: they load, fit together, and every wording can be filled.

use std::collections::BTreeMap;

use callboard_contracts::DomainEvent as _;
use callboard_contracts::waitlist::{BroadcastEvent, Mode};
use callboard_domain::data;
use callboard_domain::foreign::Registry;
use callboard_domain::notifications::{Catalogue, Context, Definition, Person, Rendered};
use callboard_domain::waitlist::broadcast::{Audience, Page, announce};
use callboard_domain::waitlist::entry;
use callboard_domain::waitlist::slot::{self, Look, OfferFate, Slot, SlotDetails, Told};
use serde_json::{Value, json};

use crate::given::*;

/// Examples of every event that a definition may wait for: a foreign type brings its own.
fn examples(registry: &Registry) -> BTreeMap<String, (Value, Value)> {
    let mut found: BTreeMap<String, (Value, Value)> = BTreeMap::new();
    for foreign in registry.iter() {
        let split = foreign.split_personal(&foreign.example);
        found.insert(foreign.event_type.clone(), (split.public, split.personal));
    }
    let (mut slots, mut entries) = story();
    let (slot, entry, offer) = offered("ada");
    let yes = accept(&slot, &entry, &offer, NOON).expect("yes");
    slots.extend(yes.slot);
    entries.extend(yes.entry);
    for fate in [OfferFate::Superseded, OfferFate::Withdrawn] {
        let told = Told {
            offer_id: offer.clone(),
            entry_id: "entry-ada".parse().expect("an id"),
            fate,
        };
        entries.extend(entry::told(&entry, &told));
    }
    entries.extend(entry::pause(&entry, &timing(), NOON).expect("a pause"));
    slots.extend(slot::withdraw(&slot).expect("withdrawn"));
    for event in &told() {
        found.insert(event.event_type().to_owned(), (event.data(), json!({})));
    }
    for event in &slots {
        found.insert(event.event_type().to_owned(), (event.data(), json!({})));
    }
    for event in &entries {
        found.insert(event.event_type().to_owned(), (event.data(), json!({})));
    }
    found
}

/// A broadcast of a slot of which all is known.
fn told() -> Vec<BroadcastEvent> {
    let mut command = release_command();
    command.details = SlotDetails {
        location: Some("Mill Lane 3".to_owned()),
        provider: Some("Dr Noether".to_owned()),
        terms: Some(rules(|rules| rules.mode = Mode::Broadcast)),
        ..SlotDetails::default()
    };
    let events = slot::release(&Slot::default(), &command, NOON).expect("a release");
    let slot = fold(Slot::default(), &events, NOON);
    let events = slot::broadcast(&slot, &timing(), NOON).expect("a broadcast");
    let ada = waiting("ada");
    let page = Page {
        found: vec![&ada],
        look: Look::default(),
        is_last: true,
    };
    announce(&fold(slot, &events, NOON), &Audience::default(), page)
}

fn fill(catalogue: &Catalogue, definition: &Definition, person: Person<'_>) -> Rendered {
    let registry = Registry::builtin().expect("a registry");
    let examples = examples(&registry);
    let (data, personal) = examples
        .get(&definition.on)
        .expect("an example of the event");
    let links = definition
        .links
        .iter()
        .map(|link| {
            let url = format!("https://example.com/{}?a=1&b=2", link.as_str());
            (link.as_str().to_owned(), url)
        })
        .collect();
    let context = Context {
        data,
        personal,
        recipient: person,
        links: &links,
        time: NOON,
    };
    match catalogue.render(definition, &context) {
        Ok(rendered) => rendered,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_files_of_this_tree_load_without_a_problem() {
    let registry = Registry::builtin().unwrap_or_else(|problems| panic!("{problems}"));
    let catalogue = Catalogue::builtin().unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(catalogue.unknown_types(&registry), []);
    assert!(registry.find("OrderPlaced").is_some());
    assert_eq!(data::FOREIGN.len(), registry.iter().count());
    assert_eq!(data::NOTIFICATIONS.len(), 4 * catalogue.iter().count());
}

#[test]
fn every_wording_can_be_filled_with_and_without_a_name() {
    let catalogue = Catalogue::builtin().expect("a catalogue");
    for definition in catalogue.iter() {
        let nameless = fill(&catalogue, definition, Person::default());
        let named = fill(
            &catalogue,
            definition,
            Person {
                name: Some("Ada <3"),
                zone: Some("Europe/Berlin"),
            },
        );
        assert!(nameless.text.starts_with("Hello,"), "{}", definition.id);
        assert!(named.text.starts_with("Hello Ada <3,"), "{}", definition.id);
        assert!(named.html.contains("Hello Ada &lt;3,"), "{}", definition.id);
        assert!(
            named.html.contains("<html lang="),
            "a screen reader needs the language"
        );
        let leftover = format!("{}{}{}", named.subject, named.text, named.html);
        assert!(
            !leftover.contains("{{") && !leftover.contains("{%"),
            "{}",
            definition.id
        );
    }
}

#[test]
fn an_order_confirmation_lists_what_was_ordered_and_what_it_costs() {
    let catalogue = Catalogue::builtin().expect("a catalogue");
    let definition = catalogue.get("order-confirmation").expect("the definition");
    let mail = fill(&catalogue, definition, Person::default());
    assert_eq!(mail.subject, "Your order ord-123");
    assert!(mail.text.contains("\n- book\n- pen\n"), "{}", mail.text);
    assert!(mail.text.contains("Total: 29.99\n"), "{}", mail.text);
}

#[test]
fn an_offer_names_the_appointment_its_deadline_and_the_link() {
    let catalogue = Catalogue::builtin().expect("a catalogue");
    let definition = catalogue.get("waitlist-offer").expect("the definition");
    let mail = fill(&catalogue, definition, Person::default());
    assert!(
        mail.text.contains("\nhttps://example.com/offer?a=1&b=2\n"),
        "{}",
        mail.text
    );
    assert!(mail.html.contains("offer?a=1&amp;b=2\""), "{}", mail.html);
    assert!(
        mail.text
            .contains("We hold it for you until Friday 15 January 2027, 08:30 UTC."),
        "{}",
        mail.text
    );
}

#[test]
fn a_broadcast_says_that_the_first_to_accept_gets_the_appointment_and_nobody_has_to_answer() {
    let catalogue = Catalogue::builtin().expect("a catalogue");
    let definition = catalogue.get("waitlist-broadcast").expect("the definition");
    let mail = fill(&catalogue, definition, Person::default());
    for body in [&mail.text, &mail.html] {
        let words = body.split_whitespace().collect::<Vec<_>>().join(" ");
        for said in [
            "telling several people on the waitlist at the same time",
            "the first to say yes gets it.",
            "until Saturday 16 January 2027, 08:00 UTC, unless somebody else is faster",
            "you need not do anything: you keep your place",
            "Dr Noether",
            "Mill Lane 3",
        ] {
            assert!(words.contains(said), "{said}: {words}");
        }
    }
    let rows = "\n  Until: Saturday 16 January 2027, 08:30 UTC\n  With:  Dr Noether\n  \
                Where: Mill Lane 3\n\nIt is not held";
    assert!(mail.text.contains(rows), "{}", mail.text);
    assert!(mail.text.contains("\nhttps://example.com/offer?a=1&b=2\n"));
}

#[test]
fn who_did_not_get_an_appointment_is_told_that_the_place_on_the_list_is_kept() {
    let catalogue = Catalogue::builtin().expect("a catalogue");
    for id in [
        "waitlist-superseded",
        "waitlist-withdrawn",
        "waitlist-paused",
    ] {
        let definition = catalogue.get(id).expect("the definition");
        assert!(!definition.critical, "{id}");
        let mail = fill(&catalogue, definition, Person::default());
        for body in [&mail.text, &mail.html] {
            assert!(
                body.contains("You keep your place on the waitlist"),
                "{id}: {body}"
            );
        }
    }
}

#[test]
fn who_swaps_hears_before_and_after_what_becomes_of_the_other_appointment() {
    let catalogue = Catalogue::builtin().expect("a catalogue");
    let mails = |id: &str, more: Value| {
        let mut data = json!({
            "service": "physio", "startsAt": "2027-01-16T08:00:00.000Z",
            "endsAt": "2027-01-16T08:30:00.000Z", "expiresAt": "2027-01-15T08:30:00.000Z",
        });
        let members = data.as_object_mut().expect("an object");
        members.extend(more.as_object().cloned().unwrap_or_default());
        let links = ["offer", "place"].map(|link| (link, "https://example.com/o"));
        let links = links
            .map(|(link, url)| (link.to_owned(), url.to_owned()))
            .into();
        let context = Context {
            data: &data,
            personal: &json!({}),
            recipient: Person::default(),
            links: &links,
            time: NOON,
        };
        let definition = catalogue.get(id).expect("the definition");
        let mail = catalogue.render(definition, &context).expect("a mail");
        [mail.text, mail.html].map(|body| body.replace('\n', " "))
    };
    let other = "on Wednesday 20 January 2027, 08:00 UTC,";
    let at = "2027-01-20T08:00:00.000Z";
    for body in mails("waitlist-offer", json!({ "givesUpStartsAt": at })) {
        let said = format!("we give up your other appointment, {other} if you take this one.");
        assert!(body.contains(&said), "{body}");
    }
    for body in mails("waitlist-confirmed", json!({ "swappedStartsAt": at })) {
        let said = format!("your other appointment, {other} was given up for it.");
        assert!(
            body.contains(&said) && !body.contains("could not"),
            "{body}"
        );
    }
    for body in mails("waitlist-confirmed", json!({ "swapFailed": true })) {
        assert!(
            body.contains("We could not, so that one is as it was."),
            "{body}"
        );
    }
    for id in ["waitlist-offer", "waitlist-confirmed"] {
        for body in mails(id, json!({})) {
            assert!(!body.contains("other appointment"), "{body}");
        }
    }
}

#[test]
fn who_is_paused_hears_whether_they_asked_for_it_or_let_offers_pass() {
    let catalogue = Catalogue::builtin().expect("a catalogue");
    let definition = catalogue.get("waitlist-paused").expect("the definition");
    let text = |reason: &str, skips: u32| {
        let data = json!({ "reason": reason, "skips": skips });
        let context = Context {
            data: &data,
            personal: &json!({}),
            recipient: Person::default(),
            links: &BTreeMap::from([("place".to_owned(), "https://example.com".to_owned())]),
            time: NOON,
        };
        catalogue.render(definition, &context).expect("a mail").text
    };
    assert!(text("asked", 0).contains("as you asked, we send you no more offers"));
    assert!(text("skips", 3).contains("the last 3 offers of an appointment passed"));
    assert!(text("skips", 1).contains("the last offer of an appointment passed"));
}

#[test]
fn personal_fields_reach_the_mail_and_not_the_journal() {
    let registry = Registry::builtin().expect("a registry");
    let booked = registry.find("AppointmentBooked").expect("the type");
    let split = booked.split_personal(&booked.example);
    assert!(!split.public.to_string().contains("Noor"));
    let catalogue = Catalogue::builtin().expect("a catalogue");
    let definition = catalogue
        .get("appointment-confirmation")
        .expect("the definition");
    let mail = fill(&catalogue, definition, Person::default());
    assert!(mail.text.contains("For:   Noor"), "{}", mail.text);
}

#[test]
fn a_definition_that_waits_for_an_event_nobody_makes_is_told() {
    let files: Vec<_> = data::NOTIFICATIONS
        .iter()
        .map(|(name, text)| (*name, text.replace("order-placed.v1", "order-placed.v9")))
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    let catalogue = Catalogue::load(&files).expect("a catalogue");
    let registry = Registry::builtin().expect("a registry");
    let problems = catalogue.unknown_types(&registry);
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0]
            .to_string()
            .starts_with("order-confirmation/definition.json: /on: ")
    );
}
