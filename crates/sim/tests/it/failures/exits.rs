//! 1D: parts of fills, exits, fees, dust, digits.

use tranche_model::{
    asset::Symbol,
    balance::FeeAsset,
    candle::Tick,
    fill::Fill,
    filter::Filter,
    ids::{BotId, InstrumentId, Slot},
    instrument::Instrument,
    money::{Amount, Fraction, Qty, Quote},
    order::{OrderKind, OrderStatus, Side, Size},
    time::{Millis, Timestamp},
};
use tranche_sim::{
    driver::Setup,
    exchange::{self, Hand},
    line::CallFault,
};
use tranche_trading::{
    dca::{
        Draft, Phase,
        draft::{BaseOrderType, Start},
    },
    event::CommandBody,
    order::Stage,
    why::{BlockReason, Why},
};

use super::{
    all_agrees, count, holding, holding_with, intents, lonely, lose_events, order_of, push, qty,
    quote, traded,
};
use crate::scene::{A, BOT, OURS, Scene, Terms, asset, draft, instrument, pct, price};

const OTHER: BotId = BotId::new(8);

#[test]
fn f_044_what_is_sold_is_what_fees_have_left() {
    for fee_asset in [FeeAsset::Received, FeeAsset::Quote, FeeAsset::Third(asset("BNB"))] {
        let mut scene = Scene::with(Setup::default(), Terms { fee_asset, ..Terms::default() });
        scene.create(BOT, draft());
        for price in ["100", "98.9", "97.9", "104", "100", "106", "101", "112"] {
            scene.tick(A, price);
            scene.wait(2);
        }

        assert!(2 <= scene.ended().len(), "{fee_asset:?}: {:?}", scene.ended());
        assert_eq!(count(&scene, is_refused), 0, "{fee_asset:?}: {:#?}", scene.whys);
        all_agrees(&scene);
    }
}

#[test]
fn f_045_a_coin_that_pays_its_own_fee_is_sold_without_it() {
    let terms = Terms { fee_asset: FeeAsset::Third(asset("BNB")), ..Terms::default() };
    let mut scene = Scene::on(vec![instrument(A, "BNB/USDT")], Setup::default(), terms);
    let pairs = vec![Symbol::parse("BNB/USDT").unwrap()];
    scene.create(BOT, Draft { pairs, ..draft() });

    scene.tick(A, "300");
    let deal = scene.deal(BOT);
    assert!(deal.position.base_fees.is_positive());
    assert_eq!(deal.position.held().unwrap(), qty("0.332667"));
    scene.tick(A, "310");

    assert_eq!(scene.ended(), ["take_profit"]);
    assert_eq!(count(&scene, is_refused), 0, "{:#?}", scene.whys);
    all_agrees(&scene);
}

#[test]
fn f_046_an_answer_without_fees_waits_for_the_executions() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.next_call(1, CallFault::Acknowledged);
    lose_events(&mut scene, 8);
    scene.tick(A, "100");
    assert!(intents(&scene, Slot::TAKE_PROFIT).is_empty(), "nothing is sold on a guess");

    scene.wait(10);
    let sold = intents(&scene, Slot::TAKE_PROFIT);
    assert_eq!(sold[0].kind.qty(), Some(qty("0.999")));
    all_agrees(&scene);
}

#[test]
fn f_047_a_rest_too_small_to_be_sold_ends_the_deal_as_dust() {
    let mut scene = Scene::with(thin(), Terms::default());
    scene.create(BOT, lonely());
    scene.tick(A, "100");
    // Nearly all of the take profit is filled, and a person takes the order back.
    scene.tick_with(A, "103", "0.97");
    let profit = order_of(&scene, "take profit 1");
    assert_eq!(profit.executed, qty("0.97"));
    scene.driver.exchange.cancel_foreign(OURS, profit.venue_id, scene.driver.now()).unwrap();
    scene.minutes(A, "101", 2);

    assert_eq!(scene.ended(), ["take_profit"], "{:#?}", scene.whys);
    assert_eq!(scene.bot(BOT).head.dust(asset("AAA")), qty("0.029"));
    assert_eq!(count(&scene, is_refused), 0);
}

