//! What the pages of an offer's link say.

mod other;

use axum::http::StatusCode;
use callboard_contracts::Timestamp;
use callboard_domain::when::{Told, Zone};
use callboard_runtime::http::Problem;
pub(crate) use callboard_runtime::http::page::{document, escape, html, is_wanted, private};
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use self::other::Other;

/// Where an offer stands for the person it was made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Standing {
    Open,
    Accepted,
    Declined,
    Expired,
    /// The slot was booked otherwise.
    Taken,
    Withdrawn,
    /// The slot was released anew, or another offer took this one's place.
    Superseded,
    /// It was accepted, and given up for a sooner appointment.
    GivenUp,
}

/// An offer, as its link shows it: no person is named.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Offer")]
pub(crate) struct Shown {
    /// Where it stands.
    pub(crate) state: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) starts_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ends_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Timestamp>,
    /// It is not held: the first to accept has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) first_come: bool,
    /// What it has to do with another appointment of the person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) other_booking: Option<Other>,
    /// The zone in which people read its times.
    #[serde(skip)]
    pub(crate) zone: Zone,
}

/// What an offer's link shows. `note` is said first: what became of an answer.
pub(crate) fn of_offer(shown: &Shown, token: &str, note: Option<&str>) -> String {
    let (title, text) = if shown.first_come {
        FIRST_COME
    } else {
        words(shown.state)
    };
    let note = note.map_or_else(String::new, |note| {
        format!("<p role=\"status\">{}</p>", escape(note))
    });
    let other = shown.other_booking.map(|other| other.sentence(&shown.zone));
    let other = other.unwrap_or_default();
    let facts = facts(shown);
    let rest = match shown.state {
        Standing::Open if shown.first_come => FIRST_COME_FORM.to_owned(),
        Standing::Open => FORM.to_owned(),
        // Relative to the page, wherever that is mounted.
        Standing::Accepted => format!(
            "<p><a href=\"{}/calendar.ics\">Add it to your calendar</a></p>",
            escape(token)
        ),
        _ => String::new(),
    };
    document(title, &format!("{note}<p>{text}</p>{other}{facts}{rest}"))
}

const FORM: &str = "<form method=\"post\">\
    <button name=\"answer\" value=\"accept\">Yes, I take it</button>\
    <button name=\"answer\" value=\"decline\">No, thank you</button></form>\
    <p>Nothing is decided until you press one of the two. \
    If you say no, you keep your place on the waitlist.</p>";

const FIRST_COME: (&str, &str) = (
    "An appointment is free",
    "We have told several people of it, and hold it for nobody: \
     the first to say yes gets it. Would you like it?",
);

const FIRST_COME_FORM: &str = "<form method=\"post\">\
    <button name=\"answer\" value=\"accept\">Yes, I take it</button></form>\
    <p>Nothing is decided until you press it. If you do not want this appointment, you need not \
    do anything: you keep your place on the waitlist.</p>";

const fn words(state: Standing) -> (&'static str, &'static str) {
    match state {
        Standing::Open => (
            "An appointment is free",
            "We hold this appointment for you. Would you like it?",
        ),
        Standing::Accepted => (
            "The appointment is yours",
            "It is booked for you; you need not do anything more.",
        ),
        Standing::Declined => (
            "Thank you for letting us know",
            "You said no to this appointment, and somebody else can have it. \
             You keep your place on the waitlist.",
        ),
        Standing::Expired => (
            "The time to answer has passed",
            "This appointment can no longer be had by this link. You are still on the waitlist.",
        ),
        Standing::Taken => (
            "Somebody else has this appointment",
            "It can no longer be had by this link. You are still on the waitlist.",
        ),
        Standing::Withdrawn => (
            "This appointment is no longer available",
            "It was withdrawn, and this offer with it. You are still on the waitlist.",
        ),
        Standing::Superseded => (
            "This offer was replaced",
            "It can no longer be answered. Please use the link in our latest message.",
        ),
        Standing::GivenUp => (
            "You have taken an earlier appointment instead",
            "As you asked, this one was given up for it, and somebody else can have it.",
        ),
    }
}

