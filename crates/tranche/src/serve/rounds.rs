//! Accounts that are asked about something again and again, a few in each turn, so that the exchange is not
//! asked for all of them at once, and one that fails does not keep the others from theirs.

use std::collections::BTreeMap;

use tranche_model::{
    ids::AccountId,
    time::{Millis, Timestamp},
};

/// After no answer; somebody may be mending what is wrong.
const AGAIN: Millis = Millis::from_secs(20);
/// After each as many attempts the pause doubles.
const ATTEMPTS: u32 = 6;
/// The longest pause.
const LONGEST: Millis = Millis::from_secs(3600);
/// Accounts that were asked about together are not the next time: so many of these lie between them.
const APART: Millis = Millis::from_secs(10);
const APART_MOST: u32 = 60;

/// When which account is asked about.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    asking: BTreeMap<AccountId, Asking>,
    /// The exchange wants to be left alone until then.
    silent_until: Timestamp,
}

#[derive(Debug, Clone, Copy, Default)]
struct Asking {
    at: Timestamp,
    /// Without an answer that lasts.
    attempts: u32,
}

impl Rounds {
    /// At most so many that are to be asked about now, the longest due first.
    pub(super) fn due(&self, now: Timestamp, most: usize) -> Vec<AccountId> {
        if now < self.silent_until {
            return Vec::new();
        }
        let due = self.asking.iter().filter(|(_, asking)| asking.at <= now);
        let mut due: Vec<_> = due.map(|(account, asking)| (asking.at, *account)).collect();
        due.sort_unstable();
        due.into_iter().take(most).map(|(_, account)| account).collect()
    }

    /// It is asked about from now on.
    pub(super) fn watch(&mut self, account: AccountId, now: Timestamp) {
        self.asking.insert(account, Asking { at: now, attempts: 0 });
    }

    /// It is not asked about any more.
    pub(super) fn forget(&mut self, account: AccountId) {
        self.asking.remove(&account);
    }

    /// There was no answer that lasts. Returns whether that is news.
    pub(super) fn failed(&mut self, account: AccountId, now: Timestamp) -> bool {
        let asking = self.asking.entry(account).or_default();
        asking.at = now.plus(pause_after(asking.attempts));
        asking.attempts = asking.attempts.saturating_add(1);
        asking.attempts == 1
    }

    /// It is asked about again then, or up to ten minutes later.
    pub(super) fn answered(&mut self, account: AccountId, next: Timestamp) {
        let apart = APART.times(account.get() % APART_MOST);
        self.asking.insert(account, Asking { at: next.plus(apart), attempts: 0 });
    }

    pub(super) fn be_silent_until(&mut self, at: Timestamp) {
        self.silent_until = self.silent_until.max(at);
    }
}

/// Before the next attempt behind so many.
fn pause_after(attempts: u32) -> Millis {
    let doubled = 1_u32.checked_shl(attempts / ATTEMPTS).unwrap_or(u32::MAX);
    AGAIN.times(doubled).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(seconds * 1000)
    }

    fn rounds(count: u32) -> Rounds {
        let mut rounds = Rounds::default();
        for number in 1..=count {
            rounds.watch(AccountId::new(number), at(0));
        }
        rounds
    }

    #[test]
    fn an_account_that_fails_does_not_keep_the_others_from_their_turn() {
        let mut rounds = rounds(20);
        let mut asked = BTreeSet::new();
        // The first one of each turn fails, and ends it.
        for second in 1..=20 {
            let first = rounds.due(at(second), 8)[0];
            asked.insert(first);
            rounds.failed(first, at(second));
        }
        assert_eq!(asked.len(), 20);
    }

    #[test]
    fn a_turn_asks_about_few() {
        assert_eq!(rounds(100).due(at(1), 8).len(), 8);
    }

    #[test]
    fn an_exchange_that_wants_to_be_left_alone_is() {
        let mut rounds = rounds(3);
        rounds.be_silent_until(at(600));
        rounds.be_silent_until(at(10));
        assert_eq!(rounds.due(at(599), 8), []);
        assert_eq!(rounds.due(at(600), 8).len(), 3);
    }

    #[test]
    fn pauses_grow_to_an_hour() {
        let pauses = [0, 5, 6, 11, 12, 50, 500].map(pause_after);
        let seconds = pauses.map(|pause| pause.ms() / 1000);
        assert_eq!(seconds, [20, 20, 40, 40, 80, 3600, 3600]);
    }

    #[test]
    fn accounts_that_were_answered_together_are_asked_about_apart() {
        let mut rounds = rounds(3);
        for number in 1..=3 {
            rounds.answered(AccountId::new(number), at(3600));
        }
        assert_eq!(rounds.due(at(3609), 8), []);
        assert_eq!(rounds.due(at(3610), 8), [AccountId::new(1)]);
        assert_eq!(rounds.due(at(3630), 8).len(), 3);
    }
}
