//! A plan that is asked for.

use super::Wrong;
use super::answer::Method;
use super::fields::Fields;
use serde::Serialize;
use std::ops::RangeInclusive;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The share of units that do something.
    Conversion,
    /// A value per unit.
    Mean,
    /// A sum over a sum, with units in both.
    Ratio,
}

/// What is measured, with the numbers of today.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    /// At which the control converts.
    Conversion {
        /// Between 0 and 1.
        rate: f64,
    },
    /// Of a unit's value.
    Mean {
        /// Of the control.
        mean: f64,
        /// Standard deviation, in both arms.
        deviation: f64,
    },
    /// Of two values per unit: the metric is the one's mean by the other's.
    Ratio {
        /// Mean and standard deviation of the numerator.
        numerator: (f64, f64),
        /// Mean and standard deviation of the denominator.
        denominator: (f64, f64),
        /// Between the two.
        correlation: f64,
    },
}

/// A plan that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanQuestion {
    /// What is measured.
    pub measured: Measured,
    /// The smallest effect worth finding, relative to the control; a negative one is a decrease.
    pub lift: Option<f64>,
    /// The same as a difference; one of the two is given.
    pub difference: Option<f64>,
    /// Share of false positives that is tolerated, over all treatments.
    pub alpha: f64,
    /// Chance to find the effect.
    pub power: f64,
    /// Arms beside the control.
    pub treatments: u32,
    /// Units of each treatment per unit of the control.
    pub ratio: f64,
    /// Units that are new each day.
    pub per_day: Option<f64>,
    /// How it will be read.
    pub method: Method,
    /// Looks of the group sequential plan.
    pub looks: u32,
    /// Units that a running experiment has.
    pub units: Option<f64>,
}

/// The integration takes longer the rarer it may err; nobody tests at less.
const ALPHA: RangeInclusive<f64> = 1e-6..=0.5;
/// Beyond it a sequential plan takes many fixed samples, and the integration follows each.
const POWER: RangeInclusive<f64> = 0.05..=0.99;
/// As many as a page can compare.
const TREATMENTS: RangeInclusive<u64> = 1..=20;
/// Each has a bound to be found; with more, the always-valid method serves better.
const LOOKS: RangeInclusive<u64> = 1..=50;
/// A share of an arm below a thousandth is a mistake, and its sample has no end.
const WEIGHT: RangeInclusive<f64> = 1e-3..=1e6;
/// More than there are people.
const UNITS: RangeInclusive<f64> = 1.0..=1e12;
/// Values of any unit whose squares are numbers.
const VALUE: RangeInclusive<f64> = -1e100..=1e100;
/// Deviations of any unit whose squares are numbers.
const DEVIATION: RangeInclusive<f64> = 1e-100..=1e100;

const KNOWN: &str = "kind, base, deviation, numerator_mean, numerator_deviation, denominator_mean, denominator_deviation, correlation, lift, difference, alpha, power, treatments, split, per_day, method, looks and units";

impl PlanQuestion {
    /// Reads the body of a request.
    pub fn read(body: &[u8]) -> Result<PlanQuestion, Wrong> {
        let mut fields = Fields::of(body)?;
        let kinds = [("conversion", Kind::Conversion), ("mean", Kind::Mean), ("ratio", Kind::Ratio)];
        let kind = fields.word("kind", &kinds, Kind::Conversion)?;
        let measured = measured(&mut fields, kind)?;
        let lift = fields.number("lift", -1e6..=1e6)?;
        let difference = fields.number("difference", VALUE)?;
        let effect_field = if difference.is_some() { "difference" } else { "lift" };
        if lift.is_some() == difference.is_some() {
            return Err(Wrong::new(effect_field, "give either 'lift', as in 0.1 for 10%, or 'difference'"));
        }
        if lift.or(difference) == Some(0.0) {
            return Err(Wrong::new(effect_field, "an effect of 0 is never found, whatever the sample"));
        }
        let alpha = fields.number("alpha", ALPHA)?.unwrap_or(0.05);
        let power = fields.number("power", POWER)?.unwrap_or(0.8);
        if power <= alpha {
            return Err(Wrong::new(
                "power",
                "the chance to find the effect is above alpha; with less, no sample is needed",
            ));
        }
        let treatments = fields.whole("treatments", TREATMENTS)?.unwrap_or(1) as u32;
        let split = fields.numbers("split", *TREATMENTS.end() as usize + 1, WEIGHT)?;
        let methods = Method::ALL.map(|method| (method.code(), method));
        let question = PlanQuestion {
            measured,
            lift,
            difference,
            alpha,
            power,
            treatments,
            ratio: split.map_or(Ok(1.0), |weights| ratio(&weights, treatments))?,
            per_day: fields.number("per_day", UNITS)?,
            method: fields.word("method", &methods, Method::AlwaysValid)?,
            looks: fields.whole("looks", LOOKS)?.unwrap_or(5) as u32,
            units: fields.number("units", 2.0..=*UNITS.end())?,
        };
        fields.end(KNOWN)?;
        Ok(question)
    }

    /// What kind it is of.
    pub fn kind(&self) -> Kind {
        match self.measured {
            Measured::Conversion { .. } => Kind::Conversion,
            Measured::Mean { .. } => Kind::Mean,
            Measured::Ratio { .. } => Kind::Ratio,
        }
    }
}

