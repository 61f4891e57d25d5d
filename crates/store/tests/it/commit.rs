//! Committing and loading.

use std::collections::BTreeSet;

use tranche_model::{
    ids::{AccountId, BotId, CommandId, DealNo, Epoch, InstrumentId, Seq, TradeId},
    money::Quote,
    record::{Batch, DealRow, Snapshot, SnapshotRow, VerdictRow},
    time::{Millis, Timestamp},
};
use tranche_store::{Store, StoreError};

use crate::bench::{Bench, NOW, add_paper, contract, fill, input, intent};

contract! {
    what_was_committed_is_loaded,
    commit_of_a_former_owner_loses,
    stale_part_leaves_out_its_account_only,
    batches_of_one_account_follow_each_other,
    many_accounts_stand_in_one_transaction,
    fill_deal_and_verdict_are_kept_once,
    journal_with_a_gap_is_refused_alone,
    row_that_is_refused_costs_nobody_else,
    foreign_text_is_kept_or_marked,
    account_that_is_there_stays,
    commit_goes_on_when_nobody_waits,
    closed_store_says_so,
}

async fn what_was_committed_is_loaded(bench: &Bench) {
    let (store, first) = opened(bench).await;
    let mut batch = first;
    batch.snapshots = vec![
        SnapshotRow { bot: None, body: vec![9] },
        SnapshotRow { bot: Some(BotId::new(7)), body: Vec::new() },
        SnapshotRow { bot: Some(BotId::new(8)), body: vec![1] },
        SnapshotRow { bot: Some(BotId::new(8)), body: vec![8] },
    ];
    batch.intents = vec![intent(8, 1), intent(8, 2)];
    batch.fills = vec![fill(8, 1), fill(8, u128::MAX)];

    assert_eq!(store.commit(vec![batch.clone()]).await, [Ok(())]);

    let again = store.load(AccountId::new(1)).await.unwrap();
    assert_eq!((again.epoch, again.seq), (Epoch::new(2), Seq::new(1)));
    let bots = vec![(BotId::new(8), vec![8])];
    assert_eq!(again.snapshot, Snapshot { account: vec![9], bots });
    assert_eq!(store.fills(AccountId::new(1)).await.unwrap(), batch.fills);
    let intents = store.intents(AccountId::new(1), Timestamp::from_ms(0)).await.unwrap();
    assert_eq!(intents, batch.intents);
    let journal = store.journal(AccountId::new(1), Seq::new(0), 10).await.unwrap();
    assert_eq!(journal.len(), 1);
    assert_eq!((&journal[0].row, journal[0].epoch), (&batch.journal[0], Epoch::new(1)));
}

async fn commit_of_a_former_owner_loses(bench: &Bench) {
    let (store, first) = opened(bench).await;
    let owner = store.load(AccountId::new(1)).await.unwrap();

    assert_eq!(store.commit(vec![first]).await, [Err(StoreError::Stale)]);
    assert_eq!(store.commit(vec![input(1, owner.epoch, owner.seq)]).await, [Ok(())]);
}

async fn stale_part_leaves_out_its_account_only(bench: &Bench) {
    let (store, first) = opened(bench).await;
    add_paper(&store, 2).await;
    let second = store.load(AccountId::new(2)).await.unwrap();
    let unknown = input(3, Epoch::new(1), Seq::new(0));
    let stale = input(2, second.epoch, Seq::new(5));

    let answers = store.commit(vec![stale, unknown, first]).await;

    let no_account = StoreError::NoAccount(AccountId::new(3));
    assert_eq!(answers, [Err(StoreError::Stale), Err(no_account), Ok(())]);
    let standing = store.standing(AccountId::new(2)).await.unwrap();
    assert_eq!(standing, Some((Epoch::new(1), Seq::new(0))));
    assert_eq!(store.journal(AccountId::new(2), Seq::new(0), 9).await, Ok(Vec::new()));
}

