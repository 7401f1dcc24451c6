//! Every state in the words that people read.

use super::fixture::{evidence, finding, found, log, look, look_of, of_row, read, subject, three, two, with, write};
use super::{Brief, Check, Said, checks_json, pill, text_of};
use serde_json::{Value as Json, json};

fn said(experiment: &Json) -> Said {
    Said::about(&subject(experiment), &evidence(experiment), look())
}

fn sentence(experiment: &Json) -> String {
    text_of(&said(experiment).sentence)
}

fn undecided() -> Json {
    two("not_shown", json!({"lift": 0.034, "lift_low": -0.041, "lift_high": 0.116}))
}

fn blocked(code: &str, arguments: Json) -> Json {
    let reasons = json!([{"code": code, "arguments": arguments}]);
    found(two("blocked", json!({})), json!({"code": "blocked", "variant": null, "blocked_by": reasons}))
}

fn split() -> Json {
    json!({
        "attribute": "device", "value": "mobile", "counts": {"control": 50_000, "form": 43_370},
        "expected": {"control": 0.5, "form": 0.5},
    })
}

/// The two e-mails, of which nothing is decided after correction.
fn before_correction() -> Json {
    let mut experiment = found(three(), json!({"code": "not_shown"}));
    for arm in experiment["verdict"]["arms"].as_array_mut().unwrap() {
        arm["code"] = json!("not_shown");
        arm["arguments"]["excludes_zero_before_correction"] = json!(true);
    }
    experiment
}

