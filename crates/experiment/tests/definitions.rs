//! Definitions as people write them: every rule with its message and place, and the way through the log and back.

#![allow(clippy::unwrap_used, reason = "a case that cannot be built has failed")]

use assay_experiment::{
    Analysis, Assignment, Covariate, Crossing, Definitions, Direction, EventMatch, Experiment, Flag, FlagKind,
    FlagOutcome, FlagRule, GuardrailAction, Holdout, Layer, LayerShare, Maturity, Method, Metric, MetricKind,
    MetricUse, RatioPart, Role, Segment, Source, Span, Status, Value, Variant, canonical, parse,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// All problems with a text, one a line.
fn check(text: &str, expected: &[&str]) {
    check_files(&[("a.yaml", text)], expected);
}

fn check_files(files: &[(&str, &str)], expected: &[&str]) {
    let sources: Vec<Source<'_>> = files.iter().map(|&(name, text)| Source { name, text }).collect();
    let found: Vec<String> = match parse(&sources) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found, expected, "{files:?}");
}

const EXPERIMENT: &str = "kind: experiment
id: e
variants:
  - { name: a, control: true }
  - { name: b }
";

#[test]
fn a_problem_names_its_place_and_the_nearest_key() {
    check(EXPERIMENT, &[]);
    check(
        &format!("{EXPERIMENT}stauts: running\n"),
        &["a.yaml:6:1: unknown key 'stauts' in an experiment; did you mean 'status'?"],
    );
    check(&format!("{EXPERIMENT}colour: red\n"), &["a.yaml:6:1: unknown key 'colour' in an experiment"]);
    check(
        &format!("{EXPERIMENT}status: runing\n"),
        &["a.yaml:6:9: status 'runing' is none of draft, running, paused, stopped; did you mean 'running'?"],
    );
    check(
        "kind: experment\nid: e",
        &[
            "a.yaml:1:7: kind 'experment' is none of experiment, metric, layer, holdout, flag, schema, settings, retired, filters; did you mean 'experiment'?",
        ],
    );
    check("id: e", &["a.yaml:1:1: a document needs 'kind'"]);
    check("- kind: flag", &["a.yaml:1:1: a document must be a mapping (key: value)"]);
    check(&format!("{EXPERIMENT}salt:\n"), &["a.yaml:6:1: 'salt' has no value; write one, or leave the key out"]);
    check("kind: layer\nid: Big", &["a.yaml:2:5: id 'Big' is not 1 to 64 of a-z, 0-9, '.', '_' and '-'"]);
    // All problems of all files, not only the first.
    check_files(
        &[("a.yaml", "kind: layer\nid: l\nunti: user\nsalt: ''"), ("b/c.yaml", "kind: holdout\nid: h\nshare: 2")],
        &[
            "a.yaml:3:1: unknown key 'unti' in a layer; did you mean 'unit'?",
            "a.yaml:4:7: salt has 0 bytes; 1 to 64 are allowed",
            "b/c.yaml:3:8: share must lie between 0 and 100%",
        ],
    );
}

#[test]
fn a_misspelt_metric_is_no_metric_in_place() {
    let metrics = |text: &str| {
        format!("{EXPERIMENT}metrics:\n  - {text}\n---\n{{ kind: metric, id: m, type: count, event: buy }}\n")
    };
    check(&metrics("{ metric: m }"), &[]);
    check(
        &metrics("{ metrc: m }"),
        &["a.yaml:7:7: unknown key 'metrc' in a metric of an experiment; did you mean 'metric'?"],
    );
    check(
        &metrics("{ role: primary }"),
        &[
            "a.yaml:7:5: a metric of an experiment needs 'metric', the id of one of the catalogue, or 'id', 'type' and 'event' to define one here",
        ],
    );
    check(
        &metrics("{ id: n, type: count, evnt: buy }"),
        &["a.yaml:7:27: unknown key 'evnt' in a metric; did you mean 'event'?", "a.yaml:7:5: a metric needs 'event'"],
    );
    check(&metrics("{ metric: m, type: count }"), &["a.yaml:7:18: unknown key 'type' in a metric of an experiment"]);
}