fn facts(shown: &Shown) -> String {
    let text = |text: &Option<String>| text.as_deref().map(escape);
    let deadline = shown
        .expires_at
        .and_then(|at| Some(time(at, &shown.zone.tell(at)?.to_string())));
    let rows: String = [
        ("What", text(&shown.service)),
        ("With", text(&shown.provider)),
        ("When", when(shown)),
        ("Where", text(&shown.location)),
        ("Please answer before", deadline),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| format!("<dt>{name}</dt><dd>{value}</dd>")))
    .collect();
    // What cannot be had any more must not look like an appointment.
    let class = match shown.state {
        Standing::Open | Standing::Accepted => "",
        _ => " class=\"gone\"",
    };
    if rows.is_empty() {
        rows
    } else {
        format!("<dl{class}>{rows}</dl>")
    }
}

/// From when to when; the day is said once where both are on the same.
fn when(shown: &Shown) -> Option<String> {
    let start = shown.starts_at?;
    let from = shown.zone.tell(start)?;
    let end = shown
        .ends_at
        .and_then(|end| Some((end, shown.zone.tell(end)?)));
    let Some((end, to)) = end else {
        return Some(time(start, &from.to_string()));
    };
    // Where the clocks change in between, both zones are said.
    let same_day = from.date == to.date && from.zone == to.zone;
    let Told {
        date, time: clock, ..
    } = &from;
    let (from, to) = if same_day {
        (
            format!("{date}, {clock}"),
            format!("{} {}", to.time, to.zone),
        )
    } else {
        (from.to_string(), to.to_string())
    };
    Some(format!("{} to {}", time(start, &from), time(end, &to)))
}

/// A page for what could not be done.
pub(crate) fn of_problem(problem: &Problem) -> String {
    if problem.status == StatusCode::NOT_FOUND {
        return document(
            "We do not know this link",
            "<p>Please open the link in our message again. If you copied it, take care to copy \
             it whole, up to its last character.</p>",
        );
    }
    if problem.status.is_server_error() {
        return document(
            "That did not work",
            "<p>The fault is on our side. Please open the link again in a minute: it shows \
             whether your answer has reached us.</p>",
        );
    }
    if problem.status == StatusCode::CONFLICT {
        let why = format!("<p>{}</p>", escape(&problem.detail));
        return document("That did not work", &why);
    }
    // Its words are for programs.
    document(
        "That did not work",
        "<p>We could not read what your browser has sent. Please open the link in our message \
         again, and press one of the two buttons.</p>",
    )
}

