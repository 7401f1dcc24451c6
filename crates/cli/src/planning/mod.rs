//! Plans of experiments as `assay power` prints them and `POST /v1/plan` answers them: the same functions of the same numbers.

mod answer;
mod desk;
mod effects;
mod peek;

pub use assay_control_plane::planner::Method;
pub use desk::Desk;
pub use effects::effects;

use assay_statistics::group_sequential::Spending;
use assay_statistics::power::inflation::Inflation;
use assay_statistics::power::proportions::RateVariance;
use assay_statistics::power::{PlanError, Promise, SampleSize, duration, inflation, means, proportions};
use assay_statistics::sides::Sides;

/// What is measured, and how much it varies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// The share of units that do something.
    Rate(f64),
    /// A value per unit, with its standard deviation in both arms.
    Mean { mean: f64, sd: f64 },
}

impl Metric {
    /// Of the control.
    pub fn baseline(self) -> f64 {
        match self {
            Metric::Rate(rate) => rate,
            Metric::Mean { mean, .. } => mean,
        }
    }

    /// A difference relative to the baseline, if there is one.
    pub fn lift(self, difference: f64) -> Option<f64> {
        (self.baseline() != 0.0).then(|| difference / self.baseline())
    }
}

/// What a plan starts from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs {
    pub metric: Metric,
    /// What the test promises; alpha is divided by its comparisons, one per treatment.
    pub promise: Promise,
    /// Units of each treatment per unit of the control.
    pub ratio: f64,
    /// Looks of the group sequential plan.
    pub looks: u32,
    /// Units that are new each day, and the share of them that enters.
    pub traffic: Option<(f64, f64)>,
}

impl Inputs {
    pub fn treatments(&self) -> f64 {
        f64::from(self.promise.comparisons)
    }

    /// Units of the control and of each treatment, of so many in all.
    pub fn arms(&self, units: f64) -> Result<(f64, f64), PlanError> {
        if !(self.ratio > 0.0 && self.ratio.is_finite()) {
            return Err(PlanError::Ratio);
        }
        let control = units / (1.0 + self.ratio * self.treatments());
        Ok((control, self.ratio * control))
    }
}

/// A way to read an experiment, compared with the others in fixed samples of the same power.
#[derive(Debug, Clone, Copy)]
pub struct Scheme {
    pub method: Method,
    pub maximum: f64,
    pub average: f64,
    pub power_at_fixed: f64,
}

/// Fixed, group sequential and always-valid, relative to the fixed sample.
pub fn schemes(promise: &Promise, looks: u32, valid: Inflation) -> Result<[Scheme; 3], PlanError> {
    let sequential = inflation::group_sequential(promise, Spending::ObrienFleming, looks as usize)?;
    let fixed = Inflation { maximum: 1.0, average: 1.0, power_at_fixed: promise.power };
    let of = |method, it: Inflation| Scheme {
        method,
        maximum: it.maximum,
        average: it.average,
        power_at_fixed: it.power_at_fixed,
    };
    Ok([of(Method::FixedHorizon, fixed), of(Method::GroupSequential, sequential), of(Method::AlwaysValid, valid)])
}

/// What a way to read needs.
#[derive(Debug, Clone, Copy)]
pub struct Planned {
    pub scheme: Scheme,
    pub control: f64,
    pub treatment: f64,
    pub total: f64,
    pub total_on_average: f64,
    pub days: Option<Days>,
}

#[derive(Debug, Clone, Copy)]
pub struct Days {
    /// Until the most is there.
    pub at_most: f64,
    /// The same in whole weeks.
    pub in_whole_weeks: f64,
    /// Until the average is there.
    pub on_average: f64,
}

/// The sample of one look.
pub fn fixed_sample(inputs: &Inputs, difference: f64) -> Result<SampleSize, PlanError> {
    let Inputs { metric, promise, ratio, .. } = inputs;
    match *metric {
        Metric::Rate(rate) => {
            let treatments = promise.comparisons;
            proportions::sample_size(rate, rate + difference, RateVariance::Unpooled, promise, *ratio, treatments)
        }
        Metric::Mean { sd, .. } => means::sample_size_t(sd, difference, promise, *ratio),
    }
}

/// The sample of each way to read it.
pub fn sample(inputs: &Inputs, fixed: &SampleSize, scheme: Scheme) -> Result<Planned, PlanError> {
    let exact = scheme.maximum * fixed.control_exact;
    let (control, treatment) = match scheme.method {
        Method::FixedHorizon => (fixed.control, fixed.treatment),
        _ => (up(exact), up(inputs.ratio * exact)),
    };
    let total = control + inputs.treatments() * treatment;
    let total_on_average = match scheme.method {
        Method::FixedHorizon => total,
        _ => up(scheme.average / scheme.maximum * total),
    };
    let days = match inputs.traffic {
        None => None,
        Some((per_day, share)) => {
            let most = duration::days(total, per_day, share, true)?;
            let average = duration::days(total_on_average, per_day, share, false)?;
            Some(Days { at_most: most.days_min, in_whole_weeks: most.days, on_average: average.days_min })
        }
    };
    Ok(Planned { scheme, control, treatment, total, total_on_average, days })
}

/// The chance that one look at the end of such a sample finds the difference.
pub fn power_of_one_look(inputs: &Inputs, difference: f64, control: f64, treatment: f64) -> Result<f64, PlanError> {
    let alpha = inputs.promise.alpha.divided(inputs.promise.comparisons);
    match inputs.metric {
        Metric::Rate(rate) => {
            let variance = RateVariance::Unpooled;
            proportions::power(rate, rate + difference, control, treatment, variance, alpha, Sides::Two)
        }
        Metric::Mean { sd, .. } => means::power_t(sd, difference, control, treatment, alpha, Sides::Two),
    }
}

fn up(size: f64) -> f64 {
    (size * (1.0 - 1e-12)).ceil()
}
