//! Writes that fail, at each place where they can: the caller hears of it, nothing is half done, and a
//! later load tells the truth.

use std::{fmt::Write as _, time::Duration};

use tranche_model::{
    ids::{AccountId, BotId, CommandId, DealNo, InstrumentId, Seq, TradeId},
    money::Quote,
    record::{Batch, DealRow, SnapshotRow, VerdictRow},
    time::Millis,
};
use tranche_store::{
    Database, Store, StoreError,
    scratch::{Cut, Line},
};

use crate::bench::{Bench, NOW, Raw, add_paper, contract, fill, input, intent, settings};

const ONE: AccountId = AccountId::new(1);

contract! {
    each_write_that_fails_leaves_nothing_behind,
    full_disk_is_told_and_ends,
}

/// The tables that a commit writes, in no order that matters.
const TABLES: [&str; 7] =
    ["accounts", "journal", "snapshots", "intents", "fills", "deals", "verdicts"];

async fn each_write_that_fails_leaves_nothing_behind(bench: &Bench) {
    let store = bench.open().await;
    add_paper(&store, 1).await;
    add_paper(&store, 2).await;
    let raw = bench.raw().await;

    for table in TABLES {
        for row in [1, 2] {
            let loaded = store.load(ONE).await.unwrap();
            let other = store.load(AccountId::new(2)).await.unwrap();
            let before = everything(&store).await;
            break_table(bench, &raw, table, row).await;

            let batches = vec![wide(1, &loaded), wide(2, &other)];
            let answers = store.commit(batches).await;

            for answer in answers {
                assert!(matches!(answer, Err(StoreError::Failed(_))), "{table} {row}: {answer:?}");
            }
            mend_table(bench, &raw, table).await;
            assert_eq!(everything(&store).await, before, "{table} {row}");
            assert_eq!(store.load(ONE).await.unwrap().seq, loaded.seq, "{table} {row}");
        }
    }

    // It goes on as if nothing had been.
    let loaded = store.load(ONE).await.unwrap();
    assert_eq!(store.commit(vec![wide(1, &loaded)]).await, [Ok(())]);
    assert_eq!(store.fills(ONE).await.unwrap().len(), 2);
    assert_eq!(store.verify().await, Ok(Vec::new()));
}

/// On SQLite the file may not grow; on PostgreSQL the server says what it says on a full disk.
async fn full_disk_is_told_and_ends(bench: &Bench) {
    let store = bench.open().await;
    add_paper(&store, 1).await;
    let loaded = store.load(ONE).await.unwrap();
    let raw = bench.raw().await;
    match &bench.database {
        Database::Sqlite(_) => store.limit_pages(Some(40)).await.unwrap(),
        Database::Postgres(_) => break_table(bench, &raw, "journal", 5).await,
    }

    // Until it is full.
    let mut standing = loaded.seq;
    let error = loop {
        let mut batch = input(1, loaded.epoch, standing);
        batch.journal[0].body = vec![7; 4000];
        let again = (0..5).map(|_| batch.clone()).collect();
        match store.commit(again).await.swap_remove(0) {
            Ok(()) => standing = standing.next(),
            Err(error) => break error,
        }
        assert!(standing < Seq::new(1000), "it never fills");
    };

    let StoreError::Failed(what) = error else { panic!("{error}") };
    assert!(what.contains("full"), "{what}");
    assert_eq!(store.standing(ONE).await.unwrap(), Some((loaded.epoch, standing)));
    match &bench.database {
        Database::Sqlite(_) => store.limit_pages(None).await.unwrap(),
        Database::Postgres(_) => mend_table(bench, &raw, "journal").await,
    }
    assert_eq!(store.commit(vec![input(1, loaded.epoch, standing)]).await, [Ok(())]);
    assert_eq!(store.verify().await, Ok(Vec::new()));
}

