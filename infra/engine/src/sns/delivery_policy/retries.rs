//! When a failed delivery is tried again: what a policy says of it, and the delays that follow.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most seconds between two tries (AWS, "Amazon SNS message delivery retries").
const DELAY_S_MAX: u32 = 3_600;
/// The most tries after the first (AWS, same page).
const RETRIES_MAX: u32 = 100;

/// A retry policy as it is said, members in the order in which AWS shows them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::sns) struct Retries {
    #[serde(skip_serializing_if = "Option::is_none")]
    min_delay_target: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_delay_target: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_max_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_no_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_min_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backoff_function: Option<Backoff>,
}

/// How the delay grows from its least to its greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum Backoff {
    Arithmetic,
    Exponential,
    Geometric,
    Linear,
}

/// What AWS does for functions (same page, "AWS managed endpoints"): 3 tries at once, 2 a second
/// apart, 10 from 1 to 20 s, 100,000 at 20 s.
pub(in crate::sns) const OF_FUNCTIONS: Retries = Retries {
    min_delay_target: Some(1),
    max_delay_target: Some(20),
    num_retries: Some(100_015),
    num_max_delay_retries: Some(100_000),
    num_no_delay_retries: Some(3),
    num_min_delay_retries: Some(2),
    backoff_function: Some(Backoff::Exponential),
};

impl Retries {
    /// The error is what is wrong of which field.
    pub(super) fn check(&self) -> Result<(), String> {
        let bounds = [
            ("minDelayTarget", self.min_delay_target, 1, DELAY_S_MAX),
            ("maxDelayTarget", self.max_delay_target, 1, DELAY_S_MAX),
            ("numRetries", self.num_retries, 0, RETRIES_MAX),
        ];
        for (field, value, least, most) in bounds {
            let Some(value) = value else {
                return Err(format!("{field} must be specified"));
            };
            if value < least {
                return Err(format!("{field} must be greater than or equal to {least}"));
            }
            if value > most {
                return Err(format!("{field} must be less than or equal to {most}"));
            }
        }
        if self.min_delay_target > self.max_delay_target {
            return Err("maxDelayTarget must be greater than or equal to minDelayTarget".into());
        }
        let phases = [
            self.num_no_delay_retries,
            self.num_min_delay_retries,
            self.num_max_delay_retries,
        ];
        let in_phases = phases.into_iter().flatten().fold(0, u32::saturating_add);
        if Some(in_phases) > self.num_retries {
            return Err("numRetries must be at least the sum of the retries of the phases".into());
        }
        Ok(())
    }

    /// With AWS's usual figures for what is not said.
    pub(super) fn completed(&self) -> Retries {
        Retries {
            min_delay_target: self.min_delay_target.or(Some(20)),
            max_delay_target: self.max_delay_target.or(Some(20)),
            num_retries: self.num_retries.or(Some(3)),
            num_max_delay_retries: self.num_max_delay_retries.or(Some(0)),
            num_no_delay_retries: self.num_no_delay_retries.or(Some(0)),
            num_min_delay_retries: self.num_min_delay_retries.or(Some(0)),
            backoff_function: self.backoff_function.or(Some(Backoff::Linear)),
        }
    }

    /// How long before retry number `retry`, counted from 1; `None` after the last.
    pub(in crate::sns) fn delay(&self, retry: u32) -> Option<Duration> {
        let all = self.completed();
        let count = all.num_retries?;
        if retry == 0 || retry > count {
            return None;
        }
        let (least, most) = (
            f64::from(all.min_delay_target?),
            f64::from(all.max_delay_target?),
        );
        let at_once = all.num_no_delay_retries?;
        let before_growing = at_once + all.num_min_delay_retries?;
        let last_growing = count.saturating_sub(all.num_max_delay_retries?);
        let seconds = if retry <= at_once {
            0.0
        } else if retry <= before_growing {
            least
        } else if retry <= last_growing {
            let (step, steps) = (retry - before_growing - 1, last_growing - before_growing);
            all.backoff_function?.grown(least, most, step, steps)
        } else {
            most
        };
        Some(Duration::from_secs_f64(seconds))
    }
}

impl Backoff {
    /// The delay of step `step` of `steps`: the least at the first, the most at the last. AWS shows
    /// the four functions as curves and gives no formulas; these have their shapes.
    fn grown(self, least: f64, most: f64, step: u32, steps: u32) -> f64 {
        if steps < 2 {
            return least;
        }
        let (at, last) = (f64::from(step), f64::from(steps - 1));
        let share = match self {
            Backoff::Linear => at / last,
            Backoff::Arithmetic => at * (at + 1.0) / (last * (last + 1.0)),
            Backoff::Geometric => return least * (most / least).powf(at / last),
            Backoff::Exponential => (at.exp2() - 1.0) / (last.exp2() - 1.0),
        };
        least + (most - least) * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(policy: &str) -> Vec<f64> {
        let retries: Retries = serde_json::from_str(policy).expect("a policy");
        let delays = (1..).map_while(|retry| retries.delay(retry));
        delays.map(|delay| delay.as_secs_f64()).collect()
    }

    #[test]
    fn the_four_phases_follow_each_other() {
        let delays = seconds(
            r#"{"minDelayTarget":1,"maxDelayTarget":60,"numRetries":50,"numNoDelayRetries":3,
            "numMinDelayRetries":2,"numMaxDelayRetries":35,"backoffFunction":"exponential"}"#,
        );
        assert_eq!(delays.len(), 50);
        assert_eq!(delays[..6], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        assert!(delays[5..15].is_sorted());
        assert_eq!(delays[14..], [60.0; 36]);
    }

    #[test]
    fn without_a_policy_there_are_three_retries_twenty_seconds_apart() {
        assert_eq!(seconds("{}"), [20.0; 3]);
    }

    #[test]
    fn each_function_grows_from_the_least_delay_to_the_most_in_its_own_shape() {
        let middle = |function: &str| {
            let delays = seconds(&format!(
                r#"{{"minDelayTarget":5,"maxDelayTarget":260,"numRetries":10,
                "backoffFunction":"{function}"}}"#
            ));
            assert_eq!((delays[0], delays[9]), (5.0, 260.0), "{function}");
            delays[5]
        };
        let [linear, arithmetic, geometric, exponential] =
            ["linear", "arithmetic", "geometric", "exponential"].map(middle);
        assert!(linear > arithmetic && arithmetic > geometric && geometric > exponential);
    }

    #[test]
    fn functions_are_tried_100_015_times_more() {
        assert_eq!(OF_FUNCTIONS.delay(3), Some(Duration::ZERO));
        assert_eq!(OF_FUNCTIONS.delay(15), Some(Duration::from_secs(20)));
        assert_eq!(OF_FUNCTIONS.delay(100_015), Some(Duration::from_secs(20)));
        assert_eq!(OF_FUNCTIONS.delay(100_016), None);
    }
}
