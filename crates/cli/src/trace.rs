//! `assay trace`: one request through all eight steps, and what each of them saw.

use crate::WrongUse;
use crate::http_client::{Answer, Client};
use crate::trace_log::{Row, Rows};
use anyhow::{Result, anyhow, bail};
use assay_experiment::assignment::{BUCKETS, Tag, bucket, hash, variant_ranges};
use assay_experiment::evaluation::{self, Ruleset};
use assay_experiment::partitioner::partition_of;
use assay_experiment::snapshot::Snapshot;
use assay_experiment::{Definitions, Experiment, Flag};
use serde_json::{Map, Value as Json, json};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Follow one request through all eight steps, from the flag to the report, and print what each saw and when.
///
/// The request is real: a unit that takes part in an experiment is counted by it. A new unit is made up unless --unit names one.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  assay trace checkout-one-page\n  assay trace checkout-v3 --unit u-17 --attribute country=DE --edge http://127.0.0.1:8016 --server http://127.0.0.1:8080\n\nTokens of the edge and of the server: ASSAY_EDGE_TOKEN, ASSAY_READ_TOKEN. `assay demo` prints the addresses that it took."
)]
pub struct Arguments {
    /// Id of an experiment or a flag.
    key: String,
    /// The unit; absent, a new one.
    #[arg(long, value_name = "ID")]
    unit: Option<String>,
    /// Attributes of the request; true, false and numbers are what they look like.
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    attributes: Vec<String>,
    /// Where the edge answers.
    #[arg(long, value_name = "URL", env = "ASSAY_EDGE_URL", default_value = "http://127.0.0.1:8016")]
    edge: String,
    /// Where results answer.
    #[arg(long, value_name = "URL", env = "ASSAY_SERVER_URL", default_value = "http://127.0.0.1:8080")]
    server: String,
    /// Where ClickHouse answers.
    #[arg(long, value_name = "URL", env = "ASSAY_CLICKHOUSE_URL", default_value = "http://127.0.0.1:8123")]
    clickhouse: String,
    /// ClickHouse's database.
    #[arg(long, value_name = "NAME", env = "ASSAY_DATABASE", default_value = "assay")]
    database: String,
    /// Wait at most so long for the rows and the results.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    patience: u64,
}

/// Between two looks at the results and the rows.
const POLL_EVERY: Duration = Duration::from_millis(100);

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let rows = Rows::new(&arguments.clickhouse, &arguments.database, runtime.handle().clone());
    let followed = Trace::follow(arguments, &runtime, &rows)?;
    Ok(if followed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Who asks, and what was found on the way.
struct Trace<'a> {
    arguments: &'a Arguments,
    runtime: &'a tokio::runtime::Runtime,
    edge: Client,
    server: Client,
    began: Instant,
    unit: String,
    context: Map<String, Json>,
}

impl<'a> Trace<'a> {
    /// All steps; `false` when a step contradicts another, or does not come in time.
    fn follow(arguments: &'a Arguments, runtime: &'a tokio::runtime::Runtime, rows: &Rows) -> Result<bool> {
        let token = |name: &str| std::env::var(name).ok();
        let unit = arguments.unit.clone().unwrap_or_else(new_unit);
        let mut trace = Trace {
            arguments,
            runtime,
            edge: Client::new(&arguments.edge, token("ASSAY_EDGE_TOKEN").as_deref())?,
            server: Client::new(&arguments.server, token("ASSAY_READ_TOKEN").as_deref())?,
            began: Instant::now(),
            context: context(&unit, &arguments.attributes)?,
            unit,
        };
        println!("{} asks for {}\n", trace.unit, arguments.key);
        trace.began = Instant::now();
        let published = trace.published()?;
        let definitions =
            &published.definitions().map_err(|problem| anyhow!("the published definitions: {problem}"))?;
        let experiment = trace.flag_check(definitions)?;
        let environment = trace.config(&published)?;
        let rules = Ruleset::compile(definitions, published.version(), &environment);
        let expected = trace.assignment(&rules, experiment)?;
        let before = experiment.map(|experiment| trace.results(&experiment.id)).transpose()?;
        let asked = Instant::now();
        let agreed = trace.answer(&expected)?;
        let (Some(experiment), Some(before), Some(variant)) = (experiment, before, expected.exposed.as_deref()) else {
            println!("  5–8  nothing is logged: {}", expected.why_no_exposure());
            return Ok(agreed);
        };
        Ok(trace.log_and_report(rows, experiment, variant, &before, asked)? && agreed)
    }

