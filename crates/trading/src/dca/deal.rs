//! One deal of a DCA bot, from the base order to the last coin sold: how its state changes.
//!
//! What it wants at the exchange is in `wants`, what it waits for in `waits`.

use serde::{Deserialize, Serialize};
use tranche_model::{
    asset::Asset,
    balance::FeeRates,
    decimal::{self, MathError, Rounding},
    fill::Fill,
    filter::Filter,
    ids::{DealNo, Slot},
    instrument::Instrument,
    money::{Amount, Price, Qty, Quote},
    order::OrderStatus,
    time::{Millis, Timestamp},
};

use super::{
    config::Config,
    draft::{BaseOrderType, QtyRounding},
    ladder,
    position::Position,
    taken::Taken,
    targets,
};
use crate::{
    few::Few,
    why::{Ended, Why},
};

/// A cycle from base order to close.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deal {
    pub no: DealNo,
    /// Which version of the bot's settings rules it.
    pub version: u32,
    pub opened_at: Timestamp,
    pub phase: Phase,
    pub position: Position,
    /// Where the ladder of safety orders starts; `None` until the base order is done.
    pub origin: Option<Price>,
    /// What the base order cost, fees included.
    pub base_spent: Quote,
    /// Safety orders that are done.
    pub levels: Taken,
    /// Orders that are filled in part.
    pub progress: Few<Progress>,
    /// Where the position is sold with the wanted profit; moves with every buy.
    pub take_profit: Option<Price>,
    /// The most that may be spent, fees included.
    pub budget: Quote,
    /// Fees paid in neither base nor quote, as they were taken.
    pub third_fees: Few<(Asset, Amount)>,
    /// The last price that the deal was shown.
    pub seen: Price,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The base order is wanted.
    Entering(Entry),
    Holding(Holding),
    /// Everything that can be sold is sold at market, or was.
    Exiting {
        reason: Ended,
        since: Timestamp,
        alarmed: bool,
    },
    /// Taken off by the user, who keeps the coins.
    Abandoned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub order: EntryOrder,
    /// No longer wanted: what was filled by now is the base, if it can be sold.
    pub given_up: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryOrder {
    Market,
    Limit { price: Price, leaves: Qty, priced_at: Timestamp },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Holding {
    /// The highest price since the take profit was reached, when it trails.
    pub peak: Option<Peak>,
    /// Since when the price has been at or below the stop.
    pub below_stop_since: Option<Timestamp>,
    /// Watched safety orders whose price was passed, wanted as one order.
    pub merge: Option<Merge>,
}

/// A running maximum, since when it runs, and when it was last written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    pub price: Price,
    pub armed_at: Timestamp,
    pub known_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    pub from: u16,
    pub to: u16,
    pub quote: Quote,
    /// When the price passed them. A price that old says nothing any more.
    pub passed_at: Timestamp,
}

/// The filled part of a slot that is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub slot: Slot,
    pub filled: Qty,
    pub spent: Quote,
}

/// What a deal is told.
#[derive(Debug, Clone, Copy)]
pub enum Fact<'a> {
    Filled {
        slot: Slot,
        fill: &'a Fill,
    },
    /// The order of the slot ended and every fill is booked.
    Settled {
        slot: Slot,
        executed: Qty,
        status: OrderStatus,
    },
    /// None of the deal's orders is out.
    Quiet,
    /// What was being read is booked, and no take profit is out: it can be judged whether all is sold.
    Whole,
    /// A fresh price, with the running maximum when one is followed.
    Price {
        price: Price,
        peak: Option<Price>,
    },
    /// The running maximum, written down now and then.
    Checkpoint {
        peak: Price,
    },
    /// A time has come and no fresh price is known.
    Time,
    /// The rules of the instrument changed.
    Rules,
    Close,
    Abandon,
}

/// What the deal's functions may look at beside its state.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    pub config: &'a Config,
    pub instrument: &'a Instrument,
    pub fees: FeeRates,
    pub now: Timestamp,
    /// Whether every execution so far is booked. While some are being read, a position that seems to be
    /// sold may be one of which a buy is not known yet.
    pub is_whole: bool,
}

/// For how long the price that passed watched safety orders is one to buy at.
const PASSED_COUNTS_FOR: Millis = Millis::from_secs(2);

/// Digits of a part of a position before it is brought to a step.
const PART_SCALE: u32 = 18;

impl Deal {
    /// Opens at a fresh price.
    pub fn open(
        no: DealNo,
        version: u32,
        price: Price,
        scene: &Scene<'_>,
    ) -> Result<Self, MathError> {
        let mut deal = Self {
            no,
            version,
            opened_at: scene.now,
            phase: Phase::Entering(Entry { order: EntryOrder::Market, given_up: false }),
            position: Position::default(),
            origin: None,
            base_spent: Quote::ZERO,
            levels: Taken::default(),
            progress: Few::new(),
            take_profit: None,
            budget: budget(scene, price)?,
            third_fees: Few::new(),
            seen: price,
        };
        if scene.config.base_order_type() == BaseOrderType::Limit {
            let order = deal.limit_entry(price, scene)?;
            deal.phase = Phase::Entering(Entry { order, given_up: false });
        }
        Ok(deal)
    }

