//! The demo over sockets: the real client, the engine, and an exchange that speaks the real one's protocol
//! on this machine; or the real exchange's prices and a paper account.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail};
use tokio::{runtime::Runtime, sync::mpsc, time::timeout};
use tranche_engine::{Engine, Handle, Running, Setup, Told, paper::Paper, store::MemoryStore};
use tranche_model::{
    asset::Symbol,
    candle::Tick,
    ids::{AccountId, Installation, InstrumentId},
    instrument::{Instrument, Instruments},
    money::{Price, Qty},
    time::Timestamp,
};
use tranche_sim::{
    audit::{Auditor, Books, Violation},
    exchange::{self, Exchange},
};
use tranche_simserver::{
    self as simserver, AccountSettings, FaultProfile, KeySecret, KeySettings, RateLimits, Server,
    Speed,
};
use tranche_trading::{account::Account, dispatch::limits::Limits, event::Command, shard::Options};
use tranche_venue::{
    address::Address,
    binance::{Binance, LIVE, Settings},
    catalog::{Catalog, Listed},
    net::clock::SystemClock,
    secret::{ApiKey, ApiSecret, Credentials},
    venue::{Venue, VenueAccount},
};

use crate::{runtime, settings::Terms, venues};

/// How long anything that is asked of the engine may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the exchange is set up.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) terms: Terms,
    /// How fast the market passes: the exchange's limits grow with it.
    pub(crate) speed: u32,
    pub(crate) faults: Option<FaultProfile>,
    pub(crate) is_recorded: bool,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Wire {
    runtime: Runtime,
    prices_of: PricesOf,
    engine: Handle,
    venue: Arc<dyn Venue>,
    store: Arc<MemoryStore>,
    news: mpsc::Receiver<Told>,
    instruments: Instruments,
    accounts: Vec<Account>,
    prices: BTreeMap<InstrumentId, Price>,
    now: Timestamp,
}

/// Where prices come from.
#[derive(Debug)]
enum PricesOf {
    /// From us, through the simulated exchange.
    Exchange(simserver::Running),
    /// From the real one; orders go to a paper account.
    Live(Arc<Paper>),
}

impl Wire {
    /// An exchange on this machine, and the real client that trades on it.
    pub(crate) fn practice(
        instruments: &Instruments,
        plan: &Plan,
        start: Timestamp,
    ) -> Result<Self> {
        let runtime = runtime::build()?;
        let server = runtime.block_on(serve(instruments, plan))?;
        let venue_settings = settings_for(&server)?;
        let symbols: Vec<Symbol> = instruments.iter().map(|one| one.symbol).collect();
        let (venue, listed, limits) = runtime.block_on(connect(venue_settings, &symbols))?;
        let prices_of = PricesOf::Exchange(server);
        Self::begin(runtime, (prices_of, venue), (listed, limits), plan, start)
    }

    /// The real exchange's public prices, without a key, into a paper account.
    pub(crate) fn live(symbols: &[Symbol], plan: &Plan) -> Result<Self> {
        let runtime = runtime::build()?;
        let connected = runtime.block_on(connect(LIVE.settings()?, symbols));
        let (venue, listed, limits) = connected.context(
            "Binance cannot be reached; --market live needs the internet, without it prices are \
             made up",
        )?;
        let exchange = Exchange::new(listed.clone(), exchange::Settings::default());
        let start = venue.now();
        let prices_of = PricesOf::Live(Paper::new(exchange, Arc::clone(&venue)));
        Self::begin(runtime, (prices_of, venue), (listed, limits), plan, start)
    }

    fn begin(
        runtime: Runtime,
        (prices_of, venue): (PricesOf, Arc<dyn Venue>),
        (instruments, limits): (Instruments, Limits),
        plan: &Plan,
        start: Timestamp,
    ) -> Result<Self> {
        let store = Arc::new(MemoryStore::default());
        let paper = match &prices_of {
            PricesOf::Live(paper) => Some(Arc::clone(paper)),
            PricesOf::Exchange(_) => None,
        };
        let setup = Setup {
            instruments: instruments.clone(),
            shard: Options { record: plan.is_recorded, ..Options::default() },
            limits,
            venue: Arc::clone(&venue),
            store: Arc::<MemoryStore>::clone(&store),
            paper: paper.clone(),
        };
        let (engine, news) = runtime.block_on(async { Engine::start(setup) });
        let wire = Self {
            runtime,
            prices_of,
            engine,
            venue,
            store,
            news,
            instruments,
            accounts: Vec::new(),
            prices: BTreeMap::new(),
            now: start,
        };
        for account in &plan.accounts {
            wire.own(*account, plan, paper.as_ref())?;
        }
        Ok(wire)
    }

