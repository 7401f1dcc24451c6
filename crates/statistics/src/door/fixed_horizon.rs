//! Fixed-horizon methods at the door.

use super::{Answer, Counts, Methods, Moments, check, number, object, optional, read};
use crate::alpha::Alpha;
use crate::fixed_horizon::{self, Test};
use crate::lift::{self, Lift};
use crate::moments::Arm;
use crate::ratio;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[
    ("two_proportion_z", two_proportion_z),
    ("welch_t", welch_t),
    ("welch_t_raw", welch_t_raw),
    ("welch_t_relative_delta", welch_t_relative_delta),
    ("ratio_delta", ratio_delta),
];

fn test_fields(test: Option<&Test>, statistic: &'static str) -> Vec<(&'static str, Value)> {
    let field = |pick: fn(&Test) -> f64| optional(test.map(pick));
    // Without an interval both ends are infinite.
    let end = |pick: fn(&Test) -> f64| optional(test.map(pick).filter(|end| end.is_finite()));
    vec![
        (statistic, field(|test| test.statistic)),
        ("p_value", number(test.map_or(1.0, |test| test.p_value))),
        ("ln_p_value", number(test.map_or(0.0, |test| test.ln_p_value))),
        ("ci_low", end(|test| test.low)),
        ("ci_high", end(|test| test.high)),
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
    let alpha = Alpha::new(it.alpha)?;
    check(["pooled", "unpooled"].contains(&it.variance.as_str()), "variance is pooled or unpooled")?;
    let (control, treatment) = (it.control.checked()?, it.treatment.checked()?);
    let rate = |counts: &Counts| (counts.n > 0.0).then(|| counts.conversions / counts.n);
    let arms = ((control.n, control.conversions), (treatment.n, treatment.conversions));
    let test = fixed_horizon::two_proportions(arms.0, arms.1, it.variance == "pooled", alpha);
    let mut fields = test_fields(test.as_ref(), "z");
    fields.extend([
        ("rate_control", optional(rate(control))),
        ("rate_treatment", optional(rate(treatment))),
        ("diff", optional(rate(control).zip(rate(treatment)).map(|(control, treatment)| treatment - control))),
        ("se", number(test.map_or(0.0, |test| test.standard_error))),
    ]);
    Ok(object(&fields))
}

fn welch_fields(control: &Arm, treatment: &Arm, test: Option<&Test>) -> Vec<(&'static str, Value)> {
    let se = (control.variance() / control.n + treatment.variance() / treatment.n).sqrt();
    let mut fields = test_fields(test, "t");
    fields.extend([
        ("diff", number(test.map_or(treatment.mean - control.mean, |test| test.difference))),
        ("se", if control.n < 2.0 || treatment.n < 2.0 { Value::Null } else { number(se) }),
        ("df", optional(test.map(|test| test.df))),
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
    let (control, treatment) = (it.control.arm()?, it.treatment.arm()?);
    let test = fixed_horizon::welch(&control, &treatment, Alpha::new(it.alpha)?);
    Ok(object(&welch_fields(&control, &treatment, test.as_ref())))
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
    let alpha = Alpha::new(it.alpha)?;
    let (control, treatment, test) = fixed_horizon::welch_of_values(&it.control.values, &it.treatment.values, alpha);
    let mean = |arm: &Arm| optional((arm.n > 0.0).then_some(arm.mean));
    let variance = |arm: &Arm| optional((arm.n >= 2.0).then(|| arm.variance()));
    let mut fields = welch_fields(&control, &treatment, test.as_ref());
    fields.extend([
        ("control_mean", mean(&control)),
        ("control_variance", variance(&control)),
        ("treatment_mean", mean(&treatment)),
        ("treatment_variance", variance(&treatment)),
    ]);
    Ok(object(&fields))
}

fn welch_t_relative_delta(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Sums {
        n: f64,
        sum: f64,
        sum_sq: f64,
    }
    #[derive(Deserialize)]
    struct Input {
        control: Sums,
        treatment: Sums,
        alpha: f64,
    }
    let it: Input = read(input)?;
    let alpha = Alpha::new(it.alpha)?;
    check(it.control.n >= 0.0 && it.treatment.n >= 0.0, "n is never negative")?;
    let arm = |sums: &Sums| Arm::of_sums(sums.n, sums.sum, sums.sum_sq);
    let (control, treatment) = (arm(&it.control), arm(&it.treatment));
    let absolute = fixed_horizon::welch(&control, &treatment, alpha);
    let relative = fixed_horizon::welch_relative(&control, &treatment, alpha);
    let of = |test: Option<Test>, pick: fn(&Test) -> f64| optional(test.as_ref().map(pick));
    Ok(object(&[
        ("lift", optional(lift::estimate(control.mean, treatment.mean))),
        ("se_lift", of(relative, |test| test.standard_error)),
        ("lift_ci_low", of(relative, |test| test.low)),
        ("lift_ci_high", of(relative, |test| test.high)),
        ("p_value_lift", number(relative.map_or(1.0, |test| test.p_value))),
        ("diff", number(treatment.mean - control.mean)),
        ("se_diff", of(absolute, |test| test.standard_error)),
        ("diff_ci_low", of(absolute, |test| test.low)),
        ("diff_ci_high", of(absolute, |test| test.high)),
        ("p_value_diff", number(absolute.map_or(1.0, |test| test.p_value))),
        ("df", of(absolute, |test| test.df)),
        ("degenerate", json!(absolute.is_none())),
    ]))
}

fn ratio_delta(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Sums {
        n: f64,
        sum_y: f64,
        sum_x: f64,
        sum_yy: f64,
        sum_xx: f64,
        sum_xy: f64,
    }
    #[derive(Deserialize)]
    struct Input {
        control: Sums,
        treatment: Sums,
        alpha: f64,
    }
    let it: Input = read(input)?;
    let alpha = Alpha::new(it.alpha)?;
    let sums =
        |it: &Sums| ratio::Sums { n: it.n, y: it.sum_y, x: it.sum_x, yy: it.sum_yy, xx: it.sum_xx, xy: it.sum_xy };
    let ratios = ratio::compare(&sums(&it.control), &sums(&it.treatment), alpha);
    let test = ratios.and_then(|ratios| ratios.test);
    let lift = ratios.and_then(|ratios| ratios.lift);
    let end = |pick: fn(f64, f64) -> f64| match lift {
        Some((_, _, Lift::Bounded { low, high })) => number(pick(low, high)),
        _ => Value::Null,
    };
    // An arm of one unit has a ratio, but no variance.
    let of = |enough: bool, value: f64| if enough { number(value) } else { Value::Null };
    let mut fields = test_fields(test.as_ref(), "z");
    fields.extend([
        ("control_ratio", optional(ratios.map(|it| it.control.mean))),
        ("control_var", ratios.map_or(Value::Null, |ratios| of(it.control.n >= 2.0, ratios.control.variance))),
        ("treatment_ratio", optional(ratios.map(|it| it.treatment.mean))),
        ("treatment_var", ratios.map_or(Value::Null, |ratios| of(it.treatment.n >= 2.0, ratios.treatment.variance))),
        ("diff", optional(ratios.map(|it| it.treatment.mean - it.control.mean))),
        ("se", optional(test.map(|test| test.standard_error))),
        ("lift", optional(ratios.and_then(|it| lift::estimate(it.control.mean, it.treatment.mean)))),
        ("se_lift", optional(lift.map(|(_, variance, _)| variance.sqrt()))),
        ("lift_ci_low", end(|low, _| low)),
        ("lift_ci_high", end(|_, high| high)),
    ]);
    Ok(object(&fields))
}
