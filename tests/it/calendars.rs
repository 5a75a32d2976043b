//! An appointment is told by one clock, and is one event, in the mails, on the page behind their
//! link, and in the files for a calendar.

use std::collections::BTreeMap;

use serde_json::json;

use crate::house::{Answer, House, Mail, Setup, Site};
use crate::story::{Person, SERVICE};

/// What a browser sends with a request for a page.
const BROWSER: [(&str, &str); 1] = [("accept", "text/html")];

/// A clinic in Zurich.
async fn house() -> House {
    let zone = ("ClinicTimeZone".to_owned(), "Europe/Zurich".to_owned());
    let setup = Setup {
        parameters: BTreeMap::from([zone]),
        ..Setup::default()
    };
    Site::new(setup).await.open().await
}

/// Somebody joins a list of their own and is offered the only slot of it; the link in the mail.
async fn offered(house: &House, name: &str, slot: &serde_json::Value) -> (Person, String) {
    let person = house.register(name).await;
    house.join(name, &person, "urgent").await;
    let path = format!("/v1/waitlists/{name}/slots");
    house.api.json("POST", &path, slot).await.expect(201);
    let link = house.offer_to(&person).await;
    (person, link)
}

/// A page's text without its tags.
fn text_of(page: &Answer) -> String {
    let mut inside = false;
    let html = page.text();
    let text = html.chars().filter(|character| match character {
        '<' => {
            inside = true;
            false
        }
        '>' => {
            inside = false;
            false
        }
        _ => !inside,
    });
    text.collect()
}

async fn mail_to(house: &House, person: &Person, subject: &str) -> Mail {
    house
        .until(&format!("the mail: {subject}"), async || {
            let mails = house.mails_to(&person.email).await;
            mails
                .into_iter()
                .find(|mail| mail.subject.contains(subject))
        })
        .await
}

/// A property of the only event of an iCalendar object.
fn property<'a>(object: &'a str, name: &str) -> &'a str {
    let mut lines = object.split("\r\n");
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.unwrap_or_else(|| panic!("no {name} in {object}"))
}

#[tokio::test(start_paused = true)]
async fn mail_page_and_files_tell_an_appointment_by_the_clock_where_it_is() {
    let house = house().await;
    // New York goes to summer time on 14 March 2027 at 07:00 UTC, Zurich two weeks later.
    let cases = [
        (
            "before",
            Some("America/New_York"),
            "2027-03-13T15:00:00Z",
            "2027-03-13T15:30:00Z",
            [
                "Saturday 13 March 2027, 10:00 EST",
                "Saturday 13 March 2027, 10:30 EST",
            ],
            "Saturday 13 March 2027, 10:00 to 10:30 EST",
        ),
        (
            "across",
            Some("America/New_York"),
            "2027-03-14T06:45:00Z",
            "2027-03-14T07:15:00Z",
            [
                "Sunday 14 March 2027, 01:45 EST",
                "Sunday 14 March 2027, 03:15 EDT",
            ],
            "Sunday 14 March 2027, 01:45 EST to Sunday 14 March 2027, 03:15 EDT",
        ),
        (
            "after",
            Some("America/New_York"),
            "2027-03-15T14:00:00Z",
            "2027-03-15T14:30:00Z",
            [
                "Monday 15 March 2027, 10:00 EDT",
                "Monday 15 March 2027, 10:30 EDT",
            ],
            "Monday 15 March 2027, 10:00 to 10:30 EDT",
        ),
        (
            "here",
            None,
            "2027-03-15T14:00:00Z",
            "2027-03-15T14:30:00Z",
            [
                "Monday 15 March 2027, 15:00 CET",
                "Monday 15 March 2027, 15:30 CET",
            ],
            "Monday 15 March 2027, 15:00 to 15:30 CET",
        ),
    ];
    for (name, zone, starts, ends, in_mails, on_page) in cases {
        let mut slot = json!({
            "service": SERVICE, "startsAt": starts, "endsAt": ends, "location": "Mill Lane 3",
        });
        if let Some(zone) = zone {
            slot["zone"] = json!(zone);
        }
        let (person, link) = offered(&house, name, &slot).await;
        // Whoever lives elsewhere still comes to this clock.
        let profile = json!({ "email": person.email, "timeZone": "Asia/Tokyo" });
        house.register_as(&person.id, &profile).await;
        let page = house.api.send("GET", &link, &BROWSER, Vec::new()).await;
        let page = text_of(&page.expect(200));
        assert!(page.contains(on_page), "{name}: {page}");

        let offer = mail_to(&house, &person, "earlier appointment").await;
        let confirmation = {
            house.press(&link, "accept").await.expect(200);
            mail_to(&house, &person, "is booked").await
        };
        for told in in_mails {
            for body in [
                &offer.text,
                &offer.html,
                &confirmation.text,
                &confirmation.html,
            ] {
                assert!(body.contains(told), "{name}: {told} is not in {body}");
            }
        }
        let deadline = offer.text.split("We hold it for you until ").nth(1);
        let deadline = deadline.and_then(|rest| rest.lines().next()?.strip_suffix('.'));
        let deadline = deadline.expect("a deadline");
        assert!(
            page.contains(deadline),
            "{name}: {deadline} is not in {page}"
        );

        let [file] = confirmation.attachments.as_slice() else {
            panic!("{:?}", confirmation.attachments)
        };
        let linked = house
            .api
            .get(&format!("{link}/calendar.ics"))
            .await
            .expect(200);
        for object in [&file.text, &linked.text()] {
            let utc = |time: &str| time.replace(['-', ':'], "");
            assert_eq!(property(object, "DTSTART"), utc(starts), "{name}");
            assert_eq!(property(object, "DTEND"), utc(ends), "{name}");
            assert_eq!(property(object, "LOCATION"), "Mill Lane 3");
            assert!(!object.contains(&person.email), "{object}");
        }
        let same = [
            "UID",
            "SEQUENCE",
            "METHOD",
            "SUMMARY",
            "ORGANIZER",
            "STATUS",
        ];
        for name in same {
            assert_eq!(property(&file.text, name), property(&linked.text(), name));
        }
        assert_eq!(file.name, "appointment.ics");
        assert_eq!(file.content_type, linked.headers["content-type"]);
        assert!(offer.attachments.is_empty(), "an offer is no appointment");
    }
    house.close().await;
}
