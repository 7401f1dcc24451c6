//! Two kinds of plots as SVG, written by hand: curves, and dots in rows.
//!
//! Colours are in the middle between black and white, and nothing has a background, so that a plot can be read on light and on dark
//! pages. Series differ in dashes and shapes too, and carry their name beside them.

use std::fmt::Write;

/// Text and axes.
const NEUTRAL: &str = "#757d86";
/// Series, in order.
const COLOURS: [&str; 5] = ["#3f82e0", "#cf6f24", "#379a4c", "#9a6bd6", "#c2528b"];
const DASHES: [&str; 5] = ["none", "7 4", "2 3", "10 3 2 3", "5 2"];
const WIDTH: f64 = 860.0;
const CHARACTER: f64 = 6.4;

/// An axis from 0 on.
pub struct Axis {
    pub label: &'static str,
    pub end: f64,
    /// Whether numbers are shares, shown as percentages.
    pub percent: bool,
}

/// Points in the coordinates of the axes.
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// A value of reference, drawn across.
pub struct Mark {
    pub name: &'static str,
    pub at: f64,
}

/// A row of dots: one place for every series, which may be empty.
pub struct Row {
    pub name: String,
    pub values: Vec<Option<f64>>,
}

impl Axis {
    pub fn percent(label: &'static str, end: f64) -> Axis {
        Axis { label, end, percent: true }
    }

    /// 1, 2 or 5 times a power of ten, so that there are four to eight steps.
    fn step(&self) -> f64 {
        let rough = self.end / 6.0;
        let power = 10f64.powf(rough.log10().floor());
        [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|&step| step >= 0.8 * rough)
            .unwrap_or(rough)
    }

    fn ticks(&self) -> Vec<f64> {
        let step = self.step();
        (0..).map(|at| step * f64::from(at)).take_while(|&tick| tick <= self.end * 1.000_1).collect()
    }

    fn text(&self, value: f64) -> String {
        let (value, step) = if self.percent { (100.0 * value, 100.0 * self.step()) } else { (value, self.step()) };
        let digits = if step >= 0.99 { 0 } else { (-step.log10()).ceil() as usize };
        let number = format!("{value:.digits$}");
        let number = if digits == 0 { grouped(&number) } else { number };
        if self.percent { format!("{number} %") } else { number }
    }
}

/// 100000 as 100,000.
pub fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, fill: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="{fill}">{words}</text>"#);
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), style: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(svg, r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" {style}/>"#);
}

fn framed(height: f64, title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"system-ui, DejaVu Sans, sans-serif\" font-size=\"12\">\n\
         <title>{title}</title>\n{body}</svg>\n"
    )
}

