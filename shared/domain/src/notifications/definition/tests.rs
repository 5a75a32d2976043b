use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

const DEFINITION: &str = r#"{"id":"hello","on":"com.example.greeted.v1","recipient":"/to",
    "channel":"email","category":"greetings","unknownPolicy":"park","expires":"/until"}"#;

fn with_wording<'a>(subject: &'a str, text: &'a str, html: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("hello/definition.json", DEFINITION),
        ("hello/subject.txt", subject),
        ("hello/body.txt", text),
        ("hello/body.html", html),
    ]
}

fn fill(files: &[(&str, &str)], data: &Value) -> Result<Rendered, RenderError> {
    let catalogue = Catalogue::load(files).expect("definitions");
    let definition = catalogue.get("hello").expect("the definition");
    catalogue.render(
        definition,
        &Context {
            data,
            personal: &json!({}),
            recipient: Person::default(),
            links: &BTreeMap::new(),
            time: Timestamp::from_millis(0),
        },
    )
}

#[test]
fn html_is_escaped_and_text_is_not() {
    let files = with_wording("Hi", "{{ data.x }}", "<p>{{ data.x }}</p>");
    let data = json!({"x": "<script>alert('&')</script>"});
    let rendered = fill(&files, &data).expect("a mail");
    assert_eq!(rendered.text, "<script>alert('&')</script>");
    assert!(!rendered.html.contains("<script>"), "{}", rendered.html);
    assert!(
        rendered.html.starts_with("<p>&lt;script&gt;"),
        "{}",
        rendered.html
    );
}

#[test]
fn a_missing_value_is_an_error_with_file_and_line_in_every_part() {
    for part in Part::ALL {
        let at = |this| {
            if this == part {
                "fine\n{{ data.missing }}"
            } else {
                "fine"
            }
        };
        let files = with_wording(at(Part::Subject), at(Part::Text), at(Part::Html));
        let error = fill(&files, &json!({})).expect_err("a value is missing");
        assert_eq!((error.part, error.line), (part, Some(2)));
        assert_eq!(error.problem, RenderProblem::Missing);
    }
}

#[test]
fn null_is_as_missing_as_what_is_not_there() {
    let files = with_wording("Hi {{ recipient.name }}", "x", "x");
    let error = fill(&files, &json!({})).expect_err("nobody's name is `none`");
    assert_eq!(error.problem, RenderProblem::Missing);
    let files = with_wording(
        "Hi{% if recipient.name %} {{ recipient.name }}{% endif %}",
        "x",
        "x",
    );
    assert_eq!(fill(&files, &json!({})).expect("a mail").subject, "Hi");
}

#[test]
fn a_subject_with_line_breaks_or_control_characters_is_refused() {
    let files = with_wording("Hi {{ data.x }}", "x", "x");
    for bad in [
        "a\r\nBcc: x@example.com",
        "a\nb",
        "a\rb",
        "a\0b",
        "a\u{7f}b",
        "a\u{85}b",
        "a\u{2028}b",
    ] {
        let error = fill(&files, &json!({"x": bad})).expect_err("a broken subject");
        assert_eq!(error.problem, RenderProblem::ControlCharacter, "{bad:?}");
    }
    assert_eq!(
        fill(&files, &json!({"x": "ä 字"})).expect("a mail").subject,
        "Hi ä 字"
    );
}

#[test]
fn an_empty_or_endless_subject_is_refused() {
    let files = with_wording("{{ data.x }}", "x", "x");
    let problem = |x: &str| fill(&files, &json!({"x": x})).map_err(|error| error.problem);
    assert_eq!(problem("  "), Err(RenderProblem::EmptySubject));
    assert_eq!(problem(&"x".repeat(501)), Err(RenderProblem::LongSubject));
}

