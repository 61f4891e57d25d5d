//! What a frame costs to read and a request to sign, beside the least that it could cost.
#![expect(clippy::unwrap_used, reason = "a benchmark: its input is its own")]

#[path = "limits/parse.rs"]
mod limit;

use std::{hint::black_box, str};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use criterion::{Criterion, criterion_group, criterion_main};
use ed25519_dalek::{Signer as _, SigningKey, pkcs8::DecodePrivateKey as _};
use ring::{hmac, rand::SystemRandom, rsa, signature::RSA_PKCS1_SHA256};
use tranche_model::{
    asset::Symbol,
    ids::{Installation, InstrumentId},
    instrument::Instrument,
};
use tranche_venue::{
    binance::probe::{Pen, Readers},
    catalog::Listed,
    secret::ApiSecret,
};

const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1795000000343,"s":"BTCUSDT","t":5100200,"p":"50004.10000000","q":"0.00730000","T":1795000000342,"m":true,"M":true}}"#;
const BEST: &str = r#"{"stream":"btcusdt@bookTicker","data":{"u":700100900,"s":"BTCUSDT","b":"50003.00000000","B":"1.20000000","a":"50003.10000000","A":"0.80000000"}}"#;
const REPORT: &str = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":1795000000458,"s":"BTCUSDT","c":"trnaaaoaaeaaaaafaaaaiaaaaa6v","S":"BUY","o":"LIMIT","f":"GTC","q":"0.00200000","p":"49990.00000000","P":"0.00000000","F":"0.00000000","g":-1,"C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":700002,"l":"0.00150000","z":"0.00150000","L":"49990.00000000","n":"0.00000150","N":"BTC","T":1795000000456,"t":910001,"I":1500101,"w":false,"m":false,"M":true,"O":1795000000456,"Z":"74.98500000","Y":"74.98500000","Q":"0.00000000","W":1795000000456,"V":"EXPIRE_MAKER"}}"#;
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const ED25519: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";
const RSA: &str = include_str!("../../simserver/tests/it/throwaway_rsa.pem");
/// A placement as it is signed.
const PAYLOAD: &[u8] = b"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.0021&price=48000&newClientOrderId=trnaaaoaaeaaaaafaaaaiaaaaa6v&newOrderRespType=FULL&recvWindow=5000&timestamp=1795000000000";

fn readers() -> Readers {
    let symbol = Symbol::parse("BTC/USDT").unwrap();
    let instrument = Instrument::new(InstrumentId::new(3), symbol, Vec::new());
    Readers::new(Listed { text: "BTCUSDT".to_owned(), instrument }, Installation::new(7))
}

fn parse(criterion: &mut Criterion) {
    let readers = readers();
    let mut group = criterion.benchmark_group("parse");
    for (name, frame) in [("trade", TRADE), ("best", BEST)] {
        assert!(readers.market_frame(frame), "{name}");
        group.bench_function(name, |bench| bench.iter(|| readers.market_frame(black_box(frame))));
    }
    assert!(readers.private_frame(REPORT), "report");
    group.bench_function("report", |bench| bench.iter(|| readers.private_frame(black_box(REPORT))));
    group.bench_function("limit-trade", |bench| bench.iter(|| limit::trade(black_box(TRADE))));
    group.bench_function("limit-best", |bench| bench.iter(|| limit::best(black_box(BEST))));
    group.bench_function("limit-report", |bench| bench.iter(|| limit::report(black_box(REPORT))));
    group
        .bench_function("serde-trade", |bench| bench.iter(|| limit::serde_trade(black_box(TRADE))));
    group.bench_function("serde-best", |bench| bench.iter(|| limit::serde_best(black_box(BEST))));
    group.finish();
}

fn sign(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sign");
    for (name, secret) in [("hmac", SECRET), ("ed25519", ED25519), ("rsa", RSA)] {
        let pen = Pen::new(&ApiSecret::new(secret.to_owned()).unwrap()).unwrap();
        group.bench_function(name, |bench| bench.iter(|| pen.sign(black_box(PAYLOAD)).unwrap()));
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    group.bench_function("limit-hmac", |bench| bench.iter(|| hmac::sign(&key, black_box(PAYLOAD))));
    let key = SigningKey::from_pkcs8_der(&der(ED25519)).unwrap();
    group.bench_function("limit-ed25519", |bench| bench.iter(|| key.sign(black_box(PAYLOAD))));
    let key = rsa::KeyPair::from_pkcs8(&der(RSA)).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    group.bench_function("limit-rsa", |bench| {
        bench.iter(|| {
            let random = SystemRandom::new();
            key.sign(&RSA_PKCS1_SHA256, &random, black_box(PAYLOAD), &mut signature).unwrap();
        });
    });
    group.finish();
}

fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

criterion_group!(benches, parse, sign);
criterion_main!(benches);
