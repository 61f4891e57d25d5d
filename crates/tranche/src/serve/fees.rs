//! What accounts pay, as their exchange says. Estimates: fills say what was paid.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result};
use tokio::time::timeout;
use tranche_model::{
    balance::FeeRates,
    ids::{AccountId, InstrumentId},
    instrument::TradingStatus,
    time::{Millis, Timestamp},
};
use tranche_store::Account;
use tranche_trading::codec;
use tranche_venue::venue::VenueAccount;

use crate::ground::Ground;

/// An exchange that did not say is asked again after this.
const AGAIN: Millis = Millis::from_secs(60);
/// Nobody waits longer for an estimate.
const WITHIN: Duration = Duration::from_secs(3);
/// On so many pairs of an account's bots its fees are asked for; the dearest count.
const PAIRS_MAX: usize = 5;

/// What is known, and when it is asked for again.
#[derive(Debug, Default)]
pub(super) struct Fees {
    known: BTreeMap<AccountId, FeeRates>,
    day: Option<i64>,
    again_at: Option<Timestamp>,
}

impl Fees {
    pub(super) fn of(&self, account: AccountId) -> Option<FeeRates> {
        self.known.get(&account).copied()
    }

    pub(super) fn learned(&mut self, account: AccountId, rates: FeeRates, now: Timestamp) {
        self.known.insert(account, rates);
        self.day = self.day.or_else(|| Some(now.utc_day()));
    }

    pub(super) fn failed(&mut self, now: Timestamp) {
        self.again_at = Some(now.plus(AGAIN));
    }

    /// Whether all are to be asked for now; told once.
    pub(super) fn is_due(&mut self, now: Timestamp) -> bool {
        let is_late = self.again_at.is_some_and(|at| at <= now);
        let is_new_day = self.day.is_some_and(|day| day < now.utc_day());
        if is_late || is_new_day {
            self.again_at = None;
            self.day = Some(now.utc_day());
        }
        is_late || is_new_day
    }
}

/// The dearest of what the account pays on the pairs of its bots; without bots, on the first pair that is
/// traded. `None` when there is no such pair.
pub(super) async fn ask(
    ground: &Ground,
    account: &Account,
    door: &dyn VenueAccount,
) -> Result<Option<FeeRates>> {
    let mut dearest: Option<FeeRates> = None;
    for instrument in pairs(ground, account).await? {
        let rates = timeout(WITHIN, door.fees(instrument)).await.context("no answer in time")??;
        dearest = Some(match dearest {
            Some(known) => FeeRates {
                maker: known.maker.max(rates.maker),
                taker: known.taker.max(rates.taker),
            },
            None => rates,
        });
    }
    Ok(dearest)
}

async fn pairs(ground: &Ground, account: &Account) -> Result<Vec<InstrumentId>> {
    let listed = ground.store.instruments(&account.venue).await?;
    let is_traded =
        |id: &InstrumentId| listed.get(*id).is_some_and(|it| it.status == TradingStatus::Trading);
    let mut pairs = Vec::new();
    for (_, body) in ground.store.snapshot(account.account).await?.bots {
        pairs.extend(codec::decode_bot(&body)?.lanes.iter().map(|lane| lane.instrument));
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs.retain(is_traded);
    pairs.truncate(PAIRS_MAX);
    if pairs.is_empty() {
        pairs.extend(listed.iter().map(|it| it.id).find(is_traded));
    }
    Ok(pairs)
}

/// `0.1 % maker, 0.1 % taker`.
pub(crate) fn words(rates: FeeRates) -> String {
    let pct = |rate: tranche_model::money::Fraction| {
        rate.pct().map_or_else(|_| rate.to_string(), |pct| format!("{} %", pct.normalize()))
    };
    format!("{} maker, {} taker", pct(rates.maker), pct(rates.taker))
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;
    use tranche_model::money::Fraction;

    use super::*;

    fn rates(maker: i64, taker: i64) -> FeeRates {
        let fraction = |tenths| Fraction::new(Decimal::new(tenths, 4));
        FeeRates { maker: fraction(maker), taker: fraction(taker) }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(seconds * 1000)
    }

    #[test]
    fn fees_are_asked_for_with_each_new_day_and_again_when_there_was_no_answer() {
        let mut fees = Fees::default();
        let account = AccountId::new(1);
        assert!(!fees.is_due(at(0)), "nothing was asked yet");
        fees.learned(account, rates(1, 2), at(0));

        assert!(!fees.is_due(at(86_399)));
        assert!(fees.is_due(at(86_400)));
        assert!(!fees.is_due(at(86_401)));
        fees.failed(at(86_401));
        assert!(!fees.is_due(at(86_460)));
        assert!(fees.is_due(at(86_461)));
        assert!(!fees.is_due(at(86_462)));
        assert_eq!(fees.of(account), Some(rates(1, 2)));
    }

    #[test]
    fn fees_are_told_in_per_cent() {
        assert_eq!(words(rates(10, 5)), "0.1 % maker, 0.05 % taker");
    }
}
