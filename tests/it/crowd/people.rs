//! Five hundred people who do as people do, by a seed: most let an offer pass, some decline, some
//! accept, and some accept too late.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use callboard_contracts::Timestamp;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::house::{Answer, House};
use crate::story::{SERVICE, link};

/// Seed of what everybody does.
const SEED: u64 = 2026;

/// Of a hundred people whose offer stands, so many accept it at once.
const ACCEPT: u8 = 20;

/// So many decline.
const DECLINE: u8 = 25;

/// So many accept a second after it ended.
const LATE: u8 = 8;

/// Requests of one kind under way at a time.
const AT_ONCE: usize = 50;

pub struct Crowd {
    rng: fastrand::Rng,
    mails_read: usize,
    seen: BTreeSet<String>,
    /// Who means to accept when it is too late.
    dawdlers: Vec<(Timestamp, String)>,
    pub accepted: usize,
    pub declined: usize,
    /// Accepted while somebody else of the batch was faster.
    pub beaten: usize,
    pub too_late: usize,
}

fn urgency(at: usize) -> &'static str {
    match at % 10 {
        0 => "urgent",
        1..=3 => "soon",
        _ => "routine",
    }
}

async fn join_one(house: &House, at: usize, preferences: Value) {
    let name = format!("person-{at:03}");
    let profile = json!({ "email": format!("{name}@example.com"), "name": name });
    house.register_as(&name, &profile).await;
    let body = json!({
        "recipientId": name, "entryId": format!("entry-{at:03}"), "service": SERVICE,
        "urgency": urgency(at), "preferences": preferences,
    });
    let path = "/v1/waitlists/clinic/entries";
    house.api.json("POST", path, &body).await.expect(201);
}

impl Crowd {
    /// So many people register and join, who can take any slot.
    pub async fn join(house: &House, people: usize) -> Self {
        Self::join_wishing(house, people, |_| json!({})).await
    }

    /// So many people register and join, each with preferences.
    pub async fn join_wishing(
        house: &House,
        people: usize,
        preferences: impl Fn(usize) -> Value,
    ) -> Self {
        let all: Vec<usize> = (0..people).collect();
        for some in all.chunks(AT_ONCE) {
            let joins = some.iter().map(|at| join_one(house, *at, preferences(*at)));
            join_all(joins).await;
            // Some have waited longer than others of their urgency.
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        Self {
            rng: fastrand::Rng::with_seed(SEED),
            mails_read: 0,
            seen: BTreeSet::new(),
            dawdlers: Vec::new(),
            accepted: 0,
            declined: 0,
            beaten: 0,
            too_late: 0,
        }
    }

    /// Reads the mails that have come since the last time, and answers all at once.
    pub async fn read_and_answer(&mut self, house: &House) {
        let mails = house.mails().await;
        let links: Vec<String> = mails[self.mails_read..].iter().filter_map(link).collect();
        self.mails_read = mails.len();
        let mut answers = Vec::new();
        for link in links {
            if !self.seen.insert(link.clone()) {
                continue;
            }
            let offer = house.api.get(&link).await.expect(200).json();
            if offer["state"] != "open" {
                continue;
            }
            let until: Timestamp = offer["expiresAt"]
                .as_str()
                .expect("a deadline")
                .parse()
                .expect("a time");
            match self.rng.u8(0..100) {
                roll if roll < ACCEPT => answers.push((link, "accept")),
                roll if roll < ACCEPT + DECLINE => answers.push((link, "decline")),
                roll if roll < ACCEPT + DECLINE + LATE => {
                    self.dawdlers
                        .push((until.plus(Duration::from_secs(1)), link));
                }
                _ => {}
            }
        }
        let presses = answers
            .iter()
            .map(|(link, answer)| house.press(link, answer));
        let said = join_all(presses).await;
        for ((_, answer), said) in answers.iter().zip(said) {
            self.note(answer, &said);
        }
        self.dawdle(house).await;
    }

    fn note(&mut self, answer: &str, said: &Answer) {
        match (answer, said.status) {
            ("accept", 200) => self.accepted += 1,
            ("decline", 200) => self.declined += 1,
            (_, 409) if said.problem() == "offer-superseded" => self.beaten += 1,
            _ => panic!("{answer}: {} {}", said.status, said.text()),
        }
    }

    async fn dawdle(&mut self, house: &House) {
        let now = house.now();
        let (due, waiting) = std::mem::take(&mut self.dawdlers)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.dawdlers = waiting;
        let due: Vec<(Timestamp, String)> = due;
        for said in join_all(due.iter().map(|(_, link)| house.press(link, "accept"))).await {
            let told = (said.status, said.problem());
            let late = ["offer-expired", "slot-taken", "offer-superseded"];
            assert!(
                told.0 == 409 && late.contains(&told.1.as_str()),
                "I3: {told:?}"
            );
            self.too_late += 1;
        }
    }
}

impl fmt::Display for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mails_read,
            accepted,
            declined,
            beaten,
            too_late,
            ..
        } = self;
        write!(
            f,
            "{mails_read} mails; answers: {accepted} accepted, {declined} declined, \
             {beaten} beaten by another of their batch, {too_late} too late and refused"
        )
    }
}
