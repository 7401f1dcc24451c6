//! Many metrics of one experiment, and many experiments one after another (§7.1, §7.2): of what is called a discovery, how much is none?

use super::count::{Measure, Report};
use super::{Chapter, Design, Draw, Prepared, Scenario};
use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid::normal_mixture::ln_e_of;
use assay_statistics::always_valid::{Rule, tuned};
use assay_statistics::multiplicity::{Online, Procedure, Stream, adjust, e_bh};
use assay_statistics::special::normal_two_sided;
use libm::{exp, rint, sqrt};

const E_BH: &str = "e-BH: false share of discoveries, thousandths";
const BH: &str = "BH: false share of discoveries, thousandths";
const BY: &str = "BY: false share of discoveries, thousandths";
const UNADJUSTED: &str = "unadjusted: false share of discoveries, thousandths";
const E_LOND: &str = "e-LOND: false share of discoveries, thousandths";
const LOND: &str = "LOND: false share of discoveries, thousandths";
const LORD: &str = "LORD++: false share of discoveries, thousandths";
const SAFFRON: &str = "SAFFRON: false share of discoveries, thousandths";
const ADDIS: &str = "ADDIS: false share of discoveries, thousandths";

/// Hypotheses of which most are true nulls; z of the others is shifted by normal effects.
#[derive(Debug, Clone, Copy)]
struct Hypotheses {
    count: usize,
    null_share: f64,
    /// Between any two z: metrics of one experiment share their users.
    correlation: f64,
    /// One after another, or all at once.
    stream: bool,
}

/// Standard deviation of the effects that are not null, in standard errors.
const EFFECT_SD: f64 = 3.0;

struct Drawn {
    z: Vec<f64>,
    null: Vec<bool>,
}

impl Hypotheses {
    fn draw(&self, draw: &mut Draw) -> Drawn {
        let (own, common) = (sqrt(1.0 - self.correlation), sqrt(self.correlation) * draw.normal());
        let null: Vec<bool> = (0..self.count).map(|_| draw.uniform() < self.null_share).collect();
        let effect = |null: &bool, draw: &mut Draw| if *null { 0.0 } else { EFFECT_SD * draw.normal() };
        let z = null.iter().map(|null| effect(null, draw) + common + own * draw.normal()).collect();
        Drawn { z, null }
    }
}

impl Design for Hypotheses {
    fn prepared(&self, _: &Report<'_>) -> Prepared {
        let this = *self;
        let alpha = Alpha::FIVE_PERCENT;
        let information = tuned(alpha, Rule::Exact);
        Box::new(move |draw, report| {
            let Drawn { z, null } = this.draw(draw);
            let p: Vec<f64> = z.iter().map(|&z| normal_two_sided(z).0).collect();
            // E at N*, where an experiment that was planned well ends.
            let e: Vec<f64> = z.iter().map(|&z| exp(ln_e_of(z, information))).collect();
            let mut found = |name, rejected: &[bool]| report.amount(name, false_share(rejected, &null));
            found(UNADJUSTED, &p.iter().map(|&p| p < alpha.value()).collect::<Vec<_>>());
            if this.stream {
                for (name, online, values) in streams(&p, &e) {
                    let mut stream = Stream::new(online, alpha).expect("the usual parameters are valid");
                    found(name, &values.iter().map(|&value| stream.observe(value).rejected).collect::<Vec<_>>());
                }
            } else {
                found(E_BH, &e_bh(&e, alpha).rejected);
                found(BH, &adjust(&p, Procedure::BenjaminiHochberg, alpha).rejected);
                found(BY, &adjust(&p, Procedure::BenjaminiYekutieli, alpha).rejected);
            }
        })
    }
}

fn streams<'a>(p: &'a [f64], e: &'a [f64]) -> [(&'static str, Online, &'a [f64]); 5] {
    let w0 = 0.5 * Alpha::FIVE_PERCENT.value();
    [
        (E_LOND, Online::ELond, e),
        (LOND, Online::Lond, p),
        (LORD, Online::LordPlusPlus { w0 }, p),
        (SAFFRON, Online::Saffron { w0, lambda: 0.5 }, p),
        (ADDIS, Online::Addis { w0, lambda: 0.25, tau: 0.5 }, p),
    ]
}

/// In thousandths; without a discovery, none is false.
fn false_share(rejected: &[bool], null: &[bool]) -> u64 {
    let discoveries = rejected.iter().filter(|&&rejected| rejected).count();
    let wrong = rejected.iter().zip(null).filter(|&(&rejected, &null)| rejected && null).count();
    rint(1_000.0 * wrong as f64 / discoveries.max(1) as f64) as u64
}

/// Independent streams, and families whose members depend on each other.
pub(super) fn scenarios() -> Vec<Scenario> {
    let stream = Hypotheses { count: 200, null_share: 0.8, correlation: 0.0, stream: true };
    let family = Hypotheses { count: 20, null_share: 0.8, correlation: 0.5, stream: false };
    let controlled = |name| Measure::mean_at_most(name, 50.0);
    let online = || [E_LOND, LOND, LORD, SAFFRON, ADDIS].map(controlled).to_vec();
    let with_control = |mut measures: Vec<Measure>, least: f64| {
        measures.push(Measure::mean_at_least(UNADJUSTED, least));
        measures
    };
    let all_null = Hypotheses { null_share: 1.0, ..stream };
    vec![
        scenario(
            "stream-mixed",
            "200 experiments one after another, 80 % without effect",
            stream,
            with_control(online(), 150.0),
        ),
        scenario("stream-null", "200 experiments one after another, none with an effect", all_null, {
            with_control(online(), 950.0)
        }),
        scenario(
            "family-mixed",
            "20 metrics with correlation 0.5, 80 % without effect",
            family,
            with_control([E_BH, BH, BY].map(controlled).to_vec(), 100.0),
        ),
        scenario(
            "family-null",
            "20 metrics with correlation 0.5, none with an effect",
            Hypotheses { null_share: 1.0, ..family },
            with_control([E_BH, BH, BY].map(controlled).to_vec(), 250.0),
        ),
    ]
}

fn scenario(id: &'static str, title: &str, design: Hypotheses, measures: Vec<Measure>) -> Scenario {
    let horizon = design.count as f64;
    // The levels of a stream depend on all rejections so far, which makes it the slowest scenario.
    let runs = if design.stream { 2_000 } else { 10_000 };
    let (title, design) = (title.to_owned(), Box::new(design));
    Scenario { id, chapter: Chapter::Multiplicity, title, runs, horizon, measures, design }
}
