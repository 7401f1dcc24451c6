//! A CSV file with a header: rows, names of columns, and the place of everything that is wrong.

use crate::{WrongUse, replay};
use anyhow::{Result, bail};
use assay_experiment::nearest;
use std::io::Read;
use std::path::Path;

/// Columns of a file; more are some other format.
const COLUMNS_MAX: usize = 10_000;

/// An open file.
pub struct Source {
    file: String,
    reader: csv::Reader<Box<dyn Read>>,
    columns: Vec<String>,
}

impl Source {
    /// Opens a file and reads its header; `.gz` and `.zst` are unpacked, `-` is standard input.
    pub fn open(path: &Path) -> Result<Source> {
        let file = path.display().to_string();
        let mut reader = csv::ReaderBuilder::new().from_reader(replay::open(path)?);
        let header = reader.headers().map_err(|problem| complaint(&file, &problem))?;
        let columns: Vec<String> =
            header.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect();
        if columns.is_empty() || columns.iter().all(String::is_empty) {
            bail!("{file} is empty: the first line names the columns");
        }
        if columns.len() > COLUMNS_MAX {
            bail!("{file}, line 1 has {} columns; at most {COLUMNS_MAX} are read", columns.len());
        }
        if let [only] = &columns[..]
            && only.contains([';', '\t'])
        {
            bail!("{file}, line 1 has no comma: columns are separated by commas");
        }
        if let Some(twice) = columns.iter().enumerate().find(|(at, name)| columns[..*at].contains(name)) {
            bail!("{file}, line 1 has two columns '{}': give one another name", twice.1);
        }
        Ok(Source { file, reader, columns })
    }

    /// As it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Names of the columns, in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Position of a column; a name that is none is told with the nearest.
    pub fn column(&self, name: &str) -> Result<usize> {
        if let Some(at) = self.columns.iter().position(|known| known == name) {
            return Ok(at);
        }
        let known = self.columns.iter().map(String::as_str);
        let message =
            format!("{} has no column '{name}'{}; it has {}", self.file, nearest(name, known), self.columns.join(", "));
        Err(WrongUse(message).into())
    }

    /// The next row; `false` after the last.
    pub fn next(&mut self, row: &mut csv::StringRecord) -> Result<bool> {
        self.reader.read_record(row).map_err(|problem| complaint(&self.file, &problem))
    }

    /// Where a row's cell is.
    pub fn place(&self, row: &csv::StringRecord, column: usize) -> String {
        let line = row.position().map_or(0, csv::Position::line);
        format!("{}, line {line}, column '{}'", self.file, self.columns[column])
    }

    /// A cell as a number in micro-units; `None` when it is empty.
    pub fn micro(&self, row: &csv::StringRecord, column: usize) -> Result<Option<i64>> {
        let text = row[column].trim();
        if text.is_empty() {
            return Ok(None);
        }
        match assay_experiment::decimal(text) {
            Ok(value) => Ok(Some(value.0)),
            Err(problem) => bail!("{}: '{text}' {problem}", self.place(row, column)),
        }
    }

    /// A cell as a floating number; `None` when it is empty.
    pub fn float(&self, row: &csv::StringRecord, column: usize) -> Result<Option<f64>> {
        let text = row[column].trim();
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some(value)),
            _ => bail!("{}: '{text}' is not a finite number; write one such as 19.99", self.place(row, column)),
        }
    }

    /// A cell as yes or no; `None` when it is empty.
    pub fn yes(&self, row: &csv::StringRecord, column: usize) -> Result<Option<bool>> {
        let text = row[column].trim();
        Ok(match text {
            "" => None,
            "1" => Some(true),
            "0" => Some(false),
            _ if ["true", "yes"].iter().any(|yes| text.eq_ignore_ascii_case(yes)) => Some(true),
            _ if ["false", "no"].iter().any(|no| text.eq_ignore_ascii_case(no)) => Some(false),
            _ => bail!(
                "{}: '{text}' is neither yes nor no: a conversion is 1 or 0, true or false, yes or no",
                self.place(row, column)
            ),
        })
    }
}

/// What the reader says, with file and line, and what to do.
fn complaint(file: &str, problem: &csv::Error) -> anyhow::Error {
    let line = problem.position().map_or(0, csv::Position::line);
    match problem.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => anyhow::anyhow!(
            "{file}, line {line} has {len} cells where the header has {expected_len}: quote cells that contain a comma"
        ),
        csv::ErrorKind::Utf8 { .. } => anyhow::anyhow!("{file}, line {line} is not UTF-8: convert the file"),
        csv::ErrorKind::Io(cause) => anyhow::anyhow!("reading {file}: {cause}"),
        _ => anyhow::anyhow!("{file}, line {line}: {problem}"),
    }
}
