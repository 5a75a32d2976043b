//! `callboard publish`: another system's event, by `POST /v1/events`; and what became of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::{Api, described};
use crate::args::PublishArgs;
use crate::client::Answer;
use crate::error::CliError;
use crate::print::{json_to, text_to};
use crate::target::Target;
use crate::timeline::{self, Event, Timeline, render};

/// Pause between two looks at a timeline.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The last events of a notification, by name: nothing follows them.
const ENDS: [&str; 4] = [
    "delivery-succeeded",
    "delivery-failed",
    "notification-dropped",
    "notification-cancelled",
];

/// Publishes, and tells standard output.
///
/// # Errors
/// [`CliError::Input`] for what is no event, [`CliError::Refused`] with the API's reason,
/// [`CliError::NotFound`] when what was waited for did not come in time.
pub async fn run(args: &PublishArgs) -> Result<(), CliError> {
    let target = Target::read(&args.target.env_file)?;
    run_on(&target, args, &mut io::stdout()).await
}

/// Publishes to `target`, and tells `out`.
///
/// # Errors
/// As [`run`].
pub async fn run_on(
    target: &Target,
    args: &PublishArgs,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let api = Api::of(target)?;
    let event = event_of(args)?;
    let mut headers = vec![("content-type", content_type(&event))];
    if let Some(id) = &args.correlation_id {
        headers.push(("correlation-id", id));
    }
    let body = Bytes::from(event.to_string());
    let answer = api.post("/v1/events", &headers, body).await?;
    let accepted = accepted(&answer)?;
    if !args.json {
        text_to(out, &told(&answer, &accepted))?;
    }
    let timelines = match args.wait {
        true => wait(&api, &accepted, args, out).await?,
        false => Vec::new(),
    };
    if args.json {
        json_to(
            out,
            &json!({
                "status": answer.status.as_u16(),
                "commit": answer.header("callboard-commit"),
                "answers": accepted,
                "timelines": timelines,
            }),
        )?;
    }
    refused_of_batch(&accepted)
}

/// The event (or events) that the command line means.
fn event_of(args: &PublishArgs) -> Result<Value, CliError> {
    let text = match &args.file {
        Some(path) => read(path)?,
        None if args.data == "-" => read(Path::new("-"))?,
        None => args.data.clone(),
    };
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| CliError::Input(format!("what is to be published is no JSON: {error}")))?;
    let Some(event_type) = &args.event_type else {
        return Ok(value);
    };
    let new_id = || uuid::Uuid::now_v7().to_string();
    let id = args.id.clone().unwrap_or_else(new_id);
    let now = Timestamp::now().to_string();
    Ok(match &args.source {
        Some(source) => json!({
            "specversion": "1.0", "id": id, "source": source, "type": event_type, "time": now,
            "data": value,
        }),
        None => json!({
            "eventType": event_type, "eventId": id, "timestamp": now, "data": value,
        }),
    })
}

fn read(path: &Path) -> Result<String, CliError> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    text.map_err(|source| CliError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// By its form: a batch, a CloudEvent, or the minimal shape.
fn content_type(event: &Value) -> &'static str {
    match event {
        Value::Array(_) => "application/cloudevents-batch+json",
        event if event.get("specversion").is_some() => "application/cloudevents+json",
        _ => "application/json",
    }
}

/// The answers by event; of a batch some may be problems.
fn accepted(answer: &Answer) -> Result<Vec<Value>, CliError> {
    let known = [
        StatusCode::OK,
        StatusCode::ACCEPTED,
        StatusCode::MULTI_STATUS,
    ];
    if !known.contains(&answer.status) {
        return Err(CliError::Refused(format!(
            "the event was refused with {}: {}",
            answer.status.as_u16(),
            described(answer)
        )));
    }
    Ok(match answer.json() {
        Value::Array(all) => all,
        one => vec![one],
    })
}

fn told(answer: &Answer, accepted: &[Value]) -> String {
    let mut text = String::new();
    for one in accepted {
        let status = one["status"].as_u64().unwrap_or_default();
        let line = match (one["eventId"].as_str(), status) {
            (None, _) => format!(
                "refused with {status}: {}",
                one["detail"].as_str().unwrap_or("no detail")
            ),
            (Some(id), 200) => known_before(id, one),
            (Some(id), 0) if answer.status == StatusCode::OK => known_before(id, one),
            (Some(id), _) => format!("{id} accepted, correlation id {}", correlation(one)),
        };
        text.push_str(&line);
        text.push('\n');
    }
    if let Some(commit) = answer.header("callboard-commit") {
        text.push_str(&format!("Callboard-Commit: {commit}\n"));
    }
    text
}

