//! The letters of one round: read what they name, publish it in order, and delete those letters all of
//! whose commits the topics have taken.

use std::collections::BTreeMap;

use callboard_contracts::StreamId;
use callboard_runtime::dead_letter::REPLAYS;
use callboard_runtime::journal::Committed;
use callboard_runtime::{Failure, Timestamp};
use futures::{StreamExt, stream};
use outbox_relay::relay::publish;
use outbox_relay::route::{NoTopic, Outgoing, messages};

use super::Relay;
use super::by_time::{self, Cost, Window};
use super::lot::{Lot, Source};
use super::place::Place;
use crate::dlq::letter::Letter;
use crate::dlq::pace::Progress;
use crate::dlq::queues::DeadLetterQueue;
use crate::dlq::replay::{Replay, named};
use crate::dlq::sweep::{BATCH, Gone, delete, lock};
use crate::error::CliError;

/// Commits handed in at once: what was taken by then is not published again after a kill.
const COMMITS: usize = 200;

/// One commit on its way.
struct Publication {
    commit: Committed,
    /// The lots that it is of.
    lots: Vec<usize>,
}

/// How it stands with one letter.
struct Fate {
    lot: Lot,
    /// Commits that no topic has taken yet.
    waits_for: usize,
    /// The first that was refused, and why.
    why: Option<String>,
    is_told: bool,
}

impl Relay {
    /// Replays those letters of a round that are meant.
    ///
    /// # Errors
    /// [`CliError::Aws`] when what was published could not be deleted.
    pub(in crate::dlq) async fn round(
        &self,
        replay: &Replay<'_>,
        queue: &DeadLetterQueue,
        letters: &[Letter],
        gone: &Gone,
    ) -> Result<(), CliError> {
        replay.progress.looked_at(letters.len());
        let places = meant(replay, letters);
        let dry_run = !replay.args.execute.execute;
        let lots = stream::iter(places)
            .map(|(at, place)| async move { (at, self.lot(at, &place).await) })
            .buffered(BATCH);
        let mut found = Vec::new();
        for (at, lot) in lots.collect::<Vec<_>>().await {
            match lot {
                Ok(lot) => found.push(lot),
                Err(why) => {
                    let mut report = lock(&replay.report);
                    let letter = named(&letters[at], why);
                    match dry_run {
                        true => report.left.push(letter),
                        false => report.refused.push(letter),
                    }
                }
            }
        }
        if dry_run {
            return self.tell(replay, queue, &found).await;
        }
        self.by_time(replay, letters, &mut found).await;
        let work = Work {
            relay: self,
            replay,
            queue,
            letters,
            gone,
        };
        work.publish(found).await
    }

    /// What would be published, without a search that costs.
    async fn tell(
        &self,
        replay: &Replay<'_>,
        queue: &DeadLetterQueue,
        lots: &[Lot],
    ) -> Result<(), CliError> {
        let cost = match lots.iter().any(|lot| lot.window.is_some()) {
            true => Some(Cost::of(&self.journal).await?),
            false => None,
        };
        let mut report = lock(&replay.report);
        report.relayed.cost = report.relayed.cost.or(cost);
        for lot in lots {
            report.relayed.letter(&queue.name, lot);
            for commit in &lot.commits {
                let events = commit.public().count();
                report.relayed.commit(&queue.name, lot.source, events);
            }
        }
        Ok(())
    }

    /// Reads the journal once for all lots that only time tells, and gives each what is its.
    async fn by_time(&self, replay: &Replay<'_>, letters: &[Letter], lots: &mut Vec<Lot>) {
        let windows: Vec<Window> = lots.iter().filter_map(|lot| lot.window).collect();
        if windows.is_empty() {
            return;
        }
        let cost = Cost::of(&self.journal).await.unwrap_or_default();
        let progress = Progress::new(cost.items);
        let enough = &replay.dlq.enough;
        let read = by_time::read(&self.journal, &windows, &progress, enough).await;
        progress.end();
        let why = match read {
            Ok(Some(found)) => {
                lock(&replay.report).relayed.read_units += found.read_units;
                for lot in lots.iter_mut() {
                    if let Some(window) = lot.window {
                        lot.fill(found.items.iter().filter(|item| window.holds(item)));
                    }
                }
                return;
            }
            // Asked to stop, which is said as a whole.
            Ok(None) => None,
            Err(fault) => Some(fault.to_string()),
        };
        let unread = lots.extract_if(.., |lot| lot.window.is_some());
        let refused = unread.filter_map(|lot| Some(named(&letters[lot.letter], why.as_ref()?)));
        lock(&replay.report).refused.extend(refused);
    }
}