#[test]
fn f_048_an_entry_too_small_to_be_sold_is_made_whole() {
    let mut scene = Scene::with(thin(), Terms::default());
    let limit = Draft { base_order_type: BaseOrderType::Limit, ..draft() };
    scene.create(BOT, Draft { entry_timeout_seconds: 20, ..limit });
    scene.tick_with(A, "100", "0.001");
    // Two hundredths of a coin are two units of quote: less than an order may be worth.
    scene.tick_with(A, "99.9", "0.02");
    assert!(scene.deal(BOT).position.bought < qty("0.05"));

    for _ in 0..30 {
        scene.wait(3);
        scene.tick_with(A, "100.5", "10");
    }

    assert_eq!(scene.open().len(), 3, "{:?} {:#?}", scene.open(), scene.whys);
    assert_eq!(count(&scene, is_refused), 0, "{:#?}", scene.whys);
    all_agrees(&scene);
}

#[test]
fn f_049_a_definite_no_is_not_repeated_in_a_loop() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    // The exchange asks for more than it had said.
    let mut rules = instrument(A, "AAA/USDT");
    rules.filters.push(Filter::MinNotional { min: quote("500"), market: true });
    scene.driver.exchange.replace_instrument(rules, scene.driver.now());

    scene.tick(A, "100");
    scene.minutes(A, "100", 30);

    // 1, 2, 4 … 256, 300 seconds.
    let placed = scene.orders_placed();
    assert!((5..=16).contains(&placed), "{placed} attempts in half an hour");
    assert_eq!(count(&scene, is_refused), placed);
    let base = scene.lane(BOT).seat(Slot::BASE).unwrap().blocked().unwrap();
    assert!(matches!(base.reason, BlockReason::Refused(_)), "{base:?}");
}

#[test]
fn f_050_rests_add_up_to_the_last_digit() {
    let mut scene = Scene::new();
    scene.create(BOT, lonely());
    let mut at = 10_000_u32;
    for _ in 0..40 {
        scene.tick(A, &format!("{}.{:02}", at / 100, at % 100));
        scene.wait(1);
        at = at * 103 / 100;
    }

    assert!(20 < scene.ended().len());
    let open = scene.deal(BOT).position.held().unwrap();
    let dust = scene.bot(BOT).head.dust(asset("AAA"));
    let total = scene.account().desk.ledger.total(asset("AAA"));
    assert_eq!(dust.plus(open).unwrap().amount(), total);
    assert_eq!(total, held_at_exchange(&scene, "AAA"));
}

#[test]
fn f_051_every_grid_of_prices_and_quantities_is_kept() {
    let grids = [
        ("1", "1", "4000"),
        ("0.1", "0.00000001", "100"),
        ("0.00000001", "1", "0.00050000"),
        ("0.005", "0.005", "20"),
        ("5", "0.001", "4000"),
    ];
    for (tick, step, first) in grids {
        let terms = Terms { funds: 1_000_000, ..Terms::default() };
        let mut scene = Scene::on(vec![grid(tick, step)], Setup::default(), terms);
        let volume = quote("40000");
        let plan = Draft { base_order_volume: volume, safety_order_volume: volume, ..draft() };
        scene.create(BOT, plan);
        let start = price(first);
        for permille in [1000, 985, 970, 1010, 1040, 1000, 1080] {
            let exact = start.scaled(rust_decimal::Decimal::new(permille, 3)).unwrap();
            let on_grid = exact.to_step(price(tick), tranche_model::decimal::Rounding::Down);
            let tick_price = on_grid.unwrap();
            let at = scene.driver.now().plus(Millis::from_secs(1));
            scene.driver.tick(&Tick { instrument: A, price: tick_price, qty: Qty::ZERO, at });
            scene.wait(2);
        }

        assert!(!scene.ended().is_empty(), "tick {tick}, step {step}: {:#?}", scene.whys);
        assert_eq!(count(&scene, is_refused), 0, "tick {tick}, step {step}: {:#?}", scene.whys);
        all_agrees(&scene);
    }
}

#[test]
fn f_052_after_parts_of_exits_only_the_rest_is_sold() {
    let stopped = Draft { stop_loss_pct: Some(pct("5")), ..lonely() };
    let mut scene = Scene::with(thin(), Terms::default());
    scene.create(BOT, stopped);
    scene.tick(A, "100");
    scene.tick_with(A, "103", "0.4");
    assert_eq!(traded(&scene).1, qty("0.4"));

    // The stop sells what is left, in parts as well.
    scene.tick_with(A, "94", "0.2");
    scene.tick_with(A, "94", "0.2");
    for _ in 0..10 {
        scene.wait(5);
        scene.tick_with(A, "94", "0.3");
    }

    assert_eq!(scene.ended()[0], "stop_loss");
    let deal = scene.driver.memory.memory().stored(OURS).unwrap().deals[0].clone();
    let sold = scene.driver.exchange.trades(OURS, A, Timestamp::MIN).into_iter();
    let sold = sold
        .filter(|fill| fill.side == Side::Sell && fill.client_id.unwrap().key().deal == deal.deal);
    let sold = sold.fold(Qty::ZERO, |sum, fill| sum.plus(fill.qty).unwrap());
    assert_eq!(sold, qty("0.999"));
}

