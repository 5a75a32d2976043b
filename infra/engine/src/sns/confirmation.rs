//! Confirmations: the tokens by which an endpoint says that it wants what it was subscribed to,
//! or, after it was unsubscribed, that it still does.

use super::Outcome;
use super::delivery::{self, notice};
use super::delivery_rows::{self, Delivery, Kind};
use super::form::Form;
use super::reply::{SnsError, Xml};
use super::signature;
use super::subscriptions::{self, Subscription};
use super::topics;
use crate::ids::random_id;
use crate::messages::{Messages, StorageError, Work};
use crate::wire::Answer;
use rusqlite::{OptionalExtension, params};
use serde_json::{Value, json};

/// `until` is in milliseconds since the epoch; `restores` is the subscription that was ended when
/// the token was made, in JSON.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS tokens(
    token TEXT PRIMARY KEY, subscription TEXT NOT NULL, until INTEGER NOT NULL, restores TEXT)
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tokens_of ON tokens(subscription);
";

/// How long a token is good, and a subscription waits for its confirmation (AWS, "Amazon SNS now
/// supports automatic deletion of unconfirmed subscriptions", May 2023: 48 h).
const TOKEN_MS: i64 = 48 * 3600 * 1000;

fn subscribe_url(work: &Work<'_>, topic_arn: &str, token: &str) -> String {
    let base = work.names.public_url();
    format!("{base}/?Action=ConfirmSubscription&TopicArn={topic_arn}&Token={token}")
}

fn make_token(
    work: &Work<'_>,
    subscription: &Subscription,
    restores: Option<String>,
) -> Outcome<String> {
    let token = [(); 4].map(|()| crate::ids::random_uuid().simple().to_string());
    let token = token.concat();
    work.db.execute(
        "INSERT INTO tokens VALUES(?1, ?2, ?3, ?4)",
        params![token, subscription.arn, work.now + TOKEN_MS, restores],
    )?;
    Ok(token)
}

/// Asks the endpoint of a new subscription for its confirmation.
pub(super) fn ask(work: &mut Work<'_>, subscription: &Subscription) -> Outcome<()> {
    let token = make_token(work, subscription, None)?;
    let words = format!(
        "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, visit the \
         SubscribeURL included in this message.",
        subscription.topic_arn
    );
    send(
        work,
        subscription,
        Kind::SubscriptionConfirmation,
        &token,
        &words,
    )
}

/// Tells an endpoint that it was unsubscribed, with a token that takes this back.
pub(super) fn take_leave(work: &mut Work<'_>, subscription: &Subscription) -> Outcome<()> {
    let restores = json!({
        "topic": subscription.topic_arn,
        "protocol": subscription.protocol,
        "endpoint": subscription.endpoint,
        "attributes": subscription.attributes,
    });
    let token = make_token(work, subscription, Some(restores.to_string()))?;
    let words = format!(
        "You have chosen to deactivate subscription {}.\nTo cancel this operation and restore the \
         subscription, visit the SubscribeURL included in this message.",
        subscription.arn
    );
    send(
        work,
        subscription,
        Kind::UnsubscribeConfirmation,
        &token,
        &words,
    )
}

fn send(
    work: &mut Work<'_>,
    subscription: &Subscription,
    kind: Kind,
    token: &str,
    words: &str,
) -> Outcome<()> {
    if !subscription.is_web() {
        // Mails are not sent: the token is shown.
        return Ok(());
    }
    let message_id = random_id();
    let text = |text: &str| Some(Value::from(text).to_string());
    let certificate = delivery::certificate_url(work);
    let subscribe_url = subscribe_url(work, &subscription.topic_arn, token);
    let timestamp = delivery::timestamp(work.now);
    let topic = topics::find(work, &subscription.topic_arn);
    let version = topic.map_or("1".to_owned(), |it| it.signature_version().to_owned());
    let signature = signature::sign(
        &version,
        &[
            ("Message", words),
            ("MessageId", &message_id),
            ("SubscribeURL", &subscribe_url),
            ("Timestamp", &timestamp),
            ("Token", token),
            ("TopicArn", &subscription.topic_arn),
            ("Type", kind.name()),
        ],
    );
    let body = notice(&[
        ("Type", text(kind.name())),
        ("MessageId", text(&message_id)),
        ("Token", text(token)),
        ("TopicArn", text(&subscription.topic_arn)),
        ("Message", text(words)),
        ("SubscribeURL", text(&subscribe_url)),
        ("Timestamp", text(&timestamp)),
        ("SignatureVersion", text(&version)),
        ("Signature", text(&signature)),
        ("SigningCertURL", text(&certificate)),
    ]);
    delivery_rows::put(
        work,
        &Delivery {
            kind,
            protocol: subscription.protocol.clone(),
            endpoint: subscription.endpoint.clone(),
            topic_arn: subscription.topic_arn.clone(),
            subscription_arn: subscription.arn.clone(),
            message_id,
            body,
            raw: false,
            dead_body: None,
            attributes: Default::default(),
            group: None,
            trace: None,
        },
    )
}

