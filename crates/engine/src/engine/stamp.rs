//! Fees in a third coin get their worth before the shard sees them, so that the journal holds it.
//!
//! Prices of the pairs that it takes are read once a minute, so that they are at hand. Where none is, what an
//! account is told waits in its order until the exchange was asked: for its last prices, or for the candle
//! of the fill's own minute. Fills that are told again after a restart and are booked already are not asked
//! for. That takes seconds at most; then it goes on without a worth, and when it is booked so, that is said.

mod asking;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    slice,
    sync::Arc,
    time::Duration,
};

use rust_decimal::Decimal;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tranche_model::{
    asset::Asset,
    balance::FeeAsset,
    fill::Fill,
    ids::{AccountId, InstrumentId},
    instrument::Instruments,
    money::{Amount, Price},
    record::{Answer, Batch, FillRow, Outcome, PrivateEvent, Reply},
    time::{Millis, Timestamp},
};
use tranche_trading::{dispatch::Status, event::Event};

use self::asking::{Need, Prices};
use super::Engine;
use crate::{
    lease::now as now_of_timers,
    tasks,
    worth::{self, Name, Route, Stamp, Stamps},
};

/// How often prices are read for fees.
const EVERY: Millis = Millis::from_secs(60);
/// After no answer, or as long as nobody pays in a third coin.
const AGAIN: Millis = Millis::from_secs(10);
/// A fill is valued at a price that is this far from it in time.
const FRESH: Millis = Millis::from_secs(90);
/// One that is this far is better than none, when the exchange does not answer.
const STALE: Millis = Millis::from_secs(3600);
/// A coin in which no fee was taken for so long is not asked for any more.
const UNUSED: Millis = Millis::from_secs(24 * 3600);
/// How long news of what happens now waits for a price.
const NEWS_WITHIN: Duration = Duration::from_secs(2);
/// How long the answer to a read of former executions does.
const READ_WITHIN: Duration = Duration::from_secs(5);
/// So much of one account waits at most; then all of it goes on.
const NEWS_MAX: usize = 4096;
/// For so many accounts the exchange is asked at the same time.
const ABREAST: usize = 4;

/// What is known of third coins, and what waits for more.
pub(super) struct Stamper {
    wanted: BTreeMap<(Asset, Asset), Wanted>,
    /// Last prices of the pairs on wanted routes, with the moment at which they were asked for.
    last: BTreeMap<InstrumentId, (Price, Timestamp)>,
    stamps: Stamps,
    waiting: BTreeMap<AccountId, Queue>,
    /// Numbers questions: the answer to an outdated one is for nobody.
    asked: u64,
    read_at: Timestamp,
    is_reading: bool,
    /// Bots trade other pairs than before: prices that are not at hand are read at once.
    has_new_pairs: bool,
    seats: Arc<Semaphore>,
}

/// A conversion that was needed.
struct Wanted {
    /// `None` until it is looked for, with the rules of now.
    routes: Option<Vec<Route>>,
    used_at: Timestamp,
}

/// What an account was told, oldest first; the first waits for the answer to the question.
struct Queue {
    question: u64,
    news: VecDeque<Waiting>,
}

struct Waiting {
    news: News,
    /// The life of the account that it is for.
    life: u64,
    until: Instant,
}

/// What an exchange tells an account.
pub(super) enum News {
    Private(PrivateEvent),
    Stream { live: bool },
    Reply(Reply),
}

/// What the exchange says of prices.
pub(super) struct Priced {
    /// Whose news waits, and the number of the question; `None` where nobody's does.
    of: Option<(AccountId, u64)>,
    asked_at: Timestamp,
    last: Vec<(InstrumentId, Price)>,
    prices: Prices,
    /// What the store says of fills whose fees were asked for: these need no worth any more.
    booked: BTreeSet<Name>,
}

impl News {
    fn fills(&mut self) -> &mut [Fill] {
        match self {
            Self::Private(PrivateEvent::Fill(fill)) => slice::from_mut(fill),
            Self::Reply(Reply { outcome: Outcome::Done(answer), .. }) => match answer {
                Answer::Order { fills, .. } | Answer::Trades(fills) => fills,
                Answer::OrderNotFound
                | Answer::OpenOrders { .. }
                | Answer::Balances(_)
                | Answer::Highs(_) => &mut [],
            },
            Self::Private(PrivateEvent::Order(_) | PrivateEvent::Balances(_))
            | Self::Stream { .. }
            | Self::Reply(_) => &mut [],
        }
    }

