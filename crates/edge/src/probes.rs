//! What orchestrators and operators ask: `/livez`, `/readyz`, `/metrics`.
//!
//! Ready is who has definitions, however old: to take away an edge whose source is gone would turn an outage of the control plane into one
//! of everything.

use hyper::StatusCode;
use prometheus::{Encoder, Registry, TextEncoder};
use serde_json::json;

use crate::ladder::Ladder;
use crate::respond::{Answer, JSON, TEXT, whole};
use crate::shipper::Shipping;

/// A process that answers lives.
pub fn live() -> Answer {
    whole(StatusCode::OK, TEXT, "alive\n")
}

/// Whether there are definitions, and what is not as it should be.
pub fn ready(ladder: &Ladder, environment: &str, shipping: Option<&Shipping>) -> Answer {
    let current = ladder.current();
    let (current, sources) = (current.as_deref(), ladder.sources());
    let fine = |problem: Option<String>| problem.unwrap_or_else(|| "fine".to_owned());
    let text = json!({
        "ready": current.is_some(),
        "environment": environment,
        "version": current.map(|current| current.version()),
        "source": current.map_or("none", |current| current.standing.name()),
        "age_seconds": sources.age_seconds.map(f64::floor),
        "flags": current.map_or(0, |current| current.ruleset.flags().len()),
        "quarantined": current.map_or(Vec::new(), |current| {
            let entry = |(key, why): &(String, String)| json!({"key": key, "why": why});
            current.ruleset.quarantined().iter().map(entry).collect()
        }),
        "upstream": fine(sources.upstream),
        "disk": fine(sources.disk),
        "log": shipping.map_or_else(|| "none".to_owned(), |shipping| fine(shipping.problem())),
    });
    let status = if current.is_some() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    whole(status, JSON, text.to_string())
}

/// Everything that the registry has.
pub fn metrics(registry: &Registry) -> Answer {
    let (mut text, encoder) = (Vec::new(), TextEncoder::new());
    match encoder.encode(&registry.gather(), &mut text) {
        Ok(()) => {
            let media = hyper::header::HeaderValue::from_str(encoder.format_type()).unwrap_or(TEXT);
            whole(StatusCode::OK, media, text)
        }
        Err(problem) => whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, problem.to_string()),
    }
}
