//! `/v1/experiments/{id}/history`: one metric of one treatment over the looks, thin enough for a picture.

use crate::http::archive::{HistoryQuery, HistoryRow, SplitQuery, SplitRow};
use crate::http::document::History;
use crate::http::experiments::{ask, instant, json, newest, unknown};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::thin::thin;
use crate::http::{Shared, raw};
use assay_experiment::format_time;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value as Json, json as object};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Points of a picture, when nothing else is asked for.
const POINTS: usize = 400;
/// And at most: more than a screen has pixels.
const POINTS_MAX: usize = 4_000;
/// Looks that are read for it; a picture of more is made of every second, third, … one.
const ROWS_MAX: usize = 50_000;
/// What each point has, in this order.
const COLUMNS: [&str; 14] = [
    "look",
    "units",
    "status",
    "lift",
    "lift_low",
    "lift_high",
    "difference",
    "low",
    "high",
    "ln_e",
    "p_value_running",
    "mean_control",
    "mean",
    "config_version",
];

/// What each point of the split has, before the units of each variant.
const SPLIT_COLUMNS: [&str; 5] = ["look", "units", "p_value_running", "ln_e", "config_version"];

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(history))
}

#[derive(Deserialize)]
struct Asked {
    metric: Option<String>,
    variant: Option<String>,
    segment: Option<String>,
    from: Option<String>,
    to: Option<String>,
    points: Option<usize>,
}