#[test]
fn f_053_exits_are_resized_with_every_fill() {
    let mut scene = Scene::with(thin(), Terms::default());
    scene.create(BOT, draft());
    scene.tick(A, "100");
    for part in ["0.3", "0.3", "0.5", "0.4"] {
        scene.tick_with(A, "98.9", part);
        scene.wait(2);

        // Never more than is held, and all of it once it is quiet.
        let held = scene.deal(BOT).position.held().unwrap();
        let profit = order_of(&scene, "take profit 1");
        let step = price("0.001").get();
        let sells = profit.kind.qty().unwrap();
        assert!(sells <= held && held.get() - sells.get() < step, "{sells} of {held}");
    }
    all_agrees(&scene);
}

#[test]
fn f_054_coins_that_are_gone_are_not_sold() {
    let trailing = Draft { trailing_deviation_pct: Some(pct("1")), ..lonely() };
    let mut scene = holding_with(trailing);
    // A person sells all of them.
    let kind = OrderKind::Market { size: Size::Base(qty("0.999")) };
    let hand = Hand { instrument: A, side: Side::Sell, kind };
    scene.driver.exchange.place_foreign(OURS, hand, scene.driver.now()).unwrap();
    scene.minutes(A, "100", 2);
    assert_eq!(count(&scene, |why| matches!(why, Why::BalanceMoved { .. })), 2);

    let deal = scene.deal(BOT).no;
    scene.command(CommandBody::CloseDeal { bot: BOT, deal }).unwrap();
    scene.minutes(A, "100", 30);

    assert_eq!(intents(&scene, Slot::CLOSE).len(), 0, "{:#?}", scene.whys);
    assert_eq!(traded(&scene).1, Qty::ZERO);
    let close = scene.lane(BOT).seat(Slot::CLOSE).unwrap().blocked().unwrap();
    assert_eq!(close.reason, BlockReason::Funds);
    assert!(1 <= count(&scene, |why| matches!(why, Why::ExitLate { .. })));
}

#[test]
fn f_055_profit_is_that_of_the_fills() {
    let slippage = Fraction::parse("0.004").unwrap();
    let exchange = exchange::Settings { slippage, ..Default::default() };
    let mut scene = Scene::with(Setup { exchange, ..Setup::default() }, Terms::default());
    scene.create(BOT, Draft { stop_loss_pct: Some(pct("5")), ..draft() });
    scene.tick(A, "100");
    scene.tick(A, "98.9");
    scene.tick(A, "94");
    scene.wait(5);

    let row = scene.driver.memory.memory().stored(OURS).unwrap().deals[0].clone();
    let mut profit = Quote::ZERO;
    for fill in scene.driver.exchange.trades(OURS, A, Timestamp::MIN) {
        if fill.client_id.unwrap().key().deal != row.deal {
            continue;
        }
        profit = match fill.side {
            Side::Buy => profit.minus(fill.quote).unwrap(),
            Side::Sell => {
                let fee = fill.fee.in_quote.unwrap();
                profit.plus(fill.quote).unwrap().minus(fee).unwrap()
            }
        };
    }
    assert_eq!((row.ended.as_str(), row.profit), ("stop_loss", profit));
    assert!(profit < quote("-9"), "{profit}");
}

#[test]
fn f_057_an_expired_order_is_what_it_traded() {
    // A market with little to give ends a market order with a part of it, or with nothing.
    for (offered, bought) in [("0.3", "0.3"), ("0.0009", "0")] {
        let mut scene = Scene::with(thin(), Terms::default());
        scene.create(BOT, Draft { start: Start::Manual, ..draft() });
        scene.tick_with(A, "100", offered);
        scene.command(CommandBody::StartDeal { bot: BOT, instrument: A }).unwrap();
        scene.tick_with(A, "100", offered);

        assert_eq!(traded(&scene).0, qty(bought));
        assert_eq!(scene.deal(BOT).position.bought, qty(bought));
        let first = intents(&scene, Slot::BASE)[0].client_id;
        let ended = scene.driver.exchange.order(OURS, first).unwrap();
        assert_eq!(ended.status, OrderStatus::Expired);
        let has_profit = !intents(&scene, Slot::TAKE_PROFIT).is_empty();
        assert_eq!(has_profit, bought != "0", "{:?}", scene.open());
        let is_entering = matches!(scene.deal(BOT).phase, Phase::Entering(_));
        assert_eq!(is_entering, bought == "0", "{:?}", scene.deal(BOT));
    }
}

