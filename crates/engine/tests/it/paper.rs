//! Paper accounts on the prices of an exchange: the simulated exchange dies with the process, the account
//! does not.

use std::{sync::Arc, time::Duration};

use tranche_engine::{Engine, Handle, Setup, paper::Paper, store::MemoryStore};
use tranche_model::{
    asset::Symbol,
    candle::Tick,
    client_order_id::{ClientOrderId, OrderKey},
    ids::{CommandId, DealNo, Generation, Installation, InstrumentId, Slot},
    instrument::{Instrument, Instruments},
    money::{Price, Qty},
    order::{OrderKind, OrderRequest, Side, Size},
    record::{Answer, Call, Outcome},
    time::{Millis, Timestamp},
};
use tranche_sim::{
    audit::{Auditor, Books},
    exchange::{Exchange, Settings},
};
use tranche_simserver::Running;
use tranche_trading::{
    account::{Account, AccountState},
    dca::{Config, Draft},
    dispatch::limits::Limits,
    event::{Command, CommandBody},
    order::Stage,
    shard::Options,
};
use tranche_venue::catalog::Catalog;

use crate::scene::{self, BOT, OURS, PAIR};

/// A process with a paper account. The store outlives it.
struct Life {
    engine: Handle,
    paper: Arc<Paper>,
}

impl Life {
    async fn begin(server: &Running, store: &Arc<MemoryStore>) -> Self {
        let venue = scene::venue(server, Arc::new(Catalog::new([scene::listed()]))).await;
        let instruments = Instruments::new(vec![scene::instrument()]).unwrap();
        let exchange = Exchange::new(instruments.clone(), Settings::default());
        let paper = Paper::new(exchange, Arc::clone(&venue));
        let (engine, _) = Engine::start(Setup {
            instruments,
            shard: Options::default(),
            limits: Limits::default(),
            venue,
            store: Arc::<MemoryStore>::clone(store),
            paper: Some(Arc::clone(&paper)),
        });
        let terms = scene::terms(Installation::new(3));
        let purse = vec![scene::purse("USDT", 10_000)];
        let door = paper.open(OURS, (terms.fees, terms.fee_asset), purse).unwrap();
        engine.own(OURS, terms, door).await.unwrap();
        Self { engine, paper }
    }

