//! What is known, and when: commits, lost requests and answers, the order of facts.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use tranche_model::{
    candle::Tick,
    filter::Filter,
    ids::{BotId, Epoch, Seq},
    instrument::Instrument,
    money::Qty,
    order::Side,
    record::{Batch, Call, CallLane},
    time::{Millis, Timestamp},
};
use tranche_sim::{
    driver::Setup,
    exchange,
    line::{CallFault, EventFault, LinePlan},
    memory::{CommitError, CommitFault},
};
use tranche_trading::{
    dca::Draft,
    event::{CommandBody, Event},
    shard::{Input, Options, Output, Shard},
    why::Why,
};

use crate::{
    books,
    scene::{A, BOT, OURS, Scene, THEIRS, Terms, draft, instrument, pct, price},
};

#[test]
fn a_commit_whose_answer_is_lost_doubles_nothing() {
    for ahead in 1..8 {
        for fault in [CommitFault::ApplyLoseReply, CommitFault::Lose, CommitFault::Fail] {
            let mut scene = Scene::new();
            scene.create(BOT, draft());
            scene.next_commit(ahead, fault);
            scene.tick(A, "100");
            scene.minutes(A, "100", 2);
            scene.tick(A, "98.5");
            scene.minutes(A, "98.5", 2);

            assert_eq!(scene.open().len(), 2, "{fault:?} {ahead} {:?}", scene.open());
            assert_eq!(scene.deal(BOT).levels.count(), 1);
            books::always(&scene.driver, OURS, books::Disturbed::default()).unwrap();
            books::quiet(&scene.driver, OURS).unwrap();
        }
    }
}

#[test]
fn a_stale_epoch_cannot_commit() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    let stored = scene.driver.memory.memory().stored(OURS).unwrap();
    let (epoch, seq) = (stored.epoch, stored.seq);
    scene.evict();
    let before = scene.driver.memory.memory().clone();

    let batch = batch(epoch, seq);
    let verdict = scene.driver.memory.memory_mut().commit(&batch);

    assert!(matches!(verdict, Err(CommitError::Stale { .. })), "{verdict:?}");
    assert_eq!(*scene.driver.memory.memory(), before);
}

#[test]
fn nothing_leaves_before_its_commit_is_confirmed() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    let (shard, now) = (&mut scene.driver.shard, Timestamp::from_ms(2_000_000));
    let event = Box::new(Event::Granted { lane: CallLane::Entry, places: 100 });
    let mut out = Vec::new();
    shard.step(Input::Event { account: OURS, event }, now, &mut out);
    shard.step(Input::Tick(tick_at("100", now)), now, &mut out);
    shard.flush(&mut out);
    let [Output::Commit { ticket, batch }] = &out[..] else { panic!("{out:?}") };
    assert_eq!(batch.intents.len(), 1);

    // A later step does not overtake.
    let mut later = Vec::new();
    shard.step(Input::Time, now.plus(Millis::from_secs(1)), &mut later);
    shard.flush(&mut later);
    assert!(!later.iter().any(is_place));

    let mut after = Vec::new();
    shard.step(Input::Committed(*ticket), now, &mut after);
    assert_eq!(after.iter().filter(|output| is_place(output)).count(), 1);
}

#[test]
fn without_a_grant_a_slot_waits_and_nothing_is_written() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    let (shard, now) = (&mut scene.driver.shard, Timestamp::from_ms(2_000_000));
    let mut out = Vec::new();
    shard.step(Input::Tick(tick_at("100", now)), now, &mut out);
    shard.flush(&mut out);
    let [Output::Commit { ticket, batch }] = &out[..] else { panic!("{out:?}") };
    let ticket = *ticket;
    assert!(batch.intents.is_empty());
    assert!(shard.account(OURS).unwrap().bots[&BOT].lanes[0].seats[0].queued);

    let mut after = Vec::new();
    shard.step(Input::Committed(ticket), now, &mut after);
    assert!(after.iter().any(|output| matches!(output, Output::Ask { places: 1, .. })));

    let event = Box::new(Event::Granted { lane: CallLane::Entry, places: 1 });
    let mut granted = Vec::new();
    shard.step(Input::Event { account: OURS, event }, now, &mut granted);
    shard.flush(&mut granted);
    let [Output::Commit { batch, .. }] = &granted[..] else { panic!("{granted:?}") };
    assert_eq!(batch.intents.len(), 1);
}

