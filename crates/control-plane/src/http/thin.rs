//! Long series made short: the first, the last, the lowest, the highest and the marked points stay, the rest is taken at equal distances.

use std::collections::BTreeSet;

/// Which of `values` to keep, in order; `marked` are positions that stay in any case. At most `points`, unless more are marked.
pub(crate) fn thin(values: &[Option<f64>], marked: &[usize], points: usize) -> Vec<usize> {
    let count = values.len();
    if count <= points {
        return (0..count).collect();
    }
    let known = || values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?)));
    let lowest = known().min_by(|one, other| one.1.total_cmp(&other.1));
    let highest = known().max_by(|one, other| one.1.total_cmp(&other.1));
    let mut kept: BTreeSet<usize> = marked.iter().copied().filter(|&at| at < count).collect();
    kept.extend([0, count - 1]);
    kept.extend(lowest.into_iter().chain(highest).map(|(at, _)| at));
    let room = points.saturating_sub(kept.len());
    // Positions may coincide with those that are kept already, so there may be fewer in the end.
    kept.extend((0..room).map(|step| (step + 1) * (count - 1) / (room + 1)));
    kept.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_stays() {
        let mut values: Vec<Option<f64>> = (0..10_000).map(|at| Some(f64::from(at % 7))).collect();
        (values[1_234], values[8_765], values[17]) = (Some(-5.0), Some(99.0), None);
        let kept = thin(&values, &[4_321], 400);
        assert!(kept.len() <= 400 && kept.len() > 380, "{}", kept.len());
        assert!([0, 9_999, 1_234, 8_765, 4_321].iter().all(|it| kept.contains(it)));
        assert!(kept.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] < 60));
    }

    #[test]
    fn short_series_stay_whole_and_small_limits_hold_what_must_be() {
        assert_eq!(thin(&[None, Some(1.0)], &[], 2), [0, 1]);
        assert_eq!(thin(&[Some(1.0), None, Some(5.0), Some(-1.0), Some(0.0)], &[1, 99], 2), [0, 1, 2, 3, 4]);
        assert_eq!(thin(&[None; 9], &[], 3), [0, 4, 8]);
        assert_eq!(thin(&[], &[], 5), Vec::<usize>::new());
    }
}