    fn step(&self, number: u32, name: &str, what: &str) {
        println!("  {number}  {name:<12} {:>8.1} ms  {what}", self.began.elapsed().as_secs_f64() * 1e3);
    }

    fn ask(&self, client: &Client, path: &str) -> Result<Answer> {
        let answer = self.runtime.block_on(client.get(path))?;
        match answer.status.is_success() {
            true => Ok(answer),
            false => bail!("{path} answered {}: {}", answer.status, answer.json),
        }
    }

    /// The definitions that the server publishes.
    fn published(&self) -> Result<Snapshot> {
        let answer = self.ask(&self.server, "/internal/definitions")?;
        Snapshot::decode(answer.json.to_string().as_bytes())
            .map_err(|problem| anyhow!("the published definitions: {problem}"))
    }

    /// Step 1: is there such a flag, and is it on?
    fn flag_check<'d>(&self, definitions: &'d Definitions) -> Result<Option<&'d Experiment>> {
        let key = &self.arguments.key;
        if let Some(experiment) = definitions.experiments.get(key) {
            let variants: Vec<&str> = experiment.variants.iter().map(|variant| variant.name.as_str()).collect();
            let targeting = if experiment.targeting.is_some() { "targeted" } else { "for everybody" };
            let status = assay_analysis::status_name(experiment.status);
            self.step(1, "flag check", &format!("experiment, {status}, {targeting}: {}", variants.join(" | ")));
            return Ok(Some(experiment));
        }
        let Some(Flag { enabled, variants, rules, default, .. }) = definitions.flags.get(key) else {
            let known = definitions.experiments.keys().chain(definitions.flags.keys()).map(String::as_str);
            let nearest = assay_experiment::nearest(key, known);
            return Err(WrongUse(format!("{key} is no experiment and no flag{nearest}")).into());
        };
        let state = if *enabled { "on" } else { "off" };
        let what = format!(
            "flag, {state}, {} variants, {} rules, default {}",
            variants.len(),
            rules.len(),
            default.as_deref().unwrap_or("none")
        );
        self.step(1, "flag check", &what);
        Ok(None)
    }

    /// Step 2: which version does the edge answer from, and in which environment?
    fn config(&self, published: &Snapshot) -> Result<String> {
        let ready = self.runtime.block_on(self.edge.get("/readyz"))?.json;
        let version = ready["version"].as_u64().ok_or_else(|| anyhow!("the edge has no definitions: {ready}"))?;
        let behind = match version == published.version().0 {
            true => "as published".to_owned(),
            false => format!("but version {} is published", published.version().0),
        };
        let told = |name: &str| ready[name].as_str().map_or_else(|| ready[name].to_string(), str::to_owned);
        let what = format!(
            "version {version}, {behind}; {}, heard from {} s ago; environment {}",
            told("source"),
            told("age_seconds"),
            told("environment")
        );
        self.step(2, "config", &what);
        Ok(told("environment"))
    }

    /// Step 3: what the hash says, computed here from the published definitions.
    fn assignment(&self, rules: &Ruleset, experiment: Option<&Experiment>) -> Result<Expected> {
        let context = evaluation::Context::parse(json!(self.context).to_string().as_bytes())
            .map_err(|problem| anyhow!("the context: {problem}"))?;
        let answer = rules.evaluate_key(&self.arguments.key, &context);
        let expected = Expected::of(rules, &self.arguments.key, answer);
        let what = match experiment.and_then(|experiment| Some((experiment, experiment.salt.as_deref()?))) {
            Some((experiment, salt)) => {
                let drawn = hash(Tag::Variant, salt, &experiment.unit, &self.unit);
                let at = bucket(Tag::Variant, salt, &experiment.unit, &self.unit);
                let ranges = variant_ranges(experiment).zip(&experiment.variants);
                let (range, variant) = ranges
                    .into_iter()
                    .find(|((start, end), _)| (*start..*end).contains(&at))
                    .ok_or_else(|| anyhow!("no variant has bucket {at}"))?;
                format!(
                    "hash {drawn:016x}, bucket {at} of {BUCKETS}: {} has {} to {}; {}",
                    variant.name,
                    range.0,
                    range.1 - 1,
                    expected.describe()
                )
            }
            None => expected.describe(),
        };
        self.step(3, "assignment", &what);
        Ok(expected)
    }

    /// Step 4: what the edge answers. `false` when it differs from step 3.
    fn answer(&self, expected: &Expected) -> Result<bool> {
        let path = format!("/ofrep/v1/evaluate/flags/{}", self.arguments.key);
        let asked = Instant::now();
        let answer = self.runtime.block_on(self.edge.post(&path, &json!({"context": self.context})))?;
        let took = asked.elapsed().as_secs_f64() * 1e3;
        let variant = answer.json["variant"].as_str();
        let agrees = variant == expected.variant.as_deref();
        let verdict = if agrees { "as computed" } else { "NOT as computed in step 3" };
        let what = match answer.json["errorCode"].as_str() {
            Some(code) => format!("{code}: {}", answer.json["errorDetails"].as_str().unwrap_or_default()),
            None => format!(
                "{} ({}), {verdict}",
                variant.unwrap_or("no variant"),
                answer.json["reason"].as_str().unwrap_or("?")
            ),
        };
        self.step(4, "answer", &format!("{what}; took {took:.1} ms"));
        Ok(agrees)
    }

    fn results(&self, id: &str) -> Result<Json> {
        Ok(self.ask(&self.server, &format!("/v1/experiments/{id}/results"))?.json)
    }

    /// Steps 5 to 8: the event, its row, the look that has it, the report.
    fn log_and_report(
        &self,
        rows: &Rows,
        experiment: &Experiment,
        variant: &str,
        before: &Json,
        asked: Instant,
    ) -> Result<bool> {
        let deadline = asked + Duration::from_secs(self.arguments.patience);
        let partitions = before["freshness"]["partitions"].as_u64().and_then(|it| u32::try_from(it).ok()).unwrap_or(1);
        let partition = partition_of(self.unit.as_bytes(), partitions);
        let (mut row, mut reports) = (None::<(Row, f64)>, vec![Report::of(before, &experiment.id, partition, 0.0)]);
        // Rows come with their chunk, results with the next look; either may be first.
        let reported = loop {
            if Instant::now() > deadline {
                break None;
            }
            let now = self.began.elapsed().as_secs_f64() * 1e3;
            if row.is_none() {
                row = rows.exposure(&experiment.id, &experiment.unit, &self.unit)?.map(|row| (row, now));
            }
            let report = Report::of(&self.results(&experiment.id)?, &experiment.id, partition, now);
            if reports.last().is_none_or(|last| last.next_offset < report.next_offset) {
                reports.push(report);
            }
            let has = |row: &Row, report: &&Report| row.offset < report.next_offset;
            if let Some(report) = row.as_ref().and_then(|(row, _)| reports.iter().find(|report| has(row, report))) {
                break Some(report);
            }
            std::thread::sleep(POLL_EVERY);
        };
        let Some((row, row_ms)) = &row else {
            println!(
                "  5–8  no row within {} s: is ClickHouse behind? See {}/readyz",
                self.arguments.patience, self.arguments.server
            );
            return Ok(false);
        };
        println!("  5  event        {:>11}  {}, at {}", "", row.event_id, row.event_time);
        println!(
            "  6  ingestion    {row_ms:>8.1} ms  partition {}, offset {}, log time {}; a row of ClickHouse",
            row.partition, row.offset, row.log_time
        );
        let Some(report) = reported else {
            println!("  7  aggregation  no look has offset {} within {} s", row.offset, self.arguments.patience);
            return Ok(false);
        };
        if report.ms == 0.0 {
            println!(
                "  7  aggregation               the unit was counted before: its first exposure was offset {}",
                row.offset
            );
        } else {
            println!(
                "  7  aggregation  {:>8.1} ms  the look of {} has partition {} up to offset {}",
                report.ms,
                report.look,
                partition,
                report.next_offset - 1
            );
        }
        println!(
            "  8  report       {:>8.1} ms  {variant}: {} units; see {}/experiments/{}",
            report.ms,
            report.units.get(variant).and_then(Json::as_i64).unwrap_or(0),
            self.arguments.server,
            experiment.id
        );
        Ok(row.partition == partition && row.variant == variant)
    }
}

