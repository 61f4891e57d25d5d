//! Bot files: the settings of one bot, in TOML.

use std::path::Path;

use anyhow::Result;
use toml::Value;
use tranche_model::{asset::Symbol, instrument::Instrument, money::Price};
use tranche_trading::dca::{Config, Draft};

use crate::document::{Document, Field, Kind};

/// Every setting of a DCA bot.
pub const FIELDS: [Field; 26] = [
    field("name", Kind::Text),
    field("pairs", Kind::Texts),
    field("base_order_volume", Kind::Decimal),
    field("base_order_type", Kind::Text),
    field("entry_reprice_seconds", Kind::Whole),
    field("entry_timeout_seconds", Kind::Whole),
    field("safety_order_volume", Kind::Decimal),
    field("safety_order_step_pct", Kind::Decimal),
    field("step_scale", Kind::Decimal),
    field("volume_scale", Kind::Decimal),
    field("max_safety_orders", Kind::Whole),
    field("active_safety_orders_count", Kind::Whole),
    field("deviation_reference", Kind::Text),
    field("ladder_origin", Kind::Text),
    field("take_profit_pct", Kind::Decimal),
    field("take_profit_type", Kind::Text),
    field("trailing_deviation_pct", Kind::Decimal),
    field("stop_loss_pct", Kind::Decimal),
    field("stop_loss_reference", Kind::Text),
    field("stop_loss_timeout_seconds", Kind::Whole),
    field("stop_bot_after_stop_loss", Kind::Flag),
    field("cooldown_seconds", Kind::Whole),
    field("max_active_deals", Kind::Whole),
    field("stop_after_deals", Kind::Whole),
    field("start", Kind::Text),
    field("qty_rounding", Kind::Text),
];

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

/// A bot's checked settings, and where they stand.
#[derive(Debug, Clone)]
pub struct BotFile {
    document: Document,
    pub config: Config,
    pub draft: Draft,
}

impl BotFile {
    pub fn read(path: &Path) -> Result<Self> {
        Self::of(Document::read(path, &FIELDS)?)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        self.document.text()
    }

    /// Reads the text of a file; `name` is what errors call it.
    pub fn parse(name: &str, text: String) -> Result<Self> {
        Self::of(Document::of(name.to_owned(), text, &FIELDS)?)
    }

    fn of(document: Document) -> Result<Self> {
        check_pairs(&document)?;
        let draft: Draft = document.parse()?;
        let config = Config::try_from(draft.clone())
            .map_err(|error| document.fault(error.field, &error.to_string()))?;
        Ok(Self { document, config, draft })
    }

    /// The same file with other settings.
    pub fn with(&self, draft: Draft) -> Result<Self> {
        let config = Config::try_from(draft.clone())?;
        Ok(Self { document: self.document.clone(), config, draft })
    }

    pub fn pairs(&self) -> &[Symbol] {
        self.config.pairs()
    }

    /// Refuses settings whose orders the instrument does not take at `price`.
    pub fn check(&self, instrument: &Instrument, price: Price) -> Result<()> {
        self.config.check_instrument(instrument, Some(price)).map_err(|error| {
            let text = format!("{error} ({} at {price})", instrument.symbol);
            self.document.fault(error.field, &text)
        })
    }

    /// An error about one of the settings.
    pub fn fault(&self, field: &str, text: &str) -> anyhow::Error {
        self.document.fault(field, text)
    }
}

/// Names are looked at apart, so that an error shows the one that is wrong.
fn check_pairs(document: &Document) -> Result<()> {
    let table: toml::Table = document.parse()?;
    let pairs = table.get("pairs").and_then(Value::as_array).into_iter().flatten();
    for pair in pairs.filter_map(Value::as_str) {
        if let Err(error) = Symbol::parse(pair) {
            return Err(document.fault("pairs", &format!("pairs: {error}{}", meant(pair))));
        }
    }
    Ok(())
}

/// `BTCUSDT` and `BTC-USDT` are BTC/USDT.
fn meant(pair: &str) -> String {
    let letters: String = pair.chars().filter(char::is_ascii_alphanumeric).collect();
    let upper = letters.to_ascii_uppercase();
    let known = tranche_lab::instruments::names().find(|name| name.replace('/', "") == upper);
    known.map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_of_a_draft_has_its_field() {
        let text = "name = \"a\"\npairs = [\"BTC/USDT\"]\nbase_order_volume = \"100\"\n\
                    max_safety_orders = 0\ntake_profit_pct = \"1\"\n";
        let draft: Draft = toml::from_str(text).unwrap();
        let json = serde_json::to_value(draft).unwrap();

        let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let fields: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();

        for name in &names {
            assert!(fields.contains(name), "{name}");
        }
        assert_eq!(names.len(), FIELDS.len());
    }
}
