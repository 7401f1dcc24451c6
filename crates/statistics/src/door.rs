//! Methods by name, JSON in, JSON out: what `assay stats` answers, and the way the reference cases take.

use crate::always_valid::{self, Design, Rule, Running};
use crate::fixed_horizon::{self, Test};
use crate::lift::{self, Lift};
use crate::moments::Arm;
use crate::srm;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// An input that cannot be evaluated, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DoorError(String);

type Answer = Result<Value, DoorError>;
type Method = fn(&Value) -> Answer;

/// Method names and what evaluates them.
const METHODS: [(&str, Method); 11] = [
    ("mixture_rho2", mixture_rho2),
    ("normal_mixture", normal_mixture),
    ("default_two_sample", default_two_sample),
    ("running", running),
    ("lift_cs_fieller", lift_cs_fieller),
    ("two_proportion_z", two_proportion_z),
    ("welch_t", welch_t),
    ("welch_t_raw", welch_t_raw),
    ("lift_ci", lift_ci),
    ("chi_square", chi_square),
    ("sequential_multinomial", sequential_multinomial),
];

/// Names of the methods that exist.
pub fn methods() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|(name, _)| *name)
}

/// Evaluates one input: an object with `method` and what that method needs.
pub fn evaluate(input: &Value) -> Answer {
    let name = input.get("method").and_then(Value::as_str);
    let name = name.ok_or_else(|| DoorError("an input is an object with a text 'method'".to_owned()))?;
    match METHODS.iter().find(|(known, _)| *known == name) {
        Some((_, method)) => method(input),
        None => {
            let known: Vec<&str> = methods().collect();
            Err(DoorError(format!("there is no method '{name}'; there are {}", known.join(", "))))
        }
    }
}

fn read<'a, T: Deserialize<'a>>(input: &'a Value) -> Result<T, DoorError> {
    T::deserialize(input)
        .map_err(|problem| DoorError(format!("{}: {problem}", input["method"].as_str().unwrap_or_default())))
}

fn check(holds: bool, message: &str) -> Result<(), DoorError> {
    if holds { Ok(()) } else { Err(DoorError(message.to_owned())) }
}

/// JSON has no infinities: they become texts, what does not exist becomes null.
fn number(value: f64) -> Value {
    if value.is_nan() {
        Value::Null
    } else if value.is_infinite() {
        json!(if value > 0.0 { "inf" } else { "-inf" })
    } else {
        json!(value)
    }
}

fn object(fields: &[(&str, Value)]) -> Value {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Map<_, _>>().into()
}

fn numbers(values: impl Iterator<Item = f64>) -> Value {
    values.map(number).collect()
}

#[derive(Deserialize)]
struct Moments {
    n: f64,
    mean: f64,
    m2: Option<f64>,
    variance: Option<f64>,
}

impl Moments {
    fn arm(&self) -> Result<Arm, DoorError> {
        let m2 = self.m2.or(self.variance.map(|variance| variance * (self.n - 1.0).max(0.0)));
        let m2 = m2.ok_or_else(|| DoorError("an arm needs 'm2' or 'variance'".to_owned()))?;
        check(self.n >= 0.0 && m2 >= 0.0, "n and m2 (or variance) are never negative")?;
        Ok(Arm { n: self.n, mean: self.mean, m2 })
    }
}

#[derive(Deserialize)]
struct Counts {
    n: f64,
    conversions: f64,
}

impl Counts {
    fn checked(&self) -> Result<&Self, DoorError> {
        check(self.n >= 0.0 && (0.0..=self.n).contains(&self.conversions), "conversions lie between 0 and n")?;
        Ok(self)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RuleName {
    Exact,
    Approx,
}

impl From<&RuleName> for Rule {
    fn from(name: &RuleName) -> Rule {
        match name {
            RuleName::Exact => Rule::Exact,
            RuleName::Approx => Rule::Approximate,
        }
    }
}

fn alpha_and_plan(alpha: f64, n_star: f64) -> Result<(), DoorError> {
    check(alpha > 0.0 && alpha < 1.0, "alpha lies between 0 and 1")?;
    check(n_star > 0.0, "n_star is above 0")
}

fn mixture_rho2(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        alpha: f64,
        n_star: f64,
        rule: RuleName,
    }
    let it: Input = read(input)?;
    alpha_and_plan(it.alpha, it.n_star)?;
    let x = always_valid::tuned(it.alpha, (&it.rule).into());
    Ok(object(&[("x_opt", number(x)), ("rho2", number(x / it.n_star))]))
}

fn normal_mixture(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        diff: f64,
        var_diff: f64,
        n_total: f64,
        rho2: f64,
        alpha: f64,
        null: f64,
    }
    let it: Input = read(input)?;
    alpha_and_plan(it.alpha, it.n_total)?;
    check(it.var_diff > 0.0 && it.rho2 > 0.0, "var_diff and rho2 are above 0")?;
    let ln_e = always_valid::ln_e(it.diff, it.var_diff, it.n_total, it.rho2, it.null);
    let multiplier = always_valid::multiplier(it.n_total, it.rho2, it.alpha);
    let half = multiplier * it.var_diff.sqrt();
    Ok(object(&[
        ("ln_e", number(ln_e)),
        ("p_value", number(srm::p_value(ln_e))),
        ("multiplier", number(multiplier)),
        ("ci_low", number(it.diff - half)),
        ("ci_high", number(it.diff + half)),
        ("tau2", number(it.rho2 * it.n_total * it.var_diff)),
    ]))
}

