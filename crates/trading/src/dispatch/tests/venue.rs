//! A venue behind a wire, as strict as the real one: it counts on arrival, by its own clock.

use std::collections::BTreeMap;

use tranche_model::{ids::AccountId, record::Call, time::Timestamp};

use crate::dispatch::limits::Limits;

/// Draws that depend on nothing but the seed (xorshift64 by Marsaglia).
pub(super) struct Draws(u64);

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(end.max(1))).unwrap()
    }

    /// A delay of the wire or of a commit.
    pub(super) fn delay(&mut self, max: u32) -> i64 {
        i64::from(1 + self.below(max))
    }
}

pub(super) struct Venue {
    limits: Limits,
    /// Its clock minus ours.
    pub(super) skew_ms: i64,
    weight: BTreeMap<i64, u32>,
    orders: BTreeMap<(AccountId, u32, i64), u32>,
    pub(super) breaches: u32,
}

/// What an answer says of the limits.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    pub(super) weight: u32,
    /// In the order of [`Limits::orders`]; empty for anything but an order.
    pub(super) orders: Vec<u32>,
}

impl Venue {
    pub(super) fn new(limits: Limits, skew_ms: i64) -> Self {
        Self { limits, skew_ms, weight: BTreeMap::new(), orders: BTreeMap::new(), breaches: 0 }
    }

    pub(super) fn arrive(&mut self, account: AccountId, call: &Call, now: Timestamp) -> Counts {
        let mut orders = Vec::new();
        if let Call::Place { .. } = call {
            for limit in &self.limits.orders {
                let window = self.window(now, limit.window.ms());
                let key = (account, limit.window.ms(), window);
                let count = self.orders.entry(key).or_default();
                *count += 1;
                self.breaches += u32::from(limit.count < *count);
                orders.push(*count);
            }
        }
        Counts { weight: self.add(self.limits.weight(call), now), orders }
    }

    /// Weight used by somebody else on the address.
    pub(super) fn add(&mut self, weight: u32, now: Timestamp) -> u32 {
        let used = self.weight.entry(self.window(now, 60_000)).or_default();
        *used += weight;
        self.breaches += u32::from(self.limits.weight_per_minute < *used);
        *used
    }

    /// The most weight of any minute.
    pub(super) fn peak(&self) -> u32 {
        self.weight.values().copied().max().unwrap_or(0)
    }

    fn window(&self, now: Timestamp, span: u32) -> i64 {
        (now.ms() + self.skew_ms).div_euclid(i64::from(span))
    }
}