#[test]
fn a_failed_commit_sends_nothing() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    let calls = scene.driver.line.counts().0;
    scene.next_commit(1, CommitFault::Fail);

    scene.tick(A, "100");

    // The order of the failed commit is not among the stored ones, and no id was used twice.
    books::always(&scene.driver, OURS, books::Disturbed::default()).unwrap();
    assert!(calls < scene.driver.line.counts().0);
}

#[test]
fn a_lost_request_is_proved_lost_before_it_is_repeated() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.next_call(1, CallFault::LoseRequest);
    scene.tick(A, "100");
    let sent = scene.driver.now();

    // Known as unknown after 10 s; 3 s to leave, 2 s to arrive, 10 s to be worked on; then three
    // answers over 30 s.
    while scene.orders_placed() == 1 {
        scene.wait(1);
        assert!(scene.driver.now().since(sent) < Millis::from_secs(60), "{:?}", scene.whys);
    }

    assert!(Millis::from_secs(45) <= scene.driver.now().since(sent));
    assert!(scene.whys.iter().any(|why| matches!(why, Why::ProvedNotPlaced { .. })));
    scene.wait(1);
    assert_eq!(scene.open().len(), 3);
}

#[test]
fn a_request_that_arrives_after_its_owner_died_is_found() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.next_call(1, CallFault::LateRequest(Millis::from_secs(4)));
    scene.tick(A, "100");

    // The new owner finds nothing at first, and waits until nothing can arrive any more.
    scene.evict();
    scene.minutes(A, "100", 3);

    assert_eq!(scene.orders_placed(), 4, "{:?}", scene.whys);
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn reads_that_lag_do_not_prove_an_order_lost() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    let calls = scene.driver.line.counts().0;
    let plan = scene.driver.line.plan_mut();
    plan.calls.insert(calls + 1, CallFault::LoseReply);
    for ahead in 2..6 {
        plan.calls.insert(calls + ahead, CallFault::LaggingRead(Millis::from_secs(12)));
    }
    for ahead in 1..10 {
        scene.next_event(ahead, EventFault::Drop);
    }
    scene.tick(A, "100");
    scene.minutes(A, "100", 3);

    assert_eq!(scene.orders_placed(), 4, "{:?}", scene.whys);
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn a_lost_answer_is_found_and_nothing_is_placed_twice() {
    for drops in [0, 10] {
        let mut scene = Scene::new();
        scene.create(BOT, draft());
        scene.next_call(1, CallFault::LoseReply);
        for ahead in 1..=drops {
            scene.next_event(ahead, EventFault::Drop);
        }
        scene.tick(A, "100");
        scene.wait(30);

        assert_eq!(scene.orders_placed(), 4, "{:?}", scene.whys.len());
        assert_eq!(scene.open().len(), 3);
        books::quiet(&scene.driver, OURS).unwrap();
    }
}

#[test]
fn that_nobody_could_be_asked_is_no_evidence() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    let calls = scene.driver.line.counts().0;
    for ahead in 1..400 {
        scene.driver.line.plan_mut().calls.insert(calls + ahead, CallFault::LoseRequest);
    }
    scene.tick(A, "100");
    scene.minutes(A, "100", 30);

    assert_eq!(scene.orders_placed(), 1);
    let order = scene.lane(BOT).orders().next().unwrap().1;
    assert_eq!(order.evidence().unwrap().not_found, 0);
}

