//! What a run was, in one number: two runs of one seed must give the same.

use tranche_model::{ids::AccountId, time::Timestamp};

/// A hash over everything that mattered, in order. It protects against accidents, not malice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    hash: u64,
    events: u64,
}

impl Default for Trace {
    fn default() -> Self {
        Self { hash: 0xCBF2_9CE4_8422_2325, events: 0 }
    }
}

impl Trace {
    /// Takes in one thing that happened.
    pub fn note(&mut self, kind: u8, account: AccountId, at: Timestamp) {
        self.events = self.events.saturating_add(1);
        self.mix(u64::from(kind));
        self.mix(u64::from(account.get()));
        self.mix(at.ms().cast_unsigned());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.mix(u64::from(*byte));
        }
    }

    pub const fn mix(&mut self, word: u64) {
        let mixed = (self.hash ^ word).wrapping_mul(0x9FB2_1C65_1E98_DF25);
        self.hash = mixed ^ (mixed >> 32);
    }

    pub const fn hash(&self) -> u64 {
        self.hash
    }

    pub const fn events(&self) -> u64 {
        self.events
    }
}
