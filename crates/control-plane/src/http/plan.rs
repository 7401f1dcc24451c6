//! `/v1/plan` and `/v1/peek`: what an experiment needs, and what looking early does.
//!
//! Both compute and neither changes anything: they are POST because a question is a document. Questions are bounded where they are read;
//! here only so many are computed at one time, so that planners never take the processors from results.

use crate::http::Shared;
use crate::http::document::{PeekAnswer, PeekQuestion as PeekBody, PlanAnswer, PlanQuestion as PlanBody};
use crate::http::problem::{Problem, ProblemBody};
use crate::planner::{PeekQuestion, PlanQuestion, Planner, Wrong};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Questions that are computed at one time: each takes a processor for up to some hundred milliseconds.
pub(crate) const PLANS_MAX: usize = 2;
/// A question waits so long for its turn; a page that asks at every key has asked anew by then.
const TURN_MAX: Duration = Duration::from_secs(3);

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(plan)).routes(routes!(peek))
}

/// What an experiment needs by every way of reading it, and what a running one can still find: the numbers of `assay power`.
#[utoipa::path(
    post,
    path = "/v1/plan",
    tag = "planning",
    request_body(content = PlanBody, content_type = "application/json"),
    responses(
        (status = 200, description = "The plan.", body = PlanAnswer),
        (status = 422, description = "What of the question is wrong; `field` names the member.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "4XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn plan(State(doors): State<Shared>, body: Bytes) -> Result<Response, Problem> {
    let question = PlanQuestion::read(&body)?;
    computed(&doors, move |planner| planner.plan(&question)).await
}

/// An experiment without an effect, look by look, and the share of such experiments that is ever called significant: the readings and
/// bounds of `assay peek`.
#[utoipa::path(
    post,
    path = "/v1/peek",
    tag = "planning",
    request_body(content = PeekBody, content_type = "application/json"),
    responses(
        (status = 200, description = "The demonstration.", body = PeekAnswer),
        (status = 422, description = "What of the question is wrong; `field` names the member.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "4XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn peek(State(doors): State<Shared>, body: Bytes) -> Result<Response, Problem> {
    let question = PeekQuestion::read(&body)?;
    computed(&doors, move |planner| planner.peek(&question)).await
}

async fn computed<T: Serialize + Send + 'static>(
    doors: &Shared,
    question: impl FnOnce(&dyn Planner) -> Result<T, Wrong> + Send + 'static,
) -> Result<Response, Problem> {
    let none = || Problem::missing("no-planner", "this process does not plan; ask one that runs the control plane");
    let planner: Arc<dyn Planner> = doors.planner.clone().ok_or_else(none)?;
    let busy = |_| Problem::later("busy", "many plans are being computed; try again", 1);
    let place = tokio::time::timeout(TURN_MAX, doors.plans.clone().acquire_owned()).await.map_err(busy)?;
    // The place is given back when the computation ends, even if nobody waits for it any more.
    let answer = tokio::task::spawn_blocking(move || {
        let _place = place;
        question(planner.as_ref())
    });
    match answer.await {
        Ok(Ok(answer)) => Ok(Json(answer).into_response()),
        Ok(Err(wrong)) => Err(wrong.into()),
        Err(problem) => Err(Problem::later("failed", format!("the plan could not be computed: {problem}"), 1)),
    }
}

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Problem {
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong-question", wrong.detail);
        Problem { field: Some(wrong.field), ..problem }
    }
}
