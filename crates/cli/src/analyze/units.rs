//! From rows to units: one value per unit and column, whatever the number of rows a unit has.
//!
//! With `--unit` the rows of a unit are added up: a conversion is yes if any row says yes, sums and counts and both parts of a ratio are added,
//! a covariate, a segment and a cluster are those of the first row that names one. Empty cells add nothing. A unit seen in two variants is
//! left out of everything and counted, as the engine does. Without `--unit` every row is a unit. Values are integers in micro-units, read
//! from the decimals as they stand, so that sums are those of the engine to the last digit.

use super::source::Source;
use anyhow::{Result, bail};
use assay_experiment::Value;
use std::collections::HashMap;

/// Units that are kept in memory, some tens of bytes each.
const UNITS_MAX: usize = 100_000_000;
/// Arms of an experiment.
const VARIANTS_MAX: usize = 100;
/// Values of a segment; more are no segment but an id.
const SEGMENT_VALUES_MAX: usize = 200;
/// A unit without a variant so far.
const UNKNOWN: u8 = u8::MAX;
/// A unit seen in two variants.
const CROSSED: u8 = u8::MAX - 1;
/// No value yet, in columns of which a unit has one value.
pub const ABSENT: i64 = i64::MIN;

/// How the rows of a unit become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// 1,000,000 if any row says yes, else 0.
    Yes,
    /// Their sum.
    Sum,
    /// Their sum, of whole numbers from 0.
    Count,
    /// That of the first row that has one, else [`ABSENT`].
    First,
    /// The only one, else [`ABSENT`]; a second is refused.
    Single,
}

/// Positions of the columns that are read.
pub struct Wanted {
    /// Of the unit's name; `None` when every row is a unit.
    pub unit: Option<usize>,
    /// Of the variant.
    pub variant: usize,
    /// Of values, each with how it is read.
    pub values: Vec<(usize, Reads)>,
    /// Of segments.
    pub segments: Vec<usize>,
    /// Of the cluster.
    pub cluster: Option<usize>,
}

/// Texts of a column as small numbers, one per unit.
pub struct Labels {
    /// The different texts, in the order of their first appearance.
    pub names: Vec<String>,
    /// Position among the names, one per unit.
    pub of: Vec<u32>,
    index: HashMap<String, u32>,
}

/// A unit whose column was empty so far.
const UNLABELLED: u32 = u32::MAX;

impl Labels {
    fn new() -> Labels {
        Labels { names: Vec::new(), of: Vec::new(), index: HashMap::new() }
    }

    fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.index.get(text) {
            return number;
        }
        let number = self.names.len() as u32;
        self.names.push(text.to_owned());
        self.index.insert(text.to_owned(), number);
        number
    }

    /// `true` if the unit had another text before, which stays.
    fn set(&mut self, unit: usize, text: &str) -> bool {
        if text.is_empty() {
            return false;
        }
        let number = self.number(text);
        let before = std::mem::replace(&mut self.of[unit], number);
        if before != UNLABELLED && before != number {
            self.of[unit] = before;
        }
        before != UNLABELLED && before != number
    }

    /// Units without a text get one.
    fn finish(&mut self) {
        if self.of.contains(&UNLABELLED) {
            let none = self.number("(none)");
            self.of.iter_mut().filter(|of| **of == UNLABELLED).for_each(|of| *of = none);
        }
    }
}

/// The units of a file.
pub struct Units {
    /// Names of the variants, in the order of their first appearance.
    pub variants: Vec<String>,
    /// Values by column as wanted, one per unit.
    pub values: Vec<Vec<i64>>,
    /// Segments by column as wanted.
    pub segments: Vec<Labels>,
    /// Cluster of each unit.
    pub cluster: Option<Labels>,
    /// Rows read.
    pub rows: u64,
    /// Units in two variants: in no arm.
    pub crossed: u64,
    /// Units for which no row names a variant: in no arm.
    pub unassigned: u64,
    /// Rows that contradict an earlier row of their unit in a segment, covariate or cluster: the earlier one counts.
    pub contradictions: u64,
    /// Unit totals beyond the range of values, which count as its end.
    pub clamped: u64,
    of: Vec<u8>,
}

impl Units {
    /// Reads all rows.
    pub fn read(source: &mut Source, wanted: &Wanted) -> Result<Units> {
        let mut units = Units {
            variants: Vec::new(),
            values: vec![Vec::new(); wanted.values.len()],
            segments: wanted.segments.iter().map(|_| Labels::new()).collect(),
            cluster: wanted.cluster.map(|_| Labels::new()),
            rows: 0,
            crossed: 0,
            unassigned: 0,
            contradictions: 0,
            clamped: 0,
            of: Vec::new(),
        };
        let mut known: HashMap<Box<str>, u32> = HashMap::new();
        let mut row = csv::StringRecord::new();
        while source.next(&mut row)? {
            units.rows += 1;
            let unit = match wanted.unit {
                None => units.push(wanted)?,
                Some(column) => {
                    let name = row[column].trim();
                    if name.is_empty() {
                        bail!("{} is empty: every row names its unit", source.place(&row, column));
                    }
                    match known.get(name) {
                        Some(&unit) => unit as usize,
                        None => {
                            let unit = units.push(wanted)?;
                            known.insert(name.into(), unit as u32);
                            unit
                        }
                    }
                }
            };
            units.add(source, &row, unit, wanted)?;
        }
        units.finish(wanted);
        if units.of.is_empty() {
            bail!("{} has no rows below its header", source.file());
        }
        Ok(units)
    }

