//! What a hostile reader found: rare orders of events that cost money or stop a bot for ever.

use rust_decimal::Decimal;
use tranche_model::{
    asset::Symbol,
    balance::Balance,
    candle::Tick,
    fill::{Fee, Fill, Liquidity},
    filter::Filter,
    ids::{BotId, CommandId, Epoch, Seq, Slot, TradeId},
    instrument::{Instrument, Instruments},
    money::{Amount, Fraction, Qty},
    order::{OrderKind, OrderReport, OrderStatus, Side, TimeInForce},
    record::{Answer, Call, Outcome, PrivateEvent, Reply},
    time::{Millis, Timestamp},
};
use tranche_sim::{
    driver::Setup,
    exchange::{self, Hand},
    line::{CallFault, EventFault},
    memory::CommitFault,
    replay::{Entry, Header, Verifier},
};
use tranche_trading::{
    account::AccountState,
    dca::Draft,
    event::{Command, CommandBody, Event, KillLevel, Scope},
    order::{Cancel, Stage},
    shard::{Durability, Input, Options, Shard},
    why::Why,
};

use crate::scene::{
    A, B, BOT, OURS, Scene, Terms, asset, config, draft, instrument, pct, price, settings,
};

const OTHER: BotId = BotId::new(8);

#[test]
fn a_watched_safety_order_that_was_passed_while_entries_rested_is_looked_at_anew() {
    let ends = [
        (
            CommandBody::PauseEntries { scope: Scope::Account },
            CommandBody::Resume { scope: Scope::Account },
        ),
        (
            CommandBody::PauseEntries { scope: Scope::Bot(BOT) },
            CommandBody::Resume { scope: Scope::Bot(BOT) },
        ),
        (CommandBody::Kill { level: KillLevel::PauseEntries }, CommandBody::Rearm),
    ];
    for (end, begin) in ends {
        let mut scene = Scene::new();
        scene.create(BOT, Draft { active_safety_orders_count: Some(0), ..draft() });
        scene.tick(A, "100");
        scene.command(end.clone()).unwrap();
        scene.tick(A, "98.9");
        scene.tick(A, "100.5");
        scene.wait(60);
        scene.command(begin.clone()).unwrap();
        scene.tick(A, "100.5");
        assert_eq!(scene.deal(BOT).levels.count(), 0, "{end:?}: bought at 100.5 what waits for 99");

        // When the price is there again, it is bought.
        scene.tick(A, "98.9");
        assert_eq!(scene.deal(BOT).levels.count(), 1, "{end:?}");
    }
}

#[test]
fn a_watched_safety_order_is_not_bought_because_the_stream_is_back() {
    let mut scene = Scene::new();
    scene.create(BOT, Draft { active_safety_orders_count: Some(0), ..draft() });
    scene.tick(A, "100");
    scene.driver.stream(OURS, false);
    scene.tick(A, "98.9");
    scene.tick(A, "100.5");
    scene.wait(30);
    scene.driver.stream(OURS, true);
    scene.wait(5);
    assert_eq!(scene.deal(BOT).levels.count(), 0, "{:#?}", scene.whys);
}

#[test]
fn an_instrument_whose_trades_were_refused_once_is_asked_until_it_answers() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    // The take profit is filled; its fill comes late, and the first question about it is refused.
    scene.driver.line.plan_mut().unreadable.insert(A);
    for ahead in 1..8 {
        scene.next_event(ahead, EventFault::Delay(Millis::from_secs(4)));
    }
    let mut report = order_of(&scene, "take profit 1");
    report.status = OrderStatus::Filled;
    report.executed = report.kind.qty().unwrap();
    report.updated_at = scene.driver.now().plus(Millis::from_secs(1));
    scene.tick(A, "103");
    scene.driver.tell(OURS, Event::Private(PrivateEvent::Order(report)));
    scene.wait(3);
    assert!(scene.account().desk.unread.contains(&A), "{:#?}", scene.whys);
    scene.wait(5);
    assert_eq!(scene.ended(), ["take_profit"]);
    scene.driver.line.plan_mut().unreadable.clear();
    scene.minutes(A, "103", 10);

    assert!(scene.account().desk.unread.is_empty(), "nobody asks any more");
    assert_eq!(scene.open().len(), 3, "{:?}", scene.open());
}

