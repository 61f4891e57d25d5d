//! `tranche sweep`: the best first, the same whoever computes, and on again after a cut.

use std::{process::Stdio, thread, time::Duration};

use super::place::Place;

const RUN: &str = "sweep --bot bot.toml --space space.toml --candles candles.csv";
const SPACE: &str = "\
tries = 60
walk_forward = 2
[parameters]
take_profit_pct = { from = \"0.4\", to = \"2\", step = \"0.2\" }
safety_order_step_pct = { values = [\"0.5\", 1] }
";

fn place(name: &str) -> Place {
    let place = Place::trading(name);
    place.write("space.toml", SPACE);
    place
}

/// The lines of a journal, in order.
fn lines(place: &Place, name: &str) -> Vec<String> {
    let text = String::from_utf8(place.read(name)).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn the_best_are_shown_with_what_speaks_against_them() {
    let place = place("sweep_table");

    let told = place.run(&format!("{RUN} --report r.html --export tables"));

    assert_eq!(told.code, Some(0), "{}", told.err);
    for word in ["take_profit_pct", "held out", "what speaks against the first", "walk-forward"] {
        assert!(told.out.contains(word), "{}", told.out);
    }
    let page = String::from_utf8(place.read("r.html")).unwrap();
    assert!(page.contains("best of 18 tries") && page.contains("\"sweep\":{"));
    for table in ["tries", "fills", "deals", "equity"] {
        assert!(place.read(&format!("tables/{table}.parquet")).starts_with(b"PAR1"), "{table}");
    }
}

#[test]
fn threads_change_nothing() {
    let place = place("sweep_threads");

    let told = ["1", "2", "5"].map(|threads| {
        let line = format!("{RUN} --threads {threads} --journal {threads}.jsonl --json");
        let mut json = place.run(&line).json();
        json.as_object_mut().unwrap().remove("journal");
        json
    });

    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
    assert_eq!(told[0]["tries"], 18);
    assert_eq!(lines(&place, "1.jsonl"), lines(&place, "5.jsonl"));
}

#[test]
fn a_killed_sweep_goes_on_to_the_same_end() {
    let place = place("sweep_killed");
    let wide =
        SPACE.replace("step = \"0.2\"", "step = \"0.02\"").replace("tries = 60", "tries = 500");
    place.write("space.toml", &wide);
    let line = format!("{RUN} --threads 1 --journal cut.jsonl");
    let mut child =
        place.command(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let journal = place.path("cut.jsonl");
    let is_begun = (0..2000).any(|_| {
        thread::sleep(Duration::from_millis(5));
        std::fs::metadata(&journal).is_ok_and(|data| 12_000 < data.len())
    });
    assert!(is_begun, "nothing was tried");
    child.kill().unwrap();
    child.wait().unwrap();
    let cut = lines(&place, "cut.jsonl").len();

    let told = place.run(&format!("{line} --json"));
    let whole = place.run(&format!("{RUN} --journal whole.jsonl --json"));

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(cut < 163, "it was not cut: {cut}");
    assert!(told.err.contains("tries are in cut.jsonl already"), "{}", told.err);
    assert_eq!(told.json()["ranked"], whole.json()["ranked"]);
    assert_eq!(lines(&place, "cut.jsonl"), lines(&place, "whole.jsonl"));
}

#[test]
#[cfg(unix)]
fn a_stopped_sweep_says_how_to_go_on() {
    let place = place("sweep_stopped");
    let wide =
        SPACE.replace("step = \"0.2\"", "step = \"0.01\"").replace("tries = 60", "tries = 500");
    place.write("space.toml", &wide);
    let line = format!("{RUN} --threads 1 --journal cut.jsonl");
    let child = place.command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let journal = place.path("cut.jsonl");
    let is_begun = (0..2000).any(|_| {
        thread::sleep(Duration::from_millis(5));
        std::fs::metadata(&journal).is_ok_and(|data| 9_000 < data.len())
    });
    assert!(is_begun, "nothing was tried");
    let stop = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(stop.unwrap().success());

    let output = child.wait_with_output().unwrap();

    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("run the same command to go on"), "{err}");
    assert!(err.contains("which are kept in cut.jsonl"), "{err}");
}

#[test]
fn wrong_spaces_say_where_and_what_to_do() {
    let place = place("sweep_wrong");
    for (text, words) in [
        (
            "[parameters]\ntake_profit = { values = [1] }\n",
            "space.toml, line 2: take_profit: a bot has no such setting; did you mean take_profit_pct?",
        ),
        ("[parameters]\ntake_profit_pct = { values = [1.5] }\n", "without quotes"),
        ("[parameters]\npairs = { values = [\"A/B\"] }\n", "cannot be searched"),
        (
            "tries = 3\n[parameters]\ntake_profit_pct = { from = 1, to = 9, step = 1 }\n",
            "the grid has 9 combinations",
        ),
        ("method = \"luck\"\n[parameters]\n", "space.toml, line 1"),
        ("[parameters]\n", "nothing to try"),
        (
            "metric = \"luck\"\n[parameters]\ntake_profit_pct = { values = [1] }\n",
            "there is none called `luck`",
        ),
        (
            "holdout_pct = 90\n[parameters]\ntake_profit_pct = { values = [1] }\n",
            "must be from 0 to 80 %",
        ),
    ] {
        place.write("space.toml", text);
        let told = place.run(RUN);
        assert_eq!(told.code, Some(1), "{text}");
        assert!(told.err.contains(words), "{text}\n{}\nwanted {words}", told.err);
    }
}

#[test]
fn every_search_finds_its_way() {
    let place = place("sweep_methods");
    for method in ["grid", "random", "bayes"] {
        place.write("space.toml", &format!("method = \"{method}\"\n{SPACE}"));
        let told = place.run(&format!("{RUN} --json --journal {method}.jsonl"));
        assert_eq!(told.code, Some(0), "{}", told.err);
        let json = told.json();
        assert_eq!(json["tries"], 18, "{method}");
        assert_eq!(json["ranked"].as_array().unwrap().len(), 10);
    }
}