fn states() -> Vec<(&'static str, Json, &'static str)> {
    let waiting = |arguments: Json| two("waiting", arguments);
    let harm = json!({"code": "no", "arguments": {"metric": "conversion", "variant": "form", "lift": 0.93, "control_mean": 0.0041, "mean": 0.0079}});
    let worse = json!({"lift": -0.043, "lift_low": -0.083, "lift_high": -0.002, "bound": -0.002});
    let back = json!({
        "lift": 0.031, "lift_low": -0.008, "lift_high": 0.071, "covers_zero": true, "decided_at": "2026-11-12T10:00:00Z",
        "decided_units": 9800,
    });
    vec![
        ("draft", with(undecided(), json!({"status": "draft"})), "Not started."),
        (
            "no data yet",
            found(waiting(json!({})), json!({"code": "no_data"})),
            "No customers yet. Live since 9 Nov. The first exposure will show here within two seconds.",
        ),
        (
            "burn_in, units",
            waiting(json!({"have": 31, "need": 50, "of": "units"})),
            "Waiting for data: 31 of 50 customers in the smaller arm.",
        ),
        (
            "burn_in, events",
            waiting(json!({"have": 4.7, "need": 10, "of": "events"})),
            "Waiting for data: about 4 of 10 expected events of sign-ups per arm.",
        ),
        ("undecided", undecided(), "No difference shown yet. The lift lies between −4.1% and +11.6%."),
        (
            "undecided without limits",
            two("not_shown", json!({"lift_low": null, "lift_high": null, "lift_shape": "unbounded"})),
            "No difference shown yet. The lift has no limit yet.",
        ),
        (
            "undecided with one limit",
            two("not_shown", json!({"lift_low": -0.4, "lift_high": null})),
            "No difference shown yet. The lift is at least −40%.",
        ),
        (
            "undecided, two pieces",
            two("not_shown", json!({"lift_low": -0.4, "lift_high": 3.0, "lift_shape": "exclusive"})),
            "No difference shown yet. The lift is below −40% or above +300%.",
        ),
        (
            "better",
            two(
                "better",
                json!({"bound": 0.059, "lift": 0.119, "lift_low": 0.059, "lift_high": 0.214, "minimum_effect": 0.02}),
            ),
            "New form raises sign-ups by 11.9%, and by at least 5.9%, which is clear of your minimum of 2%.",
        ),
        (
            "better without minimum",
            two("better", json!({"bound": 0.029, "minimum_effect": null})),
            "New form raises sign-ups by 9.1%, and by at least 2.9%.",
        ),
        (
            "better, may be small",
            two("better_may_be_small", json!({"bound": 0.029})),
            "New form raises sign-ups by 9.1%, but the truth may be as low as 2.9%, below your minimum of 3%.",
        ),
        (
            "better, without a bound on the lift",
            two("better", json!({"bound": null, "minimum_effect": null})),
            "New form raises sign-ups by 9.1%.",
        ),
        (
            "better than a control without any",
            two(
                "better",
                json!({"lift": null, "difference": 0.0068, "low": 0.0041, "high": 0.0095, "bound": null, "minimum_effect": null}),
            ),
            "New form raises sign-ups by 0.68 points, and by at least 0.41 points.",
        ),
        ("worse", two("worse", worse), "New form lowers sign-ups by 4.3%, and by at least 0.2%."),
        (
            "no difference that matters",
            two(
                "no_difference",
                json!({"lift": -0.001, "lift_low": -0.044, "lift_high": 0.043, "minimum_effect": 0.05}),
            ),
            "No difference that matters. The lift lies between −4.4% and +4.3%, inside your ±5%.",
        ),
        (
            "crossed, interval back over zero",
            two("better", back),
            "Decided better on 12 Nov at 9,800 customers, and that decision stands. Today’s interval includes zero again, −0.8% to +7.1%.",
        ),
        (
            "drift_suspected",
            two("drift", json!({})),
            "No single effect fits the whole run: intervals of different times do not overlap.",
        ),
        (
            "degenerate",
            two("degenerate", json!({"control_mean": 0, "mean": 0})),
            "Nothing to compare: within each arm every customer has the same value (0 and 0).",
        ),
        (
            "srm_blocked",
            blocked("srm", json!({"counts": split()["counts"], "expected": split()["expected"]})),
            "No verdict: the split is off, 50,000 against 43,370 where equal numbers were planned.",
        ),
        (
            "srm_blocked in a segment",
            blocked("srm_segment", split()),
            "No verdict: the split is off among device mobile, 50,000 against 43,370 where equal numbers were planned.",
        ),
        (
            "Simpson",
            blocked(
                "simpson",
                json!({"attribute": "country", "metric": "conversion", "total": 0.021, "stratified": -0.013}),
            ),
            "No verdict: every country says down (−1.30 points), the total says up (+2.10 points), because the arms have different mixtures.",
        ),
        (
            "kill fired",
            with(found(undecided(), json!({"safe": harm})), json!({"status": "paused"})),
            "Stopped by its guardrail: sign-ups rose from 0.41% to 0.79%.",
        ),
        (
            "harm, not stopped",
            found(undecided(), json!({"safe": harm})),
            "No difference shown yet. The lift lies between −4.1% and +11.6%. New form lowers sign-ups by 93%: harm is shown.",
        ),
        (
            "paused by a person",
            with(undecided(), json!({"status": "paused"})),
            "No difference shown yet. The lift lies between −4.1% and +11.6%. No new customers. Conversions of those already in still count until their windows end.",
        ),
        (
            "plan used up",
            found(undecided(), json!({"stop": {"code": "plan_used_up", "arguments": {"max_units": 102_700}}})),
            "No difference shown at the planned maximum, 102,700 customers.",
        ),
        (
            "stopped",
            with(undecided(), json!({"status": "stopped"})),
            "Read-out of 23 Nov 18:42:06 UTC: No difference shown yet. The lift lies between −4.1% and +11.6%. Later events do not change it.",
        ),
        (
            "fixed horizon before the plan",
            with(
                two("before_plan", json!({"planned_units": 42_000, "units": 8_400})),
                json!({"method": "fixed_horizon"}),
            ),
            "The verdict comes at 42,000 customers (20% are there). Until then this page shows counts and health only.",
        ),
        (
            "a method that is not computed yet",
            with(
                two("no_method", json!({"lift": 0.034, "lift_low": -0.041, "lift_high": 0.116})),
                json!({"method": "bayesian"}),
            ),
            "The bayesian method is not computed yet: the always-valid lift lies between −4.1% and +11.6%. It decides nothing here.",
        ),
        (
            "excludes zero before correction",
            before_correction(),
            "Men’s email: no difference shown yet: the interval, +59% to +214%, excludes zero before correction for several arms, and not after it. Women’s email: no difference shown yet: the interval, +9% to +125%, excludes zero before correction for several arms, and not after it.",
        ),
    ]
}

