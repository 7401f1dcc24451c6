//! A plan as it is answered.

use super::Kind;
use serde::Serialize;

/// How an experiment is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// At any time, as often as one likes.
    AlwaysValid,
    /// At a few planned looks.
    GroupSequential,
    /// Once, at the end.
    FixedHorizon,
}

impl Method {
    /// All of them.
    pub const ALL: [Method; 3] = [Method::AlwaysValid, Method::GroupSequential, Method::FixedHorizon];

    /// As in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Method::AlwaysValid => "always_valid",
            Method::GroupSequential => "group_sequential",
            Method::FixedHorizon => "fixed_horizon",
        }
    }
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanAnswer {
    /// What is measured.
    pub kind: Kind,
    /// Of the control.
    pub base: f64,
    /// Standard deviation of a unit's value; of a ratio, of its linearised value. Null for conversions.
    pub deviation: Option<f64>,
    /// Of a treatment with the smallest effect worth finding.
    pub target: f64,
    /// The effect as a difference.
    pub difference: f64,
    /// The effect relative to the control; null where that is 0.
    pub lift: Option<f64>,
    /// Over all treatments.
    pub alpha: f64,
    /// Of each comparison with the control.
    pub alpha_each: f64,
    /// Chance to find the effect.
    pub power: f64,
    /// Arms beside the control.
    pub treatments: u32,
    /// Share of every arm, the control's first.
    pub shares: Vec<f64>,
    /// Units that are new each day.
    pub per_day: Option<f64>,
    /// How it will be read.
    pub method: Method,
    /// The answers for that method.
    pub headline: Headline,
    /// Every method, for the same promise.
    pub methods: Vec<MethodPlan>,
    /// The chance to have shown the effect, by size.
    pub curve: Curve,
    /// What other splits need, by one look.
    pub splits: Vec<SplitCost>,
    /// Bounds of the group sequential plan.
    pub boundaries: Vec<Boundary>,
    /// What a running experiment can still find; null unless `units` was given.
    pub still: Option<Still>,
}

/// The three answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Headline {
    /// Units, if the effect does not show earlier.
    pub at_most: f64,
    /// Units on average, if the effect is the planned one.
    pub expected: f64,
    /// `at_most` by what one look at the end needs.
    pub price: f64,
    /// `expected` by the same.
    pub price_expected: f64,
    /// What one look at the end needs.
    pub one_look: f64,
}

/// What one method needs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MethodPlan {
    /// Which.
    pub method: Method,
    /// How often one may look; null for as often as one likes.
    pub looks: Option<u32>,
    /// Units of the control, at most.
    pub control: f64,
    /// Units of each treatment, at most.
    pub treatment: f64,
    /// Units of all arms, at most.
    pub total: f64,
    /// Units of all arms on average, if the effect is the planned one.
    pub total_on_average: f64,
    /// `total` by what one look at the end needs, before rounding.
    pub times_at_most: f64,
    /// `total_on_average` by the same, before rounding.
    pub times_on_average: f64,
    /// Chance to have shown the effect by the size that one look needs.
    pub chance_at_one_look: f64,
    /// Days, if units a day are known.
    pub days: Option<PlanDays>,
}

/// How long it takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PlanDays {
    /// Until the most is there.
    pub at_most: f64,
    /// The same in whole weeks, in days: people of a Sunday differ from those of a Monday.
    pub in_whole_weeks: f64,
    /// Until the average is there.
    pub on_average: f64,
}

/// The chance to have shown the effect by so many units: points of two lines, each `[units of all arms, chance]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// By the chosen method, which counts stopping at any look up to there.
    pub chosen: Vec<[f64; 2]>,
    /// Whether the chosen line stays where it is between its points, because nobody looks there.
    pub steps: bool,
    /// By one look, if that was the planned end.
    pub one_look: Vec<[f64; 2]>,
}

/// Another split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SplitCost {
    /// Share of the control; the treatments share the rest equally.
    pub control_share: f64,
    /// Units of all arms, by one look.
    pub total: f64,
    /// By what arms of equal size need.
    pub times: f64,
}

/// A look of the group sequential plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Boundary {
    /// From 1.
    pub look: u32,
    /// Units of all arms at it.
    pub units: f64,
    /// The test stops when |z| is at least this.
    pub z: f64,
    /// The same as a threshold of the ordinary p.
    pub p_value: f64,
    /// Of alpha, by then.
    pub alpha_spent: f64,
    /// Chance to have stopped by then, if the effect is the planned one.
    pub chance: f64,
}

/// What a running experiment can still find. It looks at sizes only, never at what was seen: power "observed" from an estimate is a
/// transformation of its p.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Still {
    /// At a few sizes.
    pub at: Vec<StillAt>,
    /// By size.
    pub curve: Vec<StillFinds>,
}

/// A size that matters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StillAt {
    /// `now`, `in_a_week`, `in_two_weeks`, `in_four_weeks` or `at_most`, the planned end.
    pub when: &'static str,
    /// From now; null where units a day are not known.
    pub days: Option<f64>,
    /// What is found there.
    #[serde(flatten)]
    pub finds: StillFinds,
}

/// The smallest effects that are found, with the power and the method of the question.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StillFinds {
    /// Of all arms.
    pub units: f64,
    /// As a difference upwards; null if even the largest possible one would not be found.
    pub difference_up: Option<f64>,
    /// The same downwards.
    pub difference_down: Option<f64>,
    /// Relative to the control.
    pub lift_up: Option<f64>,
    /// The same downwards.
    pub lift_down: Option<f64>,
}
