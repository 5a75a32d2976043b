//! Looks at dead letters and leaves them where they are: `list`, `show`, `export`.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;

use aws_sdk_sqs::types::QueueAttributeName;
use callboard_runtime::fault::AwsFault;
use futures::future::try_join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::args::{ExportArgs, ListArgs, ShowArgs};
use super::filter::Filter;
use super::letter::Letter;
use super::queues::{DeadLetterQueue, Origin};
use super::sweep::{Enough, WORKERS, lock, sweep};
use super::{Dlq, say};
use crate::env_file::write_private;
use crate::error::CliError;

/// Letters that are alike: reason, function, type.
type Alike = (String, String, String);

/// How many, and when the first and the last was sent.
struct Group {
    count: usize,
    oldest: Timestamp,
    newest: Timestamp,
}

#[derive(Default)]
struct Listed {
    seen: usize,
    groups: BTreeMap<Alike, Group>,
}

impl Listed {
    fn add(&mut self, letter: &Letter) {
        let alike = (
            letter.reason().to_owned(),
            letter.function().to_owned(),
            letter.event_type().to_owned(),
        );
        let group = self.groups.entry(alike).or_insert(Group {
            count: 0,
            oldest: letter.sent_at,
            newest: letter.sent_at,
        });
        group.count += 1;
        group.oldest = group.oldest.min(letter.sent_at);
        group.newest = group.newest.max(letter.sent_at);
    }
}

pub(crate) async fn list(dlq: &Dlq, args: &ListArgs, out: &mut impl Write) -> Result<(), CliError> {
    let listings = dlq.queues.iter().map(|queue| async move {
        // Before the look, which hides what it reads.
        let depth = depth(dlq, queue).await?;
        Ok::<_, CliError>((queue, depth, listed(dlq, queue, &args.filter).await?))
    });
    let listings = try_join_all(listings).await?;
    if args.common.json {
        let queues: Vec<_> = listings
            .iter()
            .map(|(queue, depth, listed)| listed_json(queue, *depth, listed))
            .collect();
        return say(out, &format!("{:#}", json!({ "queues": queues })));
    }
    for (queue, depth, listed) in &listings {
        say(out, &heading(queue, *depth, listed))?;
        for ((reason, function, event_type), group) in &listed.groups {
            let Group {
                count,
                oldest,
                newest,
            } = group;
            say(
                out,
                &format!("  {count:>6}  {function}  {event_type}\n          {reason}"),
            )?;
            say(out, &format!("          sent {oldest:.0} to {newest:.0}"))?;
        }
    }
    Ok(())
}

fn heading(queue: &DeadLetterQueue, depth: u64, listed: &Listed) -> String {
    let fit: usize = listed.groups.values().map(|group| group.count).sum();
    let filtered = match listed.seen - fit {
        0 => String::new(),
        others => format!(", {others} others"),
    };
    let unseen = match depth.saturating_sub(listed.seen as u64) {
        0 => String::new(),
        unseen if queue.is_fifo() => {
            format!(", {unseen} not seen (behind the first ten of a group, or in somebody's hands)")
        }
        unseen => format!(", {unseen} not seen (in somebody's hands)"),
    };
    format!("{}: {fit} letters{filtered}{unseen}", queue.name)
}

fn listed_json(queue: &DeadLetterQueue, depth: u64, listed: &Listed) -> Value {
    let groups: Vec<_> = listed
        .groups
        .iter()
        .map(|((reason, function, event_type), group)| {
            json!({
                "reason": reason, "function": function, "type": event_type, "count": group.count,
                "oldest": group.oldest.to_string(), "newest": group.newest.to_string(),
            })
        })
        .collect();
    json!({
        "queue": queue.name, "url": queue.url, "messages": depth, "seen": listed.seen,
        "groups": groups,
    })
}

/// How many SQS says there are, in anybody's hands or not.
pub(crate) async fn depth(dlq: &Dlq, queue: &DeadLetterQueue) -> Result<u64, CliError> {
    let counts = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    let answer = dlq
        .sqs
        .get_queue_attributes()
        .queue_url(&queue.url)
        .set_attribute_names(Some(counts.to_vec()))
        .send()
        .await
        .map_err(|error| AwsFault::of("GetQueueAttributes", error))?;
    let attributes = answer.attributes.unwrap_or_default();
    let values = counts.iter().filter_map(|name| attributes.get(name));
    Ok(values.filter_map(|value| value.parse::<u64>().ok()).sum())
}

