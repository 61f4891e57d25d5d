//! What can be asked without a key: address, clock, pair, prices.

use std::time::Duration;

use tokio::time::timeout;
use tranche_model::{
    asset::Symbol,
    instrument::{Instrument, TradingStatus},
};
use tranche_venue::{
    secret::Credentials,
    venue::{GapReason, Listings, MarketEvent, Topic, Venue as _, Watched},
};

use super::report::{Check, Name};
use crate::{
    console::Stopwatch,
    trouble::Trouble,
    venues::{self, Exchange, PAIR},
};

/// A clock that is off by more is worth a word, and one that is off by much more is a fault: what this
/// machine writes down would not be when it happened.
const OFFSET_WARN_MS: u64 = 1000;
const OFFSET_FAIL_MS: u64 = 60_000;
/// A stream that is not acknowledged by then is not live. The connection alone may take ten seconds.
pub(super) const LIVE_WITHIN: Duration = Duration::from_secs(15);
/// Even quiet pairs change their best price within this.
const PRICE_WITHIN: Duration = Duration::from_secs(10);

/// An exchange under examination.
pub(super) struct Patient<'a, T> {
    pub(super) exchange: &'a Exchange,
    symbol: Symbol,
    checks: Vec<Check>,
    tell: T,
}

impl<'a, T: Fn(&Check)> Patient<'a, T> {
    /// Each check is told as soon as it is made.
    pub(super) const fn new(exchange: &'a Exchange, symbol: Symbol, tell: T) -> Self {
        Self { exchange, symbol, checks: Vec::new(), tell }
    }

    pub(super) async fn examine(&mut self, credentials: Option<Credentials>) {
        if self.address().await {
            self.clock().await;
            if self.pair().await {
                self.market().await;
            } else {
                self.note(Check::skip(Name::Market, "there is no pair to watch"));
            }
            self.key(credentials).await;
            return;
        }
        for name in [Name::Clock, Name::Pair, Name::Market] {
            self.note(Check::skip(name, "nobody answers"));
        }
        let why = if credentials.is_some() { "nobody answers" } else { super::key::NO_KEY };
        self.skip_key(why);
    }

    pub(super) fn into_checks(self) -> Vec<Check> {
        self.checks
    }

    pub(super) fn note(&mut self, check: Check) {
        (self.tell)(&check);
        self.checks.push(check);
    }

    async fn address(&mut self) -> bool {
        let watch = Stopwatch::start();
        let address = &self.exchange.addresses.rest;
        let asked = self.exchange.venue.server_time().await;
        let check = match &asked {
            Ok(_) => {
                let ms = watch.elapsed().as_millis();
                Check::ok(Name::Address, format!("{address} answers in {ms} ms"))
            }
            Err(error) => Check::fail(Name::Address, Trouble::of_read(error, address)),
        };
        self.note(check);
        asked.is_ok()
    }

    async fn clock(&mut self) {
        let venue = &self.exchange.venue;
        let asked = venue.sync_clock().await;
        let check = match (asked, venue.clock_offset_ms()) {
            (Err(error), _) => {
                let trouble = Trouble::of_read(&error, &self.exchange.addresses.rest);
                Check::fail(Name::Clock, trouble)
            }
            (Ok(()), Some(offset)) => of_offset(offset),
            (Ok(()), None) => Check::skip(Name::Clock, "the exchange's time is not known"),
        };
        self.note(check);
    }

    async fn pair(&mut self) -> bool {
        let listings = match self.exchange.venue.listings().await {
            Ok(listings) => listings,
            Err(error) => {
                let trouble = Trouble::of_read(&error, &self.exchange.addresses.rest);
                self.note(Check::fail(Name::Pair, trouble));
                return false;
            }
        };
        let check = match venues::find(&listings, self.symbol) {
            Ok(listing) => of_instrument(&self.exchange.know(listing), &listings),
            Err(what) => {
                let trouble = Trouble::new(what, "name another pair with --pair BASE/QUOTE");
                self.note(Check::fail(Name::Pair, trouble));
                return false;
            }
        };
        self.note(check);
        true
    }

    async fn market(&mut self) {
        let check = self.watch_market().await;
        self.note(check);
    }