/// Lines over a common axis; the name of each stands at its right end. A series of a single point is a dot with its name beside it.
pub fn curves(title: &str, x: &Axis, y: &Axis, series: &[Series], marks: &[Mark]) -> String {
    let height = 380.0;
    let lines = series.iter().filter(|one| one.points.len() > 1);
    let longest = lines.map(|one| one.name.chars().count()).max().unwrap_or(0);
    let (left, top, bottom) = (64.0, 16.0, height - 52.0);
    let right = WIDTH - 16.0 - CHARACTER * longest as f64;
    let place_x = |value: f64| left + (right - left) * value / x.end;
    let place_y = |value: f64| bottom - (bottom - top) * value / y.end;
    let mut svg = String::new();
    let grid = format!(r#"stroke="{NEUTRAL}" stroke-opacity="0.25""#);
    for tick in y.ticks() {
        line(&mut svg, (left, place_y(tick)), (right, place_y(tick)), &grid);
        text(&mut svg, left - 8.0, place_y(tick) + 4.0, "end", NEUTRAL, &y.text(tick));
    }
    for tick in x.ticks() {
        line(&mut svg, (place_x(tick), bottom), (place_x(tick), bottom + 5.0), &format!(r#"stroke="{NEUTRAL}""#));
        text(&mut svg, place_x(tick), bottom + 19.0, "middle", NEUTRAL, &x.text(tick));
    }
    line(&mut svg, (left, bottom), (right, bottom), &format!(r#"stroke="{NEUTRAL}""#));
    text(&mut svg, (left + right) / 2.0, height - 12.0, "middle", NEUTRAL, x.label);
    let middle = (top + bottom) / 2.0;
    let _ = writeln!(
        svg,
        r#"<text transform="translate(14 {middle:.1}) rotate(-90)" text-anchor="middle" fill="{NEUTRAL}">{}</text>"#,
        escaped(y.label)
    );
    for mark in marks {
        let style = format!(r#"stroke="{NEUTRAL}" stroke-width="1.2" stroke-dasharray="1 3""#);
        line(&mut svg, (left, place_y(mark.at)), (right, place_y(mark.at)), &style);
        text(&mut svg, left + 6.0, place_y(mark.at) - 5.0, "start", NEUTRAL, mark.name);
    }
    let ends: Vec<f64> = series.iter().map(|one| place_y(one.points.last().map_or(0.0, |point| point.1))).collect();
    for (at, (one, label)) in series.iter().zip(apart(&ends, 15.0, bottom)).enumerate() {
        let (colour, dash) = (COLOURS[at % COLOURS.len()], DASHES[at % DASHES.len()]);
        if let [(px, py)] = one.points[..] {
            dot(&mut svg, place_x(px), place_y(py), at);
            text(&mut svg, place_x(px) - 8.0, place_y(py) - 8.0, "end", colour, &one.name);
            continue;
        }
        // What ended before the axis does keeps its last value, so that its name stands at its height.
        let end = one.points.last().map(|&(px, py)| (px.max(x.end), py));
        let points: Vec<String> = one
            .points
            .iter()
            .copied()
            .chain(end)
            .map(|(px, py)| format!("{:.1},{:.1}", place_x(px), place_y(py)))
            .collect();
        let _ = writeln!(
            svg,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>"#,
            points.join(" ")
        );
        text(&mut svg, right + 6.0, label + 4.0, "start", colour, &one.name);
    }
    framed(height, title, &svg)
}

/// Moves labels so that neighbours are a line apart, upwards from the lowest.
fn apart(ends: &[f64], gap: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ends.len()).collect();
    order.sort_by(|&one, &other| ends[other].total_cmp(&ends[one]));
    let mut placed = ends.to_vec();
    let mut below = bottom + gap;
    for at in order {
        placed[at] = ends[at].min(below - gap);
        below = placed[at];
    }
    placed
}

/// Rows of dots over a common axis, with a legend above.
pub fn dots(title: &str, x: &Axis, series: &[&str], rows: &[Row], mark: &Mark) -> String {
    let spacing = 24.0;
    let longest = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let (left, right, top) = (20.0 + CHARACTER * longest as f64, WIDTH - 30.0, 52.0);
    let bottom = top + spacing * rows.len() as f64;
    let height = bottom + 48.0;
    let place = |value: f64| left + (right - left) * value.min(x.end) / x.end;
    let mut svg = String::new();
    let grid = format!(r#"stroke="{NEUTRAL}" stroke-opacity="0.25""#);
    for tick in x.ticks() {
        line(&mut svg, (place(tick), top), (place(tick), bottom), &grid);
        text(&mut svg, place(tick), bottom + 17.0, "middle", NEUTRAL, &x.text(tick));
    }
    text(&mut svg, (left + right) / 2.0, height - 8.0, "middle", NEUTRAL, x.label);
    let style = format!(r#"stroke="{NEUTRAL}" stroke-width="1.5" stroke-dasharray="1 3""#);
    line(&mut svg, (place(mark.at), top - 6.0), (place(mark.at), bottom), &style);
    text(&mut svg, place(mark.at), top - 10.0, "middle", NEUTRAL, mark.name);
    let mut legend = left;
    for (at, name) in series.iter().enumerate() {
        dot(&mut svg, legend, 14.0, at);
        text(&mut svg, legend + 10.0, 18.0, "start", COLOURS[at % COLOURS.len()], name);
        legend += 34.0 + CHARACTER * name.chars().count() as f64;
    }
    for (at, row) in rows.iter().enumerate() {
        let y = top + spacing * (at as f64 + 0.5);
        text(&mut svg, left - 12.0, y + 4.0, "end", NEUTRAL, &row.name);
        line(&mut svg, (left, y), (right, y), &format!(r#"stroke="{NEUTRAL}" stroke-opacity="0.12""#));
        for (series, value) in row.values.iter().enumerate().rev() {
            if let Some(value) = value {
                dot(&mut svg, place(*value), y, series);
            }
        }
    }
    framed(height, title, &svg)
}

/// A shape per series: circle, diamond, triangle, square.
fn dot(svg: &mut String, x: f64, y: f64, series: usize) {
    let colour = COLOURS[series % COLOURS.len()];
    let corners: &[(f64, f64)] = match series % 4 {
        0 => {
            let _ = writeln!(svg, r#"<circle cx="{x:.1}" cy="{y:.1}" r="5" fill="{colour}"/>"#);
            return;
        }
        1 => &[(0.0, -6.5), (6.5, 0.0), (0.0, 6.5), (-6.5, 0.0)],
        2 => &[(0.0, -6.0), (6.0, 5.0), (-6.0, 5.0)],
        _ => &[(-4.5, -4.5), (4.5, -4.5), (4.5, 4.5), (-4.5, 4.5)],
    };
    let points: Vec<String> = corners.iter().map(|(dx, dy)| format!("{:.1},{:.1}", x + dx, y + dy)).collect();
    let _ = writeln!(svg, r#"<polygon points="{}" fill="{colour}"/>"#, points.join(" "));
}
