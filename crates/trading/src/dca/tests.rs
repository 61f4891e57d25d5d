//! Which settings are refused and why, how fees are booked, where targets stand.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tranche_model::{
    asset::{Asset, Symbol},
    balance::FeeRates,
    decimal::MathError,
    fill::{Fee, Fill, Liquidity},
    filter::Filter,
    ids::{InstrumentId, TradeId, VenueOrderId},
    instrument::{Instrument, TradingStatus},
    money::{Amount, Fraction, Price, Qty, Quote},
    order::Side,
    time::{Millis, Timestamp},
};

use super::{
    config::{Config, ConfigError},
    draft::{BaseOrderType, Draft, QtyRounding, Start},
    ladder,
    position::Position,
    targets,
};

#[test]
fn what_is_left_out_has_a_default() {
    let config = config(&json!({"pairs": ["BTC/USDT", "eth/usdt"], "max_safety_orders": 3}));

    assert_eq!(config.base_order_type(), BaseOrderType::Market);
    assert_eq!(config.entry_reprice(), Millis::from_secs(20));
    assert_eq!(config.entry_timeout(), Millis::from_secs(60));
    assert_eq!(config.active_safety_orders_count(), 1);
    assert_eq!(config.max_active_deals(), 2);
    assert_eq!(config.pairs()[1].to_string(), "ETH/USDT");
    assert_eq!((config.stop_loss(), config.trailing_deviation()), (None, None));
    assert_eq!(config.stop_after_deals(), None);
    assert_eq!(config.cooldown(), Millis::ZERO);
    assert_eq!(config.start(), Start::Asap);
    assert_eq!(config.qty_rounding(), QtyRounding::Down);
}

#[test]
fn a_bot_without_safety_orders_needs_no_ladder_settings() {
    let config: Config = serde_json::from_value(json!({
        "name": "one shot", "pairs": ["BTC/USDT"], "base_order_volume": "10",
        "max_safety_orders": 0, "take_profit_pct": "1",
    }))
    .unwrap();

    assert_eq!(config.active_safety_orders_count(), 0);
    assert!(config.levels().is_empty());
}

#[test]
fn an_error_names_the_setting_its_value_the_bound_and_a_way_out() {
    let error = refused(&json!({"safety_order_step_pct": "30"}));

    assert_eq!(
        error.to_string(),
        "safety_order_step_pct is 30: with 5 safety orders the ladder goes 150 % below the base \
         order (must be below 100 %); lower the step, its scale or the number of safety orders"
    );
}

