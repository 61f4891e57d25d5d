//! Carrying out a study on the cores of this machine.

use std::{
    num::NonZeroUsize,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use super::{
    Journal, JournalError, Outcome, Piece, Scene,
    guess::{self, GENERATION, Scored},
};
use crate::stats::Better;

/// How far a sweep is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    pub done: u32,
    pub total: u32,
    /// The best value of the metric so far.
    pub best: Option<f64>,
}

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Done,
    /// Somebody stopped it; what is in the journal is not done again.
    Stopped,
}

/// Tries of one piece. Small, so that cores end together and a stop is quick.
const PIECE: usize = 4;

/// Carries out all that the journal does not have. The journal's contents do not depend on how many
/// threads there are, only their order does.
pub fn carry_out(
    scene: &Scene<'_>,
    journal: &mut Journal,
    threads: NonZeroUsize,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(Progress),
) -> Result<End, JournalError> {
    let total = scene.study.tries();
    let mut number = 0;
    let learns = scene.study.method == super::Method::Bayes;
    while number * GENERATION < total {
        // Who does not learn from results need not wait for them.
        let until = if learns { number + 1 } else { total.div_ceil(GENERATION) };
        let mut tried = scored(scene, journal, number * GENERATION);
        let mut wanted = Vec::new();
        while number < until {
            let of = (&scene.study.space, scene.study.method, scene.study.seed);
            let points = guess::generation(of, number, &tried);
            let first = number * GENERATION;
            wanted.extend((first..total).zip(points.iter().cloned()));
            tried.extend(points.into_iter().map(|point| (point, None)));
            number += 1;
        }
        wanted.retain(|(number, _)| !journal.known().contains_key(number));
        let pieces = wanted
            .chunks(PIECE)
            .map(|tries| Piece { study: scene.id.clone(), tries: tries.to_vec() });
        let pieces: Vec<Piece> = pieces.collect();
        let mut told = |journal: &Journal| {
            let done = u32::try_from(journal.known().len()).unwrap_or(u32::MAX);
            progress(Progress { done, total, best: best(scene, journal) });
        };
        told(journal);
        spread(scene, pieces, (threads, stop), &mut |outcomes| {
            journal.add(outcomes)?;
            told(journal);
            Ok(())
        })?;
        if stop.load(Ordering::Relaxed) {
            return Ok(End::Stopped);
        }
    }
    Ok(End::Done)
}

/// Gives pieces to threads, and their outcomes to `take` as they come.
fn spread(
    scene: &Scene<'_>,
    pieces: Vec<Piece>,
    (threads, stop): (NonZeroUsize, &AtomicBool),
    take: &mut dyn FnMut(Vec<Outcome>) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let queue = Mutex::new(pieces.into_iter());
    let next = || match queue.lock() {
        Ok(mut queue) if !stop.load(Ordering::Relaxed) => queue.next(),
        Ok(_) | Err(_) => None,
    };
    let (sender, receiver) = mpsc::sync_channel(threads.get());
    thread::scope(|scope| {
        for _ in 0..threads.get() {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(piece) = next() {
                    // Pieces made here are of this study.
                    let outcomes = piece.carry_out(scene).unwrap_or_default();
                    if sender.send(outcomes).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        // On a fault the receiver goes, and with it the threads.
        receiver.into_iter().try_for_each(take)
    })
}

/// The value that rankings go by: more is better.
pub(super) fn score(scene: &Scene<'_>, outcome: &Outcome, window: usize) -> Option<f64> {
    let span = outcome.result.as_ref().ok()?.get(window)?;
    span.value(scene.metric.key).map(|value| toward(scene.metric.better, value))
}

/// Turned so that more is better.
pub(super) fn toward(better: Better, value: f64) -> f64 {
    match better {
        Better::High => value,
        Better::Low => std::ops::Neg::neg(value),
    }
}

fn best(scene: &Scene<'_>, journal: &Journal) -> Option<f64> {
    let scores = journal.known().values().filter_map(|outcome| score(scene, outcome, 0));
    scores.max_by(f64::total_cmp).map(|best| toward(scene.metric.better, best))
}

fn scored(scene: &Scene<'_>, journal: &Journal, below: u32) -> Vec<Scored> {
    let known = journal.known().range(..below);
    known.map(|(_, outcome)| (outcome.point.clone(), score(scene, outcome, 0))).collect()
}
