//! Everything that is said in a world, as the exchange's text: our client writes the requests and reads
//! the answers, the simulated server reads the requests and writes the answers, and the decisions are
//! those of the world. Secrets are planted in it, and looked for.

mod compare;
mod damage;
mod secrets;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use tranche_model::{
    candle::Tick,
    ids::{AccountId, Installation},
    instrument::Instrument,
    record::{Call, Outcome, PrivateEvent, Reply},
    time::Timestamp,
};
use tranche_sim::{
    audit::Violation,
    world::{Fault, Message, Passage, Plan, Report, Wire, wire::strikes_text},
};
use tranche_simserver::{
    AccountSettings, KeySecret, KeySettings, Settings,
    dialect::{Asked, Dialect, Incoming, Told},
};
use tranche_venue::{
    binance::offline::{Offline, OfflineAccount, Said, Silence},
    catalog::{Catalog, Listed},
    net::{
        self,
        http::{Door, DoorAnswer, HttpFault, HttpRequest},
    },
    secret::{ApiKey, ApiSecret, Credentials},
};

use self::{compare::found, secrets::Ear};

/// The installation of all worlds.
const HOUSE: Installation = Installation::new(3);
/// One price of so many passes as text: they are most of what is said, and all alike.
const PRICE_EVERY: u64 = 4;
/// One of so many of those is also told as the best of the book.
const BEST_EVERY: u64 = 16;
/// Processes whose memory of orders is kept: one that runs, and one that goes.
const LIVES: u64 = 2;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Spoken {
    dialect: Arc<Dialect>,
    clock: Arc<Still>,
    desk: Arc<Mutex<Desk>>,
    client: Offline,
    credentials: BTreeMap<AccountId, Credentials>,
    /// What each process has learned of orders.
    memories: RefCell<BTreeMap<(u64, AccountId), OfflineAccount>>,
    found: RefCell<Option<Violation>>,
    ear: Ear,
    passed: Cell<u64>,
    ticks: Cell<u64>,
}

/// A clock that stands where it was put.
#[derive(Debug, Default)]
struct Still(AtomicI64);

/// What the server does with the next request.
#[derive(Debug, Default)]
enum Desk {
    #[default]
    Closed,
    /// It only reads the first one.
    Listens { at: Timestamp, heard: Option<Box<Result<Asked, Told>>> },
    /// It says this in answer to each.
    Says(Speech),
}

#[derive(Debug)]
struct Speech {
    outcome: Outcome,
    fault: Option<(Fault, u64)>,
    at: Timestamp,
    /// What the server could not do.
    wrong: Option<String>,
}

impl Spoken {
    pub(super) fn new(plan: &Plan) -> Result<Self> {
        let clock = Arc::new(Still::default());
        let mut credentials = BTreeMap::new();
        let mut accounts = Vec::new();
        for account in &plan.accounts {
            // Two accounts never share a key.
            let (key, secret) = (format!("{}{account}", secrets::key()), secrets::secret());
            let own = KeySettings::new(&key, KeySecret::Hmac(secret.clone()));
            let name = format!("account {account}");
            accounts.push(AccountSettings::new(&name, vec![own], Vec::new()));
            let own =
                Credentials { name, key: ApiKey::new(&key)?, secret: ApiSecret::new(secret)? };
            credentials.insert(*account, own);
        }
        let instruments: Vec<Instrument> = plan.instruments.iter().cloned().collect();
        let listed = plan.instruments.iter().map(|instrument| Listed {
            text: format!("{}{}", instrument.symbol.base, instrument.symbol.quote),
            instrument: instrument.clone(),
        });
        let catalog = Arc::new(Catalog::new(listed));
        let server = Settings::new(instruments, accounts);
        let dialect = Dialect::new(&server, Arc::<Still>::clone(&clock));
        let dialect = Arc::new(dialect.context("no server for a world")?);
        let desk = Arc::new(Mutex::new(Desk::default()));
        let door = door(Arc::clone(&dialect), Arc::clone(&desk));
        let client = Offline::new(catalog, Arc::<Still>::clone(&clock), door);
        Ok(Self {
            dialect,
            clock,
            desk,
            client: client.context("no client for a world")?,
            credentials,
            memories: RefCell::default(),
            found: RefCell::default(),
            ear: Ear::default(),
            passed: Cell::default(),
            ticks: Cell::default(),
        })
    }