#[derive(Deserialize)]
struct Plan {
    n_star: f64,
    alpha: f64,
    rule: RuleName,
    #[serde(default)]
    min_n_per_arm: Option<f64>,
    #[serde(default)]
    min_expected_events: Option<f64>,
}

impl Plan {
    fn design(&self) -> Result<Design, DoorError> {
        alpha_and_plan(self.alpha, self.n_star)?;
        Ok(Design {
            alpha: self.alpha,
            rho2: always_valid::tuned(self.alpha, (&self.rule).into()) / self.n_star,
            units_min: self.min_n_per_arm.unwrap_or(50.0),
            events_min: self.min_expected_events.unwrap_or(10.0),
        })
    }
}

fn default_two_sample(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        control: Moments,
        treatment: Moments,
        #[serde(default)]
        metric: Option<String>,
        #[serde(flatten)]
        plan: Plan,
    }
    let it: Input = read(input)?;
    let (control, treatment, design) = (it.control.arm()?, it.treatment.arm()?, it.plan.design()?);
    let units = control.n + treatment.n;
    let pooled = (control.n * control.mean + treatment.n * treatment.mean) / units;
    let share = it.metric.is_some_and(|metric| metric == "conversion").then_some(pooled);
    let look = always_valid::compare(&control, &treatment, share, &design);
    let mut fields = vec![
        ("status", json!(look.status.name())),
        ("n_total", number(look.units)),
        ("diff", number(look.difference)),
        ("ln_e", number(look.ln_e)),
        ("p_value", number(look.p_value)),
        ("ci_low", number(look.low)),
        ("ci_high", number(look.high)),
        ("rho2", number(design.rho2)),
        ("multiplier", number(look.multiplier)),
    ];
    if let Some(variance) = look.variance {
        fields.extend([
            ("var_welch", number(variance.welch)),
            ("var_pooled", number(variance.pooled)),
            ("var_diff", number(variance.floor)),
        ]);
    }
    Ok(object(&fields))
}

fn running(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Look {
        control: Counts,
        treatment: Counts,
    }
    #[derive(Deserialize)]
    struct Input {
        looks: Vec<Look>,
        #[serde(flatten)]
        plan: Plan,
    }
    let it: Input = read(input)?;
    let design = it.plan.design()?;
    let mut running = Running::default();
    let mut rows = Vec::new();
    for look in &it.looks {
        let arm = |counts: &Counts| counts.checked().map(|it| Arm::of_conversions(it.n, it.conversions));
        let comparison = always_valid::compare(&arm(&look.control)?, &arm(&look.treatment)?, None, &design);
        running.look(&comparison);
        rows.push((comparison, running));
    }
    Ok(object(&[
        ("p_value", numbers(rows.iter().map(|row| row.0.p_value))),
        ("p_running", numbers(rows.iter().map(|row| row.1.p_value))),
        ("ci_low", numbers(rows.iter().map(|row| row.0.low))),
        ("ci_high", numbers(rows.iter().map(|row| row.0.high))),
        ("ci_low_running", numbers(rows.iter().map(|row| row.1.low))),
        ("ci_high_running", numbers(rows.iter().map(|row| row.1.high))),
    ]))
}

