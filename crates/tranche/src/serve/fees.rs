//! What accounts pay, as their exchange says. Estimates: fills say what was paid.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;
use tokio::time::timeout;
use tranche_model::{
    balance::FeeRates,
    ids::{AccountId, InstrumentId},
    instrument::TradingStatus,
    time::{Millis, Timestamp},
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
/// In a turn beside the trading.
pub(super) const IN_A_TURN: usize = 1;
/// After each question: at Binance it weighs 20 of the 6,000 of a minute, and a fifth of these is enough.
const PAUSE: Millis = Millis::from_secs(1);
const DAY_MS: i64 = 86_400_000;

/// What is known, and when it is asked for again.
#[derive(Debug, Default)]
pub(super) struct Fees {
    known: BTreeMap<AccountId, FeeRates>,
    rounds: Rounds,
    /// Nobody is asked for before.
    next_at: Timestamp,
}

/// What became of the questions for one account.
pub(super) struct Answer {
    questions: u32,
    /// `None` where nothing is traded.
    rates: Result<Option<FeeRates>>,
}

impl Fees {
    pub(super) fn of(&self, account: AccountId) -> Option<FeeRates> {
        self.known.get(&account).copied()
    }

    /// At most so many accounts that are to be asked for now, the longest due first.
    pub(super) fn due(&self, now: Timestamp, most: usize) -> Vec<AccountId> {
        if now < self.next_at { Vec::new() } else { self.rounds.due(now, most) }
    }

    /// Asks for the account's fees from now on, if it has a key to ask with.
    pub(super) fn watch(&mut self, account: &Account, now: Timestamp) {
        if account.credential.is_some() {
            self.rounds.watch(account.account, now);
        }
    }

    /// Takes an answer down: it is asked for again with the new day, or soon where there was none. Returns an
    /// error that is news.
    pub(super) fn note(
        &mut self,
        account: AccountId,
        answer: Answer,
        now: Timestamp,
    ) -> Option<anyhow::Error> {
        self.next_at = self.next_at.max(now).plus(PAUSE.times(answer.questions));
        let rates = match answer.rates {
            Ok(rates) => rates,
            Err(error) => {
                if let Some(ReadError::Throttled { retry_at, .. }) = error.downcast_ref() {
                    self.rounds.be_silent_until(*retry_at);
                }
                return self.rounds.failed(account, now).then_some(error);
            }
        };
        if let Some(rates) = rates {
            self.known.insert(account, rates);
        }
        let midnight = now.utc_day().saturating_add(1).saturating_mul(DAY_MS);
        self.rounds.answered(account, Timestamp::from_ms(midnight));
        None
    }

    /// It is not asked for any more.
    pub(super) fn forget(&mut self, account: AccountId) {
        self.rounds.forget(account);
    }
}

impl Answer {
    /// Nobody could be asked.
    pub(super) const fn none(error: anyhow::Error) -> Self {
        Self { questions: 0, rates: Err(error) }
    }
}

/// Asks for the dearest of what the account pays on the pairs of its bots; without bots, on the first pair that
/// is traded.
pub(super) async fn ask(ground: &Ground, account: &Account, door: &dyn VenueAccount) -> Answer {
    let pairs = match pairs(ground, account).await {
        Ok(pairs) => pairs,
        Err(error) => return Answer::none(error),
    };
    let questions = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
    let asked = pairs.into_iter().map(async |pair| -> Result<FeeRates> {
        Ok(timeout(WITHIN, door.fees(pair)).await.context("no answer in time")??)
    });
    let dearest = |one: FeeRates, other: FeeRates| FeeRates {
        maker: one.maker.max(other.maker),
        taker: one.taker.max(other.taker),
    };
    let rates = try_join_all(asked).await.map(|rates| rates.into_iter().reduce(dearest));
    Answer { questions, rates }
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

    fn told(rates: Option<FeeRates>) -> Answer {
        Answer { questions: 0, rates: Ok(rates) }
    }

    #[test]
    fn fees_are_asked_for_with_each_new_day_and_again_when_there_was_no_answer() {
        let mut fees = Fees::default();
        let account = AccountId::new(60);
        assert!(fees.due(at(0), 1).is_empty(), "nobody is there");
        assert!(fees.note(account, told(Some(rates(1, 2))), at(0)).is_none());

        assert!(fees.due(at(86_399), 1).is_empty());
        assert_eq!(fees.due(at(86_400), 1), [account]);
        let silence = || Answer::none(anyhow::anyhow!("no answer"));
        assert!(fees.note(account, silence(), at(86_400)).is_some());
        assert!(fees.due(at(86_419), 1).is_empty());
        assert_eq!(fees.due(at(86_420), 1), [account]);
        assert!(fees.note(account, silence(), at(86_420)).is_none(), "it was told");
        fees.note(account, told(None), at(86_440));
        assert!(fees.due(at(2 * 86_400 - 1), 1).is_empty());
        assert_eq!(fees.due(at(2 * 86_400), 1), [account]);
        assert_eq!(fees.of(account), Some(rates(1, 2)));
    }

    #[test]
    fn an_exchange_that_wants_to_be_left_alone_is_not_asked_for_any_account() {
        let mut fees = Fees::default();
        let (one, other) = (AccountId::new(60), AccountId::new(120));
        fees.note(one, told(None), at(0));
        fees.note(other, told(None), at(0));
        let error = ReadError::Throttled { retry_at: at(90_000), banned: false };
        fees.note(one, Answer::none(anyhow::Error::from(error).context("asked")), at(86_400));

        assert!(fees.due(at(89_999), 1).is_empty());
        assert_eq!(fees.due(at(90_000), 1), [other], "one in a turn, who waited longest");
    }

    #[test]
    fn questions_are_a_second_apart() {
        let mut fees = Fees::default();
        fees.note(AccountId::new(60), told(None), at(0));
        for number in [1, 2, 3] {
            fees.note(
                AccountId::new(60 * number),
                Answer { questions: number, rates: Ok(None) },
                at(0),
            );
        }

        assert!(fees.due(at(5), 1).is_empty(), "six questions");
        fees.note(AccountId::new(60), Answer { questions: 4, rates: Ok(None) }, at(86_400));
        assert!(fees.due(at(86_403), 1).is_empty());
        assert_eq!(fees.due(at(86_404), 1).len(), 1);
    }

    #[test]
    fn fees_are_told_in_per_cent() {
        assert_eq!(words(rates(10, 5)), "0.1 % maker, 0.05 % taker");
    }
}
