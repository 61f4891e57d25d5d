//! Bots, deals and accounts, looked at and steered from other processes.

use serde_json::json;

use super::{Bots, KEYS, add_account, has_all_orders, meddle, place, until};
use crate::place::BOT;

#[test]
fn bot_is_made_looked_at_and_steered_from_other_processes() {
    let (place, exchange) = place("serve-steer");
    let bots = Bots::start(&place, &exchange);

    add_account(&place, &exchange);
    let again = format!("account add main --data-dir data --rest {}", exchange.rest);
    let again = place.run_with(&again, &KEYS);
    again.refuses(&["already", "another name"]);
    let create = "bot create bot.toml --account main --data-dir data";
    place.run(create).refuses(&["real money", "--yes"]);
    let made = place.run(&format!("{create} --yes --json --wait 30s")).json();
    assert_eq!(made["verdict"], "accepted");
    let bot = made["bot"].as_u64().unwrap();

    let shown = until(&place, &format!("bot show {bot} --json --data-dir data"), has_all_orders);
    let story = shown["log"].as_array().unwrap();
    assert!(
        story.iter().any(|line| line.as_str().unwrap().contains("deal opened at")),
        "{story:?}"
    );
    let told = place.run(&format!("bot show {bot} --story 5 --data-dir data"));
    assert!(
        told.out.contains("state       running") && told.out.contains("BTC/USDT"),
        "{}",
        told.out
    );

    for (line, state) in [("pause", "paused"), ("resume", "running"), ("stop", "stopped")] {
        assert_eq!(place.run(&format!("bot {line} {bot} --data-dir data")).code, Some(0), "{line}");
        let listed = place.run("bot list --json --data-dir data").json();
        assert_eq!(listed[0]["state"], state);
    }
    place
        .run(&format!("deal close {bot} 1 --data-dir data"))
        .refuses(&["sells at market", "--yes"]);
    assert_eq!(place.run(&format!("deal close {bot} 1 --yes --data-dir data")).code, Some(0));
    until(&place, "deal list --json --data-dir data", |deals| {
        deals[0]["ended"] == "closed_by_command"
    });
    place.run(&format!("deal close {bot} 1 --yes --data-dir data")).refuses(&["refused"]);
    place.run("bot show 77 --data-dir data").refuses(&["there is no bot 77"]);
    bots.end();
}

#[test]
fn command_without_a_server_waits_and_is_carried_out_once() {
    let (place, exchange) = place("serve-later");
    place.run("bot list --data-dir data").refuses(&["no database yet", "tranche serve"]);
    let bots = Bots::start(&place, &exchange);
    assert_eq!(place.run("bot create bot.toml --data-dir data --wait 30s").code, Some(0));
    bots.end();

    let told = place.run("account kill paper --data-dir data --wait 1s");
    assert_eq!(told.code, Some(3), "{}{}", told.out, told.err);
    assert!(told.err.contains("will be carried out"), "{}", told.err);

    let bots = Bots::start(&place, &exchange);
    until(&place, "account show paper --json --data-dir data", |account| {
        account["stopped_by"] == "kill switch: entries cancelled"
    });
    assert_eq!(place.run("account rearm paper --data-dir data --wait 30s").code, Some(0));
    bots.end();
}

#[test]
fn a_bot_that_was_refused_after_nobody_waited_any_more_is_not_listed() {
    let (place, exchange) = place("serve-refused");
    Bots::start(&place, &exchange).end();
    place.write("other.toml", &BOT.replace("BTC/USDT", "NONE/USDT"));
    let told = place.run("bot create other.toml --wait 1s --data-dir data");
    assert_eq!(told.code, Some(3), "{}{}", told.out, told.err);
    let listed = place.run("bot list --json --data-dir data").json();
    assert_eq!(listed[0]["state"], "not made yet");
    assert_eq!(place.run("bot show 1 --json --data-dir data").json()["state"], "not made yet");

    let bots = Bots::start(&place, &exchange);

    until(&place, "bot list --json --data-dir data", |listed| listed == &json!([]));
    let told = place.run("bot show 1 --data-dir data");
    assert!(told.out.contains("not there: refused"), "{}{}", told.out, told.err);
    bots.end();
}

#[test]
fn a_command_that_cannot_be_read_is_refused_and_those_behind_it_go_on() {
    let (place, exchange) = place("serve-unreadable");
    Bots::start(&place, &exchange).end();
    let put = "file.execute(\"INSERT INTO commands (command, account, issued_by, body, at) \
        VALUES ('77', 1, 'test', x'63FFFF', 0)\")";
    if meddle(&place, put).is_none() {
        return;
    }
    let bots = Bots::start(&place, &exchange);

    assert_eq!(place.run("account pause paper --wait 30s --data-dir data").code, Some(0));

    let read = "print(file.execute(\"SELECT accepted, reason FROM verdicts WHERE command = '77'\")\
        .fetchone())";
    let verdict = meddle(&place, read).unwrap();
    assert!(verdict.contains("0, 'unreadable:"), "{verdict}");
    bots.end();
}
