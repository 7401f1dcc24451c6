//! `/v1/experiments`: the list, one experiment's results at its newest or an earlier look, and the same as a table.

use crate::http::archive::{Archive, ArchiveError, Kept};
use crate::http::document::{List, Results};
use crate::http::guard::tagged;
use crate::http::posted::{Posted, quoted, time, with};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Doors, Shared, csv, raw};
use assay_experiment::{Timestamp, format_time, parse_time};
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(results)).routes(routes!(table))
}

/// All experiments, a row each: what needs attention first, then decided, undecided, draft and stopped ones.
#[utoipa::path(
    get,
    path = "/v1/experiments",
    tag = "results",
    responses(
        (status = 200, description = "At the newest look.", body = List),
        (status = 304, description = "The caller has it (`If-None-Match`)."),
        (status = "4XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn list(State(doors): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    let posted = newest(&doors)?;
    Ok(json(&headers, &doors, listed(&doors, &posted)))
}

/// The document of the list.
pub(crate) fn listed(doors: &Doors, posted: &Posted) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    let mut groups: BTreeMap<&str, usize> =
        ["attention", "decided", "undecided", "draft", "stopped"].map(|name| (name, 0)).into();
    for experiment in posted.aligned.experiments.iter().filter(|it| it.in_force) {
        rows.push((experiment.group, experiment.summary.clone()));
    }
    rows.extend(drafts(doors).into_iter().map(|row| ("draft", row)));
    rows.iter().for_each(|(group, _)| *groups.entry(group).or_default() += 1);
    let groups = serde_json::to_string(&groups).unwrap_or_else(|_| "{}".to_owned());
    let frame = raw::members(&posted.aligned.frame);
    let freshness = frame.get("freshness").map_or("null", |it| it.get());
    let mut out = with("{}", "look", &quoted(&format_time(posted.aligned.look)));
    out = with(&out, "freshness", freshness);
    out = with(&out, "published_at", &quoted(&time(posted.published_ms)));
    out = with(&out, "groups", &groups);
    with(&out, "experiments", &raw::array(rows.iter().map(|(_, row)| row.as_str())))
}

/// Experiments that are no more than an intention: no look has them.
fn drafts(doors: &Doors) -> Vec<String> {
    #[derive(Deserialize)]
    struct Draft {
        kind: String,
        id: String,
        #[serde(default)]
        status: String,
        #[serde(default)]
        title: String,
        #[serde(default)]
        owner: String,
        #[serde(default)]
        unit: String,
        #[serde(default)]
        unit_name: Option<String>,
    }
    let published = doors.definitions.borrow().clone();
    let bodies = published.as_ref().map_or(&[][..], |it| &it.bodies);
    let read = bodies.iter().filter_map(|body| serde_json::from_str::<Draft>(body).ok());
    read.filter(|it| it.kind == "experiment" && it.status == "draft")
        .map(|it| {
            serde_json::json!({
                "experiment": it.id, "title": it.title, "owner": it.owner, "unit_name": it.unit_name.as_ref().unwrap_or(&it.unit), "status": "draft", "group": "draft",
                "said": {"sentence": [{"text": "Not started."}], "health": "–", "tone": "none"},
            })
            .to_string()
        })
        .collect()
}

#[derive(Deserialize)]
struct Asked {
    look: Option<String>,
    segment: Option<String>,
}

