//! The rules for alerts ring at what they are for, as Prometheus' own tool sees it.

use std::{io::Write as _, path::Path, process::Command};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
/// Where `cargo xtask prepare` puts it.
const UNPACKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/promtool");

#[test]
fn rules_ring_at_the_states_that_they_are_for() {
    for line in ["check rules alerts.yml", "test rules alerts.test.yml"] {
        let name = if Path::new(UNPACKED).exists() { UNPACKED } else { "promtool" };
        let mut promtool = Command::new(name);
        let Ok(output) = promtool.args(line.split(' ')).current_dir(DOCS).output() else {
            // Past the capture of the test's output: a skipped test must be seen.
            writeln!(
                std::io::stderr(),
                "SKIPPED: promtool is not here; `cargo xtask prepare` unpacks it on Debian"
            )
            .unwrap();
            return;
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{line}: {said}{complained}");
    }
}

#[test]
fn every_rule_is_tried() {
    let read = |name: &str| std::fs::read_to_string(format!("{DOCS}/{name}")).unwrap();
    let (rules, tests) = (read("alerts.yml"), read("alerts.test.yml"));
    let names: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(8 < names.len(), "{names:?}");
    for name in names {
        let tried = tests.split("eval_time").filter(|part| {
            part.contains(&format!("alertname: {name}\n")) && part.contains("exp_alerts")
        });
        assert_ne!(tried.count(), 0, "{name} never rings");
    }
}
