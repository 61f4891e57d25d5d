//! `tranche backup`, `restore` and `verify`: copies of the database, and whether it is whole.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tranche_store::{BackupError, Present, Restored, Role, Trouble, restore};
use tranche_trading::codec;

use crate::{
    cli::{BackupTask, RestoreTask, VerifyTask},
    console,
    ground::Ground,
    runtime,
};

pub(crate) fn backup(task: &BackupTask) -> Result<ExitCode> {
    runtime::run(async {
        let ground = Ground::for_client(&task.store).await?;
        ground.store.backup(&task.file).await.map_err(explain)?;
        console::say(&format!(
            "written: {}; the master key is not in it: keep its copy apart",
            task.file.display()
        ))?;
        Ok(ExitCode::SUCCESS)
    })
}

pub(crate) fn put_back(task: &RestoreTask) -> Result<ExitCode> {
    runtime::run(async {
        if task.mark {
            let ground = Ground::for_client(&task.store).await?;
            let reason = "restored by the database's own tools";
            let identity = ground.store.mark_restored(reason, ground.now()).await?;
            console::say(&marked(identity.incarnation.get()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let Some(file) = &task.file else {
            bail!("neither a file nor --mark: name the backup, or mark what was restored");
        };
        let settings = Ground::settings(&task.store, Role::Engine)?;
        let present = if task.force { Present::MoveAside } else { Present::Refuse };
        let restored = restore(file, settings, present).await.map_err(explain)?;
        let Restored { identity, moved_to } = restored;
        if let Some(path) = moved_to {
            console::say(&format!("the former database is now {}", path.display()))?;
        }
        console::say(&marked(identity.incarnation.get()))?;
        Ok(ExitCode::SUCCESS)
    })
}

pub(crate) fn verify(task: &VerifyTask) -> Result<ExitCode> {
    runtime::run(async {
        let ground = Ground::for_client(&task.look.store).await?;
        let mut troubles = ground.store.verify().await?;
        let read = |bot: Option<_>, bytes: &[u8]| {
            let read = match bot {
                Some(_) => codec::decode_bot(bytes).map(drop),
                None => codec::decode_desk(bytes).map(drop),
            };
            read.map_err(|error| error.to_string())
        };
        troubles.extend(ground.store.verify_states(read).await?);
        if !ground.store.credentials().await?.is_empty() {
            let keys = ground.master_keys().context("the sealed keys cannot be tried")?;
            troubles.extend(ground.store.verify_vault(&keys).await?);
        }
        report(&troubles, task.look.json)
    })
}

fn report(troubles: &[Trouble], is_json: bool) -> Result<ExitCode> {
    let lines: Vec<String> = troubles.iter().map(ToString::to_string).collect();
    if is_json {
        console::say(&json!({ "ok": lines.is_empty(), "troubles": lines }).to_string())?;
    } else if lines.is_empty() {
        console::say("whole: every row, every state, every sealed key")?;
    } else {
        for line in &lines {
            console::say(line)?;
        }
    }
    Ok(if troubles.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn marked(incarnation: u16) -> String {
    format!(
        "restored as incarnation {incarnation}: `tranche serve` now compares every account with its \
         exchange and sends nothing; look with `tranche account show`, then `tranche account release`"
    )
}

fn explain(error: BackupError) -> anyhow::Error {
    match error {
        BackupError::Exists(path) => anyhow::anyhow!(
            "{} is already there; choose another name, or for a restore add --force, which keeps it \
             under another name",
            path.display()
        ),
        BackupError::OtherTools(_)
        | BackupError::File { .. }
        | BackupError::Damaged(_)
        | BackupError::Open(_)
        | BackupError::Store(_) => error.into(),
    }
}
