//! `callboard dlq edit` and `drop`.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Mutex;

use aws_sdk_sqs::types::MessageAttributeValue;
use callboard_runtime::dead_letter::{ATTEMPT, ATTRIBUTES_MAX, ERROR_CLASS};
use futures::future::try_join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::args::{DropArgs, EditArgs};
use super::filter::Filter;
use super::letter::{EDITED, EDITED_FROM, Letter, text};
use super::look::found;
use super::pace::Budget;
use super::queues::{DeadLetterQueue, Origin};
use super::send::{Copy, one, send};
use super::sweep::{Enough, delete, lock, sweep};
use super::{Dlq, say};
use crate::env_file::write_private;
use crate::error::CliError;

pub(crate) async fn edit(dlq: &Dlq, args: &EditArgs, out: &mut impl Write) -> Result<(), CliError> {
    let letter = the_one(dlq, &args.id).await?;
    if let Some(path) = &args.output {
        write_private(path, letter.body.as_bytes())?;
        let path = path.display().to_string();
        return match args.common.json {
            true => say(out, &json!({ "id": letter.id, "file": path }).to_string()),
            false => say(out, &format!("the body of {} is in {path}", letter.id)),
        };
    }
    // clap asks for one of the two.
    let path = args.body.clone().unwrap_or_default();
    let body = std::fs::read_to_string(&path).map_err(|source| CliError::Unreadable {
        path: path.clone(),
        source,
    })?;
    let queue = dlq.queues.iter().find(|queue| queue.name == letter.queue);
    let place = match queue.map(|queue| &queue.origin) {
        Some(Origin::Journal(_)) => Err("it names a place in the journal, which is never edited"),
        Some(origin) => origin.place(),
        None => Err("its queue is not known"),
    };
    let place = place.map_err(|why| CliError::Input(why.to_owned()))?;
    let dry_run = !args.execute.execute;
    if !dry_run {
        send_edited(dlq, &letter, &body).await?;
    }
    if args.common.json {
        let done =
            json!({ "dryRun": dry_run, "id": letter.id, "queue": letter.queue, "to": place });
        return say(out, &done.to_string());
    }
    let (verb, end) = match dry_run {
        true => ("would send", "; nothing was changed, --execute does it"),
        false => ("sent", "; the original stays, marked as edited"),
    };
    say(
        out,
        &format!("{verb} an edited copy of {} to {place}{end}", letter.id),
    )
}

async fn the_one(dlq: &Dlq, id: &str) -> Result<Letter, CliError> {
    let filter = Filter {
        ids: vec![id.to_owned()],
        ..Filter::default()
    };
    let mut letters = found(dlq, &filter, 2).await?;
    match (letters.pop(), letters.is_empty()) {
        (Some(letter), true) => Ok(letter),
        (None, _) => Err(CliError::NotFound(format!(
            "no letter's id begins with {id}"
        ))),
        (Some(_), false) => Err(CliError::Input(format!(
            "more than one letter's id begins with {id}"
        ))),
    }
}

/// Takes the letter in hand once more, and mends it there.
async fn send_edited(dlq: &Dlq, letter: &Letter, body: &str) -> Result<(), CliError> {
    let done = Enough::default();
    let sweeps = dlq.queues.iter().filter(|queue| queue.name == letter.queue);
    let sweeps = sweeps.map(|queue| {
        let done = &done;
        let mend = async move |page: Vec<Letter>| {
            let Some(held) = page.iter().find(|held| held.id == letter.id) else {
                return Ok(Vec::new());
            };
            done.say();
            mended(dlq, queue, held, body).await
        };
        sweep(&dlq.sqs, queue, 1, done, mend)
    });
    try_join_all(sweeps).await?;
    match done.is_said() {
        true => Ok(()),
        false => Err(CliError::NotFound(format!("{} is gone", letter.id))),
    }
}

