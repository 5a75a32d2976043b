//! Mails as they arrive, and what a provider may answer.

use std::time::Duration;

use callboard_domain::notifications::NotificationStatus;
use callboard_testkit::failed;
use serde_json::json;

use crate::provider::{refused, silent};
use crate::world::{NOON, World, batch, invoke, record};

#[tokio::test(start_paused = true)]
async fn a_planned_order_confirmation_arrives_as_a_readable_mail() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    let answer = world.deliver(&planned).await;

    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    let mails = world.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["anna@example.com"]);
    assert_eq!(mails[0].subject, "Your order ord-1");
    assert!(mails[0].text.contains("- book") && mails[0].text.contains("Total: 29.99"));
    assert_eq!(mails[0].header("Auto-Submitted"), Some("auto-generated"));
    let message_id = format!("<{}@example.com>", planned.id);
    assert_eq!(
        mails[0]
            .header("Message-ID")
            .map(|id| id.trim_matches(['<', '>']).to_owned()),
        Some(message_id.trim_matches(['<', '>']).to_owned())
    );
    assert_eq!(
        world.story(&planned).await,
        ["delivery-attempted", "delivery-succeeded"]
    );
    assert_eq!(
        world.state(&planned).await.status,
        NotificationStatus::Delivered
    );
}

#[tokio::test(start_paused = true)]
async fn an_offer_carries_a_link_that_command_api_will_honour() {
    use callboard_contracts::link::{EntryLink, OfferLink};
    use callboard_runtime::token::Keys;

    let world = World::open().await;
    world.register("usr-1", "anna@example.com", &[]).await;
    let expires = NOON.plus(Duration::from_secs(1_800));
    let planned = world.offer("usr-1", expires).await;
    world.deliver(&planned).await;

    let mail = world.mails().await.remove(0);
    let (_, after) = mail.text.split_once("http://127.0.0.1:8080/o/").unwrap();
    let token = after.split_whitespace().next().unwrap();
    let keys = Keys::parse(&world.vars["LINK_KEYS"]).unwrap();
    let claims: OfferLink = keys.verify(token, world.now()).unwrap();
    assert_eq!((claims.slot.as_str(), claims.version), ("slot-0900", 1));
    assert_eq!(
        (claims.offer.as_str(), claims.entry.as_str()),
        ("offer-1", "entry-1")
    );
    assert!(keys.verify::<OfferLink>(token, expires).is_err());

    let (_, after) = mail.text.split_once("http://127.0.0.1:8080/w/").unwrap();
    let token = after.split_whitespace().next().unwrap();
    let place: EntryLink = keys.verify(token, expires).unwrap();
    assert_eq!(place.entry.as_str(), "entry-1");
    assert!(keys.verify::<OfferLink>(token, world.now()).is_err());
}

#[tokio::test(start_paused = true)]
async fn each_person_whom_a_broadcast_is_told_to_has_a_link_of_their_own() {
    use callboard_contracts::link::OfferLink;
    use callboard_domain::waitlist::slot;
    use callboard_runtime::token::Keys;

    let world = World::open().await;
    let expires = NOON.plus(Duration::from_secs(1_800));
    let people = ["usr-1", "usr-2"];
    let planned = world.broadcast(&people, expires).await;
    let keys = Keys::parse(&world.vars["LINK_KEYS"]).unwrap();
    for (person, planned) in people.iter().zip(&planned) {
        let address = format!("{person}@example.com");
        world.register(person, &address, &[]).await;
        world.deliver(planned).await;
        let mails = world.mails().await;
        let mail = mails.iter().find(|mail| mail.to == [address.clone()]);
        let text = &mail.unwrap().text;
        let (_, after) = text.split_once("http://127.0.0.1:8080/o/").unwrap();
        let token = after.split_whitespace().next().unwrap();
        let claims: OfferLink = keys.verify(token, world.now()).unwrap();
        let entry = format!("of-{person}").parse().unwrap();
        let offer = slot::offer_id(&claims.slot, 2, &entry);
        assert_eq!((claims.slot.as_str(), claims.version), ("slot-0900", 2));
        assert_eq!((claims.entry, claims.offer), (entry, offer));
        assert!(keys.verify::<OfferLink>(token, expires).is_err());
        assert!(text.contains("the first to say yes gets it"), "{text}");
    }
}

