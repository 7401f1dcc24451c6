//! Interactions, strata and balance at the door.

use super::{Answer, Counts, DoorError, Methods, Moments, check, number, numbers, object, read};
use crate::alpha::Alpha;
use crate::heterogeneity::balance::{self, Balance};
use crate::heterogeneity::breslow_day::breslow_day as breslow_day_test;
use crate::heterogeneity::interaction;
use crate::heterogeneity::mantel_haenszel::{Table, mantel_haenszel};
use crate::heterogeneity::meta_analysis::heterogeneity;
use crate::heterogeneity::post_stratification::{Stratum, post_stratify};
use crate::heterogeneity::simpson::simpson;
use crate::heterogeneity::{ChiSquareTest, NormalTest};
use crate::moments::Arm;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[
    ("stratified_2x2", stratified_2x2),
    ("post_stratification", post_stratification),
    ("interaction_2x2", interaction_2x2),
    ("interaction_wald", interaction_wald),
    ("balance_categorical", balance_categorical),
];

type Fields = Vec<(&'static str, Value)>;

fn optional(value: Option<f64>) -> Value {
    value.map_or(Value::Null, number)
}

/// Fields `z`, `p_value` and `degenerate`.
fn normal_fields(test: Option<NormalTest>) -> Fields {
    vec![
        ("z", optional(test.map(|test| test.z))),
        ("p_value", number(test.map_or(1.0, |test| test.p_value))),
        ("ln_p_value", number(test.map_or(0.0, |test| test.ln_p_value))),
        ("degenerate", json!(test.is_none())),
    ]
}

/// The statistic, its p-value and its logarithm.
fn chi_square_values(test: Option<ChiSquareTest>) -> [Value; 3] {
    [
        optional(test.map(|test| test.statistic)),
        number(test.map_or(1.0, |test| test.p_value)),
        number(test.map_or(0.0, |test| test.ln_p_value)),
    ]
}

fn stratified_2x2(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Cells {
        control: Counts,
        treatment: Counts,
    }
    #[derive(Deserialize)]
    struct Input {
        strata: Vec<Cells>,
    }
    let it: Input = read(input)?;
    check(!it.strata.is_empty(), "strata are at least one")?;
    let table = |cells: &Cells| {
        let (control, treatment) = (cells.control.checked()?, cells.treatment.checked()?);
        Ok(Table {
            control_n: control.n,
            control_conversions: control.conversions,
            treatment_n: treatment.n,
            treatment_conversions: treatment.conversions,
        })
    };
    let strata = it.strata.iter().map(table).collect::<Result<Vec<Table>, DoorError>>()?;
    let common = mantel_haenszel(&strata);
    let same = breslow_day_test(&strata);
    let [cmh, cmh_p, cmh_ln_p] = chi_square_values(common.cmh);
    let [cmh_corrected, cmh_corrected_p, _] = chi_square_values(common.cmh_corrected);
    let [breslow_day, breslow_day_p, _] = chi_square_values(same.map(|test| test.plain));
    let [breslow_day_tarone, breslow_day_tarone_p, _] = chi_square_values(same.map(|test| test.tarone));
    Ok(object(&[
        ("odds_ratio_mh", optional(common.odds_ratio)),
        ("ln_or_se_rbg", optional(common.ln_odds_ratio_se)),
        ("risk_ratio_mh", optional(common.risk_ratio)),
        ("cmh", cmh),
        ("cmh_p", cmh_p),
        ("cmh_ln_p", cmh_ln_p),
        ("cmh_corrected", cmh_corrected),
        ("cmh_corrected_p", cmh_corrected_p),
        ("breslow_day", breslow_day),
        ("breslow_day_p", breslow_day_p),
        ("breslow_day_tarone", breslow_day_tarone),
        ("breslow_day_tarone_p", breslow_day_tarone_p),
        ("df", json!(same.map_or(0, |test| test.plain.df))),
        ("degenerate", json!(common.cmh.is_none())),
    ]))
}

fn post_stratification(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Arms {
        control: Moments,
        treatment: Moments,
        share: Option<f64>,
    }
    #[derive(Deserialize)]
    struct Input {
        strata: Vec<Arms>,
        alpha: f64,
    }
    let it: Input = read(input)?;
    let alpha = Alpha::new(it.alpha).map_err(|problem| DoorError(problem.to_string()))?;
    let stratum = |arms: &Arms| Ok(Stratum { control: arms.control.arm()?, treatment: arms.treatment.arm()? });
    let strata = it.strata.iter().map(stratum).collect::<Result<Vec<Stratum>, DoorError>>()?;
    check(!strata.is_empty(), "strata are at least one")?;
    let shares: Option<Vec<f64>> = it.strata.iter().map(|arms| arms.share).collect();
    let some_share = it.strata.iter().any(|arms| arms.share.is_some());
    check(shares.is_some() || !some_share, "either every stratum has a 'share' or none has")?;
    check(shares.iter().flatten().all(|&share| share >= 0.0), "a share is never negative")?;
    let sizes = |pick: fn(&Stratum) -> f64| strata.iter().map(pick).collect::<Vec<f64>>();
    let table = [sizes(|stratum| stratum.control.n), sizes(|stratum| stratum.treatment.n)];
    let alarm = simpson(&strata, balance::categorical(&table).test.p_value);
    let post = post_stratify(&strata, shares.as_deref());
    let effects: Vec<(f64, f64)> =
        post.iter().flat_map(|post| &post.strata).map(|stratum| (stratum.effect(), stratum.variance())).collect();
    let spread = heterogeneity(&effects);
    let [cochran_q, q_p_value, ln_q_p_value] = chi_square_values(spread.map(|spread| spread.q));
    let interval = post.as_ref().and_then(|post| post.interval(alpha));
    let mut fields = normal_fields(post.as_ref().and_then(|post| post.test()));
    fields.extend([
        ("stratum_effects", numbers(effects.iter().map(|(effect, _)| *effect))),
        ("stratum_variances", numbers(effects.iter().map(|(_, variance)| *variance))),
        ("weights", numbers(post.iter().flat_map(|post| &post.weights).copied())),
        ("merged_strata", json!(post.as_ref().map(|post| &post.merged))),
        ("effect", optional(post.as_ref().map(|post| post.effect))),
        ("var", optional(post.as_ref().map(|post| post.variance))),
        ("ci_low", optional(interval.map(|(low, _)| low))),
        ("ci_high", optional(interval.map(|(_, high)| high))),
        ("fixed_effect", optional(spread.map(|spread| spread.fixed_effect))),
        ("var_fixed", optional(spread.map(|spread| spread.variance_fixed))),
        ("cochran_q", cochran_q),
        ("df", json!(effects.len().saturating_sub(1))),
        ("q_p_value", q_p_value),
        ("ln_q_p_value", ln_q_p_value),
        ("i_squared", optional(spread.map(|spread| spread.i_squared))),
        ("tau2_dl", optional(spread.map(|spread| spread.tau_squared))),
        ("random_effect", optional(spread.map(|spread| spread.random_effect))),
        ("var_random", optional(spread.map(|spread| spread.variance_random))),
        ("unstratified_effect", optional(alarm.map(|alarm| alarm.unstratified_effect))),
        ("unstratified_var", optional(alarm.map(|alarm| alarm.unstratified_variance))),
        ("simpson_reversal", json!(alarm.is_some_and(|alarm| alarm.reversal))),
        ("simpson_alarm", json!(alarm.is_some_and(|alarm| alarm.alarm()))),
    ]);
    Ok(object(&fields))
}

fn interaction_2x2(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Cell {
        a: usize,
        b: usize,
        #[serde(flatten)]
        moments: Moments,
    }
    #[derive(Deserialize)]
    struct Input {
        cells: Vec<Cell>,
    }
    let it: Input = read(input)?;
    let mut cells = [[None; 2]; 2];
    for cell in &it.cells {
        check(cell.a < 2 && cell.b < 2, "a and b are 0 or 1")?;
        check(cells[cell.a][cell.b].is_none(), "every pair of a and b is one cell: add up repeated ones")?;
        cells[cell.a][cell.b] = Some(cell.moments.arm()?);
    }
    let cell = |a: usize, b: usize| cells[a][b].unwrap_or(Arm { n: 0.0, mean: 0.0, m2: 0.0 });
    let result = interaction::two_by_two(&[[cell(0, 0), cell(0, 1)], [cell(1, 0), cell(1, 1)]]);
    let mut fields = normal_fields(result.test);
    fields.extend([
        ("interaction", optional(result.interaction)),
        ("var", optional(result.variance)),
        ("effect_a_when_b0", optional(result.effect_a[0])),
        ("effect_a_when_b1", optional(result.effect_a[1])),
        ("effect_b_when_a0", optional(result.effect_b[0])),
        ("effect_b_when_a1", optional(result.effect_b[1])),
        ("marginal_effect_a", optional(result.marginal_a)),
        ("marginal_effect_b", optional(result.marginal_b)),
    ]);
    Ok(object(&fields))
}

fn interaction_wald(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        n: Vec<Vec<f64>>,
        mean: Vec<Vec<f64>>,
        variance: Vec<Vec<f64>>,
    }
    let it: Input = read(input)?;
    let (rows, columns) = (it.n.len(), it.n.first().map_or(0, Vec::len));
    let fits = |table: &[Vec<f64>]| table.len() == rows && table.iter().all(|row| row.len() == columns);
    check(
        columns > 0 && fits(&it.n) && fits(&it.mean) && fits(&it.variance),
        "n, mean and variance are tables of the same numbers of rows and columns",
    )?;
    // The test solves a system of (r-1)(c-1) equations, which grows with the cube of that.
    check((rows - 1) * (columns - 1) <= 400, "the table has at most 400 double differences, (r-1)(c-1)")?;
    let cell = |r: usize, c: usize| {
        Moments { n: it.n[r][c], mean: it.mean[r][c], m2: None, variance: Some(it.variance[r][c]) }.arm()
    };
    let row = |r: usize| (0..columns).map(|c| cell(r, c)).collect::<Result<Vec<Arm>, DoorError>>();
    let test = interaction::wald(&(0..rows).map(row).collect::<Result<Vec<_>, DoorError>>()?);
    let [wald, p_value, ln_p_value] = chi_square_values(test);
    Ok(object(&[
        ("wald", wald),
        ("df", json!((rows - 1) * (columns - 1))),
        ("p_value", p_value),
        ("ln_p_value", ln_p_value),
        ("degenerate", json!(test.is_none())),
    ]))
}

fn balance_categorical(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        counts: Vec<Vec<f64>>,
    }
    let it: Input = read(input)?;
    let width = it.counts.first().map_or(0, Vec::len);
    check(it.counts.iter().all(|row| row.len() == width), "every arm counts the same categories")?;
    check(it.counts.iter().flatten().all(|&count| count >= 0.0), "a count is never negative")?;
    let balance: Balance = balance::categorical(&it.counts);
    let [statistic, p_value, ln_p_value] = chi_square_values(Some(balance.test));
    let differences = balance.standardised_differences.first();
    Ok(object(&[
        ("statistic", statistic),
        ("df", json!(balance.test.df)),
        ("p_value", p_value),
        ("ln_p_value", ln_p_value),
        ("cramers_v", number(balance.cramers_v)),
        ("smd_arm1_vs_arm0", differences.map_or(Value::Null, |list| numbers(list.iter().copied()))),
        ("categories", json!(balance.categories)),
    ]))
}
