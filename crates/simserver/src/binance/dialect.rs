//! The dialect without an exchange: requests are read as the server reads them, and answers and events
//! are written as it writes them, that somebody else decided on. For worlds of simulated faults.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tranche_model::{
    candle::Tick,
    ids::{AccountId, VenueOrderId},
    instrument::Instrument,
    money::{Price, Quote},
    order::{ForeignOrder, OrderKind, OrderReport, OrderRequest, OrderStatus, Size},
    record::{Answer, Call, PrivateEvent, Refusal},
    time::Timestamp,
};

use crate::{
    Clock, Settings, feed,
    http::Host,
    server::{self, BindError},
    socket::Talk as _,
    world::{
        self, Key, World,
        candles::Bar,
        hub::{Out, combined},
        limits::Stop,
        records::{OrderRef, Record, State},
        tape::Print,
        wire_symbol,
    },
};

use super::{
    api,
    market::kline,
    op::Op,
    order_form::{Asked as Kind, OrderForm, ResponseType},
    orders::trade_rows,
    refused::Refused,
    rest::{self, Read, Request},
    routes::Route,
};

const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// See the module's text.
#[derive(Debug)]
pub struct Dialect {
    host: Host,
}

/// A request as it came. Its parts are not printed: they hold key and signature.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub body: &'a str,
    pub key: Option<&'a str>,
}

/// An answer as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// A request that was let in.
#[derive(Debug, Clone)]
pub struct Asked {
    key: Option<Key>,
    op: Op,
    call: Option<Call>,
}

