//! 1G: limits, markets that end, prices that cannot be.

use tranche_model::{
    asset::Symbol,
    candle::Tick,
    ids::BotId,
    instrument::TradingStatus,
    money::{Price, Qty},
};
use tranche_trading::{
    bot::BotStatus,
    dca::Draft,
    why::{BlockReason, Why},
};

use super::{count, holding_with, watched};
use crate::scene::{A, B, BOT, Scene, draft, instrument, pct, price};

const OTHER: BotId = BotId::new(8);

#[test]
fn f_092_a_delisted_pair_blocks_its_own_bot_only() {
    let mut scene = Scene::new();
    scene.create(BOT, Draft { stop_loss_pct: Some(pct("5")), ..draft() });
    let pairs = vec![Symbol::parse("BBB/USDT").unwrap()];
    scene.create(OTHER, Draft { pairs, ..draft() });
    scene.tick(A, "100");
    scene.tick(B, "100");

    let mut gone = instrument(A, "AAA/USDT");
    gone.status = TradingStatus::Delisted;
    scene.driver.change_rules(gone);
    scene.listen();
    scene.minutes(B, "100", 20);

    // Its orders ended at the exchange; it says why it does nothing, and does not try for ever.
    assert_eq!(scene.bot(BOT).head.status, BotStatus::Running);
    let reasons: Vec<_> =
        scene.lane(BOT).seats.iter().filter_map(tranche_trading::bot::Seat::blocked).collect();
    let closed = reasons.iter().filter(|blocked| blocked.reason == BlockReason::MarketClosed);
    assert!(0 < closed.count(), "{reasons:?}");
    let placed = scene.orders_placed();
    scene.minutes(B, "100", 20);
    assert_eq!(scene.orders_placed(), placed);

    scene.tick(B, "103");
    assert_eq!(scene.ended(), ["take_profit"], "the other bot goes on");
}

#[test]
fn f_093_prices_that_cannot_be_move_nothing() {
    let stopped = Draft { stop_loss_pct: Some(pct("5")), ..watched() };
    let mut scene = holding_with(stopped);
    let placed = scene.orders_placed();
    for at in ["0", "-100", "100000", "0.1", "1"] {
        let tick = Tick {
            instrument: A,
            price: Price::parse(at).unwrap(),
            qty: Qty::ZERO,
            at: scene.driver.now(),
        };
        // Only the bot sees it: no such trade was ever done.
        let mut out = Vec::new();
        scene.driver.shard.step(
            tranche_trading::shard::Input::Tick(tick),
            scene.driver.now(),
            &mut out,
        );
        assert!(
            out.iter().any(|told| matches!(told, tranche_trading::shard::Output::BadTick { .. })),
            "{at}: {out:?}"
        );
        scene.tick(A, "100");
    }

    assert_eq!((scene.orders_placed(), scene.ended().len()), (placed, 0));
    assert_eq!(scene.deal(BOT).seen, price("100"));
    assert_eq!(count(&scene, |why| matches!(why, Why::SafetyTriggered { .. })), 0);
}
