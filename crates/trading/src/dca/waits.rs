//! What a deal waits for: the price band in which nothing can change for it, and the next time.

use tranche_model::{decimal::MathError, money::Price, time::Millis};

use super::deal::{Deal, EntryOrder, Holding, Phase, Scene};
use crate::watch::{Bound, Trail, Urgency, Watch};

/// How long coins may stay without the exit that they should have.
pub(super) const EXIT_ALARM_AFTER: Millis = Millis::from_secs(5);

impl Deal {
    /// The answer to "when should you be woken?"; it replaces the former one.
    pub fn watch(&self, scene: &Scene<'_>) -> Result<Watch, MathError> {
        match self.phase {
            Phase::Entering(entry) => match entry.order {
                EntryOrder::Limit { priced_at, .. } if !entry.given_up => {
                    let reprice = priced_at.plus(scene.config.entry_reprice());
                    let timeout = self.opened_at.plus(scene.config.entry_timeout());
                    Ok(at_fresh_price(reprice.min(timeout), scene))
                }
                EntryOrder::Limit { .. } | EntryOrder::Market => Ok(Watch::default()),
            },
            Phase::Holding(holding) => self.watch_holding(holding, scene),
            Phase::Exiting { since, alarmed, .. } => Ok(Watch {
                at: (!alarmed).then(|| since.plus(EXIT_ALARM_AFTER)),
                ..Watch::default()
            }),
            Phase::Abandoned => Ok(Watch::default()),
        }
    }

    fn watch_holding(&self, holding: Holding, scene: &Scene<'_>) -> Result<Watch, MathError> {
        let config = scene.config;
        let mut watch = Watch::default();
        if let Some(stop) = self.stop(scene)? {
            match holding.below_stop_since {
                None => watch.below = Some(Bound { price: stop, urgency: Urgency::Protect }),
                Some(since) => {
                    watch = at_fresh_price(since.plus(config.stop_loss_timeout()), scene);
                    let price = stop.plus(scene.instrument.tick)?;
                    watch.above = Some(Bound { price, urgency: Urgency::Protect });
                }
            }
        }
        if config.active_safety_orders_count() == 0
            && holding.merge.is_none()
            && let Some(price) = self.next_level(scene)?
            && watch.below.is_none_or(|bound| bound.price < price)
        {
            // A fall may go through both: what lies below presses as much.
            let urgency = watch.below.map_or(Urgency::Entry, |stop| stop.urgency);
            watch.below = Some(Bound { price, urgency });
        }
        if let (Some(deviation), Some(target)) = (config.trailing_deviation(), self.take_profit) {
            match holding.peak {
                Some(peak) => watch.trail = Some(Trail { peak: peak.price, deviation }),
                None if watch.above.is_none_or(|bound| target < bound.price) => {
                    watch.above = Some(Bound { price: target, urgency: Urgency::Exit });
                }
                None => {}
            }
        }
        Ok(watch)
    }

    fn next_level(&self, scene: &Scene<'_>) -> Result<Option<Price>, MathError> {
        match self.levels.open(scene.config.max_safety_orders()).next() {
            Some(number) => self.level_price(number, scene),
            None => Ok(None),
        }
    }
}

/// Wakes at `at`; once it has come, at the next fresh price.
fn at_fresh_price(at: tranche_model::time::Timestamp, scene: &Scene<'_>) -> Watch {
    if at <= scene.now {
        Watch { any_price: true, ..Watch::default() }
    } else {
        Watch { at: Some(at), ..Watch::default() }
    }
}
