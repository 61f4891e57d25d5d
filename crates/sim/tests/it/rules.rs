//! Rules that change or bind: ticks, steps, the largest order, prices near zero.

use tranche_model::{
    filter::Filter,
    ids::BotId,
    instrument::Instrument,
    money::{Fraction, Price, Qty, Quote},
    time::Millis,
};
use tranche_sim::{
    driver::Setup,
    exchange,
    memory::{CommitPlan, FaultyMemory},
};
use tranche_trading::{
    bot::BotStatus,
    dca::{Draft, draft::BaseOrderType},
    event::CommandBody,
    why::{NoDeal, Why},
};

use crate::{
    books::{self, Disturbed},
    scene::{A, BOT, OURS, Scene, Terms, asset, config, draft, instrument, pct},
};

#[test]
fn a_coarser_tick_moves_the_take_profit_onto_it() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    assert!(scene.open().iter().any(|line| line.contains("102.21")), "{:?}", scene.open());

    scene.driver.change_rules(grid("0.5", "0.001", "100000"));
    scene.listen();
    scene.minutes(A, "100", 1);

    assert!(scene.open().iter().any(|line| line.contains("102.5")), "{:?}", scene.open());
    assert_eq!(scene.open().len(), 3);
    scene.tick(A, "103");
    assert_eq!(scene.ended(), ["take_profit"]);
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn a_coarser_tick_moves_a_limit_base_order_onto_it() {
    let exchange = exchange::Settings { latency: Millis::new(700), ..Default::default() };
    let mut scene = Scene::with(Setup { exchange, ..Setup::default() }, Terms::default());
    scene.wait(5);
    scene.create(BOT, Draft { base_order_type: BaseOrderType::Limit, ..draft() });
    scene.tick(A, "100.3");
    scene.tick(A, "101");
    scene.wait(2);
    assert!(scene.open()[0].contains("100.3"), "{:?}", scene.open());

    scene.driver.change_rules(grid("0.5", "0.001", "100000"));
    scene.listen();
    scene.wait(3);

    assert_eq!(scene.open().len(), 1);
    assert!(
        scene.open()[0].contains(" 100 ") || scene.open()[0].ends_with(" 100"),
        "{:?}",
        scene.open()
    );
}

#[test]
fn levels_that_a_coarse_tick_rounds_to_nothing_are_left_out() {
    let mut scene =
        Scene::on(vec![grid("0.01", "1", "100000")], Setup::default(), Terms::default());
    let deep = Draft {
        safety_order_step_pct: pct("45"),
        base_order_volume: quote("100"),
        safety_order_volume: quote("100"),
        ..draft()
    };
    scene.create(BOT, deep);
    scene.tick(A, "0.1");
    scene.minutes(A, "0.1", 1);
    assert_eq!(scene.open().len(), 3, "{:?}", scene.open());

    scene.driver.change_rules(grid("0.05", "1", "100000"));
    scene.listen();
    scene.minutes(A, "0.1", 1);

    assert_eq!(scene.bot(BOT).head.status, BotStatus::Running);
    assert_eq!(scene.open().len(), 2, "{:?}", scene.open());
}

#[test]
fn an_edit_of_an_open_deal_is_checked_against_its_prices() {
    let mut scene =
        Scene::on(vec![grid("0.05", "1", "100000")], Setup::default(), Terms::default());
    let one = Draft { max_safety_orders: 1, active_safety_orders_count: Some(1), ..draft() };
    scene.create(BOT, Draft { safety_order_step_pct: pct("45"), ..one });
    scene.tick(A, "0.1");

    let deep = Draft { safety_order_step_pct: pct("49.9"), ..draft() };
    let edit = CommandBody::EditBot { bot: BOT, config: Box::new(config(deep)), open_deals: true };
    let verdict = scene.command(edit);

    assert!(verdict.clone().is_err_and(|why| why.contains("safety order 2")), "{verdict:?}");
}

