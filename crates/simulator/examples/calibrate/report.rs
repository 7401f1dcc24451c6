//! Turns counts into `docs/calibration.md` and its plots. Nothing in here depends on when or where it runs.

use crate::plot::{Axis, Mark, Row, Series, curves, dots, grouped};
use assay_simulator::calibration::{Chapter, Counts, Kind, Measure, STAGES, Scenario, Tally};
use assay_simulator::peeking::{Peeking, Rate, Row as PeekingRow};
use std::fmt::Write;

/// A plot: file name, what it shows, and the drawing.
struct Plot {
    name: &'static str,
    caption: &'static str,
    svg: String,
}

const ALPHA: Mark = Mark { name: "alpha = 5 %", at: 0.05 };

/// Scenarios with their counts.
struct Results<'a> {
    scenarios: &'a [Scenario],
    counts: &'a [Counts],
}

impl Results<'_> {
    fn chapter(&self, chapter: Chapter) -> impl Iterator<Item = (&Scenario, &Counts)> {
        self.scenarios.iter().zip(self.counts).filter(move |(scenario, _)| scenario.chapter == chapter)
    }

    fn tally(&self, id: &str, measure: &str) -> (&Scenario, &Tally) {
        let at = self.scenarios.iter().position(|scenario| scenario.id == id).expect("plots name scenarios that exist");
        let scenario = &self.scenarios[at];
        (scenario, named(scenario, &self.counts[at], measure).expect("plots name measures that exist"))
    }

    fn share(&self, id: &str, measure: &str) -> f64 {
        self.tally(id, measure).1.value(Kind::Share).unwrap_or(0.0)
    }

    /// By when it had happened, in the scenario's own units.
    fn curve(&self, id: &str, measure: &str, name: &str) -> Series {
        let (scenario, tally) = self.tally(id, measure);
        let at = |stage: usize| scenario.horizon * (stage + 1) as f64 / STAGES as f64;
        let points = tally.curve().into_iter().enumerate().map(|(stage, share)| (at(stage), share));
        Series { name: name.to_owned(), points: std::iter::once((0.0, 0.0)).chain(points).collect() }
    }

    /// A row per scenario of a chapter that has any of the measures.
    fn rows(&self, chapter: Chapter, measures: &[&str]) -> Vec<Row> {
        let value = |scenario: &Scenario, counts: &Counts, name: &&str| {
            named(scenario, counts, name).and_then(|tally| tally.value(Kind::Share))
        };
        let row = |(scenario, counts): (&Scenario, &Counts)| Row {
            name: short(&scenario.title),
            values: measures.iter().map(|name| value(scenario, counts, name)).collect(),
        };
        self.chapter(chapter).map(row).filter(|row| row.values.iter().any(Option::is_some)).collect()
    }
}

fn named<'a>(scenario: &Scenario, counts: &'a Counts, measure: &str) -> Option<&'a Tally> {
    let at = scenario.measures.iter().position(|one| one.name == measure)?;
    Some(&counts.0[at])
}

/// A title without what all scenarios of its chapter have in common.
fn short(title: &str) -> String {
    let title = title.split(", look").next().unwrap_or(title);
    title.strip_prefix("A/A, ").unwrap_or(title).to_owned()
}

/// Every file, by its path below `docs`.
pub fn write(scenarios: &[Scenario], counts: &[Counts], peeking: &Peeking, seed: u64) -> Vec<(String, String)> {
    let results = Results { scenarios, counts };
    let mut page = opening(&results, seed);
    let plot = looks(peeking);
    page.push_str(&peeked(peeking, &plot));
    let mut files = vec![(format!("calibration/{}", plot.name), plot.svg)];
    for chapter in Chapter::ALL {
        let (heading, text) = words(chapter);
        let _ = writeln!(page, "\n## {heading}\n\n{text}");
        for plot in plots(chapter, &results) {
            let _ = writeln!(page, "\n![{}](calibration/{})", plot.caption, plot.name);
            let _ = writeln!(page, "\n*{}*", plot.caption);
            files.push((format!("calibration/{}", plot.name), plot.svg));
        }
        page.push_str(&table(results.chapter(chapter)));
    }
    files.push(("calibration.md".to_owned(), page));
    files
}

/// What lies outside the range allowed for it, a line each.
pub fn outside(scenarios: &[Scenario], counts: &[Counts]) -> Vec<String> {
    let of = |(scenario, counts): (&Scenario, &Counts)| {
        let wrong = scenario.measures.iter().zip(&counts.0).filter(|(measure, tally)| !measure.allows(tally));
        wrong
            .map(|(measure, tally)| {
                let (found, allowed) = (found(measure, tally), allowed(measure));
                format!("{}: {}: {found}, allowed is {allowed}", scenario.id, measure.name)
            })
            .collect::<Vec<_>>()
    };
    scenarios.iter().zip(counts).flat_map(of).collect()
}

