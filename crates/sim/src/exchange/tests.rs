//! Claims about the exchange, by topic, and what they share.

use tranche_model::{
    asset::Symbol,
    candle::Tick,
    client_order_id::{ClientOrderId, OrderKey, Origin},
    ids::{BotId, DealNo, Generation, Incarnation, Installation, Slot},
    money::Quote,
    order::{OrderKind, OrderReport, OrderRequest, Size, TimeInForce},
    record::Refusal,
};

use super::*;

mod amends;
mod calls;
mod fills;
mod lists;
mod matching;
mod money;
mod refusals;
mod special;
mod stops;

pub(crate) const ANN: AccountId = AccountId::new(1);
pub(crate) const BOB: AccountId = AccountId::new(2);
pub(crate) const BTC: InstrumentId = InstrumentId::new(0);

pub(crate) fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

pub(crate) fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

pub(crate) fn quote(text: &str) -> Quote {
    Quote::parse(text).unwrap()
}

pub(crate) fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

pub(crate) fn asset(text: &str) -> Asset {
    Asset::parse(text).unwrap()
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

pub(crate) fn id(generation: u16) -> ClientOrderId {
    let origin = Origin { installation: Installation::new(1), incarnation: Incarnation::new(1) };
    let key = OrderKey {
        bot: BotId::new(1),
        deal: DealNo::new(1),
        slot: Slot::BASE,
        generation: Generation::new(generation),
    };
    ClientOrderId::pack(origin, key).unwrap()
}

pub(crate) fn btc_usdt() -> Instrument {
    let filters = vec![
        Filter::Price { min: price("0.01"), max: price("1000000"), tick: price("0.01") },
        Filter::LotSize { min: qty("0.0001"), max: qty("9000"), step: qty("0.0001") },
        Filter::Notional {
            min: quote("5"),
            min_market: true,
            max: quote("9000000"),
            max_market: false,
        },
    ];
    Instrument::new(BTC, Symbol::parse("BTC/USDT").unwrap(), filters)
}

pub(crate) fn rates(maker: &str, taker: &str) -> FeeRates {
    FeeRates { maker: Fraction::parse(maker).unwrap(), taker: Fraction::parse(taker).unwrap() }
}

fn purse() -> Vec<Balance> {
    [("BTC", "10"), ("USDT", "10000")]
        .map(|(name, free)| Balance {
            asset: asset(name),
            free: amount(free),
            locked: Amount::ZERO,
        })
        .to_vec()
}

/// Two accounts without fees, each with 10 BTC and 10000 USDT.
pub(crate) fn exchange_with(settings: Settings) -> Exchange {
    let mut exchange = Exchange::new(Instruments::new(vec![btc_usdt()]).unwrap(), settings);
    for account in [ANN, BOB] {
        exchange.add_account(account, rates("0", "0"), FeeAsset::Received, purse()).unwrap();
    }
    exchange
}

pub(crate) fn exchange() -> Exchange {
    exchange_with(Settings::default())
}

pub(crate) fn tick(price_text: &str, ms: i64) -> Tick {
    Tick { instrument: BTC, price: price(price_text), qty: Qty::ZERO, at: at(ms) }
}

pub(crate) fn limit(price_text: &str, qty_text: &str) -> OrderKind {
    OrderKind::Limit {
        price: price(price_text),
        qty: qty(qty_text),
        time_in_force: TimeInForce::GoodTillCancelled,
    }
}

fn with_force(price_text: &str, qty_text: &str, time_in_force: TimeInForce) -> OrderKind {
    OrderKind::Limit { price: price(price_text), qty: qty(qty_text), time_in_force }
}

fn market(qty_text: &str) -> OrderKind {
    OrderKind::Market { size: Size::Base(qty(qty_text)) }
}

fn market_for(quote_text: &str) -> OrderKind {
    OrderKind::Market { size: Size::Quote(quote(quote_text)) }
}

pub(crate) fn request(generation: u16, side: Side, kind: OrderKind) -> OrderRequest {
    OrderRequest { client_id: id(generation), instrument: BTC, side, kind }
}

pub(crate) fn stop_loss(price_text: &str) -> Trigger {
    Trigger { kind: TriggerKind::StopLoss, price: Some(price(price_text)), trailing: None }
}

pub(crate) fn take_profit(price_text: &str) -> Trigger {
    Trigger { kind: TriggerKind::TakeProfit, ..stop_loss(price_text) }
}

impl Exchange {
    /// Places an order behind a trigger, at time zero.
    fn put_stop(
        &mut self,
        generation: u16,
        side: Side,
        kind: OrderKind,
        trigger: Trigger,
    ) -> Result<OrderReport, Refusal> {
        self.place_stop(ANN, &request(generation, side, kind), trigger, at(0))
    }

    fn stage(&self, generation: u16) -> Stage {
        let report = self.order(ANN, id(generation)).unwrap();
        self.special_of(report.venue_id).unwrap().stage
    }

    /// Places at time zero.
    fn put(
        &mut self,
        account: AccountId,
        generation: u16,
        side: Side,
        kind: OrderKind,
    ) -> Result<Placed, Refusal> {
        self.place(account, &request(generation, side, kind), at(0))
    }

    /// `free+locked` of an asset.
    fn holds(&self, account: AccountId, name: &str) -> String {
        let balance = self.ledger.balance(account, asset(name));
        format!("{}+{}", balance.free, balance.locked)
    }

    fn status(&self, account: AccountId, generation: u16) -> OrderStatus {
        self.order(account, id(generation)).unwrap().status
    }
}

/// `qty@price` of each fill.
fn shown(placed: &Placed) -> Vec<String> {
    placed.fills.iter().map(|fill| format!("{}@{}", fill.qty, fill.price)).collect()
}
