//! Numbers measured over and over, and what is said of them: the median, the range, the ratio.
//!
//! Rates drift by a factor of two from minute to minute on a shared machine. So each round measures
//! ours and the peer's one after the other, and a ratio is the median of the rounds' own ratios,
//! never a ratio of two medians.

use serde_json::{Value, json};

/// One number per round, in the order of the rounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    /// A number that is measured once: a count, not a rate.
    pub(crate) fn one(value: f64) -> Self {
        Self(vec![value])
    }

    /// Adds what a round measured.
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// What was measured, in order.
    pub(crate) fn values(&self) -> &[f64] {
        &self.0
    }

    /// The middle one; of an even number, the mean of the two in the middle. Not a number if there is none.
    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        let (low, high) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
        match (sorted.get(low), sorted.get(high)) {
            (Some(a), Some(b)) => f64::midpoint(*a, *b),
            (_, _) => f64::NAN,
        }
    }

    /// The least and the most.
    pub(crate) fn range(&self) -> (f64, f64) {
        let sorted = self.sorted();
        let or_none = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        (or_none(sorted.first()), or_none(sorted.last()))
    }

    /// Each of these by its neighbour of the same round.
    pub(crate) fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect())
    }

    /// Everything, for the file.
    pub(crate) fn json(&self) -> Value {
        let (low, high) = self.range();
        json!({ "median": self.median(), "low": low, "high": high, "rounds": self.0 })
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl FromIterator<f64> for Sample {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Sample;

    fn sample(values: &[f64]) -> Sample {
        values.iter().copied().collect()
    }

    #[test]
    fn the_median_is_the_middle_one() {
        for (values, median, range) in [
            (&[3.0, 1.0, 2.0][..], 2.0, (1.0, 3.0)),
            (&[4.0, 1.0, 2.0, 3.0], 2.5, (1.0, 4.0)),
            (&[7.0], 7.0, (7.0, 7.0)),
            (&[5.0, 5.0, 1.0, 100.0, 5.0], 5.0, (1.0, 100.0)),
        ] {
            assert_eq!((sample(values).median(), sample(values).range()), (median, range), "{values:?}");
        }
        assert!(Sample::default().median().is_nan());
    }

    #[test]
    fn a_ratio_pairs_the_rounds() {
        // The machine halved its speed midway: each round still says three to one.
        let (ours, peer) = (sample(&[300.0, 150.0, 600.0]), sample(&[100.0, 50.0, 200.0]));
        assert_eq!(ours.over(&peer), sample(&[3.0, 3.0, 3.0]));
        assert_eq!(ours.over(&peer).median(), 3.0);
    }
}
