//! Structured logs on stderr.

use std::io;

use anyhow::{Context as _, Result, anyhow};
use tracing_subscriber::EnvFilter;

use crate::settings::Settings;

pub(crate) fn start(settings: &Settings) -> Result<()> {
    let filter = EnvFilter::try_new(&settings.log).with_context(|| {
        format!("log: `{}` is no filter; write a level, such as info", settings.log)
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = if settings.log_json { builder.json().try_init() } else { builder.try_init() };
    started.map_err(|error| anyhow!("the logs cannot be started: {error}"))
}
