//! What former releases wrote must be read for ever: journals and snapshots of real accounts, one of which
//! outlived a kill, are kept in `golden/` and never changed. A release adds its own.

use std::{collections::BTreeMap, fs, path::Path};

use tranche_model::{
    ids::{AccountId, BotId},
    instrument::{Instrument, Instruments},
    record::Snapshot,
    time::Timestamp,
};
use tranche_trading::{
    account::{Account, World},
    codec::{self, CodecError},
    event::{Effects, Event},
};

/// One account as a release left it.
struct Golden {
    name: String,
    instruments: Instruments,
    /// Each entry with its time.
    journal: Vec<(Timestamp, Vec<u8>)>,
    snapshot: Snapshot,
}

#[test]
fn snapshots_of_former_releases_load() {
    for golden in golden() {
        let account = load(&golden.snapshot);

        assert!(!account.bots.is_empty(), "{}", golden.name);
    }
}

#[test]
fn journals_of_former_releases_lead_to_the_same_state_and_the_same_reasons() {
    for Golden { name, instruments, journal, snapshot } in golden() {
        let mut account: Option<Account> = None;
        for (at, body) in journal {
            let (event, whys) = codec::decode_entry(&body).unwrap();
            if let Event::Loaded { settings } = &event {
                // A new owner has what was saved, and nothing else.
                let known = account.take().map(|account| load(&save(&account)));
                account = known.or_else(|| {
                    let id = codec::decode_desk(&snapshot.account).unwrap().id;
                    Some(Account::new(AccountId::new(id.get()), (**settings).clone()))
                });
            }
            let account = account.as_mut().expect("a journal begins with its owner");
            let mut effects = Effects::default();
            let world = World { now: at, instruments: &instruments };
            account.step(&event, &world, &mut effects).unwrap();
            assert_eq!(effects.whys, whys, "{name} at {at}");
        }

        let (mut account, left) = (account.unwrap(), load(&snapshot));
        if rules_of(&snapshot) < 2 {
            take_readings(&mut account, &left);
        }
        assert_eq!(save(&account), save(&left), "{name}");
    }
}

/// Under the first rules, a start read the executions of every open deal. What was not asked for is not
/// noted as read: it is read from further back when it is needed.
fn take_readings(account: &mut Account, left: &Account) {
    for (id, bot) in &mut account.bots {
        for (lane, other) in bot.lanes.iter_mut().zip(&left.bots[id].lanes) {
            assert!(lane.trades_read_to <= other.trades_read_to);
            lane.trades_read_to = other.trades_read_to;
        }
    }
}

/// The rules under which a release wrote; both versions stand in front, in a byte each.
fn rules_of(snapshot: &Snapshot) -> u8 {
    snapshot.account[1]
}

#[test]
fn what_a_newer_release_wrote_is_refused() {
    let [golden, ..] = &golden()[..] else { panic!("there is none") };
    let mut bytes = golden.snapshot.account.clone();
    assert_eq!(u16::from(bytes[0]), codec::SCHEMA, "the schema stands in front");
    bytes[0] += 1;

    let refused = codec::decode_desk(&bytes).unwrap_err();

    assert_eq!(refused, CodecError::Newer(codec::SCHEMA + 1));
    assert!(refused.to_string().contains("newer version"), "{refused}");
}

fn golden() -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|one| one.unwrap().path()).collect();
    names.sort();
    assert!(!names.is_empty());
    names.iter().map(|path| read(path)).collect()
}

/// Lines of `instrument <json>`, `event <microseconds> <hex>` and `snapshot <bot> <hex>`.
fn read(path: &Path) -> Golden {
    let mut instruments = Vec::new();
    let (mut journal, mut snapshot) = (Vec::new(), Snapshot::default());
    for line in fs::read_to_string(path).unwrap().lines() {
        let (kind, rest) = line.split_once(' ').unwrap();
        if kind == "instrument" {
            instruments.push(serde_json::from_str::<Instrument>(rest).unwrap());
            continue;
        }
        let (number, hex) = rest.split_once(' ').unwrap();
        match (kind, number) {
            ("event", micros) => {
                let at = Timestamp::from_ms(micros.parse::<i64>().unwrap() / 1000);
                journal.push((at, bytes(hex)));
            }
            ("snapshot", "0") => snapshot.account = bytes(hex),
            ("snapshot", bot) => snapshot.bots.push((BotId::new(bot.parse().unwrap()), bytes(hex))),
            _ => panic!("what is {kind}?"),
        }
    }
    let name = path.display().to_string();
    Golden { name, instruments: Instruments::new(instruments).unwrap(), journal, snapshot }
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn load(snapshot: &Snapshot) -> Account {
    let bots = snapshot.bots.iter().map(|(id, body)| (*id, codec::decode_bot(body).unwrap()));
    let bots: BTreeMap<_, _> = bots.collect();
    Account::from_parts(codec::decode_desk(&snapshot.account).unwrap(), bots)
}

fn save(account: &Account) -> Snapshot {
    let bots = account.bots.iter().map(|(id, bot)| (*id, codec::encode_bot(bot).unwrap()));
    Snapshot { account: codec::encode_desk(&account.desk).unwrap(), bots: bots.collect() }
}
