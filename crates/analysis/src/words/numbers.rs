//! Numbers as people read them: decimals follow the width of the interval, a minus is a minus, nothing is called zero that is not.
//!
//! The page formats the numbers of its tables by the same rules, so a number in a sentence is the number in the row beside it.

use std::fmt::Write;

const MINUS: char = '−';
/// More decimals than this say nothing to anybody.
const DECIMALS_MAX: usize = 6;
/// From this lift on it is said as a multiple: +1,000% is hard to read and ×11 is not.
const MULTIPLE_FROM: f64 = 10.0;
/// Counts up to here are written in full.
const FULL_TO: f64 = 999_999.0;

/// A number of decimals, thousands apart, halves away from zero; of the shortest digits that name the value, as browsers do it.
pub(super) fn fixed(value: f64, decimals: usize, sign: bool) -> String {
    let (whole, rest) = rounded(value.abs(), decimals);
    let is_zero = whole.bytes().chain(rest.bytes()).all(|digit| digit == b'0');
    let mut out = String::new();
    match value {
        _ if is_zero => {}
        value if value < 0.0 => out.push(MINUS),
        _ if sign => out.push('+'),
        _ => {}
    }
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !rest.is_empty() {
        let _ = write!(out, ".{rest}");
    }
    out
}

/// Digits before and after the point.
fn rounded(value: f64, decimals: usize) -> (String, String) {
    let text = value.to_string();
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut digits: Vec<u8> = whole.bytes().chain(rest.bytes().chain(std::iter::repeat(b'0')).take(decimals)).collect();
    if rest.as_bytes().get(decimals).is_some_and(|next| *next >= b'5') {
        let nines = digits.iter().rev().take_while(|digit| **digit == b'9').count();
        let from = digits.len() - nines;
        digits[from..].fill(b'0');
        match from.checked_sub(1) {
            Some(last) => digits[last] += 1,
            None => digits.insert(0, b'1'),
        }
    }
    let digits: String = digits.into_iter().map(char::from).collect();
    let (whole, rest) = digits.split_at(digits.len() - decimals);
    (whole.to_owned(), rest.to_owned())
}

/// Decimals that leave two significant digits of an interval's half-width.
pub(super) fn decimals_of(half: f64) -> usize {
    if !half.is_finite() || half <= 0.0 {
        return 0;
    }
    let text = format!("{half:e}");
    let magnitude: i64 = text.split_once('e').and_then(|it| it.1.parse().ok()).unwrap_or(0);
    usize::try_from(1 - magnitude).unwrap_or(0).min(DECIMALS_MAX)
}

/// Both ends of an interval, where they are limits.
pub(super) type Ends = (Option<f64>, Option<f64>);

/// One number of decimals for a group of intervals: what the narrowest needs, or else the others would hide what it says.
pub(super) fn decimals_of_group(intervals: impl IntoIterator<Item = Ends>, factor: f64) -> usize {
    let halves = intervals.into_iter().filter_map(|(low, high)| Some((high? - low?) / 2.0 * factor));
    halves.filter(|half| *half > 0.0).min_by(f64::total_cmp).map_or(0, decimals_of)
}

/// A share as a percentage without sign: 0.57%.
pub(super) fn percent(share: f64, decimals: usize) -> String {
    format!("{}%", fixed(share * 100.0, decimals, false))
}

/// A lift: +119%, −4.3%, ×11.
pub(super) fn lift(value: f64, decimals: usize, sign: bool) -> String {
    if value >= MULTIPLE_FROM {
        return format!("×{}", fixed(1.0 + value, 0, false));
    }
    format!("{}%", fixed(value * 100.0, decimals, sign))
}

/// The sign of a currency whose code is a unit.
fn currency(unit: &str) -> Option<String> {
    if unit.len() != 3 || !unit.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    Some(match unit {
        "USD" | "CAD" | "AUD" | "NZD" | "MXN" | "HKD" | "SGD" => "$".to_owned(),
        "EUR" => "€".to_owned(),
        "GBP" => "£".to_owned(),
        "JPY" | "CNY" => "¥".to_owned(),
        "INR" => "₹".to_owned(),
        "KRW" => "₩".to_owned(),
        "BRL" => "R$".to_owned(),
        code => format!("{code}\u{a0}"),
    })
}