fn opening(results: &Results<'_>, seed: u64) -> String {
    let measures: usize = results.scenarios.iter().map(|scenario| scenario.measures.len()).sum();
    let runs: u64 = results.scenarios.iter().map(|scenario| scenario.runs).sum();
    let outside = outside(results.scenarios, results.counts).len();
    let verdict = match outside {
        0 => "All of them lie in the range allowed for them.".to_owned(),
        1 => "One of them lies outside the range allowed for it and is marked **outside**.".to_owned(),
        many => format!("{many} of them lie outside the range allowed for them and are marked **outside**."),
    };
    let (naive, default) =
        (results.share("check-a", "fixed-horizon z at every look"), results.share("check-a", "default"));
    format!(
        "# Calibration\n\n\
         Every promise about error rates in Assay, measured: {} simulated experiments in {} scenarios, {measures} measures.\n\
         {verdict}\n\n\
         The most important one: of 10,000 A/A experiments that are looked at after every 100 users, a thousand times each, the default\n\
         method ever calls {:.1} % different. A fixed-horizon test at the same looks calls {:.0} % different.\n\n\
         `make calibrate` wrote this page and its plots with the seed {seed}; the same seed writes the same bytes on every machine. The\n\
         scenarios are in `crates/simulator/src/calibration/`, they call the functions of `crates/statistics` that decide in production,\n\
         and a small run of each is part of `cargo test`.\n\n\
         In the tables, *found* is the share of runs (or the mean amount) with its Monte Carlo standard error; *expected* is what numerical\n\
         integration or an independent simulation gave beforehand; *allowed* is the range that the run must fall into, or `make calibrate`\n\
         fails, and comes from theory or from what was expected. Some measures are positive controls: methods that are known to fail, to\n\
         show that this simulation would notice.\n",
        grouped(&runs.to_string()),
        results.scenarios.len(),
        100.0 * default,
        100.0 * naive,
    )
}

fn table<'a>(results: impl Iterator<Item = (&'a Scenario, &'a Counts)>) -> String {
    let mut text =
        String::from("\n| scenario | measure | runs | found | expected | allowed |\n|---|---|--:|--:|--:|--:|\n");
    for (scenario, counts) in results {
        for (at, (measure, tally)) in scenario.measures.iter().zip(&counts.0).enumerate() {
            let title = if at == 0 { scenario.title.as_str() } else { "" };
            let expected = measure.expected.map_or(String::new(), |value| number(measure.kind, value));
            let verdict = if measure.allows(tally) { "" } else { " **outside**" };
            let _ = writeln!(
                text,
                "| {title} | {} | {} | {}{verdict} | {expected} | {} |",
                measure.name,
                grouped(&tally.trials.to_string()),
                found(measure, tally),
                allowed(measure)
            );
        }
    }
    text
}

fn number(kind: Kind, value: f64) -> String {
    match kind {
        Kind::Share => format!("{value:.4}"),
        Kind::Mean => grouped(&format!("{value:.0}")),
    }
}

fn found(measure: &Measure, tally: &Tally) -> String {
    let Some(value) = tally.value(measure.kind) else { return "never asked".to_owned() };
    let error = tally.standard_error(measure.kind);
    match measure.kind {
        Kind::Share => format!("{value:.4} ± {error:.4}"),
        Kind::Mean => format!("{} ± {error:.1}", number(Kind::Mean, value)),
    }
}

fn allowed(measure: &Measure) -> String {
    let number = |value| number(measure.kind, value);
    match measure.kind {
        _ if measure.low <= 0.0 => format!("at most {}", number(measure.high)),
        Kind::Share if measure.high >= 1.0 => format!("at least {}", number(measure.low)),
        Kind::Mean if measure.high.is_infinite() => format!("at least {}", number(measure.low)),
        _ => format!("{} to {}", number(measure.low), number(measure.high)),
    }
}