    fn push(&mut self, wanted: &Wanted) -> Result<usize> {
        if self.of.len() >= UNITS_MAX {
            bail!("more than {UNITS_MAX} units are not read: use --summaries on counts, means and variances");
        }
        self.of.push(UNKNOWN);
        for (values, (_, reads)) in self.values.iter_mut().zip(&wanted.values) {
            values.push(if matches!(reads, Reads::First | Reads::Single) { ABSENT } else { 0 });
        }
        self.segments.iter_mut().chain(&mut self.cluster).for_each(|labels| labels.of.push(UNLABELLED));
        Ok(self.of.len() - 1)
    }

    fn add(&mut self, source: &Source, row: &csv::StringRecord, unit: usize, wanted: &Wanted) -> Result<()> {
        self.assign(source, row, unit, wanted)?;
        for (at, &(column, reads)) in wanted.values.iter().enumerate() {
            let value = match reads {
                Reads::Yes => source.yes(row, column)?.map(|yes| i64::from(yes) * 1_000_000),
                _ => source.micro(row, column)?,
            };
            let Some(value) = value else { continue };
            let place = || source.place(row, column);
            let total = &mut self.values[at][unit];
            match reads {
                Reads::Yes => *total = value.max(*total),
                Reads::Count if value < 0 || value % 1_000_000 != 0 => {
                    bail!("{}: '{}' is no count: counts are whole numbers from 0", place(), row[column].trim())
                }
                Reads::Sum | Reads::Count => match total.checked_add(value) {
                    Some(sum) => *total = sum,
                    None => bail!(
                        "{}: the total of this unit is beyond what can be added up: use a larger unit of value",
                        place()
                    ),
                },
                Reads::First if *total == ABSENT => *total = value,
                Reads::First => self.contradictions += u64::from(*total != value),
                Reads::Single if *total == ABSENT => *total = value,
                Reads::Single => {
                    bail!(
                        "{}: the unit has a second value here, and a quantile takes one per unit: give the file one row per unit",
                        place()
                    )
                }
            }
        }
        for (labels, &column) in self.segments.iter_mut().zip(&wanted.segments) {
            self.contradictions += u64::from(labels.set(unit, row[column].trim()));
            if labels.names.len() > SEGMENT_VALUES_MAX {
                bail!(
                    "{}: there are more than {SEGMENT_VALUES_MAX} different values, and a segment has few",
                    source.place(row, column)
                );
            }
        }
        if let (Some(labels), Some(column)) = (&mut self.cluster, wanted.cluster) {
            let text = row[column].trim();
            if text.is_empty() && wanted.unit.is_none() {
                bail!("{} is empty: every unit belongs to a cluster", source.place(row, column));
            }
            self.contradictions += u64::from(labels.set(unit, text));
        }
        Ok(())
    }

    fn assign(&mut self, source: &Source, row: &csv::StringRecord, unit: usize, wanted: &Wanted) -> Result<()> {
        let variant = row[wanted.variant].trim();
        if variant.is_empty() {
            if wanted.unit.is_none() {
                bail!("{} is empty: every row names the variant of its unit", source.place(row, wanted.variant));
            }
            return Ok(());
        }
        let number = match self.variants.iter().position(|known| known == variant) {
            Some(number) => number,
            None if self.variants.len() < VARIANTS_MAX => {
                self.variants.push(variant.to_owned());
                self.variants.len() - 1
            }
            None => bail!(
                "{}: there are more than {VARIANTS_MAX} variants; is this the column of the variant?",
                source.place(row, wanted.variant)
            ),
        } as u8;
        let of = &mut self.of[unit];
        *of = if *of == UNKNOWN || *of == number { number } else { CROSSED };
        Ok(())
    }

    fn finish(&mut self, wanted: &Wanted) {
        self.crossed = self.of.iter().filter(|&&of| of == CROSSED).count() as u64;
        self.unassigned = self.of.iter().filter(|&&of| of == UNKNOWN).count() as u64;
        for (values, (_, reads)) in self.values.iter_mut().zip(&wanted.values) {
            if matches!(reads, Reads::Sum | Reads::Count) {
                for value in values.iter_mut() {
                    let read = (*value).clamp(-Value::MAX.0, Value::MAX.0);
                    self.clamped += u64::from(read != *value);
                    *value = read;
                }
            }
        }
        self.segments.iter_mut().chain(&mut self.cluster).for_each(Labels::finish);
    }

    /// Units of all arms, with their position and the position of their variant.
    pub fn assigned(&self) -> impl Iterator<Item = (usize, usize)> + Clone {
        self.of.iter().enumerate().filter(|(_, of)| **of < CROSSED).map(|(unit, &of)| (unit, usize::from(of)))
    }

    /// How many units each variant has.
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.variants.len()];
        self.assigned().for_each(|(_, variant)| counts[variant] += 1);
        counts
    }
}