#[test]
fn what_is_not_defined_is_told_where_it_is_used() {
    let uses = format!("{EXPERIMENT}layer: checkuot\nmetrics:\n  - {{ metric: revenue }}\n  - {{ metric: revenu }}\n");
    let defined = "{ kind: layer, id: checkout }\n---\n{ kind: metric, id: revenue, type: sum, event: buy }";
    check_files(
        &[("a.yaml", &uses), ("b.yaml", defined)],
        &[
            "a.yaml:9:15: experiment 'e' uses metric 'revenu', which is not defined; did you mean 'revenue'?",
            "a.yaml:6:8: experiment 'e' lies in layer 'checkuot', which is not defined; did you mean 'checkout'?",
        ],
    );
    // Where a file or a definition could not be read, nobody knows what it would have defined.
    check_files(
        &[("a.yaml", &uses), ("b.yaml", "kind: layer\n id: checkout")],
        &["b.yaml:2:4: this is not YAML: mapping values are not allowed in this context"],
    );
    check_files(
        &[("a.yaml", &uses), ("b.yaml", "{ kind: metric, id: revenu, type: sum }")],
        &["b.yaml:1:1: a metric needs 'event'"],
    );
    check(
        &format!("{EXPERIMENT}layer: l\n---\n{{ kind: layer, id: l, unit: device }}"),
        &["a.yaml:6:8: experiment 'e' randomises 'user', its layer 'l' 'device'"],
    );
}

