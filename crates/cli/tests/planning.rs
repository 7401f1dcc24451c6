//! `assay power` and `assay peek` as people and scripts use them.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use serde_json::Value as Json;
use std::process::Command;

struct Told {
    code: i32,
    out: String,
    err: String,
}

fn assay(arguments: &[&str]) -> Told {
    let output = Command::new(env!("CARGO_BIN_EXE_assay")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Told { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

fn json(arguments: &[&str]) -> Json {
    let told = assay(&[arguments, &["--json"]].concat());
    assert_eq!(told.code, 0, "{arguments:?}: {}", told.err);
    serde_json::from_str(&told.out).unwrap()
}

fn near(got: &Json, expected: f64, by: f64) {
    let number = got.as_f64().unwrap_or(f64::NAN);
    assert!((number - expected).abs() <= by, "{got} is not {expected}");
}

#[test]
fn the_textbook_example_gives_what_its_formula_gives() {
    let answer = json(&["power", "--baseline", "5%", "--mde", "10%", "--per-day", "10000"]);
    let plan =
        |name: &str| answer["plans"].as_array().unwrap().iter().find(|plan| plan["plan"] == name).unwrap().clone();
    let fixed = plan("fixed_horizon");
    near(&fixed["control"], 31_231.0, 0.0);
    near(&fixed["total"], 62_462.0, 0.0);
    near(&answer["with_rounded_z"]["control"], 31_196.0, 0.0);
    near(&fixed["days"], 7.0, 0.0);
    near(&fixed["days_in_whole_weeks"], 7.0, 0.0);
    let valid = plan("always_valid");
    near(&valid["samples_at_most"], 1.644, 0.005);
    near(&valid["samples_on_average"], 0.986, 0.005);
    near(&valid["days_in_whole_weeks"], 14.0, 0.0);
    let sequential = plan("group_sequential");
    near(&sequential["samples_at_most"], 1.025, 0.002);
    near(&sequential["samples_on_average"], 0.82, 0.01);
    let told = assay(&["power", "--baseline", "0.05", "--mde-absolute", "0.005"]);
    assert!(
        told.out.contains("31,231") && told.out.contains("31,196") && told.out.contains("always-valid"),
        "{}",
        told.out
    );
    let help = assay(&["power", "--help"]).out;
    assert!(help.contains("72,281") && help.contains("31,231") && help.contains("wrong"), "{help}");
}

/// Statistics §3.4, question 4: 2.0 % to 2.5 % with 10,000 new users a day.
#[test]
fn days_are_rounded_up_to_weeks() {
    let answer = json(&["power", "--baseline", "2%", "--mde", "25%", "--per-day", "10000"]);
    let fixed = &answer["plans"][0];
    near(&fixed["control"], 13_807.0, 0.0);
    near(&fixed["days"], 3.0, 0.0);
    near(&fixed["days_in_whole_weeks"], 7.0, 0.0);
    near(&answer["plans"][2]["days"], 5.0, 0.0);
}

#[test]
fn a_sample_finds_the_effect_that_asks_for_it() {
    let back = json(&["power", "--baseline", "5%", "--units", "62462"]);
    near(&back["plans"][0]["difference_up"], 0.005, 1e-7);
    let days = json(&["power", "--baseline", "5%", "--days", "10", "--per-day", "12492.4", "--traffic", "50%"]);
    near(&days["plans"][0]["difference_up"], 0.005, 1e-6);
    // The other plans find less, by the root of what they need more.
    assert!(back["plans"][2]["difference_up"].as_f64() > back["plans"][1]["difference_up"].as_f64());
    let power = json(&["power", "--baseline", "5%", "--mde", "10%", "--units", "144562"]);
    near(&power["power_of_one_look"], 0.989, 0.001);
}

#[test]
fn means_and_many_arms() {
    let answer = json(&["power", "--mean", "24", "--sd", "60", "--mde-absolute", "1.5", "--arms", "3"]);
    let plan = &answer["plans"][0];
    let (control, total) = (plan["control"].as_f64().unwrap(), plan["total"].as_f64().unwrap());
    // (2.2414 + 0.8416)² 2 60²/1.5².
    near(&plan["control"], 30_417.0, 30.0);
    assert_eq!(total, 3.0 * control);
}

#[test]
fn what_cannot_be_planned_is_refused_in_words() {
    for (arguments, message) in [
        (vec!["power"], "--baseline"),
        (vec!["power", "--baseline", "5%"], "give --mde"),
        (vec!["power", "--baseline", "105%", "--mde", "10%"], "a rate lies between 0 and 1"),
        (vec!["power", "--baseline", "5%", "--mde", "0"], "an effect of 0 is never found"),
        (vec!["power", "--baseline", "0", "--mde", "10%"], "baseline of 0"),
        (vec!["power", "--baseline", "5%", "--mde", "10%", "--power", "1"], "power lies between"),
        (vec!["power", "--baseline", "5%", "--mde", "10%", "--alpha", "5"], "alpha lies between"),
        (vec!["power", "--baseline", "5%", "--mde", "10%", "--ratio", "0"], "allocation ratio"),
        (vec!["power", "--baseline", "5%", "--mde", "10%", "--per-day", "0"], "units per day"),
        (vec!["power", "--baseline", "5%", "--mde", "ten"], "neither a share"),
        (vec!["power", "--baseline", "5%", "--days", "3"], "--per-day"),
        (vec!["power", "--mean", "3", "--mde", "10%"], "--sd"),
        (vec!["peek", "--looks", "0"], "numbers of looks"),
        (vec!["peek", "--rate", "1"], "a rate lies between"),
        (vec!["peek", "--users", "0"], "users per arm"),
        (vec!["peek", "--alpha", "0"], "alpha lies between"),
    ] {
        let told = assay(&arguments);
        assert_eq!(told.code, 2, "{arguments:?}: {}{}", told.out, told.err);
        assert!(told.err.contains(message), "{arguments:?} says: {}", told.err);
    }
}

#[test]
fn peeking_costs_what_is_published() {
    let shown = json(&["peek", "--runs", "4000"]);
    let row = shown["rows"].as_array().unwrap().last().unwrap();
    assert_eq!((row["looks"].as_u64(), shown["users_per_look"].as_u64()), (Some(20), Some(500)));
    near(&row["naive"]["theory"], 0.248, 0.001);
    // Five standard errors, and whole conversions are not quite normal.
    near(&row["naive"]["simulated"], 0.249, 0.035);
    near(&row["obrien_fleming"]["theory"], 0.05, 1e-6);
    assert!(row["always_valid"]["simulated"].as_f64().unwrap() < 0.05);
    near(&row["posterior_either"]["simulated"], 0.42, 0.04);
    near(&shown["textbook"]["rate"]["theory"], 0.614, 0.001);
    near(&shown["textbook"]["rate"]["simulated"], 0.61, 0.04);
}

/// A pipe has no colours, no cursor and no fine blocks; the seed gives the same text.
#[test]
fn peeking_in_a_pipe_is_plain() {
    let (one, other) = (assay(&["peek", "--runs", "300"]), assay(&["peek", "--runs", "300"]));
    assert_eq!(one.out, other.out);
    assert!(!one.out.contains('\u{1b}') && !one.out.contains('█') && one.out.contains("####"), "{}", one.out);
    assert!(one.out.lines().all(|line| line.chars().count() <= 140));
}
