//! What accounts pay, as their exchange says. Estimates: fills say what was paid.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result};
use tokio::time::timeout;
use tranche_model::{
    balance::FeeRates,
    ids::{AccountId, InstrumentId},
    instrument::TradingStatus,
    time::Timestamp,
};
use tranche_store::Account;
use tranche_trading::codec;
use tranche_venue::venue::{ReadError, VenueAccount};

use super::rounds::Rounds;
use crate::ground::Ground;

/// Nobody waits longer for an estimate.
const WITHIN: Duration = Duration::from_secs(3);
/// On so many pairs of an account's bots its fees are asked for; the dearest count.
const PAIRS_MAX: usize = 5;
/// So many accounts are asked for before they begin; the others while they trade.
pub(super) const AT_START: usize = 8;
/// In a turn beside the trading: each question weighs much at the exchange.
const IN_A_TURN: usize = 1;
const DAY_MS: i64 = 86_400_000;

/// What is known, and when it is asked for again.
#[derive(Debug, Default)]
pub(super) struct Fees {
    known: BTreeMap<AccountId, FeeRates>,
    rounds: Rounds,
}

impl Fees {
    pub(super) fn of(&self, account: AccountId) -> Option<FeeRates> {
        self.known.get(&account).copied()
    }

    /// The accounts to ask for in this turn.
    pub(super) fn due(&self, now: Timestamp) -> Vec<AccountId> {
        self.rounds.due(now, IN_A_TURN)
    }

    /// Asks for the account's fees from now on, if it has a key to ask with.
    pub(super) fn watch(&mut self, account: &Account, now: Timestamp) {
        if account.credential.is_some() {
            self.rounds.watch(account.account, now);
        }
    }

    /// Takes an answer down; `None` says that nothing is traded there. It is asked for again with the new
    /// day.
    pub(super) fn learned(&mut self, account: AccountId, rates: Option<FeeRates>, now: Timestamp) {
        if let Some(rates) = rates {
            self.known.insert(account, rates);
        }
        let midnight = now.utc_day().saturating_add(1).saturating_mul(DAY_MS);
        self.rounds.answered(account, Timestamp::from_ms(midnight));
    }

    /// It is not asked for any more.
    pub(super) fn forget(&mut self, account: AccountId) {
        self.rounds.forget(account);
    }

    /// There was no answer, perhaps because the exchange wants to be left alone. Returns whether that is news.
    pub(super) fn failed(
        &mut self,
        account: AccountId,
        error: &anyhow::Error,
        now: Timestamp,
    ) -> bool {
        if let Some(ReadError::Throttled { retry_at, .. }) = error.downcast_ref() {
            self.rounds.be_silent_until(*retry_at);
        }
        self.rounds.failed(account, now)
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
        let account = AccountId::new(60);
        assert!(fees.due(at(0)).is_empty(), "nobody is there");
        fees.learned(account, Some(rates(1, 2)), at(0));

        assert!(fees.due(at(86_399)).is_empty());
        assert_eq!(fees.due(at(86_400)), [account]);
        let error = anyhow::anyhow!("no answer");
        assert!(fees.failed(account, &error, at(86_400)));
        assert!(fees.due(at(86_419)).is_empty());
        assert_eq!(fees.due(at(86_420)), [account]);
        assert!(!fees.failed(account, &error, at(86_420)), "it was told");
        fees.learned(account, None, at(86_440));
        assert!(fees.due(at(2 * 86_400 - 1)).is_empty());
        assert_eq!(fees.due(at(2 * 86_400)), [account]);
        assert_eq!(fees.of(account), Some(rates(1, 2)));
    }

    #[test]
    fn an_exchange_that_wants_to_be_left_alone_is_not_asked_for_any_account() {
        let mut fees = Fees::default();
        let (one, other) = (AccountId::new(60), AccountId::new(120));
        fees.learned(one, None, at(0));
        fees.learned(other, None, at(0));
        let error = ReadError::Throttled { retry_at: at(90_000), banned: false };
        fees.failed(one, &anyhow::Error::from(error).context("asked"), at(86_400));

        assert!(fees.due(at(89_999)).is_empty());
        assert_eq!(fees.due(at(90_000)), [other], "one in a turn, who waited longest");
    }

    #[test]
    fn fees_are_told_in_per_cent() {
        assert_eq!(words(rates(10, 5)), "0.1 % maker, 0.05 % taker");
    }
}
