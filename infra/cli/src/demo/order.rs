//! The order's part: another system's event leads to one mail, however often it is
//! sent.

use std::io::Write;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::Story;
use super::world::{Failed, PATIENCE, Step, eventually};

/// What the last scene checks again.
pub(crate) struct Outcome {
    /// Who ordered.
    pub(crate) address: String,
    /// The order, as its mail names it.
    pub(crate) order: String,
}

impl<W: Write> Story<W> {
    /// Sends an order event, the same again, and the same id with other data.
    pub(crate) async fn order(&mut self) -> Step<Outcome> {
        self.narrator.step("Another system says OrderPlaced")?;
        let user = self.named("usr");
        let outcome = Outcome {
            address: format!("{user}@example.com"),
            order: self.named("ord"),
        };
        let recipient = json!({ "email": outcome.address, "name": "Dana" });
        let wanted = [StatusCode::OK, StatusCode::CREATED];
        let path = format!("/v1/recipients/{user}");
        self.world
            .call(Method::PUT, &path, &[], &recipient, &wanted)
            .await?;

        let event = self.order_placed(&user, &outcome.order, 29.99);
        let accepted = [StatusCode::CREATED, StatusCode::ACCEPTED];
        let first = self.say(&event, &accepted).await?;
        let mail = self
            .world
            .mail_to(&outcome.address, "the order's confirmation", |_| true)
            .await?;
        self.narrator
            .fact(&format!("confirmed by e-mail: {}", mail.subject))?;

        let again = self.say(&event, &[StatusCode::OK]).await?;
        if again != first {
            return Err(Failed(format!(
                "the same event was answered {again}, at first {first}"
            )));
        }
        self.narrator
            .fact("the same event again is answered as before, and sends nothing")?;

        let other = self.order_placed(&user, &outcome.order, 1.00);
        self.say(&other, &[StatusCode::CONFLICT]).await?;
        self.narrator
            .fact("the same id with another amount is refused")?;
        Ok(outcome)
    }

    fn order_placed(&self, user: &str, order: &str, amount: f64) -> Value {
        json!({
            "eventType": "OrderPlaced",
            "eventId": self.named("evt"),
            "timestamp": "2024-01-15T10:30:00Z",
            "data": {
                "orderId": order, "userId": user, "items": ["book", "pen"], "totalAmount": amount,
            },
        })
    }

    async fn say(&self, event: &Value, wanted: &[StatusCode]) -> Step<Value> {
        let answer = self
            .world
            .call(Method::POST, "/v1/events", &[], event, wanted)
            .await?;
        Ok(answer.json())
    }

    /// Shows every mail of this run, and counts: three offers, one confirmation of
    /// the booking, one of the order.
    pub(crate) async fn every_mail(
        &mut self,
        waitlist: &super::waitlist::Outcome,
        order: &Outcome,
    ) -> Step<()> {
        self.narrator.step("Every e-mail is in the mailbox, once")?;
        let addresses: Vec<&String> = waitlist.addresses.iter().chain([&order.address]).collect();
        let world = self.world.clone();
        let mails = eventually(PATIENCE, "five mails", || async {
            let mut all = Vec::new();
            for address in &addresses {
                all.extend(world.mails_to(address).await?);
            }
            Ok((all.len() >= 5).then_some(all))
        })
        .await?;
        for mail in &mails {
            let time = mail.received_at.get(11..23).unwrap_or(&mail.received_at);
            self.narrator.detail(&format!(
                "{time}  {:<28} {}",
                mail.to.join(", "),
                mail.subject
            ))?;
        }
        let counts: Vec<usize> = addresses
            .iter()
            .map(|address| {
                mails
                    .iter()
                    .filter(|mail| mail.to.contains(address))
                    .count()
            })
            .collect();
        if counts != [1, 1, 2, 1] {
            return Err(Failed(format!(
                "mails by person are {counts:?}, expected [1, 1, 2, 1]"
            )));
        }
        Ok(self
            .narrator
            .fact("five mails: three offers, two confirmations")?)
    }
}
