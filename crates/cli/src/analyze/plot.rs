//! Plots as inline SVG: intervals on one scale, and a comparison over time with its band and its crossing.
//!
//! A plot is 360 wide in its own units, so that its text is readable on a phone and on a wide screen alike. Colours are classes of the page.

use std::fmt::Write;

/// Width of every plot; labels stand above their interval, because beside it a phone has no room.
const WIDTH: f64 = 360.0;
/// Height of one interval with its label.
const ROW: f64 = 34.0;
/// Free space left and right.
const MARGIN: f64 = 10.0;
/// Height of a plot over time.
const HEIGHT: f64 = 150.0;
/// Where its area begins; above are the texts.
const TOP: f64 = 16.0;
/// Room for the time below.
const BOTTOM: f64 = 18.0;
/// Points of a band that are drawn; more cannot be told apart at this width.
const POINTS_MAX: usize = 180;

/// An interval with a label.
pub struct Bar {
    /// What it is.
    pub label: String,
    /// The estimate.
    pub estimate: f64,
    /// The interval that decides; infinite where nothing is ruled out.
    pub wide: (f64, f64),
    /// An interval to compare it with.
    pub narrow: Option<(f64, f64)>,
    /// Whether the wide one excludes zero.
    pub decided: bool,
}

/// Texts that come from files, made harmless.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Control characters are not allowed in HTML, whatever their escape.
            _ if character.is_control() => out.push(' '),
            _ => out.push(character),
        }
    }
    out
}

