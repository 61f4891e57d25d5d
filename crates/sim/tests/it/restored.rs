//! A store that was replaced by an older copy of itself.

use tranche_model::{ids::Incarnation, record::PrivateEvent, time::Timestamp};
use tranche_sim::memory::{CommitPlan, FaultyMemory};
use tranche_trading::event::Event;

use crate::scene::{A, BOT, OURS, Scene, Terms, draft, settings};

#[test]
fn an_execution_of_a_forgotten_deal_is_not_booked_to_a_new_one() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    let copy = scene.driver.memory.memory().clone();
    scene.tick(A, "100");
    let forgotten = scene.driver.exchange.trades(OURS, A, Timestamp::MIN);
    assert_eq!(forgotten.len(), 1);

    // The new life knows nothing of the deal, and opens one of its own.
    scene.driver.memory = FaultyMemory::new(copy, CommitPlan::default());
    let mut settings = settings(Terms::default());
    settings.origin.incarnation = Incarnation::new(2);
    scene.driver.own(OURS, settings);
    scene.wait(60);
    scene.tick(A, "100");
    let bought = scene.deal(BOT).position.bought;
    scene.driver.tell(OURS, Event::Private(PrivateEvent::Fill(forgotten[0])));
    scene.listen();

    assert_eq!(scene.deal(BOT).position.bought, bought);
    let stored = scene.driver.memory.memory().stored(OURS).unwrap();
    assert_eq!(stored.fills.len(), 2, "the account itself knows of both");
    let ids: Vec<_> = stored.fills.values().map(|row| (row.bot, row.deal)).collect();
    assert_ne!(ids[0], ids[1]);
}
