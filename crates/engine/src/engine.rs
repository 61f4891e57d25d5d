//! The loop: takes what has come, lets the shard step, commits, and carries out what was committed.

mod carry;
mod ending;
mod held;
mod jot;
mod keep;
mod load;
mod polls;
mod stamp;
mod take;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tranche_model::{
    ids::{AccountId, Ticket},
    instrument::Instruments,
    record::{Batch, Call},
    time::Millis,
};
use tranche_trading::{
    account::KeyRights,
    dispatch::{
        CallNumber, Dispatch,
        limits::{Limits, Weights},
    },
    event::{Command, Event},
    shard::{Input, Options, Output, Shard},
};
use tranche_venue::venue::{Market, PrivateMessage, Report, Venue, VenueAccount, Watched};

use polls::{Polled, Polls};
use stamp::{Priced, Stamper};

use crate::{
    handle::{Ask, Ending, Handle, Pending, Running, Told},
    lease::{Lease, now as now_of_timers},
    notes::Notes,
    paper::Paper,
    store::{Store, StoreError},
    tasks::{self, Kept},
};

/// How many questions of the outside wait at most.
const ASKS: usize = 256;
/// How many private messages wait at most; a stream that is not taken fast enough waits.
const PRIVATES: usize = 1024;
/// How many answers of the store wait at most; the tasks that carry them wait.
const STORED: usize = 1024;
/// How many answers about prices for fees wait at most; the tasks that carry them wait.
const PRICED: usize = 64;
/// How much news waits for whoever listens; more is counted and dropped.
const TOLD: usize = 65_536;
/// How much is taken in before what follows from it is committed.
const BATCH: usize = 512;
/// The longest nap: clocks are looked at again.
const NAP: Duration = Duration::from_secs(1);

/// How an engine is set up.
#[derive(Debug)]
pub struct Setup {
    pub instruments: Instruments,
    pub shard: Options,
    /// The venue's limits on this address.
    pub limits: Limits,
    pub venue: Arc<dyn Venue>,
    pub store: Arc<dyn Store>,
    /// The exchange of paper accounts; it is shown each tick before the shard is.
    pub paper: Option<Arc<Paper>>,
}

/// One shard with everything around it. Made by [`Engine::start`], reached through its [`Handle`].
pub struct Engine {
    shard: Shard,
    dispatch: Dispatch,
    /// What each kind of call was counted with when it left.
    weights: Weights,
    venue: Arc<dyn Venue>,
    store: Arc<dyn Store>,
    paper: Option<Arc<Paper>>,
    market: Market,
    owned: BTreeMap<AccountId, Owned>,
    pending: Pending,
    asks: mpsc::Receiver<Ask>,
    privates: Ends<(AccountId, PrivateMessage)>,
    stored: Ends<Stored>,
    answers: Ends<Answered>,
    polled: Ends<Polled>,
    polls: Polls,
    priced: Ends<Priced>,
    stamper: Stamper,
    told: mpsc::Sender<Told>,
    outputs: Vec<Output>,
    /// Waits until the commit before is answered: one transaction at a time, for many accounts.
    commits: Vec<(Ticket, Batch)>,
    /// Batches of the transaction under way.
    in_commit: usize,
    /// Calls that left, or are about to.
    in_flight: usize,
    /// Accounts that the store is to be asked for.
    reloads: Vec<AccountId>,
    /// What is looked after from time to time.
    chores: keep::Chores,
    jotter: jot::Jotter,
    held: held::Held,
    watched: Watched,
    is_watched_stale: bool,
    has_more: bool,
    running: Running,
    is_over: bool,
}

/// Both ends of a queue: tasks get the first, the loop has the second.
struct Ends<T> {
    into: mpsc::Sender<T>,
    from: mpsc::Receiver<T>,
}

/// An account and its way to the venue.
struct Owned {
    venue: Arc<dyn VenueAccount>,
    is_paper: bool,
    lease: Arc<Lease>,
    /// How often it was forgotten: answers to questions of a former life are for nobody.
    life: u64,
    is_live: bool,
    place: Place,
    /// Nothing but questions is sent.
    is_held: bool,
    /// Told to the account each time that it is loaded.
    rights: KeyRights,
    /// Hands its private news on.
    _news: Kept,
}

/// Where an account's state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the store; another may have traded for the account since it was here.
    Elsewhere,
    /// In the store, to be loaded again; nobody else had it.
    Stored,
    Loaded,
}

/// What became of a call.
struct Answered {
    number: CallNumber,
    account: AccountId,
    call: Call,
    life: u64,
    report: Report,
    is_withheld: bool,
}

/// What the store says.
enum Stored {
    Committed { asked: Instant, results: Vec<(Ticket, Result<(), StoreError>)> },
    Loaded(Vec<load::Load>),
    Known(AccountId, tranche_model::fill::Fill, Result<bool, StoreError>),
    Commands(Result<Vec<(AccountId, Command)>, StoreError>),
    Renewed { asked: Instant, accounts: Vec<AccountId>, ours: Result<Vec<AccountId>, StoreError> },
    Noted(Notes, Result<(), StoreError>),
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("running", &self.running).finish_non_exhaustive()
    }
}

