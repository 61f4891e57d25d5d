//! `tranche data fetch`: whole files, cut ones, and what it says when nothing comes.

use std::{
    net::TcpListener,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use super::{
    peer::{Answer, Peer},
    place::{BOT, Place, Told},
    server::{Server, send},
};

/// 2025-01-01 and 2025-01-06.
const FROM: i64 = 1_735_689_600_000;
const CANDLES: usize = 5 * 24 * 60;
const FETCH: &str = "data fetch --pair BTC/USDT --from 2025-01-01 --to 2025-01-06 --out btc.csv";

fn whole() -> Peer {
    Peer::with_candles(0, |_| None)
}

/// Answers slowly, so that a test can cut a fetch in its middle.
fn slow() -> Peer {
    Peer::with_candles(0, |_| {
        thread::sleep(Duration::from_millis(300));
        None
    })
}

fn fetch(place: &Place, peer: &Peer) -> Told {
    place.run(&format!("{FETCH} --rest {}", peer.rest()))
}

/// Starts a fetch and comes back when some of it is written.
fn begun(place: &Place, peer: &Peer) -> Child {
    let mut command = place.command(&format!("{FETCH} --rest {}", peer.rest()));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let part = place.path("btc.csv.part");
    let is_begun = (0..1000).any(|_| {
        thread::sleep(Duration::from_millis(10));
        std::fs::metadata(&part).is_ok_and(|data| 60_000 < data.len())
    });
    assert!(is_begun, "nothing was fetched");
    child
}

#[test]
fn whole_fetch_is_a_market_for_a_backtest() {
    let place = Place::new("data_whole");
    let peer = whole();
    place.write("bot.toml", BOT);

    let told = fetch(&place, &peer);
    let run = place.run("backtest --bot bot.toml --candles btc.csv --json");

    assert_eq!(told.code, Some(0), "{}", told.err);
    let text = String::from_utf8(place.read("btc.csv")).unwrap();
    assert_eq!(text.lines().count(), CANDLES + 1);
    assert!(text.contains("\n1735689600000,"), "{}", told.out);
    let beside = String::from_utf8(place.read("btc.csv.sha256")).unwrap();
    let sum = beside.strip_suffix("  btc.csv\n").unwrap();
    let words = "btc.csv: 7200 candles of BTC/USDT from 2025-01-01T00:00:00Z to \
                 2025-01-05T23:59:00Z\nsha256 ";
    assert_eq!(told.out, format!("{words}{sum}\n"));
    assert!(!place.path("btc.csv.part").exists());
    assert_eq!(run.json()["candles"], CANDLES);
    assert!(0 < run.json()["deals_closed"].as_u64().unwrap());
}

#[test]
fn fetch_that_was_killed_goes_on_to_the_same_file() {
    let (cut, once) = (Place::new("data_killed"), Place::new("data_once"));
    let mut child = begun(&cut, &slow());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!cut.path("btc.csv").exists());

    let told = fetch(&cut, &whole());
    fetch(&once, &whole());

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("are there already"), "{}", told.err);
    assert!(cut.read("btc.csv") == once.read("btc.csv"), "the files differ");
    assert_eq!(cut.read("btc.csv.sha256"), once.read("btc.csv.sha256"));
}

#[test]
fn signal_keeps_what_was_fetched() {
    let place = Place::new("data_signal");
    let child = begun(&place, &slow());
    send("-INT", child.id());

    let told = Told::of(child.wait_with_output().unwrap());

    told.refuses(&["stopped;", "candles are kept in btc.csv.part: run the same command to go on"]);
    assert_eq!(fetch(&place, &whole()).code, Some(0));
    let text = String::from_utf8(place.read("btc.csv")).unwrap();
    assert_eq!(text.lines().count(), CANDLES + 1);
}