fn words(chapter: Chapter) -> (&'static str, &'static str) {
    match chapter {
        Chapter::FalsePositives => (
            "False positives of continuous looking",
            "A/A experiments: both arms are alike, and every rejection is an error. The default may err in at most 5 % of experiments\n\
             however often one looks; runs that end stay below, because the bound is for looking for ever. \"Plain Welch\" is the same\n\
             mixture without the variance floor, as usually implemented: in unbalanced designs with rare or skewed values it breaks its\n\
             promise, which is why the floor exists. \"No event rule\" leaves out the waiting period for conversions.",
        ),
        Chapter::Coverage => (
            "Intervals that hold the truth at every look",
            "Real effects in designs that are hard for normal approximations. An experiment counts as missed if the interval excluded the\n\
             true value at any of its thousand looks. The event rule of the waiting period is what keeps this below 5 %.",
        ),
        Chapter::Power => (
            "What continuous looking costs",
            "At the sample for which a fixed horizon has 80 % power, the default has 53 %; it needs up to 1.64 times as many units for the\n\
             same power, and because it may stop at any look, it needs about as many as the fixed horizon on average.",
        ),
        Chapter::Exact => (
            "Exact tests of conversions",
            "The label test asks only which arm each conversion belongs to, and the safe test of two proportions looks after every pair of\n\
             users. Both hold for any rate, without approximation and without a waiting period; the price of the label test is a little power.",
        ),
        Chapter::GroupSequential => (
            "A few looks with a boundary",
            "Group sequential tests spend all of their alpha, so their error is 5 % and not below it, wherever the looks fall and whenever the\n\
             last one comes. With a known end and a few looks they need hardly more than a fixed sample and stop earlier on average than the\n\
             always-valid method. At the stop the plain estimate is too high more often than not; the median-unbiased one is not.",
        ),
        Chapter::OpenWindows => (
            "Values that grow after exposure",
            "The guarantee is for units that enter once, with their final value (*matured*). Looking at everybody exposed so far with what is\n\
             known of them (*open*) has no proof. It errs more often than a matured analysis and stays below 5 % in these designs; the more\n\
             users wait with open windows at once, the closer it comes.",
        ),
        Chapter::Allocation => (
            "Changing splits and several treatments",
            "When the split changes while rates drift, arms must be compared within each stretch of constant split; pooling them compares\n\
             late users with early ones. With several treatments, Holm over the running p-values keeps the error over all of them below 5 %.",
        ),
        Chapter::Bayesian => (
            "Posteriors as stopping rules",
            "Without any effect, \"stop when the chance exceeds 95 %\" fires for a third of all experiments within a hundred looks, and for\n\
             more than half if either arm may win. If true effects come from the very prior that is used, claims at the stopping time are\n\
             right as often as they say; with a flat prior they are not. This is why a posterior describes and does not decide here.",
        ),
        Chapter::SampleRatio => (
            "Alarms about the split",
            "The sequential test may be read after every user. A chi-square test at the same looks rings more than twenty times as often as\n\
             its level says.",
        ),
        Chapter::SpecialMetrics => (
            "Covariates and quantiles",
            "A covariate from before the experiment takes variance off and leaves the error rates as they are. Intervals of a quantile are\n\
             exact for every distribution, because only the number of values below it matters.",
        ),
        Chapter::Guardrails => (
            "Guardrails",
            "A treatment that is worse by exactly the margin must be declared safe in at most 5 % of experiments, ever; one that is not worse\n\
             at all should be, and soon. With no effect, an alarm about harm rings in at most 5 %.",
        ),
        Chapter::Multiplicity => (
            "Many metrics, many experiments",
            "The mean share of false discoveries, in thousandths, which the procedures hold at or below 50. \"Unadjusted\" is the positive control.",
        ),
    }
}

fn plots(chapter: Chapter, results: &Results<'_>) -> Vec<Plot> {
    match chapter {
        Chapter::FalsePositives => vec![check_a(results), hard_designs(results)],
        Chapter::Coverage => vec![coverage(results)],
        Chapter::Power => vec![power(results)],
        Chapter::Exact => vec![exact(results)],
        Chapter::GroupSequential => vec![boundaries(results)],
        Chapter::OpenWindows => vec![open_windows(results)],
        Chapter::Allocation => Vec::new(),
        Chapter::Bayesian => vec![posterior(results)],
        Chapter::SampleRatio => vec![alarms(results), detection(results)],
        Chapter::SpecialMetrics => vec![covariate(results)],
        Chapter::Guardrails => vec![guardrails(results)],
        Chapter::Multiplicity => Vec::new(),
    }
}

/// Reads a rule's rate from a row.
type Rule = fn(&PeekingRow) -> Rate;

/// The five rules of the demonstrator, with how to read each from a row.
const RULES: [(&str, Rule); 5] = [
    ("chance of either arm > 95 %", |row| row.posterior_either),
    ("chance of treatment > 95 %", |row| row.posterior_treatment),
    ("fixed-horizon z", |row| row.naive),
    ("O'Brien-Fleming", |row| row.obrien_fleming),
    ("always-valid", |row| row.always_valid),
];