/// Values to positions: linear between two ends.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Over all finite values; zero always has a place.
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Scale {
        let (mut low, mut high) = values
            .filter(|value| value.is_finite())
            .fold((0.0f64, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
        if low == high {
            (low, high) = (low - 1.0, high + 1.0);
        }
        let margin = 0.04 * (high - low);
        Scale { low: low - margin, high: high + margin, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + share * (self.to - self.from)
    }
}

/// Intervals below each other on one scale.
pub fn intervals(title: &str, bars: &[Bar]) -> String {
    let values = bars.iter().flat_map(|bar| {
        let narrow = bar.narrow.unwrap_or((bar.estimate, bar.estimate));
        [bar.estimate, bar.wide.0, bar.wide.1, narrow.0, narrow.1]
    });
    let scale = Scale::over(values, MARGIN, WIDTH - MARGIN);
    let height = ROW * bars.len() as f64 + BOTTOM;
    let zero = scale.at(0.0);
    let mut out =
        format!("<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">", escape(title));
    for (place, bar) in bars.iter().enumerate() {
        let top = ROW * place as f64;
        let middle = top + 24.0;
        let class = if bar.decided { "decided" } else { "open" };
        let _ = write!(out, "<text x=\"{MARGIN}\" y=\"{:.1}\">{}</text>", top + 13.0, escape(&fitting(&bar.label)));
        let (from, to) = (middle - 7.0, middle + 8.0);
        let _ = write!(out, "<line class=\"zero\" x1=\"{zero:.1}\" y1=\"{from:.1}\" x2=\"{zero:.1}\" y2=\"{to:.1}\"/>");
        let (low, high) = (scale.at(bar.wide.0), scale.at(bar.wide.1));
        let _ = write!(
            out,
            "<line class=\"wide {class}\" x1=\"{low:.1}\" y1=\"{middle:.1}\" x2=\"{high:.1}\" y2=\"{middle:.1}\"/>"
        );
        for (end, finite) in [(low, bar.wide.0.is_finite()), (high, bar.wide.1.is_finite())] {
            if finite {
                let (from, to) = (middle - 4.0, middle + 4.0);
                let _ = write!(
                    out,
                    "<line class=\"wide {class}\" x1=\"{end:.1}\" y1=\"{from:.1}\" x2=\"{end:.1}\" y2=\"{to:.1}\"/>"
                );
            }
        }
        if let Some((low, high)) = bar.narrow {
            let (low, high) = (scale.at(low), scale.at(high));
            let _ = write!(
                out,
                "<line class=\"narrow {class}\" x1=\"{low:.1}\" y1=\"{middle:.1}\" x2=\"{high:.1}\" y2=\"{middle:.1}\"/>"
            );
        }
        if bar.estimate.is_finite() {
            let _ = write!(
                out,
                "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{middle:.1}\" r=\"3.5\"/>",
                scale.at(bar.estimate)
            );
        }
    }
    let y = height - 5.0;
    let number = |value: f64| super::text::signed(value);
    let _ = write!(
        out,
        "<text class=\"tick\" x=\"{MARGIN}\" y=\"{y:.1}\">{}</text><text class=\"tick\" x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>",
        number(shortened(scale.low)),
        WIDTH - MARGIN,
        number(shortened(scale.high))
    );
    // Only where it does not run into the ends.
    if (zero - MARGIN).min(WIDTH - MARGIN - zero) > 60.0 {
        let _ = write!(out, "<text class=\"tick\" x=\"{zero:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">0</text>");
    }
    out + "</svg>"
}

/// As much of a label as a plot is wide.
fn fitting(label: &str) -> String {
    const CHARACTERS_MAX: usize = 54;
    match label.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &label[..end]),
        None => label.to_owned(),
    }
}

/// Two significant digits, for the ends of a scale.
fn shortened(value: f64) -> f64 {
    format!("{value:.1e}").parse().unwrap_or(value)
}

/// A look on a plot over time.
pub struct Moment {
    /// Time as a number.
    pub x: f64,
    /// Time as shown.
    pub at: String,
    /// The estimate.
    pub estimate: f64,
    /// The interval that holds at all looks; infinite while it says nothing.
    pub wide: (f64, f64),
    /// The interval of a single look.
    pub narrow: Option<(f64, f64)>,
}

/// A comparison over time: two bands, the estimate, and marks where the always-valid and the naive p first fell below alpha.
pub fn over_time(title: &str, moments: &[Moment], crossed: Option<usize>, naive: Option<usize>) -> String {
    let (Some(first), Some(last)) = (moments.first(), moments.last()) else { return String::new() };
    let across = Scale {
        low: first.x,
        high: if last.x > first.x { last.x } else { first.x + 1.0 },
        from: MARGIN,
        to: WIDTH - MARGIN,
    };
    // The band begins very wide, and what matters is at its end: early values beyond three times the later ones leave the picture.
    let late = &moments[moments.len() / 4..];
    let reach = late
        .iter()
        .flat_map(|moment| [moment.estimate, moment.wide.0, moment.wide.1])
        .filter(|value| value.is_finite())
        .fold(0.0f64, |reach, value| reach.max(value.abs()));
    let reach = if reach > 0.0 { reach } else { f64::INFINITY };
    let inside = moments
        .iter()
        .flat_map(|moment| [moment.estimate, moment.wide.0, moment.wide.1])
        .filter(|value| value.abs() <= reach);
    let up = Scale::over(inside, HEIGHT - BOTTOM, TOP);
    let step = moments.len().div_ceil(POINTS_MAX).max(1);
    let drawn: Vec<&Moment> = moments
        .iter()
        .enumerate()
        .filter(|(at, _)| at % step == 0 || at + 1 == moments.len())
        .map(|(_, moment)| moment)
        .collect();
    let zero = up.at(0.0);
    let mut out =
        format!("<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">", escape(title));
    let band = |class: &str, ends: &dyn Fn(&Moment) -> Option<(f64, f64)>| {
        let known: Vec<(f64, f64, f64)> = drawn
            .iter()
            .filter_map(|moment| {
                ends(moment)
                    .filter(|(low, high)| low.is_finite() && high.is_finite())
                    .map(|(low, high)| (across.at(moment.x), up.at(low), up.at(high)))
            })
            .collect();
        if known.len() < 2 {
            return String::new();
        }
        let there = known.iter().map(|(x, _, high)| format!("{x:.1},{high:.1}"));
        let back = known.iter().rev().map(|(x, low, _)| format!("{x:.1},{low:.1}"));
        format!("<polygon class=\"{class}\" points=\"{}\"/>", there.chain(back).collect::<Vec<_>>().join(" "))
    };
    out += &band("band", &|moment| Some(moment.wide));
    out += &band("inner", &|moment| moment.narrow);
    let _ = write!(
        out,
        "<line class=\"zero\" x1=\"{MARGIN}\" y1=\"{zero:.1}\" x2=\"{:.1}\" y2=\"{zero:.1}\"/>",
        WIDTH - MARGIN
    );
    let path: Vec<String> = drawn
        .iter()
        .filter(|moment| moment.estimate.is_finite())
        .map(|moment| format!("{:.1},{:.1}", across.at(moment.x), up.at(moment.estimate)))
        .collect();
    let _ = write!(out, "<polyline class=\"estimate\" points=\"{}\"/>", path.join(" "));
    let mut mark = |at: Option<usize>, class: &str, text: &str, y: f64| {
        if let Some(moment) = at.and_then(|at| moments.get(at)) {
            let x = across.at(moment.x);
            let (anchor, shift) = if x > WIDTH / 2.0 { ("end", -4.0) } else { ("start", 4.0) };
            let _ = write!(
                out,
                "<line class=\"{class}\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{:.1}\"/><text class=\"tick\" x=\"{:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{text} {}</text>",
                HEIGHT - BOTTOM,
                x + shift,
                escape(&moment.at)
            );
        }
    };
    mark(crossed, "crossed", "crossed at", TOP + 9.0);
    mark(naive, "naive", "naive p at", TOP + 20.0);
    let y = HEIGHT - 5.0;
    let _ = write!(
        out,
        "<text class=\"tick\" x=\"{MARGIN}\" y=\"{y}\">{}</text><text class=\"tick\" x=\"{:.1}\" y=\"{y}\" text-anchor=\"end\">{}</text><text class=\"tick\" x=\"{MARGIN}\" y=\"11\">{}</text>",
        escape(&first.at),
        WIDTH - MARGIN,
        escape(&last.at),
        super::text::signed(shortened(up.high))
    );
    let _ = write!(
        out,
        "<text class=\"tick\" x=\"{MARGIN}\" y=\"{:.1}\">{}</text>",
        HEIGHT - BOTTOM - 2.0,
        super::text::signed(shortened(up.low))
    );
    out + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, wide: (f64, f64)) -> Bar {
        Bar { label: label.to_owned(), estimate: 1.0, wide, narrow: Some((0.5, 1.5)), decided: false }
    }

    #[test]
    fn whatever_the_numbers_coordinates_are_numbers() {
        let infinite = (f64::NEG_INFINITY, f64::INFINITY);
        let svg = intervals(
            "t",
            &[bar("a", (0.2, 3.0)), bar("b", infinite), Bar { estimate: f64::NAN, ..bar("c", infinite) }],
        );
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        let moment = |x: f64, wide| Moment { x, at: x.to_string(), estimate: 1.0, wide, narrow: None };
        for moments in [vec![], vec![moment(1.0, infinite)], vec![moment(1.0, infinite), moment(2.0, (-1.0, 1e300))]] {
            let svg = over_time("t", &moments, Some(0), Some(7));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn texts_of_a_file_are_only_texts() {
        let svg = intervals("<script>", &[bar("<img src=x onerror=\"alert('1')\">&\u{0}", (0.0, 1.0))]);
        assert!(!svg.contains("<script") && !svg.contains("<img") && !svg.contains('\u{0}'), "{svg}");
    }
}