    /// Does something while everything that it logs is searched for secrets instead of shown.
    pub(super) fn listen<T>(&self, work: impl FnOnce() -> T) -> T {
        let logs = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .without_time()
            .with_writer(self.ear.clone())
            .finish();
        tracing::subscriber::with_default(logs, work)
    }

    /// The report, in which a secret would be told like anywhere else.
    pub(super) fn searched(&self, mut report: Report) -> Report {
        let told = report.violations.iter().map(ToString::to_string);
        let told: Vec<String> = told.chain(report.tail.iter().cloned()).collect();
        // The server's side is the exchange's own, and knows its keys by name.
        let dump = format!("{:?} {:?} {:?}", self.client, self.credentials, self.memories);
        let places = told.iter().map(|text| ("the report", text)).chain([("a dump", &dump)]);
        let leaks = places.filter_map(|(place, text)| {
            let secret = secrets::find(text.as_bytes())?;
            Some(found("I-33", format!("{secret} stands in {place}")))
        });
        let leaks: Vec<_> = leaks.take(1).collect();
        report.violations.extend(leaks);
        report
    }

    fn note(&self, violation: Option<Violation>) {
        let mut noted = self.found.borrow_mut();
        if noted.is_none() {
            *noted = violation;
        }
    }

    fn count(&self) {
        self.passed.set(self.passed.get().saturating_add(1));
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with what the process knows of the account's orders. A process that is new knows
    /// nothing, and asks for the account's events first.
    fn with_memory<T>(
        &self,
        passage: &Passage,
        work: impl FnOnce(&OfflineAccount) -> T,
    ) -> Option<T> {
        let Passage { life, account, left_at, .. } = *passage;
        let mut memories = self.memories.borrow_mut();
        if let Some(known) = memories.get(&(life, account)) {
            return Some(work(known));
        }
        let fresh = self.client.account(self.credentials.get(&account)?, HOUSE).ok()?;
        self.note(self.subscribe(&fresh, (life, left_at)));
        memories.retain(|(known, _), _| life <= known.saturating_add(LIVES));
        Some(work(memories.entry((life, account)).or_insert(fresh)))
    }

    fn subscribe(&self, fresh: &OfflineAccount, (id, at): (u64, Timestamp)) -> Option<Violation> {
        self.clock.put(at);
        self.count();
        let asked = fresh.subscribe(id, at)?;
        let answers = self.dialect.converse(&asked);
        let is_heard = answers.iter().any(|answer| OfflineAccount::is_subscribed(id, answer));
        (!is_heard).then(|| found("I-23", format!("{} answers to a subscription", answers.len())))
    }

    /// The call of our client, with the server at the desk.
    fn carry_out(&self, passage: &Passage, call: Call, desk: Desk) -> (Outcome, Desk) {
        self.clock.put(passage.left_at);
        *self.desk() = desk;
        let outcome = self.with_memory(passage, |account| account.call(call));
        (outcome.unwrap_or(Outcome::NotSent), std::mem::take(&mut *self.desk()))
    }

    fn speech(passage: &Passage, outcome: Outcome) -> Speech {
        Speech { outcome, fault: passage.fault, at: passage.left_at, wrong: None }
    }
}

impl Wire for Spoken {
    fn call(&self, passage: &Passage, call: &Call) -> Result<Call, Box<Outcome>> {
        self.count();
        let listens = Desk::Listens { at: passage.arrives_at, heard: None };
        let (unsent, desk) = self.carry_out(passage, *call, listens);
        let Desk::Listens { heard, .. } = desk else { return Ok(*call) };
        match heard.map(|heard| *heard) {
            // Nothing was to be sent.
            None if matches!(call, Call::Highs { .. }) => Ok(*call),
            None => Err(Box::new(unsent)),
            Some(Ok(asked)) => {
                let is_public = matches!(call, Call::Highs { .. });
                if !is_public && asked.account() != Some(passage.account) {
                    self.note(Some(found("I-03", format!("{call:?} of another account"))));
                }
                let difference = match asked.call() {
                    Some(read) => compare::call(call, read),
                    None => Some(found("I-03", format!("{call:?} arrived as something else"))),
                };
                self.note(difference);
                let read = asked.call().copied().unwrap_or(*call);
                Ok(as_sent(call, read))
            }
            Some(Err(told)) => {
                let late = passage.left_at < passage.arrives_at;
                if !late {
                    let Told { status, body, .. } = &told;
                    self.note(Some(found("I-03", format!("{call:?} got {status}: {body}"))));
                }
                // The door's own word, read by our client.
                let fixed = Speech { at: passage.arrives_at, ..Self::speech(passage, unsent) };
                let (outcome, _) = self.carry_out(passage, *call, Desk::Says(fixed));
                Err(Box::new(outcome))
            }
        }
    }

