//! JSON and Avro of the same event are the same event; our decoder equals `apache-avro`; no bytes make any of them panic.

#![allow(clippy::unwrap_used, reason = "a case that cannot be built has failed")]

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use assay_experiment::digest::digest;
use assay_experiment::wire::{self, BUILT_IN, Schemas};
use assay_experiment::{
    Attribute, Body, Event, EventId, Retraction, Source, Timestamp, Value, format_time, json, parse, parse_time,
};
use proptest::prelude::*;
use std::borrow::Cow;

fn text(bytes: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::char::range('!', 'ƿ'), bytes)
        .prop_map(|all| all.into_iter().collect::<String>())
        .prop_map(|text| text.replace(['"', '\\'], "x"))
}

fn short(most: usize) -> impl Strategy<Value = String> {
    text(1..most / 2)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![Just(Value(0)), (-1_000_000_000_000_000i64..=1_000_000_000_000_000).prop_map(Value)]
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0i64..4_000_000_000_000_000).prop_map(Timestamp)
}

fn attribute() -> impl Strategy<Value = Attribute<'static>> {
    prop_oneof![
        text(0..40).prop_map(|text| Attribute::Text(Cow::Owned(text))),
        (-1e9..1e9).prop_map(Attribute::Number),
        any::<bool>().prop_map(Attribute::Bool),
    ]
}

fn body() -> impl Strategy<Value = Body<'static>> {
    prop_oneof![
        (short(64), short(32)).prop_map(|(experiment, variant)| Body::Exposure {
            experiment: experiment.into(),
            variant: variant.into()
        }),
        (short(64), proptest::option::of(value()), proptest::option::of(short(64))).prop_map(
            |(name, value, experiment)| Body::Conversion {
                name: name.into(),
                value,
                experiment: experiment.map(Into::into)
            }
        ),
        (any::<u128>(), time(), short(64), proptest::option::of(value())).prop_map(
            |(target, target_time, name, value)| {
                Body::Retraction(Retraction::Correct { target: EventId(target), target_time, name: name.into(), value })
            }
        ),
        Just(Body::Retraction(Retraction::Bot)),
        Just(Body::Retraction(Retraction::Erase)),
    ]
}

fn event() -> impl Strategy<Value = Event<'static>> {
    let attributes = proptest::collection::btree_map(short(64), attribute(), 0..6);
    let more = (proptest::option::of(0u64..1 << 40), proptest::option::of(short(64)), 0u32..5);
    (any::<u128>(), time(), short(32), short(128), body(), attributes, more).prop_map(
        |(id, time, unit_type, unit_id, body, attributes, (config_version, sdk, copy))| {
            let plain = matches!(body, Body::Retraction(_));
            Event {
                id: EventId(id),
                time,
                unit_type: unit_type.into(),
                unit_id: unit_id.into(),
                // Retractions carry none of these.
                attributes: if plain {
                    Vec::new()
                } else {
                    attributes.into_iter().map(|(name, value)| (name.into(), value)).collect()
                },
                config_version: config_version.filter(|_| !plain),
                sdk: sdk.filter(|_| !plain).map(Into::into),
                copy,
                body,
            }
        },
    )
}

/// What `apache-avro` says of the same bytes: its fields by name.
fn generic(bytes: &[u8]) -> Vec<(String, Avro)> {
    let schema = Schema::parse_str(BUILT_IN[usize::from(bytes[4]) - 1]).unwrap();
    let mut rest = &bytes[5..];
    #[allow(deprecated, reason = "the one-shot reader is what a test needs")]
    let Avro::Record(fields) = apache_avro::from_avro_datum(&schema, &mut rest, None).unwrap() else {
        panic!("every event is a record")
    };
    assert!(rest.is_empty(), "everything was read");
    fields
}

