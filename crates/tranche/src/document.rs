//! TOML files of settings, read so that whoever wrote them learns what is wrong, where, and what to
//! do.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// A setting that a file may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Texts,
    /// Digits in quotes: binary fractions are not exact.
    Decimal,
    Whole,
    Flag,
}

/// A file that holds only known settings, each of its kind.
#[derive(Debug, Clone)]
pub struct Document {
    name: String,
    text: String,
}

impl Document {
    pub fn read(path: &Path, fields: &[Field]) -> Result<Self> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path)
            .with_context(|| format!("{name}: cannot be read, give the path of a TOML file"))?;
        Self::of(name, text, fields)
    }

    /// From a text that was read already; `name` is what errors call it.
    pub fn of(name: String, text: String, fields: &[Field]) -> Result<Self> {
        let document = Self { name, text };
        document.check(fields)?;
        Ok(document)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The settings as a value.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        toml::from_str(&self.text).map_err(|error| self.syntax(&error))
    }

    /// An error with the file and the line of a setting.
    pub fn fault(&self, field: &str, text: &str) -> anyhow::Error {
        match self.line_of(field) {
            Some(line) => anyhow!("{}, line {line}: {text}", self.name),
            None => anyhow!("{}: {text}", self.name),
        }
    }

    fn check(&self, fields: &[Field]) -> Result<()> {
        let table: Table = self.text.parse().map_err(|error| self.syntax(&error))?;
        for (key, value) in &table {
            let Some(field) = fields.iter().find(|field| field.name == key) else {
                return Err(self.fault(key, &unknown(key, fields)));
            };
            if let Err(error) = fits(field, value, &self.written(key)) {
                return Err(self.fault(key, &error.to_string()));
            }
        }
        Ok(())
    }

    fn syntax(&self, error: &toml::de::Error) -> anyhow::Error {
        let message = error.message().replace('\n', ", ");
        if message.starts_with("missing field") {
            return anyhow!("{}: {message}, add it; examples/dca.toml shows all", self.name);
        }
        let Some(span) = error.span() else { return anyhow!("{}: {message}", self.name) };
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let shown = self.text.lines().nth(line - 1).unwrap_or_default().trim();
        anyhow!("{}, line {line}: {message}: `{shown}`", self.name)
    }

    /// What stands behind the name of a setting, on the same line.
    fn written(&self, field: &str) -> String {
        let line = self.line_of(field).and_then(|line| self.text.lines().nth(line - 1));
        let value = line.and_then(|line| line.split_once('=')).map_or("", |(_, value)| value);
        value.split_once(" #").map_or(value, |(value, _)| value).trim().to_owned()
    }

    fn line_of(&self, field: &str) -> Option<usize> {
        let names = |line: &str| {
            let rest = line.trim_start().strip_prefix(field);
            rest.is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        self.text.lines().position(names).map(|place| place + 1)
    }
}

/// `written` is the value as it stands in the file.
fn fits(field: &Field, value: &Value, written: &str) -> Result<()> {
    let name = field.name;
    match (field.kind, value) {
        (Kind::Text, Value::String(_))
        | (Kind::Decimal, Value::String(_) | Value::Integer(_))
        | (Kind::Flag, Value::Boolean(_)) => Ok(()),
        (Kind::Texts, Value::Array(items)) if items.iter().all(Value::is_str) => Ok(()),
        (Kind::Whole, Value::Integer(number)) if 0 <= *number => Ok(()),
        (Kind::Decimal, Value::Float(_)) => {
            bail!("{name} is {written} without quotes; write \"{written}\", so that it stays exact")
        }
        (kind, _) => bail!("{name} is {written} (must be {})", wanted(kind)),
    }
}

const fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a text in quotes",
        Kind::Texts => "a list of texts, such as [\"BTC/USDT\"]",
        Kind::Decimal => "a number in quotes, such as \"1.5\"",
        Kind::Whole => "a whole number of 0 or more, without quotes",
        Kind::Flag => "true or false",
    }
}

fn unknown(key: &str, fields: &[Field]) -> String {
    let names = fields.iter().map(|field| field.name);
    if let Some(name) = nearest(key, names.clone()) {
        return format!("{key}: unknown setting; did you mean {name}?");
    }
    let names = names.collect::<Vec<_>>().join(", ");
    format!("{key}: unknown setting; known are {names}")
}

/// The name that takes the fewest changes, if it is near enough to be meant.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.map(|name| (changes(word, name), name)).min()?;
    (near.0 <= near.1.len().max(6) / 3).then_some(near.1)
}

/// How many letters have to be put in, taken out or replaced (Levenshtein's distance).
fn changes(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        let mut next = vec![left];
        for (other, above) in to.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = *above;
            left = replaced.min(left + 1).min(above + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted() {
        for (from, to, count) in [("", "abc", 3), ("kitten", "sitting", 3), ("pair", "pairs", 1)] {
            assert_eq!(changes(from, to), count, "{from} {to}");
        }
    }

    #[test]
    fn only_near_names_are_offered() {
        let names = ["take_profit_pct", "name", "pairs"];

        assert_eq!(nearest("take_profit", names.into_iter()), Some("take_profit_pct"));
        assert_eq!(nearest("pair", names.into_iter()), Some("pairs"));
        assert_eq!(nearest("zzzzzzzz", names.into_iter()), None);
    }
}
