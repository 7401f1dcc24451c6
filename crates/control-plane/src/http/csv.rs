//! Results as comma-separated values (RFC 4180), with the numbers as they stand in the JSON.

use crate::http::raw::{Members, items, members, text};

/// Columns that say what a row is about.
const ABOUT: [&str; 8] = ["look", "experiment", "salt", "metric", "role", "segment", "segment_value", "variant"];
/// Members of a variant.
const OWN: [&str; 7] = ["units", "sum", "mean", "variance", "standard_error", "difference", "lift"];
/// Members of its comparison with the control.
const COMPARED: [&str; 9] =
    ["status", "p_value", "p_value_running", "p_value_adjusted", "ln_e", "low", "high", "lift_low", "lift_high"];

/// All rows of a document of results.
pub(crate) fn table(results: &str) -> String {
    let whole = members(results);
    let mut out = ABOUT.iter().chain(&OWN).chain(&COMPARED).copied().collect::<Vec<_>>().join(",");
    out.push_str("\r\n");
    for experiment in list(&whole, "experiments") {
        let head = [text(&whole, "look"), text(&experiment, "experiment"), text(&experiment, "salt")];
        rows(&mut out, &head, ["", ""].map(str::to_owned), &experiment);
        for segment in list(&experiment, "segments") {
            rows(&mut out, &head, [text(&segment, "attribute"), text(&segment, "value")], &segment);
        }
    }
    out
}

fn rows(out: &mut String, head: &[String; 3], segment: [String; 2], holder: &Members<'_>) {
    for metric in list(holder, "metrics") {
        for arm in list(&metric, "variants") {
            let mut cells: Vec<String> = head.iter().map(|it| cell(it)).collect();
            cells.extend([text(&metric, "metric"), text(&metric, "role")].iter().map(|it| cell(it)));
            cells.extend(segment.iter().map(|it| cell(it)));
            cells.push(cell(&text(&arm, "variant")));
            cells.extend(OWN.iter().map(|name| value(&arm, name)));
            let compared = members(arm.get("always_valid").map_or("", |it| it.get()));
            cells.extend(COMPARED.iter().map(|name| value(&compared, name)));
            out.push_str(&cells.join(","));
            out.push_str("\r\n");
        }
    }
}

fn list<'a>(holder: &Members<'a>, name: &str) -> Vec<Members<'a>> {
    let array: &'a str = holder.get(name).map_or("[]", |it| it.get());
    items(array).into_iter().map(|it| members(it.get())).collect()
}

/// A number as it stands, a text as a cell; nothing where there is nothing.
fn value(holder: &Members<'_>, name: &str) -> String {
    match holder.get(name).map(|it| it.get()) {
        None | Some("null") => String::new(),
        Some(number) if !number.starts_with('"') => number.to_owned(),
        Some(_) => cell(&text(holder, name)),
    }
}

fn cell(text: &str) -> String {
    // Spreadsheets take such a beginning for a formula.
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    let plain = !text.contains(['"', ',', '\r', '\n']);
    if plain { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_as_they_are_and_texts_are_quoted() {
        let results = r#"{"look":"t","experiments":[{"experiment":"e","salt":"=s","metrics":[{"metric":"m","role":"primary","variants":[
            {"variant":"a,\"b\"","units":3,"sum":0.10,"mean":null,"always_valid":{"status":"ok","p_value":1e-9}}]}],
            "segments":[{"attribute":"c","value":"DE","metrics":[{"metric":"m","role":"primary","variants":[{"variant":"x","units":1}]}]}]}]}"#;
        let lines: Vec<String> = table(results).lines().map(str::to_owned).collect();
        assert_eq!(lines[0].split(',').count(), 24);
        assert_eq!(lines[1], "t,e,'=s,m,primary,,,\"a,\"\"b\"\"\",3,0.10,,,,,,ok,1e-9,,,,,,,");
        assert_eq!(lines[2], "t,e,'=s,m,primary,c,DE,x,1,,,,,,,,,,,,,,,");
    }
}
