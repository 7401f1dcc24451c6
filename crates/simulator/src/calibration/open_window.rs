//! Values that keep growing after exposure (§1.8): is it safe to look at users whose window is still open?
//!
//! The guarantee is for units that enter once, with their final value. `matured` analyses keep to that; `open` analyses take everybody who
//! was exposed with what is known by now, so that later looks change units that were counted before. Nothing but simulation says what that
//! costs: the margin between the default's real error rate and alpha, and no more than it in these designs.

use super::count::{Measure, Report};
use super::{Chapter, Design, Draw, Prepared, Scenario};
use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid;
use assay_statistics::moments::Sums;
use libm::{ceil, exp, log1p, rint};

const OPEN: &str = "open";
const MATURED: &str = "matured";

/// A/A over 28 days.
#[derive(Debug, Clone, Copy)]
struct OpenWindow {
    users: u32,
    looks: u32,
    arrivals: Arrivals,
    value: Value,
}

/// When users are exposed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Arrivals {
    /// As many on every day; the window is 7 days.
    Uniform,
    /// Most in the first days, falling by e every three; the window is 7 days.
    Early,
    /// Everybody at the start; the window is all 28 days.
    AtOnce,
}

/// What users do afterwards.
#[derive(Debug, Clone, Copy)]
enum Value {
    /// 5 % convert once, later or sooner.
    Conversion,
    /// 20 % buy again and again, for lognormal amounts.
    Purchases,
}

const DAYS: f64 = 28.0;
/// Amounts are integers of a thousandth.
const SCALE: f64 = 1_000.0;

impl Arrivals {
    fn window(self) -> f64 {
        if self == Arrivals::AtOnce { DAYS } else { 7.0 }
    }

    /// Share of users who were exposed by that look; look 0 is the start.
    fn by(self, look: u32, looks: u32) -> f64 {
        let passed = f64::from(look) / f64::from(looks);
        match self {
            Arrivals::Uniform => passed,
            Arrivals::Early => (1.0 - exp(-DAYS / 3.0 * passed)) / (1.0 - exp(-DAYS / 3.0)),
            Arrivals::AtOnce => 1.0,
        }
    }
}

impl Value {
    fn buyers(self) -> f64 {
        match self {
            Value::Conversion => 0.05,
            Value::Purchases => 0.20,
        }
    }

    /// Days since exposure, and amounts, of what one of those users does within the window.
    fn events(self, window: f64, draw: &mut Draw, mut each: impl FnMut(f64, i64)) {
        match self {
            Value::Conversion => {
                let delay = draw.exponential(window * 3.0 / 7.0);
                if delay <= window {
                    each(delay, SCALE as i64);
                }
            }
            Value::Purchases => {
                let mut at = draw.exponential(window / 3.0);
                while at <= window {
                    each(at, rint(SCALE * draw.lognormal(0.0, 0.8)) as i64);
                    at += draw.exponential(window / 3.0);
                }
            }
        }
    }
}

/// What a look adds to an arm.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    n: i64,
    nonzero: i64,
    y: i64,
    yy: i64,
}

impl Change {
    /// A unit's value grows from `before` by `more`.
    fn grow(&mut self, before: i64, more: i64) {
        self.nonzero += i64::from(before == 0);
        self.y += more;
        self.yy += 2 * before * more + more * more;
    }

    fn apply(&self, sums: &mut Sums) {
        sums.n += self.n;
        sums.nonzero += self.nonzero;
        sums.y += i128::from(self.y);
        sums.yy += i128::from(self.yy);
    }
}

/// By arm and look: what becomes known then.
type Changes = [Vec<Change>; 2];

