//! `POST /v1/peek`: an experiment without an effect, with the readings and bounds of `assay peek`.

use assay_control_plane::planner::{EverShare, PeekAnswer, PeekQuestion, PeekReading, Share, Wrong};
use assay_simulator::watching::{Settings, SettingsError, ever, ever_in_theory, watch};
use assay_statistics::alpha::Alpha;

/// Numbers of looks whose share is told; each contains the pictures of the one before, more or less.
const LOOKS: [u32; 11] = [1, 2, 3, 5, 7, 10, 20, 30, 50, 100, 200];
/// Experiments that are simulated: enough for a standard error of 1.6%, and few enough for some milliseconds.
const RUNS: u64 = 1_000;

/// Of every number of looks, ordinary and always-valid.
pub(super) struct Theory(Vec<(f64, f64)>);

impl Theory {
    pub(super) fn of(alpha: f64) -> Result<Theory, Wrong> {
        let alpha = Alpha::new(alpha).map_err(|problem| Wrong::new("alpha", problem.to_string()))?;
        let of = |looks| ever_in_theory(alpha, looks).map_err(|problem| Wrong::new("alpha", problem.to_string()));
        LOOKS.into_iter().map(of).collect::<Result<_, _>>().map(Theory)
    }
}

pub(super) fn demonstrate(question: &PeekQuestion, theory: &Theory) -> Result<PeekAnswer, Wrong> {
    let PeekQuestion { seed, looks, units, rate, alpha } = *question;
    let users = (units / (2 * u64::from(looks))).max(1);
    let settings = Settings {
        looks,
        users_per_look: u32::try_from(users).unwrap_or(u32::MAX),
        rate,
        alpha: Alpha::new(alpha).map_err(|problem| Wrong::new("alpha", problem.to_string()))?,
        seed,
    };
    let wrong = |problem: SettingsError| match problem {
        SettingsError::Looks(_) => Wrong::new("looks", problem.to_string()),
        SettingsError::Users(_) => Wrong::new("units", format!("{problem}; ask for fewer units, or for more looks")),
        SettingsError::Rate(_) => Wrong::new("rate", problem.to_string()),
    };
    let readings = watch(&settings).map_err(wrong)?;
    let shown: Vec<u32> = LOOKS.into_iter().filter(|&k| k <= looks).collect();
    let found = ever(&settings, &shown, RUNS).map_err(wrong)?;
    let share = |hits: u64, theory: f64| Share { simulated: hits as f64 / RUNS as f64, theory };
    let below =
        |of: fn(&PeekReading) -> f64, path: &[PeekReading]| path.iter().filter(|it| of(it) < alpha).count() as u32;
    let path: Vec<PeekReading> = readings
        .iter()
        .map(|it| PeekReading { units: it.users, ordinary: it.ordinary, always_valid: it.always_valid })
        .collect();
    Ok(PeekAnswer {
        seed,
        looks,
        units_per_look: 2 * users,
        units: 2 * users * u64::from(looks),
        rate,
        alpha,
        ordinary_below: below(|it| it.ordinary, &path),
        always_valid_below: below(|it| it.always_valid, &path),
        path,
        runs: RUNS,
        ever: found
            .iter()
            .zip(&theory.0)
            .map(|(it, (ordinary, valid))| EverShare {
                looks: it.looks,
                ordinary: share(it.ordinary, *ordinary),
                always_valid: share(it.always_valid, *valid),
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_shows_what_the_simulator_drew() {
        let question = PeekQuestion { seed: 7, looks: 200, units: 100_000, rate: 0.05, alpha: 0.05 };
        let answer = demonstrate(&question, &Theory::of(0.05).unwrap()).unwrap();
        assert_eq!((answer.units_per_look, answer.units, answer.path.len()), (500, 100_000, 200));
        let below = answer.path.iter().filter(|it| it.ordinary < 0.05).count();
        assert_eq!(answer.ordinary_below as usize, below);
        let twenty = answer.ever.iter().find(|it| it.looks == 20).unwrap();
        assert!((twenty.ordinary.theory - 0.248).abs() < 1e-3, "{twenty:?}");
        assert_eq!(answer.ever.last().unwrap().looks, 200);
        let few = demonstrate(&PeekQuestion { looks: 1, ..question }, &Theory::of(0.05).unwrap());
        assert_eq!(few.unwrap_err().field, "units");
    }
}