    /// Moves the state on.
    pub fn apply(
        &mut self,
        fact: Fact<'_>,
        scene: &Scene<'_>,
        log: &mut Vec<Why>,
    ) -> Result<(), MathError> {
        match fact {
            Fact::Filled { slot, fill } => self.filled(slot, fill, scene, log),
            Fact::Settled { slot, executed, status } => {
                self.settled(slot, (executed, status), scene, log)
            }
            Fact::Quiet => match self.phase {
                Phase::Entering(entry) if entry.given_up => {
                    self.base_settled(entry, OrderStatus::Cancelled, scene, log)
                }
                Phase::Entering(_)
                | Phase::Holding(_)
                | Phase::Exiting { .. }
                | Phase::Abandoned => Ok(()),
            },
            Fact::Whole => match self.phase {
                Phase::Holding(_) => self.take_profit_gone(scene),
                Phase::Entering(_) | Phase::Exiting { .. } | Phase::Abandoned => Ok(()),
            },
            Fact::Price { price, peak } => self.priced(price, peak, scene, log),
            Fact::Checkpoint { peak } => {
                if let Phase::Holding(Holding { peak: Some(known), .. }) = &mut self.phase {
                    known.price = peak.max(known.price);
                    known.known_at = scene.now;
                }
                Ok(())
            }
            Fact::Time => {
                self.sound_alarm(scene, log);
                Ok(())
            }
            Fact::Rules => self.regrid(scene, log),
            Fact::Close => {
                // A deal that ends already ends for the reason that it has.
                if matches!(self.phase, Phase::Entering(_) | Phase::Holding(_)) {
                    log.push(Why::ClosedByCommand);
                    self.exit(Ended::ClosedByCommand, scene);
                }
                Ok(())
            }
            Fact::Abandon => {
                if self.phase != Phase::Abandoned {
                    log.push(Why::CancelledByCommand);
                    self.phase = Phase::Abandoned;
                }
                Ok(())
            }
        }
    }

    /// Brings what the deal has fixed onto the instrument's present grid.
    fn regrid(&mut self, scene: &Scene<'_>, log: &mut Vec<Why>) -> Result<(), MathError> {
        match self.phase {
            Phase::Entering(entry) if entry.order != EntryOrder::Market && !entry.given_up => {
                let order = self.limit_entry(self.seen, scene)?;
                self.phase = Phase::Entering(Entry { order, ..entry });
                Ok(())
            }
            Phase::Holding(_) => self.aim(scene, log),
            Phase::Entering(_) | Phase::Exiting { .. } | Phase::Abandoned => Ok(()),
        }
    }

    /// Whether a price that the deal has fixed lies beside the instrument's present grid, or was made for
    /// another quantity than what can be sold now.
    pub(crate) fn is_off_grid(&self, scene: &Scene<'_>) -> Result<bool, MathError> {
        let price = match self.phase {
            Phase::Entering(Entry { order: EntryOrder::Limit { price, .. }, .. }) => Some(price),
            Phase::Holding(_) if self.position.sold.is_zero() => {
                return Ok(self.target(scene)? != self.take_profit);
            }
            Phase::Holding(_) => self.take_profit,
            Phase::Entering(_) | Phase::Exiting { .. } | Phase::Abandoned => None,
        };
        let Some(price) = price else { return Ok(false) };
        Ok(scene.instrument.round_price(price, Rounding::Down)? != price)
    }

    /// How the deal ended, once none of its orders is out.
    pub fn over(&self, scene: &Scene<'_>) -> Result<Option<Ended>, MathError> {
        match self.phase {
            Phase::Entering(entry) if entry.given_up && self.position.bought.is_zero() => {
                Ok(Some(Ended::NoEntry))
            }
            Phase::Exiting { reason, .. } if !self.can_sell(scene)? => Ok(Some(reason)),
            Phase::Abandoned => Ok(Some(Ended::Cancelled)),
            Phase::Entering(_) | Phase::Holding(_) | Phase::Exiting { .. } => Ok(None),
        }
    }

    /// What of the position can be sold in whole steps.
    pub fn sellable(&self, scene: &Scene<'_>) -> Result<Qty, MathError> {
        self.position.sellable(scene.instrument)
    }

    /// What of it one market order takes. The rest follows once that is settled.
    pub(super) fn sellable_at_once(&self, scene: &Scene<'_>) -> Result<Qty, MathError> {
        let mut qty = self.sellable(scene)?;
        for filter in &scene.instrument.filters {
            let (Filter::LotSize { min, max, step } | Filter::MarketLotSize { min, max, step }) =
                filter
            else {
                continue;
            };
            qty = even_part(qty, *max, scene.instrument.step)?;
            qty = qty.to_step(*step, Rounding::Down)?;
            if qty < *min {
                return Ok(Qty::ZERO);
            }
        }
        Ok(qty)
    }

    /// Whether what can be sold is large enough for an order.
    pub fn can_sell(&self, scene: &Scene<'_>) -> Result<bool, MathError> {
        Ok(scene.instrument.is_tradable(self.sellable_at_once(scene)?, self.seen))
    }

