//! Ids that follow from what an event says: a retry is the very same event, with the same id and the same body.

use assay_experiment::{Event, EventId, json};
use xxhash_rust::xxh3::xxh3_128;

/// Where [`json::encode`] puts the id: behind `{"event_id":"`.
const ID_START: usize = 13;
const ID_LENGTH: usize = 36;

/// An event as JSON under the id that follows from all its other fields.
pub fn identified(event: &Event<'_>) -> String {
    debug_assert_eq!(event.id, EventId(0));
    let mut text = json::encode(event);
    let id = of(text.as_bytes());
    text.replace_range(ID_START..ID_START + ID_LENGTH, &id.to_string());
    text
}

/// The id that follows from bytes: version 8 of UUIDs, which is for those that are made by a rule of one's own.
pub fn of(bytes: &[u8]) -> EventId {
    let uuid = uuid::Builder::from_custom_bytes(xxh3_128(bytes).to_be_bytes()).into_uuid();
    EventId(uuid.as_u128())
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_experiment::{Body, Timestamp};
    use std::borrow::Cow;

    fn event(unit: &str) -> Event<'_> {
        Event {
            id: EventId(0),
            time: Timestamp(1_700_000_000_000_000),
            unit_type: Cow::Borrowed("user"),
            unit_id: Cow::Borrowed(unit),
            body: Body::Exposure { experiment: Cow::Borrowed("shop"), variant: Cow::Borrowed("b") },
            attributes: Vec::new(),
            config_version: Some(7),
            sdk: None,
            copy: 0,
        }
    }

    #[test]
    fn the_id_follows_from_the_rest() {
        let text = identified(&event("u1"));
        assert_eq!(text, identified(&event("u1")));
        let read = json::decode(text.as_bytes()).unwrap();
        assert_eq!(Event { id: EventId(0), ..read.clone() }, event("u1"));
        assert_eq!((read.id.0 >> 76 & 0xf, read.id.0 >> 62 & 3), (8, 2), "version 8: {}", read.id);
        let other = identified(&event("u2"));
        assert_ne!(json::decode(other.as_bytes()).unwrap().id, read.id);
        let later = Event { config_version: Some(8), ..event("u1") };
        assert_ne!(json::decode(identified(&later).as_bytes()).unwrap().id, read.id);
    }
}