#[test]
fn every_state_has_its_sentence() {
    for (name, experiment, wanted) in states() {
        assert_eq!(sentence(&experiment), wanted, "{name}");
    }
}

#[test]
fn several_arms_have_the_certain_one_first_and_their_caveats() {
    let it = said(&three());
    assert_eq!(
        text_of(&it.sentence),
        "Men’s email raises purchase rate by 119%, and by at least 59%, which is clear of your minimum of 20%. Women’s email raises it too, by 54%, but the truth may be as low as 9%, below your minimum of 20%."
    );
    assert_eq!(
        it.caveats,
        [
            "Neither arm lowers spend per customer by 5% or more.",
            "If you stop because of what you see now, expect the point estimates to lean high; the intervals do not.",
            "The two arms are compared with no email, not with each other.",
        ]
    );
}

#[test]
fn open_windows_caps_drift_and_the_first_week_are_said() {
    let decided = two("better", json!({"bound": 0.029, "minimum_effect": null, "drift_suspected": true}));
    let mut experiment = with(decided, json!({"days_running": 3.2}));
    let metric = &mut experiment["metrics"][0];
    (metric["maturity"], metric["cap"], metric["unit"]) = (json!("open"), json!(500), json!("value"));
    metric["inside_window"] = json!({"units": 400, "share": 0.042});
    assert_eq!(
        said(&experiment).caveats,
        [
            "If you stop because of what you see now, expect the point estimate to lean high; the interval does not.",
            "No single effect fits the whole run: intervals of different times do not overlap.",
            "Approximate: the windows of 4.2% of the customers are still open.",
            "Capped at 500 each.",
            "Less than a week: not every weekday has been seen.",
        ]
    );
}

/// Nothing else of an answer is compared.
fn answer(verdict: Json, of: &str) -> String {
    let answers = said(&found(three(), verdict)).answers;
    let it = match of {
        "safe" => answers.safe,
        "working" => answers.working,
        "stop" => answers.stop,
        _ => answers.why,
    };
    format!("{}: {}", it.word, it.why)
}

#[test]
fn the_four_answers_of_an_experiment_that_works() {
    let answers = ["safe", "working", "stop", "why"].map(|it| answer(json!({}), it));
    assert_eq!(
        answers,
        [
            "Yes: The only guardrail is shown safe in every arm. The split shows nothing.".to_owned(),
            "Yes, men’s email clearly: Decided: men’s email 13 Nov 14:34, women’s email 16 Nov 10:55 UTC.".to_owned(),
            "Yes, now: Decided in every arm, after 14 days.".to_owned(),
            "Recompute it: One cut of the log.".to_owned(),
        ]
    );
}

