//! Letters of the relay: what they name is published from the stream or the journal.

use std::time::Duration;

use serde_json::{Value, json};

use crate::place::{attribute, event_id, held};
use crate::relay_place::{EXTERNAL, FAILED, ORDER, PARKED, RelayPlace, topic_with_queue};

/// Ids of the orders that messages tell of.
fn orders(messages: &[aws_sdk_sqs::types::Message]) -> Vec<String> {
    let order = |message: &aws_sdk_sqs::types::Message| {
        let body: Value = serde_json::from_str(message.body().unwrap()).unwrap();
        body["data"]["orderId"].as_str().unwrap().to_owned()
    };
    messages.iter().map(order).collect()
}

#[tokio::test]
async fn a_parked_commit_is_published_from_the_journal_and_its_letter_leaves() {
    let world = RelayPlace::open().await;
    let commit = world.commit("ord-1", ORDER, None).await;
    // The relay's own publication, less than five minutes ago.
    let sns = world.kit.sns();
    let published = sns.publish().message("{}").message_group_id("any");
    let published = published
        .topic_arn(world.place.url("EXTERNAL_EVENTS_TOPIC"))
        .message_deduplication_id(commit.event_id(0));
    published.send().await.unwrap();
    assert_eq!(world.published(EXTERNAL).await.len(), 1);
    for _ in 0..2 {
        world
            .park(&commit.reference(), "publishing failed: InvalidParameter")
            .await;
    }

    let shown = world.place.dlq(&["show", "--queue", "outbox-relay"]).await;
    assert!(shown.unwrap().contains("the journal's stream"));
    let dry = world.place.json(&["replay"]).await;
    let expected = json!([{
        "queue": "outbox-relay", "source": "journal", "letters": 2, "commits": 2, "events": 2,
    }]);
    assert_eq!(
        (&dry["dryRun"], &dry["relay"]["published"]),
        (&json!(true), &expected)
    );
    assert!(world.published(EXTERNAL).await.is_empty(), "dry by default");

    let done = world.place.json(&["replay", "--execute"]).await;
    assert_eq!(
        (&done["replayed"], &done["relay"]["published"]),
        (&json!(2), &expected)
    );
    assert_eq!(held(&world.place, PARKED).await, 0);
    let messages = world.published(EXTERNAL).await;
    assert_eq!(
        messages.len(),
        2,
        "of each letter one, which the topic does not swallow"
    );
    for message in &messages {
        assert_eq!(
            event_id(message),
            commit.event_id(0),
            "one event to its consumers"
        );
        assert_eq!(attribute(message, "type"), Some(ORDER));
        assert_eq!(attribute(message, "callboard-replays"), Some("1"));
    }
}

#[tokio::test]
async fn what_is_still_unpublishable_stays_and_says_why() {
    let world = RelayPlace::open().await;
    let homeless = world
        .commit("ord-1", "callboard.weather.rained.v1", None)
        .await;
    let internal = world.internal_commit("ord-2").await;
    let good = world.commit("ord-3", ORDER, None).await;
    let cases = [
        (homeless.reference(), "no topic is for events of type"),
        (internal.reference(), "no event of"),
        (
            "event#orders#gone@7".to_owned(),
            "the journal has no commit event#orders#gone@7",
        ),
        ("?@?".to_owned(), "`?@?` names no commit"),
    ];
    for (commit, _) in cases.iter().chain([&(good.reference(), "")]) {
        world.park(commit, "poison").await;
    }
    let dry = world.place.json(&["replay"]).await;
    assert_eq!(dry["left"].as_array().unwrap().len(), 3, "{dry}");
    for _ in 0..2 {
        let error = world.place.dlq(&["replay", "--execute"]).await.unwrap_err();
        assert_eq!(error.exit_code(), 1);
    }
    let (told, _) = world.place.told(&["replay", "--execute", "--json"]).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    let reasons: Vec<_> = ["left", "refused"]
        .iter()
        .flat_map(|list| told[list].as_array().unwrap())
        .map(|letter| letter["why"].as_str().unwrap())
        .collect();
    for (commit, why) in &cases {
        assert!(
            reasons.iter().any(|it| it.contains(why)),
            "{commit}: {reasons:?}"
        );
    }
    assert_eq!(held(&world.place, PARKED).await, cases.len());
    assert_eq!(orders(&world.published(EXTERNAL).await), ["ord-3"]);
}