/// A metric over its looks; with `metric=srm` the evidence on the split, its running p and the counts of the variants.
#[utoipa::path(
    get,
    path = "/v1/experiments/{id}/history",
    tag = "results",
    params(
        ("id" = String, Path, description = "Id of the experiment.", example = "checkout-v3"),
        ("metric" = Option<String>, Query, description = "Id of the metric, or `srm` for the split. Absent: the first primary metric."),
        ("variant" = Option<String>, Query, description = "A treatment. Absent: all of them."),
        ("segment" = Option<String>, Query, description = "With `metric=srm` only: the split within a value of an attribute (`country:DE`).", example = "country:DE"),
        ("from" = Option<String>, Query, format = DateTime, description = "First look (RFC 3339)."),
        ("to" = Option<String>, Query, format = DateTime, description = "Last look (RFC 3339)."),
        ("points" = Option<usize>, Query, description = "Points of each series, at most; first, last, lowest, highest and the decision stay.", minimum = 2, maximum = 4000),
    ),
    responses(
        (status = 200, description = "Series by `metric/variant`.", body = History),
        (status = 304, description = "The caller has it (`If-None-Match`)."),
        (status = "4XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn history(
    State(doors): State<Shared>,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let expected =
        "'metric', 'variant', 'segment', 'from' and 'to' are texts, 'points' is a whole number, each given once";
    let Query(asked) = asked.map_err(|_| Problem::wrong("query", expected))?;
    let points = asked.points.unwrap_or(POINTS);
    if !(2..=POINTS_MAX).contains(&points) {
        return Err(Problem::wrong("query", format!("'points' is from 2 to {POINTS_MAX}")));
    }
    let posted = newest(&doors)?;
    let phases = posted.aligned.phases(&id);
    let about = phases.first().map(|it| About::read(&it.body)).ok_or_else(|| unknown(&doors, &id))?;
    let metric = about.metric(asked.metric.as_deref(), &id)?;
    let variants = about.treatments(asked.variant.as_deref(), &id)?;
    let from = asked.from.as_deref().map(|text| instant("from", text)).transpose()?;
    let to = asked.to.as_deref().map(|text| instant("to", text)).transpose()?;
    let (columns, series) = if metric == SRM {
        let query = SplitQuery {
            experiment: id.clone(),
            salt: about.salt.clone(),
            metric: about.metrics[0].0.clone(),
            control: about.control.clone(),
            segment: asked.segment.as_deref().map(|text| about.segment(text, &id)).transpose()?,
            from,
            to,
            rows_max: ROWS_MAX,
        };
        let rows = ask(&doors, move |archive| archive.split(&query)).await?.unwrap_or_default();
        let series = object!({SRM: split(&rows, about.variants.len(), points)});
        (about.split_columns(), series)
    } else {
        if asked.segment.is_some() {
            let detail = "histories of metrics are over all units; 'segment' is for 'metric=srm'";
            return Err(Problem::missing("no-such-segment", detail));
        }
        let mut series = serde_json::Map::new();
        for variant in variants {
            let query = HistoryQuery {
                experiment: id.clone(),
                salt: about.salt.clone(),
                metric: metric.clone(),
                variant: variant.clone(),
                control: about.control.clone(),
                from,
                to,
                rows_max: ROWS_MAX,
            };
            let rows = ask(&doors, move |archive| archive.history(&query)).await?.unwrap_or_default();
            series.insert(format!("{metric}/{variant}"), comparison(&rows, about.alpha, points));
        }
        (COLUMNS.map(str::to_owned).to_vec(), Json::from(series))
    };
    let document = object!({"experiment": id, "salt": about.salt, "columns": columns, "series": series});
    Ok(json(&headers, &doors, document.to_string()))
}

const SRM: &str = "srm";

/// What a history needs to know of an experiment.
struct About {
    salt: String,
    control: String,
    /// All, in their order.
    variants: Vec<String>,
    treatments: Vec<String>,
    /// Id and role.
    metrics: Vec<(String, String)>,
    /// Attribute and value.
    segments: Vec<(String, String)>,
    alpha: f64,
}

impl About {
    fn read(body: &str) -> About {
        let experiment = raw::members(body);
        let list = |name: &str| raw::items(experiment.get(name).map_or("[]", |it| it.get()));
        let variants: Vec<(String, bool)> = list("variants")
            .iter()
            .map(|it| raw::members(it.get()))
            .map(|it| (raw::text(&it, "variant"), it.get("control").is_some_and(|it| it.get() == "true")))
            .collect();
        let metrics = list("metrics")
            .into_iter()
            .map(|it| raw::members(it.get()))
            .map(|it| (raw::text(&it, "metric"), raw::text(&it, "role")));
        let segments = list("segments")
            .into_iter()
            .map(|it| raw::members(it.get()))
            .map(|it| (raw::text(&it, "attribute"), raw::text(&it, "value")));
        About {
            segments: segments.collect(),
            variants: variants.iter().map(|it| it.0.clone()).collect(),
            salt: raw::text(&experiment, "salt"),
            control: variants.iter().find(|it| it.1).map(|it| it.0.clone()).unwrap_or_default(),
            treatments: variants.iter().filter(|it| !it.1).map(|it| it.0.clone()).collect(),
            metrics: metrics.collect(),
            alpha: experiment.get("alpha").and_then(|it| it.get().parse().ok()).unwrap_or(0.05),
        }
    }

    fn metric(&self, asked: Option<&str>, id: &str) -> Result<String, Problem> {
        let primary = self.metrics.iter().find(|it| it.1 == "primary").or(self.metrics.first());
        let none = || Problem::missing("no-such-metric", format!("{id} has no metric"));
        let first = primary.ok_or_else(none)?;
        match asked {
            None => Ok(first.0.clone()),
            Some(name) if name == SRM || self.metrics.iter().any(|it| it.0 == name) => Ok(name.to_owned()),
            Some(_) => {
                let known: Vec<&str> = self.metrics.iter().map(|it| it.0.as_str()).collect();
                let detail = format!("{id} has no such metric; it has {} and srm", known.join(", "));
                Err(Problem::missing("no-such-metric", detail))
            }
        }
    }

    /// What each point of the split has, in this order.
    fn split_columns(&self) -> Vec<String> {
        let counts = self.variants.iter().map(|variant| format!("units/{variant}"));
        SPLIT_COLUMNS.map(str::to_owned).into_iter().chain(counts).collect()
    }

    fn segment(&self, asked: &str, id: &str) -> Result<(String, String), Problem> {
        let found = self.segments.iter().find(|(attribute, value)| {
            asked.split_once(':').is_some_and(|asked| asked == (attribute.as_str(), value.as_str()))
        });
        found.cloned().ok_or_else(|| {
            let known: Vec<String> = self.segments.iter().map(|it| format!("{}:{}", it.0, it.1)).collect();
            let there =
                if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
            Problem::missing("no-such-segment", format!("{id} has no such segment; {there}"))
        })
    }

    fn treatments(&self, asked: Option<&str>, id: &str) -> Result<Vec<String>, Problem> {
        match asked {
            None => Ok(self.treatments.clone()),
            Some(name) if self.treatments.iter().any(|it| it == name) => Ok(vec![name.to_owned()]),
            Some(_) => {
                let detail = format!("{id} has no such treatment; it has {}", self.treatments.join(", "));
                Err(Problem::missing("no-such-variant", detail))
            }
        }
    }
}

fn comparison(rows: &[HistoryRow], alpha: f64, points: usize) -> Json {
    let lifts: Vec<Option<f64>> = rows.iter().map(|row| row.lift).collect();
    let decided = rows.iter().position(|row| row.p_value_running.is_some_and(|p| p < alpha));
    let point = |row: &HistoryRow| {
        object!([
            format_time(row.look),
            row.units,
            row.status,
            row.lift,
            row.lift_low,
            row.lift_high,
            row.difference,
            row.low,
            row.high,
            row.ln_e,
            row.p_value_running,
            row.mean_control,
            row.mean,
            row.config_version,
        ])
    };
    thin(&lifts, decided.as_slice(), points).into_iter().map(|at| point(&rows[at])).collect()
}

fn split(rows: &[SplitRow], variants: usize, points: usize) -> Json {
    let values: Vec<Option<f64>> = rows.iter().map(|row| row.ln_e.or(Some(-row.p_value_running.ln()))).collect();
    let point = |row: &SplitRow| {
        let known = row.counts.len() == variants;
        let units = known.then(|| row.counts.iter().sum::<i64>());
        let head = [
            object!(format_time(row.look)),
            object!(units),
            object!(row.p_value_running),
            object!(row.ln_e),
            object!(row.config_version),
        ];
        let counts = (0..variants).map(|at| object!(row.counts.get(at).filter(|_| known)));
        head.into_iter().chain(counts).collect::<Json>()
    };
    thin(&values, &[], points).into_iter().map(|at| point(&rows[at])).collect()
}