#[test]
fn every_code_has_its_answer() {
    let when = "Decided: men’s email 13 Nov 14:34, women’s email 16 Nov 10:55 UTC.";
    let worse = format!("No, worse: {when}");
    let cases: &[(&str, &str, Json, &str)] = &[
        (
            "safe",
            "no",
            json!({"metric": "spend", "variant": "mens", "lift": -0.12}),
            "No: Men’s email: spend per customer shows harm (−12%).",
        ),
        ("safe", "cannot_say", json!({}), "Cannot say: The split is not as planned, so no comparison is fair."),
        (
            "safe",
            "cannot_say",
            json!({"metric": "spend"}),
            "Cannot say: Every customer has the same value of spend per customer.",
        ),
        (
            "safe",
            "cannot_say",
            json!({"metric": "spend", "reason": "unsupported"}),
            "Cannot say: Nothing can be inferred yet for a metric like spend per customer.",
        ),
        (
            "safe",
            "not_known_yet",
            json!({"metric": "spend", "units_needed": 60_000}),
            "Not known yet: Spend per customer is neither shown safe nor harmful. If the present estimate is true, about 60,000 customers per pair would show it.",
        ),
        (
            "safe",
            "no_guardrail",
            json!({}),
            "No guardrail set: Nothing watches for harm. Add a metric with the role guardrail and a margin to the definition.",
        ),
        ("working", "cannot_say", json!({}), "Cannot say: No metric decides."),
        (
            "working",
            "waiting",
            json!({}),
            "Waiting for data: Counts are live; intervals begin when each arm has enough.",
        ),
        ("working", "worse", json!({}), &worse),
        (
            "working",
            "no_difference",
            json!({}),
            "No difference that matters: Every lift that is not ruled out is smaller than your minimum.",
        ),
        (
            "working",
            "not_shown",
            json!({}),
            "Not shown yet: At this size a lift of 29% would have shown with a chance of 80%. Looking again costs nothing.",
        ),
        ("stop", "already", json!({}), "Already stopped: Later events do not change its read-out."),
        (
            "stop",
            "repair",
            json!({}),
            "Stop and repair: What comes in now cannot be used. Repair the cause, then start a new phase.",
        ),
        (
            "stop",
            "first_week",
            json!({"days": 3.4}),
            "Yes, but: Decided inside the first week, after 3 days: not every weekday has been seen.",
        ),
        (
            "stop",
            "some_undecided",
            json!({"undecided": ["womens"], "units_left": 26_687, "days_left": 9.1, "findable_lift": 0.21}),
            "Yes, but: Women’s email is not decided. 26,687 customers per pair are left in the plan, about 10 days at the present pace. A lift of 21% can still be found by then.",
        ),
        (
            "stop",
            "plan_used_up",
            json!({}),
            "Yes, plan used up: An effect of the planned size would have shown with a chance of 80%. Going on is allowed and stays valid.",
        ),
        (
            "stop",
            "may",
            json!({"units_left": 26_687, "days_left": null}),
            "You may, but: Nothing is decided. 26,687 customers per pair are left in the plan.",
        ),
        ("stop", "not_yet", json!({}), "Not yet: There is too little to say anything."),
        (
            "why",
            "approximate",
            json!({"share": 0.042}),
            "Approximate: 4.2% of the customers are still inside their windows.",
        ),
        (
            "why",
            "with_care",
            json!({"reason": "rejected", "share": 0.0042}),
            "With care: 0.42% of the events were rejected.",
        ),
        (
            "why",
            "with_care",
            json!({"reason": "crossed", "share": 0.0062}),
            "With care: 0.62% were seen in several arms.",
        ),
        ("why", "provisional", json!({}), "Not one cut: Newest of each partition. Not for deciding."),
    ];
    for (of, code, arguments, wanted) in cases {
        let verdict = json!({*of: {"code": code, "arguments": arguments}});
        assert_eq!(answer(verdict, of), *wanted, "{of} {code}");
    }
    let wait = super::waits(assay_experiment::Span(12_000_000), Some(7));
    assert_eq!(format!("{}: {}", wait.word, wait.why), "Wait 12 s: Partition 7 holds the cut.");
}

#[test]
fn whoever_may_stop_reads_when_the_minimum_would_be_cleared() {
    let stop = |mut experiment: Json, undecided: Json, projected: &[(usize, Json)]| {
        experiment["verdict"]["stop"] = json!({"code": "may", "arguments": {"undecided": undecided}});
        for (arm, known) in projected {
            experiment["metrics"][0]["variants"][*arm]["projected"] = known.clone();
        }
        said(&experiment).answers.stop.why
    };
    let one = |known: Json| stop(undecided(), json!(["form"]), &[(1, known)]);
    let at = |units: u64, days: Option<f64>| json!({"status": "ok", "units": units, "days_left": days});
    let begins = "Nothing is decided. If the present estimate is true, ";
    for (known, wanted) in [
        (at(48_000, Some(2.4)), "the interval is clear of your minimum at 48,000 customers per pair, in about 3 days."),
        (
            at(48_000, Some(0.3)),
            "the interval is clear of your minimum at 48,000 customers per pair, in less than a day.",
        ),
        (at(48_000, None), "the interval is clear of your minimum at 48,000 customers per pair."),
        (json!({"status": "far"}), "no size within reach makes the interval clear of your minimum."),
    ] {
        assert_eq!(one(known), format!("{begins}{wanted}"));
    }
    assert_eq!(one(json!({"status": "too_few"})), "Nothing is decided.");
    let sizes = [(1, at(60_000, None)), (2, at(90_000, None))];
    let last = stop(three(), json!(["mens", "womens"]), &sizes);
    assert!(
        last.ends_with("the interval of women’s email is clear of your minimum at 90,000 customers per pair."),
        "{last}"
    );
    let other = stop(three(), json!(["mens"]), &sizes);
    assert!(
        other.ends_with("the interval of men’s email is clear of your minimum at 60,000 customers per pair."),
        "{other}"
    );
    let fixed = with(undecided(), json!({"method": "fixed_horizon"}));
    assert_eq!(stop(fixed, json!(["form"]), &[(1, at(48_000, None))]), "Nothing is decided.");
}

