//! Opening, the identity of a database, and what its tables refuse.

use tranche_model::ids::{AccountId, Incarnation, Seq};
use tranche_store::{Database, OpenError, Role, Settings, Store};

use crate::bench::{Bench, NOW, add_paper, contract, fill, input, settings};

contract! {
    identity_is_drawn_once,
    restored_database_is_in_quarantine_under_a_new_incarnation,
    quarantine_ends_for_one_account_after_the_other,
    incarnation_that_was_seen_is_avoided,
    newer_database_is_refused,
    older_database_is_upgraded_by_an_engine_only,
    client_does_not_make_a_database,
    journal_and_fills_are_only_appended_to,
}

#[tokio::test]
async fn file_belongs_to_one_engine() {
    let bench = Bench::sqlite("held");
    let first = bench.open().await;

    let second = Store::open(settings(bench.database.clone(), "second")).await.unwrap_err();

    let OpenError::Held(holder) = second else { panic!("{second}") };
    assert_eq!((holder.pid, holder.since), (Some(std::process::id()), Some(NOW)));
    first.close().await;
    drop(first);
    bench.open().await;
}

#[test]
fn address_of_a_database_is_read_and_shown_without_its_password() {
    let server = Database::parse("postgres://ada:pass-word@db.example:5433/tranche").unwrap();

    assert_eq!(server.to_string(), "postgres://db.example:5433/tranche");
    assert_eq!(format!("{server:?}"), "postgres://db.example:5433/tranche");
    assert_eq!(Database::parse("sqlite:a/b.db").unwrap().to_string(), "sqlite:a/b.db");
    for bad in ["", "sqlite:", "mysql://ada:pass-word@h/d", "postgres://ada:pass-word@h:port/d"] {
        let error = Database::parse(bad).unwrap_err().to_string();
        assert!(!error.contains("pass-word"), "{error}");
    }
}

async fn identity_is_drawn_once(bench: &Bench) {
    let store = bench.open().await;

    let identity = store.identity(NOW).await.unwrap();

    assert_eq!(store.identity(NOW).await, Ok(identity.clone()));
    assert!(identity.incarnation.get() < 1 << 14);
    assert_ne!(identity.installation.get(), 0);
    assert_eq!((identity.created_at, identity.quarantine), (NOW, None));
}

async fn restored_database_is_in_quarantine_under_a_new_incarnation(bench: &Bench) {
    let store = bench.open().await;
    add_paper(&store, 1).await;
    let owner = store.load(AccountId::new(1)).await.unwrap();
    store.lease(&[AccountId::new(1)]).await.unwrap();
    let before = store.identity(NOW).await.unwrap();

    let mut had = vec![before.incarnation];
    for _ in 0..5 {
        let after = store.mark_restored("restored from a backup", NOW).await.unwrap();
        assert!(!had.contains(&after.incarnation));
        had.push(after.incarnation);
        assert_eq!(after.installation, before.installation);
        assert_eq!(after.quarantine.unwrap().reason, "restored from a backup");
    }

    assert_eq!(store.leases().await, Ok(Vec::new()));
    let late = store.commit(vec![input(1, owner.epoch, owner.seq)]).await;
    assert!(late[0].is_err());
    store.release_quarantine().await.unwrap();
    assert_eq!(store.identity(NOW).await.unwrap().quarantine, None);
}

async fn quarantine_ends_for_one_account_after_the_other(bench: &Bench) {
    let store = bench.open().await;
    let [one, two, three] = [1, 2, 3].map(AccountId::new);
    add_paper(&store, 1).await;
    add_paper(&store, 2).await;
    assert_eq!(store.quarantined().await, Ok(Vec::new()));
    for _ in 0..2 {
        store.mark_restored("restored from a backup", NOW).await.unwrap();
        assert_eq!(store.quarantined().await, Ok(vec![one, two]));
        store.release_account(two).await.unwrap();
        store.release_account(two).await.unwrap();
        assert_eq!(store.quarantined().await, Ok(vec![one]));
        assert!(store.identity(NOW).await.unwrap().quarantine.is_some());
    }

    add_paper(&store, 3).await;
    assert_eq!(store.quarantined().await, Ok(vec![one]), "{three} has no past");
    store.release_account(one).await.unwrap();

    assert_eq!(store.quarantined().await, Ok(Vec::new()));
    assert_eq!(store.identity(NOW).await.unwrap().quarantine, None);
}

