use tranche_model::{
    candle::Tick,
    instrument::Instrument,
    record::{Call, Outcome, PrivateEvent, Reply},
};
use tranche_trading::{codec, event::Event};

use super::*;
use crate::audit::Violation;

mod faults;

/// Worlds that failed once, each with what it showed. They stay; a plan that is drawn otherwise makes
/// other worlds of them, so what they showed has a test of its own, too.
const FOUND: [(u64, u32, Option<Fault>, &str); 8] = [
    (2, 4, Some(Fault::WrongTransientStatus), "a reading that said cancelled once was believed"),
    (94, 12, None, "a push that said cancelled was believed while a cancel was under way"),
    (3, 12, None, "the same, told again by an old session"),
    (62, 12, None, "a push and a reading were wrong"),
    (20_261_693, 36, None, "a print in the midst of a gap stayed fresh: the world was wrong"),
    (
        30_001_567,
        36,
        None,
        "an order had just been wanted when all was looked at: the check was wrong",
    ),
    (30_005_724, 36, None, "the same, at the end of an episode"),
    (100, 36, None, "a step became coarser while nobody was there: the take profit stayed"),
];

fn lives(seed: u64, days: u32, faults: Choice) -> Report {
    let wish = Wish { seed, days, faults, keep: Keep::default() };
    World::new(Plan::new(wish), None).run()
}

fn quiet_of(report: &Report) {
    let seed = report.wish.seed;
    assert_eq!(report.violations, [], "seed {seed}\n{}", report.tail.join("\n"));
    assert_eq!(report.minutes, report.wish.days * 1_440, "seed {seed} ended early");
}

#[test]
fn a_fair_world_is_quiet() {
    for seed in 1..4 {
        let report = lives(seed, 6, Choice::Only([].into()));
        quiet_of(&report);
        assert_eq!((report.kills, report.faults.total()), (0, 0));
        assert!(1_000 < report.events);
    }
}

#[test]
fn one_seed_is_one_trace() {
    for seed in 20..24 {
        let (one, two) = (lives(seed, 4, Choice::Swarm), lives(seed, 4, Choice::Swarm));
        assert_eq!(one, two);
    }
    let hashes = [20, 21].map(|seed| lives(seed, 4, Choice::Swarm).trace_hash);
    assert_ne!(hashes[0], hashes[1]);
}

#[test]
fn a_second_account_decides_the_same() {
    for seed in [16, 32] {
        quiet_of(&lives(seed, 4, Choice::Swarm));
    }
}

#[test]
fn worlds_that_failed_once_do_not_fail_again() {
    for (seed, days, fault, what) in FOUND {
        let faults = fault.map_or(Choice::Swarm, |fault| Choice::Only([fault].into()));
        let report = lives(seed, days, faults);
        assert_eq!(report.violations, [], "seed {seed}: {what}\n{}", report.tail.join("\n"));
    }
}

#[test]
fn a_world_ends_where_something_is_wrong() {
    let wish = Wish { seed: 5, days: 4, faults: Choice::Swarm, keep: Keep::default() };
    let mut world = World::new(Plan::new(wish), None);
    world.checks.fail("I-13", "planted".to_owned());
    let report = world.run();

    assert_eq!((report.violations.len(), report.minutes), (1, 0));
}

/// Carries everything as bytes; each so many-th thing cannot be read.
struct Bytes {
    passed: std::cell::Cell<u64>,
    unreadable_every: u64,
    /// What begins with this is a secret.
    secret: &'static [u8],
}

impl Bytes {
    fn is_read(&self) -> bool {
        self.passed.set(self.passed.get() + 1);
        !self.passed.get().is_multiple_of(self.unreadable_every)
    }
}

impl Wire for Bytes {
    fn call(&self, _: &Passage, call: &Call) -> Result<Call, Box<Outcome>> {
        Ok(*call)
    }

    fn reply(&self, passage: &Passage, reply: &Reply) -> Outcome {
        let is_broken = passage.fault.is_some() && matches!(reply.outcome, Outcome::Done(_));
        let is_read = self.is_read() && !is_broken;
        if is_read { reply.outcome.clone() } else { Outcome::Unknown }
    }

