//! Deals as pictures: facts in, wanted orders and waits out as short lines.

use tranche_model::{
    asset::{Asset, Symbol},
    balance::FeeRates,
    fill::{Fee, Fill, Liquidity},
    filter::Filter,
    ids::{DealNo, InstrumentId, Slot, TradeId, VenueOrderId},
    instrument::Instrument,
    money::{Amount, Fraction, Price, Qty, Quote},
    order::{OrderStatus, Side},
    time::Timestamp,
};

use super::{Config, Deal, Draft, Fact, Permission, Phase, Scene};
use crate::why::{Ended, Why};

#[test]
fn safety_fill_moves_take_profit_down() {
    let mut story = Story::open("{}", "100");
    assert_eq!(story.wanted(), ["base order: buy for 100 at market"]);

    story.fill(Slot::BASE, "100", "1");
    assert_eq!(story.wanted(), ["take profit 1: sell 1 @ 101.21", "safety order 1: buy 1.11 @ 90"]);

    story.fill(safety(1), "90", "1.11");

    // 199.9 and fees of 0.1999 for 2.11 coins; one per cent above that, net of the sale's fee.
    assert_eq!(
        story.wanted(),
        ["take profit 1: sell 2.11 @ 95.88", "safety order 2: buy 1.25 @ 80"]
    );
}

#[test]
fn a_take_profit_that_fills_takes_the_ladder_back_and_ends_the_deal() {
    let mut story = Story::open("{}", "100");
    story.fill(Slot::BASE, "100", "1");

    story.fill(Slot::TAKE_PROFIT, "101.21", "1");

    assert_eq!(story.wanted(), Vec::<String>::new());
    assert_eq!(story.over(), Some(Ended::TakeProfit));
    assert_eq!(story.deal.position.profit().unwrap().to_string(), "1.00879");
}

#[test]
fn a_safety_fill_that_comes_after_the_take_profit_is_sold_too() {
    let mut story = Story::open("{}", "100");
    story.fill(Slot::BASE, "100", "1");
    story.fill(Slot::TAKE_PROFIT, "101.21", "1");

    story.fill(safety(1), "90", "1.11");

    assert_eq!(story.wanted(), ["close: sell 1.11 at market"]);
    assert_eq!(story.over(), None);
}

#[test]
fn a_part_of_a_safety_order_counts_at_once_and_the_rest_stays_wanted() {
    let mut story = Story::open("{}", "100");
    story.fill(Slot::BASE, "100", "1");

    story.partial(safety(1), "90", "0.5");

    assert_eq!(
        story.wanted(),
        ["take profit 1: sell 1.5 @ 97.83", "safety order 1: buy 0.61 @ 90"]
    );
}