#[test]
fn deposits_are_believed_although_another_instrument_is_unreadable() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.create(OTHER, on_b());
    scene.tick(A, "100");
    scene.driver.line.plan_mut().unreadable.insert(A);
    scene.evict();
    scene.wait(10);
    let calls = scene.driver.line.counts().0;
    let amount = Amount::new(Decimal::from(500));
    scene.driver.exchange.deposit(OURS, asset("USDT"), amount).unwrap();
    scene.minutes(B, "50", 20);

    let moved = |why: &&Why| matches!(why, Why::BalanceMoved { .. });
    assert_eq!(scene.whys.iter().filter(moved).count(), 1, "the deposit is never believed");
    let calls = scene.driver.line.counts().0 - calls;
    assert!(calls < 60, "{calls} calls in 20 quiet minutes");
}

#[test]
fn a_deal_that_ends_by_a_reading_makes_room_for_its_siblings() {
    let mut scene = Scene::new();
    let pairs = ["AAA/USDT", "BBB/USDT"].map(|pair| Symbol::parse(pair).unwrap()).to_vec();
    scene.create(
        BOT,
        Draft {
            pairs,
            max_active_deals: Some(1),
            cooldown_seconds: 3600,
            max_safety_orders: 0,
            active_safety_orders_count: None,
            ..draft()
        },
    );
    scene.tick(A, "100");
    scene.tick(B, "50");
    assert_eq!(scene.open().len(), 1);

    // The fill is not told, only that the order is filled.
    let mut report = order_of(&scene, "take profit 1");
    for ahead in 1..8 {
        scene.next_event(ahead, EventFault::Drop);
    }
    scene.tick(A, "103");
    report.status = OrderStatus::Filled;
    report.executed = report.kind.qty().unwrap();
    report.updated_at = scene.driver.now();
    scene.driver.tell(OURS, Event::Private(PrivateEvent::Order(report)));
    scene.wait(10);
    assert_eq!(scene.ended(), ["take_profit"]);
    for _ in 0..5 {
        scene.tick(B, "50");
        scene.wait(10);
    }
    assert!(scene.bot(BOT).lanes[1].deal.is_some(), "{:#?}", scene.whys);
}

#[test]
fn a_stop_does_not_wait_until_a_flaky_not_found_is_cleared_up() {
    let mut scene = Scene::new();
    scene.create(BOT, Draft { stop_loss_pct: Some(pct("5")), ..draft() });
    scene.tick(A, "100");
    scene.wait(60);
    scene.tick(A, "100");
    // The venue answers once that it knows no such order, though it rests.
    let order = order_of(&scene, "take profit 1");
    let call = Call::QueryOrder { client_id: order.client_id, instrument: A };
    let outcome = Outcome::Done(Answer::OrderNotFound);
    scene.driver.tell(OURS, Event::Reply(Reply { call, outcome }));
    let lane = scene.lane(BOT);
    let seat = lane.seat(Slot::TAKE_PROFIT).unwrap();
    assert!(matches!(seat.order.as_ref().unwrap().stage, Stage::Missing));

    scene.tick(A, "94");
    scene.wait(3);
    assert_eq!(scene.ended(), ["stop_loss"], "{:#?}", scene.whys);
}

#[test]
fn an_order_that_the_venue_has_forgotten_and_nobody_wants_is_given_up_after_its_proof() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    let order = order_of(&scene, "take profit 1");
    scene.next_event(1, EventFault::Drop);
    scene.next_event(2, EventFault::Drop);
    scene.driver.exchange.cancel(OURS, order.client_id, scene.driver.now()).unwrap();
    scene.driver.exchange.forget_closed_before(Timestamp::MAX);
    scene.wait(60);
    let deal = scene.deal(BOT).no;
    scene.command(CommandBody::StopBot { bot: BOT }).unwrap();
    scene.command(CommandBody::CloseDeal { bot: BOT, deal }).unwrap();
    scene.minutes(A, "100", 3);
    assert_eq!(scene.ended(), ["closed_by_command"], "{:#?}", scene.whys);
    let asked = |why: &&Why| matches!(why, Why::CancelAsked { slot: Slot::TAKE_PROFIT, .. });
    assert!(scene.whys.iter().filter(asked).count() < 10);
}

