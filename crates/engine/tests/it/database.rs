//! The engine's store in a file.

use std::sync::Arc;

use tranche_engine::{
    database::DatabaseStore,
    store::{Store as _, StoreError},
};
use tranche_model::{
    ids::{AccountId, Epoch},
    record::Snapshot,
    time::Timestamp,
};
use tranche_store::{Account, Database, Role, Settings, Store, Versions};
use tranche_trading::codec;

#[tokio::test]
async fn accounts_are_taken_over_together_and_each_is_answered_in_its_place() {
    let folder = std::env::temp_dir().join(format!("tranche-loads-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let inner = Arc::new(open(&folder.join("tranche.db")).await);
    for number in 1..=300 {
        add(&inner, number).await;
    }
    let store = DatabaseStore::new(Arc::<Store>::clone(&inner), Settings::LEASE);

    // One that is not there stands among them, and they come in no order.
    let asked: Vec<AccountId> = (1..=301).rev().map(AccountId::new).collect();
    let answers = store.load(asked.clone()).await;

    assert_eq!(answers.len(), asked.len());
    for (account, answer) in asked.into_iter().zip(answers) {
        match answer {
            // Once, or its epoch would be higher.
            Ok(loaded) => {
                assert_eq!(loaded.epoch, Epoch::new(1));
                assert_eq!(loaded.snapshot.account, account.get().to_string().into_bytes());
            }
            Err(error) => {
                assert_eq!((account.get(), error), (301, StoreError::NoAccount(account)));
            }
        }
    }
    inner.close().await;
    std::fs::remove_dir_all(&folder).unwrap();
}

async fn open(file: &std::path::Path) -> Store {
    let settings = Settings {
        database: Database::Sqlite(file.to_owned()),
        role: Role::Engine,
        owner: "a test".to_owned(),
        versions: Versions { schema: codec::SCHEMA, rules: codec::RULES },
        lease: Settings::LEASE,
        now: Timestamp::from_ms(0),
    };
    Store::open(settings).await.unwrap()
}

async fn add(store: &Store, number: u32) {
    let row = Account {
        account: AccountId::new(number),
        user: None,
        venue: "binance".to_owned(),
        name: format!("paper-{number}"),
        is_paper: true,
        credential: None,
        created_at: Timestamp::from_ms(0),
    };
    let snapshot = Snapshot { account: number.to_string().into_bytes(), bots: Vec::new() };
    assert!(store.add_account(&row, &snapshot).await.unwrap());
}