impl OpenWindow {
    /// A whole run in advance: changes to the open and to the matured analysis. What lies beyond the last look stays unknown.
    fn changes(&self, draw: &mut Draw) -> [Changes; 2] {
        let last = self.looks as usize;
        let none = || [vec![Change::default(); last + 1], vec![Change::default(); last + 1]];
        let [mut open, mut matured] = [none(), none()];
        let step = DAYS / f64::from(self.looks);
        let window = self.arrivals.window();
        // Windows are whole steps, so all who arrive between two looks mature between two looks.
        let window_looks = rint(window / step) as usize;
        let ln_failure = log1p(-self.value.buyers());
        let by = |look| rint(f64::from(self.users) * self.arrivals.by(look, self.looks)) as u32;
        let mut before = 0;
        for look in 0..=self.looks {
            let arrived = by(look) - before;
            before += arrived;
            let at = look as usize;
            let treated = draw.heads(arrived);
            for (arm, users) in [arrived - treated, treated].into_iter().enumerate() {
                open[arm][at].n += i64::from(users);
                let mature = (at + window_looks <= last).then_some(at + window_looks);
                if let Some(mature) = mature {
                    matured[arm][mature].n += i64::from(users);
                }
                let mut user = draw.failures(ln_failure);
                while user < users {
                    // Somewhere between the look before and this one.
                    let exposed = if look == 0 { 0.0 } else { f64::from(look) - draw.uniform() };
                    let mut value = 0;
                    self.value.events(window, draw, |delay, more| {
                        if let Some(change) = open[arm].get_mut(ceil(exposed + delay / step) as usize) {
                            change.grow(value, more);
                        }
                        value += more;
                    });
                    if let Some(mature) = mature.filter(|_| value > 0) {
                        matured[arm][mature].grow(0, value);
                    }
                    user = user.saturating_add(1 + draw.failures(ln_failure));
                }
            }
        }
        [open, matured]
    }
}

impl Design for OpenWindow {
    fn prepared(&self, _: &Report<'_>) -> Prepared {
        let this = *self;
        let design = always_valid::Design::new(Alpha::FIVE_PERCENT, f64::from(self.users));
        Box::new(move |draw, report| {
            for (name, changes) in [OPEN, MATURED].into_iter().zip(this.changes(draw)) {
                report.first(name, crossing(&changes, &design), this.looks);
            }
        })
    }
}

/// The look at which the default first rejects.
fn crossing(changes: &Changes, design: &always_valid::Design) -> Option<u32> {
    let mut sums = [Sums::default(); 2];
    for look in 0..changes[0].len() {
        for (sums, changes) in sums.iter_mut().zip(changes) {
            changes[look].apply(sums);
        }
        let [control, treatment] = sums.map(|sums| sums.arm(SCALE));
        let share = (sums[0].nonzero + sums[1].nonzero) as f64 / (control.n + treatment.n).max(1.0);
        if always_valid::compare(&control, &treatment, Some(share), design).p_value < design.alpha().value() {
            return Some(look as u32);
        }
    }
    None
}

/// Both values under three ways of arriving.
pub(super) fn scenarios() -> Vec<Scenario> {
    let cases = [
        ("open-conversion-uniform", Arrivals::Uniform, Value::Conversion),
        ("open-purchases-uniform", Arrivals::Uniform, Value::Purchases),
        ("open-conversion-early", Arrivals::Early, Value::Conversion),
        ("open-purchases-early", Arrivals::Early, Value::Purchases),
        ("open-conversion-at-once", Arrivals::AtOnce, Value::Conversion),
        ("open-purchases-at-once", Arrivals::AtOnce, Value::Purchases),
    ];
    cases.into_iter().map(|(id, arrivals, value)| scenario(id, arrivals, value)).collect()
}

fn scenario(id: &'static str, arrivals: Arrivals, value: Value) -> Scenario {
    let (users, looks) = if arrivals == Arrivals::AtOnce { (20_000, 672) } else { (40_000, 112) };
    let how = match arrivals {
        Arrivals::Uniform => "users arrive evenly",
        Arrivals::Early => "most users arrive in the first days",
        Arrivals::AtOnce => "all users are exposed at the start",
    };
    let what = match value {
        Value::Conversion => "delayed conversions",
        Value::Purchases => "repeated purchases",
    };
    let title = format!("A/A, {what}, {how}, looks: {looks} over 28 days, {} users", super::grouped(users));
    // Few events are still to come once everybody has matured, so a matured analysis errs less than an open one, and both less than alpha.
    let measures = vec![Measure::at_most(OPEN, 0.05), Measure::at_most(MATURED, 0.03)];
    let horizon = DAYS;
    let design = Box::new(OpenWindow { users, looks, arrivals, value });
    Scenario { id, chapter: Chapter::OpenWindows, title, runs: 2_000, horizon, measures, design }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matured_values_are_open_values_in_the_end() {
        let early = OpenWindow { users: 5_000, looks: 112, arrivals: Arrivals::AtOnce, value: Value::Purchases };
        let [open, matured] = early.changes(&mut Draw::of(1, "matured", 0)).map(|changes| {
            changes.map(|changes| {
                let mut sums = Sums::default();
                changes.iter().for_each(|change| change.apply(&mut sums));
                sums
            })
        });
        assert_eq!(open, matured);
        assert_eq!(open[0].n + open[1].n, 5_000);
    }
}
