//! `tranche key`: the master keys that seal users' keys, looked at and changed.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tranche_store::{MasterKeyFile, MasterKeys};

use crate::{
    cli::{KeyTask, KeyWhat, LookOptions},
    console,
    ground::{Ground, MasterKeySource},
    runtime, steer,
};

/// How to make what goes into the second variable.
const DRAW: &str = "openssl rand -base64 32";

pub(crate) fn run(task: &KeyTask) -> Result<ExitCode> {
    runtime::run(async {
        match &task.what {
            KeyWhat::List { look } => list(look).await,
            KeyWhat::Rotate { look } => rotate(look).await,
        }
    })
}

/// Which master keys there are, and what each seals. Never a key.
async fn list(look: &LookOptions) -> Result<ExitCode> {
    let ground = Ground::for_client(&look.store).await?;
    let keys = match ground.master_key_source()? {
        MasterKeySource::None => None,
        MasterKeySource::Environment { keys, .. } => Some(keys),
        MasterKeySource::File(path) => Some(MasterKeys::read(&path)?),
    };
    let mut sealed = sealed_by(&ground).await?;
    let keys = keys.iter().flat_map(|keys| keys.numbers().map(move |number| (number, keys)));
    let mut rows = Vec::new();
    for (number, keys) in keys {
        let count = sealed.remove(&number).unwrap_or(0);
        let standing = match count {
            _ if number == keys.current() => "seals",
            0 => "seals nothing any more",
            _ => "opens what it sealed",
        };
        let fingerprint = keys.fingerprint(number);
        rows.push(json!({
            "key": number, "fingerprint": fingerprint, "exchange_keys": count, "standing": standing,
        }));
    }
    for (number, count) in sealed {
        let standing = "not there: what it sealed cannot be opened";
        rows.push(json!({
            "key": number, "fingerprint": null, "exchange_keys": count, "standing": standing,
        }));
    }
    steer::print(&rows, look.json, &["key", "fingerprint", "exchange_keys", "standing"])
}

/// Seals every exchange key anew under a new master key. Killed at any moment, everything opens, and the
/// next call goes on.
async fn rotate(look: &LookOptions) -> Result<ExitCode> {
    let ground = Ground::for_client(&look.store).await?;
    match ground.master_key_source()? {
        MasterKeySource::None => {
            bail!("there is no master key yet: the first `tranche serve` or `account add` makes it")
        }
        MasterKeySource::Environment { keys, has_next } => {
            ground.store.check_master_keys(&keys, ground.now()).await?;
            let current = keys.current();
            if !has_next && !has_begun(&ground, &keys).await? {
                bail!(
                    "TRANCHE_MASTER_KEY holds the master key: draw a new one ({DRAW}) into \
                     TRANCHE_MASTER_KEY_NEXT, start `tranche serve` again with both, then run this \
                     once more with both"
                );
            }
            let mend = format!(
                "set TRANCHE_MASTER_KEY to `{current} ` and the new key, and take \
                 TRANCHE_MASTER_KEY_NEXT away; a `tranche serve` that was started without the new \
                 key trades on, but opens no key until it is started with it"
            );
            seal_anew(&ground, &keys, (look, &mend)).await
        }
        MasterKeySource::File(path) => {
            let file = MasterKeyFile::take(&path)?;
            let mut keys = file.read()?;
            ground.store.check_master_keys(&keys, ground.now()).await?;
            if has_begun(&ground, &keys).await? {
                let current = keys.current();
                console::complain(&format!("note: goes on with master key {current}"));
            } else {
                let known = ground.store.master_key_numbers().await?;
                keys = file.add(known.into_iter().max().unwrap_or(0))?;
                ground.store.check_master_keys(&keys, ground.now()).await?;
            }
            let path = path.display();
            let mend = format!(
                "a running `tranche serve` reads {path} again by itself; keep a copy of it apart from \
                 backups, and give it to every other machine that serves this database"
            );
            seal_anew(&ground, &keys, (look, &mend)).await
        }
    }
}

/// Whether a former change of the master key has not come to its end.
async fn has_begun(ground: &Ground, keys: &MasterKeys) -> Result<bool> {
    Ok(sealed_by(ground).await?.keys().any(|number| *number != keys.current()))
}

async fn seal_anew(
    ground: &Ground,
    keys: &MasterKeys,
    (look, mend): (&LookOptions, &str),
) -> Result<ExitCode> {
    let rotation = ground.store.rotate(keys, u32::MAX, ground.now()).await;
    let rotation = rotation.context("not all is sealed anew; both keys are needed; try again")?;
    let (current, done, left) = (keys.current(), rotation.done, rotation.left);
    let fingerprint = keys.fingerprint(current).unwrap_or_default();
    let former: Vec<u32> = keys.numbers().filter(|number| *number != current).collect();
    if look.json {
        let line = json!({
            "key": current, "fingerprint": fingerprint, "sealed_anew": done, "left": left,
            "former": former,
        });
        console::say(&line.to_string())?;
        return Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    console::say(&format!("master key {current} ({fingerprint}) seals; {done} sealed anew"))?;
    if left != 0 {
        bail!("{left} were sealed under a former key meanwhile: run this again");
    }
    for number in former {
        console::say(&format!(
            "master key {number} seals nothing any more: it may be thrown away as soon as no backup of \
             before is to be put back, which it alone opens"
        ))?;
    }
    console::say(mend)?;
    Ok(ExitCode::SUCCESS)
}

/// How many exchange keys each master key seals.
async fn sealed_by(ground: &Ground) -> Result<BTreeMap<u32, u64>> {
    let mut sealed = BTreeMap::<u32, u64>::new();
    for credential in ground.store.credentials().await? {
        let count = sealed.entry(credential.kek).or_default();
        *count = count.saturating_add(1);
    }
    Ok(sealed)
}
