//! `/v1/experiments/{id}/verify`: a published look against a replay of the log's own records, byte by byte.
//!
//! The doors find the text that was published and say how the replay is doing; who replays is behind [`Verifier`], because only the command
//! knows the log. A replay costs a processor for a while, so there is one at a time, and only for who may read and comes from no other site.

use crate::http::Shared;
use crate::http::document::Verification as Shape;
use crate::http::experiments::{Found, find, instant, newest, unknown};
use crate::http::posted::{quoted, time, with};
use crate::http::problem::{Problem, ProblemBody};
use assay_experiment::Timestamp;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Replays looks, one at a time.
pub trait Verifier: Send + Sync {
    /// Begins, and returns at once. The same look of the same experiment again is the one that is under way.
    fn start(&self, wanted: Wanted) -> Result<Verification, Refused>;

    /// How the last one of an experiment is doing, or how it ended.
    fn state(&self, experiment: &str) -> Option<Verification>;

    /// Ends and forgets it. Whether there was one.
    fn forget(&self, experiment: &str) -> bool;
}

/// What is to be verified.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Id of the experiment.
    pub experiment: String,
    /// The text that was published: results with this experiment alone.
    pub published: String,
}

/// Why nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Another one is under way, in words.
    Busy(String),
    /// The last one ended just now; seconds until the next may begin.
    Soon(u32),
    /// It cannot be done by this process; the words have the command that does it.
    Elsewhere(String),
}

/// A replay and what came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Id of the experiment.
    pub experiment: String,
    /// As of when.
    pub look: String,
    /// What it does, or how it ended.
    pub state: VerificationState,
    /// Whether the texts are the same; `None` until both are there.
    pub identical: Option<bool>,
    /// Share of the look's offsets that were read.
    pub share: f64,
    /// Records that were read.
    pub records: u64,
    /// Since the start, or until the end.
    pub seconds: f64,
    /// What replays.
    pub build: String,
    /// What published the look.
    pub published_build: String,
    /// First and next offset of each partition, as published.
    pub offsets: serde_json::Value,
    /// Where the texts differ first.
    pub differs: Option<Difference>,
    /// Why it failed.
    pub detail: Option<String>,
    /// What gives the same results at a command line.
    pub command: String,
}

/// What a replay does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VerificationState {
    /// It reads the log.
    Running,
    /// The texts were compared.
    Done,
    /// It could not be done.
    Failed,
}

/// Two texts at the first place where they are not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Such as `experiments[0].metrics[1].name`.
    pub path: String,
    /// JSON that was published; `None` where there was nothing.
    pub published: Option<String>,
    /// JSON that the replay gives; `None` where it has nothing.
    pub replayed: Option<String>,
}

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(start, state, forget))
}

#[derive(Deserialize)]
struct Asked {
    look: Option<String>,
}

