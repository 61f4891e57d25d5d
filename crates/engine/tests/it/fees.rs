//! Fees in a third coin: a deal costs what the exchange took, at the price of the moment.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use rust_decimal::Decimal;
use tranche_engine::store::MemoryStore;
use tranche_model::{
    asset::{Asset, Symbol},
    balance::FeeAsset,
    fill::Fill,
    ids::InstrumentId,
    instrument::{Instrument, TradingStatus},
    money::Quote,
    record::DealRow,
    time::Timestamp,
};
use tranche_sim::exchange::Exchange;
use tranche_simserver::{Clock, Fault, FaultRule, Running, Settings, SystemClock};
use tranche_trading::{
    account::{Account, AccountState},
    dca::Draft,
    order::Stage,
};

use crate::scene::{
    BOT, Detour, OURS, PAIR, Scene, draft, instrument, memory, purse, server, server_at, trade,
};

pub(crate) const COIN: InstrumentId = InstrumentId::new(1);
const BNB: &str = "BNB";
const MINUTE_MS: i64 = 60_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fees_in_another_coin_are_in_the_profit_to_the_cent() {
    let mut scene = begin(pays_in_bnb).await;
    let before = holdings(&scene);

    trade_a_deal(&mut scene).await;
    let after = holdings(&scene);

    let deal = only_deal(&scene);
    // The exchange's own word: what it took, and what the account has more of.
    is_about(deal.fees.get(), taken(&scene), "fees");
    let coins = (after.1 - before.1) * Decimal::new(61_234, 2);
    is_about(deal.profit.get(), after.0 - before.0 + coins, "profit");
    assert_eq!(unvalued(&scene).await, 0);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fees_of_a_downtime_are_worth_what_they_were_in_their_own_minute() {
    let clock = Arc::new(Ahead(AtomicI64::new(0)));
    let (server, store) = left_with_orders(&clock).await;

    // The coin that pays is cheap when a safety order is bought, and dear when the take profit sells.
    for (coin, price) in [("400", "98.9"), ("900", "110"), ("612.34", "100.5")] {
        clock.0.fetch_add(10 * MINUTE_MS, Ordering::SeqCst);
        trade(&server, COIN, coin);
        trade(&server, PAIR, price);
    }
    clock.0.fetch_add(10 * MINUTE_MS, Ordering::SeqCst);
    let mut scene = Scene::over(server, store, &Detour::default()).await;
    scene.ready().await;
    let is_closed = |account: &Account| account.bots[&BOT].head.deals_closed == 1;
    scene.until_at(Some("110"), "the deal is closed", is_closed).await;
    scene.audit().await;

    pays_what_was_taken(&scene).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coin_without_a_price_holds_nothing_up_and_is_told() {
    // Its pair is gone; and then it is there, but nobody says at what it trades.
    let gone: fn(&mut Settings) = |settings| {
        pays_in_bnb(settings);
        settings.instruments[1].status = TradingStatus::Delisted;
    };
    let silent: fn(&mut Settings) = |settings| {
        pays_in_bnb(settings);
        settings.faults.rules = prices_are(Fault::ErrorBefore { status: 502 });
    };
    for change in [gone, silent] {
        let mut scene = begin(change).await;

        trade_a_deal(&mut scene).await;

        let deal = only_deal(&scene);
        assert_eq!(deal.fees, Quote::ZERO);
        // Each once, however often it is told: base order, safety order, take profit.
        assert!(3 <= unvalued(&scene).await, "nobody is told");
        let fills = scene.server.look(|exchange| executions(exchange).len());
        assert!(unvalued(&scene).await <= u64::try_from(fills).unwrap());
        scene.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn price_of_a_coin_that_paid_before_is_at_hand() {
    let mut scene = begin(pays_in_bnb).await;
    scene.create(once()).await;
    scene.until_at(Some("100"), "three orders rest", |account| resting(account) == 3).await;
    // Nothing tells prices any more.
    let silent = r#"{"fault":{"kind":"error_before","status":502},"count":1000,
        "path":"GET /api/v3/ticker/price"}"#;
    scene.control("/fault", silent);

    scene.price("110");
    scene.until("the deal is closed", |account| account.bots[&BOT].head.deals_closed == 1).await;
    scene.audit().await;

    pays_what_was_taken(&scene).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fee_that_was_booked_with_its_worth_is_not_said_to_be_without() {
    let clock = Arc::new(Ahead(AtomicI64::new(0)));
    let (server, store) = left_with_orders(&clock).await;

    // The next process reads the same executions again, and nobody tells it a price.
    clock.0.fetch_add(10 * MINUTE_MS, Ordering::SeqCst);
    for path in ["GET /api/v3/klines", "GET /api/v3/ticker/price"] {
        let fault = r#""fault":{"kind":"error_before","status":502},"count":1000"#;
        let (status, said) =
            server.control("POST", "/fault", &format!(r#"{{{fault},"path":"{path}"}}"#));
        assert_eq!(status, 200, "{said}");
    }
    let mut scene = Scene::over(server, store, &Detour::default()).await;
    scene.ready().await;
    scene.until("three orders rest", |account| resting(account) == 3).await;
    scene.audit().await;

    assert_eq!(unvalued(&scene).await, 0, "it is in the profit already");
    let (_, rules) = scene.server.control("GET", "/faults", "");
    let rules: serde_json::Value = serde_json::from_str(&rules).unwrap();
    assert_eq!(rules[0]["met"], 0, "nobody asks what it is worth: {rules}");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_account_is_told_waits_in_its_order_for_a_slow_price() {
    let slow: fn(&mut Settings) = |settings| {
        pays_in_bnb(settings);
        settings.faults.rules = prices_are(Fault::DelayAnswer { ms: 1000 });
    };
    let mut scene = begin(slow).await;

    trade_a_deal(&mut scene).await;

    pays_what_was_taken(&scene).await;
    scene.stop().await;
}

pub(crate) fn prices_are(fault: Fault) -> Vec<FaultRule> {
    vec![FaultRule {
        fault,
        account: None,
        key: None,
        path: Some("GET /api/v3/ticker/price".to_owned()),
        per_mille: 1000,
        skip: 0,
        count: None,
    }]
}

/// The machine's clock, so many milliseconds ahead.
#[derive(Debug)]
struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(SystemClock.now().ms() + self.0.load(Ordering::SeqCst))
    }
}

pub(crate) fn pays_in_bnb(settings: &mut Settings) {
    let pair = Instrument::new(COIN, Symbol::parse("BNB/USDT").unwrap(), instrument().filters);
    settings.instruments.push(pair);
    let account = &mut settings.accounts[0];
    account.fee_asset = FeeAsset::Third(Asset::parse(BNB).unwrap());
    account.balances.push(purse(BNB, 10));
}

async fn begin(change: impl FnOnce(&mut Settings)) -> Scene {
    let server = server(change).await;
    trade(&server, COIN, "612.34");
    let mut scene = Scene::over(server, memory(), &Detour::default()).await;
    scene.ready().await;
    scene
}

/// One deal with a safety order, and no second one.
pub(crate) async fn trade_a_deal(scene: &mut Scene) {
    scene.create(once()).await;
    scene.until_at(Some("100"), "three orders rest", |account| resting(account) == 3).await;
    scene.price("98.9");
    scene.until("a safety order is filled", |account| levels(account) == 1).await;
    scene.until("the take profit moved", |account| resting(account) == 2).await;
    scene.price("110");
    scene.until("the deal is closed", |account| account.bots[&BOT].head.deals_closed == 1).await;
    scene.audit().await;
}

/// The only deal has the fees that the exchange took, each with its worth.
pub(crate) async fn pays_what_was_taken(scene: &Scene) {
    is_about(only_deal(scene).fees.get(), taken(scene), "fees");
    assert_eq!(unvalued(scene).await, 0);
}

fn once() -> Draft {
    // Enough for fees of which a cent tells.
    let volume = Quote::parse("1000").unwrap();
    Draft {
        stop_after_deals: Some(1),
        base_order_volume: volume,
        safety_order_volume: volume,
        ..draft()
    }
}

fn only_deal(scene: &Scene) -> DealRow {
    scene.store.look(|memory| memory.stored(OURS).unwrap().deals[0].clone())
}

/// What the exchange took in fees, in quote at the moment of each execution.
fn taken(scene: &Scene) -> Decimal {
    scene.server.look(|exchange| {
        executions(exchange).iter().map(|fill| fill.fee.in_quote.unwrap().get()).sum()
    })
}

fn executions(exchange: &Exchange) -> Vec<Fill> {
    exchange.trades(OURS, PAIR, Timestamp::from_ms(0))
}

/// USDT and BNB.
fn holdings(scene: &Scene) -> (Decimal, Decimal) {
    scene.server.look(|exchange| {
        let balances = exchange.balances(OURS);
        let total = |name| {
            let held = balances.iter().find(|it| it.asset.as_str() == name).unwrap();
            held.free.get() + held.locked.get()
        };
        (total("USDT"), total(BNB))
    })
}

/// A process has bought and is gone; its take profit and two safety orders rest.
async fn left_with_orders(clock: &Arc<Ahead>) -> (Running, Arc<MemoryStore>) {
    let server = server_at(pays_in_bnb, Arc::<Ahead>::clone(clock)).await;
    trade(&server, COIN, "612.34");
    let mut scene = Scene::over(server, memory(), &Detour::default()).await;
    scene.ready().await;
    scene.create(once()).await;
    scene.until_at(Some("100"), "three orders rest", |account| resting(account) == 3).await;
    assert_eq!(unvalued(&scene).await, 0);
    scene.halt().await
}

async fn unvalued(scene: &Scene) -> u64 {
    scene.engine.look(|_, running| running.fees_unvalued).await.unwrap()
}

fn is_about(ours: Decimal, theirs: Decimal, what: &str) {
    assert!((ours - theirs).abs() < Decimal::new(1, 2), "{what}: {ours}, and {theirs} there");
}

fn resting(account: &Account) -> usize {
    let lane = &account.bots[&BOT].lanes[0];
    let orders =
        lane.orders().filter(|(_, order)| order.stage == Stage::Open && order.kind.rests());
    if account.desk.state == AccountState::Ready { orders.count() } else { 0 }
}

fn levels(account: &Account) -> u16 {
    account.bots[&BOT].lanes[0].deal.as_ref().map_or(0, |deal| deal.levels.count())
}