async fn listed(dlq: &Dlq, queue: &DeadLetterQueue, filter: &Filter) -> Result<Listed, CliError> {
    let listed = Mutex::new(Listed::default());
    let look = async |letters: Vec<Letter>| {
        let mut listed = lock(&listed);
        listed.seen += letters.len();
        let fitting = letters.iter().filter(|letter| filter.fits(letter));
        fitting.for_each(|letter| listed.add(letter));
        Ok(Vec::new())
    };
    sweep(&dlq.sqs, queue, WORKERS, &dlq.enough, look).await?;
    Ok(listed.into_inner().unwrap_or_else(|it| it.into_inner()))
}

/// The letters that fit, of all queues, up to `max`.
pub(crate) async fn found(dlq: &Dlq, filter: &Filter, max: usize) -> Result<Vec<Letter>, CliError> {
    let found = Mutex::new(Vec::new());
    let full = Enough::default();
    let look = async |letters: Vec<Letter>| {
        let mut found = lock(&found);
        let fitting = letters.into_iter().filter(|letter| filter.fits(letter));
        let room = max - found.len();
        found.extend(fitting.take(room));
        if found.len() == max || dlq.enough.is_said() {
            full.say();
        }
        Ok(Vec::new())
    };
    let sweeps = dlq
        .queues
        .iter()
        .map(|queue| sweep(&dlq.sqs, queue, WORKERS, &full, &look));
    try_join_all(sweeps).await?;
    let mut found: Vec<Letter> = found.into_inner().unwrap_or_else(|it| it.into_inner());
    found.sort_by(|one, two| (&one.queue, one.sent_at).cmp(&(&two.queue, two.sent_at)));
    Ok(found)
}

pub(crate) async fn show(dlq: &Dlq, args: &ShowArgs, out: &mut impl Write) -> Result<(), CliError> {
    let letters = found(dlq, &args.filter, args.first.get()).await?;
    if args.common.json {
        let letters: Vec<_> = letters.iter().map(Letter::to_json).collect();
        return say(out, &format!("{:#}", Value::from(letters)));
    }
    if letters.is_empty() {
        return say(out, "No letter fits.");
    }
    letters.iter().try_for_each(|letter| {
        let origin = dlq.queues.iter().find(|queue| queue.name == letter.queue);
        say(out, &shown(letter, origin.map(|queue| &queue.origin)))
    })
}

fn shown(letter: &Letter, origin: Option<&Origin>) -> String {
    let origin = match origin {
        Some(Origin::Journal(_)) => "the journal's stream",
        Some(origin) => origin.place().unwrap_or_else(|why| why),
        None => "?",
    };
    let mut text = format!("{}  in {}\n", letter.id, letter.queue);
    let mut row = |name: &str, value: &str| text.push_str(&format!("  {name:<12} {value}\n"));
    row("reason", letter.reason());
    row("function", letter.function());
    row("type", letter.event_type());
    row("correlation", letter.correlation().unwrap_or("?"));
    row("sent", &letter.sent_at.to_string());
    row("came from", origin);
    if let Some(group) = &letter.group {
        row("group", group);
    }
    let mut names: Vec<_> = letter.attributes.keys().collect();
    names.sort();
    for name in names {
        row(name, letter.attribute(name).unwrap_or("(bytes)"));
    }
    let body = letter.json.as_ref().map(|json| format!("{json:#}"));
    text.push_str(body.as_deref().unwrap_or(&letter.body));
    text
}

pub(crate) async fn export(
    dlq: &Dlq,
    args: &ExportArgs,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let letters = found(dlq, &args.filter, usize::MAX).await?;
    let lines: String = letters
        .iter()
        .map(|letter| format!("{}\n", letter.to_json()))
        .collect();
    match &args.output {
        Some(path) => {
            write_private(path, lines.as_bytes())?;
            let count = letters.len();
            let path = path.display();
            match args.common.json {
                true => say(
                    out,
                    &json!({ "exported": count, "file": path.to_string() }).to_string(),
                ),
                false => say(out, &format!("{count} letters written to {path}")),
            }
        }
        None => say(out, lines.trim_end()),
    }
}
