//! How much is done, and what goes wrong: as the tests say, or as `cargo xtask crash` does.

use std::{path::PathBuf, thread};

use serde_json::{Map, Value, json};

/// What goes wrong beside the kills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The line to the exchange delays, cuts, doubles and truncates.
    Proxy,
    Pauses,
    Disks,
    Restores,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Vec<Fault>);

const NAMES: [(Fault, &str); 4] = [
    (Fault::Proxy, "proxy"),
    (Fault::Pauses, "pauses"),
    (Fault::Disks, "disks"),
    (Fault::Restores, "restores"),
];

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) cycles: u64,
    pub(crate) faults: Faults,
    /// For the measurement of recovery.
    pub(crate) bots: Option<u64>,
    /// What the exchange allows, in times of what Binance does.
    pub(crate) leave: u32,
    pub(crate) seed: u64,
    /// Worlds at the same time.
    pub(crate) jobs: u64,
    /// Whether somebody asked for more than the tests do.
    pub(crate) is_asked: bool,
    /// Where the closing line goes.
    report: Option<PathBuf>,
}

impl Plan {
    /// What the tests do, unless the environment says otherwise.
    #[expect(clippy::disallowed_methods, reason = "how `cargo xtask crash` says what it wants")]
    pub(crate) fn of(cycles: u64, faults: Faults) -> Self {
        let said = |name: &str| std::env::var(format!("TRANCHE_CRASH_{name}")).ok();
        let number = |name: &str| said(name).map(|text| text.parse::<u64>().expect("a number"));
        let asked = number("CYCLES");
        Self {
            cycles: asked.unwrap_or(cycles),
            faults: said("FAULTS").map_or(faults, |text| Faults::parse(&text)),
            bots: number("BOTS"),
            leave: number("LEAVE").map_or(1, |times| u32::try_from(times).expect("a small number")),
            seed: number("SEED").unwrap_or(0x5EED),
            jobs: number("JOBS").unwrap_or(1).max(1),
            is_asked: asked.is_some(),
            report: said("REPORT").map(PathBuf::from),
        }
    }

    pub(crate) fn head(&self, store: &str, seconds: u64) -> Map<String, Value> {
        let head = json!({
            "store": store,
            "seed": self.seed,
            "faults": self.faults.words(),
            "jobs": self.jobs,
            "cores": thread::available_parallelism().map_or(0, std::num::NonZero::get),
            "seconds": seconds,
        });
        match head {
            Value::Object(head) => head,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        }
    }

    /// The line closes what `cargo xtask crash` prints.
    pub(crate) fn close(&self, line: &Value) {
        println!("{line}");
        if let Some(path) = &self.report {
            std::fs::write(path, line.to_string()).unwrap();
        }
    }
}

impl Faults {
    pub(crate) fn of(faults: &[Fault]) -> Self {
        Self(faults.to_vec())
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    fn parse(text: &str) -> Self {
        let named = NAMES.iter().filter(|(_, name)| text.split(',').any(|word| word == *name));
        Self(named.map(|(fault, _)| *fault).collect())
    }

    fn words(&self) -> Vec<&'static str> {
        let named = NAMES.iter().filter(|(fault, _)| self.has(*fault));
        named.map(|(_, name)| *name).collect()
    }
}
