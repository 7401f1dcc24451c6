//! The peeking demonstrator: how often A/A experiments are called different, against the number of looks.
//!
//! Two arms convert at the same rate. After every look both have so many more users, and five people look at the same numbers: one stops
//! when a fixed-horizon z passes its bound, one uses O'Brien-Fleming bounds for the planned number of looks, one the always-valid default,
//! and two stop when a flat-prior posterior gives an arm 95 % (the treatment, or either). Beside each simulated share stands what
//! numerical integration of Brownian motion says it is in the limit of normal means.
//!
//! The code that is often printed to show this effect tests separate batches instead of data that accumulate, and does not count a hit at
//! the last look. [`Textbook`] is that code, simulated and enumerated: 61 %, not the 25 % of what its text describes.

use crate::calibration::{Binomial, Draw, binomial_mass};
use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid;
use assay_statistics::group_sequential::{Design, LOOKS_MAX, Spending, Z_CAP, crossing_probability};
use assay_statistics::moments::Arm;
use assay_statistics::sides::Sides;
use assay_statistics::special::{normal_upper_quantile, student_two_sided};
use libm::{fabs, pow, sqrt};

/// What to demonstrate.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Numbers of looks, a row each.
    pub looks: Vec<u32>,
    /// Users that each arm gains from look to look.
    pub users_per_look: u32,
    /// At which both arms convert.
    pub rate: f64,
    /// Nominal error of the tests.
    pub alpha: Alpha,
    /// Posterior chance at which the Bayesians stop.
    pub chance: f64,
    /// Simulated experiments per row.
    pub runs: u64,
    /// Names the random numbers.
    pub seed: u64,
}

impl Default for Settings {
    /// Looks of 500 users per arm at 5 %, up to 100 of them.
    fn default() -> Self {
        Settings {
            looks: vec![1, 2, 5, 10, 20, 50, 100],
            users_per_look: 500,
            rate: 0.05,
            alpha: Alpha::FIVE_PERCENT,
            chance: 0.95,
            runs: 10_000,
            seed: 1,
        }
    }
}

/// Settings that show nothing, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// A number of looks outside the range.
    #[error("numbers of looks lie between 1 and {LOOKS_MAX}, at least one of them is given, and {0} is no such number")]
    Looks(u32),
    /// Too few or too many users per look.
    #[error("each look adds 1 to {USERS_MAX} users per arm and not {0}")]
    Users(u32),
    /// The rate is no rate.
    #[error("a rate lies between 0 and 1, as in 0.05, and {0} does not")]
    Rate(f64),
    /// The chance is reached before anything is seen.
    #[error("a chance to stop at lies between 0.5 and 1, as in 0.95, and {0} does not")]
    Chance(f64),
    /// Nothing to simulate.
    #[error("at least one run is needed")]
    Runs,
}

/// Users per look and arm; the enumeration of the textbook code grows with them.
pub const USERS_MAX: u32 = 10_000;

/// A false positive rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Of the simulated experiments.
    pub simulated: f64,
    /// Its Monte Carlo standard error.
    pub standard_error: f64,
    /// By numerical integration in the limit of normal means, or by enumeration.
    pub theory: f64,
}

/// The rates of one number of looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// How often was looked.
    pub looks: u32,
    /// A fixed-horizon z at every look.
    pub naive: Rate,
    /// Bounds that spend alpha, for this number of looks.
    pub obrien_fleming: Rate,
    /// The default; its N* is what the last look has.
    pub always_valid: Rate,
    /// Stops when the treatment has the chance.
    pub posterior_treatment: Rate,
    /// Stops when either arm has it.
    pub posterior_either: Rate,
}

/// Separate batches, each tested alone with Student's t; the last hit does not count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Textbook {
    /// Batches of `users_per_look` per arm.
    pub batches: u32,
    /// With exact enumeration as theory.
    pub rate: Rate,
}

/// What the demonstrator shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Peeking {
    /// In the order that was asked for.
    pub rows: Vec<Row>,
    /// The printed code.
    pub textbook: Textbook,
}

/// As printed.
const TEXTBOOK_BATCHES: u32 = 20;
/// Rarer counts add nothing to an enumerated rate of some percent.
const RARE: f64 = 1e-14;

/// Simulates and computes everything. Pure: the same settings give the same result.
pub fn demonstrate(settings: &Settings) -> Result<Peeking, SettingsError> {
    check(settings)?;
    let converting = Binomial::new(settings.users_per_look, settings.rate);
    let rows = settings.looks.iter().map(|&looks| row(settings, looks, &converting)).collect();
    Ok(Peeking { rows, textbook: textbook(settings) })
}