#[test]
fn a_late_fill_of_a_safety_order_that_was_replaced_ends_its_step() {
    let mut scene = Scene::new();
    scene.create(BOT, Draft { active_safety_orders_count: Some(1), ..draft() });
    scene.tick(A, "100");
    let former = order_of(&scene, "safety order 1");
    // It is cancelled, they say; the next one rests.
    scene.driver.exchange.cancel(OURS, former.client_id, scene.driver.now()).unwrap();
    scene.wait(10);
    let next = order_of(&scene, "safety order 1");
    assert_ne!(next.client_id, former.client_id);
    // It was filled before that: the fill comes now.
    let fill = fill_of(&former, 77_777, "99");
    scene.driver.tell(OURS, Event::Private(PrivateEvent::Fill(fill)));
    scene.wait(30);
    scene.listen();
    let lines = scene.open();
    assert!(lines.iter().any(|line| line.starts_with("safety order 2")), "{lines:?}");
    assert_eq!(scene.deal(BOT).levels.count(), 1);
}

#[test]
fn a_trailing_deal_that_gets_a_farther_target_is_not_armed_any_more() {
    let mut scene = Scene::new();
    let trailing = |target| Draft {
        trailing_deviation_pct: Some(pct("1")),
        take_profit_pct: pct(target),
        ..draft()
    };
    scene.create(BOT, trailing("2"));
    scene.tick(A, "100");
    scene.tick(A, "102.5");
    let new = Box::new(config(trailing("10")));
    scene.command(CommandBody::EditBot { bot: BOT, config: new, open_deals: true }).unwrap();
    scene.tick(A, "101");
    scene.wait(5);
    assert_eq!(scene.ended(), Vec::<String>::new(), "sold at 101 with a target of 10 %");
}

#[test]
fn rules_that_change_while_an_account_is_loaded_reach_its_deals() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    // The commit of the account's word on the new rules fails.
    scene.next_commit(1, CommitFault::Fail);
    scene.driver.change_rules(coarse());
    scene.wait(5);
    // A person takes the take profit back.
    let order = order_of(&scene, "take profit 1");
    scene.driver.exchange.cancel(OURS, order.client_id, scene.driver.now()).unwrap();
    scene.minutes(A, "100", 6);
    assert_eq!(scene.open().len(), 3, "{:?} {:#?}", scene.open(), scene.whys);
}

#[test]
fn a_fill_that_was_told_late_is_not_booked_again_with_its_order() {
    let exchange =
        exchange::Settings { volume_cap: Some(Fraction::ONE), ..exchange::Settings::default() };
    let mut scene = Scene::with(Setup { exchange, ..Setup::default() }, Terms::default());
    scene.create(BOT, Draft { active_safety_orders_count: Some(1), ..draft() });
    scene.tick(A, "100");
    // The store loses what comes now: safety order 1 is filled, and safety order 2 rests.
    let former = scene.driver.memory.memory().clone();
    scene.tick_with(A, "98.9", "5");
    let second = order_of(&scene, "safety order 2");
    *scene.driver.memory.memory_mut() = former;
    // The second is filled in part before the account is there again.
    scene.driver.shard.step(Input::Evict { account: OURS }, scene.driver.now(), &mut Vec::new());
    let tick = Tick {
        instrument: A,
        price: price("97.9"),
        qty: Qty::parse("0.5").unwrap(),
        at: scene.driver.now(),
    };
    scene.driver.exchange.trade(&tick);
    scene.evict();
    scene.wait(60);
    let fills = scene.driver.exchange.trades(OURS, A, Timestamp::MIN);
    let bought = fills.iter().fold(Qty::ZERO, |sum, fill| sum.plus(fill.qty).unwrap());
    assert!(fills.iter().any(|fill| fill.client_id == Some(second.client_id)), "{fills:?}");
    assert_eq!(scene.deal(BOT).position.bought, bought, "{:#?}", scene.whys);
}

