//! What keeps a fault small: quarantine, bursts, limits, verdicts.

use tranche_model::{
    asset::Symbol,
    balance::FeeAsset,
    filter::Filter,
    ids::{BotId, CommandId, DealNo, Slot},
    instrument::{Instrument, TradingStatus},
    money::{Fraction, Price, Qty, Quote},
    time::Millis,
};
use tranche_sim::{
    driver::{Setup, Told},
    exchange,
};
use tranche_trading::{
    bot::BotStatus,
    dca::{
        Draft,
        draft::{BaseOrderType, Pct, Start, StopLossReference},
    },
    event::{Command, CommandBody, Event, KillLevel, RiskLimits, Scope},
    why::{BlockReason, NoDeal, Why},
};

use crate::scene::{
    A, B, BOT, FIRST_DEAL, OURS, Scene, Terms, asset, config, draft, instrument, pct, price,
};

const OTHER: BotId = BotId::new(8);

#[test]
fn rules_that_break_a_bot_put_it_aside_and_the_others_go_on() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.create(OTHER, on_b());
    scene.tick(A, "100");
    scene.tick(B, "100");
    assert_eq!(scene.open().len(), 6);

    scene.driver.change_rules(impossible());
    scene.listen();

    let status = |bot| scene.bot(bot).head.status.clone();
    assert!(matches!(status(BOT), BotStatus::Quarantined { .. }), "{:?}", status(BOT));
    assert_eq!(status(OTHER), BotStatus::Running);
    assert_eq!(scene.open().len(), 6);
    scene.tick(B, "103");
    assert_eq!(scene.ended(), ["take_profit"]);

    // The rules are mended, a user starts the bot, and its deal goes on.
    scene.driver.change_rules(instrument(A, "AAA/USDT"));
    scene.command(CommandBody::StartBot { bot: BOT }).unwrap();
    scene.tick(A, "103");
    assert_eq!(scene.ended(), ["take_profit", "take_profit"]);
}

#[test]
fn fills_of_a_bot_in_quarantine_are_booked() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.driver.change_rules(impossible());
    scene.listen();

    scene.tick(A, "98.5");

    assert_eq!(scene.deal(BOT).position.bought, Qty::parse("2.01").unwrap());
    assert_eq!(scene.driver.shard.accounts().count(), 1);
}

#[test]
fn with_a_key_that_may_withdraw_deals_end_and_none_begins() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");

    scene.driver.tell(OURS, Event::Key { may_withdraw: true });
    scene.listen();
    // The open deal has what it needs: it buys below, and sells.
    scene.tick(A, "98.5");
    assert_eq!(scene.deal(BOT).position.bought, Qty::parse("2.01").unwrap());
    scene.tick(A, "103");
    assert_eq!(scene.ended(), ["take_profit"]);
    scene.minutes(A, "100", 5);
    assert!(scene.lane(BOT).deal.is_none());
    assert!(scene.whys.contains(&Why::NoDeal(NoDeal::KeyMayWithdraw)));
    let start = CommandBody::StartDeal { bot: BOT, instrument: A };
    let refused = scene.command(start).unwrap_err();
    assert!(refused.contains("may withdraw"), "{refused}");

    scene.driver.tell(OURS, Event::Key { may_withdraw: false });
    scene.listen();
    scene.tick(A, "100");
    assert!(scene.lane(BOT).deal.is_some());
}

#[test]
fn a_bot_that_would_break_again_is_not_started() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.driver.change_rules(impossible());
    let loads = scene.driver.loads_count;

    let verdict = scene.command(CommandBody::StartBot { bot: BOT });

    assert!(verdict.is_err_and(|why| why.contains("cannot go on")));
    assert_eq!(scene.driver.loads_count, loads);
}

#[test]
fn a_bot_in_quarantine_says_that_it_does_nothing() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.create(OTHER, on_b());
    scene.tick(A, "100");
    scene.tick(B, "100");
    scene.driver.change_rules(impossible());

    for body in [
        CommandBody::CloseDeal { bot: BOT, deal: FIRST_DEAL },
        CommandBody::CancelDeal { bot: BOT, deal: FIRST_DEAL },
        CommandBody::StopBot { bot: BOT },
        CommandBody::Kill { level: KillLevel::CloseAll },
    ] {
        let verdict = scene.command(body.clone());
        assert!(verdict.as_ref().is_err_and(|why| why.contains("quarantine")), "{body:?}");
    }
    // The kill switch has closed what it could, and the rest follows when it can.
    assert_eq!(scene.ended(), ["closed_by_command"]);
    scene.driver.change_rules(instrument(A, "AAA/USDT"));
    scene.command(CommandBody::StartBot { bot: BOT }).unwrap();
    scene.wait(5);
    assert_eq!(scene.ended(), ["closed_by_command", "closed_by_command"]);
}

