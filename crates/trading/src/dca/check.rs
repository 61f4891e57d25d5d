//! The rules that a draft must keep, but for those of the ladder itself.

use std::{collections::BTreeSet, fmt::Display};

use rust_decimal::Decimal;
use tranche_model::{
    asset::Symbol,
    money::{Fraction, Quote},
};

use super::{
    config::{ConfigError, Level},
    digits,
    draft::{BaseOrderType, DeviationReference, Draft, Pct, StopLossReference},
};

const NAME_LEN_MAX: usize = 200;
const PAIRS_MAX: usize = 1000;
const SAFETY_ORDERS_MAX: u16 = 200;
const ACTIVE_DEALS_MAX: u16 = 199;
/// Deal numbers have 22 bits.
const DEALS_MAX: u32 = (1 << 22) - 1;
const ENTRY_SECONDS_MIN: u32 = 5;
const ENTRY_SECONDS_MAX: u32 = 86_400;
/// 30 days.
const WAIT_SECONDS_MAX: u32 = 2_592_000;

/// One satoshi, for bots whose quote is a coin of high value.
pub(super) const VOLUME_MIN: Decimal = Decimal::from_parts(1, 0, 0, false, 8);
/// 10^12.
pub(super) const VOLUME_MAX: Decimal = Decimal::from_parts(3_567_587_328, 232, 0, false, 0);
const VOLUME_DIGITS: u32 = 12;
const PCT_DIGITS: u32 = 6;
const SCALE_DIGITS: u32 = 6;
const SCALE_MIN: Decimal = Decimal::from_parts(1, 0, 0, false, 1);
const SCALE_MAX: Decimal = Decimal::TEN;
const TAKE_PROFIT_PCT_MAX: Decimal = Decimal::from_parts(10_000, 0, 0, false, 0);
/// The least step between two safety orders, and the least price over the base order's.
pub(super) const SHARE_MIN: Decimal = Decimal::from_parts(1, 0, 0, false, 6);

pub(super) type Checked = Result<(), ConfigError>;

/// Checks each setting by itself and against the others.
pub(super) fn settings(draft: &Draft) -> Checked {
    name(&draft.name)?;
    pairs(&draft.pairs)?;
    volumes(draft)?;
    scale("step_scale", draft.step_scale)?;
    scale("volume_scale", draft.volume_scale)?;
    safety_orders(draft)?;
    entry(draft)?;
    take_profit(draft)?;
    limits(draft)
}

pub(super) fn fraction(field: &'static str, pct: Pct) -> Result<Fraction, ConfigError> {
    pct.fraction().map_err(|_| too_large(field))
}

/// One unless the user says otherwise, and none when there are no safety orders.
pub(super) fn active_safety_orders_count(draft: &Draft) -> u16 {
    draft.active_safety_orders_count.unwrap_or_else(|| draft.max_safety_orders.min(1))
}

/// One for each pair unless the user says otherwise.
pub(super) fn max_active_deals(draft: &Draft) -> u16 {
    draft.max_active_deals.unwrap_or_else(|| deals_max(draft))
}

fn deals_max(draft: &Draft) -> u16 {
    u16::try_from(draft.pairs.len()).unwrap_or(u16::MAX).min(ACTIVE_DEALS_MAX)
}

fn name(name: &str) -> Checked {
    let length = name.chars().count();
    if name.trim().is_empty() || NAME_LEN_MAX < length {
        let value = format!("{length} characters long");
        let bound = format!("1 to {NAME_LEN_MAX} characters, not only blanks");
        return refuse("name", value, bound, "give the bot a short name");
    }
    if name.chars().any(char::is_control) {
        return refuse(
            "name",
            "a text with control characters",
            "printable",
            "remove line breaks and tabs",
        );
    }
    Ok(())
}

