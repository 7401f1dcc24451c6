//! `POST /v1/plan`: the numbers of `assay power`, with the lines and tables of the planner's page.

use super::{Inputs, Metric, Planned, effects, fixed_sample, power_of_one_look, sample, schemes};
use crate::grid::percent;
use assay_control_plane::planner::{
    Boundary, Curve, Headline, Kind, Measured, Method, MethodPlan, PlanAnswer, PlanDays, PlanQuestion, SplitCost,
    Still, StillAt, StillFinds, Wrong,
};
use assay_statistics::alpha::Alpha;
use assay_statistics::group_sequential::{Design, Spending, Z_CAP, crossing_probability};
use assay_statistics::power::inflation::Inflation;
use assay_statistics::power::{PlanError, Promise, SampleSize, ratios};
use assay_statistics::sides::Sides;
use std::sync::Arc;

/// The always-valid plan over time, in fixed samples.
pub(super) struct Course {
    pub(super) inflation: Inflation,
    /// Each with the chance to have shown the effect.
    pub(super) points: Vec<(f64, f64)>,
}

/// Points of the line of one look.
const LINE_POINTS: u32 = 100;
/// How far beyond the larger of both samples it goes.
const LINE_BEYOND: f64 = 1.22;
/// Points of what can still be found.
const STILL_POINTS: u32 = 60;
/// Shares of the control whose cost is told.
const SHARES: [f64; 4] = [0.5, 0.8, 0.9, 0.99];
/// Ahead of a running experiment, in days.
const AHEAD: [(&str, f64); 3] = [("in_a_week", 7.0), ("in_two_weeks", 14.0), ("in_four_weeks", 28.0)];

/// Answers; `course` finds the always-valid plan for a promise.
pub(super) fn answer(
    question: &PlanQuestion,
    course: impl FnOnce(&Promise) -> Result<Arc<Course>, PlanError>,
) -> Result<PlanAnswer, Wrong> {
    let metric = metric(question)?;
    let difference = difference(question, metric)?;
    let wrong = |problem| blame(&problem, question);
    let alpha = Alpha::new(question.alpha).map_err(|problem| Wrong::new("alpha", problem.to_string()))?;
    let promise = Promise { alpha, sides: Sides::Two, power: question.power, comparisons: question.treatments };
    let inputs = Inputs {
        metric,
        promise,
        ratio: question.ratio,
        looks: question.looks,
        traffic: question.per_day.map(|per_day| (per_day, 1.0)),
    };
    let fixed = fixed_sample(&inputs, difference).map_err(wrong)?;
    let course = course(&promise).map_err(wrong)?;
    let planned: Vec<Planned> = schemes(&promise, inputs.looks, course.inflation)
        .and_then(|schemes| schemes.into_iter().map(|scheme| sample(&inputs, &fixed, scheme)).collect())
        .map_err(wrong)?;
    let of = |method: Method| planned.iter().find(|it| it.scheme.method == method).expect("every method is planned");
    let (chosen, one_look) = (of(question.method), of(Method::FixedHorizon));
    let boundaries = boundaries(&inputs, of(Method::GroupSequential)).map_err(wrong)?;
    let control_share = 1.0 / (1.0 + inputs.ratio * inputs.treatments());
    let curve = curve(&inputs, difference, chosen, one_look, &course, &boundaries).map_err(wrong)?;
    let still = match question.units {
        None => None,
        Some(units) => Some(still(&inputs, units, chosen).map_err(wrong)?),
    };
    Ok(PlanAnswer {
        kind: question.kind(),
        base: metric.baseline(),
        deviation: match metric {
            Metric::Rate(_) => None,
            Metric::Mean { sd, .. } => Some(sd),
        },
        target: metric.baseline() + difference,
        difference,
        lift: metric.lift(difference),
        alpha: question.alpha,
        alpha_each: alpha.divided(question.treatments).value(),
        power: question.power,
        treatments: question.treatments,
        shares: std::iter::once(control_share)
            .chain((0..question.treatments).map(|_| inputs.ratio * control_share))
            .collect(),
        per_day: question.per_day,
        method: question.method,
        headline: headline(chosen, one_look),
        methods: Method::ALL.map(|method| method_plan(of(method), question.looks)).to_vec(),
        curve,
        splits: splits(&inputs, difference).map_err(wrong)?,
        boundaries,
        still,
    })
}

