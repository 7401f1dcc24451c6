//! `assay analyze` on real experiments, beside figures that other programs computed, and on files with mistakes.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

struct Told {
    code: i32,
    out: String,
    err: String,
}

fn assay(arguments: &[&str]) -> Told {
    let output = Command::new(env!("CARGO_BIN_EXE_assay")).arg("analyze").args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Told { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

fn analyze(arguments: &[&str]) -> Json {
    let told = assay(&[arguments, &["--json"]].concat());
    assert_eq!(told.code, 0, "{arguments:?}: {}", told.err);
    serde_json::from_str(&told.out).unwrap()
}

fn refuses(arguments: &[&str], code: i32, message: &str) {
    let told = assay(arguments);
    assert_eq!(told.code, code, "{arguments:?}: {}{}", told.out, told.err);
    assert!(told.err.contains(message), "{arguments:?} says: {}", told.err);
    assert!(!told.err.contains("panicked"), "{arguments:?}: {}", told.err);
}

/// Within a relative distance: published figures have so many digits.
fn near(got: &Json, expected: f64, by: f64) {
    let number = got.as_f64().unwrap_or(f64::NAN);
    assert!((number - expected).abs() <= by * expected.abs(), "{got} is not {expected}");
}

fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).display().to_string()
}

/// The variant of a metric: the row without anything done to it, or that whose description begins so.
fn variant<'a>(report: &'a Json, metric: &str, about: Option<&str>, variant: &str) -> &'a Json {
    let rows = report["metrics"].as_array().unwrap();
    let row = rows.iter().find(|row| {
        row["metric"] == metric
            && match about {
                None => row["about"].is_null(),
                Some(about) => row["about"].as_str().is_some_and(|text| text.starts_with(about)),
            }
    });
    row.unwrap()["variants"].as_array().unwrap().iter().find(|arm| arm["variant"] == variant).unwrap()
}

struct Files(TempDir);

