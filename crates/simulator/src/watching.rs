//! One experiment without an effect, look by look; and of many such, the share that is ever called different, by number of looks.
//!
//! Where [`crate::peeking`] simulates an experiment per row and number of looks, here every number of looks reads the same experiments: who
//! looks 20 times sees every tenth of 200 looks. So the shares can only grow from one number of looks to one that contains it, and all of them
//! together cost as much as the largest. Readings and bounds are those of [`crate::peeking`].

use crate::calibration::{Binomial, Draw};
use crate::peeking::{USERS_MAX, equal, fixed_z, valid, valid_bounds};
use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid;
use assay_statistics::group_sequential::{DesignError, crossing_probability};
use assay_statistics::moments::Arm;
use assay_statistics::sides::Sides;
use assay_statistics::special::ln_normal_tail;
use libm::{exp, fabs};

/// Looks at one experiment, at most: as many points as a picture of it has.
pub const LOOKS_MAX: u32 = 200;

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How often.
    pub looks: u32,
    /// Users that each arm gains from look to look.
    pub users_per_look: u32,
    /// At which both arms convert.
    pub rate: f64,
    /// Nominal error of the tests.
    pub alpha: Alpha,
    /// Names the random numbers.
    pub seed: u64,
}

/// Settings that show nothing, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// No look, or too many.
    #[error("an experiment is looked at 1 to {LOOKS_MAX} times here and not {0}")]
    Looks(u32),
    /// Too few or too many users per look.
    #[error("each look adds 1 to {USERS_MAX} users per arm and not {0}")]
    Users(u32),
    /// The rate is no rate.
    #[error("a rate lies between 0 and 1, as in 0.05, and {0} does not")]
    Rate(f64),
}

/// What two people see at a look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Of both arms together.
    pub users: u64,
    /// The two-sided p of a test that is made for one look.
    pub ordinary: f64,
    /// The running always-valid p; its N* is what the last look has.
    pub always_valid: f64,
}

/// How many of the experiments were ever called different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ever {
    /// How often was looked, evenly spaced.
    pub looks: u32,
    /// By the ordinary p.
    pub ordinary: u64,
    /// By the always-valid p.
    pub always_valid: u64,
}

/// The experiment that `seed` names, look by look.
pub fn watch(settings: &Settings) -> Result<Vec<Reading>, SettingsError> {
    check(settings)?;
    let converting = Binomial::new(settings.users_per_look, settings.rate);
    let mut smallest = 1.0f64;
    let mut running = readings(settings, &converting, "watched", 0);
    for reading in &mut running {
        smallest = smallest.min(reading.always_valid);
        reading.always_valid = smallest;
    }
    Ok(running)
}

/// Of `runs` experiments, how many are ever called different by who looks so often. A number of looks is at most that of the settings.
pub fn ever(settings: &Settings, looks: &[u32], runs: u64) -> Result<Vec<Ever>, SettingsError> {
    check(settings)?;
    if let Some(&wrong) = looks.iter().find(|looks| !(1..=settings.looks).contains(looks)) {
        return Err(SettingsError::Looks(wrong));
    }
    let converting = Binomial::new(settings.users_per_look, settings.rate);
    let mut found: Vec<Ever> = looks.iter().map(|&looks| Ever { looks, ordinary: 0, always_valid: 0 }).collect();
    let alpha = settings.alpha.value();
    for run in 0..runs {
        let readings = readings(settings, &converting, "ever", run);
        for ever in &mut found {
            let at = |k: u32| &readings[(k * settings.looks).div_ceil(ever.looks) as usize - 1];
            ever.ordinary += u64::from((1..=ever.looks).any(|k| at(k).ordinary < alpha));
            ever.always_valid += u64::from((1..=ever.looks).any(|k| at(k).always_valid < alpha));
        }
    }
    Ok(found)
}