    fn reply(&self, passage: &Passage, reply: &Reply) -> Outcome {
        self.count();
        let says = Desk::Says(Self::speech(passage, reply.outcome.clone()));
        let (read, desk) = self.carry_out(passage, reply.call, says);
        if let Desk::Says(Speech { wrong: Some(wrong), .. }) = desk {
            self.note(Some(found("I-03", format!("{:?}: {wrong}", reply.call))));
        }
        let fault = passage.fault.map(|(fault, _)| fault);
        if !fault.is_some_and(strikes_text) {
            self.note(compare::outcome(&reply.call, &reply.outcome, &read, fault));
        }
        read
    }

    fn messages(
        &self,
        account: AccountId,
        events: Vec<PrivateEvent>,
        at: Timestamp,
    ) -> Vec<Message> {
        self.clock.put(at);
        let written = self.dialect.events(account, events, at).into_iter();
        written.map(|it| Message { text: it.text, said: it.means }).collect()
    }

    fn hear(&self, passage: &Passage, message: &Message) -> Option<Vec<PrivateEvent>> {
        self.count();
        let damage = passage.fault.filter(|(fault, _)| strikes_text(*fault));
        let text = match damage {
            Some(damage) => damage::strike(message.text.clone(), damage, &secrets::token()),
            None => message.text.clone(),
        };
        let heard = self.with_memory(passage, |account| account.hear(&text))?;
        let heard = match heard {
            Ok(events) => events,
            Err(Silence::Other) => Vec::new(),
            Err(Silence::Unreadable) if damage.is_some() => return None,
            Err(Silence::Unreadable) => {
                self.note(Some(found("I-05", format!("{text} cannot be read"))));
                return None;
            }
        };
        if damage.is_none() {
            self.note(compare::message(&message.said, &heard));
        }
        Some(heard)
    }

    fn tick(&self, tick: &Tick) -> Option<Tick> {
        let number = self.ticks.get().saturating_add(1);
        self.ticks.set(number);
        // One that nobody can have traded at is always told: it has to be refused.
        if !number.is_multiple_of(PRICE_EVERY) && tick.price.is_positive() {
            return Some(*tick);
        }
        self.count();
        if number.is_multiple_of(BEST_EVERY)
            && tick.price.is_positive()
            && let Some(text) = self.dialect.best(tick, number)
        {
            let read = self.client.market(&text, tick.at);
            let is_same = matches!(read, Ok(Said::Best(best)) if best.bid == tick.price && best.ask == tick.price);
            self.note((!is_same).then(|| found("I-20", format!("{text} reads as {read:?}"))));
        }
        let text = self.dialect.trade(tick, number)?;
        match self.client.market(&text, tick.at) {
            Ok(Said::Trade(read)) => {
                let is_same = read == *tick;
                self.note((!is_same).then(|| found("I-20", format!("{text} reads as {read:?}"))));
                Some(read)
            }
            read => {
                let is_bad = !tick.price.is_positive();
                self.note((!is_bad).then(|| found("I-20", format!("{text} reads as {read:?}"))));
                None
            }
        }
    }

    fn rules(&self, rules: &Instrument, at: Timestamp) -> Option<Instrument> {
        self.count();
        self.clock.put(at);
        let text = self.dialect.listings(rules, at);
        let mut list = Offline::listings(text.as_bytes()).ok().map(|read| read.list)?;
        let mut read = list.pop().filter(|_| list.is_empty())?.draft;
        read.id = rules.id;
        self.note(compare::rules(rules, &read));
        Some(read)
    }