#[test]
fn a_deal_that_ends_keeps_the_reason_it_ends_for() {
    let latency = exchange::Settings { latency: Millis::new(700), ..Default::default() };
    let mut scene = Scene::with(Setup { exchange: latency, ..Setup::default() }, Terms::default());
    scene.wait(5);
    scene.create(BOT, Draft { stop_loss_pct: Some(pct("5")), ..draft() });
    scene.tick(A, "100");
    scene.wait(5);
    scene.tick(A, "94");
    assert_eq!(scene.ended().len(), 0);

    scene.command(CommandBody::CloseDeal { bot: BOT, deal: FIRST_DEAL }).unwrap();
    scene.wait(5);

    assert_eq!(scene.ended(), ["stop_loss"]);
}

#[test]
fn a_deal_that_was_asked_for_is_not_wanted_after_a_stop() {
    let manual = Draft { start: Start::Manual, ..draft() };
    let ends = [
        (CommandBody::StopBot { bot: BOT }, CommandBody::StartBot { bot: BOT }),
        (
            CommandBody::PauseEntries { scope: Scope::Account },
            CommandBody::Resume { scope: Scope::Account },
        ),
        (CommandBody::Kill { level: KillLevel::PauseEntries }, CommandBody::Rearm),
    ];
    for (end, begin) in ends {
        let mut scene = Scene::new();
        scene.create(BOT, manual.clone());
        scene.command(CommandBody::StartDeal { bot: BOT, instrument: A }).unwrap();
        scene.command(end).unwrap();
        let start = CommandBody::StartDeal { bot: BOT, instrument: A };
        let verdict = scene.command(start);
        assert!(verdict.as_ref().is_err_and(|why| why.contains("first")), "{verdict:?}");

        scene.command(begin).unwrap();
        scene.tick(A, "100");
        assert_eq!(scene.orders_placed(), 0);
    }
}

#[test]
fn an_exit_in_need_waits_for_no_order_of_another_bot() {
    let exchange =
        exchange::Settings { volume_cap: Some(Fraction::ONE), ..exchange::Settings::default() };
    let mut scene = Scene::with(Setup { exchange, ..Setup::default() }, Terms::default());
    let lonely = Draft { max_safety_orders: 0, active_safety_orders_count: None, ..draft() };
    scene.create(BOT, Draft { stop_loss_pct: Some(pct("4.5")), ..lonely });
    scene.create(OTHER, Draft { safety_order_step_pct: pct("4"), ..draft() });
    scene.tick(A, "100");
    assert_eq!(scene.open().len(), 4, "{:?}", scene.open());

    // The other's safety order at 96 is not filled yet when the stop at 95.5 sells.
    scene.tick_with(A, "95", "0.01");
    scene.tick_with(A, "95", "5");
    scene.wait(2);

    assert_eq!(scene.ended(), ["stop_loss"], "{:#?}", scene.whys);
}

#[test]
fn fees_with_as_many_digits_as_there_are_add_up() {
    let terms = Terms { fee_asset: FeeAsset::Third(asset("BNB")), ..Terms::default() };
    let mut scene = Scene::with(Setup::default(), terms);
    let rate = Price::parse("300.1234567890123456789123").unwrap();
    scene.driver.exchange.set_rate(asset("BNB"), asset("USDT"), rate);
    scene.create(
        BOT,
        Draft { max_safety_orders: 20, active_safety_orders_count: Some(20), ..draft() },
    );

    for price in ["100", "93.333", "81.27", "99", "107", "100", "90", "110"] {
        scene.tick(A, price);
    }

    assert!(1 < scene.ended().len(), "{:#?}", scene.whys);
    assert_eq!(scene.bot(BOT).head.status, BotStatus::Running);
}

