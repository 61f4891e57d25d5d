//! What holds whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tranche_model::{
    balance::Balance,
    fill::Liquidity,
    ids::AccountId,
    money::{Amount, Price, Qty},
    order::{OrderReport, OrderStatus, Side},
    record::PrivateEvent,
    time::Timestamp,
};
use tranche_sim::exchange::{Exchange, Settings};

use crate::market::{ACCOUNTS, Happening, asset, exchange, happen, happenings, settings};

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_balance_after_every_step(settings in settings(), all in happenings(true)) {
        let mut exchange = exchange(settings);
        for (now, happening) in (0_i64..).zip(all) {
            happen(&mut exchange, happening, Timestamp::from_ms(now));

            prop_assert_eq!(exchange.audit(), Ok(()));
        }
    }

    #[test]
    fn without_a_tape_accounts_only_trade_among_themselves(all in happenings(false)) {
        let mut exchange = exchange(Settings::default());
        for (now, happening) in (0_i64..).zip(all) {
            happen(&mut exchange, happening, Timestamp::from_ms(now));
            for name in ["BTC", "USDT"] {
                prop_assert!(exchange.tape_gained(asset(name)).is_zero());
            }
        }
    }

    #[test]
    fn events_tell_the_whole_story(settings in settings(), all in happenings(true)) {
        let mut exchange = exchange(settings);
        let mut story = Story::default();
        for (now, happening) in (0_i64..).zip(all) {
            let is_tick = matches!(happening, Happening::Tick { .. });
            happen(&mut exchange, happening, Timestamp::from_ms(now));
            for (account, event) in exchange.take_events() {
                // The tape fills or leaves alone; an order that it ends could not be paid.
                prop_assert!(!is_tick || !is_expiry(&event));
                story.hear(account, event)?;
            }
            story.compare(&exchange)?;
        }
    }

    #[test]
    fn the_better_price_and_the_earlier_order_trade_first(all in happenings(true)) {
        let mut exchange = exchange(Settings::default());
        for (now, happening) in (0_i64..).zip(all) {
            let before = resting(&exchange);
            exchange.take_events();

            happen(&mut exchange, happening, Timestamp::from_ms(now));

            if matches!(happening, Happening::Tick { .. } | Happening::Place { .. }) {
                let traded = makers(exchange.take_events());
                check_priority(&before, &resting(&exchange), &traded)?;
            }
        }
    }

    #[test]
    fn the_same_happenings_give_the_same_events(settings in settings(), all in happenings(true)) {
        let run = || {
            let mut exchange = exchange(settings);
            for (now, happening) in (0_i64..).zip(all.clone()) {
                happen(&mut exchange, happening, Timestamp::from_ms(now));
            }
            (exchange.take_events(), exchange.balances(AccountId::new(0)))
        };
        prop_assert_eq!(run(), run());
    }
}

fn is_expiry(event: &PrivateEvent) -> bool {
    matches!(event, PrivateEvent::Order(report) if report.status == OrderStatus::Expired)
}

/// What a listener knows from events alone.
#[derive(Default)]
struct Story {
    orders: BTreeMap<u128, OrderReport>,
    filled: BTreeMap<u128, Qty>,
    trades: BTreeSet<(AccountId, u128)>,
    balances: BTreeMap<(AccountId, String), Balance>,
}

impl Story {
    fn hear(&mut self, account: AccountId, event: PrivateEvent) -> Result<(), TestCaseError> {
        match event {
            PrivateEvent::Order(report) => {
                let last = self.orders.insert(report.venue_id.get(), report);
                prop_assert!(last.is_none_or(|last| last.executed <= report.executed));
                prop_assert!(last.is_none_or(|last| !last.status.is_terminal()));
                prop_assert!(report.kind.qty().is_none_or(|qty| report.executed <= qty));
            }
            PrivateEvent::Fill(fill) => {
                prop_assert!(self.trades.insert((account, fill.trade_id.get())));
                let sum = self.filled.entry(fill.venue_order_id.get()).or_default();
                *sum = sum.plus(fill.qty).unwrap();
            }
            PrivateEvent::Balances(balances) => {
                for balance in balances {
                    self.balances.insert((account, balance.asset.to_string()), balance);
                }
            }
        }
        Ok(())
    }

    fn compare(&self, exchange: &Exchange) -> Result<(), TestCaseError> {
        for (number, report) in &self.orders {
            let filled = self.filled.get(number).copied().unwrap_or_default();
            prop_assert_eq!(filled, report.executed);
            let is_whole = report.kind.qty() == Some(report.executed);
            prop_assert_eq!(
                report.kind.qty().is_some() && report.status == OrderStatus::Filled,
                is_whole
            );
        }
        for account in (0..ACCOUNTS).map(AccountId::new) {
            for balance in exchange.balances(account) {
                prop_assert!(Amount::ZERO <= balance.free && Amount::ZERO <= balance.locked);
                if let Some(told) = self.balances.get(&(account, balance.asset.to_string())) {
                    prop_assert_eq!(*told, balance);
                }
            }
        }
        Ok(())
    }
}

/// A resting order: side, price, exchange's number.
type Resting = (Side, Price, u128);

fn resting(exchange: &Exchange) -> BTreeSet<Resting> {
    let mut all = BTreeSet::new();
    for account in (0..ACCOUNTS).map(AccountId::new) {
        for order in exchange.open_orders(account) {
            all.extend(order.kind.price().map(|price| (order.side, price, order.venue_id.get())));
        }
        for order in exchange.foreign_open_orders(account) {
            all.extend(order.kind.price().map(|price| (order.side, price, order.venue_id.get())));
        }
    }
    all
}

fn makers(events: Vec<(AccountId, PrivateEvent)>) -> Vec<u128> {
    let mut makers = Vec::new();
    for (_, event) in events {
        if let PrivateEvent::Fill(fill) = event
            && fill.liquidity == Liquidity::Maker
        {
            makers.push(fill.venue_order_id.get());
        }
    }
    makers
}

/// No order that still waits was ahead of one that traded, and trades came in order.
fn check_priority(
    before: &BTreeSet<Resting>,
    after: &BTreeSet<Resting>,
    traded: &[u128],
) -> Result<(), TestCaseError> {
    let rank = |(side, price, number): Resting| match side {
        Side::Buy => (-price.get(), number),
        Side::Sell => (price.get(), number),
    };
    let find = |wanted: &u128| before.iter().find(|(_, _, number)| number == wanted).copied();
    let traded: Vec<Resting> = traded.iter().filter_map(find).collect();
    for pair in traded.windows(2) {
        if pair[0].0 == pair[1].0 {
            prop_assert!(rank(pair[0]) < rank(pair[1]));
        }
    }
    for waiting in before.intersection(after) {
        for done in traded.iter().filter(|done| done.0 == waiting.0 && *done != waiting) {
            prop_assert!(rank(*done) < rank(*waiting));
        }
    }
    Ok(())
}