    const fn patience(&self) -> Duration {
        match self {
            Self::Reply(Reply { outcome: Outcome::Done(Answer::Trades(_)), .. }) => READ_WITHIN,
            Self::Reply(_) | Self::Private(_) | Self::Stream { .. } => NEWS_WITHIN,
        }
    }
}

impl Stamper {
    pub(super) fn new() -> Self {
        Self {
            wanted: BTreeMap::new(),
            last: BTreeMap::new(),
            stamps: Stamps::default(),
            waiting: BTreeMap::new(),
            asked: 0,
            read_at: Timestamp::MIN,
            is_reading: false,
            has_new_pairs: false,
            seats: Arc::new(Semaphore::new(ABREAST)),
        }
    }

    /// Pairs were added, opened or closed.
    pub(super) fn look_for_routes(&mut self) {
        for wanted in self.wanted.values_mut() {
            wanted.routes = None;
        }
    }

    pub(super) const fn look_at_pairs(&mut self) {
        self.has_new_pairs = true;
    }

    /// What one unit is worth of each coin of which a price is at hand.
    fn rates(&self, now: Timestamp) -> Vec<((Asset, Asset), Price)> {
        let prices = Prices::within(STALE);
        let price = |id| prices.at(id, now, self.last.get(&id).copied());
        let one = Amount::new(Decimal::ONE);
        let rate = |(pair, wanted): (&(Asset, Asset), &Wanted)| {
            let worth = worth::worth(one, wanted.routes.as_deref()?, price)?;
            Some((*pair, Price::new(worth.get())))
        };
        self.wanted.iter().filter_map(rate).collect()
    }

    /// Stamps what can be valued; answers what cannot.
    fn stamp(
        &mut self,
        (account, now): (AccountId, Timestamp),
        news: &mut News,
        instruments: &Instruments,
        prices: &Prices,
    ) -> Vec<Need> {
        let mut needs = Vec::new();
        for fill in news.fills() {
            let Some(pair) = worth::missing(fill, instruments) else { continue };
            let name = (account, fill.instrument, fill.trade_id);
            match self.stamps.get(name) {
                Some(Stamp::Worth(known)) => {
                    fill.fee.in_quote = Some(known);
                    continue;
                }
                Some(Stamp::Booked) => continue,
                Some(Stamp::Unvalued) | None => {}
            }
            let routes = self.routes(pair, now, instruments);
            let price = |id| prices.at(id, fill.at, self.last.get(&id).copied());
            match worth::worth(fill.fee.amount, &routes, price) {
                Some(worth) => {
                    fill.fee.in_quote = Some(worth);
                    self.stamps.put(name, Stamp::Worth(worth));
                }
                None => needs.push(Need { name, at: fill.at, routes }),
            }
        }
        needs
    }

    fn routes(
        &mut self,
        pair: (Asset, Asset),
        now: Timestamp,
        instruments: &Instruments,
    ) -> Vec<Route> {
        let wanted = self.wanted.entry(pair).or_insert(Wanted { routes: None, used_at: now });
        wanted.used_at = now;
        let find = || worth::routes(instruments, pair.0, pair.1);
        wanted.routes.get_or_insert_with(find).clone()
    }

    /// Pairs whose prices are wanted at hand.
    fn legs(&mut self, now: Timestamp, instruments: &Instruments) -> BTreeSet<InstrumentId> {
        self.wanted.retain(|_, wanted| now.minus(UNUSED) <= wanted.used_at);
        let find = |(pair, wanted): (&(Asset, Asset), &mut Wanted)| {
            let find = || worth::routes(instruments, pair.0, pair.1);
            wanted.routes.get_or_insert_with(find).clone()
        };
        let routes = self.wanted.iter_mut().flat_map(find);
        let legs: BTreeSet<_> = routes.flatten().map(|leg| leg.instrument).collect();
        self.last.retain(|instrument, _| legs.contains(instrument));
        legs
    }
}