fn pairs(pairs: &[Symbol]) -> Checked {
    let Some(first) = pairs.first() else {
        return refuse("pairs", "empty", "at least one pair", "choose a pair to trade");
    };
    if PAIRS_MAX < pairs.len() {
        let value = format!("{} pairs long", pairs.len());
        return refuse("pairs", value, format!("at most {PAIRS_MAX}"), "split the bot");
    }
    let mut seen = BTreeSet::new();
    for pair in pairs {
        if pair.quote != first.quote {
            let bound = format!("all in {}, like {first}", first.quote);
            return refuse("pairs", pair, bound, "make one bot for each quote currency");
        }
        if pair.base == pair.quote {
            return refuse("pairs", pair, "two different assets", "remove the pair");
        }
        if !seen.insert(*pair) {
            return refuse("pairs", format!("{pair} twice"), "listed once", "remove one of them");
        }
    }
    Ok(())
}

fn volumes(draft: &Draft) -> Checked {
    volume("base_order_volume", draft.base_order_volume)?;
    if draft.max_safety_orders == 0 && draft.safety_order_volume.is_zero() {
        return Ok(());
    }
    volume("safety_order_volume", draft.safety_order_volume)
}

fn volume(field: &'static str, volume: Quote) -> Checked {
    let advice = "state the amount in the quote currency";
    within(field, volume.get(), (VOLUME_MIN, VOLUME_MAX), advice)?;
    digits_at_most(field, volume.get(), VOLUME_DIGITS)
}

fn scale(field: &'static str, scale: Fraction) -> Checked {
    let advice = "1 keeps all safety orders alike, more makes later ones larger";
    within(field, scale.get(), (SCALE_MIN, SCALE_MAX), advice)?;
    digits_at_most(field, scale.get(), SCALE_DIGITS)
}

fn safety_orders(draft: &Draft) -> Checked {
    let max = draft.max_safety_orders;
    within("max_safety_orders", max, (0, SAFETY_ORDERS_MAX), "lower the number")?;

    let field = "active_safety_orders_count";
    let active = active_safety_orders_count(draft);
    if max < active {
        let bound = format!("at most max_safety_orders, {max}");
        return refuse(field, active, bound, "lower it or raise max_safety_orders");
    }
    if draft.deviation_reference == DeviationReference::Average && 1 < active {
        return refuse(
            field,
            format!("{active}: the average is known only after each fill"),
            "at most 1 with deviation_reference average",
            "lower it or measure from the base order",
        );
    }
    let step = draft.safety_order_step_pct;
    if max == 0 && step.get().is_zero() {
        return Ok(());
    }
    percent("safety_order_step_pct", step, Decimal::ONE_HUNDRED)
}

fn entry(draft: &Draft) -> Checked {
    let (reprice, timeout) = (draft.entry_reprice_seconds, draft.entry_timeout_seconds);
    let range = (ENTRY_SECONDS_MIN, ENTRY_SECONDS_MAX);
    within("entry_reprice_seconds", reprice, range, "20 seconds suit most markets")?;
    within("entry_timeout_seconds", timeout, range, "60 seconds suit most markets")?;
    if draft.base_order_type == BaseOrderType::Limit && timeout < reprice {
        let bound = format!("at most entry_timeout_seconds, {timeout}");
        return refuse("entry_reprice_seconds", reprice, bound, "lower it or wait longer");
    }
    Ok(())
}

fn take_profit(draft: &Draft) -> Checked {
    let field = "take_profit_pct";
    let pct = draft.take_profit_pct.get();
    if pct <= Decimal::ZERO || TAKE_PROFIT_PCT_MAX < pct {
        let bound = format!("above 0 and at most {TAKE_PROFIT_PCT_MAX}");
        return refuse(field, pct.normalize(), bound, "1 to 5 per cent are common");
    }
    digits_at_most(field, pct, PCT_DIGITS)?;
    match draft.trailing_deviation_pct {
        Some(pct) => percent("trailing_deviation_pct", pct, Decimal::ONE_HUNDRED),
        None => Ok(()),
    }
}