async fn batches_of_one_account_follow_each_other(bench: &Bench) {
    let (store, first) = opened(bench).await;
    let epoch = first.epoch;
    let mut second = input(1, epoch, Seq::new(1));
    second.snapshots = vec![SnapshotRow { bot: None, body: vec![2] }];
    let third = input(1, epoch, Seq::new(2));

    let answers = store.commit(vec![second.clone(), first, second, third]).await;

    assert_eq!(answers, [Err(StoreError::Stale), Ok(()), Ok(()), Ok(())]);
    let loaded = store.load(AccountId::new(1)).await.unwrap();
    assert_eq!((loaded.seq, loaded.snapshot.account), (Seq::new(3), vec![2]));
    let journal = store.journal(AccountId::new(1), Seq::new(2), 9).await.unwrap();
    assert_eq!(journal.iter().map(|entry| entry.row.seq.get()).collect::<Vec<_>>(), [2, 3]);
}

async fn many_accounts_stand_in_one_transaction(bench: &Bench) {
    let store = bench.open().await;
    let mut batches = Vec::new();
    for account in 1..=75 {
        add_paper(&store, account).await;
        let loaded = store.load(AccountId::new(account)).await.unwrap();
        let mut batch = input(account, loaded.epoch, loaded.seq);
        batch.intents = (0..3).map(|generation| intent(account, generation)).collect();
        batches.push(batch);
    }

    let answers = store.commit(batches).await;

    assert_eq!(answers, vec![Ok(()); 75]);
    let intents = store.intents(AccountId::new(75), Timestamp::from_ms(0)).await.unwrap();
    assert_eq!(intents.len(), 3);
}

async fn fill_deal_and_verdict_are_kept_once(bench: &Bench) {
    let (store, mut first) = opened(bench).await;
    first.fills = vec![fill(8, 1), fill(9, 1)];
    first.deals = vec![deal("take profit"), deal("stopped")];
    first.verdicts = vec![verdict(Ok(())), verdict(Err("too late".to_owned()))];
    let mut second = input(1, first.epoch, first.seq);
    second.fills = vec![fill(9, 1)];
    second.deals = vec![deal("again")];
    second.verdicts = vec![verdict(Err("again".to_owned()))];

    assert_eq!(store.commit(vec![first]).await, [Ok(())]);
    assert_eq!(store.commit(vec![second]).await, [Ok(())]);

    let account = AccountId::new(1);
    assert_eq!(store.fills(account).await.unwrap(), [fill(8, 1)]);
    assert_eq!(store.deals(account).await.unwrap(), [deal("take profit")]);
    assert_eq!(store.verdict(account, CommandId::new(6)).await, Ok(Some(verdict(Ok(())))));
    let known = async |account, instrument, trades: &[u128]| {
        let trades: Vec<TradeId> = trades.iter().copied().map(TradeId::new).collect();
        store.fills_known(account, InstrumentId::new(instrument), &trades).await.unwrap()
    };
    let first = BTreeSet::from([TradeId::new(1)]);
    assert_eq!(known(account, 3, &[1]).await, first);
    // More than fit into one list.
    assert_eq!(known(account, 3, &(1..=300).collect::<Vec<_>>()).await, first);
    assert_eq!(known(account, 3, &[]).await, BTreeSet::new());
    assert_eq!(known(account, 3, &[2]).await, BTreeSet::new());
    assert_eq!(known(account, 4, &[1]).await, BTreeSet::new());
    assert_eq!(known(AccountId::new(2), 3, &[1]).await, BTreeSet::new());
    assert_eq!(store.fills_of(BotId::new(8), DealNo::new(1)).await.unwrap(), [fill(8, 1)]);
}

async fn journal_with_a_gap_is_refused_alone(bench: &Bench) {
    let (store, first) = opened(bench).await;
    add_paper(&store, 2).await;
    let loaded = store.load(AccountId::new(2)).await.unwrap();
    let mut gap = input(2, loaded.epoch, loaded.seq);
    gap.journal.clear();

    let answers = store.commit(vec![gap, first]).await;

    assert!(matches!(answers[0], Err(StoreError::Failed(_))), "{answers:?}");
    assert_eq!(answers[1], Ok(()));
}

