//! Dead letters in the hands of the people on call: looked at, replayed, edited, dropped, exported.

#![allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]

mod effect;
mod live;
mod place;
mod relay;
mod relay_place;
#[cfg(unix)]
mod script;

use std::collections::BTreeMap;

use serde_json::json;

use place::{CASCADE, EMAILS, Place, attribute, died, event_id};

#[tokio::test]
async fn letters_are_counted_by_reason_function_and_type() {
    let place = Place::bare(&[EMAILS, CASCADE]).await;
    let letters = "EMAIL_SENDER_DEAD_LETTER_QUEUE";
    for id in ["1", "2", "3"] {
        let (reason, event_type) = match id {
            "3" => ("refused", "b.v1"),
            _ => ("throttled", "a.v1"),
        };
        let body = json!({ "id": id, "data": { "slot": id } });
        place
            .letter(letters, &body, &died(reason, event_type))
            .await;
    }
    let listed = place.json(&["list"]).await;
    assert_eq!(listed["queues"][0]["queue"], "email-sender");
    assert_eq!(listed["queues"][0]["messages"], 3);
    let counts: Vec<_> = listed["queues"][0]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            (
                group["reason"].as_str().unwrap(),
                group["count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(counts, [("refused", 1), ("throttled", 2)]);
    for (filter, fits) in [
        (vec!["--reason", "THROTTLE"], 2),
        (vec!["--where", "$.data.slot=2"], 1),
        (vec!["--until", "1h"], 0),
        (vec!["--type", "a.v1", "--where", "$.data.slot=3"], 0),
    ] {
        let exported = place.dlq(&[vec!["export"], filter.clone()].concat()).await;
        let lines = exported
            .unwrap()
            .lines()
            .filter(|it| !it.is_empty())
            .count();
        assert_eq!(lines, fits, "{filter:?}");
    }
    assert_eq!(
        place.take(letters).await.len(),
        3,
        "all can be seen by others again"
    );
    let unknown = place.dlq(&["list", "--queue", "nobody"]).await.unwrap_err();
    assert!(
        unknown
            .to_string()
            .contains("there are: email-sender, waitlist-cascade")
    );
    assert_eq!(unknown.exit_code(), 2);
}

#[tokio::test]
async fn a_letter_is_shown_with_reason_origin_and_body() {
    let place = Place::bare(&[EMAILS]).await;
    let body = json!({ "id": "1", "correlationid": "c-1", "data": { "slot": "s-1" } });
    let letters = "EMAIL_SENDER_DEAD_LETTER_QUEUE";
    place
        .letter(letters, &body, &died("throttled", "a.v1"))
        .await;
    let shown = place.dlq(&["show"]).await.unwrap();
    for part in [
        "throttled",
        "c-1",
        "came from    email-sender-queue",
        "  \"slot\": \"s-1\"",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let all = place.json(&["show", "--first", "5"]).await;
    let id = all[0]["id"].as_str().unwrap();
    assert_eq!(place.json(&["show", &id[..8]]).await, all);
}

#[tokio::test]
async fn a_replay_is_dry_unless_it_is_to_execute() {
    let place = Place::bare(&[EMAILS]).await;
    let letters = "EMAIL_SENDER_DEAD_LETTER_QUEUE";
    for id in 0..25 {
        let event_type = if id < 20 { "a.v1" } else { "b.v1" };
        let body = json!({ "id": id.to_string() });
        place
            .letter(letters, &body, &died("throttled", event_type))
            .await;
    }
    let dry = place.json(&["replay"]).await;
    assert_eq!(
        (&dry["dryRun"], &dry["replayed"]),
        (&json!(true), &json!(25))
    );
    assert_eq!(place.depth("email-sender").await, 25);
    assert!(place.take("EMAIL_SENDER_QUEUE").await.is_empty());

    let done = place
        .json(&["replay", "--type", "a.v1", "--max", "15", "--execute"])
        .await;
    assert_eq!(done["replayed"], 15, "{done}");
    assert_eq!(place.depth("email-sender").await, 10);
    let copies = place.take("EMAIL_SENDER_QUEUE").await;
    assert_eq!(copies.len(), 15);
    for copy in &copies {
        let names: Vec<_> = copy.message_attributes().unwrap().keys().collect();
        assert_eq!(names.len(), 2, "what the function added is gone: {names:?}");
        assert_eq!(attribute(copy, "type"), Some("a.v1"));
        assert_eq!(attribute(copy, "callboard-replays"), Some("1"));
    }
    let rest = place
        .dlq(&["replay", "--execute", "--rate", "500"])
        .await
        .unwrap();
    assert!(rest.contains("replayed 10 letters"), "{rest}");
    assert_eq!(place.take("EMAIL_SENDER_QUEUE").await.len(), 10);
}

#[tokio::test]
async fn what_was_replayed_often_enough_is_left_and_named() {
    let place = Place::bare(&[EMAILS]).await;
    let letters = "EMAIL_SENDER_DEAD_LETTER_QUEUE";
    for (id, replays) in [("twice", "2"), ("thrice", "3")] {
        let mut attributes = died("throttled", "a.v1");
        attributes.push(("callboard-replays", replays));
        place
            .letter(letters, &json!({ "id": id }), &attributes)
            .await;
    }
    let done = place.json(&["replay", "--execute"]).await;
    assert_eq!(
        (&done["replayed"], &done["refused"]),
        (&json!(1), &json!([]))
    );
    let left = done["left"].as_array().unwrap();
    assert_eq!(left.len(), 1);
    assert!(
        left[0]["why"]
            .as_str()
            .unwrap()
            .starts_with("replayed 3 times"),
        "{left:?}"
    );
    let copies = place.take("EMAIL_SENDER_QUEUE").await;
    assert_eq!(
        (copies.len(), event_id(&copies[0])),
        (1, "twice".to_owned())
    );
    assert_eq!(attribute(&copies[0], "callboard-replays"), Some("3"));
    let done = place
        .json(&["replay", "--execute", "--max-replays", "4"])
        .await;
    assert_eq!(done["replayed"], 1);
}

#[tokio::test]
async fn groups_of_a_fifo_queue_keep_their_order_and_a_copy_sent_twice_is_one() {
    let place = Place::bare(&[CASCADE]).await;
    let letters = "WAITLIST_CASCADE_DEAD_LETTER_QUEUE";
    for number in 0..24 {
        for group in ["anna", "ben"] {
            let body = json!({ "id": format!("{group}-{number:02}"), "group": group });
            place
                .letter(letters, &body, &died("throttled", "a.v1"))
                .await;
        }
    }
    // As after a kill between copy and delete: the first letter's copy is there already.
    let first = place.json(&["show", "--where", "$.id=anna-00"]).await;
    let id = first[0]["id"].as_str().unwrap();
    let sent = place
        .sqs
        .send_message()
        .queue_url(place.url("WAITLIST_CASCADE_QUEUE"));
    let sent = sent
        .message_group_id("anna")
        .message_body(first[0]["body"].as_str().unwrap());
    sent.message_deduplication_id(format!("replay-{id}-1"))
        .send()
        .await
        .unwrap();

    let done = place.json(&["replay", "--execute"]).await;
    assert_eq!(done["replayed"], 48, "{done}");
    assert_eq!(place.depth("waitlist-cascade").await, 0);
    let mut orders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for copy in place.take("WAITLIST_CASCADE_QUEUE").await {
        let id = event_id(&copy);
        let group = id.split('-').next().unwrap().to_owned();
        orders.entry(group).or_default().push(id);
    }
    for group in ["anna", "ben"] {
        let wanted: Vec<_> = (0..24)
            .map(|number| format!("{group}-{number:02}"))
            .collect();
        assert_eq!(orders[group], wanted);
    }
}

#[tokio::test]
async fn an_edited_copy_goes_and_the_original_stays() {
    let place = Place::bare(&[EMAILS]).await;
    let letters = "EMAIL_SENDER_DEAD_LETTER_QUEUE";
    place
        .letter(
            letters,
            &json!({ "id": "1", "type": "wrong" }),
            &died("poison", "wrong"),
        )
        .await;
    let id = place.json(&["show"]).await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let file = place.env_file.with_file_name("letter.json");
    place
        .dlq(&["edit", &id, "--output", file.to_str().unwrap()])
        .await
        .unwrap();
    let body = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, body.replace("wrong", "a.v1")).unwrap();
    let edit = ["edit", &id, "--body", file.to_str().unwrap()];
    place.dlq(&edit).await.unwrap();
    assert!(
        place.take("EMAIL_SENDER_QUEUE").await.is_empty(),
        "dry by default"
    );

    place
        .dlq(&[&edit[..], &["--execute"]].concat())
        .await
        .unwrap();
    let copies = place.take("EMAIL_SENDER_QUEUE").await;
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0].body(), Some(r#"{"id":"1","type":"a.v1"}"#));
    assert_eq!(attribute(&copies[0], "type"), Some("a.v1"));
    assert_eq!(attribute(&copies[0], "callboard-edited-from"), Some(&*id));
    let originals = place.json(&["show", "--first", "9"]).await;
    assert_eq!(originals.as_array().unwrap().len(), 1);
    assert!(originals[0]["body"].as_str().unwrap().contains("wrong"));
    assert_eq!(originals[0]["reason"], "poison");
    let again = place.json(&["replay", "--execute"]).await;
    assert_eq!(again["replayed"], 0, "the marked original is left: {again}");
}

#[tokio::test]
async fn a_drop_needs_a_filter_and_to_be_told_to_execute() {
    let place = Place::bare(&[EMAILS]).await;
    let letters = "EMAIL_SENDER_DEAD_LETTER_QUEUE";
    for (id, event_type) in [("1", "a.v1"), ("2", "b.v1"), ("3", "b.v1")] {
        place
            .letter(letters, &json!({ "id": id }), &died("refused", event_type))
            .await;
    }
    assert_eq!(
        place
            .dlq(&["drop", "--execute"])
            .await
            .unwrap_err()
            .exit_code(),
        2
    );
    assert_eq!(place.json(&["drop", "--type", "b.v1"]).await["dropped"], 2);
    assert_eq!(place.depth("email-sender").await, 3);
    assert_eq!(
        place.json(&["drop", "--type", "b.v1", "--execute"]).await["dropped"],
        2
    );
    let rest = place.take(letters).await;
    assert_eq!((rest.len(), event_id(&rest[0])), (1, "1".to_owned()));
}
