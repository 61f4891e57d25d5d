//! Databases that former releases left in the midst of deals: this release takes them over, and the deals
//! go on to their end. `golden/README.md` says what they are.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use serde_json::Value;
use tranche_model::{
    client_order_id::ClientOrderId,
    ids::{Installation, InstrumentId},
    money::{Price, Qty, Quote},
    order::{OrderKind, OrderRequest, Side, Size, TimeInForce},
    record::{Call, Outcome},
    time::Millis,
};
use tranche_venue::{
    address::Address,
    binance::{Binance, LIVE},
    catalog::{Catalog, Listed},
    net::clock::{Clock as _, SystemClock},
    secret::{ApiKey, ApiSecret, Credentials},
    venue::{Venue as _, VenueAccount},
};

use crate::{
    place::Place,
    serve::{Bots, until},
    server::{KEY, SECRET, Server},
};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden");
const PAIR: InstrumentId = InstrumentId::new(0);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deals_of_former_releases_go_on_to_their_end() {
    let mut releases = 0;
    for folder in fs::read_dir(GOLDEN).unwrap().map(|one| one.unwrap().path()) {
        if folder.is_dir() {
            releases += 1;
            goes_on(&folder).await;
        }
    }
    assert_ne!(releases, 0);
}

async fn goes_on(golden: &Path) {
    let release = golden.file_name().unwrap().to_str().unwrap();
    let place = Place::new(&format!("upgrade-{release}"));
    fs::create_dir(place.path("data")).unwrap();
    for name in ["tranche.db", "master.key"] {
        let copy = place.path(&format!("data/{name}"));
        fs::copy(golden.join(name), &copy).unwrap();
        fs::set_permissions(copy, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let flags = format!("--market generated --speed 0 --key {KEY} --secret {SECRET}");
    let exchange = Server::start_line(&place, &flags);
    tell(&exchange, &fs::read_to_string(golden.join("exchange.txt")).unwrap()).await;
    let before = exchange.get("/books")["accounts"][0].clone();

    let bots = Bots::start(&place, &exchange);
    for bot in [1, 2] {
        // No deal follows the one that is open.
        let told = place.run(&format!("bot stop {bot} --data-dir data --wait 30s"));
        assert_eq!(told.code, Some(0), "{release}: {}{}", told.out, told.err);
        let shown = place.run(&format!("bot show {bot} --json --data-dir data")).json();
        let orders = shown["deals"][0]["orders"].as_array().unwrap();
        assert_eq!(orders.len(), 3, "{release}: {shown}");
    }
    let after = exchange.get("/books")["accounts"][0].clone();
    assert_eq!(before["open_orders"], after["open_orders"], "{release}: its orders stay");
    assert_eq!(before["fills"], after["fills"], "{release}: nothing is bought twice");

    // The market reaches the take profit of both.
    tick(&exchange, "60540");
    let closed = until(&place, "deal list --json --data-dir data", |deals| {
        let deals = deals.as_array().unwrap();
        deals.len() == 2 && deals.iter().all(|deal| deal["ended"] == "take_profit")
    });
    for deal in closed.as_array().unwrap() {
        // 0.00333 sold at 60536.79 for a thousandth, less 199.392; the exchange rounds the fee.
        let profit = if deal["bot"] == 1 { "1.99392319" } else { "1.9939231893" };
        assert_eq!(deal["profit"], profit, "{release}: {deal}");
    }
    let books = exchange.get("/books")["accounts"][0].clone();
    assert_eq!(books["fills"].as_array().unwrap().len(), 3, "{release}: {books}");
    assert_eq!(books["open_orders"], Value::Array(Vec::new()), "{release}");
    let shown = place.run("account show main --json --data-dir data").json();
    for balance in books["balances"].as_array().unwrap() {
        let asset = balance["asset"].as_str().unwrap();
        assert_eq!(shown["holds"][asset], balance["free"], "{release}: {shown} {balance}");
    }
    bots.end();
    let told = place.run("verify --data-dir data");
    assert_eq!((told.code, told.out.starts_with("whole")), (Some(0), true), "{}", told.out);
}

/// Brings the exchange to where it was when the release was left.
async fn tell(exchange: &Server, steps: &str) {
    let first = steps.split_whitespace().find_map(ClientOrderId::parse).unwrap();
    let account = account(exchange, first.origin().installation).await;
    for step in steps.lines() {
        let words: Vec<&str> = step.split(' ').collect();
        match words[..] {
            ["tick", price] => tick(exchange, price),
            ["cancel", id] => {
                let client_id = ClientOrderId::parse(id).unwrap();
                done(&*account, Call::Cancel { client_id, instrument: PAIR }).await;
            }
            ["place", id, side, "market", amount] => {
                let size = Size::Quote(Quote::parse(amount).unwrap());
                place_order(&*account, (id, side), OrderKind::Market { size }).await;
            }
            ["place", id, side, qty, price] => {
                place_order(&*account, (id, side), limit(qty, price)).await;
            }
            _ => panic!("what is {step}?"),
        }
    }
}

fn limit(qty: &str, price: &str) -> OrderKind {
    OrderKind::Limit {
        price: Price::parse(price).unwrap(),
        qty: Qty::parse(qty).unwrap(),
        time_in_force: TimeInForce::GoodTillCancelled,
    }
}

async fn place_order(account: &dyn VenueAccount, (id, side): (&str, &str), kind: OrderKind) {
    let side = if side == "buy" { Side::Buy } else { Side::Sell };
    let client_id = ClientOrderId::parse(id).unwrap();
    let request = OrderRequest { client_id, instrument: PAIR, side, kind };
    let send_by = SystemClock::new().wall().plus(Millis::from_secs(3));
    done(account, Call::Place { request, send_by }).await;
}

async fn done(account: &dyn VenueAccount, call: Call) {
    let outcome = account.call(call).await.outcome;
    assert!(matches!(outcome, Outcome::Done(_)), "{call:?}: {outcome:?}");
}

async fn account(exchange: &Server, installation: Installation) -> Box<dyn VenueAccount> {
    let mut settings = LIVE.settings().unwrap();
    let socket = exchange.rest.replace("http:", "ws:");
    settings.rest = Address::http(&exchange.rest, false).unwrap();
    settings.market_socket = Address::socket(&socket, false).unwrap();
    settings.api_socket = Address::socket(&format!("{socket}/ws-api/v3"), false).unwrap();
    let catalog = Arc::new(Catalog::default());
    let clock = Arc::new(SystemClock::new());
    let venue = Binance::start(settings, Arc::clone(&catalog), clock).unwrap();
    venue.sync_clock().await.unwrap();
    let listings = venue.listings().await.unwrap();
    let pair = listings.list.into_iter().find(|one| one.text == "BTCUSDT").unwrap();
    let mut instrument = pair.draft;
    instrument.id = PAIR;
    catalog.put(Listed { text: pair.text, instrument });
    let credentials = Credentials {
        name: "golden".to_owned(),
        key: ApiKey::new(KEY).unwrap(),
        secret: ApiSecret::new(SECRET.to_owned()).unwrap(),
    };
    venue.account(credentials, installation).unwrap()
}

fn tick(exchange: &Server, price: &str) {
    let body = format!(r#"{{"symbol":"BTCUSDT","price":"{price}","qty":"50"}}"#);
    exchange.control("/tick", &body);
    std::thread::sleep(Duration::from_millis(50));
}
