//! Test vectors: D1 is a published deal of another platform, the others were computed with 60
//! digits. A value is compared after rounding to the digits that the vector shows.

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};
use tranche_model::{
    asset::{Asset, Symbol},
    decimal::{self, Rounding},
    fill::{Fee, Fill, Liquidity},
    filter::Filter,
    ids::{InstrumentId, TradeId, VenueOrderId},
    instrument::Instrument,
    money::{Amount, Fraction, Price, Qty, Quote},
    order::Side,
    time::Timestamp,
};

use super::{
    config::Config,
    ladder::{self, Origin},
    position::Position,
    targets,
};

#[test]
fn d1_published_deal_with_fee_inclusive_ladder_and_quantities_rounded_up() {
    let config = config(&json!({
        "base_order_volume": "100", "safety_order_volume": "15", "safety_order_step_pct": "1",
        "step_scale": "4", "volume_scale": "1.7", "max_safety_orders": 3,
        "qty_rounding": "up", "ladder_origin": "fee_inclusive", "take_profit_pct": "2",
        "stop_loss_pct": "4", "stop_loss_reference": "average",
    }));
    let market = instrument("0.01", "0.0001");
    let mut position = Position::default();

    let base = ladder::base_qty(&config, &market, price("3095.40")).unwrap();
    buy(&mut position, &market, ("3095.40", base), quote_fee("0.001"));

    shows("0.0324", base.get());
    shows("100.39125096", position.spent().unwrap().get());
    let origin = ladder::base_price(&config, &position).unwrap().unwrap();
    shows("3098.4954", origin.get());
    let rows = [
        ("1.00", "3067.51", "15", "0.0049", "15.030799"),
        ("5.00", "2943.57", "25.5", "0.0087", "25.609059"),
        ("21.00", "2447.81", "43.35", "0.0178", "43.571018"),
    ];
    for (number, (deviation, at, volume, qty, quote)) in (1..).zip(rows) {
        let origin = Origin { base: origin, average: None };
        let exact = ladder::price_unrounded(&config, number, origin).unwrap();
        let half_up = market.round_price(exact, Rounding::HalfUp).unwrap();
        let down = ladder::price(&config, &market, number, origin).unwrap();
        let bought = ladder::qty(&config, &market, number, down).unwrap();

        is(deviation, ladder::deviation(&config, number).unwrap().pct().unwrap());
        is(at, half_up.get());
        is(at, down.get());
        is(volume, ladder::volume(&config, number).unwrap().get());
        is(qty, bought.get());
        is(quote, down.times(bought).unwrap().get());
    }
    assert_eq!(take_profit(&config, &position, &market), Some(price("3163.63")));
    let stop = targets::stop(&config, &instrument("0", "0.0001"), origin, &position);
    assert_eq!(stop, Ok(Some(price("2974.555584"))));
    let stop = targets::stop(&config, &market, origin, &position);
    assert_eq!(stop, Ok(Some(price("2974.56"))));
}

#[test]
fn d2_ladder_without_rounding() {
    let draft = |reference: &str| {
        config(&json!({
            "pairs": ["BTC/USDT", "ETH/USDT", "SOL/USDT"],
            "base_order_volume": "10", "safety_order_volume": "20",
            "safety_order_step_pct": "1.5", "step_scale": "1.4", "volume_scale": "1.5",
            "max_safety_orders": 5, "deviation_reference": reference,
        }))
    };
    let (from_base, from_previous) = (draft("base"), draft("previous"));
    let origin = Origin { base: price("100"), average: None };
    let rows = [
        ("1.500000", "1.500000", "98.50000000", "98.50000000", "20.0000", "30.0000"),
        ("2.100000", "3.600000", "96.40000000", "96.43150000", "30.0000", "60.0000"),
        ("2.940000", "6.540000", "93.46000000", "93.59641390", "45.0000", "105.0000"),
        ("4.116000", "10.656000", "89.34400000", "89.74398550", "67.5000", "172.5000"),
        ("5.762400", "16.418400", "83.58160000", "84.57257808", "101.2500", "273.7500"),
    ];
    let mut funds = Decimal::TEN;
    for (number, (step, deviation, base, previous, volume, funds_so_far)) in (1..).zip(rows) {
        let level = from_base.level(number).unwrap();
        funds += level.volume.get();

        is(step, level.step.pct().unwrap());
        is(deviation, ladder::deviation(&from_base, number).unwrap().pct().unwrap());
        is(base, ladder::price_unrounded(&from_base, number, origin).unwrap().get());
        shows(previous, ladder::price_unrounded(&from_previous, number, origin).unwrap().get());
        is(volume, ladder::volume(&from_base, number).unwrap().get());
        is(funds_so_far, funds);
    }
    let one_deal = ladder::funds_per_deal(&from_base).unwrap();
    is("273.7500", one_deal.get());
    is("821.2500", one_deal.get() * Decimal::from(from_base.max_active_deals()));
    assert!(ladder::price(&from_base, &instrument("0.01", "0.1"), 6, origin).is_err());
}

