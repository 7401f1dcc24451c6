//! Results as JSON, with the names that the engine's results have. Infinite or missing numbers are null, and a status says why.

use super::compare::{Finding, Plan};
use super::measure::{ArmResult, MeasureResult};
use super::report::Report;
use super::segments::{SegmentResult, SegmentedMeasure, Together};
use super::series::{Look, Series, Tally};
use super::summaries::Summaries;
use assay_statistics::heterogeneity::ChiSquareTest;
use assay_statistics::lift::Lift;
use serde_json::{Map, Value, json};

/// A file of units.
pub fn report(report: &Report) -> Value {
    let by_variant = |values: &[u64]| -> Value {
        report.order.iter().map(|&at| (report.variants[at].clone(), json!(values[at]))).collect::<Map<_, _>>().into()
    };
    let srm = &report.split;
    json!({
        "file": report.file, "rows": report.rows, "control": report.variants[report.control],
        "units": by_variant(&report.counts), "crossed_units": report.crossed, "unassigned_units": report.unassigned,
        "alpha": report.plan.alpha.value(), "planned_units": report.plan.planned, "method": report.plan.method.name(),
        "srm": {
            "ln_e": number(srm.ln_e), "p_value": srm.p_value, "chi_square": number(srm.chi_square.statistic),
            "chi_square_p_value": srm.chi_square.p_value, "alarm": srm.alarm,
        },
        "metrics": report.measures.iter().map(|measure| metric(report, measure)).collect::<Vec<_>>(),
        "segments": report.segments.iter().map(|it| segment(report, it)).collect::<Vec<_>>(),
        "alarms": report.alarms(), "notes": report.notes, "build": crate::build(),
    })
}

fn metric(report: &Report, it: &MeasureResult) -> Value {
    let variants: Vec<Value> = report
        .order
        .iter()
        .map(|&at| arm(&report.variants[at], at == report.control, &it.arms[at], &report.plan))
        .collect();
    json!({
        "metric": it.measure.name, "type": it.measure.kind.name(), "about": it.measure.about,
        "cap": it.measure.cap.map(|cap| cap as f64 / super::SCALE), "adjusted": it.measure.adjusted, "variants": variants,
    })
}

fn arm(variant: &str, control: bool, it: &ArmResult, plan: &Plan) -> Value {
    let mut out = json!({
        "variant": variant, "units": it.units, "sum": optional(it.sum), "mean": optional(it.mean), "variance": optional(it.variance),
    });
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            out[name] = value;
        }
    };
    put("control", if control { json!(true) } else { Value::Null });
    put("denominator", optional(it.denominator));
    put("nonzero", json!(it.nonzero));
    put("capped_units", json!(it.capped));
    put("clusters", json!(it.clusters));
    if let Some(parts) = &it.parts {
        put("parts", json!({"lift_rate": optional(parts.lift_rate), "lift_per_payer": optional(parts.lift_per_payer)}));
    }
    if let (Some(finding), Some(out)) = (&it.finding, out.as_object_mut()) {
        out.extend(comparison(finding, plan));
    }
    out
}

fn comparison(it: &Finding, plan: &Plan) -> Map<String, Value> {
    let look = &it.always_valid;
    let (lift_low, lift_high, lift_kind) = match it.lift_set {
        Some(Lift::Bounded { low, high }) => (number(low), number(high), json!("bounded")),
        Some(Lift::Exclusive { low, high }) => (number(low), number(high), json!("exclusive")),
        Some(Lift::Unbounded) => (Value::Null, Value::Null, json!("unbounded")),
        None => (Value::Null, Value::Null, Value::Null),
    };
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("difference", optional(it.difference));
    put("lift", optional(it.lift));
    put(
        "always_valid",
        json!({
            "status": look.status.name(), "units": look.units, "ln_e": number(look.ln_e), "p_value": look.p_value,
            "low": number(look.low), "high": number(look.high), "lift_low": lift_low, "lift_high": lift_high, "lift_kind": lift_kind,
        }),
    );
    put(
        "fixed_horizon",
        it.fixed.map_or(Value::Null, |test| {
            json!({
                "statistic": number(test.statistic), "df": number(test.df), "p_value": test.p_value,
                "ln_p_value": number(test.ln_p_value), "low": number(test.low), "high": number(test.high),
            })
        }),
    );
    put(
        "bayesian",
        it.posterior.map_or(Value::Null, |posterior| {
            json!({
                "chance_to_win": posterior.chance_to_win, "expected_loss": number(posterior.loss_choose_treatment),
                "lift_low": number(posterior.low), "lift_high": number(posterior.high),
            })
        }),
    );
    if let Some(look) = it.interim {
        put(
            "group_sequential",
            json!({
                "information": look.information, "bound": number(look.bound), "p_value": look.p_value,
                "low": number(look.low), "high": number(look.high),
            }),
        );
    }
    if let Some(reduction) = it.variance_reduction {
        put("variance_reduction", number(reduction));
    }
    put("p_value_adjusted", optional(it.p_adjusted));
    put("verdict", json!(it.verdict(plan)));
    out
}