impl<T> Ends<T> {
    fn new(most: usize) -> Self {
        let (into, from) = mpsc::channel(most);
        Self { into, from }
    }
}

impl Engine {
    /// Begins to run in the present runtime. News comes out of the receiver; who does not take it in time
    /// misses some, which is counted.
    pub fn start(setup: Setup) -> (Handle, mpsc::Receiver<Told>) {
        let (asks_in, asks) = mpsc::channel(ASKS);
        let (told, news) = mpsc::channel(TOLD);
        // Each call in flight has its place: none waits to be heard.
        let flights = usize::try_from(setup.limits.in_flight_max).unwrap_or(STORED).max(1);
        let weights = setup.limits.weights;
        if let Some(paper) = &setup.paper {
            paper.tell_engine();
        }
        let engine = Self {
            shard: Shard::new(Arc::new(setup.instruments), setup.shard),
            dispatch: Dispatch::new(setup.limits),
            weights,
            market: setup.venue.market(),
            venue: setup.venue,
            store: setup.store,
            paper: setup.paper,
            owned: BTreeMap::new(),
            pending: Pending::default(),
            asks,
            privates: Ends::new(PRIVATES),
            stored: Ends::new(STORED),
            answers: Ends::new(flights),
            polled: Ends::new(1),
            polls: Polls::default(),
            priced: Ends::new(PRICED),
            stamper: Stamper::new(),
            told,
            outputs: Vec::new(),
            commits: Vec::new(),
            in_commit: 0,
            in_flight: 0,
            reloads: Vec::new(),
            chores: keep::Chores::new(now_of_timers()),
            jotter: jot::Jotter::new(now_of_timers()),
            held: held::Held::default(),
            watched: Watched::new(),
            is_watched_stale: false,
            has_more: false,
            running: Running::default(),
            is_over: false,
        };
        let (stopped, ended) = watch::channel(None);
        let stopped = Arc::new(stopped);
        let died = Arc::clone(&stopped);
        let work = async move {
            engine.run().await;
            stopped.send_replace(Some(Ending::Stopped));
        };
        tasks::spawn("engine", work, move || {
            died.send_replace(Some(Ending::Died));
        });
        (Handle::new(asks_in, ended), news)
    }

    async fn run(mut self) {
        self.recall().await;
        while !self.is_over {
            self.wait().await;
            self.take_ready();
            self.poll();
            self.read_prices();
            self.do_chores();
            self.pump();
            while self.release() {
                self.pump();
            }
        }
        self.wind_down().await;
    }

    /// Waits for the first thing that comes, answers before news, and takes it in.
    async fn wait(&mut self) {
        if self.has_more {
            // A burst is under way; whatever has come meanwhile is taken in between.
            tokio::task::yield_now().await;
            return;
        }
        let until = self.wake_at();
        tokio::select! {
            biased;
            Some(answered) = self.answers.from.recv() => self.answered(answered),
            Some(stored) = self.stored.from.recv() => self.stored(stored),
            Some(priced) = self.priced.from.recv() => self.priced(priced),
            Some((account, message)) = self.privates.from.recv() => self.private(account, message),
            ask = self.asks.recv() => self.asked(ask),
            Some(polled) = self.polled.from.recv() => self.polled(polled),
            Some(event) = self.market.events.recv() => self.market(event),
            () = sleep_until(until) => {}
        }
    }

    /// Takes in what else has come, without waiting; then the clock.
    fn take_ready(&mut self) {
        for _ in 0..BATCH {
            if let Ok(answered) = self.answers.from.try_recv() {
                self.answered(answered);
            } else if let Ok(stored) = self.stored.from.try_recv() {
                self.stored(stored);
            } else if let Ok(priced) = self.priced.from.try_recv() {
                self.priced(priced);
            } else if let Ok((account, message)) = self.privates.from.try_recv() {
                self.private(account, message);
            } else if let Ok(ask) = self.asks.try_recv() {
                self.asked(Some(ask));
            } else if let Ok(event) = self.market.events.try_recv() {
                self.market(event);
            } else {
                break;
            }
        }
        self.hear_paper();
        let now = self.venue.now();
        let aside = self.venue.aside();
        self.dispatch.spent(aside.weight, now);
        if let Some((used, asked_at)) = aside.used_weight {
            self.dispatch.weight_told(used, asked_at, now);
        }
        if let Some(until) = aside.banned_until {
            self.dispatch.banned(until);
        }
        if self.shard.next_time().is_some_and(|due| due <= now) {
            self.input(Input::Time);
        }
    }

    fn wake_at(&self) -> Instant {
        let now = self.venue.now();
        let due = [self.shard.next_time(), self.dispatch.next_time()].into_iter().flatten().min();
        let nap = due.map_or(NAP, |due| {
            let millis = due.since(now).max(Millis::ZERO);
            Duration::from_millis(u64::from(millis.ms())).min(NAP)
        });
        let due = self.held.until().unwrap_or(self.chores.commands_at).min(self.chores.commands_at);
        (now_of_timers() + nap).min(due)
    }

    fn input(&mut self, input: Input) {
        let now = self.venue.now();
        self.shard.step(input, now, &mut self.outputs);
    }

    fn event(&mut self, account: AccountId, event: Event) {
        self.input(Input::Event { account, event: Box::new(event) });
    }
}
