//! Figures of a running engine that are too small to keep each one of.

/// The greatest of the last values: of the block of 512 that is being counted, and of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slowest {
    count: u16,
    present: u64,
    former: u64,
}

const BLOCK: u16 = 512;

impl Slowest {
    pub(crate) fn add(&mut self, value: u64) {
        if self.count == BLOCK {
            *self = Self { count: 0, present: 0, former: self.present };
        }
        self.count = self.count.saturating_add(1);
        self.present = self.present.max(value);
    }

    /// The greatest, in the unit of what was added; 0 before the first.
    pub fn get(self) -> u64 {
        self.present.max(self.former)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greatest_value_is_forgotten_after_two_blocks() {
        let mut slowest = Slowest::default();
        slowest.add(9);
        for _ in 0..2 * BLOCK - 1 {
            slowest.add(1);
        }
        assert_eq!(slowest.get(), 9);

        slowest.add(1);
        assert_eq!(slowest.get(), 1);
    }
}