/// An event as it is sent, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub text: String,
    pub means: Vec<PrivateEvent>,
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Dialect {
    pub fn new(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, BindError> {
        server::host(settings, feed::quiet(), clock).map(|host| Self { host })
    }

    /// Reads a request that arrives at `now`; one that is refused at the door is answered at once.
    pub fn read(&self, incoming: Incoming<'_>, now: Timestamp) -> Result<Asked, Told> {
        let Some(route) = Route::of_request(incoming.method, incoming.path) else {
            return Err(rest::Answer::page(404).into());
        };
        let request = Request {
            ip: IP,
            method: incoming.method.to_owned(),
            path: incoming.path.to_owned(),
            query: incoming.query.as_bytes().to_vec(),
            body: incoming.body.as_bytes().to_vec(),
            key: incoming.key.map(str::to_owned),
        };
        let read = Read::new(route, &request);
        let world = &mut *self.host.shared.world();
        let (key, op) = world.asked(&request, &read, now).map_err(|refused| no(&refused, now))?;
        let op = op.clone();
        let call = world.call_of(&op).map_err(|refused| no(&refused, now))?;
        Ok(Asked { key, op, call })
    }

    /// Writes the answer; `None` when it answers another question.
    pub fn answer(&self, asked: &Asked, answer: &Answer, now: Timestamp) -> Option<Told> {
        let world = &mut *self.host.shared.world();
        match world.body(asked, answer, now)? {
            Ok(body) => Some(yes(&body)),
            Err(refused) => Some(no(&refused, now)),
        }
    }

    /// Writes the answer to a question about orders by their numbers, from what was told of them;
    /// `None` when something else was asked.
    pub fn answer_by_number(&self, asked: &Asked, now: Timestamp) -> Option<Told> {
        let world = &*self.host.shared.world();
        let account = asked.key.as_ref()?.account;
        let when = super::run::When { now, as_of: Timestamp::MAX };
        let body = if let Op::Order { symbol, wanted: wanted @ OrderRef::Id(_) } = &asked.op {
            world.order(account, symbol, wanted, when)
        } else if let Op::AllOrders { symbol, from_id, span } = &asked.op {
            world.all_orders((account, symbol), *from_id, *span, when)
        } else {
            return None;
        };
        Some(body.map_or_else(|refused| no(&refused, now), |body| yes(&body)))
    }

    /// Writes a refusal of the exchange.
    pub fn refuse(refusal: &Refusal, now: Timestamp) -> Told {
        no(&refusal.clone().into(), now)
    }

    /// Writes "too much": a while to wait, or a ban.
    pub fn stop(&self, until: Timestamp, is_ban: bool, now: Timestamp) -> Told {
        let stop = if is_ban { Stop::Banned { until } } else { Stop::Throttled { until } };
        let most = self.host.shared.world().limits.limits().weight_per_minute;
        no(&Refused::stopped(stop, most), now)
    }

    /// What a server in between, or one that breaks down, answers instead: a page for people, a plain
    /// text, or an error that says nothing for certain.
    pub fn breakdown(number: u64, now: Timestamp) -> Told {
        match number % 5 {
            0 => rest::Answer::page(502).into(),
            1 => rest::Answer::page(504).into(),
            2 => no(&Refused::unexpected_response(), now),
            3 => no(&Refused::timeout(), now),
            _ => rest::Answer::text(503, "Service Unavailable.").into(),
        }
    }

    /// The answer of an endpoint that was removed.
    pub fn removed() -> Told {
        rest::Answer::text(410, "This endpoint has been removed.").into()
    }

    /// Writes what an account is told unasked, in its order.
    pub fn events(
        &self,
        account: AccountId,
        events: Vec<PrivateEvent>,
        now: Timestamp,
    ) -> Vec<Written> {
        let world = &mut *self.host.shared.world();
        // A cancel of ours has an id of its own.
        world.records.cancel_id = Some(world.names.draw());
        let (told, meanings) = world.units(account, events);
        let written = world.write_private(told, Vec::new(), now).into_iter();
        let texts = written
            .map(|(_, event)| json!({"subscriptionId": account.get(), "event": event}).to_string());
        texts.zip(meanings).map(|(text, means)| Written { text, means }).collect()
    }

    /// A public trade on its stream.
    pub fn trade(&self, tick: &Tick, number: u64) -> Option<String> {
        let world = &*self.host.shared.world();
        let symbol = wire_symbol(world.exchange.instruments().get(tick.instrument)?);
        let print = Print {
            id: number,
            price: tick.price,
            qty: tick.qty,
            quote: Quote::ZERO,
            at: tick.at,
            is_buyer_maker: false,
        };
        let name = format!("{}@trade", symbol.to_lowercase());
        Some(combined(&name, &world::trade(&symbol, &print).to_string()))
    }

    /// The best bid and ask on their stream, both at the price of the tick.
    pub fn best(&self, tick: &Tick, number: u64) -> Option<String> {
        let world = &*self.host.shared.world();
        let symbol = wire_symbol(world.exchange.instruments().get(tick.instrument)?);
        let level = (tick.price, tick.qty);
        let name = format!("{}@bookTicker", symbol.to_lowercase());
        Some(combined(&name, &world::book_ticker(&symbol, number, (level, level)).to_string()))
    }

    /// The rules of an instrument, from now on these; as `exchangeInfo` tells them.
    pub fn listings(&self, rules: &Instrument, now: Timestamp) -> String {
        let world = &mut *self.host.shared.world();
        world.exchange.replace_instrument(rules.clone(), now);
        let told = world.exchange_info(Some(&[wire_symbol(rules)]), None, now);
        told.map_or_else(|refused| refused.body().to_string(), |body| body.to_string())
    }

    /// What comes back on a fresh connection of the WebSocket API.
    pub fn converse(&self, frame: &str) -> Vec<String> {
        let (mut line, (id, mut inlet)) = api::open(&self.host, IP, "returnRateLimits=false");
        let _stays_open = line.hear(frame);
        let heard = std::iter::from_fn(|| match inlet.recv().now_or_never()?? {
            Out::Text(text) => Some(text),
            Out::Cut => None,
        });
        let answers = heard.collect();
        self.host.shared.world().hub.close(id);
        answers
    }
}

impl Asked {
    /// The call that the request carries, if it is one of ours. Of a placement nobody says until when
    /// it may be sent, of executions only where the page begins.
    pub const fn call(&self) -> Option<&Call> {
        self.call.as_ref()
    }

    /// Whose key it carries; none for what is public.
    pub fn account(&self) -> Option<AccountId> {
        self.key.as_ref().map(|key| key.account)
    }
}

impl World {
    /// The request in our nouns. One that nobody of ours sends has none.
    fn call_of(&mut self, op: &Op) -> Result<Option<Call>, Refused> {
        let since = |start: Option<i64>| start.map_or(Timestamp::MIN, Timestamp::from_ms);
        if let Op::Place(form) = op {
            return self.placement_of(form);
        }
        if let Op::Cancel { symbol, cancel } = op {
            let instrument = self.id_of(symbol)?;
            if let OrderRef::Id(id) = &cancel.wanted {
                let venue_id = VenueOrderId::new(u128::from(*id));
                return Ok(Some(Call::CancelByVenueId { venue_id, instrument }));
            }
            let OrderRef::Client(text) = &cancel.wanted else { return Ok(None) };
            let found = self.names.find(text);
            return Ok(found.map(|client_id| Call::Cancel { client_id, instrument }));
        }
        if let Op::Order { symbol, wanted: OrderRef::Client(text) } = op {
            let instrument = self.id_of(symbol)?;
            let found = self.names.find(text);
            return Ok(found.map(|client_id| Call::QueryOrder { client_id, instrument }));
        }
        if let Op::MyTrades { symbol, order: None, from_id: _, span } = op {
            let instrument = self.id_of(symbol)?;
            return Ok(Some(Call::Trades { instrument, since: since(span.start) }));
        }
        if let Op::Klines { symbol, interval: _, span } = op {
            let instrument = self.id_of(symbol)?;
            return Ok(Some(Call::Highs { instrument, since: since(span.start) }));
        }
        if matches!(op, Op::OpenOrders { symbol: None }) {
            return Ok(Some(Call::OpenOrders));
        }
        Ok(matches!(op, Op::Account { omits_zero: false }).then_some(Call::Balances))
    }

    fn placement_of(&mut self, form: &OrderForm) -> Result<Option<Call>, Refused> {
        let instrument = self.id_of(&form.symbol)?;
        let Kind::Kind(kind, None) = form.asked else { return Ok(None) };
        let named = form.client_id.as_deref().and_then(|text| self.names.packed(text));
        Ok(named.map(|client_id| {
            let request = OrderRequest { client_id, instrument, side: form.side, kind };
            Call::Place { request, send_by: Timestamp::MAX }
        }))
    }

    /// The body of an answer, or the refusal that it is here.
    fn body(
        &mut self,
        asked: &Asked,
        answer: &Answer,
        now: Timestamp,
    ) -> Option<Result<Value, Refused>> {
        let account = asked.account();
        Some(Ok(match (&asked.op, answer) {
            (Op::Place(form), Answer::Order { report, fills }) => {
                let (record, state) = self.known(account?, report);
                let is_full = form.response == ResponseType::Full;
                let fills = if is_full { fills.as_slice() } else { &[] };
                self.taken_in((&record, &state), form.response, fills)
            }
            (Op::Cancel { cancel, .. }, Answer::Order { report, .. }) => {
                let (record, state) = self.known(account?, report);
                let own_id = cancel.own_id.clone().unwrap_or_else(|| self.names.draw());
                self.taken_back((&record, &state), &own_id, report.updated_at)
            }
            (Op::Order { .. }, Answer::Order { report, .. }) => {
                let (record, state) = self.known(account?, report);
                self.shown(&record, &state)
            }
            (Op::Cancel { .. }, Answer::OrderNotFound) => {
                return Some(Err(Refused::unknown_order()));
            }
            (Op::Order { .. }, Answer::OrderNotFound) => {
                return Some(Err(Refused::no_such_order()));
            }
            (Op::OpenOrders { .. }, Answer::OpenOrders { own, foreign }) => {
                let theirs: Vec<_> =
                    foreign.iter().filter_map(|order| self.of_hand(order, now)).collect();
                let rows = own.iter().chain(&theirs).map(|report| {
                    let (record, state) = self.known(account.unwrap_or_default(), report);
                    self.shown(&record, &state)
                });
                rows.collect()
            }
            (Op::MyTrades { symbol, order, from_id, span }, Answer::Trades(fills)) => {
                trade_rows((symbol, &|_| Value::from(-1)), fills, (*order, *from_id), *span)
            }
            (Op::Account { omits_zero }, Answer::Balances(balances)) => {
                self.account_shown(asked.key.as_ref()?, (balances.clone(), *omits_zero), now)
            }
            (Op::Klines { interval, span, .. }, Answer::Highs(high)) => {
                let open_at = interval.open_of(span.start.unwrap_or_default());
                high.iter().map(|price| kline(&once(*price, open_at), *interval)).collect()
            }
            _ => return None,
        }))
    }

    /// An order as the statement has it, whatever else was told of it.
    fn known(&self, account: AccountId, report: &OrderReport) -> (Record, State) {
        let state = State::plain(report, self.is_listed(report.instrument));
        let text = self.names.text(report.client_id);
        (Record::of(account, report, &text, state), state)
    }

    /// An order by hand carries a text that is none of ours.
    fn of_hand(&mut self, order: &ForeignOrder, now: Timestamp) -> Option<OrderReport> {
        let ForeignOrder { venue_id, instrument, side, kind, executed } = *order;
        Some(OrderReport {
            client_id: self.names.packed(&format!("web_{venue_id}"))?,
            venue_id,
            instrument,
            side,
            kind,
            status: if executed.is_zero() {
                OrderStatus::Open
            } else {
                OrderStatus::PartiallyFilled
            },
            executed,
            executed_quote: Quote::ZERO,
            updated_at: now,
        })
    }

    /// The events with a report before each execution by hand, which has none, and what each message
    /// about them means: an execution and its order are one, what changed balances comes last, and the
    /// end of an order sized in quote is told with its last execution.
    fn units(
        &mut self,
        account: AccountId,
        events: Vec<PrivateEvent>,
    ) -> (Vec<(AccountId, PrivateEvent)>, Vec<Vec<PrivateEvent>>) {
        let mut told = Vec::with_capacity(events.len());
        let mut units: Vec<(VenueOrderId, Vec<PrivateEvent>)> = Vec::new();
        let mut balances = std::collections::BTreeMap::new();
        let mut events = events.into_iter().peekable();
        while let Some(event) = events.next() {
            match event {
                PrivateEvent::Balances(rows) => {
                    balances.extend(rows.iter().map(|row| (row.asset, *row)));
                    told.push((account, PrivateEvent::Balances(rows)));
                }
                PrivateEvent::Fill(fill) => {
                    let kind = OrderKind::Market { size: Size::Base(fill.qty) };
                    let order = ForeignOrder {
                        venue_id: fill.venue_order_id,
                        instrument: fill.instrument,
                        side: fill.side,
                        kind,
                        executed: fill.qty,
                    };
                    if let Some(report) = self.of_hand(&order, fill.at) {
                        told.push((account, PrivateEvent::Order(report)));
                    }
                    told.push((account, PrivateEvent::Fill(fill)));
                    units.push((fill.venue_order_id, vec![PrivateEvent::Fill(fill)]));
                }
                PrivateEvent::Order(report) => {
                    let id = report.venue_id;
                    told.push((account, PrivateEvent::Order(report)));
                    let of_it = |event: &PrivateEvent| matches!(event, PrivateEvent::Fill(fill) if fill.venue_order_id == id);
                    let fill = events.next_if(of_it);
                    let last = units.iter_mut().rev().find(|(known, _)| *known == id);
                    match (fill, last) {
                        (Some(fill), _) => {
                            told.push((account, fill.clone()));
                            units.push((id, vec![fill, PrivateEvent::Order(report)]));
                        }
                        (None, Some((_, means))) if report.status == OrderStatus::Filled => {
                            means.pop();
                            means.push(PrivateEvent::Order(report));
                        }
                        (None, _) => units.push((id, vec![PrivateEvent::Order(report)])),
                    }
                }
            }
        }
        let mut meanings: Vec<_> = units.into_iter().map(|(_, means)| means).collect();
        if !balances.is_empty() {
            meanings.push(vec![PrivateEvent::Balances(balances.into_values().collect())]);
        }
        (told, meanings)
    }
}

fn yes(body: &Value) -> Told {
    Told { status: 200, headers: Vec::new(), body: body.to_string() }
}

fn no(refused: &Refused, now: Timestamp) -> Told {
    let wait = refused.retry_after(now).map(|seconds| ("retry-after", seconds.to_string()));
    Told {
        status: refused.status,
        headers: wait.into_iter().collect(),
        body: refused.body().to_string(),
    }
}

impl From<rest::Answer> for Told {
    fn from(answer: rest::Answer) -> Self {
        Self { status: answer.status, headers: answer.headers, body: answer.body }
    }
}

/// A candle of one trade.
fn once(price: Price, open_at: i64) -> Bar {
    Bar { count: 1, ..Bar::flat(open_at, price, 0) }
}