#[test]
fn a_wake_for_a_lane_that_was_moved_does_not_reach_another_instrument() {
    let list = vec![instrument(A, "AAA/USDT"), instrument(B, "BBB/USDT")];
    let options = Options { durability: Durability::Volatile, chunk: 1, ..Options::default() };
    let mut shard = Shard::new(Instruments::new(list).unwrap().into(), options);
    let now = Timestamp::from_ms(1_000_000);
    let mut out = Vec::new();
    let own = Input::Own { account: OURS, settings: Box::new(settings(Terms::default())) };
    shard.step(own, now, &mut out);
    let loaded = Input::Loaded {
        account: OURS,
        epoch: Epoch::new(1),
        seq: Seq::new(0),
        snapshot: Box::default(),
    };
    shard.step(loaded, now, &mut out);
    let purse = Balance {
        asset: asset("USDT"),
        free: Amount::new(Decimal::from(10_000)),
        locked: Amount::ZERO,
    };
    for (call, answer) in [
        (Call::OpenOrders, Answer::OpenOrders { own: Vec::new(), foreign: Vec::new() }),
        (Call::Balances, Answer::Balances(vec![purse])),
    ] {
        let reply = Reply { call, outcome: Outcome::Done(answer) };
        tell(&mut shard, Event::Reply(reply), now);
    }
    let both = ["AAA/USDT", "BBB/USDT"].map(|pair| Symbol::parse(pair).unwrap()).to_vec();
    let on_both = Box::new(config(Draft { pairs: both, ..draft() }));
    for (id, body) in [
        (1, CommandBody::CreateBot { bot: OTHER, config: Box::new(config(draft())) }),
        (2, CommandBody::CreateBot { bot: BotId::new(9), config: on_both }),
    ] {
        tell(&mut shard, Event::Command(Command { id: CommandId::new(id), body }), now);
    }

    // One price wakes both bots on the first instrument, and the second of them waits for its turn.
    let tick = Tick { instrument: A, price: price("100"), qty: Qty::ZERO, at: now };
    shard.step(Input::Tick(tick), now, &mut out);
    assert!(shard.has_more());
    let bot = if shard.account(OURS).unwrap().bots[&OTHER].active_deals() == 0 {
        OTHER
    } else {
        BotId::new(9)
    };
    let edit = CommandBody::EditBot { bot, config: Box::new(config(on_b())), open_deals: false };
    tell(&mut shard, Event::Command(Command { id: CommandId::new(3), body: edit }), now);
    while shard.has_more() {
        shard.step(Input::More, now, &mut out);
    }

    let lane = &shard.account(OURS).unwrap().bots[&bot].lanes[0];
    assert_eq!(lane.instrument, B);
    assert!(lane.deal.is_none(), "opened on {B} at a price of {A}: {:?}", lane.deal);
}

#[test]
fn a_recording_holds_rules_whose_own_commit_failed() {
    let options = Options { record: true, ..Options::default() };
    let setup = Setup { shard: options, ..Setup::default() };
    let mut scene = Scene::with(setup, Terms::default());
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.next_commit(1, CommitFault::Fail);
    scene.driver.change_rules(coarse());
    scene.wait(5);
    scene.tick(A, "98.5");
    scene.tick(A, "103");
    scene.tick(A, "103");
    scene.listen();

    let instruments =
        Instruments::new(vec![instrument(A, "AAA/USDT"), instrument(B, "BBB/USDT")]).unwrap();
    let header = Header { written_by: "test".into(), market: "made up".into(), instruments };
    let mut verifier = Verifier::new(&header);
    for entry in scene.told.iter().filter_map(Entry::of) {
        verifier.repeat(&entry).unwrap_or_else(|difference| panic!("{difference}"));
    }
    assert!(10 < verifier.same);
}

#[test]
fn a_cancel_that_the_venue_only_takes_note_of_is_asked_for_again() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    let safety = order_of(&scene, "safety order 1");
    let deal = scene.deal(BOT).no;
    scene.command(CommandBody::StopBot { bot: BOT }).unwrap();
    // The answer shows the order as it was, and the cancel gets lost behind it.
    for ahead in 1..=3 {
        scene.next_call(ahead, CallFault::LoseRequest);
    }
    scene.command(CommandBody::CloseDeal { bot: BOT, deal }).unwrap();
    let call = Call::Cancel { client_id: safety.client_id, instrument: A };
    let outcome = Outcome::Done(Answer::Order { report: safety, fills: Vec::new() });
    scene.driver.tell(OURS, Event::Reply(Reply { call, outcome }));
    let lane = scene.lane(BOT);
    let order = lane.seat(safety.client_id.key().slot).unwrap().order.as_ref().unwrap();
    assert!(matches!(order.cancel(), Cancel::Again { .. }), "{order:?}");
    scene.wait(60);
    assert_eq!(scene.ended(), ["closed_by_command"]);
}

