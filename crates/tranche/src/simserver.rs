//! `tranche simserver`: an exchange over the wire, until its market ends or somebody stops it.

mod feeds;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rust_decimal::Decimal;
use serde::Deserialize;
use tranche_model::{
    asset::Asset,
    balance::Balance,
    instrument::{Instrument, Instruments},
    money::Amount,
};
use tranche_simserver::{
    AccountSettings, FaultProfile, KeySecret, KeySettings, Rights, Running, Server,
    Settings as ServerSettings, Speed, SystemClock,
};

use crate::{
    cli::{SimserverTask, VenueName},
    console, runtime,
    runtime::Stop,
    secrets,
    settings::Settings,
};
use feeds::Market;

const PORT: u16 = 9010;
const SPEED: u32 = 600;
const SPEED_MAX: u32 = 1_000_000;
/// How often it is looked whether the market is over.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// What an account begins with when nobody says otherwise.
const FUNDS: i64 = 10_000;

/// What the control address says of the market.
#[derive(Debug, Deserialize)]
struct State {
    feed: FeedState,
}

#[derive(Debug, Deserialize)]
struct FeedState {
    is_over: bool,
}

pub(crate) fn run(task: &SimserverTask, settings: &Settings) -> Result<ExitCode> {
    let VenueName::BinanceSpot = task.venue.unwrap_or_default();
    let market = Market::read(task, task.seed.unwrap_or(settings.seed))?;
    let source = market.source.clone();
    let speed = speed(task, settings)?;
    let server = server(task, settings, &market.instruments, speed)?;
    let key = server.accounts.iter().flat_map(|it| &it.keys).map(|key| key.name.clone()).next();
    let names = names(&market.instruments);
    let feed = market.feed;
    runtime::run(async move {
        // Before anybody is told that it runs, so that whoever is told can end it.
        let stop = Stop::listen().context("signals cannot be listened to")?;
        let server = Server::bind(server, feed, Arc::new(SystemClock)).await.map_err(unbound)?;
        let running = server.start();
        let shown = hello(&running, &names, &source, (speed, key.as_deref().unwrap_or_default()));
        // Clients may be at work when whoever read this has enough of it.
        drop(console::say(&shown));
        let end = watch(&running, stop).await;
        running.stop().await;
        console::complain(end);
        Ok(ExitCode::SUCCESS)
    })
}

/// Why it ended.
async fn watch(running: &Running, mut stop: Stop) -> &'static str {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = stop.wait() => return "stopped",
            _ = looks.tick() => {}
        }
        let (_, text) = running.control("GET", "/state", "");
        let state = serde_json::from_str::<State>(&text);
        if state.is_ok_and(|state| state.feed.is_over) {
            return "the market ends here";
        }
    }
}

fn speed(task: &SimserverTask, settings: &Settings) -> Result<Speed> {
    match task.speed.or(settings.named_speed).unwrap_or(SPEED) {
        0 => Ok(Speed::Stepped),
        speed if speed <= SPEED_MAX => Ok(Speed::Times(speed)),
        speed => bail!(
            "speed is {speed} (must be from 0 to {SPEED_MAX}); 1 is the speed of life, 0 waits for \
             the control address"
        ),
    }
}

fn server(
    task: &SimserverTask,
    settings: &Settings,
    instruments: &[Instrument],
    speed: Speed,
) -> Result<ServerSettings> {
    let exchange = &settings.exchange;
    let terms = settings.terms_with(&task.terms, "received")?;
    let mut balances = terms.balances;
    if balances.is_empty() {
        let quote = instruments.first().context("the market has no instrument")?.symbol.quote;
        balances.push(usual_balance(quote));
    }
    let key = key(task)?;
    let account = AccountSettings {
        fees: terms.fees,
        fee_asset: terms.fee_asset,
        ..AccountSettings::new("main", vec![key], balances)
    };
    let here = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let control = task.control.or(exchange.control).unwrap_or_else(|| here(0));
    if !control.ip().is_loopback() {
        console::complain(&format!(
            "note: the control address {control} knows no keys, and other machines may reach it"
        ));
    }
    Ok(ServerSettings {
        listen: task.listen.or(exchange.listen).unwrap_or_else(|| here(PORT)),
        control,
        speed,
        faults: faults(task)?,
        ..ServerSettings::new(instruments.to_vec(), vec![account])
    })
}

fn usual_balance(quote: Asset) -> Balance {
    let free = if quote.as_str() == "BTC" { Decimal::ONE } else { Decimal::new(FUNDS, 0) };
    Balance { asset: quote, free: Amount::new(free), locked: Amount::ZERO }
}

