//! A store that fails, a lease that is lost, tasks that die, and commands of other processes.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tranche_engine::{
    Ending, Engine, Handle, Owning, Setup,
    notes::Notes,
    paper::Paper,
    store::{Loaded, MemoryStore, Store, StoreError},
};
use tranche_model::{
    ids::{AccountId, CommandId, Installation, InstrumentId, TradeId},
    instrument::Instruments,
    record::{Batch, VerdictRow},
};
use tranche_sim::exchange::{Exchange, Settings};
use tranche_simserver::Running;
use tranche_trading::{
    account::Account,
    dca::Config,
    dispatch::{Usage, limits::Limits},
    event::{Command, CommandBody},
    shard::Options,
};
use tranche_venue::{catalog::Catalog, venue::Later};

use crate::{
    fees,
    scene::{self, BOT, OURS, Scene, draft},
};

/// What goes wrong next.
#[derive(Debug, Default)]
struct Plan {
    answers_lost: u32,
    /// The transaction of this number, counted from one, fails: before it is written, or after.
    fails: Option<(u32, Moment)>,
    commits: u32,
    deaths: u32,
    /// Another engine has the account.
    is_taken: bool,
    lease: Option<Duration>,
    /// Written by another process.
    commands: Vec<Command>,
    released: Vec<AccountId>,
    /// A list with this account in it cannot be loaded.
    damaged: Option<AccountId>,
    /// How many accounts were asked for together, each time.
    loads: Vec<usize>,
    /// It says late which fills it knows.
    is_slow_to_know: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The disk is full, or the database away.
    Before,
    /// It was written, and nobody heard so.
    After,
}

/// The store in memory, behind a plan.
#[derive(Debug)]
struct Faulty {
    memory: Arc<MemoryStore>,
    plan: Mutex<Plan>,
}

impl Faulty {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap()
    }
}

impl Store for Faulty {
    fn commit(&self, batches: Vec<Batch>) -> Later<'_, Vec<Result<(), StoreError>>> {
        Box::pin(async move {
            let (is_lost, dies, fails) = {
                let mut plan = self.plan();
                plan.commits += 1;
                let number = plan.commits;
                let fails = plan.fails.filter(|(nth, _)| *nth == number).map(|(_, when)| when);
                let is_lost = 0 < plan.answers_lost || fails == Some(Moment::After);
                plan.answers_lost = plan.answers_lost.saturating_sub(1);
                let dies = 0 < plan.deaths;
                plan.deaths = plan.deaths.saturating_sub(1);
                (is_lost, dies, fails)
            };
            assert!(!dies, "a fault of the test");
            if fails == Some(Moment::Before) {
                let full = || Err(StoreError::Failed("no room".to_owned()));
                return batches.iter().map(|_| full()).collect();
            }
            let answers = self.memory.commit(batches).await;
            let lost = || Err(StoreError::Failed("the answer was lost".to_owned()));
            if is_lost { answers.iter().map(|_| lost()).collect() } else { answers }
        })
    }

    fn load(&self, accounts: Vec<AccountId>) -> Later<'_, Vec<Result<Loaded, StoreError>>> {
        Box::pin(async move {
            let fault = {
                let mut plan = self.plan();
                plan.loads.push(accounts.len());
                let is_damaged = plan.damaged.is_some_and(|damaged| accounts.contains(&damaged));
                let held = plan.is_taken.then(|| StoreError::Held("the test".to_owned()));
                held.or_else(|| is_damaged.then(|| StoreError::Failed("damaged".to_owned())))
            };
            if let Some(fault) = fault {
                return accounts.iter().map(|_| Err(fault.clone())).collect();
            }
            self.memory.load(accounts).await
        })
    }

    fn fills_known(
        &self,
        account: AccountId,
        instrument: InstrumentId,
        trades: Vec<TradeId>,
    ) -> Later<'_, Result<BTreeSet<TradeId>, StoreError>> {
        let is_slow = self.plan().is_slow_to_know;
        Box::pin(async move {
            if is_slow {
                tokio::time::sleep(SLOW).await;
            }
            self.memory.fills_known(account, instrument, trades).await
        })
    }

    fn verdict(
        &self,
        account: AccountId,
        command: CommandId,
    ) -> Later<'_, Result<Option<VerdictRow>, StoreError>> {
        self.memory.verdict(account, command)
    }

    fn commands(
        &self,
        _: Vec<AccountId>,
    ) -> Later<'_, Result<Vec<(AccountId, Command)>, StoreError>> {
        Box::pin(async move {
            let mut open = Vec::new();
            for command in self.plan().commands.clone() {
                let verdict = self
                    .memory
                    .look(|memory| memory.stored(OURS).unwrap().verdicts.get(&command.id).cloned());
                if verdict.is_none() {
                    open.push((OURS, command));
                }
            }
            Ok(open)
        })
    }

    fn lease(&self) -> Option<Duration> {
        self.plan().lease
    }

    fn renew(&self, accounts: Vec<AccountId>) -> Later<'_, Result<Vec<AccountId>, StoreError>> {
        Box::pin(async move { Ok(if self.plan().is_taken { Vec::new() } else { accounts }) })
    }

    fn release(&self, accounts: Vec<AccountId>) -> Later<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.plan().released = accounts;
            Ok(())
        })
    }

    fn note(&self, notes: Notes) -> Later<'_, Result<(), StoreError>> {
        self.memory.note(notes)
    }

    fn usage(&self) -> Later<'_, Result<Option<Usage>, StoreError>> {
        self.memory.usage()
    }
}

