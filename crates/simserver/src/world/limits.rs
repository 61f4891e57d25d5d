//! Weights of addresses, unfilled orders of accounts, bans.
//!
//! Binance spot API documents, "LIMITS" (2026-07-21): fixed windows aligned to UTC; 429 above a
//! limit, 418 for who does not wait. FAQ "Spot Unfilled Order Count Rules": a placement adds one, the
//! first fill takes some back.

use std::{collections::BTreeMap, net::IpAddr};

use tranche_model::{
    fill::Liquidity,
    ids::AccountId,
    time::{Millis, Timestamp},
};

use crate::settings::RateLimits;

const MINUTE_MS: i64 = 60_000;
const FIVE_MINUTES_MS: i64 = 300_000;
const TEN_SECONDS_MS: i64 = 10_000;
const DAY_MS: i64 = 86_400_000;
const BAN_MAX_MS: i64 = 3 * DAY_MS;
/// What the first fill of a resting order takes back (FAQ: "more" than a taking one; 5 in its
/// example).
const MAKER_BACK: u32 = 5;
const TAKER_BACK: u32 = 1;

/// A count that starts anew with each window.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    number: i64,
    used: u32,
}

#[derive(Debug, Default)]
struct Address {
    weight: Window,
    raw: Window,
    connections: Window,
    strikes: u32,
    bans: u32,
    banned_until: Option<Timestamp>,
    throttled_until: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Orders {
    ten_seconds: Window,
    day: Window,
}

#[derive(Debug)]
pub(crate) struct Limits {
    most: RateLimits,
    addresses: BTreeMap<IpAddr, Address>,
    orders: BTreeMap<AccountId, Orders>,
}

/// Why a request is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Throttled { until: Timestamp },
    Banned { until: Timestamp },
}

impl Window {
    fn used_at(&self, length: i64, now: Timestamp) -> u32 {
        if self.number == now.ms().div_euclid(length) { self.used } else { 0 }
    }

    fn add(&mut self, length: i64, now: Timestamp, more: u32) {
        self.used = self.used_at(length, now).saturating_add(more);
        self.number = now.ms().div_euclid(length);
    }

    fn take_back(&mut self, length: i64, now: Timestamp, less: u32) {
        self.used = self.used_at(length, now).saturating_sub(less);
        self.number = now.ms().div_euclid(length);
    }
}

fn window_end(length: i64, now: Timestamp) -> Timestamp {
    Timestamp::from_ms(now.ms().div_euclid(length).saturating_add(1).saturating_mul(length))
}

impl Limits {
    pub(crate) const fn new(most: RateLimits) -> Self {
        Self { most, addresses: BTreeMap::new(), orders: BTreeMap::new() }
    }

    pub(crate) const fn limits(&self) -> &RateLimits {
        &self.most
    }

    /// Lets a request of this weight in, or not. Who goes on while throttled is banned in the end.
    pub(crate) fn admit(&mut self, ip: IpAddr, weight: u32, now: Timestamp) -> Result<(), Stop> {
        let limits = self.most;
        let address = self.addresses.entry(ip).or_default();
        if let Some(until) = address.banned_until.filter(|until| now < *until) {
            return Err(Stop::Banned { until });
        }
        address.raw.add(FIVE_MINUTES_MS, now, 1);
        let throttled = address.throttled_until.filter(|until| now < *until);
        let over_weight = limits.weight_per_minute
            < address.weight.used_at(MINUTE_MS, now).saturating_add(weight);
        let over_raw = limits.raw_per_five_minutes < address.raw.used_at(FIVE_MINUTES_MS, now);
        let until = match throttled {
            Some(until) => until,
            None if over_weight => window_end(MINUTE_MS, now),
            None if over_raw => window_end(FIVE_MINUTES_MS, now),
            None => {
                address.strikes = 0;
                address.weight.add(MINUTE_MS, now, weight);
                return Ok(());
            }
        };
        address.strikes = address.strikes.saturating_add(1);
        if limits.strikes_before_ban < address.strikes {
            let doubled = i64::from(limits.ban.ms())
                .saturating_mul(1_i64.checked_shl(address.bans.min(20)).unwrap_or(i64::MAX));
            let until = Timestamp::from_ms(now.ms().saturating_add(doubled.min(BAN_MAX_MS)));
            address.bans = address.bans.saturating_add(1);
            address.strikes = 0;
            address.banned_until = Some(until);
            return Err(Stop::Banned { until });
        }
        Err(Stop::Throttled { until })
    }

    /// Weight that is known only once the request was carried out.
    pub(crate) fn charge(&mut self, ip: IpAddr, weight: u32, now: Timestamp) {
        self.addresses.entry(ip).or_default().weight.add(MINUTE_MS, now, weight);
    }

    /// Counts a new WebSocket connection; `false` when there were too many.
    pub(crate) fn connect(&mut self, ip: IpAddr, now: Timestamp) -> bool {
        let most = self.most.connections_per_five_minutes;
        let window = &mut self.addresses.entry(ip).or_default().connections;
        window.add(FIVE_MINUTES_MS, now, 1);
        window.used_at(FIVE_MINUTES_MS, now) <= most
    }

    pub(crate) fn used_weight(&self, ip: IpAddr, now: Timestamp) -> u32 {
        self.addresses.get(&ip).map_or(0, |address| address.weight.used_at(MINUTE_MS, now))
    }

    pub(crate) fn throttle(&mut self, ip: IpAddr, span: Millis, now: Timestamp) {
        self.addresses.entry(ip).or_default().throttled_until = Some(now.plus(span));
    }

