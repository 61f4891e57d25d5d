//! A queue in which users take turns, and within a user the lines of their accounts.

use std::collections::BTreeMap;

use tranche_model::{ids::UserId, time::Timestamp};

/// Each `K` names a line of items, first in, first out. Every operation costs the logarithm of what
/// is queued.
#[derive(Debug, Clone)]
pub(super) struct Fair<K, T> {
    lines: BTreeMap<K, Line<T>>,
    users: BTreeMap<UserId, Lines<K>>,
    turns: BTreeMap<u64, UserId>,
    ages: BTreeMap<u64, Timestamp>,
    /// Numbers items and turns; a later turn has a higher number.
    next: u64,
}

#[derive(Debug, Clone)]
struct Line<T> {
    user: UserId,
    /// `None` while the line is parked.
    turn: Option<u64>,
    items: BTreeMap<u64, T>,
}

#[derive(Debug, Clone)]
struct Lines<K> {
    turn: u64,
    by_turn: BTreeMap<u64, K>,
}

impl<K, T> Default for Fair<K, T> {
    fn default() -> Self {
        Self {
            lines: BTreeMap::new(),
            users: BTreeMap::new(),
            turns: BTreeMap::new(),
            ages: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<K: Copy + Ord, T> Fair<K, T> {
    /// Appends to the line of `key`; the answer names the item.
    pub(super) fn push(&mut self, user: UserId, key: K, item: T, at: Timestamp) -> u64 {
        let number = self.number();
        self.ages.insert(number, at);
        if let Some(line) = self.lines.get_mut(&key) {
            line.items.insert(number, item);
            return number;
        }
        let items = BTreeMap::from([(number, item)]);
        self.lines.insert(key, Line { user, turn: None, items });
        self.unpark(key);
        number
    }

    /// Whose turn it is.
    pub(super) fn head(&self) -> Option<(K, u64, &T)> {
        let user = self.turns.first_key_value()?.1;
        let key = *self.users.get(user)?.by_turn.first_key_value()?.1;
        let (number, item) = self.lines.get(&key)?.items.first_key_value()?;
        Some((key, *number, item))
    }

    pub(super) fn get_mut(&mut self, key: K, number: u64) -> Option<&mut T> {
        self.lines.get_mut(&key)?.items.get_mut(&number)
    }

    /// Takes an item out; its line and user keep their turns.
    pub(super) fn remove(&mut self, key: K, number: u64) -> Option<T> {
        let line = self.lines.get_mut(&key)?;
        let item = line.items.remove(&number)?;
        let is_empty = line.items.is_empty();
        self.ages.remove(&number);
        if is_empty {
            self.park(key);
            self.lines.remove(&key);
        }
        Some(item)
    }

    pub(super) fn remove_line(&mut self, key: K) -> BTreeMap<u64, T> {
        self.park(key);
        let items = self.lines.remove(&key).map(|line| line.items).unwrap_or_default();
        for number in items.keys() {
            self.ages.remove(number);
        }
        items
    }

    /// Takes the item out and ends the turn.
    pub(super) fn take(&mut self, key: K, number: u64) -> Option<T> {
        self.pass(key);
        self.remove(key, number)
    }

    /// Ends the turn: the line goes to the back of its user, the user to the back of all.
    pub(super) fn pass(&mut self, key: K) {
        let (line_turn, user_turn) = (self.number(), self.number());
        let Some(line) = self.lines.get_mut(&key) else { return };
        let Some(turn) = line.turn.as_mut() else { return };
        let Some(lines) = self.users.get_mut(&line.user) else { return };
        lines.by_turn.remove(turn);
        lines.by_turn.insert(line_turn, key);
        *turn = line_turn;
        self.turns.remove(&lines.turn);
        self.turns.insert(user_turn, line.user);
        lines.turn = user_turn;
    }

    /// Leaves the line out of the turns.
    pub(super) fn park(&mut self, key: K) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        let Some(turn) = line.turn.take() else { return };
        let Some(lines) = self.users.get_mut(&line.user) else { return };
        lines.by_turn.remove(&turn);
        if lines.by_turn.is_empty() {
            self.turns.remove(&lines.turn);
            self.users.remove(&line.user);
        }
    }

    /// Puts a parked line at the back.
    pub(super) fn unpark(&mut self, key: K) {
        let turn = self.number();
        let Some(line) = self.lines.get_mut(&key) else { return };
        if line.turn.is_some() {
            return;
        }
        line.turn = Some(turn);
        let turns = &mut self.turns;
        let lines = self.users.entry(line.user).or_insert_with(|| {
            turns.insert(turn, line.user);
            Lines { turn, by_turn: BTreeMap::new() }
        });
        lines.by_turn.insert(turn, key);
    }

    pub(super) fn len(&self) -> usize {
        self.ages.len()
    }

    /// Since when the oldest item waits.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.ages.first_key_value().map(|(_, at)| *at)
    }

    const fn number(&mut self) -> u64 {
        self.next = self.next.saturating_add(1);
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Letters = Fair<u32, char>;

    #[test]
    fn users_take_turns_however_much_one_queues() {
        let mut fair = Letters::default();
        for letter in ['a', 'b', 'c'] {
            push(&mut fair, 1, 10, letter);
        }
        push(&mut fair, 2, 20, 'x');

        assert_eq!(drain(&mut fair), "axbc");
    }

    #[test]
    fn accounts_of_a_user_take_turns_within_it() {
        let mut fair = Letters::default();
        push(&mut fair, 1, 10, 'a');
        push(&mut fair, 1, 10, 'b');
        push(&mut fair, 1, 11, 'p');
        push(&mut fair, 2, 20, 'x');
        push(&mut fair, 2, 20, 'y');

        assert_eq!(drain(&mut fair), "axpyb");
    }

    #[test]
    fn a_parked_line_waits_and_comes_back() {
        let mut fair = Letters::default();
        push(&mut fair, 1, 10, 'a');
        push(&mut fair, 2, 20, 'x');
        fair.park(10);
        assert_eq!(fair.head().map(|head| head.0), Some(20));

        fair.unpark(10);

        assert_eq!(drain(&mut fair), "xa");
        assert!(fair.users.is_empty() && fair.turns.is_empty() && fair.lines.is_empty());
    }

    #[test]
    fn a_removed_line_leaves_nothing_behind() {
        let mut fair = Letters::default();
        push(&mut fair, 1, 10, 'a');
        let number = push(&mut fair, 1, 10, 'b');
        assert_eq!(fair.remove(10, number), Some('b'));

        assert_eq!(fair.remove_line(10).len(), 1);

        assert!(fair.ages.is_empty() && fair.turns.is_empty() && fair.oldest().is_none());
    }

    fn push(fair: &mut Letters, user: u32, key: u32, letter: char) -> u64 {
        fair.push(UserId::new(user), key, letter, Timestamp::from_ms(0))
    }

    fn drain(fair: &mut Letters) -> String {
        let mut text = String::new();
        while let Some((key, number, _)) = fair.head() {
            text.push(fair.take(key, number).unwrap());
        }
        text
    }
}
