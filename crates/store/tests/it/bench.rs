//! Databases for tests, and rows to write.

use std::path::PathBuf;

use sqlx::{
    AssertSqlSafe,
    postgres::PgPool,
    sqlite::{SqliteConnectOptions, SqlitePool},
};

use tranche_model::{
    asset::Asset,
    client_order_id::{ClientOrderId, OrderKey, Origin},
    fill::{Fee, Fill, Liquidity},
    ids::{
        AccountId, BotId, DealNo, Epoch, Generation, Incarnation, Installation, InstrumentId, Seq,
        Slot, TradeId, VenueOrderId,
    },
    money::{Amount, Price, Qty, Quote},
    order::{OrderKind, OrderRequest, Side, TimeInForce},
    record::{Batch, FillRow, IntentRow, JournalRow, Snapshot},
    time::{Millis, Timestamp},
};
use tranche_store::{
    Account, Database, Role, Settings, Store, Versions,
    scratch::{PostgresDatabase, PostgresServer},
};

pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_700_000_000_000);
pub(crate) const VERSIONS: Versions = Versions { schema: 1, rules: 1 };

/// Runs each case on both databases.
macro_rules! contract {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                let bench = $crate::bench::Bench::sqlite(concat!(module_path!(), stringify!($case)));
                super::$case(&bench).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&$crate::bench::Bench::postgres()).await;
            })*
        }
    };
}

pub(crate) use contract;

/// An empty database that goes with its test.
pub(crate) struct Bench {
    pub(crate) database: Database,
    _folder: Option<Folder>,
    pub(crate) postgres: Option<PostgresDatabase>,
}

impl Bench {
    pub(crate) fn sqlite(name: &str) -> Self {
        let folder = Folder::new(&name.replace("::", "-"));
        Self { database: folder.sqlite(), _folder: Some(folder), postgres: None }
    }

    pub(crate) fn postgres() -> Self {
        let postgres = PostgresServer::shared().unwrap().database().unwrap();
        let database = Database::parse(&postgres.url()).unwrap();
        Self { database, _folder: None, postgres: Some(postgres) }
    }

    pub(crate) async fn open(&self) -> Store {
        self.open_as("first").await
    }

    pub(crate) async fn open_as(&self, owner: &str) -> Store {
        Store::open(settings(self.database.clone(), owner)).await.unwrap()
    }

    /// A second engine: on SQLite as a client, because the file has its engine.
    pub(crate) async fn open_beside(&self, owner: &str, lease: Millis) -> Store {
        let role = if self.postgres.is_some() { Role::Engine } else { Role::Client };
        let settings = Settings { role, lease, ..settings(self.database.clone(), owner) };
        Store::open(settings).await.unwrap()
    }

    /// A connection past the store, for what a stranger would do.
    pub(crate) async fn raw(&self) -> Raw {
        match &self.database {
            Database::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path);
                Raw::Sqlite(SqlitePool::connect_with(options).await.unwrap())
            }
            Database::Postgres(options) => {
                Raw::Postgres(PgPool::connect_with((**options).clone()).await.unwrap())
            }
        }
    }
}

/// SQL past the store.
pub(crate) enum Raw {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Raw {
    pub(crate) async fn run(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(pool) => Ok(sqlx::raw_sql(sql).execute(pool).await?.rows_affected()),
            Self::Postgres(pool) => Ok(sqlx::raw_sql(sql).execute(pool).await?.rows_affected()),
        }
    }

    /// The first column of each row, as text.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(pool) => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap(),
            Self::Postgres(pool) => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap(),
        }
    }
}

/// A folder that goes with its test.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tranche-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        Self { path }
    }

    pub(crate) fn sqlite(&self) -> Database {
        Database::Sqlite(self.path.join("tranche.db"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.path));
    }
}

pub(crate) fn settings(database: Database, owner: &str) -> Settings {
    Settings {
        database,
        role: Role::Engine,
        owner: owner.to_owned(),
        versions: VERSIONS,
        lease: Millis::from_secs(15),
        now: NOW,
    }
}

pub(crate) fn paper(account: u32) -> Account {
    Account {
        account: AccountId::new(account),
        user: None,
        venue: "binance".to_owned(),
        name: format!("paper {account}"),
        is_paper: true,
        credential: None,
        created_at: NOW,
    }
}

pub(crate) async fn add_paper(store: &Store, account: u32) {
    let snapshot = Snapshot { account: vec![1, 2, 3], bots: vec![(BotId::new(7), vec![7])] };
    assert!(store.add_account(&paper(account), &snapshot).await.unwrap());
}

/// One input with its journal row and nothing else.
pub(crate) fn input(account: u32, epoch: Epoch, seq_before: Seq) -> Batch {
    let seq = seq_before.next();
    Batch {
        account: AccountId::new(account),
        epoch,
        seq_before,
        seq,
        journal: vec![JournalRow { seq, at: NOW, body: vec![0xC0, 0xDE] }],
        snapshots: Vec::new(),
        intents: Vec::new(),
        fills: Vec::new(),
        deals: Vec::new(),
        verdicts: Vec::new(),
    }
}

pub(crate) fn client_id(bot: u32, generation: u16) -> ClientOrderId {
    let origin = Origin { installation: Installation::new(5), incarnation: Incarnation::new(9) };
    let key = OrderKey {
        bot: BotId::new(bot),
        deal: DealNo::new(1),
        slot: Slot::BASE,
        generation: Generation::new(generation),
    };
    ClientOrderId::pack(origin, key).unwrap()
}

pub(crate) fn intent(bot: u32, generation: u16) -> IntentRow {
    let request = OrderRequest {
        client_id: client_id(bot, generation),
        instrument: InstrumentId::new(3),
        side: Side::Buy,
        kind: OrderKind::Limit {
            price: Price::parse("0.0000084600000000000000000001").unwrap(),
            qty: Qty::parse("123456789012.500000000000001").unwrap(),
            time_in_force: TimeInForce::GoodTillCancelled,
        },
    };
    IntentRow { request, send_by: NOW.plus(Millis::from_secs(3)), at: NOW }
}

pub(crate) fn fill(bot: u32, trade: u128) -> FillRow {
    let fill = Fill {
        trade_id: TradeId::new(trade),
        client_id: Some(client_id(bot, 0)),
        venue_order_id: VenueOrderId::new(u128::MAX),
        instrument: InstrumentId::new(3),
        side: Side::Sell,
        price: Price::parse("0.0000084600000000000000000001").unwrap(),
        qty: Qty::parse("123456789012.500000000000001").unwrap(),
        quote: Quote::parse("79228162514264337593543950335").unwrap(),
        fee: Fee {
            asset: Asset::parse("BNB").unwrap(),
            amount: Amount::parse("0.00075").unwrap(),
            in_quote: None,
        },
        liquidity: Liquidity::Maker,
        at: NOW,
    };
    FillRow { bot: BotId::new(bot), deal: DealNo::new(1), fill }
}
