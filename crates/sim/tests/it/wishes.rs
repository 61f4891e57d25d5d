//! Deals that a user asks for: what is granted is done soon, the rest is refused.

use tranche_model::asset::Symbol;
use tranche_trading::{
    dca::{Draft, draft::Start},
    event::CommandBody,
};

use crate::scene::{A, B, BOT, Scene, draft};

fn manual() -> Draft {
    let pairs = ["AAA/USDT", "BBB/USDT"].map(|pair| Symbol::parse(pair).unwrap()).to_vec();
    Draft { pairs, start: Start::Manual, ..draft() }
}

#[test]
fn a_wish_that_has_no_room_is_refused_and_does_not_come_true_much_later() {
    let mut scene = Scene::new();
    scene.create(BOT, Draft { max_active_deals: Some(1), ..manual() });
    scene.command(CommandBody::StartDeal { bot: BOT, instrument: A }).unwrap();
    let second = scene.command(CommandBody::StartDeal { bot: BOT, instrument: B });
    assert!(second.is_err_and(|why| why.contains("the most that the bot allows")));

    scene.tick(A, "100");
    scene.tick(B, "50");
    scene.tick(A, "103");
    scene.tick(B, "50");
    assert_eq!((scene.ended().len(), scene.bot(BOT).active_deals()), (1, 0));
}

#[test]
fn a_bot_that_has_opened_all_its_deals_says_so() {
    let mut scene = Scene::new();
    scene.create(BOT, Draft { stop_after_deals: Some(1), ..manual() });
    scene.command(CommandBody::StartDeal { bot: BOT, instrument: A }).unwrap();
    scene.tick(A, "100");
    let second = scene.command(CommandBody::StartDeal { bot: BOT, instrument: B });
    assert!(second.as_ref().is_err_and(|why| why.contains("stop_after_deals")), "{second:?}");
}
