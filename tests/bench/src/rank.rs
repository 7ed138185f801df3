//! The value that a share of all values do not exceed.

/// Of sorted values, the one at the nearest rank to `share` (0 to 1); none if there are none.
pub(crate) fn at<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank.min(sorted.len()).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::at;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let hundred: Vec<u32> = (1..=100).collect();
        for (share, value) in [(0.0, 1), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100)] {
            assert_eq!(at(&hundred, share), Some(value), "{share}");
        }
        assert_eq!(at(&[4], 0.99), Some(4));
        assert_eq!(at::<u32>(&[], 0.5), None);
    }
}