fn lift_fields(lift: &Lift) -> [(&'static str, Value); 3] {
    let (low, high) = match *lift {
        Lift::Bounded { low, high } | Lift::Exclusive { low, high } => (low, high),
        Lift::Unbounded => (f64::NEG_INFINITY, f64::INFINITY),
    };
    [("kind", json!(lift.shape())), ("ci_low", number(low)), ("ci_high", number(high))]
}

fn lift_cs_fieller(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        control: Moments,
        treatment: Moments,
        variance_floor: bool,
        #[serde(flatten)]
        plan: Plan,
    }
    let it: Input = read(input)?;
    let (control, treatment, design) = (it.control.arm()?, it.treatment.arm()?, it.plan.design()?);
    let variance =
        always_valid::variance(&control, &treatment).ok_or_else(|| DoorError("each arm needs two units".to_owned()))?;
    check(variance.welch > 0.0, "the arms have no variance")?;
    let factor = if it.variance_floor { variance.floor / variance.welch } else { 1.0 };
    let multiplier = always_valid::multiplier(control.n + treatment.n, design.rho2, design.alpha);
    let lift = lift::sequential(&control, &treatment, factor, multiplier);
    let mut fields = vec![("lift", number(treatment.mean / control.mean - 1.0)), ("multiplier", number(multiplier))];
    fields.extend(lift_fields(&lift));
    Ok(object(&fields))
}

fn test_fields(test: Option<&Test>, statistic: &'static str) -> Vec<(&'static str, Value)> {
    let field = |pick: fn(&Test) -> f64| test.map_or(Value::Null, |test| number(pick(test)));
    vec![
        (statistic, field(|test| test.statistic)),
        ("p_value", test.map_or(json!(1.0), |test| number(test.p_value))),
        ("ln_p_value", test.map_or(json!(0.0), |test| number(test.ln_p_value))),
        ("ci_low", field(|test| test.low)),
        ("ci_high", field(|test| test.high)),
        ("degenerate", json!(test.is_none())),
    ]
}

fn two_proportion_z(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        control: Counts,
        treatment: Counts,
        variance: String,
        alpha: f64,
    }
    let it: Input = read(input)?;
    alpha_and_plan(it.alpha, 1.0)?;
    check(["pooled", "unpooled"].contains(&it.variance.as_str()), "variance is pooled or unpooled")?;
    let (control, treatment) = (it.control.checked()?, it.treatment.checked()?);
    let rate = |counts: &Counts| if counts.n > 0.0 { counts.conversions / counts.n } else { f64::NAN };
    let arms = ((control.n, control.conversions), (treatment.n, treatment.conversions));
    let test = fixed_horizon::two_proportions(arms.0, arms.1, it.variance == "pooled", it.alpha);
    let mut fields = test_fields(test.as_ref(), "z");
    fields.extend([
        ("rate_control", number(rate(control))),
        ("rate_treatment", number(rate(treatment))),
        ("diff", number(rate(treatment) - rate(control))),
        ("se", number(test.map_or(0.0, |test| test.standard_error))),
    ]);
    Ok(object(&fields))
}

fn welch_fields(control: &Arm, treatment: &Arm, alpha: f64) -> Vec<(&'static str, Value)> {
    let test = fixed_horizon::welch(control, treatment, alpha);
    let field = |pick: fn(&Test) -> f64| test.as_ref().map_or(Value::Null, |test| number(pick(test)));
    let se = (control.variance() / control.n + treatment.variance() / treatment.n).sqrt();
    let mut fields = test_fields(test.as_ref(), "t");
    fields.extend([
        ("diff", number(treatment.mean - control.mean)),
        ("se", if control.n < 2.0 || treatment.n < 2.0 { Value::Null } else { number(se) }),
        ("df", field(|test| test.df)),
    ]);
    fields
}

fn welch_t(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        control: Moments,
        treatment: Moments,
        alpha: f64,
    }
    let it: Input = read(input)?;
    alpha_and_plan(it.alpha, 1.0)?;
    Ok(object(&welch_fields(&it.control.arm()?, &it.treatment.arm()?, it.alpha)))
}

/// Neumaier's compensated sum.
fn neumaier(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    sum + lost
}