fn metric(question: &PlanQuestion) -> Result<Metric, Wrong> {
    match question.measured {
        Measured::Conversion { rate } => Ok(Metric::Rate(rate)),
        Measured::Mean { mean, deviation } => Ok(Metric::Mean { mean, sd: deviation }),
        Measured::Ratio { numerator, denominator, correlation } => {
            match ratios::linearised(numerator, denominator, correlation) {
                Ok((mean, sd)) if sd > 0.0 => Ok(Metric::Mean { mean, sd }),
                _ => Err(Wrong::new("numerator_deviation", "with these numbers the ratio of a unit does not vary")),
            }
        }
    }
}

fn difference(question: &PlanQuestion, metric: Metric) -> Result<f64, Wrong> {
    let base = metric.baseline();
    let difference = match (question.lift, question.difference) {
        (Some(lift), _) if base == 0.0 => {
            let detail = format!("a lift of {} on a baseline of 0 is no effect; give 'difference'", percent(lift));
            return Err(Wrong::new("lift", detail));
        }
        (Some(lift), _) => lift * base,
        (None, difference) => difference.unwrap_or(0.0),
    };
    let target = base + difference;
    if question.kind() == Kind::Conversion && !(0.0..=1.0).contains(&target) {
        let detail = format!("the treatment's rate would be {}, and a rate lies between 0% and 100%", percent(target));
        return Err(Wrong::new(effect_field(question), detail));
    }
    Ok(difference)
}

fn effect_field(question: &PlanQuestion) -> &'static str {
    if question.lift.is_some() { "lift" } else { "difference" }
}

/// Which member of a question the statistics refuse.
fn blame(problem: &PlanError, question: &PlanQuestion) -> Wrong {
    let field = match problem {
        PlanError::Rate | PlanError::NoEffect | PlanError::OutOfReach => effect_field(question),
        PlanError::Power => "power",
        PlanError::Ratio => "split",
        PlanError::Treatments => "treatments",
        PlanError::Size if question.units.is_some() => "units",
        PlanError::Size => effect_field(question),
        PlanError::Deviation => "deviation",
        PlanError::Traffic => "per_day",
        PlanError::Design(_) => "looks",
    };
    Wrong::new(field, problem.to_string())
}

fn headline(chosen: &Planned, one_look: &Planned) -> Headline {
    Headline {
        at_most: chosen.total,
        expected: chosen.total_on_average,
        price: chosen.scheme.maximum,
        price_expected: chosen.scheme.average,
        one_look: one_look.total,
    }
}

fn method_plan(planned: &Planned, looks: u32) -> MethodPlan {
    let scheme = planned.scheme;
    MethodPlan {
        method: scheme.method,
        looks: match scheme.method {
            Method::AlwaysValid => None,
            Method::GroupSequential => Some(looks),
            Method::FixedHorizon => Some(1),
        },
        control: planned.control,
        treatment: planned.treatment,
        total: planned.total,
        total_on_average: planned.total_on_average,
        times_at_most: scheme.maximum,
        times_on_average: scheme.average,
        chance_at_one_look: scheme.power_at_fixed,
        days: planned.days.map(|days| PlanDays {
            at_most: days.at_most,
            in_whole_weeks: days.in_whole_weeks,
            on_average: days.on_average,
        }),
    }
}

/// The looks of the group sequential plan, with the chance to have stopped under the planned effect.
fn boundaries(inputs: &Inputs, planned: &Planned) -> Result<Vec<Boundary>, PlanError> {
    let Inputs { promise, looks, .. } = inputs;
    let alpha = promise.alpha.divided(promise.comparisons);
    let design = Design { alpha, sides: promise.sides, spending: Spending::ObrienFleming, z_cap: Z_CAP };
    let information: Vec<f64> = (1..=*looks).map(|look| f64::from(look) / f64::from(*looks)).collect();
    let found = design.bounds(&information)?;
    let z: Vec<f64> = found.iter().map(|look| look.z).collect();
    let drift = promise.drift() * planned.scheme.maximum.sqrt();
    let crossing = crossing_probability(&information, &z, promise.sides, drift)?;
    let mut chance = 0.0;
    let stops = crossing.upper.iter().zip(&crossing.lower).map(|(up, down)| up + down);
    Ok((1..=*looks)
        .zip(found.iter().zip(stops))
        .map(|(look, (bound, stops))| {
            chance += stops;
            Boundary {
                look,
                units: (bound.information * planned.total * (1.0 - 1e-12)).ceil(),
                z: bound.z,
                p_value: bound.nominal_p,
                alpha_spent: bound.alpha_spent,
                chance: chance.min(1.0),
            }
        })
        .collect())
}

