//! Space files: what a sweep tries, in TOML.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;
use tranche_lab::sweep::{Method, Parameter, Space};
use tranche_model::decimal;

use crate::{
    bot_file::FIELDS,
    cli::MethodName,
    document::{Kind, nearest},
};

/// A search, checked.
#[derive(Debug)]
pub(crate) struct SpaceFile {
    pub(crate) space: Space,
    pub(crate) method: Method,
    pub(crate) tries: u32,
    pub(crate) seed: u64,
    pub(crate) metric: String,
    pub(crate) holdout_pct: u8,
    pub(crate) walk_forward: u8,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    method: MethodName,
    tries: Option<u32>,
    #[serde(default)]
    seed: u64,
    #[serde(default = "metric")]
    metric: String,
    #[serde(default = "holdout")]
    holdout_pct: u8,
    #[serde(default)]
    walk_forward: u8,
    parameters: BTreeMap<String, Values>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Values {
    List { values: Vec<toml::Value> },
    Steps { from: toml::Value, to: toml::Value, step: toml::Value },
}

fn metric() -> String {
    "total_return".to_owned()
}

const fn holdout() -> u8 {
    30
}

/// Without a number of tries, a search by chance makes so many.
const USUAL_TRIES: u32 = 200;

impl SpaceFile {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let text = fs::read_to_string(path)
            .with_context(|| format!("{name}: cannot be read, give the path of a TOML file"))?;
        let written: Written = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                text.get(..span.start).unwrap_or_default().matches('\n').count() + 1
            });
            anyhow!("{name}, line {line}: {}", error.message().replace('\n', ", "))
        })?;
        let line = |parameter: &str| {
            let place = text.lines().position(|line| line.trim_start().starts_with(parameter));
            place.map_or_else(|| name.to_string(), |place| format!("{name}, line {}", place + 1))
        };
        let mut parameters = Vec::new();
        for (parameter, values) in &written.parameters {
            parameters.push(read(parameter, values).with_context(|| line(parameter))?);
        }
        let space = Space::new(parameters).with_context(|| name.to_string())?;
        let method = match written.method {
            MethodName::Grid => Method::Grid,
            MethodName::Random => Method::Random,
            MethodName::Bayes => Method::Bayes,
        };
        let usual = if method == Method::Grid { 1_000_000 } else { USUAL_TRIES };
        let tries = written.tries.unwrap_or(usual);
        if method == Method::Grid && u64::from(tries) < space.size() {
            bail!(
                "{name}: the grid has {} combinations and tries is {tries}; raise it, name fewer \
                 values, or search with method = \"random\" or \"bayes\"",
                space.size()
            );
        }
        Ok(Self {
            space,
            method,
            tries,
            seed: written.seed,
            metric: written.metric,
            holdout_pct: written.holdout_pct,
            walk_forward: written.walk_forward,
        })
    }
}

fn read(name: &str, values: &Values) -> Result<Parameter> {
    let names = FIELDS.iter().map(|field| field.name);
    let Some(field) = FIELDS.iter().find(|field| field.name == name) else {
        let meant =
            nearest(name, names).map_or_else(String::new, |it| format!("; did you mean {it}?"));
        bail!("{name}: a bot has no such setting{meant}");
    };
    if matches!(name, "name" | "pairs") {
        bail!("{name}: cannot be searched; run one sweep for each");
    }
    match values {
        Values::List { values } => {
            let values: Result<_> =
                values.iter().map(|value| single(name, field.kind, value)).collect();
            Ok(Parameter { name: name.to_owned(), values: values? })
        }
        Values::Steps { from, to, step } => {
            if !matches!(field.kind, Kind::Decimal | Kind::Whole) {
                bail!("{name}: has no steps, write values = [ … ]");
            }
            let number = |value: &toml::Value| number(name, value);
            let steps = (number(from)?, number(to)?, number(step)?);
            Ok(Parameter::steps(name, steps, field.kind == Kind::Whole)?)
        }
    }
}

/// A value as the bot's settings take it.
fn single(name: &str, kind: Kind, value: &toml::Value) -> Result<serde_json::Value> {
    Ok(match (kind, value) {
        (Kind::Decimal, _) => number(name, value)?.normalize().to_string().into(),
        (Kind::Whole, toml::Value::Integer(number)) => (*number).into(),
        (Kind::Flag, toml::Value::Boolean(flag)) => (*flag).into(),
        (Kind::Text, toml::Value::String(text)) => text.as_str().into(),
        _ => bail!("{name}: a value is of another kind than the setting: {value:?}"),
    })
}

fn number(name: &str, value: &toml::Value) -> Result<rust_decimal::Decimal> {
    match value {
        toml::Value::Integer(number) => Ok((*number).into()),
        toml::Value::String(text) => {
            decimal::parse(text).with_context(|| format!("{name}: `{text}` is no number"))
        }
        toml::Value::Float(value) => {
            bail!("{name}: {value} without quotes; write \"{value}\", so that it stays exact")
        }
        toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Array(_)
        | toml::Value::Table(_) => bail!("{name}: {value:?} is no number"),
    }
}