fn segment(report: &Report, it: &SegmentResult) -> Value {
    let values: Vec<Value> = it
        .values
        .iter()
        .map(|(value, counts)| {
            let units: Map<String, Value> =
                report.order.iter().map(|&at| (report.variants[at].clone(), json!(counts[at]))).collect();
            json!({"value": value, "units": units})
        })
        .collect();
    json!({
        "segment": it.column, "values": values,
        "balance": {
            "chi_square": number(it.balance.test.statistic), "df": it.balance.test.df, "p_value": it.balance.test.p_value,
            "cramers_v": it.balance.cramers_v, "alarm": !super::text::balanced(it),
        },
        "metrics": it.measures.iter().map(|measure| segmented(report, it, measure)).collect::<Vec<_>>(),
    })
}

fn segmented(report: &Report, segment: &SegmentResult, it: &SegmentedMeasure) -> Value {
    let treatments = || report.order.iter().copied().filter(|&at| at != report.control);
    let values: Vec<Value> = segment
        .values
        .iter()
        .enumerate()
        .flat_map(|(value, (name, _))| {
            treatments().filter_map(move |at| {
                let finding = it.findings[value][at].as_ref()?;
                let mut out = json!({
                    "value": name, "variant": report.variants[at], "mean": optional(it.means[value][at]),
                    "mean_control": optional(it.means[value][report.control]),
                });
                if let Some(out) = out.as_object_mut() {
                    out.extend(comparison(finding, &report.plan));
                }
                Some(out)
            })
        })
        .collect();
    let together: Vec<Value> = treatments()
        .filter_map(|at| it.together[at].as_ref().map(|found| together(&report.variants[at], found)))
        .collect();
    json!({
        "metric": it.name, "about": it.about, "values": values, "together": together,
        "interaction": it.interaction.map_or(Value::Null, chi_square),
    })
}

fn together(variant: &str, it: &Together) -> Value {
    json!({
        "variant": variant,
        "post_stratified": {
            "difference": number(it.effect), "variance": number(it.variance),
            "p_value": it.test.map(|test| test.p_value), "low": optional(it.interval.map(|it| it.0)),
            "high": optional(it.interval.map(|it| it.1)), "variance_reduction": optional(it.variance_reduction), "merged": it.merged,
        },
        "simpson": it.simpson.map(|simpson| json!({"reversal": simpson.reversal, "shifted": simpson.shifted, "alarm": simpson.alarm()})),
        "heterogeneity": it.heterogeneity.map(|it| json!({
            "q": number(it.q.statistic), "df": it.q.df, "p_value": it.q.p_value, "i_squared": it.i_squared,
            "tau_squared": number(it.tau_squared), "random_effect": number(it.random_effect),
        })),
        "mantel_haenszel": it.ratios.map(|ratios| json!({
            "odds_ratio": optional(ratios.odds_ratio), "risk_ratio": optional(ratios.risk_ratio),
            "cmh": ratios.cmh.map(chi_square), "breslow_day_tarone": it.common.map(|common| chi_square(common.tarone)),
        })),
    })
}

fn chi_square(test: ChiSquareTest) -> Value {
    json!({"statistic": number(test.statistic), "df": test.df, "p_value": test.p_value})
}

/// A file of summaries over time.
pub fn summaries(it: &Summaries) -> Value {
    json!({
        "file": it.file, "rows": it.rows, "rows_without_numbers": it.skipped, "comparisons_without_numbers": it.empty, "alpha": it.alpha.value(),
        "planned_units": match it.planned { super::series::Planned::Units(units) => json!(units), super::series::Planned::Last => json!("last") },
        "tally": tally(&it.tally()),
        "tally_by": it.tallies().iter().map(|(column, value, found)| {
            let mut out = tally(found);
            out["column"] = json!(column);
            out["value"] = json!(value);
            out
        }).collect::<Vec<_>>(),
        "series": it.series.iter().map(series).collect::<Vec<_>>(), "build": crate::build(),
    })
}

fn tally(it: &Tally) -> Value {
    json!({
        "comparisons": it.comparisons,
        "naive": {"ever": it.naive_ever, "at_the_end": it.naive_end, "ever_but_not_at_the_end": it.naive_lost},
        "always_valid": {"ever": it.valid_ever, "at_the_end": it.valid_end, "ever_but_not_at_the_end": it.valid_lost},
    })
}

fn series(it: &Series) -> Value {
    let key: Map<String, Value> = it.key.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "comparison": key, "planned_units": it.planned, "looks": it.looks.iter().map(look).collect::<Vec<_>>(),
        "p_value_running": it.running.p_value, "drift_suspected": it.running.drift_suspected(),
        "crossed": it.crossed.map(|at| it.looks[at].at.clone()), "naive_crossed": it.naive_crossed.map(|at| it.looks[at].at.clone()),
    })
}

fn look(it: &Look) -> Value {
    json!({
        "at": it.at, "units": [it.control.n, it.treatment.n], "mean": [it.control.mean, it.treatment.mean],
        "difference": it.valid.difference, "status": it.valid.status.name(), "p_value": it.valid.p_value, "ln_e": number(it.valid.ln_e),
        "low": number(it.valid.low), "high": number(it.valid.high),
        "naive": it.naive.map(|test| json!({"p_value": test.p_value, "low": number(test.low), "high": number(test.high)})),
    })
}

fn optional(value: Option<f64>) -> Value {
    value.map_or(Value::Null, number)
}

fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { Value::Null }
}