fn plain(value: &Avro) -> Option<String> {
    match value {
        Avro::Union(_, inner) => plain(inner),
        Avro::Null => None,
        Avro::String(text) | Avro::Enum(_, text) => Some(text.clone()),
        Avro::Long(number) | Avro::TimestampMicros(number) => Some(number.to_string()),
        Avro::Int(number) => Some(number.to_string()),
        Avro::Fixed(_, bytes) => Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        Avro::Uuid(id) => Some(id.simple().to_string()),
        other => Some(format!("{other:?}")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn avro_reads_back_and_equals_apache_avro(event in event()) {
        let bytes = wire::encode(&event);
        let schemas = Schemas::built_in();
        let found = wire::decode(&bytes, None, &schemas).unwrap();
        prop_assert_eq!(&found, &event);
        let fields = generic(&bytes);
        let field = |name: &str| fields.iter().find(|(known, _)| known == name).and_then(|(_, value)| plain(value));
        prop_assert_eq!(field("unit_id"), Some(event.unit_id.to_string()));
        prop_assert_eq!(field("unit_type"), Some(event.unit_type.to_string()));
        prop_assert_eq!(field("event_time"), Some(event.time.0.to_string()));
        prop_assert_eq!(field("event_id"), Some(format!("{:032x}", event.id.0)));
        match &event.body {
            Body::Exposure { experiment, variant } => {
                prop_assert_eq!(field("experiment_id"), Some(experiment.to_string()));
                prop_assert_eq!(field("variant"), Some(variant.to_string()));
            }
            Body::Conversion { name, .. } => prop_assert_eq!(field("event_name"), Some(name.to_string())),
            Body::Retraction(_) => prop_assert!(field("kind").is_some()),
        }
    }

    /// A writer's schema that is not ours goes the generic way, and comes to the same.
    #[test]
    fn a_registered_schema_comes_to_the_same(event in event()) {
        let mut bytes = wire::encode(&event);
        let schema = BUILT_IN[usize::from(bytes[4]) - 1];
        let mut schemas = Schemas::built_in();
        schemas.register(700, Some([7; 16]), schema).unwrap();
        bytes[1..5].copy_from_slice(&700u32.to_be_bytes());
        prop_assert_eq!(&wire::decode(&bytes, None, &schemas).unwrap(), &event);
        let guid = [&[1u8][..], &[7; 16]].concat();
        prop_assert_eq!(&wire::decode(&bytes[5..], Some(&guid), &schemas).unwrap(), &event);
    }

    /// Numbers of attributes are doubles in both; everything else is exact.
    #[test]
    fn json_reads_back_with_the_same_digest(event in event()) {
        let bytes = json::encode(&event);
        let found = json::decode(bytes.as_bytes()).unwrap();
        prop_assert_eq!(&found, &event);
        let avro = wire::encode(&event);
        let other = wire::decode(&avro, None, &Schemas::built_in()).unwrap();
        prop_assert_eq!(digest(&found), digest(&other));
    }

    /// Invariant 19.
    #[test]
    fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), event in event(), cut in any::<prop::sample::Index>()) {
        let schemas = Schemas::built_in();
        let _ = wire::decode(&bytes, None, &schemas);
        let _ = wire::decode(&bytes, Some(&bytes), &schemas);
        // Damaged Avro and JSON are nearer to the mark than noise.
        for mut near in [wire::encode(&event), json::encode(&event).into_bytes()] {
            let at = cut.index(near.len());
            let _ = wire::decode(&near[..at], None, &schemas);
            near[at] = near[at].wrapping_add(bytes.pop().unwrap_or(1));
            let one = wire::decode(&near, None, &schemas).map_err(|problem| problem.to_string());
            let other = wire::decode(&near, None, &schemas).map_err(|problem| problem.to_string());
            prop_assert_eq!(one, other, "the same bytes always give the same answer");
        }
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = parse(&[Source { name: "noise", text }]);
            let _ = parse_time(text);
        }
    }

    #[test]
    fn times_read_back(time in time()) {
        prop_assert_eq!(parse_time(&format_time(time)), Ok(time));
    }
}