#[test]
fn a_stop_that_was_away_counts_its_time_anew() {
    let stopped = |loss: Option<Pct>| Draft {
        stop_loss_pct: loss,
        stop_loss_timeout_seconds: if loss.is_some() { 60 } else { 0 },
        max_safety_orders: 0,
        active_safety_orders_count: None,
        ..draft()
    };
    let mut scene = Scene::new();
    scene.create(BOT, stopped(Some(pct("5"))));
    scene.tick(A, "100");
    scene.tick(A, "94");
    let edit = |scene: &mut Scene, loss| {
        let config = Box::new(config(stopped(loss)));
        scene.command(CommandBody::EditBot { bot: BOT, config, open_deals: true }).unwrap();
    };
    edit(&mut scene, None);
    scene.minutes(A, "94", 3);
    edit(&mut scene, Some(pct("5")));

    scene.tick(A, "94");
    assert_eq!(scene.ended().len(), 0);
    scene.minutes(A, "94", 2);
    assert_eq!(scene.ended(), ["stop_loss"]);
}

#[test]
fn an_exit_never_sells_the_coins_of_another_deal() {
    let setup = Setup {
        exchange: exchange::Settings { latency: Millis::new(700), ..Default::default() },
        ..Setup::default()
    };
    let mut scene = Scene::with(setup, Terms::default());
    scene.wait(5);
    let lonely = Draft { max_safety_orders: 0, active_safety_orders_count: None, ..draft() };
    let stopped = Draft { stop_loss_pct: Some(pct("5")), ..lonely.clone() };
    scene.create(BOT, stopped);
    // Its take profit trails, so its coins lie free.
    scene.create(OTHER, Draft { trailing_deviation_pct: Some(pct("1")), ..lonely });
    scene.tick(A, "100");
    scene.wait(5);

    scene.tick(A, "94");

    // The take profit is being taken back; until it is, nothing else is sold.
    let is_close = |why: &&Why| matches!(why, Why::Placed { slot: Slot::CLOSE, .. });
    assert_eq!(scene.whys.iter().filter(is_close).count(), 0);
    scene.wait(5);
    assert_eq!(scene.whys.iter().filter(is_close).count(), 1, "{:#?}", scene.whys);
    assert_eq!(scene.ended(), ["stop_loss"]);
}

#[test]
fn a_command_that_comes_twice_is_carried_out_once() {
    let mut scene = Scene::new();
    let config = Box::new(config(draft()));
    let create =
        Command { id: CommandId::new(500), body: CommandBody::CreateBot { bot: BOT, config } };
    scene.driver.command(OURS, create.clone());
    scene.driver.command(OURS, create.clone());
    scene.evict();
    scene.driver.command(OURS, create);
    scene.listen();

    let verdicts = scene.told.iter().filter(|told| matches!(told, Told::Verdict { .. })).count();
    assert_eq!((verdicts, scene.account().bots.len()), (1, 1));
}

#[test]
fn each_command_that_cannot_be_carried_out_says_why() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    let deal = FIRST_DEAL;
    let strange = Draft { pairs: vec![Symbol::parse("CCC/USDT").unwrap()], ..draft() };
    let strange = Box::new(config(strange));
    let other = Box::new(config(on_b()));
    let plain = Box::new(config(draft()));
    let cases = [
        (CommandBody::CreateBot { bot: BOT, config: plain.clone() }, "exists already"),
        (CommandBody::CreateBot { bot: OTHER, config: strange }, "does not list"),
        (CommandBody::EditBot { bot: OTHER, config: plain, open_deals: false }, "no bot"),
        (CommandBody::EditBot { bot: BOT, config: other, open_deals: false }, "no deal is open"),
        (CommandBody::DeleteBot { bot: BOT }, "a deal is open"),
        (CommandBody::DeleteBot { bot: OTHER }, "no bot"),
        (CommandBody::PauseEntries { scope: Scope::Bot(OTHER) }, "no bot"),
        (CommandBody::StartBot { bot: OTHER }, "no bot"),
        (CommandBody::StartDeal { bot: BOT, instrument: A }, "the most that the bot allows"),
        (CommandBody::CancelDeal { bot: BOT, deal: DealNo::new(9) }, "no open deal 9"),
        (CommandBody::CloseDeal { bot: OTHER, deal }, "no open deal 1"),
    ];
    for (body, why) in cases {
        let verdict = scene.command(body.clone()).unwrap_err();
        assert!(verdict.contains(why), "{body:?}: {verdict}");
    }
    scene.command(CommandBody::StopBot { bot: BOT }).unwrap();
    let start = CommandBody::StartDeal { bot: BOT, instrument: A };
    assert!(scene.command(start).unwrap_err().contains("stopped"));
}