#[test]
fn f_058_a_status_of_a_later_day_is_no_end() {
    let mut scene = holding();
    for slot in ["take profit 1", "safety order 1", "safety order 2"] {
        let mut report = order_of(&scene, slot);
        report.status = OrderStatus::Unrecognized;
        report.updated_at = scene.driver.now();
        push(&mut scene, report);
    }

    assert!(scene.lane(BOT).orders().all(|(_, order)| order.stage == Stage::Open));
    scene.minutes(A, "100", 20);
    assert_eq!(scene.orders_placed(), 4);
    scene.tick(A, "98.9");
    assert_eq!(scene.deal(BOT).levels.count(), 1);
    all_agrees(&scene);
}

#[test]
fn f_060_bots_of_one_account_never_trade_with_each_other() {
    let exchange = exchange::Settings {
        self_trade: exchange::SelfTradePrevention::None,
        volume_cap: Some(Fraction::ONE),
        ..exchange::Settings::default()
    };
    let mut scene = Scene::with(Setup { exchange, ..Setup::default() }, Terms::default());
    scene.create(BOT, lonely());
    scene.tick_with(A, "100", "5");
    // The take profit at 102.21 is filled in part, and what is left of it rests below the market.
    scene.tick_with(A, "102.3", "0.1");
    assert_eq!(order_of(&scene, "take profit 1").executed, qty("0.1"));

    // Another bot wants to buy at the market.
    scene.create(OTHER, Draft { base_order_type: BaseOrderType::Limit, ..lonely() });
    for _ in 0..5 {
        scene.tick_with(A, "102.3", "0.001");
        scene.wait(1);
    }

    let fills = scene.driver.exchange.trades(OURS, A, Timestamp::MIN);
    let of_other = |fill: &&Fill| fill.client_id.unwrap().key().bot == OTHER;
    assert_eq!(fills.iter().filter(of_other).count(), 0, "{fills:#?}");
    let base = scene.bot(OTHER).lanes[0].seat(Slot::BASE).unwrap().blocked().unwrap();
    assert_eq!(base.reason, BlockReason::SelfCross);
}

#[test]
fn f_061_a_take_profit_filled_while_away_leaves_no_order_behind() {
    let mut scene = holding();
    scene.command(CommandBody::StopBot { bot: BOT }).unwrap();
    scene.driver.stream(OURS, false);
    lose_events(&mut scene, 50);
    scene.tick(A, "103");
    scene.minutes(A, "103", 3);
    scene.driver.stream(OURS, true);
    scene.wait(5);

    assert_eq!((scene.ended(), scene.open().len()), (vec!["take_profit".to_owned()], 0));
    // Nothing is bought any more by what rested below.
    scene.tick(A, "95");
    assert_eq!(traded(&scene).0, qty("1"));
}

/// Each tick gives no more than it says.
fn thin() -> Setup {
    let exchange =
        exchange::Settings { volume_cap: Some(Fraction::ONE), ..exchange::Settings::default() };
    Setup { exchange, ..Setup::default() }
}

fn grid(tick: &str, step: &str) -> Instrument {
    let (tick, step) = (price(tick), qty(step));
    let filters = vec![
        Filter::Price { min: tick, max: price("1000000"), tick },
        Filter::LotSize { min: step, max: qty("100000000"), step },
        Filter::MinNotional { min: quote("5"), market: true },
    ];
    Instrument::new(InstrumentId::new(0), Symbol::parse("AAA/USDT").unwrap(), filters)
}

fn held_at_exchange(scene: &Scene, name: &str) -> Amount {
    let balances = scene.driver.exchange.balances(OURS);
    let found = balances.iter().find(|balance| balance.asset == asset(name));
    found.map_or(Amount::ZERO, |balance| balance.total().unwrap())
}

fn is_refused(why: &Why) -> bool {
    matches!(why, Why::Refused { .. })
}