#[test]
fn ids_are_defined_once() {
    let flag = "{ kind: flag, id: e, type: string, variants: { a: x }, default: a }";
    check_files(
        &[("a.yaml", EXPERIMENT), ("b.yaml", flag)],
        &["b.yaml:1:19: flag 'e' is defined twice; as experiment first in a.yaml on line 2"],
    );
    let metric = "{ kind: metric, id: m, type: count, event: buy }";
    check(
        &format!("{metric}\n---\n{metric}"),
        &["a.yaml:3:21: metric 'm' is defined twice; as metric first in a.yaml on line 1"],
    );
    check(
        &format!("{EXPERIMENT}metrics: [{{ id: m, type: sum, event: buy }}]\n---\n{metric}"),
        &["a.yaml:8:21: metric 'm' is defined twice; as metric first in a.yaml on line 6"],
    );
    let schema =
        |id| format!(r#"{{ kind: schema, id: {id}, avro: {{"type":"record","name":"Exposure","fields":[]}} }}"#);
    check(&format!("{}\n---\n{}", schema(7), schema(8)), &[]);
    check(
        &format!("{}\n---\n{}", schema(7), schema(7)),
        &["a.yaml:3:21: schema '7' is defined twice; as schema first in a.yaml on line 1"],
    );
}

/// What the JSON Schema cannot say, and the messages of what it can.
#[test]
fn every_rule_has_its_message() {
    let experiment = |keys: &str| format!("{{ kind: experiment, id: e, {keys} }}");
    let usual = "variants: [{ name: a, control: true }, { name: b }]";
    for (text, expected) in [
        (experiment("variants: [{ name: a, control: true }, { name: a }]"), "1:75: variant 'a' stands twice"),
        (experiment("variants: [{ name: a }, { name: b }]"), "1:38: 0 variants have 'control: true'; exactly one must"),
        (experiment("variants: [{ name: a, control: true, weight: 0 }, { name: b, weight: 0 }]"), "1:38: all weights are 0; nobody would get a variant"),
        (experiment("variants: [{ name: a, control: true }]"), "1:38: 1 variants; 2 to 32 are allowed"),
        (experiment(&format!("{usual}, slots: [[0, 10]]")), "1:88: 'slots' needs a 'layer'"),
        (experiment(&format!("{usual}, segments: [a, {{ attribute: a }}]")), "1:95: segment 'a' stands twice"),
        (experiment(&format!("{usual}, analysis: {{ alpha: 0.6 }}")), "1:100: alpha must be above 0 and at most 0.5"),
        (experiment(&format!("{usual}, analysis: {{ alpha: 0.6000001% }}")), "1:100: alpha '0.6000001%' is not a number; write one such as 0.05, without quotes"),
        (experiment(&format!("{usual}, metrics: [{{ id: m, type: count, event: x, margin: 1%  }}]")), "1:131: 'margin' is for guardrails; write role: guardrail, or leave it out"),
        (experiment(&format!("{usual}, targeting: {{ starts_wit: [1, 2] }}")), "1:94: 'starts_wit' is no operator of JSONLogic; did you mean 'starts_with'?"),
        ("{ kind: metric, id: m, type: sum, event: x, cap: 1, floor: 2 }".to_owned(), "1:60: floor must not be above cap"),
        ("{ kind: metric, id: m, type: sum, event: x, cap: 1e10 }".to_owned(), "1:50: cap '1e10' is beyond 1,000,000,000 in magnitude"),
        ("{ kind: metric, id: m, type: retention, event: x, from: 2d, to: 1d }".to_owned(), "1:65: 'to' must be later than 'from'"),
        ("{ kind: metric, id: m, type: sum, event: x, window: 36601d }".to_owned(), "1:53: window '36601d' is no length of time; write one such as 14d, 36h, 90m or 30s"),
        ("{ kind: metric, id: m, type: sum, event: x, maturity: matured }".to_owned(), "1:55: maturity: matured needs a 'window', whose end makes a unit mature"),
        ("{ kind: metric, id: m, type: sum, event: x, quantile: 0.5 }".to_owned(), "1:55: 'quantile' means nothing for a metric of this type"),
        ("{ kind: holdout, id: h, share: 0.00001% }".to_owned(), "1:32: share '0.00001%' is finer than a millionth"),
        ("{ kind: flag, id: f, type: string, variants: { a: x }, default: b }".to_owned(), "1:65: default 'b' is no variant of this flag"),
        ("{ kind: flag, id: f, type: string, variants: { a: x }, default: a, rules: [{ serve: b }] }".to_owned(), "1:85: 'b' is no variant of this flag"),
        ("{ kind: flag, id: f, type: string, variants: { a: x, b: y }, default: a, rules: [{ rollout: { a: 10%, b: 80% } }] }".to_owned(), "1:93: the shares add up to 90%, not 100%"),
        ("{ kind: flag, id: f, type: boolean, variants: { a: true, b: 'true' }, default: a }".to_owned(), "1:61: variant 'b' has a value of another type than the flag"),
        (r#"{ kind: schema, id: 7, avro: { "type": "record", "name": "Click", "fields": [] } }"#.to_owned(), "1:30: schema 7 cannot be used: its name is none of Exposure, Conversion and Retraction"),
        (r#"{ kind: schema, id: 7, avro: { "type": "record", "name": "Conversion", "fields": [{ "name": "event_value", "type": "double" }] } }"#.to_owned(), "1:30: schema 7 cannot be used: its event_value is neither a decimal nor a whole number, so that it would not be exact"),
    ] {
        check(&text, &[&format!("a.yaml:{expected}")]);
    }
}

#[test]
fn members_of_a_layer_exclude_each_other() {
    let member = |id: &str, status: &str, share: &str| {
        format!(
            "kind: experiment\nid: {id}\nstatus: {status}\nlayer: l\n{share}\nvariants: [{{ name: a, control: true }}, {{ name: b }}]\n---\n"
        )
    };
    let layer = "{ kind: layer, id: l }";
    let set = |members: &[String]| format!("{}{layer}", members.concat());
    check(&set(&[member("a", "running", "slots: [[0, 500]]"), member("b", "running", "slots: [[500, 600]]")]), &[]);
    check(
        &set(&[member("a", "running", "slots: [[0, 500]]"), member("b", "draft", "slots: [[499, 600]]")]),
        &[
            "a.yaml:11:8: experiments 'a' and 'b' overlap in layer 'l' from slot 499 to 500; members of a layer exclude each other",
        ],
    );
    check(&set(&[member("a", "stopped", "slots: [[0, 500]]"), member("b", "running", "slots: [[0, 600]]")]), &[]);
    check(&set(&[member("a", "running", "traffic: 60%"), member("b", "running", "traffic: 40%")]), &[]);
    check(
        &set(&[member("a", "running", "traffic: 60%"), member("b", "running", "traffic: 40.0001%")]),
        &["a.yaml:11:8: the experiments in layer 'l' want 100.0001 % of it; write less 'traffic', or stop one"],
    );
    // Neither slots nor traffic: the whole layer.
    check(
        &set(&[member("a", "running", ""), member("b", "running", "slots: [[0, 1]]")]),
        &["a.yaml:4:8: the experiments in layer 'l' want 100.0001 % of it; write less 'traffic', or stop one"],
    );
    check(
        &set(&[member("a", "running", "slots: [[0, 5], [4, 6]]")]),
        &["a.yaml:5:8: ranges of slots overlap each other"],
    );
}

#[test]
fn a_log_has_room_for_few_filters() {
    let metric =
        |at: usize| format!("{{ kind: metric, id: m{at}, type: count, event: buy, where: {{ level: {at} }} }}\n---\n");
    let all = |count: usize| (0..count).map(metric).collect::<String>();
    check(&all(31), &[]);
    let problem = |count| {
        format!(
            "definitions: {count} different 'where' filters, with those of earlier versions; at most 31 are possible in the life of a log, so give the events that you tell apart names of their own"
        )
    };
    check(&all(32), &[&problem(32)]);
    // What is in use and was in use before counts once.
    check(&format!("{}{{ kind: filters, where: [{{ level: 30 }}] }}", all(31)), &[]);
    check(&format!("{}{{ kind: filters, where: [{{ level: 31 }}, {{ level: 32 }}] }}", all(31)), &[&problem(33)]);
}

/// What an author writes as a number or a boolean is compared as the fold writes those of events.
#[test]
fn values_of_attributes_are_written_as_the_fold_writes_them() {
    let text = format!("{EXPERIMENT}segments: [{{ attribute: x, values: [1.0, +2, True, 1e3, '1.0', text] }}]\n");
    let all = parse(&[Source { name: "a", text: &text }]).unwrap();
    let values = all.experiments["e"].segments[0].values.clone().unwrap();
    assert_eq!(values, ["1", "2", "true", "1000", "1.0", "text"]);
}

fn id() -> impl Strategy<Value = String> {
    "[a-z0-9._-]{1,12}"
}

/// Any text, with everything that JSON or YAML might make something else of.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{1,20}",
        proptest::collection::vec(any::<char>(), 1..6).prop_map(|all| all.into_iter().collect()),
        Just("true".to_owned()),
        Just("~".to_owned()),
        Just("1e5".to_owned()),
        Just("\u{7f}\u{85}\u{2028}\u{feff}\"\\/".to_owned()),
    ]
}

fn span() -> impl Strategy<Value = Span> {
    (1i64..3_000_000, prop_oneof![Just(Span::SECOND), Just(Span::MINUTE)])
        .prop_map(|(count, unit)| Span(count * unit.0))
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![(-1_000_000_000_000_000i64..=1_000_000_000_000_000).prop_map(Value), (-9i64..9).prop_map(Value)]
}

fn event() -> impl Strategy<Value = EventMatch> {
    // Few filters in all, because a set may have only 31.
    let filter = prop_oneof![
        Just(vec![]),
        Just(vec![("country".to_owned(), "DE".to_owned())]),
        Just(vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "~".to_owned())]),
    ];
    (text(), filter).prop_map(|(name, filter)| EventMatch { name, filter })
}