#[test]
fn kill_levels_stop_more_and_more() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");

    scene.command(CommandBody::Kill { level: KillLevel::PauseEntries }).unwrap();
    assert_eq!(scene.open().len(), 3);
    scene.command(CommandBody::Kill { level: KillLevel::CancelEntries }).unwrap();
    assert_eq!(scene.open().len(), 1);
    // A lower level does not lift a higher one.
    scene.command(CommandBody::Kill { level: KillLevel::PauseEntries }).unwrap();
    assert_eq!(scene.open().len(), 1);
    scene.command(CommandBody::Kill { level: KillLevel::CloseAll }).unwrap();
    assert_eq!((scene.open().len(), scene.ended()), (0, vec!["closed_by_command".to_owned()]));
    scene.tick(A, "100");
    assert_eq!(scene.open().len(), 0);

    scene.command(CommandBody::Rearm).unwrap();
    scene.tick(A, "100");
    assert_eq!(scene.open().len(), 3);
}

#[test]
fn a_stopped_bot_ends_its_deal_and_opens_none() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.command(CommandBody::StopBot { bot: BOT }).unwrap();

    scene.tick(A, "98.9");
    assert_eq!(scene.deal(BOT).levels.count(), 1);
    scene.tick(A, "103");
    scene.tick(A, "103");

    assert_eq!((scene.ended().len(), scene.open().len()), (1, 0));
}

#[test]
fn a_bot_stops_after_its_number_of_deals() {
    let mut scene = Scene::new();
    scene.create(BOT, Draft { stop_after_deals: Some(2), ..draft() });
    for price in ["100", "103", "106", "109", "112"] {
        scene.tick(A, price);
    }

    assert_eq!(scene.ended().len(), 2);
    assert_eq!(scene.bot(BOT).head.status, BotStatus::Stopped);
    let verdict = scene.command(CommandBody::StartBot { bot: BOT });
    assert!(verdict.is_err_and(|why| why.contains("raise stop_after_deals")));
}

#[test]
fn a_watched_order_below_the_stop_is_not_bought_while_the_stop_waits() {
    let mut scene = Scene::new();
    let patient = Draft {
        active_safety_orders_count: Some(0),
        safety_order_step_pct: pct("8"),
        stop_loss_pct: Some(pct("5")),
        stop_loss_reference: StopLossReference::Average,
        stop_loss_timeout_seconds: 60,
        ..draft()
    };
    scene.create(BOT, patient);
    scene.tick(A, "100");

    scene.tick(A, "91");
    scene.tick(A, "91");

    let triggered = |why: &Why| matches!(why, Why::SafetyTriggered { .. });
    assert!(!scene.whys.iter().any(triggered), "{:#?}", scene.whys);
    scene.minutes(A, "91", 2);
    assert_eq!(scene.ended().first().map(String::as_str), Some("stop_loss"));
}

#[test]
fn bots_share_the_places_of_an_instrument() {
    let mut rules = instrument(A, "AAA/USDT");
    rules.filters.push(Filter::MaxNumOrders { limit: 4 });
    let mut scene = Scene::on(vec![rules], Setup::default(), Terms::default());
    scene.create(BOT, draft());
    scene.create(OTHER, draft());
    scene.tick(A, "100");
    scene.minutes(A, "100", 1);

    assert_eq!(scene.open().len(), 4, "{:?}", scene.open());
    let refused = |why: &Why| matches!(why, Why::Refused { .. });
    assert!(!scene.whys.iter().any(refused), "{:?}", scene.whys);
}

#[test]
fn bots_of_an_account_do_not_trade_with_each_other() {
    let mut scene = Scene::new();
    scene.create(BOT, Draft { max_safety_orders: 0, active_safety_orders_count: None, ..draft() });
    scene.tick(A, "100");
    // The take profit of the first stands at 102.21; a buy at 103 would meet it.
    let limit = Draft { base_order_type: BaseOrderType::Limit, ..draft() };
    scene.create(OTHER, limit);
    let setup_price = scene.driver.exchange.last_price(A);
    assert_eq!(setup_price, Some(price("100")));
    scene.driver.exchange.set_status(A, TradingStatus::Halted, scene.driver.now());
    scene.tick(A, "103");

    let blocked = |why: &Why| matches!(why, Why::Blocked { reason: BlockReason::SelfCross, .. });
    assert!(scene.whys.iter().any(blocked), "{:?}", scene.whys);
}

