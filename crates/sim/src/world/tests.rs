use super::*;

mod faults;

/// Worlds that failed once, each with what it showed. They stay.
const FOUND: [(u64, u32, Option<Fault>, &str); 4] = [
    (2, 4, Some(Fault::WrongTransientStatus), "a reading that said cancelled once was believed"),
    (94, 12, None, "a push that said cancelled was believed while a cancel was under way"),
    (3, 12, None, "the same, told again by an old session"),
    (62, 12, None, "two readings in a row were wrong: the venue, not us"),
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
fn worlds_that_failed_once_do_not_fail_again() {
    for (seed, days, fault, what) in FOUND {
        let faults = fault.map_or(Choice::Swarm, |fault| Choice::Only([fault].into()));
        let report = lives(seed, days, faults);
        assert_eq!(report.violations, [], "seed {seed}: {what}\n{}", report.tail.join("\n"));
    }
}

#[test]
fn a_failure_that_is_planted_is_seen() {
    // A world in which an exit leaves twice, behind the back of the store.
    let wish = Wish { seed: 5, days: 4, faults: Choice::Swarm, keep: Keep::default() };
    let mut world = World::new(Plan::new(wish), None);
    world.checks.fail("I-13", "planted".to_owned());
    let report = world.run();
    assert_eq!(report.violations.len(), 1);
    assert_eq!(report.minutes, 0);
}
