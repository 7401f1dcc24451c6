//! Reference cases with other numbers in them: each is answered or refused in words, never a panic, never a p-value that is none.

#![allow(clippy::unwrap_used, reason = "a case that cannot be read has failed")]

use assay_statistics::door;
use proptest::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;

/// Inputs of all methods of this crate that have reference cases.
static INPUTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let files = [
        include_str!("golden/always_valid.json"),
        include_str!("golden/fixed_horizon.json"),
        include_str!("golden/moments.json"),
        include_str!("golden/multiple_testing.json"),
        include_str!("golden/srm.json"),
    ];
    let cases = files.iter().flat_map(|file| serde_json::from_str::<Vec<Value>>(file).unwrap());
    cases.map(|mut case| case["input"].take()).collect()
});

/// What numbers become: themselves mostly, else anything finite.
fn number() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        6 => Just(None),
        1 => (prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO).prop_map(Some),
        1 => (-1e3..1e3f64).prop_map(Some),
        1 => (0..2_000_000_000u32).prop_map(|value| Some(f64::from(value))),
        1 => prop::sample::select(vec![0.0, 1.0, -1.0, 2.0, 1e-300, 1e300, f64::MAX, f64::MIN, 5e-324]).prop_map(Some),
    ]
}

fn replace(value: &mut Value, with: &mut impl Iterator<Item = Option<f64>>) {
    match value {
        Value::Number(_) => {
            if let Some(Some(new)) = with.next() {
                // Whole numbers stay whole numbers, because counts are read as such.
                let whole = new.fract() == 0.0 && (0.0..1e18).contains(&new);
                *value = if whole { Value::from(new as u64) } else { Value::from(new) };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, with)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, with)),
        _ => {}
    }
}

/// No p-value is null or outside of [0, 1], at any depth.
fn p_values_hold(answer: &Value) -> bool {
    let p = |value: &Value| value.as_f64().is_some_and(|p| (0.0..=1.0).contains(&p));
    match answer {
        Value::Object(fields) => fields.iter().all(|(name, value)| match (name.as_str(), value) {
            ("p_value" | "p_running" | "p_value_lift" | "p_value_diff", Value::Array(items)) => items.iter().all(p),
            ("p_value" | "p_running" | "p_value_lift" | "p_value_diff", value) => p(value),
            (_, value) => p_values_hold(value),
        }),
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn other_numbers_are_answered_or_refused(case in any::<prop::sample::Index>(), numbers in prop::collection::vec(number(), 24)) {
        let mut input = INPUTS[case.index(INPUTS.len())].clone();
        replace(&mut input, &mut numbers.into_iter().cycle());
        match door::evaluate(&input) {
            Ok(answer) => prop_assert!(p_values_hold(&answer), "{input} gives {answer}"),
            Err(problem) => prop_assert!(problem.to_string().contains(' ')),
        }
    }
}