fn known_before(id: &str, answer: &Value) -> String {
    format!(
        "{id} was known before, correlation id {}: nothing happens twice",
        correlation(answer)
    )
}

fn correlation(answer: &Value) -> &str {
    answer["correlationId"].as_str().unwrap_or_default()
}

fn refused_of_batch(accepted: &[Value]) -> Result<(), CliError> {
    let refused = accepted.iter().filter(|it| it["eventId"].is_null()).count();
    match refused {
        0 => Ok(()),
        refused => Err(CliError::Refused(format!(
            "{refused} of {} events were refused; the others stand",
            accepted.len()
        ))),
    }
}

/// Follows each timeline until it rests, or the time is over.
async fn wait(
    api: &Api,
    accepted: &[Value],
    args: &PublishArgs,
    out: &mut impl Write,
) -> Result<Vec<Timeline>, CliError> {
    let deadline = Instant::now() + args.timeout;
    let mut timelines = Vec::new();
    for one in accepted.iter().filter(|it| it["eventId"].is_string()) {
        let (timeline, at_rest) = follow(api, correlation(one), deadline).await?;
        if let Some(timeline) = &timeline
            && !args.json
        {
            text_to(out, &render(&timeline.events))?;
        }
        if !at_rest {
            let seen = timeline.map(|it| it.events).unwrap_or_default();
            return Err(CliError::NotFound(unrest(&seen, args.timeout)));
        }
        timelines.extend(timeline);
    }
    Ok(timelines)
}

/// The timeline, and whether it came to rest before the deadline: at rest twice in a row without
/// a change, for several notifications of one event are planned one after another.
async fn follow(
    api: &Api,
    correlation_id: &str,
    deadline: Instant,
) -> Result<(Option<Timeline>, bool), CliError> {
    let mut at_rest_with = 0;
    loop {
        let timeline = timeline::find(api, correlation_id).await?;
        let events = timeline.as_ref().map_or(&[][..], |it| &it.events);
        let rests = !events.is_empty() && open_notifications(events) == Some(0);
        if rests && at_rest_with == events.len() {
            return Ok((timeline, true));
        }
        at_rest_with = if rests { events.len() } else { 0 };
        if Instant::now() >= deadline {
            return Ok((timeline, false));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How many notifications have not ended; `None` if there is no notification at all.
fn open_notifications(events: &[Event]) -> Option<usize> {
    let mut ended: BTreeMap<&str, bool> = BTreeMap::new();
    for event in events.iter().filter(|it| it.kind() == "notification") {
        *ended.entry(&event.stream).or_default() |= ends(event);
    }
    (!ended.is_empty()).then(|| ended.values().filter(|it| !**it).count())
}

/// An unknown outcome is the end only where its policy does not send again.
fn ends(event: &Event) -> bool {
    ENDS.contains(&event.name())
        || (event.name() == "outcome-unknown" && event.data["policy"] == "park")
}

fn unrest(events: &[Event], waited: Duration) -> String {
    let waited = waited.as_secs();
    match open_notifications(events) {
        None => format!("no notification was planned within {waited} s; the event itself stands"),
        Some(open) => format!("{open} notifications had not ended after {waited} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(stream: &str, name: &str, data: Value) -> Event {
        serde_json::from_value(json!({
            "eventId": "e", "type": format!("callboard.notification.{name}.v1"), "stream": stream,
            "commit": 1, "index": 0, "time": "2026-01-01T00:00:00Z", "causationId": "x",
            "public": true, "data": data,
        }))
        .expect("an event of a timeline")
    }

    #[test]
    fn a_timeline_rests_when_each_of_its_notifications_has_ended() {
        let mut events = vec![event("event#shop#1", "order-placed", Value::Null)];
        assert_eq!(open_notifications(&events), None);
        events.push(event("notification#a", "notification-planned", Value::Null));
        events.push(event("notification#b", "notification-dropped", Value::Null));
        assert_eq!(open_notifications(&events), Some(1));
        events.push(event(
            "notification#a",
            "outcome-unknown",
            json!({"policy": "resend"}),
        ));
        assert_eq!(open_notifications(&events), Some(1), "it is sent again");
        events.push(event("notification#a", "delivery-succeeded", Value::Null));
        assert_eq!(open_notifications(&events), Some(0));
    }

    #[test]
    fn the_form_of_an_event_says_its_content_type() {
        assert_eq!(
            content_type(&json!([])),
            "application/cloudevents-batch+json"
        );
        assert_eq!(
            content_type(&json!({"specversion": "1.0"})),
            "application/cloudevents+json"
        );
        assert_eq!(content_type(&json!({"eventType": "X"})), "application/json");
    }
}
