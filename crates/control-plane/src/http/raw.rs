//! JSON taken apart without reading its numbers, so that they come out as they went in, digit by digit.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The members of an object, in the order of their names.
pub(crate) type Members<'a> = BTreeMap<&'a str, &'a RawValue>;

/// The members of an object whose names have no escapes; nothing for any other text.
pub(crate) fn members(object: &str) -> Members<'_> {
    serde_json::from_str(object).unwrap_or_default()
}

/// The items of an array; nothing for any other text.
pub(crate) fn items(array: &str) -> Vec<&RawValue> {
    serde_json::from_str(array).unwrap_or_default()
}

/// An object again.
pub(crate) fn object(members: &Members<'_>) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("{}:{value}", serde_json::Value::from(*name))).collect();
    format!("{{{}}}", members.join(","))
}

/// An array again.
pub(crate) fn array<'a>(items: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// A member that is a text.
pub(crate) fn text(members: &Members<'_>, name: &str) -> String {
    members.get(name).and_then(|raw| String::deserialize(*raw).ok()).unwrap_or_default()
}

/// Results with the segments of one attribute, or of one value of it (`country:DE`). `Err` has what there is.
pub(crate) fn with_segments(results: &str, wanted: &str) -> Result<String, Vec<String>> {
    let (attribute, value) = wanted.split_once(':').map_or((wanted, None), |(one, other)| (one, Some(other)));
    let mut whole = members(results);
    let (mut known, mut found) = (Vec::new(), false);
    let experiments: Vec<String> = items(whole.get("experiments").map_or("[]", |it| it.get()))
        .iter()
        .map(|experiment| {
            let mut experiment = members(experiment.get());
            let segments = items(experiment.get("segments").map_or("[]", |it| it.get()));
            let kept = segments.iter().filter(|segment| {
                let segment = members(segment.get());
                let (name, text) = (text(&segment, "attribute"), text(&segment, "value"));
                let wanted = name == attribute && value.is_none_or(|value| value == text);
                found |= wanted;
                known.push(if value.is_some() { format!("{name}:{text}") } else { name });
                wanted
            });
            let kept = array(kept.map(|it| it.get()));
            let kept: &RawValue = serde_json::from_str(&kept).unwrap_or(RawValue::NULL);
            experiment.insert("segments", kept);
            object(&experiment)
        })
        .collect();
    known.sort();
    known.dedup();
    if !found {
        return Err(known);
    }
    let experiments = array(experiments.iter().map(String::as_str));
    whole.insert("experiments", serde_json::from_str(&experiments).unwrap_or(RawValue::NULL));
    Ok(object(&whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_picked_and_numbers_stay_as_they_are() {
        let results = r#"{"look":"t","experiments":[{"n":0.1000000000000000055511151231257827,"segments":[
            {"attribute":"a","value":"x","k":1e-320},{"attribute":"a","value":"y"},{"attribute":"b","value":"x"}]}]}"#;
        let of = |wanted: &str| with_segments(results, wanted);
        assert_eq!(
            of("a:x").unwrap(),
            r#"{"experiments":[{"n":0.1000000000000000055511151231257827,"segments":[{"attribute":"a","value":"x","k":1e-320}]}],"look":"t"}"#
        );
        assert_eq!(of("a").unwrap().matches("attribute").count(), 2);
        assert_eq!(of("c"), Err(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(of("b:z").unwrap_err().len(), 3);
    }
}