fn part() -> impl Strategy<Value = RatioPart> {
    (event(), any::<bool>()).prop_map(|(event, sum)| RatioPart { event, sum })
}

fn kind() -> impl Strategy<Value = MetricKind> {
    prop_oneof![
        event().prop_map(MetricKind::Conversion),
        event().prop_map(MetricKind::Count),
        event().prop_map(MetricKind::Sum),
        (part(), part()).prop_map(|(numerator, denominator)| MetricKind::Ratio { numerator, denominator }),
        (event(), span(), span()).prop_map(|(event, from, more)| MetricKind::Retention {
            event,
            from,
            to: Span(from.0 + more.0)
        }),
        (event(), 1u32..1_000_000).prop_map(|(event, quantile)| MetricKind::Quantile { event, quantile }),
    ]
}

fn metric() -> impl Strategy<Value = Metric> {
    let covariate = prop_oneof![
        text().prop_map(Covariate::Attribute),
        (event(), span()).prop_map(|(event, before)| Covariate::Event { event, before }),
    ];
    let limits = proptest::option::of((value(), value()));
    let rest = (proptest::option::of(span()), limits, proptest::option::of(covariate), any::<bool>(), any::<bool>());
    let unit = prop_oneof![Just(String::new()), Just("seconds".to_owned()), "[A-Z]{3}"];
    (id(), (text(), unit), kind(), rest).prop_map(|(id, (name, unit), kind, (window, limits, covariate, up, open))| {
        let retention = matches!(kind, MetricKind::Retention { .. });
        let limited = !retention && !matches!(kind, MetricKind::Conversion(_));
        let plain = !matches!(kind, MetricKind::Ratio { .. } | MetricKind::Quantile { .. });
        let window = window.filter(|_| !retention);
        let limits = limits.filter(|_| limited);
        Metric {
            id,
            name,
            unit: if matches!(kind, MetricKind::Sum(_) | MetricKind::Ratio { .. } | MetricKind::Quantile { .. }) {
                unit
            } else {
                String::new()
            },
            window,
            cap: limits.map(|(one, other)| one.max(other)),
            floor: limits.map(|(one, other)| one.min(other)),
            covariate: covariate.filter(|_| plain),
            direction: if up { Direction::Increase } else { Direction::Decrease },
            maturity: if !open && (retention || window.is_some()) { Maturity::Matured } else { Maturity::Open },
            kind,
        }
    })
}