async fn incarnation_that_was_seen_is_avoided(bench: &Bench) {
    let store = bench.open().await;
    store.identity(NOW).await.unwrap();
    let before = store.identity(NOW).await.unwrap().incarnation;
    // Every one but its own and two others was seen at the exchange.
    let free = [before.get() ^ 1, before.get() ^ 2];
    let seen: Vec<Incarnation> =
        (0..1 << 14).filter(|number| !free.contains(number)).map(Incarnation::new).collect();

    let first = store.avoid_incarnations(&seen, NOW).await.unwrap().incarnation;
    let second = store.avoid_incarnations(&[], NOW).await.unwrap().incarnation;

    let mut drawn = [first.get(), second.get()];
    drawn.sort_unstable();
    let mut free = free;
    free.sort_unstable();
    assert_eq!(drawn, free);
    assert!(store.avoid_incarnations(&[], NOW).await.is_err());
}

async fn newer_database_is_refused(bench: &Bench) {
    bench.open().await.close().await;
    let raw = bench.raw().await;
    raw.run(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 99, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    )
    .await
    .unwrap();

    for role in [Role::Engine, Role::Client] {
        let settings = Settings { role, ..settings(bench.database.clone(), "old") };
        let error = Store::open(settings).await.unwrap_err();
        assert_eq!(error, OpenError::Newer { found: 99, known: 4 });
        assert!(error.to_string().contains("newer version of Tranche"), "{error}");
    }
}

async fn older_database_is_upgraded_by_an_engine_only(bench: &Bench) {
    bench.open().await.close().await;
    bench.raw().await.run("DELETE FROM _sqlx_migrations WHERE version = 4").await.unwrap();

    let settings = Settings { role: Role::Client, ..settings(bench.database.clone(), "client") };
    let error = Store::open(settings).await.unwrap_err();

    assert_eq!(error, OpenError::Older { found: 3, known: 4 });
}

async fn client_does_not_make_a_database(bench: &Bench) {
    let settings = Settings { role: Role::Client, ..settings(bench.database.clone(), "client") };

    assert_eq!(Store::open(settings).await.unwrap_err(), OpenError::NotReady);
}

async fn journal_and_fills_are_only_appended_to(bench: &Bench) {
    let store = bench.open().await;
    add_paper(&store, 1).await;
    let owner = store.load(AccountId::new(1)).await.unwrap();
    let mut batch = input(1, owner.epoch, owner.seq);
    batch.fills = vec![fill(8, 1)];
    assert_eq!(store.commit(vec![batch]).await, [Ok(())]);
    let raw = bench.raw().await;

    let tries = [
        "DELETE FROM journal",
        "UPDATE journal SET at = 0",
        "DELETE FROM fills",
        "UPDATE fills SET qty = '1'",
        "DELETE FROM accounts",
        "UPDATE accounts SET seq = 0",
        "UPDATE accounts SET epoch = 0",
        "UPDATE accounts SET journal_from = 9",
    ];
    let behind = ["DELETE FROM journal_rows", "UPDATE journal_rows SET at = 0"];
    let behind = if bench.postgres.is_some() { &[][..] } else { &behind };
    for sql in tries.iter().chain(behind) {
        // PostgreSQL has no texts for numbers.
        let sql =
            if bench.postgres.is_some() { sql.replace("'1'", "1") } else { (*sql).to_owned() };
        assert!(raw.run(&sql).await.is_err(), "{sql}");
    }
    if bench.postgres.is_some() {
        assert!(raw.run("TRUNCATE fills").await.is_err());
        assert!(raw.run("TRUNCATE journal").await.is_err());
        assert!(raw.run("TRUNCATE accounts CASCADE").await.is_err());
    }

    assert_eq!(store.fills(AccountId::new(1)).await.unwrap(), [fill(8, 1)]);
    assert_eq!(store.journal(AccountId::new(1), Seq::new(0), 9).await.unwrap().len(), 1);
}

/// The log begins anew from time to time, without a pause in the commits.
#[tokio::test]
async fn log_of_a_file_does_not_grow_with_every_commit() {
    let bench = Bench::sqlite("life-log");
    let Database::Sqlite(path) = bench.database.clone() else { panic!("a file") };
    let store = bench.open().await;
    add_paper(&store, 1).await;
    let loaded = store.load(AccountId::new(1)).await.unwrap();
    let mut seq = loaded.seq;
    let mut lengths = Vec::new();
    for commits in [320, 700] {
        for _ in 0..commits {
            assert_eq!(store.commit(vec![input(1, loaded.epoch, seq)]).await, [Ok(())]);
            seq = seq.next();
        }
        lengths.push(std::fs::metadata(path.with_extension("db-wal")).unwrap().len());
    }

    assert!(lengths[1] < lengths[0] + lengths[0] / 2, "{lengths:?}");
    assert_eq!(store.verify().await, Ok(Vec::new()));
    store.close().await;
}
