//! Quantiles, capped, zero-inflated and retention metrics at the door.

use super::{Answer, DoorError, Methods, check, number, object, read};
use crate::alpha::Alpha;
use crate::quantile::{Bracket, ClusterSums, RankSequence, type7};
use crate::retention::{DAY_SECONDS, Retention, Window};
use crate::winsorize::{CappedArm, Caps};
use crate::zero_inflated::{ZeroInflatedArm, decompose};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[
    ("quantile_type7", quantile_type7),
    ("quantile_rank_cs", quantile_rank_cs),
    ("quantile_variance", quantile_variance),
    ("quantile_variance_clustered", quantile_variance_clustered),
    ("winsorize_fixed", winsorize_fixed),
    ("winsorize_percentile", winsorize_percentile),
    ("zero_inflated", zero_inflated),
    ("retention", retention),
];

fn optional(value: Option<f64>) -> Value {
    value.map_or(Value::Null, number)
}

fn inner_share(q: f64) -> Result<(), DoorError> {
    check(q > 0.0 && q < 1.0, "q lies between 0 and 1, as in 0.9 for the 90th percentile")
}

fn quantile_type7(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        values: Vec<f64>,
        q: Vec<f64>,
    }
    let mut it: Input = read(input)?;
    check(!it.values.is_empty(), "a quantile needs at least one value")?;
    check(it.q.iter().all(|q| (0.0..=1.0).contains(q)), "every q lies from 0 to 1")?;
    it.values.sort_by(f64::total_cmp);
    Ok(object(&[("quantiles", it.q.iter().map(|&q| optional(type7(&it.values, q))).collect())]))
}

fn quantile_rank_cs(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        n: u64,
        q: f64,
        concentration: f64,
        alpha: f64,
        probe_count: Option<u64>,
    }
    let it: Input = read(input)?;
    inner_share(it.q)?;
    check(it.concentration > 0.0, "concentration is above 0; 100 is usual")?;
    check(it.n < 1 << 53, "n is a number of values below 2^53")?;
    let alpha = Alpha::new(it.alpha).map_err(|problem| DoorError(problem.to_string()))?;
    let sequence = RankSequence { q: it.q, concentration: it.concentration };
    let look = sequence.look(it.n, alpha);
    let mut fields = vec![
        ("count_low", json!(look.count_low)),
        ("count_high", json!(look.count_high)),
        ("order_stat_low", json!(look.low)),
        ("order_stat_high", json!(look.high)),
    ];
    if let Some(probe) = it.probe_count {
        check(probe <= it.n, "probe_count is at most n")?;
        fields.push(("probe_ln_e", number(sequence.ln_e(it.n, probe))));
        fields.push(("probe_p_value", number(sequence.p_value(it.n, probe))));
    }
    Ok(object(&fields))
}

#[derive(Deserialize)]
struct BracketInput {
    n: f64,
    n_star: f64,
    q: f64,
    quantile_lower: f64,
    quantile_upper: f64,
}

impl BracketInput {
    fn bracket(&self) -> Result<Bracket, DoorError> {
        inner_share(self.q)?;
        check(self.n >= 0.0 && self.n_star >= 0.0, "n and n_star are numbers of values and never negative")?;
        check(self.quantile_lower <= self.quantile_upper, "quantile_lower is at most quantile_upper")?;
        Ok(Bracket {
            n: self.n,
            n_star: self.n_star,
            q: self.q,
            lower: self.quantile_lower,
            upper: self.quantile_upper,
        })
    }
}

fn variance_fields(bracket: &Bracket, of_quantile: f64) -> Value {
    object(&[
        ("variance", number(of_quantile * bracket.n)),
        ("var_of_quantile", number(of_quantile)),
        ("reliable", json!(bracket.reliable())),
        ("degenerate", json!(of_quantile <= 0.0)),
    ])
}

fn quantile_variance(input: &Value) -> Answer {
    let bracket = read::<BracketInput>(input)?.bracket()?;
    Ok(variance_fields(&bracket, bracket.variance_of_quantile()))
}

fn quantile_variance_clustered(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        clusters: f64,
        sum_hits: f64,
        sum_hits_sq: f64,
        sum_size: f64,
        sum_size_sq: f64,
        sum_hits_size: f64,
    }
    let (bracket, it) = (read::<BracketInput>(input)?.bracket()?, read::<Input>(input)?);
    let sums = ClusterSums {
        clusters: it.clusters,
        hits: it.sum_hits,
        hits_sq: it.sum_hits_sq,
        size: it.sum_size,
        size_sq: it.sum_size_sq,
        hits_size: it.sum_hits_size,
    };
    check((0.0..=sums.size).contains(&sums.hits), "sum_hits lies between 0 and sum_size")?;
    Ok(variance_fields(&bracket, bracket.variance_of_quantile_clustered(&sums)))
}

