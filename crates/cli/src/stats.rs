//! `assay stats`: the statistics by name, JSON in, JSON out.

use anyhow::{Context, Result};
use assay_statistics::door;
use serde_json::{Value, json};
use std::io::Read;
use std::process::ExitCode;

/// Evaluate statistics given as a JSON array of inputs on standard input; a bad input gives {"error": …} in its place.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  echo '[{\"method\":\"chi_square\",\"counts\":[5000,5012],\"weights\":[1,1]}]' | assay stats\n\nThe methods that exist are named by the error for one that does not."
)]
pub struct Arguments {}

/// Most bytes that are read.
const INPUT_MAX: u64 = 256 << 20;

pub fn run(_: &Arguments) -> Result<ExitCode> {
    let mut text = String::new();
    std::io::stdin().take(INPUT_MAX).read_to_string(&mut text).context("reading standard input")?;
    let inputs: Value =
        serde_json::from_str(&text).context("standard input is not JSON; give an array of objects with a 'method'")?;
    let Value::Array(inputs) = inputs else {
        anyhow::bail!("standard input is no array; give an array of objects with a 'method'")
    };
    let answers: Vec<Value> = inputs
        .iter()
        .map(|input| door::evaluate(input).unwrap_or_else(|problem| json!({"error": problem.to_string()})))
        .collect();
    println!("{}", Value::from(answers));
    Ok(ExitCode::SUCCESS)
}
