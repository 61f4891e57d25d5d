//! `tranche doctor` against the simulated exchange, and against what is none.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, process::Stdio};

use super::{
    impostor::Impostor,
    peer::{Answer, Peer},
    place::{Place, Told},
    server::{KEY, SECRET, Server},
};

const WITH_KEY: [(&str, &str); 2] = [("TRANCHE_KEY", KEY), ("TRANCHE_SECRET", SECRET)];
/// The key pair of RFC 8032, section 7.1, test 1.
const ED_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";
const ED_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";

/// Examines a server that was started with these flags.
fn examined(name: &str, flags: &str, variables: &[(&str, &str)]) -> Told {
    let place = Place::new(name);
    let server = Server::start(&place, flags);
    place.run_with(&format!("doctor {}", server.flags()), variables)
}

/// Looks for an exchange at one address for everything.
fn at(name: &str, rest: &str) -> Told {
    let socket = rest.replace("http", "ws");
    let flags = format!("--rest {rest} --market-socket {socket} --api-socket {socket}/ws-api/v3");
    Place::new(name).run_with(&format!("doctor {flags}"), &WITH_KEY)
}

fn fails(told: &Told, words: &[&str]) {
    assert_eq!(told.code, Some(1), "{}{}", told.out, told.err);
    says(told, words);
}

fn says(told: &Told, words: &[&str]) {
    for word in words {
        assert!(told.out.contains(word), "`{word}` is not in: {}{}", told.out, told.err);
    }
}

#[test]
fn good_key_on_a_good_exchange_passes_everything() {
    let place = Place::new("doctor_good");
    let server = Server::start(&place, "");

    let told = place.run_with(&format!("doctor {}", server.flags()), &WITH_KEY);
    let json = place.run_with(&format!("doctor --json {}", server.flags()), &WITH_KEY).json();

    assert_eq!(told.code, Some(0), "{}{}", told.out, told.err);
    says(
        &told,
        &[
            "ok    address            http://127.0.0.1:",
            "ok    clock",
            "BTC/USDT is listed: prices in steps of 0.01, quantities in steps of 0.00001",
            "ok    market stream      live in",
            "ok    key                accepted, for SPOT",
            "ok    right to trade     the key may trade",
            "ok    right to withdraw  the key may not withdraw",
            "ok    addresses          only listed addresses may use the key",
            "ok    private stream     acknowledged in",
            "binance: 0 failed, 0 to look at\n",
        ],
    );
    assert_eq!(told.err, "");
    let checks = json["checks"].as_array().unwrap();
    let names: Vec<&str> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    let wanted = [
        "address",
        "clock",
        "pair",
        "market",
        "key",
        "trade",
        "withdraw",
        "ip_restriction",
        "private_stream",
    ];
    assert_eq!(names, wanted);
    assert!(checks.iter().all(|check| check["state"] == "ok"), "{json}");
    assert_eq!(json["ok"], true);
}

