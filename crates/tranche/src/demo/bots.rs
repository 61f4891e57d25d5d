//! The bots of the demo: five characters, dealt out over the instruments.

use anyhow::{Context as _, Result};
use rust_decimal::Decimal;
use tranche_model::{
    asset::{Asset, Symbol},
    balance::Balance,
    instrument::Instruments,
    money::{Amount, Quote},
};
use tranche_trading::dca::{Config, Draft};

/// A character: its name, and its settings but for name, pair and volumes.
struct Character {
    name: &'static str,
    /// Volumes of base order and first safety order, in dollars.
    volumes: (i64, i64),
    settings: &'static str,
}

const CHARACTERS: [Character; 5] = [
    Character {
        name: "eager",
        volumes: (50, 50),
        settings: "safety_order_step_pct = \"0.4\"\nstep_scale = \"1.2\"\nvolume_scale = \"1.4\"\n\
                   max_safety_orders = 8\nactive_safety_orders_count = 3\n\
                   take_profit_pct = \"0.5\"\ncooldown_seconds = 60",
    },
    Character {
        name: "patient",
        volumes: (100, 100),
        settings: "safety_order_step_pct = \"1\"\nstep_scale = \"1.2\"\nvolume_scale = \"1.4\"\n\
                   max_safety_orders = 6\nactive_safety_orders_count = 2\n\
                   take_profit_pct = \"1\"\ncooldown_seconds = 300",
    },
    Character {
        name: "trailing",
        volumes: (100, 150),
        settings: "safety_order_step_pct = \"0.8\"\nmax_safety_orders = 5\n\
                   active_safety_orders_count = 0\ntake_profit_pct = \"0.8\"\n\
                   trailing_deviation_pct = \"0.2\"\ncooldown_seconds = 120",
    },
    Character {
        name: "guarded",
        volumes: (200, 200),
        settings: "safety_order_step_pct = \"0.7\"\nmax_safety_orders = 3\n\
                   take_profit_pct = \"0.7\"\nstop_loss_pct = \"4\"\n\
                   stop_loss_timeout_seconds = 60\ncooldown_seconds = 900",
    },
    Character {
        name: "limit",
        volumes: (150, 100),
        settings: "base_order_type = \"limit\"\nsafety_order_step_pct = \"0.6\"\n\
                   step_scale = \"1.1\"\nvolume_scale = \"1.2\"\nmax_safety_orders = 6\n\
                   active_safety_orders_count = 6\ntake_profit_pct = \"0.6\"\n\
                   take_profit_type = \"base\"\ncooldown_seconds = 60",
    },
];

/// How many times shorter the pauses of quick bots are.
const QUICKER: u32 = 60;

/// What each bot has to trade with, in dollars.
const FUNDS: i64 = 5000;

/// `count` bots over all instruments. Where the market passes fast and bots live in real time, `is_quick`
/// ones pause for seconds instead of minutes.
pub(crate) fn bots(count: u16, instruments: &Instruments, is_quick: bool) -> Result<Vec<Config>> {
    let characters = CHARACTERS.iter().cycle();
    let symbols = instruments.iter().map(|instrument| instrument.symbol).cycle();
    let numbered = (1..=count).zip(characters.zip(symbols));
    let config = |(number, (character, symbol))| config(number, character, symbol, is_quick);
    numbered.map(config).collect()
}

/// What an account with so many bots begins with.
pub(crate) fn balances(bots: u16, instruments: &Instruments) -> Result<Vec<Balance>> {
    let quote = instruments.iter().next().context("there is no instrument")?.symbol.quote;
    let free = worth(FUNDS.saturating_mul(bots.into()), quote);
    Ok(vec![Balance { asset: quote, free: Amount::new(free.get()), locked: Amount::ZERO }])
}

fn config(number: u16, character: &Character, symbol: Symbol, is_quick: bool) -> Result<Config> {
    let (base, safety) = character.volumes;
    let text = format!(
        "name = \"{number} {}\"\npairs = [\"{symbol}\"]\nbase_order_volume = \"{}\"\n\
         safety_order_volume = \"{}\"\n{}\n",
        character.name,
        worth(base, symbol.quote),
        worth(safety, symbol.quote),
        character.settings
    );
    let mut draft: Draft = toml::from_str(&text)?;
    if is_quick {
        draft.cooldown_seconds = draft.cooldown_seconds.div_ceil(QUICKER);
        draft.stop_loss_timeout_seconds = draft.stop_loss_timeout_seconds.div_ceil(QUICKER);
    }
    Ok(Config::try_from(draft)?)
}

/// Dollars, or about as much of another asset.
fn worth(dollars: i64, quote: Asset) -> Quote {
    let digits = match quote.as_str() {
        "BTC" => 5,
        "ETH" | "BNB" => 3,
        _ => 0,
    };
    Quote::new(Decimal::new(dollars, digits).normalize())
}

#[cfg(test)]
mod tests {
    use tranche_lab::instruments;
    use tranche_model::{ids::InstrumentId, money::Price};

    use super::*;

    #[test]
    fn every_character_can_trade() {
        let symbol = Symbol::parse("BTC/USDT").unwrap();
        let instrument = instruments::known(InstrumentId::new(0), symbol).unwrap();
        let instruments = Instruments::new(vec![instrument.clone()]).unwrap();
        let price = Price::parse("60000").unwrap();

        let quick = bots(5, &instruments, true).unwrap();
        for config in quick.into_iter().chain(bots(5, &instruments, false).unwrap()) {
            config.check_instrument(&instrument, Some(price)).unwrap();
        }
    }
}
