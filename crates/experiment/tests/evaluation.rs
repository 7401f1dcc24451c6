//! The order of an evaluation, step by step, and what must hold for every definition.

#![allow(clippy::unwrap_used, reason = "a case that cannot be built has failed")]

use assay_experiment::evaluation::{BadContext, Context, Reason, Ruleset};
use assay_experiment::{ConfigVersion, Definitions, Source, ofrep, parse};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::fmt::Write;

fn definitions(text: &str) -> Definitions {
    parse(&[Source { name: "test", text }]).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

fn compile(text: &str) -> Ruleset {
    Ruleset::compile(&definitions(text), ConfigVersion(3), "production")
}

/// An answer in a line: variant, reason, and what else it says.
fn told(ruleset: &Ruleset, key: &str, context: &str) -> String {
    let context = match Context::parse(context.as_bytes()) {
        Ok(context) => context,
        Err(bad) => return bad.to_string(),
    };
    let answer = match ruleset.evaluate_key(key, &context) {
        Ok(answer) => answer,
        Err(failure) => return format!("{}: {failure}", failure.code()),
    };
    let rule = &ruleset.flags()[answer.flag];
    assert_eq!(rule.key(), key);
    let variant = answer.variant.map_or("-", |variant| rule.variants()[variant].0.as_str());
    let mut out = format!("{variant} {}", answer.reason.name());
    if let Some(id) = answer.holdout {
        write!(out, " holdout {id}").unwrap();
    }
    if let Some(id) = answer.prerequisite {
        write!(out, " prerequisite {id}").unwrap();
    }
    if let Some(it) = answer.exposure {
        let name = &it.experiment.variants[it.variant].name;
        write!(out, " exposes {} to {} {name} in phase {}", it.unit, it.experiment.id, it.phase).unwrap();
    }
    out
}

fn check(text: &str, cases: &[(&str, &str, &str)]) {
    let ruleset = compile(text);
    for (key, context, expected) in cases {
        assert_eq!(told(&ruleset, key, context), *expected, "{key} for {context}");
    }
}

/// Its two variants, and a condition that holds for staff.
const FLAG: &str = r#"kind: flag
type: boolean
variants: { "on": true, "off": false }
default: "off""#;
const STAFF: &str = r#"{ "==": [{ var: staff }, true] }"#;

fn flag(id: &str, keys: &str) -> String {
    format!("{FLAG}\nid: {id}\n{keys}\n---\n")
}

/// An experiment in which everybody is, because its second variant has all the weight.
fn experiment(id: &str, keys: &str) -> String {
    format!(
        "kind: experiment\nid: {id}\nsalt: s\nvariants: [{{ name: a, control: true, weight: 0 }}, {{ name: b, weight: 1 }}]\n{keys}\n---\n"
    )
}

#[test]
fn environments_come_first() {
    let text = flag("everywhere", "")
        + &flag("here", "environments: [staging, production]")
        + &flag("elsewhere", "environments: [staging]")
        + &experiment("e", "status: running\nenvironments: [staging]")
        + &experiment("external", "status: running\nassignment: external");
    let unknown = "FLAG_NOT_FOUND: no flag or experiment of this key is served in this environment; see `assay check` for what is defined";
    check(
        &text,
        &[
            ("everywhere", "{}", "off STATIC"),
            ("here", "{}", "off STATIC"),
            ("elsewhere", "{}", unknown),
            ("e", r#"{"targetingKey":"u"}"#, unknown),
            ("external", r#"{"targetingKey":"u"}"#, unknown),
            ("nothing", "{}", unknown),
        ],
    );
    let ruleset = compile(&text);
    let keys: Vec<&str> = ruleset.flags().iter().map(|rule| rule.key()).collect();
    assert_eq!(keys, ["everywhere", "here"]);
    assert_eq!((ruleset.index("here"), ruleset.index("e")), (Some(1), None));
    assert_eq!((ruleset.version(), ruleset.environment()), (ConfigVersion(3), "production"));
}

#[test]
fn disabled_comes_before_overrides_and_overrides_before_everything_else() {
    let rules = format!("rules: [{{ if: {STAFF}, serve: \"on\" }}]");
    let forced = "overrides: { \"on\": [qa-1, 17], \"off\": [qa-2] }";
    let text = flag("disabled", &format!("enabled: false\n{forced}\n{rules}"))
        + &flag("forced", &format!("{forced}\n{rules}\nprerequisites: [{{ flag: disabled, variant: \"off\" }}]"))
        + &experiment("running", "status: running\noverrides: { a: [qa-1] }")
        + &experiment("paused", "status: paused\noverrides: { b: [qa-1] }")
        + &experiment("draft", "")
        + &experiment("stopped", "status: stopped");
    check(
        &text,
        &[
            ("disabled", r#"{"targetingKey":"qa-1","staff":true}"#, "off DISABLED"),
            ("forced", r#"{"targetingKey":"qa-1"}"#, "on TARGETING_MATCH"),
            ("forced", r#"{"targetingKey":17}"#, "on TARGETING_MATCH"),
            ("forced", r#"{"targetingKey":"qa-2","staff":true}"#, "off TARGETING_MATCH"),
            // A disabled flag never satisfies, whatever its default is.
            ("forced", r#"{"targetingKey":"u","staff":true}"#, "off DEFAULT prerequisite disabled"),
            // Whoever is forced is not in the experiment, so nothing is exposed.
            ("running", r#"{"targetingKey":"qa-1"}"#, "a TARGETING_MATCH"),
            ("running", r#"{"targetingKey":"u"}"#, "b SPLIT exposes u to running b in phase 1"),
            ("paused", r#"{"targetingKey":"qa-1"}"#, "a DISABLED"),
            ("draft", "{}", "a DISABLED"),
            ("stopped", r#"{"targetingKey":"u"}"#, "a DISABLED"),
        ],
    );
}

#[test]
fn prerequisites_are_evaluated_for_the_same_context() {
    let staff = format!("rules: [{{ if: {STAFF}, serve: \"on\" }}]");
    let needs = |id: &str, variant: &str| format!("prerequisites: [{{ flag: {id}, variant: \"{variant}\" }}]");
    let everybody = "rules: [{ serve: \"on\" }]";
    let text = flag("parent", &staff)
        + &flag("child", &format!("{}\n{everybody}", needs("parent", "on")))
        + &flag("grandchild", &format!("{}\n{everybody}", needs("child", "on")))
        + &flag("parent-is-off", &format!("{}\n{everybody}", needs("parent", "off")))
        + &flag("elsewhere", &format!("environments: [staging]\n{everybody}"))
        + &flag("orphan", &format!("{}\n{everybody}", needs("elsewhere", "on")))
        + &flag("split", "rules: [{ rollout: { \"on\": 1 } }]")
        + &flag("of-split", &format!("{}\n{everybody}", needs("split", "on")))
        + &flag(
            "both",
            &format!(
                "prerequisites: [{{ flag: parent, variant: \"on\" }}, {{ flag: child, variant: \"on\" }}]\n{everybody}"
            ),
        );
    check(
        &text,
        &[
            ("child", r#"{"staff":true}"#, "on TARGETING_MATCH"),
            ("child", "{}", "off DEFAULT prerequisite parent"),
            ("grandchild", r#"{"staff":true}"#, "on TARGETING_MATCH"),
            ("grandchild", "{}", "off DEFAULT prerequisite child"),
            ("parent-is-off", "{}", "on TARGETING_MATCH"),
            ("orphan", r#"{"staff":true}"#, "off DEFAULT prerequisite elsewhere"),
            ("both", r#"{"staff":true}"#, "on TARGETING_MATCH"),
            ("of-split", r#"{"targetingKey":"u"}"#, "on TARGETING_MATCH"),
            (
                "of-split",
                "{}",
                "TARGETING_KEY_MISSING: the context has no targetingKey, so nobody knows whose bucket this is; send one",
            ),
        ],
    );
}

#[test]
fn prerequisites_that_lead_nowhere_are_refused_by_name() {
    let needs = |id: &str, flag: &str, variant: &str| {
        self::flag(id, &format!("prerequisites: [{{ flag: {flag}, variant: \"{variant}\" }}]"))
    };
    let chain: String = (0..10)
        .map(|at| if at == 0 { flag("f0", "") } else { needs(&format!("f{at}"), &format!("f{}", at - 1), "on") })
        .collect();
    let wide: String = (0..6)
        .map(|at| {
            // Each needs all before it, so the evaluations double.
            let all: Vec<String> = (0..at).map(|of| format!("{{ flag: w{of}, variant: \"on\" }}")).collect();
            let more = if at == 0 { String::new() } else { format!("prerequisites: [{}]", all.join(", ")) };
            flag(&format!("w{at}"), &more)
        })
        .collect();
    assert!(parse(&[Source { name: "t", text: &wide }]).is_ok(), "a parent that is mentioned twice is no circle");
    for (text, expected) in [
        (needs("a", "b", "on"), "which is no flag that is defined"),
        (needs("a", "a", "on"), "its prerequisites go in a circle: a, a"),
        (needs("a", "b", "on") + &needs("b", "c", "on") + &needs("c", "a", "off"), "go in a circle: a, b, c, a"),
        (flag("b", "") + &needs("a", "b", "of"), "has no such variant; did you mean 'off'?"),
        (chain, "'f9': its prerequisites are more than 8 deep"),
    ] {
        let problems = parse(&[Source { name: "t", text: &text }]).unwrap_err();
        assert!(problems.iter().any(|it| it.to_string().contains(expected)), "{expected}: {problems:?}");
        assert!(problems.iter().all(|it| it.line > 0), "each says where: {problems:?}");
    }
}

#[test]
fn a_holdout_keeps_units_out_of_experiments_but_not_out_of_what_ships() {
    let outcome = "variants: { a: 1, b: 2, new: 3 }\ndefault: a";
    let text = "{ kind: holdout, id: h, share: 99.9999% }\n---\n{ kind: holdout, id: other, unit: device, share: 99.9999% }\n---\n".to_owned()
        + &experiment("e", "status: running")
        + &experiment("on-devices", "status: running\nunit: device")
        + &experiment("on-accounts", "status: running\nunit: account")
        + &format!("kind: flag\nid: f\ntype: number\n{outcome}\nrules: [{{ experiment: e }}]\n---\n")
        + &format!("kind: flag\nid: ships\ntype: number\n{outcome}\nrules: [{{ experiment: e }}, {{ serve: new }}]\n---\n");
    check(
        &text,
        &[
            ("e", r#"{"targetingKey":"u"}"#, "a DEFAULT holdout h"),
            ("f", r#"{"targetingKey":"u"}"#, "a DEFAULT holdout h"),
            ("ships", r#"{"targetingKey":"u"}"#, "new TARGETING_MATCH holdout h"),
            ("on-devices", r#"{"targetingKey":"u","device":"d"}"#, "a DEFAULT holdout other"),
            (
                "on-accounts",
                r#"{"targetingKey":"u","account":"acme"}"#,
                "b SPLIT exposes acme to on-accounts b in phase 1",
            ),
        ],
    );
}

#[test]
fn rules_are_tried_in_order_and_then_the_default() {
    let rules = format!(
        "rules: [{{ if: {STAFF}, serve: \"on\" }}, {{ if: {{ \"in\": [{{ var: country }}, [DE, FR]] }}, rollout: {{ \"on\": 1 }} }}, {{ if: {{ var: beta }}, serve: \"off\" }}]"
    );
    let text = flag("f", &rules)
        + &flag("static", "")
        + "{ kind: flag, id: caller, type: string, variants: { a: x } }\n---\n"
        + "{ kind: flag, id: rule, type: string, variants: { a: x }, rules: [{ if: { var: x }, serve: a }] }\n---\n"
        + "{ kind: flag, id: off, type: string, variants: { a: x }, enabled: false }";
    check(
        &text,
        &[
            ("f", r#"{"staff":true,"country":"DE"}"#, "on TARGETING_MATCH"),
            ("f", r#"{"targetingKey":"u","country":"DE","beta":true}"#, "on SPLIT"),
            ("f", r#"{"beta":"yes"}"#, "off TARGETING_MATCH"),
            ("f", r#"{"beta":""}"#, "off DEFAULT"),
            // Nobody is asked for a targeting key that no hash needs.
            ("f", "{}", "off DEFAULT"),
            (
                "f",
                r#"{"country":"FR"}"#,
                "TARGETING_KEY_MISSING: the context has no targetingKey, so nobody knows whose bucket this is; send one",
            ),
            ("static", "{}", "off STATIC"),
            ("caller", "{}", "- DEFAULT"),
            ("rule", "{}", "- DEFAULT"),
            ("rule", r#"{"x":1}"#, "a TARGETING_MATCH"),
            ("off", "{}", "- DISABLED"),
        ],
    );
}

#[test]
fn a_flag_may_serve_what_an_experiment_decides() {
    let flag = |rules: &str| {
        format!(
            "kind: flag\nid: f\ntype: string\nvariants: {{ a: old, b: new, c: other }}\ndefault: c\nrules: [{rules}]\n---\n"
        )
    };
    let targeted = format!("status: running\ntargeting: {STAFF}");
    let slots = "status: running\nlayer: l\nslots: [[0, 1]]";
    let layer = "{ kind: layer, id: l }\n---\n";
    for (keys, rules, context, expected) in [
        ("status: running", "{ experiment: e }", r#"{"targetingKey":"u"}"#, "b SPLIT exposes u to e b in phase 1"),
        (&targeted, "{ experiment: e }", r#"{"targetingKey":"u"}"#, "c DEFAULT"),
        (&targeted, "{ experiment: e }", "{}", "c DEFAULT"),
        (slots, "{ experiment: e }, { serve: a }", r#"{"targetingKey":"u"}"#, "a TARGETING_MATCH"),
        ("status: paused", "{ experiment: e }", r#"{"targetingKey":"u"}"#, "c DEFAULT"),
        ("status: running\nenvironments: [staging]", "{ experiment: e }", r#"{"targetingKey":"u"}"#, "c DEFAULT"),
        ("status: running\noverrides: { a: [u] }", "{ experiment: e }", r#"{"targetingKey":"u"}"#, "a TARGETING_MATCH"),
        ("status: running", "{ if: { var: x }, experiment: e }", r#"{"targetingKey":"u"}"#, "c DEFAULT"),
    ] {
        check(&(experiment("e", keys) + &flag(rules) + layer), &[("f", context, expected)]);
    }
    for (text, expected) in [
        (flag("{ experiment: e }"), "serves experiment 'e', which is not defined"),
        (flag("{ experiment: e }") + &experiment("e", "assignment: external"), "is assigned elsewhere"),
        (flag("{ experiment: e }").replace("b: new, ", "") + &experiment("e", ""), "'b' is missing"),
    ] {
        let problems = parse(&[Source { name: "t", text: &text }]).unwrap_err();
        assert!(problems.iter().any(|it| it.message.contains(expected) && it.line > 0), "{expected}: {problems:?}");
    }
}

#[test]
fn units_are_texts_or_integers_of_their_type() {
    let text = experiment("users", "status: running") + &experiment("devices", "status: running\nunit: device");
    let user = "TARGETING_KEY_MISSING: the context has no targetingKey, so nobody knows whose bucket this is; send one";
    let device = "TARGETING_KEY_MISSING: the context has no 'device', which is randomised; send the attribute, or a targetingKey with unitType 'device'";
    let rule = "the id of a unit is a text of 1 to 128 bytes, or an integer";
    let invalid = |name: &str, what: &str| format!("INVALID_CONTEXT: '{name}' is {what}; {rule}");
    let long = format!(r#"{{"targetingKey":"{}"}}"#, "x".repeat(129));
    let longest = format!(r#"{{"targetingKey":"{}"}}"#, "x".repeat(128));
    let exposes = |unit: &str, to: &str| format!("b SPLIT exposes {unit} to {to} b in phase 1");
    let ruleset = compile(&text);
    for (key, context, expected) in [
        ("users", r#"{"targetingKey":"u"}"#, exposes("u", "users")),
        ("users", r#"{"targetingKey":42}"#, exposes("42", "users")),
        ("users", r#"{"targetingKey":-7}"#, exposes("-7", "users")),
        ("users", r#"{"targetingKey":"","user":"u"}"#, user.to_owned()),
        ("users", r#"{"targetingKey":null}"#, user.to_owned()),
        ("users", "{}", user.to_owned()),
        // The context is about a device, so its key is no user's.
        ("users", r#"{"targetingKey":"d","unitType":"device"}"#, user.to_owned()),
        ("users", r#"{"targetingKey":"d","unitType":"device","user":"u"}"#, exposes("u", "users")),
        ("users", r#"{"targetingKey":1.5}"#, invalid("targetingKey", "a fraction, or an integer beyond 64 bits")),
        ("users", r#"{"targetingKey":5.0}"#, invalid("targetingKey", "a fraction, or an integer beyond 64 bits")),
        (
            "users",
            r#"{"targetingKey":9223372036854775808}"#,
            invalid("targetingKey", "a fraction, or an integer beyond 64 bits"),
        ),
        ("users", r#"{"targetingKey":true}"#, invalid("targetingKey", "a boolean")),
        ("users", r#"{"targetingKey":{"id":1}}"#, invalid("targetingKey", "a list or an object")),
        ("users", &long, invalid("targetingKey", "129 bytes long")),
        ("users", &longest, exposes(&"x".repeat(128), "users")),
        ("devices", r#"{"targetingKey":"u","device":"d"}"#, exposes("d", "devices")),
        ("devices", r#"{"targetingKey":"d","unitType":"device"}"#, exposes("d", "devices")),
        ("devices", r#"{"targetingKey":"u"}"#, device.to_owned()),
        ("devices", r#"{"targetingKey":"u","device":[1]}"#, invalid("device", "a list or an object")),
    ] {
        assert_eq!(told(&ruleset, key, context), expected, "{key} for {context}");
    }
    let context = Context::parse(br#"{"targetingKey":42}"#).unwrap();
    assert_eq!(context.targeting_key(), Some("42"));
}

/// A ruleset is read by every thread of an edge; a context goes with its request.
#[test]
fn rulesets_are_shared_and_contexts_are_sent() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Ruleset>();
    sent::<Context>();
}

#[test]
fn contexts_have_limits() {
    let many = |count: usize| {
        let keys: Vec<String> = (0..count).map(|at| format!("\"k{at}\":{at}")).collect();
        format!("{{{}}}", keys.join(","))
    };
    let deep = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    for (text, fits) in [
        (many(256), true),
        (many(257), false),
        (deep(8), true),
        (deep(9), false),
        (format!(r#"{{"a":[0{}]}}"#, ",0".repeat(999)), true),
        (format!(r#"{{"a":[0{}],"b":[]}}"#, ",0".repeat(1_000)), false),
        (format!(r#"{{"a":"{}"}}"#, "x".repeat(65_528)), true),
        (format!(r#"{{"a":"{}"}}"#, "x".repeat(65_529)), false),
    ] {
        let found = Context::parse(text.as_bytes());
        assert_eq!(found.is_ok(), fits, "{found:?}");
        assert!(fits || matches!(found, Err(BadContext::TooLarge(_))));
    }
    for text in [
        "",
        "[]",
        "null",
        "\"u\"",
        "{",
        r#"{"a":1,}"#,
        r#"{"a":1,"a":2}"#,
        "{\"a\":\"\u{1}\"}",
        "{} {}",
        r#"{"a":1e999}"#,
    ] {
        assert!(matches!(Context::parse(text.as_bytes()), Err(BadContext::Malformed(_))), "{text}");
    }
    assert!(Context::parse(b"{\"a\":\"\xff\"}").is_err());
}

/// A flag whose only rule has this condition.
fn holds(condition: &str, context: &str) -> bool {
    let ruleset = compile(&flag("f", &format!("rules: [{{ if: {condition}, serve: \"on\" }}]")));
    assert_eq!(ruleset.quarantined(), []);
    told(&ruleset, "f", context) == "on TARGETING_MATCH"
}

#[test]
fn conditions_are_json_logic_and_what_is_unknown_matches_nothing() {
    for (condition, context, expected) in [
        (r#"{ "==": [{ var: a }, 1] }"#, r#"{"a":1}"#, true),
        (r#"{ "==": [{ var: a }, "1"] }"#, r#"{"a":1}"#, true),
        (r#"{ "===": [{ var: a }, "1"] }"#, r#"{"a":1}"#, false),
        (r#"{ "==": [{ var: user.name }, x] }"#, r#"{"user":{"name":"x"}}"#, true),
        (r#"{ "<": [{ var: age }, 18] }"#, r#"{"age":17}"#, true),
        (r#"{ "<": [{ var: age }, 18] }"#, "{}", false),
        (r#"{ "<=": [{ var: age }, 18] }"#, r#"{"age":null}"#, false),
        (r#"{ ">": [18, { var: age }] }"#, "{}", false),
        (r#"{ ">=": [{ var: age }, 0] }"#, "{}", false),
        (r#"{ "<": [1, { var: age }, 18] }"#, "{}", false),
        (r#"{ ">": [{ "+": [{ var: a }, 1] }, 0] }"#, "{}", false),
        (r#"{ ">": [{ "*": [{ var: a }, 2] }, 3] }"#, r#"{"a":"x"}"#, false),
        (r#"{ "==": [{ var: a }, [1]] }"#, r#"{"a":{"b":1}}"#, false),
        (r#"{ "!=": [{ var: country }, DE] }"#, "{}", true),
        (r#"{ "!": { var: a } }"#, "{}", true),
        (r#"{ "and": [true, { "in": [{ var: a }, [x, y]] }] }"#, r#"{"a":"y"}"#, true),
        (r#"{ "in": [{ var: a }, "xyz"] }"#, r#"{"a":"y"}"#, true),
        (r#"{ "in": [x, { var: a }] }"#, r#"{"a":["w","x"]}"#, true),
        (r#"{ "in": [{ var: a }, [x]] }"#, "{}", false),
        (r#"{ "starts_with": [{ var: a }, ab] }"#, r#"{"a":"abc"}"#, true),
        (r#"{ "ends_with": [{ var: a }, ""] }"#, r#"{"a":5}"#, false),
        (r#"{ "sem_ver": [{ var: v }, ">=", "1.2"] }"#, r#"{"v":"v1.10.0"}"#, true),
        (r#"{ "sem_ver": [{ var: v }, ">=", "1.2"] }"#, "{}", false),
        (r#"{ "matches": [{ var: a }, "^[a-c]+$"] }"#, r#"{"a":"abc"}"#, true),
        (r#"{ "matches": [{ var: a }, "^[a-c]+$"] }"#, r#"{"a":"abd"}"#, false),
        (r#"{ "matches": [{ var: a }, ".*"] }"#, "{}", false),
        (r#"{ "or": [{ "matches": [{ var: a }, x] }, { "matches": [{ var: a }, y] }] }"#, r#"{"a":"y"}"#, true),
        (r#"{ "some": [{ var: a }, { "==": [{ var: "" }, 2] }] }"#, r#"{"a":[1,2]}"#, true),
        (r#"{ "all": [{ var: a }, { ">": [{ var: n }, 1] }] }"#, r#"{"a":[{"n":2},{"n":3}]}"#, true),
        (
            r#"{ "==": [{ reduce: [{ var: a }, { "+": [{ var: current }, { var: accumulator }] }, 0] }, 6] }"#,
            r#"{"a":[1,2,3]}"#,
            true,
        ),
        (r#"{ "missing": [a, b] }"#, r#"{"a":1}"#, true),
        (r#"{ "missing": [a] }"#, r#"{"a":1}"#, false),
        (r#"{ "==": [{ cat: [{ var: $flagd.flagKey }, "!"] }, "f!"] }"#, "{}", true),
        (r#"{ "==": [{ log: { var: a } }, 1] }"#, r#"{"a":1}"#, true),
        (r#"{ "==": [{ "if": [{ var: a }, x, y] }, y] }"#, "{}", true),
        (r#"{ var: [a, 7] }"#, "{}", true),
    ] {
        assert_eq!(holds(condition, context), expected, "{condition} for {context}");
    }
}

/// Long lists of texts or integers become sets; short ones do not, and both must say the same.
#[test]
fn a_set_answers_as_a_list_does() {
    for members in [
        (0..40).map(|at| format!("\"n{at}\"")).collect::<Vec<_>>(),
        (0..40).map(|at| (at - 20).to_string()).collect(),
        (0..40).map(|at| if at % 2 == 0 { at.to_string() } else { format!("\"n{at}\"") }).collect(),
    ] {
        let set = format!(r#"{{ "in": [{{ var: a }}, [{}]] }}"#, members.join(", "));
        let lists: Vec<String> =
            members.chunks(7).map(|few| format!(r#"{{ "in": [{{ var: a }}, [{}]] }}"#, few.join(", "))).collect();
        let list = format!(r#"{{ "or": [{}] }}"#, lists.join(", "));
        for value in [
            "\"n0\"",
            "\"n39\"",
            "\"n40\"",
            "\"\"",
            "\"0\"",
            "0",
            "-0",
            "0.0",
            "-20",
            "19",
            "20",
            "1e1",
            "0.5",
            "null",
            "true",
            "false",
            "[\"n0\"]",
            "[0]",
            "{\"n0\":1}",
        ] {
            let context = format!(r#"{{"a":{value}}}"#);
            assert_eq!(holds(&set, &context), holds(&list, &context), "{value} in {set}");
        }
        assert!(!holds(&set, "{}"));
    }
}

#[test]
fn a_rule_finds_the_time_where_the_caller_gives_it() {
    let ruleset = compile(&flag("f", "rules: [{ if: { \">=\": [{ var: $flagd.timestamp }, 1000] }, serve: \"on\" }]"));
    let reason = |context: Context| ruleset.evaluate_key("f", &context).unwrap().reason;
    assert_eq!(reason(Context::parse(b"{}").unwrap()), Reason::Default);
    for text in ["{}", " { } ", r#"{"targetingKey":"u"}"#, "{\n\"a\":1}"] {
        assert_eq!(reason(Context::at(text.as_bytes(), 999).unwrap()), Reason::Default, "{text}");
        assert_eq!(reason(Context::at(text.as_bytes(), 1000).unwrap()), Reason::TargetingMatch, "{text}");
    }
    assert!(Context::at(br#"{"$flagd":{"timestamp":5}}"#, 1).is_err());
    assert!(Context::at(b"[1]", 1).is_err());
}

#[test]
fn rules_have_limits_that_people_are_told_and_that_quarantine_one_flag_alone() {
    let names = |count: usize, length: usize| -> String {
        (0..count).map(|at| format!("{at:0length$}")).collect::<Vec<_>>().join("\",\"")
    };
    let not = |depth: usize| format!("{}true{}", "{\"!\":".repeat(depth), "}".repeat(depth));
    for (condition, expected) in [
        (format!(r#"{{"in":[{{"var":"a"}},[0{}]]}}"#, ",0".repeat(10_000)), "a list of 10001 values; at most 10000"),
        (format!(r#"{{"in":[{{"var":"a"}},["{}"]]}}"#, names(2_000, 40)), "bytes; at most 65536 are allowed"),
        (not(33), "nested more than 32 deep"),
        (r#"{"matches":[{"var":"a"},{"var":"b"}]}"#.to_owned(), "a regular expression, written out as a text"),
        (r#"{"matches":[{"var":"a"},"(x"]}"#.to_owned(), "'(x' cannot be used as a regular expression: unclosed group"),
        (r#"{"matches":[{"var":"a"},"(x)\\1"]}"#.to_owned(), "backreferences are not supported"),
        (format!(r#"{{"matches":[{{"var":"a"}},"{}"]}}"#, "x".repeat(513)), "has 513 bytes; at most 512"),
        (r#"{"matches":[{"var":"a"},"[\\\\w]{900}"]}"#.to_owned(), "it needs more than 65536 bytes"),
        (
            r#"{"some":[{"var":"a"},{"some":[{"var":"b"},{"some":[{"var":"c"},true]}]}]}"#.to_owned(),
            "more than 2 operators over lists",
        ),
        (
            r#"{"reduce":[{"var":"a"},{"cat":[{"var":"accumulator"},{"var":"accumulator"}]},"x"]}"#.to_owned(),
            "'cat' inside 'reduce' could grow",
        ),
    ] {
        let text = flag("bad", &format!("rules: [{{ name: r, if: {condition}, serve: \"on\" }}]")) + &flag("good", "");
        let problems = parse(&[Source { name: "t", text: &text }]).unwrap_err();
        assert!(problems.len() == 1 && problems[0].message.contains(expected), "{expected}: {problems:?}");
        assert_eq!(problems[0].line, 6);
        // From a log such a rule can still come; then it is quarantined alone.
        let mut all = definitions(&(flag("bad", "rules: [{ name: r, if: true, serve: \"on\" }]") + &flag("good", "")));
        all.flags.get_mut("bad").unwrap().rules[0].condition = serde_json::from_str(&condition).unwrap();
        let parts = assay_experiment::canonical::parts(&all);
        assert_eq!(assay_experiment::canonical::definitions(parts.iter().map(String::as_str)).as_ref(), Ok(&all));
        let ruleset = Ruleset::compile(&all, ConfigVersion(3), "production");
        let [(key, reason)] = ruleset.quarantined() else { panic!("{expected}: {:?}", ruleset.quarantined()) };
        assert!(key == "bad" && reason.starts_with("rule 'r': ") && reason.contains(expected), "{reason}");
        let failure = told(&ruleset, "bad", "{}");
        assert!(failure.starts_with("PARSE_ERROR: the flag cannot be evaluated: rule 'r'"), "{failure}");
        assert_eq!(told(&ruleset, "good", "{}"), "off STATIC");
    }
}

#[test]
fn a_regular_expression_takes_linear_time_and_only_short_texts() {
    let condition = r#"{ "matches": [{ var: a }, "^(a+)+$"] }"#;
    assert!(!holds(condition, &format!(r#"{{"a":"{}b"}}"#, "a".repeat(4_095))));
    assert!(holds(condition, &format!(r#"{{"a":"{}"}}"#, "a".repeat(4_096))));
    assert!(!holds(condition, &format!(r#"{{"a":"{}"}}"#, "a".repeat(4_097))));
}

#[test]
fn targeting_names_variants_as_in_flagd() {
    let keys = r#"targeting: { "if": [{ "==": [{ var: country }, DE] }, "on", { "==": [{ var: country }, FR] }, { var: x }] }"#;
    let text = flag("f", keys)
        + "{ kind: flag, id: shorthand, type: boolean, variants: { \"true\": true, \"false\": false }, default: \"false\", targeting: { \"==\": [{ var: a }, 1] } }";
    check(
        &text,
        &[
            ("f", r#"{"country":"DE"}"#, "on TARGETING_MATCH"),
            ("f", r#"{"country":"FR","x":"off"}"#, "off TARGETING_MATCH"),
            ("f", r#"{"country":"FR"}"#, "off DEFAULT"),
            ("f", "{}", "off DEFAULT"),
            (
                "f",
                r#"{"country":"FR","x":"up"}"#,
                "GENERAL: the targeting rule yields 'up', which is no variant of the flag",
            ),
            (
                "f",
                r#"{"country":"FR","x":[1]}"#,
                "GENERAL: the targeting rule yields 'a list or an object', which is no variant of the flag",
            ),
            ("shorthand", r#"{"a":1}"#, "true TARGETING_MATCH"),
            ("shorthand", "{}", "false TARGETING_MATCH"),
        ],
    );
}

fn scenarios() -> Json {
    serde_json::from_str(include_str!("../../../schemas/assignment.json")).unwrap()
}

#[test]
fn the_scenarios_of_assignment_are_what_the_engine_answers() {
    let mut checked = 0;
    for scenario in scenarios()["scenarios"].as_array().unwrap() {
        let variants: Vec<String> = scenario["variants"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
            .map(|(at, it)| {
                let weight = it[1][1].as_u64().unwrap() - it[1][0].as_u64().unwrap();
                format!("{{ name: {}, control: {}, weight: {} }}", it[0], at == 0, weight as f64 / 1e6)
            })
            .collect();
        let control = scenario["variants"][0][0].as_str().unwrap();
        for step in scenario["steps"].as_array().unwrap() {
            let ruleset = compile(&format!(
                "{{ kind: layer, id: {} }}\n---\n{{ kind: experiment, id: e, status: running, salt: {}, layer: {}, slots: {}, variants: [{}] }}",
                scenario["layer"],
                scenario["salt"],
                scenario["layer"],
                step["layer_ranges"],
                variants.join(", ")
            ));
            for (unit, expected) in step["expect"].as_object().unwrap() {
                let expected = match expected.as_str() {
                    Some(variant) => format!("{variant} SPLIT exposes {unit} to e {variant} in phase 1"),
                    None => format!("{control} DEFAULT"),
                };
                assert_eq!(told(&ruleset, "e", &json!({"targetingKey": unit}).to_string()), expected);
                checked += 1;
            }
        }
    }
    assert!(checked >= 200, "the scenarios were cut: {checked}");
}

#[test]
fn members_of_a_layer_exclude_each_other_and_unequal_splits_are_kept() {
    let member = |id: &str, slots: &str| {
        format!(
            "kind: experiment\nid: {id}\nsalt: {id}\nstatus: running\nlayer: l\nslots: {slots}\nvariants: [{{ name: a, control: true, weight: 90% }}, {{ name: b, weight: 10% }}]\n---\n"
        )
    };
    let text = "{ kind: layer, id: l }\n---\n".to_owned()
        + &member("x", "[[0, 300000]]")
        + &member("y", "[[300000, 800000]]")
        + &experiment("free", "status: running");
    let ruleset = compile(&text);
    let (mut inside, mut treated, mut free) = ([0; 2], [0; 2], 0);
    for at in 0..20_000 {
        let context = Context::parse(format!(r#"{{"targetingKey":"u{at}"}}"#).as_bytes()).unwrap();
        let exposed = ["x", "y"].map(|key| ruleset.evaluate_key(key, &context).unwrap().exposure.map(|it| it.variant));
        assert!(exposed.iter().flatten().count() <= 1, "u{at} is in two members");
        for (member, variant) in exposed.iter().enumerate() {
            inside[member] += usize::from(variant.is_some());
            treated[member] += usize::from(*variant == Some(1));
        }
        free += usize::from(ruleset.evaluate_key("free", &context).unwrap().exposure.is_some());
    }
    assert_eq!(free, 20_000);
    for (found, expected) in [(inside[0], 6_000.0), (inside[1], 10_000.0), (treated[0], 600.0), (treated[1], 1_000.0)] {
        let spread = 5.0 * f64::sqrt(expected);
        assert!((found as f64 - expected).abs() < spread, "{found} where {expected} were expected");
    }
    let overlap =
        "{ kind: layer, id: l }\n---\n".to_owned() + &member("x", "[[0, 300000]]") + &member("y", "[[299999, 300001]]");
    let problems = parse(&[Source { name: "t", text: &overlap }]).unwrap_err();
    assert!(problems[0].message.contains("experiments 'x' and 'y' overlap in layer 'l' from slot 299999 to 300000"));
}

#[test]
fn bodies_are_what_strict_clients_want() {
    let text = "kind: flag\nid: price\ntype: number\nvariants: { low: 1, high: 2.5 }\ndefault: low\nmetadata: { team: growth, version: mine }\n---\n".to_owned()
        + "{ kind: flag, id: count, type: number, variants: { few: 3, many: 100 }, default: few }\n---\n"
        + "{ kind: flag, id: written, type: number, variants: { zero: 0.0, one: 1 }, default: one }\n---\n"
        + "{ kind: flag, id: caller, type: string, variants: { a: x } }\n---\n"
        + "{ kind: flag, id: from, type: number, variants: { a: 1, b: 2 }, default: a, rules: [{ experiment: e }] }\n---\n"
        + &experiment("e", "status: running")
        + "{ kind: retired, id: e, salts: [x, y] }";
    let ruleset = compile(&text);
    let body = |key: &str, context: &str| {
        let context = Context::parse(context.as_bytes()).unwrap();
        ofrep::body(&ruleset, key, &ruleset.evaluate_key(key, &context)).to_string()
    };
    let shared = r#""flagSetId":"production""#;
    for (key, context, expected) in [
        (
            "price",
            "{}",
            format!(
                r#"{{"key":"price","metadata":{{{shared},"team":"growth","version":3}},"reason":"STATIC","value":1.0,"variant":"low"}}"#
            ),
        ),
        (
            "count",
            "{}",
            format!(
                r#"{{"key":"count","metadata":{{{shared},"version":3}},"reason":"STATIC","value":3,"variant":"few"}}"#
            ),
        ),
        (
            "written",
            "{}",
            format!(
                r#"{{"key":"written","metadata":{{{shared},"version":3}},"reason":"STATIC","value":1.0,"variant":"one"}}"#
            ),
        ),
        (
            "caller",
            "{}",
            format!(r#"{{"key":"caller","metadata":{{{shared},"version":3}},"reason":"DEFAULT","variant":null}}"#),
        ),
        (
            "from",
            r#"{"targetingKey":"u"}"#,
            format!(
                r#"{{"key":"from","metadata":{{"experiment":"e",{shared},"phase":3,"version":3}},"reason":"SPLIT","value":2,"variant":"b"}}"#
            ),
        ),
        (
            "e",
            r#"{"targetingKey":"u"}"#,
            format!(
                r#"{{"key":"e","metadata":{{"experiment":"e",{shared},"phase":3,"version":3}},"reason":"SPLIT","value":"b","variant":"b"}}"#
            ),
        ),
        (
            "e",
            "{}",
            format!(
                r#"{{"errorCode":"TARGETING_KEY_MISSING","errorDetails":"the context has no targetingKey, so nobody knows whose bucket this is; send one","key":"e","metadata":{{"experiment":"e",{shared},"phase":3,"version":3}}}}"#
            ),
        ),
        (
            "?",
            "{}",
            format!(
                r#"{{"errorCode":"FLAG_NOT_FOUND","errorDetails":"no flag or experiment of this key is served in this environment; see `assay check` for what is defined","key":"?","metadata":{{{shared},"version":3}}}}"#
            ),
        ),
    ] {
        assert_eq!(body(key, context), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever is in an experiment stays, in the same variant, when its slots grow.
    #[test]
    fn ramps_only_add(steps in proptest::collection::vec((0u32..100, 1u32..40), 1..6), weights in proptest::collection::vec(1u32..100, 2..5)) {
        let variants: Vec<String> =
            weights.iter().enumerate().map(|(at, weight)| format!("{{ name: v{at}, control: {}, weight: {weight} }}", at == 0)).collect();
        let (mut taken, mut before): (Vec<bool>, Vec<Option<usize>>) = (vec![false; 140], vec![None; 300]);
        for (start, length) in steps {
            taken[start as usize..(start + length) as usize].fill(true);
            let slots: Vec<String> = (0..100).filter(|at| taken[*at]).map(|at| format!("[{}, {}]", at * 10_000, (at + 1) * 10_000)).collect();
            let text = format!(
                "{{ kind: layer, id: l }}\n---\n{{ kind: experiment, id: e, salt: s, status: running, layer: l, slots: [{}], variants: [{}] }}",
                slots.join(", "), variants.join(", ")
            );
            let ruleset = compile(&text);
            for (unit, before) in before.iter_mut().enumerate() {
                let context = Context::parse(format!(r#"{{"targetingKey":"u{unit}"}}"#).as_bytes()).unwrap();
                let now = ruleset.evaluate_key("e", &context).unwrap().exposure.map(|it| it.variant);
                prop_assert!(before.is_none() || *before == now, "u{} was in {:?} and is in {:?}", unit, before, now);
                *before = now;
            }
        }
    }

    /// A rollout that grows takes nobody's variant away.
    #[test]
    fn a_growing_rollout_only_adds(shares in proptest::collection::btree_set(0u32..=100, 2..5)) {
        let mut before = vec![false; 300];
        for share in shares {
            let ruleset = compile(&flag("f", &format!("rules: [{{ rollout: {{ \"on\": {share}%, \"off\": {}% }} }}]", 100 - share)));
            for (unit, before) in before.iter_mut().enumerate() {
                let context = Context::parse(format!(r#"{{"targetingKey":"u{unit}"}}"#).as_bytes()).unwrap();
                let now = ruleset.evaluate_key("f", &context).unwrap();
                prop_assert_eq!(now.reason, Reason::Split);
                let on = ruleset.flags()[0].variants()[now.variant.unwrap()].0 == "on";
                prop_assert!(on || !*before);
                *before = on;
            }
        }
    }

    /// The same definitions and context give the same answer: again, compiled again, and after others were asked.
    #[test]
    fn evaluation_is_pure(units in proptest::collection::vec("[ -~]{0,12}", 1..20), share in 1u32..100) {
        let text = experiment("e", "status: running") + &flag("f", &format!("rules: [{{ rollout: {{ \"on\": {share}%, \"off\": {}% }} }}]", 100 - share));
        let (one, other) = (compile(&text), compile(&text));
        let ask = |ruleset: &Ruleset, unit: &str| {
            ["e", "f"].map(|key| told(ruleset, key, &json!({"targetingKey": unit}).to_string()))
        };
        let first: Vec<_> = units.iter().map(|unit| ask(&one, unit)).collect();
        let mut again: Vec<_> = units.iter().rev().map(|unit| ask(&other, unit)).collect();
        again.reverse();
        prop_assert_eq!(&first, &again);
        prop_assert_eq!(first, units.iter().map(|unit| ask(&one, unit)).collect::<Vec<_>>());
    }

    /// Contexts come from anybody.
    #[test]
    fn no_context_panics(text in "[-a-zA-Z0-9:{}\\[\\]\"',.\\\\ \n]{0,60}") {
        let ruleset = compile(&(experiment("e", "status: running") + &flag("f", r#"rules: [{ if: { "in": [{ var: a }, [b]] }, serve: "on" }]"#)));
        told(&ruleset, "e", &text);
        told(&ruleset, "f", &text);
        let _ = assay_experiment::flagd::import(&text);
    }
}
