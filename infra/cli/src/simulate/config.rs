//! What a clinic is like: the configuration of a simulation, and what is refused.
//!
//! Every field is explained, with its unit, in `infra/cli/examples/clinic.toml`, which is what is
//! simulated by default.

use std::path::Path;

use callboard_contracts::waitlist::{
    LocalDate, LocalTime, Mode, OfferRules, Policy, QuietHours, Weekday,
};
use serde::{Deserialize, Serialize};

use crate::error::CliError;

mod check;

/// A clinic of medium size.
pub const CLINIC: &str = include_str!("../../examples/clinic.toml");

/// The clinic of the published figures of Fast Pass.
pub const FAST_PASS: &str = include_str!("../../examples/fast-pass.toml");

/// A clinic, those who wait for it, and the policies to compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is explained in examples/clinic.toml"
)]
pub struct Config {
    pub seed: u64,
    pub seeds: u32,
    pub days: u32,
    pub warm_up_days: u32,
    pub clinic: Clinic,
    pub entries: Entries,
    pub slots: Slots,
    pub answers: Answers,
    pub rules: Rules,
    pub objective: Objective,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    pub policies: Vec<Plan>,
}

/// Where and when it works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is explained in examples/clinic.toml"
)]
pub struct Clinic {
    pub zone: String,
    pub start: LocalDate,
    pub opens: LocalTime,
    pub closes: LocalTime,
    pub open_on: Vec<Weekday>,
    pub services: Vec<Service>,
}

/// Something that is done there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is explained in examples/clinic.toml"
)]
pub struct Service {
    pub name: String,
    pub share: f64,
    pub minutes: u32,
}

/// Who waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is explained in examples/clinic.toml"
)]
pub struct Entries {
    pub at_start: u32,
    pub at_start_waited_days: f64,
    pub per_day: f64,
    pub urgent: f64,
    pub soon: f64,
    pub routine: f64,
    pub patience_days: f64,
    pub auto_accept: f64,
    pub mornings_only: f64,
    pub afternoons_only: f64,
    pub notice_needed: f64,
    pub notice_needed_hours: f64,
    pub resumes: f64,
    pub resumes_after_hours: f64,
}

/// What becomes free.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is explained in examples/clinic.toml"
)]
pub struct Slots {
    pub per_open_day: f64,
    pub notice: Vec<Notice>,
    pub booked_by_staff: f64,
}

/// How long before their start some of the slots become free.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is explained in examples/clinic.toml"
)]
pub struct Notice {
    pub share: f64,
    pub from_hours: f64,
    pub to_hours: f64,
}

/// How people answer an offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is explained in examples/clinic.toml"
)]
pub struct Answers {
    pub yes: f64,
    pub yes_same_day: f64,
    pub no: f64,
    pub median_minutes: f64,
    pub spread: f64,
    pub asleep_from: LocalTime,
    pub asleep_to: LocalTime,
}

/// What all policies have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is explained in examples/clinic.toml"
)]
pub struct Rules {
    pub quiet_from: LocalTime,
    pub quiet_to: LocalTime,
    pub cutoff_minutes: u32,
    pub grace_minutes: u32,
    pub skip_limit: u8,
    pub max_wait_days: u16,
}

/// What the recommended policy has to keep to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is explained in examples/clinic.toml"
)]
pub struct Objective {
    pub baseline: String,
    pub messages_per_fill_max: f64,
    pub superseded_share_max: f64,
    pub alike_points: f64,
}

/// Figures that were published, and the policy that is to come near them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is explained in examples/fast-pass.toml"
)]
pub struct Published {
    pub source: String,
    pub policy: String,
    pub accepted: f64,
    pub accepted_low: f64,
    pub offers_per_slot: f64,
    pub filled: f64,
}

/// How slots are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "they are those of the waitlist's policy")]
pub enum PlanMode {
    Sequential,
    Batch,
    Broadcast,
    Lottery,
}

/// A policy to compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is explained in examples/clinic.toml"
)]
pub struct Plan {
    pub name: String,
    pub mode: PlanMode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u8>,
    pub window_minutes: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_percent: Option<u8>,
    #[serde(default)]
    pub broadcast_within_minutes: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience_max: Option<u8>,
    #[serde(default = "yes")]
    pub recommendable: bool,
}

const fn yes() -> bool {
    true
}

impl Config {
    /// Reads a configuration; `named` is what it is called in messages.
    ///
    /// # Errors
    /// [`CliError::Input`] with the line, or with the field that makes no sense.
    pub fn read(text: &str, named: &str) -> Result<Self, CliError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            CliError::Input(format!("{named}: {}", error.to_string().trim_end()))
        })?;
        config
            .check()
            .map_err(|wrong| CliError::Input(format!("{named}: {wrong}")))?;
        Ok(config)
    }

    /// Reads a configuration from a file.
    ///
    /// # Errors
    /// [`CliError::Unreadable`], or as [`Config::read`].
    pub fn open(path: &Path) -> Result<Self, CliError> {
        let text = std::fs::read_to_string(path).map_err(|source| CliError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::read(&text, &path.display().to_string())
    }

    /// The policy of the waitlist that a plan stands for.
    #[must_use]
    pub fn policy(&self, plan: &Plan) -> Policy {
        let rules = &self.rules;
        let quiet = QuietHours {
            from: rules.quiet_from,
            to: rules.quiet_to,
        };
        Policy {
            window_seconds: plan.window_minutes.saturating_mul(60),
            zone: Some(self.clinic.zone.clone()),
            rules: OfferRules {
                mode: match plan.mode {
                    PlanMode::Sequential => Mode::Sequential,
                    PlanMode::Batch => Mode::Batch {
                        size: plan.size.unwrap_or(0),
                    },
                    PlanMode::Broadcast => Mode::Broadcast,
                    PlanMode::Lottery => Mode::Lottery,
                },
                window_percent: plan.window_percent,
                quiet_hours: (quiet.from != quiet.to).then_some(quiet),
                cutoff_seconds: rules.cutoff_minutes.saturating_mul(60),
                grace_seconds: rules.grace_minutes.saturating_mul(60),
                broadcast_within_seconds: plan.broadcast_within_minutes.saturating_mul(60),
                audience_max: plan.audience_max,
                skip_limit: (rules.skip_limit > 0).then_some(rules.skip_limit),
                max_wait_days: (rules.max_wait_days > 0).then_some(rules.max_wait_days),
                swap_depth: 0,
            },
        }
    }
}
