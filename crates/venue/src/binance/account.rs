//! One key at the exchange: calls and their outcomes.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Method;
use tokio::sync::mpsc;
use tranche_model::{
    balance::FeeRates,
    ids::{Installation, InstrumentId},
    order::{OrderKind, OrderReport, OrderRequest, Side, Size, TimeInForce},
    record::{Answer, Call, Outcome},
    time::{Millis, Timestamp},
};

use super::{
    Shared, history,
    owners::Owners,
    parse::{self, Seen},
    refusal::{Word, refusal},
    rest::{Ask, Meter, Pen},
    sign::Params,
    user_stream::Subscriber,
    wire,
};
use crate::{
    catalog::Listed,
    net::http::{HttpAnswer, HttpFault},
    venue::{KeyReport, Later, PrivateMessage, ReadError, Report, VenueAccount},
};

/// The stamp of a placement: this long before `send_by`, so that with the receive window of five
/// seconds it cannot arrive later than two seconds after it.
const STAMP_BEFORE_SEND_BY: Millis = Millis::from_secs(3);
/// "Order does not exist", "Unknown order sent" and "archived".
const NOT_FOUND: [i32; 3] = [-2013, -2011, -2026];

/// A key with what was learned about its orders.
#[derive(Debug)]
pub(super) struct BinanceAccount {
    pub(super) shared: Arc<Shared>,
    pub(super) pen: Arc<Pen>,
    pub(super) installation: Installation,
    pub(super) owners: Arc<Mutex<Owners>>,
}

/// Either the answer's body, or what the call came to.
pub(super) type Got = Result<Vec<u8>, Outcome>;

impl VenueAccount for BinanceAccount {
    fn call(&self, call: Call) -> Later<'_, Report> {
        Box::pin(async move {
            let mut meter = Meter::default();
            let result = self.carry_out(call, &mut meter).await;
            let outcome = match result {
                Ok(answer) => Outcome::Done(answer),
                Err(outcome) => outcome,
            };
            let Meter { spent, used_weight, order_counts, banned_until } = meter;
            Report { outcome, spent, used_weight, order_counts, banned_until }
        })
    }

    fn private_stream(&self) -> mpsc::Receiver<PrivateMessage> {
        self.shared.users.subscribe(Subscriber {
            pen: Arc::clone(&self.pen),
            installation: self.installation,
            owners: Arc::clone(&self.owners),
        })
    }

    fn check_key(&self) -> Later<'_, Result<KeyReport, ReadError>> {
        Box::pin(self.key_report())
    }

    fn fees(&self, instrument: InstrumentId) -> Later<'_, Result<FeeRates, ReadError>> {
        Box::pin(async move {
            let listed = self.shared.catalog.get(instrument);
            let listed = listed.ok_or(ReadError::NoInstrument(instrument))?;
            let params = Params::default().with("symbol", &listed.text);
            let rest = &self.shared.rest;
            let ask = Ask::get("/api/v3/account/commission", params);
            let body = rest.read_signed(&self.pen, ask).await?;
            let row = serde_json::from_slice(&body).map_err(Into::into);
            let rates = row.and_then(|row: wire::Commission<'_>| parse::fee_rates(&row));
            rates.map_err(|error| rest.unreadable(&body, &format!("commission: {error}")))
        })
    }
}

impl BinanceAccount {
    async fn carry_out(&self, call: Call, meter: &mut Meter) -> Result<Answer, Outcome> {
        match call {
            Call::Place { request, send_by } => self.place(&request, send_by, meter).await,
            Call::Cancel { client_id, instrument } => {
                let listed = self.listed(instrument)?;
                let id = client_id.to_string();
                self.order(Method::DELETE, &listed, ("origClientOrderId", &id), meter).await
            }
            Call::CancelByVenueId { venue_id, instrument } => {
                let listed = self.listed(instrument)?;
                let id = venue_id.to_string();
                self.order(Method::DELETE, &listed, ("orderId", &id), meter).await
            }
            Call::QueryOrder { client_id, instrument } => {
                let listed = self.listed(instrument)?;
                let id = client_id.to_string();
                self.order(Method::GET, &listed, ("origClientOrderId", &id), meter).await
            }
            Call::OpenOrders => self.open_orders(meter).await,
            Call::Trades { instrument, since } => {
                let listed = self.listed(instrument)?;
                history::trades(self, &listed, since, meter).await.map(Answer::Trades)
            }
            Call::Balances => self.balances(meter).await,
            Call::Highs { instrument, since } => {
                let listed = self.listed(instrument)?;
                history::high(&self.shared.rest, &listed, since, meter).await.map(Answer::Highs)
            }
        }
    }

