//! 1C: streams that go deaf, and prices that are none.

use tranche_model::{candle::Tick, money::Qty, time::Millis};
use tranche_trading::{account::AccountState, dca::Draft, why::Why};

use super::{
    all_agrees, calls_sent, count, holding, holding_with, intents, lonely, lose_calls, lose_events,
    mend, safety, watched,
};
use crate::scene::{A, BOT, OURS, Scene, draft, pct, price};

#[test]
fn f_036_without_a_private_stream_fills_are_read_each_minute() {
    let mut scene = holding();
    // The address of the stream is gone for good.
    scene.driver.stream(OURS, false);
    lose_events(&mut scene, 500);
    assert_eq!(scene.account().desk.state, AccountState::Degraded);

    scene.tick(A, "98.9");
    scene.wait(75);
    assert_eq!(scene.deal(BOT).levels.count(), 1);
    scene.tick(A, "102");
    scene.wait(75);

    assert_eq!(scene.ended(), ["take_profit"]);
    // No new deal without a stream.
    scene.minutes(A, "102", 5);
    assert_eq!(scene.open().len(), 0);
}

#[test]
fn f_037_a_peak_is_not_reset_by_a_broken_stream() {
    let trailing =
        Draft { trailing_deviation_pct: Some(pct("2")), take_profit_pct: pct("3"), ..lonely() };
    let mut scene = holding_with(trailing);
    scene.tick(A, "110");
    scene.wait(120);
    let peak = scene.deal(BOT).peak().map(|peak| peak.price);
    assert_eq!(peak, Some(price("110")));

    scene.driver.gap(A);
    scene.driver.stream(OURS, false);
    scene.evict();
    scene.driver.stream(OURS, true);
    scene.wait(600);
    scene.tick(A, "108");
    assert_eq!(scene.ended().len(), 0);
    assert_eq!(scene.deal(BOT).peak().map(|peak| peak.price), Some(price("110")));

    scene.tick(A, "107.7");
    assert_eq!(scene.ended(), ["trailing_take_profit"]);
}

#[test]
fn f_038_three_hours_without_a_packet_end_within_a_minute_of_the_repair() {
    for minutes in [1, 30, 180] {
        let mut scene = holding();
        scene.driver.stream(OURS, false);
        lose_calls(&mut scene, 5000);
        lose_events(&mut scene, 100);
        scene.tick(A, "98.9");
        scene.wait(minutes * 60);
        assert_eq!(scene.deal(BOT).levels.count(), 0);

        mend(&mut scene);
        scene.driver.stream(OURS, true);
        scene.wait(60);
        assert_eq!(scene.account().desk.state, AccountState::Ready, "{minutes} minutes");
        assert_eq!(scene.deal(BOT).levels.count(), 1, "{minutes} minutes");
        all_agrees(&scene);
    }
}

#[test]
fn f_039_prices_from_before_a_night_of_silence_trigger_nothing() {
    let stopped = Draft { stop_loss_pct: Some(pct("20")), ..watched() };
    let mut scene = holding_with(stopped);
    scene.tick(A, "99.1");
    scene.driver.gap(A);
    scene.wait(9 * 3600);
    assert_eq!(scene.orders_placed(), 2, "nothing is decided on a price of yesterday");

    // The first fresh price is eight per cent lower: both levels were passed, and are one order.
    scene.tick(A, "91.2");
    assert_eq!(count(&scene, |why| matches!(why, Why::SafetyTriggered { .. })), 1);
    scene.minutes(A, "91.2", 5);
    assert_eq!(scene.deal(BOT).levels.count(), 2);
    let bought = intents(&scene, safety(1)).len() + intents(&scene, safety(2)).len();
    assert_eq!(bought, 1, "{:?}", scene.whys);
}

#[test]
fn f_039_a_stop_does_not_sell_at_a_price_of_before_the_silence() {
    let stopped =
        Draft { stop_loss_pct: Some(pct("5")), stop_loss_timeout_seconds: 60, ..lonely() };
    let mut scene = holding_with(stopped);
    scene.tick(A, "94.9");
    scene.driver.gap(A);
    scene.wait(9 * 3600);
    assert_eq!(scene.ended().len(), 0);

    // The price came back meanwhile.
    scene.tick(A, "99.5");
    scene.minutes(A, "99.5", 5);
    assert_eq!(scene.ended().len(), 0, "{:#?}", scene.whys);
}

#[test]
fn f_040_one_message_repeated_for_hours_decides_once() {
    let mut scene = holding_with(watched());
    let stuck = Tick {
        instrument: A,
        price: price("98.9"),
        qty: Qty::ZERO,
        at: scene.driver.now().plus(Millis::new(500)),
    };

    for _ in 0..5000 {
        scene.driver.tick(&stuck);
    }
    scene.listen();

    assert_eq!(count(&scene, |why| matches!(why, Why::SafetyTriggered { .. })), 1);
    assert_eq!(scene.deal(BOT).levels.count(), 1);
    // Base, take profit, safety order, and the take profit of the larger position.
    assert_eq!(scene.orders_placed(), 4, "{:?}", scene.whys);
}

#[test]
fn f_043_after_hours_of_downtime_everything_goes_on_by_itself() {
    for hours in [1, 5, 48] {
        let mut scene = Scene::new();
        scene.create(BOT, draft());
        scene.tick(A, "100");
        lose_calls(&mut scene, 20_000);
        lose_events(&mut scene, 1000);
        scene.evict();
        let calls = calls_sent(&scene);
        scene.wait(hours * 3600);
        let calls = calls_sent(&scene) - calls;
        assert!(calls < u64::from(hours) * 200, "{calls} calls in {hours} hours");

        mend(&mut scene);
        scene.wait(310);
        assert_eq!(scene.account().desk.state, AccountState::Ready, "{hours} hours");
        scene.tick(A, "103");
        scene.tick(A, "103");
        scene.wait(5);
        assert_eq!(scene.ended(), ["take_profit"]);
        assert_eq!(scene.open().len(), 3);
        all_agrees(&scene);
    }
}
