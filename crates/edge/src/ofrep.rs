//! One flag for one context: `POST /ofrep/v1/evaluate/flags/{key}`.

use assay_experiment::evaluation::Failure;
use bytes::Bytes;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::current::Current;
use crate::exposures::Exposures;
use crate::respond::{Answer, Code, JSON, failure, failure_body, not_ready, whole};

/// The body of a request. What else it says is for others.
#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    context: Option<&'a RawValue>,
}

/// The text of the context in a body. Clients without a context send `{}`, or none.
pub fn context_of(body: &[u8]) -> Result<&[u8], String> {
    let wrong =
        |problem: String| format!("the body is not like {{\"context\": {{\"targetingKey\": \"u-17\"}}}}: {problem}");
    // An array of fields would be read as an object otherwise.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(wrong("it is no object".to_owned()));
    }
    let request: Request<'_> = serde_json::from_slice(body).map_err(|problem| wrong(problem.to_string()))?;
    Ok(request.context.map_or(b"{}".as_slice(), |context| context.get().as_bytes()))
}

/// Evaluates; a variant of a running experiment becomes an exposure.
pub fn evaluate(current: Option<&Current>, exposures: &Exposures, key: &str, body: &Bytes) -> Answer {
    let Some(current) = current else { return not_ready(Some(key)) };
    let bad = |code: Code, details: &str| failure(StatusCode::BAD_REQUEST, Some(key), code.name(), details);
    let text = match context_of(body) {
        Ok(text) => text,
        Err(problem) => return bad(Code::ParseError, &problem),
    };
    let context = match current.context(text) {
        Ok(context) => context,
        Err(problem) => return bad(Code::InvalidContext, &problem.to_string()),
    };
    match current.ruleset.evaluate_key(key, &context) {
        Ok(answer) => {
            if let Some(assigned) = &answer.exposure {
                exposures.observe(current, assigned, &context);
            }
            whole(StatusCode::OK, JSON, current.answers.get(&current.ruleset, &answer))
        }
        Err(problem) => {
            let status = match &problem {
                Failure::FlagNotFound => StatusCode::NOT_FOUND,
                Failure::General(_) => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::BAD_REQUEST,
            };
            let metadata = current.answers.metadata();
            whole(status, JSON, failure_body(Some(key), problem.code(), &problem.to_string(), metadata))
        }
    }
}