    /// Sent at most once, and only until `send_by`. Opening a connection may take longer than that:
    /// then the stamp is too old when it arrives, and the exchange refuses it.
    async fn place(
        &self,
        request: &OrderRequest,
        send_by: Timestamp,
        meter: &mut Meter,
    ) -> Result<Answer, Outcome> {
        let listed = self.listed(request.instrument)?;
        let now = self.shared.rest.now();
        if send_by < now {
            return Err(Outcome::NotSent);
        }
        let stamp = send_by.minus(STAMP_BEFORE_SEND_BY).min(now);
        let ask = Ask::new(Method::POST, "/api/v3/order", place_params(request, &listed));
        let body = self.ask(ask, Some(stamp), meter).await?;
        let row: wire::Order<'_> =
            serde_json::from_slice(&body).map_err(|_| unreadable("placement", &body))?;
        let named = |report: &OrderReport| report.client_id == request.client_id;
        self.order_answer(&row, &listed, named).map_err(|error| {
            tracing::warn!(%error, "the answer to a placement cannot be read");
            Outcome::Unknown
        })
    }

    async fn order(
        &self,
        method: Method,
        listed: &Listed,
        (name, id): (&str, &str),
        meter: &mut Meter,
    ) -> Result<Answer, Outcome> {
        let params = Params::default().with("symbol", &listed.text).with(name, id);
        let body = match self.ask(Ask::new(method, "/api/v3/order", params), None, meter).await {
            Ok(body) => body,
            Err(Outcome::Refused(refusal)) if is_not_found(refusal.code, &refusal.text) => {
                return Ok(Answer::OrderNotFound);
            }
            Err(outcome) => return Err(outcome),
        };
        let row: wire::Order<'_> =
            serde_json::from_slice(&body).map_err(|_| unreadable("order", &body))?;
        let named = |report: &OrderReport| {
            id == report.client_id.to_string() || id == report.venue_id.to_string()
        };
        self.order_answer(&row, listed, named).map_err(|error| {
            tracing::warn!(%error, "an order cannot be read");
            Outcome::Unknown
        })
    }

    /// An answer about another order than the one asked for is none.
    fn order_answer(
        &self,
        row: &wire::Order<'_>,
        listed: &Listed,
        is_named: impl Fn(&OrderReport) -> bool,
    ) -> Result<Answer, parse::Unreadable> {
        if row.symbol != listed.text.as_str() {
            return Err(parse::Unreadable::Instrument);
        }
        match parse::order(row, listed, self.installation)? {
            Seen::Own(report) if !is_named(&report) => Err(parse::Unreadable::Order),
            Seen::Own(report) => {
                self.owners().put(report.instrument, report.venue_id, Some(report.client_id));
                let fills = parse::order_fills(row, &report, listed)?;
                Ok(Answer::Order { report, fills })
            }
            // We asked for one of ours.
            Seen::Foreign(_) => Err(parse::Unreadable::Form),
        }
    }

    /// A row that cannot be read is left out and told: its absence makes the account ask for the
    /// order, and the other rows count.
    async fn open_orders(&self, meter: &mut Meter) -> Result<Answer, Outcome> {
        let ask = Ask::get("/api/v3/openOrders", Params::default());
        let body = self.ask(ask, None, meter).await?;
        let rows: Vec<&serde_json::value::RawValue> =
            serde_json::from_slice(&body).map_err(|_| unreadable("open orders", &body))?;
        let (mut own, mut foreign) = (Vec::new(), Vec::new());
        for raw in rows {
            let row: Result<wire::Order<'_>, _> = serde_json::from_str(raw.get());
            let Ok(row) = row else {
                tracing::warn!("an open order cannot be read");
                continue;
            };
            // What is not in the catalogue has no name here.
            let Some(listed) = self.shared.catalog.find(&row.symbol) else { continue };
            match parse::order(&row, &listed, self.installation) {
                Ok(Seen::Own(report)) => {
                    self.owners().put(report.instrument, report.venue_id, Some(report.client_id));
                    own.push(report);
                }
                Ok(Seen::Foreign(order)) => {
                    self.owners().put(order.instrument, order.venue_id, None);
                    foreign.push(order);
                }
                Err(error) => tracing::warn!(%error, "an open order cannot be read"),
            }
        }
        Ok(Answer::OpenOrders { own, foreign })
    }

    /// All assets, also those at zero: what is absent would be believed to be as before.
    async fn balances(&self, meter: &mut Meter) -> Result<Answer, Outcome> {
        let params = Params::default().with("omitZeroBalances", "false");
        let body = self.ask(Ask::get("/api/v3/account", params), None, meter).await?;
        let row: wire::Account<'_> =
            serde_json::from_slice(&body).map_err(|_| unreadable("account", &body))?;
        parse::balances(&row).map(Answer::Balances).map_err(|error| {
            tracing::warn!(%error, "balances cannot be read");
            Outcome::Unknown
        })
    }

