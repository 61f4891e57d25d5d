//! What exchanges said: instruments, balances, prices, and the request weight that was used.
//!
//! The numbers of instruments are ground state; the rest can be asked for again.

use std::collections::BTreeMap;

use tranche_model::{
    balance::Balance,
    ids::{AccountId, InstrumentId},
    instrument::{Instrument, Instruments, TradingStatus},
    money::{Amount, Price},
    time::Timestamp,
};

use crate::{
    error::StoreError,
    sql::{Cells, Insert, Statement, Tx, Value},
    store::Store,
};

/// How much of an exchange's list a caller has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// What is absent is gone.
    Complete,
    /// What is absent stays as it was.
    Partial,
}

/// A last price with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRow {
    pub instrument: InstrumentId,
    pub price: Price,
    pub at: Timestamp,
}

/// What an outgoing address used of an exchange's limit, so that a restart does not begin from zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedWeight {
    pub venue: String,
    /// The outgoing address, as the settings name it.
    pub address: String,
    /// Which limit, in the exchange's words.
    pub span: String,
    pub began_at: Timestamp,
    pub used: u64,
    /// No request leaves before this.
    pub banned_until: Option<Timestamp>,
}

/// What exchanges told since it was written down last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    pub balances: Vec<BalancesNote>,
    /// The exchange of the prices.
    pub venue: String,
    pub prices: Vec<PriceRow>,
    pub weight: Option<UsedWeight>,
}

/// Balances of one account, and whether they are all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancesNote {
    pub account: AccountId,
    pub balances: Vec<Balance>,
    pub listing: Listing,
    pub at: Timestamp,
}

const INSTRUMENT: &str =
    "SELECT instrument, body FROM instruments WHERE venue = $1 ORDER BY instrument";
const INSTRUMENTS: &str = "instruments (venue, instrument, symbol, body, at)";
const INSTRUMENTS_REPLACE: &str =
    "ON CONFLICT (venue, instrument) DO UPDATE SET body = excluded.body, at = excluded.at";
const BALANCES: &str = "balances (account, asset, free, locked, at)";
const BALANCES_REPLACE: &str = "ON CONFLICT (account, asset) DO UPDATE SET free = excluded.free, \
    locked = excluded.locked, at = excluded.at";
const PRICES: &str = "prices (venue, instrument, price, at)";
const PRICES_REPLACE: &str = "ON CONFLICT (venue, instrument) DO UPDATE SET \
    price = excluded.price, at = excluded.at WHERE prices.at <= excluded.at";
const WEIGHTS: &str = "weights (venue, address, span, began_at, used, banned_until)";
/// Hosts behind one address write the same row, and each knows only what it heard: the higher count of a
/// span holds, and the later end of a ban.
const WEIGHTS_REPLACE: &str = "ON CONFLICT (venue, address, span) DO UPDATE SET \
    began_at = excluded.began_at, used = CASE WHEN excluded.began_at = weights.began_at \
    AND excluded.used < weights.used THEN weights.used ELSE excluded.used END, \
    banned_until = CASE WHEN excluded.banned_until IS NULL \
    OR excluded.banned_until < weights.banned_until \
    THEN weights.banned_until ELSE excluded.banned_until END";