    pub(crate) fn ban(&mut self, ip: IpAddr, span: Millis, now: Timestamp) {
        self.addresses.entry(ip).or_default().banned_until = Some(now.plus(span));
    }

    pub(crate) fn ban_all(&mut self, span: Millis, now: Timestamp) -> usize {
        for address in self.addresses.values_mut() {
            address.banned_until = Some(now.plus(span));
        }
        self.addresses.len()
    }

    /// Addresses with the weight that they used in this minute and the end of their ban.
    pub(crate) fn addresses(
        &self,
        now: Timestamp,
    ) -> impl Iterator<Item = (IpAddr, u32, Option<Timestamp>)> {
        self.addresses.iter().map(move |(ip, address)| {
            (*ip, address.weight.used_at(MINUTE_MS, now), address.banned_until)
        })
    }

    /// Unfilled orders in ten seconds and in a day.
    pub(crate) fn orders(&self, account: AccountId, now: Timestamp) -> (u32, u32) {
        self.orders.get(&account).map_or((0, 0), |orders| {
            (orders.ten_seconds.used_at(TEN_SECONDS_MS, now), orders.day.used_at(DAY_MS, now))
        })
    }

    /// The limit that one more order would break, in words.
    pub(crate) fn too_many_orders(&self, account: AccountId, now: Timestamp) -> Option<String> {
        self.too_many_with(account, 1, now)
    }

    /// The limit that so many orders more would break, in words.
    pub(crate) fn too_many_with(
        &self,
        account: AccountId,
        more: u32,
        now: Timestamp,
    ) -> Option<String> {
        let (ten_seconds, day) = self.orders(account, now);
        let (most, span) = if self.most.orders_per_ten_seconds < ten_seconds.saturating_add(more) {
            (self.most.orders_per_ten_seconds, "10 SECOND")
        } else if self.most.orders_per_day < day.saturating_add(more) {
            (self.most.orders_per_day, "1 DAY")
        } else {
            return None;
        };
        Some(format!("Too many new orders; current limit is {most} orders per {span}."))
    }

    pub(crate) fn count_order(&mut self, account: AccountId, now: Timestamp) {
        self.count_orders(account, 1, now);
    }

    pub(crate) fn count_orders(&mut self, account: AccountId, count: u32, now: Timestamp) {
        let orders = self.orders.entry(account).or_default();
        orders.ten_seconds.add(TEN_SECONDS_MS, now, count);
        orders.day.add(DAY_MS, now, count);
    }

    /// An order traded for the first time.
    pub(crate) fn first_fill(&mut self, account: AccountId, liquidity: Liquidity, now: Timestamp) {
        let back = match liquidity {
            Liquidity::Maker => MAKER_BACK,
            Liquidity::Taker => TAKER_BACK,
        };
        let orders = self.orders.entry(account).or_default();
        orders.ten_seconds.take_back(TEN_SECONDS_MS, now, back);
        orders.day.take_back(DAY_MS, now, back);
    }
}

/// Whole seconds from `now` to `until`, rounded up.
pub(crate) fn seconds_until(until: Timestamp, now: Timestamp) -> u32 {
    until.since(now).ms().div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn limits() -> Limits {
        Limits::new(RateLimits {
            weight_per_minute: 10,
            strikes_before_ban: 1,
            orders_per_ten_seconds: 2,
            ..RateLimits::default()
        })
    }

    #[test]
    fn who_does_not_wait_is_banned_and_longer_each_time() {
        let mut limits = limits();
        limits.admit(IP, 10, at(1000)).unwrap();

        assert_eq!(limits.admit(IP, 1, at(1000)), Err(Stop::Throttled { until: at(60_000) }));
        assert_eq!(limits.admit(IP, 1, at(1000)), Err(Stop::Banned { until: at(121_000) }));
        assert_eq!(limits.admit(IP, 1, at(120_999)), Err(Stop::Banned { until: at(121_000) }));
        limits.admit(IP, 10, at(121_000)).unwrap();
        limits.admit(IP, 1, at(121_000)).unwrap_err();
        assert_eq!(limits.admit(IP, 1, at(121_000)), Err(Stop::Banned { until: at(361_000) }));
    }

    #[test]
    fn who_waits_each_time_is_never_banned() {
        let mut limits = limits();
        for minute in 0..20 {
            limits.admit(IP, 10, at(minute * MINUTE_MS)).unwrap();
            let stop = limits.admit(IP, 1, at(minute * MINUTE_MS + 1)).unwrap_err();
            assert!(matches!(stop, Stop::Throttled { .. }), "{minute}: {stop:?}");
        }
    }

    #[test]
    fn a_new_minute_starts_at_zero() {
        let mut limits = limits();
        limits.admit(IP, 10, at(59_999)).unwrap();

        assert_eq!(limits.admit(IP, 10, at(60_000)), Ok(()));
        assert_eq!(limits.used_weight(IP, at(60_001)), 10);
    }

    #[test]
    fn fills_give_orders_back_and_cancels_do_not() {
        let mut limits = limits();
        let ann = AccountId::new(1);
        limits.count_order(ann, at(0));
        limits.count_order(ann, at(0));
        assert!(limits.too_many_orders(ann, at(1)).is_some());

        limits.first_fill(ann, Liquidity::Taker, at(2));

        assert_eq!(limits.orders(ann, at(3)), (1, 1));
        assert!(limits.too_many_orders(ann, at(3)).is_none());
    }
}
