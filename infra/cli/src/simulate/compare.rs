//! All policies on the same weeks, and which of them is recommended.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde::Serialize;

use super::config::{Config, Objective, PlanMode, Published};
use super::figures::{Figures, Mean, means};
use super::story::Story;
use super::world::simulate;
use crate::error::CliError;

/// What a comparison came to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Days that are measured.
    pub days: u32,
    /// Slots that became free in them, per seed.
    pub slots: f64,
    /// The policies, in the configuration's order.
    pub policies: Vec<Compared>,
    /// Which one to take.
    pub recommendation: Recommendation,
    /// What was published beside what came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Reproduced>,
}

/// One policy.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// How many are asked at once; absent if all are.
    pub at_once: Option<u8>,
    /// How long an offer stands, in minutes.
    pub window_minutes: u32,
    /// Why it cannot be recommended; absent if it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded: Option<String>,
    /// Its figures by name.
    pub figures: BTreeMap<&'static str, Mean>,
    #[serde(skip)]
    runs: Vec<Figures>,
}

/// The policy to take.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recommendation {
    /// Its name; absent if none keeps to the limits.
    pub policy: Option<String>,
    /// What it is compared with.
    pub baseline: String,
    /// Share of slots (0 to 1) that it fills more, seed by seed.
    pub more_filled: Option<Mean>,
    /// The same for slots of the same day.
    pub more_filled_same_day: Option<Mean>,
    /// Why, in sentences.
    pub why: Vec<String>,
}

/// Published figures beside simulated ones.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reproduced {
    /// What was published.
    pub published: Published,
    /// Share of offers accepted.
    pub accepted: Option<Mean>,
    /// Offers per slot.
    pub offers_per_slot: Option<Mean>,
    /// Share of slots filled.
    pub filled: Option<Mean>,
}

impl Compared {
    /// A figure's mean.
    pub fn mean(&self, name: &str) -> Option<f64> {
        self.figures.get(name).map(|mean| mean.mean)
    }
}

/// Simulates every policy with every seed, on all cores.
///
/// # Errors
/// [`CliError::Broken`] with the seed, if an invariant does not hold.
pub fn compare(config: &Config) -> Result<(Report, f64), CliError> {
    let began = Instant::now();
    let seeds: Vec<u64> = (0..u64::from(config.seeds))
        .map(|after| config.seed.wrapping_add(after))
        .collect();
    let runs = run_all(config, &seeds)?;
    let policies = config.policies.iter().zip(runs).map(|(plan, runs)| {
        let figures = means(&runs);
        Compared {
            name: plan.name.clone(),
            at_once: match plan.mode {
                PlanMode::Broadcast => None,
                _ => Some(plan.size.unwrap_or(1)),
            },
            window_minutes: plan.window_minutes,
            excluded: if plan.recommendable {
                excluded(&config.objective, &figures)
            } else {
                Some("not to be recommended, as configured".to_owned())
            },
            figures,
            runs,
        }
    });
    let policies: Vec<Compared> = policies.collect();
    let slots = policies.first().and_then(|it| it.mean("slots"));
    let report = Report {
        days: config.days,
        slots: slots.unwrap_or(0.0),
        recommendation: recommend(&config.objective, &policies),
        published: config
            .published
            .as_ref()
            .and_then(|it| reproduce(it, &policies)),
        seeds,
        policies,
    };
    Ok((report, began.elapsed().as_secs_f64()))
}

/// The figures of each policy, seed by seed. Which core does what has no influence on them.
fn run_all(config: &Config, seeds: &[u64]) -> Result<Vec<Vec<Figures>>, CliError> {
    let stories: Vec<Story> = seeds
        .iter()
        .map(|seed| Story::draw(config, *seed))
        .collect();
    let jobs = config.policies.len() * stories.len();
    let done: Mutex<Vec<Option<Result<Figures, CliError>>>> = Mutex::new(vec_of_none(jobs));
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            let Some(story) = stories.get(job % stories.len()).filter(|_| job < jobs) else {
                break;
            };
            let plan = &config.policies[job / stories.len()];
            let figures = simulate(config, story, plan)
                .map(|counts| counts.figures())
                .map_err(|(at, broken)| CliError::Broken {
                    what: broken.to_string(),
                    policy: plan.name.clone(),
                    seed: story.seed,
                    at: at.to_string(),
                });
            if let Ok(mut done) = done.lock() {
                done[job] = Some(figures);
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 1..cores.min(jobs) {
            scope.spawn(work);
        }
        work();
    });
    let done = done.into_inner().unwrap_or_default();
    let figures: Vec<Figures> = done.into_iter().flatten().collect::<Result<_, _>>()?;
    Ok(figures.chunks(stories.len()).map(<[_]>::to_vec).collect())
}