/// A number that the tables refuse in one account's part.
async fn row_that_is_refused_costs_nobody_else(bench: &Bench) {
    let (store, first) = opened(bench).await;
    add_paper(&store, 2).await;
    let loaded = store.load(AccountId::new(2)).await.unwrap();
    let second = input(2, loaded.epoch, loaded.seq);
    let raw = bench.raw().await;
    // Somebody put a journal row where the next one of account 1 belongs.
    let row = match bench.postgres {
        Some(_) => "INSERT INTO journal VALUES (1, 1, 0, 0, 1, 1, '\\x00')",
        // A file keeps the order of inputs by the account's own row: the stranger wants more than that.
        None => {
            "CREATE UNIQUE INDEX stranger ON journal_rows (account, seq); \
             INSERT INTO journal_rows VALUES (1, 1, 1, 0, 0, 1, 1, x'00')"
        }
    };
    raw.run(row).await.unwrap();

    let answers = store.commit(vec![first, second]).await;

    assert!(matches!(answers[0], Err(StoreError::Failed(_))), "{answers:?}");
    assert_eq!(answers[1], Ok(()));
    let standing = store.standing(AccountId::new(1)).await.unwrap();
    assert_eq!(standing, Some((Epoch::new(1), Seq::new(0))));
}

async fn foreign_text_is_kept_or_marked(bench: &Bench) {
    let (store, mut first) = opened(bench).await;
    let text = "'; DROP TABLE fills; -- \u{1f980} \0 end";
    first.deals = vec![deal(text)];

    assert_eq!(store.commit(vec![first]).await, [Ok(())]);

    let kept = &store.deals(AccountId::new(1)).await.unwrap()[0].ended;
    assert_eq!(*kept, text.replace('\0', "\u{fffd}"));
}

async fn account_that_is_there_stays(bench: &Bench) {
    let (store, first) = opened(bench).await;
    assert_eq!(store.commit(vec![first]).await, [Ok(())]);

    let account = crate::bench::paper(1);
    assert_eq!(store.add_account(&account, &Snapshot::default()).await, Ok(false));

    assert_eq!(store.accounts().await.unwrap(), [account]);
    let loaded = store.load(AccountId::new(1)).await.unwrap();
    assert_eq!((loaded.seq, loaded.snapshot.account), (Seq::new(1), vec![1, 2, 3]));
}

async fn commit_goes_on_when_nobody_waits(bench: &Bench) {
    let (store, first) = opened(bench).await;
    let epoch = first.epoch;
    {
        let mut commit = Box::pin(store.commit(vec![first]));
        // Polled once: it was handed in, and then the caller goes away.
        let poll = std::future::poll_fn(|context| {
            std::task::Poll::Ready(commit.as_mut().poll(context).is_pending())
        });
        assert!(poll.await);
    }

    // The committer takes them in order.
    assert_eq!(store.commit(vec![input(1, epoch, Seq::new(1))]).await, [Ok(())]);
}

async fn closed_store_says_so(bench: &Bench) {
    let (store, first) = opened(bench).await;

    store.close().await;

    assert!(matches!(store.commit(vec![first]).await[..], [Err(StoreError::Failed(_))]));
    assert!(store.load(AccountId::new(1)).await.is_err());
}

/// With account 1 loaded, and its first batch.
async fn opened(bench: &Bench) -> (Store, Batch) {
    let store = bench.open().await;
    add_paper(&store, 1).await;
    let loaded = store.load(AccountId::new(1)).await.unwrap();
    let batch = input(1, loaded.epoch, loaded.seq);
    (store, batch)
}

fn verdict(verdict: Result<(), String>) -> VerdictRow {
    VerdictRow { command: CommandId::new(6), verdict }
}

fn deal(ended: &str) -> DealRow {
    DealRow {
        bot: BotId::new(8),
        deal: DealNo::new(1),
        instrument: InstrumentId::new(3),
        opened_at: NOW,
        closed_at: NOW.plus(Millis::from_secs(60)),
        ended: ended.to_owned(),
        profit: Quote::parse("-0.00000001").unwrap(),
        fees: Quote::parse("0.1").unwrap(),
        bought: Quote::parse("100").unwrap(),
        safety_orders: 3,
    }
}
