//! What the exchange told last of an account: balances, what they were worth, and how much of the limit
//! was used. Nobody trades on it.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use tranche_engine::database::DatabaseStore;
use tranche_model::{
    asset::{Asset, Symbol},
    balance::Balance,
    ids::InstrumentId,
    time::{Millis, Timestamp},
};
use tranche_store::{Account, PriceRow};

use crate::{console, ground::Ground};

/// A price that was told longer ago than this is called old.
const OLD_AFTER: Millis = Millis::from_secs(60);

#[derive(Debug, Serialize)]
pub(super) struct Told {
    balances: Vec<Holding>,
    limits: Vec<Limit>,
}

#[derive(Debug, Serialize)]
struct Holding {
    asset: String,
    free: String,
    locked: String,
    told: String,
    age_seconds: u32,
    worth: Option<Worth>,
}

/// Free and locked together at the last price.
#[derive(Debug, Serialize)]
struct Worth {
    amount: String,
    asset: String,
    price: String,
    told: String,
    age_seconds: u32,
    is_old: bool,
}

/// Of the request weight of this minute, for all accounts that are traded from one address.
#[derive(Debug, Serialize)]
struct Limit {
    /// The name of the address.
    egress: String,
    used: u64,
    minute: String,
    is_this_minute: bool,
    banned_until: Option<String>,
}

impl Told {
    pub(super) async fn read(
        ground: &Ground,
        account: &Account,
        pairs: &BTreeMap<InstrumentId, Symbol>,
    ) -> Result<Self> {
        let now = ground.now();
        let prices = ground.store.prices(&account.venue).await?;
        let mut balances = Vec::new();
        for (balance, at) in ground.store.balances(account.account).await? {
            if balance.free.is_zero() && balance.locked.is_zero() {
                continue;
            }
            let priced = price_of(balance.asset, &prices, pairs);
            let worth = priced.and_then(|(row, quote)| Worth::of(&balance, (row, quote), now));
            balances.push(Holding {
                asset: balance.asset.to_string(),
                free: balance.free.to_string(),
                locked: balance.locked.to_string(),
                told: at.to_string(),
                age_seconds: seconds(now.since(at)),
                worth,
            });
        }
        let used = DatabaseStore::usages_of(&ground.store, &account.venue).await?;
        let limits = used.into_iter().map(|(egress, usage)| Limit {
            egress,
            used: usage.used,
            minute: usage.began_at.to_string(),
            is_this_minute: now < usage.began_at.plus(Millis::from_secs(60)),
            banned_until: usage
                .banned_until
                .filter(|until| now < *until)
                .map(|until| until.to_string()),
        });
        Ok(Self { balances, limits: limits.collect() })
    }

    pub(super) fn say(&self) -> Result<()> {
        for Holding { asset, free, locked, age_seconds, worth, .. } in &self.balances {
            let worth = worth.as_ref().map_or_else(String::new, Worth::words);
            let told = ago(*age_seconds);
            console::say(&format!(
                "balance     {asset} {free} free, {locked} locked, told {told}{worth}"
            ))?;
        }
        for limit in &self.limits {
            let egress = match self.limits.as_slice() {
                [_] => String::new(),
                _ => format!(" from `{}`", limit.egress),
            };
            let used = if limit.is_this_minute { limit.used } else { 0 };
            console::say(&format!(
                "limit       {used} of request weight used in this minute{egress}"
            ))?;
            if let Some(until) = &limit.banned_until {
                console::say(&format!(
                    "banned      the exchange takes nothing{egress} until {until}"
                ))?;
            }
        }
        Ok(())
    }
}

impl Worth {
    fn of(balance: &Balance, (row, quote): (&PriceRow, Asset), now: Timestamp) -> Option<Self> {
        let worth = row.price.times(balance.total().ok()?.qty()).ok()?;
        let age = now.since(row.at);
        Some(Self {
            amount: worth.to_string(),
            asset: quote.to_string(),
            price: row.price.to_string(),
            told: row.at.to_string(),
            age_seconds: seconds(age),
            is_old: OLD_AFTER < age,
        })
    }

    fn words(&self) -> String {
        let Self { amount, asset, price, age_seconds, is_old, .. } = self;
        let old = if *is_old { "the old price" } else { "the price" };
        format!("; worth {amount} {asset} at {old} {price} of {}", ago(*age_seconds))
    }
}

/// The last price of the asset told, and what it is in.
fn price_of<'a>(
    asset: Asset,
    prices: &'a [PriceRow],
    pairs: &BTreeMap<InstrumentId, Symbol>,
) -> Option<(&'a PriceRow, Asset)> {
    let of = prices.iter().filter_map(|row| {
        let symbol = pairs.get(&row.instrument).filter(|symbol| symbol.base == asset)?;
        Some((row, symbol.quote))
    });
    of.max_by_key(|(row, _)| row.at)
}

fn seconds(span: Millis) -> u32 {
    span.ms() / 1000
}

fn ago(seconds: u32) -> String {
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        172_800.. => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use tranche_model::money::{Amount, Price};

    use super::*;

    #[test]
    fn a_price_is_old_after_a_minute_and_the_worth_says_so() {
        let row = PriceRow {
            instrument: InstrumentId::new(0),
            price: Price::parse("60000").unwrap(),
            at: Timestamp::from_ms(0),
        };
        let (btc, usdt) = (Asset::parse("BTC").unwrap(), Asset::parse("USDT").unwrap());
        let half = Amount::parse("0.25").unwrap();
        let balance = Balance { asset: btc, free: half, locked: half };
        let words = |ms| Worth::of(&balance, (&row, usdt), Timestamp::from_ms(ms)).unwrap().words();

        assert_eq!(words(60_000), "; worth 30000 USDT at the price 60000 of 60 s ago");
        assert_eq!(words(180_000), "; worth 30000 USDT at the old price 60000 of 3 min ago");
    }

    #[test]
    fn the_price_told_last_counts() {
        let symbol = |text| Symbol::parse(text).unwrap();
        let ids = [0, 1, 2].map(InstrumentId::new);
        let pairs = ids.into_iter().zip(["BTC/USDT", "BTC/USDC", "ETH/BTC"].map(symbol)).collect();
        let row = |(instrument, ms)| PriceRow {
            instrument,
            price: Price::parse("5").unwrap(),
            at: Timestamp::from_ms(ms),
        };
        let rows: Vec<PriceRow> = ids.into_iter().zip([5, 9, 20]).map(row).collect();

        let (found, quote) = price_of(Asset::parse("BTC").unwrap(), &rows, &pairs).unwrap();

        assert_eq!((found.instrument, quote.as_str()), (ids[1], "USDC"));
        assert!(price_of(Asset::parse("USDT").unwrap(), &rows, &pairs).is_none());
    }
}
