//! What lies on the disk: a backup put back, secrets, a newer version.

use std::{os::unix::fs::PermissionsExt as _, thread, time::Duration};

use super::{Bots, add_account, create_bot, has_all_orders, meddle, open_orders, place, until};
use crate::{
    patience::Patience,
    server::{KEY, SECRET},
};

#[test]
fn backup_is_put_back_and_sends_nothing_until_it_is_released() {
    let (place, exchange) = place("serve-backup");
    let bots = Bots::start(&place, &exchange);
    add_account(&place, &exchange);
    let bot = create_bot(&place);
    let show = format!("bot show {bot} --json --data-dir data");
    until(&place, &show, has_all_orders);

    assert_eq!(place.run("backup b.db --data-dir data").code, Some(0));
    place.run("backup b.db --data-dir data").refuses(&["already there"]);
    place.run("restore b.db --force --data-dir data").refuses(&["in use by process"]);
    // What the backup does not know.
    assert_eq!(place.run(&format!("bot stop {bot} --data-dir data")).code, Some(0));
    assert_eq!(place.run(&format!("deal close {bot} 1 --yes --data-dir data")).code, Some(0));
    until(&place, "deal list --json --data-dir data", |deals| {
        deals[0]["ended"] == "closed_by_command"
    });
    bots.end();

    place.run("restore b.db --data-dir data").refuses(&["already there", "--force"]);
    let told = place.run("restore b.db --force --data-dir data");
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.out.contains("account release"), "{}", told.out);
    let told = place.run("verify --data-dir data");
    assert_eq!((told.code, told.out.starts_with("whole")), (Some(0), true), "{}", told.out);
    let bots = Bots::start(&place, &exchange);
    // It finds out that the deal was closed meanwhile, and would open the next one.
    let is_withheld = |bots: &Bots| {
        let metrics = bots.get("/metrics").1;
        let line = metrics.lines().find(|line| line.starts_with("tranche_calls_withheld_total"));
        !line.unwrap().ends_with(" 0")
    };
    let end = Patience::of(Duration::from_mins(2));
    while !is_withheld(&bots) {
        assert!(end.lasts(), "nothing is held back");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(open_orders(&exchange), 0);

    let told = place.run("account release --data-dir data");
    assert!(told.code == Some(2) && told.err.contains("<NAME|--all>"), "{}", told.err);
    let told = place.run("account release paper --data-dir data").out;
    assert!(told.contains("still in quarantine: main"), "{told}");
    thread::sleep(Duration::from_secs(3));
    assert_eq!(open_orders(&exchange), 0, "the other account waits");
    let shown = place.run("account show main --json --data-dir data").json();
    assert_eq!(shown["in_quarantine"], true);
    assert_eq!(place.run("account release main --data-dir data").code, Some(0));
    let end = Patience::of(Duration::from_secs(90));
    while open_orders(&exchange) == 0 {
        assert!(end.lasts(), "nothing is sent after the release");
        thread::sleep(Duration::from_millis(200));
    }
    bots.end();
}

#[test]
fn data_is_nobody_elses_and_secrets_are_not_in_it() {
    let (place, exchange) = place("serve-secrets");
    let bots = Bots::start(&place, &exchange);
    let told = add_account(&place, &exchange);
    bots.end();

    let mode = |name: &str| place.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("data"), mode("data/master.key")), (0o700, 0o600));
    let files = place.path("data").read_dir().unwrap();
    for name in files.map(|file| file.unwrap().file_name().into_string().unwrap()) {
        assert_eq!(mode(&format!("data/{name}")) & 0o077, 0, "{name}");
    }
    for entry in place.path("data").read_dir().unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in [KEY, SECRET] {
            let is_there = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!is_there, "{secret} lies open");
        }
    }
    assert!(!told.out.contains(SECRET) && !told.err.contains(SECRET));
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let (place, exchange) = place("serve-newer");
    Bots::start(&place, &exchange).end();
    let put = "file.execute('INSERT INTO _sqlx_migrations (version, description, success, checksum, \
        execution_time) SELECT 99, description, success, checksum, 0 FROM _sqlx_migrations LIMIT 1')";
    if meddle(&place, put).is_none() {
        return;
    }

    let serve = format!("serve --data-dir data {}", exchange.flags());
    for line in [serve.as_str(), "bot list --data-dir data", "verify --data-dir data"] {
        place.run(line).refuses(&["newer version of Tranche"]);
    }
}