/// The letters that are meant and name a place, in the order of the places.
fn meant(replay: &Replay<'_>, letters: &[Letter]) -> Vec<(usize, Place)> {
    let mut places = Vec::new();
    for (at, letter) in letters.iter().enumerate() {
        if !replay.args.filter.fits(letter) {
            continue;
        }
        match replay.guard(letter).and_then(|()| Place::of(letter)) {
            Ok(place) => places.push((at, place)),
            Err(why) => lock(&replay.report).left.push(named(letter, why)),
        }
    }
    places.sort_by(|(_, one), (_, other)| one.order().cmp(&other.order()));
    places.truncate(replay.budget.take(places.len(), &replay.enough));
    places
}

/// What lots hold: ranges in the order of their shard, then what was found by time, in the order of
/// time, then single commits. What several found by time is there once.
fn publications(lots: &mut [Lot]) -> Vec<Publication> {
    let mut by_time: BTreeMap<(StreamId, u64), Publication> = BTreeMap::new();
    let (mut ranges, mut single) = (Vec::new(), Vec::new());
    for (at, lot) in lots.iter_mut().enumerate() {
        for commit in lot.commits.drain(..) {
            let publication = |commit| Publication {
                commit,
                lots: vec![at],
            };
            match lot.source {
                Source::Stream => ranges.push(publication(commit)),
                Source::Key => single.push(publication(commit)),
                Source::Time => {
                    let key = (commit.stream.clone(), commit.number);
                    let known = by_time.entry(key).and_modify(|it| it.lots.push(at));
                    known.or_insert_with(|| publication(commit));
                }
            }
        }
    }
    ranges.extend(in_time(by_time.into_values()));
    ranges.extend(single);
    ranges
}

/// By the time of decision, but never a stream's later commit before an earlier one: clocks differ.
fn in_time(by_stream: impl Iterator<Item = Publication>) -> Vec<Publication> {
    let mut last: Option<(StreamId, Timestamp)> = None;
    let mut timed: Vec<(Timestamp, Publication)> = Vec::new();
    for publication in by_stream {
        let commit = &publication.commit;
        let before = last.take().filter(|(stream, _)| *stream == commit.stream);
        let at = before.map_or(commit.at, |(_, before)| before.max(commit.at));
        last = Some((commit.stream.clone(), at));
        timed.push((at, publication));
    }
    timed.sort_by_key(|(at, _)| *at);
    timed.into_iter().map(|(_, it)| it).collect()
}

/// Publishing for the letters of one round.
struct Work<'a> {
    relay: &'a Relay,
    replay: &'a Replay<'a>,
    queue: &'a DeadLetterQueue,
    letters: &'a [Letter],
    gone: &'a Gone,
}

