//! Rows of text in aligned columns, and numbers as people write them.

use std::fmt::Write;

/// Columns of a terminal whose size nobody tells, and of everything that is no terminal.
const USUAL_WIDTH: usize = 80;

/// Cells in columns two spaces apart; the columns named in `left` begin at the left, all others end at the right.
pub fn aligned(rows: &[Vec<String>], left: &[usize]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(
                |(at, (cell, &width))| {
                    if left.contains(&at) { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                },
            )
            .collect();
        let _ = writeln!(out, "  {}", cells.join("  ").trim_end());
    }
    out
}

/// A whole number with commas between thousands.
pub fn whole(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

/// A share as a percentage with up to four significant digits.
pub fn percent(share: f64) -> String {
    let value = 100.0 * share;
    let text = if value.abs() >= 10.0 { format!("{value:.2}") } else { format!("{value:.3}") };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}%")
}

/// A text in lines of at most so many characters, broken between words; a longer word has its own line.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Columns of standard output: of the terminal, or 80.
pub fn width() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => USUAL_WIDTH,
    }
}

/// A share given as `5%` or `0.05`.
pub fn share(text: &str) -> Result<f64, String> {
    // By its digits, because 99.9 divided by 100 is not the double nearest to 0.999.
    let number = match text.strip_suffix('%') {
        Some(number) => format!("{}e-2", number.trim_end()),
        None => text.to_owned(),
    };
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("'{text}' is neither a share such as 0.05 nor a percentage such as 5%")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        assert_eq!([0.0, 999.0, 62_462.0, -1_234_567.0].map(whole), ["0", "999", "62,462", "-1,234,567"]);
        assert_eq!([0.05, 0.2479, 1.0, -0.1].map(percent), ["5%", "24.79%", "100%", "-10%"]);
        assert_eq!((share("5%"), share("0.05"), share("99.9 %")), (Ok(0.05), Ok(0.05), Ok(0.999)));
        assert!(share("five").is_err() && share("inf").is_err() && share("%").is_err());
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["bcd".to_owned(), "222".to_owned()]];
        assert_eq!(aligned(&rows, &[0]), "  a      1\n  bcd  222\n");
    }
}
