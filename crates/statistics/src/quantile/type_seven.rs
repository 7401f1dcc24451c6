//! The sample quantile of type 7 (Hyndman and Fan, 1996): linear between order statistics, position `(n - 1) q`.

/// The `q` quantile of values in ascending order, in their units. `None` without values or with `q` outside 0 to 1.
///
/// It is one of nine usual definitions, the default of R, NumPy and spreadsheets. With few values it says little: the .99 quantile of ten
/// values is nearly the largest.
pub fn type7(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    if !(0.0..=1.0).contains(&q) {
        return None;
    }
    let position = last as f64 * q;
    let below = (position.floor() as usize).min(last);
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    let share = position - below as f64;
    let between =
        if (high - low).is_finite() { low + share * (high - low) } else { (1.0 - share) * low + share * high };
    Some(between.clamp(low, high))
}

#[cfg(test)]
mod tests {
    use super::type7;

    #[test]
    fn between_order_statistics() {
        let sorted = [1.0, 2.0, 4.0];
        assert_eq!([0.0, 0.25, 0.5, 0.75, 1.0].map(|q| type7(&sorted, q)), [1.0, 1.5, 2.0, 3.0, 4.0].map(Some));
        assert_eq!((type7(&[], 0.5), type7(&sorted, 1.5), type7(&sorted, f64::NAN)), (None, None, None));
    }

    #[test]
    fn the_widest_pair_of_doubles() {
        assert_eq!(type7(&[-f64::MAX, f64::MAX], 0.5), Some(0.0));
    }
}