#[test]
fn an_error_never_shows_a_value() {
    let files = with_wording("Hi", "{{ data.x | when }} {{ data.x + 1 }}", "x");
    let error = fill(&files, &json!({"x": "canary@example.com"})).expect_err("not a time");
    assert_eq!(error.problem, RenderProblem::NotATime);
    assert!(!format!("{error} {error:?}").contains("canary"));
    assert_eq!(
        error.to_string(),
        "hello/body.txt:1: a value is not an RFC 3339 time"
    );
}

#[test]
fn times_are_told_in_the_zone_of_recipient_then_definition_then_clinic_else_in_utc() {
    let zoned = DEFINITION.replace("\"category\"", "\"zone\":\"Europe/Berlin\",\"category\"");
    let data = json!({"t": "2026-02-02T13:30:00Z"});
    let links = BTreeMap::new();
    let told_in = |clinic: &str, definition: &str, data: &Value, zone: Option<&str>| {
        let mut files = with_wording("{{ data.t | when }}", "x", "x");
        files[0].1 = definition;
        let clinic = clinic.parse().expect("a zone");
        let catalogue = Catalogue::load(&files)
            .expect("definitions")
            .told_in(clinic);
        let context = Context {
            data,
            personal: &Value::Null,
            recipient: Person { name: None, zone },
            links: &links,
            time: Timestamp::from_millis(0),
        };
        let definition = catalogue.get("hello").expect("the definition");
        catalogue
            .render(definition, &context)
            .expect("a mail")
            .subject
    };
    let told = |definition: &str, zone| told_in("UTC", definition, &data, zone);
    assert!(told_in("America/New_York", DEFINITION, &data, None).ends_with("08:30 EST"));
    assert!(told_in("America/New_York", &zoned, &data, None).ends_with("14:30 CET"));
    assert!(told(DEFINITION, None).ends_with("13:30 UTC"));
    assert!(told(&zoned, None).ends_with("14:30 CET"));
    assert!(told(&zoned, Some("Asia/Tokyo")).ends_with("22:30 JST"));
    assert!(told(&zoned, Some("Nowhere/Land")).ends_with("14:30 CET"));

    let of_place = zoned.replace("\"category\"", "\"zoneAt\":\"/at/zone\",\"category\"");
    let at = |zone: Value| json!({"t": "2026-02-02T13:30:00Z", "at": {"zone": zone}});
    let there = |zone: Value| told_in("Asia/Tokyo", &of_place, &at(zone), Some("Asia/Tokyo"));
    assert!(there(json!("America/New_York")).ends_with("08:30 EST"));
    assert!(there(json!("UTC")).ends_with("13:30 UTC"));
    for none in [json!("Nowhere/Land"), json!(7), Value::Null] {
        assert!(there(none.clone()).ends_with("14:30 CET"), "{none}");
    }
}

