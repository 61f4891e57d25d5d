//! Accounts as the database has them, handed to the engine; also those that are added while it runs.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use futures_util::future::join_all;
use tokio::time::sleep;
use tranche_engine::{Handle, Owning, paper::Paper};
use tranche_model::{
    asset::Asset,
    balance::Balance,
    client_order_id::Origin,
    ids::{AccountId, UserId},
    money::Amount,
};
use tranche_store::{
    Account, CredentialId, Identity, MasterKeys, OpenCredential, Secret, VaultError,
};
use tranche_trading::event::{self, Timing};
use tranche_venue::{
    secret::{ApiKey, ApiSecret, Credentials},
    venue::{Venue, VenueAccount},
};

use super::{
    fees::{self, Fees},
    keys::Keys,
};
use crate::{bot_file::BotFile, ground::Ground, settings::Terms, steer};

/// The paper account that everybody has.
const FIRST: &str = "paper";
/// What a paper account begins with when nobody says otherwise.
const FUNDS: i64 = 10_000;

pub(super) struct Accounts {
    ground: Arc<Ground>,
    paper: Arc<Paper>,
    venue: Arc<dyn Venue>,
    terms: Terms,
    identity: Identity,
    keys: MasterKeys,
    owned: BTreeSet<AccountId>,
    /// Those of them that a restored backup keeps from sending anything.
    held: BTreeSet<AccountId>,
    /// Those whose key does not open, each told once.
    shut: BTreeSet<AccountId>,
    fees: Fees,
    rights: Keys,
}

impl Accounts {
    /// Makes the master key and the first account where there are none.
    pub(super) async fn new(
        ground: Arc<Ground>,
        paper: Arc<Paper>,
        venue: Arc<dyn Venue>,
        terms: Terms,
    ) -> Result<Self> {
        let keys = ground.master_keys()?;
        ground.store.check_master_keys(&keys, ground.now()).await?;
        let identity = ground.store.identity(ground.now()).await?;
        if let Some(quarantine) = &identity.quarantine {
            tracing::warn!(
                reason = quarantine.reason,
                "restored: nothing is sent for an account until `tranche account release` names it"
            );
        }
        let known = ground.store.accounts().await?;
        if !known.iter().any(|account| account.is_paper || account.name == FIRST) {
            steer::add_account(&ground, steer::paper_account(FIRST, venue.name(), &ground)).await?;
        }
        let none = BTreeSet::<AccountId>::new;
        let (owned, held, shut) = (none(), none(), none());
        let (fees, rights) = (Fees::default(), Keys::default());
        Ok(Self { ground, paper, venue, terms, identity, keys, owned, held, shut, fees, rights })
    }

    /// Hands the engine every account that it does not have.
    pub(super) async fn begin(&mut self, engine: &Handle) -> Result<()> {
        let all = self.ground.store.accounts().await?;
        let new = all.into_iter().filter(|account| !self.owned.contains(&account.account));
        let mut doors = Vec::new();
        let new: Vec<Account> = new.collect();
        let held =
            if new.is_empty() { Vec::new() } else { self.ground.store.quarantined().await? };
        let keys =
            if new.is_empty() { Vec::new() } else { self.ground.store.credentials().await? };
        for account in new {
            self.owned.insert(account.account);
            if account.venue != self.venue.name() {
                tracing::warn!(
                    account = account.name,
                    venue = account.venue,
                    "an account of another exchange is left alone"
                );
                continue;
            }
            match self.door(&account).await {
                Ok(venue) => {
                    self.shut.remove(&account.account);
                    // Open deals are not left alone until every key was asked after.
                    self.rights.recall(&account, &keys);
                    self.rights.watch(&account, self.venue.now());
                    doors.push((account, venue));
                }
                Err(error) => {
                    // It is tried again: the file with its master key may be on its way.
                    self.owned.remove(&account.account);
                    if self.shut.insert(account.account) {
                        tracing::error!(account = account.name, "cannot be traded for: {error:#}");
                    }
                }
            }
        }
        self.learn_first_fees(&doors).await;
        let mut owning = Vec::new();
        for (account, venue) in doors {
            let is_held = held.contains(&account.account);
            if is_held {
                self.held.insert(account.account);
            }
            let (account, settings) = (account.account, self.settings(&account));
            let may_withdraw = self.rights.may_withdraw(account);
            owning.push(Owning { account, settings, venue, is_held, may_withdraw });
        }
        if !owning.is_empty() {
            engine.own_all(owning).await?;
        }
        Ok(())
    }

