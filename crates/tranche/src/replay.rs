//! `tranche replay`: a recording, repeated or read aloud.

use std::{fs, process::ExitCode};

use anyhow::{Context as _, Result};
use tranche_sim::replay::{Recording, Verifier, lines};

use crate::{cli::ReplayTask, console};

pub(crate) fn run(task: &ReplayTask) -> Result<ExitCode> {
    let name = task.file.display();
    let bytes = fs::read(&task.file)
        .with_context(|| format!("{name}: cannot be read, give a file that --record wrote"))?;
    let mut recording = Recording::open(&bytes).with_context(|| name.to_string())?;
    let header = recording.header.clone();
    if task.text {
        console::say(&format!("{} · written by Tranche {}", header.market, header.written_by))?;
    }
    let mut verifier = Verifier::new(&header);
    while let Some(entry) = recording.next() {
        let entry = entry.with_context(|| name.to_string())?;
        if task.text {
            for line in lines(&entry, &header.instruments)? {
                console::say(&line)?;
            }
        }
        if let Err(difference) = verifier.repeat(&entry) {
            let same = verifier.same;
            console::complain(&format!("{name}: {same} events were the same, then {difference}"));
            return Ok(ExitCode::FAILURE);
        }
        if !recording.is_intact() {
            console::complain(&format!(
                "{name}: event {} was changed after it was recorded, although the decisions on it \
                 are the same",
                verifier.same
            ));
            return Ok(ExitCode::FAILURE);
        }
    }
    let same = verifier.same;
    let result = format!("{same} events repeated: every decision was the same, byte for byte");
    // A story goes on stdout alone, so that it can be searched.
    if task.text {
        console::complain(&result);
    } else {
        console::say(&result)?;
    }
    Ok(ExitCode::SUCCESS)
}
