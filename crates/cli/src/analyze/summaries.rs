//! Counts, means and variances over time: one row per look and comparison, or per look and arm.

use super::series::{Planned, Point, Series, Tally};
use super::source::Source;
use crate::WrongUse;
use anyhow::{Result, bail};
use assay_statistics::alpha::Alpha;
use assay_statistics::moments::Arm;
use std::collections::BTreeMap;
use std::path::Path;

/// Rows that are kept in memory.
const ROWS_MAX: u64 = 20_000_000;
/// Names of a column of times, when none is given.
const TIMES: [&str; 7] = ["time_since_start", "time", "day", "date", "at", "hour", "look"];
/// A column with at most this many values is worth a tally of its own.
const TALLIED_MAX: usize = 12;
/// Each of them with at least so many comparisons, and at least half as many as the largest.
const TALLIED_MIN: usize = 5;

/// A file of summaries.
pub struct Summaries {
    /// The file, as named.
    pub file: String,
    /// Rows read.
    pub rows: u64,
    /// Rows without all of their numbers, left out.
    pub skipped: u64,
    /// Comparisons that have only such rows.
    pub empty: usize,
    /// Share of false positives.
    pub alpha: Alpha,
    /// N*, as asked for.
    pub planned: Planned,
    /// Comparisons, in the order of their first row.
    pub series: Vec<Series>,
}

impl Summaries {
    /// Over all comparisons.
    pub fn tally(&self) -> Tally {
        Tally::of(self.series.iter())
    }

    /// By value of each column that has a few, with many comparisons each: column, value, tally.
    pub fn tallies(&self) -> Vec<(String, String, Tally)> {
        let mut found = Vec::new();
        let columns = self.series.first().map_or(0, |series| series.key.len());
        for column in 0..columns {
            let mut groups: BTreeMap<&str, Vec<&Series>> = BTreeMap::new();
            for series in &self.series {
                groups.entry(&series.key[column].1).or_default().push(series);
            }
            let sizes = || groups.values().map(Vec::len);
            let alike = sizes().min().unwrap_or(0) >= TALLIED_MIN.max(sizes().max().unwrap_or(0) / 2);
            if groups.len() < 2 || groups.len() > TALLIED_MAX || !alike {
                continue;
            }
            for (value, series) in groups {
                let tally = Tally::of(series.into_iter());
                found.push((self.series[0].key[column].0.clone(), value.to_owned(), tally));
            }
        }
        found
    }
}

/// Positions of count, mean and variance.
type Numbers = [usize; 3];

/// How a row tells its arms.
enum Layout {
    /// Both in one row.
    Wide(Numbers, Numbers),
    /// One per row.
    Long { variant: usize, control: String, numbers: Numbers },
}

/// Reads a file and looks at every comparison. `pair` is the column of the variant and the control's name, for one row per arm.
pub fn read(
    path: &Path,
    pair: Option<(&str, &str)>,
    time: Option<&str>,
    planned: Planned,
    alpha: Alpha,
) -> Result<Summaries> {
    let mut source = Source::open(path)?;
    let layout = match pair {
        None => Layout::Wide(numbers(&source, "_c")?, numbers(&source, "_t")?),
        Some((variant, control)) => Layout::Long {
            variant: source.column(variant)?,
            control: control.to_owned(),
            numbers: numbers(&source, "")?,
        },
    };
    let time = self::time(&source, time)?;
    let used: Vec<usize> = match &layout {
        Layout::Wide(control, treatment) => control.iter().chain(treatment).copied().collect(),
        Layout::Long { variant, numbers, .. } => numbers.iter().copied().chain([*variant]).collect(),
    };
    let keys: Vec<usize> = (0..source.columns().len()).filter(|at| *at != time && !used.contains(at)).collect();
    let rows = match layout {
        Layout::Wide(control, treatment) => wide(&mut source, &keys, time, control, treatment)?,
        Layout::Long { variant, control, numbers } => long(&mut source, &keys, time, variant, &control, numbers)?,
    };
    let names: Vec<String> = keys.iter().map(|&at| source.columns()[at].clone()).collect();
    let variant = pair.map(|(variant, _)| variant.to_owned());
    let names: Vec<String> = names.into_iter().chain(variant).collect();
    let empty = rows.found.iter().filter(|(_, points)| points.is_empty()).count();
    let series: Vec<Series> = rows
        .found
        .into_iter()
        .filter_map(|(key, points)| {
            Series::new(names.iter().cloned().zip(key).collect(), in_order(points), planned, alpha)
        })
        .collect();
    if series.is_empty() {
        bail!("{} has no row with all of its numbers", source.file());
    }
    Ok(Summaries {
        file: source.file().to_owned(),
        rows: rows.read,
        skipped: rows.skipped,
        empty,
        alpha,
        planned,
        series,
    })
}

fn numbers(source: &Source, suffix: &str) -> Result<Numbers> {
    Ok([
        source.column(&format!("count{suffix}"))?,
        source.column(&format!("mean{suffix}"))?,
        source.column(&format!("variance{suffix}"))?,
    ])
}

fn time(source: &Source, given: Option<&str>) -> Result<usize> {
    if let Some(name) = given {
        return source.column(name);
    }
    let found = TIMES.iter().find_map(|name| source.columns().iter().position(|column| column == name));
    found.ok_or_else(|| {
        WrongUse(format!(
            "{} has no column of times by a usual name; give --time, one of {}",
            source.file(),
            source.columns().join(", ")
        ))
        .into()
    })
}

/// Points by comparison, in the order of the first row of each.
#[derive(Default)]
struct Rows {
    read: u64,
    skipped: u64,
    found: Vec<(Vec<String>, Vec<Point>)>,
    index: BTreeMap<Vec<String>, usize>,
}