async fn behind(plan: Plan) -> (Scene, Arc<Faulty>) {
    at_and_behind(|_| {}, plan).await
}

async fn at_and_behind(
    change: impl FnOnce(&mut tranche_simserver::Settings),
    plan: Plan,
) -> (Scene, Arc<Faulty>) {
    let mut front = None;
    let scene = Scene::with_store(change, |memory| {
        let faulty = Arc::new(Faulty { memory, plan: Mutex::new(plan) });
        front = Some(Arc::clone(&faulty));
        faulty
    });
    let scene = scene.await;
    (scene, front.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_accounts_are_loaded_together_and_a_damaged_one_keeps_none_of_them() {
    for damaged in [None, Some(AccountId::new(7))] {
        let server = scene::server(|_| {}).await;
        let memory = Arc::new(MemoryStore::default());
        (1..=ACCOUNTS).for_each(|number| memory.add_account(AccountId::new(number)));
        let plan = Mutex::new(Plan { damaged, ..Plan::default() });
        let store = Arc::new(Faulty { memory, plan });
        let engine = own_many(&server, &store).await;

        let most = usize::try_from(ACCOUNTS).unwrap() - usize::from(damaged.is_some());
        let mut loaded = 0;
        for _ in 0..200 {
            loaded = engine.look(|shard, _| shard.accounts().count()).await.unwrap();
            if most <= loaded {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }

        assert_eq!(loaded, most);
        assert_eq!(store.plan().loads[..2], [256, 44]);
        if damaged.is_none() {
            assert_eq!(store.plan().loads.len(), 2, "each was asked for once");
        }
        engine.stop().await.unwrap();
        server.stop().await;
    }
}

const ACCOUNTS: u32 = 300;

/// Longer than a fee waits for the store.
const SLOW: Duration = Duration::from_secs(4);

/// An engine that trades for many paper accounts.
async fn own_many(server: &Running, store: &Arc<Faulty>) -> Handle {
    let venue = scene::venue(server, Arc::new(Catalog::new([scene::listed()]))).await;
    let instruments = Instruments::new(vec![scene::instrument()]).unwrap();
    let paper =
        Paper::new(Exchange::new(instruments.clone(), Settings::default()), Arc::clone(&venue));
    let (engine, _) = Engine::start(Setup {
        instruments,
        shard: Options::default(),
        limits: Limits::default(),
        venue,
        store: Arc::<Faulty>::clone(store),
        paper: Some(Arc::clone(&paper)),
    });
    let owning = (1..=ACCOUNTS).map(|number| {
        let account = AccountId::new(number);
        let settings = scene::terms(Installation::new(3));
        let purse = vec![scene::purse("USDT", 10_000)];
        let venue = paper.open(account, (settings.fees, settings.fee_asset), purse).unwrap();
        Owning { account, settings, venue, is_held: false, may_withdraw: false }
    });
    engine.own_all(owning.collect()).await.unwrap();
    engine
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verdict_whose_commit_was_not_answered_is_found_in_the_store() {
    let (mut scene, store) = behind(Plan::default()).await;
    store.plan().answers_lost = 1;

    let verdict =
        scene.command(CommandBody::PauseEntries { scope: tranche_trading::event::Scope::Account });

    let verdict = tokio::time::timeout(Duration::from_secs(30), verdict).await;
    assert_eq!(verdict.expect("somebody answers"), Ok(()));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deal_outlives_tasks_that_die_and_answers_that_are_lost() {
    let (mut scene, store) = behind(Plan::default()).await;
    scene.create(draft()).await;
    store.plan().deaths = 2;
    scene.until_at(Some("100"), "three orders rest", |account| resting(account) == 3).await;
    store.plan().answers_lost = 3;
    scene.price("98.9");

    scene.until("a safety order is filled", |account| resting(account) == 2).await;
    scene.audit().await;
    assert_eq!(store.plan().deaths, 0);
    assert_eq!(store.plan().answers_lost, 0);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fees_are_valued_while_the_store_does_not_say_what_is_booked() {
    let plan = Plan { is_slow_to_know: true, ..Plan::default() };
    let (mut scene, _store) = at_and_behind(fees::pays_in_bnb, plan).await;
    scene::trade(&scene.server, fees::COIN, "612.34");

    fees::trade_a_deal(&mut scene).await;

    fees::pays_what_was_taken(&scene).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_write_fails_the_deal_goes_on_and_the_books_are_equal() {
    let cases = (1..=12).flat_map(|nth| [(nth, Moment::Before), (nth, Moment::After)]);
    let runs = cases.map(|fails| async move {
        let (mut scene, store) = behind(Plan { fails: Some(fails), ..Plan::default() }).await;
        scene.create(draft()).await;
        scene.until_at(Some("100"), "three orders rest", |account| resting(account) == 3).await;
        scene.price("98.9");
        scene.until_at(Some("98.9"), "one is filled", |account| resting(account) == 2).await;
        scene.audit().await;
        scene
            .until_at(Some("103"), "the deal is closed", |account| {
                account.bots[&BOT].head.deals_closed == 1
            })
            .await;
        scene.audit().await;
        let commits = store.plan().commits;
        scene.stop().await;
        commits
    });

    let commits = futures_util::future::join_all(runs).await;

    assert!(commits.iter().all(|commits| 12 < *commits), "each fault has struck: {commits:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lost_the_lease_sends_nothing_and_goes_on_when_it_is_free_again() {
    let (mut scene, store) =
        behind(Plan { lease: Some(Duration::from_millis(900)), ..Plan::default() }).await;
    scene.create(draft()).await;
    scene.until_at(Some("100"), "three orders rest", |account| resting(account) == 3).await;

    store.plan().is_taken = true;
    let is_gone = async {
        while scene.engine.look(|shard, _| shard.account(OURS).is_some()).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), is_gone).await.expect("the account is dropped");
    let before = scene.server.look(|exchange| exchange.open_orders(OURS).len());
    // A safety order fills; whoever owned the account would move the take profit now.
    scene.price("98.9");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let sent = scene.engine.look(|_, running| running.sent).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(scene.engine.look(|_, running| running.sent).await.unwrap(), sent);
    let after = scene.server.look(|exchange| exchange.open_orders(OURS).len());
    assert_eq!((before, after), (3, 2));

    store.plan().is_taken = false;
    scene.until("the take profit moved", |account| resting(account) == 2).await;
    scene.audit().await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn command_of_another_process_is_carried_out_once() {
    let (mut scene, store) = behind(Plan::default()).await;
    let config = Box::new(Config::try_from(draft()).unwrap());
    let create = CommandBody::CreateBot { bot: BOT, config };
    let commands = [(1, create.clone()), (2, create), (3, CommandBody::StopBot { bot: BOT })];
    let commands = commands.map(|(id, body)| Command { id: CommandId::new(id), body });
    store.plan().answers_lost = 1;
    store.plan().commands = commands.to_vec();

    scene
        .until("the bot is stopped", |account| {
            let bot = account.bots.get(&BOT);
            bot.is_some_and(|bot| bot.head.status == tranche_trading::bot::BotStatus::Stopped)
        })
        .await;

    scene.audit().await;
    let verdicts: Vec<bool> = scene.store.look(|memory| {
        let verdicts = &memory.stored(OURS).unwrap().verdicts;
        verdicts.values().map(|row| row.verdict.is_ok()).collect()
    });
    assert_eq!(verdicts, [true, false, true]);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graceful_stop_hears_what_left_and_gives_its_leases_back() {
    let (mut scene, store) = behind(Plan::default()).await;
    let slow = r#"{"seed": 1, "rule": [{"path": "POST /api/v3/order",
        "fault": {"kind": "delay_answer", "ms": 700}}]}"#;
    scene.create(draft()).await;
    assert_eq!(scene.server.control("PUT", "/faults", slow).0, 200);
    scene
        .until_at(Some("100"), "an order is on its way", |account| {
            account.bots[&BOT].lanes[0].has_orders()
        })
        .await;

    scene.engine.stop().await.unwrap();

    assert_eq!(scene.engine.ended().await, Ending::Stopped);
    assert_eq!(store.plan().released, [OURS]);
    let intents = scene.store.look(|memory| memory.stored(OURS).unwrap().intents.len());
    let orders = scene.server.look(|exchange| {
        let open = exchange.open_orders(OURS).len();
        open + exchange.trades(OURS, scene::PAIR, tranche_model::time::Timestamp::MIN).len()
    });
    assert_eq!(orders, intents, "each intent that was committed had left, and was carried out");

    scene.start_anew().await;
    scene.until_at(Some("100"), "three orders rest", |account| resting(account) == 3).await;
    scene.audit().await;
    scene.stop().await;
}

fn resting(account: &Account) -> usize {
    let is_ready = account.desk.state == tranche_trading::account::AccountState::Ready;
    let Some(bot) = account.bots.get(&BOT) else { return 0 };
    let orders = bot.lanes[0].orders().filter(|(_, order)| {
        order.stage == tranche_trading::order::Stage::Open && order.kind.rests()
    });
    if is_ready { orders.count() } else { 0 }
}
