//! The waitlist's part: three people, one slot, one refusal, one silence, one yes.

use std::io::Write;
use std::time::Duration;

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};

use super::Story;
use super::world::{Failed, Mail, Step, eventually};

/// How long an offer stands in this story, in seconds: time for one refusal over
/// HTTP, and little enough to watch an expiry.
const WINDOW_SECONDS: u32 = 2;

/// Longest wait for what follows an expiry: the window, the template's grace of 5 s,
/// the timer's whole seconds, and a busy machine.
const EXPIRY_PATIENCE: Duration = Duration::from_secs(40);

/// What everybody waits for.
const SERVICE: &str = "physio";

/// What the story's later scenes need to know of this one.
pub(crate) struct Outcome {
    /// Addresses of the three, in the order of their offers.
    pub(crate) addresses: Vec<String>,
    /// The correlation id that the release was given.
    pub(crate) correlation_id: String,
}

struct Person {
    name: &'static str,
    recipient: String,
    email: String,
    urgency: &'static str,
}

impl<W: Write> Story<W> {
    /// Plays the scenes of the waitlist.
    pub(crate) async fn waitlist(&mut self) -> Step<Outcome> {
        let people = self.people();
        let waitlist = self.named("clinic");
        let correlation_id = self.named("demo");
        self.register(&people).await?;
        self.join(&people, &waitlist).await?;
        let slot = self.release(&waitlist, &correlation_id).await?;
        let [anna, ben, cleo] = &people;
        self.declines(anna).await?;
        self.stays_silent(ben).await?;
        self.accepts(cleo, &slot).await?;
        Ok(Outcome {
            addresses: people.iter().map(|person| person.email.clone()).collect(),
            correlation_id,
        })
    }

    /// In the order in which they will be asked: urgency first, then who came first.
    fn people(&self) -> [Person; 3] {
        [("Anna", "urgent"), ("Ben", "soon"), ("Cleo", "routine")].map(|(name, urgency)| {
            let recipient = self.named(&name.to_lowercase());
            Person {
                name,
                email: format!("{recipient}@example.com"),
                recipient,
                urgency,
            }
        })
    }

    async fn register(&mut self, people: &[Person]) -> Step<()> {
        self.narrator
            .step("Three people say where they can be reached")?;
        for person in people {
            let path = format!("/v1/recipients/{}", person.recipient);
            let body = json!({ "email": person.email, "name": person.name });
            let wanted = [StatusCode::OK, StatusCode::CREATED];
            self.world
                .call(Method::PUT, &path, &[], &body, &wanted)
                .await?;
            self.narrator
                .detail(&format!("{} is {}", person.name, person.email))?;
        }
        Ok(self.narrator.fact("registered")?)
    }

    /// They join in the order in which they will be asked: rank is urgency times waiting time, and
    /// whoever came first and is most urgent stays ahead however little time has passed.
    async fn join(&mut self, people: &[Person], waitlist: &str) -> Step<()> {
        self.narrator.step(&format!(
            "They join the waitlist {waitlist}, the most urgent first"
        ))?;
        for person in people {
            let path = format!("/v1/waitlists/{waitlist}/entries");
            let body = json!({
                "recipientId": person.recipient, "service": SERVICE, "urgency": person.urgency,
            });
            let answer = self
                .world
                .call(Method::POST, &path, &[], &body, &[StatusCode::CREATED])
                .await?;
            let entry = text(&answer.json(), "entryId")?;
            let commit = commit_of(answer.header("callboard-commit"))?;
            // The cascade looks in this view: a release before it shows all three
            // would be offered to whoever is there already.
            self.world
                .read(&format!("{path}/{entry}?at-least={commit}"))
                .await?;
            self.narrator
                .fact(&format!("{} waits, {}", person.name, person.urgency))?;
        }
        Ok(())
    }

    async fn release(&mut self, waitlist: &str, correlation_id: &str) -> Step<String> {
        self.narrator.step(&format!(
            "A slot is released; every offer stands for {WINDOW_SECONDS} s"
        ))?;
        let starts = tomorrow()?;
        let path = format!("/v1/waitlists/{waitlist}/slots");
        let body = json!({
            "service": SERVICE,
            "startsAt": starts.to_string(),
            "endsAt": (starts + SignedDuration::from_mins(45)).to_string(),
            "offerWindowSeconds": WINDOW_SECONDS,
        });
        let headers = [("correlation-id", correlation_id)];
        let answer = self
            .world
            .call(Method::POST, &path, &headers, &body, &[StatusCode::CREATED])
            .await?;
        let slot = text(&answer.json(), "slotId")?;
        self.narrator
            .fact(&format!("slot {slot}, correlation id {correlation_id}"))?;
        Ok(slot)
    }

