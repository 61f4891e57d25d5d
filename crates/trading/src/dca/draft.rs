//! The settings as a user writes them: nothing is checked yet but that each is of its kind.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tranche_model::{
    asset::Symbol,
    decimal::{self, MathError, ParseDecimalError},
    money::{Fraction, Quote},
};

/// A percentage: 1.5 is 1.5 %. Only the edge speaks in per cent; inside there are fractions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Pct(Decimal);

/// How the base order is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaseOrderType {
    #[default]
    Market,
    /// At the best price of the own side, moved after it.
    Limit,
}

/// What the distance of a safety order is measured from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviationReference {
    /// The ladder's origin; steps add up.
    #[default]
    Base,
    /// The safety order before; steps multiply.
    Previous,
    /// Cost over quantity at that moment, so that only one order can rest ahead.
    Average,
}

/// Where the ladder starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LadderOrigin {
    /// The average fill price of the base order.
    #[default]
    Fill,
    /// The same with the fees of the base order.
    FeeInclusive,
}

/// What the take profit's percentage is taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TakeProfitType {
    /// Everything spent.
    #[default]
    Total,
    /// What the base order cost.
    Base,
}

/// What the stop loss is measured from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopLossReference {
    /// The ladder's origin.
    #[default]
    Base,
    /// The fee-inclusive average at that moment.
    Average,
}

/// When a deal starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Whenever the limits leave room.
    #[default]
    Asap,
    /// On a user's word.
    Manual,
}

/// In which direction a bought quantity is brought to the instrument's step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QtyRounding {
    /// Never spends more than configured.
    #[default]
    Down,
    /// Never buys less than configured.
    Up,
}

/// The settings of a DCA bot before they are checked. A long deal buys first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    pub name: String,
    #[serde(with = "symbols")]
    pub pairs: Vec<Symbol>,
    /// In quote, without fees.
    pub base_order_volume: Quote,
    #[serde(default)]
    pub base_order_type: BaseOrderType,
    /// After how long an unfilled limit base order follows the market.
    #[serde(default = "entry_reprice_seconds")]
    pub entry_reprice_seconds: u32,
    /// After how long the bot stops waiting for a limit base order.
    #[serde(default = "entry_timeout_seconds")]
    pub entry_timeout_seconds: u32,
    /// The first safety order, in quote, without fees.
    #[serde(default)]
    pub safety_order_volume: Quote,
    /// The distance of the first safety order.
    #[serde(default)]
    pub safety_order_step_pct: Pct,
    /// Each step is this many times the one before.
    #[serde(default = "one")]
    pub step_scale: Fraction,
    /// Each safety order is this many times the one before.
    #[serde(default = "one")]
    pub volume_scale: Fraction,
    pub max_safety_orders: u16,
    /// How many safety orders rest at the venue at once; none when 0, they are watched then. Left
    /// out: one, if there are any.
    #[serde(default)]
    pub active_safety_orders_count: Option<u16>,
    #[serde(default)]
    pub deviation_reference: DeviationReference,
    #[serde(default)]
    pub ladder_origin: LadderOrigin,
    pub take_profit_pct: Pct,
    #[serde(default)]
    pub take_profit_type: TakeProfitType,
    /// How far the price falls from its peak before a trailing take profit sells.
    #[serde(default)]
    pub trailing_deviation_pct: Option<Pct>,
    #[serde(default)]
    pub stop_loss_pct: Option<Pct>,
    #[serde(default)]
    pub stop_loss_reference: StopLossReference,
    /// How long the price must stay beyond the stop.
    #[serde(default)]
    pub stop_loss_timeout_seconds: u32,
    #[serde(default)]
    pub stop_bot_after_stop_loss: bool,
    /// Per pair, from the end of a deal to the next.
    #[serde(default)]
    pub cooldown_seconds: u32,
    /// Over all pairs. Left out: one for each pair.
    #[serde(default)]
    pub max_active_deals: Option<u16>,
    /// The bot opens this many deals, then no more.
    #[serde(default)]
    pub stop_after_deals: Option<u32>,
    #[serde(default)]
    pub start: Start,
    #[serde(default)]
    pub qty_rounding: QtyRounding,
}

impl Pct {
    pub const fn new(value: Decimal) -> Self {
        Self(value)
    }

    pub const fn get(self) -> Decimal {
        self.0
    }

    pub fn parse(text: &str) -> Result<Self, ParseDecimalError> {
        decimal::parse(text).map(Self)
    }

    /// As a share of one: 1.5 % is 0.015.
    pub fn fraction(self) -> Result<Fraction, MathError> {
        Fraction::from_pct(self.0)
    }
}

impl fmt::Display for Pct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.normalize(), f)
    }
}

// `Fraction` lends its exact format: text for people, digits and scale for compact formats.
impl Serialize for Pct {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Fraction::new(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Pct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fraction::deserialize(deserializer).map(|value| Self(value.get()))
    }
}

const fn one() -> Fraction {
    Fraction::ONE
}

const fn entry_reprice_seconds() -> u32 {
    20
}

const fn entry_timeout_seconds() -> u32 {
    60
}

/// Pairs as texts such as `BTC/USDT`.
mod symbols {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use tranche_model::asset::Symbol;

    pub(super) fn serialize<S: Serializer>(
        list: &[Symbol],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(Symbol::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Symbol>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| Symbol::parse(text).map_err(D::Error::custom)).collect()
    }
}
