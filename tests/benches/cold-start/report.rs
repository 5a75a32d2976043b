//! The table.

use std::fmt::Write;
use std::time::Duration;

use crate::start::Start;

/// Longest median from exec to the first `next`, in milliseconds.
const TO_NEXT_MS_MAX: f64 = 15.0;
/// Largest zip, in bytes.
const ZIP_BYTES_MAX: u64 = 6_000_000;
/// Most resident memory, in KiB: 25 MB.
const PEAK_KIB_MAX: u64 = 25_000_000 / 1_024;
/// How many times faster than the peer.
const RATIO_MIN: f64 = 10.0;

/// One line of the table.
pub struct Row {
    name: &'static str,
    is_peer: bool,
    bytes: u64,
    zip_bytes: u64,
    to_next_ms: Spread,
    first_ms: Spread,
    cpu_ms: Spread,
    peak_kib: u64,
}

#[derive(Clone, Copy)]
struct Spread {
    median: f64,
    min: f64,
}

impl Spread {
    fn of(durations: impl Iterator<Item = Duration>) -> Self {
        let mut all: Vec<f64> = durations.map(|d| d.as_secs_f64() * 1e3).collect();
        all.sort_by(f64::total_cmp);
        let at = |index: usize| all.get(index).copied().unwrap_or(f64::NAN);
        Self {
            median: at(all.len() / 2),
            min: at(0),
        }
    }
}

impl Row {
    pub fn of(name: &'static str, is_peer: bool, sizes: (u64, u64), starts: &[Start]) -> Self {
        Self {
            name,
            is_peer,
            bytes: sizes.0,
            zip_bytes: sizes.1,
            to_next_ms: Spread::of(starts.iter().map(|start| start.to_next)),
            first_ms: Spread::of(starts.iter().map(|start| start.first)),
            cpu_ms: Spread::of(starts.iter().map(|start| start.cpu)),
            peak_kib: starts.iter().map(|start| start.peak_kib).max().unwrap_or(0),
        }
    }

    /// What a caller waits for, beside what Lambda itself takes.
    fn whole_ms(&self) -> f64 {
        self.to_next_ms.median + self.first_ms.median
    }

    fn misses(&self) -> Vec<&'static str> {
        let held = [
            (self.to_next_ms.median <= TO_NEXT_MS_MAX, "exec → next"),
            (self.zip_bytes <= ZIP_BYTES_MAX, "zip"),
            (self.peak_kib <= PEAK_KIB_MAX, "RSS"),
        ];
        let missed = held.iter().filter(|(holds, _)| !holds);
        missed.map(|(_, target)| *target).collect()
    }
}

/// The table with what it says of the targets.
pub fn table(rows: &[Row], starts: usize) -> String {
    let mut text = format!(
        "| {starts} cold starts each | bootstrap | zip | exec → first `next` | first invocation | both | CPU | peak RSS |\n\
         |---|---|---|---|---|---|---|---|\n"
    );
    for row in rows {
        let mb = |bytes: u64| bytes as f64 / 1e6;
        let bootstrap = match row.is_peer {
            true => "–".to_owned(),
            false => format!("{:.1} MB", mb(row.bytes)),
        };
        let _ = writeln!(
            text,
            "| {} | {bootstrap} | {:.1} MB | {:.1} / {:.1} ms | {:.1} / {:.1} ms | {:.1} ms | {:.1} / {:.1} ms | {:.1} MB |",
            row.name,
            mb(row.zip_bytes),
            row.to_next_ms.median,
            row.to_next_ms.min,
            row.first_ms.median,
            row.first_ms.min,
            row.whole_ms(),
            row.cpu_ms.median,
            row.cpu_ms.min,
            mb(row.peak_kib * 1_024),
        );
    }
    text.push_str("\nTimes are median / minimum; peak RSS is the largest of all starts.\n\n");
    text.push_str(&verdict(rows));
    text
}

fn verdict(rows: &[Row]) -> String {
    let mut text = String::new();
    let peer = rows.iter().find(|row| row.is_peer);
    for row in rows.iter().filter(|row| !row.is_peer) {
        let mut misses = row.misses();
        let ratio = peer.map(|peer| peer.to_next_ms.median / row.to_next_ms.median);
        if ratio.is_some_and(|ratio| ratio < RATIO_MIN) {
            misses.push("ten times the peer");
        }
        let times = match (ratio, peer) {
            (Some(ratio), Some(peer)) => format!(
                "{ratio:.0}× the peer to `next`, {:.0}× to the first answer",
                peer.whole_ms() / row.whole_ms()
            ),
            _ => "no peer".to_owned(),
        };
        let targets = match misses.is_empty() {
            true => "holds all targets".to_owned(),
            false => format!("MISSES: {}", misses.join(", ")),
        };
        let _ = writeln!(text, "{}: {times}; {targets}", row.name);
    }
    text
}
