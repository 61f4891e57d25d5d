//! The settings that deals of one bot follow.

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::{dca::Config, few::Few};

type Version = (u32, Arc<Config>);

/// The newest settings, and the older ones that open deals still follow. Most bots have none of those.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Version>")]
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

/// As one list, the newest last.
impl Serialize for Versions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.older.iter().chain([&self.newest]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dca::Draft;

    #[test]
    fn they_are_saved_as_one_list() {
        let text = r#"{"name":"a","pairs":["BTC/USDT"],"base_order_volume":"100",
            "safety_order_volume":"100","volume_scale":"1.5","max_safety_orders":5,
            "safety_order_step_pct":"1.5","take_profit_pct":"1.5","active_safety_orders_count":1}"#;
        let draft: Draft = serde_json::from_str(text).unwrap();
        let config = Arc::new(Config::try_from(draft).unwrap());
        let mut versions = Versions::new(3, Arc::clone(&config));
        versions.push(4, config);

        let bytes = postcard::to_allocvec(&versions).unwrap();
        let list: Vec<Version> = postcard::from_bytes(&bytes).unwrap();

        assert_eq!(list.iter().map(|(version, _)| *version).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(postcard::from_bytes::<Versions>(&bytes).unwrap(), versions);
        assert!(postcard::from_bytes::<Versions>(&[0]).is_err());
        versions.retain(|_| false);
        assert!(versions.get(3).is_none() && versions.get(4).is_some());
    }
}
