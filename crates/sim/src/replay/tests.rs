use tranche_model::{
    asset::Asset,
    balance::{Balance, FeeAsset, FeeRates},
    client_order_id::Origin,
    ids::{Incarnation, Installation, UserId},
    money::{Amount, Fraction},
    record::{Answer, Call, Outcome, Reply},
};
use tranche_trading::{
    account::{Account, World},
    event::{Effects, Event, Timing},
};

use super::*;

const ACCOUNT: AccountId = AccountId::new(1);

#[test]
fn what_was_written_is_read() {
    let recorded = recorded();
    let recording = Recording::open(&recorded).unwrap();

    assert_eq!(recording.header, header());
    assert_eq!(recording.collect::<Result<Vec<_>, _>>().unwrap().len(), 3);
}

#[test]
fn the_same_rules_repeat_a_recording() {
    let recorded = recorded();
    let recording = Recording::open(&recorded).unwrap();
    let mut verifier = Verifier::new(&recording.header);

    for entry in recording {
        verifier.repeat(&entry.unwrap()).unwrap();
    }

    assert_eq!(verifier.same, 3);
}

#[test]
fn the_first_difference_is_told_in_words() {
    let recorded = recorded();
    let recording = Recording::open(&recorded).unwrap();
    let mut verifier = Verifier::new(&recording.header);
    let entries = recording.collect::<Result<Vec<_>, _>>().unwrap();
    let quiet = codec::encode_trace(&Effects::default()).unwrap();
    let changed = Entry { trace: quiet, ..entries[0].clone() };

    let difference = verifier.repeat(&changed).unwrap_err();

    assert_eq!(difference.event, 1);
    assert!(difference.what.starts_with("call recorded: nothing; now: "), "{difference}");
}

#[test]
fn changed_events_are_noticed() {
    let mut recorded = recorded();
    let last = recorded.len() - 1;
    recorded[last] ^= 1;
    let mut recording = Recording::open(&recorded).unwrap();

    let intact = std::iter::from_fn(|| recording.next().map(|_| recording.is_intact()));

    assert_eq!(intact.collect::<Vec<_>>(), [true, true, false]);
    recorded[MAGIC.len() + 20] ^= 1;
    assert_eq!(Recording::open(&recorded).unwrap_err(), ReadError::HeaderChanged);
}

#[test]
fn foreign_and_cut_bytes_are_refused() {
    let recorded = recorded();
    let cut = &recorded[..recorded.len() - 1];
    let read = Recording::open(cut).unwrap().collect::<Result<Vec<_>, _>>();

    assert_eq!(Recording::open(b"MZ").unwrap_err(), ReadError::NotOurs);
    assert_eq!(read.unwrap_err(), ReadError::CutShort { events: 2 });
}

fn header() -> Header {
    Header {
        written_by: "0".to_owned(),
        market: "none".to_owned(),
        instruments: Instruments::default(),
    }
}

/// A load, its two answers.
fn recorded() -> Vec<u8> {
    let mut account = Account::new(ACCOUNT, settings());
    let instruments = Instruments::default();
    let balance = Balance {
        asset: Asset::parse("USDT").unwrap(),
        free: Amount::parse("5").unwrap(),
        locked: Amount::ZERO,
    };
    let reply = |call, answer| Event::Reply(Reply { call, outcome: Outcome::Done(answer) });
    let no_orders = Answer::OpenOrders { own: Vec::new(), foreign: Vec::new() };
    let events = [
        Event::Loaded { settings: Box::new(settings()) },
        reply(Call::OpenOrders, no_orders),
        reply(Call::Balances, Answer::Balances(vec![balance])),
    ];
    let mut bytes = begin(&header()).unwrap();
    let mut start = Some(Start::new(settings(), Snapshot::default()));
    for event in &events {
        let at = Timestamp::from_ms(5);
        let mut effects = Effects::default();
        account.step(event, &World { now: at, instruments: &instruments }, &mut effects).unwrap();
        let trace = codec::encode_trace(&effects).unwrap();
        let event = codec::encode_event(event).unwrap();
        let start = start.take();
        bytes.extend(entry(&Entry { account: ACCOUNT, at, event, trace, start }).unwrap());
    }
    bytes
}

fn settings() -> Settings {
    Settings {
        user: UserId::new(1),
        origin: Origin { installation: Installation::new(1), incarnation: Incarnation::new(1) },
        fees: FeeRates { maker: Fraction::ZERO, taker: Fraction::ZERO },
        fee_asset: FeeAsset::Quote,
        timing: Timing::default(),
    }
}