fn experiment() -> impl Strategy<Value = Experiment> {
    let status = prop_oneof![Just(Status::Draft), Just(Status::Running), Just(Status::Paused), Just(Status::Stopped)];
    let crossing = prop_oneof![Just(Crossing::Exclude), Just(Crossing::First), Just(Crossing::Assigned)];
    let people = (
        proptest::option::of(text()),
        proptest::option::of(text()),
        proptest::option::of(text()),
        proptest::option::of("[a-z]{1,12}"),
    );
    let variants = (
        proptest::collection::btree_map("[a-z]{1,8}", 1u64..1_000_000_000_000_000, 2..6),
        any::<prop::sample::Index>(),
    );
    let segments = proptest::collection::btree_map(
        text(),
        proptest::option::of(proptest::collection::btree_set("[a-z]{1,4}|[0-9]{1,3}|", 0..5)),
        0..4,
    );
    let method = prop_oneof![
        Just(Method::AlwaysValid),
        Just(Method::FixedHorizon),
        Just(Method::GroupSequential),
        Just(Method::Bayesian)
    ];
    let analysis = (method, 1u32..=500_000, 1u64..=1_000_000_000_000)
        .prop_map(|(method, alpha, planned_units)| Analysis { method, alpha, planned_units });
    let targeting = proptest::option::of(prop_oneof![
        Just(serde_json::json!({"==": [{"var": "country"}, "DE"]})),
        Just(
            serde_json::json!({"in": [{"var": "x"}, [1, -0.5, "1", true, null, 1e300, 18_446_744_073_709_551_615u64]]})
        ),
    ]);
    let slots = proptest::option::of(proptest::collection::btree_set(0u32..100, 0..6));
    let first = (id(), people, status, crossing, any::<bool>(), proptest::option::of(text()));
    let second = (variants, segments, analysis, targeting, slots, 1u32..9_000);
    (first, second).prop_map(|(first, second)| {
        let (id, (title, hypothesis, owner, unit_name), status, crossing, external, salt) = first;
        let ((weights, control), segments, analysis, targeting, slots, traffic) = second;
        let control = control.index(weights.len());
        let variants = weights.into_iter().enumerate();
        let share = slots.map(|starts| {
            let ranges: Vec<(u32, u32)> = starts.into_iter().map(|start| (start * 3, start * 3 + 2)).collect();
            let traffic = ranges.is_empty().then_some(traffic);
            // Only stopped members may overlap each other.
            let slots = traffic.is_none().then_some(ranges).filter(|_| status == Status::Stopped);
            LayerShare {
                layer: "l".to_owned(),
                traffic: if slots.is_some() { None } else { Some(traffic.unwrap_or(7)) },
                slots,
            }
        });
        Experiment {
            id,
            title: title.unwrap_or_default(),
            hypothesis: hypothesis.unwrap_or_default(),
            owner: owner.unwrap_or_default(),
            status,
            unit: "user".to_owned(),
            unit_name: unit_name.unwrap_or_default(),
            assignment: if external { Assignment::External } else { Assignment::Xp1 },
            salt,
            layer: share,
            variants: variants
                .map(|(at, (name, weight))| {
                    let title = if at == 1 { format!("Arm {name}") } else { String::new() };
                    Variant { name, title, control: at == control, weight }
                })
                .collect(),
            targeting,
            crossing: if external && crossing == Crossing::Assigned { Crossing::First } else { crossing },
            metrics: Vec::new(),
            segments: segments
                .into_iter()
                .map(|(attribute, values)| Segment {
                    attribute,
                    values: values.map(|values| values.into_iter().collect()),
                })
                .collect(),
            analysis,
            environments: if external { ["staging".to_owned()].into() } else { Default::default() },
            overrides: Default::default(),
        }
    })
}

