//! Paper accounts on the prices of an exchange: the simulated exchange dies with the process, the account
//! does not.

use std::{sync::Arc, time::Duration};

use rust_decimal::Decimal;
use tranche_engine::{Engine, Handle, Setup, paper::Paper, store::MemoryStore};
use tranche_model::{
    asset::{Asset, Symbol},
    balance::{Balance, FeeAsset},
    candle::Tick,
    client_order_id::{ClientOrderId, OrderKey},
    fill::Fill,
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
use tranche_simserver::{Fault, Running};
use tranche_trading::{
    account::{Account, AccountState},
    dca::{Config, Draft},
    dispatch::limits::Limits,
    event::{self, Command, CommandBody},
    order::Stage,
    shard::Options,
};
use tranche_venue::catalog::Catalog;

use crate::{
    fees,
    scene::{self, BOT, OURS, PAIR},
};

/// A process with a paper account. The store outlives it.
struct Life {
    engine: Handle,
    paper: Arc<Paper>,
}

impl Life {
    async fn begin(server: &Running, store: &Arc<MemoryStore>) -> Self {
        let purse = vec![scene::purse("USDT", 10_000)];
        Self::paying((server, store), &[scene::instrument()], FeeAsset::Received, purse).await
    }

    async fn paying(
        (server, store): (&Running, &Arc<MemoryStore>),
        listed: &[Instrument],
        fee_asset: FeeAsset,
        purse: Vec<Balance>,
    ) -> Self {
        let catalog = Catalog::new(listed.iter().cloned().map(scene::listed_as));
        let venue = scene::venue(server, Arc::new(catalog)).await;
        let instruments = Instruments::new(listed.to_vec()).unwrap();
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
        let terms = event::Settings { fee_asset, ..scene::terms(Installation::new(3)) };
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
        let found = self.paper.look(|exchange| {
            let instruments = exchange.instruments();
            let now = Timestamp::from_ms(0);
            let books = Books { exchange, memory: &memory, instruments, now };
            Auditor::new().check(books, &accounts)
        });
        assert_eq!(found, []);
    }

    async fn create_bot(&self) {
        let config = Box::new(Config::try_from(scene::draft()).unwrap());
        let body = CommandBody::CreateBot { bot: BOT, config };
        let create = Command { id: CommandId::new(1), body };
        self.engine.command(OURS, create).await.unwrap().unwrap();
    }

    /// What the exchange says that the account has of it.
    fn holds(&self, name: &str) -> Decimal {
        let balances = self.paper.look(|exchange| exchange.balances(OURS));
        let held = balances.into_iter().find(|balance| balance.asset.as_str() == name);
        held.map_or(Decimal::ZERO, |balance| balance.total().unwrap().get())
    }

    /// Its bot buys twice. Then it is as if it were killed: nothing of it is asked or told any more.
    async fn buy_and_end(self, server: &Running) {
        self.create_bot().await;
        self.until(server, "100", "three orders rest", |account| resting(account) == 3).await;
        self.until(server, "98.9", "one is filled", |account| resting(account) == 2).await;
        self.audit().await;
        self.engine.stop().await.unwrap();
    }

    /// What was left is there again, and the deal comes to its end.
    async fn go_on_and_sell(&self, server: &Running) {
        self.until(server, "99", "both orders rest again", |account| resting(account) == 2).await;
        self.audit().await;
        let is_closed = |account: &Account| account.bots[&BOT].head.deals_closed == 1;
        self.until(server, "103", "the deal is closed", is_closed).await;
        self.audit().await;
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
    first.buy_and_end(&server).await;

    let second = Life::begin(&server, &store).await;
    second.go_on_and_sell(&server).await;

    let trades = store.look(|memory| memory.stored(OURS).unwrap().fills.len());
    assert!(3 <= trades, "base, safety order and take profit: {trades}");
    second.engine.stop().await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fees_on_paper_are_taken_in_the_named_coin_also_after_a_restart() {
    let server = scene::server(fees::pays_in_bnb).await;
    scene::trade(&server, fees::COIN, "600");
    let store = scene::memory();
    let bnb = FeeAsset::Third(Asset::parse("BNB").unwrap());
    let begin = || async {
        let purse = vec![scene::purse("USDT", 10_000), scene::purse("BNB", 1)];
        let pairs = server.look(|exchange| exchange.instruments().clone());
        let pairs: Vec<Instrument> = pairs.iter().cloned().collect();
        Life::paying((&server, &store), &pairs, bnb, purse).await
    };
    begin().await.buy_and_end(&server).await;

    let second = begin().await;
    second.go_on_and_sell(&server).await;

    let fills = fills(&store);
    assert!(3 <= fills.len(), "{fills:?}");
    let mut paid = Decimal::ZERO;
    for Fill { fee, quote, .. } in &fills {
        assert_eq!(fee.asset.as_str(), "BNB");
        // A thousandth at 600 USDT, to eight digits.
        let worth = quote.get() / Decimal::from(1000);
        assert!((fee.amount.get() - worth / Decimal::from(600)).abs() < Decimal::new(1, 8));
        assert_eq!(fee.in_quote.unwrap().get(), worth);
        paid += fee.amount.get();
    }
    assert_eq!(second.holds("BNB"), Decimal::ONE - paid);
    second.engine.stop().await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fees_on_paper_are_taken_in_what_is_traded_where_the_coin_cannot_pay() {
    // Nobody says what it is worth, and then there is none of it.
    for (is_silent, coins) in [(true, 1), (false, 0)] {
        let server = scene::server(|settings| {
            fees::pays_in_bnb(settings);
            if is_silent {
                settings.faults.rules = fees::prices_are(Fault::ErrorBefore { status: 502 });
            }
        })
        .await;
        scene::trade(&server, fees::COIN, "600");
        let store = scene::memory();
        let bnb = FeeAsset::Third(Asset::parse("BNB").unwrap());
        let purse = vec![scene::purse("USDT", 10_000), scene::purse("BNB", coins)];
        let pairs = server.look(|exchange| exchange.instruments().clone());
        let pairs: Vec<Instrument> = pairs.iter().cloned().collect();
        let life = Life::paying((&server, &store), &pairs, bnb, purse).await;
        life.create_bot().await;

        let is_closed = |account: &Account| {
            account.bots.get(&BOT).is_some_and(|bot| 1 <= bot.head.deals_closed)
        };
        life.until(&server, "100", "three orders rest", |account| resting(account) == 3).await;
        life.until(&server, "103", "the deal is closed", is_closed).await;
        life.audit().await;

        let fills = fills(&store);
        assert!(2 <= fills.len(), "{fills:?}");
        for fill in fills {
            let traded = if fill.side == Side::Buy { "AAA" } else { "USDT" };
            assert_eq!(fill.fee.asset.as_str(), traded);
        }
        assert_eq!(life.holds("BNB"), Decimal::from(coins));
        life.engine.stop().await.unwrap();
        server.stop().await;
    }
}

fn fills(store: &MemoryStore) -> Vec<Fill> {
    store.look(|memory| memory.stored(OURS).unwrap().fills.values().map(|row| row.fill).collect())
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