/// One check in a line.
fn checked(checks: &[Check], name: &str) -> String {
    let it = checks.iter().find(|it| it.name == name).unwrap_or_else(|| panic!("there is no check {name}"));
    format!("{}: {}. {}", it.state, it.result, it.detail)
}

#[test]
fn checks_of_an_experiment_say_what_is_off() {
    let names = |json: &Json| said(json).checks.iter().map(|it| it.name).collect::<Vec<_>>();
    let of = |json: &Json, name: &str| checked(&said(json).checks, name);
    let fine = three();
    assert_eq!(names(&fine), ["Split", "Balance", "Crossed", "Assignment"]);
    assert_eq!(
        of(&fine, "Split"),
        "good: as planned. 33.29% / 33.29% / 33.42% against 33.33% / 33.33% / 33.33%. Running p 0.88. 8 segment values looked at as well."
    );
    assert_eq!(
        of(&fine, "Balance"),
        "good: nothing stands out. 7 attributes known at exposure; largest standardised difference 0.016, history segment."
    );
    assert_eq!(of(&fine, "Crossed"), "good: 0 customers. No customer was seen in two arms.");
    assert_eq!(of(&fine, "Assignment"), "good: as computed. Every exposure showed the variant that the hash gives.");

    let off = with(
        blocked("srm_segment", split()),
        json!({
            "rejected": {"late": {"exposures": 1_204, "partition": 3, "offset": 88_123}, "unknown_variant": {"exposures": 2, "partition": 0, "offset": 7}},
            "crossed_units": 640, "exposures_lost": 1, "exposures_outside": 64, "balance": [],
            "misbucketed": [
                {"variant": "form", "sdk": "web 1.2", "exposures": 640, "share": 0.01},
                {"variant": null, "sdk": "web 1.2", "exposures": 3, "share": 0.0},
                {"variant": "form", "sdk": "ios 3", "exposures": 1, "share": 0.0},
            ],
        }),
    );
    assert_eq!(names(&off), ["Split", "Balance", "Crossed", "Assignment", "Lost", "Rejected here", "Outside"]);
    assert_eq!(
        of(&off, "Rejected here"),
        "none: 1,206 exposures. They named this experiment: late 1,204 (last: partition 3, offset 88123), unknown variant 2 (last: partition 0, offset 7)."
    );
    assert!(of(&off, "Split").starts_with("bad: split off: device. "), "{}", of(&off, "Split"));
    assert!(of(&off, "Split").ends_with(" Decisions are refused."), "{}", of(&off, "Split"));
    assert_eq!(of(&off, "Balance"), "none: not checked. No attributes are kept at exposure.");
    assert_eq!(
        of(&off, "Crossed"),
        "off: 640 customers. 0.99% were seen in several arms and are left out of the metrics."
    );
    assert_eq!(
        of(&off, "Assignment"),
        "bad: 644 exposures. Showed a variant that the hash does not give; most from web 1.2, New form (640, 1.00%). 2 libraries in all."
    );
    assert_eq!(
        of(&off, "Lost"),
        "off: 1 exposure. Shown by an edge that could not write them to the log; they are in no other number."
    );
    assert_eq!(
        of(&off, "Outside"),
        "none: 64 exposures. From before the start or after the end (0.10%): accepted, and without effect."
    );
    let unequal =
        json!([{"attribute": "zip_code", "std_difference": null, "p_value_fixed": 0.0, "p_value_running": 0.001}]);
    assert_eq!(
        of(&with(three(), json!({"balance": unequal})), "Balance"),
        "off: arms differ. 1 attribute known at exposure; largest standardised difference without limit, zip code."
    );
}