/// The one test with a socket, and so on real time: settings to provider, as `main` builds it.
#[tokio::test]
async fn a_function_built_from_settings_alone_sends_over_a_socket() {
    let mut world = World::open().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mailbox = world.mailbox.clone();
    let server = tokio::spawn(async move {
        let never = std::future::pending::<()>();
        mailbox.serve_smtp(listener, never).await
    });
    let transport = format!("smtp://127.0.0.1:{port}");
    world.vars.insert("MAIL_TRANSPORT".to_owned(), transport);
    let function = email_sender::build(&world.vars, &world.sdk).await.unwrap();
    let mut planned = Vec::new();
    for number in 0..10 {
        world
            .register(&format!("usr-{number}"), "anna@example.com", &[])
            .await;
        planned.push(world.order(number, &format!("usr-{number}")).await);
    }
    let answer = invoke(&function, batch(&planned), world.now()).await;

    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!(world.mails().await.len(), 10);
    server.abort();
}

#[tokio::test(start_paused = true)]
async fn duplicate_delivery_sends_once() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    for _ in 0..3 {
        world.enqueue_planned(&planned).await;
    }
    let function = world.function().await;
    world.drain(&function).await;
    world.enqueue_planned(&planned).await;
    world.drain(&function).await;

    assert_eq!(world.mails().await.len(), 1);
    assert_eq!(
        world.story(&planned).await,
        ["delivery-attempted", "delivery-succeeded"]
    );
    assert!(world.dead().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn every_message_twice_and_out_of_order_gives_the_same_mails() {
    let world = World::open().await;
    let mut bodies = Vec::new();
    for number in 0..12 {
        let recipient = format!("usr-{number}");
        world
            .register(&recipient, &format!("person-{number}@example.com"), &[])
            .await;
        let planned = world.order(number, &recipient).await;
        bodies.extend(vec![serde_json::to_string(&planned.envelope).unwrap(); 2]);
    }
    bodies.push("{ not JSON".to_owned());
    fastrand::Rng::with_seed(7).shuffle(&mut bodies);
    for body in &bodies {
        world.enqueue(body).await;
    }
    world.drain(&world.function().await).await;

    let mut to: Vec<String> = world
        .mails()
        .await
        .iter()
        .flat_map(|mail| mail.to.clone())
        .collect();
    to.sort();
    to.dedup();
    assert_eq!(to.len(), 12);
    assert_eq!(world.mails().await.len(), 12);
    assert_eq!(world.dead().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn poison_goes_to_the_dead_letters_with_a_reason_and_spoils_no_neighbour() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    let mut foreign = planned.envelope.clone();
    foreign.event_type = "callboard.notification.delivery-sung.v1".to_owned();
    let mut placeless = planned.envelope.clone();
    placeless.sequence = None;
    let mut event = batch(&[planned]);
    let bodies = ["", "{ not JSON", "[1]"].map(str::to_owned).into_iter();
    let envelopes = [foreign, placeless].map(|envelope| serde_json::to_string(&envelope).unwrap());
    for (at, body) in bodies.chain(envelopes).enumerate() {
        event["Records"]
            .as_array_mut()
            .unwrap()
            .push(record(&format!("bad-{at}"), &body, 1));
    }
    let answer = invoke(&world.function().await, event, world.now()).await;

    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!(world.mails().await.len(), 1);
    let reasons = world.dead().await;
    assert_eq!(reasons.len(), 5, "{reasons:?}");
    assert!(
        reasons
            .iter()
            .any(|reason| reason.contains("delivery-sung.v1")),
        "{reasons:?}"
    );
    assert!(
        reasons.iter().any(|reason| reason.contains("no sequence")),
        "{reasons:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_recipient_ends_as_delivery_failed_with_the_code_alone() {
    let world = World::open().await;
    world.register("usr-456", "bounce@example.com", &[]).await;
    world.register("usr-457", "anna@example.com", &[]).await;
    let bounced = world.order(1, "usr-456").await;
    let neighbour = world.order(2, "usr-457").await;
    let event = batch(&[bounced.clone(), neighbour.clone()]);
    let answer = invoke(&world.function().await, event, world.now()).await;

    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!(
        world.story(&bounced).await,
        ["delivery-attempted", "delivery-failed"]
    );
    let commits = world.journal.read(&bounced.stream, 3).await.unwrap();
    assert_eq!(commits[0].events[0].data["code"], "smtp-550");
    assert_eq!(
        world.state(&neighbour).await.status,
        NotificationStatus::Delivered
    );
}

#[tokio::test(start_paused = true)]
async fn a_deferred_mail_is_tried_again_with_back_off_and_fails_on_the_last_try() {
    let world = World::open().await;
    world.register("usr-456", "tempfail@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    world.enqueue_planned(&planned).await;
    let deliveries = world.drain(&world.function().await).await;

    assert_eq!(deliveries, 5);
    let mut story = ["delivery-attempted", "attempt-failed"].repeat(4);
    story.extend(["delivery-attempted", "delivery-failed"]);
    assert_eq!(world.story(&planned).await, story);
    assert!(
        world.dead().await.is_empty(),
        "its stream holds the outcome"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deferred_mail_arrives_once_the_server_takes_it() {
    let world = World::open().await;
    world.register("usr-456", "tempfail@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    world.enqueue_planned(&planned).await;
    let function = world.function().await;
    world.pump(&function).await;
    world.register("usr-456", "anna@example.com", &[]).await;
    world.drain(&function).await;

    assert_eq!(
        world.story(&planned).await,
        [
            "delivery-attempted",
            "attempt-failed",
            "delivery-attempted",
            "delivery-succeeded"
        ]
    );
    assert_eq!(world.mails().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_or_silent_before_the_text_is_a_definite_failure() {
    for (provider, code) in [
        (refused(), "smtp-connect"),
        (silent(), "smtp-connect-timeout"),
    ] {
        let world = World::open().await;
        world.register("usr-456", "anna@example.com", &[]).await;
        let planned = world.order(1, "usr-456").await;
        let function = world.function_with(provider).await;
        let answer = invoke(
            &function,
            batch(std::slice::from_ref(&planned)),
            world.now(),
        )
        .await;

        assert_eq!(failed(&answer), ["m-0"]);
        let commits = world.journal.read(&planned.stream, 3).await.unwrap();
        assert_eq!(commits[0].events[0].data["code"], code);
        assert_eq!(
            world.story(&planned).await,
            ["delivery-attempted", "attempt-failed"]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_address_or_name_fails_without_touching_the_provider() {
    use aws_sdk_dynamodb::types::AttributeValue;

    let world = World::open().await;
    let name = AttributeValue::S("Anna\r\nBcc: eve@example.com".to_owned());
    world
        .register("usr-1", "anna@example.com\r\nBcc: eve@example.com", &[])
        .await;
    world.register("usr-2", "not an address", &[]).await;
    world
        .register("usr-3", "anna@example.com", &[("name", name)])
        .await;
    let mut planned = Vec::new();
    for number in 1..=3 {
        planned.push(world.order(number, &format!("usr-{number}")).await);
    }
    invoke(
        &world.function_with(refused()).await,
        batch(&planned),
        world.now(),
    )
    .await;

    for (planned, code) in planned
        .iter()
        .zip(["bad-address", "bad-address", "bad-name"])
    {
        let commits = world.journal.read(&planned.stream, 3).await.unwrap();
        assert_eq!(
            commits[0].events[0].event_type,
            "callboard.notification.delivery-failed.v1"
        );
        assert_eq!(commits[0].events[0].data["code"], code);
    }
}