    /// The stop in force.
    pub fn stop(&self, scene: &Scene<'_>) -> Result<Option<Price>, MathError> {
        match self.origin {
            Some(origin) => targets::stop(scene.config, scene.instrument, origin, &self.position),
            None => Ok(None),
        }
    }

    /// The running maximum, while one is followed.
    pub const fn peak(&self) -> Option<Peak> {
        match self.phase {
            Phase::Holding(holding) => holding.peak,
            Phase::Entering(_) | Phase::Exiting { .. } | Phase::Abandoned => None,
        }
    }

    /// The slot of the watched safety orders that are wanted as one, and whether the price that passed
    /// them is old by now.
    pub(crate) fn merged_slot(&self, now: Timestamp) -> Option<(Slot, bool)> {
        match self.phase {
            Phase::Holding(Holding { merge: Some(merge), .. }) => {
                let is_old = merge.passed_at.plus(PASSED_COUNTS_FOR) <= now;
                Slot::safety(merge.to).map(|slot| (slot, is_old))
            }
            Phase::Entering(_) | Phase::Holding(_) | Phase::Exiting { .. } | Phase::Abandoned => {
                None
            }
        }
    }

    /// Forgets which watched safety orders were passed; the next price says it again.
    pub(crate) const fn drop_merge(&mut self) {
        if let Phase::Holding(holding) = &mut self.phase {
            holding.merge = None;
        }
    }

    /// Follows other settings from now on.
    pub fn adopt(
        &mut self,
        version: u32,
        scene: &Scene<'_>,
        log: &mut Vec<Why>,
    ) -> Result<(), MathError> {
        self.version = version;
        self.budget = budget(scene, self.seen)?;
        let is_below_stop = self.stop(scene)?.is_some_and(|stop| self.seen <= stop);
        let Phase::Holding(holding) = &mut self.phase else { return Ok(()) };
        if !is_below_stop {
            // The time below a former stop does not count for the next.
            holding.below_stop_since = None;
        }
        self.aim(scene, log)?;
        self.disarm_beyond_target(scene);
        Ok(())
    }

    /// A target that moved beyond the highest price is not reached any more.
    fn disarm_beyond_target(&mut self, scene: &Scene<'_>) {
        let trails = scene.config.trailing_deviation().is_some();
        let target = self.take_profit.filter(|_| trails);
        if let Phase::Holding(holding) = &mut self.phase {
            holding.peak = holding.peak.filter(|peak| target.is_some_and(|at| at <= peak.price));
        }
    }

    pub(super) fn progress(&self, slot: Slot) -> (Qty, Quote) {
        let found = self.progress.iter().find(|progress| progress.slot == slot);
        found.map_or((Qty::ZERO, Quote::ZERO), |progress| (progress.filled, progress.spent))
    }

    /// The slot is done.
    pub(super) fn forget_progress(&mut self, slot: Slot) {
        self.progress.retain(|progress| progress.slot != slot);
    }

    /// The price of a safety order; `None` when the ladder has no such place, or it is below the smallest
    /// price that there is.
    pub(super) fn level_price(
        &self,
        number: u16,
        scene: &Scene<'_>,
    ) -> Result<Option<Price>, MathError> {
        let Some(base) = self.origin else { return Ok(None) };
        let Some(slot) = Slot::safety(number) else { return Ok(None) };
        if scene.config.level(number).is_none() {
            // The deal follows other settings by now, with a shorter ladder.
            return Ok(None);
        }
        // What the order itself bought does not move it: it would run away from the market.
        let (filled, spent) = self.progress(slot);
        let average = Some((self.position.cost.minus(spent)?, self.position.bought.minus(filled)?));
        let origin = ladder::Origin { base, average };
        let price = ladder::price(scene.config, scene.instrument, number, origin)?;
        Ok(Some(price).filter(|price| price.is_positive()))
    }

    pub(super) fn exit(&mut self, reason: Ended, scene: &Scene<'_>) {
        self.phase = Phase::Exiting { reason, since: scene.now, alarmed: false };
    }
}

/// What one order of at most `max` takes of `qty`; zero is no bound. Parts are even: a small rest could
/// not be sold.
pub(super) fn even_part(qty: Qty, max: Qty, step: Qty) -> Result<Qty, MathError> {
    if qty <= max || !max.is_positive() {
        return Ok(qty);
    }
    let parts = decimal::div(qty.get(), max.get(), 0, Rounding::Up)?;
    let part = Qty::new(decimal::div(qty.get(), parts, PART_SCALE, Rounding::Down)?);
    Ok(part.to_step(step, Rounding::Up)?.min(max))
}

/// The most that a deal may spend, fees included, by its settings.
fn budget(scene: &Scene<'_>, price: Price) -> Result<Quote, MathError> {
    let round_up = match scene.config.qty_rounding() {
        QtyRounding::Up => Some((scene.instrument.step, price)),
        QtyRounding::Down => None,
    };
    ladder::budget_per_deal(scene.config, &scene.fees, round_up)
}