    fn violation(&self) -> Option<Violation> {
        let logged = self.ear.heard().map(|secret| found("I-33", format!("{secret} is logged")));
        self.found.borrow_mut().take().or(logged)
    }

    fn secret_in(&self, bytes: &[u8]) -> Option<&'static str> {
        secrets::find(bytes)
    }

    fn passed(&self) -> u64 {
        self.passed.get()
    }
}

/// The call with what a request does not tell: until when it may leave, and since when all pages are.
const fn as_sent(sent: &Call, read: Call) -> Call {
    match (*sent, read) {
        (Call::Place { send_by, .. }, Call::Place { request, .. }) => {
            Call::Place { request, send_by }
        }
        (Call::Trades { .. } | Call::Highs { .. }, _) => *sent,
        (_, read) => read,
    }
}

/// Takes the client's requests to the server.
fn door(dialect: Arc<Dialect>, desk: Arc<Mutex<Desk>>) -> Door {
    Arc::new(move |request: &HttpRequest<'_>, key: Option<&str>| {
        let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
        serve(&dialect, &mut desk, request, key)
    })
}

fn serve(
    dialect: &Dialect,
    desk: &mut Desk,
    request: &HttpRequest<'_>,
    key: Option<&str>,
) -> Result<DoorAnswer, HttpFault> {
    let path = request.address.split_once("://").map_or("", |(_, rest)| rest);
    let path = path.find('/').and_then(|place| path.get(place..)).unwrap_or_default();
    let body = request.body.as_deref().unwrap_or_default();
    let (method, query) = (request.method.as_str(), request.query.as_str());
    let incoming = Incoming { method, path, query, body, key };
    let told = match desk {
        Desk::Closed => return Err(HttpFault::ConnectionRefused),
        Desk::Listens { at, heard } => {
            if heard.is_none() {
                *heard = Some(Box::new(dialect.read(incoming, *at)));
            }
            return Err(HttpFault::Timeout);
        }
        Desk::Says(speech) => say(dialect, speech, incoming),
    };
    let Told { status, headers, body } = told;
    Ok(DoorAnswer { status, headers, body: body.into_bytes() })
}

/// The answer as it arrives.
fn say(dialect: &Dialect, speech: &mut Speech, incoming: Incoming<'_>) -> Told {
    let Speech { outcome, fault, at, wrong } = speech;
    let asked = match dialect.read(incoming, *at) {
        Ok(asked) => asked,
        Err(told) => return told,
    };
    if let Some(told) = dialect.answer_by_number(&asked, *at) {
        return told;
    }
    let kind = fault.map(|(fault, _)| fault);
    let detail = fault.map_or(0, |(_, detail)| detail);
    let told = match outcome {
        Outcome::Done(answer) => dialect.answer(&asked, answer, *at).unwrap_or_else(|| {
            *wrong = Some("the server has no answer to it".to_owned());
            Dialect::breakdown(0, *at)
        }),
        Outcome::Refused(_) if kind == Some(Fault::EndpointRemoved) => Dialect::removed(),
        Outcome::Refused(refusal) => Dialect::refuse(refusal, *at),
        Outcome::Throttled { retry_at } => {
            dialect.stop(*retry_at, kind == Some(Fault::Banned), *at)
        }
        Outcome::NotSent | Outcome::Unknown => Dialect::breakdown(detail, *at),
    };
    let Some(damage) = fault.filter(|(fault, _)| strikes_text(*fault)) else { return told };
    if damage.0 == Fault::ServerErrorAfter {
        return Dialect::breakdown(damage.1, *at);
    }
    let echo = format!("{}?{}{}", incoming.path, incoming.query, incoming.body);
    let echo = format!("{echo} {}", incoming.key.unwrap_or_default());
    Told { body: damage::strike(told.body, damage, &echo), ..told }
}

impl Still {
    fn put(&self, at: Timestamp) {
        self.0.store(at.ms(), Ordering::Relaxed);
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::Relaxed))
    }
}

impl tranche_simserver::Clock for Still {
    fn now(&self) -> Timestamp {
        self.at()
    }
}

impl net::clock::Clock for Still {
    fn wall(&self) -> Timestamp {
        self.at()
    }

    fn steady(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.at().ms()).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests;
