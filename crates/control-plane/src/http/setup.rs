//! `/v1/experiments/{id}/definition` and `/log`: how an experiment was set up, and what happened to it.

use crate::http::archive::DefinitionVersion;
use crate::http::document::{Definition, ExperimentLog};
use crate::http::experiments::{ask, json, newest, unknown};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Shared, raw, yaml};
use assay_experiment::{Timestamp, format_time};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value as Json, json as object};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(definition)).routes(routes!(log))
}

#[derive(Deserialize)]
struct Asked {
    version: Option<u64>,
}

/// The definition of an experiment as YAML, and which versions there were.
#[utoipa::path(
    get,
    path = "/v1/experiments/{id}/definition",
    tag = "setup",
    params(
        ("id" = String, Path, description = "Id of the experiment.", example = "checkout-v3"),
        ("version" = Option<u64>, Query, description = "As of this version of the definitions, instead of the newest."),
    ),
    responses(
        (status = 200, description = "The definition.", body = Definition),
        (status = 304, description = "The caller has it (`If-None-Match`)."),
        (status = "4XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn definition(
    State(doors): State<Shared>,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wrong = || Problem::wrong("query", "'version' is a whole number below 2^63");
    let Query(asked) = asked.map_err(|_| wrong())?;
    if asked.version.is_some_and(|version| i64::try_from(version).is_err()) {
        return Err(wrong());
    }
    let all = versions(&doors, &id).await?;
    let changed = changes(&all);
    let wanted = asked.version.unwrap_or(u64::MAX);
    let found = all.iter().rev().find(|it| it.version <= wanted);
    let found = found.ok_or_else(|| {
        let first = all.first().map_or(0, |it| it.version);
        Problem::missing("no-such-version", format!("{id} is in the definitions from version {first} on"))
    })?;
    let body: Json = serde_json::from_str(&found.body).unwrap_or_default();
    let at = |it: &DefinitionVersion| object!({"version": it.version, "at": time(it.at)});
    let document = object!({
        "experiment": id, "version": found.version, "at": time(found.at), "yaml": yaml::document(&body), "definition": body,
        "versions": changed.iter().map(|it| at(it)).collect::<Vec<_>>(),
    });
    Ok(json(&headers, &doors, document.to_string()))
}

/// What happened to an experiment, oldest first: versions of its definition, decisions, alarms.
#[utoipa::path(
    get,
    path = "/v1/experiments/{id}/log",
    tag = "setup",
    params(("id" = String, Path, description = "Id of the experiment.", example = "checkout-v3")),
    responses(
        (status = 200, description = "The entries.", body = ExperimentLog),
        (status = 304, description = "The caller has it (`If-None-Match`)."),
        (status = "4XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn log(State(doors): State<Shared>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let all = versions(&doors, &id).await?;
    let mut entries: Vec<(String, Json)> = Vec::new();
    let mut before: Option<Json> = None;
    for version in changes(&all) {
        let body: Json = serde_json::from_str(&version.body).unwrap_or_default();
        let at = time(version.at);
        let changed = before.as_ref().map_or_else(Vec::new, |before| differing(before, &body));
        let entry = object!({
            "at": at, "kind": "version", "config_version": version.version, "actor": body["owner"].as_str().unwrap_or_default(), "status": body["status"],
            "changed": changed,
        });
        entries.push((at.unwrap_or_default(), entry));
        before = Some(body);
    }
    if let Ok(posted) = newest(&doors)
        && let Some(phase) = posted.aligned.phases(&id).first()
    {
        entries.extend(decisions(&phase.body));
    }
    let (alarms, _) = doors.board.raised(0);
    entries.extend(alarms.iter().filter(|it| it.experiment == id).map(|it| {
        let at = format_time(it.look);
        let mut entry: Json = serde_json::from_str(&it.to_json()).unwrap_or_default();
        entry["kind"] = object!("alarm");
        entry["at"] = object!(at);
        entry["actor"] = object!("assay");
        (at, entry)
    }));
    // Times are written alike, so their texts are in the order of the times.
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    let entries: Vec<Json> = entries.into_iter().map(|(_, entry)| entry).collect();
    Ok(json(&headers, &doors, object!({"experiment": id, "entries": entries}).to_string()))
}

/// The looks at which comparisons of the primary metrics were decided.
fn decisions(body: &str) -> Vec<(String, Json)> {
    let experiment: Json = serde_json::from_str(body).unwrap_or_default();
    let metrics = experiment["metrics"].as_array().map_or(&[][..], Vec::as_slice);
    let primary = metrics.iter().filter(|it| it["role"] == "primary");
    let arms =
        primary.flat_map(|metric| metric["variants"].as_array().into_iter().flatten().map(move |arm| (metric, arm)));
    arms.filter_map(|(metric, arm)| {
        let crossed = &arm["always_valid"]["crossed"];
        let look = crossed["look"].as_str()?;
        let entry = object!({
            "at": look, "kind": "decision", "actor": "assay", "look": look, "metric": metric["metric"], "variant": arm["variant"],
            "units": crossed["units"], "lift": crossed["lift"],
        });
        Some((look.to_owned(), entry))
    })
    .collect()
}

/// All versions that have the experiment: those of the archive, else the one in force.
async fn versions(doors: &Shared, id: &str) -> Result<Vec<DefinitionVersion>, Problem> {
    let asked = id.to_owned();
    let mut all = ask(doors, move |archive| archive.versions(&asked)).await?.unwrap_or_default();
    let published = doors.definitions.borrow().clone();
    if let Some(published) = published
        && all.last().is_none_or(|last| last.version < published.version)
    {
        let mine = |body: &&String| {
            let body = raw::members(body);
            raw::text(&body, "kind") == "experiment" && raw::text(&body, "id") == id
        };
        let newest = published.bodies.iter().find(mine);
        // The archive gets it with the next rows; until then nobody says when the log had it.
        all.extend(newest.map(|body| DefinitionVersion {
            version: published.version,
            at: Timestamp::MIN,
            body: body.clone(),
        }));
    }
    if all.is_empty() { Err(unknown(doors, id)) } else { Ok(all) }
}

/// Those versions that changed the definition.
fn changes(all: &[DefinitionVersion]) -> Vec<&DefinitionVersion> {
    let mut out: Vec<&DefinitionVersion> = Vec::new();
    for version in all {
        if out.last().is_none_or(|last| last.body != version.body) {
            out.push(version);
        }
    }
    out
}

/// Names of the members that differ.
fn differing(before: &Json, after: &Json) -> Vec<String> {
    let names = |json: &Json| json.as_object().map(|it| it.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let mut all = names(before);
    all.extend(names(after));
    all.sort();
    all.dedup();
    all.into_iter().filter(|name| before.get(name) != after.get(name)).collect()
}

/// Null where nobody says when.
fn time(at: Timestamp) -> Option<String> {
    (at != Timestamp::MIN).then(|| format_time(at))
}
