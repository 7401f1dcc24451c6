//! One comparison in two or three words, for its row.

use super::lifts::as_given;
use super::part::Part;
use super::subject::direction_of;
use crate::verdict::Finding;

/// Of a metric with this minimum effect and margin. The tone is `better`, `worse`, `warn` or `alarm`.
pub(crate) fn pill(finding: &Finding, minimum: Option<f64>, margin: Option<f64>) -> Part {
    let of = |tone, text: &str| Part { text: text.to_owned(), strong: false, tone };
    let (better, worse, warn, alarm) = (Some("better"), Some("worse"), Some("warn"), Some("alarm"));
    if let Some(direction) = direction_of(finding.code).filter(|_| finding.flag("covers_zero")) {
        return of(warn, &format!("Decided {direction}, zero inside again"));
    }
    let margin = as_given(finding.number("margin").or(margin).unwrap_or_default());
    match finding.code {
        "better" if minimum.is_none() => of(better, "Better"),
        "better" => of(better, "Better, clear of minimum"),
        "better_may_be_small" => of(better, "Better, may be small"),
        "worse" => of(worse, "Worse"),
        "no_difference" => of(None, "No difference that matters"),
        "not_shown" if finding.flag("excludes_zero_before_correction") => of(None, "Not shown yet"),
        "not_shown" => of(None, "No difference shown yet"),
        "drift" => of(warn, "Effect is changing"),
        "waiting" => of(None, "Waiting for data"),
        "degenerate" => of(None, "Nothing to compare"),
        "blocked" => of(alarm, "No verdict"),
        "before_plan" => of(None, "Comes at the planned end"),
        "no_method" => of(None, "Not deciding"),
        "safe" => of(better, &format!("Safe: not {margin} worse")),
        "harm" => of(alarm, "Harm shown"),
        "worse_within_margin" => of(worse, &format!("Worse, by less than {margin}")),
        "not_known" => of(None, "Not known yet"),
        "no_margin" => of(None, "No margin set"),
        _ => of(None, "No interval for this type"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    #[test]
    fn every_code_has_its_words() {
        let none = json!({});
        let cases = [
            ("better", json!({"covers_zero": true}), "Decided better, zero inside again", "warn"),
            ("worse", json!({"covers_zero": true}), "Decided worse, zero inside again", "warn"),
            ("better", json!({"covers_zero": false}), "Better, clear of minimum", "better"),
            ("better_may_be_small", none.clone(), "Better, may be small", "better"),
            ("worse", none.clone(), "Worse", "worse"),
            ("no_difference", none.clone(), "No difference that matters", ""),
            ("not_shown", none.clone(), "No difference shown yet", ""),
            ("not_shown", json!({"excludes_zero_before_correction": true}), "Not shown yet", ""),
            ("drift", none.clone(), "Effect is changing", "warn"),
            ("waiting", none.clone(), "Waiting for data", ""),
            ("degenerate", none.clone(), "Nothing to compare", ""),
            ("blocked", none.clone(), "No verdict", "alarm"),
            ("unsupported", none.clone(), "No interval for this type", ""),
            ("before_plan", none.clone(), "Comes at the planned end", ""),
            ("no_method", none.clone(), "Not deciding", ""),
            ("safe", json!({"margin": 0.05}), "Safe: not 5% worse", "better"),
            ("harm", none.clone(), "Harm shown", "alarm"),
            ("worse_within_margin", none.clone(), "Worse, by less than 2.5%", "worse"),
            ("not_known", none.clone(), "Not known yet", ""),
            ("no_margin", none, "No margin set", ""),
        ];
        for (code, arguments, text, tone) in cases {
            let Json::Object(arguments) = arguments else { unreachable!("arguments are objects") };
            let said = pill(&Finding { code, arguments }, Some(0.02), Some(0.025));
            assert_eq!((said.text.as_str(), said.tone.unwrap_or_default()), (text, tone), "{code}");
        }
        let better = Finding { code: "better", arguments: serde_json::Map::new() };
        assert_eq!(pill(&better, None, None).text, "Better");
    }
}
