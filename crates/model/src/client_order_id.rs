//! The client order id: where an order belongs, written into the order itself.
//!
//! 122 bits, big-endian: installation 16, incarnation 14, bot 32, deal 22, slot 12, generation 16,
//! CRC-10 of the rest. As text `trn` and 25 characters of `a-z2-7`: it starts with a letter and
//! fits the tightest venue (32 characters). The id is computed, never drawn, so that after a crash
//! an order can be found again.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{BotId, DealNo, Generation, Incarnation, Installation, Slot};

const PREFIX: &str = "trn";
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const TEXT_DIGITS: usize = 25;
const CRC_BITS: u32 = 10;
const INCARNATION_MAX: u16 = (1 << 14) - 1;
const DEAL_MAX: u32 = (1 << 22) - 1;
/// x^10 + x^9 + x^5 + x^4 + x + 1 (CRC-10/ATM).
const CRC_POLYNOMIAL: u16 = 0x233;

/// The packed form. Equal ids name the same order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientOrderId {
    /// Halves, the higher one first: a whole one would have to lie on a multiple of 16 bytes, and so
    /// would all that holds one.
    halves: [u64; 2],
}

/// What a client order id says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderKey {
    /// Zero for the account's own orders.
    pub bot: BotId,
    pub deal: DealNo,
    pub slot: Slot,
    pub generation: Generation,
}

/// Whose orders are ours: an id of another installation names a foreign order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    pub installation: Installation,
    pub incarnation: Incarnation,
}

impl ClientOrderId {
    /// Packs; `None` when a part is out of its range, which blocks the slot and never wraps.
    pub fn pack(origin: Origin, key: OrderKey) -> Option<Self> {
        if INCARNATION_MAX < origin.incarnation.get() || DEAL_MAX < key.deal.get() {
            return None;
        }
        let mut bits = u128::from(origin.installation.get());
        bits = (bits << 14) | u128::from(origin.incarnation.get());
        bits = (bits << 32) | u128::from(key.bot.get());
        bits = (bits << 22) | u128::from(key.deal.get());
        bits = (bits << 12) | u128::from(key.slot.get());
        bits = (bits << 16) | u128::from(key.generation.get());
        Some(Self::unchecked((bits << CRC_BITS) | u128::from(crc(bits))))
    }

    pub fn origin(self) -> Origin {
        Origin {
            installation: Installation::new(self.field(106, 16)),
            incarnation: Incarnation::new(self.field(92, 14)),
        }
    }

    pub fn key(self) -> OrderKey {
        OrderKey {
            bot: BotId::new(self.wide_field(60, 32)),
            deal: DealNo::new(self.wide_field(38, 22)),
            slot: Slot::from_bits(self.field(26, 12)).unwrap_or(Slot::BASE),
            generation: Generation::new(self.field(10, 16)),
        }
    }

    /// Reads the text form; `None` for anything that we did not write.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        if digits.len() != TEXT_DIGITS {
            return None;
        }
        let mut bits = 0_u128;
        for byte in digits.bytes() {
            let digit = ALPHABET.iter().position(|&letter| letter == byte)?;
            bits = (bits << 5) | u128::try_from(digit).ok()?;
        }
        Self::from_bits(bits)
    }

    /// From the 122 bits; `None` when the checksum does not fit.
    pub fn from_bits(bits: u128) -> Option<Self> {
        let id = Self::unchecked(bits);
        (bits >> 122 == 0 && crc(bits >> CRC_BITS) == id.field(0, CRC_BITS)).then_some(id)
    }

    pub fn bits(self) -> u128 {
        let [high, low] = self.halves;
        (u128::from(high) << u64::BITS) | u128::from(low)
    }

    fn unchecked(bits: u128) -> Self {
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(u64::MAX);
        Self { halves: [half(bits >> u64::BITS), half(bits)] }
    }

    fn field(self, shift: u32, width: u32) -> u16 {
        u16::try_from((self.bits() >> shift) & ((1 << width) - 1)).unwrap_or(u16::MAX)
    }

    fn wide_field(self, shift: u32, width: u32) -> u32 {
        u32::try_from((self.bits() >> shift) & ((1 << width) - 1)).unwrap_or(u32::MAX)
    }
}

impl Serialize for ClientOrderId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bits().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ClientOrderId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u128::deserialize(deserializer).map(Self::unchecked)
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        for place in (0..TEXT_DIGITS).rev() {
            let shift = u32::try_from(place).unwrap_or(0) * 5;
            let digit = usize::try_from((self.bits() >> shift) & 31).unwrap_or(0);
            let letter = ALPHABET.get(digit).copied().unwrap_or(b'a');
            write!(f, "{}", char::from(letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// CRC-10 over 112 bits, most significant first.
fn crc(bits: u128) -> u16 {
    let mut register = 0_u16;
    for shift in (0..112).rev() {
        let bit = u16::from((bits >> shift) & 1 == 1);
        let carry = (register >> 9) & 1;
        register = (register << 1) & 0x3FF;
        if carry ^ bit == 1 {
            register ^= CRC_POLYNOMIAL;
        }
    }
    register
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin { installation: Installation::new(0xBEEF), incarnation: Incarnation::new(9) }
    }

    fn key() -> OrderKey {
        OrderKey {
            bot: BotId::new(u32::MAX),
            deal: DealNo::new(DEAL_MAX),
            slot: Slot::safety(3).unwrap(),
            generation: Generation::new(7),
        }
    }

    #[test]
    fn what_was_packed_comes_out() {
        let id = ClientOrderId::pack(origin(), key()).unwrap();
        let text = id.to_string();

        assert_eq!(text.len(), 28);
        assert_eq!(ClientOrderId::parse(&text), Some(id));
        assert_eq!((id.origin(), id.key()), (origin(), key()));
    }

    #[test]
    fn a_part_out_of_range_is_refused() {
        let deal = OrderKey { deal: DealNo::new(DEAL_MAX + 1), ..key() };
        assert_eq!(ClientOrderId::pack(origin(), deal), None);
        let incarnation = Origin { incarnation: Incarnation::new(1 << 14), ..origin() };
        assert_eq!(ClientOrderId::pack(incarnation, key()), None);
    }

    #[test]
    fn every_single_wrong_letter_is_noticed() {
        let text = ClientOrderId::pack(origin(), key()).unwrap().to_string();
        for place in 3..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[place] = if wrong[place] == b'a' { b'b' } else { b'a' };
            let wrong = String::from_utf8(wrong).unwrap();
            if wrong != text {
                assert_eq!(ClientOrderId::parse(&wrong), None, "{wrong}");
            }
        }
    }
}
