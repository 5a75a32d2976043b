//! What is counted in one simulation, and what several say together.

use std::collections::BTreeMap;

use callboard_contracts::waitlist::Urgency;
use callboard_domain::waitlist::statistics::{among_equals, jain, quantile};
use serde::Serialize;

/// What was counted of the measured slots.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    pub released: u32,
    pub filled: u32,
    pub same_day_released: u32,
    pub same_day_filled: u32,
    /// From the release to the booking.
    pub minutes_to_fill: Vec<f64>,
    /// Offers, and invitations of broadcasts.
    pub offers: u32,
    /// Offers, and what is told of them afterwards.
    pub messages: u32,
    /// Offers that ended because somebody else was faster.
    pub superseded: u32,
    /// People who said yes, and were refused.
    pub too_late: u32,
    /// Days from joining to the booking, by service and urgency.
    pub waits: BTreeMap<(usize, Urgency), Vec<f64>>,
}

/// Figures of one simulation, or of several: by name, those that there were.
pub type Figures = BTreeMap<&'static str, f64>;

impl Counts {
    /// What they come to. What nothing is known of is left out.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures::new();
        let share = |part: u32, of: u32| (of > 0).then(|| f64::from(part) / f64::from(of));
        let mut put = |name: &'static str, value: Option<f64>| {
            if let Some(value) = value {
                figures.insert(name, value);
            }
        };
        put("slots", Some(self.released.into()));
        put("fillRate", share(self.filled, self.released));
        put(
            "sameDayFillRate",
            share(self.same_day_filled, self.same_day_released),
        );
        put("minutesToFillMedian", quantile(&self.minutes_to_fill, 0.5));
        put("minutesToFillP90", quantile(&self.minutes_to_fill, 0.9));
        put("offersPerSlot", share(self.offers, self.released));
        put("offersPerFill", share(self.offers, self.filled));
        put("accepted", share(self.filled, self.offers));
        put("messages", Some(self.messages.into()));
        put("messagesPerFill", share(self.messages, self.filled));
        put("supersededShare", share(self.superseded, self.offers));
        put("tooLatePerFill", share(self.too_late, self.filled));
        // Of one service and urgency.
        let equals = self.waits.values().map(Vec::as_slice);
        put("jain", among_equals(equals, jain));
        let names = [
            (
                Urgency::Urgent,
                ["urgentWaitDaysMedian", "urgentWaitDaysP90"],
            ),
            (Urgency::Soon, ["soonWaitDaysMedian", "soonWaitDaysP90"]),
            (
                Urgency::Routine,
                ["routineWaitDaysMedian", "routineWaitDaysP90"],
            ),
        ];
        for (urgency, [median, p90]) in names {
            let of = self.waits.iter().filter(|((_, of), _)| *of == urgency);
            let waits: Vec<f64> = of.flat_map(|(_, waits)| waits).copied().collect();
            put(median, quantile(&waits, 0.5));
            put(p90, quantile(&waits, 0.9));
        }
        figures
    }
}

/// A mean over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Half the width of its 95 % confidence interval (Student's t); absent for one seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plus_minus: Option<f64>,
}

/// 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom; the normal's beyond.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];
const T_MANY: f64 = 1.960;

impl Mean {
    /// Whether its interval is all above zero.
    pub fn is_certain(&self) -> bool {
        self.plus_minus.is_some_and(|half| self.mean > half)
    }

    /// Of these; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let freedom = values.len().checked_sub(1)?;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let plus_minus = (freedom > 0).then(|| {
            let deviation = (squares / freedom as f64).sqrt();
            T.get(freedom - 1).copied().unwrap_or(T_MANY) * deviation / count.sqrt()
        });
        Some(Self { mean, plus_minus })
    }
}

/// The means of the figures of several simulations.
pub fn means(runs: &[Figures]) -> BTreeMap<&'static str, Mean> {
    let mut values: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for (name, value) in runs.iter().flatten() {
        values.entry(name).or_default().push(*value);
    }
    let mean = |(name, values): (_, Vec<f64>)| Some((name, Mean::of(&values)?));
    values.into_iter().filter_map(mean).collect()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_students() {
        let mean = Mean::of(&[1.0, 2.0, 3.0]).unwrap();
        // 4.303 × 1 / √3
        assert!((mean.mean - 2.0).abs() < 1e-9 && (mean.plus_minus.unwrap() - 2.4843).abs() < 1e-3);
        assert_eq!(Mean::of(&[4.0]).unwrap().plus_minus, None);
        assert_eq!(Mean::of(&[]), None);
    }

    #[test]
    fn jains_index_is_of_equals_only() {
        let mut counts = Counts::default();
        counts.waits.insert((0, Urgency::Urgent), vec![1.0, 1.0]);
        counts.waits.insert((0, Urgency::Routine), vec![9.0, 9.0]);
        assert!((counts.figures()["jain"] - 1.0).abs() < 1e-9);
        // (1 + 3)² / (2 × (1 + 9)) = 0.8, of half of the people
        counts.waits.insert((0, Urgency::Urgent), vec![1.0, 3.0]);
        assert!((counts.figures()["jain"] - 0.9).abs() < 1e-9);
    }
}
