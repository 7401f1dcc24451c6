//! Evaluates cases through OpenFeature's SDK for Rust and its OFREP provider, both unmodified. Input and output are those of `client.py`.

use http::{HeaderMap, HeaderName, HeaderValue};
use open_feature::{
    Client, EvaluationContext, EvaluationContextFieldValue as Field, EvaluationDetails, EvaluationResult, OpenFeature,
    StructValue, Value,
};
use open_feature_ofrep::{OfrepOptions, OfrepProvider};
use serde_json::{Value as Json, json};

/// As Cargo.toml pins them.
const CLIENT: &str = "open-feature 0.3.0, open-feature-ofrep 0.1.2";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let asked: Json = serde_json::from_reader(std::io::stdin()).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in asked["headers"].as_object().unwrap() {
        let name = HeaderName::try_from(name.as_str()).unwrap();
        headers.insert(name, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
    }
    let base_url = asked["url"].as_str().unwrap().to_owned();
    let provider = OfrepProvider::new(OfrepOptions { base_url, headers, ..Default::default() }).await.unwrap();
    OpenFeature::singleton_mut().await.set_provider(provider).await;
    let client = OpenFeature::singleton().await.create_client();
    let mut answers = Vec::new();
    for case in asked["cases"].as_array().unwrap() {
        answers.push(answer(&client, case).await);
    }
    println!("{}", json!({"client": CLIENT, "answers": answers}));
}

async fn answer(client: &Client, case: &Json) -> Json {
    let (key, context) = (case["key"].as_str().unwrap(), context(&case["context"]));
    let context = Some(&context);
    match case["type"].as_str().unwrap() {
        "boolean" => told(case, client.get_bool_details(key, context, None).await),
        "string" => told(case, client.get_string_details(key, context, None).await),
        "integer" => told(case, client.get_int_details(key, context, None).await),
        "float" => told(case, client.get_float_details(key, context, None).await),
        _ => told(case, client.get_struct_details::<StructValue>(key, context, None).await),
    }
}

/// This SDK has no default values: an application takes its own when there is an error.
fn told<T: Into<Value>>(case: &Json, result: EvaluationResult<EvaluationDetails<T>>) -> Json {
    match result {
        Ok(details) => json!({
            "name": case["name"],
            "variant": details.variant,
            "reason": details.reason.map(|reason| reason.to_string()),
            "value": json_of(details.value.into()),
        }),
        Err(problem) => json!({
            "name": case["name"],
            "value": case["default"],
            "reason": "ERROR",
            "error": problem.code.to_string(),
            "message": problem.message,
        }),
    }
}

/// Structures stay out: the provider would send their debug text.
fn context(attributes: &Json) -> EvaluationContext {
    let mut context = EvaluationContext::default();
    for (name, value) in attributes.as_object().unwrap() {
        match value {
            Json::String(text) if name == "targetingKey" => context.targeting_key = Some(text.clone()),
            Json::String(text) => context.add_custom_field(name, text.as_str()),
            Json::Bool(yes) => context.add_custom_field(name, *yes),
            Json::Number(number) => {
                let field = number.as_i64().map_or_else(|| Field::Float(number.as_f64().unwrap()), Field::Int);
                context.add_custom_field(name, field);
            }
            _ => {}
        }
    }
    context
}

fn json_of(value: Value) -> Json {
    match value {
        Value::Bool(yes) => json!(yes),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::String(text) => json!(text),
        Value::Array(values) => values.into_iter().map(json_of).collect(),
        Value::Struct(it) => it.fields.into_iter().map(|(name, value)| (name, json_of(value))).collect(),
    }
}