#[test]
fn funds_that_another_hand_locks_are_seen_at_the_first_refusal() {
    let mut scene = Scene::with(Setup::default(), Terms { funds: 250, ..Terms::default() });
    scene.create(BOT, Draft { active_safety_orders_count: Some(1), ..draft() });
    scene.tick(A, "100");
    // A person's order holds what the second safety order needs.
    let kind = OrderKind::Limit {
        price: price("50"),
        qty: Qty::parse("0.9").unwrap(),
        time_in_force: TimeInForce::GoodTillCancelled,
    };
    let hand = Hand { instrument: A, side: Side::Buy, kind };
    scene.driver.exchange.place_foreign(OURS, hand, scene.driver.now()).unwrap();
    let safety = order_of(&scene, "safety order 1").client_id;
    scene.driver.exchange.cancel(OURS, safety, scene.driver.now()).unwrap();
    let hand = Hand { instrument: B, side: Side::Buy, kind };
    scene.driver.exchange.place_foreign(OURS, hand, scene.driver.now()).unwrap();
    scene.wait(120);
    let refused = |why: &&Why| matches!(why, Why::Refused { .. });
    let refused = scene.whys.iter().filter(refused).count();
    assert!(refused <= 1, "refused {refused} times: {:#?}", scene.whys);
}

#[test]
fn fills_that_never_come_are_asked_for_ever_more_rarely() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    // The venue says that half of it was executed, and shows no execution.
    let mut report = order_of(&scene, "safety order 1");
    report.status = OrderStatus::PartiallyFilled;
    report.executed = Qty::parse("0.5").unwrap();
    report.updated_at = scene.driver.now();
    scene.driver.tell(OURS, Event::Private(PrivateEvent::Order(report)));
    let calls = scene.driver.line.counts().0;
    scene.minutes(A, "100", 30);
    let calls = scene.driver.line.counts().0 - calls;
    assert!((5..60).contains(&calls), "{calls} calls in half an hour");
}

#[test]
fn an_answer_from_before_the_stream_came_back_does_not_end_the_sync() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    // The degraded account lists its orders, and the answer takes its time.
    scene.next_call(1, CallFault::LateReply(Millis::from_secs(3)));
    scene.driver.stream(OURS, false);
    scene.wait(1);
    for ahead in 1..=6 {
        scene.next_call(ahead, CallFault::LateReply(Millis::from_secs(1)));
    }
    scene.driver.stream(OURS, true);
    // All that was asked now is answered, but for the list.
    scene.next_call(1, CallFault::LateReply(Millis::from_secs(5)));
    scene.wait(4);
    assert_eq!(scene.account().desk.state, AccountState::Syncing);
    scene.wait(10);
    assert_eq!(scene.account().desk.state, AccountState::Ready);
}

fn tell(shard: &mut Shard, event: Event, now: Timestamp) {
    let mut out = Vec::new();
    shard.step(Input::Event { account: OURS, event: Box::new(event) }, now, &mut out);
}

/// Ticks of half a unit.
fn coarse() -> Instrument {
    let mut filters = instrument(A, "AAA/USDT").filters;
    filters[0] = Filter::Price { min: price("0.5"), max: price("1000000"), tick: price("0.5") };
    Instrument::new(A, Symbol::parse("AAA/USDT").unwrap(), filters)
}

fn on_b() -> Draft {
    Draft { pairs: vec![Symbol::parse("BBB/USDT").unwrap()], ..draft() }
}

fn order_of(scene: &Scene, slot: &str) -> OrderReport {
    let orders = scene.driver.exchange.open_orders(OURS);
    orders.into_iter().find(|order| order.client_id.key().slot.to_string() == slot).unwrap()
}

fn fill_of(order: &OrderReport, trade: u128, at: &str) -> Fill {
    let qty = order.kind.qty().unwrap();
    Fill {
        trade_id: TradeId::new(trade),
        client_id: Some(order.client_id),
        venue_order_id: order.venue_id,
        instrument: order.instrument,
        side: order.side,
        price: price(at),
        qty,
        quote: price(at).times(qty).unwrap(),
        fee: Fee { asset: asset("USDT"), amount: Amount::ZERO, in_quote: None },
        liquidity: Liquidity::Maker,
        at: order.updated_at,
    }
}
