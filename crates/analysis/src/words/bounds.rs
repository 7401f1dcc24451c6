//! Whatever is found, the words keep their bounds.

use super::fixture::{evidence, look, subject, three};
use super::{Brief, Part, Said, text_of};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// What nobody may be told, and what no number may look like.
const NEVER: [&str; 6] = ["significant", "wins", "proves", "no effect", "trending", "undefined"];
const NUMBERLESS: [&str; 3] = ["nan", "inf", "null"];
const WORDS_MAX: usize = 60;
const ROW_MAX: usize = 120;
const CODES: [&str; 12] = [
    "better",
    "better_may_be_small",
    "worse",
    "no_difference",
    "not_shown",
    "drift",
    "waiting",
    "degenerate",
    "unsupported",
    "before_plan",
    "no_method",
    "blocked",
];
const ARMS: [&str; 5] = ["mens", "Women’s email", "a longer name of five", "D", "control-2"];

fn number() -> impl Strategy<Value = Json> {
    let size = prop_oneof![Just(0.0), -1.0..1.0, -0.001..0.001, -5.0..60.0];
    prop_oneof![4 => size.prop_map(|it| json!(it)), 1 => Just(Json::Null)]
}

fn arguments() -> impl Strategy<Value = Json> {
    let numbers = prop::collection::vec(number(), 10);
    let shape = prop::sample::select(vec!["bounded", "exclusive", "unbounded"]);
    (numbers, shape, any::<[bool; 4]>(), 0..3_000_000u64).prop_map(|(numbers, shape, flags, count)| {
        let mut out = json!({
            "lift_shape": shape, "covers_zero": flags[0], "excludes_zero_before_correction": flags[1],
            "drift_suspected": flags[2], "decided_units": count, "decided_at": "2026-11-13T14:34:59Z", "have": count / 7,
            "need": count, "of": if flags[3] { "units" } else { "events" }, "units": count / 3, "planned_units": count + 1,
        });
        let names = [
            "lift", "lift_low", "lift_high", "bound", "difference", "low", "high", "control_mean", "mean", "minimum_effect",
        ];
        names.iter().zip(numbers).for_each(|(name, number)| out[*name] = number);
        out
    })
}

fn experiment() -> impl Strategy<Value = Json> {
    let arms = prop::collection::vec((prop::sample::select(CODES.to_vec()), arguments()), 1..=ARMS.len());
    let status = prop::sample::select(vec!["draft", "running", "paused", "stopped"]);
    let metric = prop::sample::select(vec!["Purchase rate", "CTR", "Revenue per visitor within 14 days"]);
    let safe = prop::sample::select(vec!["no", "yes", "cannot_say", "not_known_yet", "no_guardrail"]);
    let stop =
        prop::sample::select(vec!["may", "plan_used_up", "some_undecided", "first_week", "yes", "repair", "already"]);
    let said = prop::sample::select(vec!["of an arm", "blocked", "no_data", "no_primary"]);
    (arms, status, metric, safe, stop, said, arguments(), 0.0..20.0f64).prop_map(
        |(arms, status, metric, safe, stop, said, more, days)| {
            let mut it = three();
            let mut variants = vec![json!({"variant": "control", "name": "No email", "control": true})];
            variants.extend(ARMS.iter().take(arms.len()).map(|name| json!({"variant": name, "name": name, "control": false})));
            let found: Vec<Json> = arms
                .iter()
                .zip(ARMS)
                .map(|((code, arguments), name)| json!({"variant": name, "metric": "conversion", "code": code, "arguments": arguments}))
                .collect();
            let mut guardrail = more.clone();
            (guardrail["metric"], guardrail["variant"]) = (json!("spend"), json!(ARMS[0]));
            let counts: Json = variants.iter().map(|it| (it["variant"].as_str().unwrap().to_owned(), json!(4_321))).collect::<serde_json::Map<_, _>>().into();
            let verdict = &mut it["verdict"];
            verdict["code"] = if said == "of an arm" { found[0]["code"].clone() } else { json!(said) };
            if said == "blocked" {
                verdict["blocked_by"] = json!([{"code": "srm_segment", "arguments": {
                    "attribute": "country_of_birth", "value": "DE", "counts": counts, "expected": {"control": 0.5},
                }}]);
            }
            (verdict["variant"], verdict["arms"]) = (json!(ARMS[0]), json!(found));
            verdict["safe"] = json!({"code": safe, "arguments": guardrail});
            verdict["stop"] = json!({"code": stop, "arguments": {"undecided": ARMS, "units_left": 12, "days_left": days}});
            it["metrics"][0]["name"] = json!(metric);
            (it["variants"], it["status"], it["days_running"]) = (json!(variants), json!(status), json!(days));
            it
        },
    )
}

fn is_clean(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut words = lower.split(|it: char| !it.is_alphanumeric());
    NEVER.iter().all(|never| !lower.contains(never)) && words.all(|word| !NUMBERLESS.contains(&word))
}

/// Sentences that hold something strong.
fn strong(parts: &[Part]) -> usize {
    let mut found = 0;
    let mut counted = false;
    for part in parts {
        if part.strong && !counted {
            (found, counted) = (found + 1, true);
        }
        if part.text.trim_end().ends_with('.') {
            counted = false;
        }
    }
    found
}

proptest! {
    #[test]
    fn the_sentence_is_short_and_says_nothing_that_must_not_be_said(experiment in experiment()) {
        let said = Said::about(&subject(&experiment), &evidence(&experiment), look());
        let text = text_of(&said.sentence);
        prop_assert!(text.split_whitespace().count() <= WORDS_MAX, "{text}");
        prop_assert!(strong(&said.sentence) <= 2, "{:?}", said.sentence);
        prop_assert!(text.ends_with('.') && !text.contains("  "), "{text}");
        let answers = [&said.answers.safe, &said.answers.working, &said.answers.stop, &said.answers.why];
        let all = said.caveats.iter().cloned().chain(answers.map(|it| format!("{} {}", it.word, it.why))).chain([text]);
        for text in all {
            prop_assert!(is_clean(&text), "{text}");
        }
    }

    #[test]
    fn a_row_is_a_line(experiment in experiment()) {
        let said = Brief::about(&subject(&experiment), &[]);
        let text = text_of(&said.sentence);
        prop_assert!(text.chars().count() <= ROW_MAX && !text.is_empty(), "{text}");
        prop_assert!(is_clean(&text) && is_clean(&said.health), "{text}");
        prop_assert!(text.ends_with(['.', '…']) && !text.contains("  "), "{text}");
    }
}
