//! A treatment against the control: every method that applies, and the one that decides.

use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid::{self, Comparison, Design, Estimate, Status};
use assay_statistics::bayesian::{self, NormalPosterior, Prior};
use assay_statistics::dependent::StudentTest;
use assay_statistics::fixed_horizon::{self, Test};
use assay_statistics::group_sequential::{self, Spending, Z_CAP};
use assay_statistics::lift::{self, Lift, Mean};
use assay_statistics::moments::Arm;
use assay_statistics::sides::Sides;

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Method {
    /// Holds at every look.
    AlwaysValid,
    /// For one look at the planned end.
    FixedHorizon,
    /// O'Brien-Fleming spending: the bound of a first look at this share of --planned-units.
    GroupSequential,
    /// A normal posterior of the lift; it describes and decides nothing.
    Bayesian,
}

impl Method {
    /// As in results.
    pub fn name(self) -> &'static str {
        match self {
            Method::AlwaysValid => "always_valid",
            Method::FixedHorizon => "fixed_horizon",
            Method::GroupSequential => "group_sequential",
            Method::Bayesian => "bayesian",
        }
    }
}

/// What is fixed before anything is compared.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What decides.
    pub method: Method,
    /// Share of false positives.
    pub alpha: Alpha,
    /// N*, of a pair.
    pub planned: f64,
    /// Of the always-valid method.
    pub design: Design,
}

impl Plan {
    /// A plan for pairs of `planned` units.
    pub fn new(method: Method, alpha: Alpha, planned: f64) -> Plan {
        Plan { method, alpha, planned, design: Design::new(alpha, planned) }
    }
}

/// A test for one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fixed {
    /// t or z.
    pub statistic: f64,
    /// Infinite for z.
    pub df: f64,
    /// Two-sided.
    pub p_value: f64,
    /// Which does not underflow.
    pub ln_p_value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl From<Test> for Fixed {
    fn from(test: Test) -> Fixed {
        let Test { statistic, df, p_value, ln_p_value, low, high, .. } = test;
        Fixed { statistic, df, p_value, ln_p_value, low, high }
    }
}

impl From<StudentTest> for Fixed {
    fn from(test: StudentTest) -> Fixed {
        let StudentTest { t, df, p_value, ln_p_value, low, high } = test;
        Fixed { statistic: t, df, p_value, ln_p_value, low, high }
    }
}

/// A first look of a group sequential test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interim {
    /// Share of the planned units.
    pub information: f64,
    /// |z| at which it stops.
    pub bound: f64,
    /// Repeated p-value.
    pub p_value: f64,
    /// Lower end of the repeated interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A treatment against the control.
#[derive(Debug, Clone, Copy)]
pub struct Finding {
    /// Treatment minus control.
    pub difference: Option<f64>,
    /// Relative to the control.
    pub lift: Option<f64>,
    /// Lifts that are not ruled out, at any time.
    pub lift_set: Option<Lift>,
    /// Holds at every look.
    pub always_valid: Comparison,
    /// Holds at one.
    pub fixed: Option<Fixed>,
    /// Of the lift, with prior N(0, 0.05²).
    pub posterior: Option<NormalPosterior>,
    /// Where it was asked for.
    pub interim: Option<Interim>,
    /// 1 - V/V_raw, of an adjusted comparison.
    pub variance_reduction: Option<f64>,
    /// The p of the method that decides, adjusted for the number of comparisons beside it.
    pub p_adjusted: Option<f64>,
}

/// An estimate of two means with everything the methods ask of it.
pub struct Estimated {
    /// Means of control and treatment; `None` where one of them does not exist.
    pub means: Option<(f64, f64)>,
    /// Variances of those means, where the method has them apart: what intervals of the lift need.
    pub variances: Option<(f64, f64)>,
    /// d, V and N.
    pub estimate: Estimate,
    /// Whether the waiting period is over.
    pub waited: bool,
    /// For one look.
    pub fixed: Option<Fixed>,
    /// 1 - V/V_raw, of an adjusted comparison.
    pub variance_reduction: Option<f64>,
}

/// Compares the means of two arms. `share` is the pooled share of units with an event, for metrics that wait for events.
pub fn arms(control: Option<Arm>, treatment: Option<Arm>, share: Option<f64>, plan: &Plan) -> Finding {
    let (c, t) = (control.unwrap_or(Arm::EMPTY), treatment.unwrap_or(Arm::EMPTY));
    finding(
        &Estimated {
            means: control.zip(treatment).map(|(c, t)| (c.mean, t.mean)),
            variances: Some((Mean::of(&c).variance, Mean::of(&t).variance)),
            estimate: Estimate::of_arms(&c, &t),
            waited: waited(c.n.min(t.n), share, &plan.design),
            fixed: fixed_horizon::welch(&c, &t, plan.alpha).map(Fixed::from),
            variance_reduction: None,
        },
        plan,
    )
}

