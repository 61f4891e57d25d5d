//! Accounts.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tranche_model::{
    ids::{AccountId, UserId},
    record::Snapshot,
};
use tranche_store::{Account, NewCredential, Secret, User};
use tranche_trading::event::{CommandBody, KillLevel, Scope};
use tranche_venue::venue::Venue as _;

use super::{confirmed, order, show};
use crate::{
    cli::{AccountNamed, AccountWhat, VenueOptions},
    console,
    ground::Ground,
    secrets,
    settings::{self, Settings},
    venues::{self, Sockets},
};

/// Letters of a key that are kept in the open, for people to tell keys apart.
const HINT: usize = 4;

pub(super) async fn run(what: &AccountWhat, settings: &Settings) -> Result<ExitCode> {
    match what {
        AccountWhat::Add { name, paper, venue, key, secret_file, look } => {
            settings::check_name("name", name)?;
            let ground = Ground::for_first_client(&look.store).await?;
            let venue = venue_name(venue, settings)?;
            if ground.store.accounts().await?.iter().any(|known| known.name == *name) {
                bail!("there is an account `{name}` already; choose another name");
            }
            let mut account = paper_account(name, venue, &ground);
            if !paper {
                let pair = secrets::pair(key.as_deref(), secret_file.as_deref())?.context(
                    "neither --paper nor a key: add --paper, or set TRANCHE_KEY and TRANCHE_SECRET",
                )?;
                seal(&ground, &mut account, pair).await?;
            }
            let number = add_account(&ground, account).await?;
            if look.json {
                console::say(&json!({ "account": number.get(), "name": name }).to_string())?;
            } else {
                console::say(&format!("account `{name}` is number {number}"))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        AccountWhat::List { look } => {
            let ground = Ground::for_client(&look.store).await?;
            show::accounts(&ground, look.json).await
        }
        AccountWhat::Show { name, story, look } => {
            let ground = Ground::for_client(&look.store).await?;
            let account = super::account(&ground, name).await?;
            show::account(&ground, &account, (*story, look.json)).await
        }
        AccountWhat::Pause(named) => {
            let body = CommandBody::PauseEntries { scope: Scope::Account };
            plain(named, &body, "paused: entries are taken back, exits stay").await
        }
        AccountWhat::Resume(named) => {
            plain(named, &CommandBody::Resume { scope: Scope::Account }, "resumed").await
        }
        AccountWhat::Kill { name, level, send } => {
            let level = KillLevel::from(*level);
            if level == KillLevel::CloseAll {
                confirmed(send, "sells everything that the account's bots hold, at market")?;
            }
            let ground = Ground::for_client(&send.store).await?;
            let account = super::account(&ground, name).await?;
            let done = format!("killed: {level}; `tranche account rearm {name}` lifts it");
            order(&ground, account.account, &CommandBody::Kill { level }, (send, &done)).await
        }
        AccountWhat::Rearm(named) => plain(named, &CommandBody::Rearm, "rearmed").await,
        AccountWhat::Release { name, all: _, look } => {
            let ground = Ground::for_client(&look.store).await?;
            release(&ground, name.as_deref()).await
        }
    }
}

/// Ends the quarantine after a restore: of one account, or of all.
async fn release(ground: &Ground, name: Option<&str>) -> Result<ExitCode> {
    let Some(name) = name else {
        ground.store.release_quarantine().await?;
        console::say("released: orders of all accounts are sent again")?;
        return Ok(ExitCode::SUCCESS);
    };
    let account = super::account(ground, name).await?;
    ground.store.release_account(account.account).await?;
    let rest = ground.store.quarantined().await?;
    let all = ground.store.accounts().await?;
    let held = all.iter().filter(|account| rest.contains(&account.account));
    let names: Vec<&str> = held.map(|account| account.name.as_str()).collect();
    let rest = if names.is_empty() {
        String::new()
    } else {
        format!("; still in quarantine: {}", names.join(", "))
    };
    console::say(&format!("released: orders of `{name}` are sent again{rest}"))?;
    Ok(ExitCode::SUCCESS)
}

/// An account without a key.
pub(crate) fn paper_account(name: &str, venue: &str, ground: &Ground) -> Account {
    Account {
        account: AccountId::default(),
        user: None,
        venue: venue.to_owned(),
        name: name.to_owned(),
        is_paper: true,
        credential: None,
        created_at: ground.now(),
    }
}

/// Under the next free number.
pub(crate) async fn add_account(ground: &Ground, mut account: Account) -> Result<AccountId> {
    loop {
        let all = ground.store.accounts().await?;
        let last = all.iter().map(|known| known.account.get()).max().unwrap_or(0);
        account.account = AccountId::new(last.saturating_add(1));
        if ground.store.add_account(&account, &Snapshot::default()).await? {
            return Ok(account.account);
        }
    }
}

/// Seals the key and names it in the account.
async fn seal(
    ground: &Ground,
    account: &mut Account,
    (key, secret): (String, String),
) -> Result<()> {
    let keys = ground.master_keys()?;
    ground.store.check_master_keys(&keys, ground.now()).await?;
    let user = UserId::new(1);
    let owner = User { user, name: "owner".to_owned(), created_at: ground.now() };
    ground.store.add_user(&owner).await?;
    let letters: Vec<char> = key.trim().chars().collect();
    let hint: String = letters.iter().skip(letters.len().saturating_sub(HINT)).collect();
    let (key, secret) = (Secret::new(key), Secret::new(secret));
    let new = NewCredential {
        user,
        venue: &account.venue,
        label: &account.name,
        hint: &hint,
        fields: &[("key", &key), ("secret", &secret)],
    };
    account.credential = Some(ground.store.seal(&keys, &new, ground.now()).await?);
    account.user = Some(user);
    account.is_paper = false;
    Ok(())
}

/// The exchange's own name for itself; nothing is asked of it.
fn venue_name(options: &VenueOptions, settings: &Settings) -> Result<&'static str> {
    let settings = venues::settings(options, Sockets::default(), &settings.exchange)?;
    Ok(venues::start(settings)?.venue.name())
}

async fn plain(named: &AccountNamed, body: &CommandBody, done: &str) -> Result<ExitCode> {
    let ground = Ground::for_client(&named.send.store).await?;
    let account = super::account(&ground, &named.name).await?;
    order(&ground, account.account, body, (&named.send, done)).await
}