    async fn declines(&mut self, person: &Person) -> Step<()> {
        let name = person.name;
        self.narrator
            .step(&format!("{name} is asked first, and declines by the link"))?;
        let mail = self.offer_to(person, super::world::PATIENCE).await?;
        let link = self.link_of(&mail)?;
        self.world.open_link(&link).await?;
        self.narrator
            .fact("a look at the link (a mail scanner's, say) changes nothing")?;
        self.world.answer_link(&link, "answer=decline").await?;
        Ok(self.narrator.fact(&format!("{name} says no"))?)
    }

    async fn stays_silent(&mut self, person: &Person) -> Step<()> {
        let name = person.name;
        self.narrator
            .step(&format!("{name} is asked next, and lets the offer expire"))?;
        self.offer_to(person, super::world::PATIENCE).await?;
        Ok(self
            .narrator
            .detail(&format!("{name} does not look at the mail"))?)
    }

    async fn accepts(&mut self, person: &Person, slot: &str) -> Step<()> {
        let name = person.name;
        self.narrator
            .step(&format!("{name} is asked last, and accepts"))?;
        let mail = self.offer_to(person, EXPIRY_PATIENCE).await?;
        let link = self.link_of(&mail)?;
        let answer = self.world.answer_link(&link, "answer=accept").await?;
        self.narrator.fact(&format!("{name} says yes"))?;
        let path = match answer.header("callboard-commit") {
            Some(commit) => format!("/v1/slots/{slot}?at-least={}", encoded(commit)),
            None => format!("/v1/slots/{slot}"),
        };
        let world = self.world.clone();
        let view = eventually(super::world::PATIENCE, "the slot to be booked", || async {
            let answer = world.look(&path).await?;
            let view = answer.json();
            Ok((view["state"] == "booked").then_some(view))
        })
        .await?;
        let offers = view["offers"].as_u64().unwrap_or_default();
        if offers != 3 {
            return Err(Failed(format!("the slot took {offers} offers, expected 3")));
        }
        self.narrator
            .fact("the slot is booked, after 3 offers, and filled once")?;
        let confirmed = self
            .world
            .mail_to(&person.email, "the confirmation", |mail| {
                mail.offer_link().is_none()
            })
            .await?;
        Ok(self
            .narrator
            .fact(&format!("confirmed by e-mail: {}", confirmed.subject))?)
    }

    async fn offer_to(&mut self, person: &Person, patience: Duration) -> Step<Mail> {
        let what = format!("an offer by e-mail to {}", person.name);
        let world = self.world.clone();
        let mail = eventually(patience, &what, || async {
            let mails = world.mails_to(&person.email).await?;
            Ok(mails.into_iter().find(|mail| mail.offer_link().is_some()))
        })
        .await?;
        self.narrator
            .fact(&format!("offered by e-mail: {}", mail.subject))?;
        Ok(mail)
    }

    fn link_of(&self, mail: &Mail) -> Step<String> {
        mail.offer_link()
            .ok_or_else(|| Failed("the offer's mail holds no link".to_owned()))
    }
}

/// Ten o'clock UTC on the next day.
fn tomorrow() -> Step<Timestamp> {
    let day = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let next = day
        .checked_add(1.day())
        .map_err(|error| Failed(error.to_string()))?;
    let at = next.at(10, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC);
    Ok(at.map_err(|error| Failed(error.to_string()))?.timestamp())
}

/// A text member of an answer.
pub(crate) fn text(value: &Value, member: &str) -> Step<String> {
    let found = value[member].as_str().map(str::to_owned);
    found.ok_or_else(|| Failed(format!("the answer has no `{member}`: {value}")))
}

/// A commit's name from an answer's header, fit for a query.
pub(crate) fn commit_of(header: Option<&str>) -> Step<String> {
    let commit = header.ok_or_else(|| Failed("the answer names no Callboard-Commit".to_owned()))?;
    Ok(encoded(commit))
}

/// `#` would end the query.
fn encoded(commit: &str) -> String {
    url::form_urlencoded::byte_serialize(commit.as_bytes()).collect()
}