impl Work<'_> {
    async fn publish(&self, mut lots: Vec<Lot>) -> Result<(), CliError> {
        let all = publications(&mut lots);
        let mut fates: Vec<Fate> = lots.into_iter().map(Fate::new).collect();
        for lot in all.iter().flat_map(|publication| &publication.lots) {
            fates[*lot].waits_for += 1;
        }
        let pace = &self.replay.pace;
        let many = match self.replay.args.rate {
            Some(_) => pace.burst(),
            None => COMMITS,
        };
        for some in all.chunks(many) {
            if !pace.wait(some.len(), &self.replay.dlq.enough).await {
                break;
            }
            let goes_on = self.some(some, &mut fates).await;
            self.delete_done(&mut fates).await?;
            if !goes_on {
                break;
            }
        }
        // A lot of which nothing was found waits for nothing.
        self.delete_done(&mut fates).await?;
        self.tell_of_others(&fates);
        Ok(())
    }

    /// Publishes some; false if a topic refused for now, after which nothing may overtake.
    async fn some(&self, some: &[Publication], fates: &mut [Fate]) -> bool {
        let routed: Vec<_> = some.iter().map(|it| self.routed(it, fates)).collect();
        let events: Vec<usize> = some.iter().map(|it| it.commit.public().count()).collect();
        let results = publish(&self.replay.dlq.publisher, routed).await;
        let mut goes_on = true;
        for ((publication, events), result) in some.iter().zip(events).zip(results) {
            for (index, lot) in publication.lots.iter().enumerate() {
                let fate = &mut fates[*lot];
                match &result {
                    Ok(()) => {
                        fate.waits_for -= 1;
                        if index == 0 {
                            let mut report = lock(&self.replay.report);
                            let relayed = &mut report.relayed;
                            relayed.commit(&self.queue.name, fate.lot.source, events);
                        }
                    }
                    Err(failure) => {
                        goes_on &= !failure.is_retryable();
                        fate.fail(&publication.commit, failure);
                    }
                }
            }
        }
        goes_on
    }

    /// The messages of one commit, as the relay makes them, but with a deduplication id of this
    /// letter's: within five minutes the topic would swallow the relay's. It is the same however
    /// often the replay of the letter is begun anew.
    fn routed(&self, publication: &Publication, fates: &[Fate]) -> Result<Vec<Outgoing>, NoTopic> {
        let letter = &self.letters[fates[publication.lots[0]].lot.letter];
        let replays = letter.replays().saturating_add(1).to_string();
        let mut outgoing = messages(&self.relay.topics, &publication.commit)?;
        for Outgoing { message, .. } in &mut outgoing {
            let event = message.dedup.take().unwrap_or_default();
            message.dedup = Some(format!("replay-{}-{event}", letter.id));
            let count = (REPLAYS.to_owned(), replays.clone());
            message.attributes.extend([count]);
        }
        Ok(outgoing)
    }

    /// Deletes the letters all of whose commits were taken.
    async fn delete_done(&self, fates: &mut [Fate]) -> Result<(), CliError> {
        let done: Vec<&mut Fate> = fates.iter_mut().filter(|fate| fate.is_done()).collect();
        let letters: Vec<&Letter> = done
            .iter()
            .map(|fate| &self.letters[fate.lot.letter])
            .collect();
        let ids = delete(&self.replay.dlq.sqs, self.queue, &letters).await?;
        self.gone.add(&ids);
        self.replay.progress.done(ids.len());
        let mut report = lock(&self.replay.report);
        for (fate, letter) in done.into_iter().zip(letters) {
            fate.is_told = true;
            report.relayed.letter(&self.queue.name, &fate.lot);
            if !ids.contains(&letter.id) {
                let why = "all it names was published, but it could not be deleted";
                report.refused.push(named(letter, why));
            }
        }
        Ok(())
    }

    /// Those that stay, and why. Of what nobody tried any more there is no more to say.
    fn tell_of_others(&self, fates: &[Fate]) {
        let mut report = lock(&self.replay.report);
        for fate in fates.iter().filter(|fate| !fate.is_told) {
            let short = match fate.waits_for {
                0 => fate.lot.short.clone(),
                _ => None,
            };
            if let Some(why) = fate.why.clone().or(short) {
                report
                    .refused
                    .push(named(&self.letters[fate.lot.letter], why));
            }
        }
    }
}

impl Fate {
    const fn new(lot: Lot) -> Self {
        Self {
            lot,
            waits_for: 0,
            why: None,
            is_told: false,
        }
    }

    const fn is_done(&self) -> bool {
        self.waits_for == 0 && self.why.is_none() && self.lot.short.is_none() && !self.is_told
    }

    fn fail(&mut self, commit: &Committed, failure: &Failure) {
        let why = || format!("{}: {}", commit.reference(), failure.reason());
        self.why.get_or_insert_with(why);
    }
}