/// Whether the smaller arm has the units and the expected events that the asymptotics need.
pub fn waited(fewest: f64, share: Option<f64>, design: &Design) -> bool {
    fewest >= design.units_min && share.is_none_or(|share| fewest * share.min(1.0 - share) >= design.events_min)
}

/// Every method on one estimate.
pub fn finding(it: &Estimated, plan: &Plan) -> Finding {
    let look = always_valid::compare_estimate(&it.estimate, it.waited, &plan.design);
    let means = it
        .means
        .zip(it.variances)
        .map(|((c, t), (vc, vt))| (Mean { mean: c, variance: vc }, Mean { mean: t, variance: vt }));
    let factor = look.variance.and_then(|variance| variance.factor()).filter(|_| look.status == Status::Ok);
    let relative = means.and_then(|(control, treatment)| lift::delta_of_means(&control, &treatment));
    Finding {
        difference: it.means.map(|_| look.difference).filter(|difference| difference.is_finite()),
        lift: it.means.and_then(|(control, treatment)| lift::estimate(control, treatment)),
        lift_set: means.zip(factor).map(|((c, t), factor)| {
            lift::fieller(c.mean, factor * c.variance, t.mean, factor * t.variance, look.multiplier)
        }),
        fixed: it.fixed,
        posterior: relative.and_then(|(lift, variance)| {
            bayesian::conjugate(lift, variance.sqrt(), Prior::LIFT, 1.0 - plan.alpha.value()).ok().flatten()
        }),
        interim: (plan.method == Method::GroupSequential).then(|| interim(&look, plan)).flatten(),
        variance_reduction: it.variance_reduction,
        p_adjusted: None,
        always_valid: look,
    }
}

/// The look as the first of a group sequential test that ends at the planned units; the last one if they are there.
fn interim(look: &Comparison, plan: &Plan) -> Option<Interim> {
    let variance = look.variance.map(|variance| variance.welch).filter(|&variance| variance > 0.0)?;
    let information = (look.units / plan.planned).min(1.0);
    let spending = Spending::ObrienFleming;
    let design = group_sequential::Design { alpha: plan.alpha, sides: Sides::Two, spending, z_cap: Z_CAP };
    let bound = design.bounds(&[information]).ok()?.first()?.z;
    let z = look.difference / variance.sqrt();
    let last = information >= 1.0;
    let p_value = group_sequential::repeated::repeated_p(&design, &[information], z, last).ok()?;
    let (low, high) = group_sequential::repeated::repeated_interval(look.difference, variance, bound);
    Some(Interim { information, bound, p_value, low, high })
}

/// What a method says of a finding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    /// p, or for the posterior the chance that the treatment is better.
    pub value: Option<f64>,
    /// Of the difference (of the posterior: of the lift); infinite where nothing is ruled out.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Finding {
    /// What the method says.
    pub fn said(&self, method: Method) -> Said {
        let nothing = Said { value: None, low: f64::NEG_INFINITY, high: f64::INFINITY };
        match method {
            Method::AlwaysValid => {
                let look = &self.always_valid;
                Said { value: Some(look.p_value), low: look.low, high: look.high }
            }
            Method::FixedHorizon => {
                self.fixed.map_or(nothing, |test| Said { value: Some(test.p_value), low: test.low, high: test.high })
            }
            Method::GroupSequential => {
                self.interim.map_or(nothing, |look| Said { value: Some(look.p_value), low: look.low, high: look.high })
            }
            Method::Bayesian => {
                self.posterior.map_or(nothing, |it| Said { value: Some(it.chance_to_win), low: it.low, high: it.high })
            }
        }
    }

    /// In words, by the adjusted p of the method that decides.
    pub fn verdict(&self, plan: &Plan) -> &'static str {
        let said = self.said(plan.method);
        match (plan.method, self.always_valid.status, said.value) {
            (Method::Bayesian, _, Some(_)) => "described only",
            (Method::AlwaysValid, Status::BurnIn, _) => "too early",
            (Method::AlwaysValid, Status::Degenerate, _) | (_, _, None) => "no variance",
            (_, _, Some(p)) if self.p_adjusted.unwrap_or(p) < plan.alpha.value() => {
                if self.always_valid.difference > 0.0 { "higher" } else { "lower" }
            }
            _ => "no difference shown",
        }
    }
}