/// What a row of D3 states after its order filled.
struct D3 {
    at: &'static str,
    qty: &'static str,
    held: &'static str,
    cost: &'static str,
    fees: &'static str,
    average: &'static str,
    average_with_fees: &'static str,
    breakeven: &'static str,
    /// Price and profit there, of everything and of the base order.
    total: (&'static str, &'static str),
    base: (&'static str, &'static str),
    required_change_pct: &'static str,
}

#[rustfmt::skip]
const D3_ROWS: [D3; 4] = [
    D3 {
        at: "60000", qty: "0.00166", held: "0.00166", cost: "99.6000000", fees: "0.0996000000",
        average: "60000.00000000", average_with_fees: "60060.00000000", breakeven: "60120.13",
        total: ("61322.53", "1.99400440"), base: ("61322.53", "1.99400440"),
        required_change_pct: "2.204217",
    },
    D3 {
        at: "59400.00", qty: "0.00168", held: "0.00334", cost: "199.3920000", fees: "0.1993920000",
        average: "59698.20359281", average_with_fees: "59757.90179641", breakeven: "59817.72",
        total: ("61014.08", "3.99184817"), base: ("60415.33", "1.99402300"),
        required_change_pct: "2.717306",
    },
    D3 {
        at: "58680.00", qty: "0.00255", held: "0.00589", cost: "349.0260000", fees: "0.3490260000",
        average: "59257.38539898", average_with_fees: "59316.64278438", breakeven: "59376.02",
        total: ("60563.54", "6.98750535"), base: ("59714.90", "1.99401424"),
        required_change_pct: "3.209850",
    },
    D3 {
        at: "57816.00", qty: "0.00389", held: "0.00978", cost: "573.9302400", fees: "0.5739302400",
        average: "58684.07361963", average_with_fees: "58742.75769325", breakeven: "58801.56",
        total: ("59977.60", "11.49017683"), base: ("59005.65", "1.99401150"),
        required_change_pct: "3.738757",
    },
];