#[test]
fn checks_of_a_log_say_what_became_of_events() {
    let of = |events: Json, name: &str| checked(&log(&events).checks(), name);
    let events = |late: u64| json!({"records": 10_000, "conversions": 200, "duplicates": 1_234, "rejected": {"late": late, "unknown_schema": 2}});
    assert!(of(events(0), "Duplicates").starts_with("good: 1,234 removed. "));
    assert_eq!(of(events(5), "Rejected"), "none: 7 events. Unknown schema 2, late 5. Of all experiments.");
    assert!(of(events(9), "Rejected").starts_with("off: 11 events. "));
    assert_eq!(of(json!({}), "Rejected"), "good: 0 events. Nothing was rejected.");
    assert_eq!(of(json!({}), "Unattributed"), "good: 0 conversions. Every conversion belongs to an exposed unit.");
    assert_eq!(
        of(json!({"conversions": 200, "unattributed": 3}), "Unattributed"),
        "none: 3 conversions. 1.5% of the conversions count nowhere: their unit was not exposed before, or their window had ended. Of all experiments."
    );
}

#[test]
fn rows_say_what_needs_attention_in_these_words() {
    let list = read("tests/fixtures/list.json");
    let rows = list["experiments"].as_array().unwrap();
    let said =
        rows.iter().map(|row| format!("{}: {}", row["experiment"].as_str().unwrap(), text_of(&brief(row).sentence)));
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            "search-ranker-q4: Stopped by its guardrail. Page errors +93%.",
            "checkout-v3: No verdict: the split is off among device mobile, 50,000 against 43,370 where equal numbers were planned.",
            "push-digest: No single effect fits the whole run.",
            "hillstrom: Better, clear of minimum (mens). Womens: better, may be small.",
            "signup-short-form: Better, may be small: sign-ups up by at least 2.9%.",
            "cookie-cats: Worse: 7-day return down by at least 0.2%.",
            "help-centre-answers: No difference that matters: the whole interval lies inside ±5%.",
            "recs-carousel: No difference shown yet. The lift lies between −4.1% and +11.6%.",
            "red-button-v2: No difference shown yet. The lift has no limit yet.",
            "onboarding-video: Waiting for data: 31 of 50 customers in the smaller arm.",
            "price-page-copy: Not started.",
            "banner-2025: Worse: purchase rate down by at least 1.20%.",
        ]
    );
}

fn brief(row: &Json) -> Brief {
    let alarms: Vec<&str> = row["alarms"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    Brief::about(&of_row(row), &alarms)
}

/// What the page is tested with, and what an engine answered once.
const SHOWN: [&str; 4] = [
    "tests/fixtures/hillstrom.results.json",
    "tests/fixtures/list.json",
    "fixtures/results.json",
    "fixtures/list.json",
];

/// Results or a list with the words that are said of them.
fn in_words(mut json: Json) -> Json {
    let look = look_of(&json);
    if json["events"].is_object() {
        json["events"]["said"] = checks_json(&log(&json["events"]).checks());
    }
    for it in json["experiments"].as_array_mut().unwrap() {
        it["metrics"].as_array_mut().into_iter().flatten().for_each(compared_in_words);
        it["said"] = match it["metrics"].is_array() {
            true => Said::about(&subject(it), &evidence(it), look).to_json(),
            false => brief(it).to_json(),
        };
    }
    json
}

fn compared_in_words(metric: &mut Json) {
    let (minimum, margin) = (metric["minimum_effect"].as_f64(), metric["margin"].as_f64());
    for arm in metric["variants"].as_array_mut().into_iter().flatten().filter(|it| it["verdict"].is_object()) {
        arm["verdict"]["said"] = pill(&finding(&arm["verdict"]), minimum, margin).to_json();
    }
}

/// The page's own tests show results with their words; these are the words that would be said of them.
#[test]
fn what_the_page_is_tested_with_says_these_words() {
    for name in SHOWN {
        let json = read(name);
        assert_eq!(
            in_words(json.clone()),
            json,
            "{name}: `cargo test --workspace --lib words -- --ignored` writes it anew"
        );
    }
}

#[test]
#[ignore = "writes what the page is tested with: to be run after a change of words"]
fn write_what_the_page_is_tested_with() {
    SHOWN.iter().for_each(|name| write(name, &in_words(read(name))));
}
