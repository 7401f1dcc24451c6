//! Assignment as any language can run it: `schemas/assignment.json`.

#![allow(clippy::unwrap_used, reason = "vectors that cannot be read have failed")]

use assay_experiment::assignment::{Tag, bucket, bucket_of, hash, in_slots, variant_by_hash, variant_ranges};
use assay_experiment::{Definitions, Source, parse};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../schemas/assignment.json")).unwrap()
}

#[test]
fn every_vector_has_its_hash_and_bucket() {
    let all = vectors();
    let vectors = all["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 41, "the file was cut");
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let found = hash(Tag::from_letter(text("tag")).unwrap(), text("salt"), text("unit_type"), text("unit"));
        assert_eq!(format!("{found:016x}"), text("hash_hex"), "{vector}");
        assert_eq!(u64::from(bucket_of(found)), vector["bucket"].as_u64().unwrap(), "{vector}");
    }
}

#[test]
fn ramps_move_nobody() {
    for scenario in vectors()["scenarios"].as_array().unwrap() {
        let (layer, salt) = (scenario["layer"].as_str().unwrap(), scenario["salt"].as_str().unwrap());
        let range = |value: &Value| (value[0].as_u64().unwrap() as u32, value[1].as_u64().unwrap() as u32);
        let mut checked = 0;
        let mut before: Vec<(String, String)> = Vec::new();
        for step in scenario["steps"].as_array().unwrap() {
            let slots: Vec<(u32, u32)> = step["layer_ranges"].as_array().unwrap().iter().map(range).collect();
            let mut inside = Vec::new();
            for (unit, expected) in step["expect"].as_object().unwrap() {
                let bucket = bucket(Tag::Variant, salt, "user", unit);
                let variant = scenario["variants"].as_array().unwrap().iter().find(|variant| {
                    let (start, end) = range(&variant[1]);
                    (start..end).contains(&bucket)
                });
                let found = in_slots(layer, &slots, "user", unit).then(|| variant.unwrap()[0].as_str().unwrap());
                assert_eq!(found, expected.as_str(), "{unit} in {}", step["step"]);
                inside.extend(found.map(|variant| (unit.clone(), variant.to_owned())));
                checked += 1;
            }
            assert!(before.iter().all(|member| inside.contains(member)), "a ramp only adds");
            before = inside;
        }
        assert!(checked >= 20, "the scenario was cut");
    }
}

fn definitions(weights: &[&str]) -> Definitions {
    let variants: Vec<String> = weights
        .iter()
        .enumerate()
        .map(|(at, weight)| format!("{{ name: v{at}, control: {}, weight: {weight} }}", at == 0))
        .collect();
    let text = format!(
        "kind: experiment\nid: e\nsalt: s\nstatus: running\nvariants: [{}]\nmetrics: []\nanalysis: {{ planned_units: 100 }}\n",
        variants.join(", ")
    );
    parse(&[Source { name: "test", text: &text }]).unwrap()
}

#[test]
fn weights_become_ranges_that_cover_every_bucket_once() {
    for (weights, expected) in [
        (vec!["1", "1"], vec![(0, 500_000), (500_000, 1_000_000)]),
        (vec!["20", "30", "50"], vec![(0, 200_000), (200_000, 500_000), (500_000, 1_000_000)]),
        (vec!["1", "1", "1"], vec![(0, 333_333), (333_333, 666_666), (666_666, 1_000_000)]),
        (vec!["1", "0"], vec![(0, 1_000_000), (1_000_000, 1_000_000)]),
        (vec!["0.1", "0.2"], vec![(0, 333_333), (333_333, 1_000_000)]),
    ] {
        let all = definitions(&weights);
        let found: Vec<(u32, u32)> = variant_ranges(&all.experiments["e"]).collect();
        assert_eq!(found, expected, "{weights:?}");
        assert!((0..200).all(|unit| variant_by_hash(&all.experiments["e"], "user", &format!("u{unit}")).is_some()));
    }
}
