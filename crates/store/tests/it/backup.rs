//! Copies, putting them back, and looking a database through.

use std::fs;

use tranche_model::{
    ids::{AccountId, CommandId, Seq},
    record::{SnapshotRow, VerdictRow},
    time::Millis,
};
use tranche_store::{
    BackupError, Command, Database, OpenError, Present, Role, Settings, Store, restore,
};

use crate::bench::{Bench, NOW, add_paper, contract, fill, input, intent, settings};

const ONE: AccountId = AccountId::new(1);

contract! {
    sound_database_has_no_trouble,
    each_kind_of_trouble_is_found,
    state_that_nobody_can_read_is_named,
}

#[tokio::test]
async fn backup_is_whole_while_the_engine_goes_on() {
    let bench = Bench::sqlite("backup");
    let store = filled(&bench).await;
    let copy = path(&bench, "copy.db");

    let client = bench.open_beside("client", Millis::from_secs(15)).await;
    client.backup(&copy).await.unwrap();
    let epoch = store.standing(ONE).await.unwrap().unwrap().0;
    assert_eq!(store.commit(vec![input(1, epoch, Seq::new(1))]).await, [Ok(())]);

    let settings = Settings { role: Role::Client, ..settings(Database::Sqlite(copy.clone()), "x") };
    let copied = Store::open(settings).await.unwrap();
    assert_eq!(copied.verify().await, Ok(Vec::new()));
    assert_eq!(copied.fills(ONE).await, Ok(vec![fill(8, 1)]));
    assert_eq!(copied.standing(ONE).await.unwrap().unwrap().1, Seq::new(1));
    copied.close().await;
    assert!(matches!(store.backup(&copy).await, Err(BackupError::Exists(_))));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn restored_backup_boots_in_quarantine_with_another_incarnation() {
    let bench = Bench::sqlite("restore");
    let store = filled(&bench).await;
    let first = store.identity(NOW).await.unwrap();
    let copy = path(&bench, "copy.db");
    store.backup(&copy).await.unwrap();
    let later = store.mark_restored("once before", NOW).await.unwrap();
    let epoch = store.standing(ONE).await.unwrap().unwrap().0;

    let held = restore(&copy, engine(&bench), Present::MoveAside).await.unwrap_err();
    assert!(matches!(held, BackupError::Open(OpenError::Held(_))), "{held}");
    store.close().await;
    drop(store);
    let refused = restore(&copy, engine(&bench), Present::Refuse).await.unwrap_err();
    assert!(matches!(refused, BackupError::Exists(_)), "{refused}");
    let restored = restore(&copy, engine(&bench), Present::MoveAside).await.unwrap();

    assert_eq!(restored.identity.installation, first.installation);
    assert_ne!(restored.identity.incarnation, first.incarnation);
    // Nor one that the replaced database had after the backup.
    assert_ne!(restored.identity.incarnation, later.incarnation);
    assert!(restored.identity.quarantine.is_some());
    assert!(restored.moved_to.unwrap().exists());
    let store = bench.open().await;
    assert_eq!(store.identity(NOW).await, Ok(restored.identity));
    assert_eq!(store.fills(ONE).await, Ok(vec![fill(8, 1)]));
    assert_eq!(store.verify().await, Ok(Vec::new()));
    let old = store.commit(vec![input(1, epoch, Seq::new(1))]).await;
    assert!(old[0].is_err(), "a commit of the former life");
    let left: Vec<_> = fs::read_dir(path(&bench, "")).unwrap().flatten().collect();
    assert!(left.iter().all(|file| !file.file_name().to_string_lossy().contains("partial")));
}

#[tokio::test]
async fn damaged_backup_is_not_put_back() {
    let bench = Bench::sqlite("damaged");
    let store = filled(&bench).await;
    let copy = path(&bench, "copy.db");
    store.backup(&copy).await.unwrap();
    store.close().await;
    drop(store);
    let good = fs::read(&copy).unwrap();

    let mut cut = good.clone();
    cut.truncate(good.len() / 2);
    let mut changed = good.clone();
    let place = changed.windows(2).position(|bytes| bytes == [0xC0, 0xDE]).unwrap();
    changed.remove(place);
    for bad in
        [Vec::new(), b"not a database at all, but long enough for a header".to_vec(), cut, changed]
    {
        fs::write(&copy, bad).unwrap();
        let error = restore(&copy, engine(&bench), Present::MoveAside).await;
        assert!(error.is_err());
    }

    // What was there is still there, and works.
    let store = bench.open().await;
    assert_eq!(store.identity(NOW).await.unwrap().quarantine, None);
    assert_eq!(store.fills(ONE).await, Ok(vec![fill(8, 1)]));
}

#[tokio::test]
async fn server_is_backed_up_by_its_own_tools() {
    let bench = Bench::postgres();
    let store = bench.open().await;

    let error = store.backup("copy.db".as_ref()).await.unwrap_err().to_string();

    assert!(error.contains("pg_dump"), "{error}");
    let error = restore("copy.db".as_ref(), engine(&bench), Present::Refuse).await.unwrap_err();
    assert!(matches!(error, BackupError::OtherTools(_)));
}

async fn sound_database_has_no_trouble(bench: &Bench) {
    let store = filled(bench).await;

    assert_eq!(store.verify().await, Ok(Vec::new()));
}

async fn each_kind_of_trouble_is_found(bench: &Bench) {
    let store = filled(bench).await;
    let raw = bench.raw().await;

    let harms = [
        ("UPDATE accounts SET seq = 5", "journal: its journal has a gap: account 1"),
        ("UPDATE snapshots SET seq = 9 WHERE bot = 7", "snapshots: a state is later"),
        ("DELETE FROM snapshots WHERE bot = 0", "snapshots: it has no state: account 1"),
        ("UPDATE snapshots SET schema_version = 9", "snapshots: account 1 was written by a newer"),
        ("UPDATE commands SET answered = 1", "commands: it is marked as answered"),
        ("UPDATE commands SET answered = 0", "commands: it has a verdict and is marked as open"),
        ("UPDATE deals SET ended = 'x'", ""),
        ("UPDATE intents SET side = 'both'", "intents: account 1: not a side: both"),
        ("DELETE FROM bot_configs", "bot_configs: it has no settings: bot 1"),
    ];
    let orphans = [
        (
            "INSERT INTO snapshots VALUES (99, 0, 0, 1, 1, '')",
            "accounts: it is not there, and rows of it are: account 99 in snapshots",
        ),
        (
            "INSERT INTO journal VALUES (99, 1, 0, 0, 1, 1, '')",
            "accounts: it is not there, and rows of it are: account 99 in journal",
        ),
        (
            "INSERT INTO intents VALUES (99, 1, 0, 'x', 0, 'buy', 'market', NULL, '1', 0, 0)",
            "accounts: it is not there, and rows of it are: account 99 in intents",
        ),
    ];
    // A file refuses a row without an account itself.
    let orphans = bench.postgres.iter().flat_map(|_| orphans);
    for (harm, expected) in harms.into_iter().chain(orphans) {
        // A file shows its intents, and keeps them elsewhere.
        let harm = match bench.postgres {
            Some(_) => harm.to_owned(),
            None => harm.replace("UPDATE intents", "UPDATE intents_rows"),
        };
        raw.run(&harm).await.unwrap();
        let troubles = store.verify().await.unwrap();
        let told: Vec<String> = troubles.iter().map(ToString::to_string).collect();
        assert!(
            told.iter().any(|line| line.starts_with(expected)) || expected.is_empty(),
            "{told:?}"
        );
    }
}

async fn state_that_nobody_can_read_is_named(bench: &Bench) {
    let store = filled(bench).await;

    let read = |bot: Option<tranche_model::ids::BotId>, body: &[u8]| match (bot, body) {
        (None, [9]) => Ok(()),
        (_, body) => Err(format!("{body:?} is no state")),
    };
    let troubles = store.verify_states(read).await.unwrap();

    assert_eq!(troubles.len(), 1);
    assert_eq!(troubles[0].to_string(), "snapshots: account 1, bot 7: [7] is no state");
}

/// A database with a row of nearly everything.
async fn filled(bench: &Bench) -> Store {
    let store = bench.open().await;
    store.identity(NOW).await.unwrap();
    add_paper(&store, 1).await;
    store.add_bot(ONE, "btc", "config", NOW).await.unwrap();
    for id in [1, 2] {
        let command = Command {
            command: CommandId::new(id),
            account: ONE,
            issued_by: "ada".to_owned(),
            body: vec![1],
            at: NOW,
        };
        store.submit(&command).await.unwrap();
    }
    let loaded = store.load(ONE).await.unwrap();
    let mut batch = input(1, loaded.epoch, loaded.seq);
    batch.snapshots = vec![SnapshotRow { bot: None, body: vec![9] }];
    batch.fills = vec![fill(8, 1)];
    batch.intents = vec![intent(8, 1)];
    batch.verdicts = vec![VerdictRow { command: CommandId::new(1), verdict: Ok(()) }];
    assert_eq!(store.commit(vec![batch]).await, [Ok(())]);
    store
}

fn engine(bench: &Bench) -> Settings {
    settings(bench.database.clone(), "restorer")
}

/// A file beside the database.
fn path(bench: &Bench, name: &str) -> std::path::PathBuf {
    let Database::Sqlite(path) = &bench.database else { panic!("a file") };
    path.with_file_name(name)
}
