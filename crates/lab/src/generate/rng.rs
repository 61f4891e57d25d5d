//! Chance from a seed: `SplitMix64` (Steele, Lea and Flood, 2014), the same on every platform.

/// A stream of numbers that its seed decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rng(u64);

/// One standard deviation of [`Rng::normal`].
pub(super) const NORMAL_ONE: i64 = 1 << 16;

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// From 0 to `count` − 1; 0 for a count of 0.
    pub(crate) fn below(&mut self, count: u32) -> u32 {
        let product = (self.bits() >> 32) * u64::from(count);
        u32::try_from(product >> 32).unwrap_or(0)
    }

    /// From −`reach` to `reach`, evenly.
    pub(super) fn within(&mut self, reach: i64) -> i64 {
        let unit = i64::from(self.below(1 << 17)) - (1 << 16);
        let product = i128::from(reach) * i128::from(unit);
        i64::try_from(product >> 16).unwrap_or(0)
    }

    /// True `chance` times in 2^32.
    pub(super) const fn happens(&mut self, chance: u64) -> bool {
        (self.bits() >> 32) < chance
    }

    /// Close to the normal distribution: the sum of twelve even numbers of 16 bits has a standard
    /// deviation of 2^16.
    pub(super) fn normal(&mut self) -> i64 {
        let mut sum = 0;
        for _ in 0..3 {
            let bits = self.bits();
            for lane in [0, 16, 32, 48] {
                sum += i64::try_from((bits >> lane) & 0xFFFF).unwrap_or(0);
            }
        }
        sum - 6 * 0xFFFF
    }
}