/// Results of one experiment.
#[utoipa::path(
    get,
    path = "/v1/experiments/{id}/results",
    tag = "results",
    params(
        ("id" = String, Path, description = "Id of the experiment.", example = "checkout-v3"),
        ("look" = Option<String>, Query, format = DateTime, description = "The newest look at or before this instant (RFC 3339), instead of the newest."),
        ("segment" = Option<String>, Query, description = "Only the segments of this attribute (`country`), or one of them (`country:DE`)."),
    ),
    responses(
        (status = 200, description = "As `assay replay --json` says it, with this experiment alone.", body = Results),
        (status = 304, description = "The caller has it (`If-None-Match`)."),
        (status = "4XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn results(
    State(doors): State<Shared>,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(json(&headers, &doors, document(&doors, &id, asked).await?))
}

/// The same numbers as a table, one row for each metric, segment and variant.
#[utoipa::path(
    get,
    path = "/v1/experiments/{id}/results.csv",
    tag = "results",
    params(
        ("id" = String, Path, description = "Id of the experiment.", example = "checkout-v3"),
        ("look" = Option<String>, Query, format = DateTime, description = "The newest look at or before this instant (RFC 3339), instead of the newest."),
        ("segment" = Option<String>, Query, description = "Only the segments of this attribute (`country`), or one of them (`country:DE`)."),
    ),
    responses(
        (status = 200, description = "Comma-separated values with a header.", body = String, content_type = "text/csv"),
        (status = 304, description = "The caller has it (`If-None-Match`)."),
        (status = "4XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn table(
    State(doors): State<Shared>,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let text = csv::table(&document(&doors, &id, asked).await?);
    let mut response = tagged(&headers, Body::from(text.clone()), text.as_bytes());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    let name = format!("attachment; filename=\"{id}.csv\"");
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

async fn document(doors: &Shared, id: &str, asked: Result<Query<Asked>, QueryRejection>) -> Result<String, Problem> {
    let Query(asked) = asked.map_err(|_| Problem::wrong("query", "'look' and 'segment' are texts, given once"))?;
    let found = match &asked.look {
        None => newest(doors)?.experiment(id).ok_or_else(|| unknown(doors, id))?,
        Some(text) => earlier(doors, id, instant("look", text)?).await?,
    };
    match &asked.segment {
        None => Ok(found),
        Some(wanted) => raw::with_segments(&found, wanted).map_err(|known| {
            let there =
                if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
            Problem::missing("no-such-segment", format!("{id} has no segment '{wanted}'; {there}"))
        }),
    }
}

/// Where a look was found.
pub(crate) enum Found {
    /// On the board.
    Posted(Arc<Posted>),
    /// In the archive.
    Kept(Kept),
}

async fn earlier(doors: &Shared, id: &str, at: Timestamp) -> Result<String, Problem> {
    match find(doors, id, at).await? {
        Found::Posted(posted) => posted.experiment(id).ok_or_else(|| unknown(doors, id)),
        Found::Kept(kept) => {
            let out = with(&kept.body, "provisional", "null");
            Ok(with(&out, "published_at", &quoted(&time(kept.published_ms))))
        }
    }
}

/// The newest look of an experiment at or before an instant: from the board, else from the archive.
pub(crate) async fn find(doors: &Shared, id: &str, at: Timestamp) -> Result<Found, Problem> {
    if let Some(posted) = doors.board.at(at)
        && !posted.aligned.phases(id).is_empty()
    {
        return Ok(Found::Posted(posted));
    }
    let asked = id.to_owned();
    let kept = ask(doors, move |archive| Ok((archive.look(&asked, at)?, archive.first(&asked)?))).await?;
    let (kept, first) = kept.unwrap_or_default();
    if let Some(kept) = kept {
        return Ok(Found::Kept(kept));
    }
    let newest = newest(doors)?;
    if newest.aligned.phases(id).is_empty() && first.is_none() {
        return Err(unknown(doors, id));
    }
    let first = first.into_iter().chain(doors.board.first()).min();
    let since = first.map_or_else(|| "no look yet".to_owned(), |it| format!("looks from {} on", format_time(it)));
    let detail = format!("no look at or before {} was kept; there are {since}", format_time(at));
    Err(Problem::missing("no-such-look", detail))
}

/// Asks the archive on a thread of its own, a few questions at a time; `None` without an archive.
pub(crate) async fn ask<T: Send + 'static>(
    doors: &Shared,
    question: impl FnOnce(&dyn Archive) -> Result<T, ArchiveError> + Send + 'static,
) -> Result<Option<T>, Problem> {
    let Some(archive) = doors.archive.clone() else { return Ok(None) };
    let busy = || Problem::later("busy", "many earlier looks are being read; try again", 1);
    let _place = doors.reads.try_acquire().map_err(|_| busy())?;
    let answer = tokio::task::spawn_blocking(move || question(archive.as_ref())).await;
    match answer {
        Ok(Ok(answer)) => Ok(Some(answer)),
        Ok(Err(problem)) => Err(Problem::later("archive", format!("earlier looks cannot be read now: {problem}"), 5)),
        Err(problem) => Err(Problem::later("archive", format!("reading earlier looks failed: {problem}"), 5)),
    }
}

/// The newest look.
pub(crate) fn newest(doors: &Doors) -> Result<Arc<Posted>, Problem> {
    let none = || Problem::later("no-look-yet", "no look has closed yet; results come within seconds of the start", 2);
    doors.board.newest().ok_or_else(none)
}

/// An experiment that no look has.
pub(crate) fn unknown(doors: &Doors, id: &str) -> Problem {
    if drafts(doors).iter().any(|row| raw::text(&raw::members(row), "experiment") == id) {
        return Problem::missing("draft", format!("{id} is a draft: it has no results until it runs"));
    }
    let shown: String = id.chars().take(64).collect();
    Problem::missing("no-such-experiment", format!("there is no experiment '{shown}'; /v1/experiments lists all"))
}

/// A time in a query.
pub(crate) fn instant(name: &str, text: &str) -> Result<Timestamp, Problem> {
    parse_time(text).map_err(|problem| Problem::wrong("time", format!("'{name}': {problem}")))
}

/// JSON with the time of the server, which makes no two answers differ.
pub(crate) fn json(asked: &HeaderMap, doors: &Doors, document: String) -> Response {
    let body = with(&document, "server_time", &quoted(&time((doors.now_ms)())));
    let mut response = tagged(asked, Body::from(body), document.as_bytes());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
