//! Which letters are meant.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::letter::Letter;

/// Letters to pick; all that is named must fit.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which letters (all that is named must fit)")]
pub struct Filter {
    /// Only these message ids; the beginning of one is enough
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,

    /// Only from this queue, for example `email-sender`; may be repeated [default: all]
    #[arg(long = "queue", value_name = "QUEUE")]
    pub queues: Vec<String>,

    /// The reason holds this text, in capitals or not
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,

    /// The function that gave up
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,

    /// The event's type, or its beginning and `*`
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,

    /// The correlation id
    #[arg(long, value_name = "ID")]
    pub correlation: Option<String>,

    /// Sent at this time or later: 2026-01-31T12:00:00Z, or 90m, 2h, 3d ago
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Timestamp>,

    /// Sent before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,

    /// The JSON body has this at that path, for example $.data.slotId=s-1 or
    /// `$.data.items[0]=book`; without `=` it has anything there; may be repeated
    #[arg(long = "where", value_name = "PATH[=VALUE]", value_parser = place)]
    pub places: Vec<Place>,
}

/// A place in a JSON body, and what is to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pointer: String,
    value: Option<String>,
}

impl Filter {
    /// Whether nothing is named but queues.
    pub(crate) fn picks_all(&self) -> bool {
        self.ids.is_empty()
            && self.reason.is_none()
            && self.function.is_none()
            && self.event_type.is_none()
            && self.correlation.is_none()
            && self.since.is_none()
            && self.until.is_none()
            && self.places.is_empty()
    }

    /// Whether this letter is meant.
    pub(crate) fn fits(&self, letter: &Letter) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == found
        };
        let ids = &self.ids;
        (ids.is_empty() || ids.iter().any(|id| letter.id.starts_with(id.as_str())))
            && self.reason.as_ref().is_none_or(|text| {
                let reason = letter.reason().to_lowercase();
                reason.contains(&text.to_lowercase())
            })
            && is(&self.function, Some(letter.function()))
            && is(&self.correlation, letter.correlation())
            && self
                .event_type
                .as_ref()
                .is_none_or(|wanted| is_of_type(letter.event_type(), wanted))
            && self.since.is_none_or(|since| letter.sent_at >= since)
            && self.until.is_none_or(|until| letter.sent_at < until)
            && self.places.iter().all(|place| place.fits(letter))
    }
}

fn is_of_type(found: &str, wanted: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(beginning) => found.starts_with(beginning),
        None => found == wanted,
    }
}

impl Place {
    fn fits(&self, letter: &Letter) -> bool {
        let found = letter
            .json
            .as_ref()
            .and_then(|json| json.pointer(&self.pointer));
        match (found, &self.value) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(Value::String(found)), Some(wanted)) => found == wanted,
            (Some(found), Some(wanted)) => {
                let text = found.to_string();
                text == *wanted
            }
        }
    }
}

/// `$.a.b[0]['c d']=value`; the `$.` may be left out.
fn place(text: &str) -> Result<Place, String> {
    let mut pointer = String::new();
    let mut rest = text.strip_prefix('$').unwrap_or(text);
    let mut first = rest == text;
    while !rest.is_empty() && !rest.starts_with('=') {
        let (name, after) = if let Some(quoted) = rest.strip_prefix("['") {
            quoted.split_once("']").ok_or("`['` is not closed")?
        } else if let Some(index) = rest.strip_prefix('[') {
            let (index, after) = index.split_once(']').ok_or("`[` is not closed")?;
            index.parse::<usize>().map_err(|_| {
                format!("`[{index}]` is no index; filters and wildcards are not known here")
            })?;
            (index, after)
        } else {
            let named = match rest.strip_prefix('.') {
                Some(named) => named,
                None if first => rest,
                None => return Err(format!("expected `.` or `[` before `{rest}`")),
            };
            let end = named.find(['.', '[', '=']).unwrap_or(named.len());
            named.split_at(end)
        };
        if name.is_empty() {
            return Err("a name is missing after `.`".to_owned());
        }
        first = false;
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        rest = after;
    }
    let value = rest.strip_prefix('=').map(str::to_owned);
    Ok(Place { pointer, value })
}

/// A moment, or how long ago.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let ago: Option<SignedDuration> = text.parse().ok().or_else(|| days(text));
    ago.filter(|ago| ago.is_positive())
        .and_then(|ago| Timestamp::now().checked_sub(ago).ok())
        .ok_or_else(|| "expected a time as 2026-01-31T12:00:00Z, or 90m, 2h, 3d ago".to_owned())
}

fn days(text: &str) -> Option<SignedDuration> {
    let days: i64 = text.strip_suffix('d')?.parse().ok()?;
    Some(SignedDuration::from_hours(days.checked_mul(24)?))
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use aws_sdk_sqs::types::Message;

    use super::*;

    fn letter(body: &str) -> Letter {
        Letter::new(
            "q",
            Message::builder().message_id("abc-1").body(body).build(),
        )
    }

    #[test]
    fn a_path_leads_into_the_body() {
        let letter = letter(r#"{"a":{"b c":[{"d":"x"},7]},"e/f":true}"#);
        for (path, fits) in [
            ("$.a['b c'][0].d=x", true),
            ("a['b c'][1]=7", true),
            ("$['e/f']=true", true),
            ("$.a", true),
            ("$.a['b c'][0].d=y", false),
            ("$.z", false),
        ] {
            assert_eq!(place(path).unwrap().fits(&letter), fits, "{path}");
        }
        for wrong in ["$.a[*]", "$..a", "$x", "$.a['b"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_is_a_moment_or_how_long_ago() {
        assert_eq!(time("1970-01-01T00:00:01Z").unwrap().as_second(), 1);
        for (text, seconds) in [("90m", 5_400), ("2h", 7_200), ("3d", 259_200)] {
            let ago = Timestamp::now().duration_since(time(text).unwrap());
            assert!((ago.as_secs() - seconds).abs() < 60, "{text}");
        }
        assert!(time("yesterday").is_err() && time("-2h").is_err());
    }

    #[test]
    fn all_that_is_named_must_fit() {
        let letter = letter(r#"{"type":"callboard.x.y.v1","correlationid":"c"}"#);
        let filter = |change: fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            filter.fits(&letter)
        };
        assert!(filter(|_| {}));
        assert!(filter(|it| it.event_type = Some("callboard.x.*".into())));
        assert!(!filter(|it| it.event_type = Some("callboard.x".into())));
        assert!(filter(|it| it.correlation = Some("c".into())));
        assert!(filter(|it| it.ids = vec!["abc".into()]));
        assert!(!filter(|it| it.function = Some("other".into())));
        assert!(filter(|it| it.reason = Some("TOO OFTEN".into())));
        assert!(!filter(|it| {
            it.correlation = Some("c".into());
            it.reason = Some("poison".into());
        }));
    }
}
