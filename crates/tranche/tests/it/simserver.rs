//! `tranche simserver`: what it plays, how it ends, what it refuses.

use super::{
    place::{Place, Told},
    server::Server,
};

const KEY: &str = "--key me --secret play";

fn run(place: &Place, flags: &str) -> Told {
    place.run(&format!("simserver --listen 127.0.0.1:0 {flags}"))
}

#[test]
fn signals_end_it_cleanly() {
    for signal in ["-TERM", "-INT"] {
        let place = Place::new("simserver_signal");

        let told = Server::start(&place, "").end(signal);

        assert_eq!(told.code, Some(0), "{}", told.err);
        assert_eq!(told.err, "stopped\n");
    }
}

#[test]
fn port_that_is_taken() {
    let place = Place::new("simserver_taken");
    let server = Server::start(&place, "");
    let address = server.address();

    let told = place.run(&format!("simserver --market generated {KEY} --listen {address}"));

    told.refuses(&[
        &format!("{address} is taken by another program"),
        "end that program, or choose another port with --listen or --control",
    ]);
}

#[test]
fn market_may_wait_for_the_control_address() {
    let place = Place::trading("simserver_stepped");
    let flags = format!("{KEY} --candles BTC/USDT=candles.csv --speed 0 --control 127.0.0.1:0");
    let server = Server::start_line(&place, &flags);

    let passed = server.control("/step", r#"{"items": 5}"#);

    assert!(passed.ends_with(r#"{"passed":5}"#), "{passed}");
    assert_eq!(server.end("-TERM").code, Some(0));
}

#[test]
fn the_commented_example_is_a_good_profile() {
    let place = Place::new("simserver_example");
    place.write("faults.toml", include_str!("../../../../examples/faults.toml"));

    let told = Server::start(&place, "--faults faults.toml --seed 7").end("-TERM");

    assert_eq!(told.code, Some(0), "{}", told.err);
}

#[test]
fn candles_pass_and_end() {
    let place = Place::trading("simserver_candles");

    let told = run(&place, &format!("{KEY} --candles BTC/USDT=candles.csv --speed 1000000"));

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.ends_with("the market ends here\n"), "{}", told.err);
    for word in ["BTC/USDT: recorded market (candles.csv), speed 1000000", "rest ", "try "] {
        assert!(told.out.contains(word), "{}", told.out);
    }
    assert!(!told.out.contains("play"), "the secret is not repeated: {}", told.out);
}

#[test]
fn trades_pass_and_end() {
    let place = Place::new("simserver_trades");
    let rows = "time_ms,id,side,price,amount\n1700000000000,1,buy,50000,0.1\n\
                1700000001000,2,sell,50001.5,0.2\n";
    place.write("FOOUSDT-trades.csv", rows);

    let told = run(&place, &format!("{KEY} --trades FOOUSDT-trades.csv"));

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.out.contains("FOO/USDT: recorded market (FOOUSDT-trades.csv)"), "{}", told.out);
}

#[test]
fn frames_pass_and_end() {
    let place = Place::new("simserver_frames");
    let frame = |at: i64, price: &str| {
        format!(
            "{at} {{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"s\":\"BTCUSDT\",\
             \"p\":\"{price}\",\"q\":\"0.02\"}}}}\n"
        )
    };
    let (first, second) =
        (frame(1_723_161_254_087_896_568, "61837.63"), frame(1_723_161_254_187_896_568, "61837.7"));
    let snapshot = "1723161254100000000 {\"lastUpdateId\":1,\"bids\":[],\"asks\":[]}\n";
    place.write("frames.txt", &(first + snapshot + &second));

    let told = run(&place, &format!("{KEY} --frames frames.txt --symbol BTC/USDT"));
    let other = run(&place, &format!("{KEY} --frames ETH/USDT=frames.txt"));

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.ends_with("the market ends here\n"), "{}", told.err);
    assert!(told.err.contains("note: 1 lines of frames.txt are no frames"), "{}", told.err);
    other.refuses(&["frames: frames.txt tells nothing of ETH/USDT; name its pair with --symbol"]);
}

#[test]
fn files_that_are_none() {
    let place = Place::new("simserver_files");
    place.write("frames.txt", "hello\n");
    place.write("odd.txt", "1723161254087896568 {\"a\":1}\n");

    run(&place, &format!("{KEY} --frames BTC/USDT=frames.txt"))
        .refuses(&["frames.txt, line 1: must be `<nanoseconds> <text>`", "`hello`"]);
    run(&place, &format!("{KEY} --frames BTC/USDT=odd.txt"))
        .refuses(&["frames: odd.txt has no frame of a combined stream, {\"stream\":"]);
    run(&place, &format!("{KEY} --frames BTC/USDT=none.txt"))
        .refuses(&["none.txt: there is no such file: give the path of a .txt"]);
    run(&place, &format!("{KEY} --trades none.csv"))
        .refuses(&["trades: no pair in the name `none.csv`; write --trades BTC/USDT=none.csv"]);
    run(&place, &format!("{KEY} --candles ETH/USDT=x.csv --symbol BTC/USDT"))
        .refuses(&["candles: ETH/USDT before the file and BTC/USDT beside it"]);
}

#[test]
fn accounts_that_cannot_be() {
    let place = Place::new("simserver_account");
    let run = |flags: &str| run(&place, &format!("--market generated {flags}"));
    place.write("private.pem", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n");
    place.write("junk.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");

    run("").refuses(&["key: none; add --key NAME and --secret TEXT"]);
    run("--key me").refuses(&["secret: none; add --secret TEXT or --public-key PEMFILE"]);
    run("--key a.b --secret play").refuses(&["key: the name must have 1 to 128 letters"]);
    run("--key me --public-key none").refuses(&["public-key: none cannot be read"]);
    run("--key me --public-key private.pem").refuses(&["holds a private key; give the public one"]);
    run("--key me --public-key junk.pem")
        .refuses(&["the key `me` cannot be used", "check --secret"]);
    run(&format!("{KEY} --balance USDT")).refuses(&["balance: `USDT`", "ASSET=AMOUNT"]);
}

#[test]
fn markets_that_cannot_be() {
    let place = Place::new("simserver_market");
    place.write("faults.toml", "[[rule]]\nfault = { kind = \"flood\" }\n");
    let run = |flags: &str| run(&place, &format!("{KEY} {flags}"));

    run("--market generated --symbol FOO/USDT")
        .refuses(&["the rules of FOO/USDT are not in our table; known are BTC/USDT"]);
    run("--market generated --speed 2000000")
        .refuses(&["speed is 2000000 (must be from 0 to 1000000)"]);
    run("--market generated --faults faults.toml")
        .refuses(&["faults: faults.toml: TOML parse error at line 2", "docs/simserver.md"]);
    run("--market generated --faults none.toml").refuses(&["faults: none.toml cannot be read"]);
    let neither = run("");
    assert_eq!(neither.code, Some(2));
    assert!(neither.err.contains("--candles") && neither.err.contains("--market"));
}
