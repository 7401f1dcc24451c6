//! How many days until a sample is there.
//!
//! `ceil(total / (new units per day × share of traffic))`, and then whole weeks, because users of a Sunday differ from those of a Monday. "Daily
//! active users" are not new users: on the second day most of them are there already. Where a curve of cumulative uniques is known, invert it.

use super::{PlanError, whole};
use libm::ceil;

/// Days of a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Duration {
    /// Until the sample is there.
    pub days_min: f64,
    /// The same in whole weeks, if asked for.
    pub days: f64,
}

/// From a constant number of units that are new each day.
pub fn days(
    total: f64,
    new_units_per_day: f64,
    traffic_share: f64,
    round_to_weeks: bool,
) -> Result<Duration, PlanError> {
    let per_day = new_units_per_day * traffic_share;
    if !(total >= 0.0 && total.is_finite()) {
        return Err(PlanError::Size);
    }
    if !(per_day > 0.0 && per_day.is_finite() && traffic_share <= 1.0) {
        return Err(PlanError::Traffic);
    }
    let days = whole(total / per_day);
    if days.is_finite() { Ok(in_weeks(days, round_to_weeks)) } else { Err(PlanError::Traffic) }
}

/// From the number of distinct units seen up to the end of each day. `Ok(None)` if the curve ends below the sample.
pub fn days_by_curve(
    total: f64,
    cumulative_uniques: &[f64],
    traffic_share: f64,
    round_to_weeks: bool,
) -> Result<Option<Duration>, PlanError> {
    if !(traffic_share > 0.0 && traffic_share <= 1.0) || cumulative_uniques.iter().any(|units| units.is_nan()) {
        return Err(PlanError::Traffic);
    }
    let enough = |units: &f64| units * traffic_share * (1.0 + super::ROUNDING) >= total;
    let day = cumulative_uniques.iter().position(enough);
    Ok(day.map(|day| in_weeks((day + 1) as f64, round_to_weeks)))
}

fn in_weeks(days_min: f64, round: bool) -> Duration {
    let days = if round { 7.0 * ceil(days_min / 7.0) } else { days_min };
    Duration { days_min, days }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_people_every_day_are_no_sample() {
        let curve = [10_000.0, 12_000.0, 12_500.0];
        assert_eq!(days_by_curve(27_614.0, &curve, 1.0, true), Ok(None));
        let got = days_by_curve(11_000.0, &curve, 1.0, true).unwrap();
        assert_eq!(got, Some(Duration { days_min: 2.0, days: 7.0 }));
    }
}
