//! The master key is changed while bots trade.

use std::{fs, os::unix::fs::PermissionsExt as _, thread, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use tokio::runtime::Runtime;
use tranche_model::{ids::UserId, time::Timestamp};
use tranche_store::{Database, MasterKeys, NewCredential, Role, Secret, Settings, Store, Versions};
use tranche_trading::codec;

use super::{Bots, KEYS, add_account, create_bot, has_all_orders, place, until};
use crate::{
    patience::Patience,
    place::{Place, Told},
    server::{KEY, SECRET, send},
};

/// Sealed with a rotation's many transactions.
const MANY: usize = 3000;

#[test]
fn master_key_is_changed_while_bots_trade() {
    let (place, exchange) = place("serve-key-rotate");
    place.run("key list --data-dir data").refuses(&["no database yet"]);
    let bots = Bots::start_with(&place, &exchange, "--log debug");
    add_account(&place, &exchange);
    let bot = create_bot(&place);
    let show = format!("bot show {bot} --json --data-dir data");
    until(&place, &show, has_all_orders);
    let listed = place.run("key list --json --data-dir data").json();
    let first = listed[0]["fingerprint"].clone();
    let fields = json!({
        "key": 1, "fingerprint": first, "exchange_keys": 1, "standing": "seals",
    });
    assert_eq!(listed, json!([fields]));

    let told = place.run("key rotate --data-dir data --log trace");

    assert_eq!(told.code, Some(0), "{}{}", told.out, told.err);
    for words in ["master key 2", "1 sealed anew", "master key 1 seals nothing any more"] {
        assert!(told.out.contains(words), "{}", told.out);
    }
    is_silent(&place, &told);
    let listed = place.run("key list --json --data-dir data").json();
    assert_eq!(listed[0]["standing"], "seals nothing any more");
    assert_eq!((&listed[1]["key"], &listed[1]["exchange_keys"]), (&json!(2), &json!(1)));
    assert_eq!(listed[0]["fingerprint"], first);
    assert_ne!(listed[1]["fingerprint"], first);
    is_whole(&place);
    // The running process reads the new key by itself: it opens the one of an account that comes
    // later.
    let again = format!("account add second --data-dir data --rest {}", exchange.rest);
    assert_eq!(place.run_with(&again, &KEYS).code, Some(0));
    let end = Patience::of(Duration::from_secs(30));
    while !bots.get("/metrics").1.contains("tranche_accounts_owned 3\n") {
        assert!(end.lasts(), "{}", bots.get("/metrics").1);
        thread::sleep(Duration::from_millis(200));
    }
    until(&place, &show, has_all_orders);
    bots.end();

    // The former key is thrown away.
    let file = place.path("data/master.key");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| line.starts_with("2 ")).collect();
    fs::write(&file, kept.join("\n")).unwrap();
    is_whole(&place);
    let bots = Bots::start(&place, &exchange);
    until(&place, &show, has_all_orders);
    bots.end();
}

#[test]
fn rotation_that_is_killed_again_and_again_comes_to_its_end() {
    let (place, exchange) = place("serve-key-killed");
    Bots::start(&place, &exchange).end();
    let runtime = Runtime::new().unwrap();
    runtime.block_on(seal_many(&place));

    let mut was_in_the_midst = false;
    for wait in [1, 5, 10, 15, 20, 30, 40, 60, 80, 100] {
        let mut command = place.command("key rotate --data-dir data");
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(wait));
        send("-KILL", child.id());
        child.wait().unwrap();
        is_whole(&place);
        let listed = place.run("key list --json --data-dir data").json();
        let counts = listed.as_array().unwrap().iter().map(|row| row["exchange_keys"].as_u64());
        let counts: Vec<u64> = counts.map(Option::unwrap).filter(|count| 0 < *count).collect();
        was_in_the_midst |= 1 < counts.len();
        assert_eq!(counts.iter().sum::<u64>(), u64::try_from(MANY).unwrap());
    }
    assert!(was_in_the_midst, "it was never killed in the midst");

    let told = place.run("key rotate --json --data-dir data").json();
    assert_eq!(told["left"], 0);
    let listed = place.run("key list --json --data-dir data").json();
    for row in listed.as_array().unwrap() {
        let is_all = row["key"] == told["key"];
        assert_eq!(row["exchange_keys"], if is_all { json!(MANY) } else { json!(0) }, "{row}");
    }
    is_whole(&place);
}

