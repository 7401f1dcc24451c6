//! Views of the analysis as the doors show them: texts, cut once.

use assay_analysis::{Finding, Results, Summary, View};
use assay_control_plane::http::{Alarm, Cut, Posted, PostedExperiment};
use serde_json::Value as Json;
use std::sync::Arc;

/// A view to be shown from now on.
pub fn posted(view: &View, build: &str, now_ms: i64) -> Posted {
    let mut whole = view.to_json(build);
    let newer = whole.as_object_mut().and_then(|whole| whole.remove("provisional")).unwrap_or_default();
    Posted {
        aligned: Arc::new(cut(&view.aligned, whole)),
        provisional: view.provisional.as_ref().map(|results| Arc::new(cut(results, newer))),
        published_ms: now_ms,
        config_version: view.aligned.config_version,
        log_times: view.aligned.offsets.iter().map(|(partition, (.., time))| (*partition, *time)).collect(),
    }
}

/// The codes of a verdict.
fn said(body: &Json) -> String {
    let verdict = &body["verdict"];
    let arms = verdict["arms"].as_array().map_or(&[][..], Vec::as_slice).iter().map(|arm| &arm["code"]);
    let answers = ["safe", "working", "stop"].into_iter().map(|name| &verdict[name]["code"]);
    let codes: Vec<&str> = arms.chain(answers).chain([&verdict["code"]]).filter_map(Json::as_str).collect();
    codes.join(" ")
}

fn cut(results: &Results, mut json: Json) -> Cut {
    let bodies = json.as_object_mut().and_then(|json| json.remove("experiments")).unwrap_or_default();
    let bodies = bodies.as_array().map_or(&[][..], Vec::as_slice);
    let experiments = results.experiments.iter().zip(bodies).map(|(experiment, body)| {
        let mut summary = Summary::of(experiment);
        // A view knows how late it is, and results do not.
        summary.row["verdict"] = body["verdict"].clone();
        let alarm =
            |it: &Finding| Alarm { code: it.code.to_owned(), arguments: Json::from(it.arguments.clone()).to_string() };
        PostedExperiment {
            id: experiment.id.clone(),
            in_force: experiment.in_force,
            body: body.to_string(),
            summary: summary.row.to_string(),
            said: said(body),
            group: summary.group,
            alarms: summary.alarms.iter().map(alarm).collect(),
        }
    });
    Cut { look: results.look, experiments: experiments.collect(), frame: json.to_string() }
}
