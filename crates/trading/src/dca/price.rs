//! What a price does to a deal: the base order follows the market, the stop fires, the take profit
//! trails, watched safety orders are passed.

use tranche_model::{
    decimal::{MathError, Rounding},
    ids::Slot,
    money::{Price, Quote},
};

use super::{
    deal::{Deal, Entry, EntryOrder, Holding, Merge, Peak, Phase, Scene},
    draft::DeviationReference,
    ladder, targets,
};
use crate::why::{Ended, Why};

impl Deal {
    pub(super) fn priced(
        &mut self,
        price: Price,
        peak: Option<Price>,
        scene: &Scene<'_>,
        log: &mut Vec<Why>,
    ) -> Result<(), MathError> {
        self.seen = price;
        match self.phase {
            Phase::Entering(entry) => self.steer_entry(entry, scene, log),
            Phase::Holding(holding) => {
                let mut holding = holding;
                if let Some(known) = &mut holding.peak {
                    known.price = known.price.max(price).max(peak.unwrap_or(price));
                    known.known_at = scene.now;
                }
                if self.stop_fires(&mut holding, scene, log)? {
                    self.exit(Ended::StopLoss, scene);
                    return Ok(());
                }
                if self.trailing_fires(&mut holding, scene, log)? {
                    self.exit(Ended::TrailingTakeProfit, scene);
                    return Ok(());
                }
                self.trigger_levels(&mut holding, scene, log)?;
                self.phase = Phase::Holding(holding);
                Ok(())
            }
            Phase::Exiting { .. } => {
                self.sound_alarm(scene, log);
                Ok(())
            }
            Phase::Abandoned => Ok(()),
        }
    }

    fn steer_entry(
        &mut self,
        mut entry: Entry,
        scene: &Scene<'_>,
        log: &mut Vec<Why>,
    ) -> Result<(), MathError> {
        let EntryOrder::Limit { price: from, priced_at, .. } = entry.order else { return Ok(()) };
        if entry.given_up {
            return Ok(());
        }
        if self.opened_at.plus(scene.config.entry_timeout()) <= scene.now {
            log.push(Why::EntryGivenUp { filled: self.position.bought });
            entry.given_up = true;
            self.phase = Phase::Entering(entry);
            return Ok(());
        }
        if priced_at.plus(scene.config.entry_reprice()) <= scene.now {
            entry.order = self.limit_entry(self.seen, scene)?;
            if let EntryOrder::Limit { price: to, .. } = entry.order
                && to != from
            {
                log.push(Why::EntryRepriced { from, to });
            }
            self.phase = Phase::Entering(entry);
        }
        Ok(())
    }

    /// A limit base order for what is left of its volume, not above `price`.
    pub(super) fn limit_entry(
        &self,
        price: Price,
        scene: &Scene<'_>,
    ) -> Result<EntryOrder, MathError> {
        let price = scene.instrument.round_price(price, Rounding::Down)?;
        let rest = scene.config.base_order_volume().minus_floored(self.progress(Slot::BASE).1)?;
        let leaves = ladder::qty_for(scene.config, scene.instrument, rest, price)?;
        Ok(EntryOrder::Limit { price, leaves, priced_at: scene.now })
    }

    fn stop_fires(
        &self,
        holding: &mut Holding,
        scene: &Scene<'_>,
        log: &mut Vec<Why>,
    ) -> Result<bool, MathError> {
        let Some(stop) = self.stop(scene)? else { return Ok(false) };
        let price = self.seen;
        if stop < price {
            if holding.below_stop_since.take().is_some() {
                log.push(Why::StopLeft { price, stop });
            }
            return Ok(false);
        }
        let since = *holding.below_stop_since.get_or_insert(scene.now);
        let until = since.plus(scene.config.stop_loss_timeout());
        if until <= scene.now {
            log.push(Why::StopFired { price, stop });
            return Ok(true);
        }
        if since == scene.now {
            log.push(Why::StopTouched { price, stop, until });
        }
        Ok(false)
    }

    fn trailing_fires(
        &self,
        holding: &mut Holding,
        scene: &Scene<'_>,
        log: &mut Vec<Why>,
    ) -> Result<bool, MathError> {
        let (Some(deviation), Some(target)) = (scene.config.trailing_deviation(), self.take_profit)
        else {
            holding.peak = None;
            return Ok(false);
        };
        let Some(peak) = holding.peak else {
            if target <= self.seen {
                log.push(Why::TrailingArmed { price: self.seen });
                let (armed_at, known_at) = (scene.now, scene.now);
                holding.peak = Some(Peak { price: self.seen, armed_at, known_at });
            }
            return Ok(false);
        };
        if targets::retrace_level(peak.price, deviation)? < self.seen {
            return Ok(false);
        }
        log.push(Why::TrailingFired { peak: peak.price, price: self.seen });
        Ok(true)
    }

    /// Safety orders that only are watched become one market order when the price passes them.
    fn trigger_levels(
        &self,
        holding: &mut Holding,
        scene: &Scene<'_>,
        log: &mut Vec<Why>,
    ) -> Result<(), MathError> {
        if scene.config.active_safety_orders_count() != 0 || holding.merge.is_some() {
            return Ok(());
        }
        let mut quote = Quote::ZERO;
        let stop = self.stop(scene)?;
        let mut passed: Option<(u16, u16, Price)> = None;
        for number in self.levels.open(scene.config.max_safety_orders()) {
            let Some(level) = self.level_price(number, scene)? else { break };
            // Measured from the average, the next level is known only after this one is filled.
            let is_next = passed.is_none()
                || scene.config.deviation_reference() != DeviationReference::Average;
            // The stop sells before the price gets there.
            let is_past_stop = stop.is_some_and(|stop| level <= stop);
            if level < self.seen || !is_next || is_past_stop {
                break;
            }
            quote = quote.plus(ladder::volume(scene.config, number)?)?;
            passed = Some((passed.map_or(number, |(from, _, _)| from), number, level));
        }
        let Some((from, to, level)) = passed else { return Ok(()) };
        log.push(Why::SafetyTriggered { from, to, price: self.seen, level });
        holding.merge = Some(Merge { from, to, quote, passed_at: scene.now });
        Ok(())
    }

    /// Coins that should be sold and are not, after five seconds.
    pub(super) fn sound_alarm(&mut self, scene: &Scene<'_>, log: &mut Vec<Why>) {
        if let Phase::Exiting { since, alarmed, .. } = &mut self.phase
            && !*alarmed
            && since.plus(super::waits::EXIT_ALARM_AFTER) <= scene.now
        {
            *alarmed = true;
            log.push(Why::ExitLate { waited: scene.now.since(*since) });
        }
    }
}