/// The server commits, and nobody hears of it; or it does not, and nobody hears of that either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answer_to_a_commit_is_no_lie() {
    let bench = Bench::postgres();
    let direct = bench.open_as("direct").await;
    add_paper(&direct, 1).await;

    for (ends_at, reaches_server) in
        [(STATEMENT, true), (STATEMENT, false), (COMMIT, true), (COMMIT, false)]
    {
        let how = if reaches_server { Cut::Behind(ends_at) } else { Cut::Before(ends_at) };
        let line = Line::new(bench.postgres.as_ref().unwrap(), how).unwrap();
        let store = open_over(&line).await;
        let loaded = store.load(ONE).await.unwrap();
        let mut batch = input(1, loaded.epoch, loaded.seq);
        if ends_at == COMMIT {
            // A bot that is deleted takes a statement of its own, and both a transaction around them.
            batch.snapshots.push(SnapshotRow { bot: Some(BotId::new(9)), body: Vec::new() });
        }

        line.cut(true);
        let answer = store.commit(vec![batch.clone()]).await;
        line.cut(false);

        assert!(matches!(answer[..], [Err(StoreError::Failed(_))]), "{answer:?}");
        // The pool opens another connection by itself; a load tells what happened.
        let after = store.load(ONE).await.unwrap();
        let expected = if reaches_server { batch.seq } else { batch.seq_before };
        assert_eq!(after.seq, expected);
        // The batch is not handed in again: it would lose.
        assert_eq!(store.commit(vec![batch]).await, [Err(StoreError::Stale)]);
        store.close().await;
    }
}

/// Something between forgets the line: nothing comes back, and nobody hears of it. Whoever asked has an
/// answer, and on new lines all goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_falls_silent_holds_nobody_up() {
    let bench = Bench::postgres();
    let direct = bench.open_as("direct").await;
    add_paper(&direct, 1).await;
    let line = Line::new(bench.postgres.as_ref().unwrap(), Cut::Forgotten).unwrap();
    let store = open_over(&line).await;
    assert_eq!(store.lease(&[ONE]).await.unwrap(), [ONE]);
    let loaded = store.load(ONE).await.unwrap();

    // More of them than there are lines.
    line.cut(true);
    let batch = || input(1, loaded.epoch, loaded.seq);
    let ask = async || {
        let trades = [TradeId::new(1)];
        tokio::join!(
            store.commit(vec![batch()]),
            store.renew(),
            store.load(ONE),
            store.fills_known(ONE, InstrumentId::new(3), &trades),
            store.open_commands(&[ONE]),
            store.verdict(ONE, CommandId::new(1)),
        )
    };
    for _ in 0..2 {
        let answers = tokio::time::timeout(Duration::from_secs(40), Box::pin(ask())).await;
        let (committed, renewed, again, known, open, verdict) = answers.expect("all are answered");
        assert!(matches!(committed[..], [Err(StoreError::Failed(_))]), "{committed:?}");
        assert!(renewed.is_err() && again.is_err() && known.is_err());
        assert!(open.is_err() && verdict.is_err());
    }
    line.cut(false);

    // The forgotten lines never say anything any more.
    let goes_on = async {
        while store.open_commands(&[ONE]).await.is_err() || store.load(ONE).await.is_err() {}
        let loaded = store.load(ONE).await.unwrap();
        store.commit(vec![input(1, loaded.epoch, loaded.seq)]).await
    };
    let answers = tokio::time::timeout(Duration::from_secs(30), goes_on).await;
    assert_eq!(answers.expect("it goes on"), [Ok(())]);
    let closing = tokio::time::timeout(Duration::from_secs(20), store.close()).await;
    closing.expect("it comes to its end");
}

/// A process that was stopped inside a transaction does not hold the next owner up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_process_loses_its_transaction_before_its_lease() {
    let bench = Bench::postgres();
    let store = bench.open_as("next").await;
    add_paper(&store, 1).await;
    let lease = Millis::new(3000);
    let stopped = bench.open_beside("stopped", lease).await;
    stopped.lease(&[ONE]).await.unwrap();
    let owned = stopped.load(ONE).await.unwrap();
    let Raw::Postgres(pool) = bench.raw().await else { panic!("a server") };
    // What the stopped process did last: its row is locked, and then it says nothing more.
    let mut connection = pool.acquire().await.unwrap();
    for sql in [
        "SET idle_in_transaction_session_timeout = '750ms'",
        "BEGIN",
        "SELECT * FROM leases FOR UPDATE",
        "UPDATE accounts SET seq = seq + 1",
    ] {
        sqlx::query(sql).execute(&mut *connection).await.unwrap();
    }

    let next = bench.open_beside("third", lease).await;
    let mut taken = Vec::new();
    let mut tries = 0;
    while taken.is_empty() {
        tries += 1;
        assert!(tries < 200, "it is held up");
        tokio::time::sleep(Duration::from_millis(100)).await;
        taken = next.lease(&[ONE]).await.unwrap();
    }

    let loaded = next.load(ONE).await.unwrap();
    assert_eq!(loaded.seq, owned.seq);
    assert_eq!(next.commit(vec![input(1, loaded.epoch, loaded.seq)]).await, [Ok(())]);
    let woken = stopped.commit(vec![input(1, owned.epoch, owned.seq)]).await;
    assert_eq!(woken, [Err(StoreError::Stale)]);
}