#[tokio::test]
async fn a_range_is_published_from_the_stream_in_the_order_of_its_groups() {
    let world = RelayPlace::open().await;
    for number in 0..24 {
        let group = ["anna", "ben"][number % 2];
        world
            .commit(&format!("{group}-{number:02}"), ORDER, Some(group))
            .await;
    }
    world.internal_commit("nobody's").await;
    world.commit("anna-24", ORDER, Some("anna")).await;
    world.commit("anna-25", ORDER, Some("anna")).await;
    // From the third to the one before the last, by Lambda's word, which comes twice.
    let letter = world.given_up(2..=25).await;
    for _ in 0..2 {
        world.place.letter(FAILED, &letter, &[]).await;
    }
    let listed = world
        .place
        .json(&["list", "--function", "outbox-relay"])
        .await;
    assert_eq!(
        listed["queues"][1]["groups"][0]["reason"],
        "RetryAttemptsExhausted"
    );
    let dry = world.place.json(&["replay"]).await;
    let expected = json!([{
        "queue": "outbox-relay-failure", "source": "stream", "letters": 2, "commits": 46, "events": 46,
    }]);
    assert_eq!(dry["relay"]["published"], expected);

    let done = world.place.json(&["replay", "--execute"]).await;
    assert_eq!(done["relay"]["published"], expected, "{done}");
    assert_eq!(held(&world.place, FAILED).await, 0);
    let published = orders(&world.published(EXTERNAL).await);
    assert_eq!(
        published.len(),
        46,
        "each of 23 commits for each of two letters"
    );
    for group in ["anna", "ben"] {
        let of_group: Vec<_> = published
            .iter()
            .filter(|id| id.starts_with(group))
            .collect();
        let mut sorted = of_group.clone();
        sorted.sort();
        let (one, other) = of_group.split_at(of_group.len() / 2);
        assert_eq!(one, other, "the whole range for each letter");
        assert!(one.is_sorted(), "{one:?}");
    }
    assert!(
        !published.contains(&"anna-25".to_owned()),
        "behind the range"
    );
}

#[tokio::test]
async fn what_the_stream_no_longer_has_is_found_in_the_journal_by_time() {
    let world = RelayPlace::open().await;
    let begun = world.kit.now();
    let minutes = |count: u64| Duration::from_secs(60 * count);
    // Appended as it comes, decided in another order, with two minutes and more to both sides.
    for (id, at) in [
        ("three", begun.plus(minutes(20))),
        ("early", begun.plus(minutes(9))),
        ("one", begun.plus(minutes(14))),
        ("late", begun.plus(minutes(25))),
        ("two", begun.plus(minutes(18))),
    ] {
        world.commit_at(id, at).await;
    }
    world.internal_commit("nobody's").await;
    let mut trimmed = world.given_up(0..=2).await;
    let info = &mut trimmed["DDBStreamBatchInfo"];
    let at = |at: u64| json!(begun.plus(minutes(at)).to_string());
    info["approximateArrivalOfFirstRecord"] = at(15);
    info["approximateArrivalOfLastRecord"] = at(19);
    let mut gone = trimmed.clone();
    gone["DDBStreamBatchInfo"]["shardId"] = "shardId-00000000000000000000-00000000".into();
    // The engine's sequence numbers count microseconds: these are of the day before yesterday.
    let info = &mut trimmed["DDBStreamBatchInfo"];
    for name in ["startSequenceNumber", "endSequenceNumber"] {
        let number: u128 = info[name].as_str().unwrap().parse().unwrap();
        info[name] = (number - 48 * 3_600 * 1_000_000).to_string().into();
    }
    for letter in [&trimmed, &gone, &trimmed] {
        world.place.letter(FAILED, letter, &[]).await;
    }

    let dry = world.place.json(&["replay"]).await;
    assert_eq!(dry["relay"]["wouldRead"]["items"], 6, "{dry}");
    assert_eq!(dry["relay"]["wouldRead"]["readUnits"], 1);
    assert_eq!(dry["relay"]["published"][0]["source"], "journal-by-time");
    assert_eq!(
        dry["relay"]["published"][0]["commits"], 9,
        "as Lambda counted"
    );
    let words = world.place.dlq(&["replay"]).await.unwrap();
    assert!(
        words.contains("all of the journal would be read"),
        "{words}"
    );
    assert!(words.contains("up to 2 minutes"), "{words}");

    let done = world.place.json(&["replay", "--execute"]).await;
    assert_eq!(done["replayed"], 3, "{done}");
    assert!(done["relay"]["readUnits"].as_f64().unwrap() > 0.0);
    assert_eq!(held(&world.place, FAILED).await, 0);
    let published = orders(&world.published(EXTERNAL).await);
    assert_eq!(
        published,
        ["one", "two", "three"],
        "once for all three letters, in order"
    );
}

