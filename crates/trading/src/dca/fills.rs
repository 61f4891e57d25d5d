//! What executions do to a deal: fills move the position and the take profit, and an order that ended
//! finishes its step of the ladder.

use tranche_model::{
    decimal::MathError,
    fill::Fill,
    ids::Slot,
    money::{Price, Qty},
    order::{OrderStatus, Side},
};

use super::{
    deal::{Deal, Entry, EntryOrder, Holding, Phase, Progress, Scene},
    ladder, targets,
};
use crate::why::{Ended, Why};

impl Deal {
    pub(super) fn filled(
        &mut self,
        slot: Slot,
        fill: &Fill,
        scene: &Scene<'_>,
        log: &mut Vec<Why>,
    ) -> Result<(), MathError> {
        self.position.book(fill, scene.instrument)?;
        self.seen = fill.price;
        self.note_third_fee(fill, scene)?;
        log.push(Why::Filled { slot, price: fill.price, qty: fill.qty });
        match fill.side {
            Side::Buy => self.bought(slot, fill, scene, log),
            Side::Sell => {
                if slot == Slot::TAKE_PROFIT {
                    self.note_progress(slot, fill)?;
                }
                self.sold(scene)
            }
        }
    }

    fn note_progress(&mut self, slot: Slot, fill: &Fill) -> Result<(), MathError> {
        match self.progress.iter_mut().find(|progress| progress.slot == slot) {
            Some(progress) => {
                progress.filled = progress.filled.plus(fill.qty)?;
                progress.spent = progress.spent.plus(fill.quote)?;
            }
            None => self.progress.push(Progress { slot, filled: fill.qty, spent: fill.quote }),
        }
        Ok(())
    }

    fn note_third_fee(&mut self, fill: &Fill, scene: &Scene<'_>) -> Result<(), MathError> {
        let symbol = scene.instrument.symbol;
        let asset = fill.fee.asset;
        if asset == symbol.base || asset == symbol.quote || fill.fee.amount.is_zero() {
            return Ok(());
        }
        match self.third_fees.iter_mut().find(|(known, _)| *known == asset) {
            Some((_, total)) => *total = total.plus(fill.fee.amount)?,
            None => self.third_fees.push((asset, fill.fee.amount)),
        }
        Ok(())
    }

    fn bought(
        &mut self,
        slot: Slot,
        fill: &Fill,
        scene: &Scene<'_>,
        log: &mut Vec<Why>,
    ) -> Result<(), MathError> {
        self.note_progress(slot, fill)?;
        match &mut self.phase {
            Phase::Entering(Entry { order: EntryOrder::Limit { leaves, .. }, .. }) => {
                *leaves = leaves.minus_floored(fill.qty)?;
                Ok(())
            }
            Phase::Holding(holding) => {
                // The take profit moves, so what was reached before is not reached any more.
                holding.peak = None;
                self.aim(scene, log)
            }
            Phase::Entering(_) | Phase::Exiting { .. } | Phase::Abandoned => Ok(()),
        }
    }

    fn sold(&mut self, scene: &Scene<'_>) -> Result<(), MathError> {
        let may_be_over = scene.is_whole && matches!(self.phase, Phase::Holding(_));
        if may_be_over && self.sellable(scene)?.is_zero() {
            self.exit(Ended::TakeProfit, scene);
        }
        Ok(())
    }

    /// The take profit of the position as it is.
    pub(super) fn target(&self, scene: &Scene<'_>) -> Result<Option<Price>, MathError> {
        let exit_fee = match scene.config.trailing_deviation() {
            Some(_) => scene.fees.taker,
            None => scene.fees.maker,
        };
        targets::take_profit(
            scene.config,
            &self.position,
            self.base_spent,
            exit_fee,
            scene.instrument,
        )
    }

    /// Sets the take profit for the position as it is.
    pub(super) fn aim(&mut self, scene: &Scene<'_>, log: &mut Vec<Why>) -> Result<(), MathError> {
        self.take_profit = self.target(scene)?;
        if let Some(price) = self.take_profit {
            log.push(Why::TakeProfitSet { price, qty: self.sellable(scene)? });
        }
        Ok(())
    }