    async fn key_report(&self) -> Result<KeyReport, ReadError> {
        let rest = &self.shared.rest;
        let params = Params::default().with("omitZeroBalances", "true");
        let body = rest.read_signed(&self.pen, Ask::get("/api/v3/account", params)).await?;
        let account: wire::Account<'_> =
            serde_json::from_slice(&body).map_err(|_| rest.unreadable(&body, "account"))?;
        let mut report = KeyReport {
            can_trade: account.can_trade.unwrap_or(false),
            can_withdraw: None,
            is_ip_restricted: None,
            permissions: account.permissions.iter().map(ToString::to_string).collect(),
            clock_offset_ms: rest.offset_ms(),
        };
        if self.shared.settings.has_key_restrictions {
            let ask = Ask::get("/sapi/v1/account/apiRestrictions", Params::default());
            let body = rest.read_signed(&self.pen, ask).await?;
            let rights: wire::Restrictions =
                serde_json::from_slice(&body).map_err(|_| rest.unreadable(&body, "rights"))?;
            report.can_trade &= rights.enable_spot_and_margin_trading.unwrap_or(true);
            report.can_withdraw = Some(rights.enable_withdrawals);
            report.is_ip_restricted = Some(rights.ip_restrict);
        }
        Ok(report)
    }

    /// A signed request, down to its body.
    pub(super) async fn ask(&self, ask: Ask, stamp: Option<Timestamp>, meter: &mut Meter) -> Got {
        settle(self.shared.rest.signed(&self.pen, ask, stamp, meter).await)
    }

    /// An order on what nobody has listed cannot be put into the exchange's words.
    #[expect(clippy::result_large_err, reason = "an outcome is what either way leads to")]
    fn listed(&self, instrument: InstrumentId) -> Result<Arc<Listed>, Outcome> {
        let unknown = || Outcome::Refused(refusal(-1121, "not in the catalogue"));
        self.shared.catalog.get(instrument).ok_or_else(unknown)
    }

    pub(super) fn owners(&self) -> std::sync::MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request came to.
#[expect(clippy::result_large_err, reason = "an outcome is what either way leads to")]
pub(super) fn settle(result: Result<(Word, HttpAnswer), HttpFault>) -> Got {
    match result {
        Ok((Word::Yes, answer)) => Ok(answer.body),
        Ok((Word::No(refusal), _)) => Err(Outcome::Refused(refusal)),
        Ok((Word::Wait { retry_at, .. }, _)) => Err(Outcome::Throttled { retry_at }),
        Ok((Word::Unknown { .. } | Word::Alien, _)) => Err(Outcome::Unknown),
        Err(fault) if fault.may_have_left() => Err(Outcome::Unknown),
        Err(fault) => {
            tracing::debug!(%fault, "a request did not leave");
            Err(Outcome::NotSent)
        }
    }
}

/// Something was answered, but nobody can say what.
pub(super) fn unreadable(what: &str, body: &[u8]) -> Outcome {
    tracing::warn!(what, bytes = body.len(), "an answer cannot be read");
    Outcome::Unknown
}

/// A cancel that its own conditions forbid has the same code, and another text.
fn is_not_found(code: i32, text: &str) -> bool {
    NOT_FOUND.contains(&code) && (code != -2011 || text.contains("Unknown order"))
}

/// The order in the exchange's words ("New order").
fn place_params(request: &OrderRequest, listed: &Listed) -> Params {
    let side = match request.side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    };
    let params = Params::default().with("symbol", &listed.text).with("side", side);
    let params = match request.kind {
        OrderKind::Market { size: Size::Base(qty) } => {
            params.with("type", "MARKET").with("quantity", &qty.to_string())
        }
        OrderKind::Market { size: Size::Quote(quote) } => {
            params.with("type", "MARKET").with("quoteOrderQty", &quote.to_string())
        }
        OrderKind::Limit { price, qty, time_in_force } => params
            .with("type", "LIMIT")
            .with("timeInForce", in_force(time_in_force))
            .with("quantity", &qty.to_string())
            .with("price", &price.to_string()),
        OrderKind::LimitMaker { price, qty } => params
            .with("type", "LIMIT_MAKER")
            .with("quantity", &qty.to_string())
            .with("price", &price.to_string()),
    };
    params.with("newClientOrderId", &request.client_id.to_string()).with("newOrderRespType", "FULL")
}

const fn in_force(time_in_force: TimeInForce) -> &'static str {
    match time_in_force {
        TimeInForce::GoodTillCancelled => "GTC",
        TimeInForce::ImmediateOrCancel => "IOC",
        TimeInForce::FillOrKill => "FOK",
    }
}
