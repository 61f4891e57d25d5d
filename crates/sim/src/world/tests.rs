use tranche_trading::{codec, event::Event};

use super::*;

mod faults;

/// Worlds that failed once, each with what it showed. They stay; a plan that is drawn otherwise makes
/// other worlds of them, so what they showed has a test of its own, too.
const FOUND: [(u64, u32, Option<Fault>, &str); 5] = [
    (2, 4, Some(Fault::WrongTransientStatus), "a reading that said cancelled once was believed"),
    (94, 12, None, "a push that said cancelled was believed while a cancel was under way"),
    (3, 12, None, "the same, told again by an old session"),
    (62, 12, None, "a push and a reading were wrong"),
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
}

impl Wire for Bytes {
    fn event(&self, event: &PrivateEvent) -> Option<PrivateEvent> {
        self.passed.set(self.passed.get() + 1);
        let bytes = codec::encode_event(&Event::Private(event.clone())).unwrap();
        let Event::Private(read) = codec::decode_event(&bytes).unwrap() else { return None };
        (!self.passed.get().is_multiple_of(self.unreadable_every)).then_some(read)
    }

    fn answer(&self, _call: &Call, answer: &Answer) -> Option<Answer> {
        self.passed.set(self.passed.get() + 1);
        (!self.passed.get().is_multiple_of(self.unreadable_every)).then(|| answer.clone())
    }
}

#[test]
fn what_cannot_be_read_on_the_wire_does_no_harm() {
    let wish = Wish { seed: 8, days: 4, faults: Choice::Swarm, keep: Keep::default() };
    let straight = World::new(Plan::new(wish.clone()), None).run();
    let all = Bytes { passed: 0.into(), unreadable_every: u64::MAX };
    let carried = World::new(Plan::new(wish.clone()), Some(&all)).run();
    assert_eq!(straight, carried);
    assert!(1_000 < all.passed.get());

    let some = Bytes { passed: 0.into(), unreadable_every: 40 };
    // Calm has to be calm: the last days pass without a word lost.
    let torn = World::new(Plan::new(wish), Some(&some)).run();
    assert_ne!(torn.trace_hash, straight.trace_hash);
    let is_broken = |found: &&crate::audit::Violation| found.invariant != "I-23";
    assert_eq!(torn.violations.iter().find(is_broken), None, "{}", torn.tail.join("\n"));
}
