//! Client order ids: any text on the wire, packed numbers on the exchange.

use std::collections::BTreeMap;

use tranche_model::{
    client_order_id::{ClientOrderId, OrderKey, Origin},
    ids::{BotId, DealNo, Generation, Incarnation, Installation, Slot},
};

/// Ids given to foreign texts; no installation of ours has both numbers at their end.
const FOREIGN: Origin = Origin {
    installation: Installation::new(u16::MAX),
    incarnation: Incarnation::new((1 << 14) - 1),
};

/// The texts by their packed ids and the other way round.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_text: BTreeMap<String, ClientOrderId>,
    texts: BTreeMap<ClientOrderId, String>,
    drawn: u64,
}

impl Names {
    /// The packed id of a text; the same one for the same text. `None` once all are given away.
    pub(crate) fn packed(&mut self, text: &str) -> Option<ClientOrderId> {
        if let Some(id) = self.find(text) {
            return Some(id);
        }
        let number = u32::try_from(self.texts.len()).ok()?;
        let id = ClientOrderId::pack(FOREIGN, key(number))?;
        self.by_text.insert(text.to_owned(), id);
        self.texts.insert(id, text.to_owned());
        Some(id)
    }

    pub(crate) fn find(&self, text: &str) -> Option<ClientOrderId> {
        let own = ClientOrderId::parse(text).filter(|id| id.origin() != FOREIGN);
        own.or_else(|| self.by_text.get(text).copied())
    }

    pub(crate) fn text(&self, id: ClientOrderId) -> String {
        self.texts.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// An id for an order or a cancel whose sender gave none.
    pub(crate) fn draw(&mut self) -> String {
        self.drawn = self.drawn.saturating_add(1);
        format!("sim{:019}", self.drawn)
    }
}

const fn key(number: u32) -> OrderKey {
    OrderKey {
        bot: BotId::new(number),
        deal: DealNo::new(0),
        slot: Slot::BASE,
        generation: Generation::new(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_comes_back_as_it_was() {
        let mut names = Names::default();

        let first = names.packed("x-1").unwrap();
        let second = names.packed("x-2").unwrap();

        assert_ne!(first, second);
        assert_eq!(names.packed("x-1"), Some(first));
        assert_eq!(names.text(second), "x-2");
        // Sent back as a text of ours, the drawn id is a text like any other.
        let disguised = first.to_string();
        assert_ne!(names.packed(&disguised), Some(first));
    }

    #[test]
    fn our_own_ids_are_themselves() {
        let mut names = Names::default();
        let origin = Origin { installation: Installation::new(3), ..FOREIGN };
        let id = ClientOrderId::pack(origin, key(9)).unwrap();

        assert_eq!(names.packed(&id.to_string()), Some(id));
        assert_eq!(names.text(id), id.to_string());
    }
}
