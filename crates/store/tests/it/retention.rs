//! Old inputs go, and their intents with them; nothing else does.

use std::time::Duration;

use tranche_model::{
    ids::{AccountId, Epoch, Seq},
    record::{Batch, JournalRow},
    time::{Millis, Timestamp},
};
use tranche_store::{Retention, Store, StoreError};

use crate::bench::{Bench, NOW, add_paper, contract, fill, input, intent};

const ONE: AccountId = AccountId::new(1);

contract! {
    old_journal_goes_and_fills_stay,
    many_rows_go_step_by_step_and_others_stay,
    newest_inputs_stay_whatever_their_age,
    account_goes_on_after_its_journal_went,
}

async fn old_journal_goes_and_fills_stay(bench: &Bench) {
    let store = with_inputs(bench, 10).await;
    let fills = store.fills(ONE).await.unwrap();
    assert_eq!(fills.len(), 10);

    // Inputs 1 to 6 are before the seventh.
    let gone = store.retain(&[ONE], retention(7, 2)).await.unwrap();

    assert_eq!(gone, 12);
    assert_eq!(seqs(&store).await, [7, 8, 9, 10]);
    assert_eq!(store.fills(ONE).await.unwrap(), fills);
    assert_eq!(store.intents(ONE, Timestamp::MIN).await.unwrap().len(), 4);
    assert_eq!(store.verify().await, Ok(Vec::new()));
    assert_eq!(store.retain(&[ONE], retention(7, 2)).await, Ok(0));
    // A shorter memory later, a longer one brings nothing back.
    assert_eq!(store.retain(&[ONE], retention(3, 2)).await, Ok(0));
    assert_eq!(store.retain(&[ONE], retention(8, 2)).await, Ok(2));
}

async fn many_rows_go_step_by_step_and_others_stay(bench: &Bench) {
    let store = bench.open().await;
    let other = AccountId::new(2);
    for account in [ONE, other] {
        add_paper(&store, account.get()).await;
        let epoch = store.load(account).await.unwrap().epoch;
        let mut batch = input(account.get(), epoch, Seq::new(0));
        let row = |seq| JournalRow { seq: Seq::new(seq), at: NOW, body: vec![7; 600] };
        batch.journal = (1..=2500).map(row).collect();
        batch.seq = Seq::new(2500);
        assert_eq!(store.commit(vec![batch]).await, [Ok(())]);
    }
    assert_eq!(store.remembers_since(ONE).await, Ok(None));

    // Stopped in the midst, whole steps are done, and the next call goes on.
    let begun = store.retain(&[ONE], retention(1, 100));
    drop(tokio::time::timeout(Duration::from_millis(5), begun).await);
    assert_eq!(store.verify().await, Ok(Vec::new()));
    store.retain(&[ONE], retention(1, 100)).await.unwrap();
    store.compact().await.unwrap();

    let left = store.journal(ONE, Seq::new(0), 9000).await.unwrap();
    assert_eq!((left.len(), left[0].row.seq), (100, Seq::new(2401)));
    assert_eq!(store.journal(other, Seq::new(0), 9000).await.unwrap().len(), 2500);
    assert_eq!(store.remembers_since(ONE).await, Ok(Some(NOW)));
    assert_eq!(store.verify().await, Ok(Vec::new()));
    let nobody = AccountId::new(9);
    let error = store.retain(&[nobody], retention(1, 0)).await;
    assert_eq!(error, Err(StoreError::NoAccount(nobody)));
}

async fn newest_inputs_stay_whatever_their_age(bench: &Bench) {
    let store = with_inputs(bench, 10).await;

    assert_eq!(store.retain(&[ONE], retention(100, 3)).await, Ok(14));
    assert_eq!(seqs(&store).await, [8, 9, 10]);
    assert_eq!(store.retain(&[ONE], retention(100, 50)).await, Ok(0));
    assert_eq!(seqs(&store).await, [8, 9, 10]);
}

async fn account_goes_on_after_its_journal_went(bench: &Bench) {
    let store = with_inputs(bench, 5).await;
    assert_eq!(store.retain(&[ONE], retention(100, 0)).await, Ok(10));
    assert_eq!(seqs(&store).await, Vec::<u64>::new());
    assert_eq!(store.verify().await, Ok(Vec::new()));

    let loaded = store.load(ONE).await.unwrap();
    assert_eq!(loaded.seq, Seq::new(5));
    assert_eq!(store.commit(vec![input(1, loaded.epoch, loaded.seq)]).await, [Ok(())]);

    assert_eq!(seqs(&store).await, [6]);
    assert_eq!(store.verify().await, Ok(Vec::new()));
    // A fill that came long ago is still known.
    assert_eq!(store.fills(ONE).await.unwrap().len(), 5);
}

/// Account 1 with one input a second, each with an intent and a fill.
async fn with_inputs(bench: &Bench, count: u16) -> Store {
    let store = bench.open().await;
    add_paper(&store, 1).await;
    let epoch = store.load(ONE).await.unwrap().epoch;
    let batches = (0..count).map(|number| batch(epoch, number)).collect();
    assert!(store.commit(batches).await.iter().all(Result::is_ok));
    store
}

fn batch(epoch: Epoch, number: u16) -> Batch {
    let mut batch = input(1, epoch, Seq::new(number.into()));
    batch.journal[0].at = at(u32::from(number) + 1);
    batch.fills = vec![fill(8, number.into())];
    batch.intents = vec![intent(8, number)];
    batch
}

/// The time of an input.
fn at(input: u32) -> Timestamp {
    NOW.plus(Millis::from_secs(input))
}

fn retention(input: u32, keep: u32) -> Retention {
    Retention { before: at(input), keep }
}

async fn seqs(store: &Store) -> Vec<u64> {
    let journal = store.journal(ONE, Seq::new(0), 100).await.unwrap();
    journal.iter().map(|entry| entry.row.seq.get()).collect()
}
