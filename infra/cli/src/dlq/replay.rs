//! `callboard dlq replay`: copies to where the letters came from, then the letters away.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::sync::Mutex;

use futures::future::try_join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::args::ReplayArgs;
use super::letter::{EDITED, Letter};
use super::look::depth;
use super::pace::{Budget, Pace, Progress};
use super::queues::{DeadLetterQueue, Origin};
use super::relay::Relayed;
use super::send::{Copy, send};
use super::sweep::{Enough, Gone, delete, in_rounds, lock, sweep};
use super::{Dlq, say};
use crate::error::CliError;

/// How many letters are named one by one on a terminal; JSON names all.
const NAMED_MAX: usize = 10;

/// What became of the letters.
#[derive(Default)]
pub(super) struct Report {
    /// How many were sent (or would be), by queue, place and type.
    sent: BTreeMap<(String, String, String), usize>,
    /// What was published (or would be) for letters of the relay.
    pub(super) relayed: Relayed,
    /// Not to be sent, and why.
    pub(super) left: Vec<Named>,
    /// To be sent, and not taken.
    pub(super) refused: Vec<Named>,
}

impl Report {
    fn letters(&self) -> usize {
        self.sent.values().sum::<usize>() + self.relayed.letters()
    }
}

pub(super) struct Named {
    id: String,
    queue: String,
    why: String,
}

pub(super) struct Replay<'a> {
    pub(super) dlq: &'a Dlq,
    pub(super) args: &'a ReplayArgs,
    begun: Timestamp,
    pub(super) pace: Pace,
    pub(super) budget: Budget,
    /// Said when the budget is used up or the person has had enough.
    pub(super) enough: Enough,
    pub(super) progress: Progress,
    pub(super) report: Mutex<Report>,
    /// Groups in which a copy was not taken, by queue.
    broken: Mutex<BTreeMap<String, HashSet<String>>>,
}

pub(crate) async fn replay(
    dlq: &Dlq,
    args: &ReplayArgs,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let depths = try_join_all(dlq.queues.iter().map(|queue| depth(dlq, queue))).await?;
    let replay = Replay {
        dlq,
        args,
        begun: Timestamp::now(),
        pace: Pace::new(args.rate),
        budget: Budget::new(args.max),
        enough: Enough::default(),
        progress: Progress::new(depths.iter().sum()),
        report: Mutex::default(),
        broken: Mutex::default(),
    };
    let outcome = tokio::select! {
        outcome = replay.all() => outcome,
        never = async {
            dlq.enough.said().await;
            replay.enough.say();
            std::future::pending().await
        } => never,
    };
    replay.progress.end();
    // What was done is told even if a call failed later.
    replay.tell(out)?;
    outcome?;
    match lock(&replay.report).refused.len() {
        0 => Ok(()),
        refused => Err(CliError::LettersStay(refused)),
    }
}