    fn own(&self, account: AccountId, plan: &Plan, paper: Option<&Arc<Paper>>) -> Result<()> {
        let terms = plan.terms.account();
        let door = match paper {
            Some(paper) => {
                let fees = (plan.terms.fees, plan.terms.fee_asset);
                paper.open(account, fees, plan.terms.balances.clone())?
            }
            None => self.key_of(account, terms.origin.installation)?,
        };
        self.store.add_account(account);
        self.ask(self.engine.own(account, terms, door))??;
        Ok(())
    }

    fn key_of(
        &self,
        account: AccountId,
        installation: Installation,
    ) -> Result<Box<dyn VenueAccount>> {
        let credentials = Credentials {
            name: name_of(account),
            key: ApiKey::new(&name_of(account))?,
            secret: ApiSecret::new(secret_of(account))?,
        };
        let venue = Arc::clone(&self.venue);
        // Its tasks begin in the runtime.
        Ok(self.runtime.block_on(async move { venue.account(credentials, installation) })?)
    }

    pub(crate) const fn instruments(&self) -> &Instruments {
        &self.instruments
    }

    /// As last looked at.
    pub(crate) fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn bot_now(&self) -> Timestamp {
        self.venue.now()
    }

    pub(crate) fn price(&self, instrument: InstrumentId) -> Option<Price> {
        self.prices.get(&instrument).copied()
    }

    pub(crate) const fn is_live(&self) -> bool {
        matches!(self.prices_of, PricesOf::Live(_))
    }

    /// Lets the exchange trade, at this moment of its clock.
    pub(crate) fn tick(&mut self, tick: &Tick) {
        self.now = self.now.max(tick.at);
        self.prices.insert(tick.instrument, tick.price);
        if let PricesOf::Exchange(server) = &self.prices_of {
            server.market().push(tick.instrument, tick.price, Qty::ZERO);
        }
    }

    /// The market stands at `to`; the accounts are looked at.
    pub(crate) fn advance(&mut self, to: Timestamp) -> Result<()> {
        self.now = if self.is_live() { self.venue.now() } else { self.now.max(to) };
        let is_live = self.is_live();
        let ids: Vec<InstrumentId> = self.instruments.iter().map(|one| one.id).collect();
        let (accounts, prices) = self.ask(self.engine.look(move |shard, _| {
            let prices = ids.into_iter().filter(|_| is_live);
            let prices = prices.filter_map(|id| Some((id, shard.index().last(id)?)));
            (shard.accounts().cloned().collect::<Vec<_>>(), prices.collect::<Vec<_>>())
        }))??;
        self.accounts = accounts;
        self.prices.extend(prices);
        Ok(())
    }

    pub(crate) fn command(&mut self, account: AccountId, command: Command) -> Result<()> {
        let verdict = self.ask(self.engine.command(account, command))??;
        if let Err(reason) = verdict {
            tracing::warn!(reason, "command refused");
        }
        self.advance(self.now)
    }

    pub(crate) fn evict(&mut self, account: AccountId) -> Result<()> {
        self.ask(self.engine.evict(account))??;
        Ok(())
    }

    pub(crate) fn take_told(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        while let Ok(news) = self.news.try_recv() {
            told.push(news);
        }
        told
    }

    /// Compares both sides' books; `None` while something is under way.
    pub(crate) fn audit(&mut self, auditor: &mut Auditor) -> Result<Option<Vec<Violation>>> {
        let (running, accounts) = self.look()?;
        let count = self.store.look(|memory| memory.accounts().count());
        if !running.is_quiet() || accounts.len() != count {
            return Ok(None);
        }
        let found = self.compare(auditor, &accounts);
        self.accounts = accounts;
        Ok(Some(found))
    }

    fn look(&mut self) -> Result<(Running, Vec<Account>)> {
        self.ask(
            self.engine.look(|shard, running| (*running, shard.accounts().cloned().collect())),
        )?
        .map_err(Into::into)
    }