fn looks(peeking: &Peeking) -> Plot {
    let caption = "A/A experiments: share ever called different, by how often one looks";
    let series = RULES.map(|(name, rate)| Series {
        name: name.to_owned(),
        points: peeking.rows.iter().map(|row| (f64::from(row.looks), rate(row).simulated)).collect(),
    });
    let end = peeking.rows.iter().map(|row| f64::from(row.looks)).fold(0.0, f64::max);
    let x = Axis { label: "looks", end, percent: false };
    let svg = curves(caption, &x, &Axis::percent(EVER, 0.65), &series, &[ALPHA]);
    Plot { name: "looks.svg", caption, svg }
}

fn peeked(peeking: &Peeking, plot: &Plot) -> String {
    let mut text = format!(
        "\n## What peeking does\n\n\
         A/A experiments at 5 %, 500 more users per arm from look to look, 10,000 of them per row: the share that each rule ever calls\n\
         different, and in brackets what numerical integration says for normal means. `assay peek` shows this for other numbers.\n\n\
         ![{0}](calibration/{1})\n\n*{0}*\n\n| looks |",
        plot.caption, plot.name
    );
    for (name, _) in RULES {
        let _ = write!(text, " {name} |");
    }
    text.push_str("\n|--:|--:|--:|--:|--:|--:|\n");
    for row in &peeking.rows {
        let _ = write!(text, "| {} |", row.looks);
        for (_, rate) in RULES {
            let Rate { simulated, theory, .. } = rate(row);
            let _ = write!(text, " {simulated:.4} ({theory:.4}) |");
        }
        text.push('\n');
    }
    let Rate { simulated, theory, .. } = peeking.textbook.rate;
    let _ = writeln!(
        text,
        "\nThe code that is often printed to show the effect of {} looks tests separate batches instead of data that accumulate, and does not\n\
         count the last: {:.1} % are called different ({:.1} % by enumeration), which is not what its text describes.",
        peeking.textbook.batches,
        100.0 * simulated,
        100.0 * theory
    );
    text
}

const EVER: &str = "experiments ever called different";

fn check_a(results: &Results<'_>) -> Plot {
    let caption = "Check A: of A/A experiments, the share that had ever been called different by then";
    let series = [
        results.curve("check-a", "fixed-horizon z at every look", "fixed-horizon z"),
        results.curve("check-a", "default", "Assay's default"),
    ];
    let x = Axis { label: "users", end: 100_000.0, percent: false };
    let svg = curves(caption, &x, &Axis::percent(EVER, 0.6), &series, &[ALPHA]);
    Plot { name: "check-a.svg", caption, svg }
}

fn hard_designs(results: &Results<'_>) -> Plot {
    let caption = "Hard A/A designs: share ever called different, with the variance floor and without";
    let measures = ["default", "plain Welch variance"];
    // Check A has no plain Welch, and the tuning scenarios neither: rows are those that compare both.
    let mut rows = results.rows(Chapter::FalsePositives, &measures);
    rows.retain(|row| row.values.iter().all(Option::is_some));
    let svg = dots(caption, &Axis::percent(EVER, 0.65), &measures, &rows, &ALPHA);
    Plot { name: "hard-designs.svg", caption, svg }
}

fn coverage(results: &Results<'_>) -> Plot {
    let caption = "Share of experiments whose interval missed the true difference at any look";
    let measures = ["difference missed", "difference missed, no event rule"];
    let mut rows = results.rows(Chapter::Coverage, &measures);
    rows.retain(|row| row.values.iter().all(Option::is_some));
    let svg = dots(caption, &Axis::percent("experiments that missed it", 0.14), &measures, &rows, &ALPHA);
    Plot { name: "coverage.svg", caption, svg }
}

fn power(results: &Results<'_>) -> Plot {
    let caption = "5 % against 5.5 %: share of experiments that had found the effect by then";
    let fixed = results.share("power-0.05-0.055", "fixed-horizon z, once at planned n");
    let series = [
        results.curve("power-0.05-0.055", "default", "Assay's default"),
        Series { name: "fixed horizon, looked at once".to_owned(), points: vec![(62_462.0, fixed)] },
    ];
    let x = Axis { label: "users", end: 102_800.0, percent: false };
    let svg = curves(caption, &x, &Axis::percent("experiments", 1.0), &series, &[]);
    Plot { name: "power.svg", caption, svg }
}