fn check(settings: &Settings) -> Result<(), SettingsError> {
    let Settings { looks, users_per_look, rate, chance, runs, .. } = settings;
    if looks.is_empty() {
        return Err(SettingsError::Looks(0));
    }
    if let Some(&wrong) = looks.iter().find(|&&looks| looks == 0 || looks as usize > LOOKS_MAX) {
        return Err(SettingsError::Looks(wrong));
    }
    if *users_per_look == 0 || *users_per_look > USERS_MAX {
        return Err(SettingsError::Users(*users_per_look));
    }
    if !(*rate > 0.0 && *rate < 1.0) {
        return Err(SettingsError::Rate(*rate));
    }
    if !(*chance > 0.5 && *chance < 1.0) {
        return Err(SettingsError::Chance(*chance));
    }
    if *runs == 0 { Err(SettingsError::Runs) } else { Ok(()) }
}

/// The five rules of a row, in its order.
const RULES: usize = 5;

/// What the rules need at each look, found once per row.
struct Bounds {
    naive: f64,
    obrien_fleming: Vec<f64>,
    always_valid: always_valid::Design,
    chance: f64,
}

impl Bounds {
    fn new(settings: &Settings, looks: u32) -> Bounds {
        let spending = Spending::ObrienFleming;
        let design = Design { alpha: settings.alpha, sides: Sides::Two, spending, z_cap: Z_CAP };
        let spent = design.bounds(&equal(looks)).expect("equal looks are a design");
        let planned = 2.0 * f64::from(settings.users_per_look) * f64::from(looks);
        Bounds {
            naive: Sides::Two.critical(settings.alpha),
            obrien_fleming: spent.iter().map(|look| look.z).collect(),
            always_valid: always_valid::Design::new(settings.alpha, planned),
            chance: normal_upper_quantile(1.0 - settings.chance),
        }
    }

    /// Which rules stop. With a flat prior the chance of the treatment is Phi(z).
    fn stop(&self, look: u32, control: &Arm, treatment: &Arm) -> [bool; RULES] {
        let z = fixed_z(control, treatment);
        let valid = valid(control, treatment, &self.always_valid);
        [
            fabs(z) > self.naive,
            fabs(z) >= self.obrien_fleming[look as usize - 1],
            valid.p_value < self.always_valid.alpha().value(),
            z > self.chance,
            fabs(z) > self.chance,
        ]
    }

    /// The same for a Brownian motion without drift.
    fn theory(&self, settings: &Settings, looks: u32) -> [f64; RULES] {
        let times = equal(looks);
        let crossing = |bounds: &[f64], sides| {
            crossing_probability(&times, bounds, sides, 0.0).expect("equal looks with their bounds are a design").reject
        };
        let constant = |z: f64| vec![z; times.len()];
        let Bounds { always_valid: design, .. } = self;
        let planned = 2.0 * f64::from(settings.users_per_look) * f64::from(looks);
        let mixture = valid_bounds(design, planned, &times);
        [
            crossing(&constant(self.naive), Sides::Two),
            crossing(&self.obrien_fleming, Sides::Two),
            crossing(&mixture, Sides::Two),
            crossing(&constant(self.chance), Sides::One),
            crossing(&constant(self.chance), Sides::Two),
        ]
    }
}

/// z of a test that is made for one look; 0 where nothing varies.
pub(crate) fn fixed_z(control: &Arm, treatment: &Arm) -> f64 {
    let variance = control.variance() / control.n + treatment.variance() / treatment.n;
    if variance > 0.0 { (treatment.mean - control.mean) / sqrt(variance) } else { 0.0 }
}

/// The always-valid test of two arms of conversions.
pub(crate) fn valid(control: &Arm, treatment: &Arm, design: &always_valid::Design) -> always_valid::Comparison {
    always_valid::compare(control, treatment, Some((control.mean + treatment.mean) / 2.0), design)
}

/// The bounds of the always-valid test in z, at times that are shares of its N*.
pub(crate) fn valid_bounds(design: &always_valid::Design, planned: f64, times: &[f64]) -> Vec<f64> {
    times.iter().map(|time| always_valid::multiplier(time * planned, design.rho2(), design.alpha())).collect()
}

/// Equally spaced looks in a planned sample of 1.
pub(crate) fn equal(looks: u32) -> Vec<f64> {
    (1..=looks).map(|look| f64::from(look) / f64::from(looks)).collect()
}

fn row(settings: &Settings, looks: u32, converting: &Binomial) -> Row {
    let bounds = Bounds::new(settings, looks);
    let mut stopped = [0u64; RULES];
    for run in 0..settings.runs {
        let mut draw = Draw::of(settings.seed.wrapping_add(u64::from(looks)), "peeking", run);
        let mut converted = [0u32; 2];
        let mut ever = [false; RULES];
        for look in 1..=looks {
            converted = converted.map(|so_far| so_far + converting.draw(&mut draw));
            let users = f64::from(look) * f64::from(settings.users_per_look);
            let [control, treatment] = converted.map(|converted| Arm::of_conversions(users, f64::from(converted)));
            for (ever, now) in ever.iter_mut().zip(bounds.stop(look, &control, &treatment)) {
                *ever |= now;
            }
        }
        for (stopped, ever) in stopped.iter_mut().zip(ever) {
            *stopped += u64::from(ever);
        }
    }
    let theory = bounds.theory(settings, looks);
    let rate = |at: usize| rate(stopped[at], settings.runs, theory[at]);
    Row {
        looks,
        naive: rate(0),
        obrien_fleming: rate(1),
        always_valid: rate(2),
        posterior_treatment: rate(3),
        posterior_either: rate(4),
    }
}

