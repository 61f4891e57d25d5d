//! The settings that deals of one bot follow.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{dca::Config, few::Few};

type Version = (u32, Arc<Config>);

/// The newest settings, and the older ones that open deals still follow. Most bots have none of those.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Version>", into = "Vec<Version>")]
pub(super) struct Versions {
    newest: Version,
    older: Few<Version>,
}

/// Saved settings are never empty.
#[derive(Debug, thiserror::Error)]
#[error("a bot without settings")]
pub(super) struct NoVersion;

impl Versions {
    pub(super) const fn new(version: u32, config: Arc<Config>) -> Self {
        Self { newest: (version, config), older: Few::new() }
    }

    pub(super) fn get(&self, version: u32) -> Option<Arc<Config>> {
        let mut all = std::iter::once(&self.newest).chain(self.older.iter());
        all.find(|(known, _)| *known == version).map(|(_, config)| Arc::clone(config))
    }

    pub(super) fn push(&mut self, version: u32, config: Arc<Config>) {
        self.older.push(std::mem::replace(&mut self.newest, (version, config)));
    }

    /// Forgets older ones.
    pub(super) fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        self.older.retain(|(version, _)| keep(*version));
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Arc<Config>> {
        self.older.iter_mut().chain([&mut self.newest]).map(|(_, config)| config)
    }
}

impl TryFrom<Vec<Version>> for Versions {
    type Error = NoVersion;

    fn try_from(mut all: Vec<Version>) -> Result<Self, NoVersion> {
        let newest = all.pop().ok_or(NoVersion)?;
        Ok(Self { newest, older: all.into() })
    }
}

impl From<Versions> for Vec<Version> {
    fn from(versions: Versions) -> Self {
        let mut all = Self::from(versions.older);
        all.push(versions.newest);
        all
    }
}