    fn compare(&self, auditor: &mut Auditor, accounts: &[Account]) -> Vec<Violation> {
        let Self { store, instruments, venue, .. } = self;
        let mut check = |exchange: &Exchange| {
            store.look(|memory| {
                let books = Books { exchange, memory, instruments, now: venue.now() };
                auditor.check(books, accounts)
            })
        };
        match &self.prices_of {
            PricesOf::Exchange(server) => server.look(&mut check),
            PricesOf::Live(paper) => paper.look(&mut check),
        }
    }

    /// Ends both sides.
    pub(crate) fn stop(self) {
        let Self { runtime, prices_of, engine, .. } = self;
        runtime.block_on(async move {
            if engine.stop().await.is_err() {
                tracing::debug!("the engine had stopped before");
            }
            if let PricesOf::Exchange(server) = prices_of {
                server.stop().await;
            }
        });
    }

    fn ask<T>(&self, question: impl Future<Output = T>) -> Result<T> {
        let answer = self.runtime.block_on(async { timeout(PATIENCE, question).await });
        answer.map_err(|_| anyhow!("the engine has not answered for {} s", PATIENCE.as_secs()))
    }
}

/// The exchange on free ports of this machine. Its limits are those of the real one for each minute of its
/// market.
async fn serve(instruments: &Instruments, plan: &Plan) -> Result<simserver::Running> {
    let accounts = plan.accounts.iter().map(|account| {
        let secret = KeySecret::Hmac(secret_of(*account));
        let key = KeySettings::new(&name_of(*account), secret);
        let balances = plan.terms.balances.clone();
        let settings = AccountSettings::new(&name_of(*account), vec![key], balances);
        AccountSettings { fees: plan.terms.fees, fee_asset: plan.terms.fee_asset, ..settings }
    });
    let mut settings =
        simserver::Settings::new(instruments.iter().cloned().collect(), accounts.collect());
    settings.speed = Speed::Stepped;
    settings.faults = plan.faults.clone().unwrap_or_default();
    let usual = RateLimits::default();
    settings.limits = RateLimits {
        weight_per_minute: usual.weight_per_minute.saturating_mul(plan.speed),
        raw_per_five_minutes: usual.raw_per_five_minutes.saturating_mul(plan.speed),
        orders_per_ten_seconds: usual.orders_per_ten_seconds.saturating_mul(plan.speed),
        orders_per_day: usual.orders_per_day.saturating_mul(plan.speed),
        ..usual
    };
    let clock = Arc::new(simserver::SystemClock);
    Ok(Server::bind(settings, simserver::quiet(), clock).await?.start())
}

fn settings_for(server: &simserver::Running) -> Result<Settings> {
    let address = server.exchange_address();
    let mut settings = LIVE.settings()?;
    settings.rest = Address::http(&format!("http://{address}"), false)?;
    settings.market_socket = Address::socket(&format!("ws://{address}"), false)?;
    settings.api_socket = Address::socket(&format!("ws://{address}/ws-api/v3"), false)?;
    Ok(settings)
}

/// The client, the instruments with the rules that the exchange tells, and its limits.
async fn connect(
    settings: Settings,
    symbols: &[Symbol],
) -> Result<(Arc<dyn Venue>, Instruments, Limits)> {
    let catalog = Arc::new(Catalog::new([]));
    let venue = Binance::start(settings, Arc::clone(&catalog), Arc::new(SystemClock::new()))?;
    venue.sync_clock().await?;
    let listings = venue.listings().await?;
    let mut list = Vec::new();
    for (symbol, number) in symbols.iter().zip(0..) {
        let listed = listings.list.iter().find(|listing| listing.draft.symbol == *symbol);
        let Some(listed) = listed else { bail!("the exchange does not list {symbol}") };
        let instrument = Instrument { id: InstrumentId::new(number), ..listed.draft.clone() };
        catalog.put(Listed { text: listed.text.clone(), instrument: instrument.clone() });
        list.push(instrument);
    }
    let instruments = Instruments::new(list).context("the instruments do not fit together")?;
    Ok((Arc::new(venue), instruments, venues::limits(&listings)))
}

fn name_of(account: AccountId) -> String {
    format!("demo-{account}")
}

/// Play money has no secrets.
fn secret_of(account: AccountId) -> String {
    format!("play-money-{account}")
}
