//! Times in UTC, days as people say them. They are made from RFC 3339 in UTC, which is what arguments carry.

use assay_experiment::{Timestamp, format_time, parse_time};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// 18:42:06
pub(super) fn clock(at: Timestamp) -> String {
    format_time(at).chars().skip(11).take(8).collect()
}

/// 23 Nov
pub(super) fn day(at: Timestamp) -> String {
    let text = format_time(at);
    let number = |from: usize, to: usize| text.get(from..to).and_then(|it| it.parse::<usize>().ok()).unwrap_or(1);
    format!("{} {}", number(8, 10), MONTHS[(number(5, 7) + 11) % 12])
}

/// 23 Nov 18:42
pub(super) fn moment(at: Timestamp) -> String {
    format!("{} {}", day(at), &clock(at)[..5])
}

/// 23 Nov 18:42:06
pub(super) fn moment_exact(at: Timestamp) -> String {
    format!("{} {}", day(at), clock(at))
}

/// The instant of an argument.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    parse_time(text).ok()
}

/// 0.8 s, 12 s, 4 min 12 s, 3 h 5 min, 2 d 4 h
pub(super) fn age(millis: i64) -> String {
    let millis = millis.max(0);
    let seconds = millis / 1_000;
    match millis {
        ..9_950 => format!("{}.{} s", (millis + 50) / 1_000, (millis + 50) / 100 % 10),
        9_950..59_500 => format!("{} s", (millis + 500) / 1_000),
        // Half a second before the minute it is one, so that no age is 60 s or 0 min.
        59_500..3_600_000 => pair(seconds.max(60), 60, 1, ["min", "s"]),
        3_600_000..86_400_000 => pair(seconds, 3_600, 60, ["h", "min"]),
        _ => pair(seconds, 86_400, 3_600, ["d", "h"]),
    }
}

fn pair(seconds: i64, large: i64, small: i64, names: [&str; 2]) -> String {
    let rest = seconds % large / small;
    let first = format!("{} {}", seconds / large, names[0]);
    if rest > 0 { format!("{first} {rest} {}", names[1]) } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_in_utc() {
        let at = instant("2026-11-03T18:42:06.25Z").unwrap();
        assert_eq!(
            [clock(at), day(at), moment(at), moment_exact(at)],
            ["18:42:06", "3 Nov", "3 Nov 18:42", "3 Nov 18:42:06"]
        );
    }

    #[test]
    fn ages_have_two_units_at_most() {
        let cases = [
            (808, "0.8 s"),
            (9_949, "9.9 s"),
            (9_950, "10 s"),
            (12_000, "12 s"),
            (59_499, "59 s"),
            (59_500, "1 min"),
            (60_000, "1 min"),
            (252_000, "4 min 12 s"),
            (11_100_000, "3 h 5 min"),
            (187_200_000, "2 d 4 h"),
        ];
        for (millis, wanted) in cases {
            assert_eq!(age(millis), wanted, "{millis}");
        }
    }
}