fn curve(
    inputs: &Inputs,
    difference: f64,
    chosen: &Planned,
    one_look: &Planned,
    course: &Course,
    boundaries: &[Boundary],
) -> Result<Curve, PlanError> {
    let end = LINE_BEYOND * chosen.total.max(one_look.total);
    let points = match chosen.scheme.method {
        // A course counts in samples of one look.
        Method::AlwaysValid => {
            let units = |(t, chance): &(f64, f64)| [t * one_look.total, *chance];
            course.points.iter().map(units).take_while(|[units, _]| *units <= end).collect()
        }
        Method::GroupSequential => boundaries.iter().map(|look| [look.units, look.chance]).collect(),
        Method::FixedHorizon => vec![[one_look.total, inputs.promise.power]],
    };
    let mut line = Vec::new();
    for step in 1..=LINE_POINTS {
        let units = end * f64::from(step) / f64::from(LINE_POINTS);
        let (control, treatment) = inputs.arms(units)?;
        // Smaller arms have no test.
        if control >= 2.0 && treatment >= 2.0 {
            line.push([units, power_of_one_look(inputs, difference, control, treatment)?]);
        }
    }
    Ok(Curve { chosen: points, steps: chosen.scheme.method != Method::AlwaysValid, one_look: line })
}

/// What other shares of the control need by one look, against arms of equal size.
fn splits(inputs: &Inputs, difference: f64) -> Result<Vec<SplitCost>, PlanError> {
    let treatments = inputs.treatments();
    let total = |control_share: f64| -> Result<f64, PlanError> {
        let ratio = (1.0 - control_share) / treatments / control_share;
        let SampleSize { control_exact, .. } = fixed_sample(&Inputs { ratio, ..*inputs }, difference)?;
        Ok(control_exact * (1.0 + ratio * treatments))
    };
    let equal = 1.0 / (1.0 + treatments);
    // Most precise for one control that many are compared with.
    let best = 1.0 / (1.0 + treatments.sqrt());
    let mut shares: Vec<f64> = [equal, best].into_iter().chain(SHARES).collect();
    shares.sort_by(f64::total_cmp);
    shares.dedup_by(|one, other| (*one - *other).abs() < 1e-9);
    let least = total(equal)?;
    let cost = |share| {
        let total = total(share)?;
        Ok(SplitCost { control_share: share, total: total.ceil(), times: total / least })
    };
    shares.into_iter().map(cost).collect()
}

/// What a running experiment finds at the sizes that it has and will have.
fn still(inputs: &Inputs, now: f64, chosen: &Planned) -> Result<Still, PlanError> {
    let finds = |units: f64| -> Result<StillFinds, PlanError> {
        let found = effects(inputs, inputs.arms(units)?.0, &chosen.scheme)?;
        let lift = |difference: Option<f64>| difference.and_then(|it| inputs.metric.lift(it));
        Ok(StillFinds {
            units,
            difference_up: found.up,
            difference_down: found.down,
            lift_up: lift(found.up),
            lift_down: lift(found.down),
        })
    };
    let per_day = inputs.traffic.map(|(per_day, share)| per_day * share);
    let mut at = vec![StillAt { when: "now", days: Some(0.0), finds: finds(now)? }];
    for (when, days) in AHEAD {
        if let Some(per_day) = per_day {
            at.push(StillAt { when, days: Some(days), finds: finds(now + days * per_day)? });
        }
    }
    if chosen.total > now {
        let days = per_day.map(|per_day| ((chosen.total - now) / per_day).ceil());
        at.push(StillAt { when: "at_most", days, finds: finds(chosen.total)? });
    }
    let (first, last) = (0.25 * now.min(chosen.total), 1.25 * now.max(chosen.total));
    let mut curve = Vec::new();
    for step in 0..=STILL_POINTS {
        let units = first * (last / first).powf(f64::from(step) / f64::from(STILL_POINTS));
        // So few find nothing at all, and the statistics refuse to say so of less than one unit.
        if inputs.arms(units)?.0 / chosen.scheme.maximum >= 1.0 {
            curve.push(finds(units)?);
        }
    }
    Ok(Still { at, curve })
}

#[cfg(test)]
mod tests {
    use super::super::Desk;
    use super::*;
    use assay_control_plane::planner::Planner;

