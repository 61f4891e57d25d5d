//! The vault, and what a thief of the database finds.

use std::{fs, path::Path};

use tranche_model::ids::UserId;
use tranche_store::{
    CredentialId, Database, MasterKeys, NewCredential, Secret, Store, User, VaultError,
};

use crate::bench::{Bench, NOW, contract};

const FIRST: &str = "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SECOND: &str = "2 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const OTHER: &str = "1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const CANARY: &str = "canary-5d1f0e-secret";
const CANARY_KEY: &str = "canary-77ab01-key";

contract! {
    sealed_key_opens_with_its_master_key_only,
    seal_that_was_moved_does_not_open,
    master_key_is_changed_step_by_step,
    wrong_master_key_is_named,
    credential_of_an_account_stays,
    dump_without_the_master_key_holds_no_secret,
}

async fn sealed_key_opens_with_its_master_key_only(bench: &Bench) {
    let store = with_user(bench).await;
    let keys = keys(FIRST);

    let id = seal(&store, &keys).await;
    let opened = store.open_credential(&keys, id).await.unwrap();

    assert_eq!(opened.field("secret").unwrap().expose(), CANARY);
    assert_eq!(opened.field("key").unwrap().expose(), CANARY_KEY);
    assert!(opened.field("passphrase").is_none());
    let all = store.credentials().await.unwrap();
    assert_eq!(all, std::slice::from_ref(&opened.credential));
    assert!(!format!("{opened:?} {keys:?}").contains("canary"));
    assert_eq!(all[0].may_withdraw, None);
    for told in [Some(true), Some(false), None] {
        store.note_rights(id, told).await.unwrap();
        assert_eq!(store.credentials().await.unwrap()[0].may_withdraw, told);
    }
    let error = store.open_credential(&self::keys(OTHER), id).await.unwrap_err();
    assert!(matches!(error, VaultError::Damaged { .. }), "{error}");
    let error = store.open_credential(&self::keys(SECOND), id).await.unwrap_err();
    assert_eq!(error, VaultError::NoMasterKey(1));
    let nobody = CredentialId::new(99);
    let error = store.open_credential(&keys, nobody).await.unwrap_err();
    assert_eq!(error, VaultError::NoCredential(nobody));
}

async fn seal_that_was_moved_does_not_open(bench: &Bench) {
    let store = with_user(bench).await;
    let keys = keys(FIRST);
    let (one, two) = (seal(&store, &keys).await, seal(&store, &keys).await);
    let raw = bench.raw().await;

    let moves = [
        "UPDATE credentials SET venue = 'bybit' WHERE credential = 1",
        "UPDATE credentials SET user_id = 2 WHERE credential = 1",
        "UPDATE credentials SET dek_wrapped = (SELECT dek_wrapped FROM credentials \
         WHERE credential = 1), nonce_dek = (SELECT nonce_dek FROM credentials WHERE credential = 1) \
         WHERE credential = 2",
    ];
    for sql in moves {
        raw.run(sql).await.unwrap();
    }

    for id in [one, two] {
        let error = store.open_credential(&keys, id).await.unwrap_err();
        assert!(matches!(error, VaultError::Damaged { .. }), "{error}");
    }
    let bad = NewCredential { venue: "a|field=x", ..new(&[]) };
    assert!(matches!(store.seal(&keys, &bad, NOW).await, Err(VaultError::BadName(_))));
}

async fn master_key_is_changed_step_by_step(bench: &Bench) {
    let store = with_user(bench).await;
    let old = keys(FIRST);
    for _ in 0..7 {
        seal(&store, &old).await;
    }
    let both = keys(&format!("{FIRST}\n{SECOND}"));

    let some = store.rotate(&both, 3, NOW).await.unwrap();
    assert_eq!((some.done, some.left), (3, 4));
    // Stopped in between, every key opens, and new ones are under the new master key.
    let new = seal(&store, &both).await;
    for credential in store.credentials().await.unwrap() {
        store.open_credential(&both, credential.credential).await.unwrap();
    }
    let rest = store.rotate(&both, 100, NOW).await.unwrap();
    assert_eq!((rest.done, rest.left), (4, 0));
    let none = store.rotate(&both, 100, NOW).await.unwrap();
    assert_eq!((none.done, none.left), (0, 0));

    let alone = keys(SECOND);
    store.check_master_keys(&alone, NOW).await.unwrap();
    let opened = store.open_credential(&alone, CredentialId::new(1)).await.unwrap();
    assert_eq!(opened.field("secret").unwrap().expose(), CANARY);
    assert_eq!((opened.credential.kek, opened.credential.rotated_at), (2, Some(NOW)));
    store.open_credential(&alone, new).await.unwrap();
}