/// Replays the log up to a look, in the background, and compares what comes out with what was published.
#[utoipa::path(
    post,
    path = "/v1/experiments/{id}/verify",
    tag = "results",
    params(
        ("id" = String, Path, description = "Id of the experiment.", example = "checkout-v3"),
        ("look" = Option<String>, Query, format = DateTime, description = "The newest look at or before this instant (RFC 3339), instead of the newest."),
    ),
    responses(
        (status = 202, description = "It is under way; ask with GET.", body = Shape),
        (status = 403, description = "The request comes from another site.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Another one is under way.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "This process cannot do it; the words have the command that does.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "The last one ended just now.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "4XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn start(
    State(doors): State<Shared>,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    own_site(&headers)?;
    let Query(asked) = asked.map_err(|_| Problem::wrong("query", "'look' is a time, given once"))?;
    let at = asked.look.as_deref().map(|text| instant("look", text)).transpose()?;
    let verifier = verifier(&doors)?;
    let published = published(&doors, &id, at).await?;
    let begun = verifier.start(Wanted { experiment: id, published })?;
    Ok((StatusCode::ACCEPTED, document(&doors, &begun)?).into_response())
}

/// How a replay is doing, and how it ended.
#[utoipa::path(
    get,
    path = "/v1/experiments/{id}/verify",
    tag = "results",
    params(("id" = String, Path, description = "Id of the experiment.", example = "checkout-v3")),
    responses(
        (status = 200, description = "The last one of this experiment.", body = Shape),
        (status = "4XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn state(State(doors): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let found = verifier(&doors)?.state(&id).ok_or_else(nothing)?;
    Ok(document(&doors, &found)?.into_response())
}

/// Ends a replay, and forgets it.
#[utoipa::path(
    delete,
    path = "/v1/experiments/{id}/verify",
    tag = "results",
    params(("id" = String, Path, description = "Id of the experiment.", example = "checkout-v3")),
    responses(
        (status = 204, description = "It is forgotten."),
        (status = "4XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn forget(State(doors): State<Shared>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    own_site(&headers)?;
    match verifier(&doors)?.forget(&id) {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(nothing()),
    }
}

fn nothing() -> Problem {
    Problem::missing("no-verification", "no look of this experiment was verified here; POST begins it")
}

fn verifier(doors: &Shared) -> Result<Arc<dyn Verifier>, Problem> {
    let none = || Problem::missing("no-verifier", "this process does not replay; ask the one that serves");
    doors.verifier.clone().ok_or_else(none)
}

/// The text that was published at a look: what readers see, without what the doors add to it.
async fn published(doors: &Shared, id: &str, at: Option<Timestamp>) -> Result<String, Problem> {
    let found = match at {
        Some(at) => find(doors, id, at).await?,
        None => Found::Posted(newest(doors)?),
    };
    match found {
        Found::Posted(posted) => posted.aligned.document(id).ok_or_else(|| unknown(doors, id)),
        Found::Kept(kept) => Ok(kept.body),
    }
}

fn document(doors: &Shared, verification: &Verification) -> Result<Response, Problem> {
    let failed = |problem| Problem::later("failed", format!("the state cannot be written: {problem}"), 1);
    let text = serde_json::to_string(verification).map_err(failed)?;
    let text = with(&text, "server_time", &quoted(&time((doors.now_ms)())));
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// Refuses what a page of another site makes a browser send: browsers say where a POST comes from, and programs need not.
fn own_site(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let own = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").map(|(_, host)| host) == text("host"),
        (None, None) => true,
    };
    let words = "a page of another site asked for this; ask from Assay's own page, or from a program";
    own.then_some(()).ok_or_else(|| Problem::new(StatusCode::FORBIDDEN, "other-site", words))
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        match refused {
            Refused::Busy(words) => Problem::new(StatusCode::CONFLICT, "verifying", words),
            Refused::Soon(seconds) => Problem {
                retry_after: Some(seconds),
                ..Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too-soon",
                    format!("a replay ended just now; the next may begin in {seconds} s"),
                )
            },
            Refused::Elsewhere(words) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "elsewhere", words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    #[test]
    fn pages_of_other_sites_are_refused() {
        let check = |pairs: &[(&'static str, &'static str)], ok: bool| {
            let pair =
                |it: &(&'static str, &'static str)| (HeaderName::from_static(it.0), HeaderValue::from_static(it.1));
            let headers: HeaderMap = pairs.iter().map(pair).collect();
            assert_eq!(own_site(&headers).is_ok(), ok, "{pairs:?}");
        };
        let host = ("host", "assay:8080");
        check(&[host], true);
        check(&[host, ("sec-fetch-site", "same-origin")], true);
        check(&[host, ("sec-fetch-site", "cross-site"), ("origin", "http://assay:8080")], false);
        check(&[host, ("sec-fetch-site", "same-site")], false);
        check(&[host, ("origin", "http://assay:8080")], true);
        check(&[host, ("origin", "http://assay:9090")], false);
        check(&[host, ("origin", "null")], false);
    }
}
