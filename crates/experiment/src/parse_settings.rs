//! Changes of a log's settings as people write them.

use crate::read::{Check, Map};
use crate::settings::SettingsChange;
use crate::yaml::Node;
use crate::{Span, Timestamp, parse_time};

/// A change of settings: its hour, and at least one setting.
pub(crate) fn settings(check: &mut Check<'_>, node: &Node) -> Option<SettingsChange> {
    let map =
        check.map(node, "a change of settings", &["kind", "from", "look", "chunk", "semantics", "description"])?;
    check.description(map);
    let from = hour(check, map);
    let (look, chunk) = (length(check, map, "look"), length(check, map, "chunk"));
    let semantics = check.whole(map, "semantics", 1, u32::MAX.into()).map(|number| number as u32);
    if let (Some(look), Some(chunk)) = (look, chunk)
        && chunk.0 % look.0 != 0
    {
        check.complain(map.place_of("chunk"), "chunk must be a multiple of look");
    }
    if ["look", "chunk", "semantics"].iter().all(|key| map.get(key).is_none()) {
        check.complain(map.place, "a change of settings needs 'look', 'chunk' or 'semantics'");
    }
    Some(SettingsChange { from: from?, look, chunk, semantics })
}

fn hour(check: &mut Check<'_>, map: Map<'_>) -> Option<Timestamp> {
    let node = check.required(map, "from", "a change of settings")?;
    let text = check.scalar(node, "from")?;
    let hour = parse_time(text).ok().filter(|time| time.0 % Span::HOUR.0 == 0 && text.ends_with(":00:00Z"));
    if hour.is_none() {
        check.complain(
            node.place,
            format!("from '{text}' is no whole hour of UTC; write one such as 2026-06-01T00:00:00Z"),
        );
    }
    hour
}

/// A window's length must divide a day, so that a chunk never lies in two.
fn length(check: &mut Check<'_>, map: Map<'_>, key: &str) -> Option<Span> {
    let span = check.span(map, key)?;
    if span.0 == 0 || Span::DAY.0 % span.0 != 0 {
        check.complain(map.place_of(key), format!("{key} must divide a day; write one such as 1s, 5s, 30s or 5m"));
        return None;
    }
    Some(span)
}
