//! `/openapi.json`: what the doors say of themselves, with the schema of results that the command line keeps too.

use crate::http::guard::tagged;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};
use std::borrow::Cow;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Object, RefOr};
use utoipa::{OpenApi, PartialSchema, ToSchema};

/// The one description of results, of this API, of the command line and of the topic.
const RESULTS: &str = include_str!("../../../../schemas/json/results.schema.json");
/// What the other documents of this API look like.
const DOORS: &str = include_str!("../../../../schemas/json/doors.schema.json");

/// What plans look like, and the status.
const PLANNER: &str = include_str!("../../../../schemas/json/planner.schema.json");

/// What does not come from the doors themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Assay",
        description = "Results of experiments, as of their newest look or an earlier one. Numbers are those of `assay replay --json`, digit by digit. Errors are `application/problem+json`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "results", description = "Numbers and verdicts."),
        (name = "planning", description = "Before an experiment, and what a running one can still find."),
        (name = "system", description = "How Assay itself is."),
        (name = "setup", description = "Definitions and their history."),
        (name = "internal", description = "For other parts of an installation.")
    )
)]
struct Frame;

/// The document before the doors are in it.
pub(crate) fn frame() -> utoipa::openapi::OpenApi {
    Frame::openapi()
}

/// Names a schema that a file under `schemas/json` describes.
macro_rules! described {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    Object::new().into()
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        )+
    };
}

described!(
    /// Results at one look.
    Results,
    /// All experiments in a row each.
    List,
    /// A metric over its looks.
    History,
    /// What happened to an experiment.
    ExperimentLog,
    /// The definition of an experiment.
    Definition,
    /// A version of all definitions.
    Snapshot,
    /// A replay of a look.
    Verification,
    /// A plan that is asked for.
    PlanQuestion,
    /// A plan.
    PlanAnswer,
    /// An experiment without an effect that is asked for.
    PeekQuestion,
    /// An experiment without an effect, and many of them.
    PeekAnswer,
    /// How the whole system is.
    Status
);

/// The door of the document.
pub(crate) fn router(contract: utoipa::openapi::OpenApi) -> Router {
    let text = Bytes::from(complete(contract).to_string());
    Router::new().route(
        "/openapi.json",
        get(move |request: Request| {
            let text = text.clone();
            async move { answer(&request, text) }
        }),
    )
}

fn answer(request: &Request, text: Bytes) -> Response {
    let mut response = tagged(request.headers(), Body::from(text.clone()), &text);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Puts the described schemas in, which speak of each other by their places in their own file.
fn complete(contract: utoipa::openapi::OpenApi) -> Json {
    let mut document = serde_json::to_value(&contract).expect("the document is made of texts and maps");
    let mut schemas = Map::new();
    for (file, root) in [(RESULTS, Some("Results")), (DOORS, None), (PLANNER, None)] {
        let mut file: Json = serde_json::from_str(file).expect("schemas are checked where they are written");
        if let Some(Json::Object(parts)) = file.as_object_mut().and_then(|file| file.remove("$defs")) {
            schemas.extend(parts);
        }
        if let Some(root) = root {
            file.as_object_mut().and_then(|file| file.remove("$schema"));
            schemas.insert(root.to_owned(), file);
        }
    }
    for schema in schemas.values_mut() {
        rename(schema);
    }
    let into = &mut document["components"]["schemas"];
    if !into.is_object() {
        *into = json!({});
    }
    if let Some(into) = into.as_object_mut() {
        into.extend(schemas);
    }
    document
}

/// `#` and `#/$defs/x` become places in this document.
fn rename(schema: &mut Json) {
    match schema {
        Json::Object(members) => {
            if let Some(Json::String(place)) = members.get_mut("$ref") {
                *place = match place.strip_prefix("#/$defs/") {
                    Some(name) => format!("#/components/schemas/{name}"),
                    None if place == "#" => "#/components/schemas/Results".to_owned(),
                    None => place.clone(),
                };
            }
            members.values_mut().for_each(rename);
        }
        Json::Array(all) => all.iter_mut().for_each(rename),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let document = complete(crate::http::doors().split_for_parts().1);
        let text = document.to_string();
        let places: Vec<&str> = text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(places.len() > 20);
        for place in places {
            assert!(document.pointer(place).is_some(), "{place} is nowhere");
        }
        assert!(document["paths"]["/v1/experiments/{id}/results"]["get"]["responses"]["200"].is_object(), "{text}");
    }
}
