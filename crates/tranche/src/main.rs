//! The binary: trades over past markets, shows bots at work, repeats what was recorded.

mod backtest;
mod cli;
mod console;
mod data;
mod dates;
mod demo;
mod doctor;
mod feed;
mod ground;
mod keep;
mod logs;
mod market;
mod master_keys;
mod recording;
mod replay;
mod results;
mod rights;
mod runtime;
mod secrets;
mod serve;
mod settings;
mod simserver;
mod simulate;
mod space_file;
mod steer;
mod sweep;
mod trouble;
mod venues;

use std::{io, process::ExitCode};

use anyhow::Result;
use clap::Parser as _;
use tranche::{bot_file, document};

use crate::{
    cli::{Arguments, Task},
    settings::Settings,
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        // Whoever read our output has enough of it, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            console::complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    let settings = Settings::read(&arguments.global)?;
    match arguments.task {
        Task::Backtest(task) => {
            logs::start(&settings)?;
            backtest::run(&task, &settings)
        }
        Task::Sweep(task) => {
            logs::start(&settings)?;
            sweep::run(&task, &settings)
        }
        Task::Demo(task) => demo::run(&task, &settings),
        Task::Serve(task) => {
            logs::start(&settings)?;
            serve::run(&task, &settings)
        }
        Task::Bot(task) => {
            logs::start(&settings.quiet())?;
            steer::bot_task(&task)
        }
        Task::Deal(task) => {
            logs::start(&settings.quiet())?;
            steer::deal_task(&task)
        }
        Task::Account(task) => {
            logs::start(&settings.quiet())?;
            steer::account_task(&task, &settings)
        }
        Task::Key(task) => {
            logs::start(&settings.quiet())?;
            master_keys::run(&task)
        }
        Task::Backup(task) => {
            logs::start(&settings.quiet())?;
            keep::backup(&task)
        }
        Task::Restore(task) => {
            logs::start(&settings.quiet())?;
            keep::put_back(&task)
        }
        Task::Verify(task) => {
            logs::start(&settings.quiet())?;
            keep::verify(&task)
        }
        Task::Replay(task) => {
            logs::start(&settings)?;
            replay::run(&task)
        }
        Task::Data(task) => {
            // What it waits for it says itself, as the doctor does.
            logs::start(&settings.quiet())?;
            data::run(&task, &settings)
        }
        Task::Doctor(task) => {
            logs::start(&settings.quiet())?;
            doctor::run(&task, &settings)
        }
        Task::Simserver(task) => {
            logs::start(&settings)?;
            simserver::run(&task, &settings)
        }
        Task::Simulate(task) => {
            logs::start(&settings)?;
            simulate::run(&task)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