#[test]
fn settings_out_of_range_are_refused() {
    let cases = [
        (json!({"name": " "}), "name", "1 to 200 characters, not only blanks"),
        (json!({"name": "n".repeat(201)}), "name", "1 to 200 characters, not only blanks"),
        (json!({"name": "a\nb"}), "name", "printable"),
        (json!({"pairs": []}), "pairs", "at least one pair"),
        (json!({"pairs": many_pairs(1001)}), "pairs", "at most 1000"),
        (json!({"pairs": ["USDT/USDT"]}), "pairs", "two different assets"),
        (json!({"base_order_volume": "0"}), BASE_VOLUME, VOLUMES),
        (json!({"base_order_volume": "-1"}), BASE_VOLUME, VOLUMES),
        (json!({"base_order_volume": "1000000000000.1"}), BASE_VOLUME, VOLUMES),
        (json!({"base_order_volume": "1.0000000000001"}), BASE_VOLUME, DIGITS_12),
        (json!({"safety_order_volume": "0"}), "safety_order_volume", VOLUMES),
        (json!({"step_scale": "0.09"}), "step_scale", "from 0.1 to 10"),
        (json!({"step_scale": "1.0000001"}), "step_scale", DIGITS_6),
        (json!({"volume_scale": "10.1"}), "volume_scale", "from 0.1 to 10"),
        (json!({"max_safety_orders": 201}), "max_safety_orders", "from 0 to 200"),
        (json!({"safety_order_step_pct": "0"}), STEP, "above 0 and below 100"),
        (json!({"safety_order_step_pct": "-1"}), STEP, "above 0 and below 100"),
        (json!({"safety_order_step_pct": "1.0000001"}), STEP, DIGITS_6),
        (json!({"entry_reprice_seconds": 4}), "entry_reprice_seconds", "from 5 to 86400"),
        (json!({"entry_timeout_seconds": 86_401}), "entry_timeout_seconds", "from 5 to 86400"),
        (json!({"take_profit_pct": "0"}), "take_profit_pct", "above 0 and at most 10000"),
        (json!({"take_profit_pct": "10000.1"}), "take_profit_pct", "above 0 and at most 10000"),
        (json!({"take_profit_pct": "1.0000001"}), "take_profit_pct", DIGITS_6),
        (json!({"trailing_deviation_pct": "0"}), TRAILING, "above 0 and below 100"),
        (json!({"trailing_deviation_pct": "100"}), TRAILING, "above 0 and below 100"),
        (json!({"stop_loss_pct": "0"}), "stop_loss_pct", "above 0 and below 100"),
        (json!({"stop_loss_pct": "100"}), "stop_loss_pct", "above 0 and below 100"),
        (json!({"cooldown_seconds": 2_592_001}), "cooldown_seconds", "from 0 to 2592000"),
        (
            json!({"stop_loss_timeout_seconds": 2_592_001}),
            "stop_loss_timeout_seconds",
            "from 0 to 2592000",
        ),
        (json!({"max_active_deals": 0}), "max_active_deals", "from 1 to 199"),
        (json!({"max_active_deals": 200}), "max_active_deals", "from 1 to 199"),
        (json!({"stop_after_deals": 0}), "stop_after_deals", "from 1 to 4194303"),
        (json!({"stop_after_deals": 4_194_304}), "stop_after_deals", "from 1 to 4194303"),
    ];
    for (settings, field, bound) in cases {
        let error = refused(&settings);
        assert_eq!((error.field, error.bound.as_str()), (field, bound), "{settings}: {error}");
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let cases = [
        (json!({"pairs": ["BTC/USDT", "BTC/USDT"]}), "pairs", "listed once"),
        (json!({"pairs": ["BTC/USDT", "ETH/BTC"]}), "pairs", "all in USDT, like BTC/USDT"),
        (json!({"active_safety_orders_count": 6}), ACTIVE, "at most max_safety_orders, 5"),
        (
            json!({"active_safety_orders_count": 2, "deviation_reference": "average"}),
            ACTIVE,
            "at most 1 with deviation_reference average",
        ),
        (
            json!({"base_order_type": "limit", "entry_timeout_seconds": 10}),
            "entry_reprice_seconds",
            "at most entry_timeout_seconds, 10",
        ),
        (json!({"safety_order_step_pct": "20"}), STEP, "below 100 %"),
        (json!({"max_safety_orders": 200, "step_scale": "10"}), STEP, "below 100 %"),
        (
            json!({"safety_order_step_pct": "99", "deviation_reference": "previous"}),
            STEP,
            "such that each stands at 0.0001 % or more",
        ),
        (
            json!({"step_scale": "10", "deviation_reference": "previous"}),
            "step_scale",
            "such that each step is from 0.0001 % to below 100 %",
        ),
        (
            json!({"max_safety_orders": 6, "step_scale": "0.1"}),
            "step_scale",
            "such that each step is from 0.0001 % to below 100 %",
        ),
        (
            json!({"safety_order_step_pct": "10", "step_scale": "0.1",
                   "deviation_reference": "average"}),
            STEP,
            "such that prices fall from one safety order to the next",
        ),
        (
            json!({"max_safety_orders": 20, "volume_scale": "10"}),
            "volume_scale",
            "such that each volume is from 0.00000001 to 1000000000000",
        ),
        (
            json!({"max_safety_orders": 20, "volume_scale": "0.1"}),
            "volume_scale",
            "such that each volume is from 0.00000001 to 1000000000000",
        ),
        (
            json!({"safety_order_volume": "900000000000"}),
            "volume_scale",
            "such that it needs at most 1000000000000",
        ),
        (json!({"stop_loss_pct": "5"}), "stop_loss_pct", "above 5 %, where that one stands"),
        (
            json!({"stop_loss_pct": "4.9", "deviation_reference": "previous"}),
            "stop_loss_pct",
            "above 4.900995 %, where that one stands",
        ),
        (json!({"stop_loss_timeout_seconds": 1}), "stop_loss_timeout_seconds", NO_STOP_0),
        (json!({"stop_bot_after_stop_loss": true}), "stop_bot_after_stop_loss", NO_STOP_FALSE),
        (json!({"stop_loss_reference": "average"}), "stop_loss_reference", NO_STOP_BASE),
        (json!({"max_active_deals": 2}), "max_active_deals", "at most the number of pairs, 1"),
    ];
    for (settings, field, bound) in cases {
        let error = refused(&settings);
        assert_eq!((error.field, error.bound.as_str()), (field, bound), "{settings}: {error}");
    }
}

#[test]
fn settings_at_their_bounds_are_taken() {
    let cases = [
        json!({"active_safety_orders_count": 0}),
        json!({"active_safety_orders_count": 5}),
        json!({"stop_loss_pct": "5.000001"}),
        json!({"stop_loss_pct": "1", "stop_loss_reference": "average"}),
        json!({"stop_loss_pct": "10", "stop_loss_timeout_seconds": 0}),
        json!({"safety_order_step_pct": "19.999"}),
        json!({"max_safety_orders": 200, "safety_order_step_pct": "0.4"}),
        json!({"pairs": many_pairs(1000), "max_active_deals": 199}),
        json!({"base_order_type": "limit", "entry_timeout_seconds": 20}),
        json!({"entry_timeout_seconds": 5}),
        json!({"stop_after_deals": 1}),
    ];
    for settings in cases {
        config(&settings);
    }
    assert_eq!(config(&json!({"pairs": many_pairs(1000)})).max_active_deals(), 199);
}

#[test]
fn unknown_settings_and_inexact_numbers_are_refused() {
    for settings in [json!({"take_profit": "1"}), json!({"take_profit_pct": 1.5})] {
        assert!(serde_json::from_value::<Config>(draft(&settings)).is_err(), "{settings}");
    }
}

#[test]
fn settings_are_the_same_after_writing_and_reading() {
    let config = config(&json!({
        "stop_loss_pct": "12.5", "trailing_deviation_pct": "0.5", "stop_after_deals": 7,
        "qty_rounding": "up", "start": "manual", "volume_scale": "1.25",
    }));

    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
    let bytes = postcard::to_allocvec(&config).unwrap();
    assert_eq!(postcard::from_bytes::<Config>(&bytes).unwrap(), config);
}

#[test]
fn a_budget_counts_fees_and_roundings() {
    let fees = FeeRates { maker: Fraction::ZERO, taker: Fraction::parse("0.001").unwrap() };
    let grid = Some((Qty::parse("0.01").unwrap(), price("100")));
    let budget = |rounding: &str, grid| {
        let config = config(&json!({"qty_rounding": rounding}));
        ladder::budget_per_deal(&config, &fees, grid).unwrap().to_string()
    };

    assert_eq!(budget("down", grid), "110.11");
    assert_eq!(budget("up", None), "110.11");
    // Six orders may each buy 0.01 at 100 more.
    assert_eq!(budget("up", grid), "116.116");
}

#[test]
fn an_instrument_must_take_every_order() {
    let cases = [
        (json!({"base_order_volume": "4.9"}), None, BASE_VOLUME, "at least 5"),
        (json!({"volume_scale": "0.5"}), None, "safety_order_volume", "at least 5"),
        // 5 buys 0.04 at 123, worth less than 5.
        (json!({"base_order_volume": "5"}), Some("123"), BASE_VOLUME, AFTER_ROUNDING),
        (json!({"safety_order_volume": "5"}), Some("123"), "safety_order_volume", AFTER_ROUNDING),
        // 6 buys 0.06 at 100; a fee in the bought coin leaves 0.05, worth 5.05: enough.
        (json!({"base_order_volume": "6", "take_profit_pct": "1"}), Some("100"), "", ""),
        // 5 buys 0.05, of which 0.04 can be sold.
        (json!({"base_order_volume": "5"}), Some("100"), BASE_VOLUME, AFTER_ROUNDING),
        (json!({"safety_order_step_pct": "0.005"}), Some("100"), STEP, "at least one tick of 0.01"),
        (
            json!({"stop_loss_pct": "5.001"}),
            Some("100"),
            "stop_loss_pct",
            "below the last order, at 95",
        ),
    ];
    for (settings, at, field, bound) in cases {
        let result = config(&settings).check_instrument(&market(), at.map(price));
        let found = result.as_ref().err().map_or(("", ""), |error| (error.field, &error.bound));
        assert_eq!(found, (field, bound), "{settings}: {result:?}");
    }
}

#[test]
fn an_instrument_must_trade() {
    for status in [TradingStatus::Halted, TradingStatus::CancelOnly, TradingStatus::Delisted] {
        let market = Instrument { status, ..market() };
        let error = config(&json!({})).check_instrument(&market, None).unwrap_err();
        assert_eq!((error.field, error.bound.as_str()), ("pairs", "open for trading"));
    }
}

#[test]
fn fees_are_booked_where_they_were_taken() {
    let mut position = Position::default();
    for (side, asset, amount, in_quote) in [
        (Side::Buy, "BTC", "0.001", None),
        (Side::Buy, "USDT", "0.1", None),
        (Side::Buy, "BNB", "0.002", Some("0.5")),
        (Side::Buy, "BNB", "0.002", None),
        (Side::Sell, "USDT", "0.2", None),
        (Side::Sell, "BTC", "0.002", Some("0.2")),
    ] {
        position.book(&fill(side, asset, (amount, in_quote)), &market()).unwrap();
    }

    assert_eq!(position.entry_fees.to_string(), "0.6");
    assert_eq!(position.exit_fees.to_string(), "0.2");
    assert_eq!(position.base_fees.to_string(), "0.003");
    // Four bought, two sold, less the fees in base.
    assert_eq!(position.held().unwrap().to_string(), "1.997");
    assert_eq!(position.sellable(&market()).unwrap().to_string(), "1.99");
    assert_eq!(position.spent().unwrap().to_string(), "400.6");
    assert_eq!(position.profit().unwrap().to_string(), "-200.8");
}

#[test]
fn a_fill_that_cannot_be_counted_changes_nothing() {
    let mut position = Position { cost: Quote::new(Decimal::MAX), ..Position::default() };
    let before = position;

    let result = position.book(&fill(Side::Buy, "USDT", ("0.1", None)), &market());

    assert_eq!((result, position), (Err(MathError::Overflow), before));
}

#[test]
fn an_empty_position_has_no_average_and_no_targets() {
    let config = config(&json!({"stop_loss_pct": "10", "stop_loss_reference": "average"}));
    let empty = Position::default();

    assert_eq!(empty.average(), Ok(None));
    assert_eq!(ladder::base_price(&config, &empty), Ok(None));
    let target = targets::take_profit(&config, &empty, Quote::ZERO, Fraction::ZERO, &market());
    assert_eq!(target, Ok(None));
    assert_eq!(targets::stop(&config, &market(), price("100"), &empty), Ok(None));
}

#[test]
fn a_base_stop_rounds_up_to_the_tick() {
    let config = config(&json!({"stop_loss_pct": "33.3333"}));

    let stop = targets::stop(&config, &market(), price("100"), &Position::default());

    assert_eq!(stop, Ok(Some(price("66.67"))));
}

#[test]
fn a_profit_already_made_sells_at_any_price() {
    let config = config(&json!({}));
    let mut position = Position::default();
    position.book(&fill(Side::Buy, "USDT", ("0", None)), &market()).unwrap();
    position.sold = Qty::parse("0.9").unwrap();
    position.proceeds = Quote::parse("200").unwrap();

    let spent = position.spent().unwrap();
    let target = targets::take_profit(&config, &position, spent, Fraction::ZERO, &market());

    assert_eq!(target, Ok(Some(price("0.01"))));
}

const BASE_VOLUME: &str = "base_order_volume";
const STEP: &str = "safety_order_step_pct";
const ACTIVE: &str = "active_safety_orders_count";
const TRAILING: &str = "trailing_deviation_pct";
const VOLUMES: &str = "from 0.00000001 to 1000000000000";
const DIGITS_6: &str = "written with at most 6 digits after the point";
const DIGITS_12: &str = "written with at most 12 digits after the point";
const AFTER_ROUNDING: &str = "at least 0.01 BTC and 5 USDT after rounding";
const NO_STOP_0: &str = "0 without a stop loss";
const NO_STOP_FALSE: &str = "false without a stop loss";
const NO_STOP_BASE: &str = "base without a stop loss";

/// Five safety orders of 20, one per cent apart, after a base order of 10.
fn draft(settings: &Value) -> Value {
    let mut draft = json!({
        "name": "test", "pairs": ["BTC/USDT"], "base_order_volume": "10",
        "safety_order_volume": "20", "safety_order_step_pct": "1", "max_safety_orders": 5,
        "take_profit_pct": "1",
    });
    for (field, value) in settings.as_object().unwrap() {
        draft[field] = value.clone();
    }
    draft
}

#[track_caller]
fn config(settings: &Value) -> Config {
    let draft: Draft = serde_json::from_value(draft(settings)).unwrap();
    Config::try_from(draft).unwrap_or_else(|error| panic!("{settings}: {error}"))
}

#[track_caller]
fn refused(settings: &Value) -> ConfigError {
    let draft: Draft = serde_json::from_value(draft(settings)).unwrap();
    match Config::try_from(draft) {
        Ok(_) => panic!("accepted: {settings}"),
        Err(error) => error,
    }
}

fn many_pairs(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("C{number}/USDT")).collect()
}

fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

/// Ticks of 0.01, steps of 0.01, orders of 5 and more.
pub(super) fn market() -> Instrument {
    let hundredth = Decimal::new(1, 2);
    let (tick, step) = (Price::new(hundredth), Qty::new(hundredth));
    let filters = vec![
        Filter::Price { min: tick, max: Price::ZERO, tick },
        Filter::LotSize { min: step, max: Qty::ZERO, step },
        Filter::MinNotional { min: Quote::parse("5").unwrap(), market: true },
    ];
    Instrument::new(InstrumentId::new(0), Symbol::parse("BTC/USDT").unwrap(), filters)
}

/// One unit at 100.
fn fill(side: Side, asset: &str, (amount, in_quote): (&str, Option<&str>)) -> Fill {
    Fill {
        trade_id: TradeId::new(1),
        client_id: None,
        venue_order_id: VenueOrderId::new(1),
        instrument: InstrumentId::new(0),
        side,
        price: price("100"),
        qty: Qty::parse("1").unwrap(),
        quote: Quote::parse("100").unwrap(),
        fee: Fee {
            asset: Asset::parse(asset).unwrap(),
            amount: Amount::parse(amount).unwrap(),
            in_quote: in_quote.map(|text| Quote::parse(text).unwrap()),
        },
        liquidity: Liquidity::Taker,
        at: Timestamp::from_ms(0),
    }
}
