//! What happens to a clinic whatever its policy: who joins when, and which slots become free.
//!
//! It is drawn before the simulation begins, and what a person makes of a slot is drawn from the two
//! alone: so all policies are compared on the same weeks and the same people.

use std::time::Duration;

use callboard_contracts::Timestamp;
use callboard_contracts::waitlist::{LocalTime, Urgency, Weekday, WeeklyWindow};
use callboard_domain::waitlist::entry::Wishes;
use fastrand::Rng;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};

use super::config::Config;

/// Days after the measured ones in which slots still become free: they compete for people.
const AFTER_DAYS: u32 = 14;

const HOUR_MS: f64 = 3_600_000.0;
const DAY_MS: f64 = 24.0 * HOUR_MS;

/// Somebody who joins.
#[derive(Debug, Clone)]
pub struct Joins {
    pub at: Timestamp,
    pub service: usize,
    pub urgency: Urgency,
    pub wishes: Wishes,
    /// Leaves then, if nothing came of it.
    pub leaves_at: Timestamp,
    /// When paused, comes back.
    pub resumes: bool,
}

/// A slot that becomes free.
#[derive(Debug, Clone)]
pub struct Frees {
    pub at: Timestamp,
    pub service: usize,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// Staff book it then, if it is still free.
    pub staff_book_at: Option<Timestamp>,
    pub measured: bool,
    pub same_day: bool,
    /// What its lots are drawn from.
    pub random: u128,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Story {
    pub seed: u64,
    pub begins: Timestamp,
    pub measured_from: Timestamp,
    pub measured_until: Timestamp,
    /// By time.
    pub joins: Vec<Joins>,
    /// By time.
    pub frees: Vec<Frees>,
    zone: TimeZone,
}

/// What a person makes of an offer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    Yes(Timestamp),
    No(Timestamp),
    Never,
}

impl Story {
    /// Draws it.
    pub fn draw(config: &Config, seed: u64) -> Self {
        let zone = TimeZone::get(&config.clinic.zone).unwrap_or(TimeZone::UTC);
        let mut rng = Rng::with_seed(seed);
        let start = config.clinic.start.date();
        let day = |after: i64| start.checked_add(after.days()).unwrap_or(start);
        let begins = midnight(day(-i64::from(config.warm_up_days)), &zone);
        let measured_until = midnight(day(config.days.into()), &zone);
        let mut story = Self {
            seed,
            begins,
            measured_from: midnight(start, &zone),
            measured_until,
            joins: Vec::new(),
            frees: Vec::new(),
            zone,
        };
        let last = i64::from(config.days + AFTER_DAYS);
        story.draw_joins(config, &mut rng, midnight(day(last), &story.zone.clone()));
        for after in -i64::from(config.warm_up_days)..last {
            story.draw_day(config, &mut rng, day(after));
        }
        story.frees.sort_by_key(|frees| (frees.at, frees.starts_at));
        story
    }

    fn draw_joins(&mut self, config: &Config, rng: &mut Rng, until: Timestamp) {
        let entries = &config.entries;
        let back = entries.at_start_waited_days * DAY_MS;
        let mut before: Vec<Timestamp> = (0..entries.at_start)
            .map(|_| self.begins.minus(millis(rng.f64() * back)))
            .collect();
        before.sort_unstable();
        let mut at = self.begins;
        if entries.per_day > 0.0 {
            loop {
                at = at.plus(millis(exponential(rng) / entries.per_day * DAY_MS));
                if at >= until {
                    break;
                }
                before.push(at);
            }
        }
        for at in before {
            let joins = self.person(config, rng, at);
            self.joins.push(joins);
        }
    }

    fn person(&self, config: &Config, rng: &mut Rng, at: Timestamp) -> Joins {
        let entries = &config.entries;
        let shares = [entries.routine, entries.soon, entries.urgent];
        let urgency = Urgency::ALL[pick(rng, shares.into_iter())];
        let mut wishes = Wishes {
            auto_accept: rng.f64() < entries.auto_accept,
            ..Wishes::default()
        };
        let hours = rng.f64();
        let noon = LocalTime::at(12, 0);
        let half = if hours < entries.mornings_only {
            LocalTime::at(0, 0).zip(noon)
        } else if hours < entries.mornings_only + entries.afternoons_only {
            noon.zip(LocalTime::at(24, 0))
        } else {
            None
        };
        wishes.preferences.windows = half
            .map(|(from, to)| WeeklyWindow {
                days: Vec::new(),
                from,
                to,
            })
            .into_iter()
            .collect();
        if rng.f64() < entries.notice_needed {
            let seconds = (entries.notice_needed_hours * 3_600.0) as u32;
            wishes.preferences.min_notice_seconds = Some(seconds);
        }
        // Who is there at the start may leave from then on.
        let from = at.max(self.begins);
        Joins {
            at,
            service: pick(rng, config.clinic.services.iter().map(|it| it.share)),
            urgency,
            wishes,
            leaves_at: from.plus(millis(exponential(rng) * entries.patience_days * DAY_MS)),
            resumes: rng.f64() < entries.resumes,
        }
    }