/// `ConfirmSubscription`. The token says which subscription; of the topic AWS looks only at the
/// form and the region (recorded in LocalStack's tests).
pub(super) fn confirm(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let topic_arn = form.text("TopicArn").unwrap_or_default();
    let here = work.names.topic_arn("");
    if !topic_arn.starts_with(&here) {
        return Err(SnsError::invalid("Invalid parameter: Topic"));
    }
    let guarded = form
        .text("AuthenticateOnUnsubscribe")
        .is_some_and(|it| it.eq_ignore_ascii_case("true"));
    if guarded && !form.signed() {
        return Err(SnsError::unsigned());
    }
    let arn = confirmed(work, form.text("Token").unwrap_or_default())?;
    let subscription = work.topics.subscriptions.get(&arn).cloned();
    if let Some(pending) = subscription.filter(|it| it.pending) {
        subscriptions::set_confirmed(work, &pending, form.signed(), guarded)?;
    }
    let mut xml = Xml::default();
    xml.text("SubscriptionArn", arn);
    Ok(xml)
}

/// The subscription that a token confirms, made again if the token restores it.
fn confirmed(work: &mut Work<'_>, token: &str) -> Outcome<String> {
    let found: Option<(String, Option<String>)> = work
        .db
        .prepare_cached(
            "SELECT subscription, restores FROM tokens WHERE token = ?1 AND until > ?2",
        )?
        .query_row(params![token, work.now], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let refused = || SnsError::invalid("Invalid parameter: Token");
    let (arn, restores) = found.ok_or_else(refused)?;
    if work.topics.subscriptions.contains_key(&arn) {
        return Ok(arn);
    }
    let restores: Value = restores
        .and_then(|json| serde_json::from_str(&json).ok())
        .ok_or_else(refused)?;
    let text = |name: &str| restores[name].as_str().unwrap_or_default().to_owned();
    let (topic, protocol, endpoint) = (text("topic"), text("protocol"), text("endpoint"));
    topics::find(work, &topic)?;
    let again = work.topics.subscriptions_of(&topic);
    if let Some(again) = again.iter().find(|it| it.goes_to(&protocol, &endpoint)) {
        return Ok(again.arn.clone());
    }
    let attributes = serde_json::from_value(restores["attributes"].clone()).unwrap_or_default();
    let restored = Subscription::new(arn.clone(), topic, protocol, endpoint, attributes)
        .map_err(|reason| SnsError::invalid(format!("Invalid parameter: {reason}")))?;
    subscriptions::keep(work, restored)?;
    Ok(arn)
}

/// Clears away tokens past their time, and subscriptions that nobody can confirm any more.
pub(crate) fn forget_unconfirmed(work: &mut Work<'_>) -> Result<(), StorageError> {
    work.db
        .prepare_cached("DELETE FROM tokens WHERE until <= ?1")?
        .execute(params![work.now])?;
    let all = work.topics.subscriptions.values();
    let pending: Vec<String> = all
        .filter(|it| it.pending)
        .map(|it| it.arn.clone())
        .collect();
    for arn in pending {
        let waits: bool = work
            .db
            .prepare_cached("SELECT EXISTS(SELECT 1 FROM tokens WHERE subscription = ?1)")?
            .query_row(params![arn], |row| row.get(0))?;
        if !waits {
            subscriptions::remove(work, &arn)?;
        }
    }
    Ok(())
}

/// Forgets the tokens of a subscription whose topic is deleted.
pub(super) fn forget(work: &Work<'_>, subscription_arn: &str) -> Result<(), StorageError> {
    work.db
        .prepare_cached("DELETE FROM tokens WHERE subscription = ?1")?
        .execute(params![subscription_arn])?;
    Ok(())
}

/// Who is asked for a confirmation, as a JSON array: for what is sent to nobody here, as are
/// mails, and for looking.
pub(crate) fn shown(messages: &Messages) -> Answer {
    let tokens = messages.transact(|work| {
        let mut statement = work
            .db
            .prepare_cached("SELECT token, subscription FROM tokens ORDER BY until, token")?;
        let pairs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let pairs = pairs.collect::<Result<Vec<(String, String)>, StorageError>>()?;
        let asked = pairs.iter().filter_map(|(token, arn)| {
            let subscription = work.topics.subscriptions.get(arn).filter(|it| it.pending)?;
            Some(json!({
                "topicArn": subscription.topic_arn,
                "subscriptionArn": arn,
                "protocol": subscription.protocol,
                "endpoint": subscription.endpoint,
                "token": token,
                "subscribeUrl": subscribe_url(work, &subscription.topic_arn, token),
            }))
        });
        Ok::<Value, StorageError>(asked.collect())
    });
    match tokens {
        Ok(tokens) => Answer::plain_json(200, tokens.to_string()),
        Err(error) => SnsError::internal(&error).answer(),
    }
}