/// What the published definitions say, and whether the edge logs it.
struct Expected {
    variant: Option<String>,
    reason: String,
    exposed: Option<String>,
}

impl Expected {
    fn of(
        rules: &Ruleset,
        key: &str,
        answer: std::result::Result<evaluation::Answer<'_>, evaluation::Failure>,
    ) -> Self {
        match answer {
            Ok(answer) => {
                let flag = &rules.flags()[answer.flag];
                let variant = answer.variant.map(|at| flag.variants()[at].0.to_owned());
                let exposed = answer
                    .exposure
                    .as_ref()
                    .filter(|assigned| assigned.experiment.id == key)
                    .map(|assigned| assigned.experiment.variants[assigned.variant].name.clone());
                Expected { variant, reason: answer.reason.name().to_owned(), exposed }
            }
            Err(failure) => Expected { variant: None, reason: failure.to_string(), exposed: None },
        }
    }

    fn describe(&self) -> String {
        format!("{} ({})", self.variant.as_deref().unwrap_or("no variant"), self.reason)
    }

    fn why_no_exposure(&self) -> String {
        match &self.variant {
            Some(_) => {
                format!("the answer is {}, and only a split of a running experiment is an exposure", self.reason)
            }
            None => self.reason.clone(),
        }
    }
}

