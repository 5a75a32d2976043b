//! What is said of many numbers in a few: the one place for the figures of a waitlist and for those
//! of its simulation.
//!
//! Sources: nearest-rank quantiles; Jain, Chiu, Hawe, *A Quantitative Measure of Fairness and
//! Discrimination for Resource Allocation in Shared Computer Systems* (DEC-TR-301, 1984); Gini,
//! *Variabilità e mutabilità* (1912), half of the relative mean difference.

/// The value that the share `q` (0 to 1) of the values does not exceed: one of them, by nearest
/// rank. `None` if there are none.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    quantile_of_sorted(&sorted(values), q)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank lies between 0 and the number of values"
)]
fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let rank = (q.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nobody counts up to 2^52 people"
)]
const fn count(values: &[f64]) -> f64 {
    values.len() as f64
}

/// The arithmetic mean. `None` if there are none.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / count(values))
}

/// Jain's index of values that are not negative, (Σx)² / (n Σx²): 1 if all are alike, 1/n if one
/// alone is not 0. `None` if there are none, or all are 0.
#[must_use]
pub fn jain(values: &[f64]) -> Option<f64> {
    let sum: f64 = values.iter().sum();
    let squares: f64 = values.iter().map(|value| value * value).sum();
    (squares > 0.0).then(|| sum * sum / (count(values) * squares))
}

/// Gini's coefficient of values that are not negative, Σ(2i − n − 1)xᵢ / (n Σx) with them in order:
/// 0 if all are alike, (n − 1)/n if one alone is not 0. `None` if there are none, or all are 0.
#[must_use]
pub fn gini(values: &[f64]) -> Option<f64> {
    let (sorted, n) = (sorted(values), count(values));
    let sum: f64 = sorted.iter().sum();
    let mut weight = 1.0 - n;
    let mut weighted = 0.0;
    for value in sorted {
        weighted += weight * value;
        weight += 2.0;
    }
    (sum > 0.0).then(|| weighted / (n * sum))
}

/// An index within groups of equals, weighted by their number of people. A group of one says nothing
/// of equality, nor does one of which the index does not. `None` if that leaves none.
#[must_use]
pub fn among_equals<'a>(
    groups: impl IntoIterator<Item = &'a [f64]>,
    index: fn(&[f64]) -> Option<f64>,
) -> Option<f64> {
    let (mut weighted, mut people) = (0.0, 0.0);
    for group in groups {
        if let Some(value) = index(group).filter(|_| group.len() > 1) {
            weighted += count(group) * value;
            people += count(group);
        }
    }
    (people > 0.0).then(|| weighted / people)
}

/// How values are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Half of them do not exceed it.
    pub p50: f64,
    /// Nine of ten do not.
    pub p90: f64,
    /// Nineteen of twenty do not.
    pub p95: f64,
    /// The largest.
    pub max: f64,
    /// Their mean.
    pub mean: f64,
}

impl Spread {
    /// Of these; `None` if there are none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let sorted = sorted(values);
        Some(Self {
            p50: quantile_of_sorted(&sorted, 0.5)?,
            p90: quantile_of_sorted(&sorted, 0.9)?,
            p95: quantile_of_sorted(&sorted, 0.95)?,
            max: *sorted.last()?,
            mean: mean(&sorted)?,
        })
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;

    fn alike(value: Option<f64>, expected: f64) {
        let value = value.unwrap();
        assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0, 4.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[3.0, 1.0, 2.0, 4.0], 0.9), Some(4.0));
        assert_eq!(quantile(&[7.0], 0.0), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn both_indices_know_the_extremes() {
        alike(jain(&[5.0, 5.0, 5.0, 5.0]), 1.0);
        alike(gini(&[5.0, 5.0, 5.0, 5.0]), 0.0);
        alike(jain(&[0.0, 0.0, 0.0, 8.0]), 0.25);
        alike(gini(&[8.0, 0.0, 0.0, 0.0]), 0.75);
        for nothing in [&[][..], &[0.0, 0.0]] {
            assert_eq!((jain(nothing), gini(nothing)), (None, None));
        }
    }

    #[test]
    fn both_indices_are_what_a_pencil_says() {
        // (1 + 3)² / (2 × (1 + 9)) and ((2×1−2−1)×1 + (2×2−2−1)×3) / (2 × 4)
        alike(jain(&[3.0, 1.0]), 0.8);
        alike(gini(&[3.0, 1.0]), 0.25);
        // The mean difference: (1 + 2 + 3 + 1 + 2 + 1) × 2 / 16, relative to 2 × 2.5
        alike(gini(&[4.0, 2.0, 1.0, 3.0]), 0.25);
    }

    #[test]
    fn equals_are_compared_with_equals_alone() {
        let (urgent, routine): (&[f64], &[f64]) = (&[1.0, 1.0], &[9.0, 9.0]);
        alike(among_equals([urgent, routine], jain), 1.0);
        alike(among_equals([&[1.0, 3.0], routine], jain), 0.9);
        // Who has no equal, or did not wait at all, says nothing.
        alike(
            among_equals([&[1.0, 3.0], &[7.0][..], &[0.0, 0.0]], jain),
            0.8,
        );
        assert_eq!(among_equals([&[7.0][..]], gini), None);
    }

    #[test]
    fn a_spread_is_of_all_values() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        let spread = Spread::of(&values).unwrap();
        let expected = Spread {
            p50: 10.0,
            p90: 18.0,
            p95: 19.0,
            max: 20.0,
            mean: 10.5,
        };
        assert_eq!(spread, expected);
        assert_eq!(Spread::of(&[]), None);
    }
}
