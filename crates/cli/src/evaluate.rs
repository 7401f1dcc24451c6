//! `assay evaluate`: what would an edge answer?

use crate::definitions;
use anyhow::{Context as _, Result, anyhow, bail};
use assay_control_plane::complete;
use assay_experiment::evaluation::{Context, Failure, Ruleset};
use assay_experiment::{ConfigVersion, Definitions, flagd, ofrep};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// Evaluate flags and experiments: JSON lines {"key","context"} in, one OFREP answer per line out. A bad line gets an answer with an error.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  echo '{\"key\":\"new-search\",\"context\":{\"targetingKey\":\"u-17\",\"country\":\"DE\"}}' | assay evaluate --config experiments/\n  {\"key\":\"new-search\",\"metadata\":{\"flagSetId\":\"production\",\"version\":0},\"reason\":\"SPLIT\",\"value\":false,\"variant\":\"off\"}\n\nVersion 0 means that nothing was published. What publishing would mint is foreseen: a salt that is not written is the experiment's id here."
)]
pub struct Arguments {
    /// Directory of YAML files, read recursively; names that start with a dot are left out.
    #[arg(long, value_name = "DIR", required_unless_present = "flagd")]
    config: Option<PathBuf>,
    /// File of flags in flagd's JSON format, beside or instead of the directory.
    #[arg(long, value_name = "FILE")]
    flagd: Vec<PathBuf>,
    /// Whose edge answers; definitions that name other environments are not served.
    #[arg(long, value_name = "NAME", default_value = "production")]
    environment: String,
}

/// Bytes of a line: those of the largest context and as many again.
const LINE_MAX: usize = 128 << 10;

#[derive(Deserialize)]
struct Line<'a> {
    key: String,
    #[serde(borrow)]
    context: Option<&'a RawValue>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let definitions = arguments.config.as_deref().map(definitions::load).transpose()?.unwrap_or_default();
    let mut definitions = completed(definitions)?;
    for file in &arguments.flagd {
        import(&mut definitions, file)?;
    }
    let ruleset = Ruleset::compile(&definitions, ConfigVersion(0), &arguments.environment);
    for (key, reason) in ruleset.quarantined() {
        eprintln!("assay: '{key}' answers an error: {reason}");
    }
    match answers(&ruleset) {
        // `assay evaluate … | head`: the reader has what it wanted.
        Err(problem)
            if problem.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
                == Some(std::io::ErrorKind::BrokenPipe) => {}
        outcome => outcome?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Slots for `traffic`, as the first publication would choose them.
pub(crate) fn completed(mut definitions: Definitions) -> Result<Definitions> {
    for (id, experiment) in &mut definitions.experiments {
        // A minted salt would give other answers each time.
        experiment.salt.get_or_insert_with(|| id.clone());
    }
    let refusals = complete(&mut definitions, &Definitions::default());
    if let Some(first) = refusals.first() {
        bail!("{first}");
    }
    Ok(definitions)
}

fn import(definitions: &mut Definitions, file: &Path) -> Result<()> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {name}"))?;
    let import = flagd::import(&text).map_err(|problem| anyhow!("{name}: {problem}"))?;
    for (key, reason) in import.refused {
        eprintln!("assay: {name}: '{key}' is left out: {reason}");
    }
    for (key, flag) in import.flags {
        if definitions.experiments.contains_key(&key) || definitions.flags.insert(key.clone(), flag).is_some() {
            bail!("{name}: '{key}' is defined twice; an experiment or another flag has this id already");
        }
    }
    Ok(())
}

fn answers(ruleset: &Ruleset) -> Result<()> {
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut number = 0;
    while let Some(line) = next(&mut input).context("reading standard input")? {
        number += 1;
        if line.as_ref().is_ok_and(|line| line.trim_ascii().is_empty()) {
            continue;
        }
        writeln!(out, "{}", answer(ruleset, number, line.as_deref()))?;
        if input.buffer().is_empty() {
            // Somebody may wait for this answer before asking for the next.
            out.flush()?;
        }
    }
    out.flush()?;
    Ok(())
}

fn answer(ruleset: &Ruleset, number: usize, line: std::result::Result<&[u8], &String>) -> serde_json::Value {
    let refused = |key: &str, problem: String| {
        ofrep::body(ruleset, key, &Err(Failure::ParseError(format!("line {number}: {problem}"))))
    };
    let line = match line {
        Ok(line) => line,
        Err(problem) => return refused("", problem.clone()),
    };
    let it: Line<'_> = match serde_json::from_slice(line) {
        Ok(it) => it,
        Err(problem) => return refused("", format!("is not {{\"key\": …, \"context\": …}}: {problem}")),
    };
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    let context = it.context.map_or("{}", RawValue::get);
    match Context::at(context.as_bytes(), seconds) {
        Ok(context) => ofrep::body(ruleset, &it.key, &ruleset.evaluate_key(&it.key, &context)),
        Err(bad) => ofrep::body(ruleset, &it.key, &Err(Failure::InvalidContext(format!("line {number}: {bad}")))),
    }
}

/// The next line without its end, or what is wrong with it; `None` at the end.
fn next(input: &mut impl BufRead) -> std::io::Result<Option<std::result::Result<Vec<u8>, String>>> {
    let mut line = Vec::new();
    let mut length = input.by_ref().take(LINE_MAX as u64 + 1).read_until(b'\n', &mut line)?;
    if length == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') || length <= LINE_MAX {
        return Ok(Some(Ok(line)));
    }
    let mut rest = Vec::new();
    while rest.last() != Some(&b'\n') {
        rest.clear();
        length = input.by_ref().take(LINE_MAX as u64).read_until(b'\n', &mut rest)?;
        if length == 0 {
            break;
        }
    }
    Ok(Some(Err(format!("has more than {LINE_MAX} bytes"))))
}
