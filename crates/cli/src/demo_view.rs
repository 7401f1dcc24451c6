//! What the demonstration shows: a live picture in a terminal, plain lines in a pipe, and the final comparison.

use crate::demo_plan::{DataSet, Plan};
use crate::engine::Engine;
use crate::settings::ClickHouseAt;
use crate::{grid, table};
use assay_analysis::{Arm, Brief, ExperimentResult, MetricResult, Results, Said, Verdict, text_of};
use std::fmt::Write;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Where progress is shown.
pub struct Screen {
    data: DataSet,
    seconds: u32,
    live: bool,
    /// Lines that the last picture took.
    drawn: usize,
    last: (Instant, usize),
    per_second: f64,
}

/// What a line of the picture has beside the interval.
const BESIDE_PLOT: usize = 59;
/// Cells of an interval's picture, at most; an odd number, so that zero is in the middle.
const PLOT_MAX: usize = 61;
const PLOT_MIN: usize = 11;

impl Screen {
    /// `live` redraws in place; otherwise a line now and then.
    pub fn new(data: DataSet, seconds: u32, live: bool) -> Self {
        Screen { data, seconds, live, drawn: 0, last: (Instant::now(), 0), per_second: 0.0 }
    }

    /// Draws in place of the last picture in a terminal; in a pipe, prints.
    pub fn replace(&mut self, text: &str) {
        match self.live {
            true => self.draw(text, grid::width()),
            false => print!("{text}"),
        }
    }

    /// The next picture begins below what stands there.
    pub fn begin_below(&mut self) {
        self.drawn = 0;
    }

    /// Between two pictures.
    pub fn every(&self) -> Duration {
        if self.live { Duration::from_millis(250) } else { Duration::from_secs(5) }
    }

    /// Before the first message.
    pub fn begin(&mut self, engine: &Engine, database: &str, sent: usize, plan: &Plan) {
        println!(
            "Assay demonstration: {}, {} messages, two weeks in {} s",
            self.data.name(),
            plan.messages.len(),
            self.seconds
        );
        println!("  log        {} partitions, identity {}", engine.genesis.partitions, engine.genesis.log);
        println!("  ClickHouse {} (database {database})", engine.clickhouse_url);
        println!("  dashboard  http://{}/", engine.http);
        println!("  health     http://{}/readyz  /metrics", engine.http);
        println!(
            "  try        curl '{}/?database={database}' -d 'SELECT * FROM balance FORMAT PrettyCompact'\n",
            engine.clickhouse_url
        );
        self.last = (Instant::now(), sent);
    }

    /// One picture.
    pub fn show(&mut self, engine: &Engine, clock_ms: u32, sent: usize, plan: &Plan) {
        let (at, before) = self.last;
        let rate = (sent - before) as f64 / at.elapsed().as_secs_f64().max(1e-3);
        // Smoothed, because messages are sent in steps.
        self.per_second = if self.per_second == 0.0 { rate } else { 0.8 * self.per_second + 0.2 * rate };
        self.last = (Instant::now(), sent);
        let share = (f64::from(clock_ms) / f64::from(self.seconds * 1_000)).min(1.0);
        let day = (share * f64::from(self.data.days())).ceil().max(1.0);
        let view = engine.health.view();
        let lag: u64 = engine.health.partitions().iter().map(|partition| partition.lag).sum();
        if !self.live {
            let counted = view.as_ref().map(|view| view.aligned.counters.originals).unwrap_or_default();
            let primary = view.as_ref().and_then(|view| headline(self.data, &view.aligned)).unwrap_or_default();
            println!(
                "day {day:>2.0}  {sent:>6}/{} sent, {:.0}/s, {} counted, lag {lag}  {primary}",
                plan.messages.len(),
                self.per_second,
                counted[0] + counted[1]
            );
            return;
        }
        let width = grid::width();
        let mut text = String::new();
        let bar = width.saturating_sub(48).clamp(5, 60);
        let full = (share * bar as f64) as usize;
        let _ = writeln!(
            text,
            "day {day:>2.0} [{}{}] {:>6} messages, {:>5.0}/s, lag {lag}",
            "█".repeat(full),
            "·".repeat(bar - full),
            sent,
            self.per_second
        );
        if let Some(view) = view {
            picture(self.data, &view.aligned, width, &mut text);
        }
        self.draw(&text, width);
    }

    fn draw(&mut self, text: &str, width: usize) {
        let mut out = std::io::stdout().lock();
        // Up over the last picture, then every line anew.
        if self.drawn > 0 {
            let _ = write!(out, "\x1b[{}A", self.drawn);
        }
        for line in text.lines() {
            // A line that wraps would take two, and the next picture would start too low.
            let line: String = line.chars().take(width).collect();
            let _ = writeln!(out, "\x1b[2K{line}");
        }
        let lines = text.lines().count();
        for _ in lines..self.drawn {
            let _ = writeln!(out, "\x1b[2K");
        }
        self.drawn = self.drawn.max(lines);
        let _ = out.flush();
    }