#[test]
fn watched_levels_that_are_passed_together_become_one_order() {
    let mut story = Story::open(r#"{"active_safety_orders_count": 0}"#, "100");
    story.fill(Slot::BASE, "100", "1");
    assert_eq!(story.waits(), "<= 90");

    story.price("79.5");

    assert_eq!(
        story.wanted(),
        ["take profit 1: sell 1 @ 101.21", "safety order 2: buy for 200 at market"]
    );
    story.fill(safety(2), "79.5", "2.51");
    assert_eq!(story.deal.levels.count(), 2);
    assert_eq!(story.waits(), "<= 70");
}

#[test]
fn a_trailing_take_profit_follows_the_peak_and_sells_after_the_fall() {
    let mut story = Story::open(r#"{"trailing_deviation_pct": "0.5"}"#, "100");
    story.fill(Slot::BASE, "100", "1");
    assert_eq!(story.waits(), ">= 101.21");

    for (price, waits) in
        [("102", "trails 102"), ("103.1", "trails 103.1"), ("102.6", "trails 103.1")]
    {
        story.price(price);
        assert_eq!(story.waits(), waits);
    }
    story.price("102.58");

    assert_eq!(story.wanted(), ["close: sell 1 at market"]);
    story.fill(Slot::CLOSE, "102.58", "1");
    assert_eq!(story.over(), Some(Ended::TrailingTakeProfit));
}

#[test]
fn a_stop_waits_out_its_time_and_forgets_it_when_the_price_returns() {
    let mut story =
        Story::open(r#"{"stop_loss_pct": "35", "stop_loss_timeout_seconds": 60}"#, "100");
    story.fill(Slot::BASE, "100", "1");
    assert_eq!(story.waits(), "<= 65");

    story.price("64");
    assert_eq!(story.waits(), ">= 65.01, at 60 s");
    story.later(30);
    story.price("66");
    story.later(40);
    story.price("65");
    assert!(matches!(story.deal.phase, Phase::Holding(_)), "the time begins anew");

    story.later(60);
    story.price("65");

    assert_eq!(story.wanted(), ["close: sell 1 at market"]);
    story.fill(Slot::CLOSE, "65", "1");
    assert_eq!(story.over(), Some(Ended::StopLoss));
}

#[test]
fn a_stop_from_the_average_moves_down_with_each_safety_order() {
    let settings = r#"{"stop_loss_pct": "20", "stop_loss_reference": "average"}"#;
    let mut story = Story::open(settings, "100");
    story.fill(Slot::BASE, "100", "1");
    // 20 % below 100.1; the safety order at 90 lies above it.
    assert_eq!(story.waits(), "<= 80.08");

    story.fill(safety(1), "90", "1.11");

    assert_eq!(story.waits(), "<= 75.87");
    assert_eq!(
        story.wanted(),
        ["take profit 1: sell 2.11 @ 95.88", "safety order 2: buy 1.25 @ 80"]
    );
}

#[test]
fn a_limit_base_order_follows_the_market_and_is_given_up_after_its_time() {
    let mut story = Story::open(r#"{"base_order_type": "limit"}"#, "100");
    assert_eq!(story.wanted(), ["base order: buy 1 @ 100"]);

    story.later(20);
    story.price("100.5");
    assert_eq!(story.wanted(), ["base order: buy 0.99 @ 100.5"]);

    story.later(40);
    story.price("101");
    assert_eq!(story.wanted(), Vec::<String>::new());
    assert_eq!(story.over(), Some(Ended::NoEntry));
}

#[test]
fn the_part_of_a_given_up_base_order_becomes_the_base() {
    let mut story = Story::open(r#"{"base_order_type": "limit"}"#, "100");
    story.partial(Slot::BASE, "100", "0.4");
    story.later(60);
    story.price("101");
    assert_eq!(story.wanted(), Vec::<String>::new());

    story.settle(Slot::BASE, "0.4", OrderStatus::Cancelled);

    assert_eq!(
        story.wanted(),
        ["take profit 1: sell 0.4 @ 101.21", "safety order 1: buy 1.11 @ 90"]
    );
}

#[test]
fn a_part_too_small_to_be_sold_is_made_up_at_market() {
    let mut story = Story::open(r#"{"base_order_type": "limit"}"#, "100");
    story.partial(Slot::BASE, "100", "0.04");
    story.later(60);
    story.price("101");

    story.settle(Slot::BASE, "0.04", OrderStatus::Cancelled);

    assert_eq!(story.wanted(), ["base order: buy for 96 at market"]);
}

#[test]
fn paused_entries_leave_only_the_exit() {
    let mut story = Story::open("{}", "100");
    story.fill(Slot::BASE, "100", "1");

    assert_eq!(
        story.wanted_with(Permission { entries: false }),
        ["take profit 1: sell 1 @ 101.21"]
    );
}

#[test]
fn a_cancelled_deal_wants_nothing_and_keeps_its_coins() {
    let mut story = Story::open("{}", "100");
    story.fill(Slot::BASE, "100", "1");

    story.tell(Fact::Abandon);

    assert_eq!(story.wanted(), Vec::<String>::new());
    assert_eq!(story.over(), Some(Ended::Cancelled));
    assert_eq!(story.deal.position.held().unwrap().to_string(), "1");
}

#[test]
fn an_exit_that_is_not_done_in_five_seconds_sounds_the_alarm_once() {
    let mut story = Story::open("{}", "100");
    story.fill(Slot::BASE, "100", "1");
    story.tell(Fact::Close);
    assert_eq!(story.waits(), "at 5 s");

    story.later(5);
    story.tell(Fact::Time);
    story.tell(Fact::Time);

    let alarms = story.log.iter().filter(|why| matches!(why, Why::ExitLate { .. })).count();
    assert_eq!(alarms, 1);
    assert_eq!(story.waits(), "");
}

fn safety(number: u16) -> Slot {
    Slot::safety(number).unwrap()
}

/// A deal that is told what happens and asked what it wants.
struct Story {
    config: Config,
    instrument: Instrument,
    fees: FeeRates,
    now: Timestamp,
    deal: Deal,
    log: Vec<Why>,
    trades: u128,
}

impl Story {
    /// Base and safety orders of 100, ten per cent apart, one resting; one per cent of profit.
    fn open(settings: &str, price: &str) -> Self {
        let config = config(settings);
        let instrument = instrument();
        let rate = Fraction::parse("0.001").unwrap();
        let fees = FeeRates { maker: rate, taker: rate };
        let now = Timestamp::from_ms(0);
        let is_whole = true;
        let scene = Scene { config: &config, instrument: &instrument, fees, now, is_whole };
        let deal = Deal::open(DealNo::new(1), 1, Price::parse(price).unwrap(), &scene).unwrap();
        Self { config, instrument, fees, now, deal, log: Vec::new(), trades: 0 }
    }

    fn tell(&mut self, fact: Fact<'_>) {
        let scene = Scene {
            config: &self.config,
            instrument: &self.instrument,
            fees: self.fees,
            now: self.now,
            is_whole: true,
        };
        self.deal.apply(fact, &scene, &mut self.log).unwrap();
    }

    fn price(&mut self, price: &str) {
        self.tell(Fact::Price { price: Price::parse(price).unwrap(), peak: None });
    }

    fn later(&mut self, seconds: i64) {
        self.now = Timestamp::from_ms(self.now.ms() + seconds * 1000);
    }

    /// The whole order of a slot.
    fn fill(&mut self, slot: Slot, price: &str, qty: &str) {
        self.partial(slot, price, qty);
        self.settle(slot, qty, OrderStatus::Filled);
    }

    fn partial(&mut self, slot: Slot, price: &str, qty: &str) {
        self.trades += 1;
        let is_buy = slot == Slot::BASE || slot.safety_number().is_some();
        let (price, qty) = (Price::parse(price).unwrap(), Qty::parse(qty).unwrap());
        let quote = price.times(qty).unwrap();
        let fee = quote.scaled(self.fees.taker.get()).unwrap();
        let fill = Fill {
            trade_id: TradeId::new(self.trades),
            client_id: None,
            venue_order_id: VenueOrderId::new(1),
            instrument: self.instrument.id,
            side: if is_buy { Side::Buy } else { Side::Sell },
            price,
            qty,
            quote,
            fee: Fee {
                asset: self.instrument.symbol.quote,
                amount: fee.amount(),
                in_quote: Some(fee),
            },
            liquidity: Liquidity::Taker,
            at: self.now,
        };
        self.tell(Fact::Filled { slot, fill: &fill });
    }

    fn settle(&mut self, slot: Slot, executed: &str, status: OrderStatus) {
        let executed = Qty::parse(executed).unwrap();
        self.tell(Fact::Settled { slot, executed, status });
    }

    fn wanted(&self) -> Vec<String> {
        self.wanted_with(Permission { entries: true })
    }

    fn wanted_with(&self, permission: Permission) -> Vec<String> {
        let mut wanted = Vec::new();
        self.deal.wanted(permission, &self.scene(), &mut wanted).unwrap();
        let line =
            |wish: &crate::bot::Wanted| format!("{}: {} {}", wish.slot, wish.side, wish.kind);
        wanted.iter().map(line).collect()
    }

    fn waits(&self) -> String {
        let watch = self.deal.watch(&self.scene()).unwrap();
        let parts = [
            watch.below.map(|bound| format!("<= {}", bound.price)),
            watch.above.map(|bound| format!(">= {}", bound.price)),
            watch.any_price.then(|| "any price".to_owned()),
            watch.trail.map(|trail| format!("trails {}", trail.peak)),
            watch.at.map(|at| format!("at {}", at.since(Timestamp::from_ms(0)))),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn over(&self) -> Option<Ended> {
        self.deal.over(&self.scene()).unwrap()
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            config: &self.config,
            instrument: &self.instrument,
            fees: self.fees,
            now: self.now,
            is_whole: true,
        }
    }
}

fn config(settings: &str) -> Config {
    let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(
        r#"{"name": "story", "pairs": ["BTC/USDT"], "base_order_volume": "100",
            "safety_order_volume": "100", "safety_order_step_pct": "10", "max_safety_orders": 3,
            "take_profit_pct": "1"}"#,
    )
    .unwrap();
    let changes: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(settings).unwrap();
    fields.extend(changes);
    let draft: Draft = serde_json::from_value(fields.into()).unwrap();
    Config::try_from(draft).unwrap()
}

fn instrument() -> Instrument {
    let filters = vec![
        Filter::Price {
            min: Price::parse("0.01").unwrap(),
            max: Price::parse("1000000").unwrap(),
            tick: Price::parse("0.01").unwrap(),
        },
        Filter::LotSize {
            min: Qty::parse("0.01").unwrap(),
            max: Qty::parse("9000").unwrap(),
            step: Qty::parse("0.01").unwrap(),
        },
        Filter::Notional {
            min: Quote::parse("5").unwrap(),
            min_market: true,
            max: Quote::ZERO,
            max_market: false,
        },
    ];
    let symbol = Symbol { base: asset("BTC"), quote: asset("USDT") };
    Instrument::new(InstrumentId::new(0), symbol, filters)
}

fn asset(name: &str) -> Asset {
    Asset::parse(name).unwrap()
}

#[test]
fn a_fee_in_a_third_coin_keeps_its_coin() {
    let mut story = Story::open("{}", "100");
    let fill = Fill {
        trade_id: TradeId::new(9),
        client_id: None,
        venue_order_id: VenueOrderId::new(1),
        instrument: story.instrument.id,
        side: Side::Buy,
        price: Price::parse("100").unwrap(),
        qty: Qty::parse("1").unwrap(),
        quote: Quote::parse("100").unwrap(),
        fee: Fee {
            asset: asset("BNB"),
            amount: Amount::parse("0.0002").unwrap(),
            in_quote: Some(Quote::parse("0.1").unwrap()),
        },
        liquidity: Liquidity::Taker,
        at: story.now,
    };

    story.tell(Fact::Filled { slot: Slot::BASE, fill: &fill });
    story.settle(Slot::BASE, "1", OrderStatus::Filled);

    assert_eq!(*story.deal.third_fees, [(asset("BNB"), Amount::parse("0.0002").unwrap())]);
    assert_eq!(story.deal.position.held().unwrap().to_string(), "1");
    assert_eq!(story.deal.base_spent.to_string(), "100.1");
}