#[test]
fn d3_average_breakeven_and_take_profit_with_fees_in_quote() {
    let draft = |of: &str| {
        config(&json!({
            "base_order_volume": "100", "safety_order_volume": "100",
            "safety_order_step_pct": "1", "step_scale": "1.2", "volume_scale": "1.5",
            "max_safety_orders": 3, "take_profit_pct": "2", "take_profit_type": of,
        }))
    };
    let (of_total, of_base) = (draft("total"), draft("base"));
    let market = instrument("0.01", "0.00001");
    let origin = Origin { base: price("60000"), average: None };
    let mut position = Position::default();
    let mut base_spent = Quote::ZERO;
    for (number, row) in (0_u16..).zip(D3_ROWS) {
        let (at, qty) = if number == 0 {
            (origin.base, ladder::base_qty(&of_total, &market, origin.base).unwrap())
        } else {
            let at = ladder::price(&of_total, &market, number, origin).unwrap();
            (at, ladder::qty(&of_total, &market, number, at).unwrap())
        };
        buy(&mut position, &market, (row.at, qty), quote_fee("0.001"));
        if number == 0 {
            base_spent = position.spent().unwrap();
        }

        is(row.at, at.get());
        is(row.qty, qty.get());
        is(row.held, position.held().unwrap().get());
        is(row.cost, position.cost.get());
        is(row.fees, position.entry_fees.get());
        shows(row.average, position.average().unwrap().unwrap().get());
        shows(row.average_with_fees, position.average_with_fees().unwrap().unwrap().get());
        let breakeven = targets::breakeven(&position, fee(), &market).unwrap().unwrap();
        is(row.breakeven, breakeven.get());
        for (config, (target, profit)) in [(&of_total, row.total), (&of_base, row.base)] {
            let found = targets::take_profit(config, &position, base_spent, fee(), &market);
            is(target, found.unwrap().unwrap().get());
            shows(profit, profit_at(position, &market, target).get());
        }
        let change = decimal::parse(row.total.0).unwrap() / at.get() - Decimal::ONE;
        shows(row.required_change_pct, change * Decimal::ONE_HUNDRED);
    }
}

#[test]
fn d4_fee_taken_from_the_bought_coin_leaves_dust_that_the_target_makes_up_for() {
    let config = config(&json!({"base_order_volume": "50", "take_profit_pct": "1.5"}));
    let market = instrument("0.0001", "0.1");
    let mut position = Position::default();

    let qty = ladder::base_qty(&config, &market, price("2.5000")).unwrap();
    let base_fee = Fee { asset: market.symbol.base, ..quote_fee("0.001") };
    buy(&mut position, &market, ("2.5000", qty), base_fee);

    let (held, sellable) = (position.held().unwrap(), position.sellable(&market).unwrap());
    is("20", position.bought.get());
    is("19.98", held.get());
    is("19.9", sellable.get());
    is("0.08", held.minus(sellable).unwrap().get());
    assert_eq!(take_profit(&config, &position, &market), Some(price("2.5529")));
    shows("0.75190729", profit_at(position, &market, "2.5529").get());

    let grown = fee().grown().unwrap() * config.take_profit().grown().unwrap();
    let naive = position.average().unwrap().unwrap().scaled(grown).unwrap();
    is("2.5401", market.round_price(naive, Rounding::Up).unwrap().get());
    shows("0.49744201", profit_at(position, &market, "2.5401").get());

    let rest = fee().rest().unwrap();
    let tenth = decimal::parse("0.1").unwrap();
    let prefunded = decimal::div_to_step(qty.get(), rest, tenth, Rounding::Up).unwrap();
    is("20.1", prefunded);
    is("20.0799", prefunded * rest);
}

#[test]
fn d5_trailing_sells_at_or_below_the_retrace_from_its_peak() {
    let activation = price("102");
    let deviation = Fraction::from_pct(decimal::parse("0.5").unwrap()).unwrap();
    let ticks = ["101.50", "102.00", "102.40", "103.10", "102.90", "102.60", "102.58", "103.00"];
    let mut peak = None;
    let mut fired = None;
    for (number, tick) in (1..).zip(ticks.map(price)) {
        if peak.is_none() && tick < activation {
            assert_eq!(number, 1);
            continue;
        }
        let highest = peak.unwrap_or(tick).max(tick);
        peak = Some(highest);
        if tick <= targets::retrace_level(highest, deviation).unwrap() {
            fired = Some(number);
            break;
        }
    }

    assert_eq!((peak, fired), (Some(price("103.10")), Some(7)));
    is("102.584500", targets::retrace_level(price("103.10"), deviation).unwrap().get());
}

