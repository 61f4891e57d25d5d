//! Which safety orders of a deal are done.

use serde::{Deserialize, Serialize};

/// A set of safety order numbers, from 1 to 256.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub struct Taken {
    /// Up to 64: longer ladders are rare.
    first: u64,
    others: Option<Box<[u64; 3]>>,
}

/// The set as it is saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    low: u128,
    high: u128,
}

impl Taken {
    /// Marks `from` to `to`, both included.
    pub fn take(&mut self, from: u16, to: u16) {
        for number in from..=to.min(256) {
            let Some(bit) = number.checked_sub(1) else { continue };
            let word = match usize::from(bit / 64) {
                0 => Some(&mut self.first),
                word => self.others.get_or_insert_default().get_mut(word.saturating_sub(1)),
            };
            if let Some(word) = word {
                *word |= 1 << (bit % 64);
            }
        }
    }

    pub fn is_taken(&self, number: u16) -> bool {
        number.checked_sub(1).is_some_and(|bit| {
            let word = self.words().nth(usize::from(bit / 64));
            word.is_some_and(|word| (word >> (bit % 64)) & 1 == 1)
        })
    }

    fn words(&self) -> impl Iterator<Item = u64> {
        let others = self.others.as_ref().map_or([0; 3], |others| **others);
        std::iter::once(self.first).chain(others)
    }

    pub fn count(&self) -> u16 {
        u16::try_from(self.words().map(u64::count_ones).sum::<u32>()).unwrap_or(u16::MAX)
    }

    /// The numbers up to `most` that are not taken, ascending.
    pub fn open(&self, most: u16) -> impl Iterator<Item = u16> {
        (1..=most).filter(move |number| !self.is_taken(*number))
    }
}

impl From<Taken> for Saved {
    fn from(taken: Taken) -> Self {
        let [a, b, c] = taken.others.map_or([0; 3], |others| *others);
        let wide = |low: u64, high: u64| (u128::from(high) << u64::BITS) | u128::from(low);
        Self { low: wide(taken.first, a), high: wide(b, c) }
    }
}

impl From<Saved> for Taken {
    fn from(saved: Saved) -> Self {
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(u64::MAX);
        let Saved { low, high } = saved;
        let others = [half(low >> u64::BITS), half(high), half(high >> u64::BITS)];
        let others = (others != [0; 3]).then(|| Box::new(others));
        Self { first: half(low), others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_saved_as_two_wide_numbers() {
        let mut levels = Taken::default();
        for numbers in [(1, 3), (64, 65), (128, 129), (200, 256)] {
            levels.take(numbers.0, numbers.1);
            let bytes = postcard::to_allocvec(&levels).unwrap();
            let words: (u128, u128) = postcard::from_bytes(&bytes).unwrap();
            assert_eq!(words.0.count_ones() + words.1.count_ones(), u32::from(levels.count()));
            assert_eq!(postcard::from_bytes::<Taken>(&bytes).unwrap(), levels);
        }
        assert!(levels.is_taken(256) && !levels.is_taken(257) && !levels.is_taken(0));
        assert_eq!(levels.open(67).count(), 67 - 5);
    }

    #[test]
    fn numbers_are_taken_out_of_order() {
        let mut levels = Taken::default();
        levels.take(2, 2);
        levels.take(128, 130);

        assert!(levels.is_taken(2) && levels.is_taken(129) && !levels.is_taken(1));
        assert_eq!(levels.open(4).collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(levels.count(), 4);
    }
}