#[derive(Deserialize)]
struct Values {
    values: Vec<f64>,
}

fn capped_fields(caps: &Caps, control: &[f64], treatment: &[f64]) -> Value {
    let moments = |capped: &CappedArm| {
        let arm = capped.arm;
        object(&[
            ("n", json!(arm.n as u64)),
            ("mean", if arm.n > 0.0 { number(arm.mean) } else { Value::Null }),
            ("variance", if arm.n < 2.0 { Value::Null } else { number(arm.variance()) }),
        ])
    };
    let (control, treatment) = (caps.arm(control), caps.arm(treatment));
    object(&[
        ("upper_cap", optional(caps.upper)),
        ("lower_cap", optional(caps.lower)),
        ("control", moments(&control)),
        ("treatment", moments(&treatment)),
        ("capped_control", json!(control.capped)),
        ("capped_treatment", json!(treatment.capped)),
    ])
}

fn winsorize_fixed(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        control: Values,
        treatment: Values,
        upper: Option<f64>,
        lower: Option<f64>,
    }
    let it: Input = read(input)?;
    let caps = Caps::fixed(it.lower, it.upper).map_err(|problem| DoorError(problem.to_string()))?;
    Ok(capped_fields(&caps, &it.control.values, &it.treatment.values))
}

fn winsorize_percentile(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        control: Values,
        treatment: Values,
        q: f64,
        #[serde(default)]
        ignore_zeros: bool,
    }
    let it: Input = read(input)?;
    check((0.0..=1.0).contains(&it.q), "q lies from 0 to 1, as in 0.999")?;
    let caps = Caps::percentile(&[&it.control.values, &it.treatment.values], it.q, it.ignore_zeros);
    Ok(capped_fields(&caps, &it.control.values, &it.treatment.values))
}

fn zero_inflated(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Sums {
        n: f64,
        payers: f64,
        sum: f64,
        sum_sq: f64,
    }
    #[derive(Deserialize)]
    struct Input {
        control: Sums,
        treatment: Sums,
    }
    let it: Input = read(input)?;
    let arm = |sums: &Sums| -> Result<ZeroInflatedArm, DoorError> {
        check(sums.n >= 0.0 && (0.0..=sums.n).contains(&sums.payers), "payers lie between 0 and n")?;
        check(sums.sum_sq >= 0.0, "sum_sq is never negative")?;
        Ok(ZeroInflatedArm { n: sums.n, payers: sums.payers, sum: sums.sum, sum_sq: sums.sum_sq })
    };
    let (control, treatment) = (arm(&it.control)?, arm(&it.treatment)?);
    let fields = |arm: &ZeroInflatedArm| {
        object(&[
            ("rate", optional(arm.rate())),
            ("mean_per_payer", optional(arm.mean_per_payer())),
            ("mean_per_unit", optional(arm.mean_per_unit())),
            ("variance_per_unit", optional(arm.variance_per_unit())),
        ])
    };
    let lifts = decompose(&control, &treatment);
    Ok(object(&[
        ("control", fields(&control)),
        ("treatment", fields(&treatment)),
        ("lift_rate", optional(lifts.lift_rate)),
        ("lift_per_payer", optional(lifts.lift_per_payer)),
        ("lift_per_unit", optional(lifts.lift_per_unit)),
    ]))
}

fn retention(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Unit {
        exposed_at: i64,
        events: Vec<i64>,
    }
    #[derive(Deserialize)]
    struct Input {
        now: i64,
        window_start_days: i64,
        window_end_days: i64,
        units: Vec<Unit>,
    }
    let it: Input = read(input)?;
    let seconds = |days: i64| days.saturating_mul(DAY_SECONDS);
    let window = Window::new(seconds(it.window_start_days), seconds(it.window_end_days));
    let window = window.map_err(|problem| DoorError(problem.to_string()))?;
    let mut retention = Retention::default();
    it.units.iter().for_each(|unit| retention.add(window, unit.exposed_at, &unit.events, it.now));
    Ok(object(&[
        ("matured", json!(retention.matured)),
        ("retained", json!(retention.retained)),
        ("rate", optional(retention.rate())),
    ]))
}