    pub(super) fn settled(
        &mut self,
        slot: Slot,
        (executed, status): (Qty, OrderStatus),
        scene: &Scene<'_>,
        log: &mut Vec<Why>,
    ) -> Result<(), MathError> {
        match self.phase {
            Phase::Entering(entry) if slot == Slot::BASE => {
                self.base_settled(entry, status, scene, log)
            }
            Phase::Holding(holding) => {
                if let Some(number) = slot.safety_number() {
                    return self.safety_settled((number, slot), (executed, status), holding, scene);
                }
                if slot == Slot::TAKE_PROFIT {
                    self.forget_progress(slot);
                    return self.take_profit_gone(scene);
                }
                Ok(())
            }
            Phase::Entering(_) | Phase::Exiting { .. } | Phase::Abandoned => Ok(()),
        }
    }

    /// No take profit is out. With a rest too small to be sold the deal is done.
    pub(super) fn take_profit_gone(&mut self, scene: &Scene<'_>) -> Result<(), MathError> {
        let has_sold = scene.is_whole && self.position.sold.is_positive();
        if has_sold && !self.can_sell(scene)? {
            self.exit(Ended::TakeProfit, scene);
        }
        Ok(())
    }

    pub(super) fn base_settled(
        &mut self,
        entry: Entry,
        status: OrderStatus,
        scene: &Scene<'_>,
        log: &mut Vec<Why>,
    ) -> Result<(), MathError> {
        let is_done = match entry.order {
            EntryOrder::Market => self.position.bought.is_positive(),
            EntryOrder::Limit { leaves, .. } => leaves.is_zero(),
        };
        let is_done = is_done || entry.given_up || status == OrderStatus::Filled;
        if !is_done || self.position.bought.is_zero() {
            return Ok(());
        }
        if self.can_sell(scene)? {
            return self.hold(scene, log);
        }
        // Too little to be sold: the rest is bought at market, or the part is dust.
        let rest = scene.config.base_order_volume().minus_floored(self.progress(Slot::BASE).1)?;
        if entry.order != EntryOrder::Market && scene.instrument.notional_min <= rest {
            self.phase = Phase::Entering(Entry { order: EntryOrder::Market, given_up: false });
        } else {
            self.exit(Ended::Dust, scene);
        }
        Ok(())
    }

    fn hold(&mut self, scene: &Scene<'_>, log: &mut Vec<Why>) -> Result<(), MathError> {
        let average = self.position.average()?;
        self.origin = ladder::base_price(scene.config, &self.position)?;
        self.base_spent = self.position.spent()?;
        self.forget_progress(Slot::BASE);
        self.phase = Phase::Holding(Holding::default());
        if let (Some(average), Some(origin)) = (average, self.origin) {
            log.push(Why::BaseFilled { average, origin });
        }
        self.aim(scene, log)
    }

    fn safety_settled(
        &mut self,
        (number, slot): (u16, Slot),
        (executed, status): (Qty, OrderStatus),
        mut holding: Holding,
        scene: &Scene<'_>,
    ) -> Result<(), MathError> {
        if let Some(merge) = holding.merge.filter(|merge| merge.to == number) {
            if executed.is_positive() {
                self.levels.take(merge.from, merge.to);
                self.forget_progress(slot);
            }
            holding.merge = None;
            self.phase = Phase::Holding(holding);
            return Ok(());
        }
        let is_done = status == OrderStatus::Filled
            || match self.level_price(number, scene)? {
                Some(price) => {
                    // All that was bought in the slot counts, by whichever of its orders.
                    let filled = self.progress(slot).0;
                    let full = ladder::qty(scene.config, scene.instrument, number, price)?;
                    let rest = full.minus_floored(filled)?;
                    filled.is_positive() && !scene.instrument.is_tradable(rest, price)
                }
                None => false,
            };
        if is_done {
            self.levels.take(number, number);
            self.forget_progress(slot);
        }
        Ok(())
    }
}