#[test]
fn a_cancel_that_comes_too_late_closes_the_deal_by_its_fill() {
    let latency = exchange::Settings { latency: Millis::new(400), ..Default::default() };
    let mut scene = Scene::with(Setup { exchange: latency, ..Setup::default() }, Terms::default());
    scene.wait(2);
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.wait(3);
    let deal = scene.deal(BOT).no;

    scene.command(CommandBody::CloseDeal { bot: BOT, deal }).unwrap();
    let at = scene.driver.now().plus(Millis::new(100));
    scene.driver.tick(&tick_at("103", at));
    scene.wait(10);

    assert_eq!(scene.ended().len(), 1);
    assert_eq!(sold_orders(&scene), 1);
    assert!(scene.open().iter().all(|line| line.contains("take profit") || line.contains("buy")));
}

#[test]
fn an_end_before_its_executions_waits_for_them() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    // The executions of the take profit come four seconds after its end.
    scene.next_event(2, EventFault::Delay(Millis::from_secs(4)));
    scene.tick(A, "103");
    assert_eq!(scene.ended().len(), 0);

    scene.wait(5);

    assert_eq!(scene.ended(), ["take_profit"]);
    books::always(&scene.driver, OURS, books::Disturbed::default()).unwrap();
}

#[test]
fn events_before_the_answer_count() {
    let line = LinePlan { events_first: true, ..LinePlan::default() };
    let mut scene = Scene::with(Setup { line, ..Setup::default() }, Terms::default());
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.tick(A, "103");

    assert_eq!(scene.ended(), ["take_profit"]);
    books::always(&scene.driver, OURS, books::Disturbed::default()).unwrap();
}

#[test]
fn every_event_twice_changes_nothing() {
    let run = |twice: bool| {
        let mut scene = Scene::new();
        scene.create(BOT, draft());
        if twice {
            for ahead in 1..1000 {
                scene.next_event(ahead, EventFault::Double);
            }
        }
        for price in ["100", "98.9", "97.5", "100.5", "103", "99", "104"] {
            scene.tick(A, price);
            scene.wait(3);
        }
        let stored = scene.driver.memory.memory().stored(OURS).unwrap().clone();
        let totals: Vec<_> = scene.account().desk.ledger.totals().collect();
        (stored.intents, stored.fills, stored.deals, totals)
    };

    assert_eq!(run(false), run(true));
}

#[test]
fn a_peak_outlives_its_owner() {
    let trailing =
        Draft { trailing_deviation_pct: Some(pct("2")), take_profit_pct: pct("3"), ..draft() };
    let mut scene = Scene::new();
    scene.create(BOT, trailing);
    scene.tick(A, "100");
    scene.tick(A, "104");
    scene.tick(A, "110");
    scene.tick(A, "109");

    scene.evict();
    scene.wait(1);
    scene.tick(A, "107.81");
    assert_eq!(scene.ended().len(), 0);
    scene.tick(A, "107.79");

    assert_eq!(scene.ended(), ["trailing_take_profit"]);
}

#[test]
fn a_peak_that_was_not_written_down_is_read_from_the_highs() {
    let trailing =
        Draft { trailing_deviation_pct: Some(pct("2")), take_profit_pct: pct("3"), ..draft() };
    let mut scene = Scene::new();
    scene.create(BOT, trailing);
    // The first rise is written down at once, the second within a minute.
    for price in ["100", "104", "110", "112", "111"] {
        scene.tick(A, price);
    }
    assert_eq!(scene.deal(BOT).peak().map(|peak| peak.price), Some(price("110")));

    scene.evict();
    scene.wait(1);
    scene.tick(A, "109.8");
    assert_eq!(scene.ended().len(), 0);
    scene.tick(A, "109.7");

    assert_eq!(scene.ended(), ["trailing_take_profit"]);
}

#[test]
fn prices_ten_times_as_high_lead_to_the_same_decisions() {
    let run = |ten: bool| {
        let scale = |text: &str| {
            let price = price(text);
            let factor = if ten { Decimal::TEN } else { Decimal::ONE };
            price.scaled(factor).unwrap().to_string()
        };
        let mut rules = instrument(A, "AAA/USDT");
        if ten {
            rules = scaled(rules);
        }
        let terms = Terms { funds: if ten { 100_000 } else { 10_000 }, ..Terms::default() };
        let mut scene = Scene::on(vec![rules], Setup::default(), terms);
        let mut plan = draft();
        if ten {
            plan.base_order_volume = plan.base_order_volume.scaled(10.into()).unwrap();
            plan.safety_order_volume = plan.safety_order_volume.scaled(10.into()).unwrap();
        }
        scene.create(BOT, plan);
        for price in ["100", "98.9", "97.5", "100.5", "103", "99", "104", "95"] {
            scene.tick(A, &scale(price));
        }
        let stored = scene.driver.memory.memory().stored(OURS).unwrap();
        let orders = stored
            .intents
            .iter()
            .map(|row| (row.at, row.request.client_id, row.request.kind.qty()));
        orders.collect::<Vec<_>>()
    };

    assert_eq!(run(false), run(true));
}

