//! Numbers that name things. Each has its own type, so that none is taken for another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        pub struct $name($inner);

        impl $name {
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }

            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

id! {
    /// A person who owns accounts and bots.
    UserId(u32)
}
id! {
    /// One exchange key, or one paper account: the unit of ownership.
    AccountId(u32)
}
id! {
    /// A bot. Zero stands for the account itself.
    BotId(u32)
}
id! {
    /// The number of a deal within its bot, from 1; 22 bits in a client order id.
    DealNo(u32)
}
id! {
    /// The place of an instrument in [`crate::instrument::Instruments`].
    InstrumentId(u32)
}
id! {
    /// How often the order of a slot was sent anew within its deal.
    Generation(u16)
}
id! {
    /// One copy of the software with a database of its own.
    Installation(u16)
}
id! {
    /// One life of an installation's database; a restored backup gets a new one. 14 bits.
    Incarnation(u16)
}
id! {
    /// The venue's number of an order. Text ids are folded into it by the venue's folder.
    VenueOrderId(u128)
}
id! {
    /// The venue's number of an execution, unique per account and symbol.
    TradeId(u128)
}
id! {
    /// A user's command; the same id is never carried out twice.
    CommandId(u128)
}
id! {
    /// The owner's number of an account. Each new owner raises it; a commit with a lower one loses.
    Epoch(u64)
}
id! {
    /// The number of an input in the total order of its account.
    Seq(u64)
}
id! {
    /// Names a commit while its outcome is awaited.
    Ticket(u64)
}

impl Seq {
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Epoch {
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A place in a strategy that holds at most one order: base, safety 3, take profit 1, grid line 17.
/// 12 bits in a client order id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(u16);

impl Slot {
    pub const BASE: Self = Self(0);
    pub const STOP: Self = Self(1);
    pub const CLOSE: Self = Self(2);
    /// Steps of a take profit are 16–31.
    pub const TAKE_PROFIT: Self = Self(16);

    const SAFETY_BEFORE_FIRST: u16 = 255;
    const SAFETY_LAST: u16 = 511;
    const MAX: u16 = 4095;

    /// The slot of a safety order; `number` counts from 1 to 256.
    pub fn safety(number: u16) -> Option<Self> {
        let slot = Self::SAFETY_BEFORE_FIRST.checked_add(number)?;
        (number != 0 && slot <= Self::SAFETY_LAST).then_some(Self(slot))
    }

    /// Which safety order this is, from 1.
    pub fn safety_number(self) -> Option<u16> {
        let number = self.0.checked_sub(Self::SAFETY_BEFORE_FIRST)?;
        (number != 0 && self.0 <= Self::SAFETY_LAST).then_some(number)
    }

    pub const fn get(self) -> u16 {
        self.0
    }

    /// From the 12 bits of a client order id.
    pub fn from_bits(bits: u16) -> Option<Self> {
        (bits <= Self::MAX).then_some(Self(bits))
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self, self.safety_number()) {
            (Self::BASE, _) => f.write_str("base order"),
            (Self::STOP, _) => f.write_str("stop"),
            (Self::CLOSE, _) => f.write_str("close"),
            (_, Some(number)) => write!(f, "safety order {number}"),
            (Self(slot @ 16..=31), None) => write!(f, "take profit {}", slot - 15),
            (Self(slot @ 1024..), None) => write!(f, "grid line {}", slot - 1024),
            (Self(slot), None) => write!(f, "slot {slot}"),
        }
    }
}

impl Generation {
    /// The following one; `None` at the end: a slot is then blocked, never reused.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}
