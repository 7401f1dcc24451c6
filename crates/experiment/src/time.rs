//! RFC 3339 to microseconds and back.

use crate::{Span, Timestamp};

/// Reads a date and time with zone, at most six decimals of a second. `Err` says what is wrong with it.
///
/// ```
/// let time = assay_experiment::parse_time("2026-05-01T11:30:00.25+02:00").unwrap();
/// assert_eq!(assay_experiment::format_time(time), "2026-05-01T09:30:00.25Z");
/// ```
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    parse(text.as_bytes())
        .map_err(|problem| format!("'{}' {problem}; write it like 2026-05-01T09:30:00.25Z", shown(text)))
}

fn parse(text: &[u8]) -> Result<Timestamp, &'static str> {
    const SHAPE: &str = "is not a date and time of RFC 3339";
    let number = |from: usize, to: usize| -> Result<i64, &'static str> {
        text.get(from..to).ok_or(SHAPE)?.iter().try_fold(0i64, |sum, byte| {
            if byte.is_ascii_digit() { Ok(sum * 10 + i64::from(byte - b'0')) } else { Err(SHAPE) }
        })
    };
    let is =
        |at: usize, any: &[u8]| if text.get(at).is_some_and(|byte| any.contains(byte)) { Ok(()) } else { Err(SHAPE) };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    is(4, b"-")?;
    is(7, b"-")?;
    is(10, b"Tt ")?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    is(13, b":")?;
    is(16, b":")?;
    // A leap second counts as the first of the next minute, as clocks without leap seconds show it.
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 60 {
        return Err("is no time that exists");
    }
    let (mut at, mut micros) = (19, 0);
    if text.get(at) == Some(&b'.') {
        let digits = text[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Err(SHAPE);
        }
        if digits > 6 {
            return Err("has more than six decimals; microseconds are the finest that is kept");
        }
        micros = number(at + 1, at + 1 + digits)? * 10i64.pow(6 - digits as u32);
        at += 1 + digits;
    }
    let offset = match text.get(at) {
        None => return Err("has no time zone"),
        Some(b'Z' | b'z') if text.len() == at + 1 => 0,
        Some(sign @ (b'+' | b'-')) if text.len() == at + 6 => {
            is(at + 3, b":")?;
            let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
            if hours > 23 || minutes > 59 {
                return Err("has a time zone that does not exist");
            }
            (hours * 60 + minutes) * if *sign == b'-' { -60 } else { 60 }
        }
        Some(_) => return Err("has something other than a time zone (Z, or like +02:00) at its end"),
    };
    let seconds = days_from_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    Ok(Timestamp(seconds * Span::SECOND.0 + micros))
}

/// As RFC 3339 in UTC, with as many decimals as needed.
pub fn format_time(time: Timestamp) -> String {
    let (seconds, micros) = (time.0.div_euclid(Span::SECOND.0), time.0.rem_euclid(Span::SECOND.0));
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date_of(days);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60);
    if micros != 0 {
        text.push_str(format!(".{micros:06}").trim_end_matches('0'));
    }
    text.push('Z');
    text
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar: years start in March, so that leap days come last.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Enough of a text to recognise it in a message.
pub(crate) fn shown(text: &str) -> String {
    if text.chars().count() <= 40 { text.to_owned() } else { text.chars().take(40).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_with_zone_are_read_and_others_explained() {
        let cases = [
            ("1970-01-01T00:00:00Z", Ok(0)),
            ("2026-05-01T09:30:00.25Z", Ok(1_777_627_800_250_000)),
            ("2026-05-01t11:30:00.250000+02:00", Ok(1_777_627_800_250_000)),
            ("1969-12-31T23:59:59.999999Z", Ok(-1)),
            ("2024-02-29T00:00:00-00:00", Ok(1_709_164_800_000_000)),
            ("2016-12-31T23:59:60Z", Ok(1_483_228_800_000_000)),
            ("2026-05-01", Err("RFC 3339")),
            ("2026-05-01T09:30:00", Err("no time zone")),
            ("2026-05-01T09:30:00.1234567Z", Err("six decimals")),
            ("2023-02-29T00:00:00Z", Err("exists")),
            ("2026-13-01T00:00:00Z", Err("exists")),
            ("2026-05-01T24:00:00Z", Err("exists")),
            ("2026-05-01T09:30:00+0200", Err("zone")),
            ("2026-05-01T09:30:00Zjunk", Err("zone")),
            ("yesterday, at about noon or so", Err("RFC 3339")),
        ];
        for (text, expected) in cases {
            match (parse_time(text), expected) {
                (Ok(time), Ok(micros)) => assert_eq!(time.0, micros, "{text}"),
                (Err(problem), Err(part)) => assert!(problem.contains(part), "{text}: {problem}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(micros in -62_000_000_000_000_000i64..250_000_000_000_000_000) {
            let text = format_time(Timestamp(micros));
            prop_assert_eq!(parse_time(&text), Ok(Timestamp(micros)), "{}", text);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = parse_time(&text);
        }
    }
}
