//! Every reference case whose method exists passes through the door, within the tolerances that its file states.

#![allow(clippy::unwrap_used, reason = "a case that cannot be read has failed")]

use assay_statistics::door;
use serde_json::Value;

/// Methods of a file that this crate does not have yet. A method that exists must not stand in such a list.
type Absent = &'static [&'static str];

#[test]
fn always_valid() {
    check(include_str!("golden/always_valid.json"), &[], 138);
}

#[test]
fn bayesian() {
    check(include_str!("golden/bayesian.json"), &[], 45);
}

#[test]
fn cluster() {
    check(include_str!("golden/cluster.json"), &[], 35);
}

#[test]
fn cuped() {
    check(include_str!("golden/cuped.json"), &[], 25);
}

#[test]
fn fixed_horizon() {
    check(include_str!("golden/fixed_horizon.json"), &[], 84);
}

#[test]
fn group_sequential() {
    check(include_str!("golden/group_sequential.json"), &[], 73);
}

#[test]
fn heterogeneity() {
    check(include_str!("golden/heterogeneity.json"), &[], 41);
}

#[test]
fn moments() {
    check(include_str!("golden/moments.json"), &[], 43);
}

#[test]
fn multiple_testing() {
    check(include_str!("golden/multiple_testing.json"), &[], 36);
}

#[test]
fn power() {
    check(include_str!("golden/power.json"), &[], 54);
}

#[test]
fn quantile_winsor() {
    check(include_str!("golden/quantile_winsor.json"), &[], 54);
}

#[test]
fn srm() {
    check(include_str!("golden/srm.json"), &[], 32);
}

/// `at_least` guards against a file or filter that silently became empty.
fn check(file: &str, absent: Absent, at_least: usize) {
    let cases: Vec<Value> = serde_json::from_str(file).unwrap();
    let mut wrong = Vec::new();
    let mut checked = 0;
    for case in &cases {
        let method = case["input"]["method"].as_str().unwrap();
        let exists = door::methods().any(|known| known == method);
        assert_ne!(exists, absent.contains(&method), "{method} is either absent or tested");
        if !exists {
            continue;
        }
        checked += 1;
        let got = door::evaluate(&case["input"]).unwrap_or_else(|problem| panic!("{}: {problem}", case["name"]));
        compare(&case["expected"], &got, "", &case["tolerance"], &mut |problem| {
            wrong.push(format!("{}: {problem}", case["name"]))
        });
    }
    assert!(wrong.is_empty(), "{} of {checked}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked >= at_least, "only {checked} cases were checked");
}

fn compare(expected: &Value, got: &Value, field: &str, tolerance: &Value, complain: &mut dyn FnMut(String)) {
    match (expected, got) {
        (Value::Object(fields), _) => {
            fields.iter().for_each(|(name, value)| compare(value, &got[name], name, tolerance, complain))
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            items.iter().zip(others).for_each(|(item, other)| compare(item, other, field, tolerance, complain));
        }
        (Value::Number(_), Value::Number(_)) => {
            let (expected, got) = (expected.as_f64().unwrap(), got.as_f64().unwrap());
            let own = &tolerance["fields"][field];
            let own = if own.is_null() { tolerance } else { own };
            let allowed = own["abs"].as_f64().unwrap_or(0.0).max(own["rel"].as_f64().unwrap_or(0.0) * expected.abs());
            if (got - expected).abs() > allowed {
                complain(format!("{field} is {got}, not {expected}"));
            }
        }
        _ if expected == got => {}
        _ => complain(format!("{field} is {got}, not {expected}")),
    }
}