impl Replay<'_> {
    async fn all(&self) -> Result<(), CliError> {
        let workers = self.pace.workers();
        let (sqs, enough) = (&self.dlq.sqs, &self.enough);
        let sweeps = self.dlq.queues.iter().map(|queue| async move {
            match &queue.origin {
                Origin::Journal(relay) => {
                    let round = async |letters: Vec<Letter>, gone: &Gone| {
                        relay.round(self, queue, &letters, gone).await
                    };
                    in_rounds(sqs, queue, enough, round).await
                }
                _ => {
                    let page = async |letters: Vec<Letter>| self.page(queue, letters).await;
                    sweep(sqs, queue, workers, enough, page).await
                }
            }
        });
        try_join_all(sweeps).await?;
        Ok(())
    }

    /// Replays those of a page that are meant; answers with those that are gone.
    async fn page(
        &self,
        queue: &DeadLetterQueue,
        letters: Vec<Letter>,
    ) -> Result<Vec<String>, CliError> {
        self.progress.looked_at(letters.len());
        let mut copies: Vec<Copy> = Vec::new();
        for (at, letter) in letters.iter().enumerate() {
            if !self.args.filter.fits(letter) {
                continue;
            }
            match self.copy(queue, at, letter) {
                Ok(copy) => copies.push(copy),
                Err(why) => lock(&self.report).left.push(named(letter, why)),
            }
        }
        copies.truncate(self.budget.take(copies.len(), &self.enough));
        if !self.args.execute.execute {
            self.count(queue, &letters, copies.iter().map(|copy| copy.at));
            return Ok(Vec::new());
        }
        let mut gone = Vec::new();
        for burst in copies.chunks(self.pace.burst()) {
            // The budget's end is no reason to leave what is within it.
            if !self.pace.wait(burst.len(), &self.dlq.enough).await {
                break;
            }
            gone.extend(self.burst(queue, &letters, burst.to_vec()).await?);
        }
        Ok(gone)
    }

    fn copy(&self, queue: &DeadLetterQueue, at: usize, letter: &Letter) -> Result<Copy, String> {
        queue.origin.place()?;
        self.guard(letter)?;
        Copy::of(at, letter).map_err(str::to_owned)
    }

    /// What keeps a letter from being replayed, whatever it holds.
    pub(super) fn guard(&self, letter: &Letter) -> Result<(), String> {
        let is_named = !self.args.filter.ids.is_empty();
        if letter.attribute(EDITED).is_some() && !is_named {
            return Err("an edited copy of it was sent; name its id to replay the original".into());
        }
        let replays = letter.replays();
        if replays >= self.args.max_replays {
            return Err(format!(
                "replayed {replays} times and here again; see --max-replays"
            ));
        }
        if replays > 0 && letter.sent_at >= self.begun {
            return Err("came back during this run".to_owned());
        }
        Ok(())
    }

    /// Sends, and then deletes what was accepted.
    async fn burst(
        &self,
        queue: &DeadLetterQueue,
        letters: &[Letter],
        copies: Vec<Copy>,
    ) -> Result<Vec<String>, CliError> {
        let broken = lock(&self.broken).get(&queue.name).cloned();
        let Dlq { sqs, publisher, .. } = self.dlq;
        let broken = broken.unwrap_or_default();
        let mut taken = send(sqs, publisher, &queue.origin, copies, &broken).await;
        taken.accepted.sort_unstable();
        for (at, why) in taken.refused {
            let letter = &letters[at];
            if let (true, Some(group)) = (queue.is_fifo(), &letter.group) {
                let mut broken = lock(&self.broken);
                let of_queue = broken.entry(queue.name.clone()).or_default();
                of_queue.insert(group.clone());
            }
            lock(&self.report).refused.push(named(letter, why));
        }
        let accepted: Vec<_> = taken.accepted.iter().map(|at| &letters[*at]).collect();
        let gone = delete(sqs, queue, &accepted).await?;
        self.count(queue, letters, taken.accepted.iter().copied());
        self.progress.done(gone.len());
        for letter in accepted.iter().filter(|letter| !gone.contains(&letter.id)) {
            let why = "its copy was accepted, but it could not be deleted";
            lock(&self.report).refused.push(named(letter, why));
        }
        Ok(gone)
    }

    fn count(
        &self,
        queue: &DeadLetterQueue,
        letters: &[Letter],
        sent: impl Iterator<Item = usize>,
    ) {
        let place = queue.origin.place().unwrap_or("nowhere");
        let mut report = lock(&self.report);
        for at in sent {
            let event_type = letters[at].event_type().to_owned();
            let alike = (queue.name.clone(), place.to_owned(), event_type);
            *report.sent.entry(alike).or_default() += 1;
        }
    }

    fn tell(&self, out: &mut impl Write) -> Result<(), CliError> {
        let report = lock(&self.report);
        let dry_run = !self.args.execute.execute;
        if self.args.common.json {
            return say(out, &format!("{:#}", self.json(&report, dry_run)));
        }
        let verb = if dry_run { "would replay" } else { "replayed" };
        let count = report.letters();
        for ((queue, place, event_type), count) in &report.sent {
            say(
                out,
                &format!("  {count:>6}  {event_type}  from {queue} to {place}"),
            )?;
        }
        for line in report.relayed.lines() {
            say(out, &line)?;
        }
        tell_named(out, "left", &report.left)?;
        tell_named(out, "not taken", &report.refused)?;
        let rate = match dry_run {
            true => "; nothing was changed, --execute does it".to_owned(),
            false => format!(", {:.0} per second", self.progress.per_second()),
        };
        say(out, &format!("{verb} {count} letters{rate}"))
    }

    fn json(&self, report: &Report, dry_run: bool) -> Value {
        let all = |letters: &[Named]| -> Value {
            let letters = letters
                .iter()
                .map(|it| json!({ "id": it.id, "queue": it.queue, "why": it.why }));
            letters.collect()
        };
        let sent = report.sent.iter().map(|((queue, place, event_type), count)| {
            json!({ "queue": queue, "to": place, "type": event_type, "count": count })
        });
        json!({
            "dryRun": dry_run,
            "replayed": report.letters(),
            "groups": sent.collect::<Value>(),
            "relay": report.relayed.json(),
            "left": all(&report.left),
            "refused": all(&report.refused),
            "perSecond": self.progress.per_second(),
        })
    }
}

pub(super) fn named(letter: &Letter, why: impl Into<String>) -> Named {
    Named {
        id: letter.id.clone(),
        queue: letter.queue.clone(),
        why: why.into(),
    }
}

fn tell_named(out: &mut impl Write, what: &str, letters: &[Named]) -> Result<(), CliError> {
    for Named { id, queue, why } in letters.iter().take(NAMED_MAX) {
        say(out, &format!("  {what}: {id} in {queue}: {why}"))?;
    }
    match letters.len().saturating_sub(NAMED_MAX) {
        0 => Ok(()),
        more => say(out, &format!("  {what}: {more} more (--json names all)")),
    }
}