impl Files {
    fn new() -> Files {
        Files(tempfile::Builder::new().prefix("analyze-").tempdir_in(assay_real_parts::target()).unwrap())
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

const HILLSTROM: &str = "data/hillstrom.csv.gz";

fn hillstrom() -> Json {
    let mut arguments = vec!["--variant", "segment", "--control", "No E-Mail", "--planned-units", "42000"];
    for metric in ["visit:conversion", "conversion:conversion", "spend:sum"] {
        arguments.extend(["--metric", metric]);
    }
    arguments.extend(["--covariate", "history", "--segment", "zip_code", "--segment", "channel"]);
    let file = data(HILLSTROM);
    analyze(&[&[file.as_str()], &arguments[..]].concat())
}

/// Difference, lift, ln E, always-valid interval, Welch's p and interval, by SciPy and by the formula in other hands.
#[test]
fn hillstrom_beside_its_published_figures() {
    let report = hillstrom();
    assert_eq!(report["units"], json!({"No E-Mail": 21306, "Mens E-Mail": 21307, "Womens E-Mail": 21387}));
    near(&report["srm"]["chi_square"], 0.2025, 1e-3);
    near(&report["srm"]["chi_square_p_value"], 0.9037, 1e-4);
    assert_eq!(report["srm"]["alarm"], false);
    let (mens, womens) = ("Mens E-Mail", "Womens E-Mail");
    let rows: [(&str, &str, [f64; 9]); 6] = [
        (
            "visit",
            mens,
            [3_894.0, 0.076589564, 0.72140462, 227.30273, 0.066312874, 0.086866253, 1.36445e-112, 0.0699531, 0.083226],
        ),
        (
            "visit",
            womens,
            [3_238.0, 0.045233107, 0.42605507, 86.157818, 0.035413254, 0.055052959, 2.43245e-44, 0.0388935, 0.0515727],
        ),
        (
            "conversion",
            mens,
            [
                267.0,
                0.0068050065,
                1.1884219,
                23.261046,
                0.0040100065,
                0.0096000065,
                1.50182e-13,
                0.00500007,
                0.00860994,
            ],
        ),
        (
            "conversion",
            womens,
            [
                189.0,
                0.0031110575,
                0.54331304,
                5.2627087,
                0.00061311062,
                0.0056090044,
                0.000156028,
                0.00149859,
                0.00472352,
            ],
        ),
        (
            "spend",
            mens,
            [30_311.69, 0.76982716, 1.1792888, 11.423647, 0.32897967, 1.2106746, 1.16381e-7, 0.48514, 1.05451],
        ),
        (
            "spend",
            womens,
            [23_038.11, 0.42441222, 0.65015186, 3.6125517, 0.028638532, 0.8201859, 0.0011294, 0.168957, 0.679868],
        ),
    ];
    for (metric, name, [sum, difference, lift, ln_e, low, high, p, fixed_low, fixed_high]) in rows {
        let arm = variant(&report, metric, None, name);
        assert_eq!(arm["sum"], json!(sum), "{metric} {name}");
        near(&arm["difference"], difference, 1e-7);
        near(&arm["lift"], lift, 1e-7);
        let (valid, fixed) = (&arm["always_valid"], &arm["fixed_horizon"]);
        near(&valid["ln_e"], ln_e, 1e-7);
        near(&valid["low"], low, 1e-7);
        near(&valid["high"], high, 1e-7);
        near(&fixed["p_value"], p, 1e-5);
        near(&fixed["low"], fixed_low, 1e-5);
        near(&fixed["high"], fixed_high, 1e-5);
    }
    assert_eq!(variant(&report, "spend", None, "No E-Mail")["sum"], json!(13_908.33));
}

/// Lin's regression computed apart, from the formula: difference, variance reduction.
#[test]
fn hillstrom_adjusted_for_history() {
    let report = hillstrom();
    for (metric, name, difference, reduction) in [
        ("visit", "Mens E-Mail", 0.07641804292342241, 0.004463970070356038),
        ("visit", "Womens E-Mail", 0.045098578246255766, 0.003966647773390064),
        ("spend", "Mens E-Mail", 0.7677189071436293, 0.000468395508874786),
        ("spend", "Womens E-Mail", 0.42297821689705384, 0.0003757059730326029),
    ] {
        let arm = variant(&report, metric, Some("adjusted for history"), name);
        near(&arm["difference"], difference, 1e-9);
        near(&arm["variance_reduction"], reduction, 1e-6);
        assert_eq!(arm["always_valid"]["status"], "ok");
    }
}

/// Post-stratified effect, variance and Cochran's Q computed apart, from the formulas.
#[test]
fn hillstrom_by_segment() {
    let report = hillstrom();
    for (column, metric, name, effect, variance, q) in [
        ("zip_code", "visit", "Mens E-Mail", 0.07632558265751312, 1.143316808716174e-5, 0.6549950115445414),
        ("zip_code", "spend", "Womens E-Mail", 0.424183163590113, 0.016985401680153403, 3.0759102599014403),
        ("channel", "visit", "Womens E-Mail", 0.04538892520698268, 1.0434122672467008e-5, 0.05991688343870874),
        ("channel", "spend", "Mens E-Mail", 0.769298105027475, 0.02107936734889046, 2.216413157973059),
    ] {
        let segment = report["segments"].as_array().unwrap().iter().find(|it| it["segment"] == column).unwrap();
        assert_eq!(segment["values"].as_array().unwrap().len(), 3);
        assert_eq!(segment["balance"]["alarm"], false);
        let measure = segment["metrics"].as_array().unwrap().iter().find(|it| it["metric"] == metric).unwrap();
        let together = measure["together"].as_array().unwrap().iter().find(|it| it["variant"] == name).unwrap();
        near(&together["post_stratified"]["difference"], effect, 1e-9);
        near(&together["post_stratified"]["variance"], variance, 1e-9);
        near(&together["heterogeneity"]["q"], q, 1e-6);
        assert_eq!(together["simpson"]["alarm"], false);
        assert_eq!(measure["interaction"]["df"], 4);
        assert_eq!(measure["values"].as_array().unwrap().len(), 6);
    }
}

#[test]
fn cookie_cats_with_its_whale_raw_and_capped() {
    let file = data("data/cookie_cats.csv.gz");
    let mut arguments = vec![file.as_str(), "--unit", "userid", "--variant", "version", "--control", "gate_30"];
    arguments.extend(["--planned-units", "90000", "--cap", "sum_game_rounds=p99.9", "--cap", "sum_game_rounds=1000"]);
    for metric in ["retention_1:conversion", "retention_7:conversion", "sum_game_rounds:sum"] {
        arguments.extend(["--metric", metric]);
    }
    let report = analyze(&arguments);
    near(&report["srm"]["chi_square"], 6.902, 1e-3);
    near(&report["srm"]["chi_square_p_value"], 0.0086, 5e-3);
    near(&report["srm"]["ln_e"], 1.156721, 1e-6);
    near(&report["srm"]["p_value"], 0.3145, 1e-3);
    for (metric, sum, difference, ln_e, low, high, p) in [
        ("retention_1", 20_119.0, -0.0059051698, 0.30784143, -0.015951211, 0.0041408709, 0.0744144),
        ("retention_7", 8_279.0, -0.0082012983, 3.3519945, -0.016068466, -0.00033413041, 0.00155653),
        ("sum_game_rounds", 2_333_530.0, -1.1574885, -0.76166097, -5.1251539, 2.810177, 0.375924),
    ] {
        let arm = variant(&report, metric, None, "gate_40");
        assert_eq!(arm["sum"], json!(sum));
        near(&arm["difference"], difference, 1e-7);
        near(&arm["always_valid"]["ln_e"], ln_e, 1e-7);
        near(&arm["always_valid"]["low"], low, 1e-7);
        near(&arm["always_valid"]["high"], high, 1e-7);
        near(&arm["fixed_horizon"]["p_value"], p, 1e-5);
    }
    let capped = |name| variant(&report, "sum_game_rounds", Some("capped at 1081.42"), name);
    near(&capped("gate_40")["difference"], -0.09452962514279761, 1e-9);
    assert_eq!((&capped("gate_30")["capped_units"], &capped("gate_40")["capped_units"]), (&json!(40), &json!(47)));
    assert!(variant(&report, "sum_game_rounds", Some("capped at 1000"), "gate_40")["difference"].is_number());
    let notes = report["notes"].to_string();
    assert!(notes.contains("49854") && notes.contains("84.19%"), "{notes}");
}

/// All 99 comparisons of four metrics each over time. The counts of the naive test were made apart, with the normal distribution.
#[test]
fn asos_over_time() {
    let file = data("tests/data/asos.csv.gz");
    let found = analyze(&[&file, "--summaries"]);
    assert_eq!((&found["rows"], &found["rows_without_numbers"]), (&json!(24_153), &json!(779)));
    assert_eq!(found["comparisons_without_numbers"], 15);
    let all = &found["tally"];
    assert_eq!(all["comparisons"], 396 - 15);
    assert_eq!(all["naive"], json!({"ever": 225, "at_the_end": 105, "ever_but_not_at_the_end": 120}));
    assert_eq!(all["always_valid"], json!({"ever": 74, "at_the_end": 42, "ever_but_not_at_the_end": 32}));
    let by: Vec<&Json> =
        found["tally_by"].as_array().unwrap().iter().filter(|it| it["column"] == "metric_id").collect();
    let lost: Vec<u64> = by.iter().map(|it| it["naive"]["ever_but_not_at_the_end"].as_u64().unwrap()).collect();
    assert_eq!(lost, [20, 37, 32, 31]);
    let comparisons: u64 = by.iter().map(|it| it["comparisons"].as_u64().unwrap()).sum();
    assert_eq!(comparisons, 396 - 15);
    let first = &found["series"][0];
    assert_eq!(first["comparison"], json!({"experiment_id": "036afc", "variant_id": "2", "metric_id": "1"}));
    assert_eq!(first["looks"][0]["units"], json!([188_065.0, 186_686.0]));
    let told = assay(&[&file, "--summaries", "--planned-units", "last"]);
    assert!(told.out.contains("for 120 of these not at the last look"), "{}", &told.out[told.out.len() - 2_000..]);
}

/// Two arms over time in both layouts say the same.
#[test]
fn summaries_by_row_and_by_arm() {
    let files = Files::new();
    let looks = [(1, 500.0, 25.0, 30.0), (2, 4_000.0, 200.0, 290.0), (10, 9_000.0, 450.0, 640.0)];
    let variance = |n: f64, c: f64| c / n * (1.0 - c / n) * n / (n - 1.0);
    let (mut wide, mut long) = (
        "day,count_c,count_t,mean_c,mean_t,variance_c,variance_t\n".to_owned(),
        "day,arm,count,mean,variance\n".to_owned(),
    );
    for (day, n, c, t) in looks.into_iter().rev() {
        wide += &format!("{day},{n},{n},{},{},{},{}\n", c / n, t / n, variance(n, c), variance(n, t));
        long += &format!("{day},old,{n},{},{}\n{day},new,{n},{},{}\n", c / n, variance(n, c), t / n, variance(n, t));
    }
    let wide = analyze(&[&files.write("wide.csv", &wide), "--summaries"]);
    let long = analyze(&[&files.write("long.csv", &long), "--summaries", "--variant", "arm", "--control", "old"]);
    assert_eq!(wide["series"][0]["looks"], long["series"][0]["looks"]);
    assert_eq!(long["series"][0]["comparison"], json!({"arm": "new"}));
    assert_eq!((&wide["series"][0]["looks"][0]["at"], &wide["series"][0]["crossed"]), (&json!("1"), &json!("2")));
    assert_eq!(wide["series"][0]["looks"][0]["status"], "ok");
}

/// One row per unit and event becomes one per unit: any yes, sums, the first segment; a unit in two variants is in none.
#[test]
fn events_become_units() {
    let files = Files::new();
    let mut events = "who,arm,bought,paid,orders,land\n".to_owned();
    let mut rows = "arm,bought,paid,orders,land\n".to_owned();
    for unit in 0..400 {
        let (arm, land) = (["a", "b"][unit % 2], ["DE", "FR", "IT"][unit % 3]);
        let (pays, orders) = (unit % 5 == 0, 1 + unit % 4);
        for order in 0..orders {
            let paid = if pays { format!("{}.{:02}", order, unit % 100) } else { String::new() };
            let later = if order == 0 { land } else { "" };
            events += &format!("u{unit},{arm},{},{paid},1,{later}\n", u8::from(pays && order == 0));
        }
        let cents: usize = (0..orders).map(|order| 100 * order + unit % 100).sum();
        let total = if pays { cents } else { 0 };
        rows += &format!("{arm},{},{}.{:02},{orders},{land}\n", u8::from(pays), total / 100, total % 100);
    }
    events += "crossed,a,1,5,1,DE\ncrossed,b,0,,1,DE\nlost,,0,1,1,FR\n";
    let common = |file: &str, unit: &[&str]| {
        let mut arguments = vec!["--variant", "arm", "--control", "a", "--segment", "land", "--planned-units", "400"];
        for metric in ["bought:conversion", "paid:sum", "n=orders:count", "basket=paid/orders:ratio"] {
            arguments.extend(["--metric", metric]);
        }
        analyze(&[&[file], unit, &arguments[..]].concat())
    };
    let by_event = common(&files.write("events.csv", &events), &["--unit", "who"]);
    let by_unit = common(&files.write("units.csv", &rows), &[]);
    assert_eq!(by_event["metrics"], by_unit["metrics"]);
    assert_eq!(by_event["segments"], by_unit["segments"]);
    assert_eq!((&by_event["crossed_units"], &by_event["unassigned_units"]), (&json!(1), &json!(1)));
    assert_eq!(by_event["units"], json!({"a": 200, "b": 200}));
    let segmented = by_unit["segments"][0]["metrics"].as_array().unwrap();
    let together = |metric: &str| {
        segmented.iter().find(|it| it["metric"] == metric).unwrap()["together"].as_array().unwrap().len()
    };
    assert_eq!((together("paid"), together("basket")), (1, 0), "a ratio of sums is no average of ratios");
    let basket = variant(&by_unit, "basket", None, "b");
    near(&basket["mean"], basket["sum"].as_f64().unwrap() / basket["denominator"].as_f64().unwrap(), 1e-14);
}

#[test]
fn clusters_quantiles_and_other_methods() {
    let files = Files::new();
    let mut text = "shop,arm,wait,sold\n".to_owned();
    for shop in 0..60 {
        for unit in 0..(5 + shop % 7) {
            let slow = if shop % 2 == 1 { 3 } else { 0 };
            text += &format!(
                "s{shop},{},{}.5,{}\n",
                ["old", "new"][shop % 2],
                10 + slow + (unit * 7 + shop) % 11,
                (unit + shop) % 3
            );
        }
    }
    let file = files.write("shops.csv", &text);
    let base = [file.as_str(), "--variant", "arm", "--control", "old"];
    let clustered =
        analyze(&[&base[..], &["--metric", "sold:sum", "--cluster", "shop", "--planned-units", "60"]].concat());
    let arm = variant(&clustered, "sold", None, "new");
    assert_eq!((&arm["clusters"], &arm["always_valid"]["units"]), (&json!(30), &json!(60.0)));
    assert!(arm["fixed_horizon"]["df"].as_f64().unwrap() < 60.0);
    let quantile = analyze(&[&base[..], &["--metric", "median=wait:p50"]].concat());
    let arm = variant(&quantile, "median", None, "new");
    assert_eq!(arm["difference"], json!(3.0));
    let (low, p) = (arm["always_valid"]["low"].as_f64().unwrap(), arm["always_valid"]["p_value"].as_f64().unwrap());
    assert_eq!(low > 0.0, p < 0.05, "the interval excludes 0 exactly when p is below alpha: {arm}");
    for (method, field) in
        [("fixed-horizon", "fixed_horizon"), ("bayesian", "bayesian"), ("group-sequential", "group_sequential")]
    {
        let report =
            analyze(&[&base[..], &["--metric", "wait:sum", "--method", method, "--planned-units", "900"]].concat());
        assert_eq!(report["method"], field);
        assert!(variant(&report, "wait", None, "new")[field].is_object(), "{report}");
    }
    let mixed = text.replace("s1,new,", "s0,new,");
    let mixed = files.write("mixed.csv", &mixed);
    refuses(
        &[&mixed, "--variant", "arm", "--control", "old", "--metric", "sold:sum", "--cluster", "shop"],
        1,
        "the cluster 's0' has units in",
    );
}

/// Question 5 of the article: the arms hold different mixtures, and the sum says the opposite of its parts.
#[test]
fn a_paradox_is_an_alarm() {
    let files = Files::new();
    let mut text = "arm,device,bought\n".to_owned();
    for (arm, device, units, bought) in [
        ("old", "phone", 5_000, 150),
        ("old", "desk", 5_000, 500),
        ("new", "phone", 2_000, 58),
        ("new", "desk", 8_000, 784),
    ] {
        for unit in 0..units {
            text += &format!("{arm},{device},{}\n", u8::from(unit < bought));
        }
    }
    let file = files.write("paradox.csv", &text);
    let report = analyze(&[
        &file,
        "--variant",
        "arm",
        "--control",
        "old",
        "--metric",
        "bought:conversion",
        "--segment",
        "device",
    ]);
    assert!(report["alarms"].to_string().contains("Simpson"), "{}", report["alarms"]);
    assert_eq!(report["segments"][0]["balance"]["alarm"], true);
}

/// A page that needs nothing else, whatever the file contains.
#[test]
fn reports_stand_alone() {
    let files = Files::new();
    let evil = "<script>alert(1)</script>";
    let mut text = format!("arm,{evil},land\n");
    for unit in 0..400 {
        text += &format!("{},{},\"<b>{}\"\n", if unit % 2 == 0 { "old" } else { evil }, unit % 7, unit % 3);
    }
    let page = files.path("report.html");
    let target = page.display().to_string();
    let metric = format!("{evil}:sum");
    let file = files.write("evil.csv", &text);
    let told = assay(&[
        &file,
        "--variant",
        "arm",
        "--control",
        "old",
        "--metric",
        &metric,
        "--segment",
        "land",
        "--html",
        &target,
    ]);
    assert_eq!(told.code, 0, "{}", told.err);
    let asos = assay(&[
        &data("tests/data/asos.csv.gz"),
        "--summaries",
        "--html",
        &files.path("asos.html").display().to_string(),
    ]);
    assert_eq!(asos.code, 0, "{}", asos.err);
    for (name, plots) in [("report.html", 2), ("asos.html", 396 - 15)] {
        let html = std::fs::read_to_string(files.path(name)).unwrap();
        for outside in ["http:", "https:", "<script", "<link", "<img", "@import", "src=", "url(", "<b>"] {
            assert!(!html.contains(outside), "{name} contains {outside}");
        }
        for needed in
            ["<!doctype html>", "width=device-width", "prefers-color-scheme:dark", "max-width:720px", "<svg", "</html>"]
        {
            assert!(html.contains(needed), "{name} lacks {needed}");
        }
        assert!(!html.contains("NaN") && !html.contains("\"inf"), "{name} has a coordinate that is none");
        assert!(html.matches("<svg").count() >= plots, "{name} has {} plots", html.matches("<svg").count());
        assert_eq!(html.matches("<details").count(), html.matches("</details>").count());
        assert!(html.len() < 8_000_000, "{name} has {} bytes", html.len());
    }
    let asos = std::fs::read_to_string(files.path("asos.html")).unwrap();
    assert!(asos.contains("class=\"crossed\"") && asos.contains("class=\"band\""));
}

#[test]
fn mistakes_are_told_with_their_place() {
    let files = Files::new();
    let file = |name: &str, rows: &str| files.write(name, &format!("unit,arm,yes,paid\n{rows}"));
    let good = "u1,a,1,2.5\nu2,b,0,\nu3,a,0,1\nu4,b,1,3\n";
    let with = |path: &str, more: &[&str], code: i32, message: &str| {
        let mut arguments = vec![path, "--variant", "arm", "--control", "a"];
        arguments.extend(more);
        if !more.contains(&"--metric") {
            arguments.extend(["--metric", "yes:conversion", "--metric", "paid:sum"]);
        }
        refuses(&arguments, code, message);
    };
    let path = file("good.csv", good);
    with(
        &path,
        &["--metric", "paidd:sum"],
        2,
        "has no column 'paidd'; did you mean 'paid'?; it has unit, arm, yes, paid",
    );
    with(&path, &["--segment", "amr"], 2, "did you mean 'arm'?");
    with(&path, &["--metric", "paid:sums"], 2, "did you mean 'sum'?");
    with(&path, &["--cap", "paidd=3"], 2, "there is no metric 'paidd' for a --cap; did you mean 'paid'?");
    with(&path, &["--cap", "yes=1"], 2, "a cap limits sums and counts");
    with(&path, &["--weight", "c=1"], 2, "there is no variant 'c'");
    with(&path, &["--planned-units", "many"], 2, "--planned-units is a whole number");
    with(&path, &["--alpha", "1"], 2, "alpha lies between");
    with(&path, &["--summaries"], 2, "--summaries");
    with(&path, &["--metric", "paid:sum", "--metric", "paid:count"], 2, "two metrics 'paid'");
    refuses(
        &[&path, "--variant", "arm", "--control", "A", "--metric", "paid:sum"],
        2,
        "has no variant 'A' in its column 'arm'",
    );
    refuses(&[&path, "--variant", "unit", "--metric", "paid:sum"], 2, "--control");
    refuses(&["no-such.csv", "--variant", "arm", "--control", "a", "--metric", "paid:sum"], 1, "no-such.csv");
    for (name, rows, message) in [
        ("word.csv", "u5,a,1,two\n", "word.csv, line 6, column 'paid': 'two' is not a number"),
        ("huge.csv", "u5,a,1,1e12\n", "line 6, column 'paid': '1e12' is beyond"),
        ("maybe.csv", "u5,a,maybe,2\n", "line 6, column 'yes': 'maybe' is neither yes nor no"),
        ("short.csv", "u5,a,1\n", "line 6 has 3 cells where the header has 4"),
        ("nobody.csv", "u5,,1,2\n", "line 6, column 'arm' is empty"),
    ] {
        with(&file(name, &format!("{good}{rows}")), &[], 1, message);
    }
    with(
        &file("count.csv", &format!("{good}u5,a,1,-1\n")),
        &["--metric", "paid:count"],
        1,
        "line 2, column 'paid': '2.5' is no count",
    );
    with(
        &file("twice.csv", &format!("{good}u1,a,1,4\n")),
        &["--metric", "paid:p50", "--unit", "unit"],
        1,
        "line 6, column 'paid': the unit has a second value",
    );
    with(&files.write("empty.csv", ""), &[], 1, "is empty: the first line names the columns");
    with(&file("header.csv", ""), &[], 1, "has no rows below its header");
    with(&files.write("double.csv", "arm,arm\na,b\n"), &[], 1, "two columns 'arm'");
    with(&files.write("semicolons.csv", "unit;arm;yes\nu;a;1\n"), &[], 1, "columns are separated by commas");
    with(&file("one.csv", "u1,a,1,2\n"), &[], 2, "nothing to compare it with");
    std::fs::write(files.path("latin.csv"), b"unit,arm,yes,paid\nu1,a,1,\xe9\n").unwrap();
    with(&files.path("latin.csv").display().to_string(), &[], 1, "line 2 is not UTF-8");
    std::fs::write(files.path("torn.csv.gz"), b"\x1f\x8b\x08\x00\x00").unwrap();
    with(&files.path("torn.csv.gz").display().to_string(), &[], 1, "reading");
    let summaries = "day,count_c,count_t,mean_c,mean_t,variance_c,variance_t\n1,10,10,1,1,1,-1\n";
    refuses(
        &[&files.write("negative.csv", summaries), "--summaries"],
        1,
        "line 2, column 'variance_t': '-1' is no variance",
    );
    refuses(&[&files.write("half.csv", &summaries.replace("1,10", "1,10.5")), "--summaries"], 1, "'10.5' is no count");
    refuses(
        &[&files.write("other.csv", &summaries.replace("mean_t", "meant")), "--summaries"],
        2,
        "no column 'mean_t'",
    );
}

/// What a file contains is told as it is: too little, nothing that varies, or a split that was never meant.
#[test]
fn little_and_broken_data_are_no_errors() {
    let files = Files::new();
    let file = files.write("few.csv", "arm,paid\nold,1\nnew,1\nold,1\nnew,1\n");
    let few = analyze(&[&file, "--variant", "arm", "--control", "old", "--metric", "paid:sum"]);
    let arm = variant(&few, "paid", None, "new");
    assert_eq!((&arm["always_valid"]["status"], &arm["verdict"]), (&json!("burn_in"), &json!("too early")));
    assert_eq!(
        (&arm["always_valid"]["p_value"], &arm["always_valid"]["low"], &arm["fixed_horizon"]),
        (&json!(1.0), &json!(null), &json!(null))
    );
    let mut text = "arm,paid\n".to_owned();
    (0..1_000).for_each(|unit| text += &format!("{},{}\n", if unit % 10 == 0 { "new" } else { "old" }, unit % 3));
    let file = files.write("uneven.csv", &text);
    let base = [file.as_str(), "--variant", "arm", "--control", "old", "--metric", "paid:sum"];
    assert!(analyze(&base)["alarms"].to_string().contains("the split is not what the weights promise"));
    assert_eq!(analyze(&[&base[..], &["--weight", "old=9"]].concat())["alarms"], json!([]));
    let told = assay(&base);
    assert!(told.out.contains("SPLIT BROKEN") && told.out.contains("ALARM"), "{}", told.out);
}