impl Engine {
    /// Hands the account what it was told, in order, with the worth of fees.
    pub(super) fn tell_account(&mut self, account: AccountId, news: News, life: u64) {
        let waiting = Waiting { until: now_of_timers() + news.patience(), news, life };
        let Some(queue) = self.stamper.waiting.get_mut(&account) else {
            self.proceed(account, waiting, VecDeque::new());
            return;
        };
        queue.news.push_back(waiting);
        if NEWS_MAX < queue.news.len() {
            let overfull = self.stamper.waiting.remove(&account);
            for waiting in overfull.into_iter().flat_map(|queue| queue.news) {
                self.go_on(account, waiting, &Prices::within(STALE));
            }
        }
        self.count_waiting();
    }

    /// What needs no price, or has one at hand, goes on; the rest waits.
    fn proceed(&mut self, account: AccountId, first: Waiting, mut rest: VecDeque<Waiting>) {
        let at_hand = Prices::within(FRESH);
        let mut next = Some(first);
        while let Some(mut waiting) = next {
            let needs = self.stamp(account, &mut waiting.news, &at_hand);
            if let Some(question) = self.ask_for_prices(account, needs, waiting.until) {
                rest.push_front(waiting);
                self.stamper.waiting.insert(account, Queue { question, news: rest });
                break;
            }
            self.go_on(account, waiting, &Prices::within(STALE));
            next = rest.pop_front();
        }
        self.count_waiting();
    }

    /// With a worth or without one: what was bought and sold must be known.
    fn go_on(&mut self, account: AccountId, mut waiting: Waiting, prices: &Prices) {
        drop(self.stamp(account, &mut waiting.news, prices));
        let Waiting { news, life, .. } = waiting;
        match news {
            News::Private(event) => self.event(account, Event::Private(event)),
            News::Stream { live } => self.event(account, Event::Stream { live }),
            News::Reply(reply) => {
                let is_stale = self.owned.get(&account).is_none_or(|owned| owned.life != life);
                if !(is_stale && reply.call.is_question()) {
                    self.event(account, Event::Reply(reply));
                }
            }
        }
    }

    fn stamp(&mut self, account: AccountId, news: &mut News, prices: &Prices) -> Vec<Need> {
        let now = self.venue.now();
        self.stamper.stamp((account, now), news, self.shard.instruments(), prices)
    }

    /// Says which fees go into the books without a worth; once, also when the commit is repeated.
    pub(super) fn tell_unvalued(&mut self, batch: &Batch) {
        let account = batch.account;
        for FillRow { fill, .. } in &batch.fills {
            let is_missing = worth::missing(fill, self.shard.instruments()).is_some();
            let name = (account, fill.instrument, fill.trade_id);
            if !is_missing || self.stamper.stamps.get(name) == Some(Stamp::Unvalued) {
                continue;
            }
            self.stamper.stamps.put(name, Stamp::Unvalued);
            self.running.fees_unvalued = self.running.fees_unvalued.saturating_add(1);
            tracing::warn!(%account, instrument = %fill.instrument, trade = %fill.trade_id,
                amount = %fill.fee.amount, asset = %fill.fee.asset,
                "a fee has no price in the quote asset: it is missing in the deal's profit");
        }
    }

    /// The number of the question; `None` where asking leads to nothing.
    fn ask_for_prices(
        &mut self,
        account: AccountId,
        mut needs: Vec<Need>,
        until: Instant,
    ) -> Option<u64> {
        needs.retain(|need| !need.routes.is_empty());
        if needs.is_empty() || until <= now_of_timers() || !self.may_ask() {
            return None;
        }
        self.stamper.asked = self.stamper.asked.saturating_add(1);
        let (question, asked_at) = (self.stamper.asked, self.venue.now());
        let of = Some((account, question));
        let (venue, seats) = (Arc::clone(&self.venue), Arc::clone(&self.stamper.seats));
        let store = Arc::clone(&self.store);
        let priced = move |last, prices, booked| Priced { of, asked_at, last, prices, booked };
        let work = async move {
            let (mut last, mut prices) = (Vec::new(), Prices::within(STALE));
            let mut booked = BTreeSet::new();
            let asking = async {
                booked = asking::booked(&*store, account, &needs, until).await;
                needs.retain(|need| !booked.contains(&need.name));
                if needs.is_empty() {
                    return;
                }
                let seat = seats.acquire().await;
                asking::ask(&*venue, needs, &mut last, &mut prices).await;
                drop(seat);
            };
            if timeout_at(until, asking).await.is_err() {
                // What was read until then counts.
                tracing::warn!(%account, "prices for fees did not come in time");
            }
            priced(last, prices, booked)
        };
        let dead = priced(Vec::new(), Prices::within(STALE), BTreeSet::new());
        tasks::deliver("prices for fees", self.priced.into.clone(), work, dead);
        Some(question)
    }