#[test]
fn master_key_of_the_environment_is_changed_by_a_second_variable() {
    let (place, exchange) = place("serve-key-environment");
    let (one, two) = (STANDARD.encode([7; 32]), STANDARD.encode([8; 32]));
    let first = ("TRANCHE_MASTER_KEY", one.as_str());
    let next = ("TRANCHE_MASTER_KEY_NEXT", two.as_str());
    let add = format!("account add main --data-dir data --rest {}", exchange.rest);
    let [key, secret] = KEYS;
    assert_eq!(place.run_with(&add, &[key, secret, first]).code, Some(0));
    let rotate = "key rotate --data-dir data";
    let run = |variables: &[(&str, &str)]| place.run_with(rotate, variables);

    run(&[first]).refuses(&["TRANCHE_MASTER_KEY_NEXT", "openssl rand"]);
    run(&[first, ("TRANCHE_MASTER_KEY_NEXT", "short")]).refuses(&["TRANCHE_MASTER_KEY_NEXT"]);
    let told = run(&[first, next]);

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.out.contains("set TRANCHE_MASTER_KEY to `2 ` and the new key"), "{}", told.out);
    assert!(!told.out.contains(&two) && !told.err.contains(&two) && !told.out.contains(&one));
    assert!(!place.path("data/master.key").exists());
    let verify = |variables: &[(&str, &str)]| place.run_with("verify --data-dir data", variables);
    assert!(verify(&[first, next]).out.starts_with("whole"));
    let numbered = format!("2 {two}");
    let alone = ("TRANCHE_MASTER_KEY", numbered.as_str());
    assert!(verify(&[alone]).out.starts_with("whole"));
    // Left where it was, the second variable adds nothing.
    assert!(run(&[alone, next]).out.contains("master key 2"));
    let list = "key list --json --data-dir data";
    let listed = place.run_with(list, &[first]).json();
    assert_eq!(listed[1]["standing"], "not there: what it sealed cannot be opened");
}

fn is_whole(place: &Place) {
    let told = place.run("verify --data-dir data");
    assert!(told.out.starts_with("whole"), "{}{}", told.out, told.err);
}

/// Neither what is sealed nor what seals is told.
fn is_silent(place: &Place, told: &Told) {
    let text = fs::read_to_string(place.path("data/master.key")).unwrap();
    let masters = text.lines().map(|line| line.split(' ').next_back().unwrap());
    let secrets: Vec<&str> = masters.chain([KEY, SECRET]).filter(|it| !it.is_empty()).collect();
    assert_eq!(secrets.len(), 4);
    for secret in secrets {
        assert!(!told.out.contains(secret) && !told.err.contains(secret), "{secret}");
    }
}

/// Many exchange keys, as if a host had many users.
async fn seal_many(place: &Place) {
    let settings = Settings {
        database: Database::Sqlite(place.path("data/tranche.db")),
        role: Role::Engine,
        owner: "the test".to_owned(),
        versions: Versions { schema: codec::SCHEMA, rules: codec::RULES },
        lease: Settings::LEASE,
        now: Timestamp::from_ms(0),
    };
    let store = Store::open(settings).await.unwrap();
    let keys = MasterKeys::read(&place.path("data/master.key")).unwrap();
    let (user, now) = (UserId::new(1), Timestamp::from_ms(0));
    let owner = tranche_store::User { user, name: "owner".to_owned(), created_at: now };
    store.add_user(&owner).await.unwrap();
    let secret = Secret::new(SECRET.to_owned());
    let fields: [(&str, &Secret); 1] = [("secret", &secret)];
    for number in 0..MANY {
        let label = number.to_string();
        let (venue, hint) = ("binance", "");
        let new = NewCredential { user, venue, label: &label, hint, fields: &fields };
        store.seal(&keys, &new, now).await.unwrap();
    }
    store.close().await;
}
