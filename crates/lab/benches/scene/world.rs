//! A shard with accounts whose exchange answers at once and whose store never fails: what is measured
//! is the shard.

use std::sync::Arc;

use rust_decimal::Decimal;
use tranche_model::{
    asset::{Asset, Symbol},
    balance::{Balance, FeeAsset, FeeRates},
    candle::Tick,
    client_order_id::{ClientOrderId, Origin},
    decimal::Rounding,
    fill::{Fee, Fill, Liquidity},
    filter::Filter,
    ids::{
        AccountId, BotId, CommandId, Epoch, Incarnation, Installation, InstrumentId, Seq, TradeId,
        UserId, VenueOrderId,
    },
    instrument::{Instrument, Instruments},
    money::{Amount, Fraction, Price, Qty, Quote},
    order::{OrderKind, OrderReport, OrderRequest, OrderStatus, Side, Size},
    record::{Answer, Call, Outcome, Reply, Snapshot},
    time::Timestamp,
};
use tranche_trading::{
    dca::{Config, Draft},
    event::{Command, CommandBody, Event, Settings, Timing},
    shard::{Input, Options, Output, Shard},
};

/// See the module's text.
pub(crate) struct World {
    pub(crate) shard: Shard,
    pub(crate) now: Timestamp,
    out: Vec<Output>,
    prices: Vec<Price>,
    last_id: u128,
}

/// Places given for each one asked for.
const PLACES: u16 = 50;
const FEE: Decimal = Decimal::from_parts(1, 0, 0, false, 3);

impl World {
    pub(crate) fn new(instruments: Instruments, options: Options) -> Self {
        let prices = vec![Price::ZERO; instruments.len()];
        let shard = Shard::new(Arc::new(instruments), options);
        Self {
            shard,
            now: Timestamp::from_ms(1_700_000_000_000),
            out: Vec::new(),
            prices,
            last_id: 0,
        }
    }

    pub(crate) fn own(&mut self, account: AccountId) {
        self.input(Input::Own { account, settings: Box::new(settings()) });
        self.settle();
    }

    pub(crate) fn create(&mut self, account: AccountId, bot: BotId, config: &Config) {
        let body = CommandBody::CreateBot { bot, config: Box::new(config.clone()) };
        let command = Command { id: CommandId::new(self.next_id()), body };
        let event = Box::new(Event::Command(command));
        self.input(Input::Event { account, event });
        self.settle();
    }

    /// A trade of the market; what it leads to waits for [`World::settle`].
    pub(crate) fn tick(&mut self, instrument: InstrumentId, price: Price) {
        let place = usize::try_from(instrument.get()).unwrap();
        self.prices[place] = price;
        let tick = Tick { instrument, price, qty: Qty::ZERO, at: self.now };
        self.input(Input::Tick(tick));
    }

    /// Lets a burst go on to its end and commits it. Returns how many orders it leads to.
    pub(crate) fn finish(&mut self) -> usize {
        while self.shard.has_more() {
            self.input(Input::More);
        }
        self.shard.flush(&mut self.out);
        let mut intents = 0;
        for output in &self.out {
            if let Output::Commit { batch, .. } = output {
                intents += batch.intents.len();
            } else if matches!(output, Output::Call { call: Call::Place { .. }, .. }) {
                intents += 1;
            }
        }
        intents
    }

    /// Answers everything until nothing is left to answer.
    pub(crate) fn settle(&mut self) {
        loop {
            self.shard.flush(&mut self.out);
            if self.out.is_empty() {
                return;
            }
            for output in std::mem::take(&mut self.out) {
                self.answer(output);
            }
        }
    }

    fn input(&mut self, input: Input) {
        self.shard.step(input, self.now, &mut self.out);
    }

    fn answer(&mut self, output: Output) {
        match output {
            Output::Commit { ticket, .. } => self.input(Input::Committed(ticket)),
            Output::Reload { account } => {
                let (epoch, seq) = (Epoch::new(1), Seq::new(0));
                let snapshot = Box::new(Snapshot::default());
                self.input(Input::Loaded { account, epoch, seq, snapshot });
            }
            Output::Ask { account, lane, places, .. } => {
                let event = Event::Granted { lane, places: places.max(1) * PLACES };
                self.input(Input::Event { account, event: Box::new(event) });
            }
            Output::Call { account, call, .. } => {
                let answer = self.reply(&call);
                let event = Event::Reply(Reply { call, outcome: Outcome::Done(answer) });
                self.input(Input::Event { account, event: Box::new(event) });
            }
            Output::More => self.input(Input::More),
            Output::Dead { reason, .. } | Output::Quarantined { reason, .. } => panic!("{reason}"),
            Output::Verdict { row, .. } => row.verdict.unwrap(),
            Output::Forget { .. }
            | Output::HandBack { .. }
            | Output::Lookup { .. }
            | Output::Booked { .. }
            | Output::Closed { .. }
            | Output::Why { .. }
            | Output::BadTick { .. }
            | Output::Recorded { .. } => {}
        }
    }