#[test]
fn a_limit_entry_without_funds_is_tried_ever_more_rarely() {
    let mut scene = Scene::with(Setup::default(), Terms { funds: 50, ..Terms::default() });
    scene.create(BOT, Draft { base_order_type: BaseOrderType::Limit, ..draft() });

    scene.minutes(A, "100", 180);

    let opened = scene.whys.iter().filter(|why| matches!(why, Why::DealOpened { .. })).count();
    assert!((3..14).contains(&opened), "{opened} deals in three hours");
    scene.driver.exchange.deposit(OURS, asset("USDT"), quote("1000").amount()).unwrap();
    scene.minutes(A, "100", 40);
    scene.tick(A, "99");
    let is_filled = |why: &Why| matches!(why, Why::BaseFilled { .. });
    assert!(scene.whys.iter().any(is_filled), "{:?}", scene.whys);
}

#[test]
fn losses_of_a_day_end_its_entries() {
    let mut scene = Scene::new();
    scene.create(BOT, Draft { stop_loss_pct: Some(pct("5")), ..draft() });
    let risk = RiskLimits { daily_loss_max: Some(quote("10")), ..RiskLimits::default() };
    scene.command(CommandBody::SetRisk(risk)).unwrap();
    scene.tick(A, "100");
    scene.tick(A, "94");
    assert_eq!(scene.ended(), ["stop_loss"]);

    scene.minutes(A, "94", 2);
    assert_eq!(scene.open().len(), 0, "{:?}", scene.open());

    scene.wait(86_400);
    scene.tick(A, "94");
    assert_eq!(scene.open().len(), 3, "{:?}", scene.open());
}

#[test]
fn what_is_too_little_to_be_sold_is_dust() {
    let mut scene = Scene::new();
    scene.create(BOT, Draft { max_safety_orders: 0, active_safety_orders_count: None, ..draft() });
    scene.tick(A, "100");
    scene.tick(A, "103");

    // One coin less a fee of a thousandth; three digits can be sold.
    assert_eq!(scene.ended(), ["take_profit"]);
    assert_eq!(scene.bot(BOT).head.dust(asset("AAA")), Qty::ZERO);

    // The next deal began at once: 0.970 coins, less 0.00097.
    scene.tick(A, "106");
    assert_eq!(scene.ended().len(), 2);
    let dust = scene.bot(BOT).head.dust(asset("AAA"));
    assert!(dust.is_positive() && dust < Qty::parse("0.001").unwrap(), "{dust}");
}

#[test]
fn a_stop_goes_before_the_take_profit_and_says_how_long_that_took() {
    let exchange =
        exchange::Settings { latency: Millis::new(700), ..exchange::Settings::default() };
    let mut scene = Scene::with(Setup { exchange, ..Setup::default() }, Terms::default());
    scene.wait(5);
    scene.create(BOT, Draft { stop_loss_pct: Some(pct("5")), ..draft() });
    scene.tick(A, "100");
    scene.wait(5);

    scene.tick(A, "94");
    scene.wait(5);

    assert_eq!(scene.ended(), ["stop_loss"]);
    let waited = scene
        .whys
        .iter()
        .find_map(|why| if let Why::ExitPreempted { waited } = why { Some(*waited) } else { None });
    assert_eq!(waited, Some(Millis::new(700)));
}

#[test]
fn a_market_order_larger_than_the_market_takes_goes_out_in_parts() {
    let mut rules = instrument(A, "AAA/USDT");
    let qty = |text| Qty::parse(text).unwrap();
    rules.filters.push(Filter::MarketLotSize { min: Qty::ZERO, max: qty("1.5"), step: Qty::ZERO });
    let mut scene = Scene::on(vec![rules], Setup::default(), Terms::default());
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.tick(A, "97.9");
    assert_eq!(scene.deal(BOT).levels.count(), 2);
    scene.command(CommandBody::StopBot { bot: BOT }).unwrap();

    scene.command(CommandBody::CloseDeal { bot: BOT, deal: FIRST_DEAL }).unwrap();
    scene.minutes(A, "97.9", 1);

    assert_eq!(scene.ended(), ["closed_by_command"]);
    let dust = scene.bot(BOT).head.dust(asset("AAA"));
    assert!(dust < qty("0.001"), "{dust}");
}

fn quote(text: &str) -> Quote {
    Quote::parse(text).unwrap()
}

/// A tick so fine that no price of the instrument can be held.
fn impossible() -> Instrument {
    let mut rules = instrument(A, "AAA/USDT");
    rules.tick = Price::parse("0.0000000000000000000000000007").unwrap();
    rules
}

fn on_b() -> Draft {
    Draft { pairs: vec![Symbol::parse("BBB/USDT").unwrap()], ..draft() }
}
