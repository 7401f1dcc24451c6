//! Files of flagd that its scenarios do not have: what is refused, what is quarantined, and what stays as flagd has it.

#![allow(clippy::unwrap_used, reason = "a case that cannot be built has failed")]

use assay_experiment::evaluation::{Context, Ruleset};
use assay_experiment::{ConfigVersion, Definitions, flagd, ofrep};
use serde_json::{Value as Json, json};

fn answer(file: &Json, key: &str, context: &Json) -> Json {
    let import = flagd::import(&file.to_string()).unwrap();
    let definitions = Definitions { flags: import.flags, ..Definitions::default() };
    let ruleset = Ruleset::compile(&definitions, ConfigVersion(1), "production");
    let context = Context::parse(context.to_string().as_bytes()).unwrap();
    ofrep::body(&ruleset, key, &ruleset.evaluate_key(key, &context))
}

fn one(flag: Json) -> Json {
    json!({"flags": {"f": flag}})
}

#[test]
fn what_is_no_flag_is_refused_alone() {
    let good = json!({"state": "ENABLED", "variants": {"a": 1}, "defaultVariant": "a"});
    for (flag, expected) in [
        (json!({"variants": {"a": 1}}), "neither ENABLED nor DISABLED"),
        (json!({"state": "ENABLED"}), "it has no object 'variants'"),
        (json!({"state": "ENABLED", "variants": {}}), "0 variants; 1 to 64 are allowed"),
        (json!({"state": "ENABLED", "variants": {"a": 1, "b": "x"}}), "another type than the flag"),
        (json!({"state": "ENABLED", "variants": {"a": 1}, "defaultVariant": "b"}), "default 'b' is no variant"),
        (json!({"state": "ENABLED", "variants": {"a": 1}, "metadata": {"m": {}}}), "'m' must be a text"),
        (json!(5), "neither ENABLED nor DISABLED"),
    ] {
        let import = flagd::import(&json!({"flags": {"good": good, "bad": flag}}).to_string()).unwrap();
        assert_eq!(import.flags.keys().collect::<Vec<_>>(), ["good"]);
        let [(key, reason)] = import.refused.as_slice() else { panic!("{:?}", import.refused) };
        assert!(key == "bad" && reason.contains(expected), "{expected}: {reason}");
    }
    for (text, expected) in [("{", "not JSON"), ("[]", "no object 'flags'"), ("{\"flags\": []}", "no object 'flags'")] {
        assert!(flagd::import(text).unwrap_err().contains(expected), "{text}");
    }
}

#[test]
fn references_that_go_in_a_circle_or_explode_end() {
    let circle = json!({"a": {"!": {"$ref": "b"}}, "b": {"!": {"$ref": "a"}}});
    // Each names the next one ten times: ten million values, were they all written out.
    let ten = |next: usize| json!({"or": vec![json!({"$ref": format!("e{next}")}); 10]});
    let bomb: serde_json::Map<String, Json> =
        (0..8).map(|at| (format!("e{at}"), if at == 7 { json!(true) } else { ten(at + 1) })).collect();
    for (evaluators, start) in [(circle, "a"), (bomb.into(), "e0")] {
        let mut file = one(json!({
            "state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on", "targeting": {"if": [{"$ref": start}, "on"]},
        }));
        file["$evaluators"] = evaluators;
        let body = answer(&file, "f", &json!({}));
        assert_eq!(body["errorCode"], "PARSE_ERROR", "{body}");
    }
}

#[test]
fn evaluators_may_name_others() {
    let mut file = one(json!({
        "state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
        "targeting": {"if": [{"$ref": "german-staff"}, "on"]},
    }));
    file["$evaluators"] = json!({
        "german-staff": {"and": [{"$ref": "german"}, {"ends_with": [{"var": "email"}, "@example.com"]}]},
        "german": {"==": [{"var": "country"}, "DE"]},
    });
    let context = json!({"country": "DE", "email": "ann@example.com"});
    assert_eq!(answer(&file, "f", &context)["value"], true);
    assert_eq!(answer(&file, "f", &json!({"country": "DE"}))["reason"], "DEFAULT");
}

/// flagd hands the choice to the caller where a flag is disabled, has no default, or buckets nobody.
#[test]
fn the_callers_own_default_stays_the_callers() {
    let split = json!({"fractional": [["a", 50], ["b", 50]]});
    for (flag, context, reason, variant) in [
        (json!({"state": "DISABLED", "variants": {"a": "x"}, "defaultVariant": "a"}), json!({}), "DISABLED", None),
        (json!({"state": "ENABLED", "variants": {"a": "x"}}), json!({}), "DEFAULT", None),
        (json!({"state": "ENABLED", "variants": {"a": "x"}, "targeting": {}}), json!({}), "DEFAULT", None),
        (json!({"state": "ENABLED", "variants": {"a": "x"}, "defaultVariant": "a"}), json!({}), "STATIC", Some("a")),
        (json!({"state": "ENABLED", "variants": {"a": "x", "b": "y"}, "targeting": split}), json!({}), "DEFAULT", None),
        (
            json!({"state": "ENABLED", "variants": {"a": "x", "b": "y"}, "targeting": split}),
            json!({"targetingKey": ""}),
            "DEFAULT",
            None,
        ),
    ] {
        let body = answer(&one(flag), "f", &context);
        assert_eq!((&body["reason"], &body["variant"]), (&json!(reason), &json!(variant)), "{body}");
        assert_eq!(body.get("value").is_some(), variant.is_some(), "{body}");
    }
}
