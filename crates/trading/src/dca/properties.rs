//! What must hold for any settings that are accepted.

use proptest::prelude::*;
use rust_decimal::Decimal;
use tranche_model::{
    asset::Symbol,
    balance::FeeRates,
    decimal::Rounding,
    money::{Fraction, Price, Qty, Quote},
};

use super::{
    config::Config,
    draft::{
        BaseOrderType, DeviationReference, Draft, LadderOrigin, Pct, QtyRounding, Start,
        StopLossReference, TakeProfitType,
    },
    ladder::{self, Origin},
    position::Position,
    targets,
    tests::market,
};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_accepted_ladder_falls_and_stays_above_zero(
        draft in drafts(), base in 1_i64..1_000_000_000_000,
    ) {
        let Ok(config) = Config::try_from(draft) else { return Ok(()) };
        let base = Price::new(Decimal::new(base, 6));
        let mut cost = config.base_order_volume();
        let mut qty = cost.buys(base, Qty::ZERO, Rounding::HalfUp).unwrap();
        let (mut before, mut factor) = (base, Decimal::ONE);
        let mut funds = cost.get();
        for (number, level) in (1..).zip(config.levels()) {
            let origin = Origin { base, average: Some((cost, qty)) };
            let at = ladder::price_unrounded(&config, number, origin).unwrap();
            prop_assert!(at.is_positive() && at < before, "{number}: {at} after {before}");
            prop_assert!(level.factor.get() < factor && level.factor.is_positive());
            prop_assert!(level.volume.is_positive());

            let rounded = ladder::price(&config, &market(), number, origin).unwrap();
            prop_assert!(rounded <= at && rounded.is_multiple_of(market().tick));
            (before, factor) = (at, level.factor.get());
            funds += level.volume.get();
            cost = Quote::new(cost.get() + level.volume.get());
            let bought = level.volume.buys(at, Qty::ZERO, Rounding::HalfUp).unwrap();
            qty = Qty::new(qty.get() + bought.get());
        }
        let fees = FeeRates { maker: Fraction::ZERO, taker: Fraction::parse("0.001").unwrap() };
        let budget = ladder::budget_per_deal(&config, &fees, Some((market().step, base))).unwrap();
        prop_assert!(funds <= budget.get());
    }

    #[test]
    fn any_accepted_settings_can_be_checked_priced_and_read_again(
        draft in drafts(), base in 1_i64..1_000_000_000,
    ) {
        let Ok(config) = Config::try_from(draft) else { return Ok(()) };
        let base = Price::new(Decimal::new(base, 4));
        let fit = config.check_instrument(&market(), Some(base)).is_ok();
        let bytes = postcard::to_allocvec(&config).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<Config>(&bytes).unwrap(), &config);
        if !fit { return Ok(()) }

        let qty = ladder::base_qty(&config, &market(), base).unwrap();
        let bought = Position { bought: qty, cost: base.times(qty).unwrap(), ..Position::default() };
        let fee = Fraction::parse("0.001").unwrap();
        let even = targets::breakeven(&bought, fee, &market()).unwrap().unwrap();
        let target = targets::take_profit(&config, &bought, bought.cost, fee, &market());
        prop_assert!(base < even && even <= target.unwrap().unwrap());
        if let Some(stop) = targets::stop(&config, &market(), base, &bought).unwrap() {
            prop_assert!(stop.is_positive() && stop <= base);
        }
    }
}

prop_compose! {
    fn drafts()(
        volumes in (-1_i64..1_000_000_000, -1_i64..1_000_000_000),
        scales in prop_oneof![
            (90_000_i64..2_000_000, 90_000_i64..2_000_000),
            // Long ladders need scales near one.
            (990_000_i64..1_010_000, 950_000_i64..1_050_000),
        ],
        step in -10_i64..30_000_000,
        (orders, active) in (0_u16..205, proptest::option::of(0_u16..4)),
        (take, stop) in (-1_i64..5_000_000, proptest::option::of(0_i64..101_000_000)),
        reference in prop_oneof![
            Just(DeviationReference::Base), Just(DeviationReference::Previous),
            Just(DeviationReference::Average),
        ],
        (up, by_average, of_base) in any::<(bool, bool, bool)>(),
        few in prop_oneof![Just(12_u16), Just(205)],
    ) -> Draft {
        let few = orders % few;
        Draft {
            name: "any".to_owned(),
            pairs: vec![Symbol::parse("BTC/USDT").unwrap()],
            base_order_volume: Quote::new(Decimal::new(volumes.0, 4)),
            base_order_type: BaseOrderType::Market,
            entry_reprice_seconds: 20,
            entry_timeout_seconds: 60,
            safety_order_volume: Quote::new(Decimal::new(volumes.1, 4)),
            safety_order_step_pct: Pct::new(Decimal::new(step / i64::from(few.max(1)), 6)),
            step_scale: Fraction::new(Decimal::new(scales.0, 6)),
            volume_scale: Fraction::new(Decimal::new(scales.1, 6)),
            max_safety_orders: few,
            active_safety_orders_count: active.map(|active| active.min(few)),
            deviation_reference: reference,
            ladder_origin: LadderOrigin::Fill,
            take_profit_pct: Pct::new(Decimal::new(take, 6)),
            take_profit_type: if of_base { TakeProfitType::Base } else { TakeProfitType::Total },
            trailing_deviation_pct: None,
            stop_loss_pct: stop.map(|stop| Pct::new(Decimal::new(stop, 6))),
            stop_loss_reference: if by_average && stop.is_some() {
                StopLossReference::Average
            } else {
                StopLossReference::Base
            },
            stop_loss_timeout_seconds: 0,
            stop_bot_after_stop_loss: false,
            cooldown_seconds: 0,
            max_active_deals: None,
            stop_after_deals: None,
            start: Start::Asap,
            qty_rounding: if up { QtyRounding::Up } else { QtyRounding::Down },
        }
    }
}