impl Store {
    /// Takes over what an exchange says of its instruments. One that is known keeps its number, which
    /// snapshots and fills name; a new one gets the next. The numbers in `fresh` do not count. One that
    /// is absent from a complete list is delisted, and stays.
    pub async fn adopt_instruments(
        &self,
        venue: &str,
        fresh: &[Instrument],
        listing: Listing,
        now: Timestamp,
    ) -> Result<Instruments, StoreError> {
        let mut tx = self.write.begin().await?;
        if tx.is_postgres() {
            tx.run(Statement::new("LOCK TABLE instruments IN SHARE ROW EXCLUSIVE MODE")).await?;
        }
        let rows = tx.rows("instruments", Statement::new(INSTRUMENT).bind(venue)).await?;
        let known = rows.into_iter().map(read_instrument).collect::<Result<Vec<_>, _>>()?;
        let mut fresh: BTreeMap<String, &Instrument> =
            fresh.iter().map(|instrument| (instrument.symbol.to_string(), instrument)).collect();
        let mut list = Vec::with_capacity(known.len().max(fresh.len()));
        let mut changed = Vec::new();
        for mut instrument in known {
            let before = instrument.clone();
            match fresh.remove(&instrument.symbol.to_string()) {
                Some(fresh) => instrument = Instrument { id: before.id, ..fresh.clone() },
                None if listing == Listing::Complete => instrument.status = TradingStatus::Delisted,
                None => {}
            }
            if instrument != before {
                changed.push(instrument_row(venue, &instrument, now)?);
            }
            list.push(instrument);
        }
        for new in fresh.into_values() {
            let id = u32::try_from(list.len()).map(InstrumentId::new);
            let id = id.map_err(|_| StoreError::Failed("too many instruments".to_owned()))?;
            let instrument = Instrument { id, ..new.clone() };
            changed.push(instrument_row(venue, &instrument, now)?);
            list.push(instrument);
        }
        Insert::new(INSTRUMENTS, changed).on_conflict(INSTRUMENTS_REPLACE).run(&mut tx).await?;
        tx.commit().await?;
        whole(list)
    }

    /// The instruments of an exchange as they were last adopted.
    pub async fn instruments(&self, venue: &str) -> Result<Instruments, StoreError> {
        let rows = self.read.rows("instruments", Statement::new(INSTRUMENT).bind(venue)).await?;
        whole(rows.into_iter().map(read_instrument).collect::<Result<_, _>>()?)
    }

    /// Writes balances of an account; with [`Listing::Complete`], what is absent is gone.
    pub async fn put_balances(
        &self,
        account: AccountId,
        balances: &[Balance],
        listing: Listing,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.write.begin().await?;
        write_balances(&mut tx, (account, listing, now), balances).await?;
        Ok(tx.commit().await?)
    }

    /// The balances of an account with their times, in the order of their assets.
    pub async fn balances(
        &self,
        account: AccountId,
    ) -> Result<Vec<(Balance, Timestamp)>, StoreError> {
        let all = "SELECT asset, free, locked, at FROM balances WHERE account = $1";
        let rows = self.read.rows("balances", Statement::new(all).bind(account)).await?;
        let read = |mut row: Cells| -> Result<_, StoreError> {
            let asset = row.asset()?;
            let (free, locked) = (Amount::new(row.decimal()?), Amount::new(row.decimal()?));
            Ok((Balance { asset, free, locked }, row.time()?))
        };
        let mut balances = rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        balances.sort_by(|(one, _), (other, _)| one.asset.as_str().cmp(other.asset.as_str()));
        Ok(balances)
    }

    /// Writes last prices; an older one never replaces a newer one.
    pub async fn put_prices(&self, venue: &str, prices: &[PriceRow]) -> Result<(), StoreError> {
        let mut tx = self.write.begin().await?;
        write_prices(&mut tx, venue, prices).await?;
        Ok(tx.commit().await?)
    }

    pub async fn prices(&self, venue: &str) -> Result<Vec<PriceRow>, StoreError> {
        let all = Statement::new(
            "SELECT instrument, price, at FROM prices WHERE venue = $1 ORDER BY instrument",
        );
        let rows = self.read.rows("prices", all.bind(venue)).await?;
        rows.into_iter()
            .map(|mut row| {
                let instrument = InstrumentId::new(row.id()?);
                Ok(PriceRow { instrument, price: Price::new(row.decimal()?), at: row.time()? })
            })
            .collect()
    }

    /// Writes what an address used of one limit, replacing what was said of it before.
    pub async fn put_weight(&self, weight: &UsedWeight) -> Result<(), StoreError> {
        let mut tx = self.write.begin().await?;
        write_weight(&mut tx, weight).await?;
        Ok(tx.commit().await?)
    }

    /// Writes all of it in one transaction, which waits for the disk once.
    pub async fn put_notes(&self, notes: &Notes) -> Result<(), StoreError> {
        let mut tx = self.write.begin().await?;
        for BalancesNote { account, balances, listing, at } in &notes.balances {
            write_balances(&mut tx, (*account, *listing, *at), balances).await?;
        }
        write_prices(&mut tx, &notes.venue, &notes.prices).await?;
        if let Some(weight) = &notes.weight {
            write_weight(&mut tx, weight).await?;
        }
        Ok(tx.commit().await?)
    }

