//! Processes on one database whose requests an exchange counts apart: it sees them come from other addresses.

use std::{fs::File, process::Stdio, thread, time::Duration};

use serde_json::Value;
use tranche_store::scratch::PostgresServer;

use crate::{
    patience::Patience,
    place::{BOT, Place},
    serve::{Bots, until},
    server::Server,
};

#[test]
fn ban_of_one_address_holds_for_it_alone() {
    let place = Place::new("egress");
    place.write("bot.toml", BOT);
    let database = PostgresServer::shared().and_then(PostgresServer::database);
    let database = database.expect("PostgreSQL's programs are at hand");
    let database = format!("--data-dir data --database {}", database.url());
    // Two exchanges stand for one that sees two addresses.
    let (here, there) = (Server::start(&place, ""), Server::start(&place, ""));
    let flags = |egress: &str| format!("{database} --egress {egress}");
    let office = Bots::start_at(&place, &here, &flags("office"));
    let made = place.run(&format!("bot create bot.toml --yes --wait 30s {database}"));
    assert_eq!(made.code, Some(0), "{}", made.err);
    let is_open = |shown: &Value| shown["deals"].as_array().is_some_and(|deals| !deals.is_empty());
    until(&place, &format!("bot show 1 --json {database}"), is_open);
    let home = Bots::start_at(&place, &there, &flags("home"));

    here.control("/ban", r#"{"seconds": 3600}"#);
    // It hears of the ban when it comes back.
    here.control("/cut", r#"{"which": "market"}"#);

    let banned = |shown: &Value, egress: &str| -> Option<bool> {
        let limits = shown["told"]["limits"].as_array()?;
        let limit = limits.iter().find(|limit| limit["egress"] == egress)?;
        Some(!limit["banned_until"].is_null())
    };
    until(&place, &format!("account show paper --json {database}"), |shown| {
        banned(shown, "office") == Some(true) && banned(shown, "home") == Some(false)
    });
    let told = place.run(&format!("account show paper {database}")).out;
    assert!(told.contains("the exchange takes nothing from `office` until"), "{told}");
    assert!(told.contains("request weight used in this minute from `home`"), "{told}");
    office.end();
    home.end();
    // The next one behind the address waits, also when the exchange would take something.
    until_it_waits(&place, &there, &flags("office"));
    // It tells its address when it is ready.
    Bots::start_at(&place, &there, &flags("home")).end();
}

/// Until a new process says that it waits for the end of a ban.
fn until_it_waits(place: &Place, exchange: &Server, flags: &str) {
    let log = File::create(place.path("waits.log")).unwrap();
    let line = format!("serve {} {flags}", exchange.flags());
    let mut child = place.command(&line).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let end = Patience::of(Duration::from_mins(1));
    let mut said = String::new();
    while end.lasts() && !said.contains("takes nothing from this address until") {
        thread::sleep(Duration::from_millis(100));
        said = String::from_utf8(place.read("waits.log")).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(said.contains("takes nothing from this address until"), "{said}");
}
