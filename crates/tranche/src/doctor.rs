//! `tranche doctor`: is everything as bots need it? Asks, and changes nothing.

mod checks;
mod key;
mod report;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use tranche_model::asset::Symbol;

use self::{
    checks::Patient,
    report::{Check, Name, State},
};
use crate::{
    cli::DoctorTask,
    console,
    runtime::{self, Stop},
    secrets,
    settings::Settings,
    venues::{self, Sockets},
};

pub(crate) fn run(task: &DoctorTask, settings: &Settings) -> Result<ExitCode> {
    let symbol = Symbol::parse(&task.pair).context("pair")?;
    let sockets =
        Sockets { market: task.market_socket.as_deref(), api: task.api_socket.as_deref() };
    let where_to = venues::whole_settings(&task.venue, sockets, &settings.exchange)?;
    let credentials = secrets::credentials(task.key.as_deref(), task.secret_file.as_deref())?;
    let name = where_to.name;
    runtime::run(async move {
        let mut stop = Stop::listen().context("signals cannot be listened to")?;
        let exchange = venues::start(where_to)?;
        let mut patient = Patient::new(&exchange, symbol, |check: &Check| {
            if !task.json {
                // A reader that is gone does not keep the rest from being checked.
                console::say(&check.to_string()).unwrap_or_default();
            }
        });
        tokio::select! {
            () = patient.examine(credentials) => {}
            () = stop.wait() => bail!("stopped before everything was checked"),
        }
        let checks = patient.into_checks();
        let count = |state: State| checks.iter().filter(|check| check.state == state).count();
        let is_well = count(State::Fail) == 0;
        let text = if task.json {
            report::line(name, is_well, &checks)?
        } else {
            let (failed, warned) = (count(State::Fail), count(State::Warn));
            let keyless = checks.iter().any(|it| it.name == Name::Key && it.state == State::Skip);
            let note = if keyless { "; what needs a key was not checked" } else { "" };
            format!("{name}: {failed} failed, {warned} to look at{note}")
        };
        let said = console::say(&text);
        if !is_well {
            // Also when nobody reads any more.
            return Ok(ExitCode::FAILURE);
        }
        said?;
        Ok(ExitCode::SUCCESS)
    })
}
