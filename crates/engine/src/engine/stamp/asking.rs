//! How the exchange is asked for what fees are worth.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};
use tranche_model::{
    candle::Candle,
    ids::{AccountId, InstrumentId, TradeId},
    money::Price,
    time::{Millis, Timestamp},
};
use tranche_venue::venue::{CandleRange, Interval, Later, ReadError, Venue};

use super::FRESH;
use crate::{
    lease::now,
    store::Store,
    worth::{Name, Route},
};

/// What failed is tried again after this.
const PAUSE: Duration = Duration::from_millis(250);
const MINUTE_MS: i64 = 60_000;
/// Candles of so many minutes come with one answer.
const PAGE: Millis = Millis::from_secs(1000 * 60);
/// A minute in which nothing traded has the price of the last one before it, so far back.
const BACK: Millis = Millis::from_secs(3600);

/// A fee that has to be valued.
#[derive(Debug)]
pub(super) struct Need {
    pub(super) name: Name,
    /// When it was taken.
    pub(super) at: Timestamp,
    pub(super) routes: Vec<Route>,
}

/// Prices of certain minutes, and how far from a fill another price may be.
#[derive(Debug)]
pub(super) struct Prices {
    minutes: BTreeMap<(InstrumentId, i64), Price>,
    within: Millis,
}

/// Candles that were read, and of which time they are.
#[derive(Debug)]
struct Page {
    from: Timestamp,
    to: Timestamp,
    candles: Vec<Candle>,
}

impl Prices {
    pub(super) const fn within(within: Millis) -> Self {
        Self { minutes: BTreeMap::new(), within }
    }

    /// The price at that moment: of the minute, else the last one if it is near enough.
    pub(super) fn at(
        &self,
        instrument: InstrumentId,
        at: Timestamp,
        last: Option<(Price, Timestamp)>,
    ) -> Option<Price> {
        let of_minute = self.minutes.get(&(instrument, minute(at))).copied();
        let is_near = |(_, told): &(Price, Timestamp)| {
            told.since(at) <= self.within && at.since(*told) <= self.within
        };
        of_minute.or_else(|| last.filter(is_near).map(|(price, _)| price))
    }

    fn has(&self, instrument: InstrumentId, at: Timestamp) -> bool {
        self.minutes.contains_key(&(instrument, minute(at)))
    }
}

/// Which of these fills are in the books. Half of the time is left for the exchange; a store that gives no
/// answer until then knows of none.
pub(super) async fn booked(
    store: &dyn Store,
    account: AccountId,
    needs: &[Need],
    until: Instant,
) -> BTreeSet<Name> {
    let mut asked: BTreeMap<InstrumentId, Vec<TradeId>> = BTreeMap::new();
    for Need { name: (_, instrument, trade), .. } in needs {
        asked.entry(*instrument).or_default().push(*trade);
    }
    let mut booked = BTreeSet::new();
    let asking = async {
        for (instrument, trades) in asked {
            match store.fills_known(account, instrument, trades).await {
                Ok(known) => {
                    booked.extend(known.into_iter().map(|trade| (account, instrument, trade)));
                }
                Err(error) => tracing::warn!(%account, %error,
                    "the store does not say which fills are booked; all are valued"),
            }
        }
    };
    let left = until.saturating_duration_since(now());
    if timeout(left / 2, asking).await.is_err() {
        tracing::warn!(%account, "the store does not say in time which fills are booked");
    }
    booked
}

/// Asks for the last prices where fees were taken just now, and for candles where it is longer ago.
pub(super) async fn ask(
    venue: &dyn Venue,
    mut needs: Vec<Need>,
    last: &mut Vec<(InstrumentId, Price)>,
    prices: &mut Prices,
) {
    needs.sort_by_key(|need| need.at);
    let begin = venue.now().minus(FRESH);
    let (former, recent): (Vec<Need>, Vec<Need>) =
        needs.into_iter().partition(|need| need.at < begin);
    if !recent.is_empty() {
        let routes = recent.iter().flat_map(|need| &need.routes);
        let legs = routes.flatten().map(|leg| leg.instrument).collect();
        last_prices(venue, legs, last).await;
    }
    let mut pages = BTreeMap::new();
    for need in &former {
        for route in &need.routes {
            for leg in route {
                if !prices.has(leg.instrument, need.at) {
                    read_minute(venue, &mut pages, (leg.instrument, need.at), prices).await;
                }
            }
            if route.iter().all(|leg| prices.has(leg.instrument, need.at)) {
                break;
            }
        }
    }
}

pub(super) async fn last_prices(
    venue: &dyn Venue,
    legs: BTreeSet<InstrumentId>,
    last: &mut Vec<(InstrumentId, Price)>,
) {
    if let Some(told) = insist(|| venue.prices(legs.clone())).await {
        *last = told;
    }
}

/// The close of the minute. Minutes are asked for in their order: a page serves those that follow.
async fn read_minute(
    venue: &dyn Venue,
    pages: &mut BTreeMap<InstrumentId, Page>,
    (instrument, at): (InstrumentId, Timestamp),
    prices: &mut Prices,
) {
    let begin = Timestamp::from_ms(minute(at).saturating_mul(MINUTE_MS));
    let is_on = |page: &Page| page.from <= begin.minus(BACK) && begin < page.to;
    if !pages.get(&instrument).is_some_and(is_on) {
        let from = begin.minus(BACK);
        let to = from.plus(PAGE);
        let range = CandleRange { instrument, interval: Interval::Minute1, from, to };
        let Some(candles) = insist(|| venue.candles(range)).await else { return };
        pages.insert(instrument, Page { from, to, candles });
    }
    let candles = pages.get(&instrument).into_iter().flat_map(|page| &page.candles);
    let before = candles.filter(|it| it.open_at <= begin && begin.minus(BACK) <= it.open_at);
    if let Some(candle) = before.max_by_key(|candle| candle.open_at) {
        prices.minutes.insert((instrument, minute(at)), candle.close);
    }
}

/// Asks again and again, until there is an answer or there will be none. Who calls bounds the time.
async fn insist<'a, T>(ask: impl Fn() -> Later<'a, Result<T, ReadError>>) -> Option<T> {
    loop {
        match ask().await {
            Ok(told) => return Some(told),
            Err(
                error @ (ReadError::Http(_)
                | ReadError::Failed { .. }
                | ReadError::Unreadable(_)
                | ReadError::NotThisVenue { .. }),
            ) => {
                tracing::debug!(%error, "no prices for fees; asked again");
                sleep(PAUSE).await;
            }
            Err(
                error @ (ReadError::Throttled { .. }
                | ReadError::Refused(_)
                | ReadError::NoInstrument(_)),
            ) => {
                tracing::warn!(%error, "no prices for fees");
                return None;
            }
        }
    }
}

const fn minute(at: Timestamp) -> i64 {
    at.ms().div_euclid(MINUTE_MS)
}
