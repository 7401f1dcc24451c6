//! Any input at the door of every method: reference cases with fields dropped, replaced by something else, made extreme or repeated. Each is
//! answered with p-values that are p-values, or refused in words, in bounded time; nothing panics.

#![allow(clippy::unwrap_used, reason = "a case that cannot be read has failed")]

use assay_statistics::door;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Inputs of every method with reference cases.
static INPUTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let files = [
        include_str!("golden/always_valid.json"),
        include_str!("golden/bayesian.json"),
        include_str!("golden/cluster.json"),
        include_str!("golden/cuped.json"),
        include_str!("golden/fixed_horizon.json"),
        include_str!("golden/group_sequential.json"),
        include_str!("golden/heterogeneity.json"),
        include_str!("golden/moments.json"),
        include_str!("golden/multiple_testing.json"),
        include_str!("golden/power.json"),
        include_str!("golden/quantile_winsor.json"),
        include_str!("golden/srm.json"),
    ];
    let cases = files.iter().flat_map(|file| serde_json::from_str::<Vec<Value>>(file).unwrap());
    cases.map(|mut case| case["input"].take()).collect()
});

/// Names of their methods.
static METHODS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let has_case = |method: &&str| INPUTS.iter().any(|input| input["method"] == *method);
    door::methods().filter(has_case).collect()
});

/// Longest that one input may take in a build without all optimisations, on a machine that does other things too.
const TIME_MAX: Duration = Duration::from_secs(60);

/// What happens to a place in an input.
#[derive(Debug, Clone)]
enum Change {
    Becomes(Value),
    Vanishes,
    /// The first element comes so often again.
    Repeats(usize),
    Empties,
    Times(f64),
}

fn change() -> impl Strategy<Value = Change> {
    let extremes = [
        json!(0),
        json!(-1),
        json!(1),
        json!(2),
        json!(0.5),
        json!(1e-300),
        json!(5e-324),
        json!(1e300),
        json!(f64::MAX),
        json!(f64::MIN),
        json!(1e9),
        json!(4_000_000_000u64),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1.0 - 1e-16),
        json!(1e-17),
    ];
    let others = [
        json!(null),
        json!(true),
        json!("0.5"),
        json!("inf"),
        json!("nonsense"),
        json!([]),
        json!({}),
        json!([[1]]),
        json!({"n": 1}),
    ];
    prop_oneof![
        4 => prop::sample::select(extremes.to_vec()).prop_map(Change::Becomes),
        2 => (prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL).prop_map(|value| Change::Becomes(json!(value))),
        2 => prop::sample::select(others.to_vec()).prop_map(Change::Becomes),
        1 => Just(Change::Vanishes),
        1 => (1..40usize).prop_map(Change::Repeats),
        1 => Just(Change::Empties),
        2 => prop::sample::select(vec![-1.0, 1e-12, 0.1, 10.0, 1e6, 1e12]).prop_map(Change::Times),
    ]
}

/// Paths of everything in an input but the name of its method.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    if !path.is_empty() && path != "/method" {
        found.push(path.to_owned());
    }
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| places(item, &format!("{path}/{at}"), found));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| places(field, &format!("{path}/{name}"), found))
        }
        _ => {}
    }
}

fn apply(input: &mut Value, place: &str, change: &Change) {
    if let Change::Vanishes = change {
        let (parent, name) = place.rsplit_once('/').unwrap();
        match input.pointer_mut(parent) {
            Some(Value::Object(fields)) => drop(fields.remove(name)),
            Some(Value::Array(items)) => drop(items.pop()),
            _ => {}
        }
        return;
    }
    let Some(value) = input.pointer_mut(place) else { return };
    match change {
        Change::Becomes(new) => *value = new.clone(),
        Change::Repeats(times) => {
            if let Value::Array(items) = value
                && let Some(first) = items.first().cloned()
            {
                items.extend(std::iter::repeat_n(first, *times));
            }
        }
        Change::Empties => match value {
            Value::Array(items) => items.clear(),
            Value::Object(fields) => fields.clear(),
            _ => *value = Value::Null,
        },
        Change::Times(factor) => {
            if let Some(number) = value.as_f64() {
                *value = json!(number * factor);
            }
        }
        Change::Vanishes => {}
    }
}

/// What an answer gets wrong: a p-value or a power that is none.
fn wrong(answer: &Value) -> Option<String> {
    let chance = |value: &Value| value.as_f64().is_some_and(|p| (0.0..=1.0).contains(&p));
    match answer {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let promised =
                (name.starts_with("p_value") || name == "p_running" || name == "power") && !name.contains("ln_");
            match value {
                _ if !promised => wrong(value),
                Value::Array(items) => items.iter().find(|item| !chance(item)).map(|item| format!("{name}: {item}")),
                value => (!chance(value)).then(|| format!("{name}: {value}")),
            }
        }),
        Value::Array(items) => items.iter().find_map(wrong),
        _ => None,
    }
}

fn check(input: &Value) -> Result<(), String> {
    let started = Instant::now();
    let answer = door::evaluate(input);
    let taken = started.elapsed();
    if taken > TIME_MAX {
        return Err(format!("{input} took {taken:?}"));
    }
    match answer {
        Ok(answer) => wrong(&answer).map_or(Ok(()), |problem| Err(format!("{input} gives {problem} in {answer}"))),
        Err(problem) if problem.to_string().contains(' ') => Ok(()),
        Err(problem) => Err(format!("{input} is refused with {problem:?}, which says nothing")),
    }
}

#[test]
fn every_method_has_a_case_to_start_from() {
    let with_cases: BTreeSet<&str> = INPUTS.iter().filter_map(|input| input["method"].as_str()).collect();
    let known: BTreeSet<&str> = door::methods().collect();
    assert!(with_cases.is_subset(&known), "{:?}", with_cases.difference(&known).collect::<Vec<_>>());
    assert!(with_cases.len() > 60);
}

/// Each field of each method in turn, dropped: the error names it, or the field was not needed.
#[test]
fn a_field_that_is_missing_is_named() {
    let mut seen = BTreeSet::new();
    for input in INPUTS.iter().filter(|input| seen.insert(input["method"].to_string())) {
        for name in input.as_object().unwrap().keys().filter(|name| *name != "method") {
            let mut without = input.clone();
            without.as_object_mut().unwrap().remove(name);
            if let Err(problem) = door::evaluate(&without) {
                let words = problem.to_string();
                assert!(words.contains(name.as_str()) || words.contains(' '), "{without} is refused with {words}");
            }
        }
    }
}

#[test]
fn what_is_no_input_is_refused() {
    for input in [
        json!(null),
        json!(7),
        json!("p"),
        json!([]),
        json!({}),
        json!({"method": 7}),
        json!({"method": ""}),
        json!({"method": "x"}),
    ] {
        assert!(door::evaluate(&input).is_err(), "{input}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_input_is_answered_or_refused(
        case in any::<prop::sample::Index>(),
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..4),
    ) {
        // By method, so that the rare ones are met as often as those with many cases.
        let method = METHODS[case.index(METHODS.len())];
        let cases: Vec<&Value> = INPUTS.iter().filter(|input| input["method"] == method).collect();
        let mut input = cases[which.index(cases.len())].clone();
        for (place, change) in &changes {
            let mut found = Vec::new();
            places(&input, "", &mut found);
            if found.is_empty() {
                break;
            }
            apply(&mut input, &found[place.index(found.len())], change);
        }
        if let Err(problem) = check(&input) {
            prop_assert!(false, "{}", problem);
        }
    }
}