fn time(at: Timestamp, words: &str) -> String {
    format!("<time datetime=\"{at}\">{words}</time>")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Standing; 8] = [
        Standing::Open,
        Standing::Accepted,
        Standing::Declined,
        Standing::Expired,
        Standing::Taken,
        Standing::Withdrawn,
        Standing::Superseded,
        Standing::GivenUp,
    ];

    fn shown(state: Standing) -> Shown {
        let at = |text: &str| Some(text.parse().expect("a time"));
        Shown {
            state,
            service: Some("physio".to_owned()),
            location: Some("Mill <Lane> 3".to_owned()),
            provider: None,
            starts_at: at("2030-05-02T09:00:00Z"),
            ends_at: at("2030-05-02T09:30:00Z"),
            expires_at: at("2030-05-01T22:30:00Z"),
            first_come: false,
            other_booking: None,
            zone: "Europe/Berlin".parse().expect("a zone"),
        }
    }

    fn page(shown: &Shown) -> String {
        of_offer(shown, "k1.e30.c2ln", None)
    }

    #[test]
    fn a_service_name_cannot_bring_markup_into_the_page() {
        let page = page(&Shown {
            service: Some("<script>alert(1)</script>".to_owned()),
            ..shown(Standing::Open)
        });
        assert!(!page.contains("<script>"));
        assert!(page.contains("&lt;script&gt;"));
        assert!(page.contains("<dt>Where</dt><dd>Mill &lt;Lane&gt; 3</dd>"));
        assert!(
            !page.contains("<dt>With</dt>"),
            "what is not known is not asked"
        );
    }

    #[test]
    fn only_an_open_offer_has_buttons_and_only_an_accepted_one_a_calendar() {
        for state in ALL {
            let page = page(&shown(state));
            assert_eq!(page.contains("<form"), state == Standing::Open, "{state:?}");
            let has_calendar = page.contains("href=\"k1.e30.c2ln/calendar.ics\"");
            assert_eq!(has_calendar, state == Standing::Accepted, "{state:?}");
        }
    }

    #[test]
    fn a_broadcast_says_that_the_first_has_it_and_asks_nobody_to_decline() {
        let page = page(&Shown {
            first_come: true,
            ..shown(Standing::Open)
        });
        assert!(page.contains("the first to say yes gets it"), "{page}");
        assert!(page.contains("value=\"accept\""), "{page}");
        assert!(!page.contains("value=\"decline\""), "{page}");
        assert!(!page.contains("We hold"), "{page}");
    }

    #[test]
    fn every_page_is_small_and_loads_nothing() {
        for state in ALL {
            let page = page(&shown(state));
            assert!(page.len() < 10_000, "{state:?}: {} bytes", page.len());
            for loading in ["src=", "@import", "url(", "<link", "<script"] {
                assert!(!page.contains(loading), "{state:?}: {loading}");
            }
        }
    }

    #[test]
    fn times_are_told_by_the_clinics_clock_and_marked_up_in_utc() {
        let page = page(&shown(Standing::Open));
        let when = "<time datetime=\"2030-05-02T09:00:00.000Z\">Thursday 2 May 2030, 11:00</time> to \
                    <time datetime=\"2030-05-02T09:30:00.000Z\">11:30 CEST</time>";
        assert!(page.contains(when), "{page}");
        assert!(page.contains(">Thursday 2 May 2030, 00:30 CEST</time>"));
    }

    #[test]
    fn an_appointment_over_midnight_or_a_change_of_clocks_says_both_ends_in_full() {
        let told = |from: &str, to: &str| {
            page(&Shown {
                starts_at: Some(from.parse().expect("a time")),
                ends_at: Some(to.parse().expect("a time")),
                ..shown(Standing::Accepted)
            })
        };
        let night = told("2030-05-02T21:30:00Z", "2030-05-02T22:30:00Z");
        assert!(
            night.contains("Thursday 2 May 2030, 23:30 CEST<"),
            "{night}"
        );
        assert!(night.contains("Friday 3 May 2030, 00:30 CEST<"), "{night}");
        let autumn = told("2030-10-27T00:30:00Z", "2030-10-27T01:15:00Z");
        assert!(
            autumn.contains("02:30 CEST<") && autumn.contains("02:15 CET<"),
            "{autumn}"
        );
    }

    #[test]
    fn what_becomes_of_another_appointment_is_said_with_its_time_in_the_zone() {
        let starts_at = "2030-05-09T09:00:00Z".parse().expect("a time");
        let said = |state, other| {
            page(&Shown {
                other_booking: Some(other),
                ..shown(state)
            })
        };
        let when = ">Thursday 9 May 2030, 11:00 CEST</time>";
        let open = said(Standing::Open, Other::WouldBeGivenUp { starts_at });
        assert!(
            open.contains(when) && open.contains("if you take this one"),
            "{open}"
        );
        let taken = said(Standing::Accepted, Other::GivenUp { starts_at });
        assert!(
            taken.contains(when) && taken.contains("was given up for it"),
            "{taken}"
        );
        let kept = said(Standing::Accepted, Other::Kept);
        assert!(kept.contains("that one is as it was"), "{kept}");
        let gone = said(Standing::GivenUp, Other::TakenInstead { starts_at });
        assert!(
            gone.contains(when) && gone.contains("earlier appointment instead"),
            "{gone}"
        );
        assert!(!gone.contains("calendar.ics"), "{gone}");
    }

    #[test]
    fn without_a_zone_the_page_says_utc() {
        let page = page(&Shown {
            zone: Zone::default(),
            ..shown(Standing::Open)
        });
        assert!(page.contains("09:30 UTC"), "{page}");
    }
}