#[test]
fn a_take_profit_larger_than_an_order_is_not_replaced_at_each_partial_fill() {
    let rules = grid("0.01", "0.001", "1.5");
    let exchange = exchange::Settings { volume_cap: Some(Fraction::ONE), ..Default::default() };
    let setup = Setup { exchange, ..Setup::default() };
    let mut scene = Scene::on(vec![rules], setup, Terms::default());
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.tick(A, "97.9");
    assert_eq!(scene.deal(BOT).levels.count(), 2);
    let placed = scene.orders_placed();

    for _ in 0..10 {
        scene.tick_with(A, "101.3", "0.1");
    }
    // Its part is filled bit by bit, and stays where it is.
    assert_eq!(scene.deal(BOT).position.sold, Qty::parse("1").unwrap());
    assert_eq!(scene.orders_placed(), placed, "{:#?}", scene.whys);
    scene.minutes(A, "101.3", 1);
    assert_eq!(scene.ended().first().map(String::as_str), Some("take_profit"));
    // Three even parts, so that nothing is left that is too small to be sold.
    let dust = scene.bot(BOT).head.dust(asset("AAA"));
    assert!(dust < Qty::parse("0.001").unwrap(), "{dust}");
}

#[test]
fn an_order_above_the_largest_is_refused_at_the_door() {
    let rules = grid("0.01", "0.001", "0.9");
    let mut scene = Scene::on(vec![rules], Setup::default(), Terms::default());
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.wait(5);

    assert_eq!(scene.orders_placed(), 0);
    let unfit = |why: &Why| matches!(why, Why::NoDeal(NoDeal::Unfit { .. }));
    assert!(scene.whys.iter().any(unfit), "{:#?}", scene.whys);
}

#[test]
fn a_stop_from_the_average_within_the_fee_is_refused() {
    let mut scene = Scene::new();
    let churns = Draft {
        stop_loss_pct: Some(pct("0.05")),
        stop_loss_reference: tranche_trading::dca::draft::StopLossReference::Average,
        max_safety_orders: 0,
        active_safety_orders_count: None,
        ..draft()
    };
    let create = CommandBody::CreateBot { bot: BotId::new(9), config: Box::new(config(churns)) };
    let verdict = scene.command(create);

    assert!(verdict.clone().is_err_and(|why| why.contains("stop_loss_pct")), "{verdict:?}");
}

#[test]
fn a_coarser_step_while_nobody_was_there_moves_the_take_profit() {
    let mut before =
        Scene::on(vec![grid("0.01", "0.001", "100000")], Setup::default(), Terms::default());
    before.create(BOT, Draft { base_order_volume: quote("118"), ..draft() });
    before.tick(A, "100.87");
    let aimed = before.deal(BOT).take_profit.unwrap();

    // Another process starts, under other rules, with the same store and exchange.
    let coarse = grid("0.01", "0.01", "100000");
    let mut after = Scene::on(vec![coarse.clone()], Setup::default(), Terms::default());
    after.wait(5);
    after.driver.exchange = before.driver.exchange.clone();
    after.driver.exchange.replace_instrument(coarse, before.driver.now());
    after.driver.memory =
        FaultyMemory::new(before.driver.memory.memory().clone(), CommitPlan::default());
    after.evict();
    after.wait(60);

    // Less can be sold, and still the profit is made.
    let moved = after.deal(BOT).take_profit.unwrap();
    assert!(aimed < moved, "{aimed} {moved}");
    books::quiet(&after.driver, OURS).unwrap();
    books::always(&after.driver, OURS, Disturbed::default()).unwrap();
}

fn quote(text: &str) -> Quote {
    Quote::parse(text).unwrap()
}

fn grid(tick: &str, step: &str, largest: &str) -> Instrument {
    let (tick, step) = (Price::parse(tick).unwrap(), Qty::parse(step).unwrap());
    let mut rules = instrument(A, "AAA/USDT");
    for filter in &mut rules.filters {
        if let Filter::Price { tick: known, min, .. } = filter {
            (*known, *min) = (tick, tick);
        } else if let Filter::LotSize { step: known, min, max } = filter {
            (*known, *min, *max) = (step, step, Qty::parse(largest).unwrap());
        }
    }
    Instrument::new(rules.id, rules.symbol, rules.filters)
}