fn vec_of_none<T>(count: usize) -> Vec<Option<T>> {
    std::iter::repeat_with(|| None).take(count).collect()
}

/// Which limit of the objective a policy exceeds.
fn excluded(objective: &Objective, figures: &BTreeMap<&'static str, Mean>) -> Option<String> {
    let of = |name| figures.get(name).map(|mean| mean.mean);
    let messages = of("messagesPerFill")?;
    let superseded = of("supersededShare").unwrap_or(0.0);
    if messages > objective.messages_per_fill_max {
        return Some(format!(
            "{messages:.1} messages per filled slot are more than {}",
            objective.messages_per_fill_max
        ));
    }
    (superseded > objective.superseded_share_max).then(|| {
        format!(
            "{:.0} % of its offers end because somebody else was faster, more than {:.0} %",
            superseded * 100.0,
            objective.superseded_share_max * 100.0
        )
    })
}

fn recommend(objective: &Objective, policies: &[Compared]) -> Recommendation {
    let fill = |it: &&Compared| it.mean("fillRate").unwrap_or(0.0);
    let allowed: Vec<&Compared> = policies
        .iter()
        .filter(|it| it.excluded.is_none() && it.mean("messagesPerFill").is_some())
        .collect();
    let best = allowed.iter().map(fill).fold(0.0, f64::max);
    let alike = |it: &&&Compared| best - fill(it) <= objective.alike_points / 100.0;
    let messages = |it: &Compared| it.mean("messagesPerFill").unwrap_or(f64::MAX);
    let chosen = allowed
        .iter()
        .filter(alike)
        .min_by(|a, b| messages(a).total_cmp(&messages(b)));
    let baseline = policies.iter().find(|it| it.name == objective.baseline);
    let gain = |name| {
        let (chosen, baseline) = (chosen?, baseline?);
        let pairs = chosen.runs.iter().zip(&baseline.runs);
        let gains = pairs.filter_map(|(a, b)| Some(a.get(name)? - b.get(name)?));
        Mean::of(&gains.collect::<Vec<f64>>())
    };
    let mut why = vec![format!(
        "Of {} policies {} keep to at most {} messages per filled slot and {:.0} % superseded offers.",
        policies.len(),
        allowed.len(),
        objective.messages_per_fill_max,
        objective.superseded_share_max * 100.0
    )];
    let top = policies.iter().max_by(|a, b| fill(a).total_cmp(&fill(b)));
    if let (Some(top), Some(reason)) = (top, top.and_then(|top| top.excluded.as_ref())) {
        why.push(format!(
            "\"{}\" fills most ({:.1} %), but is out: {reason}.",
            top.name,
            fill(&top) * 100.0
        ));
    }
    if let Some(chosen) = chosen {
        let rivals = allowed.iter().filter(alike).count();
        why.push(match rivals {
            1 => format!("\"{}\" fills most of them, by more than {} points.", chosen.name, objective.alike_points),
            _ => format!(
                "{rivals} of them fill within {} points of the best ({:.1} %); \"{}\" does so with the fewest messages ({:.1} per filled slot).",
                objective.alike_points, best * 100.0, chosen.name, messages(chosen)
            ),
        });
    } else {
        why.push("None keeps to the limits: raise objective.messages_per_fill_max or superseded_share_max.".to_owned());
    }
    Recommendation {
        policy: chosen.map(|it| it.name.clone()),
        baseline: objective.baseline.clone(),
        more_filled: gain("fillRate"),
        more_filled_same_day: gain("sameDayFillRate"),
        why,
    }
}

fn reproduce(published: &Published, policies: &[Compared]) -> Option<Reproduced> {
    let of = policies.iter().find(|it| it.name == published.policy)?;
    let figure = |name| of.figures.get(name).copied();
    Some(Reproduced {
        published: published.clone(),
        accepted: figure("accepted"),
        offers_per_slot: figure("offersPerSlot"),
        filled: figure("fillRate"),
    })
}