    /// After the last message.
    pub fn end(&mut self, engine: &Engine, plan: &Plan) {
        self.show(engine, self.seconds * 1_000, plan.messages.len(), plan);
        println!("\nAll sent; waiting until everything is counted and in ClickHouse …");
    }
}

/// What is found so far, in one sentence.
fn headline(data: DataSet, results: &Results) -> Option<String> {
    let experiment = played(data, results)?;
    Some(text_of(&Brief::of(experiment, &Verdict::of(experiment), &[]).sentence))
}

/// The experiment that is played; others may run beside it.
fn played(data: DataSet, results: &Results) -> Option<&ExperimentResult> {
    results.experiments.iter().find(|experiment| experiment.id == data.name())
}

fn interval(low: f64, high: f64) -> String {
    match low.is_finite() && high.is_finite() {
        true => format!("{low:+.4} … {high:+.4}"),
        false => "(waiting)".to_owned(),
    }
}

fn picture(data: DataSet, results: &Results, width: usize, text: &mut String) {
    let plot = (width.saturating_sub(BESIDE_PLOT) | 1).clamp(PLOT_MIN, PLOT_MAX);
    if let Some(experiment) = played(data, results) {
        let units = table::units_by_variant(experiment);
        let split = if experiment.srm.alarm { "BROKEN" } else { "fine" };
        let _ = writeln!(
            text,
            "units {}; crossed {}; split {split} (p {})",
            units,
            experiment.crossed,
            table::number(experiment.srm.p_value_running)
        );
        for line in
            grid::wrapped(&text_of(&Said::of(experiment, &Verdict::of(experiment), results.look).sentence), width)
        {
            let _ = writeln!(text, "{line}");
        }
        for metric in &experiment.metrics {
            plot_metric(experiment, metric, plot, text);
        }
    }
    let rejected: u64 = results.counters.rejected.iter().sum();
    let _ = writeln!(text, "{} duplicates and {rejected} broken events found", results.counters.duplicates);
}

fn plot_metric(experiment: &ExperimentResult, metric: &MetricResult, cells: usize, text: &mut String) {
    let bounds = |arm: &Arm| {
        let look = &arm.comparison.as_ref()?.always_valid;
        (look.low.is_finite() && look.high.is_finite()).then_some((look.low, look.high))
    };
    // One scale for the arms of a metric, with zero on it.
    let extent = metric.arms.iter().filter_map(bounds).map(|(low, high)| low.abs().max(high.abs())).fold(0.0, f64::max);
    let _ = writeln!(text, "{} ({})", metric.name, metric.id);
    for arm in metric.arms.iter().filter(|arm| !arm.control) {
        let Some(comparison) = &arm.comparison else { continue };
        let p = comparison.remembered.map_or(1.0, |remembered| remembered.running.p_value);
        let mark = if p < experiment.alpha { "●" } else { " " };
        let plot = bounds(arm)
            .map_or_else(|| " ".repeat(cells), |(low, high)| plot(low, high, comparison.difference, extent, cells));
        let lift = comparison.lift.map_or_else(|| "–".to_owned(), |lift| format!("{:+.1}%", 100.0 * lift));
        let _ = writeln!(
            text,
            "  {:<8} {lift:>8}  {plot}  {:<22} p {:<9} {mark}",
            arm.variant,
            bounds(arm)
                .map_or_else(|| comparison.always_valid.status.name().to_owned(), |(low, high)| interval(low, high)),
            table::number(p)
        );
    }
}

/// `──────────|────├──●──┤──`: an interval on a scale from -extent to +extent.
fn plot(low: f64, high: f64, middle: Option<f64>, extent: f64, width: usize) -> String {
    let cell = |value: f64| {
        let share = if extent > 0.0 { (value / extent + 1.0) / 2.0 } else { 0.5 };
        (share * (width - 1) as f64).round().clamp(0.0, (width - 1) as f64) as usize
    };
    let mut cells = vec!['·'; width];
    cells[width / 2] = '│';
    for at in &mut cells[cell(low)..=cell(high)] {
        *at = '─';
    }
    cells[width / 2] = if (low..=high).contains(&0.0) { '┼' } else { '│' };
    (cells[cell(low)], cells[cell(high)]) = ('├', '┤');
    if let Some(middle) = middle {
        cells[cell(middle)] = '●';
    }
    cells.iter().collect()
}

