//! Many settings of one bot on the same candles, and whether the best of them are to be believed.
//!
//! A [`Study`] says all that results depend on. It is cut into [`Piece`]s, each a pure function of study
//! and candles, which any thread or machine may carry out in any order. What was carried out is kept
//! line by line in a [`Journal`], so that a sweep goes on where it was cut.

mod guess;
mod journal;
mod judge;
mod piece;
mod space;
mod study;
#[cfg(test)]
mod tests;
mod work;

pub use self::{
    journal::{Journal, JournalError},
    judge::{Fold, Judged, Neighbours, Ranked, judge},
    piece::{Detail, Outcome, Piece, Span, detail, detail_of, frame},
    space::{Parameter, Point, Space, SpaceError},
    study::{Method, Scene, Study, StudyError, Windows},
    work::{End, Progress, carry_out},
};
