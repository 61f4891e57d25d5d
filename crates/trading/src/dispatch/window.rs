//! A venue's fixed window: so much until the clock strikes, then anew.

use tranche_model::time::{Millis, Timestamp};

/// Counts what a venue counts. Around the end of a window, where the clocks and the time on the wire
/// leave it open to which window a call belongs, it counts in both.
#[derive(Debug, Clone)]
pub(super) struct Window {
    span: Millis,
    clock_error: Millis,
    /// By the venue's clock.
    end: Timestamp,
    used: u64,
    /// What may count in the following window already; known once the end is near.
    late: Option<u64>,
}

impl Window {
    pub(super) fn new(span: Millis, clock_error: Millis) -> Self {
        let clock_error = Millis::new(clock_error.ms().min(span.ms() / 4));
        Self { span, clock_error, end: Timestamp::MIN, used: 0, late: None }
    }

    /// Brings the window to `now`. `in_flight` was sent before and is unanswered: it may arrive late.
    pub(super) fn roll(&mut self, now: Timestamp, in_flight: u64) {
        self.note_late(now, in_flight);
        if self.opens_at() <= now {
            let is_following = now < self.end.plus(self.span);
            self.used = self.late.filter(|_| is_following).unwrap_or(in_flight);
            self.late = None;
            self.end = self.end_after(now);
            self.note_late(now, in_flight);
        } else if now < self.end.minus(self.span).minus(self.span) {
            // The clock was set back; what was counted stays, the end must not be far away.
            self.end = self.end_after(now);
            self.late = None;
        }
    }

    fn note_late(&mut self, now: Timestamp, in_flight: u64) {
        if self.late.is_none() && self.end.minus(self.clock_error) <= now {
            self.late = Some(in_flight);
        }
    }

    fn end_after(&self, now: Timestamp) -> Timestamp {
        let span = i64::from(self.span.ms()).max(1);
        let ms = now.minus(self.clock_error).ms().div_euclid(span);
        Timestamp::from_ms(ms.saturating_add(1).saturating_mul(span))
    }

    pub(super) fn spend(&mut self, amount: u64) {
        self.used = self.used.saturating_add(amount);
        if let Some(late) = self.late.as_mut() {
            *late = late.saturating_add(amount);
        }
    }

    pub(super) const fn used(&self) -> u64 {
        self.used
    }

    /// By the venue's clock.
    pub(super) fn began_at(&self) -> Timestamp {
        self.end.minus(self.span)
    }

    /// When a new allowance surely counts.
    pub(super) fn opens_at(&self) -> Timestamp {
        self.end.plus(self.clock_error)
    }

    pub(super) fn opens_within(&self, now: Timestamp, span: Millis) -> bool {
        self.opens_at() <= now.plus(span)
    }

    /// Takes over what the venue counted in the answer to a call sent at `sent_at`, unless the count
    /// may be that of another window. `unsure` may be missing in it, see [`Tally::unsure`].
    pub(super) fn correct(&mut self, sent_at: Timestamp, reported: u64, unsure: u64) {
        let opened_at = self.end.minus(self.span).plus(self.clock_error);
        if opened_at <= sent_at && self.late.is_none() {
            self.used = self.used.min(reported.saturating_add(unsure)).max(reported);
        }
    }
}

/// What was sent and what of it was answered, since the beginning.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    sent: u64,
    answered: u64,
}

impl Tally {
    pub(super) const fn send(&mut self, amount: u64) {
        self.sent = self.sent.saturating_add(amount);
    }

    pub(super) const fn answer(&mut self, amount: u64) {
        self.answered = self.answered.saturating_add(amount);
    }

    pub(super) const fn answered(self) -> u64 {
        self.answered
    }

    pub(super) const fn in_flight(self) -> u64 {
        self.sent.saturating_sub(self.answered)
    }

    /// What may be missing in the venue's count in the answer to a call of `own` that is still noted
    /// as in flight and before which `answered_before` was answered: all that was under way when the
    /// call left, or left since.
    pub(super) fn unsure(self, own: u64, answered_before: u64) -> u64 {
        self.sent.saturating_sub(answered_before).saturating_sub(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn minute() -> Window {
        let mut window = Window::new(Millis::from_secs(60), Millis::new(200));
        window.roll(at(600_200), 0);
        window
    }

    #[test]
    fn a_new_window_opens_after_the_clock_error() {
        let mut window = minute();
        window.spend(10);

        window.roll(at(660_199), 0);
        assert_eq!(window.used(), 10);
        window.roll(at(660_200), 0);
        assert_eq!(window.used(), 0);
    }

    #[test]
    fn what_may_arrive_late_counts_in_both_windows() {
        let mut window = minute();
        window.spend(10);
        window.roll(at(659_900), 3);
        window.spend(4);

        window.roll(at(660_300), 0);

        assert_eq!(window.used(), 7);
    }

    #[test]
    fn after_a_long_silence_only_what_is_in_flight_counts() {
        let mut window = minute();
        window.roll(at(659_900), 0);
        window.spend(4);

        window.roll(at(800_000), 2);

        assert_eq!(window.used(), 2);
    }

    #[test]
    fn a_clock_set_back_does_not_freeze_the_window() {
        let mut window = minute();
        window.spend(10);

        window.roll(at(60_300), 0);

        assert_eq!((window.used(), window.opens_at()), (10, at(120_200)));
    }

    #[test]
    fn a_report_of_a_former_window_is_ignored() {
        let mut window = minute();
        window.correct(at(600_100), 5000, 0);
        assert_eq!(window.used(), 0);

        window.correct(at(600_300), 5000, 0);
        assert_eq!(window.used(), 5000);
    }

    #[test]
    fn a_report_corrects_both_ways_within_what_is_sure() {
        let mut window = minute();
        let mut tally = Tally::default();
        for _ in 0..10 {
            window.spend(1);
            tally.send(1);
        }
        tally.answer(6);
        let before = tally.answered();
        window.spend(1);
        tally.send(1);

        // Four were under way when the last call left; they need not be in what the venue counted.
        window.correct(at(600_300), 8, tally.unsure(1, before));
        assert_eq!(window.used(), 11);
        window.correct(at(600_300), 3, tally.unsure(1, before));
        assert_eq!(window.used(), 7);
        window.correct(at(600_300), 90, tally.unsure(1, before));
        assert_eq!(window.used(), 90);
    }
}
