//! Which safety orders of a deal are done.

use serde::{Deserialize, Serialize};

/// A set of safety order numbers, from 1 to 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Taken {
    low: u128,
    high: u128,
}

impl Taken {
    /// Marks `from` to `to`, both included.
    pub fn take(&mut self, from: u16, to: u16) {
        for number in from..=to {
            match number.checked_sub(1) {
                Some(bit @ 0..=127) => self.low |= 1 << bit,
                Some(bit @ 128..=255) => self.high |= 1 << (bit - 128),
                Some(256..) | None => {}
            }
        }
    }

    pub fn is_taken(&self, number: u16) -> bool {
        match number.checked_sub(1) {
            Some(bit @ 0..=127) => self.low >> bit & 1 == 1,
            Some(bit @ 128..=255) => self.high >> (bit - 128) & 1 == 1,
            Some(256..) | None => false,
        }
    }

    pub fn count(&self) -> u16 {
        u16::try_from(self.low.count_ones() + self.high.count_ones()).unwrap_or(u16::MAX)
    }

    /// The numbers up to `most` that are not taken, ascending.
    pub fn open(self, most: u16) -> impl Iterator<Item = u16> {
        (1..=most).filter(move |number| !self.is_taken(*number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