#[test]
fn everything_wrong_with_a_folder_is_told_at_once() {
    let files = [
        (
            "hello/definition.json",
            r#"{"id":"Bye","on":"x","recipient":"to","channel":"email","category":"","unknownPolicy":"park","expires":"until","each":"all","zone":"Mars","zoneAt":"zone","calendar":{"uid":[],"starts":"at","ends":"/e","summary":"/s"}}"#,
        ),
        ("hello/subject.txt", "fine\n{% if %}"),
        ("hello/body.txt", "fine"),
        ("hello/notes.md", "?"),
        ("stray.json", "{}"),
    ];
    let problems = Catalogue::load(&files).expect_err("problems").to_string();
    for expected in [
        "stray.json: stands in no folder",
        "hello/notes.md: not a file of a notification",
        "hello/subject.txt: line 2: ",
        "hello/body.html: the file is missing",
        "hello/definition.json: /id: the id is the name of the folder",
        "hello/definition.json: /id: an id has",
        "hello/definition.json: /category: ",
        "hello/definition.json: /recipient: ",
        "hello/definition.json: /expires: ",
        "hello/definition.json: /each: ",
        "hello/definition.json: /zone: ",
        "hello/definition.json: /zoneAt: ",
        "hello/definition.json: /calendar/starts: ",
        "hello/definition.json: /calendar/uid: ",
    ] {
        assert!(
            problems.contains(expected),
            "{expected} is not in\n{problems}"
        );
    }
    let unknown_member = [("hello/definition.json", r#"{"colour":"red"}"#)];
    let problems = Catalogue::load(&unknown_member)
        .expect_err("problems")
        .to_string();
    assert!(problems.contains("unknown field `colour`"), "{problems}");
}

#[test]
fn an_event_about_several_names_each_of_them_once() {
    let several = DEFINITION.replace("\"recipient\"", "\"each\":\"/all\",\"recipient\"");
    let mut files = with_wording("Hi", "x", "x");
    files[0].1 = &several;
    let catalogue = Catalogue::load(&files).expect("definitions");
    let definition = catalogue.get("hello").expect("the definition");
    let told = |data: Value| definition.recipients_of(&data);
    let ids = |names: &[&str]| {
        names
            .iter()
            .map(|name| name.parse().expect("an id"))
            .collect()
    };
    let three = json!({"all": [{"to": "usr-2"}, {"to": "usr-1"}, {"to": "usr-2"}]});
    assert_eq!(told(three), Ok(ids(&["usr-2", "usr-1"])));
    assert_eq!(told(json!({"all": []})), Ok(Vec::new()));
    let no_list = told(json!({"all": "canary"})).expect_err("no list");
    assert_eq!(no_list.to_string(), "/all: not a list");
    assert!(matches!(
        told(json!({"all": [{"to": "usr-1"}, {}]})),
        Err(FactError::Recipient(_))
    ));
}

#[test]
fn recipient_and_expiry_are_read_from_the_data_by_pointer() {
    let files = with_wording("Hi", "x", "x");
    let catalogue = Catalogue::load(&files).expect("definitions");
    let definition = catalogue
        .for_event("com.example.greeted.v1")
        .next()
        .expect("one");
    let data = json!({"to": "usr-1", "until": "2026-02-02T13:30:00Z"});
    assert_eq!(
        definition.recipients_of(&data),
        Ok(vec!["usr-1".parse().expect("an id")])
    );
    assert_eq!(
        definition.expires_at(&data),
        Ok("2026-02-02T13:30:00Z".parse().ok())
    );
    assert_eq!(definition.expires_at(&json!({})), Ok(None));
    let bad = json!({"to": "canary@@#", "until": "soon"});
    let errors = format!(
        "{} {}",
        definition.recipients_of(&bad).expect_err("not an id"),
        definition.expires_at(&bad).expect_err("not a time")
    );
    assert!(
        errors.contains("/to") && errors.contains("/until"),
        "{errors}"
    );
    assert!(
        !errors.contains("canary") && !errors.contains("soon"),
        "{errors}"
    );
}

#[test]
fn an_appointment_goes_with_a_notification_if_the_data_tell_all_of_it() {
    let appointment: Appointment = serde_json::from_value(json!({
        "uid": ["/slot", "/version"], "starts": "/from", "ends": "/to",
        "summary": "/what", "location": "/where",
    }))
    .expect("an appointment");
    let organizer = "desk@clinic.example".parse().expect("an address");
    let file = |data: &Value| appointment.file(data, &organizer, Timestamp::from_millis(0));
    let whole = json!({
        "slot": "s1", "version": 2, "what": "physio", "where": "north",
        "from": "2026-02-02T14:30:00+01:00", "to": "2026-02-02T14:00:00Z",
    });
    let text = file(&whole).expect("a file");
    for line in [
        "METHOD:PUBLISH",
        "UID:s1-2@clinic.example",
        "DTSTART:20260202T133000Z",
        "DTEND:20260202T140000Z",
        "SUMMARY:physio",
        "LOCATION:north",
    ] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}: {text}");
    }
    for (missing, goes) in [
        ("slot", false),
        ("version", false),
        ("from", false),
        ("to", false),
        ("what", false),
        ("where", true),
    ] {
        let mut data = whole.clone();
        data[missing] = Value::Null;
        assert_eq!(file(&data).is_some(), goes, "{missing}");
    }
}