    /// Looks for new accounts again and again; returns only when the engine is gone.
    pub(super) async fn look_after(&mut self, engine: &Handle, every: Duration) -> anyhow::Error {
        loop {
            if let Err(error) = self.look_at_keys(engine).await {
                tracing::warn!("keys cannot be looked at: {error:#}");
            }
            sleep(every).await;
            if !self.held.is_empty()
                && let Err(error) = self.look_at_quarantine(engine).await
            {
                tracing::warn!("the quarantine cannot be looked at: {error:#}");
            }
            if let Err(error) = self.look_at_fees(engine).await {
                tracing::warn!("fees cannot be looked at: {error:#}");
            }
            match self.begin(engine).await {
                Ok(()) => {}
                Err(error) if error.is::<tranche_engine::Gone>() => return error,
                Err(error) => tracing::warn!("accounts cannot be looked at: {error:#}"),
            }
        }
    }

    async fn look_at_quarantine(&mut self, engine: &Handle) -> Result<()> {
        let held: BTreeSet<AccountId> =
            self.ground.store.quarantined().await?.into_iter().collect();
        let released: Vec<AccountId> = self.held.difference(&held).copied().collect();
        for account in &released {
            tracing::info!(%account, "released: its orders are sent again");
            engine.hold(*account, false).await?;
        }
        if !released.is_empty() {
            // What could not be taken back until now is found again at once, not with the next census.
            engine.sync().await?;
        }
        self.held.retain(|account| held.contains(account));
        Ok(())
    }

    /// Asks what keys may do, some at a time, when it is time.
    async fn look_at_keys(&mut self, engine: &Handle) -> Result<()> {
        let now = self.venue.now();
        let (due, is_recall_due) = (self.rights.due(now), self.rights.is_recall_due(now));
        if due.is_empty() && !is_recall_due {
            return Ok(());
        }
        let store = &self.ground.store;
        let keys = if is_recall_due { store.credentials().await? } else { Vec::new() };
        let all = store.accounts().await?;
        for account in all.iter().filter(|account| self.owned.contains(&account.account)) {
            let before = self.rights.may_withdraw(account.account);
            self.rights.recall(account, &keys);
            self.tell_rights(account, before, engine).await?;
        }
        for account in due {
            let known = all.iter().find(|known| known.account == account);
            let Some(account) = known.filter(|known| known.credential.is_some()) else {
                self.rights.forget(account);
                continue;
            };
            let before = self.rights.may_withdraw(account.account);
            let door = match self.door(account).await {
                Ok(door) => door,
                Err(error) => {
                    self.rights.failed(account.account, now);
                    tracing::warn!(
                        account = account.name,
                        "its key cannot be asked after: {error:#}"
                    );
                    continue;
                }
            };
            let is_answered = self.rights.ask(&self.ground.store, account, &*door, now).await;
            self.tell_rights(account, before, engine).await?;
            if !is_answered {
                // The others are not kept waiting for it as well.
                break;
            }
        }
        Ok(())
    }

    async fn tell_rights(&self, account: &Account, before: bool, engine: &Handle) -> Result<()> {
        let may_withdraw = self.rights.may_withdraw(account.account);
        if may_withdraw != before {
            engine.key(account.account, may_withdraw).await?;
        }
        Ok(())
    }

    /// Asks for what accounts pay, where nobody has said so, before they begin: for the first ones, and all of
    /// these at the same time. Nobody's open deal waits for the estimates of a thousand others.
    async fn learn_first_fees(&mut self, doors: &[(Account, Box<dyn VenueAccount>)]) {
        if self.terms.is_fee_named {
            return;
        }
        let now = self.venue.now();
        for (account, _) in doors {
            self.fees.watch(account, now);
        }
        let due = self.fees.due(now, fees::AT_START);
        let first: Vec<_> =
            doors.iter().filter(|(account, _)| due.contains(&account.account)).collect();
        let asked = first.iter().map(|(account, door)| fees::ask(&self.ground, account, &**door));
        let answers = join_all(asked).await;
        for ((account, _), answer) in first.into_iter().zip(answers) {
            self.note_fees(account, answer);
        }
    }

