//! Doors for events: `POST /v1/events`, `/v1/exposures`, `/v1/track`. Each event is judged alone, by the limits that the log's readers have,
//! and told what became of it; `202` only when the log has all that were accepted.

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};
use serde_json::value::RawValue;

use crate::body::Media;
use crate::current::Current;
use crate::limits::{EVENTS_MAX, LOG_WAIT};
use crate::metrics::Metrics;
use crate::prepare;
use crate::queue::{Item, Queue, Ticket};
use crate::respond::{Answer, Code, JSON, failure, quoted, whole};

/// Which door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Complete events of any kind.
    Events,
    /// Exposures; what is missing is filled in.
    Exposures,
    /// Tracking events, as the format or OpenFeature has them; what is missing is filled in.
    Track,
}

/// Takes the events of a body.
pub async fn take(
    door: Door,
    media: Media,
    body: &[u8],
    current: Option<&Current>,
    queue: &Queue,
    metrics: &Metrics,
) -> Answer {
    let texts = match std::str::from_utf8(body).map_err(|_| "the body is not UTF-8".to_owned()) {
        Ok(text) => split(text, media),
        Err(problem) => Err(problem),
    };
    let texts = match texts {
        Ok(texts) => texts,
        Err(problem) => return failure(StatusCode::BAD_REQUEST, None, Code::ParseError.name(), &problem),
    };
    let judged: Vec<Result<Vec<(String, String)>, String>> =
        texts.iter().map(|text| prepare::records(door, text, current)).collect();
    let accepted = judged.iter().filter(|one| one.is_ok()).count();
    metrics.events.with_label_values(&["rejected"]).inc_by((judged.len() - accepted) as u64);
    if accepted == 0 {
        return answer(StatusCode::BAD_REQUEST, &judged, "");
    }
    let records: usize = judged.iter().flatten().map(Vec::len).sum();
    let ticket = Ticket::new(records);
    let item = |(unit, payload): &(String, String)| Item {
        unit: unit.clone(),
        payload: payload.clone(),
        experiment: None,
        ticket: Some(ticket.clone()),
    };
    let items = judged.iter().flatten().flatten().map(item).collect();
    let outcome = match queue.offer(items) {
        Ok(()) => ticket.wait(LOG_WAIT).await,
        Err(_) => Err("too many events wait for the log".to_owned()),
    };
    match outcome {
        Ok(()) => {
            metrics.events.with_label_values(&["accepted"]).inc_by(accepted as u64);
            answer(StatusCode::ACCEPTED, &judged, "")
        }
        Err(problem) => {
            metrics.events.with_label_values(&["failed"]).inc_by(accepted as u64);
            let problem = format!("{problem}; send it again with the same event_id and event_time");
            let mut answer = answer(StatusCode::SERVICE_UNAVAILABLE, &judged, &problem);
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
            answer
        }
    }
}

/// What became of each event, in order. `failed` says why the log has none of the good ones for certain.
fn answer(status: StatusCode, judged: &[Result<Vec<(String, String)>, String>], failed: &str) -> Answer {
    let accepted = if failed.is_empty() { judged.iter().filter(|one| one.is_ok()).count() } else { 0 };
    let mut out = format!("{{\"accepted\":{accepted},\"events\":[");
    for (at, one) in judged.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        match one {
            Ok(_) if failed.is_empty() => out.push_str("{\"status\":\"accepted\"}"),
            Ok(_) => out.push_str(&format!("{{\"status\":\"failed\",\"reason\":{}}}", quoted(failed))),
            Err(why) => out.push_str(&format!("{{\"status\":\"rejected\",\"reason\":{}}}", quoted(why))),
        }
    }
    out.push_str("]}");
    whole(status, JSON, out)
}

/// The texts of single events in a body: an array, one object, or one object in each line. A line that is no JSON spoils only itself.
fn split(text: &str, media: Media) -> Result<Vec<&str>, String> {
    let text = text.trim_ascii();
    let texts: Vec<&str> = if text.starts_with('[') && media == Media::Json {
        let elements: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|problem| format!("the body is no array of events: {problem}"))?;
        elements.into_iter().map(RawValue::get).collect()
    } else if media == Media::Json && serde_json::from_str::<&RawValue>(text).is_ok() {
        vec![text]
    } else {
        text.lines().map(str::trim_ascii).filter(|line| !line.is_empty()).collect()
    };
    match texts.len() {
        0 => Err("the body has no events; send an array, an object, or one object in each line".to_owned()),
        many if many > EVENTS_MAX => Err(format!("the body has {many} events; at most {EVENTS_MAX} are taken at once")),
        _ => Ok(texts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_split() {
        let check = |text: &str, media, expected: &[&str]| {
            assert_eq!(split(text, media).unwrap(), expected, "{text}");
        };
        check("[{\"a\":1}, {\"b\":\n2}]", Media::Json, &["{\"a\":1}", "{\"b\":\n2}"]);
        check("{\"a\":\n1}\n", Media::Json, &["{\"a\":\n1}"]);
        check("{\"a\":1}\n\n{\"b\":2}\r\n", Media::Json, &["{\"a\":1}", "{\"b\":2}"]);
        check("{\"a\":1}\nnonsense\n{\"b\":2}", Media::Lines, &["{\"a\":1}", "nonsense", "{\"b\":2}"]);
        assert!(split("[{\"a\":1},", Media::Json).unwrap_err().contains("array"));
        assert!(split(" \n", Media::Json).is_err() && split("[]", Media::Json).is_err());
        let many = "{}\n".repeat(EVENTS_MAX + 1);
        assert!(split(&many, Media::Lines).unwrap_err().contains("at most 10000"));
    }
}
