//! `tranche data`: market data from exchanges.

mod depot;
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
        DataWhat::Import(task) => depot::import(task, settings),
        DataWhat::List(task) => depot::list(task, settings),
        DataWhat::Check(task) => depot::check(task, settings),
        DataWhat::Resample(task) => depot::longer(task, settings),
    }
}