impl Rows {
    fn count(&mut self) -> Result<()> {
        self.read += 1;
        if self.read > ROWS_MAX {
            bail!("more than {ROWS_MAX} rows of summaries are not read: split the file by comparison");
        }
        Ok(())
    }

    /// A point of a comparison, or a row that has none.
    fn push(&mut self, key: Vec<String>, point: Option<Point>) {
        let at = *self.index.entry(key.clone()).or_insert(self.found.len());
        if at == self.found.len() {
            self.found.push((key, Vec::new()));
        }
        self.skipped += u64::from(point.is_none());
        self.found[at].1.extend(point);
    }
}

fn wide(source: &mut Source, keys: &[usize], time: usize, control: Numbers, treatment: Numbers) -> Result<Rows> {
    let (mut rows, mut row) = (Rows::default(), csv::StringRecord::new());
    while source.next(&mut row)? {
        rows.count()?;
        let key = keys.iter().map(|&at| row[at].trim().to_owned()).collect();
        let (at, x) = moment(source, &row, time)?;
        let arms = arm(source, &row, control)?.zip(arm(source, &row, treatment)?);
        rows.push(key, arms.map(|(control, treatment)| Point { at, x, control, treatment }));
    }
    Ok(rows)
}

/// The arms of a comparison at one time: the control, and every other variant by name.
type Arms = BTreeMap<String, Arm>;

fn long(
    source: &mut Source,
    keys: &[usize],
    time: usize,
    variant: usize,
    control: &str,
    numbers: Numbers,
) -> Result<Rows> {
    let (mut rows, mut row) = (Rows::default(), csv::StringRecord::new());
    // In the order of the file, so that comparisons keep it.
    let mut looks: Vec<(Vec<String>, String, f64, Arms)> = Vec::new();
    let mut index: BTreeMap<(Vec<String>, String), usize> = BTreeMap::new();
    while source.next(&mut row)? {
        rows.count()?;
        let Some(arm) = arm(source, &row, numbers)? else {
            rows.skipped += 1;
            continue;
        };
        let key: Vec<String> = keys.iter().map(|&at| row[at].trim().to_owned()).collect();
        let (at, x) = moment(source, &row, time)?;
        let place = *index.entry((key.clone(), at.clone())).or_insert(looks.len());
        if place == looks.len() {
            looks.push((key, at, x, Arms::new()));
        }
        let name = row[variant].trim().to_owned();
        if looks[place].3.insert(name.clone(), arm).is_some() {
            bail!("{}: '{name}' has a second row at the same time", source.place(&row, variant));
        }
    }
    if !looks.iter().any(|(.., arms)| arms.contains_key(control)) && rows.read > rows.skipped {
        let known: std::collections::BTreeSet<&str> =
            looks.iter().flat_map(|(.., arms)| arms.keys().map(String::as_str)).collect();
        let near = assay_experiment::nearest(control, known.iter().copied());
        let known: Vec<&str> = known.into_iter().take(20).collect();
        return Err(WrongUse(format!(
            "{} has no variant '{control}'{near}; it has {}",
            source.file(),
            known.join(", ")
        ))
        .into());
    }
    for (key, at, x, arms) in looks {
        let Some(base) = arms.get(control).copied() else {
            rows.skipped += arms.len() as u64;
            continue;
        };
        for (name, arm) in arms.into_iter().filter(|(name, _)| name != control) {
            let key = key.iter().cloned().chain([name]).collect();
            rows.push(key, Some(Point { at: at.clone(), x, control: base, treatment: arm }));
        }
    }
    Ok(rows)
}

/// Count, mean and variance as an arm; `None` when one of them is missing.
fn arm(source: &Source, row: &csv::StringRecord, at: Numbers) -> Result<Option<Arm>> {
    let [n, mean, variance] = at;
    let (Some(n_value), Some(mean), Some(spread)) =
        (source.float(row, n)?, source.float(row, mean)?, source.float(row, variance)?)
    else {
        return Ok(None);
    };
    if n_value < 0.0 || n_value.fract() != 0.0 {
        bail!("{}: '{}' is no count: counts are whole numbers from 0", source.place(row, n), row[n].trim());
    }
    if spread < 0.0 {
        bail!(
            "{}: '{}' is no variance: variances are never negative",
            source.place(row, variance),
            row[variance].trim()
        );
    }
    let m2 = spread * (n_value - 1.0).max(0.0);
    if !m2.is_finite() {
        bail!(
            "{}: '{}' is too large a variance: use a larger unit of value",
            source.place(row, variance),
            row[variance].trim()
        );
    }
    Ok(Some(Arm { n: n_value, mean, m2 }))
}

/// The time as written, and as a number where it is one (else not a number: the order of the texts counts).
fn moment(source: &Source, row: &csv::StringRecord, time: usize) -> Result<(String, f64)> {
    let text = row[time].trim();
    if text.is_empty() {
        bail!("{} is empty: every row has a time", source.place(row, time));
    }
    let x = text.parse::<f64>().ok().filter(|x| x.is_finite()).unwrap_or(f64::NAN);
    // 1.5000000000000002 is the way a computer wrote 1.5.
    let shown = if x.is_finite() { crate::table::number(x) } else { text.to_owned() };
    Ok((shown, x))
}

/// By time: as numbers if all are, else as texts (which sorts dates).
fn in_order(mut points: Vec<Point>) -> Vec<Point> {
    if points.iter().all(|point| point.x.is_finite()) {
        points.sort_by(|one, other| one.x.total_cmp(&other.x));
    } else {
        points.sort_by(|one, other| one.at.cmp(&other.at));
        points.iter_mut().enumerate().for_each(|(place, point)| point.x = place as f64);
    }
    points
}