/// One row in each table, two where one could be the last.
fn wide(account: u32, loaded: &tranche_store::Loaded) -> Batch {
    let mut batch = input(account, loaded.epoch, loaded.seq);
    let bot = 100 + account;
    batch.snapshots = vec![
        SnapshotRow { bot: None, body: vec![1] },
        SnapshotRow { bot: Some(BotId::new(bot)), body: vec![2] },
    ];
    batch.intents = vec![intent(bot, 1), intent(bot, 2)];
    batch.fills = vec![fill(bot, 1), fill(bot, 2)];
    batch.deals = vec![deal(bot, 1), deal(bot, 2)];
    batch.verdicts = [1, 2]
        .map(|command| VerdictRow { command: CommandId::new(command), verdict: Ok(()) })
        .to_vec();
    batch
}

fn deal(bot: u32, deal: u32) -> DealRow {
    DealRow {
        bot: BotId::new(bot),
        deal: DealNo::new(deal),
        instrument: InstrumentId::new(3),
        opened_at: NOW,
        closed_at: NOW,
        ended: "take profit".to_owned(),
        profit: Quote::parse("1").unwrap(),
        fees: Quote::parse("1").unwrap(),
        bought: Quote::parse("1").unwrap(),
        safety_orders: 0,
    }
}

async fn everything(store: &Store) -> String {
    let mut all = String::new();
    for account in [1, 2].map(AccountId::new) {
        writeln!(
            all,
            "{:?} {:?} {:?} {:?} {:?} {:?}",
            store.standing(account).await.unwrap().map(|(_, seq)| seq),
            store.journal(account, Seq::new(0), 100).await.unwrap(),
            store.snapshot(account).await.unwrap(),
            store.intents(account, NOW).await.unwrap(),
            store.fills(account).await.unwrap(),
            store.deals(account).await.unwrap(),
        )
        .unwrap();
    }
    all
}

/// Lets the row of this number fail that a transaction writes to a table, as a full disk would.
async fn break_table(bench: &Bench, raw: &Raw, table: &str, row: u32) {
    mend_table(bench, raw, table).await;
    let event = if table == "accounts" { "UPDATE" } else { "INSERT" };
    // What a file shows as a table are rows with numbers.
    let kept = match table {
        "journal" | "intents" => format!("{table}_rows"),
        _ => table.to_owned(),
    };
    let sql = if bench.postgres.is_some() {
        format!(
            "CREATE SEQUENCE IF NOT EXISTS writes; ALTER SEQUENCE writes RESTART; \
             CREATE FUNCTION fail_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF {row} <= nextval('writes') THEN RAISE EXCEPTION 'no space left: disk full' \
             USING ERRCODE = 'disk_full'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER fails BEFORE {event} ON {table} FOR EACH ROW \
             EXECUTE FUNCTION fail_write()"
        )
    } else {
        format!(
            "CREATE TABLE writes (n INTEGER); INSERT INTO writes VALUES (0); \
             CREATE TRIGGER fails BEFORE {event} ON {kept} BEGIN UPDATE writes SET n = n + 1; \
             SELECT RAISE(ABORT, 'disk full') FROM writes WHERE {row} <= n; END"
        )
    };
    raw.run(&sql).await.unwrap();
}

async fn mend_table(bench: &Bench, raw: &Raw, table: &str) {
    let sql = if bench.postgres.is_some() {
        format!("DROP TRIGGER IF EXISTS fails ON {table}; DROP FUNCTION IF EXISTS fail_write()")
    } else {
        "DROP TRIGGER IF EXISTS fails; DROP TABLE IF EXISTS writes".to_owned()
    };
    raw.run(&sql).await.unwrap();
}

/// What a commit ends with, as the client says it: the values of the only statement, or a word.
const STATEMENT: &[u8] = b"B";
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT";

/// A store that reaches its server over the line.
async fn open_over(line: &Line) -> Store {
    Store::open(settings(Database::parse(&line.url()).unwrap(), "through")).await.unwrap()
}