    fn may_ask(&self) -> bool {
        match self.dispatch.status() {
            Status::Open | Status::Broken(_) => true,
            Status::Throttled(_) | Status::Banned(_) => false,
        }
    }

    /// The exchange was asked: the first of what waits goes on whatever it said.
    pub(super) fn priced(&mut self, priced: Priced) {
        let Priced { of, asked_at, last, prices, booked } = priced;
        for name in booked {
            self.stamper.stamps.put(name, Stamp::Booked);
        }
        let is_read = !last.is_empty();
        let known = last.into_iter().map(|(instrument, price)| (instrument, (price, asked_at)));
        self.stamper.last.extend(known);
        self.tell_paper();
        let Some((account, question)) = of else {
            self.stamper.is_reading = false;
            if !is_read {
                self.stamper.read_at = self.venue.now().plus(AGAIN);
            }
            return;
        };
        let is_asked = |queue: &Queue| queue.question == question;
        if !self.stamper.waiting.get(&account).is_some_and(is_asked) {
            return;
        }
        let Some(mut queue) = self.stamper.waiting.remove(&account) else { return };
        if let Some(first) = queue.news.pop_front() {
            self.go_on(account, first, &prices);
        }
        if let Some(next) = queue.news.pop_front() {
            self.proceed(account, next, queue.news);
        }
        self.count_waiting();
    }

    /// Paper accounts pay at these prices: nobody has to value their fees afterwards.
    fn tell_paper(&self) {
        if let Some(paper) = self.paper.as_ref().filter(|paper| paper.pays_in_third_coins()) {
            for (pair, price) in self.stamper.rates(self.venue.now()) {
                paper.rate(pair, price);
            }
        }
    }

    /// Reads prices for fees once a minute, if anybody pays in a third coin, and those that are not at hand
    /// as soon as they are wanted.
    pub(super) fn read_prices(&mut self) {
        let now = self.venue.now();
        let is_time = self.stamper.read_at <= now;
        let is_due = is_time || self.stamper.has_new_pairs;
        if self.stamper.is_reading || !is_due || !self.may_ask() {
            return;
        }
        self.stamper.has_new_pairs = false;
        self.expect_fees(now);
        let legs = self.stamper.legs(now, self.shard.instruments());
        if !is_time && legs.iter().all(|leg| self.stamper.last.contains_key(leg)) {
            return;
        }
        self.stamper.read_at = now.plus(if legs.is_empty() { AGAIN } else { EVERY });
        if legs.is_empty() {
            return;
        }
        self.stamper.is_reading = true;
        let priced = move |last| {
            let (prices, booked) = (Prices::within(STALE), BTreeSet::new());
            Priced { of: None, asked_at: now, last, prices, booked }
        };
        let (venue, until) = (Arc::clone(&self.venue), now_of_timers() + READ_WITHIN);
        let work = async move {
            let mut last = Vec::new();
            if timeout_at(until, asking::last_prices(&*venue, legs, &mut last)).await.is_err() {
                tracing::debug!("prices for fees did not come in time; asked again");
            }
            priced(last)
        };
        tasks::deliver("prices", self.priced.into.clone(), work, priced(Vec::new()));
    }

    /// Accounts that are said to pay in a third coin will do so in the quote assets of their bots.
    fn expect_fees(&mut self, now: Timestamp) {
        let instruments = self.shard.instruments();
        let on_paper = self.paper.as_ref().is_some_and(|paper| paper.pays_in_third_coins());
        for (account, _) in self.owned.iter().filter(|(_, owned)| on_paper || !owned.is_paper) {
            let Some(account) = self.shard.account(*account) else { continue };
            let FeeAsset::Third(asset) = account.desk.settings.fee_asset else { continue };
            for lane in account.bots.values().flat_map(|bot| &bot.lanes) {
                let known = instruments.get(lane.instrument).map(|it| it.symbol);
                if let Some(symbol) = known.filter(|it| it.base != asset && it.quote != asset) {
                    self.stamper.routes((asset, symbol.quote), now, instruments);
                }
            }
        }
    }

    fn count_waiting(&mut self) {
        self.running.pricing = u32::try_from(self.stamper.waiting.len()).unwrap_or(u32::MAX);
    }
}