/// Depth and sizes are bounded before anything is allocated for them.
#[test]
fn bombs_are_refused() {
    let schemas = Schemas::built_in();
    let deep = format!("{{\"event_id\":{}", "[".repeat(200_000));
    assert!(wire::decode(deep.as_bytes(), None, &schemas).is_err());
    // An Avro string that says it is two gigabytes long.
    let mut long = vec![0, 0, 0, 0, 1];
    long.extend_from_slice(&[0; 16]);
    long.extend_from_slice(&[0, 0xfe, 0xff, 0xff, 0xff, 0x0f]);
    assert!(wire::decode(&long, None, &schemas).is_err());
    let mut schemas = Schemas::built_in();
    let field = |of: &str| format!(r#"{{"type":"record","name":"Exposure","fields":[{{"name":"x","type":{of}}}]}}"#);
    // A schema that contains itself, so that a body could go down without end; items of no bytes, of which a few bytes hold billions.
    let deep = format!("{}\"null\"{}", r#"{"type":"array","items":"#.repeat(20), "}".repeat(20));
    for (of, expected) in [
        (r#"["null","Exposure"]"#, "contains itself"),
        (r#"{"type":"array","items":"null"}"#, "no bytes"),
        (r#"{"type":"map","values":"null"}"#, "no bytes"),
        (r#"{"type":"array","items":{"type":"record","name":"E","fields":[{"name":"n","type":"null"}]}}"#, "no bytes"),
        (deep.as_str(), "deep"),
    ] {
        let found = schemas.register(9, None, &field(of)).unwrap_err().to_string();
        assert!(found.contains(expected), "{of}: {found}");
    }
    // A list that says it has a million million items, and one whose items are there but too many to be an event's.
    schemas.register(10, None, &field(r#"{"type":"array","items":"int"}"#)).unwrap();
    let body = [0, 0, 0, 0, 10, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0];
    assert!(wire::decode(&body, None, &schemas).unwrap_err().to_string().contains("schema"));
}

/// What people send wrongly, and what they are told.
#[test]
fn every_limit_has_its_message() {
    const FIELDS: [(&str, &str); 5] = [
        ("event_id", "6a3c3f5e-4f6e-4a39-9c1b-0f6c7a3f1d10"),
        ("event_type", "conversion"),
        ("event_time", "2026-05-01T09:30:00Z"),
        ("event_name", "buy"),
        ("unit_id", "u1"),
    ];
    let event = |changes: &str| {
        let kept = FIELDS.iter().filter(|(name, _)| !changes.contains(&format!("\"{name}\":")));
        let fields: Vec<String> = kept.map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        format!("{{{}{changes}}}", fields.join(","))
    };
    let long = |name: &str, length: usize| format!(",\"{name}\":\"{}\"", "x".repeat(length));
    let many: Vec<String> = (0..33).map(|at| format!("\"a{at}\":1")).collect();
    for (changes, expected) in [
        (String::new(), None),
        (",\"event_value\":19.99".to_owned(), None),
        (",\"nobody_knows_this\":[1,{\"a\":2}]".to_owned(), None),
        (",\"event_value\":1e400".to_owned(), Some("event_value")),
        (",\"event_value\":1000000001".to_owned(), Some("event_value")),
        (",\"event_value\":\"7\"".to_owned(), Some("event_value")),
        (long("unit_type", 33), Some("unit_type")),
        (long("sdk", 65), Some("sdk")),
        (",\"attributes\":{\"a\":[1]}".to_owned(), Some("a number or a boolean")),
        (format!(",\"attributes\":{{{}}}", many.join(",")), Some("32")),
        (format!(",\"attributes\":{{\"a\":\"{}\"}}", "x".repeat(257)), Some("256")),
        (",\"config_version\":-1".to_owned(), Some("config_version")),
        (",\"config_version\":1.5".to_owned(), Some("config_version")),
        (",\"event_type\":\"click\"".to_owned(), Some("event_type")),
        (",\"event_time\":\"2026-05-01T09:30:00\"".to_owned(), Some("time zone")),
        (",\"unit_id\":\"\"".to_owned(), Some("unit_id")),
        (",\"unit_id\":5".to_owned(), Some("unit_id")),
        (",\"unit_id\":null".to_owned(), Some("unit_id: is missing")),
        (",\"user_id\":\"u1\"".to_owned(), None),
        (",\"user_id\":\"u2\"".to_owned(), Some("another name of unit_id")),
        (",\"sdk\":null,\"sdk\":\"web/1\"".to_owned(), None),
        (",\"sdk\":\"web/1\",\"sdk\":\"web/2\"".to_owned(), Some("sdk stands twice")),
    ] {
        let text = event(&changes);
        let found = json::decode(text.as_bytes()).map(drop).map_err(|problem| problem.to_string());
        match (expected, &found) {
            (None, Ok(())) => {}
            (Some(expected), Err(problem)) if problem.contains(expected) => {}
            _ => panic!("{changes}: {found:?}"),
        }
    }
}

/// Writers choose their own scale: what they meant is what counts, half-even at the sixth decimal.
#[test]
fn foreign_decimals_keep_their_scale() {
    let text = |out: &mut Vec<u8>, text: &str| {
        out.push(text.len() as u8 * 2);
        out.extend_from_slice(text.as_bytes());
    };
    let found = |value: &str, datum: &[u8]| -> Result<i64, String> {
        let field = |name: &str, of: &str| format!(r#"{{"name":"{name}","type":{of}}}"#);
        let fields = [
            field("event_value", value),
            field("event_id", "\"string\""),
            field("event_time", r#"{"type":"long","logicalType":"timestamp-micros"}"#),
            field("unit_id", "\"string\""),
            field("event_name", "\"string\""),
        ];
        let schema = format!(r#"{{"type":"record","name":"Conversion","fields":[{}]}}"#, fields.join(","));
        let mut schemas = Schemas::built_in();
        schemas.register(9, None, &schema).map_err(|problem| problem.to_string())?;
        let mut bytes = [&[0, 0, 0, 0, 9], datum].concat();
        text(&mut bytes, "6a3c3f5e4f6e4a399c1b0f6c7a3f1d10");
        bytes.push(0);
        text(&mut bytes, "u1");
        text(&mut bytes, "buy");
        match wire::decode(&bytes, None, &schemas).map_err(|problem| problem.to_string())?.body {
            Body::Conversion { value, .. } => Ok(value.map_or(i64::MIN, |value| value.0)),
            _ => Err("no conversion".to_owned()),
        }
    };
    let decimal = |scale: u32| format!(r#"{{"type":"bytes","logicalType":"decimal","precision":38,"scale":{scale}}}"#);
    let bytes = |value: i128| [&[32][..], &value.to_be_bytes()].concat();
    for (scale, unscaled, micro) in [
        (2, 1_999, 19_990_000),
        (0, -5, -5_000_000),
        (6, 19_990_000, 19_990_000),
        (7, 15, 2),
        (7, 25, 2),
        (7, -15, -2),
        (7, -25, -2),
        (7, 4, 0),
        (8, 251, 3),
        (18, 1_000_000_000_000_000_000_000_000_000, 1_000_000_000_000_000),
    ] {
        assert_eq!(found(&decimal(scale), &bytes(unscaled)), Ok(micro), "{unscaled} with scale {scale}");
    }
    let beyond = "event_value: is beyond 1,000,000,000 in magnitude";
    for (scale, unscaled) in
        [(2, 100_000_000_001), (0, i128::MAX), (0, i128::MIN), (18, 1_000_000_000_000_001_000_000_000_000)]
    {
        assert_eq!(found(&decimal(scale), &bytes(unscaled)), Err(beyond.to_owned()), "{unscaled} with scale {scale}");
    }
    // In a union every branch has its own scale, and null is no value.
    let fixed = r#"{"type":"fixed","name":"Money","size":20,"logicalType":"decimal","precision":40,"scale":4}"#;
    let union = format!(r#"["null",{},{fixed},"long"]"#, decimal(2));
    assert_eq!(found(&union, &[0]), Ok(i64::MIN));
    assert_eq!(found(&union, &[&[2][..], &bytes(1_999)].concat()), Ok(19_990_000));
    let long = [&[0xff; 4][..], &(-199_900i128).to_be_bytes()].concat();
    assert_eq!(found(&union, &[&[4][..], &long].concat()), Ok(-19_990_000));
    assert_eq!(found(&union, &[6, 14]), Ok(7_000_000));
    for (of, expected) in [
        ("\"double\"", "not be exact"),
        (r#"["null","float"]"#, "not be exact"),
        ("\"string\"", "not be exact"),
        (&decimal(19), "at most 18"),
    ] {
        let problem = found(of, &[0]).unwrap_err();
        assert!(problem.contains(expected), "{of}: {problem}");
    }
}
