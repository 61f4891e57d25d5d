//! The bytes of snapshots, journal entries and recordings: postcard behind a schema and a rules
//! version. Only what is written here is opaque to the store; `tranche replay --text` shows it.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tranche_model::{
    fill::Fill,
    record::{Call, CallLane, DealRow, FillRow, IntentRow, VerdictRow},
};

use crate::{
    account::Desk,
    bot::Bot,
    event::{Effects, Event},
    why::WhyRecord,
};

/// Changes when bytes written before cannot be read any more as they are.
pub const SCHEMA: u16 = 1;
/// Changes when the same events give other effects. Since 2 a new owner asks for what the list of open
/// orders does not show as it is known, and for nothing else. Since 3 a deal waits for the orders of a former
/// life that name it.
pub const RULES: u16 = 3;

/// Room for the bytes before there are any: most have enough of it, and to grow costs more than to write.
const ROOM: usize = 512;

/// Why bytes could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error(
        "written by a newer version of Tranche (schema {0}, this one knows {SCHEMA}); update it"
    )]
    Newer(u16),
    #[error("the bytes are damaged or not ours: {0}")]
    Unreadable(postcard::Error),
}

/// What left an account for one event, in the form that two runs are compared by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    pub calls: Vec<(CallLane, Call)>,
    pub asks: Vec<(CallLane, u16)>,
    pub hand_backs: Vec<(CallLane, u16)>,
    pub intents: Vec<IntentRow>,
    pub fills: Vec<FillRow>,
    pub deals: Vec<DealRow>,
    pub verdicts: Vec<VerdictRow>,
    pub lookups: Vec<Fill>,
    pub whys: Vec<WhyRecord>,
}

pub fn encode_bot(bot: &Bot) -> Result<Vec<u8>, CodecError> {
    encode(bot)
}

pub fn decode_bot(bytes: &[u8]) -> Result<Bot, CodecError> {
    decode(bytes)
}

pub fn encode_desk(desk: &Desk) -> Result<Vec<u8>, CodecError> {
    encode(desk)
}

pub fn decode_desk(bytes: &[u8]) -> Result<Desk, CodecError> {
    decode(bytes)
}

pub fn encode_event(event: &Event) -> Result<Vec<u8>, CodecError> {
    encode(event)
}

pub fn decode_event(bytes: &[u8]) -> Result<Event, CodecError> {
    decode(bytes)
}

/// An entry of the journal: the event, and why the account did what it did. Who replays needs the event
/// only, and reads it with [`decode_event`].
pub fn encode_entry(event: &Event, whys: &[WhyRecord]) -> Result<Vec<u8>, CodecError> {
    encode(&(event, whys))
}

pub fn decode_entry(bytes: &[u8]) -> Result<(Event, Vec<WhyRecord>), CodecError> {
    decode(bytes)
}

/// What an account wanted done, as bytes.
pub fn encode_trace(effects: &Effects) -> Result<Vec<u8>, CodecError> {
    encode(&Trace {
        calls: effects.calls.clone(),
        asks: effects.asks.clone(),
        hand_backs: effects.hand_backs.clone(),
        intents: effects.intents.clone(),
        fills: effects.fills.clone(),
        deals: effects.deals.clone(),
        verdicts: effects.verdicts.clone(),
        lookups: effects.lookups.clone(),
        whys: effects.whys.clone(),
    })
}

pub fn decode_trace(bytes: &[u8]) -> Result<Trace, CodecError> {
    decode(bytes)
}

/// Any of our types behind the versions; for recordings, which hold more than the above.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = Vec::with_capacity(ROOM);
    postcard::to_extend(&(SCHEMA, RULES, value), bytes).map_err(CodecError::Unreadable)
}

/// Reads what [`encode`] wrote.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (schema, rest) = postcard::take_from_bytes::<u16>(bytes).map_err(CodecError::Unreadable)?;
    if SCHEMA < schema {
        return Err(CodecError::Newer(schema));
    }
    let (_rules, value) = postcard::from_bytes::<(u16, T)>(rest).map_err(CodecError::Unreadable)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;
    use tranche_model::{ids::BotId, money::Price, time::Timestamp};

    use super::*;
    use crate::why::Why;

    #[test]
    fn entry_of_the_journal_is_read_as_an_event_too() {
        let event = Event::Stream { live: true };
        let (at, why) = (Timestamp::from_ms(7), Why::Quarantined { reason: "a fault".to_owned() });
        let bot = Some(BotId::new(3));
        let whys = vec![WhyRecord { at, bot, deal: None, instrument: None, why }];

        let bytes = encode_entry(&event, &whys).unwrap();

        assert_eq!(decode_entry(&bytes).unwrap(), (event.clone(), whys));
        assert_eq!(decode_event(&bytes).unwrap(), event);
    }

    proptest! {
        /// Few digits are written as 64 bits, and read as 128.
        #[test]
        fn number_has_the_same_bytes_however_wide(
            few in any::<i64>(),
            zeros in 0_u32..8,
            scale in 0_u32..=28,
        ) {
            for digits in [few.into(), i128::from(few / 1_000_000) * 10_i128.pow(zeros), i64::MIN.into()] {
                let value = Decimal::from_i128_with_scale(digits, scale);
                let least = value.normalize();

                let bytes = encode(&Price::new(value)).unwrap();

                let wide = encode(&(least.mantissa(), least.scale())).unwrap();
                prop_assert_eq!(&bytes, &wide);
                let read: Price = decode(&bytes).unwrap();
                prop_assert_eq!(read.get(), value);
            }
        }
    }
}
