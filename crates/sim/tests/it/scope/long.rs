//! The same with six events and two faults: a part of the orders, or all of them for whoever has minutes
//! (`cargo xtask torture --deep`).

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
};

use tranche_sim::{
    line::{CallFault, EventFault},
    memory::CommitFault,
};

use super::{Subject, cancel_race, die, filling, live, orders, placing, stop, take_profit};
use crate::scene::Scene;

/// What strikes at a place, or the first thing of its kind behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    Death,
    /// A call takes effect, and nobody hears of it.
    ReplyLost,
    EventLost,
    /// A commit stands, and nobody hears of it.
    CommitUnheard,
}

const BLOWS: [Blow; 4] = [Blow::Death, Blow::ReplyLost, Blow::EventLost, Blow::CommitUnheard];

impl Blow {
    fn strike(self, scene: &mut Scene) {
        match self {
            Self::Death => die(scene),
            Self::ReplyLost => scene.next_call(1, CallFault::LoseReply),
            Self::EventLost => scene.next_event(1, EventFault::Drop),
            Self::CommitUnheard => scene.next_commit(1, CommitFault::ApplyLoseReply),
        }
    }
}

/// Of so many orders one is lived through, when nobody asks for all. It shares no factor with their number,
/// or they would differ in few places.
const ONE_IN: usize = 23;
/// Two of four blows at six places, and of a death behind the last move.
const PAIRS: u64 = 300;

/// Every order of the six moves, or some, with every two blows at every two places, the same one included.
fn exhaust(subject: &Subject) {
    let mut all = orders(&subject.moves);
    if !is_deep() {
        all = all.into_iter().step_by(ONE_IN).collect();
    }
    let (next, runs) = (AtomicUsize::new(0), AtomicU64::new(0));
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(order) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let made = endure_all(subject, order);
                    let sum = made + runs.fetch_add(made, Ordering::Relaxed);
                    if sum.is_multiple_of(made * 60) {
                        println!("{}: {sum} runs", subject.name);
                    }
                }
            });
        }
    });
    let expected = PAIRS * u64::try_from(all.len()).unwrap();
    assert_eq!(runs.into_inner(), expected, "{}", subject.name);
}

#[expect(
    clippy::disallowed_methods,
    reason = "how `cargo xtask torture --deep` says what it wants"
)]
fn is_deep() -> bool {
    std::env::var("TRANCHE_SCOPE").is_ok_and(|said| said == "all")
}

fn endure_all(subject: &Subject, order: &[super::Move]) -> u64 {
    let story = [subject.beginning, order].concat();
    let first = subject.beginning.len();
    let before_a_move = (first..story.len()).flat_map(|place| BLOWS.map(|blow| (place, blow)));
    // Behind the last move nothing is lost any more.
    let hurts: Vec<(usize, Blow)> = before_a_move.chain([(story.len(), Blow::Death)]).collect();
    let mut runs = 0;
    for (number, one) in hurts.iter().enumerate() {
        for other in &hurts[number + 1..] {
            let made = live(&subject.draft, &story, |scene, place| {
                for (_, blow) in [one, other].into_iter().filter(|(at, _)| *at == place) {
                    blow.strike(scene);
                }
            });
            runs += 1;
            made.unwrap_or_else(|error| {
                panic!("{}, {story:?}, {one:?}, {other:?}: {error}", subject.name)
            });
        }
    }
    runs
}

#[test]
fn placing_endures_two_faults() {
    exhaust(&placing());
}

#[test]
fn filling_endures_two_faults() {
    exhaust(&filling());
}

#[test]
fn a_cancel_that_races_a_fill_endures_two_faults() {
    exhaust(&cancel_race());
}

#[test]
fn a_take_profit_that_moves_endures_two_faults() {
    exhaust(&take_profit());
}

#[test]
fn a_stop_before_a_take_profit_endures_two_faults() {
    exhaust(&stop());
}
