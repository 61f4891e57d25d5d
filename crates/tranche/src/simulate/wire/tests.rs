//! Worlds as text hold, and what they are to find is found.

use std::collections::BTreeSet;

use tranche_model::record::{Answer, Refusal, RefusalReason};
use tranche_sim::world::{Choice, Keep, Wish, World};

use super::*;

/// A seed whose world is spoken, the `number`-th of them.
fn plan(number: usize, days: u32, faults: &Choice) -> Plan {
    let plans = (1..)
        .map(|seed| Plan::new(Wish { seed, days, faults: faults.clone(), keep: Keep::default() }));
    plans.filter(|plan| plan.is_spoken).nth(number).unwrap()
}

fn lives(plan: &Plan) -> Report {
    let spoken = Spoken::new(plan).unwrap();
    spoken.searched(spoken.listen(|| World::new(plan.clone(), Some(&spoken)).run()))
}

fn assert_clean(report: &Report) {
    let seed = report.wish.seed;
    assert_eq!(report.violations, [], "seed {seed}\n{}", report.tail.join("\n"));
}

#[test]
fn a_fair_world_is_the_same_as_text() {
    let plan = plan(0, 3, &Choice::Only(BTreeSet::new()));

    let (spoken, plain) = (lives(&plan), World::new(plan.clone(), None).run());

    assert_clean(&spoken);
    assert!(3_000 < spoken.texts, "{}", spoken.texts);
    assert!((spoken.is_spoken, plain.is_spoken) == (true, false));
    // What the exchange does is the same; only who hears first of an execution differs.
    assert_eq!(spoken.ticks, plain.ticks);
}

#[test]
fn worlds_as_text_hold_and_are_the_same_each_time() {
    for number in 0..3 {
        let plan = plan(number, 6, &Choice::Swarm);
        let (one, two) = (lives(&plan), lives(&plan));
        assert_clean(&one);
        assert_eq!(one, two);
    }
}

#[test]
fn damage_to_the_text_alone_does_no_harm() {
    let damage = [
        Fault::TruncatedJson,
        Fault::HtmlErrorPage,
        Fault::FieldChanged,
        Fault::UnknownStatus,
        Fault::WrongTransientStatus,
        Fault::ServerErrorAfter,
    ];
    for fault in damage {
        let report = lives(&plan(1, 6, &Choice::Only([fault].into())));
        assert_clean(&report);
        assert!(report.faults.of(fault) != 0, "{fault}");
    }
}

#[test]
fn a_part_of_a_secret_is_found_and_what_is_ours_is_not() {
    let (key, secret, token) = (secrets::key(), secrets::secret(), secrets::token());
    let signature = "0123456789abcdef".repeat(4);
    let cases = [
        (format!("key={key}"), Some("the API key")),
        (key.split_at(5).1.to_owned(), Some("the API key")),
        (format!("\"{secret}\""), Some("the secret of the key")),
        (format!("listenKey: {}", token.split_at(16).0), Some("a listen token")),
        (format!("a&signature={signature}"), Some("a signature")),
        (format!("{}{signature}", "-".repeat(63)), Some("a signature")),
        (signature.split_at(1).1.to_owned(), None),
        ("x-tr0000000000000000000000000000 0123456789".to_owned(), None),
        (String::new(), None),
    ];
    for (text, want) in cases {
        assert_eq!(secrets::find(text.as_bytes()), want, "{text}");
    }
}

#[test]
fn a_secret_in_a_log_is_found() {
    let spoken = Spoken::new(&plan(0, 3, &Choice::Swarm)).unwrap();
    spoken.listen(|| tracing::debug!("nothing to see"));
    assert_eq!(spoken.violation(), None);

    spoken.listen(|| tracing::trace!(request = secrets::key(), "sent"));

    let found = spoken.violation().unwrap();
    assert_eq!((found.invariant, found.text.as_str()), ("I-33", "the API key is logged"));
}

/// Tells everybody the key with each refusal.
struct Leaky(Spoken);

impl Wire for Leaky {
    fn call(&self, passage: &Passage, call: &Call) -> Result<Call, Box<Outcome>> {
        self.0.call(passage, call)
    }

