//! `/internal/definitions`: the definitions in force for edges, by long poll.

use crate::http::Shared;
use crate::http::document::Snapshot;
use crate::http::problem::{Problem, ProblemBody};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A version of the definitions as edges read it.
#[derive(Debug)]
pub struct Published {
    /// Its number.
    pub version: u64,
    /// The document of `assay_experiment::snapshot`.
    pub document: Bytes,
    /// Canonical JSON of each definition.
    pub bodies: Vec<String>,
}

/// The name of the edge that asks. What it answers from is in [`VERSION`].
const EDGE: &str = "assay-edge";
/// As in the answers of edges.
const VERSION: &str = "x-config-version";
/// Longest wait: proxies give up after 30 s or more.
const WAIT_MAX: u64 = 25;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(definitions))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait: u64,
}

/// The definitions in force, once they are newer than a version.
#[utoipa::path(
    get,
    path = "/internal/definitions",
    tag = "internal",
    params(
        ("after" = Option<u64>, Query, description = "The version that the caller has; 0 or absent for none."),
        ("wait" = Option<u64>, Query, description = "Seconds to wait for a newer one, at most 25.", maximum = 25),
        ("assay-edge" = Option<String>, Header, description = "Name of the edge that asks, for the status: at most 128 of A-Z, a-z, 0-9, '.', '_' and '-'."),
        ("x-config-version" = Option<u64>, Header, description = "The version that it answers from; absent: `after`."),
    ),
    responses(
        (status = 200, description = "The newest version.", body = Snapshot),
        (status = 304, description = "Nothing newer."),
        (status = "4XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn definitions(
    State(doors): State<Shared>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|_| Problem::wrong("query", "'after' and 'wait' are whole numbers from 0"))?;
    if asked.wait > WAIT_MAX {
        return Err(Problem::wrong("query", format!("'wait' is at most {WAIT_MAX} seconds")));
    }
    note(&doors, &headers, asked.after);
    let (mut published, mut stopped) = (doors.definitions.clone(), doors.stopped.clone());
    let newer = published.wait_for(|it| it.as_ref().is_some_and(|it| it.version > asked.after));
    let found = tokio::select! {
        found = tokio::time::timeout(Duration::from_secs(asked.wait), newer) => found,
        // The sender says so once, or is dropped.
        _ = stopped.wait_for(|stop| *stop) => return Err(Problem::later("stopping", "this process stops", 1)),
    };
    // It was there all the time.
    note(&doors, &headers, asked.after);
    match found {
        Ok(Ok(found)) => {
            let document = found.as_ref().map(|it| it.document.clone()).unwrap_or_default();
            Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], document).into_response())
        }
        _ => Ok(StatusCode::NOT_MODIFIED.into_response()),
    }
}

/// Remembers the edge that asks, if it says who it is.
fn note(doors: &Shared, headers: &HeaderMap, after: u64) {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let now_ms = (doors.now_ms)();
    if let Some(published) = &*doors.definitions.borrow() {
        doors.edges.published(published.version, now_ms);
    }
    if let Some(name) = text(EDGE) {
        let version = text(VERSION).and_then(|version| version.parse().ok()).unwrap_or(after);
        doors.edges.heard(name, version, now_ms);
    }
}