#[test]
fn d12_ladder_from_the_running_average() {
    let config = config(&json!({
        "base_order_volume": "100", "safety_order_volume": "150", "safety_order_step_pct": "1",
        "volume_scale": "1.5", "max_safety_orders": 4, "deviation_reference": "average",
    }));
    let rows = [
        ("9900.000000", "150.0000", "9939.75903614"),
        ("9840.361446", "225.0000", "9892.42685026"),
        ("9793.502582", "337.5000", "9851.09359044"),
        ("9752.582655", "506.2500", "9813.04215597"),
    ];
    let (mut cost, mut qty) = (Quote::parse("100").unwrap(), Qty::parse("0.01").unwrap());
    for (number, (at, volume, average)) in (1..).zip(rows) {
        let origin = Origin { base: price("10000"), average: Some((cost, qty)) };
        let exact = ladder::price_unrounded(&config, number, origin).unwrap();
        let bought = ladder::volume(&config, number).unwrap();

        shows(at, exact.get());
        is(volume, bought.get());
        // The factor of the level is the same price over the origin, known before any fill.
        shows(at, config.level(number).unwrap().factor.get() * origin.base.get());

        qty = Qty::new(qty.get() + bought.get() / exact.get());
        cost = cost.plus(bought).unwrap();
        shows(average, cost.get() / qty.get());
    }
}

/// Settings with what the vector does not state filled in.
fn config(settings: &Value) -> Config {
    let mut draft = json!({
        "name": "vector", "pairs": ["BTC/USDT"], "max_safety_orders": 0, "take_profit_pct": "1",
    });
    for (field, value) in settings.as_object().unwrap() {
        draft[field] = value.clone();
    }
    serde_json::from_value(draft).unwrap()
}

fn instrument(tick: &str, step: &str) -> Instrument {
    let filters = vec![
        Filter::Price { min: Price::ZERO, max: Price::ZERO, tick: price(tick) },
        Filter::LotSize { min: Qty::ZERO, max: Qty::ZERO, step: Qty::parse(step).unwrap() },
    ];
    Instrument::new(InstrumentId::new(0), Symbol::parse("BTC/USDT").unwrap(), filters)
}

fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

fn fee() -> Fraction {
    Fraction::parse("0.001").unwrap()
}

/// A fee in quote; `amount` is its rate until `fill` knows of what.
fn quote_fee(rate: &str) -> Fee {
    Fee {
        asset: Asset::parse("USDT").unwrap(),
        amount: Amount::parse(rate).unwrap(),
        in_quote: None,
    }
}

fn buy(position: &mut Position, market: &Instrument, (at, qty): (&str, Qty), fee: Fee) {
    position.book(&fill(Side::Buy, (at, qty), fee, market), market).unwrap();
}

/// The profit once everything sellable is sold at `at`, with the fee in quote.
fn profit_at(mut position: Position, market: &Instrument, at: &str) -> Quote {
    let qty = position.sellable(market).unwrap();
    let sell = fill(Side::Sell, (at, qty), quote_fee("0.001"), market);
    position.book(&sell, market).unwrap();
    position.profit().unwrap()
}

fn fill(side: Side, (at, qty): (&str, Qty), rate: Fee, market: &Instrument) -> Fill {
    let quote = price(at).times(qty).unwrap();
    let of = if rate.asset == market.symbol.base { qty.amount() } else { quote.amount() };
    Fill {
        trade_id: TradeId::new(1),
        client_id: None,
        venue_order_id: VenueOrderId::new(1),
        instrument: market.id,
        side,
        price: price(at),
        qty,
        quote,
        fee: Fee { amount: of.scaled(rate.amount.get()).unwrap(), ..rate },
        liquidity: Liquidity::Taker,
        at: Timestamp::from_ms(0),
    }
}

fn take_profit(config: &Config, position: &Position, market: &Instrument) -> Option<Price> {
    targets::take_profit(config, position, position.spent().unwrap(), fee(), market).unwrap()
}

/// Equal to the last digit.
#[track_caller]
fn is(text: &str, value: Decimal) {
    assert_eq!(value, decimal::parse(text).unwrap());
}

/// Equal once `value` is rounded to the digits of `text`.
#[track_caller]
fn shows(text: &str, value: Decimal) {
    let digits = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let digits = u32::try_from(digits).unwrap();
    is(text, value.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero));
}