#[test]
fn a_stranger_on_another_account_changes_nothing() {
    let run = |beside: bool| {
        let mut scene = Scene::new();
        scene.create(BOT, draft());
        if beside {
            scene.open_account(THEIRS, Terms::default());
            scene.create_for(THEIRS, BOT, Draft { take_profit_pct: pct("1"), ..draft() });
        }
        for price in ["100", "98.9", "97.5", "100.5", "103", "99", "104"] {
            scene.tick(A, price);
        }
        scene.driver.memory.memory().stored(OURS).unwrap().intents.clone()
    };

    assert_eq!(run(false), run(true));
}

#[test]
fn a_burst_is_stepped_in_chunks_with_protective_exits_first() {
    const MANY: u32 = 10_000;
    const CHUNK: usize = 500;
    let shard = Options { chunk: CHUNK, ..Options::default() };
    let terms = Terms { funds: 10_000_000, ..Terms::default() };
    let mut scene = Scene::with(Setup { shard, ..Setup::default() }, terms);
    let stopped = Draft { stop_loss_pct: Some(pct("3")), ..lonely() };
    for bot in 1..=MANY {
        scene.create(BotId::new(bot), if bot % 2 == 0 { stopped.clone() } else { watched() });
    }
    scene.tick(A, "100");

    let (shard, now) = (&mut scene.driver.shard, Timestamp::from_ms(2_000_000));
    let mut out = Vec::new();
    shard.step(Input::Tick(tick_at("96.9", now)), now, &mut out);
    let mut kinds = Vec::new();
    loop {
        let has_more = shard.has_more();
        shard.flush(&mut out);
        for output in std::mem::take(&mut out) {
            if let Output::Commit { ticket, batch } = output {
                assert!(batch.journal.len() <= CHUNK);
                shard.step(Input::Committed(ticket), now, &mut out);
            }
        }
        kinds.extend(out.drain(..).filter_map(|output| is_stop(&output)));
        if !has_more {
            break;
        }
        shard.step(Input::More, now, &mut out);
    }

    assert_eq!(kinds.len(), 10_000);
    assert!(kinds.is_sorted_by(|one, other| one >= other));
}

#[test]
fn an_exit_in_need_overtakes_a_burst_that_waits() {
    let shard = Options { chunk: 1, ..Options::default() };
    let mut scene = Scene::with(Setup { shard, ..Setup::default() }, Terms::default());
    scene.create(BotId::new(1), watched());
    scene.create(BotId::new(2), watched());
    scene.create(BotId::new(3), Draft { stop_loss_pct: Some(pct("3")), ..lonely() });
    scene.tick(A, "100");

    let (shard, now) = (&mut scene.driver.shard, Timestamp::from_ms(2_000_000));
    let mut out = Vec::new();
    shard.step(Input::Tick(tick_at("98.9", now)), now, &mut out);
    assert!(shard.has_more());
    shard.step(Input::Tick(tick_at("96", now)), now, &mut out);
    while shard.has_more() {
        shard.step(Input::More, now, &mut out);
    }
    let kinds: Vec<bool> = decisions(shard, now, out);

    assert_eq!(kinds, [false, true, false]);
}