    fn messages(&self, _: AccountId, events: Vec<PrivateEvent>, _: Timestamp) -> Vec<Message> {
        let alone = |event| Message { text: String::new(), said: vec![event] };
        events.into_iter().map(alone).collect()
    }

    fn hear(&self, _: &Passage, message: &Message) -> Option<Vec<PrivateEvent>> {
        let read = message.said.iter().map(|event| {
            let bytes = codec::encode_event(&Event::Private(event.clone())).unwrap();
            let Event::Private(read) = codec::decode_event(&bytes).unwrap() else { panic!() };
            read
        });
        self.is_read().then(|| read.collect())
    }

    fn tick(&self, tick: &Tick) -> Option<Tick> {
        Some(*tick)
    }

    fn rules(&self, rules: &Instrument, _: Timestamp) -> Option<Instrument> {
        Some(rules.clone())
    }

    fn violation(&self) -> Option<Violation> {
        None
    }

    fn secret_in(&self, bytes: &[u8]) -> Option<&'static str> {
        bytes.starts_with(self.secret).then_some("a secret")
    }

    fn passed(&self) -> u64 {
        self.passed.get()
    }
}

#[test]
fn what_cannot_be_read_on_the_wire_does_no_harm() {
    // None of the faults that strike the text itself: those a wire carries out otherwise.
    let spoken = [Fault::FieldChanged, Fault::UnknownStatus, Fault::WrongTransientStatus];
    let others = Fault::ALL.into_iter().filter(|fault| !spoken.contains(fault)).collect();
    let wish = Wish { seed: 8, days: 4, faults: Choice::Only(others), keep: Keep::default() };
    let straight = World::new(Plan::new(wish.clone()), None).run();
    let all = Bytes { passed: 0.into(), unreadable_every: u64::MAX, secret: b"\0none" };
    let carried = World::new(Plan::new(wish.clone()), Some(&all)).run();
    assert_eq!(carried.texts, all.passed.get());
    assert_eq!(straight, Report { is_spoken: false, texts: 0, ..carried });
    assert!(1_000 < all.passed.get());

    let some = Bytes { passed: 0.into(), unreadable_every: 40, secret: b"\0none" };
    // Calm has to be calm: the last days pass without a word lost.
    let torn = World::new(Plan::new(wish), Some(&some)).run();
    assert_ne!(torn.trace_hash, straight.trace_hash);
    let is_broken = |found: &&Violation| found.invariant != "I-23";
    assert_eq!(torn.violations.iter().find(is_broken), None, "{}", torn.tail.join("\n"));
}

#[test]
fn a_secret_in_a_reason_is_found() {
    let wish = Wish { seed: 8, days: 4, faults: Choice::Swarm, keep: Keep::default() };
    let leaky = Bytes { passed: 0.into(), unreadable_every: u64::MAX, secret: b"deal opened" };
    let report = World::new(Plan::new(wish), Some(&leaky)).run();

    let found = report.violations.first().map(ToString::to_string);
    assert!(found.is_some_and(|text| text.contains("a secret stands in a reason")));
}

#[test]
fn each_calm_is_looked_at_soon_after_the_last_fault() {
    let wish = Wish { seed: 1, days: 12, faults: Choice::Swarm, keep: Keep::default() };
    let plan = Plan::new(wish);
    let calm: Vec<u32> = (1..plan.minutes)
        .filter(|minute| plan.is_calm(*minute) && !plan.is_calm(minute - 1))
        .collect();
    let soon: Vec<u32> = (0..plan.minutes).filter(|minute| plan.is_soon(*minute)).collect();

    assert_eq!(calm.len(), 4);
    assert_eq!(soon, calm.iter().map(|minute| minute + 5).collect::<Vec<_>>());
}

#[test]
fn a_world_whose_market_stands_still_is_quiet() {
    for seed in [1, 2, 20_261_693] {
        let minutes = Some((0..200).collect());
        let keep = Keep { acts: Some([].into()), minutes, ..Keep::default() };
        let wish = Wish { seed, days: 6, faults: Choice::Swarm, keep };
        let report = World::new(Plan::new(wish), None).run();

        quiet_of(&report);
        assert!(report.faults.total() == 0 && 100 < report.events, "seed {seed}");
    }
}
