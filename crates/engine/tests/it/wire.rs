//! Deals over real sockets.

use tranche_trading::account::Account;

use crate::scene::{BOT, Scene, draft};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deal_opens_averages_down_and_takes_profit_over_the_wire() {
    let mut scene = Scene::new(|_| {}).await;
    scene.create(draft()).await;

    scene.until_at(Some("100"), "three orders rest", |account| resting(account) == 3).await;
    scene.audit().await;
    scene.price("98.9");
    scene.until("a safety order is filled", |account| levels(account) == 1).await;
    scene.until("the take profit moved", |account| resting(account) == 2).await;
    scene.audit().await;
    scene.price("103");
    scene.until("the deal is closed", |account| account.bots[&BOT].head.deals_closed == 1).await;
    scene.audit().await;

    assert_eq!(scene.deals(), ["take_profit"]);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_thrown_out_finds_its_orders_again() {
    let mut scene = Scene::new(|_| {}).await;
    scene.create(draft()).await;
    scene.until_at(Some("100"), "three orders rest", |account| resting(account) == 3).await;

    for _ in 0..3 {
        scene.engine.evict(crate::scene::OURS).await.unwrap();
        scene.until("three orders rest", |account| resting(account) == 3).await;
    }

    scene.audit().await;
    scene.price("103");
    scene.until("the deal is closed", |account| account.bots[&BOT].head.deals_closed == 1).await;
    scene.audit().await;
    scene.stop().await;
}

fn resting(account: &Account) -> usize {
    let is_ready = account.desk.state == tranche_trading::account::AccountState::Ready;
    let lane = &account.bots[&BOT].lanes[0];
    let orders = lane.orders().filter(|(_, order)| {
        order.stage == tranche_trading::order::Stage::Open && order.kind.rests()
    });
    if is_ready { orders.count() } else { 0 }
}

fn levels(account: &Account) -> u16 {
    account.bots[&BOT].lanes[0].deal.as_ref().map_or(0, |deal| deal.levels.count())
}
