//! The control address: state, faults, steps, deposits, cuts, bans, books.
//!
//! It is for tests and operators, answers in its own words, and knows no keys: it must not be
//! reachable from where clients are.

use std::net::IpAddr;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tranche_model::{
    asset::Asset,
    candle::Tick,
    fill::Fill,
    instrument::TradingStatus,
    money::{Amount, Price, Qty},
    time::{Millis, Timestamp},
};

use crate::{
    binance::{rest::Answer, words},
    faults::{Deck, FaultProfile, FaultRule},
    market::Step,
    world::{Shared, World, hub::Kind},
};

/// A refusal in one sentence.
type Said = Result<Value, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deposit {
    account: String,
    asset: Asset,
    /// Below zero takes out what is free.
    amount: Amount,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cut {
    which: Which,
    /// Only connections with private streams of this account.
    #[serde(default)]
    account: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Which {
    Market,
    Api,
    All,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ban {
    /// Without it, every address that was seen.
    #[serde(default)]
    ip: Option<IpAddr>,
    seconds: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    account: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Skew {
    /// How far the clock that clients see is ahead.
    ms: i64,
}

/// What a key may do from now on; what is left out stays as it was.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRights {
    key: String,
    #[serde(default)]
    read: Option<bool>,
    #[serde(default)]
    trade: Option<bool>,
    #[serde(default)]
    withdraw: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Push {
    symbol: String,
    price: Price,
    #[serde(default)]
    qty: Qty,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Status {
    symbol: String,
    status: TradingStatus,
}

pub(crate) fn answer(shared: &Shared, method: &str, path: &str, body: &[u8]) -> Answer {
    let said = match (method, path) {
        ("POST", "/step") => read(body).map(|step: Step| {
            let passed = shared.recording.step(shared, step);
            json!({"passed": passed})
        }),
        _ => shared.world().control(method, path, body),
    };
    match said {
        Ok(body) => Answer::json(200, &body),
        Err(what) => Answer::json(400, &json!({"error": what})),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

impl World {
    fn control(&mut self, method: &str, path: &str, body: &[u8]) -> Said {
        match (method, path) {
            ("GET", "/state") => Ok(self.state()),
            ("GET", "/books") => Ok(self.books()),
            ("GET", "/faults") => Ok(json!(self.deck.tallies())),
            ("PUT", "/faults") => read(body).map(|profile: FaultProfile| {
                self.deck = Deck::new(&profile);
                json!({})
            }),
            ("POST", "/fault") => read(body).map(|rule: FaultRule| {
                let count = rule.count.or(Some(1));
                self.deck.add(FaultRule { count, ..rule });
                json!({})
            }),
            ("POST", "/deposit") => self.put_in(&read(body)?),
            ("POST", "/cut") => self.cut(&read(body)?),
            ("POST", "/expire") => {
                let Named { account } = read(body)?;
                let id = self.account_named(&account).ok_or_else(|| no_account(&account))?;
                let now = self.now();
                Ok(json!({"ended": self.hub.expire(id, now)}))
            }
            ("POST", "/skew") => {
                let Skew { ms } = read(body)?;
                self.skew = ms;
                Ok(json!({}))
            }
            ("POST", "/ban") => {
                let Ban { ip, seconds } = read(body)?;
                let (span, now) = (Millis::from_secs(seconds), self.now());
                match ip {
                    Some(ip) => self.limits.ban(ip, span, now),
                    None => return Ok(json!({"banned": self.limits.ban_all(span, now)})),
                }
                Ok(json!({"banned": 1}))
            }
            ("POST", "/rights") => self.set_rights(&read(body)?),
            ("POST", "/tick") => {
                let Push { symbol, price, qty } = read(body)?;
                let found = self.instrument(&symbol).map(|it| it.id);
                let instrument = found.ok_or_else(|| format!("no symbol `{symbol}`"))?;
                self.trade(&Tick { instrument, price, qty, at: Timestamp::MIN });
                Ok(json!({}))
            }
            ("POST", "/status") => {
                let Status { symbol, status } = read(body)?;
                let found = self.instrument(&symbol).map(|it| it.id);
                let instrument = found.ok_or_else(|| format!("no symbol `{symbol}`"))?;
                let now = self.now();
                self.exchange.set_status(instrument, status, now);
                self.settle();
                Ok(json!({}))
            }
            _ => Err(format!("nothing answers {method} {path}")),
        }
    }

    fn state(&mut self) -> Value {
        let now = self.now();
        let (market, api) = self.hub.counts();
        let addresses: Vec<Value> = self
            .limits
            .addresses(now)
            .map(|(ip, weight, banned)| {
                let banned = banned.filter(|until| now < *until).map(Timestamp::ms);
                json!({"ip": ip, "used_weight": weight, "banned_until": banned})
            })
            .collect();
        json!({
            "time": now.ms(),
            "feed": {
                "items": self.progress.items,
                "at": self.progress.at.map(Timestamp::ms),
                "is_over": self.progress.is_over,
            },
            "connections": {"market": market, "api": api},
            "open_orders": self.records.open_count(),
            "addresses": addresses,
        })
    }

    /// The exchange's own books, for an audit of a client's.
    fn books(&self) -> Value {
        let instruments = self.exchange.instruments();
        let accounts: Vec<Value> = self
            .accounts
            .iter()
            .map(|account| {
                let fills = instruments
                    .iter()
                    .flat_map(|it| self.exchange.trades(account.id, it.id, Timestamp::MIN));
                let open = self.records.open_of(account.id).filter_map(|record| {
                    let state = record.state()?;
                    Some(json!({
                        "symbol": self.symbol(record.instrument),
                        "order_id": words::id(record.id.get()),
                        "client_order_id": record.client_id,
                        "side": record.side,
                        "price": record.kind.price(),
                        "qty": record.qty(),
                        "executed": state.executed,
                    }))
                });
                json!({
                    "account": account.name,
                    "balances": self.exchange.balances(account.id),
                    "open_orders": open.collect::<Vec<Value>>(),
                    "fills": fills.map(|fill| self.fill(&fill)).collect::<Vec<Value>>(),
                })
            })
            .collect();
        let assets: std::collections::BTreeSet<Asset> =
            instruments.iter().flat_map(|it| [it.symbol.base, it.symbol.quote]).collect();
        let sums: Vec<Value> = assets
            .into_iter()
            .map(|asset| {
                json!({
                    "asset": asset,
                    "fees_taken": self.exchange.fees_taken(asset),
                    "tape_gained": self.exchange.tape_gained(asset),
                })
            })
            .collect();
        let audit = self.exchange.audit().err().map(|error| error.to_string());
        json!({"accounts": accounts, "assets": sums, "audit_error": audit})
    }

    fn fill(&self, fill: &Fill) -> Value {
        json!({
            "symbol": self.symbol(fill.instrument),
            "order_id": words::id(fill.venue_order_id.get()),
            "client_order_id": fill.client_id.map(|id| self.names.text(id)),
            "trade_id": words::id(fill.trade_id.get()),
            "side": fill.side,
            "price": fill.price,
            "qty": fill.qty,
            "quote": fill.quote,
            "fee": fill.fee.amount,
            "fee_asset": fill.fee.asset,
            "liquidity": fill.liquidity,
            "at": fill.at.ms(),
        })
    }

    /// Streams that are open go on: the exchange asks for rights when it is asked for something.
    fn set_rights(&mut self, wanted: &KeyRights) -> Said {
        let name = &wanted.key;
        let key = self.keys.get_mut(name).ok_or_else(|| format!("no key `{name}`"))?;
        let rights = &mut key.rights;
        rights.read = wanted.read.unwrap_or(rights.read);
        rights.trade = wanted.trade.unwrap_or(rights.trade);
        rights.withdraw = wanted.withdraw.unwrap_or(rights.withdraw);
        Ok(json!({}))
    }

    fn put_in(&mut self, deposit: &Deposit) -> Said {
        let account = &deposit.account;
        let id = self.account_named(account).ok_or_else(|| no_account(account))?;
        let done = self.deposit(id, deposit.asset, deposit.amount);
        done.map(|()| json!({})).map_err(|error| error.to_string())
    }

    fn cut(&mut self, cut: &Cut) -> Said {
        let account = match &cut.account {
            Some(name) => Some(self.account_named(name).ok_or_else(|| no_account(name))?),
            None => None,
        };
        let count = self.hub.cut(|kind| {
            let is_meant = match (cut.which, kind) {
                (Which::All, _)
                | (Which::Market, Kind::Streams { .. })
                | (Which::Api, Kind::Api(_)) => true,
                (Which::Market, Kind::Api(_)) | (Which::Api, Kind::Streams { .. }) => false,
            };
            is_meant && account.is_none_or(|account| kind.listens_to(account))
        });
        Ok(json!({"cut": count}))
    }
}

fn no_account(name: &str) -> String {
    format!("no account `{name}`")
}
