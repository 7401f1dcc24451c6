//! Errors as `application/problem+json` (RFC 9457): what failed, in words that say what to do, with the id of the request.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use utoipa::ToSchema;

/// An answer that is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Of HTTP.
    pub status: StatusCode,
    /// For programs: a word that stays.
    pub kind: &'static str,
    /// For people.
    pub detail: String,
    /// Seconds after which asking again may help.
    pub retry_after: Option<u32>,
    /// The member of the request that is wrong, where it is one.
    pub field: Option<String>,
}

impl Problem {
    /// What was asked for does not exist.
    pub fn missing(kind: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, kind, detail)
    }

    /// What was asked for cannot be understood.
    pub fn wrong(kind: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, kind, detail)
    }

    /// It will work later.
    pub fn later(kind: &'static str, detail: impl Into<String>, seconds: u32) -> Problem {
        Problem { retry_after: Some(seconds), ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, kind, detail) }
    }

    /// Any other.
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, kind, detail: detail.into(), retry_after: None, field: None }
    }

    /// The answer, with the id of its request.
    pub(crate) fn answer(&self, request: &str) -> Response {
        let mut body = json!({
            "type": format!("urn:assay:problem:{}", self.kind), "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(), "detail": self.detail, "request_id": request,
        });
        if let Some(field) = &self.field {
            body["field"] = json!(field);
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// The guard around all doors writes the body, because only it knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What an error looks like.
#[derive(ToSchema)]
#[schema(title = "Problem")]
#[allow(dead_code, reason = "only described, never built: errors are written member by member")]
pub(crate) struct ProblemBody {
    /// A URN that ends in a word that stays, for programs.
    #[schema(example = "urn:assay:problem:no-such-experiment")]
    r#type: String,
    /// The status in words.
    title: String,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What failed and what to do.
    detail: String,
    /// The member of the request that is wrong, where it is one.
    field: Option<String>,
    /// Names this request in the server's own messages.
    request_id: String,
}