fn flag() -> impl Strategy<Value = Flag> {
    let variants = proptest::collection::btree_map("[a-z]{1,6}", -5i64..5, 1..5);
    (id(), variants, any::<bool>(), proptest::option::of(text()), text()).prop_map(
        |(id, variants, enabled, salt, name)| {
            let names: Vec<String> = variants.keys().cloned().collect();
            let count = names.len() as u32;
            let share = |at: usize| 1_000_000 / count + if at == 0 { 1_000_000 % count } else { 0 };
            let rollout = names.iter().enumerate().map(|(at, name)| (name.clone(), share(at))).collect();
            let condition = Some(serde_json::json!({"var": "staff"}));
            Flag {
                id: format!("flag-{id}"),
                kind: FlagKind::Number,
                enabled,
                default: enabled.then(|| names[0].clone()),
                environments: if enabled { Default::default() } else { ["a".to_owned(), "b".to_owned()].into() },
                overrides: if enabled {
                    Default::default()
                } else {
                    [(names[0].clone(), ["u1".to_owned(), "2".to_owned()].into())].into()
                },
                prerequisites: Vec::new(),
                targeting: None,
                metadata: if enabled {
                    Default::default()
                } else {
                    [("n".to_owned(), 1.5.into()), ("t".to_owned(), "x".into()), ("b".to_owned(), true.into())].into()
                },
                variants: variants.into_iter().map(|(name, value)| (name, value.into())).collect(),
                rules: vec![
                    FlagRule { name, condition, outcome: FlagOutcome::Serve(names[0].clone()) },
                    FlagRule { name: String::new(), condition: None, outcome: FlagOutcome::Rollout(rollout) },
                ],
                salt,
                unit: "user".to_owned(),
            }
        },
    )
}

fn by_id<T>(all: Vec<T>, id: impl Fn(&T) -> &str) -> BTreeMap<String, T> {
    all.into_iter().map(|one| (id(&one).to_owned(), one)).collect()
}