    pub async fn weights(&self) -> Result<Vec<UsedWeight>, StoreError> {
        let all = Statement::new(
            "SELECT venue, address, span, began_at, used, banned_until FROM weights",
        );
        let mut weights = Vec::new();
        for mut row in self.read.rows("weights", all).await? {
            weights.push(UsedWeight {
                venue: row.text()?,
                address: row.text()?,
                span: row.text()?,
                began_at: row.time()?,
                used: row.id()?,
                banned_until: row.time_or_null()?,
            });
        }
        // In one order on both databases, whatever their rules for sorting text.
        weights.sort_by(|one, other| {
            (&one.venue, &one.address, &one.span).cmp(&(&other.venue, &other.address, &other.span))
        });
        Ok(weights)
    }
}

async fn write_balances(
    tx: &mut Tx,
    (account, listing, now): (AccountId, Listing, Timestamp),
    balances: &[Balance],
) -> Result<(), StoreError> {
    if listing == Listing::Complete {
        let gone = Statement::new("DELETE FROM balances WHERE account = $1").bind(account);
        tx.run(gone).await?;
    }
    let last: BTreeMap<&str, [Value; 5]> = balances
        .iter()
        .map(|balance| (balance.asset.as_str(), balance_row(account, balance, now)))
        .collect();
    let rows = last.into_values().collect();
    Insert::new(BALANCES, rows).on_conflict(BALANCES_REPLACE).run(tx).await?;
    Ok(())
}

async fn write_prices(tx: &mut Tx, venue: &str, prices: &[PriceRow]) -> Result<(), StoreError> {
    let mut last: BTreeMap<InstrumentId, &PriceRow> = BTreeMap::new();
    for row in prices {
        let kept = last.entry(row.instrument).or_insert(row);
        if kept.at <= row.at {
            *kept = row;
        }
    }
    let rows = last
        .into_values()
        .map(|row| [venue.into(), row.instrument.into(), row.price.into(), row.at.into()]);
    Insert::new(PRICES, rows.collect()).on_conflict(PRICES_REPLACE).run(tx).await?;
    Ok(())
}

async fn write_weight(tx: &mut Tx, weight: &UsedWeight) -> Result<(), StoreError> {
    let row = [
        weight.venue.as_str().into(),
        weight.address.as_str().into(),
        weight.span.as_str().into(),
        weight.began_at.into(),
        weight.used.into(),
        weight.banned_until.into(),
    ];
    Insert::new(WEIGHTS, vec![row]).on_conflict(WEIGHTS_REPLACE).run(tx).await?;
    Ok(())
}

fn read_instrument(mut row: Cells) -> Result<Instrument, StoreError> {
    let (id, body) = (InstrumentId::new(row.id()?), row.text()?);
    let read: Result<Instrument, _> = serde_json::from_str(&body);
    let instrument = read.map_err(|error| row.corrupt(&error.to_string()))?;
    Ok(Instrument { id, ..instrument })
}

fn instrument_row(
    venue: &str,
    instrument: &Instrument,
    now: Timestamp,
) -> Result<[Value; 5], StoreError> {
    let body = serde_json::to_string(instrument);
    let body = body.map_err(|error| StoreError::Failed(error.to_string()))?;
    let symbol = instrument.symbol.to_string();
    Ok([venue.into(), instrument.id.into(), symbol.into(), body.into(), now.into()])
}

fn balance_row(account: AccountId, balance: &Balance, now: Timestamp) -> [Value; 5] {
    let Balance { asset, free, locked } = *balance;
    [account.into(), asset.into(), free.into(), locked.into(), now.into()]
}

fn whole(list: Vec<Instrument>) -> Result<Instruments, StoreError> {
    let gap = || StoreError::Corrupt {
        table: "instruments",
        what: "their numbers have a gap".to_owned(),
    };
    Instruments::new(list).ok_or_else(gap)
}
