//! What benchmarks left behind: the estimates of criterion and the figures of our own program.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

/// Measured numbers and notes by name. Times are in nanoseconds for one thing done.
#[derive(Default)]
pub(crate) struct Figures {
    numbers: BTreeMap<String, f64>,
    notes: BTreeMap<String, String>,
}

impl Figures {
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn note(&self, name: &str) -> Option<&str> {
        self.notes.get(name).map(String::as_str)
    }

    /// Takes in `GROUP/NAME/new/` of each benchmark.
    pub(crate) fn read_criterion(&mut self, folder: &Path) -> Result<(), String> {
        for group in folders(folder)? {
            for one in folders(&group)? {
                let newest = one.join("new");
                if newest.join("estimates.json").is_file() {
                    let benchmark = json(&newest.join("benchmark.json"))?;
                    self.take_criterion(&benchmark, &json(&newest.join("estimates.json"))?);
                }
            }
        }
        Ok(())
    }

    fn take_criterion(&mut self, benchmark: &Value, estimates: &Value) {
        let name = benchmark.get("full_id").and_then(Value::as_str);
        let median = estimates.pointer("/median/point_estimate").and_then(Value::as_f64);
        let (Some(name), Some(nanos)) = (name, median) else { return };
        self.numbers.insert(name.to_owned(), nanos);
        let throughput = benchmark.get("throughput").and_then(Value::as_object);
        for (kind, count) in throughput.into_iter().flatten() {
            if let Some(count) = count.as_f64() {
                self.numbers.insert(format!("{name}:{}", kind.to_lowercase()), count);
            }
        }
    }

    /// Takes in an object of numbers and texts.
    pub(crate) fn read_json(&mut self, path: &Path) -> Result<(), String> {
        for (name, value) in json(path)?.as_object().into_iter().flatten() {
            if let Some(number) = value.as_f64() {
                self.numbers.insert(name.clone(), number);
            } else if let Some(text) = value.as_str() {
                self.notes.insert(name.clone(), text.to_owned());
            }
        }
        Ok(())
    }
}

fn folders(path: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let entries = fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

fn json(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
impl Figures {
    pub(super) fn of(numbers: &[(&str, f64)]) -> Self {
        let numbers = numbers.iter().map(|(name, number)| ((*name).to_owned(), *number));
        Self { numbers: numbers.collect(), notes: BTreeMap::new() }
    }

    pub(super) fn put_note(&mut self, name: &str, text: &str) {
        self.notes.insert(name.to_owned(), text.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_come_with_their_throughput() {
        let mut figures = Figures::default();
        let benchmark = r#"{"full_id":"journal/fill","throughput":{"Bytes":90}}"#;
        let estimates = r#"{"median":{"point_estimate":12.5}}"#;

        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        figures.take_criterion(&parse(benchmark), &parse(estimates));

        assert_eq!(figures.number("journal/fill"), Some(12.5));
        assert_eq!(figures.number("journal/fill:bytes"), Some(90.0));
    }
}