    fn reply(&mut self, call: &Call) -> Answer {
        match call {
            Call::Place { request, .. } => self.placed(request),
            Call::Cancel { client_id, instrument } => {
                let kind = OrderKind::Market { size: Size::Base(Qty::ZERO) };
                let request = OrderRequest {
                    client_id: *client_id,
                    instrument: *instrument,
                    side: Side::Sell,
                    kind,
                };
                let report = self.report(&request, OrderStatus::Cancelled, Qty::ZERO);
                Answer::Order { report, fills: Vec::new() }
            }
            Call::OpenOrders => Answer::OpenOrders { own: Vec::new(), foreign: Vec::new() },
            Call::Balances => Answer::Balances(balances(self.shard.instruments())),
            Call::Trades { .. } => Answer::Trades(Vec::new()),
            Call::Highs { .. } => Answer::Highs(None),
            Call::QueryOrder { .. } | Call::CancelByVenueId { .. } => Answer::OrderNotFound,
        }
    }

    /// Market orders are filled at the last price, the others rest.
    fn placed(&mut self, request: &OrderRequest) -> Answer {
        let OrderKind::Market { size } = request.kind else {
            let report = self.report(request, OrderStatus::Open, Qty::ZERO);
            return Answer::Order { report, fills: Vec::new() };
        };
        let place = usize::try_from(request.instrument.get()).unwrap();
        let price = self.prices[place];
        let step = Qty::parse("0.00001").unwrap();
        let qty = match size {
            Size::Base(qty) => qty,
            Size::Quote(quote) => quote.buys(price, step, Rounding::Down).unwrap(),
        };
        let fill = fill(request.client_id, request, (price, qty), self.next_id());
        let report = self.report(request, OrderStatus::Filled, qty);
        Answer::Order { report, fills: vec![fill] }
    }

    fn report(
        &mut self,
        request: &OrderRequest,
        status: OrderStatus,
        executed: Qty,
    ) -> OrderReport {
        let id = self.next_id();
        report(request, (status, executed), id, self.now)
    }

    fn next_id(&mut self) -> u128 {
        self.last_id += 1;
        self.last_id
    }
}

/// The exchange's word on an order.
pub(crate) fn report(
    request: &OrderRequest,
    (status, executed): (OrderStatus, Qty),
    id: u128,
    updated_at: Timestamp,
) -> OrderReport {
    let OrderRequest { client_id, instrument, side, kind } = *request;
    let (venue_id, executed_quote) = (VenueOrderId::new(id), Quote::ZERO);
    OrderReport {
        client_id,
        venue_id,
        instrument,
        side,
        kind,
        status,
        executed,
        executed_quote,
        updated_at,
    }
}

/// An execution of an order, with its fee taken from the quote asset.
pub(crate) fn fill(
    client_id: ClientOrderId,
    request: &OrderRequest,
    (price, qty): (Price, Qty),
    trade: u128,
) -> Fill {
    let quote = price.times(qty).unwrap();
    let fee = quote.scaled(FEE).unwrap();
    Fill {
        trade_id: TradeId::new(trade),
        client_id: Some(client_id),
        venue_order_id: VenueOrderId::new(trade),
        instrument: request.instrument,
        side: request.side,
        price,
        qty,
        quote,
        fee: Fee {
            asset: Asset::parse("USDT").unwrap(),
            amount: fee.amount(),
            in_quote: Some(fee),
        },
        liquidity: Liquidity::Maker,
        at: Timestamp::from_ms(1_700_000_000_000),
    }
}

/// Instruments `C0/USDT`, `C1/USDT` and so on, on the grid of Binance spot BTC/USDT.
pub(crate) fn instruments(count: u32) -> Instruments {
    let price = |text: &str| Price::parse(text).unwrap();
    let qty = |text: &str| Qty::parse(text).unwrap();
    let filters = vec![
        Filter::Price { min: price("0.01"), max: price("1000000"), tick: price("0.01") },
        Filter::LotSize { min: qty("0.00001"), max: qty("9000"), step: qty("0.00001") },
        Filter::Notional {
            min: Quote::parse("5").unwrap(),
            min_market: true,
            max: Quote::parse("9000000").unwrap(),
            max_market: false,
        },
        Filter::MaxNumOrders { limit: 200 },
    ];
    let one = |id: u32| Instrument::new(InstrumentId::new(id), symbol(id), filters.clone());
    Instruments::new((0..count).map(one).collect()).unwrap()
}

pub(crate) fn symbol(id: u32) -> Symbol {
    Symbol::parse(&format!("C{id}/USDT")).unwrap()
}

fn balances(instruments: &Instruments) -> Vec<Balance> {
    let plenty = Amount::parse("1000000").unwrap();
    let balance = |asset| Balance { asset, free: plenty, locked: Amount::ZERO };
    let quote = instruments.iter().next().map(|instrument| instrument.symbol.quote);
    quote.into_iter().map(balance).collect()
}

pub(crate) fn settings() -> Settings {
    Settings {
        user: UserId::new(1),
        origin: Origin { installation: Installation::new(1), incarnation: Incarnation::new(1) },
        fees: FeeRates { maker: Fraction::new(FEE), taker: Fraction::new(FEE) },
        fee_asset: FeeAsset::Quote,
        timing: Timing::default(),
    }
}

/// The bot of the benchmarks with other settings on top, as JSON fields.
pub(crate) fn config(symbol: Symbol, extra: &str) -> Config {
    scaled_config(symbol, &format!(r#","volume_scale":"1.5"{extra}"#))
}

/// The same, and the scale of the volume is among the fields.
pub(crate) fn scaled_config(symbol: Symbol, extra: &str) -> Config {
    let text = format!(
        r#"{{"name":"bench","pairs":["{symbol}"],"base_order_volume":"100",
        "safety_order_volume":"100","max_safety_orders":5{extra}}}"#
    );
    Config::try_from(serde_json::from_str::<Draft>(&text).unwrap()).unwrap()
}