/// The copy out, the original back with a mark, and only then the unmarked one away.
async fn mended(
    dlq: &Dlq,
    queue: &DeadLetterQueue,
    letter: &Letter,
    body: &str,
) -> Result<Vec<String>, CliError> {
    let mut copy = Copy::of(0, letter).map_err(|why| CliError::Input(why.to_owned()))?;
    body.clone_into(&mut copy.body);
    let said: Option<Value> = serde_json::from_str(body).ok();
    if let Some(event_type) = said.as_ref().and_then(|body| body["type"].as_str()) {
        copy.attributes.insert("type".to_owned(), text(event_type));
    }
    copy.attributes
        .insert(EDITED_FROM.to_owned(), text(&letter.id));
    if copy.attributes.len() > ATTRIBUTES_MAX {
        let why = "its attributes leave no room to say what the copy was made of";
        return Err(CliError::Input(why.to_owned()));
    }
    copy.dedup = format!("edited-{}-{}", letter.id, uuid::Uuid::new_v4().simple());
    let (sqs, none) = (&dlq.sqs, Default::default());
    let taken = send(sqs, &dlq.publisher, &queue.origin, vec![copy], &none).await;
    if let Some((_, why)) = taken.refused.first() {
        return Err(CliError::Refused(format!("the copy was not taken: {why}")));
    }
    let original = Copy {
        at: 0,
        body: letter.body.clone(),
        attributes: marked(letter),
        group: letter.group.clone(),
        dedup: format!("edited-{}", letter.id),
    };
    if let Err(why) = one(sqs, &queue.url, &original).await {
        // The copy is out; the original stays as it was, without a mark.
        return Err(CliError::Refused(format!(
            "the copy was sent, but the original could not be marked: {why}"
        )));
    }
    delete(sqs, queue, &[letter]).await
}

/// The original's attributes and the mark; two of ours make room for it where there is none.
fn marked(letter: &Letter) -> HashMap<String, MessageAttributeValue> {
    let mut attributes = letter.attributes.clone();
    let now = format!("{:.0}", Timestamp::now());
    attributes.insert(EDITED.to_owned(), text(now));
    for ours in [ATTEMPT, ERROR_CLASS] {
        if attributes.len() > ATTRIBUTES_MAX {
            attributes.remove(ours);
        }
    }
    attributes
}

pub(crate) async fn drop_letters(
    dlq: &Dlq,
    args: &DropArgs,
    out: &mut impl Write,
) -> Result<(), CliError> {
    if args.filter.picks_all() && !args.all {
        return Err(CliError::Input(
            "name the letters to drop by a filter, or say --all".to_owned(),
        ));
    }
    let dropped = Mutex::new(Vec::new());
    let (budget, enough) = (Budget::new(args.max), Enough::default());
    let sweeps = dlq.queues.iter().map(|queue| {
        let (dropped, budget, enough) = (&dropped, &budget, &enough);
        let page = async move |letters: Vec<Letter>| {
            if dlq.enough.is_said() {
                enough.say();
                return Ok(Vec::new());
            }
            let mut meant: Vec<&Letter> =
                letters.iter().filter(|it| args.filter.fits(it)).collect();
            meant.truncate(budget.take(meant.len(), enough));
            let gone = match args.execute.execute {
                true => delete(&dlq.sqs, queue, &meant).await?,
                false => Vec::new(),
            };
            let told = meant
                .iter()
                .filter(|it| !args.execute.execute || gone.contains(&it.id));
            lock(dropped).extend(told.map(|it| (it.id.clone(), it.queue.clone())));
            Ok(gone)
        };
        sweep(&dlq.sqs, queue, super::sweep::WORKERS, enough, page)
    });
    try_join_all(sweeps).await?;
    let dropped = lock(&dropped);
    let dry_run = !args.execute.execute;
    if args.common.json {
        let ids: Vec<_> = dropped
            .iter()
            .map(|(id, queue)| json!({ "id": id, "queue": queue }))
            .collect();
        let done = json!({ "dryRun": dry_run, "dropped": dropped.len(), "letters": ids });
        return say(out, &format!("{done:#}"));
    }
    let count = dropped.len();
    match dry_run {
        true => say(
            out,
            &format!("would drop {count} letters; nothing was changed, --execute does it"),
        ),
        false => say(out, &format!("dropped {count} letters")),
    }
}
