//! What was asked for: metrics, caps, covariates and weights, as written on the command line.

use assay_experiment::nearest;

/// A metric as written: `NAME:TYPE`, `NAME=COLUMN:TYPE`, or `NAME=COLUMN/COLUMN:ratio`.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSpec {
    /// As shown.
    pub name: String,
    /// Column of the values.
    pub column: String,
    /// What is made of it.
    pub kind: Kind,
}

/// What a metric makes of the rows of a unit.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Whether any row says yes.
    Conversion,
    /// The sum over the rows.
    Sum,
    /// The sum, of whole numbers from 0.
    Count,
    /// Sum over sum, of units: the column divided by this one.
    Ratio {
        /// Column of the denominator.
        denominator: String,
    },
    /// A quantile over units of their one value.
    Quantile(f64),
}

impl Kind {
    /// As written.
    pub fn name(&self) -> String {
        match self {
            Kind::Conversion => "conversion".to_owned(),
            Kind::Sum => "sum".to_owned(),
            Kind::Count => "count".to_owned(),
            Kind::Ratio { .. } => "ratio".to_owned(),
            Kind::Quantile(q) => format!("p{}", crate::table::number(100.0 * q)),
        }
    }
}

const KINDS: [&str; 5] = ["conversion", "sum", "count", "ratio", "p95"];

/// Reads a `--metric`.
pub fn metric(text: &str) -> Result<MetricSpec, String> {
    let Some((what, kind)) = text.rsplit_once(':').filter(|(what, kind)| !what.is_empty() && !kind.is_empty()) else {
        return Err(format!("'{text}' has no type: write NAME:TYPE, as in spend:sum; types are {}", KINDS.join(", ")));
    };
    let (name, column) = what.split_once('=').unwrap_or((what, what));
    let kind = match (kind, column.split_once('/')) {
        ("conversion" | "binary", _) => Kind::Conversion,
        ("sum" | "mean", _) => Kind::Sum,
        ("count", _) => Kind::Count,
        ("ratio", Some((numerator, denominator))) if !numerator.is_empty() && !denominator.is_empty() => {
            let kind = Kind::Ratio { denominator: denominator.to_owned() };
            return Ok(MetricSpec { name: name.to_owned(), column: numerator.to_owned(), kind });
        }
        ("ratio", _) => {
            return Err(format!(
                "'{text}' is no ratio: write NAME=COLUMN/COLUMN:ratio, as in basket=revenue/orders:ratio"
            ));
        }
        (other, _) => match quantile(other) {
            Some(q) => Kind::Quantile(q),
            None => {
                return Err(format!(
                    "there is no metric of type '{other}'{}; types are {}",
                    nearest(other, KINDS),
                    KINDS.join(", ")
                ));
            }
        },
    };
    if name.is_empty() || column.is_empty() {
        return Err(format!("'{text}' lacks a name or a column: write NAME=COLUMN:TYPE"));
    }
    Ok(MetricSpec { name: name.to_owned(), column: column.to_owned(), kind })
}

/// `p99.9` as a share.
fn quantile(text: &str) -> Option<f64> {
    let share = crate::grid::share(&format!("{}%", text.strip_prefix('p')?)).ok()?;
    (share > 0.0 && share < 1.0).then_some(share)
}

/// A `--cap`: `METRIC=VALUE` or `METRIC=p99.9`.
#[derive(Debug, Clone, PartialEq)]
pub struct CapSpec {
    /// Name of the metric.
    pub metric: String,
    /// Where unit totals end.
    pub cap: Cap,
}

/// Where unit totals end.
#[derive(Debug, Clone, PartialEq)]
pub enum Cap {
    /// In micro-units of the metric.
    Fixed(i64),
    /// At this quantile of the units that have a value, all arms together.
    Percentile(f64),
}