fn welch_t_raw(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Values {
        values: Vec<f64>,
    }
    #[derive(Deserialize)]
    struct Input {
        control: Values,
        treatment: Values,
        alpha: f64,
    }
    let it: Input = read(input)?;
    alpha_and_plan(it.alpha, 1.0)?;
    let arm = |values: &[f64]| {
        let n = values.len() as f64;
        // The mean in two passes, so that a large offset costs no digits.
        let rough = neumaier(values.iter().copied()) / n.max(1.0);
        let rest = neumaier(values.iter().map(|value| value - rough)) / n.max(1.0);
        let m2 = neumaier(values.iter().map(|value| (value - rough) * (value - rough))) - n * rest * rest;
        (Arm { n, mean: rough + rest, m2: m2.max(0.0) }, rough, rest)
    };
    let ((mut control, rough_c, rest_c), (mut treatment, rough_t, rest_t)) =
        (arm(&it.control.values), arm(&it.treatment.values));
    let means = (control.mean, treatment.mean);
    // Compared after the offset is taken off both.
    (control.mean, treatment.mean) = (rest_c, (rough_t - rough_c) + rest_t);
    let mut fields = welch_fields(&control, &treatment, it.alpha);
    (control.mean, treatment.mean) = means;
    let variance = |arm: &Arm| if arm.n < 2.0 { Value::Null } else { number(arm.variance()) };
    fields.extend([
        ("control_mean", number(control.mean)),
        ("control_variance", variance(&control)),
        ("treatment_mean", number(treatment.mean)),
        ("treatment_variance", variance(&treatment)),
    ]);
    Ok(object(&fields))
}

fn lift_ci(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Mean {
        mean: f64,
        var_of_mean: f64,
    }
    #[derive(Deserialize)]
    struct Input {
        control: Mean,
        treatment: Mean,
        critical_value: f64,
        interval: String,
    }
    let it: Input = read(input)?;
    let (c, t) = (&it.control, &it.treatment);
    check(c.var_of_mean >= 0.0 && t.var_of_mean >= 0.0, "a variance is never negative")?;
    let relative = t.mean / c.mean;
    let set = match it.interval.as_str() {
        "fieller" => lift::fieller(c.mean, c.var_of_mean, t.mean, t.var_of_mean, it.critical_value),
        "delta" | "log" => {
            check(c.mean != 0.0, "the control's mean is 0")?;
            let (rc, rt) = (c.var_of_mean / (c.mean * c.mean), t.var_of_mean / (t.mean * t.mean));
            if it.interval == "log" {
                check(relative > 0.0, "the log interval needs means of the same sign")?;
                let half = it.critical_value * (rc + rt).sqrt();
                Lift::Bounded { low: (relative.ln() - half).exp_m1(), high: (relative.ln() + half).exp_m1() }
            } else {
                let variance = t.var_of_mean / (c.mean * c.mean) + rc * relative * relative;
                let half = it.critical_value * variance.sqrt();
                Lift::Bounded { low: relative - 1.0 - half, high: relative - 1.0 + half }
            }
        }
        other => return Err(DoorError(format!("interval '{other}' is none of delta, fieller and log"))),
    };
    let mut fields = vec![("lift", number(relative - 1.0))];
    fields.extend(lift_fields(&set));
    Ok(object(&fields))
}

fn split(counts: &[f64], weights: &[f64]) -> Result<(), DoorError> {
    check(counts.len() == weights.len() && counts.len() >= 2, "counts and weights have the same length, at least 2")?;
    check(counts.iter().chain(weights).all(|&value| value >= 0.0), "counts and weights are never negative")?;
    check(weights.iter().sum::<f64>() > 0.0, "some weight is above 0")
}

fn chi_square(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        counts: Vec<f64>,
        weights: Vec<f64>,
    }
    let it: Input = read(input)?;
    split(&it.counts, &it.weights)?;
    let test = srm::chi_square(&it.counts, &it.weights);
    Ok(object(&[
        ("statistic", number(test.statistic)),
        ("df", json!(test.df as u64)),
        ("p_value", number(test.p_value)),
        ("ln_p_value", number(test.ln_p_value)),
    ]))
}

fn sequential_multinomial(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        batches: Vec<Vec<f64>>,
        weights: Vec<f64>,
        concentration: f64,
    }
    let it: Input = read(input)?;
    check(it.concentration > 0.0, "concentration is above 0")?;
    let mut counts = vec![0.0; it.weights.len()];
    let (mut ln_e, mut p, mut least, mut running) = (Vec::new(), Vec::new(), 1.0f64, Vec::new());
    for batch in &it.batches {
        split(batch, &it.weights)?;
        counts.iter_mut().zip(batch).for_each(|(count, more)| *count += more);
        let now = srm::sequential_ln_e(&counts, &it.weights, it.concentration);
        least = least.min(srm::p_value(now));
        ln_e.push(now);
        p.push(srm::p_value(now));
        running.push(least);
    }
    Ok(object(&[
        ("ln_e", numbers(ln_e.into_iter())),
        ("p_value", numbers(p.into_iter())),
        ("p_running", numbers(running.into_iter())),
    ]))
}
