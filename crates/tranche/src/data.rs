//! `tranche data`: market data from exchanges.

mod fetch;
mod part;
mod pauses;

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    cli::{DataTask, DataWhat},
    settings::Settings,
};

pub(crate) fn run(task: &DataTask, settings: &Settings) -> Result<ExitCode> {
    match &task.what {
        DataWhat::Fetch(task) => fetch::run(task, settings),
    }
}
