//! What cannot be reached: the state of the account says so, nothing is lost, prices come another way.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tranche_simserver::{KeySecret, Settings};
use tranche_trading::account::{Account, AccountState};
use tranche_venue::net::tasks::{Task, spawn};

use crate::{
    impostor::Impostor,
    scene::{BOT, Detour, OURS, Scene, draft},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prices_are_asked_for_while_the_market_stream_is_down_and_only_then() {
    let bridge = Bridge::open().await;
    let detour = Detour { market: Some(format!("ws://{}", bridge.address)), ..Detour::default() };
    let mut scene = Scene::unready(|_| {}, &detour).await;
    bridge.leads_to(Some(scene.server.exchange_address()));
    scene.ready().await;
    scene.create(draft()).await;
    scene.until_at(Some("100"), "three orders rest", |account| resting(account) == 3).await;
    assert_eq!(polls(&scene).await, 0, "the stream was there");

    bridge.leads_to(None);
    scene.price("103");
    scene.until("the deal is closed", |account| account.bots[&BOT].head.deals_closed == 1).await;
    // The next deal opens at the price that was asked for.
    scene.until("three orders rest again", |account| resting(account) == 3).await;
    assert_eq!(polls(&scene).await, 1, "once a minute");
    scene.audit().await;

    bridge.leads_to(Some(scene.server.exchange_address()));
    let before = ticks(&scene).await;
    for _ in 0..300 {
        scene.price("103.01");
        tokio::time::sleep(Duration::from_millis(100)).await;
        if before + 3 < ticks(&scene).await {
            break;
        }
    }
    assert!(before + 3 < ticks(&scene).await, "the stream tells again");
    assert_eq!(polls(&scene).await, 1, "nothing is asked for any more");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_where_nobody_can_prove_to_be_the_exchange() {
    let impostor = Impostor::start("127.0.0.1");
    let port = impostor.port();
    let all = Some((format!("https://127.0.0.1:{port}"), format!("wss://127.0.0.1:{port}")));
    let mut scene = Scene::unready(|_| {}, &Detour { all, ..Detour::default() }).await;
    scene.until("the account is there", |_| true).await;
    scene.create(draft()).await;
    scene.price("100");
    tokio::time::sleep(Duration::from_secs(2)).await;

    let state = state(&scene).await;

    assert_eq!(state, Some(AccountState::Syncing), "it waits, and is seen to");
    assert_eq!(impostor.heard(), 0, "not a byte of a request left");
    let (server, store) = scene.halt().await;
    let mut scene = Scene::over(server, store, &Detour::default()).await;
    scene.ready().await;
    scene.until_at(Some("100"), "three orders rest", |account| resting(account) == 3).await;
    scene.audit().await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_does_not_work_shows() {
    // Nobody knows the key; the secret is another one's.
    let changes: [fn(&mut Settings); 2] = [
        |settings| settings.accounts[0].keys[0].name = "other".to_owned(),
        |settings| settings.accounts[0].keys[0].secret = KeySecret::Hmac("other".to_owned()),
    ];
    for change in changes {
        let mut scene = Scene::unready(change, &Detour::default()).await;

        scene.until("the key is seen not to work", is_invalid).await;
        scene.create(draft()).await;

        assert_eq!(bots(&scene).await, 1, "what the user asked for is kept");
        scene.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_without_the_right_to_trade_shows_and_trades_once_it_has_it() {
    let take = |settings: &mut Settings| settings.accounts[0].keys[0].rights.trade = false;
    let mut scene = Scene::new(take).await;
    scene.create(draft()).await;
    scene.until_at(Some("100"), "the key is seen not to work", is_invalid).await;

    scene.control("/rights", r#"{"key": "key", "trade": true}"#);
    // Asked again by itself every quarter of an hour; at once when it is loaded anew.
    scene.engine.evict(OURS).await.unwrap();
    scene.until_at(Some("100"), "three orders rest", |account| resting(account) == 3).await;

    scene.audit().await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_an_hour_off_is_measured_and_trades() {
    let scene = Scene::unready(|_| {}, &Detour::default()).await;
    scene.control("/skew", r#"{"ms": -3600000}"#);
    let (server, store) = scene.halt().await;
    let mut scene = Scene::over(server, store, &Detour::default()).await;
    scene.ready().await;
    scene.create(draft()).await;

    scene.until_at(Some("100"), "three orders rest", |account| resting(account) == 3).await;

    scene.audit().await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_where_nobody_is() {
    let places = [
        ("http://127.0.0.1:1".to_owned(), "ws://127.0.0.1:1".to_owned()),
        ("https://exchange.invalid".to_owned(), "wss://exchange.invalid".to_owned()),
    ];
    for place in places {
        let detour = Detour { all: Some(place), ..Detour::default() };
        let mut scene = Scene::unready(|_| {}, &detour).await;
        scene.until("the account is there", |_| true).await;
        scene.create(draft()).await;
        scene.price("100");

        let state = state(&scene).await;

        assert_eq!(state, Some(AccountState::Syncing), "it waits, and is seen to");
        let (server, store) = scene.halt().await;
        let mut scene = Scene::over(server, store, &Detour::default()).await;
        scene.ready().await;
        scene.until_at(Some("100"), "three orders rest", |account| resting(account) == 3).await;
        scene.audit().await;
        scene.stop().await;
    }
}

fn is_invalid(account: &Account) -> bool {
    account.desk.state == AccountState::KeyInvalid
}

async fn bots(scene: &Scene) -> usize {
    let look = scene.engine.look(|shard, _| shard.account(OURS).map(|account| account.bots.len()));
    look.await.unwrap().unwrap_or(0)
}

async fn state(scene: &Scene) -> Option<AccountState> {
    let look = scene.engine.look(|shard, _| shard.account(OURS).map(|account| account.desk.state));
    look.await.unwrap()
}

async fn polls(scene: &Scene) -> u64 {
    scene.engine.look(|_, running| running.polls).await.unwrap()
}

async fn ticks(scene: &Scene) -> u64 {
    scene.engine.look(|_, running| running.ticks).await.unwrap()
}

fn resting(account: &Account) -> usize {
    let Some(bot) = account.bots.get(&BOT) else { return 0 };
    let orders = bot.lanes[0].orders().filter(|(_, order)| {
        order.stage == tranche_trading::order::Stage::Open && order.kind.rests()
    });
    if account.desk.state == AccountState::Ready { orders.count() } else { 0 }
}

/// A way to the exchange that can be closed.
struct Bridge {
    address: SocketAddr,
    goal: watch::Sender<Option<SocketAddr>>,
    _task: Task,
}

impl Bridge {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let goal = watch::Sender::new(None);
        let goals = goal.subscribe();
        let task = spawn("bridge", async move {
            let mut crossings = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let mut goals = goals.clone();
                let Some(to) = *goals.borrow_and_update() else { continue };
                crossings.spawn(async move {
                    let Ok(mut far) = TcpStream::connect(to).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = goals.changed() => {}
                    }
                });
            }
        });
        Self { address, goal, _task: task }
    }

    fn leads_to(&self, goal: Option<SocketAddr>) {
        self.goal.send_replace(goal);
    }
}
