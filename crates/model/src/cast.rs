//! Integer conversions that say what happens when the value does not fit.

/// Clamps to the range of `u32`.
pub fn u32_saturating(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Clamps to the range of `i64`.
pub fn i64_saturating(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// An index into a collection. Every platform that we build for has at least 32 bits.
pub fn index(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Counts as `u64`.
pub fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