fn exact(results: &Results<'_>) -> Plot {
    let caption = "Exact tests in A/A experiments: share ever called different";
    let measures = ["label test", "safe test of two proportions"];
    let mut rows = results.rows(Chapter::Exact, &measures);
    // The scenario about power is no A/A experiment.
    rows.retain(|row| row.values.iter().flatten().all(|&share| share < 0.4));
    let svg = dots(caption, &Axis::percent(EVER, 0.06), &measures, &rows, &ALPHA);
    Plot { name: "exact.svg", caption, svg }
}

fn covariate(results: &Results<'_>) -> Plot {
    let caption =
        "An effect that a fixed horizon finds with 80 % power: share of experiments that had found it by then";
    let series = [
        results.curve("cuped-effect", "default, with CUPED", "with CUPED"),
        results.curve("cuped-effect", "default, without the covariate", "without"),
    ];
    let x = Axis { label: "users", end: 20_000.0, percent: false };
    let svg = curves(caption, &x, &Axis::percent("experiments", 1.0), &series, &[]);
    Plot { name: "covariate.svg", caption, svg }
}

fn guardrails(results: &Results<'_>) -> Plot {
    let caption = "Guardrail with a margin of half a percentage point: share of experiments declared safe by then";
    let series = [
        results.curve("guardrail-nothing", "ever declared safe", "no effect"),
        results.curve("guardrail-margin-even", "ever declared safe", "worse by the margin"),
    ];
    let x = Axis { label: "users", end: 100_000.0, percent: false };
    let svg = curves(caption, &x, &Axis::percent("experiments", 1.0), &series, &[ALPHA]);
    Plot { name: "guardrails.svg", caption, svg }
}

fn boundaries(results: &Results<'_>) -> Plot {
    let caption = "An effect that a fixed sample finds with 80 % power: share of experiments that had found it by then";
    let series = [
        results.curve("gs-power-pocock-14", "ever crossed", "Pocock, 14 looks"),
        results.curve("gs-power-obf-28", "ever crossed", "O'Brien-Fleming, 28 looks"),
        results.curve("power-.05-.80", "always-valid", "always-valid, 1,644 looks"),
        Series { name: "fixed sample".to_owned(), points: vec![(1.0, 0.8)] },
    ];
    let x = Axis { label: "units, in fixed samples", end: 1.65, percent: false };
    let svg = curves(caption, &x, &Axis::percent("experiments", 1.0), &series, &[]);
    Plot { name: "boundaries.svg", caption, svg }
}

fn open_windows(results: &Results<'_>) -> Plot {
    let caption = "A/A experiments with values that grow: share ever called different";
    let measures = ["open", "matured"];
    let rows = results.rows(Chapter::OpenWindows, &measures);
    let svg = dots(caption, &Axis::percent(EVER, 0.06), &measures, &rows, &ALPHA);
    Plot { name: "open-windows.svg", caption, svg }
}

fn posterior(results: &Results<'_>) -> Plot {
    let caption = "No effect, flat prior: share of experiments stopped by a chance above 95 %, by look";
    let series = [
        results.curve("flat-100", "chance of either arm above 95 %", "either arm"),
        results.curve("flat-100", "chance of the treatment above 95 %", "the treatment"),
    ];
    let x = Axis { label: "share of the horizon that has passed (100 looks)", end: 1.0, percent: true };
    let svg = curves(caption, &x, &Axis::percent("experiments stopped", 0.65), &series, &[ALPHA]);
    Plot { name: "posterior.svg", caption, svg }
}

fn alarms(results: &Results<'_>) -> Plot {
    let caption = "A fair split: share of experiments that had raised an alarm by then";
    let series = [
        results.curve("srm-fair", "chi-square below 0.001 at any look", "chi-square, 0.001"),
        results.curve("srm-fair", "sequential, alarm at p <= 0.01", "sequential, 0.01"),
    ];
    let x = Axis { label: "users", end: 100_000.0, percent: false };
    let mark = Mark { name: "1 %", at: 0.01 };
    let svg = curves(caption, &x, &Axis::percent("experiments with an alarm", 0.035), &series, &[mark]);
    Plot { name: "sample-ratio.svg", caption, svg }
}

fn detection(results: &Results<'_>) -> Plot {
    let caption = "A broken split: share of experiments whose alarm had rung by then";
    let series = [
        results.curve("srm-52-48", "sequential, alarm at p <= 0.01", "52/48"),
        results.curve("srm-50.5-49.5", "sequential, alarm at p <= 0.01", "50.5/49.5"),
    ];
    let x = Axis { label: "users", end: 100_000.0, percent: false };
    let svg = curves(caption, &x, &Axis::percent("experiments with an alarm", 1.0), &series, &[]);
    Plot { name: "sample-ratio-detection.svg", caption, svg }
}
