//! Several treatments at once (§7.1).

/// Holm's adjusted p-values, in the order given. Running p-values may be given: each is valid at all times, so the result is too.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&one, &other| p_values[one].total_cmp(&p_values[other]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least = 0.0f64;
    for (rank, &at) in order.iter().enumerate() {
        least = least.max((p_values[at] * (p_values.len() - rank) as f64).min(1.0));
        adjusted[at] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    #[test]
    fn holm_steps_down() {
        assert_eq!(super::holm(&[0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
    }
}
