//! What a Kafka topic is set to, against what it should be.

use crate::deliveries::BATCH_BYTES_MAX;
use crate::log::{Stamping, TopicSpec};
use std::collections::BTreeMap;

/// Names and values, as the cluster describes them.
pub(crate) type Described = BTreeMap<String, String>;

/// The settings that a new topic gets.
pub(crate) fn wanted(spec: &TopicSpec) -> Vec<(&'static str, String)> {
    vec![
        ("message.timestamp.type", stamping(spec.stamping).to_owned()),
        ("retention.ms", spec.retention.map_or("-1".to_owned(), |retention| retention.as_millis().to_string())),
        ("cleanup.policy", if spec.compacted { "compact" } else { "delete" }.to_owned()),
        ("max.message.bytes", BATCH_BYTES_MAX.to_string()),
    ]
}

fn stamping(stamping: Stamping) -> &'static str {
    match stamping {
        Stamping::Append => "LogAppendTime",
        Stamping::Given => "CreateTime",
    }
}

/// Where a topic would give wrong numbers: found and wanted, in words.
pub(crate) fn contradictions(spec: &TopicSpec, described: &Described) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let found = described.get("message.timestamp.type").map_or("nothing", String::as_str);
    if found != stamping(spec.stamping) {
        let name = "message.timestamp.type";
        all.push((format!("{name}={found}"), format!("{name}={}", stamping(spec.stamping))));
    }
    let policy = described.get("cleanup.policy").map_or("", String::as_str);
    if !spec.compacted && policy.contains("compact") {
        // Older records of a key would disappear from the middle of the log.
        all.push((format!("cleanup.policy={policy}"), "cleanup.policy=delete".to_owned()));
    }
    all
}

/// Where a topic works, but not as well or as long as it should: what to do, in words.
pub(crate) fn complaints(spec: &TopicSpec, described: &Described) -> Vec<String> {
    let mut all = Vec::new();
    let number = |name: &str| described.get(name).and_then(|value| value.parse::<i64>().ok());
    let policy = described.get("cleanup.policy").map_or("", String::as_str);
    if spec.compacted && !policy.contains("compact") {
        all.push(format!("cleanup.policy={policy}; set it to compact, or the topic grows for ever or forgets"));
    }
    let kept = number("retention.ms").filter(|&kept| kept >= 0 && policy.contains("delete"));
    let wanted = spec.retention.map_or(i64::MAX, |retention| retention.as_millis().min(i64::MAX as u128) as i64);
    if let Some(kept) = kept.filter(|&kept| kept < wanted) {
        let wanted = spec.retention.map_or(-1, |retention| retention.as_millis() as i64);
        all.push(format!("retention.ms={kept}; set it to {wanted}, or records may be gone before they are needed"));
    }
    if let Some(largest) = number("max.message.bytes").filter(|&largest| largest < BATCH_BYTES_MAX as i64) {
        all.push(format!("max.message.bytes={largest}; set it to {BATCH_BYTES_MAX}, or large records are refused"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn check(compacted: bool, retention_s: Option<u64>, described: &[(&str, &str)]) -> String {
        let retention = retention_s.map(Duration::from_secs);
        let spec = TopicSpec { name: "t".to_owned(), partitions: 1, stamping: Stamping::Append, retention, compacted };
        let mut settings: Described = wanted(&spec).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        settings.extend(described.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let wrong =
            contradictions(&spec, &settings).into_iter().map(|(found, wanted)| format!("{found}, not {wanted}"));
        wrong.chain(complaints(&spec, &settings)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn settings_that_differ_are_told_with_what_to_do() {
        assert_eq!(check(false, Some(60), &[]), "");
        assert_eq!(check(true, None, &[]), "");
        assert_eq!(check(true, None, &[("cleanup.policy", "compact,delete")]), "");
        assert_eq!(
            check(false, None, &[("message.timestamp.type", "CreateTime")]),
            "message.timestamp.type=CreateTime, not message.timestamp.type=LogAppendTime"
        );
        assert_eq!(
            check(false, Some(60), &[("cleanup.policy", "compact,delete")]),
            "cleanup.policy=compact,delete, not cleanup.policy=delete"
        );
        assert_eq!(
            check(false, Some(60), &[("retention.ms", "1000")]),
            "retention.ms=1000; set it to 60000, or records may be gone before they are needed"
        );
        assert_eq!(
            check(false, None, &[("retention.ms", "1000")]),
            "retention.ms=1000; set it to -1, or records may be gone before they are needed"
        );
        assert_eq!(
            check(true, None, &[("cleanup.policy", "delete"), ("max.message.bytes", "1048588")]),
            "cleanup.policy=delete; set it to compact, or the topic grows for ever or forgets\n\
             max.message.bytes=1048588; set it to 2162688, or large records are refused"
        );
    }
}
