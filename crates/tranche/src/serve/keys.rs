//! Keys of accounts, asked after at the start and then again and again: with one that may withdraw no deal
//! begins, and those that are open run to their end.

use std::collections::BTreeSet;

use tranche_model::{
    ids::AccountId,
    time::{Millis, Timestamp},
};
use tranche_store::{Account, Credential, Store};
use tranche_venue::venue::VenueAccount;

use super::rounds::Rounds;
use crate::rights::{self, Rights};

/// Rights are changed by hand, and rarely. With what accounts are apart, it is within the hour.
const EVERY: Millis = Millis::from_secs(50 * 60);
/// Others wait for the end of a turn.
const AT_ONCE: usize = 8;
/// What other processes were told is read so often.
const RECALL_EVERY: Millis = Millis::from_secs(60);

/// What is known of the keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    refused: BTreeSet<AccountId>,
    rounds: Rounds,
    recalled_at: Timestamp,
}

impl Keys {
    pub(super) fn may_withdraw(&self, account: AccountId) -> bool {
        self.refused.contains(&account)
    }

    /// The accounts whose keys are to be asked after in this turn, the longest due first.
    pub(super) fn due(&self, now: Timestamp) -> Vec<AccountId> {
        self.rounds.due(now, AT_ONCE)
    }

    /// Asks after the account's key from now on, if it has one.
    pub(super) fn watch(&mut self, account: &Account, now: Timestamp) {
        if account.credential.is_some() {
            self.rounds.watch(account.account, now);
        }
    }

    /// Whether it is time to read what other processes were told.
    pub(super) fn is_recall_due(&mut self, now: Timestamp) -> bool {
        let is_due = self.recalled_at.plus(RECALL_EVERY) <= now;
        if is_due {
            self.recalled_at = now;
        }
        is_due
    }

    /// Another process may have been told that the key may withdraw. That it may not any more each finds out
    /// by itself: the row may be older than the own answer.
    pub(super) fn recall(&mut self, account: &Account, keys: &[Credential]) {
        let known = keys.iter().find(|key| Some(key.credential) == account.credential);
        if known.and_then(|key| key.may_withdraw) == Some(true) {
            self.note(account, true);
        }
    }

    /// It is not asked after any more.
    pub(super) fn forget(&mut self, account: AccountId) {
        self.rounds.forget(account);
    }

    /// It cannot be asked now. Returns whether that is news.
    pub(super) fn failed(&mut self, account: AccountId, now: Timestamp) -> bool {
        self.rounds.failed(account, now)
    }

    /// Asks what a key may do; the answer is whether the exchange answered.
    pub(super) async fn ask(
        &mut self,
        store: &Store,
        account: &Account,
        door: &dyn VenueAccount,
        now: Timestamp,
    ) -> bool {
        let Some(credential) = account.credential else { return true };
        let (told, silence, trouble) = match rights::ask(door, &account.venue).await {
            Rights::Told { may_withdraw } => (may_withdraw, None, None),
            Rights::Refused { may_withdraw: Some(told), .. } => (Some(told), None, None),
            Rights::Refused { may_withdraw: None, trouble } => (None, None, Some(trouble)),
            Rights::NotReached { until, trouble } => (None, Some(until), Some(trouble)),
        };
        if let Some(until) = silence.flatten() {
            self.rounds.be_silent_until(until);
        }
        if let Some(trouble) = trouble {
            if self.failed(account.account, now) {
                tracing::warn!(
                    account = account.name,
                    "what its key may do is not known: {trouble}"
                );
            }
            return silence.is_none();
        }
        if let Some(may_withdraw) = told {
            self.note(account, may_withdraw);
            if let Err(error) = store.note_rights(credential, told).await {
                tracing::warn!(account = account.name, %error, "what its key may do is not kept");
            }
        }
        if self.may_withdraw(account.account) {
            self.failed(account.account, now);
        } else {
            self.rounds.answered(account.account, now.plus(EVERY));
        }
        true
    }

    fn note(&mut self, account: &Account, may_withdraw: bool) {
        if !may_withdraw {
            if self.refused.remove(&account.account) {
                tracing::info!(account = account.name, "its key may not withdraw any more");
            }
        } else if self.refused.insert(account.account) {
            tracing::warn!(
                account = account.name,
                "its key may withdraw: no deal begins, open ones run to their end; take that right away"
            );
        }
    }
}

#[cfg(test)]
mod tests;