/// An aligned look, as the results door showed it.
struct Report {
    look: String,
    next_offset: u64,
    units: Map<String, Json>,
    ms: f64,
}

impl Report {
    fn of(results: &Json, id: &str, partition: u32, ms: f64) -> Self {
        let offsets = &results["provenance"]["offsets"][partition.to_string()];
        let experiments = results["experiments"].as_array().map(Vec::as_slice).unwrap_or_default();
        let experiment = experiments.iter().find(|experiment| experiment["experiment"] == id);
        Report {
            look: results["look"].as_str().unwrap_or_default().to_owned(),
            next_offset: offsets[1].as_u64().unwrap_or(0),
            units: experiment.and_then(|experiment| experiment["units"].as_object().cloned()).unwrap_or_default(),
            ms,
        }
    }
}

fn new_unit() -> String {
    format!("trace-{}", crate::health::now_ms())
}

fn context(unit: &str, attributes: &[String]) -> Result<Map<String, Json>> {
    let mut context = Map::new();
    context.insert("targetingKey".to_owned(), json!(unit));
    for attribute in attributes {
        let Some((name, value)) = attribute.split_once('=') else {
            return Err(WrongUse(format!("--attribute {attribute}: write NAME=VALUE")).into());
        };
        let value = match serde_json::from_str::<Json>(value) {
            Ok(value) if value.is_boolean() || value.is_number() => value,
            _ => json!(value),
        };
        context.insert(name.to_owned(), value);
    }
    Ok(context)
}