async fn wrong_master_key_is_named(bench: &Bench) {
    let store = with_user(bench).await;
    let right = keys(FIRST);
    store.check_master_keys(&right, NOW).await.unwrap();
    seal(&store, &right).await;
    store.check_master_keys(&right, NOW).await.unwrap();

    let wrong = store.check_master_keys(&keys(OTHER), NOW).await;
    let missing = store.check_master_keys(&keys(SECOND), NOW).await;

    assert_eq!(wrong, Err(VaultError::WrongMasterKey(1)));
    assert_eq!(missing, Err(VaultError::NoMasterKey(1)));
}

async fn credential_of_an_account_stays(bench: &Bench) {
    let store = with_user(bench).await;
    let keys = keys(FIRST);
    let id = seal(&store, &keys).await;
    let mut account = crate::bench::paper(1);
    account.credential = Some(id);
    account.user = Some(UserId::new(1));
    store.add_account(&account, &tranche_model::record::Snapshot::default()).await.unwrap();

    assert_eq!(store.remove_credential(id).await, Err(VaultError::InUse(id)));
    assert_eq!(store.accounts().await.unwrap(), [account]);

    let free = seal(&store, &keys).await;
    store.remove_credential(free).await.unwrap();
    assert_eq!(store.remove_credential(free).await, Err(VaultError::NoCredential(free)));
}

async fn dump_without_the_master_key_holds_no_secret(bench: &Bench) {
    let store = with_user(bench).await;
    let keys = keys(FIRST);
    store.check_master_keys(&keys, NOW).await.unwrap();
    let id = seal(&store, &keys).await;
    store.open_credential(&keys, id).await.unwrap();
    let raw = bench.raw().await;
    // A word that must be found, so that the search is known to find.
    raw.run("INSERT INTO users VALUES (77, 'lighthouse-word', 0)").await.unwrap();

    let mut found = Vec::new();
    match &bench.database {
        Database::Sqlite(path) => search(path.parent().unwrap(), &mut found),
        Database::Postgres(_) => {
            raw.run("CHECKPOINT").await.unwrap();
            let postgres = bench.postgres.as_ref().unwrap();
            found.push(postgres.dump().unwrap());
            search(&postgres.files(), &mut found);
        }
    }

    let contains = |word: &[u8]| {
        found.iter().any(|bytes| bytes.windows(word.len()).any(|window| window == word))
    };
    assert!(contains(b"lighthouse-word"));
    for secret in [CANARY, CANARY_KEY, "canary", FIRST.split(' ').next_back().unwrap()] {
        assert!(!contains(secret.as_bytes()), "{secret}");
        assert!(!contains(hex(secret.as_bytes()).as_bytes()), "{secret} in hexadecimals");
    }
    let master: Vec<u8> = (0..32).collect();
    assert!(!contains(&master));
    assert!(!contains(hex(&master).as_bytes()));
}

/// The bytes of all files in a folder.
fn search(folder: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, found);
        } else if let Ok(bytes) = fs::read(&path) {
            found.push(bytes);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

async fn with_user(bench: &Bench) -> Store {
    let store = bench.open().await;
    for (user, name) in [(1, "ada"), (2, "bob")] {
        let user = User { user: UserId::new(user), name: name.to_owned(), created_at: NOW };
        store.add_user(&user).await.unwrap();
    }
    store
}

async fn seal(store: &Store, keys: &MasterKeys) -> CredentialId {
    let (key, secret) = (Secret::new(CANARY_KEY.to_owned()), Secret::new(CANARY.to_owned()));
    let fields = [("key", &key), ("secret", &secret)];
    store.seal(keys, &new(&fields), NOW).await.unwrap()
}

fn new<'a>(fields: &'a [(&'a str, &'a Secret)]) -> NewCredential<'a> {
    NewCredential { user: UserId::new(1), venue: "binance", label: "main", hint: "7890", fields }
}

fn keys(text: &str) -> MasterKeys {
    MasterKeys::parse(text.to_owned()).unwrap()
}
