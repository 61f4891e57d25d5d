//! What holds of stops, lists and amendments whatever happens.

use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use rust_decimal::Decimal;

use super::*;
use crate::exchange::lists::List;

#[derive(Debug, Clone, Copy)]
enum Event {
    Plain { id: u16, side: Side, price: i64, qty: i64 },
    Stop { id: u16, side: Side, trigger: Trigger, limit: Option<i64>, qty: i64 },
    Oco { id: u16, pair: Spread },
    Oto { id: u16, side: Side, price: i64, qty: i64, pending: Option<Trigger> },
    Otoco { id: u16, side: Side, price: i64, qty: i64, pair: Spread },
    Cancel { id: u16 },
    Amend { id: u16, qty: i64, to: u16 },
    Tick { price: i64, qty: i64 },
    Empty,
}

/// A pair around the market.
#[derive(Debug, Clone, Copy)]
struct Spread {
    side: Side,
    below: i64,
    above: i64,
    qty: i64,
    /// Whether each leg is limited; else at market.
    is_limited: bool,
}

fn at_price(ticks: i64) -> Price {
    Price::new(Decimal::new(ticks, 2))
}

fn steps(steps: i64) -> Qty {
    Qty::new(Decimal::new(steps, 4))
}

/// Every fifth price is all or nothing.
fn kind(limit: Option<i64>, qty: i64) -> OrderKind {
    match limit {
        Some(price) => OrderKind::Limit {
            price: at_price(price),
            qty: steps(qty),
            time_in_force: if price % 5 == 0 {
                TimeInForce::FillOrKill
            } else {
                TimeInForce::GoodTillCancelled
            },
        },
        None => OrderKind::Market { size: Size::Base(steps(qty)) },
    }
}

impl Spread {
    fn legs(&self, id_from: u16) -> [Leg; 2] {
        let stop_at = if self.side == Side::Sell { self.below } else { self.above };
        let maker_at = if self.side == Side::Sell { self.above } else { self.below };
        let trigger =
            Trigger { kind: TriggerKind::StopLoss, price: Some(at_price(stop_at)), trailing: None };
        let stop = kind(self.is_limited.then_some(stop_at), self.qty);
        let maker = OrderKind::LimitMaker { price: at_price(maker_at), qty: steps(self.qty) };
        [
            Leg { request: request(id_from, self.side, stop), trigger: Some(trigger) },
            Leg { request: request(id_from + 1, self.side, maker), trigger: None },
        ]
    }
}

