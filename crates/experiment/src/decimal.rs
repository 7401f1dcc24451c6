//! Decimal text to micro-units, exactly: no detour through floating point.

use crate::Value;

/// Reads a JSON number; rounds half-even at the sixth decimal. `Err` says what is wrong with it.
///
/// ```
/// assert_eq!(assay_experiment::decimal("19.99").map(|value| value.0), Ok(19_990_000));
/// assert_eq!(assay_experiment::decimal("25e-7").map(|value| value.0), Ok(2));
/// assert!(assay_experiment::decimal("1e400").is_err());
/// ```
pub fn decimal(text: &str) -> Result<Value, &'static str> {
    const NOT_A_NUMBER: &str = "is not a number; write one such as 19.99";
    const TOO_LARGE: &str = "is beyond 1,000,000,000 in magnitude";
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], exponent(&unsigned[at + 1..]).ok_or(NOT_A_NUMBER)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.len() > 1 && whole.starts_with('0')) {
        return Err(NOT_A_NUMBER);
    }
    // Of all digits in order, the first `point` stand before the point of the number in micro-units.
    let point = whole.len() as i64 + exponent + 6;
    let (mut value, mut next, mut beyond, mut length) = (0i64, 0, false, 0);
    for (at, digit) in whole.bytes().chain(fraction.bytes()).map(|byte| i64::from(byte - b'0')).enumerate() {
        length = at as i64 + 1;
        if (at as i64) < point {
            value = value.checked_mul(10).and_then(|value| value.checked_add(digit)).ok_or(TOO_LARGE)?;
        } else if at as i64 == point {
            next = digit;
        } else {
            beyond |= digit != 0;
        }
    }
    for _ in length..point.max(length) {
        if value == 0 {
            break;
        }
        value = value.checked_mul(10).ok_or(TOO_LARGE)?;
    }
    if point >= 0 {
        value += i64::from(next > 5 || next == 5 && (beyond || value % 2 == 1));
    }
    if value > Value::MAX.0 {
        return Err(TOO_LARGE);
    }
    Ok(Value(if negative { -value } else { value }))
}

/// Clamped to where every further digit is the same: zero or too large.
fn exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.bytes().fold(0i64, |sum, byte| (sum * 10 + i64::from(byte - b'0')).min(100_000_000));
    Some(if negative { -magnitude } else { magnitude })
}

/// Micro-units as the shortest decimal text.
pub(crate) fn decimal_text(value: Value) -> String {
    let (sign, magnitude) = (if value.0 < 0 { "-" } else { "" }, value.0.unsigned_abs());
    let (whole, micro) = (magnitude / 1_000_000, magnitude % 1_000_000);
    if micro == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = format!("{micro:06}");
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_exact_and_round_half_to_even() {
        let cases = [
            ("0", 0),
            ("-0", 0),
            ("19.99", 19_990_000),
            ("1e3", 1_000_000_000),
            ("1E+3", 1_000_000_000),
            ("1.5e-6", 2),
            ("0.5e-6", 0),
            ("2.5e-6", 2),
            ("2.50000000000000000000000001e-6", 3),
            ("0.0000015", 2),
            ("0.00000049999999999", 0),
            ("-0.0000015", -2),
            ("1000000000", 1_000_000_000_000_000),
            ("0.1e10", 1_000_000_000_000_000),
            ("1e-400", 0),
            ("0e400", 0),
            ("0.9999995", 1_000_000),
            ("6e-7", 1),
            ("4e-7", 0),
        ];
        for (text, micro) in cases {
            assert_eq!(decimal(text), Ok(Value(micro)), "{text}");
        }
        for text in ["1000000000.000001", "1e400", "-1e10", "99999999999999999999999", "1e99999999999999999999"] {
            assert!(decimal(text).unwrap_err().contains("beyond"), "{text}");
        }
        for text in
            ["", "-", "+1", "01", ".5", "1.", "1e", "1e+", "NaN", "Infinity", "0x10", "1_000", " 1", "1 ", "--1"]
        {
            assert!(decimal(text).unwrap_err().contains("not a number"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_of_a_value_reads_back(micro in -1_000_000_000_000_000i64..=1_000_000_000_000_000) {
            prop_assert_eq!(decimal(&decimal_text(Value(micro))), Ok(Value(micro)));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.eE]{0,40}") {
            let _ = decimal(&text);
        }
    }
}