    fn plan(body: &str) -> PlanAnswer {
        Desk::default().plan(&PlanQuestion::read(body.as_bytes()).unwrap()).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    fn refused(body: &str) -> Wrong {
        Desk::default().plan(&PlanQuestion::read(body.as_bytes()).unwrap()).unwrap_err()
    }

    fn near(got: f64, expected: f64, by: f64) {
        assert!((got - expected).abs() <= by, "{got} is not {expected}");
    }

    #[test]
    fn the_textbook_example() {
        let answer = plan(r#"{"base": 0.05, "lift": 0.1, "per_day": 8000}"#);
        assert_eq!(answer.headline.one_look, 62_462.0);
        assert_eq!((answer.methods[0].method, answer.methods[2].control), (Method::AlwaysValid, 31_231.0));
        near(answer.headline.price, 1.645, 0.002);
        near(answer.headline.at_most / 62_462.0, answer.headline.price, 1e-4);
        let days = answer.methods[0].days.unwrap();
        assert_eq!((days.at_most, days.in_whole_weeks, days.on_average), (13.0, 14.0, 8.0));
        // 1/(4 s (1 - s)) where the arms vary alike; the treatment varies a little more.
        for (share, times) in [(0.8, 1.5625), (0.9, 2.777), (0.99, 25.25)] {
            let cost = answer.splits.iter().find(|it| it.control_share == share).unwrap();
            near(cost.times / times, 1.0, 0.05);
        }
    }

    #[test]
    fn lines_pass_the_promise_where_the_plan_ends() {
        for method in Method::ALL {
            let body = format!(r#"{{"base": 0.05, "lift": 0.1, "method": "{}"}}"#, method.code());
            let answer = plan(&body);
            let reached =
                |line: &[[f64; 2]], units: f64| line.iter().take_while(|it| it[0] <= units).last().unwrap()[1];
            near(reached(&answer.curve.chosen, answer.headline.at_most), 0.8, 0.01);
            near(reached(&answer.curve.one_look, answer.headline.one_look), 0.8, 0.01);
            assert!(answer.curve.chosen.len() <= POINTS_MAX && answer.curve.one_look.len() <= POINTS_MAX);
        }
    }

    /// A picture has at most so many.
    const POINTS_MAX: usize = 400;

    #[test]
    fn boundaries_spend_alpha_and_reach_the_power() {
        let answer = plan(r#"{"base": 0.05, "lift": 0.1, "looks": 5, "treatments": 2}"#);
        assert_eq!(answer.boundaries.len(), 5);
        let last = answer.boundaries.last().unwrap();
        near(last.alpha_spent, 0.025, 1e-9);
        near(last.chance, 0.8, 1e-6);
        near(answer.alpha_each, 0.025, 1e-12);
        assert!(answer.boundaries.windows(2).all(|pair| pair[0].z > pair[1].z && pair[0].units < pair[1].units));
        assert_eq!(answer.splits.len(), 6);
    }

    #[test]
    fn what_can_still_be_found_is_the_plan_read_backwards() {
        let plan_of =
            |units: f64| plan(&format!(r#"{{"base": 0.05, "lift": 0.1, "per_day": 8000, "units": {units}}}"#));
        let at_most = plan_of(20_000.0).headline.at_most;
        let answer = plan_of(20_000.0);
        let still = answer.still.unwrap();
        let end = still.at.iter().find(|it| it.when == "at_most").unwrap();
        near(end.finds.lift_up.unwrap(), 0.1, 1e-4);
        assert_eq!(end.days, Some(((at_most - 20_000.0) / 8_000.0).ceil()));
        assert!(still.at[0].finds.lift_up > end.finds.lift_up);
        assert!(still.curve.windows(2).all(|pair| pair[0].difference_up > pair[1].difference_up));
        near(plan_of(at_most).still.unwrap().at[0].finds.lift_up.unwrap(), 0.1, 1e-4);
    }

    #[test]
    fn means_and_ratios() {
        let mean = plan(r#"{"kind": "mean", "base": 24, "deviation": 60, "difference": 1.5, "treatments": 2}"#);
        near(mean.methods[2].control, 30_417.0, 30.0);
        let ratio = plan(
            r#"{"kind": "ratio", "numerator_mean": 2, "numerator_deviation": 3, "denominator_mean": 4, "denominator_deviation": 0, "lift": 0.1}"#,
        );
        assert_eq!((ratio.base, ratio.deviation), (0.5, Some(0.75)));
    }

    #[test]
    fn refusals_name_the_member() {
        for (body, field) in [
            (r#"{"base": 0.6, "lift": 1}"#, "lift"),
            (r#"{"base": 0.6, "difference": -0.7}"#, "difference"),
            (r#"{"kind": "mean", "base": 0, "deviation": 1, "lift": 0.1}"#, "lift"),
            (r#"{"kind": "mean", "base": 1e-90, "deviation": 1e90, "lift": 1e-3}"#, "lift"),
            (
                r#"{"kind": "ratio", "numerator_mean": 2, "numerator_deviation": 0, "denominator_mean": 4, "denominator_deviation": 0, "lift": 0.1}"#,
                "numerator_deviation",
            ),
        ] {
            let wrong = refused(body);
            assert_eq!(wrong.field, field, "{body}: {wrong}");
        }
    }
}