fn definitions() -> impl Strategy<Value = Definitions> {
    let lists = (
        proptest::collection::vec(metric(), 0..4),
        proptest::collection::vec(experiment(), 0..4),
        proptest::collection::vec(flag(), 0..3),
    );
    let roles = proptest::collection::vec((any::<bool>(), value(), value()), 4);
    let retired = proptest::collection::btree_map(id(), proptest::collection::btree_set(text(), 1..4), 0..3);
    let schema = (1u32..=0x7fff_ffff, proptest::option::of(any::<[u8; 16]>())).prop_map(|(id, guid)| {
        let avro = r#"{"fields":[{"name":"event_value","type":["null","long"]}],"name":"Conversion","type":"record"}"#;
        (id, assay_experiment::WriterSchema { id, guid, avro: avro.to_owned() })
    });
    let schemas = proptest::collection::vec(schema, 0..3);
    (lists, roles, retired, schemas, 1u32..1_000_000).prop_map(
        |((metrics, experiments, flags), roles, retired, schemas, share)| {
            let mut all = Definitions {
                metrics: by_id(metrics, |it| &it.id),
                experiments: by_id(experiments, |it| &it.id),
                flags: by_id(flags, |it| &it.id),
                schemas: schemas.into_iter().collect(),
                retired,
                filters: [vec![("old".to_owned(), "1".to_owned())]].into(),
                ..Definitions::default()
            };
            let metrics: Vec<String> = all.metrics.keys().cloned().collect();
            for experiment in all.experiments.values_mut() {
                for (metric, (guards, effect, margin)) in metrics.iter().zip(&roles) {
                    let positive = |value: &Value| Some(value.0.abs().max(1));
                    experiment.metrics.push(MetricUse {
                        metric: metric.clone(),
                        role: if *guards { Role::Guardrail } else { Role::Secondary },
                        minimum_effect: positive(effect),
                        margin: positive(margin).filter(|_| *guards),
                        action: guards.then_some(GuardrailAction::Pause),
                    });
                }
            }
            all.layers.insert("l".to_owned(), Layer { id: "l".to_owned(), unit: "user".to_owned(), salt: None });
            let holdout = Holdout { id: "h".to_owned(), unit: "device".to_owned(), share, salt: Some("s".to_owned()) };
            all.holdouts.insert(holdout.id.clone(), holdout);
            all
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is published is what was meant, and publishing it again gives the same bytes.
    #[test]
    fn canonical_texts_read_back(all in definitions()) {
        let parts = canonical::parts(&all);
        let found = canonical::definitions(parts.iter().map(String::as_str));
        prop_assert_eq!(found.as_ref(), Ok(&all));
        prop_assert_eq!(canonical::parts(&found.unwrap()), parts);
    }

    /// Definitions come from files and, in control records, from anybody.
    #[test]
    fn no_text_panics(text in "(kind: (experiment|metric|flag|schema|filters|retired)\n)?[-a-z0-9:{}\\[\\]\"'&*!#|>%@` \n,.~]{0,80}") {
        let _ = parse(&[Source { name: "noise", text: &text }]);
        let _ = canonical::definitions([text.as_str()].into_iter());
    }
}

/// What was published before there were environments, overrides, prerequisites and targeting of flags reads, and keeps its bytes.
#[test]
fn older_bodies_keep_their_bytes() {
    for body in [
        r#"{"default":"off","enabled":true,"id":"f","kind":"flag","rules":[{"if":{"var":"staff"},"name":"staff","serve":"on"},{"rollout":{"off":0.9,"on":0.1}}],"salt":"s","type":"boolean","unit":"user","variants":{"off":false,"on":true}}"#,
        r#"{"default":"a","enabled":false,"id":"f","kind":"flag","rules":[],"type":"number","unit":"user","variants":{"a":1.0}}"#,
        r#"{"analysis":{"alpha":0.05,"method":"always_valid","planned_units":42000},"assignment":"xp1","crossing":"exclude","id":"e","kind":"experiment","metrics":[],"salt":"s","segments":[{"attribute":"country","values":["DE"]}],"status":"running","targeting":{"==":[{"var":"country"},"DE"]},"unit":"user","variants":[{"control":true,"name":"a","weight":1},{"control":false,"name":"b","weight":0.5}]}"#,
    ] {
        let found = canonical::definitions([body].into_iter()).unwrap();
        assert_eq!(canonical::parts(&found), [body]);
    }
}

#[test]
fn whom_edges_serve_is_published_too() {
    let text = r#"
kind: flag
id: f
type: string
variants: { a: x, b: y }
environments: [staging, production]
overrides: { a: [u-2, u-1], b: [17] }
prerequisites: [{ flag: g, variant: on }]
metadata: { team: growth, tier: 1.0, old: true }
rules: [{ name: test, experiment: e }]
---
{ kind: flag, id: g, type: boolean, variants: { on: true, off: false }, default: off, targeting: { if: [{ var: staff }, on] } }
---
{ kind: experiment, id: e, variants: [{ name: a, control: true }, { name: b }], environments: [staging], overrides: { b: [qa] } }
"#;
    let all = parse(&[Source { name: "test", text }]).unwrap();
    let parts = canonical::parts(&all);
    assert_eq!(
        parts[..2],
        [
            r#"{"enabled":true,"environments":["production","staging"],"id":"f","kind":"flag","metadata":{"old":true,"team":"growth","tier":1.0},"overrides":{"a":["u-1","u-2"],"b":["17"]},"prerequisites":[{"flag":"g","variant":"on"}],"rules":[{"experiment":"e","name":"test"}],"type":"string","unit":"user","variants":{"a":"x","b":"y"}}"#,
            r#"{"default":"off","enabled":true,"id":"g","kind":"flag","targeting":{"if":[{"var":"staff"},"on"]},"type":"boolean","unit":"user","variants":{"off":false,"on":true}}"#,
        ]
    );
    assert!(parts[2].contains(r#""environments":["staging"]"#) && parts[2].contains(r#""overrides":{"b":["qa"]}"#));
    let found = canonical::definitions(parts.iter().map(String::as_str));
    assert_eq!(found, Ok(all));
}
