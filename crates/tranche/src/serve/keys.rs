//! Keys of accounts, asked after at the start and then again and again: with one that may withdraw no deal
//! begins, and those that are open run to their end.

use std::collections::{BTreeMap, BTreeSet};

use tranche_model::{
    ids::AccountId,
    time::{Millis, Timestamp},
};
use tranche_store::{Account, Credential, Store, StoreError};
use tranche_venue::venue::VenueAccount;

use crate::rights::{self, Rights};

/// Rights are changed by hand, and rarely.
const EVERY: Millis = Millis::from_secs(3600);
/// Somebody may be mending the key; or the exchange did not answer.
const AGAIN: Millis = Millis::from_secs(20);

/// What is known of the keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    refused: BTreeSet<AccountId>,
    due: BTreeMap<AccountId, Timestamp>,
}

impl Keys {
    pub(super) fn may_withdraw(&self, account: AccountId) -> bool {
        self.refused.contains(&account)
    }

    /// The accounts whose keys are to be asked after now.
    pub(super) fn due(&self, now: Timestamp) -> Vec<AccountId> {
        let due = self.due.iter().filter(|(_, at)| **at <= now);
        due.map(|(account, _)| *account).collect()
    }

    /// Not now.
    pub(super) fn put_off(&mut self, accounts: &[AccountId], now: Timestamp) {
        self.due.extend(accounts.iter().map(|account| (*account, now.plus(AGAIN))));
    }

    /// What the exchange said last holds until it says something else.
    pub(super) fn recall(&mut self, account: &Account, keys: &[Credential]) {
        let known = keys.iter().find(|key| Some(key.credential) == account.credential);
        self.note(account, known.and_then(|key| key.may_withdraw) == Some(true));
    }

    /// Asks what a key may do; the answer is whether the exchange answered.
    pub(super) async fn ask(
        &mut self,
        store: &Store,
        account: &Account,
        door: &dyn VenueAccount,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(credential) = account.credential else { return Ok(true) };
        let (told, trouble) = match rights::ask(door, &account.venue).await {
            Rights::Told { may_withdraw } => (may_withdraw, None),
            Rights::Refused { may_withdraw: Some(told), .. } => (Some(told), None),
            Rights::Refused { may_withdraw: None, trouble } => (None, Some((true, trouble))),
            Rights::NotReached(trouble) => (None, Some((false, trouble))),
        };
        if let Some((is_answer, trouble)) = trouble {
            tracing::warn!(account = account.name, "what its key may do is not known: {trouble}");
            self.put_off(&[account.account], now);
            return Ok(is_answer);
        }
        let may_withdraw = told == Some(true);
        self.note(account, may_withdraw);
        let pause = if may_withdraw { AGAIN } else { EVERY };
        self.due.insert(account.account, now.plus(pause));
        store.note_rights(credential, told).await?;
        Ok(true)
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