    /// Asks for what accounts pay, one in a turn: those that were not asked for at the start, those without an
    /// answer, and all with each new day.
    async fn look_at_fees(&mut self, engine: &Handle) -> Result<()> {
        for number in self.fees.due(self.venue.now(), fees::IN_A_TURN) {
            let account = self.ground.store.account(number).await?;
            let Some(account) = account.filter(|account| account.credential.is_some()) else {
                self.fees.forget(number);
                continue;
            };
            let before = self.settings(&account);
            let answer = match self.door(&account).await {
                Ok(door) => fees::ask(&self.ground, &account, &*door).await,
                Err(error) => fees::Answer::none(error),
            };
            self.note_fees(&account, answer);
            let settings = self.settings(&account);
            if settings.fees != before.fees {
                engine.terms(number, settings).await?;
            }
        }
        Ok(())
    }

    fn note_fees(&mut self, account: &Account, answer: fees::Answer) {
        if let Some(error) = self.fees.note(account.account, answer, self.venue.now()) {
            let assumed = self.settings(account).fees;
            tracing::warn!(
                account = account.name,
                "what it pays at the exchange is not known, {} is assumed: {error:#}",
                fees::words(assumed)
            );
        }
    }

    /// Makes the bots that `ACCOUNT=FILE` name, unless they are there.
    pub(super) async fn make_bots(&self, wishes: &[String]) -> Result<()> {
        for wish in wishes {
            let (name, path) = wish.split_once('=').with_context(|| {
                format!("bot: `{wish}` is not of the form ACCOUNT=FILE, such as paper=dca.toml")
            })?;
            let account = steer::account(&self.ground, name).await?;
            let file = BotFile::read(Path::new(path))?;
            let bots = self.ground.store.bots().await?;
            let is_there = bots.iter().any(|bot| {
                bot.account == account.account
                    && bot.ended_at.is_none()
                    && bot.name == file.config.name()
            });
            if !is_there {
                steer::submit_bot(&self.ground, account.account, &file).await?;
            }
        }
        Ok(())
    }

    async fn door(&mut self, account: &Account) -> Result<Box<dyn VenueAccount>> {
        let Some(credential) = account.credential else {
            let fees = (self.terms.fees, self.terms.fee_asset);
            return Ok(self.paper.open(account.account, fees, self.purse())?);
        };
        let open = self.open(credential).await?;
        let field = |name: &str| {
            let secret = open.field(name);
            secret.ok_or_else(|| anyhow!("the sealed key has no {name}")).map(Secret::expose)
        };
        let credentials = Credentials {
            name: account.name.clone(),
            key: ApiKey::new(field("key")?)?,
            secret: ApiSecret::new(field("secret")?.to_owned())?,
        };
        Ok(self.venue.account(credentials, self.identity.installation)?)
    }

    /// Who changed the master key meanwhile left the new one where this process found the old one.
    async fn open(&mut self, credential: CredentialId) -> Result<OpenCredential> {
        let store = &self.ground.store;
        match store.open_credential(&self.keys, credential).await {
            Err(VaultError::NoMasterKey(_)) => {}
            outcome => return Ok(outcome?),
        }
        let keys = self.ground.master_keys()?;
        store.check_master_keys(&keys, self.ground.now()).await?;
        tracing::info!(number = keys.current(), "the master key was changed");
        self.keys = keys;
        Ok(store.open_credential(&self.keys, credential).await?)
    }

    fn purse(&self) -> Vec<Balance> {
        if !self.terms.balances.is_empty() {
            return self.terms.balances.clone();
        }
        let usual = ["USDT", "USDC"].map(|name| Asset::parse(name).ok());
        let balance =
            |asset| Balance { asset, free: Amount::new(FUNDS.into()), locked: Amount::ZERO };
        usual.into_iter().flatten().map(balance).collect()
    }

    fn settings(&self, account: &Account) -> event::Settings {
        let Identity { installation, incarnation, .. } = self.identity;
        event::Settings {
            user: account.user.unwrap_or(UserId::new(1)),
            origin: Origin { installation, incarnation },
            fees: self.fees.of(account.account).unwrap_or(self.terms.fees),
            fee_asset: self.terms.fee_asset,
            timing: Timing::default(),
        }
    }
}
