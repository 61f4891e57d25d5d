//! `tranche simulate` through its own door.

use serde_json::Value;

use super::place::Place;

#[test]
fn worlds_are_told_in_one_line_and_the_same_seed_is_the_same_world() {
    let place = Place::new("simulate");
    let told = place.run("simulate --bot-years 1 --days 18 --seed 40 --json");
    assert_eq!(told.code, Some(0), "{}", told.err);
    let line: Value = serde_json::from_str(&told.out).unwrap();

    assert_eq!((&line["violations"], &line["unlike"]), (&Value::from(0), &Value::from(0)));
    for zero in ["lost", "duplicated", "orphaned", "ledger_differences"] {
        assert_eq!(line[zero], 0, "{zero}");
    }
    for count in ["events", "faults_injected", "kills", "run_twice"] {
        assert!(line[count].as_u64().is_some_and(|count| count != 0), "{count}");
    }

    let again = place.run("simulate --bot-years 1 --days 18 --seed 40 --json");
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(line["trace_hash"], again["trace_hash"]);
    assert_eq!(line["events"], again["events"]);
}

#[test]
fn a_part_of_the_worlds_is_spoken_as_text() {
    let place = Place::new("simulate_text");
    // Of the seeds 52 to 64 these are 52 and 54.
    let told = place.run("simulate --days 3 --seed 52 --json");
    assert_eq!(told.code, Some(0), "{}", told.err);
    let line: Value = serde_json::from_str(&told.out).unwrap();

    assert_eq!((&line["worlds"], &line["wire_worlds"]), (&Value::from(13), &Value::from(2)));
    assert!(line["wire_events"].as_u64().is_some_and(|texts| 5_000 < texts), "{line}");
    assert_eq!((&line["violations"], &line["unlike"]), (&Value::from(0), &Value::from(0)));
}

#[test]
fn only_what_is_asked_for_goes_wrong() {
    let place = Place::new("simulate_some");
    let told = place.run("simulate --days 3 --faults drop_event,kill_after_send --json");
    let line: Value = serde_json::from_str(&told.out).unwrap();
    let struck: Vec<_> = line["faults"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(struck, ["drop_event", "kill_after_send"]);

    let fair = place.run("simulate --days 3 --faults none --json");
    let line: Value = serde_json::from_str(&fair.out).unwrap();
    assert_eq!((&line["faults_injected"], &line["kills"]), (&Value::from(0), &Value::from(0)));
}

#[test]
fn a_part_of_a_world_is_repeated() {
    let place = Place::new("simulate_part");
    let part = "simulate --seed 3 --days 3 --only-acts 0-40 --only-minutes 0-2000 --only-bots 0,2";
    let told = place.run(&format!("{part} --json"));

    assert_eq!(told.code, Some(0), "{}", told.err);
    let line: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(line["worlds"], 1);
    assert!(line["faults_injected"].as_u64().is_some_and(|count| count <= 41));
}

#[test]
fn what_cannot_be_read_is_refused_with_a_way_out() {
    let place = Place::new("simulate_refused");
    place.run("simulate --faults rain").refuses(&["no fault is called \"rain\"", "read_lag"]);
    place.run("simulate --only-acts x").refuses(&["--only-acts: x", "such as 3,17-20"]);
    place.run("simulate --only-acts 3 --bot-years 2").refuses(&["--bot-years: 2", "leave it out"]);
}
