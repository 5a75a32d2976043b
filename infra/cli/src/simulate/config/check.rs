//! Whether a configuration makes sense.

use callboard_domain::waitlist::slot::check_service;
use callboard_domain::waitlist::{Refusal, policy};

use super::{Config, PlanMode};

/// Most days, repetitions, and things that happen in a day: a simulation is for a desk, and what
/// is typed by mistake should end.
const DAYS_MAX: u32 = 366;
const SEEDS_MAX: u32 = 1_000;
const PER_DAY_MAX: f64 = 5_000.0;

/// The longest notice of a cancellation, in hours: four weeks.
const NOTICE_HOURS_MAX: f64 = 672.0;

impl Config {
    /// Whether it can be simulated.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn check(&self) -> Result<(), String> {
        self.check_numbers()?;
        self.check_clinic()?;
        let mut names: Vec<&str> = self
            .policies
            .iter()
            .map(|plan| plan.name.as_str())
            .collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("policies: \"{}\" is there twice", twice[0]));
        }
        for plan in &self.policies {
            let at = format!("policies \"{}\"", plan.name);
            if (plan.mode == PlanMode::Batch) != plan.size.is_some() {
                return Err(format!(
                    "{at}: size is for mode = \"batch\", and needed there"
                ));
            }
            policy::check(&self.policy(plan)).map_err(|refusal| match refusal {
                Refusal::Policy(field) => format!("{at}: {} is out of range", of_plan(field)),
                other => format!("{at}: {other}"),
            })?;
        }
        let known = |name: &str| names.binary_search(&name).is_ok();
        if !known(&self.objective.baseline) {
            return Err(format!(
                "objective.baseline: no policy is named \"{}\"",
                self.objective.baseline
            ));
        }
        match &self.published {
            Some(published) if !known(&published.policy) => Err(format!(
                "published.policy: no policy is named \"{}\"",
                published.policy
            )),
            _ => Ok(()),
        }
    }

    fn check_numbers(&self) -> Result<(), String> {
        let (entries, slots, answers) = (&self.entries, &self.slots, &self.answers);
        let count = |field, value: u32, from, to| within(field, value.into(), from, f64::from(to));
        count("seeds", self.seeds, 1.0, SEEDS_MAX)?;
        count("days", self.days, 1.0, DAYS_MAX)?;
        count("warm_up_days", self.warm_up_days, 0.0, DAYS_MAX)?;
        count("entries.at_start", entries.at_start, 0.0, 100_000)?;
        within(
            "entries.at_start_waited_days",
            entries.at_start_waited_days,
            0.0,
            3_650.0,
        )?;
        within("entries.per_day", entries.per_day, 0.0, PER_DAY_MAX)?;
        within("entries.patience_days", entries.patience_days, 0.1, 3_650.0)?;
        within(
            "entries.notice_needed_hours",
            entries.notice_needed_hours,
            0.0,
            2_160.0,
        )?;
        within(
            "entries.resumes_after_hours",
            entries.resumes_after_hours,
            0.0,
            8_760.0,
        )?;
        within("slots.per_open_day", slots.per_open_day, 0.0, PER_DAY_MAX)?;
        within(
            "answers.median_minutes",
            answers.median_minutes,
            0.1,
            14_400.0,
        )?;
        within("answers.spread", answers.spread, 0.0, 5.0)?;
        for (field, share) in [
            ("entries.urgent", entries.urgent),
            ("entries.soon", entries.soon),
            ("entries.routine", entries.routine),
            ("entries.auto_accept", entries.auto_accept),
            ("entries.mornings_only", entries.mornings_only),
            ("entries.afternoons_only", entries.afternoons_only),
            ("entries.notice_needed", entries.notice_needed),
            ("entries.resumes", entries.resumes),
            ("slots.booked_by_staff", slots.booked_by_staff),
            ("answers.yes", answers.yes),
            ("answers.yes_same_day", answers.yes_same_day),
            ("answers.no", answers.no),
            ("answers.yes + answers.no", answers.yes + answers.no),
            (
                "answers.yes_same_day + answers.no",
                answers.yes_same_day + answers.no,
            ),
            (
                "entries.mornings_only + afternoons_only",
                entries.mornings_only + entries.afternoons_only,
            ),
            (
                "objective.superseded_share_max",
                self.objective.superseded_share_max,
            ),
        ] {
            within(field, share, 0.0, 1.0)?;
        }
        whole(
            "entries.urgent, soon and routine",
            entries.urgent + entries.soon + entries.routine,
        )?;
        whole(
            "slots.notice: the shares",
            slots.notice.iter().map(|it| it.share).sum(),
        )?;
        for notice in &slots.notice {
            within("slots.notice: share", notice.share, 0.0, 1.0)?;
            within(
                "slots.notice: from_hours",
                notice.from_hours,
                0.1,
                notice.to_hours,
            )?;
            within(
                "slots.notice: to_hours",
                notice.to_hours,
                notice.from_hours,
                NOTICE_HOURS_MAX,
            )?;
        }
        within(
            "objective.messages_per_fill_max",
            self.objective.messages_per_fill_max,
            0.0,
            1e6,
        )?;
        within(
            "objective.alike_points",
            self.objective.alike_points,
            0.0,
            100.0,
        )
    }

    fn check_clinic(&self) -> Result<(), String> {
        let clinic = &self.clinic;
        if clinic.opens >= clinic.closes {
            return Err("clinic.closes: must be later than clinic.opens".to_owned());
        }
        if clinic.open_on.is_empty() {
            return Err("clinic.open_on: needs a day".to_owned());
        }
        let minutes = f64::from(clinic.closes.minutes() - clinic.opens.minutes());
        for service in &clinic.services {
            let at = format!("clinic.services \"{}\"", service.name);
            check_service(&service.name).map_err(|refusal| format!("{at}: {refusal}"))?;
            within(&format!("{at}: share"), service.share, 0.0, 1.0)?;
            within(
                &format!("{at}: minutes"),
                service.minutes.into(),
                1.0,
                minutes,
            )?;
        }
        whole(
            "clinic.services: the shares",
            clinic.services.iter().map(|it| it.share).sum(),
        )
    }
}

/// The name that a field of the waitlist's policy has in the configuration.
fn of_plan(field: &str) -> &str {
    match field {
        "windowSeconds" => "window_minutes",
        "zone" => "clinic.zone",
        "mode/size" => "size",
        "windowPercent" => "window_percent",
        "quietHours" => "rules.quiet_from to quiet_to",
        "cutoffSeconds" => "rules.cutoff_minutes",
        "graceSeconds" => "rules.grace_minutes",
        "broadcastWithinSeconds" => "broadcast_within_minutes",
        "audienceMax" => "audience_max",
        other => other,
    }
}

fn within(field: &str, value: f64, from: f64, to: f64) -> Result<(), String> {
    if (from..=to).contains(&value) {
        Ok(())
    } else {
        Err(format!("{field}: {value} is not from {from} to {to}"))
    }
}

fn whole(what: &str, sum: f64) -> Result<(), String> {
    if (sum - 1.0).abs() < 1e-6 {
        Ok(())
    } else {
        Err(format!("{what} must be 1 together, not {sum}"))
    }
}
