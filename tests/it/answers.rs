//! Links and the answers given by them, on the system as `callboard dev` starts it: scanners,
//! forgeries, answers too late, and answers at once.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::house::House;
use crate::story::fresh;

/// An offer's window that nobody waits for here.
const LONG: Duration = Duration::from_secs(600);

/// An offer's window that somebody lets pass.
const SHORT: Duration = Duration::from_secs(2);

/// What a browser sends with a request for a page.
const BROWSER: [(&str, &str); 1] = [("accept", "text/html,application/xhtml+xml")];

#[tokio::test]
async fn a_scanner_changes_nothing_and_a_forged_or_expired_link_opens_nothing() {
    let house = House::live().await;
    let (anna, ben) = (house.register("anna").await, house.register("ben").await);
    house.join("clinic", &anna, "urgent").await;
    house.join("clinic", &ben, "routine").await;
    let released = house.release("clinic", SHORT).await;
    let link = house.offer_to(&anna).await;
    for method in ["GET", "HEAD", "GET"] {
        let page = house.api.send(method, &link, &BROWSER, Vec::new()).await;
        let page = page.expect(200);
        assert_eq!(page.headers["cache-control"], "no-store");
        assert_eq!(
            page.text().contains("value=\"accept\""),
            method == "GET",
            "a page with buttons"
        );
    }
    for answer in ["offer-accepted", "offer-declined", "slot-filled"] {
        assert_eq!(house.events_of(answer).await, 0, "nobody has answered");
    }

    // One letter of the signature, of the claims, and of the key's name.
    let (head, last) = link.split_at(link.len() - 1);
    let other = if last == "A" { "B" } else { "A" };
    let forgeries = [
        format!("{head}{other}"),
        link.replacen("/o/", "/o/x", 1),
        "/o/k1.e30.c2ln".to_owned(),
        "/o/nonsense".to_owned(),
    ];
    for forged in &forgeries {
        for answer in [
            house.api.get(forged).await,
            house.press(forged, "accept").await,
        ] {
            assert_eq!(
                (answer.status, answer.problem().as_str()),
                (404, "unknown-link")
            );
        }
    }

    // Her time passes; the slot goes to him.
    let his = house.offer_to(&ben).await;
    let late = house.press(&link, "accept").await;
    assert_eq!(late.status, 409, "{}", late.text());
    let page = house.api.get(&link).await.expect(200).json();
    assert_eq!(page["state"], "expired");
    house.press(&his, "accept").await.expect(200);
    let view = house.slot_when(&released.slot, "booked").await;
    assert_eq!(view["offers"], 2);
    house.close().await;
}

#[tokio::test]
async fn of_answers_given_at_once_exactly_one_counts() {
    let house = House::live().await;
    let (anna, ben) = (house.register("anna").await, house.register("ben").await);
    house.join("clinic", &anna, "urgent").await;
    house.join("clinic", &ben, "routine").await;
    let released = house.release("clinic", LONG).await;
    let link = house.offer_to(&anna).await;
    let words = [
        "accept", "decline", "accept", "decline", "accept", "decline",
    ];
    let answers = words.map(|word| house.press(&link, word));
    let answers = futures::future::join_all(answers).await;
    let won = |word: &str| {
        let mut pairs = words.iter().zip(&answers);
        pairs.any(|(said, answer)| *said == word && answer.status == 200)
    };
    assert!(
        won("accept") != won("decline"),
        "one of the two, and every repetition of it"
    );
    assert!(
        answers
            .iter()
            .all(|answer| [200, 409].contains(&answer.status))
    );
    if won("accept") {
        house.slot_when(&released.slot, "booked").await;
    } else {
        let his = house.offer_to(&ben).await;
        house.press(&his, "accept").await.expect(200);
        house.slot_when(&released.slot, "booked").await;
    }
    assert_eq!(house.events_of("slot-filled").await, 1);
    house.close().await;
}

#[tokio::test]
async fn several_slots_at_once_are_each_filled_once_and_nobody_is_offered_two() {
    let house = House::live().await;
    let mut people = Vec::new();
    for number in 0..4 {
        let person = house.register(&fresh(&format!("p{number}"))).await;
        house.join("clinic", &person, "routine").await;
        people.push(person);
    }
    let releases = (0..4).map(|_| house.release("clinic", LONG));
    let released = futures::future::join_all(releases).await;
    for person in &people {
        let link = house.offer_to(person).await;
        house.press(&link, "accept").await.expect(200);
    }
    let mut holders = BTreeSet::new();
    for one in &released {
        let view = house.slot_when(&one.slot, "booked").await;
        holders.insert(view["entryId"].to_string());
    }
    assert_eq!(holders.len(), 4);
    house.at_rest().await;
    assert_eq!(house.events_of("slot-filled").await, 4);
    assert_eq!(house.mails().await.len(), 8);
    house.close().await;
}