fn rate(hits: u64, runs: u64, theory: f64) -> Rate {
    let simulated = hits as f64 / runs as f64;
    Rate { simulated, standard_error: sqrt(simulated * (1.0 - simulated) / runs as f64), theory }
}

fn textbook(settings: &Settings) -> Textbook {
    let n = settings.users_per_look;
    let masses: Vec<f64> = (0..=n).map(|k| binomial_mass(n, settings.rate, k)).collect();
    let likely: Vec<u32> = (0..=n).filter(|&k| masses[k as usize] > RARE).collect();
    let (first, side) = (likely.first().copied().unwrap_or(0), likely.len());
    let significant: Vec<bool> = likely
        .iter()
        .flat_map(|&control| likely.iter().map(move |&treatment| (control, treatment)))
        .map(|(control, treatment)| student_rejects(n, control, treatment, settings.alpha))
        .collect();
    let mut once = 0.0;
    for (at, _) in significant.iter().enumerate().filter(|(_, significant)| **significant) {
        once += masses[first as usize + at / side] * masses[first as usize + at % side];
    }
    let counted = TEXTBOOK_BATCHES - 1;
    let theory = 1.0 - pow(1.0 - once, f64::from(counted));
    let converting = Binomial::new(n, settings.rate);
    let hit = |draw: &mut Draw| {
        let [control, treatment] = [(); 2].map(|()| converting.draw(draw).saturating_sub(first) as usize);
        significant.get(control * side + treatment).copied().unwrap_or(false)
    };
    let hits = (0..settings.runs).filter(|&run| {
        let mut draw = Draw::of(settings.seed, "textbook", run);
        (0..counted).any(|_| hit(&mut draw))
    });
    Textbook { batches: TEXTBOOK_BATCHES, rate: rate(hits.count() as u64, settings.runs, theory) }
}

/// Student's t with equal variances, as in the printed code.
fn student_rejects(n: u32, control: u32, treatment: u32, alpha: Alpha) -> bool {
    let arms = [control, treatment].map(|converted| Arm::of_conversions(f64::from(n), f64::from(converted)));
    let variance = (arms[0].variance() + arms[1].variance()) / f64::from(n);
    if variance <= 0.0 {
        return false;
    }
    let t = (arms[1].mean - arms[0].mean) / sqrt(variance);
    student_two_sided(t, 2.0 * f64::from(n) - 2.0).0 < alpha.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_rates() {
        let settings = Settings { looks: vec![1, 5, 20, 100], runs: 2_000, ..Settings::default() };
        let shown = demonstrate(&settings).unwrap();
        let near = |got: Rate, expected: f64, by: f64| {
            assert!(fabs(got.theory - expected) < by, "{got:?} is not {expected}");
            let error = sqrt(expected * (1.0 - expected) / 2_000.0);
            // The counts are whole numbers and a few hundred conversions are not quite normal.
            assert!(fabs(got.simulated - expected) < 4.5 * error + 0.01, "{got:?} is not {expected}");
        };
        near(shown.rows[0].naive, 0.05, 1e-9);
        near(shown.rows[1].naive, 0.142, 5e-4);
        near(shown.rows[2].naive, 0.248, 5e-4);
        near(shown.rows[2].posterior_treatment, 0.21, 0.01);
        near(shown.rows[2].posterior_either, 0.42, 0.01);
        near(shown.rows[3].posterior_treatment, 0.32, 0.01);
        near(shown.rows[3].posterior_either, 0.59, 0.01);
        near(shown.textbook.rate, 0.614, 1e-3);
        for row in &shown.rows {
            near(row.obrien_fleming, 0.05, 1e-6);
            assert!(row.always_valid.theory < 0.02 && row.always_valid.simulated < 0.03, "{row:?}");
        }
    }

    #[test]
    fn settings_that_show_nothing_are_refused() {
        let fine = Settings { runs: 1, looks: vec![1], users_per_look: 1, ..Settings::default() };
        assert!(demonstrate(&fine).is_ok());
        for wrong in [
            Settings { looks: vec![], ..fine.clone() },
            Settings { looks: vec![1, 0], ..fine.clone() },
            Settings { looks: vec![1_001], ..fine.clone() },
            Settings { users_per_look: 0, ..fine.clone() },
            Settings { users_per_look: USERS_MAX + 1, ..fine.clone() },
            Settings { rate: 1.0, ..fine.clone() },
            Settings { rate: f64::NAN, ..fine.clone() },
            Settings { chance: 0.5, ..fine.clone() },
            Settings { runs: 0, ..fine.clone() },
        ] {
            assert!(demonstrate(&wrong).is_err(), "{wrong:?}");
        }
    }
}
