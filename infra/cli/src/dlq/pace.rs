//! How fast letters go, how many, and what the terminal hears of it.

use std::io::{self, IsTerminal, Write};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::sweep::{BATCH, Enough, HIDDEN_SECONDS, WORKERS, lock};

/// Between two updates of the progress line.
const SHOW_EVERY: Duration = Duration::from_millis(100);

/// Characters of the bar.
const BAR: usize = 24;

/// A limit of letters per second.
pub(crate) struct Pace {
    rate: Option<NonZeroU32>,
    /// When the next one may go.
    next: Mutex<Instant>,
}

impl Pace {
    pub(crate) fn new(rate: Option<NonZeroU32>) -> Self {
        Self {
            rate,
            next: Mutex::new(Instant::now()),
        }
    }

    /// How many to send at once: a second's worth at most.
    pub(crate) fn burst(&self) -> usize {
        self.rate
            .map_or(BATCH, |rate| BATCH.min(rate.get() as usize))
    }

    /// Readers side by side: no letter should wait in hand for longer than half of the time that
    /// it is hidden.
    pub(crate) fn workers(&self) -> usize {
        let Some(rate) = self.rate else {
            return WORKERS;
        };
        let in_time = rate.get() as usize * HIDDEN_SECONDS as usize / 2;
        (in_time / BATCH).clamp(1, WORKERS)
    }

    /// Waits until `count` letters may go; false if it was enough before.
    pub(crate) async fn wait(&self, count: usize, enough: &Enough) -> bool {
        let Some(rate) = self.rate else {
            return !enough.is_said();
        };
        let at = {
            let mut next = lock(&self.next);
            let at = (*next).max(Instant::now());
            *next = at + Duration::from_secs_f64(count as f64 / f64::from(rate.get()));
            at
        };
        tokio::select! {
            biased;
            () = enough.said() => false,
            () = tokio::time::sleep_until(at) => true,
        }
    }
}

/// How many may still go.
pub(crate) struct Budget(AtomicUsize);

impl Budget {
    pub(crate) fn new(max: Option<NonZeroUsize>) -> Self {
        Self(AtomicUsize::new(max.map_or(usize::MAX, NonZeroUsize::get)))
    }

    /// Takes up to `wanted`, and says to all when the last is taken.
    pub(crate) fn take(&self, wanted: usize, enough: &Enough) -> usize {
        let take = |left: usize| Some(left - left.min(wanted));
        let left = match self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        {
            Ok(left) | Err(left) => left,
        };
        if left <= wanted {
            enough.say();
        }
        left.min(wanted)
    }
}

/// A line on standard error, where a person looks.
pub(crate) struct Progress {
    total: u64,
    begun: Instant,
    done: AtomicUsize,
    looked_at: AtomicUsize,
    shown: Option<Mutex<Instant>>,
}

impl Progress {
    /// `total` letters are to be looked at, about.
    pub(crate) fn new(total: u64) -> Self {
        let begun = Instant::now();
        Self {
            total,
            begun,
            done: AtomicUsize::new(0),
            looked_at: AtomicUsize::new(0),
            shown: io::stderr().is_terminal().then(|| Mutex::new(begun)),
        }
    }

    pub(crate) fn looked_at(&self, count: usize) {
        self.looked_at.fetch_add(count, Ordering::Relaxed);
        self.show();
    }

    pub(crate) fn done(&self, count: usize) {
        self.done.fetch_add(count, Ordering::Relaxed);
        self.show();
    }

    /// Letters per second so far.
    pub(crate) fn per_second(&self) -> f64 {
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        self.done.load(Ordering::Relaxed) as f64 / seconds
    }

    fn show(&self) {
        let Some(shown) = &self.shown else { return };
        let mut shown = lock(shown);
        if shown.elapsed() < SHOW_EVERY {
            return;
        }
        *shown = Instant::now();
        let looked_at = self.looked_at.load(Ordering::Relaxed);
        let total = self.total.max(looked_at as u64).max(1);
        let full = BAR * looked_at / total as usize;
        let bar = format!("{}{}", "#".repeat(full), "-".repeat(BAR - full));
        let done = self.done.load(Ordering::Relaxed);
        let rate = self.per_second();
        // A terminal that is gone needs no progress.
        let _ = write!(
            io::stderr(),
            "\r[{bar}] {looked_at} of {total} looked at, {done} done, {rate:.0}/s \x1b[K"
        );
    }

    /// Takes the line away.
    pub(crate) fn end(&self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn letters_go_at_the_rate_and_not_after_enough_is_said() {
        let (pace, enough) = (Pace::new(NonZeroU32::new(5)), Enough::default());
        let begun = Instant::now();
        for _ in 0..4 {
            assert!(pace.wait(pace.burst(), &enough).await);
        }
        assert_eq!(begun.elapsed(), Duration::from_secs(3));
        assert_eq!((pace.burst(), pace.workers()), (5, 7));
        assert_eq!(Pace::new(NonZeroU32::new(1)).workers(), 1);
        enough.say();
        assert!(!pace.wait(1, &enough).await);
    }

    #[test]
    fn a_budget_ends_with_its_last_letter() {
        let (budget, enough) = (Budget::new(NonZeroUsize::new(5)), Enough::default());
        assert_eq!(budget.take(3, &enough), 3);
        assert!(!enough.is_said());
        assert_eq!(budget.take(3, &enough), 2);
        assert!(enough.is_said());
        assert_eq!(budget.take(1, &enough), 0);
    }
}