#[test]
fn throttling_and_outages_are_waited_for() {
    let place = Place::new("data_throttled");
    let peer = Peer::with_candles(0, |count| match count {
        2 => Some(Answer::new(429, "retry-after: 1", r#"{"code":-1003,"msg":"Too much."}"#)),
        4 => Some(Answer::new(503, "", "<html></html>")),
        _ => None,
    });

    let told = fetch(&place, &peer);

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("the venue asks to wait until 2025-03-01"), "{}", told.err);
    assert!(told.err.contains("the venue failed with status 503"), "{}", told.err);
    assert!(told.err.contains("; asking again in "), "{}", told.err);
    assert!(told.out.contains("7200 candles"), "{}", told.out);
}

#[test]
fn long_bans_are_not_waited_for() {
    let place = Place::new("data_banned");
    let peer = Peer::with_candles(0, |count| {
        (3 <= count).then(|| Answer::new(418, "retry-after: 86400", "{}"))
    });

    fetch(&place, &peer).refuses(&[
        "this machine's address is shut out; wait until then and ask nothing",
        "2997 candles are kept in btc.csv.part",
    ]);
}

#[test]
fn files_that_are_there_are_replaced_only_by_force() {
    let place = Place::new("data_force");
    let peer = whole();
    place.write("btc.csv", "old");

    fetch(&place, &peer).refuses(&["out: btc.csv is there already; add --force to replace it"]);
    assert_eq!(place.read("btc.csv"), b"old");
    let told = place.run(&format!("{FETCH} --force --json --rest {}", peer.rest()));

    assert_eq!(told.json()["candles"], CANDLES);
    assert_eq!(told.json()["missing"], 0);
    assert!(place.read("btc.csv").starts_with(b"open_time_ms,"));
}

#[test]
fn beginnings_of_other_files_are_not_gone_on_with() {
    let place = Place::new("data_foreign");
    let peer = whole();
    let header = "open_time_ms,open,high,low,close,volume\n";
    let part = |rows: &str| place.write("btc.csv.part", &format!("{header}{rows}"));

    part(&format!("{FROM},1,2,1,1,5\n"));
    fetch(&place, &peer).refuses(&[
        "btc.csv.part is not the beginning of these candles of BTC/USDT",
        "remove it and fetch again",
    ]);
    part(&format!("{},1,2,1,1,5\n", FROM - 60_000));
    fetch(&place, &peer).refuses(&[
        "btc.csv.part holds candles from 2024-12-31T23:59:00Z",
        "ask for what it was begun with, or remove it",
    ]);
    part("1,1,2,1,1,5\n");
    fetch(&place, &peer).refuses(&["btc.csv.part, line 2", "remove the file and fetch again"]);
}

#[test]
fn years_before_a_pair_was_listed_are_skipped() {
    let place = Place::new("data_listed");
    let peer = Peer::with_candles(FROM, |count| (100 < count).then(|| Answer::new(500, "", "")));
    let line = FETCH.replace("2025-01-01", "2018-01-01");

    let told = place.run(&format!("{line} --rest {}", peer.rest()));
    let none = place.run(&format!(
        "data fetch --pair BTC/USDT --from 2020-01-01 --to 2020-02-01 --out none.csv --rest {}",
        peer.rest()
    ));

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.out.contains("7200 candles of BTC/USDT from 2025-01-01T00:00:00Z"));
    none.refuses(&["there are no candles of BTC/USDT", "no candle was fetched"]);
    assert!(!place.path("none.csv.part").exists());
}

#[test]
fn candles_that_still_run_are_left_out() {
    let place = Place::new("data_running");
    let peer = whole();
    let line = "data fetch --pair BTC/USDT --from 2025-02-28T23:00 --to 2025-03-02 --out btc.csv";

    let told = place.run(&format!("{line} --rest {}", peer.rest()));

    assert!(
        told.err.contains("note: --to 2025-03-02T00:00:00Z is not in the past"),
        "{}",
        told.err
    );
    assert!(told.out.contains("60 candles of BTC/USDT"), "{}", told.out);
}

#[test]
fn no_network_is_said_plainly() {
    let place = Place::new("data_network");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);

    place.run(&format!("{FETCH} --rest https://exchange.invalid")).refuses(&[
        "error: https://exchange.invalid: the name of the host is not known; there is no network, \
         or the name is misspelt: check both\n",
    ]);
    place
        .run(&format!("{FETCH} --rest http://{address}"))
        .refuses(&["the host refuses connections; nothing listens there"]);
    assert!(!place.path("btc.csv.part").exists());
}

#[test]
fn pairs_that_are_not_listed() {
    let place = Place::new("data_pair");
    let server = Server::start(&place, "");
    let line = FETCH.replace("BTC/USDT", "SOL/UDST");

    let told = place.run(&format!("{line} --rest {}", server.rest));

    told.refuses(&["pair: SOL/UDST is not listed; did you mean SOL/USDT?"]);
}

#[test]
fn wishes_that_make_no_sense() {
    let place = Place::new("data_wishes");
    let with = |from: &str, to: &str| place.run(&FETCH.replace(from, to));

    with("2025-01-01", "yesterday")
        .refuses(&["from: `yesterday` is no moment", "2025-01-01T12:00"]);
    with("2025-01-06", "2025-01-01")
        .refuses(&["to: 2025-01-01T00:00:00Z must be after --from, 2025-01-01T00:00:00Z"]);
    with("btc.csv", "btc.csv.zst").refuses(&["out: btc.csv.zst does not end in .csv"]);
    with("btc.csv", "none/btc.csv").refuses(&["out: there is no folder none; make it"]);
    with("BTC/USDT", "BTCUSDT").refuses(&["pair: a symbol is BASE/QUOTE"]);
    let peer = whole();
    let future = "data fetch --pair BTC/USDT --from 2030-01-01 --to 2030-01-02 --out btc.csv";
    place
        .run(&format!("{future} --rest {}", peer.rest()))
        .refuses(&["from: 2030-01-01T00:00:00Z is not in the past"]);
}