/// The same shares for a Brownian motion without drift, by numerical integration: ordinary, then always-valid.
pub fn ever_in_theory(alpha: Alpha, looks: u32) -> Result<(f64, f64), DesignError> {
    let (times, design) = (equal(looks), always_valid::Design::new(alpha, 1.0));
    let crossing = |bounds: &[f64]| Ok(crossing_probability(&times, bounds, Sides::Two, 0.0)?.reject);
    let naive = vec![Sides::Two.critical(alpha); times.len()];
    Ok((crossing(&naive)?, crossing(&valid_bounds(&design, 1.0, &times))?))
}

fn check(settings: &Settings) -> Result<(), SettingsError> {
    if !(1..=LOOKS_MAX).contains(&settings.looks) {
        return Err(SettingsError::Looks(settings.looks));
    }
    if !(1..=USERS_MAX).contains(&settings.users_per_look) {
        return Err(SettingsError::Users(settings.users_per_look));
    }
    if settings.rate > 0.0 && settings.rate < 1.0 { Ok(()) } else { Err(SettingsError::Rate(settings.rate)) }
}

/// With the always-valid p of each look alone: who skips a look has not seen it.
fn readings(settings: &Settings, converting: &Binomial, of: &str, run: u64) -> Vec<Reading> {
    let planned = 2.0 * f64::from(settings.users_per_look) * f64::from(settings.looks);
    let design = always_valid::Design::new(settings.alpha, planned);
    let mut draw = Draw::of(settings.seed, of, run);
    let mut converted = [0u32; 2];
    (1..=settings.looks)
        .map(|look| {
            converted = converted.map(|so_far| so_far + converting.draw(&mut draw));
            let users = f64::from(look) * f64::from(settings.users_per_look);
            let [control, treatment] = converted.map(|converted| Arm::of_conversions(users, f64::from(converted)));
            let ordinary = 2.0 * exp(ln_normal_tail(fabs(fixed_z(&control, &treatment))));
            let always_valid = valid(&control, &treatment, &design).p_value;
            Reading { users: 2 * users as u64, ordinary, always_valid }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(seed: u64) -> Settings {
        Settings { looks: 200, users_per_look: 250, rate: 0.05, alpha: Alpha::FIVE_PERCENT, seed }
    }

    #[test]
    fn a_seed_names_an_experiment() {
        let (one, same, other) = (watch(&settings(7)), watch(&settings(7)), watch(&settings(8)));
        assert_eq!(one, same);
        assert_ne!(one, other);
        let one = one.unwrap();
        assert_eq!((one.len(), one[199].users), (200, 100_000));
        assert!(one.windows(2).all(|pair| pair[1].always_valid <= pair[0].always_valid));
        assert!(one.iter().all(|look| (0.0..=1.0).contains(&look.ordinary) && look.always_valid <= 1.0));
    }

    /// 5 %, 25 % and 42 % are the published shares; simulated experiments have them within five standard errors and the whole numbers of
    /// their conversions.
    #[test]
    fn looking_often_costs_what_is_published() {
        let runs = 1_000;
        let found = ever(&settings(1), &[1, 20, 200], runs).unwrap();
        for (ever, published) in found.iter().zip([0.05, 0.248, 0.424]) {
            let (ordinary, valid) = ever_in_theory(Alpha::FIVE_PERCENT, ever.looks).unwrap();
            assert!((ordinary - published).abs() < 5e-3, "{} looks: {ordinary}", ever.looks);
            let error = (published * (1.0 - published) / runs as f64).sqrt();
            let simulated = ever.ordinary as f64 / runs as f64;
            assert!((simulated - ordinary).abs() < 5.0 * error, "{} looks: {simulated} and {ordinary}", ever.looks);
            assert!(valid < 0.02 && ever.always_valid < 40, "{ever:?}, {valid}");
        }
        assert!(found.windows(2).all(|pair| pair[0].ordinary <= pair[1].ordinary));
    }

    #[test]
    fn settings_that_show_nothing_are_refused() {
        for wrong in [
            Settings { looks: 0, ..settings(1) },
            Settings { looks: 201, ..settings(1) },
            Settings { users_per_look: 0, ..settings(1) },
            Settings { rate: f64::NAN, ..settings(1) },
        ] {
            assert!(watch(&wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(ever(&settings(1), &[201], 1), Err(SettingsError::Looks(201)));
    }
}
