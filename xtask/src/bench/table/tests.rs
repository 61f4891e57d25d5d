use std::collections::BTreeSet;

use super::*;
use crate::bench::PARTS;

#[test]
fn line_shows_both_sides_and_judges() {
    let slow = row("a step", "ours", Show::Nanos).beside("limit", "kernel");
    let figures = Figures::of(&[("ours", 300.0), ("limit", 20.0)]);

    let missed = line(&slow.goal(Goal::Times(10.0)), Some(&figures), None);

    assert_eq!(missed, "| a step | 300 ns | 20.0 ns (kernel) | 15.0 × | ≤ 10.0 ×: **not met** |");
}

#[test]
fn rates_count_what_one_run_does() {
    let scan = row("scan", "scan", Show::PerSecond).goal(Goal::Rate(5e7));
    let figures = Figures::of(&[("scan", 1e6), ("scan:elements", 1e5)]);

    assert_eq!(line(&scan, Some(&figures), None), "| scan | 100 M/s |  |  | ≥ 50.0 M/s: met |");
}

#[test]
fn missing_figure_is_said() {
    let absent = line(&row("a step", "ours", Show::Nanos), Some(&Figures::of(&[])), None);

    assert_eq!(absent, "| a step | not measured | | | |");
}

#[test]
fn run_of_one_part_changes_its_sections_only() {
    let former =
        page(&measured_by("group", &[("store/sqlite/1/p50", 1e3), ("start/bots", 7.0)]), "A", "");
    assert!(former.contains("| bots | not measured |"), "of a part that did not run");
    let standing = former.replace("| bots | not measured | | | |", "| bots | 5 |  |  | ≤ 9: met |");

    // Figures of other parts lie about from another build.
    let found = [("start/bots", 8.0), ("store/sqlite/1/p50", 2e3), ("step/idle-wake", 3.0)];
    let anew = page(&measured_by("group", &found), "A", &standing);

    let changed = changes(&standing, &anew);
    assert_eq!(changed, ["| SQLite, one caller: wait, p50 | 2000 ns |  |  |  |"]);
}

#[test]
fn page_without_a_run_is_the_page_that_stands() {
    let standing = include_str!("../../../../docs/benchmarks.md");
    let machine = standing.lines().find_map(|line| line.strip_prefix("Machine: ")).unwrap();

    let anew = page(&Run::default(), machine.trim_end_matches('.'), standing);

    let is_measured = |line: &&str| line.starts_with("| ") && !line.contains("| not measured |");
    let lines =
        |page: &str| page.lines().filter(is_measured).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&anew), lines(standing));
    let twice = page(&Run::default(), machine.trim_end_matches('.'), &anew);
    assert_eq!(twice, anew);
}

#[test]
fn rows_that_say_the_same_keep_their_own_lines() {
    let raw = [("store/sqlite/1/p99", 4e3), ("store/sqlite/1/disk/p99", 2e3)];
    let both = [&raw[..], &[("store/sqlite/1/page/p99", 1e3)]].concat();
    let standing = page(&measured_by("group", &both), "A", "");

    let anew = page(&measured_by("step", &both), "A", &standing);

    assert!(anew.contains("| 2000 ns (the same bytes, fdatasync) | 2.00 × | ≤ 3.00 ×: met |"));
    assert!(anew.contains("| 1000 ns (a page, fdatasync) | 4.00 × |  |"));
    assert_eq!(anew, standing);
}

#[test]
fn comparison_stays_when_the_other_side_did_not_run() {
    let both = [("peers/ours/jump", 10.0), ("peers/nautilus", 1e3)];
    let standing = page(&measured_by("sweep", &both), "A", "");

    let anew = page(&measured_by("sweep", &[("peers/ours/jump", 20.0)]), "A", &standing);

    let line = "| NautilusTrader, bars | 100 M/s | 1.00 M/s (NautilusTrader) | 0.01000 × |  |";
    assert!(standing.contains(line) && anew.contains(line), "{anew}");
    // Never compared: what is known of it is said.
    assert!(anew.contains("| backtesting.py | 50.0 M/s |  |  |  |"), "{anew}");
}

#[test]
fn prices_stay_said_where_nobody_told_others() {
    let mut run = measured_by("sweep", &[("sweep/wall", 1.0)]);
    run.figures.put_note("year", "recorded market (a)");
    let standing = page(&run, "A", "");
    assert_eq!(standing.matches(" On a recorded market (a).\n").count(), 3, "{standing}");

    let kept = page(&measured_by("sweep", &[("sweep/wall", 1.0)]), "A", &standing);
    run.figures.put_note("year", "generated market (b)");
    let changed = page(&run, "A", &standing);

    assert_eq!(kept, standing);
    assert_eq!(changed.matches(" On a generated market (b).\n").count(), 3, "{changed}");
}

#[test]
fn each_section_is_of_a_part_and_each_part_has_one() {
    let sections: BTreeSet<&str> =
        SECTIONS.iter().chain(&durable::SECTIONS).map(|section| section.part).collect();

    assert_eq!(sections, PARTS.iter().map(|part| part.name).collect());
}

fn measured_by(part: &'static str, numbers: &[(&str, f64)]) -> Run {
    Run { parts: vec![part], figures: Figures::of(numbers) }
}

/// The lines of a page that another one does not have.
fn changes(before: &str, after: &str) -> Vec<String> {
    let before: Vec<&str> = before.lines().collect();
    after.lines().filter(|line| !before.contains(line)).map(str::to_owned).collect()
}
