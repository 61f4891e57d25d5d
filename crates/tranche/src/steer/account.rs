//! Accounts.

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tokio::time::timeout;
use tranche_model::{
    ids::{AccountId, Installation, UserId},
    record::Snapshot,
};
use tranche_store::{Account, NewCredential, Secret, User};
use tranche_trading::event::{CommandBody, KillLevel, Scope};
use tranche_venue::{secret::Credentials, venue::Venue as _};

use super::{confirmed, order, show};
use crate::{
    cli::{AccountNamed, AccountWhat, LookOptions, VenueOptions},
    console,
    ground::Ground,
    rights::{self, Rights},
    secrets,
    settings::{self, Settings},
    trouble::Trouble,
    venues::{self, Exchange, Sockets},
};

/// Letters of a key that are kept in the open, for people to tell keys apart.
const HINT: usize = 4;
/// The exchange's clock is read first; a key's questions carry it.
const CLOCK_WITHIN: Duration = Duration::from_secs(5);
/// Nothing is placed: whose orders they would be does not matter.
const NOBODY: Installation = Installation::new(1);

pub(super) async fn run(what: &AccountWhat, settings: &Settings) -> Result<ExitCode> {
    match what {
        AccountWhat::Add { name, paper, venue, key, secret_file, anyway, yes, look } => {
            let key = if *paper { None } else { Some((key.as_deref(), secret_file.as_deref())) };
            add(name, (key, *anyway, *yes), (venue, settings), look).await
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

/// A key and the file of its secret, as they were given; `None` on paper.
type Given<'a> = Option<(Option<&'a str>, Option<&'a Path>)>;

async fn add(
    name: &str,
    (given, anyway, yes): (Given<'_>, bool, bool),
    (venue, settings): (&VenueOptions, &Settings),
    look: &LookOptions,
) -> Result<ExitCode> {
    settings::check_name("name", name)?;
    if anyway && !yes {
        bail!("this adds a key although the exchange may refuse it; add --yes if that is meant");
    }
    let ground = Ground::for_first_client(&look.store).await?;
    let exchange = venues::start(venues::settings(venue, Sockets::default(), &settings.exchange)?)?;
    if ground.store.accounts().await?.iter().any(|known| known.name == *name) {
        bail!("there is an account `{name}` already; choose another name");
    }
    let mut account = paper_account(name, exchange.venue.name(), &ground);
    let mut rights = None;
    if let Some((key, file)) = given {
        let none = "neither --paper nor a key: add --paper, or set TRANCHE_KEY and TRANCHE_SECRET";
        let credentials = secrets::credentials(key, file)?.context(none)?;
        rights = Some(checked(&exchange, credentials, anyway).await?);
        let pair = secrets::pair(key, file)?.context(none)?;
        seal(&ground, &mut account, pair).await?;
    }
    if let (Some(credential), Some(rights)) = (account.credential, &rights) {
        ground.store.note_rights(credential, rights.may_withdraw).await?;
    }
    let number = add_account(&ground, account).await?;
    let is_checked = rights.as_ref().map(|rights| rights.is_checked);
    if look.json {
        let line = json!({ "account": number.get(), "name": name, "key_checked": is_checked });
        console::say(&line.to_string())?;
    } else {
        console::say(&format!("account `{name}` is number {number}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is known of a key that is taken.
struct Checked {
    is_checked: bool,
    may_withdraw: Option<bool>,
}

/// Asks the exchange, and refuses a key that bots must not have.
async fn checked(exchange: &Exchange, credentials: Credentials, anyway: bool) -> Result<Checked> {
    let address = &exchange.addresses.rest;
    let account = exchange
        .venue
        .account(credentials, NOBODY)
        .context("the secret: give the private key as the exchange accepts it, PKCS#8 in PEM")?;
    let rights = match timeout(CLOCK_WITHIN, exchange.venue.sync_clock()).await {
        Ok(Ok(())) => rights::ask(&*account, address).await,
        Ok(Err(error)) => not_reached(Trouble::of_read(&error, address)),
        Err(_) => {
            let what = format!("{address}: no answer within {} s", CLOCK_WITHIN.as_secs());
            not_reached(Trouble::new(what, "look at the address and the network"))
        }
    };
    match rights {
        Rights::Told { may_withdraw } => {
            if may_withdraw.is_none() {
                console::complain(
                    "note: the exchange does not say whether the key may withdraw: look where it \
                     manages keys, it should not",
                );
            }
            Ok(Checked { is_checked: true, may_withdraw })
        }
        Rights::Refused { may_withdraw, trouble } if anyway => {
            let until = match may_withdraw {
                Some(true) => "no deal begins until then",
                Some(false) | None => "the exchange refuses its orders until then",
            };
            console::complain(&format!("note: {trouble}; {until}"));
            Ok(Checked { is_checked: true, may_withdraw })
        }
        Rights::Refused { trouble, .. } => bail!("{trouble}; or add it with --anyway --yes"),
        Rights::NotReached { trouble, .. } => {
            console::complain(&format!(
                "note: the key was not checked: {trouble}; `tranche serve` asks again, and \
                 `tranche doctor` tells"
            ));
            Ok(Checked { is_checked: false, may_withdraw: None })
        }
    }
}

const fn not_reached(trouble: Trouble) -> Rights {
    Rights::NotReached { until: None, trouble }
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

async fn plain(named: &AccountNamed, body: &CommandBody, done: &str) -> Result<ExitCode> {
    let ground = Ground::for_client(&named.send.store).await?;
    let account = super::account(&ground, &named.name).await?;
    order(&ground, account.account, body, (&named.send, done)).await
}