    fn reply(&self, passage: &Passage, reply: &Reply) -> Outcome {
        let mut outcome = self.0.reply(passage, reply);
        if let Outcome::Refused(Refusal { text, .. }) = &mut outcome {
            text.push_str(&secrets::key());
        }
        outcome
    }

    fn messages(
        &self,
        account: AccountId,
        events: Vec<PrivateEvent>,
        at: Timestamp,
    ) -> Vec<Message> {
        self.0.messages(account, events, at)
    }

    fn hear(&self, passage: &Passage, message: &Message) -> Option<Vec<PrivateEvent>> {
        self.0.hear(passage, message)
    }

    fn tick(&self, tick: &Tick) -> Option<Tick> {
        self.0.tick(tick)
    }

    fn rules(&self, rules: &Instrument, at: Timestamp) -> Option<Instrument> {
        self.0.rules(rules, at)
    }

    fn violation(&self) -> Option<Violation> {
        self.0.violation()
    }

    fn secret_in(&self, bytes: &[u8]) -> Option<&'static str> {
        self.0.secret_in(bytes)
    }

    fn passed(&self) -> u64 {
        self.0.passed()
    }
}

#[test]
fn a_planted_leak_is_found_where_it_is_written_down() {
    let plan = plan(0, 6, &Choice::Only([Fault::ExitRefused, Fault::KeyRevoked].into()));
    let leaky = Leaky(Spoken::new(&plan).unwrap());

    let report = World::new(plan, Some(&leaky)).run();

    let found = report.violations.first().expect("a leak is found");
    assert_eq!(found.invariant, "I-33", "{found}");
    assert!(found.text.starts_with("the API key stands in "), "{found}");
}

#[test]
fn a_difference_that_the_protocol_does_not_explain_is_a_violation() {
    let plan = plan(0, 3, &Choice::Swarm);
    let spoken = Spoken::new(&plan).unwrap();
    let passage = Passage {
        life: 1,
        account: AccountId::new(1),
        left_at: Timestamp::from_ms(1_767_225_600_000),
        arrives_at: Timestamp::from_ms(1_767_225_600_000),
        fault: None,
    };
    let refusal = |code| Refusal { reason: RefusalReason::Other, code, text: "Gone.".to_owned() };
    let asked = |outcome| Reply { call: Call::Balances, outcome };

    let same = spoken.reply(&passage, &asked(Outcome::Refused(refusal(-2022))));
    assert_eq!(same, Outcome::Refused(refusal(-2022)));
    assert_eq!(spoken.violation(), None);

    // A number that this exchange has for something else.
    let other = spoken.reply(&passage, &asked(Outcome::Refused(refusal(-1007))));
    assert_eq!(other, Outcome::Unknown);
    assert_eq!(spoken.violation().map(|found| found.invariant), Some("I-05"));
    let nothing = spoken.reply(&passage, &asked(Outcome::Done(Answer::Trades(Vec::new()))));
    assert_eq!(nothing, Outcome::Unknown);
    assert!(spoken.violation().is_some());
}

#[test]
fn every_kind_of_damage_is_done_and_ends() {
    let text = r#"{"subscriptionId":1,"event":{"e":"executionReport","X":"NEW","q":"1.0","i":7,"m":true,"N":null}}"#;
    let struck: Vec<String> = (0..2_000)
        .map(|detail| damage::strike(text.to_owned(), (Fault::FieldChanged, detail), "echo"))
        .collect();

    let reads = |text: &&String| serde_json::from_str::<serde_json::Value>(text).is_ok();
    let is_there = |part: &str| struck.iter().any(|text| text.contains(part));
    assert!(struck.iter().any(|text| !reads(&text)) && struck.iter().any(|text| reads(&text)));
    for part in ["<html>", "listenKey", "-9999", "\"q\":\"7\",\"q\"", "\"q\":7", "\"X\":null"] {
        assert!(is_there(part), "{part}");
    }
    let restated = damage::strike(text.to_owned(), (Fault::UnknownStatus, 1), "");
    assert!(restated.contains("UNDER_REVIEW"), "{restated}");
    let ended = text.replace("NEW", "EXPIRED");
    let kept = damage::strike(ended, (Fault::WrongTransientStatus, 1), "");
    assert!(kept.contains("\"X\":\"EXPIRED\""), "{kept}");
}