fn spread() -> impl Strategy<Value = Spread> {
    (side(), 9_000_i64..10_000, 10_000_i64..11_000, 600_i64..30_000, any::<bool>()).prop_map(
        |(side, below, above, qty, is_limited)| Spread { side, below, above, qty, is_limited },
    )
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn trigger() -> impl Strategy<Value = Trigger> {
    let kind = prop_oneof![Just(TriggerKind::StopLoss), Just(TriggerKind::TakeProfit)];
    let price = || (9_000_i64..11_000).prop_map(at_price);
    (kind, price(), prop::option::weighted(0.3, 10_u32..500), any::<bool>()).prop_map(
        |(kind, price, trailing, has_price)| Trigger {
            kind,
            price: Some(price).filter(|_| has_price || trailing.is_none()),
            trailing,
        },
    )
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let id = || 0_u16..16;
    let price = || 9_000_i64..11_000;
    let qty = || 600_i64..30_000;
    let event = prop_oneof![
        3 => (id(), side(), price(), qty())
            .prop_map(|(id, side, price, qty)| Event::Plain { id, side, price, qty }),
        3 => (id(), side(), trigger(), prop::option::of(price()), qty())
            .prop_map(|(id, side, trigger, limit, qty)| Event::Stop { id, side, trigger, limit, qty }),
        3 => (id(), spread()).prop_map(|(id, pair)| Event::Oco { id, pair }),
        2 => (id(), side(), price(), qty(), prop::option::of(trigger())).prop_map(
            |(id, side, price, qty, pending)| Event::Oto { id, side, price, qty, pending }
        ),
        2 => (id(), side(), price(), qty(), spread())
            .prop_map(|(id, side, price, qty, pair)| Event::Otoco { id, side, price, qty, pair }),
        3 => id().prop_map(|id| Event::Cancel { id }),
        3 => (id(), 500_i64..20_000, id()).prop_map(|(id, qty, to)| Event::Amend { id, qty, to }),
        8 => (price(), 0_i64..40_000).prop_map(|(price, qty)| Event::Tick { price, qty }),
        1 => Just(Event::Empty),
    ];
    prop::collection::vec(event, 1..80)
}

fn carry_out(exchange: &mut Exchange, event: Event, account: AccountId, now: Timestamp) {
    let list = |id: u16, shape| ListRequest { client_id: super::id(1000 + id), shape };
    match event {
        Event::Plain { id, side, price, qty } => {
            let request = request(id, side, kind(Some(price), qty));
            let _outcome = exchange.place(account, &request, now);
        }
        Event::Stop { id, side, trigger, limit, qty } => {
            let request = request(id, side, kind(limit, qty));
            let _outcome = exchange.place_stop(account, &request, trigger, now);
        }
        Event::Oco { id, pair } => {
            let shape = Shape::Oco(pair.legs(id));
            let _outcome = exchange.place_list(account, &list(id, shape), now);
        }
        Event::Oto { id, side, price, qty, pending } => {
            let second = kind(pending.is_none().then_some(price), qty);
            let leg = Leg { request: request(id + 1, side.opposite(), second), trigger: pending };
            let working = request(id, side, kind(Some(price), qty));
            let shape = Shape::Oto { working, pending: leg };
            let _outcome = exchange.place_list(account, &list(id, shape), now);
        }
        Event::Otoco { id, side, price, qty, pair } => {
            let working = request(id, side, kind(Some(price), qty));
            let shape = Shape::Otoco { working, pending: pair.legs(id + 1) };
            let _outcome = exchange.place_list(account, &list(id, shape), now);
        }
        Event::Cancel { id } => {
            let _outcome = exchange.cancel(account, super::id(id), now);
        }
        Event::Amend { id, qty, to } => {
            let Some(order) = exchange.order(account, super::id(id)) else { return };
            let amendment = Amendment { qty: steps(qty), client_id: super::id(to) };
            let _outcome = exchange.amend(account, order.venue_id, amendment, now);
        }
        Event::Tick { price, qty } => {
            let tick = Tick { instrument: BTC, price: at_price(price), qty: steps(qty), at: now };
            exchange.trade(&tick);
        }
        Event::Empty => {
            exchange.empty_account(account, now).unwrap();
            for (name, units) in [("BTC", "10"), ("USDT", "1000")] {
                exchange.deposit(account, asset(name), amount(units)).unwrap();
            }
        }
    }
}

/// Whether each open order stands where it has to, and holds what it has to.
fn check(exchange: &Exchange) -> Result<(), TestCaseError> {
    prop_assert_eq!(exchange.audit(), Ok(()));
    let market = exchange.market(BTC).unwrap();
    let mut in_book = Vec::new();
    for side in [Side::Buy, Side::Sell] {
        in_book.extend(market.book.iter(side).map(|(_, place)| exchange.at_place(place)));
    }
    let stops = market.stops.numbers();
    let mut open = 0;
    for order in exchange.orders.all_open() {
        open += 1;
        let stage = exchange.condition(order.number).map_or(Stage::Working, |it| it.stage);
        let (booked, stopped) = (in_book.contains(&order.number), stops.contains(&order.number));
        let want = match stage {
            Stage::Pending => (false, false),
            Stage::Waiting => (false, true),
            Stage::Working => (true, false),
        };
        prop_assert_eq!((booked, stopped), want, "{:?}", order);
        if stage == Stage::Pending {
            prop_assert!(order.locked.is_zero() && order.executed.is_zero());
        } else if exchange.partner(order.number).is_none() && order.price().is_some() {
            let draft = order::Draft { kind: with_rest(order), ..order.draft };
            prop_assert_eq!(Ok(order.locked), exchange.needed_waiting(&draft, None));
        }
    }
    let pending = exchange.orders.all_open().filter(|order| {
        exchange.condition(order.number).is_some_and(|it| it.stage == Stage::Pending)
    });
    prop_assert_eq!(in_book.len() + stops.len() + pending.count(), open);
    for list in exchange.special.lists.values() {
        check_list(exchange, list)?;
    }
    Ok(())
}

fn with_rest(order: &order::Order) -> OrderKind {
    OrderKind::Limit {
        price: order.price().unwrap(),
        qty: order.remaining().unwrap(),
        time_in_force: TimeInForce::GoodTillCancelled,
    }
}

fn check_list(exchange: &Exchange, list: &List) -> Result<(), TestCaseError> {
    let orders: Vec<_> =
        list.orders.iter().filter_map(|number| exchange.orders.get(*number).copied()).collect();
    let is_open = orders.iter().any(order::Order::is_open);
    prop_assert_eq!(list.is_done, !is_open);
    // Of a pair only one ever trades.
    let pair = if orders.len() == 3 { &orders[1..] } else { &orders[..] };
    if orders.len() == 3 || list.kind == ListKind::Oco {
        let traded = pair.iter().filter(|order| order.executed.is_positive()).count();
        prop_assert!(traded < 2, "{:?}", orders);
    }
    if let Some(working) = list.working {
        prop_assert!(exchange.orders.get(working).unwrap().is_open());
    }
    if let Some(both) = list.pair {
        let both = both.map(|number| *exchange.orders.get(number).unwrap());
        prop_assert!(both.iter().all(|order| order.is_open() && order.executed.is_zero()));
        prop_assert!(both.iter().any(|order| order.locked.is_zero()));
        prop_assert_eq!(both[0].draft.kind.qty(), both[1].draft.kind.qty());
    }
    Ok(())
}

fn scene(settings: Settings) -> Exchange {
    let mut instrument = btc_usdt();
    instrument.filters.push(Filter::MaxNumAlgoOrders { limit: 6 });
    let mut exchange = Exchange::new(Instruments::new(vec![instrument]).unwrap(), settings);
    for (account, fee_asset) in [(ANN, FeeAsset::Received), (BOB, FeeAsset::Quote)] {
        let purse = [("BTC", "10"), ("USDT", "1000")].map(|(name, free)| Balance {
            asset: asset(name),
            free: amount(free),
            locked: Amount::ZERO,
        });
        exchange
            .add_account(account, rates("0.00075", "0.00101"), fee_asset, purse.to_vec())
            .unwrap();
    }
    exchange.trade(&tick("100", 0));
    exchange
}

fn settings() -> impl Strategy<Value = Settings> {
    let rules = prop_oneof![
        Just(SelfTradePrevention::ExpireTaker),
        Just(SelfTradePrevention::ExpireMaker),
        Just(SelfTradePrevention::ExpireBoth),
        Just(SelfTradePrevention::None),
    ];
    let cap = prop::option::of(Just(Fraction::parse("0.5").unwrap()));
    let digits = prop_oneof![Just(16_u32), Just(3)];
    (rules, cap, digits).prop_map(|(self_trade, volume_cap, amount_digits)| Settings {
        volume_cap,
        self_trade,
        amount_digits,
        ..Settings::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_order_stands_in_its_place_and_holds_what_it_needs(
        settings in settings(),
        all in prop::collection::vec((events(), any::<bool>()), 1..3),
    ) {
        let mut exchange = scene(settings);
        let mut now = 0;
        for (events, is_ann) in all {
            for event in events {
                now += 1;
                let account = if is_ann ^ (now % 3 == 0) { ANN } else { BOB };
                carry_out(&mut exchange, event, account, at(now));
                check(&exchange)?;
            }
        }
        // Once everything is taken back, everything is free.
        for account in [ANN, BOB] {
            exchange.empty_account(account, at(now + 1)).unwrap();
        }
        check(&exchange)?;
        prop_assert!(exchange.special.lists.values().all(|list| list.is_done));
        exchange.forget_closed_before(at(now + 2));
        prop_assert!(exchange.special.conditions.is_empty() && exchange.special.lists.is_empty());
    }

    #[test]
    fn notes_stand_at_the_events_that_they_belong_to(all in events()) {
        let mut exchange = scene(Settings::default());
        for (now, event) in (1_i64..).zip(all) {
            carry_out(&mut exchange, event, ANN, at(now));
            let (notes, events) = (exchange.take_notes(), exchange.take_events());
            for (place, note) in notes {
                let id = match note {
                    Note::Amended { id, .. } | Note::Ended { id, .. } => id,
                    Note::Condition { .. } | Note::List(_) => continue,
                };
                let next = events.get(place).map(|(_, event)| event);
                let is_next =
                    matches!(next, Some(PrivateEvent::Order(report)) if report.venue_id == id);
                prop_assert!(is_next, "{:?} at {}", next, place);
            }
        }
    }
}

/// Else the claims above would be about nothing.
#[test]
fn what_is_drawn_reaches_every_way_to_end() {
    let mut runner = TestRunner::deterministic();
    let mut counts = BTreeMap::<String, u32>::new();
    for _ in 0..300 {
        let all = events().new_tree(&mut runner).unwrap().current();
        let mut exchange = scene(Settings::default());
        for (now, event) in (1_i64..).zip(all) {
            carry_out(&mut exchange, event, if now % 3 == 0 { BOB } else { ANN }, at(now));
        }
        for (_, note) in exchange.take_notes() {
            let word = match note {
                Note::Ended { why, .. } => format!("{why:?}"),
                Note::List(report) => format!("{:?} {:?}", report.kind, report.change),
                Note::Amended { .. } => "Amended".to_owned(),
                Note::Condition { condition, .. } => format!("{:?}", condition.stage),
            };
            *counts.entry(word).or_default() += 1;
        }
    }
    let words = [
        "OcoTriggered",
        "WorkingEnded",
        "Rejected",
        "Oco Started",
        "Oco Renamed",
        "Oco Done",
        "Oto Started",
        "Oto Renamed",
        "Oto Done",
        "Amended",
        "Pending",
        "Waiting",
        "Working",
    ];
    for word in words {
        assert!(counts.get(word).is_some_and(|count| 10 < *count), "{word}: {counts:?}");
    }
}