/// Reads a `--cap`.
pub fn cap(text: &str) -> Result<CapSpec, String> {
    let Some((metric, cap)) = text.rsplit_once('=').filter(|(metric, _)| !metric.is_empty()) else {
        return Err(format!("'{text}' is no cap: write METRIC=VALUE or METRIC=p99.9"));
    };
    let cap = match quantile(cap) {
        Some(q) => Cap::Percentile(q),
        None => Cap::Fixed(assay_experiment::decimal(cap).map_err(|problem| format!("the cap '{cap}' {problem}"))?.0),
    };
    Ok(CapSpec { metric: metric.to_owned(), cap })
}

/// A `--covariate`: `COLUMN` for all metrics, or `METRIC=COLUMN`.
#[derive(Debug, Clone, PartialEq)]
pub struct CovariateSpec {
    /// Name of the metric; `None` for all that can be adjusted.
    pub metric: Option<String>,
    /// Column of the covariate.
    pub column: String,
}

/// Reads a `--covariate`.
pub fn covariate(text: &str) -> Result<CovariateSpec, String> {
    let (metric, column) = match text.split_once('=') {
        Some((metric, column)) => (Some(metric.to_owned()), column),
        None => (None, text),
    };
    if column.is_empty() || metric.as_deref() == Some("") {
        return Err(format!("'{text}' is no covariate: write COLUMN or METRIC=COLUMN"));
    }
    Ok(CovariateSpec { metric, column: column.to_owned() })
}

/// A `--weight`: `VARIANT=WEIGHT`.
pub fn weight(text: &str) -> Result<(String, f64), String> {
    let parsed = text.rsplit_once('=').and_then(|(variant, weight)| Some((variant, weight.parse::<f64>().ok()?)));
    match parsed {
        Some((variant, weight)) if !variant.is_empty() && weight >= 0.0 && weight.is_finite() => {
            Ok((variant.to_owned(), weight))
        }
        _ => Err(format!("'{text}' is no weight: write VARIANT=WEIGHT, as in treatment=0.1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_as_written() {
        let spec =
            |name: &str, column: &str, kind| Ok(MetricSpec { name: name.to_owned(), column: column.to_owned(), kind });
        assert_eq!(metric("spend:sum"), spec("spend", "spend", Kind::Sum));
        assert_eq!(metric("sales=spend:sum"), spec("sales", "spend", Kind::Sum));
        assert_eq!(metric("a:b:conversion"), spec("a:b", "a:b", Kind::Conversion));
        assert_eq!(metric("wait:p99.9"), spec("wait", "wait", Kind::Quantile(0.999)));
        let denominator = "orders".to_owned();
        assert_eq!(metric("basket=revenue/orders:ratio"), spec("basket", "revenue", Kind::Ratio { denominator }));
        for (wrong, message) in [
            ("spend", "has no type"),
            ("spend:", "has no type"),
            (":sum", "has no type"),
            ("spend:conversoin", "did you mean 'conversion'"),
            ("spend:p100", "no metric of type"),
            ("spend:ratio", "is no ratio"),
            ("=spend:sum", "lacks a name"),
        ] {
            assert!(metric(wrong).unwrap_err().contains(message), "{wrong}: {:?}", metric(wrong));
        }
    }

    #[test]
    fn caps_covariates_and_weights_as_written() {
        assert_eq!(cap("spend=499.5").unwrap().cap, Cap::Fixed(499_500_000));
        assert_eq!(cap("spend=p99.9").unwrap().cap, Cap::Percentile(0.999));
        assert!(cap("spend=lots").unwrap_err().contains("'lots' is not a number") && cap("7").is_err());
        assert_eq!(covariate("spend=history").unwrap().metric.as_deref(), Some("spend"));
        assert!(covariate("=x").is_err() && covariate("x=").is_err());
        assert_eq!(weight("a=b=0.5"), Ok(("a=b".to_owned(), 0.5)));
        assert!(weight("a").is_err() && weight("a=-1").is_err() && weight("a=NaN").is_err());
    }
}