fn measured(fields: &mut Fields, kind: Kind) -> Result<Measured, Wrong> {
    let missing = |name: &str, what: &str| Wrong::new(name, format!("give {what}"));
    match kind {
        Kind::Conversion => match fields.number("base", 0.0..=1.0)? {
            Some(rate) if rate > 0.0 && rate < 1.0 => Ok(Measured::Conversion { rate }),
            _ => Err(missing("base", "the rate of today, between 0 and 1, as in 0.05 for 5%")),
        },
        Kind::Mean => {
            let mean = fields.number("base", VALUE)?.ok_or_else(|| missing("base", "the mean of today"))?;
            let deviation = fields.number("deviation", DEVIATION)?;
            let deviation =
                deviation.ok_or_else(|| missing("deviation", "the standard deviation of a unit's value"))?;
            Ok(Measured::Mean { mean, deviation })
        }
        Kind::Ratio => {
            let mut of = |side: &str| {
                let (mean, deviation) = (format!("{side}_mean"), format!("{side}_deviation"));
                let what = format!("the {side} per unit, of today");
                let given = fields.number(&mean, VALUE)?.ok_or_else(|| missing(&mean, &what))?;
                let spread = fields.number(&deviation, 0.0..=1e100)?;
                Ok((given, spread.ok_or_else(|| missing(&deviation, "its standard deviation over units"))?))
            };
            let (numerator, denominator) = (of("numerator")?, of("denominator")?);
            if denominator.0 == 0.0 {
                return Err(Wrong::new("denominator_mean", "a ratio over a mean of 0 is none"));
            }
            let correlation = fields.number("correlation", -1.0..=1.0)?.unwrap_or(0.0);
            Ok(Measured::Ratio { numerator, denominator, correlation })
        }
    }
}

/// Units of each treatment per unit of the control.
fn ratio(weights: &[f64], treatments: u32) -> Result<f64, Wrong> {
    let arms = treatments as usize + 1;
    let [control, rest @ ..] = weights else { return Err(Wrong::new("split", "give a weight for every arm")) };
    if weights.len() != arms {
        let detail = format!("give {arms} weights, the control's first, and not {}", weights.len());
        return Err(Wrong::new("split", detail));
    }
    let first = rest.first().copied().unwrap_or(*control);
    if rest.iter().any(|weight| (weight / first - 1.0).abs() > 1e-9) {
        return Err(Wrong::new("split", "plans are for treatments of equal size; only the control may differ"));
    }
    let share = first / weights.iter().sum::<f64>();
    let other = control / weights.iter().sum::<f64>();
    if share < *WEIGHT.start() || other < *WEIGHT.start() {
        return Err(Wrong::new("split", "every arm gets at least a thousandth of the units"));
    }
    Ok(first / control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> (String, String) {
        let wrong = PlanQuestion::read(body.as_bytes()).unwrap_err();
        (wrong.field, wrong.detail)
    }

    #[test]
    fn what_is_not_said_is_usual() {
        let question = PlanQuestion::read(br#"{"base": 0.05, "lift": 0.1}"#).unwrap();
        assert_eq!((question.alpha, question.power, question.ratio, question.treatments), (0.05, 0.8, 1.0, 1));
        assert_eq!((question.method, question.looks, question.per_day), (Method::AlwaysValid, 5, None));
        let split = br#"{"base": 0.05, "lift": 0.1, "treatments": 2, "split": [50, 25, 25]}"#;
        assert_eq!(PlanQuestion::read(split).unwrap().ratio, 0.5);
    }

    #[test]
    fn every_wrong_member_is_named() {
        for (body, field) in [
            ("[]", "body"),
            ("{", "body"),
            (r#"{"kind": "median"}"#, "kind"),
            (r#"{"lift": 0.1}"#, "base"),
            (r#"{"base": 1, "lift": 0.1}"#, "base"),
            (r#"{"base": "5%", "lift": 0.1}"#, "base"),
            (r#"{"kind": "mean", "base": 3, "lift": 0.1}"#, "deviation"),
            (r#"{"kind": "ratio", "numerator_mean": 3, "lift": 0.1}"#, "numerator_deviation"),
            (r#"{"base": 0.05}"#, "lift"),
            (r#"{"base": 0.05, "lift": 0}"#, "lift"),
            (r#"{"base": 0.05, "lift": 0.1, "difference": 0.1}"#, "difference"),
            (r#"{"base": 0.05, "lift": 0.1, "alpha": 5}"#, "alpha"),
            (r#"{"base": 0.05, "lift": 0.1, "power": 1}"#, "power"),
            (r#"{"base": 0.05, "lift": 0.1, "alpha": 0.5, "power": 0.3}"#, "power"),
            (r#"{"base": 0.05, "lift": 0.1, "treatments": 21}"#, "treatments"),
            (r#"{"base": 0.05, "lift": 0.1, "treatments": 1.5}"#, "treatments"),
            (r#"{"base": 0.05, "lift": 0.1, "split": [50, 25, 25]}"#, "split"),
            (r#"{"base": 0.05, "lift": 0.1, "split": [1, 100000]}"#, "split"),
            (r#"{"base": 0.05, "lift": 0.1, "treatments": 2, "split": [50, 30, 20]}"#, "split"),
            (r#"{"base": 0.05, "lift": 0.1, "per_day": 0}"#, "per_day"),
            (r#"{"base": 0.05, "lift": 0.1, "method": "bayesian"}"#, "method"),
            (r#"{"base": 0.05, "lift": 0.1, "looks": 51}"#, "looks"),
            (r#"{"base": 0.05, "lift": 0.1, "units": -1}"#, "units"),
            (r#"{"base": 0.05, "lift": 0.1, "alhpa": 0.01}"#, "alhpa"),
        ] {
            let (got, detail) = refused(body);
            assert_eq!(got, field, "{body}: {detail}");
            assert!(!detail.is_empty());
        }
    }
}