    fn draw_day(&mut self, config: &Config, rng: &mut Rng, day: Date) {
        let clinic = &config.clinic;
        if !clinic.open_on.contains(&weekday(day)) {
            return;
        }
        for _ in 0..poisson(rng, config.slots.per_open_day) {
            let service = pick(rng, clinic.services.iter().map(|it| it.share));
            let length = clinic.services[service].minutes;
            let room =
                i64::from(clinic.closes.minutes() - clinic.opens.minutes()) - i64::from(length);
            // Appointments begin every five minutes.
            let begins = i64::from(clinic.opens.minutes()) + rng.i64(0..=room / 5) * 5;
            let starts_at = wall(day, begins, &self.zone);
            let notice =
                &config.slots.notice[pick(rng, config.slots.notice.iter().map(|it| it.share))];
            let hours = notice.from_hours + rng.f64() * (notice.to_hours - notice.from_hours);
            let at = self.awake(config, starts_at.minus(millis(hours * HOUR_MS)), starts_at);
            let staff = rng.f64() < config.slots.booked_by_staff;
            let moment = at.plus(starts_at.since(at).mul_f64(rng.f64()));
            let random = rng.u128(..);
            if at < self.begins {
                continue;
            }
            self.frees.push(Frees {
                at,
                service,
                starts_at,
                ends_at: starts_at.plus(Duration::from_secs(u64::from(length) * 60)),
                staff_book_at: staff.then_some(moment),
                measured: at >= self.measured_from && at < self.measured_until,
                same_day: self.date(at) == day,
                random,
            });
        }
    }

    /// Nobody cancels in their sleep: it is done when they wake up, if that is before the start.
    fn awake(&self, config: &Config, at: Timestamp, starts_at: Timestamp) -> Timestamp {
        let woken = self.woken(config, at);
        if woken < starts_at { woken } else { at }
    }

    /// `at`, or the end of the hours of sleep that it lies in.
    fn woken(&self, config: &Config, at: Timestamp) -> Timestamp {
        let (from, to) = (config.answers.asleep_from, config.answers.asleep_to);
        let local = self.local(at);
        let minute = i64::from(local.hour()) * 60 + i64::from(local.minute());
        let (from, to) = (i64::from(from.minutes()), i64::from(to.minutes()));
        let (asleep, tomorrow) = if from <= to {
            (minute >= from && minute < to, false)
        } else {
            (minute >= from || minute < to, minute >= from)
        };
        if !asleep {
            return at;
        }
        let day = local.date();
        let day = if tomorrow {
            day.checked_add(1.day()).unwrap_or(day)
        } else {
            day
        };
        wall(day, to, &self.zone)
    }

    /// What `entry` makes of the offer of `slot` made at `offered_at`. That it is drawn from the
    /// two alone makes a person the same under every policy.
    pub fn answer(
        &self,
        config: &Config,
        entry: usize,
        slot: usize,
        offered_at: Timestamp,
    ) -> Answer {
        let answers = &config.answers;
        // Odd multipliers spread neighbouring numbers over the seeds.
        let own = (entry as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
            ^ (slot as u64).wrapping_mul(0xC2B2_AE3D_27D4_EB4F)
            ^ self.seed.wrapping_mul(0x1656_67B1_9E37_79F9);
        let mut rng = Rng::with_seed(own);
        let yes = if self.frees[slot].same_day {
            answers.yes_same_day
        } else {
            answers.yes
        };
        let mood = rng.f64();
        let minutes = answers.median_minutes * (answers.spread * normal(&mut rng)).exp();
        if mood >= yes + answers.no {
            return Answer::Never;
        }
        let seen = self.woken(config, offered_at);
        // An answer that would be given in the night is given in the morning.
        let at = self.woken(config, seen.plus(millis(minutes.min(20_160.0) * 60_000.0)));
        if mood < yes {
            Answer::Yes(at)
        } else {
            Answer::No(at)
        }
    }

    fn local(&self, at: Timestamp) -> Zoned {
        jiff::Timestamp::from_millisecond(at.as_millis())
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .to_zoned(self.zone.clone())
    }

    fn date(&self, at: Timestamp) -> Date {
        self.local(at).date()
    }
}

fn midnight(day: Date, zone: &TimeZone) -> Timestamp {
    wall(day, 0, zone)
}

/// So many minutes into the day, by the clock on the wall.
fn wall(day: Date, minutes: i64, zone: &TimeZone) -> Timestamp {
    let civil = day.at(0, 0, 0, 0).checked_add(minutes.minutes());
    let zoned = civil.and_then(|civil| civil.to_zoned(zone.clone()));
    zoned.map_or(Timestamp::from_millis(0), |zoned| {
        Timestamp::from_millis(zoned.timestamp().as_millisecond())
    })
}

fn weekday(day: Date) -> Weekday {
    use Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
    let all = [Mon, Tue, Wed, Thu, Fri, Sat, Sun];
    let at = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or(0);
    all[at % all.len()]
}

fn millis(value: f64) -> Duration {
    Duration::from_millis(value.max(0.0) as u64)
}

fn exponential(rng: &mut Rng) -> f64 {
    -(1.0 - rng.f64()).ln()
}

/// Box and Muller's.
fn normal(rng: &mut Rng) -> f64 {
    (2.0 * exponential(rng)).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
}

/// How many of a Poisson process's events come before `mean`.
fn poisson(rng: &mut Rng, mean: f64) -> usize {
    let (mut count, mut at) = (0, exponential(rng));
    while at < mean {
        count += 1;
        at += exponential(rng);
    }
    count
}

/// The place of one of the shares, as often as it says.
fn pick(rng: &mut Rng, shares: impl Iterator<Item = f64>) -> usize {
    let (mut left, mut last) = (rng.f64(), 0);
    for (at, share) in shares.enumerate() {
        // What rounding leaves over is the last one's that can be.
        if share > 0.0 {
            last = at;
        }
        if left < share {
            return at;
        }
        left -= share;
    }
    last
}
