//! The JSON of OFREP 0.3.0 for one flag: a success or a failure, alone or as an element of a bulk answer.
//!
//! Clients are pickier than the specification, so `variant` and `errorDetails` are always there (a caller's own default is a null variant
//! without a value), and reasons are those that every client knows. Whatever else there is to say stands in the metadata.

use crate::evaluation::{Answer, Failure, Ruleset};
use serde_json::{Map, Value as Json, json};

/// The body for a key and what its evaluation said.
///
/// Metadata: what the flag's definition says, then `version` (of the definitions) and `flagSetId` (the environment); for experiments and for
/// flags that one decided `experiment` and `phase`; `holdout` and `prerequisite` name what kept the unit out.
pub fn body(ruleset: &Ruleset, key: &str, outcome: &Result<Answer<'_>, Failure>) -> Json {
    let rule = ruleset.index(key).map(|index| &ruleset.flags()[index]);
    let mut metadata: Map<String, Json> = Map::new();
    if let Some(rule) = rule {
        metadata.extend(rule.metadata().iter().map(|(name, value)| (name.clone(), value.clone())));
        if let Some((experiment, phase)) = rule.experiment() {
            metadata.insert("experiment".to_owned(), json!(experiment.id));
            metadata.insert("phase".to_owned(), json!(phase));
        }
    }
    metadata.insert("version".to_owned(), json!(ruleset.version().0));
    metadata.insert("flagSetId".to_owned(), json!(ruleset.environment()));
    let answer = match outcome {
        Ok(answer) => answer,
        Err(failure) => {
            let details = failure.to_string();
            return json!({"key": key, "errorCode": failure.code(), "errorDetails": details, "metadata": metadata});
        }
    };
    if let Some(assigned) = &answer.exposure {
        metadata.insert("experiment".to_owned(), json!(assigned.experiment.id));
        metadata.insert("phase".to_owned(), json!(assigned.phase));
    }
    for (name, id) in [("holdout", answer.holdout), ("prerequisite", answer.prerequisite)] {
        if let Some(id) = id {
            metadata.insert(name.to_owned(), json!(id));
        }
    }
    let mut body = json!({"key": key, "reason": answer.reason.name(), "variant": null, "metadata": metadata});
    let chosen = answer.variant.and_then(|variant| ruleset.flags().get(answer.flag)?.variants().get(variant));
    if let Some((name, value)) = chosen {
        body["variant"] = json!(name);
        body["value"] = value.clone();
    }
    body
}
