//! What is kept of the exchange's word: balances, last prices, and how much of the limit was used.

use std::time::Duration;

use tranche_engine::{
    notes::Notes,
    store::{MemoryStore, Store as _},
};
use tranche_model::{asset::Asset, ids::InstrumentId, time::Millis};

use crate::scene::{BOT, Detour, OURS, Scene, draft, memory};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn balances_and_prices_are_noted_as_the_exchange_tells_them() {
    let mut scene = Scene::new(|_| {}).await;
    until_noted(&scene.store, "what the first reading told", |notes| {
        held(notes, "USDT").is_some_and(|free| free == "10000")
    })
    .await;
    assert!(scene.store.notes().balances[&OURS].is_whole);

    scene.control("/deposit", r#"{"account": "ours", "asset": "USDT", "amount": "5"}"#);
    until_noted(&scene.store, "the deposit", |notes| {
        held(notes, "USDT").is_some_and(|free| free == "10005")
    })
    .await;
    scene.control("/deposit", r#"{"account": "ours", "asset": "USDT", "amount": "-7"}"#);
    until_noted(&scene.store, "the withdrawal", |notes| {
        held(notes, "USDT").is_some_and(|free| free == "9998")
    })
    .await;

    scene.create(draft()).await;
    scene
        .until_at(Some("100"), "a deal is open", |account| {
            account.bots[&BOT].lanes[0].deal.is_some()
        })
        .await;
    until_noted(&scene.store, "the coins that were bought and the price", |notes| {
        let price = notes.prices.get(&InstrumentId::new(0));
        held(notes, "AAA").is_some() && price.is_some_and(|(price, _)| price.to_string() == "100")
    })
    .await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_within_the_minute_knows_what_was_used_of_the_limit() {
    for attempt in 1.. {
        let scene = Scene::new(|_| {}).await;
        until_noted(&scene.store, "the use of the limit", |notes| notes.usage.is_some()).await;
        let (server, store) = scene.halt().await;
        let noted = store.usage().await.unwrap().unwrap();
        assert!(100 <= noted.used, "open orders and balances were read: {noted:?}");

        // The exchange does not answer any more: nobody else can tell it.
        let closed = "127.0.0.1:1";
        let all = Some((format!("http://{closed}"), format!("ws://{closed}")));
        let detour = Detour { all, ..Detour::default() };
        let next = Scene::over(server, store, &detour).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let used = next.engine.look(|_, running| running.weight_used).await.unwrap();
        let now = next.store.notes().balances[&OURS].at;
        next.stop().await;
        let minute = noted.began_at.plus(Millis::from_secs(60));
        if now < minute && noted.used <= used {
            return;
        }
        assert!(attempt < 3, "{used} of {noted:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_exchange_counted_at_the_start_counts() {
    // A former process used the address, and what it noted is lost.
    let (server, _) = Scene::new(|_| {}).await.halt().await;

    let mut next = Scene::over(server, memory(), &Detour::default()).await;
    next.ready().await;
    let used = next.engine.look(|_, running| running.weight_used).await.unwrap();

    // In a new minute both begin anew.
    let (_, state) = next.server.control("GET", "/state", "");
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    let told = state["addresses"][0]["used_weight"].as_u64().unwrap();
    assert!(told <= used, "{told} are counted there, {used} here");
    next.stop().await;
}

async fn until_noted(store: &MemoryStore, what: &str, is_so: fn(&Notes) -> bool) {
    for _ in 0..200 {
        if is_so(&store.notes()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never noted: {what}: {:?}", store.notes());
}

fn held(notes: &Notes, asset: &str) -> Option<String> {
    let asset = Asset::parse(asset).unwrap();
    let balance = notes.balances.get(&OURS)?.balances.get(&asset)?;
    Some(balance.free.to_string())
}