    async fn watch_market(&self) -> Check {
        let address = &self.exchange.addresses.market_socket;
        let watch = Stopwatch::start();
        let mut market = self.exchange.venue.market();
        let watched: Watched = [Topic::Trades, Topic::Best].map(|topic| (PAIR, topic)).into();
        let fail = |trouble| Check::fail(Name::Market, trouble);
        if let Err(error) = market.control.watch(watched) {
            return fail(Trouble::new(error.to_string(), "report this"));
        }
        let live = timeout(LIVE_WITHIN, async {
            while let Some(event) = market.events.recv().await {
                match event {
                    MarketEvent::Live(_) => return Ok(()),
                    MarketEvent::Gap { reason, .. } => return Err(of_gap(&reason, address)),
                    MarketEvent::Trade { .. }
                    | MarketEvent::Best(_)
                    | MarketEvent::Candle { .. } => {}
                }
            }
            Err(Trouble::new(format!("{address}: the stream ended"), "report this"))
        });
        match live.await {
            Ok(Ok(())) => {}
            Ok(Err(trouble)) => return fail(trouble),
            Err(_) => return fail(silent(address)),
        }
        let ms = watch.elapsed().as_millis();
        let price = timeout(PRICE_WITHIN, async {
            while let Some(event) = market.events.recv().await {
                match event {
                    MarketEvent::Trade { tick, .. } => return Some(tick.price),
                    MarketEvent::Best(best) => return Some(best.bid),
                    MarketEvent::Candle { .. } | MarketEvent::Live(_) | MarketEvent::Gap { .. } => {
                    }
                }
            }
            None
        });
        match price.await {
            Ok(Some(price)) => {
                Check::ok(Name::Market, format!("live in {ms} ms; {} at {price}", self.symbol))
            }
            Ok(None) | Err(_) => Check::warn(
                Name::Market,
                format!("live in {ms} ms, but no price came in {} s", PRICE_WITHIN.as_secs()),
                "nothing if the pair is hardly traded, or the market stands still; else try again",
            ),
        }
    }
}

/// `offset_ms` is by how much the venue's clock is ahead of ours.
fn of_offset(offset_ms: i64) -> Check {
    let size = offset_ms.unsigned_abs();
    let way = if 0 < offset_ms { "behind" } else { "ahead of" };
    let found = format!("this machine's clock is {} {way} the exchange's", shown(size));
    let mend = "set it with NTP, such as `timedatectl set-ntp true`: signatures are corrected, but \
                what is written down would not be when it happened";
    match size {
        0..OFFSET_WARN_MS => Check::ok(Name::Clock, found),
        OFFSET_WARN_MS..OFFSET_FAIL_MS => Check::warn(Name::Clock, found, mend),
        _ => Check::fail(Name::Clock, Trouble::new(found, mend)),
    }
}

fn shown(ms: u64) -> String {
    if ms < 10_000 { format!("{ms} ms") } else { format!("{} s", ms.saturating_add(500) / 1000) }
}

fn of_instrument(instrument: &Instrument, listings: &Listings) -> Check {
    let Instrument { symbol, tick, step, qty_min, notional_min, .. } = instrument;
    let weight = listings
        .weight_per_minute
        .map_or(String::new(), |weight| format!("; requests may weigh {weight} in a minute"));
    let found = format!(
        "{symbol} is listed: prices in steps of {tick}, quantities in steps of {step} from \
         {qty_min} on, orders of at least {notional_min} {}{weight}",
        symbol.quote
    );
    match instrument.status {
        TradingStatus::Trading => Check::ok(Name::Pair, found),
        TradingStatus::Halted | TradingStatus::CancelOnly => Check::warn(
            Name::Pair,
            format!("{symbol} is listed, but takes no orders now"),
            "wait until the exchange trades it again, or choose another pair",
        ),
        TradingStatus::Delisted => Check::fail(
            Name::Pair,
            Trouble::new(format!("{symbol} is not traded any more"), "choose another pair"),
        ),
    }
}

fn of_gap(reason: &GapReason, address: &str) -> Trouble {
    match reason {
        GapReason::Connection(fault) => Trouble::of_socket(*fault, address),
        GapReason::Overrun => Trouble::new(
            format!("{address}: {reason}"),
            "this machine is too slow or too busy: free it",
        ),
        GapReason::Refused => Trouble::new(
            format!("{address}: {reason}"),
            "check that --market-socket and --rest are of the same exchange",
        ),
    }
}

fn silent(address: &str) -> Trouble {
    Trouble::new(
        format!("{address}: not live within {} s", LIVE_WITHIN.as_secs()),
        "a proxy or firewall may hold sockets back: let them pass",
    )
}

#[cfg(test)]
mod tests {
    use super::{super::report::State, *};

    #[test]
    fn clocks_are_judged_by_how_far_they_are_off() {
        for (offset, state, text) in [
            (-999, State::Ok, "999 ms ahead of"),
            (1000, State::Warn, "1000 ms behind"),
            (-59_999, State::Warn, "60 s ahead of"),
            (60_000, State::Fail, "60 s behind"),
            (i64::MIN, State::Fail, "ahead of"),
        ] {
            let check = of_offset(offset);
            assert_eq!(check.state, state, "{offset}");
            assert!(check.found.contains(text), "{}", check.found);
        }
    }
}
