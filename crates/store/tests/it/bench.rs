//! Databases for tests, and rows to write.

use std::path::PathBuf;

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
use tranche_store::{Account, Database, Role, Settings, Store, Versions};

pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_700_000_000_000);
pub(crate) const VERSIONS: Versions = Versions { schema: 1, rules: 1 };

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