#[tokio::test]
async fn a_range_with_less_in_it_than_lambda_gave_up_is_published_and_stays() {
    let world = RelayPlace::open().await;
    let only = world.commit("only", ORDER, None).await;
    let mut letter = world.given_up(0..=0).await;
    letter["DDBStreamBatchInfo"]["batchSize"] = 2.into();
    world.place.letter(FAILED, &letter, &[]).await;
    let mut foreign = letter.clone();
    let arn = foreign["DDBStreamBatchInfo"]["streamArn"].as_str().unwrap();
    foreign["DDBStreamBatchInfo"]["streamArn"] = arn.replace("table/journal", "table/other").into();
    world.place.letter(FAILED, &foreign, &[]).await;
    let (told, outcome) = world.place.told(&["replay", "--execute"]).await;
    assert_eq!(outcome.unwrap_err().exit_code(), 1);
    assert!(told.contains("Lambda gave up 2 records, and 1"), "{told}");
    assert!(told.contains("is not the stream of this journal"), "{told}");
    assert_eq!(held(&world.place, FAILED).await, 2);
    let published = world.published(EXTERNAL).await;
    assert_eq!(event_id(&published[0]), only.event_id(0));
    assert_eq!(published.len(), 1);
}

#[tokio::test]
async fn a_topic_that_refuses_keeps_the_letter_and_what_is_behind_it() {
    let world = RelayPlace::open().await;
    for id in ["one", "two"] {
        let commit = world.commit(id, ORDER, None).await;
        world.park(&commit.reference(), "poison").await;
    }
    let topic = world.place.url("EXTERNAL_EVENTS_TOPIC").to_owned();
    world
        .kit
        .sns()
        .delete_topic()
        .topic_arn(&topic)
        .send()
        .await
        .unwrap();
    let (told, outcome) = world
        .place
        .told(&["replay", "--execute", "--rate", "1"])
        .await;
    assert_eq!(outcome.unwrap_err().exit_code(), 1);
    assert!(
        told.contains("event#orders#one@1: publishing failed: NotFound"),
        "{told}"
    );
    assert_eq!(held(&world.place, PARKED).await, 2);
    let (again, _) = topic_with_queue(&world.kit, EXTERNAL).await;
    assert_eq!(again, topic);
    let done = world.place.json(&["replay", "--execute"]).await;
    assert_eq!(done["replayed"], 2);
    assert_eq!(orders(&world.published(EXTERNAL).await), ["one", "two"]);
}

#[tokio::test]
async fn a_letter_that_was_replayed_often_enough_is_left_here_too() {
    let world = RelayPlace::open().await;
    let commit = world.commit("one", ORDER, None).await;
    let body = json!({ "commit": commit.reference() });
    let replays = [("callboard-replays", "3")];
    world.place.letter(PARKED, &body, &replays).await;
    let done = world.place.json(&["replay", "--execute"]).await;
    assert_eq!(done["replayed"], 0);
    assert!(
        done["left"][0]["why"]
            .as_str()
            .unwrap()
            .starts_with("replayed 3 times")
    );
    let id = done["left"][0]["id"].as_str().unwrap();
    let edit = ["edit", id, "--body", world.place.env_file.to_str().unwrap()];
    let refused = world.place.dlq(&edit).await.unwrap_err();
    assert!(refused.to_string().contains("never edited"), "{refused}");
}
