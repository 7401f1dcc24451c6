//! `/v1/status`: how the whole system is.

use crate::http::Shared;
use crate::http::document::Status;
use crate::http::problem::{Problem, ProblemBody};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(status))
}

/// How the whole system is: a sentence, then partitions, sinks, definitions, disk and build.
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "system",
    responses(
        (status = 200, description = "How everything is.", body = Status),
        (status = "4XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn status(State(doors): State<Shared>) -> Result<Response, Problem> {
    let none =
        || Problem::missing("no-status", "this process does not know how the system is; ask the one that serves");
    let overseer = doors.overseer.clone().ok_or_else(none)?;
    // Asking the disk may take a moment.
    let known = tokio::task::spawn_blocking(move || overseer.status()).await;
    let known =
        known.map_err(|problem| Problem::later("failed", format!("the status could not be read: {problem}"), 1))?;
    let (level, sentence) = known.sentence();
    let mut document = serde_json::to_value(&known).unwrap_or_default();
    if let Value::Object(members) = &mut document {
        members.insert("level".to_owned(), json!(level));
        members.insert("sentence".to_owned(), json!(sentence));
    }
    Ok(Json(document).into_response())
}
