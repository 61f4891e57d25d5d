//! Opening, committing and loading.

use tranche_model::{
    ids::{AccountId, BotId, Epoch, InstrumentId, Seq, TradeId},
    record::{Snapshot, SnapshotRow},
    time::Timestamp,
};
use tranche_store::{OpenError, Store, StoreError};

use crate::bench::{Folder, NOW, add_paper, fill, input, intent, settings};

#[tokio::test]
async fn what_was_committed_is_loaded() {
    let folder = Folder::new("loaded");
    let store = Store::open(settings(folder.sqlite(), "a")).await.unwrap();
    add_paper(&store, 1).await;
    let loaded = store.load(AccountId::new(1)).await.unwrap();
    let mut batch = input(1, loaded.epoch, loaded.seq);
    batch.snapshots = vec![
        SnapshotRow { bot: None, body: vec![9] },
        SnapshotRow { bot: Some(BotId::new(7)), body: Vec::new() },
        SnapshotRow { bot: Some(BotId::new(8)), body: vec![8] },
    ];
    batch.intents = vec![intent(8, 1)];
    batch.fills = vec![fill(8, 1), fill(8, 1), fill(8, u128::MAX)];

    assert_eq!(store.commit(vec![batch.clone()]).await, [Ok(())]);

    let again = store.load(AccountId::new(1)).await.unwrap();
    assert_eq!((again.epoch, again.seq), (Epoch::new(2), Seq::new(1)));
    let bots = vec![(BotId::new(8), vec![8])];
    assert_eq!(again.snapshot, Snapshot { account: vec![9], bots });
    assert_eq!(store.fills(AccountId::new(1)).await.unwrap(), [fill(8, 1), fill(8, u128::MAX)]);
    let intents = store.intents(AccountId::new(1), Timestamp::from_ms(0)).await.unwrap();
    assert_eq!(intents, [intent(8, 1)]);
    let known = store.fill_known(AccountId::new(1), InstrumentId::new(3), TradeId::new(1)).await;
    assert_eq!(known, Ok(true));
    assert_eq!(store.commit(vec![batch]).await, [Err(StoreError::Stale)]);
}

#[tokio::test]
async fn file_belongs_to_one_engine() {
    let folder = Folder::new("held");
    let first = Store::open(settings(folder.sqlite(), "a")).await.unwrap();

    let second = Store::open(settings(folder.sqlite(), "b")).await.unwrap_err();

    let OpenError::Held(holder) = second else { panic!("{second}") };
    assert_eq!((holder.pid, holder.since), (Some(std::process::id()), Some(NOW)));
    first.close().await;
    drop(first);
    Store::open(settings(folder.sqlite(), "c")).await.unwrap();
}
