//! The checked settings of a DCA bot. There is one door: [`Config::try_from`] a [`Draft`].

use std::{mem, sync::Arc};

use serde::{Deserialize, Serialize};
use tranche_model::{
    asset::Symbol,
    balance::FeeRates,
    instrument::Instrument,
    money::{Fraction, Price, Quote},
    time::Millis,
};

use super::{
    check,
    draft::{
        BaseOrderType, DeviationReference, Draft, LadderOrigin, QtyRounding, Start,
        StopLossReference, TakeProfitType,
    },
    instrument, levels,
};

/// Settings with which a deal can be carried out. Later arithmetic on them does not overflow for
/// prices and quantities of a real market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Draft", into = "Draft")]
pub struct Config {
    name: Box<str>,
    pairs: Box<[Symbol]>,
    /// Bots that are made from one template share it.
    terms: Arc<Terms>,
}

/// The settings but for the bot's name and pairs.
#[derive(Debug, PartialEq, Eq)]
struct Terms {
    /// With everything filled in that may be left out, and without name and pairs.
    draft: Draft,
    active_safety_orders_count: u16,
    max_active_deals: u16,
    take_profit: Fraction,
    trailing_deviation: Option<Fraction>,
    stop_loss: Option<Fraction>,
    levels: Vec<Level>,
}

/// One safety order, computed once so that no price update raises anything to a power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// `s_i`.
    pub step: Fraction,
    /// `s_1 + … + s_i`.
    pub deviation: Fraction,
    /// The price over the ladder's origin when every order fills at its own price.
    pub factor: Fraction,
    /// In quote, without fees.
    pub volume: Quote,
}

/// A setting that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value} (must be {bound}); {advice}")]
pub struct ConfigError {
    /// The name of the setting in a [`Draft`].
    pub field: &'static str,
    /// What it is, and what follows from it.
    pub value: String,
    pub bound: String,
    /// What the user can do.
    pub advice: &'static str,
}

impl TryFrom<Draft> for Config {
    type Error = ConfigError;

    fn try_from(mut draft: Draft) -> Result<Self, ConfigError> {
        check::settings(&draft)?;
        let levels = levels::build(&draft)?;
        let stop_loss = check::stop_loss(&draft, &levels)?;

        let active_safety_orders_count = check::active_safety_orders_count(&draft);
        draft.active_safety_orders_count = Some(active_safety_orders_count);
        let max_active_deals = check::max_active_deals(&draft);
        draft.max_active_deals = Some(max_active_deals);

        let name = mem::take(&mut draft.name).into_boxed_str();
        let pairs = mem::take(&mut draft.pairs).into_boxed_slice();
        let terms = Terms {
            active_safety_orders_count,
            max_active_deals,
            take_profit: check::fraction("take_profit_pct", draft.take_profit_pct)?,
            trailing_deviation: draft
                .trailing_deviation_pct
                .map(|pct| check::fraction("trailing_deviation_pct", pct))
                .transpose()?,
            stop_loss,
            levels,
            draft,
        };
        Ok(Self { name, pairs, terms: Arc::new(terms) })
    }
}

impl From<Config> for Draft {
    fn from(config: Config) -> Self {
        Self {
            name: config.name.into_string(),
            pairs: config.pairs.into_vec(),
            ..config.terms.draft.clone()
        }
    }
}

impl Config {
    /// Whether every order of a deal is large enough for the instrument, at `price` if it is known.
    ///
    /// Without a price only volumes are compared with the least notional.
    pub fn check_instrument(
        &self,
        instrument: &Instrument,
        price: Option<Price>,
    ) -> Result<(), ConfigError> {
        instrument::check(self, instrument, price)
    }

    /// Whether a deal can be held at these fees at all.
    pub fn check_fees(&self, fees: &FeeRates) -> Result<(), ConfigError> {
        instrument::stop_beyond_fee(self, fees)
    }

    /// Holds the terms in common with another bot's settings when they are the same.
    pub fn share_terms(&mut self, other: &Self) {
        if self.terms == other.terms {
            self.terms = Arc::clone(&other.terms);
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Without repetition, all with the same quote asset.
    pub fn pairs(&self) -> &[Symbol] {
        &self.pairs
    }

    /// In quote, without fees.
    pub fn base_order_volume(&self) -> Quote {
        self.terms.draft.base_order_volume
    }

    pub fn base_order_type(&self) -> BaseOrderType {
        self.terms.draft.base_order_type
    }

    /// After how long an unfilled limit base order follows the market.
    pub fn entry_reprice(&self) -> Millis {
        Millis::from_secs(self.terms.draft.entry_reprice_seconds)
    }

    /// After how long the bot stops waiting for a limit base order.
    pub fn entry_timeout(&self) -> Millis {
        Millis::from_secs(self.terms.draft.entry_timeout_seconds)
    }

    pub fn max_safety_orders(&self) -> u16 {
        self.terms.draft.max_safety_orders
    }

    /// How many safety orders rest at the venue at once; with none they are watched.
    pub fn active_safety_orders_count(&self) -> u16 {
        self.terms.active_safety_orders_count
    }

    pub fn deviation_reference(&self) -> DeviationReference {
        self.terms.draft.deviation_reference
    }

    pub fn ladder_origin(&self) -> LadderOrigin {
        self.terms.draft.ladder_origin
    }

    pub fn take_profit(&self) -> Fraction {
        self.terms.take_profit
    }

    pub fn take_profit_type(&self) -> TakeProfitType {
        self.terms.draft.take_profit_type
    }

    /// How far the price falls from its peak before a trailing take profit sells; `None` when the
    /// take profit rests.
    pub fn trailing_deviation(&self) -> Option<Fraction> {
        self.terms.trailing_deviation
    }

    pub fn stop_loss(&self) -> Option<Fraction> {
        self.terms.stop_loss
    }

    pub fn stop_loss_reference(&self) -> StopLossReference {
        self.terms.draft.stop_loss_reference
    }

    /// How long the price must stay beyond the stop.
    pub fn stop_loss_timeout(&self) -> Millis {
        Millis::from_secs(self.terms.draft.stop_loss_timeout_seconds)
    }

    pub fn stop_bot_after_stop_loss(&self) -> bool {
        self.terms.draft.stop_bot_after_stop_loss
    }

    /// Per pair, from the end of a deal to the next.
    pub fn cooldown(&self) -> Millis {
        Millis::from_secs(self.terms.draft.cooldown_seconds)
    }

    /// Over all pairs.
    pub fn max_active_deals(&self) -> u16 {
        self.terms.max_active_deals
    }

    /// The bot opens this many deals, then no more.
    pub fn stop_after_deals(&self) -> Option<u32> {
        self.terms.draft.stop_after_deals
    }

    pub fn start(&self) -> Start {
        self.terms.draft.start
    }

    pub fn qty_rounding(&self) -> QtyRounding {
        self.terms.draft.qty_rounding
    }

    /// The safety orders from number 1 on.
    pub fn levels(&self) -> &[Level] {
        &self.terms.levels
    }

    /// Safety order `number`, counted from 1.
    pub fn level(&self, number: u16) -> Option<&Level> {
        self.terms.levels.get(usize::from(number.checked_sub(1)?))
    }
}