    async fn until(&self, server: &Running, price: &str, what: &str, holds: fn(&Account) -> bool) {
        for _ in 0..300 {
            server.market().push(PAIR, Price::parse(price).unwrap(), Qty::parse("1").unwrap());
            let is_so = self.engine.look(move |shard, _| shard.account(OURS).is_some_and(holds));
            if is_so.await.unwrap() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let account = self.engine.look(|shard, _| shard.account(OURS).cloned()).await.unwrap();
        panic!("it never was so that {what}: {account:#?}");
    }

    async fn audit(&self) {
        let accounts = self.engine.look(|shard, _| shard.accounts().cloned().collect::<Vec<_>>());
        let accounts = accounts.await.unwrap();
        // The exchange's trades of former lives are gone: only books and orders can be compared.
        let memory = tranche_sim::memory::Memory::default();
        let instruments = Instruments::new(vec![scene::instrument()]).unwrap();
        let found = self.paper.look(|exchange| {
            let books = Books {
                exchange,
                memory: &memory,
                instruments: &instruments,
                now: Timestamp::from_ms(0),
            };
            Auditor::new().check(books, &accounts)
        });
        assert_eq!(found, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paper_account_goes_on_in_another_process() {
    let server = scene::server(|_| {}).await;
    let store = Arc::new(MemoryStore::default());
    store.add_account(OURS);
    let first = Life::begin(&server, &store).await;
    first
        .until(&server, "100", "it is ready", |account| account.desk.state == AccountState::Ready)
        .await;
    let config = Box::new(Config::try_from(scene::draft()).unwrap());
    let create = CommandBody::CreateBot { bot: BOT, config };
    let create = Command { id: CommandId::new(1), body: create };
    first.engine.command(OURS, create).await.unwrap().unwrap();
    first.until(&server, "100", "three orders rest", |account| resting(account) == 3).await;
    first.until(&server, "98.9", "one is filled", |account| resting(account) == 2).await;
    first.audit().await;
    // As if it were killed: nothing of it is asked or told any more.
    first.engine.stop().await.unwrap();
    drop(first);

    let second = Life::begin(&server, &store).await;
    second.until(&server, "99", "both orders rest again", |account| resting(account) == 2).await;
    second.audit().await;
    second
        .until(&server, "103", "the deal is closed", |account| {
            account.bots[&BOT].head.deals_closed == 1
        })
        .await;
    second.audit().await;

    let trades = store.look(|memory| memory.stored(OURS).unwrap().fills.len());
    assert!(3 <= trades, "base, safety order and take profit: {trades}");
    second.engine.stop().await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bots_can_be_made_on_a_pair_that_was_listed_later() {
    let server = scene::server(|settings| settings.instruments.push(later())).await;
    let store = Arc::new(MemoryStore::default());
    store.add_account(OURS);
    let life = Life::begin(&server, &store).await;
    life.until(&server, "100", "it is ready", |account| account.desk.state == AccountState::Ready)
        .await;
    let draft = Draft { pairs: vec![later().symbol], ..scene::draft() };
    let config = Box::new(Config::try_from(draft).unwrap());
    let create = |id| {
        let body = CommandBody::CreateBot { bot: BOT, config: config.clone() };
        Command { id: CommandId::new(id), body }
    };
    assert!(life.engine.command(OURS, create(1)).await.unwrap().is_err());

    life.engine.rules(later()).await.unwrap();

    assert_eq!(life.engine.command(OURS, create(2)).await.unwrap(), Ok(()));
    life.engine.stop().await.unwrap();
    server.stop().await;
}

fn later() -> Instrument {
    let id = InstrumentId::new(1);
    Instrument { id, symbol: Symbol::parse("BBB/USDT").unwrap(), ..scene::instrument() }
}

fn resting(account: &Account) -> usize {
    let Some(bot) = account.bots.get(&BOT) else { return 0 };
    let open = bot.lanes[0].orders().filter(|(_, order)| order.stage == Stage::Open);
    let is_ready = account.desk.state == AccountState::Ready;
    if is_ready { open.filter(|(_, order)| order.kind.rests()).count() } else { 0 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paper_exchange_forgets_what_ended_a_day_ago() {
    let server = scene::server(|_| {}).await;
    let venue = scene::venue(&server, Arc::new(Catalog::new([scene::listed()]))).await;
    let instruments = Instruments::new(vec![scene::instrument()]).unwrap();
    let exchange = Exchange::new(instruments, Settings::default());
    let paper = Paper::new(exchange, Arc::clone(&venue));
    let terms = scene::terms(Installation::new(3));
    let purse = vec![scene::purse("USDT", 10_000)];
    let door = paper.open(OURS, (terms.fees, terms.fee_asset), purse).unwrap();
    let start = venue.now();
    let tick = |hours: u32| {
        let (price, qty) = (Price::parse("100").unwrap(), Qty::parse("1").unwrap());
        let at = start.plus(Millis::from_secs(3600).times(hours));
        paper.tick(&Tick { instrument: PAIR, price, qty, at });
    };
    tick(0);
    let qty = Qty::parse("0.5").unwrap();
    let ended = order(1, OrderKind::Market { size: Size::Base(qty) });
    let price = Price::parse("90").unwrap();
    let resting = order(2, OrderKind::LimitMaker { price, qty });
    for request in [ended, resting] {
        let place = Call::Place { request, send_by: start.plus(Millis::from_secs(60)) };
        assert!(matches!(door.call(place).await.outcome, Outcome::Done(_)));
    }
    let asked = |request: OrderRequest| {
        let (client_id, instrument) = (request.client_id, PAIR);
        door.call(Call::QueryOrder { client_id, instrument })
    };
    let trades = || door.call(Call::Trades { instrument: PAIR, since: start });

    tick(23);
    assert!(is_known(&asked(ended).await.outcome));
    assert_eq!(trades_in(&trades().await.outcome), 1);
    tick(26);

    assert_eq!(asked(ended).await.outcome, Outcome::Done(Answer::OrderNotFound));
    assert_eq!(trades_in(&trades().await.outcome), 0);
    assert!(is_known(&asked(resting).await.outcome));
    server.stop().await;
}

fn order(generation: u16, kind: OrderKind) -> OrderRequest {
    let origin = scene::terms(Installation::new(3)).origin;
    let (deal, generation) = (DealNo::new(1), Generation::new(generation));
    let key = OrderKey { bot: BOT, deal, slot: Slot::BASE, generation };
    let client_id = ClientOrderId::pack(origin, key).unwrap();
    OrderRequest { client_id, instrument: PAIR, side: Side::Buy, kind }
}

fn is_known(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done(Answer::Order { .. }))
}

fn trades_in(outcome: &Outcome) -> usize {
    let Outcome::Done(Answer::Trades(trades)) = outcome else { panic!("{outcome:?}") };
    trades.len()
}
