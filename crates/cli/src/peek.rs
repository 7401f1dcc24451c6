//! `assay peek`: how often an experiment without an effect is called a win, against how often one looks.

use crate::WrongUse;
use crate::grid::{aligned, percent, share, whole, width};
use anyhow::Result;
use assay_simulator::peeking::{Peeking, Rate, Row, Settings, demonstrate};
use assay_statistics::alpha::Alpha;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::process::ExitCode;

/// Show what looking early does: simulate experiments without an effect and stop each when it seems to have one.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  assay peek\n  assay peek --looks 100 --users 200 --rate 2%\n  assay peek --json | jq '.rows[-1].naive'\n\nThe code that is often printed to show this tests separate batches of users instead of data that accumulate, and does not count a hit at\nthe last look. It gives 61%, not the 25% of what its text describes; the last line of the table is that code, to the letter."
)]
pub struct Arguments {
    /// Most looks; smaller numbers are shown beside it. Several, with commas, are shown as they are.
    #[arg(long, value_name = "N", default_value = "20", value_delimiter = ',')]
    looks: Vec<u32>,
    /// Users that each arm gains from look to look.
    #[arg(long, value_name = "N", default_value_t = 500)]
    users: u32,
    /// Rate at which both arms convert.
    #[arg(long, value_name = "RATE", default_value = "5%", value_parser = share)]
    rate: f64,
    /// Nominal share of false positives.
    #[arg(long, value_name = "ALPHA", default_value = "0.05", value_parser = share)]
    alpha: f64,
    /// Posterior chance at which the Bayesians stop.
    #[arg(long, value_name = "CHANCE", default_value = "95%", value_parser = share)]
    chance: f64,
    /// Simulated experiments per number of looks.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    runs: u64,
    /// Names the random numbers: the same seed gives the same table.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Print the rates as JSON.
    #[arg(long)]
    json: bool,
}

/// Numbers of looks that are shown below the one that was asked for.
const USUAL_LOOKS: [u32; 6] = [1, 2, 5, 10, 20, 50];
/// What a bar leaves to the text beside it.
const BESIDE_BAR: usize = 48;

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let settings = settings(arguments)?;
    let shown = demonstrate(&settings).map_err(|problem| WrongUse(problem.to_string()))?;
    if arguments.json {
        println!("{}", to_json(&settings, &shown));
    } else {
        print!("{}", render(&settings, &shown, width(), std::io::stdout().is_terminal()));
    }
    Ok(ExitCode::SUCCESS)
}

fn settings(arguments: &Arguments) -> Result<Settings> {
    let looks = match arguments.looks[..] {
        [most] => USUAL_LOOKS.into_iter().filter(|&looks| looks < most).chain([most]).collect(),
        _ => arguments.looks.clone(),
    };
    Ok(Settings {
        looks,
        users_per_look: arguments.users,
        rate: arguments.rate,
        alpha: Alpha::new(arguments.alpha).map_err(|problem| WrongUse(problem.to_string()))?,
        chance: arguments.chance,
        runs: arguments.runs,
        seed: arguments.seed,
    })
}

/// The rules by name, in the order of the table.
fn rules(row: &Row) -> [(&'static str, Rate); 5] {
    [
        ("naive", row.naive),
        ("obrien_fleming", row.obrien_fleming),
        ("always_valid", row.always_valid),
        ("posterior_treatment", row.posterior_treatment),
        ("posterior_either", row.posterior_either),
    ]
}

fn to_json(settings: &Settings, shown: &Peeking) -> Value {
    let rate =
        |rate: Rate| json!({"simulated": rate.simulated, "standard_error": rate.standard_error, "theory": rate.theory});
    let rows: Vec<Value> = shown
        .rows
        .iter()
        .map(|row| {
            let mut it = json!({"looks": row.looks});
            for (name, found) in rules(row) {
                it[name] = rate(found);
            }
            it
        })
        .collect();
    json!({
        "users_per_look": settings.users_per_look, "rate": settings.rate, "alpha": settings.alpha.value(),
        "chance": settings.chance, "runs": settings.runs, "seed": settings.seed, "rows": rows,
        "textbook": {"batches": shown.textbook.batches, "rate": rate(shown.textbook.rate)},
    })
}

fn render(settings: &Settings, shown: &Peeking, width: usize, pretty: bool) -> String {
    let chance = percent(settings.chance);
    let mut out = format!(
        "{} experiments without an effect for each number of looks; both arms convert at {} and gain {} users a look.\nShare that is ever called different at alpha {} (in brackets: by theory):\n\n",
        whole(settings.runs as f64),
        percent(settings.rate),
        whole(f64::from(settings.users_per_look)),
        crate::table::number(settings.alpha.value())
    );
    let heads = [
        "looks".to_owned(),
        "naive p".to_owned(),
        "O'Brien-Fleming".to_owned(),
        "always-valid".to_owned(),
        format!("treatment {chance}"),
        format!("either arm {chance}"),
    ];
    let mut rows = vec![heads.to_vec()];
    for row in &shown.rows {
        let mut cells = vec![row.looks.to_string()];
        cells.extend(rules(row).map(|(_, rate)| format!("{} ({})", tenth(rate.simulated), tenth(rate.theory))));
        rows.push(cells);
    }
    out += &aligned(&rows, &[]);
    out += &format!(
        "\n  The code often printed for this, to the letter ({} separate batches, the last hit not counted): {} ({})\n",
        shown.textbook.batches,
        tenth(shown.textbook.rate.simulated),
        tenth(shown.textbook.rate.theory)
    );
    let Some(last) = shown.rows.last() else { return out };
    out += &format!("\nFalse positives by number of looks (at {} looks all rules):\n\n", last.looks);
    let full = shown
        .rows
        .iter()
        .flat_map(|row| rules(row).map(|(_, rate)| rate.simulated))
        .fold(shown.textbook.rate.simulated, f64::max);
    let cells = width.saturating_sub(BESIDE_BAR).clamp(10, 60);
    let mut line = |name: &str, rate: Rate| {
        out += &format!("  {name:<34} {:>6} {}\n", tenth(rate.simulated), bar(rate.simulated / full, cells, pretty));
    };
    for row in &shown.rows {
        let plural = if row.looks == 1 { "" } else { "s" };
        line(&format!("naive p, {} look{plural}", row.looks), row.naive);
    }
    let labels = [
        "O'Brien-Fleming".to_owned(),
        "always-valid".to_owned(),
        format!("treatment has {chance}"),
        format!("either arm has {chance}"),
    ];
    for (label, (_, rate)) in labels.iter().zip(rules(last).into_iter().skip(1)) {
        line(&format!("{label}, {} looks", last.looks), rate);
    }
    line("printed code, to the letter", shown.textbook.rate);
    out
}

fn tenth(rate: f64) -> String {
    format!("{:.1}%", 100.0 * rate)
}

/// A bar in eighths of a cell on a terminal, of plain characters elsewhere.
fn bar(part: f64, cells: usize, pretty: bool) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
    if !pretty {
        return "#".repeat((part * cells as f64).round() as usize);
    }
    let eighths = (part * (8 * cells) as f64).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill_their_cells() {
        assert_eq!(
            (bar(0.5, 10, false), bar(2.0, 4, true), bar(f64::NAN, 4, true)),
            ("#".repeat(5), "████".to_owned(), String::new())
        );
        assert_eq!(bar(0.3125, 4, true), "█▎");
    }
}
