//! Feeds recorded events to accounts anew and compares what comes of them, byte for byte.

use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
};

use tranche_model::{ids::AccountId, instrument::Instruments, time::Timestamp};
use tranche_trading::{
    account::{Account, World},
    codec::{self, CodecError, Trace},
    event::{Effects, Event},
};

use super::{Entry, Header, Start, story::event_in_words};

/// Accounts as they stand after the events so far.
#[derive(Debug)]
pub struct Verifier {
    instruments: Instruments,
    /// Of accounts that heard of other rules: each hears of them among its own events.
    ruled: BTreeMap<AccountId, Instruments>,
    accounts: BTreeMap<AccountId, Account>,
    /// How many events gave what was recorded.
    pub same: u64,
}

/// Where a repeated run leaves the recorded one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Counted from 1.
    pub event: u64,
    pub account: AccountId,
    pub at: Timestamp,
    /// What the account was told.
    pub told: String,
    /// What is not the same.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, account, at, told, what } = self;
        write!(f, "event {event} ({at}, account {account}, {told}): {what}")
    }
}

impl Verifier {
    pub fn new(header: &Header) -> Self {
        let instruments = header.instruments.clone();
        Self { instruments, ruled: BTreeMap::new(), accounts: BTreeMap::new(), same: 0 }
    }

    /// Repeats one event.
    pub fn repeat(&mut self, entry: &Entry) -> Result<(), Difference> {
        let event = match codec::decode_event(&entry.event) {
            Ok(event) => event,
            Err(error) => return Err(self.differs(entry, None, format!("unreadable: {error}"))),
        };
        match self.step(entry, &event) {
            Ok(trace) if trace == entry.trace => {
                self.same = self.same.saturating_add(1);
                Ok(())
            }
            Ok(trace) => {
                let what = in_words(&entry.trace, &trace);
                Err(self.differs(entry, Some(&event), what))
            }
            Err(what) => Err(self.differs(entry, Some(&event), what)),
        }
    }

    fn step(&mut self, entry: &Entry, event: &Event) -> Result<Vec<u8>, String> {
        if let Some(start) = &entry.start {
            let account = account_of(entry.account, start).map_err(|error| error.to_string())?;
            self.accounts.insert(entry.account, account);
        }
        let Some(account) = self.accounts.get_mut(&entry.account) else {
            return Err("the account was not loaded before".to_owned());
        };
        if let Event::Rules(instrument) = event {
            let of_all = &self.instruments;
            let own = self.ruled.entry(entry.account).or_insert_with(|| of_all.clone());
            if let Some(known) = own.get_mut(instrument.id) {
                known.clone_from(instrument);
            }
        }
        let instruments = self.ruled.get(&entry.account).unwrap_or(&self.instruments);
        let world = World { now: entry.at, instruments };
        let mut effects = Effects::default();
        account
            .step(event, &world, &mut effects)
            .map_err(|error| format!("the step fails: {error}"))?;
        codec::encode_trace(&effects).map_err(|error| error.to_string())
    }

    fn differs(&self, entry: &Entry, event: Option<&Event>, what: String) -> Difference {
        let told = event.map(|event| event_in_words(event, &self.instruments));
        Difference {
            event: self.same.saturating_add(1),
            account: entry.account,
            at: entry.at,
            told: told.unwrap_or_else(|| "an event".to_owned()),
            what,
        }
    }
}

fn account_of(id: AccountId, start: &Start) -> Result<Account, CodecError> {
    if start.desk.is_empty() {
        return Ok(Account::new(id, start.settings.clone()));
    }
    let bots = start.bots.iter().map(|(bot, body)| Ok((*bot, codec::decode_bot(body)?)));
    Ok(Account::from_parts(codec::decode_desk(&start.desk)?, bots.collect::<Result<_, _>>()?))
}

/// The first thing in which two traces differ.
fn in_words(recorded: &[u8], anew: &[u8]) -> String {
    let (recorded, anew) = match (codec::decode_trace(recorded), codec::decode_trace(anew)) {
        (Ok(recorded), Ok(anew)) => (recorded, anew),
        (Err(error), _) => return format!("what was recorded is unreadable: {error}"),
        (_, Err(error)) => return format!("what came now is unreadable: {error}"),
    };
    let Trace { calls, asks, hand_backs, intents, fills, deals, verdicts, lookups, whys } =
        &recorded;
    let found = [
        first("call", calls, &anew.calls),
        first("asking for places", asks, &anew.asks),
        first("handing back of places", hand_backs, &anew.hand_backs),
        first("intent", intents, &anew.intents),
        first("fill", fills, &anew.fills),
        first("closed deal", deals, &anew.deals),
        first("verdict", verdicts, &anew.verdicts),
        first("lookup", lookups, &anew.lookups),
        first("decision", whys, &anew.whys),
    ];
    found.into_iter().flatten().next().unwrap_or_else(|| {
        "the bytes differ although they mean the same: written under other rules".to_owned()
    })
}

fn first<T: Debug + PartialEq>(name: &str, recorded: &[T], anew: &[T]) -> Option<String> {
    let shown =
        |item: Option<&T>| item.map_or_else(|| "nothing".to_owned(), |it| format!("{it:?}"));
    (0..recorded.len().max(anew.len()))
        .map(|place| (recorded.get(place), anew.get(place)))
        .find(|(then, now)| then != now)
        .map(|(then, now)| format!("{name} recorded: {}; now: {}", shown(then), shown(now)))
}