#[test]
fn a_gap_takes_the_price_from_those_that_wait() {
    let shard = Options { chunk: 1, ..Options::default() };
    let mut scene = Scene::with(Setup { shard, ..Setup::default() }, Terms::default());
    scene.create(BotId::new(1), watched());
    scene.create(BotId::new(2), watched());
    scene.tick(A, "100");

    let (shard, now) = (&mut scene.driver.shard, Timestamp::from_ms(2_000_000));
    let mut out = Vec::new();
    shard.step(Input::Tick(tick_at("98.9", now)), now, &mut out);
    shard.step(Input::Gap(A), now, &mut out);
    while shard.has_more() {
        shard.step(Input::More, now, &mut out);
    }
    let before = decisions(shard, now, std::mem::take(&mut out));
    assert_eq!(before, [false]);

    // It still waits for its level, and a fresh price tells it.
    shard.step(Input::Tick(tick_at("98.8", now)), now, &mut out);
    while shard.has_more() {
        shard.step(Input::More, now, &mut out);
    }
    assert_eq!(decisions(shard, now, out), [false]);
}

/// Commits what was stepped; the stops and safety orders that were decided on, in order.
fn decisions(shard: &mut Shard, now: Timestamp, mut out: Vec<Output>) -> Vec<bool> {
    let mut kinds = Vec::new();
    shard.flush(&mut out);
    while !out.is_empty() {
        for output in std::mem::take(&mut out) {
            kinds.extend(is_stop(&output));
            if let Output::Commit { ticket, .. } = output {
                shard.step(Input::Committed(ticket), now, &mut out);
            }
        }
    }
    kinds
}

#[test]
fn places_that_nobody_needs_are_handed_back() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    let (shard, now) = (&mut scene.driver.shard, Timestamp::from_ms(2_000_000));
    let event = Box::new(Event::Granted { lane: CallLane::Exit, places: 10 });
    let mut out = Vec::new();
    shard.step(Input::Event { account: OURS, event }, now, &mut out);
    shard.flush(&mut out);
    let [Output::Commit { ticket, .. }] = out[..] else { panic!("{out:?}") };

    let mut after = Vec::new();
    shard.step(Input::Committed(ticket), now, &mut after);
    let back = Output::HandBack { account: OURS, lane: CallLane::Exit, places: 6 };
    assert!(after.contains(&back), "{after:?}");
}

/// Whether a decision was a stop; `None` for other news than stops and safety orders.
fn is_stop(output: &Output) -> Option<bool> {
    let Output::Why { record, .. } = output else { return None };
    let is_stop = matches!(record.why, Why::StopFired { .. });
    (is_stop || matches!(record.why, Why::SafetyTriggered { .. })).then_some(is_stop)
}

fn tick_at(at: &str, now: Timestamp) -> Tick {
    Tick { instrument: A, price: price(at), qty: Qty::ZERO, at: now }
}

fn is_place(output: &Output) -> bool {
    matches!(output, Output::Call { call: Call::Place { .. }, .. })
}

fn lonely() -> Draft {
    Draft { max_safety_orders: 0, active_safety_orders_count: None, ..draft() }
}

fn watched() -> Draft {
    Draft { active_safety_orders_count: Some(0), ..draft() }
}

fn sold_orders(scene: &Scene) -> usize {
    let stored = scene.driver.memory.memory().stored(OURS).unwrap();
    let sold = stored.fills.values().filter(|row| row.fill.side == Side::Sell);
    sold.map(|row| row.fill.client_id).collect::<BTreeSet<_>>().len()
}

fn scaled(mut rules: Instrument) -> Instrument {
    for filter in &mut rules.filters {
        if let Filter::Price { min, max, tick } = filter {
            for price in [min, max, tick] {
                *price = price.scaled(Decimal::TEN).unwrap();
            }
        } else if let Filter::MinNotional { min, .. } = filter {
            *min = min.scaled(Decimal::TEN).unwrap();
        }
    }
    Instrument::new(rules.id, rules.symbol, rules.filters)
}

fn batch(epoch: Epoch, seq: Seq) -> Batch {
    Batch {
        account: OURS,
        epoch,
        seq_before: seq,
        seq: seq.next(),
        journal: Vec::new(),
        snapshots: Vec::new(),
        intents: Vec::new(),
        fills: Vec::new(),
        deals: Vec::new(),
        verdicts: Vec::new(),
    }
}
