//! Which of our instruments a venue's symbol text means. Grows while the venue runs.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use tranche_model::{asset::Asset, ids::InstrumentId, instrument::Instrument};

/// An instrument as a venue calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The venue's text, such as `BTCUSDT`.
    pub text: String,
    pub instrument: Instrument,
}

/// All instruments that are traded or watched at one venue.
#[derive(Debug, Default)]
pub struct Catalog {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_id: BTreeMap<InstrumentId, Arc<Listed>>,
    by_text: BTreeMap<String, Arc<Listed>>,
}

impl Catalog {
    pub fn new(list: impl IntoIterator<Item = Listed>) -> Self {
        let catalog = Self::default();
        for listed in list {
            catalog.put(listed);
        }
        catalog
    }

    /// Adds an instrument or replaces it, its former text included.
    pub fn put(&self, listed: Listed) {
        let listed = Arc::new(listed);
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = inner.by_id.insert(listed.instrument.id, Arc::clone(&listed)) {
            inner.by_text.remove(&former.text);
        }
        inner.by_text.insert(listed.text.clone(), listed);
    }

    pub fn get(&self, id: InstrumentId) -> Option<Arc<Listed>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).cloned()
    }

    /// By the venue's text, in its own case.
    pub fn find(&self, text: &str) -> Option<Arc<Listed>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).by_text.get(text).cloned()
    }
}

impl Listed {
    pub const fn id(&self) -> InstrumentId {
        self.instrument.id
    }

    pub const fn quote(&self) -> Asset {
        self.instrument.symbol.quote
    }
}

#[cfg(test)]
mod tests {
    use tranche_model::asset::Symbol;

    use super::*;

    fn listed(id: u32, text: &str) -> Listed {
        let symbol = Symbol::parse("BTC/USDT").unwrap();
        let instrument = Instrument::new(InstrumentId::new(id), symbol, Vec::new());
        Listed { text: text.to_owned(), instrument }
    }

    #[test]
    fn a_new_text_replaces_the_former_one() {
        let catalog = Catalog::new([listed(0, "BTCUSDT"), listed(1, "ETHUSDT")]);
        catalog.put(listed(0, "XBTUSDT"));

        assert!(catalog.find("BTCUSDT").is_none());
        assert_eq!(catalog.find("XBTUSDT").unwrap().id(), InstrumentId::new(0));
        assert_eq!(catalog.get(InstrumentId::new(1)).unwrap().text, "ETHUSDT");
        assert!(catalog.get(InstrumentId::new(2)).is_none());
    }
}