/// The final table beside the published figures. `true` if everything agrees.
pub fn compare(
    data: DataSet,
    results: &Results,
    plan: &Plan,
    in_clickhouse: (u64, u64),
    url: &str,
    clickhouse: &ClickHouseAt,
) -> bool {
    println!("\n{}", table::render(results));
    println!("Beside the published figures");
    let mut check = Checks { rows: Vec::new(), agreed: true };
    let expected = data.expected();
    let Some(experiment) = played(data, results) else {
        println!("  there is no experiment in the results");
        return false;
    };
    for (name, published) in &expected.units {
        let at = experiment.variants.iter().position(|(variant, ..)| variant == name);
        let found = at.and_then(|at| experiment.units.get(at)).copied().unwrap_or(0);
        check.number(&format!("units of {name}"), found as f64, *published as f64, 0.0);
    }
    check.yes("split of the arms", !experiment.srm.alarm, "broken", "fine");
    for row in &expected.rows {
        let metric = experiment.metrics.iter().find(|metric| metric.id == row.metric);
        let arms = metric.map(|metric| metric.arms.as_slice()).unwrap_or_default();
        let control = arms.iter().find(|arm| arm.control).map_or(f64::NAN, |arm| arm.sum);
        let arm = arms.iter().find(|arm| arm.variant == row.variant);
        let comparison = arm.and_then(|arm| arm.comparison.as_ref());
        let about = |what: &str| format!("{} {}: {what}", row.metric, row.variant);
        check.number(&about("sum of control"), control, row.control_sum, 1e-9);
        check.number(&about("sum"), arm.map_or(f64::NAN, |arm| arm.sum), row.sum, 1e-9);
        // The published figures have eight digits.
        let look = comparison.map(|comparison| &comparison.always_valid);
        let difference = comparison.and_then(|comparison| comparison.difference).unwrap_or(f64::NAN);
        check.number(&about("difference"), difference, row.difference, 1e-6);
        check.number(&about("ln E"), look.map_or(f64::NAN, |look| look.ln_e), row.ln_e, 1e-6);
        check.number(&about("interval, low"), look.map_or(f64::NAN, |look| look.low), row.interval.0, 1e-6);
        check.number(&about("interval, high"), look.map_or(f64::NAN, |look| look.high), row.interval.1, 1e-6);
    }
    let [exposures, conversions, _] = results.counters.originals;
    let rejected: u64 = results.counters.rejected.iter().sum();
    check.number("exposures accepted", exposures as f64, plan.valid.0 as f64, 0.0);
    check.number("conversions accepted", conversions as f64, plan.valid.1 as f64, 0.0);
    check.number("exposures in ClickHouse, each once", in_clickhouse.0 as f64, plan.valid.0 as f64, 0.0);
    check.number("conversions in ClickHouse, each once", in_clickhouse.1 as f64, plan.valid.1 as f64, 0.0);
    // After a kill some messages were sent again: then there are more repeats, never fewer.
    check.least("repeats recognised", results.counters.duplicates, plan.repeats);
    check.least("broken events set aside", rejected, plan.broken);
    check.print();
    if matches!(clickhouse, ClickHouseAt::Embedded(_)) {
        println!("\nThe rows, in SQL:");
        println!("  assay sql --url {url} \"SELECT * FROM balance\"");
        println!("  assay sql --url {url} \"SELECT reason, detail, payload FROM dead_letters FINAL LIMIT 5\"");
        println!(
            "  curl '{url}/?database=assay' -d 'SELECT metric, variant, look, p_value_running FROM experiment_results FINAL ORDER BY look DESC LIMIT 10'"
        );
    }
    println!(
        "\n{}",
        if check.agreed { "Everything agrees." } else { "NOT everything agrees: see the lines marked above." }
    );
    check.agreed
}

struct Checks {
    rows: Vec<[String; 4]>,
    agreed: bool,
}

impl Checks {
    fn number(&mut self, what: &str, found: f64, published: f64, tolerance: f64) {
        let agrees = (found - published).abs() <= tolerance * published.abs();
        self.row(what, format!("{found}"), format!("{published}"), agrees);
    }

    fn least(&mut self, what: &str, found: u64, least: u64) {
        self.row(what, found.to_string(), format!("{least} or more"), found >= least);
    }

    fn yes(&mut self, what: &str, fine: bool, no: &str, yes: &str) {
        self.row(what, if fine { yes } else { no }.to_owned(), yes.to_owned(), fine);
    }

    fn row(&mut self, what: &str, found: String, published: String, agrees: bool) {
        self.agreed &= agrees;
        self.rows.push([what.to_owned(), found, published, if agrees { "agrees" } else { "DIFFERS" }.to_owned()]);
    }

    fn print(&self) {
        println!("  {:<38} {:>22} {:>18}", "", "here", "published");
        for [what, found, published, agrees] in &self.rows {
            println!("  {what:<38} {found:>22} {published:>18}  {agrees}");
        }
    }
}