fn money(value: f64, symbol: &str, decimals: usize, sign: bool) -> String {
    let text = fixed(value, decimals.max(2), sign);
    let digits = text.trim_start_matches(['+', MINUS]);
    format!("{}{symbol}{digits}", &text[..text.len() - digits.len()])
}

/// A mean in its unit.
pub(super) fn mean(value: f64, unit: &str, decimals: usize) -> String {
    match unit {
        "rate" => percent(value, decimals),
        "seconds" => format!("{} s", fixed(value, decimals, false)),
        _ => currency(unit)
            .map_or_else(|| fixed(value, decimals, false), |symbol| money(value, &symbol, decimals, false)),
    }
}

/// An absolute difference in its unit: points for rates.
pub(super) fn difference(value: f64, unit: &str, decimals: usize, sign: bool) -> String {
    match unit {
        "rate" => format!("{} points", fixed(value * 100.0, decimals, sign)),
        "seconds" => format!("{} s", fixed(value, decimals, sign)),
        _ => {
            currency(unit).map_or_else(|| fixed(value, decimals, sign), |symbol| money(value, &symbol, decimals, sign))
        }
    }
}

/// What a unit's values are multiplied by to be read.
pub(super) fn factor_of(unit: &str) -> f64 {
    if unit == "rate" { 100.0 } else { 1.0 }
}

/// An interval in words; `shape` says what its ends mean.
pub(super) fn range(low: Option<f64>, high: Option<f64>, shape: &str, say: impl Fn(f64) -> String) -> String {
    match (low, high) {
        (None, None) => "no limit yet".to_owned(),
        (None, Some(high)) if shape == "exclusive" => format!("above {}", say(high)),
        (Some(low), None) if shape == "exclusive" => format!("below {}", say(low)),
        (Some(low), Some(high)) if shape == "exclusive" => format!("below {} or above {}", say(low), say(high)),
        (low, high) => {
            let end = |value: Option<f64>| value.map_or_else(|| "no limit".to_owned(), &say);
            format!("{} to {}", end(low), end(high))
        }
    }
}

/// A p-value: never 0, never more digits than it is worth.
pub(super) fn p_value(p: f64) -> String {
    match p {
        p if p < 0.0001 => "<0.0001".to_owned(),
        p if p < 0.01 => fixed(p, 4, false),
        p if p < 0.1 => fixed(p, 3, false),
        p if p >= 0.995 => "1".to_owned(),
        p => fixed(p, 2, false),
    }
}

/// A count: exact up to a million, then 1.24M.
pub(super) fn count(value: f64) -> String {
    if value.abs() <= FULL_TO {
        return fixed(value, 0, false);
    }
    let (unit, size) = if value.abs() < 1e9 { ("M", 1e6) } else { ("bn", 1e9) };
    format!("{}{unit}", fixed(value / size, 2, false))
}