#[test]
fn private_keys_are_read_from_files() {
    let place = Place::new("doctor_ed25519");
    place.write("public.pem", ED_PUBLIC);
    place.write("private.pem", ED_PRIVATE);
    fs::set_permissions(place.path("private.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    let flags = format!("--market generated --speed 60 --key {KEY} --public-key public.pem");
    let server = Server::start_line(&place, &flags);

    let line = format!("doctor --key {KEY} --secret-file private.pem {}", server.flags());
    let told = place.run(&line);

    assert_eq!(told.code, Some(0), "{}{}", told.out, told.err);
    says(&told, &["ok    private stream"]);
    let note = "note: others on this machine may read private.pem; close it with `chmod 600";
    assert!(told.err.contains(note), "{}", told.err);
}

#[test]
fn without_a_key_only_the_rest_is_checked_and_that_is_said() {
    let told = examined("doctor_keyless", "", &[]);

    assert_eq!(told.code, Some(0), "{}{}", told.out, told.err);
    says(
        &told,
        &[
            "ok    market stream",
            "skip  key                no key; set TRANCHE_KEY and TRANCHE_SECRET to check it",
            "skip  private stream",
            "0 failed, 0 to look at; what needs a key was not checked",
        ],
    );
}

#[test]
fn unknown_key() {
    let variables = [("TRANCHE_KEY", "somebody"), ("TRANCHE_SECRET", SECRET)];

    fails(
        &examined("doctor_key", "", &variables),
        &[
            "FAIL  key",
            "refused: Invalid API-key, IP, or permissions for action. (-2015)",
            "mend: the exchange does not know the key, or not from this address",
            "skip  right to trade     the key is not accepted",
        ],
    );
}

#[test]
fn secret_of_another_key() {
    let variables = [("TRANCHE_KEY", KEY), ("TRANCHE_SECRET", "another")];

    fails(
        &examined("doctor_secret", "", &variables),
        &[
            "FAIL  key",
            "refused: Signature for this request is not valid. (-1022)",
            "mend: the secret does not belong to the key: copy it again",
        ],
    );
}

#[test]
fn key_that_may_not_trade() {
    fails(
        &examined("doctor_trade", "--no-trade-right", &WITH_KEY),
        &[
            "ok    key",
            "FAIL  right to trade     the key may not trade",
            "mend: allow spot trading for the key",
        ],
    );
}

#[test]
fn key_that_may_withdraw_is_refused() {
    fails(
        &examined("doctor_withdraw", "--withdraw-right", &WITH_KEY),
        &[
            "FAIL  right to withdraw  the key may withdraw, and is refused for it",
            "mend: take that right away, or make a new key without it",
            "binance: 1 failed",
        ],
    );
}

#[test]
fn key_that_works_from_everywhere_is_a_warning() {
    let told = examined("doctor_addresses", "--any-address", &WITH_KEY);

    assert_eq!(told.code, Some(0), "{}{}", told.out, told.err);
    says(
        &told,
        &[
            "warn  addresses          the key works from everywhere",
            "mend: list this machine's address",
            "0 failed, 1 to look at",
        ],
    );
}

#[test]
fn clock_that_is_an_hour_off() {
    let place = Place::new("doctor_clock");
    let server = Server::start(&place, "");
    server.control("/skew", r#"{"ms": -3600000}"#);

    let told = place.run_with(&format!("doctor {}", server.flags()), &WITH_KEY);

    fails(
        &told,
        &[
            "FAIL  clock              this machine's clock is 3600 s ahead of the exchange's",
            "mend: set it with NTP",
            "ok    key",
        ],
    );
}

#[test]
fn pair_that_is_not_listed() {
    let place = Place::new("doctor_pair");
    let server = Server::start(&place, "");
    let told = |pair: &str| place.run(&format!("doctor --pair {pair} {}", server.flags()));

    fails(
        &told("BTC/UDST"),
        &[
            "FAIL  pair               BTC/UDST is not listed; did you mean BTC/USDT?",
            "mend: name another pair with --pair BASE/QUOTE",
            "skip  market stream      there is no pair to watch",
        ],
    );
    told("BTCUSDT").refuses(&["pair: a symbol is BASE/QUOTE"]);
}

#[test]
fn halted_pair_is_a_warning() {
    let place = Place::new("doctor_halted");
    let server = Server::start(&place, "");
    server.control("/status", r#"{"symbol": "BTCUSDT", "status": "halted"}"#);

    let told = place.run(&format!("doctor {}", server.flags()));

    assert_eq!(told.code, Some(0), "{}{}", told.out, told.err);
    says(
        &told,
        &[
            "warn  pair               BTC/USDT is listed, but takes no orders now",
            "mend: wait until the exchange trades it again",
        ],
    );
}

#[test]
fn address_of_something_else() {
    for (name, status, page) in [
        ("doctor_404", 404, "<html><body>Not Found</body></html>"),
        ("doctor_page", 200, "<html><body>Please sign in</body></html>"),
    ] {
        let peer = Peer::start(move |_| Answer::new(status, "content-type: text/html", page));

        fails(
            &at(name, &peer.rest()),
            &[
                "FAIL  address",
                "binance does not answer at this address, something else does",
                "mend: check --rest: it needs the exchange's own address",
                "skip  clock              nobody answers",
                "skip  key                nobody answers",
            ],
        );
    }
}

#[test]
fn exchange_in_maintenance() {
    let peer = Peer::start(|_| Answer::new(503, "content-type: text/html", "<html></html>"));

    fails(
        &at("doctor_503", &peer.rest()),
        &["the venue failed with status 503", "in trouble or in maintenance"],
    );
}

#[test]
fn exchange_that_wants_to_be_left_alone() {
    let place = Place::new("doctor_429");
    let rule = "[[rule]]\npath = \"GET /api/v3/time\"\nfault = { kind = \"ban\", seconds = 9 }\n";
    place.write("faults.toml", rule);
    let server = Server::start(&place, "--faults faults.toml");

    let told = place.run(&format!("doctor {}", server.flags()));

    fails(&told, &["the venue asks to wait until 2", "this machine's address is shut out"]);
}

#[test]
fn failure_is_told_also_when_nobody_reads() {
    let place = Place::new("doctor_pipe");
    let flags = "--rest http://127.0.0.1:1 --market-socket ws://127.0.0.1:1 \
                 --api-socket ws://127.0.0.1:1/ws-api/v3";
    let mut child =
        place.command(&format!("doctor {flags}")).stdout(Stdio::piped()).spawn().unwrap();

    drop(child.stdout.take());

    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn address_where_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);

    fails(
        &at("doctor_refused", &format!("http://{address}")),
        &["the host refuses connections", "mend: nothing listens there: check host and port"],
    );
}

#[test]
fn name_that_nobody_knows() {
    fails(
        &at("doctor_dns", "https://exchange.invalid"),
        &[
            "https://exchange.invalid: the name of the host is not known",
            "mend: there is no network, or the name is misspelt",
        ],
    );
}

#[test]
fn encryption_where_there_is_none() {
    let place = Place::new("doctor_tls");
    let server = Server::start(&place, "");

    fails(
        &at("doctor_tls_client", &format!("https://{}", server.address())),
        &["does not speak TLS", "mend: check the address and the port", "write http:// or ws://"],
    );
}

#[test]
fn certificate_that_nobody_trusts() {
    let impostor = Impostor::start("127.0.0.1");

    fails(
        &at("doctor_certificate", &format!("https://127.0.0.1:{}", impostor.port())),
        &[
            "no trusted connection: the certificate was made by nobody that is trusted",
            "mend: something between here and the exchange reads along, such as a proxy",
            "skip  key                nobody answers",
        ],
    );
    assert_eq!(impostor.heard(), 0, "the key did not leave");
}

#[test]
fn sockets_that_are_somewhere_else() {
    let place = Place::new("doctor_socket");
    let server = Server::start(&place, "");
    let peer = Peer::start(|_| Answer::new(404, "", "nothing"));
    let (rest, socket) = (&server.rest, format!("ws://{}", peer.address));
    let flags = format!("--rest {rest} --market-socket {socket} --api-socket {socket}/ws-api/v3");

    let told = place.run_with(&format!("doctor {flags}"), &WITH_KEY);

    fails(
        &told,
        &[
            "FAIL  market stream",
            "FAIL  private stream",
            "the host answers 404 instead of opening a socket",
            "mend: check the address: something else than the exchange's socket answers there",
        ],
    );
}

#[test]
fn keys_do_not_travel_without_encryption() {
    at("doctor_plain", "http://exchange.invalid").refuses(&[
        "rest: without encryption only this machine may be addressed",
        "write https://host",
    ]);
}

#[test]
fn addresses_of_two_exchanges_are_not_mixed() {
    let place = Place::new("doctor_mixed");

    place.run("doctor --rest http://127.0.0.1:1").refuses(&[
        "--rest without --market-socket and --api-socket",
        "name all three, or none for the environment's own",
    ]);
    place.write("tranche.toml", "market_socket = \"ws://127.0.0.1:1\"\n");
    place.run("doctor").refuses(&["--market-socket without --rest and --api-socket"]);
}

#[test]
fn keys_without_secrets_and_secrets_without_keys() {
    let place = Place::new("doctor_half");
    place.write("empty", "\n");

    place
        .run("doctor --key abc")
        .refuses(&["secret: none for the key; add --secret-file FILE, or set TRANCHE_SECRET"]);
    place.run("doctor --key abc --secret-file none").refuses(&["secret-file: none cannot be read"]);
    place.run("doctor --key abc --secret-file empty").refuses(&["secret", "the key is empty"]);
    place.run("doctor --secret-file empty").refuses(&["key: none, but --secret-file empty"]);
    let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    place.write("broken.pem", broken);
    let server = Server::start(&place, "");
    let line = format!("doctor --key abc --secret-file broken.pem {}", server.flags());
    fails(&place.run(&line), &["the private key is not PKCS#8", "mend: give the private key"]);
}

#[test]
fn secrets_are_in_no_output_and_no_log() {
    let place = Place::new("doctor_logs");
    let server = Server::start(&place, "");

    let told = place.run_with(&format!("doctor --log trace {}", server.flags()), &WITH_KEY);
    let help = place.run_with("doctor --help", &WITH_KEY);

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("TRACE") || told.err.contains("DEBUG"), "{}", told.err);
    for text in [told.out, told.err, help.out, help.err, server.end("-TERM").err] {
        assert!(!text.contains(SECRET) && !text.contains(KEY), "{text}");
    }
}
