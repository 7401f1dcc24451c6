//! The alarm about the split (§5): how often it rings for nothing, and how soon for a broken split.

use super::count::{Measure, Report};
use super::{Binomial, Chapter, Design, Prepared, Scenario};
use assay_statistics::srm;
use libm::log;

const ALARM: &str = "sequential, alarm at p <= 0.01";
const LOOSE: &str = "sequential, alarm at p <= 0.05";
const CHI_SQUARE: &str = "chi-square below 0.001 at any look";
const CHI_SQUARE_LOOSE: &str = "chi-square below 0.05 at any look";
const SOON: &str = "sequential alarm within 7,100 users";

/// Units arrive with a true share for the treatment while 50/50 is promised.
#[derive(Debug, Clone, Copy)]
struct Arrivals {
    treatment_share: f64,
}

const BATCH: u32 = 100;
const LOOKS: u32 = 1_000;
const SOON_USERS: u32 = 7_100;

impl Design for Arrivals {
    fn prepared(&self, report: &Report<'_>) -> Prepared {
        let split = Binomial::new(BATCH, self.treatment_share);
        let fixed = report.wants(CHI_SQUARE) || report.wants(CHI_SQUARE_LOOSE);
        let (alarm, loose) = (srm::ln_alarm(), -log(0.05));
        Box::new(move |draw, report| {
            let mut counts = [0.0f64; 2];
            let mut firsts = [None; 4];
            for look in 1..=LOOKS {
                let treated = split.draw(draw);
                counts[0] += f64::from(BATCH - treated);
                counts[1] += f64::from(treated);
                let ln_e = srm::sequential_ln_e(&counts, &[1.0, 1.0], srm::CONCENTRATION);
                let p = if fixed { srm::chi_square(&counts, &[1.0, 1.0]).p_value } else { 1.0 };
                for (first, rang) in firsts.iter_mut().zip([ln_e >= alarm, ln_e >= loose, p < 0.001, p < 0.05]) {
                    *first = first.or(rang.then_some(look));
                }
            }
            for (name, first) in [ALARM, LOOSE, CHI_SQUARE, CHI_SQUARE_LOOSE].into_iter().zip(firsts) {
                report.first(name, first, LOOKS);
            }
            report.whether(SOON, firsts[0].is_some_and(|look| look * BATCH <= SOON_USERS));
        })
    }
}

/// A fair split, a grossly broken one and a slightly broken one.
pub(super) fn scenarios() -> Vec<Scenario> {
    let fair = vec![
        Measure::share(ALARM, 0.006, 0.002, 0.010),
        Measure::share(LOOSE, 0.037, 0.027, 0.050),
        Measure::share(CHI_SQUARE, 0.027, 0.019, 0.035),
        Measure::share(CHI_SQUARE_LOOSE, 0.54, 0.51, 0.57),
    ];
    let broken = vec![Measure::share(SOON, 0.5, 0.46, 0.54), Measure::at_least(ALARM, 0.999)];
    let slight = vec![Measure::share(ALARM, 0.40, 0.36, 0.44)];
    vec![
        scenario("srm-fair", "50/50 promised and kept", 0.5, fair),
        scenario("srm-52-48", "50/50 promised, 52/48 delivered", 0.52, broken),
        scenario("srm-50.5-49.5", "50/50 promised, 50.5/49.5 delivered", 0.505, slight),
    ]
}

fn scenario(id: &'static str, title: &str, treatment_share: f64, measures: Vec<Measure>) -> Scenario {
    let title = format!("{title}, looks every 100 users to 100,000");
    let horizon = f64::from(BATCH * LOOKS);
    let design = Box::new(Arrivals { treatment_share });
    Scenario { id, chapter: Chapter::SampleRatio, title, runs: 10_000, horizon, measures, design }
}