/// A count with its noun.
pub(super) fn plural(n: f64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1.0 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_leave_two_digits_of_the_half_width() {
        for (half, wanted) in
            [(77.0, 0), (13.0, 0), (9.9, 1), (1.3, 1), (0.57, 2), (0.0099, 4), (0.0, 0), (f64::INFINITY, 0), (1e-12, 6)]
        {
            assert_eq!(decimals_of(half), wanted, "{half}");
        }
        let groups: [(&[Ends], usize); 4] = [
            (&[(Some(0.59), Some(2.14)), (Some(0.09), Some(1.25))], 0),
            (&[(Some(-0.041), Some(0.116))], 1),
            (&[(Some(-0.001), Some(0.012)), (None, Some(0.4))], 2),
            (&[(None, None)], 0),
        ];
        for (intervals, wanted) in groups {
            assert_eq!(decimals_of_group(intervals.iter().copied(), 100.0), wanted, "{intervals:?}");
        }
    }

    #[test]
    fn numbers_are_rounded_as_browsers_round_them() {
        let cases = [
            (1.005, 2, "1.01"),
            (0.5, 0, "1"),
            (2.5, 0, "3"),
            (0.125, 2, "0.13"),
            (0.15, 1, "0.2"),
            (999.96, 1, "1,000.0"),
            (-1234.5, 2, "−1,234.50"),
            (1e21, 0, "1,000,000,000,000,000,000,000"),
            (1e-9, 2, "0.00"),
            (-0.0004, 1, "0.0"),
            (9.995, 2, "10.00"),
        ];
        for (value, decimals, wanted) in cases {
            assert_eq!(fixed(value, decimals, false), wanted, "{value}");
        }
    }

    #[test]
    fn lifts_are_percentages_up_to_ten_times() {
        let cases = [
            (1.188421876, 0, true, "+119%"),
            (-0.043, 1, true, "−4.3%"),
            (-0.0004, 1, true, "0.0%"),
            (0.0057, 2, true, "+0.57%"),
            (10.0, 0, true, "×11"),
            (41.5, 0, true, "×43"),
            (9.996, 0, true, "+1,000%"),
            (0.2, 0, false, "20%"),
        ];
        for (value, decimals, sign, wanted) in cases {
            assert_eq!(lift(value, decimals, sign), wanted);
        }
    }

    #[test]
    fn means_and_differences_have_their_unit() {
        let means = [
            (0.005726, "rate", 2, "0.57%"),
            (0.6527893551, "USD", 2, "$0.65"),
            (1234.5, "EUR", 0, "€1,234.50"),
            (1.25, "events", 2, "1.25"),
            (0.21, "seconds", 3, "0.210 s"),
            (3.0, "CHF", 0, "CHF\u{a0}3.00"),
        ];
        for (value, unit, decimals, wanted) in means {
            assert_eq!(mean(value, unit, decimals), wanted);
        }
        let differences = [
            (0.0068, "rate", 2, "+0.68 points"),
            (-0.0068, "rate", 2, "−0.68 points"),
            (-0.77, "USD", 2, "−$0.77"),
            (0.77, "USD", 2, "+$0.77"),
            (3.0, "events", 0, "+3"),
        ];
        for (value, unit, decimals, wanted) in differences {
            assert_eq!(difference(value, unit, decimals, true), wanted);
        }
    }

    #[test]
    fn p_values_and_counts_say_no_more_than_they_are_worth() {
        let cases = [
            (0.0, "<0.0001"),
            (0.00009, "<0.0001"),
            (0.003889, "0.0039"),
            (0.0234, "0.023"),
            (0.877864, "0.88"),
            (0.9999, "1"),
        ];
        for (p, wanted) in cases {
            assert_eq!(p_value(p), wanted);
        }
        let cases = [
            (0.0, "0"),
            (42_613.0, "42,613"),
            (999_999.0, "999,999"),
            (1_240_000.0, "1.24M"),
            (2_500_000_000.0, "2.50bn"),
        ];
        for (value, wanted) in cases {
            assert_eq!(count(value), wanted);
        }
        assert_eq!((plural(1.0, "day", "days"), plural(2.0, "day", "days")), ("1 day".to_owned(), "2 days".to_owned()));
    }

    #[test]
    fn intervals_say_what_their_ends_mean() {
        let cases = [
            (Some(0.59), Some(2.14), "bounded", "+59% to +214%"),
            (None, Some(0.4), "bounded", "no limit to +40%"),
            (Some(-0.4), None, "bounded", "−40% to no limit"),
            (None, None, "unbounded", "no limit yet"),
            (None, None, "exclusive", "no limit yet"),
            (Some(-0.4), Some(3.0), "exclusive", "below −40% or above +300%"),
            (None, Some(3.0), "exclusive", "above +300%"),
        ];
        for (low, high, shape, wanted) in cases {
            assert_eq!(range(low, high, shape, |value| lift(value, 0, true)), wanted);
        }
    }
}
