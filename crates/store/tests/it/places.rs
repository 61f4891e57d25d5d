//! A file notes later where the rows of an account are; nobody who reads can tell.

use tranche_model::{
    ids::{AccountId, Seq},
    record::JournalRow,
    time::{Millis, Timestamp},
};
use tranche_store::{Retention, Store};

use crate::bench::{Bench, NOW, add_paper, input, intent};

/// Journal rows that are noted, of all.
const NOTED: &str = "SELECT journal || ' of ' || (SELECT COUNT(*) FROM journal_rows) FROM indexed";

#[tokio::test]
async fn rows_are_found_whether_noted_or_not() {
    let bench = Bench::sqlite("places-found");
    let mut store = bench.open().await;
    for account in 1..=3 {
        add_paper(&store, account).await;
    }
    for round in 1..=4 {
        for account in [3, 1, 2] {
            commit(&store, account).await;
        }
        for account in 1..=3 {
            let all: Vec<u64> = (1..=round).collect();
            assert_eq!(journal(&store, account, 0).await, all);
            assert_eq!(journal(&store, account, round).await, [round]);
            let intents = store.intents(AccountId::new(account), Timestamp::MIN).await.unwrap();
            assert_eq!(intents.len(), all.len());
        }
        assert_eq!(store.verify().await, Ok(Vec::new()));
        if round % 2 == 0 {
            store.close().await;
            drop(store);
            store = bench.open().await;
            let noted = format!("{} of {}", round * 3, round * 3);
            assert_eq!(bench.raw().await.texts(NOTED).await, [noted]);
        }
    }
    store.close().await;
}

#[tokio::test]
async fn number_of_a_row_that_went_may_come_again() {
    let bench = Bench::sqlite("places-again");
    let store = bench.open().await;
    add_paper(&store, 1).await;
    add_paper(&store, 2).await;
    for account in [1, 2, 1, 2, 2] {
        commit(&store, account).await;
    }
    let before = NOW.plus(Millis::from_secs(9));

    let both = [1, 2].map(AccountId::new);

    // The last rows of all are among them.
    assert_eq!(store.retain(&both, Retention { before, keep: 0 }).await, Ok(10));
    assert_eq!(bench.raw().await.texts(NOTED).await, ["0 of 0"]);
    commit(&store, 2).await;
    commit(&store, 1).await;

    assert_eq!(journal(&store, 1, 0).await, [3]);
    assert_eq!(journal(&store, 2, 0).await, [4]);
    assert_eq!(store.retain(&both, Retention { before, keep: 1 }).await, Ok(0));
    assert_eq!(bench.raw().await.texts(NOTED).await, ["2 of 2"]);
    assert_eq!(journal(&store, 1, 0).await, [3]);
    assert_eq!(store.verify().await, Ok(Vec::new()));
    store.close().await;
}

#[tokio::test]
async fn many_rows_are_noted_between_two_commits() {
    let bench = Bench::sqlite("places-many");
    let store = bench.open().await;
    add_paper(&store, 1).await;
    let loaded = store.load(AccountId::new(1)).await.unwrap();
    let mut batch = input(1, loaded.epoch, loaded.seq);
    batch.seq = Seq::new(66_000);
    batch.journal =
        (1..=66_000).map(|seq| JournalRow { seq: Seq::new(seq), at: NOW, body: vec![1] }).collect();

    assert_eq!(store.commit(vec![batch]).await, [Ok(())]);
    commit(&store, 1).await;

    assert_eq!(bench.raw().await.texts(NOTED).await, ["66000 of 66001"]);
    assert_eq!(journal(&store, 1, 65_999).await, [65_999, 66_000, 66_001]);
    assert_eq!(store.verify().await, Ok(Vec::new()));
    store.close().await;
}

#[tokio::test]
async fn row_that_a_stranger_added_is_found_out() {
    let bench = Bench::sqlite("places-stranger");
    let store = bench.open().await;
    add_paper(&store, 1).await;
    commit(&store, 1).await;
    let raw = bench.raw().await;
    let again = "INSERT INTO journal_rows (account, seq, epoch, at, schema_version, rules_version, \
        body) SELECT account, seq, epoch, at, schema_version, rules_version, body FROM journal_rows";
    raw.run(again).await.unwrap();
    let told = |troubles: Vec<tranche_store::Trouble>| troubles[0].to_string();

    assert_eq!(told(store.verify().await.unwrap()), "journal: its journal has a gap: account 1");
    store.close().await;
    drop(store);
    let store = bench.open().await;
    let twice = "journal: a row is there twice, or cannot be found: row 2";
    assert_eq!(told(store.verify().await.unwrap()), twice);
    assert_eq!(journal(&store, 1, 0).await, [1]);
    raw.run("UPDATE intents_index SET row = 9").await.unwrap();
    let troubles = store.verify().await.unwrap();
    let lost = "intents: a row is not where it is said to be: row 9";
    assert!(troubles.iter().any(|trouble| trouble.to_string() == lost), "{troubles:?}");
    store.close().await;
}

/// The next input of an account, with an intent.
async fn commit(store: &Store, account: u32) {
    let loaded = store.load(AccountId::new(account)).await.unwrap();
    let mut batch = input(account, loaded.epoch, loaded.seq);
    batch.intents = vec![intent(account, u16::try_from(batch.seq.get() % 60_000).unwrap())];
    assert_eq!(store.commit(vec![batch]).await, [Ok(())]);
}

async fn journal(store: &Store, account: u32, from: u64) -> Vec<u64> {
    let journal = store.journal(AccountId::new(account), Seq::new(from), 100).await.unwrap();
    journal.iter().map(|entry| entry.row.seq.get()).collect()
}