fn limits(draft: &Draft) -> Checked {
    let range = (0, WAIT_SECONDS_MAX);
    let advice = "30 days are the longest wait";
    within("cooldown_seconds", draft.cooldown_seconds, range, advice)?;
    within("stop_loss_timeout_seconds", draft.stop_loss_timeout_seconds, range, advice)?;

    let field = "max_active_deals";
    let deals = max_active_deals(draft);
    within(field, deals, (1, ACTIVE_DEALS_MAX), "a bot without deals is better stopped")?;
    if deals_max(draft) < deals {
        let bound = format!("at most the number of pairs, {}", deals_max(draft));
        return refuse(field, deals, bound, "lower it or add pairs: each has one deal at a time");
    }
    match draft.stop_after_deals {
        Some(count) => {
            let advice = "leave it out to go on without end";
            within("stop_after_deals", count, (1, DEALS_MAX), advice)
        }
        None => Ok(()),
    }
}

/// Checks the stop loss, also against the ladder.
pub(super) fn stop_loss(draft: &Draft, levels: &[Level]) -> Result<Option<Fraction>, ConfigError> {
    let field = "stop_loss_pct";
    let Some(pct) = draft.stop_loss_pct else {
        no_stop_loss(draft)?;
        return Ok(None);
    };
    percent(field, pct, Decimal::ONE_HUNDRED)?;
    let stop = fraction(field, pct)?;
    match (draft.stop_loss_reference, levels.last()) {
        (StopLossReference::Base, Some(last)) => {
            let depth = last.factor.rest().map_err(|_| too_large(field))?;
            if stop.get() <= depth {
                return refuse(
                    field,
                    format!("{pct}: it would sell before the last safety order buys"),
                    format!("above {} %, where that one stands", shown_pct(depth)),
                    "raise it, shorten the ladder or measure the stop from the average",
                )
                .map(|()| None);
            }
        }
        (StopLossReference::Base, None) | (StopLossReference::Average, _) => {}
    }
    Ok(Some(stop))
}

/// Settings of a stop loss that is not there would be ignored without a word.
fn no_stop_loss(draft: &Draft) -> Checked {
    let advice = "set stop_loss_pct or leave this out";
    let timeout = draft.stop_loss_timeout_seconds;
    if timeout != 0 {
        return refuse("stop_loss_timeout_seconds", timeout, "0 without a stop loss", advice);
    }
    if draft.stop_bot_after_stop_loss {
        return refuse("stop_bot_after_stop_loss", true, "false without a stop loss", advice);
    }
    if draft.stop_loss_reference == StopLossReference::Average {
        return refuse("stop_loss_reference", "average", "base without a stop loss", advice);
    }
    Ok(())
}

/// Above zero and below `end` per cent.
fn percent(field: &'static str, pct: Pct, end: Decimal) -> Checked {
    if pct.get() <= Decimal::ZERO || end <= pct.get() {
        let bound = format!("above 0 and below {end}");
        return refuse(field, pct, bound, "state it in per cent: 1.5 is 1.5 %");
    }
    digits_at_most(field, pct.get(), PCT_DIGITS)
}

fn within<T: PartialOrd + Display>(
    field: &'static str,
    value: T,
    (min, max): (T, T),
    advice: &'static str,
) -> Checked {
    if value < min || max < value {
        return refuse(field, value, format!("from {min} to {max}"), advice);
    }
    Ok(())
}

fn digits_at_most(field: &'static str, value: Decimal, digits: u32) -> Checked {
    let value = value.normalize();
    if digits < value.scale() {
        let bound = format!("written with at most {digits} digits after the point");
        return refuse(field, value, bound, "round it");
    }
    Ok(())
}

/// An error that names the setting, its value, the bound and a way out.
pub(super) fn refuse(
    field: &'static str,
    value: impl Display,
    bound: impl Into<String>,
    advice: &'static str,
) -> Checked {
    Err(ConfigError { field, value: value.to_string(), bound: bound.into(), advice })
}

/// A number on the way to the user: six digits after the point say enough.
pub(super) fn shown(value: Decimal) -> String {
    value.round_dp(6).normalize().to_string()
}

pub(super) fn shown_pct(share: Decimal) -> String {
    digits::mul(share, Decimal::ONE_HUNDRED).map_or_else(|_| "?".to_owned(), shown)
}

pub(super) fn too_large(field: &'static str) -> ConfigError {
    ConfigError {
        field,
        value: "such that the ladder cannot be computed".to_owned(),
        bound: "closer to the usual range".to_owned(),
        advice: "lower the scales or the number of safety orders",
    }
}