fn key(task: &SimserverTask) -> Result<KeySettings> {
    let name = task.key.as_deref().context(
        "key: none; add --key NAME and --secret TEXT, or set TRANCHE_KEY and TRANCHE_SECRET",
    )?;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || 128 < name.len() || !name.bytes().all(is_legal) {
        bail!("key: the name must have 1 to 128 letters, digits, - and _; choose another");
    }
    let secret = match (&task.public_key, &task.secret) {
        (Some(path), _) => public_key(path)?,
        (None, Some(text)) => KeySecret::Hmac(text.clone()),
        (None, None) => KeySecret::Hmac(secrets::from_environment().context(
            "secret: none; add --secret TEXT or --public-key PEMFILE, or set TRANCHE_SECRET",
        )?),
    };
    let rights = Rights { read: true, trade: !task.no_trade_right, withdraw: task.withdraw_right };
    let is_ip_restricted = !task.any_address;
    Ok(KeySettings { rights, is_ip_restricted, ..KeySettings::new(name, secret) })
}

/// The kinds differ in length: a public Ed25519 key is one line of 60 letters.
fn public_key(path: &Path) -> Result<KeySecret> {
    const ED25519_LETTERS: usize = 60;
    let name = path.display();
    let pem = fs::read_to_string(path)
        .with_context(|| format!("public-key: {name} cannot be read; give a PEM file"))?;
    if pem.contains("PRIVATE KEY") {
        bail!("public-key: {name} holds a private key; give the public one, it never comes here");
    }
    if !pem.contains("BEGIN PUBLIC KEY") {
        bail!("public-key: {name} holds no `BEGIN PUBLIC KEY`; give a public key in PEM");
    }
    let body = pem.lines().filter(|line| !line.starts_with("-----"));
    let letters: usize = body.map(|line| line.trim().len()).sum();
    Ok(if letters <= ED25519_LETTERS { KeySecret::Ed25519(pem) } else { KeySecret::Rsa(pem) })
}

fn faults(task: &SimserverTask) -> Result<FaultProfile> {
    let mut profile = match &task.faults {
        Some(path) => {
            let name = path.display();
            let text = fs::read_to_string(path)
                .with_context(|| format!("faults: {name} cannot be read; give a TOML file"))?;
            toml::from_str(&text).map_err(|error: toml::de::Error| {
                let text = error.to_string();
                anyhow::anyhow!("faults: {name}: {}; docs/simserver.md tells all", text.trim_end())
            })?
        }
        None => FaultProfile::default(),
    };
    profile.seed = task.seed.unwrap_or(profile.seed);
    Ok(profile)
}

fn unbound(error: tranche_simserver::BindError) -> anyhow::Error {
    use tranche_simserver::BindError as E;
    let mend = match &error {
        E::Taken { .. } => "end that program, or choose another port with --listen or --control",
        E::Listen { .. } => "choose an address of this machine with --listen or --control",
        E::Key { .. } => "check --secret and --public-key",
        E::Balances(_) => "check --balance",
        E::Instruments | E::SameKey(_) | E::SameAccount(_) => "report this",
    };
    let what = anyhow::Error::from(error);
    anyhow::anyhow!("{what:#}; {mend}")
}

fn names(instruments: &[Instrument]) -> String {
    let names = instruments.iter().map(|instrument| instrument.symbol.to_string());
    names.collect::<Vec<_>>().join(", ")
}

/// Where it is, and how a client is pointed at it. The secret is not repeated.
fn hello(running: &Running, names: &str, source: &str, (speed, key): (Speed, &str)) -> String {
    let (exchange, control) = (running.exchange_address(), running.control_address());
    let pace = match speed {
        Speed::Stepped => "moved by the control address".to_owned(),
        Speed::Times(factor) => format!("speed {factor}"),
    };
    let pair = names.split(", ").next().unwrap_or_default();
    format!(
        "binance-spot, simulated: no real money\n\
         market         {names}: {source}, {pace}\n\
         rest           http://{exchange}\n\
         market socket  ws://{exchange}\n\
         api socket     ws://{exchange}/ws-api/v3\n\
         control        http://{control}\n\
         key            {key}, with the secret that you chose\n\
         try            tranche doctor --pair {pair} --rest http://{exchange} \
         --market-socket ws://{exchange} --api-socket ws://{exchange}/ws-api/v3"
    )
}

/// Instruments in the order of their ids.
fn listed(instruments: &Instruments) -> Vec<Instrument> {
    instruments.iter().cloned().collect()
}
