//! What goes wrong on the wire when somebody asks for it.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use tranche_simserver::FaultProfile;

/// The name of the profile that needs no file.
const USUAL: &str = "usual";

/// A bad day: what a real exchange does now and then, all of it often.
const BAD_DAY: &str = r#"
seed = 7

[[rule]]
path = "POST /api/v3/order"
per_mille = 20
fault = { kind = "drop_after" }

[[rule]]
path = "POST /api/v3/order"
per_mille = 20
fault = { kind = "error_before", status = 502 }

[[rule]]
path = "POST /api/v3/order"
per_mille = 20
fault = { kind = "timeout", executed = true }

[[rule]]
path = "POST /api/v3/order"
per_mille = 10
fault = { kind = "broken_json" }

[[rule]]
path = "DELETE /api/v3/order"
per_mille = 30
fault = { kind = "error_after", status = 504 }

[[rule]]
path = "GET /api/v3"
per_mille = 20
fault = { kind = "stale_read", ms = 1500 }

[[rule]]
path = "GET /api/v3"
per_mille = 20
fault = { kind = "delay", ms = 300 }

[[rule]]
path = "executionReport"
per_mille = 20
fault = { kind = "event_drop" }

[[rule]]
path = "executionReport"
per_mille = 50
fault = { kind = "event_double" }

[[rule]]
path = "executionReport"
per_mille = 50
fault = { kind = "event_swap" }

[[rule]]
path = "POST /api/v3/order"
per_mille = 5
fault = { kind = "cut_streams" }
"#;

/// A profile by its file, or the one that comes along.
pub(super) fn profile(name: &str) -> Result<FaultProfile> {
    let text = if name == USUAL {
        BAD_DAY.to_owned()
    } else {
        let unreadable = || format!("faults: {name} cannot be read; give a file, or `{USUAL}`");
        fs::read_to_string(Path::new(name)).with_context(unreadable)?
    };
    toml::from_str(&text).with_context(|| format!("faults: {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_that_comes_along_can_be_read() {
        assert_eq!(profile(USUAL).unwrap().rules.len(), 11);
    }

    #[test]
    fn a_profile_that_cannot_be_read_says_what_would_do() {
        let error = format!("{:#}", profile("no/such/file.toml").unwrap_err());
        assert!(error.contains("give a file, or `usual`"), "{error}");
    }
}
