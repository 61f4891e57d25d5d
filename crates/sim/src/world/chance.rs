//! The only source of chance in a world: a seed, and the numbers that follow from it.

use tranche_model::time::Millis;

/// `SplitMix64` (Steele, Lea, Flood 2014): small, fast, and the same on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chance(u64);

impl Chance {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    /// Below `bound`; zero when the bound is zero.
    pub const fn below(&mut self, bound: u64) -> u64 {
        match self.draw().checked_rem(bound) {
            Some(value) => value,
            None => 0,
        }
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).max(0).unsigned_abs().saturating_add(1);
        low.saturating_add_unsigned(self.below(width))
    }

    /// From `low` to `high` milliseconds.
    pub fn span(&mut self, low: u32, high: u32) -> Millis {
        let ms = self.between(i64::from(low), i64::from(high));
        Millis::new(u32::try_from(ms).unwrap_or(low))
    }

    /// True in `part` of `whole` cases.
    pub const fn hits(&mut self, part: u64, whole: u64) -> bool {
        self.below(whole) < part
    }

    /// One of several, each as likely.
    pub fn among<T: Copy>(&mut self, first: T, others: &[T]) -> T {
        let count = u64::try_from(others.len()).unwrap_or(u64::MAX).saturating_add(1);
        let drawn = usize::try_from(self.below(count)).unwrap_or(0);
        drawn.checked_sub(1).and_then(|place| others.get(place)).copied().unwrap_or(first)
    }

    /// A source of its own, so that what is drawn there moves nothing here.
    #[must_use]
    pub const fn fork(&mut self) -> Self {
        Self(self.draw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_paper() {
        let mut chance = Chance::new(1_234_567);
        let drawn = [chance.draw(), chance.draw(), chance.draw()];

        let want =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(drawn, want);
    }

    #[test]
    fn all_of_a_choice_come_up() {
        let mut chance = Chance::new(7);
        let mut seen = [0_u32; 3];
        for _ in 0..300 {
            seen[usize::from(chance.among(0_u8, &[1, 2]))] += 1;
        }
        assert!(seen.iter().all(|times| 60 < *times), "{seen:?}");
        assert_eq!(chance.below(0), 0);
        assert!((0..100).all(|_| (-2..=2).contains(&chance.between(-2, 2))));
    }
}
